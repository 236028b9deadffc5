//! The opening handshake of a server: the check of the request, and the response (RFC 6455 section
//! 4.2). This file knows neither zones nor origins.

use std::collections::HashSet;

use super::extensions_header::extensions;
use super::handshake_key::{AcceptKey, is_key};
use crate::http1::{
    BodyLength, Known, Repeated, Request, RequestError, Version, elements, is_token,
};

/// Checks a request for a WebSocket. The caller also checks the origin, by
/// [`check_origin`](super::check_origin).
///
/// `legacy_versions` accepts versions 7 and 8 too, drafts with the frames of the RFC.
///
/// # Errors
/// The first demand of section 4.2.1 that the request does not meet: 426 for another version of the
/// protocol, else 400.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
/// use switchboard::proto::websocket::check;
///
/// let head = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
///     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// let accept = check(&request, false).unwrap();
/// assert_eq!(accept.as_bytes(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn check(request: &Request<'_>, legacy_versions: bool) -> Result<AcceptKey, RequestError> {
    if *request.method() != http::Method::GET {
        return Err(RequestError::UpgradeMethod); // 4.1: "The method of the request MUST be GET"
    }
    if request.version() != Version::Http11 {
        return Err(RequestError::UpgradeVersion); // 4.1: "at least 1.1"
    }
    if !request.upgrades_to_websocket() {
        return Err(RequestError::MissingUpgrade);
    }
    if !request.connection_upgrades() {
        return Err(RequestError::MissingConnectionUpgrade);
    }
    check_version(request, legacy_versions)?;
    let key = key(request)?;
    check_extensions(request)?;
    match request.body_length() {
        BodyLength::None | BodyLength::Known(0) => Ok(AcceptKey::from_key(key)),
        // The bytes of a body would be read as frames.
        BodyLength::Known(_) | BodyLength::Chunked => Err(RequestError::UpgradeWithBody),
    }
}

fn check_version(request: &Request<'_>, legacy_versions: bool) -> Result<(), RequestError> {
    let Ok(Some(version)) = request.only(Known::SecWebSocketVersion) else {
        return Err(RequestError::MissingWebSocketVersion);
    };
    match version {
        b"13" => Ok(()),
        b"7" | b"8" if legacy_versions => Ok(()),
        _ if version.is_empty() || version.contains(&b',') => {
            Err(RequestError::MissingWebSocketVersion)
        }
        _ => Err(RequestError::UnsupportedWebSocketVersion), // 4.4
    }
}

/// Section 9.1: an offer that does not follow the grammar fails the handshake, whether or not any
/// extension is in use.
fn check_extensions(request: &Request<'_>) -> Result<(), RequestError> {
    match request.only(Known::SecWebSocketExtensions) {
        Ok(None) => Ok(()),
        // Chrome's offer, then Firefox's and Safari's.
        Ok(Some(b"permessage-deflate; client_max_window_bits" | b"permessage-deflate")) => Ok(()),
        _ => judge_extensions(request),
    }
}

#[cold]
fn judge_extensions(request: &Request<'_>) -> Result<(), RequestError> {
    let mut offers = request.header_values("sec-websocket-extensions").flat_map(extensions);
    match offers.all(|offer| offer.well_formed_name().is_some()) {
        true => Ok(()),
        false => Err(RequestError::MalformedExtensions),
    }
}

/// The one key of the request: 24 characters, the base64 of 16 bytes.
fn key<'h>(request: &Request<'h>) -> Result<&'h [u8], RequestError> {
    match request.only(Known::SecWebSocketKey) {
        Ok(Some(key)) if is_key(key) => Ok(key),
        Ok(Some(_)) => Err(RequestError::MalformedKey),
        Ok(None) => Err(RequestError::MissingKey),
        Err(Repeated) => Err(RequestError::DoubledKey), // 11.3.1
    }
}

/// The subprotocols that the client offers, best first (section 4.1, item 10). Empty list elements
/// count for nothing (RFC 9110 section 5.6.1.2), so an empty value offers none.
///
/// # Errors
/// [`RequestError::MalformedSubprotocol`] for an offer that is not a token, or that is there twice.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
/// use switchboard::proto::websocket::subprotocols;
///
/// let head = b"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// assert!(subprotocols(&request).unwrap().eq(["chat", "superchat"]));
/// ```
pub fn subprotocols<'r, 'h>(
    request: &'r Request<'h>,
) -> Result<impl Iterator<Item = &'h str> + 'r, RequestError> {
    let mut offers = 0_usize;
    for offer in offers_of(request) {
        if !is_token(offer) {
            return Err(RequestError::MalformedSubprotocol);
        }
        offers += 1;
    }
    // Most requests offer none or one. A set keeps the work for more linear.
    if offers > 1 {
        let mut seen = HashSet::with_capacity(offers);
        if !offers_of(request).all(|offer| seen.insert(offer)) {
            return Err(RequestError::MalformedSubprotocol); // 4.1: "MUST all be unique strings"
        }
    }
    Ok(offers_of(request).filter_map(|offer| std::str::from_utf8(offer).ok()))
}

fn offers_of<'r, 'h>(request: &'r Request<'h>) -> impl Iterator<Item = &'h [u8]> + 'r {
    request.header_values("sec-websocket-protocol").flat_map(elements)
}

/// Appends the response that makes the connection a WebSocket (section 4.2.2).
///
/// `subprotocol` is one of the offers; a name that is not a token is left out. `extra_header_lines`
/// are appended unchanged, each with its CR LF.
///
/// ```
/// use switchboard::proto::websocket::{AcceptKey, encode_response};
///
/// let mut out = Vec::new();
/// encode_response(&mut out, &AcceptKey::from_key(b"dGhlIHNhbXBsZSBub25jZQ=="), Some("chat"), b"");
/// assert!(out.starts_with(b"HTTP/1.1 101 "));
/// assert!(out.ends_with(b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"));
/// ```
pub fn encode_response(
    out: &mut Vec<u8>,
    accept: &AcceptKey,
    subprotocol: Option<&str>,
    extra_header_lines: &[u8],
) {
    debug_assert!(extra_header_lines.is_empty() || extra_header_lines.ends_with(b"\r\n"));
    let mut response = *RESPONSE;
    response[ACCEPT_AT..ACCEPT_AT + 28].copy_from_slice(accept.as_bytes());
    if subprotocol.is_none() && extra_header_lines.is_empty() {
        return out.extend_from_slice(&response);
    }
    let (lines, end) = response.split_at(response.len() - 2);
    out.extend_from_slice(lines);
    if let Some(subprotocol) = subprotocol.filter(|name| is_token(name.as_bytes())) {
        out.extend_from_slice(b"Sec-WebSocket-Protocol: ");
        out.extend_from_slice(subprotocol.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(extra_header_lines);
    out.extend_from_slice(end);
}

/// The whole response to most handshakes, with room for the accept key.
const RESPONSE: &[u8; 129] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: ............................\r\n\
    \r\n";
const ACCEPT_AT: usize = RESPONSE.len() - 4 - 28;
