//! Headers, masks, close payloads and UTF-8 as tables: one row for both directions, with every cut.

use switchboard::proto::websocket::{
    CloseCode, Decoded, Header, Message, Opcode, Utf8, Violation, apply, close_payload,
    encode_frame, encode_masked, encode_message, parse_close, rotate,
};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

fn header(fin: bool, opcode: Opcode, key: Option<[u8; 4]>, len: u64) -> Header {
    Header { fin, rsv1: false, opcode, key, len }
}

/// Header and bytes, to be read in both directions (RFC 6455 5.2 and 5.7).
fn good_headers() -> Vec<(Header, Vec<u8>)> {
    use Opcode::{Binary, Close, Continuation, Ping, Pong, Text};
    let mut rows = vec![
        (header(true, Text, None, 5), vec![0x81, 0x05]),
        (header(true, Text, Some(KEY), 5), vec![0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D]),
        (header(false, Text, None, 3), vec![0x01, 0x03]),
        (header(true, Continuation, None, 2), vec![0x80, 0x02]),
        (header(true, Ping, None, 5), vec![0x89, 0x05]),
        (header(true, Pong, Some(KEY), 5), vec![0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D]),
        (header(true, Close, None, 125), vec![0x88, 0x7D]),
        (header(true, Binary, None, 256), vec![0x82, 0x7E, 0x01, 0x00]),
        (header(true, Binary, None, 65536), vec![0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]),
    ];
    let lengths: [(u64, &[u8]); 10] = [
        (0, &[0x00]),
        (1, &[0x01]),
        (125, &[0x7D]),
        (126, &[0x7E, 0x00, 0x7E]),
        (127, &[0x7E, 0x00, 0x7F]),
        (65535, &[0x7E, 0xFF, 0xFF]),
        (65536, &[0x7F, 0, 0, 0, 0, 0, 1, 0, 0]),
        (65537, &[0x7F, 0, 0, 0, 0, 0, 1, 0, 1]),
        (1 << 32, &[0x7F, 0, 0, 0, 1, 0, 0, 0, 0]),
        ((1 << 63) - 1, &[0x7F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
    ];
    for (len, bytes) in lengths {
        for (fin, opcode, first) in
            [(true, Binary, 0x82), (false, Text, 0x01), (false, Continuation, 0x00)]
        {
            let plain = [&[first][..], bytes].concat();
            let mut masked = plain.clone();
            masked[1] |= 0x80;
            masked.extend(KEY);
            rows.push((header(fin, opcode, None, len), plain));
            rows.push((header(fin, opcode, Some(KEY), len), masked));
        }
    }
    rows
}

#[test]
fn header_is_encoded_and_decoded_alike_at_every_boundary() {
    for (header, bytes) in good_headers() {
        let mut out = vec![0xEE];
        header.encode(&mut out);
        assert_eq!(out[1..], bytes, "{header:?}");
        let mut buf = [0; Header::MAX_LEN];
        let n = header.encode_into(&mut buf);
        assert_eq!(buf[..n], bytes, "{header:?}");
        assert_eq!(Header::decode(&bytes), Decoded::Header(header, bytes.len()));
        let followed = [&bytes[..], &[0xFF; 20]].concat();
        assert_eq!(Header::decode(&followed), Decoded::Header(header, bytes.len()));
    }
}

#[test]
fn header_is_partial_at_every_split_point() {
    for (header, bytes) in good_headers() {
        for cut in 0..bytes.len() {
            assert_eq!(Header::decode(&bytes[..cut]), Decoded::Partial, "{header:?} cut at {cut}");
        }
    }
}

/// Bytes, the violation, and how many of the bytes prove it.
const BAD_HEADERS: &[(&[u8], Violation, usize)] = &[
    (&[0xC1, 0x00], Violation::ReservedBits, 1),
    (&[0xA1, 0x00], Violation::ReservedBits, 1),
    (&[0x91, 0x00], Violation::ReservedBits, 1),
    (&[0xF1, 0x00], Violation::ReservedBits, 1),
    (&[0x83, 0x00], Violation::UnknownOpcode, 1),
    (&[0x84, 0x00], Violation::UnknownOpcode, 1),
    (&[0x85, 0x00], Violation::UnknownOpcode, 1),
    (&[0x86, 0x00], Violation::UnknownOpcode, 1),
    (&[0x87, 0x00], Violation::UnknownOpcode, 1),
    (&[0x8B, 0x00], Violation::UnknownOpcode, 1),
    (&[0x8C, 0x00], Violation::UnknownOpcode, 1),
    (&[0x8D, 0x00], Violation::UnknownOpcode, 1),
    (&[0x8E, 0x00], Violation::UnknownOpcode, 1),
    (&[0x8F, 0x00], Violation::UnknownOpcode, 1),
    (&[0x08, 0x00], Violation::FragmentedControl, 1),
    (&[0x09, 0x00], Violation::FragmentedControl, 1),
    (&[0x0A, 0x00], Violation::FragmentedControl, 1),
    (&[0x88, 0x7E, 0x00, 0x7E], Violation::ControlTooLong, 2),
    (&[0x89, 0xFE, 0x00, 0x7E], Violation::ControlTooLong, 2),
    (&[0x8A, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], Violation::ControlTooLong, 2),
    (&[0x82, 0x7E, 0x00, 0x00], Violation::NonMinimalLength, 4),
    (&[0x82, 0x7E, 0x00, 0x7D], Violation::NonMinimalLength, 4),
    (&[0x82, 0xFE, 0x00, 0x7D, 1, 2, 3, 4], Violation::NonMinimalLength, 4),
    (&[0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], Violation::NonMinimalLength, 8),
    (&[0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], Violation::NonMinimalLength, 8),
    (&[0x82, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0], Violation::LengthOverflow, 3),
    (
        &[0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4],
        Violation::LengthOverflow,
        3,
    ),
];

#[test]
fn header_violation_is_reported_with_the_byte_that_proves_it() {
    for &(bytes, violation, proven_at) in BAD_HEADERS {
        for cut in 0..=bytes.len() {
            let expected =
                if cut < proven_at { Decoded::Partial } else { Decoded::Violation(violation) };
            assert_eq!(Header::decode(&bytes[..cut]), expected, "{bytes:02X?} cut at {cut}");
        }
        assert_eq!(violation.code(), CloseCode::PROTOCOL);
    }
}

#[test]
fn header_may_have_rsv1_only_where_told_and_on_a_first_frame() {
    let compressed = Header { rsv1: true, ..header(false, Opcode::Text, None, 1) };
    let mut bytes = Vec::new();
    compressed.encode(&mut bytes);
    assert_eq!(bytes, [0x41, 0x01]);
    assert_eq!(Header::decode_with(&bytes, true), Decoded::Header(compressed, 2));
    assert_eq!(Header::decode(&bytes), Decoded::Violation(Violation::ReservedBits));
    for first in [0x40, 0xC0, 0xC8, 0xC9, 0xCA, 0xD1, 0xE1] {
        assert_eq!(
            Header::decode_with(&[first], true),
            Decoded::Violation(Violation::ReservedBits),
            "{first:02X}"
        );
    }
}

#[test]
fn opcode_is_one_of_six_and_control_by_its_high_bit() {
    let legal: Vec<u8> = (0..=255).filter(|&bits| Opcode::new(bits).is_some()).collect();
    assert_eq!(legal, [0x0, 0x1, 0x2, 0x8, 0x9, 0xA]);
    let control: Vec<u8> = legal
        .into_iter()
        .filter(|&bits| Opcode::new(bits).is_some_and(Opcode::is_control))
        .collect();
    assert_eq!(control, [0x8, 0x9, 0xA]);
}

#[test]
fn sender_writes_the_frames_of_the_rfc() {
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        out
    };
    assert_eq!(written(&|out| encode_message(out, Message::Text("Hello"))), b"\x81\x05Hello");
    assert_eq!(written(&|out| encode_message(out, Message::Binary(b"\0\xFF"))), b"\x82\x02\0\xFF");
    assert_eq!(written(&|out| encode_frame(out, false, Opcode::Text, b"Hel")), b"\x01\x03Hel");
    assert_eq!(written(&|out| encode_frame(out, true, Opcode::Continuation, b"lo")), b"\x80\x02lo");
    assert_eq!(
        written(&|out| encode_masked(out, true, Opcode::Text, b"Hello", KEY)),
        [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
    );
    let long = written(&|out| encode_message(out, Message::Binary(&[7; 65536])));
    assert_eq!((long.len(), &long[..11]), (65546, &[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0, 7][..]));
    assert_eq!(
        written(&|out| close_frame(out, CloseCode::GOING_AWAY, "bye")),
        b"\x88\x05\x03\xE9bye"
    );
}

fn close_frame(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    let mut buf = [0; 125];
    let n = close_payload(code, reason, &mut buf);
    encode_frame(out, true, Opcode::Close, &buf[..n]);
}

#[test]
fn sender_appends_to_what_stands_there() {
    let mut out = b"before".to_vec();
    encode_masked(&mut out, true, Opcode::Binary, &[0; 5], KEY);
    encode_message(&mut out, Message::Text(""));
    assert_eq!(out, [b"before", &[0x82, 0x85][..], &KEY, &KEY, &KEY[..1], &[0x81, 0x00]].concat());
}

#[test]
fn mask_equals_the_naive_one_at_every_length_and_offset() {
    let key = [0x12, 0x34, 0x56, 0x78];
    let mut bytes: Vec<u8> = (0..=255).cycle().take(210).collect();
    let before = bytes.clone();
    for start in 0..9 {
        for len in 0..=200 {
            let naive: Vec<u8> = before[start..start + len]
                .iter()
                .zip(key.iter().cycle())
                .map(|(b, k)| b ^ k)
                .collect();
            apply(&mut bytes[start..start + len], key);
            assert_eq!(bytes[start..start + len], naive, "{len} bytes from {start}");
            assert_eq!(
                (&bytes[..start], &bytes[start + len..]),
                (&before[..start], &before[start + len..])
            );
            bytes.copy_from_slice(&before);
        }
    }
}

#[test]
fn mask_goes_on_with_the_rotated_key() {
    for cut in 0..=40 {
        let (mut whole, mut cut_once) = ([0xA5; 40], [0xA5; 40]);
        apply(&mut whole, KEY);
        let (head, tail) = cut_once.split_at_mut(cut);
        apply(head, KEY);
        apply(tail, rotate(KEY, cut));
        assert_eq!(whole, cut_once, "cut at {cut}");
    }
    assert_eq!(rotate([1, 2, 3, 4], usize::MAX), [4, 1, 2, 3]);
}

#[test]
fn close_code_is_legal_exactly_where_the_rfc_says() {
    for number in 0..=u16::MAX {
        let code = CloseCode::new(number);
        assert_eq!(code.is_some(), (1000..5000).contains(&number), "{number}");
        let may_be_sent = match number {
            1004..=1006 | 1015..=2999 => false,
            _ => (1000..5000).contains(&number),
        };
        assert_eq!(code.is_some_and(CloseCode::may_be_sent), may_be_sent, "{number}");
        let expected = match code {
            Some(code) if may_be_sent => Ok((Some(code), "x")),
            _ => Err(Violation::InvalidCloseCode),
        };
        let [high, low] = number.to_be_bytes();
        assert_eq!(parse_close(&[high, low, b'x']), expected, "{number}");
    }
}

#[test]
fn close_payload_is_judged() {
    assert_eq!(parse_close(b""), Ok((None, "")));
    assert_eq!(parse_close(b"\x03"), Err(Violation::TruncatedCloseCode));
    assert_eq!(parse_close(b"\x03\xE8"), Ok((Some(CloseCode::NORMAL), "")));
    assert_eq!(parse_close(b"\x03\xE8caf\xC3\xA9"), Ok((Some(CloseCode::NORMAL), "café")));
    assert_eq!(parse_close(b"\x03\xE8caf\xC3"), Err(Violation::InvalidCloseReason));
    assert_eq!(Violation::InvalidCloseReason.code(), CloseCode::INVALID_DATA);
    assert_eq!(Violation::InvalidCloseCode.code(), CloseCode::PROTOCOL);
}

/// The payload holds the reason and nothing else of the buffer.
#[test]
fn field_row_05_close_reason_of_every_length_is_written_exactly() {
    for filler in ["a", "é", "€", "𝄞"] {
        for len in 0..=130 {
            let reason = "a".repeat(len % filler.len()) + &filler.repeat(len / filler.len());
            let mut buf = [0xEE; 125];
            let n = close_payload(CloseCode::POLICY, &reason, &mut buf);
            let longest = (0..=len.min(123)).rev().find(|&at| reason.is_char_boundary(at)).unwrap();
            assert_eq!(n, 2 + longest, "{len} bytes of {filler}");
            assert_eq!(buf[..2], [0x03, 0xF0]);
            assert_eq!(buf[2..n], reason.as_bytes()[..longest]);
            assert_eq!(parse_close(&buf[..n]), Ok((Some(CloseCode::POLICY), &reason[..longest])));
            let mut frame = Vec::new();
            close_frame(&mut frame, CloseCode::POLICY, &reason);
            assert_eq!(frame, [&[0x88, n as u8], &buf[..n]].concat());
        }
    }
    for silent in [CloseCode::NO_STATUS, CloseCode::ABNORMAL] {
        let mut frame = Vec::new();
        close_frame(&mut frame, silent, "not said");
        assert_eq!(frame, [0x88, 0x00]);
    }
}

/// Sequences that are wrong, and how many of their bytes prove it.
const BAD_UTF8: &[(&[u8], usize)] = &[
    (b"\x80", 1),
    (b"\xBF", 1),
    (b"\xC0\x80", 1),
    (b"\xC1\xBF", 1),
    (b"\xC3\x28", 2),
    (b"\xE0\x80\x80", 2),
    (b"\xE0\x9F\xBF", 2),
    (b"\xED\xA0\x80", 2),
    (b"\xED\xBF\xBF", 2),
    (b"\xE2\x82\x28", 3),
    (b"\xF0\x80\x80\x80", 2),
    (b"\xF0\x8F\xBF\xBF", 2),
    (b"\xF0\x9F\x98\x28", 4),
    (b"\xF4\x90\x80\x80", 2),
    (b"\xF5\x80\x80\x80", 1),
    (b"\xFF", 1),
];

#[test]
fn utf8_fails_at_the_first_bad_byte_wherever_the_cut_is() {
    for &(bad, proven_at) in BAD_UTF8 {
        for before in ["", "a", "plain text of more than a few machine words, é and €", "𝄞"] {
            let text = [before.as_bytes(), bad, b" and more"].concat();
            let first_bad = before.len() + proven_at;
            for cut in 0..=text.len() {
                let mut utf8 = Utf8::new();
                assert_eq!(
                    utf8.push(&text[..cut]).is_err(),
                    cut >= first_bad,
                    "{text:X?} cut at {cut}"
                );
                if cut < first_bad {
                    assert!(utf8.push(&text[cut..]).is_err(), "{text:X?} cut at {cut}");
                }
            }
        }
    }
}

#[test]
fn utf8_gives_the_text_back_at_every_pair_of_cuts() {
    let text = "a é€𝄞 \u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}\u{D7FF}\u{E000} z";
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let mut utf8 = Utf8::new();
            let mut gathered = String::new();
            for piece in [
                &text.as_bytes()[..first],
                &text.as_bytes()[first..second],
                &text.as_bytes()[second..],
            ] {
                let valid = utf8.push(piece).unwrap();
                gathered.extend(valid.joined);
                gathered.push_str(valid.text);
            }
            assert_eq!(
                (gathered.as_str(), utf8.is_complete()),
                (text, true),
                "cut at {first} and {second}"
            );
        }
    }
    assert!(size_of::<Utf8>() <= 8);
}

#[test]
fn message_borrows_either_kind() {
    let (text, bytes) = (String::from("é"), vec![1, 2, 3]);
    assert_eq!(Message::from(&text), Message::Text("é"));
    assert_eq!(Message::from(&bytes), Message::Binary(&[1, 2, 3]));
    assert_eq!(Message::from(b"ab"), Message::Binary(b"ab"));
    assert_eq!(Message::from(&bytes[1..]).len(), 2);
    assert_eq!(Message::from("é").as_bytes(), [0xC3, 0xA9]);
    assert!(Message::from("").is_empty() && !Message::from("a").is_empty());
}
