//! The two calls of httparse, the header lines that it finds (RFC 9112 sections 3 to 5), and the
//! names of the headers that frame, route and upgrade a request. This file refuses what httparse
//! tolerates and this crate does not. It names no fault and judges no value.
//!
//! When this was written, parsing and judging a browser's handshake head of 500 bytes took 4,305
//! instructions: 175 more than without httparse. Of these 175, strict line ends take 127.
//! The 12 names of the handshake took 320 instructions here, and 2,070 with `http::HeaderName`.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use super::first_line::Version;
use super::scan::MAX_HEADERS;

/// Room for the header lines of one head: 4,304 bytes on the stack, of which 208 are written.
///
/// A parsed head borrows its slots, so a head that is parsed again takes new ones.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
///
/// let head = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// assert_eq!(request.headers().count(), 1);
/// ```
pub struct HeaderSlots<'h> {
    pub(super) lines: [MaybeUninit<Header<'h>>; MAX_HEADERS],
    /// The value of the first line of each known name.
    pub(super) known: [Option<&'h [u8]>; KNOWN],
}

impl HeaderSlots<'_> {
    /// Creates empty slots.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        HeaderSlots { lines: [const { MaybeUninit::uninit() }; MAX_HEADERS], known: [None; KNOWN] }
    }
}

impl Default for HeaderSlots<'_> {
    fn default() -> Self {
        HeaderSlots::new()
    }
}

/// The header lines of a head, each known to be well-formed.
#[derive(Clone, Copy)]
pub(super) struct HeaderLines<'h> {
    /// All bytes of the head with its first and its empty line.
    head: &'h [u8],
    lines: &'h [Header<'h>],
}

impl<'h> HeaderLines<'h> {
    pub(super) const NONE: HeaderLines<'static> = HeaderLines { head: &[], lines: &[] };

    /// The lines that httparse found in a head of `len` bytes; `None` if one ends with a bare LF.
    #[inline]
    fn checked(input: &'h [u8], len: usize, lines: &'h [Header<'h>]) -> Option<HeaderLines<'h>> {
        let head = input.get(..len)?;
        let strict = lines.iter().all(|line| ends_with_crlf(head, line.value));
        // The last LF is the empty line's, and what stands before it is its CR or another LF.
        (strict && head.ends_with(b"\r\n")).then_some(HeaderLines { head, lines })
    }

    /// All bytes of the head, its first line included.
    pub(super) fn head(self) -> &'h [u8] {
        self.head
    }

    /// Names and values in order.
    #[inline]
    pub(super) fn iter(self) -> impl Iterator<Item = (&'h str, &'h [u8])> + use<'h> {
        self.lines.iter().map(|line| (line.name, line.value))
    }

    /// The values of all lines of a name, in order.
    pub(super) fn named<'n>(
        self,
        name: &'n str,
    ) -> impl DoubleEndedIterator<Item = &'h [u8]> + use<'h, 'n> {
        let lines = self.lines.iter().filter(|line| line.name.eq_ignore_ascii_case(name));
        lines.map(|line| line.value)
    }
}

/// Whether CR LF ends the line of a value (RFC 9112 section 2.2).
///
/// httparse trims white space, takes a bare LF, and lets nothing but LF follow a CR.
#[inline]
fn ends_with_crlf(head: &[u8], value: &[u8]) -> bool {
    let end = value.as_ptr().addr().wrapping_sub(head.as_ptr().addr()).wrapping_add(value.len());
    head.get(end) == Some(&b'\r') || ends_after_white_space(head, end)
}

#[cold]
fn ends_after_white_space(head: &[u8], end: usize) -> bool {
    let mut after = head.iter().skip(end);
    after.find(|byte| !matches!(byte, b' ' | b'\t')) == Some(&b'\r')
}

/// A request head whose shape is right; method, target and headers are still to be judged.
pub(super) struct RequestParts<'h> {
    pub(super) method: &'h str,
    /// Not empty, without white space and control characters.
    pub(super) target: &'h str,
    pub(super) version: Version,
    pub(super) lines: HeaderLines<'h>,
}

impl<'h> RequestParts<'h> {
    /// Reads a request head; `None` if its end is missing or its shape is wrong.
    ///
    /// Input too short for a head never reaches httparse, so a head that arrives byte by byte costs
    /// no call before it is whole.
    #[inline]
    pub(super) fn read(
        input: &'h [u8],
        slots: &'h mut [MaybeUninit<Header<'h>>],
    ) -> Option<RequestParts<'h>> {
        const SHORTEST: usize = b"G / HTTP/1.1\r\n\r\n".len();
        // RFC 9112 section 2.2: one empty line is skipped. httparse skips any number.
        let line = input.strip_prefix(b"\r\n").unwrap_or(input);
        if line.len() < SHORTEST || matches!(line[0], b'\r' | b'\n') {
            return None;
        }
        let mut request = httparse::Request::new(&mut []);
        let parsed = counted(|| request.parse_with_uninit_headers(line, slots));
        let Ok(Status::Complete(len)) = parsed else { return None };
        let (method, target) = (request.method?, request.path?);
        let version = version_of(request.version?);
        // One space each stands before target and version (section 3): httparse takes no more.
        let line_end = method.len() + " ".len() + target.len() + " HTTP/1.1".len();
        if line.get(line_end) != Some(&b'\r') {
            return None;
        }
        let len = input.len() - line.len() + len;
        let lines = HeaderLines::checked(input, len, request.headers)?;
        Some(RequestParts { method, target, version, lines })
    }
}

/// A response head whose shape is right.
pub(super) struct ResponseParts<'h> {
    pub(super) version: Version,
    /// From 0 to 999.
    pub(super) status: u16,
    pub(super) lines: HeaderLines<'h>,
}

impl<'h> ResponseParts<'h> {
    /// Reads a response head; `None` if its end is missing or its shape is wrong.
    pub(super) fn read(
        input: &'h [u8],
        slots: &'h mut [MaybeUninit<Header<'h>>],
    ) -> Option<ResponseParts<'h>> {
        // RFC 9112 section 2.2 lets servers alone skip an empty line. httparse skips any number.
        if !input.starts_with(b"HTTP/1.") {
            return None;
        }
        let mut response = httparse::Response::new(&mut []);
        let config = ParserConfig::default();
        let parsed =
            counted(|| config.parse_response_with_uninit_headers(&mut response, input, slots));
        let Ok(Status::Complete(len)) = parsed else { return None };
        let line_end = input.iter().position(|&byte| byte == b'\n')?;
        if !input[..line_end].ends_with(b"\r") {
            return None;
        }
        let lines = HeaderLines::checked(input, len, response.headers)?;
        Some(ResponseParts {
            version: version_of(response.version?),
            status: response.code?,
            lines,
        })
    }
}

fn version_of(minor: u8) -> Version {
    if minor == 0 { Version::Http10 } else { Version::Http11 }
}

/// A header whose value is noted while the head is parsed, so that a lookup costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Host,
    Cookie,
    Expect,
    Origin,
    Upgrade,
    Connection,
    ContentLength,
    TransferEncoding,
    SecWebSocketKey,
    SecWebSocketOrigin,
    SecWebSocketVersion,
    SecWebSocketProtocol,
    SecWebSocketExtensions,
}

/// Number of known headers.
pub(super) const KNOWN: usize = Known::SecWebSocketExtensions as usize + 1;

impl Known {
    /// Finds a known header by its name.
    ///
    /// The length comes first: it settles most names, and none is compared with more than three.
    #[inline(always)] // 100 of 4,400 instructions of a browser's handshake, which names 12 headers
    pub(super) fn named(name: &[u8]) -> Option<Known> {
        match name.len() {
            4 if folds_to(name, b"host") => Some(Known::Host),
            6 if folds_to(name, b"cookie") => Some(Known::Cookie),
            6 if folds_to(name, b"expect") => Some(Known::Expect),
            6 if folds_to(name, b"origin") => Some(Known::Origin),
            7 if folds_to(name, b"upgrade") => Some(Known::Upgrade),
            10 if folds_to(name, b"connection") => Some(Known::Connection),
            14 if folds_to(name, b"content-length") => Some(Known::ContentLength),
            17 if folds_to(name, b"sec-websocket-key") => Some(Known::SecWebSocketKey),
            17 if folds_to(name, b"transfer-encoding") => Some(Known::TransferEncoding),
            20 if folds_to(name, b"sec-websocket-origin") => Some(Known::SecWebSocketOrigin),
            21 if folds_to(name, b"sec-websocket-version") => Some(Known::SecWebSocketVersion),
            22 if folds_to(name, b"sec-websocket-protocol") => Some(Known::SecWebSocketProtocol),
            24 if folds_to(name, b"sec-websocket-extensions") => {
                Some(Known::SecWebSocketExtensions)
            }
            _ => None,
        }
    }
}

/// Whether a token equals a lower-case one of letters and `-`, without regard to case.
#[inline]
pub(super) fn is<const LEN: usize>(token: &[u8], known: &[u8; LEN]) -> bool {
    token.len() == LEN && folds_to(token, known)
}

/// Whether a name of at least `LEN` bytes begins with a lower-case one of letters and `-`.
///
/// Among the bytes of a token only letters have the bit 0x40, and the bit 0x20 alone tells a small
/// letter from its capital. So all bytes compare at once, without a branch for each.
#[inline]
fn folds_to<const LEN: usize>(name: &[u8], known: &[u8; LEN]) -> bool {
    let differs = |name: &[u8; LEN]| {
        name.iter()
            .zip(known)
            .fold(0, |bits, (byte, known)| bits | ((byte | (known & 0x40) >> 1) ^ known))
    };
    name.first_chunk().is_some_and(|name| differs(name) == 0)
}

#[cfg(not(test))]
#[inline]
fn counted<R>(call: impl FnOnce() -> R) -> R {
    call()
}

#[cfg(test)]
fn counted<R>(call: impl FnOnce() -> R) -> R {
    HTTPARSE_CALLS.set(HTTPARSE_CALLS.get() + 1);
    call()
}

#[cfg(test)]
thread_local! {
    /// Number of calls of httparse on this thread.
    pub(crate) static HTTPARSE_CALLS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}
