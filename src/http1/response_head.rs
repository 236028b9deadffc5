//! The head of a response as a client reads it: where it ends, its status and its header lines.
//! Knows the shape of a response (RFC 9112 sections 2 to 5); not its body, which no answer that is of use to a WebSocket
//! has, nor what a handshake demands.

use std::fmt;

use http::StatusCode;

use super::header_lines::{LineFault, Lines, has_folded_line, value};
use super::scan::walk;
use super::{HeadLimits, HeaderSlots, RequestError, ResponseError, Scan, Version};

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
    lines: Lines<'h>,
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
        let line = StatusLine::read(head)
            .map_err(|fault| if is_cut(head) { ResponseError::IncompleteHead } else { fault })?;
        let lines = Lines::read(head, line.len, &mut slots.starts, limits.headers, |_, _| {})
            .map_err(|fault| named(head, fault))?;
        match StatusCode::from_u16(line.status) {
            Ok(status) if line.has_reason => {
                Ok(ResponseHead { version: line.version, status, lines })
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

/// A status line whose parts are where they belong.
struct StatusLine {
    version: Version,
    /// Three digits.
    status: u16,
    /// Section 4: a space stands after the status even when no reason follows. It is often forgotten.
    has_reason: bool,
    /// Bytes up to the first header line.
    len: usize,
}

impl StatusLine {
    fn read(head: &[u8]) -> Result<StatusLine, ResponseError> {
        let (version, rest) = match head.strip_prefix(START) {
            Some([b'0', b' ', rest @ ..]) => (Version::Http10, rest),
            Some([b'1', b' ', rest @ ..]) => (Version::Http11, rest),
            _ => return Err(ResponseError::NotHttp), // HTTP/1.2 and its like, too
        };
        let Some((digits, rest)) = rest
            .split_first_chunk::<3>()
            .filter(|(digits, _)| digits.iter().all(u8::is_ascii_digit))
        else {
            return Err(ResponseError::MalformedStatusLine);
        };
        let status = digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
        let has_reason = rest.starts_with(b" ");
        // A reason has the bytes that a value may have.
        match value(rest) {
            Ok((_, lines)) if has_reason || rest.starts_with(b"\r\n") => {
                Ok(StatusLine { version, status, has_reason, len: head.len() - lines.len() })
            }
            Err(LineFault::Incomplete) => Err(ResponseError::IncompleteHead),
            _ => Err(ResponseError::MalformedStatusLine),
        }
    }
}

/// Whether a head ends within its first line.
fn is_cut(head: &[u8]) -> bool {
    head.starts_with(&START[..head.len().min(START.len())]) && !head.contains(&b'\r')
}

/// Slow and rare: looks at the head again.
#[cold]
fn named(head: &[u8], fault: LineFault) -> ResponseError {
    match fault {
        LineFault::Incomplete => ResponseError::IncompleteHead,
        LineFault::TooMany => ResponseError::TooManyHeaders,
        LineFault::Value => ResponseError::MalformedHeaderValue,
        // Section 5.2; one before the first header is folded just the same (section 2.2).
        LineFault::Name if has_folded_line(head) => ResponseError::FoldedHeader,
        LineFault::Name => ResponseError::MalformedHeaderName,
    }
}
