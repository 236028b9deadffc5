//! The payload of a Close frame, read and written: a code and a reason (RFC 6455 section 5.5.1).
//! This file does not know which side closes, or when.

use super::close_code::CloseCode;
use super::violation::Violation;

/// Reads the unmasked payload of a Close frame: its code and its reason. An empty payload has no
/// code.
///
/// # Errors
/// [`Violation::TruncatedCloseCode`] for one byte, [`Violation::InvalidCloseCode`] for a code that
/// may not be sent, [`Violation::InvalidCloseReason`] for a reason that is not UTF-8.
///
/// ```
/// use switchboard::proto::websocket::{CloseCode, Violation, parse_close};
///
/// assert_eq!(parse_close(b"\x03\xE8bye"), Ok((Some(CloseCode::NORMAL), "bye")));
/// assert_eq!(parse_close(b""), Ok((None, "")));
/// assert_eq!(parse_close(b"\x03"), Err(Violation::TruncatedCloseCode));
/// ```
pub fn parse_close(payload: &[u8]) -> Result<(Option<CloseCode>, &str), Violation> {
    let (code, reason) = match payload.split_first_chunk() {
        Some((code, reason)) => (u16::from_be_bytes(*code), reason),
        None if payload.is_empty() => return Ok((None, "")),
        // 5.5.1: a body begins with two bytes of code.
        None => return Err(Violation::TruncatedCloseCode),
    };
    let Some(code) = CloseCode::new(code).filter(|code| code.may_be_sent()) else {
        return Err(Violation::InvalidCloseCode); // 7.4
    };
    match std::str::from_utf8(reason) {
        Ok(reason) => Ok((Some(code), reason)),
        Err(_) => Err(Violation::InvalidCloseReason), // 5.5.1
    }
}

/// Writes the payload of a Close frame and returns its length in bytes.
///
/// A reason above 123 bytes is cut at a character. A code that may not be sent gives the empty
/// payload, which the peer reads as 1005.
///
/// ```
/// use switchboard::proto::websocket::{CloseCode, Opcode, close_payload, encode_frame};
///
/// let mut payload = [0; 125];
/// let len = close_payload(CloseCode::NORMAL, "bye", &mut payload);
/// let mut out = Vec::new();
/// encode_frame(&mut out, true, Opcode::Close, &payload[..len]);
/// assert_eq!(out, b"\x88\x05\x03\xE8bye");
/// ```
#[must_use]
pub fn close_payload(code: CloseCode, reason: &str, buf: &mut [u8; 125]) -> usize {
    if !code.may_be_sent() {
        return 0;
    }
    let reason = &reason[..reason.floor_char_boundary(buf.len() - 2)];
    buf[..2].copy_from_slice(&code.as_u16().to_be_bytes());
    buf[2..2 + reason.len()].copy_from_slice(reason.as_bytes());
    2 + reason.len()
}
