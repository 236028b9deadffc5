//! The header lines of one request and what those that frame and route it say, noted in a single pass.
//! Knows names and values; not the request line, and not the body's bytes.

use super::characters::{elements, is_token};
use super::header_lines::HeaderLines;
use super::is_authority;
use super::known_headers::{KNOWN, Known, is};
use super::request_error::RequestError;
use super::version::Version;

/// How the end of a request's body is found (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    None,
    /// `Content-Length`, in bytes; `Known(0)` was said, `None` was not.
    Known(u64),
    /// `Transfer-Encoding: chunked`: decode it with [`Chunked`](super::Chunked).
    Chunked,
}

/// `Expect: 100-continue`, and there is a body.
pub(super) const EXPECTS_CONTINUE: u8 = 1 << 0;
/// `Connection` names `close`.
pub(super) const CLOSE: u8 = 1 << 1;
/// `Connection` names `keep-alive`.
pub(super) const KEEP_ALIVE: u8 = 1 << 2;
/// `Connection` names `upgrade` (RFC 6455 section 4.2.1).
pub(super) const CONNECTION_UPGRADES: u8 = 1 << 3;
/// `Upgrade` names `websocket`.
pub(super) const UPGRADES_TO_WEBSOCKET: u8 = 1 << 4;
/// Anything of a WebSocket handshake.
pub(super) const WEBSOCKET: u8 = 1 << 5;

/// A header that may stand once stands more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeated;

/// The header lines and what was noted of them.
pub(super) struct RequestHeaders<'h> {
    lines: HeaderLines<'h>,
    version: Version,
    /// The value of the first line of each known name.
    values: &'h mut [Option<&'h [u8]>; KNOWN],
    /// A bit for each known name that has further lines.
    repeated: u16,
    /// The first that was found in a line whose form is right.
    fault: Option<RequestError>,
    pub(super) body: BodyLength,
    /// What was said, a bit each.
    said: u8,
}

impl<'h> RequestHeaders<'h> {
    /// Of a request before its first header line.
    #[inline]
    pub(super) fn new(
        version: Version,
        lines: HeaderLines<'h>,
        values: &'h mut [Option<&'h [u8]>; KNOWN],
    ) -> RequestHeaders<'h> {
        let mut headers = RequestHeaders {
            lines,
            version,
            values,
            repeated: 0,
            fault: None,
            body: BodyLength::None,
            said: 0,
        };
        for (name, value) in lines.iter() {
            headers.note(name.as_bytes(), value);
        }
        headers
    }

    /// Notes and judges a line, if it is one of those that frame and route the request.
    #[inline]
    fn note(&mut self, name: &[u8], value: &'h [u8]) {
        let Some(known) = Known::named(name) else { return };
        let first = &mut self.values[known as usize];
        let again = first.is_some();
        match again {
            true => self.repeated |= 1 << known as u8,
            false => *first = Some(value),
        }
        if let Err(refusal) = self.judge(known, value, again) {
            self.fault.get_or_insert(refusal);
        }
    }

    fn judge(&mut self, known: Known, value: &'h [u8], again: bool) -> Result<(), RequestError> {
        match known {
            // RFC 9112 section 3.2: exactly one, and well-formed.
            Known::Host if again => return Err(RequestError::DoubledHost),
            Known::Host if !is_authority(value) => return Err(RequestError::MalformedHost),
            Known::Host => {}
            // Section 6.3 lets equal lengths pass for one. Here they do not: a proxy may have taken another.
            Known::ContentLength if again => return Err(RequestError::DoubledContentLength),
            Known::ContentLength => match content_length(value) {
                Some(len) => self.body = BodyLength::Known(len),
                None => return Err(RequestError::MalformedContentLength),
            },
            // A handshake nearly always names these two alone.
            Known::Connection if is(value, b"upgrade") => self.said |= CONNECTION_UPGRADES,
            Known::Connection => self.connection_options(value),
            // RFC 9110 section 10.1.1: nothing else can be expected, and HTTP/1.0 cannot expect at all.
            Known::Expect if self.version == Version::Http10 => {}
            Known::Expect if again || !value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(RequestError::ExpectationFailed);
            }
            Known::Expect => self.said |= EXPECTS_CONTINUE,
            Known::Upgrade
                if is(value, b"websocket")
                    || elements(value).any(|protocol| is(protocol, b"websocket")) =>
            {
                self.said |= UPGRADES_TO_WEBSOCKET | WEBSOCKET;
            }
            Known::Upgrade => {}
            Known::SecWebSocketKey | Known::SecWebSocketVersion => self.said |= WEBSOCKET,
            // Judged by `conclude`, when Content-Length is known too.
            Known::TransferEncoding => {}
            Known::Cookie
            | Known::Origin
            | Known::SecWebSocketOrigin
            | Known::SecWebSocketProtocol
            | Known::SecWebSocketExtensions => {}
        }
        Ok(())
    }

    /// RFC 9110 section 7.6.1. `Upgrade` is the handshake's to judge.
    fn connection_options(&mut self, value: &[u8]) {
        for option in elements(value) {
            self.said |= match option {
                _ if is(option, b"upgrade") => CONNECTION_UPGRADES,
                _ if is(option, b"close") => CLOSE,
                _ if is(option, b"keep-alive") => KEEP_ALIVE,
                _ => 0,
            };
        }
    }

    /// What only the whole of the lines can tell; and what was found in one of them.
    pub(super) fn conclude(&mut self) -> Result<(), RequestError> {
        if let Some(refusal) = self.fault {
            return Err(refusal);
        }
        if self.has(Known::TransferEncoding) {
            self.body = self.transfer_coding()?;
        }
        if self.version == Version::Http11 && !self.has(Known::Host) {
            return Err(RequestError::MissingHost);
        }
        if matches!(self.body, BodyLength::None | BodyLength::Known(0)) {
            self.said &= !EXPECTS_CONTINUE;
        }
        Ok(())
    }

    /// RFC 9112 section 6.1: `chunked`, once, is the only coding, and two lengths would be two readings.
    #[cold]
    fn transfer_coding(&self) -> Result<BodyLength, RequestError> {
        if self.has(Known::ContentLength) {
            return Err(RequestError::LengthAndTransferEncoding);
        }
        if self.version == Version::Http10 {
            return Err(RequestError::TransferEncodingBeforeHttp11);
        }
        let mut chunked = false;
        for coding in self.values("transfer-encoding").flat_map(elements) {
            match coding {
                _ if !is_token(coding) => return Err(RequestError::MalformedTransferEncoding),
                _ if !coding.eq_ignore_ascii_case(b"chunked") => {
                    return Err(RequestError::UnknownTransferCoding);
                }
                _ if chunked => return Err(RequestError::DoubledChunked),
                _ => chunked = true,
            }
        }
        Ok(BodyLength::Chunked)
    }

    fn has(&self, known: Known) -> bool {
        self.values[known as usize].is_some()
    }

    /// All lines in order.
    pub(super) fn lines(&self) -> HeaderLines<'h> {
        self.lines
    }

    /// Whether this was said.
    pub(super) fn says(&self, what: u8) -> bool {
        self.said & what != 0
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// The value of the first line of a known name.
    pub(super) fn known(&self, known: Known) -> Option<&'h [u8]> {
        self.values[known as usize]
    }

    /// The value of the only line of a known name.
    pub(super) fn only(&self, known: Known) -> Result<Option<&'h [u8]>, Repeated> {
        match self.repeated & (1 << known as u8) {
            0 => Ok(self.values[known as usize]),
            _ => Err(Repeated),
        }
    }

    /// The value of the first line of this name.
    pub(super) fn first(&self, name: &str) -> Option<&'h [u8]> {
        match Known::named(name.as_bytes()) {
            Some(known) => self.known(known),
            None => self.lines.named(name).next(),
        }
    }

    /// The values of all lines of this name, in order.
    pub(super) fn values<'f>(&self, name: &'f str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'f> {
        let (only, lines) = match Known::named(name.as_bytes()).map(|known| self.only(known)) {
            Some(Ok(only)) => (only, HeaderLines::NONE),
            Some(Err(Repeated)) | None => (None, self.lines),
        };
        only.into_iter().chain(lines.named(name))
    }
}

/// RFC 9110 section 8.6: digits and nothing else; leading zeros have been read as octal elsewhere.
fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 1 && value[0] == b'0' {
        return None;
    }
    value.iter().try_fold(0_u64, |len, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        len.checked_mul(10)?.checked_add(digit)
    })
}
