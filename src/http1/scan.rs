//! Finds the end of a head, however its bytes arrive, and enforces the limits of a head. This file
//! knows lines and forbidden bytes. [`Request::parse`](super::Request::parse) knows the meaning of
//! a line.
//!
//! httparse begins anew at every call. If a head of 16 KiB arrives byte by byte, httparse reads 134
//! MB in 16,384 calls; this file reads each byte once.

use super::characters::is_token;
use super::request_error::RequestError;

/// Bytes of the longest method that is passed on; registered ones have up to 17.
pub(super) const MAX_METHOD: usize = 32;

/// The most header lines that a limit can allow.
pub const MAX_HEADERS: usize = 128;

/// Bytes of a request line beside its target: a skipped CRLF, method, two spaces, version and CRLF.
const REQUEST_LINE_SLACK: usize = 64;

/// The largest head that is accepted.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, RequestError, Scan, scan};
///
/// let limits = HeadLimits { head: 20, ..HeadLimits::default() };
/// let verdict = scan(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, &limits);
/// assert_eq!(verdict, Scan::Refused(RequestError::HeadTooLarge));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head with its empty line; 16 KiB by default. Beyond, a request is
    /// answered with 431 ([`RequestError::HeadTooLarge`]).
    pub head: usize,
    /// Header lines; 100 by default, [`MAX_HEADERS`] at most. Beyond, a request is answered with
    /// 431 ([`RequestError::TooManyHeaders`]).
    pub headers: usize,
    /// Bytes of the request target; 8 KiB by default. Beyond, a request is answered with 414
    /// ([`RequestError::TargetTooLong`]).
    pub target: usize,
}

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits { head: 16 << 10, headers: 100, target: 8 << 10 }
    }
}

/// The verdict of [`scan`], or of [`scan_response`](super::scan_response) with other faults.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, Scan, scan};
///
/// let head = b"GET / HTTP/1.1\r\n\r\n";
/// assert_eq!(scan(head, 0, &HeadLimits::default()), Scan::Complete(head.len()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan<Fault = RequestError> {
    /// The head is whole and has this many bytes, a skipped CRLF before it included.
    Complete(usize),
    /// More bytes are needed. The next call takes the number as `resume`.
    Partial(usize),
    /// No continuation of these bytes can be a head of this kind.
    Refused(Fault),
}

/// Looks for the end of a request head in all bytes that have arrived of it.
///
/// `resume` is 0 at first, and then what the last [`Scan::Partial`] holds. No byte before `resume`
/// is looked at again, so the work is linear however the bytes arrive. The bytes of a method, and a
/// request line that outgrows its limit, are looked at once more. A forbidden byte is refused when
/// it arrives, not when the head is whole. So is the 33rd byte of a method, with 501 (RFC 9112
/// section 3). One CRLF before the request line is skipped (section 2.2).
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, RequestError, Scan, scan};
///
/// let limits = HeadLimits::default();
/// let Scan::Partial(resume) = scan(b"GET / HTTP/1.1\r\n", 0, &limits) else { panic!() };
/// let input = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nand what follows";
/// assert_eq!(scan(input, resume, &limits), Scan::Complete(27));
/// assert_eq!(scan(b"GET / HTTP/1.1\n", 0, &limits), Scan::Refused(RequestError::BareLineFeed));
/// ```
pub fn scan(input: &[u8], resume: usize, limits: &HeadLimits) -> Scan {
    let mut resume = resume;
    let head = &input[..input.len().min(limits.head)];
    if has_endless_method(head, resume) {
        return Scan::Refused(RequestError::MethodNotImplemented);
    }
    let line_limit = limits.target.saturating_add(REQUEST_LINE_SLACK);
    if resume <= line_limit && line_limit < head.len() {
        match walk(&head[..line_limit], resume) {
            Scan::Partial(_) if !head[2..line_limit].contains(&b'\n') => {
                return Scan::Refused(endless_line_fault(&head[..line_limit], limits.target));
            }
            Scan::Partial(seen) => resume = seen,
            verdict => return verdict,
        }
    }
    let verdict = walk(head, resume);
    match verdict {
        Scan::Partial(_) if input.len() >= limits.head => Scan::Refused(RequestError::HeadTooLarge),
        verdict => verdict,
    }
}

/// Whether the request line begins with a token that is longer than any method.
///
/// A line whose method has been seen in an earlier call is not looked at again.
fn has_endless_method(head: &[u8], resume: usize) -> bool {
    const LEN: usize = MAX_METHOD + 1;
    resume < LEN + 2 && {
        let line = head.strip_prefix(b"\r\n").unwrap_or(head);
        line.first_chunk::<LEN>().is_some_and(|method| is_token(method))
    }
}

/// Names the fault of a request line that has outgrown its limit.
#[cold]
fn endless_line_fault(line: &[u8], limit: usize) -> RequestError {
    let line = line.strip_prefix(b"\r\n").unwrap_or(line);
    let mut words = line.split(|&byte| byte == b' ');
    match (words.next(), words.next(), words.next()) {
        (Some(method), ..) if !is_token(method) => RequestError::MalformedMethod,
        (_, Some(target), Some(_)) if target.len() <= limit => RequestError::MalformedRequestLine,
        _ => RequestError::TargetTooLong,
    }
}

/// Walks from line end to line end.
///
/// A `Partial` holds the place of the first byte whose meaning is open: the end of the input, or
/// the first CR of what may become the end of the head. The byte before that place is inside a
/// line, so the place alone is enough to resume.
pub(super) fn walk(input: &[u8], resume: usize) -> Scan {
    let mut position = resume;
    // Where the current line begins. After a resumption it counts only that the line holds a byte.
    let mut line_start = resume.saturating_sub(1);
    // The CR of the previous line, but not that of a skipped CRLF.
    let mut line_end = 0;
    loop {
        position = next_control(input, position);
        let empty = line_start == position;
        match input.get(position..).unwrap_or_default() {
            [] | [b'\r'] => return Scan::Partial(if empty { line_end } else { position }),
            [b'\r', b'\n', ..] => {}
            [b'\t', ..] => {
                position += 1;
                continue;
            }
            [b'\r', ..] => return Scan::Refused(RequestError::BareCarriageReturn),
            [b'\n', ..] => return Scan::Refused(RequestError::BareLineFeed),
            _ => return Scan::Refused(RequestError::ControlCharacter),
        }
        match (empty, position) {
            (true, 0) => {}
            (true, 2) => return Scan::Refused(RequestError::MissingRequestLine),
            (true, _) => return Scan::Complete(position + 2),
            (false, _) => line_end = position,
        }
        position += 2;
        line_start = position;
    }
}

/// Finds the next control character at or after `from`; the length of the input if there is none.
///
/// Eight bytes are compared at a time.
#[inline]
fn next_control(input: &[u8], from: usize) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x7F; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const TO_SPACE: u64 = u64::from_ne_bytes([0x80 - 0x20; 8]);
    const TO_DEL: u64 = u64::from_ne_bytes([0x80 - 0x7F; 8]);
    let mut rest = input.get(from..).unwrap_or_default();
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        // A byte without its high bit cannot carry into the next, so both sums are exact.
        let low = word & LOW;
        let controls = (!(low + TO_SPACE) | (low + TO_DEL)) & !word & HIGH;
        if controls != 0 {
            return input.len() - rest.len() + controls.trailing_zeros() as usize / 8;
        }
        rest = after;
    }
    let place = rest.iter().position(u8::is_ascii_control);
    input.len() - rest.len() + place.unwrap_or(rest.len())
}
