//! Close codes (RFC 6455 section 7.4): which of them exist, and which may be sent. This file knows
//! neither frames nor when a connection closes.

use std::fmt;
use std::num::NonZeroU16;

/// The reason for which a WebSocket was closed: 1000 to 4999 (section 7.4).
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
    /// 1002: the peer violated the protocol.
    pub const PROTOCOL: CloseCode = CloseCode::known(1002);
    /// 1003: the application does not accept this kind of data, such as binary instead of text.
    pub const UNSUPPORTED: CloseCode = CloseCode::known(1003);
    /// 1005: the Close frame held no code. Never on the wire.
    pub const NO_STATUS: CloseCode = CloseCode::known(1005);
    /// 1006: there was no Close frame. Never on the wire.
    pub const ABNORMAL: CloseCode = CloseCode::known(1006);
    /// 1007: text is not UTF-8, or data does not fit its type.
    pub const INVALID_DATA: CloseCode = CloseCode::known(1007);
    /// 1008: a message breaks the rules of the application.
    pub const POLICY: CloseCode = CloseCode::known(1008);
    /// 1009: a message is above the limit.
    pub const TOO_BIG: CloseCode = CloseCode::known(1009);
    /// 1010: the client needs an extension that the server did not accept.
    pub const EXTENSION: CloseCode = CloseCode::known(1010);
    /// 1011: the server failed unexpectedly.
    pub const INTERNAL: CloseCode = CloseCode::known(1011);
    /// 1012: the server restarts; clients may reconnect after a random delay.
    pub const RESTART: CloseCode = CloseCode::known(1012);
    /// 1013: the server is overloaded; clients may reconnect later.
    pub const TRY_AGAIN: CloseCode = CloseCode::known(1013);
    /// 1014: a gateway got an invalid response from its upstream server.
    pub const BAD_GATEWAY: CloseCode = CloseCode::known(1014);

    /// Makes a code of a number; `None` below 1000 ("not used", section 7.4.2) and above 4999
    /// (undefined).
    #[must_use]
    pub const fn new(code: u16) -> Option<CloseCode> {
        match NonZeroU16::new(code) {
            Some(code) if matches!(code.get(), 1000..=4999) => Some(CloseCode(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0.get()
    }

    /// Whether the code may stand in a Close frame: 1000 to 1003, 1007 to 1014, and 3000 to 4999
    /// for libraries and applications (section 7.4).
    #[must_use]
    pub const fn may_be_sent(self) -> bool {
        matches!(self.as_u16(), 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Makes one of the constants above; the compiler rejects a wrong number.
    const fn known(code: u16) -> CloseCode {
        match CloseCode::new(code) {
            Some(code) => code,
            None => panic!("not a close code"),
        }
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> u16 {
        code.as_u16()
    }
}

impl TryFrom<u16> for CloseCode {
    type Error = InvalidCloseCode;

    fn try_from(code: u16) -> Result<CloseCode, InvalidCloseCode> {
        CloseCode::new(code).ok_or(InvalidCloseCode(code))
    }
}

/// The error of a number that is no close code.
///
/// ```
/// use switchboard::proto::websocket::CloseCode;
///
/// assert_eq!(CloseCode::try_from(1000), Ok(CloseCode::NORMAL));
/// let error = CloseCode::try_from(999).unwrap_err();
/// assert_eq!(error.to_string(), "999 is not a close code, which is 1000 to 4999");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct InvalidCloseCode(u16);

impl fmt::Display for InvalidCloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a close code, which is 1000 to 4999", self.0)
    }
}

impl std::error::Error for InvalidCloseCode {}
