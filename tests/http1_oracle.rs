//! Compares the parsers with a naive reader: they accept the same heads, with the same parts, and
//! agree on the place of every fault. Heads are made of good parts, then spoiled in a few places.

#[path = "http1_oracle/meaning.rs"]
mod meaning;
#[path = "http1_oracle/naive.rs"]
mod naive;

use meaning::Body;
use naive::{Fault, Reading};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use switchboard::proto::http1::{
    BodyLength, HeadLimits, HeaderSlots, Request, RequestError, ResponseError, ResponseHead, Scan,
    Version, scan, scan_response,
};

const LIMITS: HeadLimits = HeadLimits { head: 600, headers: 6, target: 40 };

/// Bytes that take the place of others.
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

/// A header line that frames or routes a request.
fn framing() -> impl Strategy<Value = (&'static str, &'static str)> {
    let lengths = vec!["0", "5", "05", "+5", "5, 5", "", "18446744073709551615", "5 ", "0x5"];
    let codings = vec![
        "chunked",
        "Chunked",
        "gzip, chunked",
        "chunked, gzip",
        ", chunked,",
        "chunked, chunked",
        "",
    ];
    let hosts = vec!["a", "a:80", "a:", "a:65536", "[::1]:8", "[::g]", "a,b", "u@a", "", "a b"];
    prop_oneof![
        select(lengths).prop_map(|value| ("Content-Length", value)),
        select(codings).prop_map(|value| ("Transfer-Encoding", value)),
        select(hosts).prop_map(|value| ("Host", value)),
        select(vec!["100-continue", "200-ok", "", ",100-continue"])
            .prop_map(|value| ("Expect", value)),
    ]
}

/// A header line that any head may have.
fn other() -> impl Strategy<Value = (&'static str, &'static str)> {
    let names = vec![
        "A",
        "X-Long-Name_0~",
        "Connection",
        "upgrade",
        "Origin",
        "Cookie",
        "Sec-WebSocket-Key",
        "sec-websocket-protocol",
    ];
    let values = vec![
        "a",
        "a\tb",
        "close, Upgrade",
        "websocket",
        "",
        ":",
        "é",
        "Mozilla/5.0 (X11; Linux x86_64; rv:1.0) Gecko/20100101",
        "dGhlIHNhbXBsZSBub25jZQ==",
    ];
    (select(names), select(values))
}

fn lines() -> impl Strategy<Value = String> {
    let white = select(vec!["", " ", " ", "  ", "\t", " \t "]);
    let line = prop_oneof![1 => framing(), 4 => other()];
    vec((line, white.clone(), white), 0..7).prop_map(|lines| {
        let line =
            |((name, value), before, after): &_| format!("{name}:{before}{value}{after}\r\n");
        lines.iter().map(line).collect()
    })
}

/// The first choice in six of seven cases, and else one of the others.
fn mostly(first: &'static str, others: &[&'static str]) -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(first), 1 => select(others.to_vec())]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    const EMPTY_LINES: &str = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    let start = mostly("", &["\r\n", "\r\n", "\r\n\r\n", "\n", "\r\n\n", EMPTY_LINES]);
    let method = mostly("GET", &["POST", "OPTIONS", "CONNECT", "get", "a-b!#$%&'*+.^_`|~9"]);
    let target = select(vec![
        "/",
        "/",
        "/",
        "/a/b.c?d=e&f",
        "/%41%C3%A9",
        "/a/../b",
        "//",
        "/a?\\",
        "/a?%&é\"",
        "/a?%4#",
        "http://a/b",
        "https://a",
        "*",
        "a",
        "/é",
        "/\"",
        "/?#",
        "/%4",
        "/%2f",
        "/..",
        "/\\",
        "http://a:x/",
    ]);
    let version =
        mostly("HTTP/1.1", &["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/1.10", "http/1.1"]);
    let line = (start, method, target, version)
        .prop_map(|(start, a, b, c)| format!("{start}{a} {b} {c}\r\n"));
    (line, mostly("Host: example.com\r\n", &[""]), lines())
        .prop_map(|(line, host, lines)| format!("{line}{host}{lines}\r\n").into_bytes())
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

/// Puts other bytes in up to three places of a head, and some behind it.
fn spoiled(head: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let places = vec((any::<Index>(), 0..3_usize, select(SPOILERS), any::<u8>(), 0..8), 0..4);
    (head, places, vec(any::<u8>(), 0..20)).prop_map(|(mut head, places, rest)| {
        for (at, len, spoiler, byte, choice) in places {
            let at = at.index(head.len());
            let end = head.len().min(at + len);
            let cr = head[at..].iter().position(|&byte| byte == b'\r');
            match (choice, cr) {
                (0, Some(cr)) => drop(head.remove(at + cr)),
                (1, _) => drop(head.splice(at..end, [byte])),
                _ => drop(head.splice(at..end, spoiler.bytes())),
            }
            if head.is_empty() {
                break;
            }
        }
        [head, rest].concat()
    })
}

fn version(minor: u8) -> Version {
    if minor == 0 { Version::Http10 } else { Version::Http11 }
}

/// The name of a fault of a request's shape; `None` for a fault of its meaning.
fn request_fault(fault: &Fault) -> Option<RequestError> {
    match fault {
        Fault::Cut => Some(RequestError::IncompleteHead),
        Fault::FirstLine => Some(RequestError::MalformedRequestLine),
        Fault::Method => Some(RequestError::MalformedMethod),
        Fault::Target => Some(RequestError::TargetCharacter),
        Fault::UnknownVersion => Some(RequestError::VersionNotSupported),
        Fault::NoVersion => Some(RequestError::MalformedVersion),
        Fault::Folded => Some(RequestError::FoldedHeader),
        Fault::Name => Some(RequestError::MalformedHeaderName),
        Fault::TooMany => Some(RequestError::TooManyHeaders),
        Fault::Meaning => None,
    }
}

/// Whether an error can be found only once the shape of a head is right.
fn is_about_the_meaning(error: RequestError) -> bool {
    use RequestError::*;
    let of_the_shape = [
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
    !of_the_shape.contains(&error)
}

/// The name of a fault of a response.
fn response_fault(fault: &Fault) -> Option<ResponseError> {
    match fault {
        Fault::Cut => Some(ResponseError::IncompleteHead),
        Fault::FirstLine => Some(ResponseError::MalformedStatusLine),
        Fault::NoVersion => Some(ResponseError::NotHttp),
        Fault::Folded => Some(ResponseError::FoldedHeader),
        Fault::Name => Some(ResponseError::MalformedHeaderName),
        Fault::TooMany => Some(ResponseError::TooManyHeaders),
        Fault::Method | Fault::Target | Fault::UnknownVersion | Fault::Meaning => None,
    }
}

/// Asserts that names and values are the same.
fn same<'a>(
    ours: impl Iterator<Item = (&'a str, &'a [u8])>,
    theirs: &[(String, Vec<u8>)],
) -> Result<(), TestCaseError> {
    let ours: Vec<_> = ours.collect();
    let theirs: Vec<_> = theirs.iter().map(|(name, value)| (&**name, &**value)).collect();
    prop_assert_eq!(ours, theirs);
    Ok(())
}

fn same_request(request: &Request<'_>, theirs: &Reading) -> Result<(), TestCaseError> {
    prop_assert_eq!(request.head().len(), theirs.len);
    prop_assert_eq!([request.method().as_str(), request.target()], theirs.start.each_ref());
    prop_assert_eq!(request.version(), version(theirs.minor));
    same(request.headers(), &theirs.headers)?;
    for (name, _) in &theirs.headers {
        let alike = theirs.headers.iter().filter(|line| line.0.eq_ignore_ascii_case(name));
        let values: Vec<&[u8]> = alike.map(|(_, value)| &**value).collect();
        prop_assert_eq!(request.header_bytes(&name.to_uppercase()), values.first().copied());
        prop_assert_eq!(request.header_values(&name.to_lowercase()).collect::<Vec<_>>(), values);
    }
    let body = match request.body_length() {
        BodyLength::None => Body::None,
        BodyLength::Known(len) => Body::Known(len),
        BodyLength::Chunked => Body::Chunked,
    };
    prop_assert_eq!(&body, &theirs.body);
    Ok(())
}

/// Compares the readings of a request head that the input may begin with.
fn requests_agree(input: &[u8]) -> Result<(), TestCaseError> {
    let theirs = naive::request(input, LIMITS.headers, LIMITS.target);
    let mut slots = HeaderSlots::new();
    let at_once = Request::parse(input, &mut slots, &LIMITS);
    prop_assert_eq!(at_once.is_ok(), theirs.is_ok(), "{}", input.escape_ascii());
    let scanned = scan(input, 0, &LIMITS);
    if let Ok(reading) = &theirs
        && reading.len <= LIMITS.head
    {
        prop_assert_eq!(scanned, Scan::Complete(reading.len));
    }
    // Where the scanner finds a fault, its name counts.
    let Scan::Complete(len) = scanned else { return Ok(()) };
    let mut slots = HeaderSlots::new();
    match (Request::parse(&input[..len], &mut slots, &LIMITS), theirs) {
        (Ok(request), Ok(theirs)) => {
            same_request(&request, &theirs)?;
            for cut in 0..len {
                let mut slots = HeaderSlots::new();
                let cut = Request::parse(&input[..cut], &mut slots, &LIMITS).map(drop);
                prop_assert_eq!(cut, Err(RequestError::IncompleteHead));
            }
            same_request(&at_once.expect("a head with bytes after it"), &theirs)
        }
        (parsed, Err(fault)) => {
            let error = parsed.map(drop).expect_err("what a naive reader refuses");
            match request_fault(&fault) {
                Some(name) => prop_assert_eq!(error, name, "{}", input.escape_ascii()),
                None => prop_assert!(is_about_the_meaning(error), "{:?}", error),
            }
            Ok(())
        }
        (Err(error), Ok(_)) => Err(TestCaseError::fail(format!("{error:?}"))),
    }
}

fn responses_agree(input: &[u8]) -> Result<(), TestCaseError> {
    let theirs = naive::response(input, LIMITS.headers);
    let mut slots = HeaderSlots::new();
    let at_once = ResponseHead::parse(input, &mut slots, &LIMITS);
    prop_assert_eq!(at_once.is_ok(), theirs.is_ok(), "{}", input.escape_ascii());
    let scanned = scan_response(input, 0, &LIMITS);
    if let Ok(reading) = &theirs
        && reading.len <= LIMITS.head
    {
        prop_assert_eq!(scanned, Scan::Complete(reading.len));
    }
    let Scan::Complete(len) = scanned else { return Ok(()) };
    let mut slots = HeaderSlots::new();
    match (ResponseHead::parse(&input[..len], &mut slots, &LIMITS), theirs) {
        (Ok(response), Ok(theirs)) => {
            prop_assert_eq!(response.head().len(), theirs.len);
            prop_assert_eq!(response.status().as_u16().to_string(), &*theirs.start[0]);
            prop_assert_eq!(response.version(), version(theirs.minor));
            same(response.headers(), &theirs.headers)?;
            for cut in 0..len {
                let mut slots = HeaderSlots::new();
                let cut = ResponseHead::parse(&input[..cut], &mut slots, &LIMITS).map(drop);
                prop_assert_eq!(cut, Err(ResponseError::IncompleteHead));
            }
            Ok(())
        }
        (parsed, Err(fault)) => {
            prop_assert_eq!(parsed.map(drop).err(), response_fault(&fault));
            Ok(())
        }
        (Err(error), Ok(_)) => Err(TestCaseError::fail(format!("{error:?}"))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4096,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn parser_reads_requests_as_a_naive_reader_does(input in spoiled(request())) {
        requests_agree(&input)?;
    }

    #[test]
    fn client_reads_responses_as_a_naive_reader_does(input in spoiled(response())) {
        responses_agree(&input)?;
    }
}

/// Puts every byte, and none, in every place of a head that has one of everything.
#[test]
fn parser_reads_every_spoiled_byte_as_a_naive_reader_does() {
    let good =
        b"\r\nGET /a?b HTTP/1.1\r\nHost: a\r\nX-Y_0:\t b c\t\r\nEmpty:\r\nCookie: \xe9\r\n\r\n";
    for at in 0..good.len() {
        for byte in 0..=0x100_u16 {
            let byte: Vec<u8> = u8::try_from(byte).into_iter().collect();
            requests_agree(&[&good[..at], &byte, &good[at + 1..]].concat()).unwrap();
        }
    }
}
