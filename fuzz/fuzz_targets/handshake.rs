//! Fuzzes the header lines of a handshake. No request passes that does not meet section 4.2.1, and
//! no origin deceives.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request, Scan, scan};
use switchboard::proto::websocket::{Origins, check, check_origin, encode_response, subprotocols};

fuzz_target!(|lines: &[u8]| {
    let head = [b"GET /chat HTTP/1.1\r\nHost: example.com\r\n", lines].concat();
    let limits = HeadLimits::default();
    let Scan::Complete(len) = scan(&head, 0, &limits) else { return };
    let mut slots = HeaderSlots::new();
    let Ok(request) = Request::parse(&head[..len], &mut slots, &limits) else { return };
    let says = |name: &str, token: &str| {
        request
            .header_values(name)
            .any(|value| String::from_utf8_lossy(value).to_ascii_lowercase().contains(token))
    };

    assert_eq!(check_origin(&request, &Origins::Any), Ok(()));
    if let (Some(origin), Ok(())) =
        (request.header_bytes("origin"), check_origin(&request, &Origins::SameHost))
    {
        let (_, host) = std::str::from_utf8(origin).unwrap().split_once("://").unwrap();
        assert!(host.split(':').next().unwrap().eq_ignore_ascii_case("example.com"));
    }
    let offered: Vec<&str> = subprotocols(&request).map(Iterator::collect).unwrap_or_default();
    assert!(
        offered
            .iter()
            .all(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
    );
    let Ok(accept) = check(&request, false) else { return };
    assert!(
        request.is_websocket() && says("upgrade", "websocket") && says("connection", "upgrade")
    );
    assert_eq!(request.header("sec-websocket-version"), Some("13"));
    assert_eq!(request.header("sec-websocket-key").map(str::len), Some(24));
    let mut response = Vec::new();
    encode_response(&mut response, &accept, offered.first().copied(), b"");
    assert_eq!(response.windows(4).filter(|window| window == b"\r\n\r\n").count(), 1);
});
