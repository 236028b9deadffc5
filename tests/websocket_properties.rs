//! Properties of the WebSocket layer against naive oracles: the cut of the bytes changes no event.

use proptest::collection::vec;
use proptest::prelude::*;
use switchboard::proto::websocket::{
    Assembly, CloseCode, Decoded, Event, Header, Opcode, Role, Rules, Utf8, Violation, apply,
    decode, encode_frame, encode_masked, rotate,
};

/// An event that borrows nothing.
#[derive(Clone, PartialEq, Debug)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<CloseCode>, String),
    Fail(Violation),
}

/// Feeds `bytes` in pieces that end at `cuts`, and keeps unconsumed bytes: all events up to the
/// first failure.
#[expect(clippy::too_many_lines, reason = "one arm for each event")]
fn read(rules: &Rules, bytes: &[u8], cuts: &[usize]) -> Vec<Seen> {
    let mut cuts: Vec<usize> =
        cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]).collect();
    cuts.sort_unstable();
    let mut assembly: Option<Box<Assembly>> = None;
    let (mut kept, mut at, mut seen) = (Vec::new(), 0, Vec::new());
    for cut in cuts {
        kept.extend_from_slice(&bytes[at..cut]);
        at = cut;
        loop {
            let before = kept.len();
            let (consumed, event) = decode(rules, &mut assembly, &mut kept);
            assert!(consumed <= before);
            let more = event == Event::More;
            match event {
                Event::More => {}
                Event::Message(message) => seen.push(match message {
                    switchboard::proto::websocket::Message::Text(text) => Seen::Text(text.into()),
                    switchboard::proto::websocket::Message::Binary(bytes) => {
                        Seen::Binary(bytes.into())
                    }
                }),
                #[cfg(feature = "deflate")]
                Event::Compressed(compressed) => {
                    unreachable!("not agreed on: {:02X?}", compressed.payload())
                }
                Event::Assembled(assembled) => seen.push(match assembled.message() {
                    Ok(switchboard::proto::websocket::Message::Text(text)) => {
                        Seen::Text(text.into())
                    }
                    Ok(switchboard::proto::websocket::Message::Binary(bytes)) => {
                        Seen::Binary(bytes.into())
                    }
                    Err(violation) => Seen::Fail(violation),
                }),
                Event::Ping(payload) => seen.push(Seen::Ping(payload.into())),
                Event::Pong(payload) => seen.push(Seen::Pong(payload.into())),
                Event::Close(code, reason) => seen.push(Seen::Close(code, reason.into())),
                Event::Fail(violation) => seen.push(Seen::Fail(violation)),
            }
            if let Some(Seen::Fail(_)) = seen.last() {
                assert!(assembly.is_none());
                return seen;
            }
            kept.drain(..consumed);
            if more {
                assert!(kept.len() < Header::MAX_LEN + 125, "{} bytes kept", kept.len());
                break;
            }
        }
    }
    seen
}

fn rules(role: Role) -> Rules {
    Rules { role, max_message: 1 << 10, compression: false }
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

/// Mostly text, cut anywhere, sometimes not UTF-8.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-zé€𝄞]{0,40}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..160),
        1 => vec(0x20..0x7F_u8, 0..300),
    ]
}

/// Frames as a careless peer would send them: the parts fit each other more often than not.
fn frames(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![
        Just(Opcode::Continuation),
        Just(Opcode::Text),
        Just(Opcode::Binary),
        Just(Opcode::Ping),
        Just(Opcode::Pong),
        Just(Opcode::Close),
    ];
    let frame = (prop::bool::weighted(0.7), opcode, payload(), any::<[u8; 4]>(), 0..60_u8);
    (vec(frame, 0..12), prop::bool::weighted(0.8)).prop_map(move |(frames, orderly)| {
        let (mut out, mut open) = (Vec::new(), false);
        for (mut fin, mut opcode, mut payload, key, odd) in frames {
            if opcode.is_control() {
                fin = true;
                payload.truncate(125);
                if opcode == Opcode::Close && payload.len() >= 2 {
                    payload[..2].copy_from_slice(&[0x03, 0xE8]);
                }
            } else if orderly {
                opcode = match (open, opcode) {
                    (true, _) => Opcode::Continuation,
                    (false, Opcode::Continuation) => Opcode::Text,
                    (false, other) => other,
                };
                open = !fin;
            }
            let at = out.len();
            match role {
                Role::Server => encode_masked(&mut out, fin, opcode, &payload, key),
                Role::Client => encode_frame(&mut out, fin, opcode, &payload),
            }
            // Now and then a bit of the header is wrong.
            if odd < 8 {
                out[at] ^= 1 << odd;
            } else if odd == 8 {
                out[at + 1] ^= 0x80;
            }
        }
        out
    })
}

fn frames_for_a_role() -> impl Strategy<Value = (Role, Vec<u8>)> {
    role().prop_flat_map(|role| frames(role).prop_map(move |frames| (role, frames)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn receiver_sees_the_same_however_the_input_is_cut(
        (role, bytes) in frames_for_a_role(),
        cuts in vec(any::<usize>(), 0..30),
    ) {
        let whole = read(&rules(role), &bytes, &[]);
        prop_assert_eq!(&read(&rules(role), &bytes, &cuts), &whole);
        let every_byte: Vec<usize> = (0..bytes.len()).collect();
        prop_assert_eq!(&read(&rules(role), &bytes, &every_byte), &whole);
    }

    #[test]
    fn receiver_turns_arbitrary_bytes_into_events_or_one_violation(
        role in role(),
        bytes in vec(any::<u8>(), 0..400),
        cuts in vec(any::<usize>(), 0..20),
    ) {
        let seen = read(&rules(role), &bytes, &cuts);
        let failures = seen.iter().filter(|seen| matches!(seen, Seen::Fail(_))).count();
        prop_assert!(failures <= 1);
        prop_assert_eq!(seen, read(&rules(role), &bytes, &[]));
    }

    #[test]
    fn receiver_sees_what_was_sent_in_fragments_with_pings_between(
        role in role(),
        text in any::<bool>(),
        message in "[a-zé€𝄞]{0,200}",
        fragments in vec(any::<usize>(), 0..8),
        key in any::<[u8; 4]>(),
        cuts in vec(any::<usize>(), 0..10),
    ) {
        let mut ends: Vec<usize> = fragments.iter().map(|end| end % (message.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(message.len());
        let (mut out, mut at, mut expected) = (Vec::new(), 0, Vec::new());
        let mut send = |fin, opcode, payload: &[u8]| match role {
            Role::Server => encode_masked(&mut out, fin, opcode, payload, key),
            Role::Client => encode_frame(&mut out, fin, opcode, payload),
        };
        for (place, &end) in ends.iter().enumerate() {
            let opcode = match (place, text) {
                (0, true) => Opcode::Text,
                (0, false) => Opcode::Binary,
                _ => Opcode::Continuation,
            };
            let last = place + 1 == ends.len();
            send(last, opcode, &message.as_bytes()[at..end]);
            at = end;
            if !last {
                send(true, Opcode::Ping, &[place as u8]);
                expected.push(Seen::Ping(vec![place as u8]));
            }
        }
        expected.push(if text { Seen::Text(message) } else { Seen::Binary(message.into_bytes()) });
        let rules = Rules { max_message: usize::MAX, ..rules(role) };
        prop_assert_eq!(read(&rules, &out, &cuts), expected);
    }

    #[test]
    fn header_round_trips(
        fin in any::<bool>(),
        kind in 0..3_u8,
        key in any::<Option<[u8; 4]>>(),
        len in 0..1_u64 << 63,
        shift in 0..63_u32,
    ) {
        let opcode = Opcode::new(kind).unwrap();
        let header = Header { fin, rsv1: false, opcode, key, len: len >> shift };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        prop_assert_eq!(Header::decode(&bytes), Decoded::Header(header, bytes.len()));
        prop_assert_eq!(Header::decode(&bytes[..bytes.len() - 1]), Decoded::Partial);
    }

    #[test]
    fn mask_equals_the_naive_one(
        mut bytes in vec(any::<u8>(), 0..600),
        key in any::<[u8; 4]>(),
        start in 0..600_usize,
    ) {
        let start = start.min(bytes.len());
        let naive: Vec<u8> = bytes.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
        let (head, tail) = bytes.split_at_mut(start);
        apply(head, key);
        apply(tail, rotate(key, start));
        prop_assert_eq!(bytes, naive);
    }

    #[test]
    fn utf8_agrees_with_std_on_where_text_goes_wrong(
        text in ".{0,40}",
        place in any::<usize>(),
        junk in vec(any::<u8>(), 0..5),
        cuts in vec(any::<usize>(), 0..6),
    ) {
        let mut bytes = text.into_bytes();
        let place = place % (bytes.len() + 1);
        bytes.splice(place..place, junk);
        // The first byte at which the standard library sees a fault.
        let first_bad = (1..=bytes.len()).find(|&n| {
            std::str::from_utf8(&bytes[..n]).is_err_and(|error| error.error_len().is_some())
        });
        let byte_by_byte = bytes
            .iter()
            .scan(Utf8::new(), |utf8, byte| Some(utf8.push(&[*byte]).is_err()))
            .position(|bad| bad);
        prop_assert_eq!(byte_by_byte.map(|at| at + 1), first_bad);

        let mut cuts: Vec<usize> =
            cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]).collect();
        cuts.sort_unstable();
        let (mut utf8, mut gathered, mut at) = (Utf8::new(), String::new(), 0);
        for cut in cuts {
            let pushed = utf8.push(&bytes[at..cut]);
            prop_assert_eq!(pushed.is_err(), first_bad.is_some_and(|bad| bad <= cut));
            let Ok(valid) = pushed else { return Ok(()) };
            gathered.extend(valid.joined);
            gathered.push_str(valid.text);
            at = cut;
        }
        prop_assert_eq!(utf8.is_complete(), std::str::from_utf8(&bytes).is_ok());
        prop_assert_eq!(gathered.as_bytes(), &bytes[..bytes.len() - utf8.carried()]);
    }

    #[test]
    fn long_text_in_pieces_goes_wrong_with_the_piece_that_std_says(
        parts in vec(prop_oneof!["[a-z]{1,400}", "\\PC{1,40}", "[é€𝄞]{1,200}"], 1..5),
        wrong in proptest::option::weighted(0.6, (any::<usize>(), any::<u8>())),
        key in any::<[u8; 4]>(),
        cuts in vec(any::<usize>(), 1..5),
    ) {
        let mut text = parts.concat().into_bytes();
        if let Some((place, byte)) = wrong {
            let place = place % text.len();
            text[place] = byte;
        }
        let mut bytes = Vec::new();
        encode_masked(&mut bytes, true, Opcode::Text, &text, key);
        let start = bytes.len() - text.len();
        let mut ends: Vec<usize> =
            cuts.iter().map(|cut| 1 + cut % text.len()).chain([text.len()]).collect();
        ends.sort_unstable();
        let first_bad = ends.iter().find(|&&end| match std::str::from_utf8(&text[..end]) {
            Ok(_) => false,
            Err(error) => error.error_len().is_some() || end == text.len(),
        });
        let rules = Rules { max_message: text.len(), ..rules(Role::Server) };
        let (mut assembly, mut at, mut found) = (None, 0, None);
        for end in &ends {
            match decode(&rules, &mut assembly, &mut bytes[at..start + end]) {
                (_, Event::More) => {}
                (_, Event::Fail(Violation::InvalidUtf8)) => found = Some(end),
                (_, Event::Assembled(assembled)) => {
                    found = assembled.message().is_err().then_some(end);
                }
                (_, Event::Message(message)) => prop_assert_eq!(message.as_bytes(), &text),
                (_, event) => prop_assert!(false, "{event:?}"),
            }
            if found.is_some() {
                break;
            }
            at = start + end;
        }
        prop_assert_eq!(found, first_bad);
    }
}
