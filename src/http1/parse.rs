//! From the bytes of a whole head to a judged [`Request`]: the request line's checks and the order of all others.
//! Knows httparse and names its faults; targets and header lines are judged in files of their own.

use std::mem::MaybeUninit;

use http::Method;
use httparse::{Error, Header, Status};

use super::fields::{Fields, is_token};
use super::target::Target;
use super::{Extensions, HeadLimits, MAX_HEADERS, Refusal, Request, Version};

/// Bytes of the longest method that is passed on; registered ones have up to 17.
const MAX_METHOD: usize = 32;

/// Room for the header lines of one head: 4 KiB on the stack that cost nothing until they are used.
pub struct HeaderSlots<'h>(pub(super) [MaybeUninit<Header<'h>>; MAX_HEADERS]);

impl HeaderSlots<'_> {
    /// Empty room.
    #[inline]
    pub const fn new() -> Self {
        HeaderSlots([const { MaybeUninit::uninit() }; MAX_HEADERS])
    }
}

impl Default for HeaderSlots<'_> {
    fn default() -> Self {
        HeaderSlots::new()
    }
}

impl<'h> Request<'h> {
    /// Judges a whole head, as [`scan`](super::scan) found it; bytes after its end are not looked at.
    ///
    /// Allocates only where the path has to be decoded. `scan` comes first: it refuses a bare LF, which this
    /// function alone would take for the end of a line.
    ///
    /// # Errors
    ///
    /// Everything in RFC 9112 sections 2 to 6 that could give a message two readings, as the [`Refusal`] it earns.
    pub fn parse(head: &'h [u8], slots: &'h mut HeaderSlots<'h>, limits: &HeadLimits) -> Result<Request<'h>, Refusal> {
        let slots = &mut slots.0[..limits.headers.min(MAX_HEADERS)];
        let mut raw = httparse::Request::new(&mut []);
        let len = match raw.parse_with_uninit_headers(head, slots) {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) => return Err(Refusal::IncompleteHead),
            Err(error) => return Err(fault(head, error)),
        };
        let (Some(method), Some(target), Some(minor)) = (raw.method, raw.path, raw.version) else {
            return Err(Refusal::MalformedRequestLine);
        };
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        let method = judge_method(method)?;
        if target.len() > limits.target {
            return Err(Refusal::TargetTooLong);
        }
        let target = Target::parse(target, &method)?;
        let fields = Fields::read(raw.headers, version)?;
        Ok(Request {
            head: &head[..len],
            method,
            version,
            // RFC 9112 section 3.2.2: an absolute target's authority replaces the Host that must be there too.
            host: target.authority.or(fields.host).unwrap_or_default(),
            target,
            fields,
            zone_len: 0,
            extensions: Extensions::new(),
        })
    }
}

fn judge_method(name: &str) -> Result<Method, Refusal> {
    if name.len() > MAX_METHOD {
        return Err(Refusal::MethodNotImplemented);
    }
    match Method::from_bytes(name.as_bytes()) {
        // RFC 9110 section 9.3.6: only a proxy has a use for it.
        Ok(Method::CONNECT) => Err(Refusal::MethodNotImplemented),
        Ok(method) => Ok(method),
        Err(_) => Err(Refusal::MalformedMethod),
    }
}

/// What httparse meant, in our words. Slow and rare: it looks at the head again.
#[cold]
fn fault(head: &[u8], error: Error) -> Refusal {
    match error {
        Error::TooManyHeaders => Refusal::TooManyHeaders,
        Error::HeaderValue => Refusal::MalformedHeaderValue,
        // RFC 9112 section 5.2; one before the first header is folded just the same (section 2.2).
        Error::HeaderName if head.windows(3).any(|bytes| matches!(bytes, b"\r\n " | b"\r\n\t")) => {
            Refusal::FoldedHeader
        }
        Error::HeaderName => Refusal::MalformedHeaderName,
        Error::NewLine => request_line_fault(head).unwrap_or(Refusal::BareCarriageReturn),
        Error::Token | Error::Version | Error::Status => request_line_fault(head).unwrap_or(Refusal::TargetCharacter),
    }
}

/// What is wrong with the request line's three parts, if it is not a byte of the target.
fn request_line_fault(head: &[u8]) -> Option<Refusal> {
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    if line.is_empty() {
        return Some(Refusal::MissingRequestLine);
    }
    let mut parts = line.split(|&byte| byte == b' ');
    let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
    let [Some(method), Some(target), Some(version), None] = parts else {
        return Some(Refusal::MalformedRequestLine);
    };
    // RFC 9112 section 2.3: case-sensitive, one digit each.
    match version {
        _ if method.is_empty() || target.is_empty() || version.is_empty() => Some(Refusal::MalformedRequestLine),
        _ if !is_token(method) => Some(Refusal::MalformedMethod),
        b"HTTP/1.0" | b"HTTP/1.1" => None,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Some(Refusal::VersionNotSupported),
        _ => Some(Refusal::MalformedVersion),
    }
}
