//! A server's answer to a client's handshake, however its bytes arrive: none passes that lacks what section 4.1 demands.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use switchboard::proto::http1::{HeadLimits, HeaderSlots, ResponseHead, Scan, scan_response};
use switchboard::proto::websocket::{
    ClientHandshake, DeflateConfig, Key, check_answer, encode_offer,
};

const CONFIG: DeflateConfig = DeflateConfig::dedicated();

static OPENING: LazyLock<ClientHandshake> = LazyLock::new(|| {
    let mut offer = Vec::new();
    encode_offer(&mut offer, &CONFIG);
    let url = "ws://example.com/chat".parse().expect("a URL");
    ClientHandshake::new(url)
        .subprotocols(["chat", "superchat"])
        .extensions(String::from_utf8(offer).expect("ASCII"))
});

fuzz_target!(|input: &[u8]| {
    let limits = HeadLimits { head: 2 << 10, headers: 20, target: 256 };
    let whole = scan_response(input, 0, &limits);
    let mut by_byte = Scan::Partial(0);
    for len in 1..=input.len() {
        let Scan::Partial(resume) = by_byte else { break };
        by_byte = scan_response(&input[..len], resume, &limits);
    }
    assert_eq!(whole, by_byte);
    let Scan::Complete(len) = whole else { return };

    let mut slots = HeaderSlots::new();
    let Ok(response) = ResponseHead::parse(&input[..len], &mut slots, &limits) else { return };
    let key = Key::from_nonce(*b"the sample nonce");
    let agreed = check_answer(response.header_values("sec-websocket-extensions"), &CONFIG);
    let Ok(subprotocol) = OPENING.check(&key, &response) else { return };
    assert_eq!(response.status(), 101);
    assert_eq!(response.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(response.header("sec-websocket-protocol"), subprotocol);
    assert!(subprotocol.is_none_or(|name| name == "chat" || name == "superchat"));
    if let Ok(Some(agreed)) = agreed {
        assert!(agreed.window_bits().is_none_or(|bits| (9..=15).contains(&bits)));
    }
});
