//! The negotiation of permessage-deflate in both roles: offers, answers and their checks (RFC 7692
//! section 7.1). This file knows the four parameters. It knows neither the rest of the handshake
//! nor compressed data.

use super::config::{Agreed, DeflateConfig, DeflateMode, MAX_BITS, MIN_BITS};
use crate::http1::Request;
use crate::websocket::extensions_header::{Extension, Param, Value, extensions};

const NAME: &[u8] = b"permessage-deflate";

/// An accepted offer with the server's answer.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
/// use switchboard::proto::websocket::{DeflateConfig, negotiate};
///
/// let head = b"GET / HTTP/1.1\r\nHost: a\r\n\
///     Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// let accepted = negotiate(&request, &DeflateConfig::dedicated()).unwrap();
/// assert_eq!(accepted.agreed().window_bits(), Some(15));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Negotiated {
    agreed: Agreed,
    server_bits: Option<u8>,
    client_bits: Option<u8>,
}

impl Negotiated {
    /// The parameters of the connection.
    #[must_use]
    pub const fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// Appends the value of the response's `Sec-WebSocket-Extensions`, without a line end.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(NAME);
        if !self.agreed.our_takeover() {
            out.extend_from_slice(b"; server_no_context_takeover");
        }
        if !self.agreed.peer_takeover() {
            out.extend_from_slice(b"; client_no_context_takeover");
        }
        if let Some(bits) = self.server_bits {
            encode_bits(out, b"; server_max_window_bits", bits);
        }
        if let Some(bits) = self.client_bits {
            encode_bits(out, b"; client_max_window_bits", bits);
        }
    }
}

/// Accepts the client's first offer that the server can meet; `None` without such an offer, or if
/// compression is off.
///
/// An offer with an unknown, malformed or repeated parameter is declined, and the next one
/// considered (RFC 7692 section 7.1). The same holds for `server_max_window_bits=8`.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
/// use switchboard::proto::websocket::{DeflateConfig, negotiate};
///
/// let head = b"GET / HTTP/1.1\r\nHost: a\r\n\
///     Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8\r\n\
///     Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// let accepted = negotiate(&request, &DeflateConfig::dedicated().client_bits(12)).unwrap();
/// let mut value = Vec::new();
/// accepted.encode(&mut value);
/// assert_eq!(value, b"permessage-deflate; client_max_window_bits=12");
/// assert!(accepted.agreed().our_takeover());
/// ```
#[must_use]
pub fn negotiate(request: &Request<'_>, config: &DeflateConfig) -> Option<Negotiated> {
    if config.mode == DeflateMode::Off {
        return None;
    }
    request
        .header_values("sec-websocket-extensions")
        .flat_map(extensions)
        .filter(|offer| offer.name == NAME)
        .find_map(|offer| accept(&Params::read(&offer, Source::Offer).ok()?, config))
}

/// Answers one well-formed offer; `None` declines.
fn accept(offer: &Params, config: &DeflateConfig) -> Option<Negotiated> {
    let window = offer.server_max_window_bits.unwrap_or(MAX_BITS).min(config.server_bits);
    if window < MIN_BITS {
        return None; // our compressor has no such window
    }
    let our_takeover = config.is_dedicated() && !offer.server_no_context_takeover;
    let peer_takeover = config.is_dedicated() && !offer.client_no_context_takeover;
    Some(Negotiated {
        agreed: Agreed::new(window, our_takeover, peer_takeover),
        // 7.1.2.1: required if the client asked; otherwise a smaller window saves the client
        // memory.
        server_bits: (offer.server_max_window_bits.is_some() || window < MAX_BITS)
            .then_some(window),
        // 7.1.2.2: the server may ask only a client that offers, and for no larger window.
        client_bits: offer
            .client_max_window_bits
            .filter(|&bits| config.client_bits < bits)
            .and(Some(config.client_bits)),
    })
}

/// Appends the client's one offer, as the value of the request's `Sec-WebSocket-Extensions`;
/// nothing if compression is off.
///
/// ```
/// use switchboard::proto::websocket::{DeflateConfig, encode_offer};
///
/// let mut value = Vec::new();
/// encode_offer(&mut value, &DeflateConfig::dedicated());
/// assert_eq!(value, b"permessage-deflate; client_max_window_bits");
/// ```
pub fn encode_offer(out: &mut Vec<u8>, config: &DeflateConfig) {
    match config.mode {
        DeflateMode::Off => return,
        DeflateMode::Dedicated => out.extend_from_slice(NAME),
        DeflateMode::Shared => {
            out.extend_from_slice(NAME);
            out.extend_from_slice(b"; server_no_context_takeover; client_no_context_takeover");
        }
    }
    if config.server_bits < MAX_BITS {
        encode_bits(out, b"; server_max_window_bits", config.server_bits);
    }
    match config.client_bits {
        MAX_BITS => out.extend_from_slice(b"; client_max_window_bits"),
        bits => encode_bits(out, b"; client_max_window_bits", bits),
    }
}

/// The error of a server's answer that fails the handshake (RFC 6455 section 4.1, RFC 7692 section
/// 7.1).
///
/// ```
/// use switchboard::proto::websocket::{DeflateConfig, Disagreement, check_answer};
///
/// let error = check_answer([&b"x-other"[..]], &DeflateConfig::shared()).unwrap_err();
/// assert_eq!(error, Disagreement::NotOffered);
/// assert_eq!(error.to_string(), "extension was not offered");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Disagreement {
    /// An extension that was not offered.
    NotOffered,
    /// The extension is accepted twice.
    Repeated,
    /// A parameter that is malformed or unknown.
    MalformedParameter,
    /// A parameter that is there twice.
    RepeatedParameter,
    /// A window that is missing, outside 8 to 15 or above the offered one, or a value where none
    /// belongs.
    InvalidValue,
    /// An answer that does not meet a limit of our offer.
    OfferNotMet,
}

impl Disagreement {
    /// Describes the fault in short ASCII.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Disagreement::NotOffered => "extension was not offered",
            Disagreement::Repeated => "extension accepted twice",
            Disagreement::MalformedParameter => "malformed extension parameter",
            Disagreement::RepeatedParameter => "repeated extension parameter",
            Disagreement::InvalidValue => "invalid value of an extension parameter",
            Disagreement::OfferNotMet => "extension accepted beyond the offer",
        }
    }
}

impl std::fmt::Display for Disagreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Disagreement {}

/// Checks the server's answer to the offer that [`encode_offer`] made of the same `config`.
/// `values` are the values of all `Sec-WebSocket-Extensions` lines of the response. `None` means
/// that the server declined.
///
/// # Errors
/// The first fault of the answer. The client then fails the handshake.
///
/// ```
/// use switchboard::proto::websocket::{DeflateConfig, check_answer};
///
/// let config = DeflateConfig::dedicated();
/// assert!(check_answer([&b"permessage-deflate"[..]], &config).unwrap().is_some());
/// assert_eq!(check_answer([], &config), Ok(None));
/// ```
pub fn check_answer<'v>(
    values: impl IntoIterator<Item = &'v [u8]>,
    config: &DeflateConfig,
) -> Result<Option<Agreed>, Disagreement> {
    let mut agreed = None;
    for answer in values.into_iter().flat_map(extensions) {
        if answer.name != NAME || config.mode == DeflateMode::Off {
            return Err(Disagreement::NotOffered); // RFC 6455 4.1
        }
        if agreed.is_some() {
            return Err(Disagreement::Repeated);
        }
        agreed = Some(conclude(&Params::read(&answer, Source::Answer)?, config)?);
    }
    Ok(agreed)
}

/// Concludes the parameters from a well-formed answer that meets the offer.
fn conclude(answer: &Params, config: &DeflateConfig) -> Result<Agreed, Disagreement> {
    if !config.is_dedicated() && !answer.server_no_context_takeover {
        return Err(Disagreement::OfferNotMet); // 7.1.1.1
    }
    // 7.1.2.1: a server accepts "by including" the parameter "with the same or smaller value".
    match answer.server_max_window_bits {
        Some(bits) if bits > config.server_bits => return Err(Disagreement::InvalidValue),
        None if config.server_bits < MAX_BITS => return Err(Disagreement::OfferNotMet),
        _ => {}
    }
    let window = match answer.client_max_window_bits {
        // 7.1.2.2
        Some(bits) if bits > config.client_bits => return Err(Disagreement::InvalidValue),
        Some(bits) => bits,
        None => config.client_bits,
    };
    let our_takeover = config.is_dedicated() && !answer.client_no_context_takeover;
    let peer_takeover = config.is_dedicated() && !answer.server_no_context_takeover;
    Ok(Agreed::new(window, our_takeover, peer_takeover))
}

/// The header in which a parameter stands. Only an offer has `client_max_window_bits` without a
/// value (section 7.1.2.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Offer,
    Answer,
}

/// The parameters of one extension, each at most once and within its range.
#[derive(Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<u8>,
}

impl Params {
    fn read(extension: &Extension<'_>, source: Source) -> Result<Params, Disagreement> {
        let mut params = Params::default();
        for param in extension.params() {
            let Some(Param { name, value }) = param else {
                return Err(Disagreement::MalformedParameter);
            };
            match (name, value) {
                (b"server_no_context_takeover", value) => {
                    flag(&mut params.server_no_context_takeover, value)?
                }
                (b"client_no_context_takeover", value) => {
                    flag(&mut params.client_no_context_takeover, value)?
                }
                (b"server_max_window_bits", value) => {
                    once(&mut params.server_max_window_bits, window_bits(value))?
                }
                (b"client_max_window_bits", None) if source == Source::Offer => {
                    once(&mut params.client_max_window_bits, Some(MAX_BITS))?;
                }
                (b"client_max_window_bits", value) => {
                    once(&mut params.client_max_window_bits, window_bits(value))?
                }
                _ => return Err(Disagreement::MalformedParameter),
            }
        }
        Ok(params)
    }
}

/// Reads a parameter that has no value and comes once (section 7.1.1).
fn flag(seen: &mut bool, value: Option<Value<'_>>) -> Result<(), Disagreement> {
    match value {
        Some(_) => Err(Disagreement::InvalidValue),
        None if *seen => Err(Disagreement::RepeatedParameter),
        None => {
            *seen = true;
            Ok(())
        }
    }
}

/// Reads a window that comes once.
fn once(seen: &mut Option<u8>, bits: Option<u8>) -> Result<(), Disagreement> {
    match bits {
        None => Err(Disagreement::InvalidValue),
        Some(_) if seen.is_some() => Err(Disagreement::RepeatedParameter),
        Some(bits) => {
            *seen = Some(bits);
            Ok(())
        }
    }
}

/// Parses "a decimal integer value without leading zeroes between 8 to 15 inclusive" (section
/// 7.1.2).
fn window_bits(value: Option<Value<'_>>) -> Option<u8> {
    let mut digits = value?.chars();
    match (digits.next()?, digits.next(), digits.next()) {
        (units @ b'8'..=b'9', None, None) => Some(units - b'0'),
        (b'1', Some(units @ b'0'..=b'5'), None) => Some(10 + units - b'0'),
        _ => None,
    }
}

/// Appends a parameter with a window of at most 15 bits, which has one or two digits.
fn encode_bits(out: &mut Vec<u8>, name: &[u8], bits: u8) {
    out.extend_from_slice(name);
    out.push(b'=');
    if bits >= 10 {
        out.push(b'0' + bits / 10);
    }
    out.push(b'0' + bits % 10);
}
