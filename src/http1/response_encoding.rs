//! The bytes of a response on the wire: status line, `Date`, framing, `Connection`, `Keep-Alive`
//! (RFC 2068 section 19.7.1.1), and body. This file knows no socket and no clock. Only this file
//! writes the framing, so no handler can contradict it.

use std::io::Write;
use std::time::Duration;

use http::StatusCode;

use super::first_line::Version;
use super::response::{Response, push_line};

/// What the bytes of a response depend on besides the response: the request, and the time.
///
/// ```
/// use switchboard::proto::http1::{Date, Encoding, KeepAliveHeader, Response, Version};
///
/// let mut date = Date::new();
/// let encoding = Encoding {
///     date: date.at(784_111_777),
///     version: Version::Http11,
///     keep_alive: false,
///     keep_alive_header: KeepAliveHeader::NONE,
///     head_only: false,
/// };
/// let mut out = Vec::new();
/// Response::new(404).encode(&mut out, &encoding);
/// assert_eq!(
///     out,
///     b"HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
///     Content-Length: 0\r\nConnection: close\r\n\r\n"
/// );
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Encoding<'a> {
    /// The value of `Date`; see [`Date`](super::Date).
    pub date: &'a [u8; 29],
    /// The version that the client speaks.
    pub version: Version,
    /// Whether client and server keep the connection open. The response may still close it.
    pub keep_alive: bool,
    /// What the client reads about a connection that stays open. Where it has a line, `Connection:
    /// keep-alive` stands beside it in HTTP/1.1, too. A `Keep-Alive` of the response replaces it.
    pub keep_alive_header: KeepAliveHeader,
    /// Whether the request was a `HEAD`: headers as for `GET`, no body (RFC 9110 section 9.3.2).
    pub head_only: bool,
}

/// How the end of a body that follows piece by piece is found (RFC 9112 section 6.3).
///
/// ```
/// use std::time::Duration;
/// use switchboard::proto::http1::{
///     Date, Encoding, Framing, KeepAliveHeader, Response, Version,
/// };
///
/// let date = *Date::new().at(0);
/// let encoding = Encoding {
///     date: &date,
///     version: Version::Http11,
///     keep_alive: true,
///     keep_alive_header: KeepAliveHeader::new(Duration::from_secs(75)),
///     head_only: false,
/// };
/// let mut out = Vec::new();
/// Response::new(200).encode_head(&mut out, &encoding, Framing::Chunked);
/// assert!(out.ends_with(
///     b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nKeep-Alive: timeout=70\r\n\r\n"
/// ));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`, in bytes.
    Length(u64),
    /// `Transfer-Encoding: chunked`; HTTP/1.0 clients do not know it.
    Chunked,
    /// The body ends when the connection does.
    UntilClose,
    /// No body follows, and no header names a length: 101 and the protocol behind it.
    None,
}

impl Response {
    /// Appends the whole response to `out`.
    pub fn encode(&self, out: &mut Vec<u8>, encoding: &Encoding<'_>) {
        let has_content = has_content(self.status);
        let len = if has_content { self.body.len() } else { 0 };
        self.encode_head(out, encoding, Framing::Length(len as u64));
        if has_content && !encoding.head_only {
            out.extend_from_slice(&self.body);
        }
    }

    /// Appends status line and headers to `out`, for a body that follows piece by piece or for
    /// another protocol.
    ///
    /// The response's own body is left out. 1xx, 204 and 304 name no length, for any `framing`.
    pub fn encode_head(&self, out: &mut Vec<u8>, encoding: &Encoding<'_>, framing: Framing) {
        self.status_line(out);
        if !self.dated {
            out.extend_from_slice(b"Date: ");
            out.extend_from_slice(encoding.date);
            out.extend_from_slice(b"\r\n");
        }
        if has_length(self.status) {
            match framing {
                // Writing to a Vec cannot fail.
                Framing::Length(len) => drop(write!(out, "Content-Length: {len}\r\n")),
                Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
                Framing::UntilClose | Framing::None => {}
            }
        }
        self.connection_lines(out, encoding, framing);
        if let Some(media_type) = self.media_type {
            push_line(out, "Content-Type", media_type);
        }
        out.extend_from_slice(&self.lines);
        out.extend_from_slice(b"\r\n");
    }

    fn status_line(&self, out: &mut Vec<u8>) {
        if self.status == StatusCode::OK {
            return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        }
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// RFC 9112 section 9.3: HTTP/1.1 stays open and HTTP/1.0 closes, unless `Connection` says
    /// otherwise.
    fn connection_lines(&self, out: &mut Vec<u8>, encoding: &Encoding<'_>, framing: Framing) {
        // After 1xx another response or another protocol decides.
        if self.status.is_informational() {
            if self.upgrade {
                out.extend_from_slice(b"Connection: upgrade\r\n");
            }
            return;
        }
        let keep_alive = encoding.keep_alive && !self.close && framing != Framing::UntilClose;
        // Behind `Framing::None` another protocol follows, with an end of its own.
        let timeout = match keep_alive && framing != Framing::None {
            true => encoding.keep_alive_header.line(),
            false => b"",
        };
        let named = encoding.version == Version::Http10 || !timeout.is_empty();
        out.extend_from_slice(match (keep_alive, named, self.upgrade) {
            (true, false, false) => b"",
            (true, false, true) => b"Connection: upgrade\r\n",
            (true, true, false) => b"Connection: keep-alive\r\n",
            (true, true, true) => b"Connection: keep-alive, upgrade\r\n",
            (false, _, false) => b"Connection: close\r\n",
            (false, _, true) => b"Connection: close, upgrade\r\n",
        });
        if !self.names_keep_alive {
            out.extend_from_slice(timeout);
        }
    }
}

/// RFC 9110 section 6.4.1.
fn has_content(status: StatusCode) -> bool {
    has_length(status) && status != StatusCode::RESET_CONTENT
}

/// RFC 9110 section 8.6: a status that never has a body names no length. 205 names 0.
fn has_length(status: StatusCode) -> bool {
    !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Seconds by which `Keep-Alive` says less than the server waits. A request that the client sends
/// in its last second is then still on time.
const MARGIN: u64 = 5;

const KEEP_ALIVE: &[u8; 20] = b"Keep-Alive: timeout=";

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
        header.bytes[..KEEP_ALIVE.len()].copy_from_slice(KEEP_ALIVE);
        let end = KEEP_ALIVE.len() + digits;
        for digit in header.bytes[KEEP_ALIVE.len()..end].iter_mut().rev() {
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
