//! The head of a response as a client reads it: where it ends, its status and its header lines.
//! Knows the shape of a response (RFC 9112 sections 2 to 5); not its body, which no answer that is of use to a WebSocket
//! has, nor what a handshake demands.

use std::fmt;

use http::StatusCode;

use super::head_fault::response_fault;
use super::header_lines::{HeaderLines, HeaderSlots, ResponseParts};
use super::request_error::RequestError;
use super::response_error::ResponseError;
use super::scan::{HeadLimits, MAX_HEADERS, Scan, walk};
use super::version::Version;

/// What every response begins with that can be understood here.
const START: &[u8] = b"HTTP/1.";

/// Looks for the end of a response head in everything that has arrived of it so far.
///
/// Like [`scan`](super::scan), `resume` is 0 at first and then what the last [`Scan::Partial`] said, so that the work is
/// linear however the bytes arrive. What is not HTTP is rejected at its first byte that is not, and no line is skipped
/// before the status line: that leniency is for requests alone (RFC 9112 section 2.2). Of the limits, that of the target
/// has no meaning here.
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
        Scan::Refused(refusal) => Scan::Refused(line_fault(refusal)),
    }
}

fn could_be_http(head: &[u8]) -> bool {
    let len = head.len().min(START.len());
    head[..len] == START[..len]
}

/// The same fault, of a response.
fn line_fault(refusal: RequestError) -> ResponseError {
    match refusal {
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
    /// Reads the head that some bytes begin with; bytes after its end are not looked at. Allocates nothing.
    ///
    /// What is accepted here [`scan_response`] finds whole, if it is not beyond [`HeadLimits::head`].
    ///
    /// # Errors
    ///
    /// What RFC 9112 sections 4 and 5 do not allow, and more header lines than the limit.
    pub fn parse(
        head: &'h [u8],
        slots: &'h mut HeaderSlots<'h>,
        limits: &HeadLimits,
    ) -> Result<ResponseHead<'h>, ResponseError> {
        let most = limits.headers.min(MAX_HEADERS);
        let Some(parts) = ResponseParts::read(head, &mut slots.lines[..most]) else {
            return Err(response_fault(head, most));
        };
        // RFC 9112 section 4: a space follows the status, even where no reason does.
        let has_space = head.get("HTTP/1.1 101".len()) == Some(&b' ');
        match StatusCode::from_u16(parts.status) {
            Ok(status) if has_space => {
                Ok(ResponseHead { version: parts.version, status, lines: parts.lines })
            }
            _ => Err(ResponseError::MalformedStatusLine),
        }
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
        self.lines.named(name)
    }

    /// Every header line as sent, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'h str, &'h [u8])> + use<'h> {
        self.lines.iter()
    }

    /// The bytes of the head, so that they can be kept and parsed again.
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
