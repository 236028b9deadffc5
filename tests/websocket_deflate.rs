//! The payloads of permessage-deflate: the examples of RFC 7692, a naive inflater beside ours, and
//! the faults of a peer.
#![cfg(feature = "deflate")]

use proptest::collection::vec;
use proptest::prelude::*;
use switchboard::proto::websocket::{
    Assembly, DeflateConfig, Deflater, Event, Header, Inflater, Opcode, Role, Rules, Violation,
    apply, decode, encode_compressed, encode_frame, encode_masked,
};

#[path = "websocket_deflate/naive_inflate.rs"]
mod naive_inflate;
use naive_inflate::naive_inflate;

const RULES: Rules = Rules { role: Role::Server, max_message: 1 << 20, compression: true };
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const LIMIT: usize = 1 << 20;

fn inflate(payload: &[u8]) -> Result<Vec<u8>, Violation> {
    let mut out = Vec::new();
    Inflater::new().inflate(payload, &mut out, LIMIT, false).map(|()| out)
}

fn deflate(level: u8, bits: u8, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::new(&DeflateConfig::shared().level(level), bits).deflate(message, &mut out, false);
    out
}

/// Text like that of an application: it repeats itself, but not exactly.
fn json(len: usize) -> Vec<u8> {
    let mut text = String::new();
    for i in 0_u64.. {
        if text.len() >= len {
            break;
        }
        let odd = i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        text.push_str(&format!(
            "{{\"id\":{odd},\"user\":\"member {}\",\"text\":\"hello {i}\"}},",
            odd % 100
        ));
    }
    text.truncate(len);
    text.into_bytes()
}

#[test]
fn inflater_reads_the_examples_of_the_rfc() {
    // 7.2.3.1, 7.2.3.3 to 7.2.3.6: one block, no compression, a final block, two blocks, empty.
    let rows: [(&[u8], &[u8]); 6] = [
        (&[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], b"Hello"),
        (&[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00], b"Hello"),
        (&[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00], b"Hello"),
        (&[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00], b"Hello"),
        (&[0x00], b""),
        (&[0x02, 0x00], b""), // the other way that section names to say nothing
    ];
    for (payload, message) in rows {
        assert_eq!(inflate(payload).as_deref(), Ok(message), "{payload:02X?}");
        assert_eq!(
            naive_inflate(payload, &[]).map(|(out, _)| out).as_deref(),
            Some(message),
            "{payload:02X?}"
        );
    }
    let (mut inflater, mut out) = (Inflater::new(), Vec::new());
    inflater.inflate(rows[0].0, &mut out, LIMIT, true).unwrap();
    inflater.inflate(&[0xF2, 0x00, 0x11, 0x00, 0x00], &mut out, LIMIT, true).unwrap(); // 7.2.3.2
    assert_eq!(out, b"HelloHello");
}

#[test]
fn deflater_writes_the_examples_of_the_rfc() {
    let (mut deflater, mut out) =
        (Deflater::new(&DeflateConfig::dedicated().level(6), 15), Vec::new());
    deflater.deflate(b"Hello", &mut out, true);
    assert_eq!(out, [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]);
    out.clear();
    deflater.deflate(b"Hello", &mut out, true);
    assert_eq!(out, [0xF2, 0x00, 0x11, 0x00, 0x00]);
    for keep_context in [true, false] {
        out.clear();
        deflater.deflate(b"", &mut out, keep_context);
        assert_eq!(out, [0x00]);
    }
    assert_eq!(
        deflate(0, 15, b"Hello"),
        [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]
    );
}

#[test]
fn inflater_starts_anew_after_a_final_block() {
    let last = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let twice = [&last[..], &last, &[0x00]].concat();
    assert_eq!(inflate(&twice).as_deref(), Ok(&b"HelloHello"[..]));
    assert_eq!(inflate(&last).as_deref(), Ok(&b"Hello"[..])); // without the byte that is to follow
    let (mut inflater, mut out) = (Inflater::new(), Vec::new());
    inflater.inflate(&[&last[..], &[0x00]].concat(), &mut out, LIMIT, true).unwrap();
    let reference = inflater.inflate(&[0xF2, 0x00, 0x11, 0x00, 0x00], &mut out, LIMIT, true);
    // The final block reset the context.
    assert_eq!(reference, Err(Violation::CorruptDeflate));
    out.clear();
    // A fault reset the context.
    inflater.inflate(&last, &mut out, LIMIT, true).unwrap();
    assert_eq!(out, b"Hello");
    // 7.2.1: the empty block at the end may itself be a final one.
    inflater.inflate(&[0x01], &mut out, LIMIT, true).unwrap();
    inflater.inflate(&last, &mut out, LIMIT, true).unwrap();
    assert_eq!(out, b"HelloHello");
}

#[test]
fn inflater_remembers_nothing_unless_told() {
    let reference = [0xF2, 0x00, 0x11, 0x00, 0x00];
    let (mut inflater, mut out) = (Inflater::new(), Vec::new());
    inflater.inflate(&[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], &mut out, LIMIT, false).unwrap();
    assert_eq!(
        inflater.inflate(&reference, &mut out, LIMIT, false),
        Err(Violation::CorruptDeflate)
    );
    assert_eq!(Violation::CorruptDeflate.code().as_u16(), 1007);
}

#[test]
fn inflater_refuses_every_message_that_is_cut_short() {
    for (level, first) in [(0, 2), (1, 1), (6, 1)] {
        // The first byte of a stored block alone means an empty message.
        let payload = deflate(level, 15, &json(700));
        assert_eq!(inflate(&payload).unwrap(), json(700));
        for cut in first..payload.len() {
            assert_eq!(
                inflate(&payload[..cut]),
                Err(Violation::CorruptDeflate),
                "{cut} of level {level}"
            );
        }
    }
    assert_eq!(inflate(&[]).as_deref(), Ok(&b""[..])); // says who flushed twice
}

#[test]
fn field_row_10_inflater_refuses_abuse_of_blocks() {
    let tail = [0x00, 0x00, 0xFF, 0xFF];
    let rows: [&[u8]; 9] = [
        &tail,                                 // the tail was not stripped
        &[0x00, 0x00, 0x00, 0xFF, 0xFF],       // a whole empty block, but none begun
        &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07], // no empty block begun
        &[0x00, 0x05, 0x00, 0xFA, 0xFE, 0x48], // a length and its complement that do not match
        &[0x00, 0xFF, 0xFF, 0x00, 0x00, 0x48], // a stored block longer than what there is
        &[0x06],                               // the reserved block type
        &[0x04, 0x00, 0x00],                   // a dynamic block without an end
        &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00, 0x00, 0xFF, 0xFF],
        &[0x02, 0x01, 0x00],
    ];
    for payload in rows {
        assert_eq!(inflate(payload), Err(Violation::CorruptDeflate), "{payload:02X?}");
        assert_eq!(naive_inflate(payload, &[]), None, "{payload:02X?}");
    }
    let empty_blocks = [&[0x00; 1][..], &tail, &[0x00], &tail, &[0x00]].concat();
    assert_eq!(inflate(&empty_blocks).as_deref(), Ok(&b""[..]));
}

#[test]
fn inflater_stops_at_the_limit() {
    for len in [0, 1, 63, 64, 65, 1000, 40_000] {
        let payload = deflate(6, 15, &vec![b'a'; len]);
        for limit in [0, 1, 63, 64, 65, 999, 1000, 1001, 39_999, 40_000, usize::MAX] {
            let mut out = b"before".to_vec();
            let done = Inflater::new().inflate(&payload, &mut out, limit, false);
            assert_eq!(
                done,
                if len <= limit { Ok(()) } else { Err(Violation::TooBig) },
                "{len} of {limit}"
            );
            assert!(out.starts_with(b"before") && out.len() - 6 <= limit.min(len));
        }
    }
}

/// Text with short repeats from far back and literals between, so that a compressor uses all its
/// distances.
fn many_distances(len: usize) -> Vec<u8> {
    let (mut bytes, mut state) = (Vec::with_capacity(len), 1_u64);
    while bytes.len() < len {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let back = (state >> 40) as usize % (1 << 15);
        match bytes.len().checked_sub(back.max(4)) {
            Some(from) => bytes.extend_from_within(from..from + 3 + (state >> 60) as usize % 2),
            None => bytes.push((state >> 56) as u8),
        }
        bytes.push((state >> 33) as u8);
    }
    bytes
}

#[test]
fn field_row_11_deflater_round_trips_at_every_level_and_window() {
    for message in [many_distances(40_000), json(20_000), vec![0; 30_000]] {
        for bits in 9..=15 {
            for level in 0..=9 {
                let payload = deflate(level, bits, &message);
                let (naive, farthest) =
                    naive_inflate(&payload, &[]).expect("a payload that inflates");
                assert!(naive == message, "level {level}, {bits} bits");
                assert!(farthest <= 1 << bits, "level {level}, {bits} bits: {farthest}");
                assert!(inflate(&payload).as_ref() == Ok(&message), "level {level}, {bits} bits");
            }
        }
    }
}

/// Frames of one message, compressed, cut at these places, a ping between each two.
fn fragments(role: Role, text: bool, payload: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut cuts: Vec<usize> =
        cuts.iter().map(|cut| cut % (payload.len() + 1)).chain([payload.len()]).collect();
    cuts.sort_unstable();
    let (mut out, mut from) = (Vec::new(), 0);
    for (i, &cut) in cuts.iter().enumerate() {
        let opcode = match (i, text) {
            (0, true) => Opcode::Text,
            (0, false) => Opcode::Binary,
            _ => Opcode::Continuation,
        };
        let (fin, key) =
            (cut == payload.len() && i == cuts.len() - 1, (role == Role::Server).then_some(KEY));
        Header { fin, rsv1: i == 0, opcode, key, len: (cut - from) as u64 }.encode(&mut out);
        let at = out.len();
        out.extend_from_slice(&payload[from..cut]);
        if let Some(key) = key {
            apply(&mut out[at..], key);
            encode_masked(&mut out, true, Opcode::Ping, b"?", KEY);
        } else {
            encode_frame(&mut out, true, Opcode::Ping, b"?");
        }
        from = cut;
    }
    out
}

/// Decodes `bytes` in pieces of `step` bytes: the compressed messages, or the violation at their
/// end.
fn compressed(rules: &Rules, bytes: &[u8], step: usize) -> Result<Vec<(bool, Vec<u8>)>, Violation> {
    let (mut assembly, mut kept, mut seen): (Option<Box<Assembly>>, _, _) =
        (None, Vec::new(), Vec::new());
    for piece in bytes.chunks(step) {
        kept.extend_from_slice(piece);
        loop {
            let (consumed, event) = decode(rules, &mut assembly, &mut kept);
            match event {
                Event::More => {
                    kept.drain(..consumed);
                    break;
                }
                Event::Compressed(message) => {
                    seen.push((message.is_text(), message.payload().to_vec()))
                }
                Event::Ping(b"?") => {}
                Event::Fail(violation) => return Err(violation),
                other => panic!("{other:?}"),
            }
            kept.drain(..consumed);
        }
    }
    assert!(kept.is_empty() && assembly.is_none());
    Ok(seen)
}

#[test]
fn receiver_yields_compressed_messages_however_they_are_cut() {
    let payload = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    for role in [Role::Server, Role::Client] {
        let rules = Rules { role, ..RULES };
        for text in [true, false] {
            for cuts in [&[][..], &[3], &[0, 3, 7], &[7], &[1, 2, 3, 4, 5, 6]] {
                let bytes = fragments(role, text, &payload, cuts);
                for step in 1..=bytes.len() {
                    let seen = compressed(&rules, &bytes, step);
                    assert_eq!(seen, Ok(vec![(text, payload.to_vec())]), "{cuts:?} by {step}");
                }
            }
        }
    }
    let (mut out, mut masked) = (Vec::new(), Vec::new());
    encode_compressed(&mut out, true, &payload, None);
    encode_compressed(&mut masked, false, &payload, Some(KEY));
    let client = Rules { role: Role::Client, ..RULES };
    assert_eq!(compressed(&client, &out, 100), Ok(vec![(true, payload.to_vec())]));
    assert_eq!(compressed(&RULES, &masked, 100), Ok(vec![(false, payload.to_vec())]));
}

#[test]
fn receiver_accepts_rsv1_where_it_has_a_meaning_alone() {
    let text = [&[0xC1, 0x81][..], &KEY, &[KEY[0]]].concat();
    let rows: [(bool, &[u8], Violation); 8] = [
        (false, &text, Violation::ReservedBits), // not negotiated
        (true, &[0xC9, 0x80], Violation::ReservedBits), // a ping
        (true, &[0xC8, 0x80], Violation::ReservedBits), // a close
        (true, &[0xC0, 0x80], Violation::ReservedBits), // a continuation
        // A continuation of a compressed message.
        (true, &[0x41, 0x80, 0, 0, 0, 0, 0xC0, 0x80], Violation::ReservedBits),
        (true, &[0x41, 0x80, 0, 0, 0, 0, 0xC1, 0x80], Violation::InterruptedMessage),
        (true, &[0xE1, 0x80], Violation::ReservedBits), // RSV2 beside it
        (true, &[0xC1, 0x00], Violation::Unmasked),
    ];
    for (compression, bytes, violation) in rows {
        for step in [1, bytes.len()] {
            let seen = compressed(&Rules { compression, ..RULES }, bytes, step);
            assert_eq!(seen, Err(violation), "{bytes:02X?} by {step}");
        }
    }
    assert_eq!(compressed(&RULES, &text, 100), Ok(vec![(true, vec![0x00])]));
}

#[test]
fn receiver_bounds_a_compressed_message_by_what_incompressible_data_need() {
    let rules = Rules { max_message: 1 << 16, ..RULES };
    let noise = many_distances(1 << 16);
    for (level, bits) in [(0, 9), (1, 9), (9, 9), (0, 15), (1, 15)] {
        let payload = deflate(level, bits, &noise);
        assert!(
            compressed(&rules, &fragments(Role::Server, false, &payload, &[40_000]), 5000).is_ok()
        );
    }
    let endless = vec![0; (1 << 16) + (1 << 14)];
    for cuts in [&[][..], &[60_000]] {
        let bytes = fragments(Role::Server, false, &endless, cuts);
        assert_eq!(compressed(&rules, &bytes, 5000), Err(Violation::TooBig));
    }
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..600),
        "[ab]{0,40}(hello, world ){0,60}".prop_map(String::into_bytes),
        (0..3000_usize).prop_map(json),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn messages_come_back_as_they_were_with_and_without_takeover(
        messages in vec((message(), vec(0..4000_usize, 0..6)), 1..8),
        level in 0..=9_u8,
        bits in 9..=15_u8,
        keep_context: bool,
        step in 1..5000_usize,
    ) {
        let mut deflater = Deflater::new(&DeflateConfig::dedicated().level(level), bits);
        let (mut bytes, mut history) = (Vec::new(), Vec::new());
        for (message, cuts) in &messages {
            let mut payload = Vec::new();
            deflater.deflate(message, &mut payload, keep_context);
            let before: &[u8] = if keep_context { &history } else { &[] };
            let naive = naive_inflate(&payload, before);
            let is_right = naive.is_some_and(|(out, far)| out == *message && far <= 1 << bits);
            prop_assert!(is_right);
            history.extend_from_slice(message);
            bytes.extend(fragments(Role::Server, true, &payload, cuts));
        }
        let mut inflater = Inflater::new();
        let seen = compressed(&RULES, &bytes, step).unwrap();
        prop_assert_eq!(seen.len(), messages.len());
        for ((message, _), (text, payload)) in messages.iter().zip(seen) {
            let mut out = Vec::new();
            let inflated = inflater.inflate(&payload, &mut out, message.len(), keep_context);
            prop_assert_eq!(inflated, Ok(()));
            prop_assert!(text && out == *message);
        }
    }

    /// Arbitrary bytes, and good payloads with a changed byte, get the oracle's verdict, and never
    /// a panic.
    #[test]
    fn inflater_judges_as_the_naive_one_does(
        noise in vec(any::<u8>(), 1..200),
        message in message(),
        level in 0..=9_u8,
        at: usize,
        flip: u8,
    ) {
        let mut payload = deflate(level, 15, &message);
        let at = at % payload.len();
        payload[at] ^= flip;
        for payload in [noise, payload] {
            let naive = naive_inflate(&payload, &[]).map(|(out, _)| out);
            if naive.as_ref().is_none_or(|out| out.len() <= LIMIT) {
                prop_assert_eq!(inflate(&payload).ok(), naive, "{:02X?}", payload);
            }
        }
    }
}

/// Every two bytes are a stream of their own, which costs far more than two bytes of input.
#[test]
fn inflater_refuses_a_flood_of_final_blocks() {
    assert_eq!(inflate(&[0x03, 0x00].repeat(1000)), Ok(Vec::new()));
    assert_eq!(inflate(&[0x03, 0x00].repeat(1 << 20)), Err(Violation::CorruptDeflate));
}
