//! From whose pages a WebSocket may be opened (RFC 6455 sections 4.2.2 and 10.2, RFC 6454).
//! Browsers do not ask before they open one, so this is the only guard against pages of strangers. Knows nothing of
//! the rest of the handshake, and does not know who is behind a client that is no browser.

use crate::http1::{Refusal, Request};

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
pub fn check_origin(request: &Request<'_>, origins: &Origins) -> Result<(), Refusal> {
    let mut sent = request.header_values("origin").chain(request.header_values("sec-websocket-origin"));
    let origin = match (sent.next(), sent.next(), origins) {
        (None, ..) | (_, _, Origins::Any) => return Ok(()),
        (Some(_), Some(_), _) => return Err(Refusal::OriginRefused), // which one would the page be from?
        (Some(origin), None, _) => std::str::from_utf8(origin).ok().and_then(Origin::parse),
    };
    let accepted = origin.is_some_and(|origin| match origins {
        Origins::Any => true,
        Origins::SameHost => origin.is_at(request.host()),
        Origins::List(list) => list.iter().filter_map(|listed| Origin::parse(listed)).any(|listed| listed.is(&origin)),
    });
    if accepted { Ok(()) } else { Err(Refusal::OriginRefused) }
}

/// A serialised origin (RFC 6454 section 6.2).
struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    /// The port, or that of the scheme; `None` for a scheme that has none.
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    /// `None` for what is malformed; `null` is, too. The host's own form does not matter, as it is only ever compared
    /// with one that is well-formed.
    fn parse(origin: &'a str) -> Option<Origin<'a>> {
        let (scheme, authority) = origin.split_once("://")?;
        let (host, port) = split_port(authority);
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
    fn is_at(&self, host: &str) -> bool {
        let (name, port) = split_port(host);
        let port = match port {
            None | Some("") => default_port(self.scheme), // RFC 3986 3.2.3: an empty port is no port
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
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The host and the port of an authority; the colons of an IPv6 literal separate nothing.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Digits alone: `u16::from_str` would take a sign.
fn parse_port(digits: &str) -> Option<u16> {
    match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse().ok(),
        false => None,
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss") => Some(443),
        _ if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("ws") => Some(80),
        _ => None,
    }
}
