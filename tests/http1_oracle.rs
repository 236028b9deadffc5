//! Heads as httparse reads them: what is accepted here it accepts with the same parts, and what it finds fault with is
//! refused by the right name. Heads are made of good parts, then spoiled in a few places.

use httparse::{Error, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use switchboard::proto::http1::{
    HeadLimits, HeaderSlots, MAX_HEADERS, Request, RequestError, ResponseError, ResponseHead, Scan,
    Version, scan, scan_response,
};

const LIMITS: HeadLimits = HeadLimits { head: 600, headers: 6, target: 40 };

/// What is put in the place of something else.
const SPOILERS: &[&str] = &[
    "",
    "",
    "\r\n",
    "\r",
    "\n",
    "\0",
    "\t",
    " ",
    ":",
    ",",
    "\x7f",
    "\x1b",
    "é",
    "/",
    "?",
    "#",
    "%41",
    "%",
    "\\",
    "\"",
    "(",
    "@",
    "[",
    "a",
    "Z",
    "0",
    "-",
    "_",
    "\r\n ",
    "\r\n\t",
    "\r\n\r\n",
    "HTTP/1.1",
    "A: b\r\n",
    "Host: b\r\n",
    "Content-Length: 5\r\n",
    "Upgrade",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

fn lines() -> impl Strategy<Value = String> {
    let name = select(vec![
        "Host",
        "host",
        "A",
        "X-Long-Name_0~",
        "Connection",
        "Upgrade",
        "Origin",
        "Content-Length",
        "Transfer-Encoding",
        "Cookie",
        "Expect",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "sec-websocket-protocol",
        "Sec-WebSocket-Extensions",
    ]);
    let white = select(vec!["", " ", " ", "  ", "\t", " \t "]);
    let value = prop_oneof![
        select(vec![
            "a",
            "example.com:80",
            "0",
            "5",
            "13",
            "chunked",
            "close, Upgrade",
            "websocket",
            "100-continue",
            "gzip, deflate",
            ""
        ]),
        select(vec![
            "a\tb",
            "a b",
            "é",
            "Mozilla/5.0 (X11; Linux x86_64; rv:1.0) Gecko/20100101",
            ":",
            "dGhlIHNhbXBsZSBub25jZQ=="
        ]),
    ];
    vec((name, white.clone(), value, white), 0..8).prop_map(|lines| {
        lines
            .iter()
            .map(|(name, before, value, after)| format!("{name}:{before}{value}{after}\r\n"))
            .collect()
    })
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let start = select(vec!["", "", "", "", "\r\n", "\r\n\r\n"]);
    let method = select(vec![
        "GET",
        "GET",
        "GET",
        "POST",
        "OPTIONS",
        "CONNECT",
        "G",
        "GETS",
        "get",
        "a-b!#$%&'*+.^_`|~9",
    ]);
    let target = select(vec![
        "/",
        "/",
        "/a/b.c?d=e&f",
        "/%41%C3%A9",
        "*",
        "http://a/b",
        "/a/../b",
        "//",
        "/é",
        "a",
        "/\"",
        "/#",
        "/?#",
        "/%4",
        "/\\",
        "https://a",
    ]);
    let version = select(vec![
        "HTTP/1.1",
        "HTTP/1.1",
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/1.2",
        "HTTP/2.0",
        "HTTP/1.10",
        "http/1.1",
    ]);
    let line = (start, method, target, version)
        .prop_map(|(start, a, b, c)| format!("{start}{a} {b} {c}\r\n"));
    (line, proptest::bool::weighted(0.7), lines()).prop_map(|(line, host, lines)| {
        let host = if host { "Host: example.com\r\n" } else { "" };
        format!("{line}{host}{lines}\r\n").into_bytes()
    })
}

fn response() -> impl Strategy<Value = Vec<u8>> {
    let version = select(vec![
        "HTTP/1.1",
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/1.2",
        "HTTP/1.",
        "HTTP/2",
        "\r\nHTTP/1.1",
    ]);
    let status =
        select(vec!["101", "101", "200", "099", "999", "1", "10", "1010", "+10", "1 1", ""]);
    let reason = select(vec![" Switching Protocols", " ", "", "  \t", " caf\u{e9}", "a", "\t"]);
    (version, status, reason, lines()).prop_map(|(version, status, reason, lines)| {
        format!("{version} {status}{reason}\r\n{lines}\r\n").into_bytes()
    })
}

/// The same, most often, with something else in a few places.
fn spoiled(head: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let places = vec((any::<Index>(), 0..3_usize, select(SPOILERS), any::<u8>(), 0..8), 0..4);
    (head, places, vec(any::<u8>(), 0..20)).prop_map(|(mut head, places, rest)| {
        for (at, len, spoiler, byte, choice) in places {
            let at = at.index(head.len());
            let end = head.len().min(at + len);
            let any_byte = [byte];
            head.splice(
                at..end,
                if choice == 0 { any_byte.to_vec() } else { spoiler.as_bytes().to_vec() },
            );
            if head.is_empty() {
                break;
            }
        }
        [head, rest].concat()
    })
}

fn minor(version: Version) -> u8 {
    u8::from(version == Version::Http11)
}

/// What httparse finds in a head whose end and bytes the scanner has found right.
fn request_fault(head: &[u8], error: Error) -> RequestError {
    let line = head
        .strip_prefix(b"\r\n")
        .unwrap_or(head)
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let is_token = |part: &[u8]| {
        part.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
    };
    match (error, &parts[..]) {
        (Error::TooManyHeaders, _) => RequestError::TooManyHeaders,
        (Error::HeaderName, _) if head.windows(3).any(|at| at == b"\r\n " || at == b"\r\n\t") => {
            RequestError::FoldedHeader
        }
        (Error::HeaderName, _) => RequestError::MalformedHeaderName,
        (_, [method, target, version])
            if ![method, target, version].iter().any(|part| part.is_empty()) =>
        {
            match *version {
                _ if !is_token(method) => RequestError::MalformedMethod,
                b"HTTP/1.1" | b"HTTP/1.0" => RequestError::TargetCharacter,
                [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
                    RequestError::VersionNotSupported
                }
                _ => RequestError::MalformedVersion,
            }
        }
        _ => RequestError::MalformedRequestLine,
    }
}

/// What only somebody finds fault with who has found the form right.
fn is_about_the_meaning(refusal: RequestError) -> bool {
    use RequestError::*;
    let of_the_form = [
        BareCarriageReturn,
        BareLineFeed,
        ControlCharacter,
        IncompleteHead,
        MissingRequestLine,
        MalformedRequestLine,
        MalformedMethod,
        MalformedVersion,
        MalformedHeaderName,
        MalformedHeaderValue,
        FoldedHeader,
        TooManyHeaders,
        HeadTooLarge,
        VersionNotSupported,
    ];
    !of_the_form.contains(&refusal)
}

fn response_fault(head: &[u8], error: Error) -> ResponseError {
    match error {
        Error::TooManyHeaders => ResponseError::TooManyHeaders,
        Error::HeaderName if head.windows(3).any(|at| at == b"\r\n " || at == b"\r\n\t") => {
            ResponseError::FoldedHeader
        }
        Error::HeaderName => ResponseError::MalformedHeaderName,
        Error::Version => ResponseError::NotHttp,
        _ => ResponseError::MalformedStatusLine,
    }
}

/// Names and values must be the same.
fn same<'a>(
    ours: impl Iterator<Item = (&'a str, &'a [u8])>,
    theirs: &[httparse::Header<'_>],
) -> Result<(), TestCaseError> {
    let ours: Vec<_> = ours.collect();
    let theirs: Vec<_> = theirs.iter().map(|line| (line.name, line.value)).collect();
    prop_assert_eq!(ours, theirs);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parser_reads_requests_as_httparse_does(input in spoiled(request())) {
        let mut slots = HeaderSlots::new();
        let at_once = Request::parse(&input, &mut slots, &LIMITS);
        let Scan::Complete(len) = scan(&input, 0, &LIMITS) else {
            // Only the limit of the whole head is none of the parser's business.
            let limitless = scan(&input, 0, &HeadLimits { head: usize::MAX, ..LIMITS });
            prop_assert!(at_once.is_err() || matches!(limitless, Scan::Complete(_)));
            return Ok(());
        };
        let head = &input[..len];
        let mut slots = HeaderSlots::new();
        let parsed = Request::parse(head, &mut slots, &LIMITS);
        prop_assert_eq!(at_once.is_ok(), parsed.is_ok(), "bytes after the end of a head change nothing");
        let mut lines = [httparse::EMPTY_HEADER; LIMITS.headers];
        let mut oracle = httparse::Request::new(&mut lines);
        match (parsed, oracle.parse(head)) {
            (Err(refusal), Ok(_)) => prop_assert!(is_about_the_meaning(refusal), "{:?}", refusal),
            (parsed, Err(error)) => prop_assert_eq!(parsed.map(drop), Err(request_fault(head, error))),
            (Ok(request), Ok(end)) => {
                prop_assert_eq!(end, Status::Complete(len));
                prop_assert_eq!((request.head(), request.target()), (head, oracle.path.unwrap()));
                prop_assert_eq!(request.method().as_str(), oracle.method.unwrap());
                prop_assert_eq!(Some(minor(request.version())), oracle.version);
                same(request.headers(), oracle.headers)?;
                for (name, _) in request.headers() {
                    let theirs: Vec<&[u8]> = oracle
                        .headers
                        .iter()
                        .filter(|line| line.name.eq_ignore_ascii_case(name))
                        .map(|line| line.value)
                        .collect();
                    prop_assert_eq!(request.header_bytes(&name.to_uppercase()), theirs.first().copied());
                    prop_assert_eq!(request.header_values(&name.to_lowercase()).collect::<Vec<_>>(), theirs);
                }
                for cut in 0..len {
                    let mut slots = HeaderSlots::new();
                    prop_assert!(Request::parse(&head[..cut], &mut slots, &LIMITS).is_err(), "cut at {}", cut);
                }
            }
        }
    }

    #[test]
    fn client_reads_responses_as_httparse_does(input in spoiled(response())) {
        let mut slots = HeaderSlots::new();
        let at_once = ResponseHead::parse(&input, &mut slots, &LIMITS);
        let Scan::Complete(len) = scan_response(&input, 0, &LIMITS) else {
            let limitless = scan_response(&input, 0, &HeadLimits { head: usize::MAX, ..LIMITS });
            prop_assert!(at_once.is_err() || matches!(limitless, Scan::Complete(_)));
            return Ok(());
        };
        let head = &input[..len];
        let mut slots = HeaderSlots::new();
        let parsed = ResponseHead::parse(head, &mut slots, &LIMITS);
        prop_assert_eq!(at_once.is_ok(), parsed.is_ok(), "bytes after the end of a head change nothing");
        let mut lines = [httparse::EMPTY_HEADER; LIMITS.headers];
        let mut oracle = httparse::Response::new(&mut lines);
        match (parsed, oracle.parse(head)) {
            (parsed, Err(error)) => prop_assert_eq!(parsed.map(drop), Err(response_fault(head, error))),
            // It takes a status below 100, and a line that ends with the status.
            (Err(rejection), Ok(_)) => {
                prop_assert_eq!(rejection, ResponseError::MalformedStatusLine);
                prop_assert!(oracle.code.is_some_and(|code| code < 100) || head[12] != b' ');
            }
            (Ok(response), Ok(end)) => {
                prop_assert_eq!((response.head(), end), (head, Status::Complete(len)));
                prop_assert_eq!(Some(response.status().as_u16()), oracle.code);
                prop_assert_eq!(Some(minor(response.version())), oracle.version);
                same(response.headers(), oracle.headers)?;
                for cut in 0..len {
                    let mut slots = HeaderSlots::new();
                    let cut = ResponseHead::parse(&head[..cut], &mut slots, &LIMITS).map(drop);
                    prop_assert_eq!(cut, Err(ResponseError::IncompleteHead));
                }
            }
        }
    }
}

/// Every byte in every place of a head that has one of everything, and no byte there.
#[test]
fn parser_reads_every_spoiled_byte_as_httparse_does() {
    let good =
        b"\r\nGET /a?b HTTP/1.1\r\nHost: a\r\nX-Y_0:\t b c\t\r\nEmpty:\r\nCookie: \xe9\r\n\r\n";
    for at in 0..good.len() {
        for byte in 0..=0x100_u16 {
            let byte: Vec<u8> = u8::try_from(byte).into_iter().collect();
            let input = [&good[..at], &byte, &good[at + 1..]].concat();
            let Scan::Complete(len) = scan(&input, 0, &LIMITS) else {
                assert!(
                    Request::parse(&input, &mut HeaderSlots::new(), &LIMITS).is_err(),
                    "{}",
                    input.escape_ascii()
                );
                continue;
            };
            let head = &input[..len];
            let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut oracle = httparse::Request::new(&mut lines);
            let mut slots = HeaderSlots::new();
            match (Request::parse(head, &mut slots, &LIMITS), oracle.parse(head)) {
                (Err(refusal), Ok(_)) => {
                    assert!(is_about_the_meaning(refusal), "{refusal:?}: {}", head.escape_ascii())
                }
                (parsed, Err(error)) => {
                    assert_eq!(
                        parsed.map(drop),
                        Err(request_fault(head, error)),
                        "{}",
                        head.escape_ascii()
                    );
                }
                (Ok(request), Ok(_)) => same(request.headers(), oracle.headers).unwrap(),
            }
        }
    }
}
