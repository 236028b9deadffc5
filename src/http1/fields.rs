//! The header lines of one request and what those that frame and route it say, noted in a single pass.
//! Knows names and values; not the request line, and not the body's bytes.

use httparse::Header;

use super::{MAX_HEADERS, Refusal, Version, host};

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

/// The headers whose places are noted, so that looking one of them up costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Known {
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

const KNOWN: usize = Known::SecWebSocketExtensions as usize + 1;

impl Known {
    /// By length first: most names are done after that, and none is compared with more than three.
    #[inline]
    fn named(name: &str) -> Option<Known> {
        let name = name.as_bytes();
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
            24 if folds_to(name, b"sec-websocket-extensions") => Some(Known::SecWebSocketExtensions),
            _ => None,
        }
    }
}

/// Whether a token is this lower-case name of letters and `-`, without regard to case.
///
/// Setting one bit folds all letters and leaves `-` alone, and no other byte of a token becomes either, so all bytes
/// compare at once.
#[inline]
fn folds_to<const LEN: usize>(token: &[u8], known: &[u8; LEN]) -> bool {
    let differs =
        |token: &[u8; LEN]| token.iter().zip(known).fold(0, |bits, (byte, known)| bits | ((byte | 0x20) ^ known));
    token.first_chunk().is_some_and(|token| differs(token) == 0)
}

/// Whether a token is this one, in letters of either case.
#[inline]
fn is<const LEN: usize>(token: &[u8], known: &[u8; LEN]) -> bool {
    token.len() == LEN && folds_to(token, known)
}

/// Stands for "no such line"; beyond every place there can be.
const ABSENT: u8 = 0xFF;
const _: () = assert!(MAX_HEADERS <= ABSENT as usize);

/// The header lines and what was noted of them.
pub(super) struct Fields<'h> {
    lines: &'h [Header<'h>],
    /// The first line of each known name.
    places: [u8; KNOWN],
    /// A bit for each known name that has further lines.
    repeated: u16,
    pub(super) host: Option<&'h str>,
    pub(super) body: BodyLength,
    pub(super) expects_continue: bool,
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) websocket: bool,
    /// `Upgrade` names `websocket`, and `Connection` names `upgrade` (RFC 6455 section 4.2.1).
    pub(super) upgrades_to_websocket: bool,
    pub(super) connection_upgrades: bool,
}

impl<'h> Fields<'h> {
    /// Notes and judges, in one pass over the lines, what frames and routes the request.
    pub(super) fn read(lines: &'h [Header<'h>], version: Version) -> Result<Fields<'h>, Refusal> {
        let mut fields = Fields {
            lines,
            places: [ABSENT; KNOWN],
            repeated: 0,
            host: None,
            body: BodyLength::None,
            expects_continue: false,
            close: false,
            keep_alive: false,
            websocket: false,
            upgrades_to_websocket: false,
            connection_upgrades: false,
        };
        for (place, line) in (0..).zip(lines) {
            if let Some(known) = Known::named(line.name) {
                let again = fields.note(known, place);
                fields.judge(known, line.value, again, version)?;
            }
        }
        fields.conclude(version)
    }

    /// Notes a known line's place; says whether the name was there before.
    fn note(&mut self, known: Known, place: u8) -> bool {
        let first = &mut self.places[known as usize];
        let again = *first != ABSENT;
        if again {
            self.repeated |= 1 << known as u8;
        } else {
            *first = place;
        }
        again
    }

    fn judge(&mut self, known: Known, value: &'h [u8], again: bool, version: Version) -> Result<(), Refusal> {
        match known {
            // RFC 9112 section 3.2: exactly one, and well-formed.
            Known::Host if again => return Err(Refusal::DoubledHost),
            Known::Host if !host::is_authority(value) => return Err(Refusal::MalformedHost),
            Known::Host => self.host = std::str::from_utf8(value).ok(),
            // Section 6.3 lets equal lengths pass for one. Here they do not: a proxy may have taken another.
            Known::ContentLength if again => return Err(Refusal::DoubledContentLength),
            Known::ContentLength => match content_length(value) {
                Some(len) => self.body = BodyLength::Known(len),
                None => return Err(Refusal::MalformedContentLength),
            },
            Known::Connection => self.connection_options(value),
            // RFC 9110 section 10.1.1: nothing else can be expected, and HTTP/1.0 cannot expect at all.
            Known::Expect if version == Version::Http10 => {}
            Known::Expect if again || !value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(Refusal::ExpectationFailed);
            }
            Known::Expect => self.expects_continue = true,
            Known::Upgrade => {
                self.upgrades_to_websocket |= elements(value).any(|protocol| is(protocol, b"websocket"));
                self.websocket |= self.upgrades_to_websocket;
            }
            Known::SecWebSocketKey | Known::SecWebSocketVersion => self.websocket = true,
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
            self.connection_upgrades |= is(option, b"upgrade");
            self.close |= is(option, b"close");
            self.keep_alive |= is(option, b"keep-alive");
        }
    }

    /// What only the whole of the lines can tell.
    fn conclude(mut self, version: Version) -> Result<Fields<'h>, Refusal> {
        if self.has(Known::TransferEncoding) {
            self.body = self.transfer_coding(version)?;
        }
        if self.host.is_none() && version == Version::Http11 {
            return Err(Refusal::MissingHost);
        }
        self.expects_continue &= !matches!(self.body, BodyLength::None | BodyLength::Known(0));
        Ok(self)
    }

    /// RFC 9112 section 6.1: `chunked`, once, is the only coding, and two lengths would be two readings.
    fn transfer_coding(&self, version: Version) -> Result<BodyLength, Refusal> {
        if self.has(Known::ContentLength) {
            return Err(Refusal::LengthAndTransferEncoding);
        }
        if version == Version::Http10 {
            return Err(Refusal::TransferEncodingBeforeHttp11);
        }
        let mut chunked = false;
        for coding in self.values("transfer-encoding").flat_map(elements) {
            match coding {
                _ if !is_token(coding) => return Err(Refusal::MalformedTransferEncoding),
                _ if !coding.eq_ignore_ascii_case(b"chunked") => {
                    return Err(Refusal::UnknownTransferCoding);
                }
                _ if chunked => return Err(Refusal::DoubledChunked),
                _ => chunked = true,
            }
        }
        Ok(BodyLength::Chunked)
    }

    fn has(&self, known: Known) -> bool {
        self.places[known as usize] != ABSENT
    }

    /// All lines in order.
    pub(super) fn lines(&self) -> &'h [Header<'h>] {
        self.lines
    }

    /// The value of the first line of this name.
    pub(super) fn first(&self, name: &str) -> Option<&'h [u8]> {
        self.candidates(name).iter().find(|line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
    }

    /// The values of all lines of this name, in order.
    pub(super) fn values<'f>(&self, name: &'f str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'f> {
        self.candidates(name).iter().filter(|line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
    }

    /// The lines among which all of this name are: for a known one that stands once, just that line.
    fn candidates(&self, name: &str) -> &'h [Header<'h>] {
        let Some(known) = Known::named(name) else {
            return self.lines;
        };
        let first = usize::from(self.places[known as usize]);
        let repeated = self.repeated & (1 << known as u8) != 0;
        let end = if repeated { self.lines.len() } else { first + 1 };
        self.lines.get(first..end).unwrap_or_default()
    }
}

/// The elements of a comma-separated list without the white space around them; empty ones are kept.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte))
}

/// RFC 9110 section 5.6.2: any visible character that is no delimiter.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
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
