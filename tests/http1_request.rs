//! Request heads: the fault of each refused one and the reading of each accepted one, cut anywhere.

use switchboard::proto::http1::{
    BodyLength, HeadLimits, HeaderSlots, Request, RequestError, Scan, Version, scan,
};

/// A head that is good but for the part that a row puts in.
macro_rules! lines {
    ($($line:literal)*) => {
        concat!("GET / HTTP/1.1\r\nHost: example.com\r\n", $($line, "\r\n",)* "\r\n").as_bytes()
    };
}
macro_rules! line {
    ($line:literal) => {
        concat!($line, "\r\nHost: example.com\r\n\r\n").as_bytes()
    };
}
macro_rules! get {
    ($target:literal) => {
        concat!("GET ", $target, " HTTP/1.1\r\nHost: example.com\r\n\r\n").as_bytes()
    };
}
macro_rules! host {
    ($host:literal) => {
        concat!("GET / HTTP/1.1\r\nHost: ", $host, "\r\n\r\n").as_bytes()
    };
}
macro_rules! post {
    ($($line:literal)*) => {
        concat!("POST / HTTP/1.1\r\nHost: example.com\r\n", $($line, "\r\n",)* "\r\n").as_bytes()
    };
}

#[path = "http1_request/accepted.rs"]
mod accepted;
#[path = "http1_request/refused.rs"]
mod refused;

use accepted::ACCEPTED;
use refused::REFUSED;

fn judge(input: &[u8]) -> Result<String, RequestError> {
    judge_within(input, &HeadLimits::default())
}

fn judge_within(input: &[u8], limits: &HeadLimits) -> Result<String, RequestError> {
    match scan(input, 0, limits) {
        Scan::Complete(len) => {
            let mut slots = HeaderSlots::new();
            Request::parse(&input[..len], &mut slots, limits).map(|request| reading(&request))
        }
        Scan::Partial(_) => panic!("{} is not a whole head", input.escape_ascii()),
        Scan::Refused(error) => Err(error),
    }
}

/// Writes down in one line how a request is routed and framed.
fn reading(request: &Request<'_>) -> String {
    let mut words = vec![request.method().to_string(), request.path().to_string()];
    words.extend(request.query().map(|query| format!("query={query}")));
    words.push(format!("host={}", request.host()));
    words.extend((request.version() == Version::Http10).then(|| "1.0".into()));
    words.extend(request.keep_alive().then(|| "keep".into()));
    words.extend(match request.body_length() {
        BodyLength::None => None,
        BodyLength::Known(len) => Some(format!("len={len}")),
        BodyLength::Chunked => Some("chunked".into()),
    });
    words.extend(request.expects_continue().then(|| "expects".into()));
    words.extend(request.is_websocket().then(|| "websocket".into()));
    words.join(" ")
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
fn parser_refuses_every_malformed_head() {
    for (name, input, status, error) in REFUSED {
        assert_eq!(judge(input), Err(*error), "{name}");
        assert_eq!(error.status().as_u16(), *status, "{name}");
    }
}

#[test]
fn parser_reads_every_accepted_head_one_way() {
    for (name, input, expected) in ACCEPTED {
        assert_eq!(judge(input).as_deref(), Ok(*expected), "{name}");
    }
}

#[test]
fn scanner_gives_one_verdict_at_every_split() {
    let limits = HeadLimits::default();
    for (name, input, ..) in REFUSED {
        assert_scans_alike(name, input, &limits);
    }
    for (name, input, _) in ACCEPTED {
        assert_scans_alike(name, input, &limits);
        let followed = [input, &b"\0\n what follows is not looked at"[..]].concat();
        assert_eq!(scan(&followed, 0, &limits), Scan::Complete(input.len()), "{name}");
    }
}

#[test]
fn parser_needs_no_scanner() {
    let limits = HeadLimits::default();
    for (name, input, ..) in REFUSED {
        assert!(Request::parse(input, &mut HeaderSlots::new(), &limits).is_err(), "{name}");
    }
    for (name, input, expected) in ACCEPTED {
        let followed = [input, &b"\0\n what follows is not looked at"[..]].concat();
        let mut slots = HeaderSlots::new();
        let request = Request::parse(&followed, &mut slots, &limits);
        assert_eq!(request.as_ref().map(reading).as_deref(), Ok(*expected), "{name}");
        assert_eq!(request.map(|request| request.head()), Ok(*input), "{name}");
        for cut in 0..input.len() {
            assert!(
                Request::parse(&input[..cut], &mut HeaderSlots::new(), &limits).is_err(),
                "{name}, cut at {cut}"
            );
        }
    }
}
