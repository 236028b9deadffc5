//! The head of a response as a client reads it: its end, its status and its header lines (RFC 9112
//! sections 2 to 5). This file knows neither the body of a response nor a handshake.

use std::fmt;

use http::StatusCode;

use super::first_line::Version;
use super::head_fault::response_fault;
use super::header_lines::{HeaderLines, HeaderSlots, ResponseParts};
use super::request_error::RequestError;
use super::response_error::ResponseError;
use super::scan::{HeadLimits, MAX_HEADERS, Scan, walk};

/// The first bytes of every response that is understood.
const START: &[u8] = b"HTTP/1.";

/// Looks for the end of a response head in all bytes that have arrived of it.
///
/// `resume` is 0 at first, and then what the last [`Scan::Partial`] holds, as for
/// [`scan`](super::scan). So the work is linear however the bytes arrive. Another protocol is
/// refused at its first byte that is not HTTP's. No line is skipped before the status line: RFC
/// 9112 section 2.2 allows that for requests alone. [`HeadLimits::target`] has no meaning here.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, ResponseError, Scan, scan_response};
///
/// let limits = HeadLimits::default();
/// let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
/// let Scan::Partial(resume) = scan_response(&head[..30], 0, &limits) else { panic!() };
/// assert_eq!(scan_response(head, resume, &limits), Scan::Complete(head.len()));
/// assert_eq!(scan_response(b"SSH-2.0", 0, &limits), Scan::Refused(ResponseError::NotHttp));
/// ```
pub fn scan_response(input: &[u8], resume: usize, limits: &HeadLimits) -> Scan<ResponseError> {
    let head = &input[..input.len().min(limits.head)];
    if !could_be_http(head) {
        return Scan::Refused(ResponseError::NotHttp);
    }
    match walk(head, resume) {
        Scan::Complete(len) => Scan::Complete(len),
        Scan::Partial(_) if input.len() >= limits.head => {
            Scan::Refused(ResponseError::HeadTooLarge)
        }
        Scan::Partial(resume) => Scan::Partial(resume),
        Scan::Refused(fault) => Scan::Refused(line_fault(fault)),
    }
}

fn could_be_http(head: &[u8]) -> bool {
    let len = head.len().min(START.len());
    head[..len] == START[..len]
}

/// The name that a response gives to a fault of [`walk`].
fn line_fault(fault: RequestError) -> ResponseError {
    match fault {
        RequestError::BareCarriageReturn => ResponseError::BareCarriageReturn,
        RequestError::BareLineFeed => ResponseError::BareLineFeed,
        _ => ResponseError::ControlCharacter,
    }
}

/// A response head whose shape is right.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, ResponseHead};
///
/// let head = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: wss://example.com/chat\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let response = ResponseHead::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// assert_eq!(response.status(), 307);
/// assert_eq!(response.header("location"), Some("wss://example.com/chat"));
/// ```
pub struct ResponseHead<'h> {
    version: Version,
    status: StatusCode,
    lines: HeaderLines<'h>,
}

impl<'h> ResponseHead<'h> {
    /// Judges the head that the input begins with. Bytes after its end are not looked at. Allocates
    /// nothing.
    ///
    /// [`scan_response`] finds the end of every head that is accepted here, unless the head is
    /// beyond [`HeadLimits::head`].
    ///
    /// # Errors
    ///
    /// Returns the fault of a head that RFC 9112 sections 4 and 5 do not allow, or that exceeds
    /// [`HeadLimits::headers`].
    pub fn parse(
        head: &'h [u8],
        slots: &'h mut HeaderSlots<'h>,
        limits: &HeadLimits,
    ) -> Result<ResponseHead<'h>, ResponseError> {
        let most = limits.headers.min(MAX_HEADERS);
        let Some(parts) = ResponseParts::read(head, &mut slots.lines[..most]) else {
            return Err(response_fault(head, most));
        };
        // RFC 9112 section 4: a space follows the status, even where no reason does. Many servers
        // leave out both, and browsers take that.
        let ends = matches!(head.get("HTTP/1.1 101".len()), Some(b' ' | b'\r'));
        match StatusCode::from_u16(parts.status) {
            Ok(status) if ends => {
                Ok(ResponseHead { version: parts.version, status, lines: parts.lines })
            }
            _ => Err(ResponseError::MalformedStatusLine),
        }
    }

    /// Returns the version of HTTP that the server speaks.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the status, from 100 to 999. Any above 599 means 500 (RFC 9110 section 15).
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether another response to the same request follows this head: 1xx, but not 101, after
    /// which another protocol follows (RFC 9110 section 15.2). A client skips such a head.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// Returns the value of the first header of this name; `None` if it is absent or not UTF-8.
    ///
    /// Names compare without regard to case. White space around the value does not belong to it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'h str> {
        self.header_values(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Returns the value of every header line of this name, in order.
    pub fn header_values<'r>(&self, name: &'r str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'r> {
        self.lines.named(name)
    }

    /// Returns the name, as sent, and the value of every header line, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'h str, &'h [u8])> + use<'h> {
        self.lines.iter()
    }

    /// Returns the bytes of the head, to be kept and parsed again.
    #[must_use]
    pub fn head(&self) -> &'h [u8] {
        self.lines.head()
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
