//! The header that tells a client how long the server keeps an idle connection (RFC 2068 section
//! 19.7.1.1). This file knows no clock: it is given the time, and makes the bytes once.

use std::time::Duration;

/// Seconds by which the header says less than the server waits. A request that the client sends in
/// its last second is then still on time.
const MARGIN: u64 = 5;

const NAME: &[u8; 20] = b"Keep-Alive: timeout=";

/// The header line `Keep-Alive: timeout=70`, in seconds, or no line.
///
/// The line is made once, so that an answer copies some 24 bytes and formats nothing.
///
/// ```
/// use std::time::Duration;
/// use switchboard::proto::http1::KeepAliveHeader;
///
/// let header = KeepAliveHeader::new(Duration::from_secs(75));
/// assert_eq!(header.line(), b"Keep-Alive: timeout=70\r\n");
/// assert_eq!(KeepAliveHeader::new(Duration::from_secs(5)), KeepAliveHeader::NONE);
/// assert_eq!(KeepAliveHeader::NONE.line(), b"");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAliveHeader {
    bytes: [u8; 32],
    len: u8,
}

impl KeepAliveHeader {
    /// No line. The client then guesses how long the connection is kept.
    pub const NONE: KeepAliveHeader = KeepAliveHeader { bytes: [0; 32], len: 0 };

    /// Makes the line for a server that keeps idle connections for `timeout`: five seconds less, in
    /// whole seconds.
    ///
    /// Below 6 s nothing is left to tell, and above 31 years there is no end: there is no line.
    #[must_use]
    pub fn new(timeout: Duration) -> KeepAliveHeader {
        let mut seconds = timeout.as_secs().saturating_sub(MARGIN);
        if !(1..1_000_000_000).contains(&seconds) {
            return KeepAliveHeader::NONE;
        }
        let digits = seconds.ilog10() as usize + 1;
        let mut header = KeepAliveHeader::NONE;
        header.bytes[..NAME.len()].copy_from_slice(NAME);
        let end = NAME.len() + digits;
        for digit in header.bytes[NAME.len()..end].iter_mut().rev() {
            *digit = b'0' + (seconds % 10) as u8;
            seconds /= 10;
        }
        header.bytes[end..end + 2].copy_from_slice(b"\r\n");
        header.len = end as u8 + 2;
        header
    }

    /// Returns the line with its CR LF; empty if there is none.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}
