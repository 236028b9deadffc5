//! From the bytes of a head to a judged [`Request`], in one pass: the request line's checks and the order of all others.
//! Knows which fault comes first; targets and header lines are judged in files of their own.

use http::Method;

use super::header_lines::{
    GAP, HeaderSlots, LineFault, Lines, class, has_folded_line, is_token, token_len,
};
use super::request_headers::Fields;
use super::target::Target;
use super::{Extensions, HeadLimits, Request, RequestError, Version};

/// Bytes of the longest method that is passed on; registered ones have up to 17.
const MAX_METHOD: usize = 32;

impl<'h> Request<'h> {
    /// Judges the head that some bytes begin with; bytes after its end are not looked at.
    ///
    /// Allocates only where the path has to be decoded. What is accepted here [`scan`](super::scan) finds whole, if it
    /// is not beyond [`HeadLimits::head`]; so a head that is likely to be whole may be parsed first, and scanned only
    /// where that fails: to learn whether more bytes will help, and whether one of them is forbidden.
    ///
    /// # Errors
    ///
    /// Everything in RFC 9112 sections 2 to 6 that could give a message two readings, as the [`RequestError`] it earns.
    pub fn parse(
        head: &'h [u8],
        slots: &'h mut HeaderSlots<'h>,
        limits: &HeadLimits,
    ) -> Result<Request<'h>, RequestError> {
        let Some(line) = RequestLine::read(head) else { return Err(request_line_fault(head)) };
        let HeaderSlots { starts, known } = slots;
        let mut fields = Fields::new(line.version, known);
        let lines = Lines::read(head, line.len, starts, limits.headers, |name, value| {
            fields.note(name, value)
        })
        .map_err(|fault| line_fault(head, fault))?;
        let method = judge_method(line.method)?;
        if line.target.len() > limits.target {
            return Err(RequestError::TargetTooLong);
        }
        let target = Target::parse(line.target, line.seen, &method)?;
        fields.conclude(lines)?;
        Ok(Request { method, target, fields, zone_len: 0, extensions: Extensions::new() })
    }
}

/// A request line whose parts are where they belong.
struct RequestLine<'h> {
    method: &'h [u8],
    target: &'h str,
    /// The classes that the target's bytes are in.
    seen: u8,
    version: Version,
    /// Bytes up to the first header line.
    len: usize,
}

impl<'h> RequestLine<'h> {
    /// RFC 9112 section 3, after one empty line at most (section 2.2).
    #[inline]
    fn read(head: &'h [u8]) -> Option<RequestLine<'h>> {
        let line = head.strip_prefix(b"\r\n").unwrap_or(head);
        let (method, rest) = line.split_at(token_len(line));
        let rest = rest.strip_prefix(b" ").filter(|_| !method.is_empty())?;
        let (mut end, mut seen) = (0, 0);
        while let Some(&byte) = rest.get(end)
            && class(byte) & GAP == 0
        {
            seen |= class(byte);
            end += 1;
        }
        let (target, rest) = rest.split_at(end);
        let (version, rest) = match rest.strip_prefix(b" HTTP/1.")? {
            [b'1', b'\r', b'\n', rest @ ..] => (Version::Http11, rest),
            [b'0', b'\r', b'\n', rest @ ..] => (Version::Http10, rest),
            _ => return None,
        };
        let target = std::str::from_utf8(target).ok().filter(|target| !target.is_empty())?;
        Some(RequestLine { method, target, seen, version, len: head.len() - rest.len() })
    }
}

fn judge_method(name: &[u8]) -> Result<Method, RequestError> {
    if name == b"GET" {
        return Ok(Method::GET);
    }
    if name.len() > MAX_METHOD {
        return Err(RequestError::MethodNotImplemented);
    }
    match Method::from_bytes(name) {
        // RFC 9110 section 9.3.6: only a proxy has a use for it.
        Ok(Method::CONNECT) => Err(RequestError::MethodNotImplemented),
        Ok(method) => Ok(method),
        Err(_) => Err(RequestError::MalformedMethod),
    }
}

/// Slow and rare: looks at the head again.
#[cold]
fn line_fault(head: &[u8], fault: LineFault) -> RequestError {
    match fault {
        LineFault::Incomplete => RequestError::IncompleteHead,
        LineFault::TooMany => RequestError::TooManyHeaders,
        LineFault::Value => RequestError::MalformedHeaderValue,
        // RFC 9112 section 5.2; one before the first header is folded just the same (section 2.2).
        LineFault::Name if has_folded_line(head) => RequestError::FoldedHeader,
        LineFault::Name => RequestError::MalformedHeaderName,
    }
}

/// What is wrong with the request line.
#[cold]
fn request_line_fault(head: &[u8]) -> RequestError {
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let end = head.iter().position(|&byte| byte == b'\r').unwrap_or(head.len());
    let (line, rest) = head.split_at(end);
    if rest.len() < 2 {
        return RequestError::IncompleteHead;
    }
    if line.is_empty() {
        return RequestError::MissingRequestLine;
    }
    let mut parts = line.split(|&byte| byte == b' ');
    let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
    let [Some(method), Some(target), Some(version), None] = parts else {
        return RequestError::MalformedRequestLine;
    };
    // RFC 9112 section 2.3: case-sensitive, one digit each.
    match version {
        _ if method.is_empty() || target.is_empty() || version.is_empty() => {
            RequestError::MalformedRequestLine
        }
        _ if !is_token(method) => RequestError::MalformedMethod,
        b"HTTP/1.0" | b"HTTP/1.1" if rest[1] != b'\n' => RequestError::BareCarriageReturn,
        b"HTTP/1.0" | b"HTTP/1.1" => RequestError::TargetCharacter,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            RequestError::VersionNotSupported
        }
        _ => RequestError::MalformedVersion,
    }
}
