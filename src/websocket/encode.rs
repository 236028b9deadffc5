//! The encoder of frames: a header before a payload, masked if a client sends the frame.
//! This file knows neither limits nor states.

use super::frame::{Header, Opcode};
use super::mask::apply;
use super::message::Message;

/// Appends a whole message as one unmasked frame, as a server sends it (RFC 6455 section 5.1).
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

/// Appends one unmasked frame, such as a fragment or a ping.
///
/// The caller keeps fragments in order (section 5.4) and gives a control frame at most 125 bytes
/// (section 5.5).
///
/// ```
/// use switchboard::proto::websocket::{Opcode, encode_frame};
///
/// let mut out = Vec::new();
/// encode_frame(&mut out, false, Opcode::Text, b"Hel");
/// encode_frame(&mut out, true, Opcode::Continuation, b"lo");
/// assert_eq!(out, b"\x01\x03Hel\x80\x02lo");
/// ```
#[inline(always)]
pub fn encode_frame(out: &mut Vec<u8>, fin: bool, opcode: Opcode, payload: &[u8]) {
    encode(out, fin, opcode, payload, None);
}

/// Appends one masked frame, as a client sends it. The key must be unpredictable and new for each
/// frame (section 5.3): [`MaskingKeys`](super::MaskingKeys) draws one.
///
/// ```
/// use switchboard::proto::websocket::{Opcode, encode_masked};
///
/// let mut out = Vec::new();
/// encode_masked(&mut out, true, Opcode::Text, b"Hello", [0x37, 0xFA, 0x21, 0x3D]);
/// assert_eq!(out, [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]);
/// ```
pub fn encode_masked(out: &mut Vec<u8>, fin: bool, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    encode(out, fin, opcode, payload, Some(key));
}

/// Appends one frame in either role. A client gives a masking key, a server none (section 5.1).
///
/// ```
/// use switchboard::proto::websocket::{Opcode, encode};
///
/// let mut out = Vec::new();
/// encode(&mut out, true, Opcode::Ping, b"", None);
/// encode(&mut out, true, Opcode::Ping, b"", Some([1, 2, 3, 4]));
/// assert_eq!(out, [0x89, 0x00, 0x89, 0x80, 1, 2, 3, 4]);
/// ```
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
