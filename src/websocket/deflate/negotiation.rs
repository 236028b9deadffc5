//! How two peers come to agree on permessage-deflate (RFC 7692 section 7.1): offers, answers and their judgement, in both
//! roles. Knows the four parameters; neither the rest of the handshake nor a bit of compressed data.

use super::config::{Agreed, DeflateConfig, DeflateMode, MAX_BITS, MIN_BITS};
use super::header::{Extension, Param, Value, extensions};
use crate::http1::Request;

const NAME: &[u8] = b"permessage-deflate";

/// An offer that the server accepted, as it has to be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Negotiated {
    agreed: Agreed,
    server_bits: Option<u8>,
    client_bits: Option<u8>,
}

impl Negotiated {
    /// What holds for the connection from now on.
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

/// The server's choice: the first offer that it can keep to; `None` if there is none, or nothing is wanted.
///
/// An offer with a parameter that is unknown, malformed or said twice is declined, and the next one looked at (RFC 7692
/// section 7.1), as is one with `server_max_window_bits=8`.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
/// use switchboard::proto::websocket::{DeflateConfig, negotiate};
///
/// let head = b"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: \
///     permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// let accepted = negotiate(&request, &DeflateConfig::dedicated().client_bits(12)).unwrap();
/// let mut value = Vec::new();
/// accepted.encode(&mut value);
/// assert_eq!(value, b"permessage-deflate; client_max_window_bits=12");
/// assert!(accepted.agreed().our_takeover());
/// ```
pub fn negotiate(request: &Request<'_>, config: &DeflateConfig) -> Option<Negotiated> {
    if config.mode == DeflateMode::Off {
        return None;
    }
    request
        .header_values("sec-websocket-extensions")
        .flat_map(extensions)
        .filter(|offer| offer.name == NAME)
        .find_map(|offer| accept(&Params::read(&offer, Said::InOffer).ok()?, config))
}

/// The answer to one well-formed offer.
fn accept(offer: &Params, config: &DeflateConfig) -> Option<Negotiated> {
    let window = offer.server_max_window_bits.unwrap_or(MAX_BITS).min(config.server_bits);
    if window < MIN_BITS {
        return None; // we would have to compress with a window that the compressor has not
    }
    let our_takeover = config.is_dedicated() && !offer.server_no_context_takeover;
    let peer_takeover = config.is_dedicated() && !offer.client_no_context_takeover;
    Some(Negotiated {
        agreed: Agreed::new(window, our_takeover, peer_takeover),
        // 7.1.2.1: to be said where it was asked for; otherwise it spares the client memory.
        server_bits: (offer.server_max_window_bits.is_some() || window < MAX_BITS)
            .then_some(window),
        // 7.1.2.2: only a client that offers it can be asked, and for nothing more than it offers.
        client_bits: offer
            .client_max_window_bits
            .filter(|&bits| config.client_bits < bits)
            .and(Some(config.client_bits)),
    })
}

/// Appends the client's one offer, the value of the request's `Sec-WebSocket-Extensions`: nothing where none is wanted.
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

/// Why the server's answer to our offer fails the handshake (RFC 6455 section 4.1, RFC 7692 section 7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Disagreement {
    /// An extension that was not offered.
    NotOffered,
    /// The extension is accepted twice.
    Repeated,
    /// A parameter that is malformed or unknown.
    MalformedParameter,
    /// A parameter said twice.
    RepeatedParameter,
    /// A window that is not 8 to 15, missing, or above what was offered; a value where none belongs.
    InvalidValue,
    /// A limit of our offer that the answer does not keep to.
    OfferNotMet,
}

impl Disagreement {
    /// What was wrong: short ASCII.
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

/// The client's judgement of the answer to what [`encode_offer`] made of the same `config`. `values` are those of all
/// `Sec-WebSocket-Extensions` lines of the response. `None`: the server declined, messages go as they are.
///
/// # Errors
/// A [`Disagreement`], with which the handshake fails.
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
        agreed = Some(conclude(&Params::read(&answer, Said::InAnswer)?, config)?);
    }
    Ok(agreed)
}

/// What a well-formed answer means, if it keeps to the offer.
fn conclude(answer: &Params, config: &DeflateConfig) -> Result<Agreed, Disagreement> {
    if !config.is_dedicated() && !answer.server_no_context_takeover {
        return Err(Disagreement::OfferNotMet); // 7.1.1.1
    }
    // 7.1.2.1: accepted "by including" it "with the same or smaller value".
    match answer.server_max_window_bits {
        Some(bits) if bits > config.server_bits => return Err(Disagreement::InvalidValue),
        None if config.server_bits < MAX_BITS => return Err(Disagreement::OfferNotMet),
        _ => {}
    }
    let window = match answer.client_max_window_bits {
        Some(bits) if bits > config.client_bits => return Err(Disagreement::InvalidValue), // 7.1.2.2
        Some(bits) => bits,
        None => config.client_bits,
    };
    let our_takeover = config.is_dedicated() && !answer.client_no_context_takeover;
    let peer_takeover = config.is_dedicated() && !answer.server_no_context_takeover;
    Ok(Agreed::new(window, our_takeover, peer_takeover))
}

/// Where a parameter stands: only in an offer `client_max_window_bits` goes without a value (section 7.1.2.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    InOffer,
    InAnswer,
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
    fn read(extension: &Extension<'_>, said: Said) -> Result<Params, Disagreement> {
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
                (b"client_max_window_bits", None) if said == Said::InOffer => {
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

/// 7.1.1: neither of the two has a value.
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

/// 7.1.2: "a decimal integer value without leading zeroes between 8 to 15 inclusive".
fn window_bits(value: Option<Value<'_>>) -> Option<u8> {
    let mut digits = value?.chars();
    match (digits.next()?, digits.next(), digits.next()) {
        (units @ b'8'..=b'9', None, None) => Some(units - b'0'),
        (b'1', Some(units @ b'0'..=b'5'), None) => Some(10 + units - b'0'),
        _ => None,
    }
}

/// `bits` has two digits at most, being 15 at most.
fn encode_bits(out: &mut Vec<u8>, name: &[u8], bits: u8) {
    out.extend_from_slice(name);
    out.push(b'=');
    if bits >= 10 {
        out.push(b'0' + bits / 10);
    }
    out.push(b'0' + bits % 10);
}
