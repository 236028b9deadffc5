//! A request head has one end or one error, however its bytes arrive, and all lookups in it work.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::proto::http1::{BodyLength, HeadLimits, HeaderSlots, Request, Scan, scan};

fuzz_target!(|input: &[u8]| {
    let limits = HeadLimits { head: 2 << 10, headers: 20, target: 256 };
    let whole = scan(input, 0, &limits);
    let mut by_byte = Scan::Partial(0);
    for len in 1..=input.len() {
        let Scan::Partial(resume) = by_byte else { break };
        by_byte = scan(&input[..len], resume, &limits);
    }
    assert_eq!(whole, by_byte);
    let mut slots = HeaderSlots::new();
    let at_once = Request::parse(&input[..input.len().min(limits.head)], &mut slots, &limits)
        .map(|request| request.head());
    if let Ok(head) = at_once {
        assert_eq!(whole, Scan::Complete(head.len()));
    }
    let Scan::Complete(len) = whole else { return };
    assert!(len <= limits.head && input[..len].ends_with(b"\r\n\r\n"));

    let mut slots = HeaderSlots::new();
    let Ok(request) = Request::parse(&input[..len], &mut slots, &limits) else {
        return assert!(at_once.is_err());
    };
    assert!(at_once.is_ok());
    let path = request.path();
    assert!(path == "*" || path.starts_with('/'));
    assert!(!path.contains('\\') && !path.chars().any(|c| c.is_ascii_control()));
    assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
    let (before, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
    assert!(before.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!query.contains(|c: char| c.is_control() || c == ' ' || c == '#'));
    assert!(request.headers().all(|(_, value)| !value.contains(&b'\r') && !value.contains(&b'\n')));
    let lines = |name| request.header_values(name).count();
    assert!(lines("content-length") <= 1 && lines("host") <= 1);
    assert!(lines("content-length") == 0 || lines("transfer-encoding") == 0);
    assert_eq!(request.body_length() == BodyLength::Chunked, lines("transfer-encoding") > 0);
    let _ = (
        request.query_pairs().count(),
        request.query_value("a"),
        request.cookie("a"),
        request.keep_alive(),
    );
});
