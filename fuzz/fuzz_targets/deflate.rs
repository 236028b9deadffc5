//! Fuzzes compressed payloads and offers. No more than the limit is inflated, messages make the
//! round trip, and no offer leads to a window that our compressor lacks.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request, Scan, scan};
use switchboard::proto::websocket::{DeflateConfig, Deflater, Inflater, Violation, negotiate};

/// The limit in bytes, low so that inputs pass it soon.
const LIMIT: usize = 200;

/// Inflates messages of one connection: each is whole, corrupt or too big, and bounded. Without a
/// context each stands for itself.
fn inflate(payload: &[u8], cut: usize, keep_context: bool) {
    let mut inflater = Inflater::new();
    let (first, second) = payload.split_at(cut.min(payload.len()));
    for payload in [first, second, first] {
        let mut message = Vec::new();
        let done = inflater.inflate(payload, &mut message, LIMIT, keep_context);
        assert!(message.len() <= LIMIT && message.capacity() <= 2 * LIMIT);
        assert!(matches!(done, Ok(()) | Err(Violation::TooBig | Violation::CorruptDeflate)));
        if !keep_context {
            let mut alone = Vec::new();
            assert_eq!(Inflater::new().inflate(payload, &mut alone, LIMIT, false), done);
            assert_eq!(alone, message);
        }
    }
}

fn round_trip(payload: &[u8], cut: usize, config: &DeflateConfig, bits: u8, keep_context: bool) {
    let (mut deflater, mut inflater) = (Deflater::new(config, bits), Inflater::new());
    let (first, second) = payload.split_at(cut.min(payload.len()));
    for message in [first, second, payload] {
        let (mut wire, mut back) = (Vec::new(), Vec::new());
        deflater.deflate(message, &mut wire, keep_context);
        assert_eq!(inflater.inflate(&wire, &mut back, message.len(), keep_context), Ok(()));
        assert_eq!(back, message);
    }
}

fn offers(values: &[u8], config: &DeflateConfig) {
    let head =
        [b"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: ", values, b"\r\n\r\n"].concat();
    let limits = HeadLimits::default();
    let Scan::Complete(len) = scan(&head, 0, &limits) else { return };
    let mut slots = HeaderSlots::new();
    let Ok(request) = Request::parse(&head[..len], &mut slots, &limits) else { return };
    let Some(accepted) = negotiate(&request, config) else { return };
    assert!(accepted.agreed().window_bits().is_some_and(|bits| (9..=15).contains(&bits)));
    let mut answer = Vec::new();
    accepted.encode(&mut answer);
    assert!(
        answer.starts_with(b"permessage-deflate")
            && answer.iter().all(|byte| (b' '..=b'~').contains(byte))
    );
}

fuzz_target!(|input: &[u8]| {
    let Some((&[flags, cut], input)) = input.split_first_chunk() else { return };
    let (keep_context, cut) = (flags & 1 == 0, usize::from(cut));
    let config = if keep_context { DeflateConfig::dedicated() } else { DeflateConfig::shared() };
    let config = config.level(flags >> 1 & 0x0F).client_bits(flags >> 5);
    inflate(input, cut, keep_context);
    round_trip(input, cut, &config, 9 + (flags >> 5).min(6), keep_context);
    offers(input, &config);
});
