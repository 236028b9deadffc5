//! A request and its response allocate nothing, unless the path has to be decoded. The test stands
//! alone in its file, because it counts every allocation of the process.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use switchboard::proto::http1::{
    Date, Encoding, HeadLimits, HeaderSlots, KeepAliveHeader, Request, Response, Scan, Version,
    scan,
};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PLAIN: &[u8] = b"GET /chat/room?user=a+b HTTP/1.1\r\nHost: example.com\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Cookie: a=b\r\n\r\n";

/// Counts allocations while a request is scanned, parsed, looked up and answered.
fn allocations(head: &[u8], out: &mut Vec<u8>, date: &mut Date) -> usize {
    let region = Region::new(COUNTED);
    let limits = HeadLimits::default();
    assert_eq!(scan(head, 0, &limits), Scan::Complete(head.len()));
    let mut slots = HeaderSlots::new();
    let request = Request::parse(head, &mut slots, &limits).unwrap();
    assert!(
        request.header("host").is_some()
            && request.cookie("b").is_none()
            && request.query_value("x").is_none()
    );
    let keep_alive = request.keep_alive();
    let encoding = Encoding {
        date: date.at(0),
        version: Version::Http11,
        keep_alive,
        keep_alive_header: KeepAliveHeader::new(std::time::Duration::from_secs(75)),
        head_only: false,
    };
    Response::text("hello").encode(out, &encoding);
    region.change().allocations
}

#[test]
fn request_and_answer_allocate_nothing() {
    let mut out = Vec::with_capacity(1 << 10);
    let mut date = Date::new();
    // The thread of the test runner may allocate at the same time, but not at all times.
    let fewest = (0..20).map(|_| {
        out.clear();
        allocations(PLAIN, &mut out, &mut date)
    });
    assert_eq!(fewest.min(), Some(0));
    // The counter works: an escape in the path has to be decoded into memory.
    let escaped =
        PLAIN.escape_ascii().to_string().replace("\\r\\n", "\r\n").replace("room", "ro%6Fm");
    out.clear();
    assert!(allocations(escaped.as_bytes(), &mut out, &mut date) > 0);
}
