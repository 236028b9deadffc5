//! The header lines of one request, and what the known ones say, noted in one pass.
//! This file knows names and values. It knows neither the request line nor the bytes of the body.

use super::characters::{elements, is_token};
use super::first_line::Version;
use super::header_lines::HeaderLines;
use super::header_lines::{KNOWN, Known, is};
use super::host::is_authority;
use super::request_error::RequestError;

/// How the end of a request's body is found (RFC 9112 section 6.3).
///
/// ```
/// use switchboard::proto::http1::{BodyLength, HeadLimits, HeaderSlots, Request};
///
/// let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// assert_eq!(request.body_length(), BodyLength::Known(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    None,
    /// `Content-Length`, in bytes. `Known(0)` means that the header is there.
    Known(u64),
    /// `Transfer-Encoding: chunked`, which [`Chunked`](super::Chunked) decodes.
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
/// A header of a WebSocket handshake is there.
pub(super) const WEBSOCKET: u8 = 1 << 5;

/// A header that may stand once stands on two lines or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeated;

/// The header lines, and what was noted of them.
pub(super) struct RequestHeaders<'h> {
    lines: HeaderLines<'h>,
    version: Version,
    /// The value of the first line of each known name.
    values: &'h mut [Option<&'h [u8]>; KNOWN],
    /// A bit for each known name with two lines or more.
    repeated: u16,
    /// The first fault of a value.
    fault: Option<RequestError>,
    pub(super) body: BodyLength,
    /// One bit for each constant above.
    facts: u8,
}

impl<'h> RequestHeaders<'h> {
    /// Notes and judges all lines. `values` must be empty.
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
            facts: 0,
        };
        for (name, value) in lines.iter() {
            headers.note(name.as_bytes(), value);
        }
        headers
    }

    /// Notes and judges a line if its name is known.
    #[inline]
    fn note(&mut self, name: &[u8], value: &'h [u8]) {
        let Some(known) = Known::named(name) else { return };
        let first = &mut self.values[known as usize];
        let again = first.is_some();
        match again {
            true => self.repeated |= 1 << known as u8,
            false => *first = Some(value),
        }
        if let Err(fault) = self.judge(known, value, again) {
            self.fault.get_or_insert(fault);
        }
    }

    /// Judges the value of a line of a known name, of which `again` says that it is not the first.
    fn judge(&mut self, known: Known, value: &'h [u8], again: bool) -> Result<(), RequestError> {
        match known {
            // RFC 9112 section 3.2: exactly one line, and well-formed.
            Known::Host if again => return Err(RequestError::DoubledHost),
            Known::Host if !is_authority(value) => return Err(RequestError::MalformedHost),
            Known::Host => {}
            // RFC 9112 section 6.3 lets equal lengths pass for one. A proxy may have read another.
            Known::ContentLength if again => return Err(RequestError::DoubledContentLength),
            Known::ContentLength => match content_length(value) {
                Some(len) => self.body = BodyLength::Known(len),
                None => return Err(RequestError::MalformedContentLength),
            },
            // Most handshakes name nothing else here and in Upgrade.
            Known::Connection if is(value, b"upgrade") => self.facts |= CONNECTION_UPGRADES,
            Known::Connection => self.connection_options(value),
            // RFC 9110 section 10.1.1: there is no other expectation, and none in HTTP/1.0.
            Known::Expect if self.version == Version::Http10 => {}
            Known::Expect => return self.expectations(value),
            Known::Upgrade
                if is(value, b"websocket")
                    || elements(value).any(|protocol| is(protocol, b"websocket")) =>
            {
                self.facts |= UPGRADES_TO_WEBSOCKET | WEBSOCKET;
            }
            Known::Upgrade => {}
            Known::SecWebSocketKey | Known::SecWebSocketVersion => self.facts |= WEBSOCKET,
            // `conclude` judges it, when Content-Length is known, too.
            Known::TransferEncoding => {}
            Known::Cookie
            | Known::Origin
            | Known::SecWebSocketOrigin
            | Known::SecWebSocketProtocol
            | Known::SecWebSocketExtensions => {}
        }
        Ok(())
    }

    /// RFC 9110 section 10.1.1.
    #[cold]
    fn expectations(&mut self, value: &[u8]) -> Result<(), RequestError> {
        for expectation in elements(value) {
            if self.says(EXPECTS_CONTINUE) || !expectation.eq_ignore_ascii_case(b"100-continue") {
                return Err(RequestError::ExpectationFailed);
            }
            self.facts |= EXPECTS_CONTINUE;
        }
        Ok(())
    }

    /// RFC 9110 section 7.6.1.
    fn connection_options(&mut self, value: &[u8]) {
        for option in elements(value) {
            self.facts |= match option {
                _ if is(option, b"upgrade") => CONNECTION_UPGRADES,
                _ if is(option, b"close") => CLOSE,
                _ if is(option, b"keep-alive") => KEEP_ALIVE,
                _ => 0,
            };
        }
    }

    /// Returns the first fault of a line, then judges what depends on several lines.
    pub(super) fn conclude(&mut self) -> Result<(), RequestError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.has(Known::TransferEncoding) {
            self.body = self.transfer_coding()?;
        }
        if self.version == Version::Http11 && !self.has(Known::Host) {
            return Err(RequestError::MissingHost);
        }
        if matches!(self.body, BodyLength::None | BodyLength::Known(0)) {
            self.facts &= !EXPECTS_CONTINUE;
        }
        Ok(())
    }

    /// RFC 9112 sections 6.1 and 6.3: `chunked` is the last coding, stands once, and no other is
    /// known. Content-Length beside it would be a second reading.
    #[cold]
    fn transfer_coding(&self) -> Result<BodyLength, RequestError> {
        if self.has(Known::ContentLength) {
            return Err(RequestError::LengthAndTransferEncoding);
        }
        if self.version == Version::Http10 {
            return Err(RequestError::TransferEncodingBeforeHttp11);
        }
        let (mut chunked, mut others, mut is_last) = (0, 0, false);
        for coding in self.values("transfer-encoding").flat_map(elements) {
            if !is_token(coding) {
                return Err(RequestError::MalformedTransferEncoding);
            }
            is_last = coding.eq_ignore_ascii_case(b"chunked");
            *(if is_last { &mut chunked } else { &mut others }) += 1;
        }
        match (is_last, chunked, others) {
            // Section 6.3: the end of the body is not certain, whether the coding is known or not.
            (false, ..) => Err(RequestError::ChunkedNotLast),
            (true, 1, 0) => Ok(BodyLength::Chunked),
            (true, 1, _) => Err(RequestError::UnknownTransferCoding),
            (true, ..) => Err(RequestError::DoubledChunked),
        }
    }

    fn has(&self, known: Known) -> bool {
        self.values[known as usize].is_some()
    }

    pub(super) fn lines(&self) -> HeaderLines<'h> {
        self.lines
    }

    /// Whether a fact was noted.
    pub(super) fn says(&self, fact: u8) -> bool {
        self.facts & fact != 0
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// The value of the first line of a known name.
    pub(super) fn known(&self, known: Known) -> Option<&'h [u8]> {
        self.values[known as usize]
    }

    /// The value of a known name that stands on one line; `None` if there is no line.
    pub(super) fn only(&self, known: Known) -> Result<Option<&'h [u8]>, Repeated> {
        match self.repeated & (1 << known as u8) {
            0 => Ok(self.values[known as usize]),
            _ => Err(Repeated),
        }
    }

    /// The value of the first line of a name.
    pub(super) fn first(&self, name: &str) -> Option<&'h [u8]> {
        match Known::named(name.as_bytes()) {
            Some(known) => self.known(known),
            None => self.lines.named(name).next(),
        }
    }

    /// The values of all lines of a name, in order.
    pub(super) fn values<'f>(&self, name: &'f str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'f> {
        let (only, lines) = match Known::named(name.as_bytes()).map(|known| self.only(known)) {
            Some(Ok(only)) => (only, HeaderLines::NONE),
            Some(Err(Repeated)) | None => (None, self.lines),
        };
        only.into_iter().chain(lines.named(name))
    }
}

/// RFC 9110 section 8.6: digits alone, without leading zeros, which other programs read as octal.
fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 1 && value[0] == b'0' {
        return None;
    }
    value.iter().try_fold(0_u64, |len, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        len.checked_mul(10)?.checked_add(digit)
    })
}
