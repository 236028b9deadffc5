//! The decoder and the table of states: the events of each role, for frames whole and in pieces.

use std::collections::HashSet;

use switchboard::proto::websocket::{
    Action, Assembly, CloseCode, Event, Input, Message, Opcode, Role, Rules, State, Violation,
    decode, encode_frame, encode_masked,
};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const SERVER: Rules = Rules { role: Role::Server, max_message: 1 << 20, compression: false };
const CLIENT: Rules = Rules { role: Role::Client, ..SERVER };
const UNLIMITED: Rules = Rules { max_message: usize::MAX, ..SERVER };

/// Encodes a frame for a receiver of this role.
fn frame(role: Role, fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match role {
        Role::Server => encode_masked(&mut out, fin, opcode, payload, KEY),
        Role::Client => encode_frame(&mut out, fin, opcode, payload),
    }
    out
}

/// An event in words.
fn describe(event: Event<'_>) -> Option<String> {
    let message = |message: Message<'_>| match message {
        Message::Text(text) => format!("text {text}"),
        Message::Binary(bytes) => format!("binary {bytes:02X?}"),
    };
    Some(match event {
        Event::More => return None,
        Event::Message(borrowed) => message(borrowed),
        #[cfg(feature = "deflate")]
        Event::Compressed(compressed) => format!("compressed {:02X?}", compressed.payload()),
        Event::Assembled(assembled) => match assembled.message() {
            Ok(whole) => message(whole),
            Err(violation) => format!("fail {violation:?}"),
        },
        Event::Ping(payload) => format!("ping {payload:02X?}"),
        Event::Pong(payload) => format!("pong {payload:02X?}"),
        Event::Close(Some(code), reason) => format!("close {code} {reason}"),
        Event::Close(None, reason) => format!("close {reason}"),
        Event::Fail(violation) => format!("fail {violation:?}"),
    })
}

/// Feeds the pieces one after the other, keeping what is not consumed; stops at the first failure.
fn read<'p>(rules: &Rules, pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<String> {
    let (mut assembly, mut kept, mut seen) = (None, Vec::new(), Vec::new());
    for piece in pieces {
        kept.extend_from_slice(piece);
        loop {
            let (consumed, event) = decode(rules, &mut assembly, &mut kept);
            let described = describe(event);
            kept.drain(..consumed);
            let Some(described) = described else { break };
            seen.push(described);
            if seen.last().is_some_and(|last| last.starts_with("fail")) {
                return seen;
            }
        }
    }
    seen
}

/// FIN, opcode and payload of each frame, and the expected events.
type Row = (Vec<(bool, Opcode, &'static [u8])>, Vec<&'static str>);

/// Frames with their events, which depend neither on the role nor on the cuts.
fn rows() -> Vec<Row> {
    use Opcode::{Binary, Close, Continuation, Ping, Pong, Text};
    vec![
        (vec![(true, Text, b"Hello")], vec!["text Hello"]),
        (vec![(true, Text, b"")], vec!["text "]),
        (vec![(true, Binary, b"\0\xFF")], vec!["binary [00, FF]"]),
        (vec![(true, Text, b"a"), (true, Binary, b"b")], vec!["text a", "binary [62]"]),
        (vec![(false, Text, b"Hel"), (true, Continuation, b"lo")], vec!["text Hello"]),
        (
            vec![(false, Text, b""), (false, Continuation, b""), (true, Continuation, b"")],
            vec!["text "],
        ),
        (
            vec![
                (false, Text, b"\xF0\x9D"),
                (false, Continuation, b"\x84"),
                (true, Continuation, b"\x9E!"),
            ],
            vec!["text 𝄞!"],
        ),
        (
            vec![
                (false, Binary, b"a"),
                (true, Ping, b"p"),
                (false, Continuation, b""),
                (true, Pong, b""),
                (true, Continuation, b"b"),
            ],
            vec!["ping [70]", "pong []", "binary [61, 62]"],
        ),
        (vec![(true, Close, b"")], vec!["close "]),
        (vec![(true, Close, b"\x03\xE8bye")], vec!["close 1000 bye"]),
        (
            vec![(true, Text, b"good"), (true, Close, b"\x03")],
            vec!["text good", "fail TruncatedCloseCode"],
        ),
        (vec![(true, Close, b"\x03\xED")], vec!["fail InvalidCloseCode"]),
        (vec![(true, Close, b"\x03\xE8\xFF")], vec!["fail InvalidCloseReason"]),
        (vec![(true, Continuation, b"x")], vec!["fail UnexpectedContinuation"]),
        (vec![(false, Text, b"a"), (true, Text, b"b")], vec!["fail InterruptedMessage"]),
        (vec![(false, Text, b"a"), (true, Binary, b"b")], vec!["fail InterruptedMessage"]),
        (
            vec![(false, Text, b"a"), (true, Continuation, b"b"), (true, Continuation, b"c")],
            vec!["text ab", "fail UnexpectedContinuation"],
        ),
        (vec![(true, Text, b"caf\xC3")], vec!["fail InvalidUtf8"]),
        (vec![(true, Text, b"\xED\xA0\x80")], vec!["fail InvalidUtf8"]),
        (vec![(false, Text, b"caf\xC3"), (true, Continuation, b"!")], vec!["fail InvalidUtf8"]),
        (vec![(false, Text, b"caf\xC3"), (true, Continuation, b"")], vec!["fail InvalidUtf8"]),
        (vec![(false, Text, b"a"), (true, Close, b"\x03\xE9")], vec!["close 1001 "]),
    ]
}

#[test]
fn receiver_reads_every_row_at_every_split_point() {
    for rules in [SERVER, CLIENT, UNLIMITED] {
        for (frames, expected) in rows() {
            let bytes: Vec<u8> = frames
                .iter()
                .flat_map(|&(fin, opcode, payload)| frame(rules.role, fin, opcode, payload))
                .collect();
            for cut in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                assert_eq!(read(&rules, [head, tail]), expected, "{frames:?} cut at {cut}");
            }
            assert_eq!(read(&rules, bytes.chunks(1)), expected, "{frames:?} byte by byte");
        }
    }
}

#[test]
fn receiver_reads_every_length_at_the_boundaries() {
    for len in [0, 1, 7, 8, 125, 126, 127, 128, 255, 256, 65535, 65536, 65537] {
        let text: String = ('a'..='z').cycle().take(len).collect();
        let bytes = frame(Role::Server, true, Opcode::Text, text.as_bytes());
        let (mut assembly, mut whole) = (None, bytes.clone());
        assert_eq!(
            decode(&SERVER, &mut assembly, &mut whole),
            (bytes.len(), Event::Message(Message::Text(&text)))
        );
        assert!(assembly.is_none());
        for cut in (0..bytes.len()).step_by(1 + len / 50) {
            assert_eq!(
                read(&SERVER, [&bytes[..cut], &bytes[cut..]]),
                [format!("text {text}")],
                "{len} cut at {cut}"
            );
        }
    }
}

#[test]
fn server_lends_a_whole_message_and_leaves_the_next() {
    let mut input = [
        frame(Role::Server, true, Opcode::Text, b"one"),
        frame(Role::Server, true, Opcode::Text, b"two"),
    ]
    .concat();
    let (mut assembly, input_start) = (None, input.as_ptr() as usize);
    let (consumed, event) = decode(&SERVER, &mut assembly, &mut input);
    let Event::Message(Message::Text(text)) = event else { panic!("{event:?}") };
    assert_eq!((consumed, text, text.as_ptr() as usize - input_start), (9, "one", 6));
    assert_eq!(
        decode(&SERVER, &mut assembly, &mut input[9..]),
        (9, Event::Message(Message::Text("two")))
    );
}

#[test]
fn receiver_refuses_the_wrong_masking_at_the_second_byte() {
    for opcode in [0x81, 0x82, 0x88, 0x89, 0x8A] {
        assert_eq!(read(&SERVER, [&[opcode, 0x05][..]]), ["fail Unmasked"]);
        assert_eq!(read(&CLIENT, [&[opcode, 0x85][..]]), ["fail Masked"]);
        assert_eq!(read(&SERVER, [&[opcode][..]]), [""; 0]);
    }
    // The length is not complete, nor is the key.
    assert_eq!(read(&SERVER, [&[0x82, 0x7F][..]]), ["fail Unmasked"]);
    assert_eq!(read(&CLIENT, [&[0x82, 0xFE][..]]), ["fail Masked"]);
}

#[test]
fn receiver_reports_the_first_of_several_faults_however_they_arrive() {
    // Unexpected continuation, unmasked, length not minimal.
    let bytes = [0x80, 0x7E, 0x00, 0x01];
    // Unmasked, and the length overflows.
    let other = [0x82, 0x7F, 0xFF, 0, 0, 0, 0, 0, 0, 0];
    for cut in 0..=4 {
        assert_eq!(read(&SERVER, [&bytes[..cut], &bytes[cut..]]), ["fail UnexpectedContinuation"]);
        assert_eq!(read(&SERVER, [&other[..cut], &other[cut..]]), ["fail Unmasked"]);
    }
}

#[test]
fn server_fails_text_at_the_first_bad_byte_within_a_frame() {
    let bytes = frame(
        Role::Server,
        true,
        Opcode::Text,
        b"plain \xED\xA0\x80 and a long rest that never comes",
    );
    let (mut assembly, mut kept) = (None, Vec::new());
    for (at, byte) in bytes.iter().enumerate() {
        kept.push(*byte);
        let (consumed, event) = decode(&SERVER, &mut assembly, &mut kept);
        match at {
            // Six bytes of header, six of text, then ED A0 cannot become a character.
            13 => return assert_eq!(event, Event::Fail(Violation::InvalidUtf8)),
            _ => assert_eq!(event, Event::More, "byte {at}"),
        }
        kept.drain(..consumed);
    }
    panic!("nothing failed");
}

#[test]
fn server_fails_a_message_above_the_limit_by_its_header() {
    let rules = Rules { max_message: 200, ..SERVER };
    assert_eq!(read(&rules, [&frame(Role::Server, true, Opcode::Text, &[b'a'; 200])[..]]).len(), 1);
    assert_eq!(
        read(&rules, [&frame(Role::Server, true, Opcode::Text, &[b'a'; 201])[..8]]),
        ["fail TooBig"]
    );
    let start = frame(Role::Server, false, Opcode::Binary, &[0; 150]);
    let fits = frame(Role::Server, true, Opcode::Continuation, &[0; 50]);
    let beyond = frame(Role::Server, true, Opcode::Continuation, &[0; 51]);
    assert!(read(&rules, [&start[..], &fits])[0].starts_with("binary"));
    assert_eq!(read(&rules, [&start[..], &beyond[..6]]), ["fail TooBig"]);
    // A character that is cut in two counts, and a control frame does not.
    let rules = Rules { max_message: 4, ..SERVER };
    let start = frame(Role::Server, false, Opcode::Text, b"ab\xC3");
    let ping = frame(Role::Server, true, Opcode::Ping, &[0; 125]);
    let beyond = frame(Role::Server, true, Opcode::Continuation, b"\xA9c");
    assert_eq!(read(&rules, [&start[..], &ping, &beyond])[1..], ["fail TooBig"]);
    assert_eq!(Violation::TooBig.code(), CloseCode::TOO_BIG);
    // No limit below the largest number is none, nought is one.
    let rules = Rules { max_message: 0, ..SERVER };
    assert_eq!(read(&rules, [&frame(Role::Server, true, Opcode::Text, b"")[..]]), ["text "]);
    assert_eq!(read(&rules, [&frame(Role::Server, true, Opcode::Text, b"a")[..]]), ["fail TooBig"]);
}

#[test]
fn server_forgets_an_unfinished_message_once_it_fails_or_ends() {
    for last in [frame(Role::Server, true, Opcode::Close, b""), vec![0x81]] {
        let (mut assembly, mut start) = (None, frame(Role::Server, false, Opcode::Text, b"begun"));
        assert_eq!(decode(&SERVER, &mut assembly, &mut start), (11, Event::More));
        assert!(assembly.is_some());
        let mut last = last;
        decode(&SERVER, &mut assembly, &mut last);
        assert!(assembly.is_none());
    }
}

#[test]
fn server_waits_for_a_whole_control_frame_without_consuming_it() {
    let whole = frame(Role::Server, true, Opcode::Ping, &[7; 125]);
    for cut in 0..whole.len() {
        let (mut assembly, mut input) = (None, whole[..cut].to_vec());
        assert_eq!(decode(&SERVER, &mut assembly, &mut input), (0, Event::More));
        assert_eq!((input.as_slice(), assembly.is_none()), (&whole[..cut], true));
    }
}

#[test]
fn server_has_nothing_to_say_about_no_bytes() {
    assert_eq!(decode(&SERVER, &mut None, &mut []), (0, Event::More));
}

/// The verdict on a header's two bytes, worked out from the RFC alone; `None` is "not yet".
fn verdict(role: Role, first: u8, second: u8) -> Option<&'static str> {
    let (fin, opcode, masked, len) =
        (first & 0x80 != 0, first & 0x0F, second & 0x80 != 0, second & 0x7F);
    match () {
        _ if first & 0x70 != 0 => Some("fail ReservedBits"),
        _ if !matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10) => Some("fail UnknownOpcode"),
        _ if opcode >= 8 && !fin => Some("fail FragmentedControl"),
        _ if opcode == 0 => Some("fail UnexpectedContinuation"),
        _ if opcode >= 8 && len > 125 => Some("fail ControlTooLong"),
        _ if role == Role::Server && !masked => Some("fail Unmasked"),
        _ if role == Role::Client && masked => Some("fail Masked"),
        // Without a key and without a payload the frame ends here.
        _ if masked || len > 0 || !fin => None,
        _ => Some(match opcode {
            1 => "text ",
            2 => "binary []",
            8 => "close ",
            9 => "ping []",
            _ => "pong []",
        }),
    }
}

#[test]
fn field_row_15_every_two_byte_header_has_one_verdict_in_both_roles() {
    for role in [Role::Server, Role::Client] {
        for header in 0..=u16::MAX {
            let bytes = header.to_be_bytes();
            let expected: Vec<_> = verdict(role, bytes[0], bytes[1]).into_iter().collect();
            let rules = Rules { role, ..SERVER };
            assert_eq!(read(&rules, [&bytes[..]]), expected, "{role:?} {bytes:02X?}");
            assert_eq!(
                read(&rules, bytes.chunks(1)),
                expected,
                "{role:?} {bytes:02X?} byte by byte"
            );
        }
    }
}

#[test]
fn field_row_19_reserved_bits_are_a_violation_in_every_phase() {
    for role in [Role::Server, Role::Client] {
        let rules = Rules { role, ..SERVER };
        for bits in 1..=7_u8 {
            for opcode in [
                Opcode::Continuation,
                Opcode::Text,
                Opcode::Binary,
                Opcode::Close,
                Opcode::Ping,
                Opcode::Pong,
            ] {
                let mut bad = frame(role, true, opcode, b"");
                bad[0] |= bits << 4;
                assert_eq!(read(&rules, [&bad[..]]), ["fail ReservedBits"]);
                let begun = frame(role, false, Opcode::Text, b"begun");
                assert_eq!(read(&rules, [&begun[..], &bad]), ["fail ReservedBits"]);
                let closed = frame(role, true, Opcode::Close, b"");
                assert_eq!(read(&rules, [&closed[..], &bad]), ["close ", "fail ReservedBits"]);
            }
        }
    }
    assert_eq!(State::Open.on(Input::Violation), (State::Closed, Action::Fail));
    assert_eq!(State::Closing.on(Input::Violation), (State::Closed, Action::Finish));
    assert_eq!(State::Closed.on(Input::Violation), (State::Closed, Action::Ignore));
}

#[test]
fn field_row_24_every_boundary_holds_without_a_limit() {
    let declared = |len: u64| [&[0x82, 0xFF][..], &len.to_be_bytes(), &KEY].concat();
    for len in [1 << 16, 1 << 31, 1 << 32, (1 << 32) + 1] {
        if usize::try_from(len).is_ok() {
            assert_eq!(read(&UNLIMITED, [&declared(len)[..], b"some of it"]), [""; 0]);
        }
    }
    for (frames, expected) in rows() {
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|&(fin, opcode, payload)| frame(Role::Server, fin, opcode, payload))
            .collect();
        assert_eq!(read(&UNLIMITED, [&bytes[..]]), expected);
    }
}

#[test]
fn field_row_25_lengths_beyond_the_address_space_never_wrap() {
    let declared = |first: u8, len: u64| [&[first, 0xFF][..], &len.to_be_bytes(), &KEY].concat();
    // Header and payload together pass 32 bits, or nearly 64: a wrapped sum would look like a whole
    // frame.
    for len in
        [u64::from(u32::MAX) - 13, u64::from(u32::MAX), 1 << 32, (1 << 63) - 14, (1 << 63) - 1]
    {
        let expected: &[&str] = if len <= usize::MAX as u64 { &[] } else { &["fail TooBig"] };
        assert_eq!(read(&UNLIMITED, [&declared(0x82, len)[..], &[0; 64]]), expected, "{len}");
        assert_eq!(read(&UNLIMITED, [&declared(0x81, len)[..], &KEY]), expected, "{len}");
        assert_eq!(read(&SERVER, [&declared(0x82, len)[..]]), ["fail TooBig"], "{len}");
        let begun = frame(Role::Server, false, Opcode::Binary, &[0; 100]);
        assert_eq!(read(&SERVER, [&begun[..], &declared(0x80, len)]), ["fail TooBig"], "{len}");
    }
}

/// The transitions of RFC 6455 section 7 from Open and from Closing. A new input does not compile
/// here.
fn transitions(input: Input) -> [(State, Action); 2] {
    use Action::{AnswerPong, Deliver, EchoClose, Fail, Finish, Ignore, SendClose};
    use State::{Closed, Closing, Open};
    match input {
        Input::Message => [(Open, Deliver), (Closing, Ignore)],
        Input::Ping => [(Open, AnswerPong), (Closing, Ignore)],
        Input::Pong => [(Open, Deliver), (Closing, Ignore)],
        Input::Close => [(Closed, EchoClose), (Closed, Finish)],
        Input::Violation => [(Closed, Fail), (Closed, Finish)],
        Input::SendClose => [(Closing, SendClose), (Closing, Ignore)],
    }
}

#[test]
fn state_table_is_the_one_of_the_rfc() {
    use State::{Closed, Closing, Open};
    let inputs = [
        Input::Message,
        Input::Ping,
        Input::Pong,
        Input::Close,
        Input::Violation,
        Input::SendClose,
    ];
    let mut actions = HashSet::new();
    for input in inputs {
        let [open, closing] = transitions(input);
        assert_eq!(Open.on(input), open, "{input:?}");
        assert_eq!(Closing.on(input), closing, "{input:?}");
        assert_eq!(Closed.on(input), (Closed, Action::Ignore), "{input:?}");
        actions.extend([open.1, closing.1]);
    }
    assert_eq!(actions.len(), 7, "every action is due somewhere");
    assert_eq!(size_of::<State>(), 1);
}

#[test]
fn violation_says_what_was_wrong_within_a_close_reason() {
    for violation in
        [Violation::ReservedBits, Violation::Unmasked, Violation::InvalidUtf8, Violation::TooBig]
    {
        assert!(violation.as_str().is_ascii() && violation.as_str().len() <= 123);
        assert_eq!(violation.to_string(), violation.as_str());
    }
    assert!(size_of::<Option<Box<Assembly>>>() == size_of::<usize>());
}
