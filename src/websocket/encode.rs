//! Frames on their way out: a header before a payload, masked where a client sends.
//! Knows neither limits nor states; what it is told to encode is appended to what stands there already.

use super::{CloseCode, Header, Message, Opcode, apply, close_payload};

/// Appends a whole message as one unmasked frame: the server's way (RFC 6455 section 5.1).
///
/// ```
/// use switchboard::proto::websocket::{Message, encode_message};
///
/// let mut out = Vec::new();
/// encode_message(&mut out, Message::Text("Hello"));
/// assert_eq!(out, [0x81, 0x05, b'H', b'e', b'l', b'l', b'o']);
/// ```
#[inline]
pub fn encode_message(out: &mut Vec<u8>, message: Message<'_>) {
    match message {
        Message::Text(text) => encode_frame(out, true, Opcode::Text, text.as_bytes()),
        Message::Binary(bytes) => encode_frame(out, true, Opcode::Binary, bytes),
    }
}

/// Appends one unmasked frame: a fragment, a ping, a pong.
///
/// Fragments in their order and at most 125 bytes in a control frame are the caller's to keep (sections 5.4, 5.5).
#[inline(always)]
pub fn encode_frame(out: &mut Vec<u8>, fin: bool, opcode: Opcode, payload: &[u8]) {
    encode(out, fin, opcode, payload, None);
}

/// Appends one masked frame: the client's way (section 5.3). The key is to be unpredictable, and new for each frame.
pub fn encode_masked(out: &mut Vec<u8>, fin: bool, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    encode(out, fin, opcode, payload, Some(key));
}

/// Appends one frame in either role: with a key, which a client must have, it is masked.
#[inline(always)]
pub fn encode(out: &mut Vec<u8>, fin: bool, opcode: Opcode, payload: &[u8], key: Option<[u8; 4]>) {
    debug_assert!(!opcode.is_control() || (fin && payload.len() <= 125));
    Header { fin, rsv1: false, opcode, key, len: payload.len() as u64 }.encode(out);
    let at = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        apply(&mut out[at..], key);
    }
}

/// Appends an unmasked Close frame; see [`close_payload`] for what becomes of a long reason and a code that may not
/// be sent.
pub fn encode_close(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    let mut buf = [0; 125];
    let n = close_payload(code, reason, &mut buf);
    encode_frame(out, true, Opcode::Close, &buf[..n]);
}
