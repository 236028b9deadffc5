//! From whose pages a WebSocket may be opened (RFC 6455 sections 4.2.2 and 10.2, RFC 6454).
//! Browsers do not ask before they open one, so this is the only guard against pages of strangers. Knows nothing of
//! the rest of the handshake, and does not know who is behind a client that is no browser.

use crate::http1::{Known, Request, RequestError, parse_port, split_port};

/// Which pages may open a WebSocket. A client that names no origin is no browser and is always accepted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Origins {
    /// Those from the host and port that the request is sent to. The scheme is not compared: TLS may end before us.
    #[default]
    SameHost,
    /// All pages, those of opaque origin (`null`) too.
    Any,
    /// Those of these origins alone, each a scheme, a host and perhaps a port: `https://example.com`. Nothing follows
    /// that, not even a slash.
    List(Vec<String>),
}

/// Judges the origin of a handshake; `Sec-WebSocket-Origin` of the last drafts counts like `Origin`.
///
/// # Errors
/// 403 for an origin that is not among `origins`, for `null`, for a malformed one and for more than one.
pub fn check_origin(request: &Request<'_>, origins: &Origins) -> Result<(), RequestError> {
    let accepted = match (request.only(Known::Origin), request.only(Known::SecWebSocketOrigin)) {
        (Ok(None), Ok(None)) => true,
        (Ok(Some(origin)), Ok(None)) | (Ok(None), Ok(Some(origin))) => match origins {
            Origins::Any => true,
            Origins::SameHost => is_at(origin, request.host_bytes()),
            Origins::List(list) => is_listed(origin, list),
        },
        _ => *origins == Origins::Any, // which one would the page be from?
    };
    if accepted { Ok(()) } else { Err(RequestError::OriginRefused) }
}

/// What browsers send is recognised by its bytes; only what they do not show is taken apart.
fn is_at(origin: &[u8], host: &[u8]) -> bool {
    let authority =
        origin.strip_prefix(b"http").map(|rest| rest.strip_prefix(b"s").unwrap_or(rest));
    match authority.and_then(|rest| rest.strip_prefix(b"://")) {
        Some(authority) if authority == host && !matches!(host, [] | [.., b':']) => true,
        _ => Origin::parse(origin).is_some_and(|origin| origin.is_at(host)),
    }
}

fn is_listed(origin: &[u8], list: &[String]) -> bool {
    let Some(origin) = Origin::parse(origin) else { return false };
    list.iter()
        .filter_map(|listed| Origin::parse(listed.as_bytes()))
        .any(|listed| listed.is(&origin))
}

/// A serialised origin (RFC 6454 section 6.2).
struct Origin<'a> {
    scheme: &'a [u8],
    host: &'a [u8],
    /// The port, or that of the scheme; `None` for a scheme that has none.
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    /// `None` for what is malformed; `null` is, too. The host's own form does not matter, as it is only ever compared
    /// with one that is well-formed.
    fn parse(origin: &'a [u8]) -> Option<Origin<'a>> {
        let (scheme, rest) = origin.split_at(origin.iter().position(|&byte| byte == b':')?);
        let (host, port) = split_port(rest.strip_prefix(b"://")?);
        if !is_scheme(scheme) || host.is_empty() {
            return None;
        }
        let port = match port {
            Some(digits) => Some(parse_port(digits)?),
            None => default_port(scheme),
        };
        Some(Origin { scheme, host, port })
    }

    /// Whether this is the host and port of a `Host`. One without a port is taken to mean the port that the scheme of
    /// the origin has by default, so that an origin whose scheme has none is at no such host.
    fn is_at(&self, host: &[u8]) -> bool {
        let (name, port) = split_port(host);
        let port = match port {
            None | Some(b"") => default_port(self.scheme), // RFC 3986 3.2.3: an empty port is no port
            Some(digits) => parse_port(digits),
        };
        self.host.eq_ignore_ascii_case(name) && port.is_some() && self.port == port
    }

    fn is(&self, other: &Origin<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }
}

/// RFC 3986 section 3.1.
fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

fn default_port(scheme: &[u8]) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case(b"https") || scheme.eq_ignore_ascii_case(b"wss") => {
            Some(443)
        }
        _ if scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"ws") => Some(80),
        _ => None,
    }
}
