//! Response heads: their end at every cut, their parts, and the name of each fault.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use switchboard::proto::http1::{
    HeadLimits, HeaderSlots, ResponseError, ResponseHead, Scan, Version, scan_response,
};

/// A client's reading of all bytes that have arrived: status and length of a whole head, a fault,
/// or `None` if more bytes are needed.
type Verdict = Option<Result<(u16, usize), ResponseError>>;

/// Feeds the input in pieces that end at the cuts, and stops at the first verdict.
fn read(input: &[u8], cuts: impl IntoIterator<Item = usize>, limits: &HeadLimits) -> Verdict {
    let mut resume = 0;
    for end in cuts.into_iter().chain([input.len()]) {
        match scan_response(&input[..end], resume, limits) {
            Scan::Partial(seen) => {
                assert!(seen <= end, "{seen} of {end}");
                resume = seen;
            }
            Scan::Refused(error) => return Some(Err(error)),
            Scan::Complete(len) => {
                let mut slots = HeaderSlots::new();
                let head = ResponseHead::parse(&input[..len], &mut slots, limits);
                return Some(head.map(|head| {
                    assert_eq!(head.head(), &input[..len]);
                    (head.status().as_u16(), len)
                }));
            }
        }
    }
    None
}

/// The verdict, asserted to be the same wherever the input is cut.
fn verdict(input: &[u8], limits: &HeadLimits) -> Verdict {
    let whole = read(input, [], limits);
    for cut in 0..=input.len() {
        assert_eq!(read(input, [cut], limits), whole, "cut at {cut}: {}", input.escape_ascii());
    }
    assert_eq!(
        read(input, 0..input.len(), limits),
        whole,
        "byte by byte: {}",
        input.escape_ascii()
    );
    whole
}

const GOOD: &[(&[u8], u16)] = &[
    (b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n", 101),
    (b"HTTP/1.1 200 \r\n\r\n", 200),
    (b"HTTP/1.1 101\r\n\r\n", 101),
    (b"HTTP/1.0 302\r\nLocation: /\r\n\r\n", 302),
    (b"HTTP/1.0 404 Not Found\r\n\r\n", 404),
    (b"HTTP/1.1 999 ?\r\n\r\n", 999),
    (b"HTTP/1.1 100 caf\xE9\t!\r\n\r\n", 100),
    (b"HTTP/1.1 200  two\r\nA:\r\nB:\tc\t\r\nD: \xFF\r\n\r\n", 200),
];

#[test]
fn client_finds_the_end_of_a_head_at_every_cut() {
    for &(head, status) in GOOD {
        let whole = Some(Ok((status, head.len())));
        assert_eq!(verdict(head, &HeadLimits::default()), whole, "{}", head.escape_ascii());
        for rest in [&b"\x81\x05Hello"[..], b"\r\n", b"\n", b"\0"] {
            assert_eq!(
                verdict(&[head, rest].concat(), &HeadLimits::default()),
                whole,
                "{}",
                rest.escape_ascii()
            );
        }
        assert_eq!(verdict(&head[..head.len() - 1], &HeadLimits::default()), None);
    }
}

const BAD: &[(&[u8], ResponseError)] = &[
    (b"HTTQ", ResponseError::NotHttp),
    (b"http/1.1 101 a\r\n\r\n", ResponseError::NotHttp),
    (b"HTTP/2", ResponseError::NotHttp),
    (b"HTTP/0.9 200 a\r\n\r\n", ResponseError::NotHttp),
    (b"HTTP/1.2 101 a\r\n\r\n", ResponseError::NotHttp),
    (b"HTTP/1.x 101 a\r\n\r\n", ResponseError::NotHttp),
    (b"SSH-2.0-OpenSSH", ResponseError::NotHttp),
    (b"\x15\x03\x01\x00\x02\x02\x16", ResponseError::NotHttp),
    (b"<html>", ResponseError::NotHttp),
    (b"\0", ResponseError::NotHttp),
    (b"\r\nHTTP/1.1 101 a\r\n\r\n", ResponseError::NotHttp),
    (b"\nHTTP/1.1 101 a\r\n\r\n", ResponseError::NotHttp),
    (b" HTTP/1.1 101 a\r\n\r\n", ResponseError::NotHttp),
    (b"HTTP/1.1 101 a\n", ResponseError::BareLineFeed),
    (b"HTTP/1.1 101 a\r\nB: c\n", ResponseError::BareLineFeed),
    (b"HTTP/1.1 101 a\rb", ResponseError::BareCarriageReturn),
    (b"HTTP/1.1 101 a\r\r\n", ResponseError::BareCarriageReturn),
    (b"HTTP/1.1 101 a\r\n\rb", ResponseError::BareCarriageReturn),
    (b"HTTP/1.1 101 a\0", ResponseError::ControlCharacter),
    (b"HTTP/1.1 101 a\r\nB: \x1b[31m", ResponseError::ControlCharacter),
    (b"HTTP/1.1 101 a\r\nB: \x7f", ResponseError::ControlCharacter),
    (b"HTTP/1.1 101\t\r\n\r\n", ResponseError::MalformedStatusLine),
    (b"HTTP/1.1 101\n\r\n", ResponseError::BareLineFeed),
    (b"HTTP/1.1 10\r\n\r\n", ResponseError::MalformedStatusLine),
    (b"HTTP/1.1 1010\r\n\r\n", ResponseError::MalformedStatusLine),
    (b"HTTP/1.1\r\n\r\n", ResponseError::NotHttp),
    (b"HTTP/1.1  101 a\r\n\r\n", ResponseError::MalformedStatusLine),
    (b"HTTP/1.1\t101 a\r\n\r\n", ResponseError::NotHttp),
    (b"HTTP/1.1 101a\r\n\r\n", ResponseError::MalformedStatusLine),
    (b"HTTP/1.1 1010 a\r\n\r\n", ResponseError::MalformedStatusLine),
    (b"HTTP/1.1 10 a\r\n\r\n", ResponseError::MalformedStatusLine),
    (b"HTTP/1.1 099 a\r\n\r\n", ResponseError::MalformedStatusLine),
    (b"HTTP/1.1 +10 a\r\n\r\n", ResponseError::MalformedStatusLine),
    (b"HTTP/1.1 \r\n\r\n", ResponseError::MalformedStatusLine),
    (b"HTTP/1.1 101 a\r\nB : c\r\n\r\n", ResponseError::MalformedHeaderName),
    (b"HTTP/1.1 101 a\r\n: c\r\n\r\n", ResponseError::MalformedHeaderName),
    (b"HTTP/1.1 101 a\r\nno colon\r\n\r\n", ResponseError::MalformedHeaderName),
    (b"HTTP/1.1 101 a\r\nB(c): d\r\n\r\n", ResponseError::MalformedHeaderName),
    (b"HTTP/1.1 101 a\r\nB: c\r\n d\r\n\r\n", ResponseError::FoldedHeader),
    (b"HTTP/1.1 101 a\r\n\tB: c\r\n\r\n", ResponseError::FoldedHeader),
];

#[test]
fn client_names_what_is_wrong_with_a_head_at_every_cut() {
    for &(input, error) in BAD {
        assert_eq!(
            verdict(input, &HeadLimits::default()),
            Some(Err(error)),
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn client_rejects_a_head_beyond_its_limits() {
    let head = b"HTTP/1.1 101 a\r\nA: b\r\nC: d\r\n\r\n";
    let limits = |head, headers| HeadLimits { head, headers, ..HeadLimits::default() };
    assert_eq!(verdict(head, &limits(head.len(), 2)), Some(Ok((101, head.len()))));
    assert_eq!(verdict(head, &limits(head.len(), 1)), Some(Err(ResponseError::TooManyHeaders)));
    for limit in 0..head.len() {
        assert_eq!(
            verdict(head, &limits(limit, 2)),
            Some(Err(ResponseError::HeadTooLarge)),
            "{limit}"
        );
    }
    let endless = [b"HTTP/1.1 101 ".as_slice(), &[b'a'; 20 << 10]].concat();
    assert_eq!(
        read(&endless, 0..endless.len(), &HeadLimits::default()),
        Some(Err(ResponseError::HeadTooLarge))
    );
    assert_eq!(read(&endless[..(16 << 10) - 1], [], &HeadLimits::default()), None);
    assert_eq!(
        read(&endless[..16 << 10], [], &HeadLimits::default()),
        Some(Err(ResponseError::HeadTooLarge))
    );
    let many = format!("HTTP/1.1 101 a\r\n{}\r\n", "A:\r\n".repeat(2000));
    assert_eq!(
        read(many.as_bytes(), [], &HeadLimits::default()),
        Some(Err(ResponseError::TooManyHeaders))
    );
    // A limit above the number of slots makes no room.
    assert_eq!(
        read(many.as_bytes(), [], &limits(1 << 20, 1 << 20)),
        Some(Err(ResponseError::TooManyHeaders))
    );
}

#[test]
fn client_looks_headers_up() {
    let input =
        b"HTTP/1.0 302 Found\r\nLocation: \t/a \r\nX: 1\r\nSet-Cookie: \xFF\r\nx: 2\r\n\r\nX: 3";
    let mut slots = HeaderSlots::new();
    let head = ResponseHead::parse(input, &mut slots, &HeadLimits::default()).unwrap();
    assert_eq!((head.version(), head.status().as_u16()), (Version::Http10, 302));
    assert_eq!(head.header("location"), Some("/a"));
    assert_eq!(head.header("set-cookie"), None, "not UTF-8");
    assert_eq!(head.header_values("SET-COOKIE").collect::<Vec<_>>(), [b"\xFF"]);
    assert_eq!(head.header_values("x").collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(head.header("absent"), None);
    assert_eq!(
        head.headers().map(|(name, _)| name).collect::<Vec<_>>(),
        ["Location", "X", "Set-Cookie", "x"]
    );
    assert_eq!(head.head(), &input[..input.len() - 4]);
    let whole = &input[..input.len() - 6];
    let mut slots = HeaderSlots::new();
    let cut = ResponseHead::parse(whole, &mut slots, &HeadLimits::default()).map(|_| ());
    assert_eq!(cut, Err(ResponseError::IncompleteHead));
    let mut slots = HeaderSlots::new();
    let late =
        ResponseHead::parse(b"\r\nHTTP/1.1 101 a\r\n\r\n", &mut slots, &HeadLimits::default())
            .map(|_| ());
    assert_eq!(late, Err(ResponseError::NotHttp), "empty lines are skipped before requests alone");
}

#[test]
fn client_knows_which_responses_are_interim() {
    for (status, interim) in [
        (100, true),
        (101, false),
        (102, true),
        (103, true),
        (199, true),
        (200, false),
        (404, false),
    ] {
        let input = format!("HTTP/1.1 {status} \r\n\r\n");
        let mut slots = HeaderSlots::new();
        let head =
            ResponseHead::parse(input.as_bytes(), &mut slots, &HeadLimits::default()).unwrap();
        assert_eq!(head.is_interim(), interim, "{status}");
    }
}

/// A random string of words that have a meaning in a head.
fn head_like() -> impl Strategy<Value = Vec<u8>> {
    let word = select(vec![
        "\r\n",
        "\r\n",
        "\r\n\r\n",
        "\r",
        "\n",
        "\0",
        "\t",
        " ",
        ":",
        "a",
        "HTTP/1.1",
        " 101",
        " Switching",
        "A: b\r\n",
        "é",
        "\x7f",
        "Upgrade: websocket\r\n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]);
    let start =
        select(vec!["HTTP/1.1 101 a\r\n", "HTTP/1.1 101 a\r\n", "HTTP/1.0 2", "HTTP/1.", "H", ""]);
    (start, vec(word, 0..16))
        .prop_map(|(start, words)| [start, &words.concat()].concat().into_bytes())
}

/// Scans from the beginning for every byte, where [`scan_response`] does not look back.
fn read_naively(input: &[u8], limits: &HeadLimits) -> Option<Result<usize, ResponseError>> {
    for len in 1..=input.len() {
        let seen = &input[..len];
        if len > limits.head {
            return Some(Err(ResponseError::HeadTooLarge));
        }
        if len <= 7 && !b"HTTP/1.".starts_with(seen) {
            return Some(Err(ResponseError::NotHttp));
        }
        match *seen {
            [.., b'\r', b'\n', b'\r', b'\n'] => return Some(Ok(len)),
            [.., b'\r', b'\n'] => {}
            [.., b'\r', _] => return Some(Err(ResponseError::BareCarriageReturn)),
            [.., b'\n'] => return Some(Err(ResponseError::BareLineFeed)),
            [.., b'\r' | b'\t'] => {}
            [.., last] if last.is_ascii_control() => {
                return Some(Err(ResponseError::ControlCharacter));
            }
            _ => {}
        }
    }
    (input.len() >= limits.head).then_some(Err(ResponseError::HeadTooLarge))
}

proptest! {
    #[test]
    fn client_scans_as_if_it_looked_at_all_again(input in head_like(), limit in 20_usize..200) {
        let limits = HeadLimits { head: limit, ..HeadLimits::default() };
        let scanned = match scan_response(&input, 0, &limits) {
            Scan::Complete(len) => Some(Ok(len)),
            Scan::Partial(_) => None,
            Scan::Refused(error) => Some(Err(error)),
        };
        prop_assert_eq!(scanned, read_naively(&input, &limits));
        verdict(&input, &limits);
    }

    #[test]
    fn client_takes_any_bytes_for_a_head_without_harm(
        start in select(GOOD),
        cut in 0_usize..20,
        rest in vec(any::<u8>(), 0..80),
    ) {
        for input in [rest.clone(), [&start.0[..cut.min(start.0.len())], &rest].concat()] {
            verdict(&input, &HeadLimits::default());
            let mut slots = HeaderSlots::new();
            let _ = ResponseHead::parse(&input, &mut slots, &HeadLimits::default());
        }
    }
}
