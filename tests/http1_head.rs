//! The end of a head and its limits, to the byte and however it arrives; published advisories about
//! heads.

use switchboard::proto::http1::RequestError::*;
use switchboard::proto::http1::{
    HeadLimits, HeaderSlots, MAX_HEADERS, Request, RequestError, Response, Scan, scan,
};

macro_rules! get {
    ($target:literal) => {
        concat!("GET ", $target, " HTTP/1.1\r\nHost: example.com\r\n\r\n").as_bytes()
    };
}

fn judge(input: &[u8]) -> Result<(), RequestError> {
    judge_within(input, &HeadLimits::default())
}

fn judge_within(input: &[u8], limits: &HeadLimits) -> Result<(), RequestError> {
    match scan(input, 0, limits) {
        Scan::Complete(len) => {
            Request::parse(&input[..len], &mut HeaderSlots::new(), limits).map(drop)
        }
        Scan::Partial(_) => panic!("{} is not a whole head", input.escape_ascii()),
        Scan::Refused(error) => Err(error),
    }
}

/// Asserts one verdict for the whole input, for two pieces cut anywhere, and byte by byte.
fn assert_scans_alike(name: &str, input: &[u8], limits: &HeadLimits) {
    let whole = scan(input, 0, limits);
    for cut in 0..=input.len() {
        let verdict = match scan(&input[..cut], 0, limits) {
            Scan::Partial(resume) => scan(input, resume, limits),
            verdict => verdict,
        };
        assert_eq!(verdict, whole, "{name}, cut at {cut}");
    }
    let mut verdict = Scan::Partial(0);
    for len in 0..=input.len() {
        let Scan::Partial(resume) = verdict else { break };
        assert!(resume <= len);
        verdict = scan(&input[..len], resume, limits);
    }
    assert_eq!(verdict, whole, "{name}, byte by byte");
}

#[test]
fn scanner_refuses_a_forbidden_byte_when_it_arrives() {
    let limits = HeadLimits::default();
    for (last, error) in [(b'\n', BareLineFeed), (0, ControlCharacter), (0x7F, ControlCharacter)] {
        // At every offset within a word, and in the tail after the last word.
        for len in 0..40 {
            let mut input = vec![b'/'; len];
            assert!(matches!(scan(&input, 0, &limits), Scan::Partial(_)));
            input.push(last);
            assert_eq!(scan(&input, 0, &limits), Scan::Refused(error));
            input.extend_from_slice(b"more and more");
            assert_eq!(scan(&input, 0, &limits), Scan::Refused(error));
        }
    }
    assert_eq!(scan(b"GET / HTTP/1.1\r\nA: b\rc", 0, &limits), Scan::Refused(BareCarriageReturn));
}

#[test]
fn scanner_accepts_every_byte_that_a_value_may_have() {
    for byte in 0..=0xFF_u8 {
        let head =
            [b"GET / HTTP/1.1\r\nHost: a\r\nA: 12345", &[byte][..], b"67890\r\n\r\n"].concat();
        let good = byte == b'\t' || (byte >= 0x20 && byte != 0x7F);
        assert_eq!(
            scan(&head, 0, &HeadLimits::default()) == Scan::Complete(head.len()),
            good,
            "{byte:#x}"
        );
        assert_eq!(judge(&head).is_ok(), good, "{byte:#x}");
    }
}

#[test]
fn scanner_holds_the_limits_to_the_byte() {
    let input = get!("/0123456789");
    let limits = HeadLimits { head: input.len(), ..HeadLimits::default() };
    assert_eq!(scan(input, 0, &limits), Scan::Complete(input.len()));
    let limits = HeadLimits { head: input.len() - 1, ..limits };
    assert_eq!(scan(input, 0, &limits), Scan::Refused(HeadTooLarge));
    assert_eq!(scan(&input[..limits.head], 0, &limits), Scan::Refused(HeadTooLarge));
    assert!(matches!(scan(&input[..limits.head - 1], 0, &limits), Scan::Partial(_)));
    assert_scans_alike("one byte too many", input, &limits);

    let limits = HeadLimits { target: 11, ..HeadLimits::default() };
    assert!(judge_within(input, &limits).is_ok());
    assert_eq!(judge_within(input, &HeadLimits { target: 10, ..limits }), Err(TargetTooLong));
}

#[test]
fn scanner_refuses_an_endless_target_before_its_end() {
    let limits = HeadLimits { target: 100, ..HeadLimits::default() };
    let endless = [b"GET /", &[b'a'; 300][..]].concat();
    assert_eq!(scan(&endless, 0, &limits), Scan::Refused(TargetTooLong));
    assert_scans_alike("an endless target", &endless, &limits);
    assert_scans_alike(
        "an endless target after a CRLF",
        &[b"\r\n", &endless[..]].concat(),
        &limits,
    );
    // Beside the target, 64 bytes are left for the rest of the request line.
    assert!(matches!(scan(&endless[..164], 0, &limits), Scan::Partial(_)));
    assert_eq!(scan(&endless[..165], 0, &limits), Scan::Refused(TargetTooLong));
    assert_eq!(
        scan(&[b"\r\n", &endless[..163]].concat(), 0, &limits),
        Scan::Refused(TargetTooLong)
    );
    // Header lines of the same length are no target.
    let lines = [b"GET / HTTP/1.1\r\nHost: a\r\nA: ", &[b'a'; 300][..], b"\r\n\r\n"].concat();
    assert!(judge_within(&lines, &limits).is_ok());
    assert_scans_alike("a long line", &lines, &limits);
    assert_eq!(TargetTooLong.status(), 414);
}

#[test]
fn scanner_refuses_an_endless_method_at_its_33rd_byte() {
    let limits = HeadLimits::default();
    let method = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF";
    for start in [&b""[..], b"\r\n"] {
        let longest = [start, &method].concat();
        for rest in [&b""[..], b"\r", b" ", b"(", b" / HTTP/1.1\r\n"] {
            let input = [&longest[..], rest].concat();
            assert!(
                matches!(scan(&input, 0, &limits), Scan::Partial(_)),
                "{}",
                rest.escape_ascii()
            );
        }
        for rest in [&b"a"[..], b"a / HTTP/1.1\r\n\r\n", b"a\n", b"a\0", &[b'a'; 20_000]] {
            let input = [&longest[..], rest].concat();
            assert_eq!(scan(&input, 0, &limits), Scan::Refused(MethodNotImplemented));
            assert_scans_alike("an endless method", &input[..input.len().min(9_000)], &limits);
        }
        // A forbidden byte that comes first counts first, and so does a small limit.
        let input = [start, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ\0", &method].concat();
        assert_eq!(scan(&input, 0, &limits), Scan::Refused(ControlCharacter));
        let endless = [start, &[b'a'; 60]].concat();
        for head in 1..60 {
            let small = HeadLimits { head, ..limits };
            assert_scans_alike("an endless method in a small head", &endless, &small);
            let error = if head < start.len() + 33 { HeadTooLarge } else { MethodNotImplemented };
            assert_eq!(scan(&endless, 0, &small), Scan::Refused(error), "{head}");
        }
    }
    assert_eq!(MethodNotImplemented.status(), 501);
}

#[test]
fn scanner_names_what_an_endless_request_line_is() {
    let limits = HeadLimits { target: 100, ..HeadLimits::default() };
    let rows: [(&str, RequestError); 6] = [
        ("GET /", TargetTooLong),
        ("GET /?a=", TargetTooLong),
        ("GET / ", MalformedRequestLine),
        ("GET / HTTP/1.1 ", MalformedRequestLine),
        ("{\"a\": \"", MalformedMethod),
        (" / ", MalformedMethod),
    ];
    for start in ["", "\r\n"] {
        for (line, error) in rows {
            let input = format!("{start}{line}{}", "x".repeat(300));
            assert_eq!(scan(input.as_bytes(), 0, &limits), Scan::Refused(error), "{line}");
            assert_scans_alike(line, input.as_bytes(), &limits);
        }
    }
}

#[test]
fn parser_counts_header_lines() {
    let head =
        |lines: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(lines - 1));
    assert!(judge(head(100).as_bytes()).is_ok());
    assert_eq!(judge(head(101).as_bytes()), Err(TooManyHeaders));
    let limits = HeadLimits { headers: usize::MAX, ..HeadLimits::default() };
    assert!(judge_within(head(MAX_HEADERS).as_bytes(), &limits).is_ok());
    assert_eq!(judge_within(head(MAX_HEADERS + 1).as_bytes(), &limits), Err(TooManyHeaders));
}

#[test]
fn parser_refuses_a_head_without_its_end() {
    let input = get!("/");
    for len in 0..input.len() {
        let mut slots = HeaderSlots::new();
        assert!(
            Request::parse(&input[..len], &mut slots, &HeadLimits::default()).is_err(),
            "{len} bytes"
        );
    }
}

#[test]
fn field_row_01_a_head_costs_linear_work_however_it_arrives() {
    let limits = HeadLimits::default();
    // A 20 MB header in pieces of 4 KiB ends at the limit, after the fourth piece.
    let endless = [b"GET / HTTP/1.1\r\nHost: a\r\nA: ", &vec![b'a'; 20 << 20][..]].concat();
    let mut verdict = Scan::Partial(0);
    let mut len = 0;
    while let Scan::Partial(resume) = verdict {
        len += 4 << 10;
        verdict = scan(&endless[..len], resume, &limits);
    }
    assert_eq!((verdict, len), (Scan::Refused(HeadTooLarge), limits.head));
    assert_eq!(HeadTooLarge.status(), 431);

    // A 7 KiB header byte by byte. The bytes before `resume` are destroyed, so the scanner cannot
    // look at them. At most four bytes may lie behind `resume`.
    let mut input =
        [b"GET / HTTP/1.1\r\nHost: a\r\nA: ", &vec![b'a'; 7 << 10][..], b"\r\n\r\n"].concat();
    let mut resume = 0;
    for len in 1..input.len() {
        let Scan::Partial(next) = scan(&input[..len], resume, &limits) else {
            panic!("refused at {len}")
        };
        assert!(next >= resume && len - next < 4);
        input[..next].fill(0);
        resume = next;
    }
    assert_eq!(scan(&input, resume, &limits), Scan::Complete(input.len()));
}

#[test]
fn field_row_02_two_thousand_headers_are_431() {
    let short = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n{}\r\n",
        "a: b\r\n".repeat(2000)
    );
    let limits = HeadLimits { head: 64 << 10, ..HeadLimits::default() };
    assert_eq!(judge_within(short.as_bytes(), &limits), Err(TooManyHeaders));
    assert_eq!(judge(short.as_bytes()), Err(TooManyHeaders));
    assert_eq!(TooManyHeaders.status(), 431);
}

#[test]
fn field_row_16_no_ambiguous_message_has_a_reading() {
    let ambiguous: Vec<&[u8]> = vec![
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\n\r\nG",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n\
        5c\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\nContent-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\0\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for input in ambiguous {
        let error = judge(input).expect_err("two readings");
        assert!(matches!(error.status().as_u16(), 400 | 501), "{}", input.escape_ascii());
        let answer = Response::from(error);
        assert!(answer.is_close() && answer.status() == error.status());
    }
}
