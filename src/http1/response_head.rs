//! The head of a response as a client reads it: where it ends, its status and its header lines.
//! Knows the shape of a response (RFC 9112 sections 2 to 5); not its body, which no answer that is of use to a WebSocket
//! has, nor what a handshake demands.

use std::fmt;

use http::StatusCode;
use httparse::{Error, Header, ParserConfig, Status};

use super::head::walk;
use super::{HeadLimits, HeaderSlots, MAX_HEADERS, Refusal, Rejection, Scan, Version};

/// What every response begins with that can be understood here.
const START: &[u8] = b"HTTP/1.";

/// Bytes of `HTTP/1.1 101`: the space that must follow is often forgotten.
const STATUS_END: usize = 12;

/// Looks for the end of a response head in everything that has arrived of it so far.
///
/// Like [`scan`](super::scan), `resume` is 0 at first and then what the last [`Scan::Partial`] said, so that the work is
/// linear however the bytes arrive. What is not HTTP is rejected at its first byte that is not, and no line is skipped
/// before the status line: that leniency is for requests alone (RFC 9112 section 2.2). Of the limits, that of the target
/// has no meaning here.
///
/// ```
/// use switchboard::proto::{HeadLimits, Rejection, Scan, scan_response};
///
/// let limits = HeadLimits::default();
/// let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
/// let Scan::Partial(resume) = scan_response(&head[..30], 0, &limits) else { panic!() };
/// assert_eq!(scan_response(head, resume, &limits), Scan::Complete(head.len()));
/// assert_eq!(scan_response(b"SSH-2.0", 0, &limits), Scan::Refused(Rejection::NotHttp));
/// ```
pub fn scan_response(input: &[u8], resume: usize, limits: &HeadLimits) -> Scan<Rejection> {
    let head = &input[..input.len().min(limits.head)];
    if !could_be_http(head) {
        return Scan::Refused(Rejection::NotHttp);
    }
    match walk(head, resume) {
        Scan::Complete(len) => Scan::Complete(len),
        Scan::Partial(_) if input.len() >= limits.head => Scan::Refused(Rejection::HeadTooLarge),
        Scan::Partial(resume) => Scan::Partial(resume),
        Scan::Refused(refusal) => Scan::Refused(line_fault(refusal)),
    }
}

fn could_be_http(head: &[u8]) -> bool {
    let len = head.len().min(START.len());
    head[..len] == START[..len]
}

/// The same fault, of a response.
fn line_fault(refusal: Refusal) -> Rejection {
    match refusal {
        Refusal::BareCarriageReturn => Rejection::BareCarriageReturn,
        Refusal::BareLineFeed => Rejection::BareLineFeed,
        _ => Rejection::ControlCharacter,
    }
}

/// A response head whose shape is right.
///
/// ```
/// use switchboard::proto::{HeadLimits, HeaderSlots, ResponseHead};
///
/// let head = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: wss://example.com/chat\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let response = ResponseHead::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// assert_eq!(response.status(), 307);
/// assert_eq!(response.header("location"), Some("wss://example.com/chat"));
/// ```
pub struct ResponseHead<'h> {
    head: &'h [u8],
    version: Version,
    status: StatusCode,
    lines: &'h [Header<'h>],
}

impl<'h> ResponseHead<'h> {
    /// Reads a whole head, as [`scan_response`] found it; bytes after its end are not looked at. Allocates nothing.
    ///
    /// `scan_response` comes first: it rejects a bare LF, which this function alone would take for the end of a line.
    ///
    /// # Errors
    ///
    /// What RFC 9112 sections 4 and 5 do not allow, and more header lines than the limit.
    pub fn parse(
        head: &'h [u8],
        slots: &'h mut HeaderSlots<'h>,
        limits: &HeadLimits,
    ) -> Result<ResponseHead<'h>, Rejection> {
        if !could_be_http(head) {
            return Err(Rejection::NotHttp); // httparse would skip empty lines
        }
        let slots = &mut slots.0[..limits.headers.min(MAX_HEADERS)];
        let mut raw = httparse::Response::new(&mut []);
        let len = match ParserConfig::default().parse_response_with_uninit_headers(&mut raw, head, slots) {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) => return Err(Rejection::IncompleteHead),
            Err(error) => return Err(fault(head, error)),
        };
        let status = raw.code.and_then(|code| StatusCode::from_u16(code).ok());
        // Section 4: the space stands there even when no reason follows.
        let (Some(status), Some(minor), Some(b' ')) = (status, raw.version, head.get(STATUS_END)) else {
            return Err(Rejection::MalformedStatusLine);
        };
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        Ok(ResponseHead { head: &head[..len], version, status, lines: raw.headers })
    }

    /// The version of HTTP that the server speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The status, from 100 to 999; what is above 599 means as much as 500 (RFC 9110 section 15).
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether another response to the same request follows directly after this head: 1xx, but not 101, which is the last
    /// thing said in HTTP (RFC 9110 section 15.2). A client skips such a head whether it expected one or not.
    pub fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// The first header of this name, without white space around it; `None` if absent or not UTF-8.
    ///
    /// Names compare without regard to case.
    pub fn header(&self, name: &str) -> Option<&'h str> {
        self.header_values(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value of every header line of this name, in order, without white space around it.
    pub fn header_values<'r>(&self, name: &'r str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'r> {
        self.headers().filter(move |(sent, _)| sent.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every header line as sent, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'h str, &'h [u8])> + use<'h> {
        self.lines.iter().map(|line| (line.name, line.value))
    }

    /// The bytes of the head, so that they can be kept and parsed again.
    pub fn head(&self) -> &'h [u8] {
        self.head
    }
}

impl fmt::Debug for ResponseHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("version", &self.version)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// What httparse meant, in our words. Slow and rare: it looks at the head again.
#[cold]
fn fault(head: &[u8], error: Error) -> Rejection {
    match error {
        Error::TooManyHeaders => Rejection::TooManyHeaders,
        Error::HeaderValue => Rejection::MalformedHeaderValue,
        // Section 5.2; one before the first header is folded just the same (section 2.2).
        Error::HeaderName if head.windows(3).any(|bytes| matches!(bytes, b"\r\n " | b"\r\n\t")) => {
            Rejection::FoldedHeader
        }
        Error::HeaderName => Rejection::MalformedHeaderName,
        // HTTP/1.2 and its like.
        Error::Version => Rejection::NotHttp,
        Error::NewLine | Error::Token | Error::Status => Rejection::MalformedStatusLine,
    }
}
