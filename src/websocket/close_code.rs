//! Close codes and the payload of a Close frame, both ways (RFC 6455 sections 5.5.1 and 7.4).
//! Does not know when a connection closes or who says so first.

use std::num::NonZeroU16;

use super::Violation;

/// Why a WebSocket was closed: 1000 to 4999 (section 7.4).
///
/// ```
/// use switchboard::proto::websocket::CloseCode;
///
/// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
/// assert_eq!(CloseCode::new(999), None);
/// assert!(CloseCode::new(4000).is_some_and(CloseCode::may_be_sent));
/// assert!(!CloseCode::ABNORMAL.may_be_sent());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(NonZeroU16);

impl CloseCode {
    /// 1000: the purpose was fulfilled.
    pub const NORMAL: CloseCode = CloseCode::known(1000);
    /// 1001: the server goes down, or the browser leaves the page.
    pub const GOING_AWAY: CloseCode = CloseCode::known(1001);
    /// 1002: the protocol was violated.
    pub const PROTOCOL: CloseCode = CloseCode::known(1002);
    /// 1003: a kind of data that is not accepted, such as binary where text is meant.
    pub const UNSUPPORTED: CloseCode = CloseCode::known(1003);
    /// 1005: the Close frame held no code. Never on the wire.
    pub const NO_STATUS: CloseCode = CloseCode::known(1005);
    /// 1006: there was no Close frame. Never on the wire.
    pub const ABNORMAL: CloseCode = CloseCode::known(1006);
    /// 1007: text that is not UTF-8, or data that does not fit its type.
    pub const INVALID_DATA: CloseCode = CloseCode::known(1007);
    /// 1008: against the rules of the application.
    pub const POLICY: CloseCode = CloseCode::known(1008);
    /// 1009: a message above the limit.
    pub const TOO_BIG: CloseCode = CloseCode::known(1009);
    /// 1010: a client misses an extension that it needs.
    pub const EXTENSION: CloseCode = CloseCode::known(1010);
    /// 1011: something unexpected in the server.
    pub const INTERNAL: CloseCode = CloseCode::known(1011);
    /// 1012: the server restarts; come back, with some jitter.
    pub const RESTART: CloseCode = CloseCode::known(1012);
    /// 1013: the server has too much to do; come back later.
    pub const TRY_AGAIN: CloseCode = CloseCode::known(1013);
    /// 1014: a gateway got a bad answer from behind it.
    pub const BAD_GATEWAY: CloseCode = CloseCode::known(1014);

    /// The code of this number; `None` below 1000 ("not used", section 7.4.2) and above 4999 (undefined).
    pub const fn new(code: u16) -> Option<CloseCode> {
        match NonZeroU16::new(code) {
            Some(code) if matches!(code.get(), 1000..=4999) => Some(CloseCode(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0.get()
    }

    /// Whether the code may stand in a Close frame: the assigned ones but 1004 to 1006, and 3000 to 4999 for
    /// libraries and applications (section 7.4).
    pub const fn may_be_sent(self) -> bool {
        matches!(self.as_u16(), 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Only for the numbers above, which the compiler checks.
    const fn known(code: u16) -> CloseCode {
        match CloseCode::new(code) {
            Some(code) => code,
            None => panic!("not a close code"),
        }
    }
}

impl std::fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl std::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> u16 {
        code.as_u16()
    }
}

/// The code and the reason in the unmasked payload of a Close frame; `None` if it is empty.
///
/// # Errors
/// A payload of one byte, a code that may not be sent, or a reason that is not UTF-8.
pub fn parse_close(payload: &[u8]) -> Result<(Option<CloseCode>, &str), Violation> {
    let (code, reason) = match payload.split_first_chunk() {
        Some((code, reason)) => (u16::from_be_bytes(*code), reason),
        None if payload.is_empty() => return Ok((None, "")),
        None => return Err(Violation::TruncatedCloseCode), // 5.5.1: a body begins with two bytes of code
    };
    let Some(code) = CloseCode::new(code).filter(|code| code.may_be_sent()) else {
        return Err(Violation::InvalidCloseCode); // 7.4
    };
    match std::str::from_utf8(reason) {
        Ok(reason) => Ok((Some(code), reason)),
        Err(_) => Err(Violation::InvalidCloseReason), // 5.5.1
    }
}

/// Writes the payload of a Close frame and says how many bytes it took.
///
/// A reason above 123 bytes is cut at a character. A code that may not be sent gives the empty payload, which the
/// peer reads as 1005.
pub fn close_payload(code: CloseCode, reason: &str, buf: &mut [u8; 125]) -> usize {
    if !code.may_be_sent() {
        return 0;
    }
    let reason = &reason[..reason.floor_char_boundary(buf.len() - 2)];
    buf[..2].copy_from_slice(&code.as_u16().to_be_bytes());
    buf[2..2 + reason.len()].copy_from_slice(reason.as_bytes());
    2 + reason.len()
}
