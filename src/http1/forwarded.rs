//! The client of a request that came through proxies, by `X-Forwarded-For` or `Forwarded` (RFC
//! 7239). This file knows the grammar and the walk over the hops. It does not know which hops are
//! trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::characters::is_token;
use super::host::parse_port;
use super::request::Request;

/// The header that trusted proxies name their client in; see
/// [`Server::trusted_proxies`](crate::Server::trusted_proxies).
///
/// Choose the header that *every* trusted proxy sets or appends to. A proxy passes the other one
/// on as the client sent it.
///
/// ```
/// use switchboard::TrustedHeader;
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.server.trusted_proxies(["10.0.0.0/8"], TrustedHeader::Forwarded)?;
/// world.server.http("/", |_, request| format!("{:?}", request.client_addr()));
/// let proxy = world.connect_from("10.0.0.1:4711");
/// let request = switchboard::http::Request::get("/")
///     .header("X-Forwarded-For", "198.51.100.66") // forged by the client
///     .header("Forwarded", "for=192.0.2.1;proto=https");
/// world.request(proxy, request);
/// assert_eq!(world.answer(proxy).text(), "Some(192.0.2.1)");
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrustedHeader {
    /// `X-Forwarded-For` for addresses, and `X-Forwarded-Proto` for the scheme: nginx, HAProxy,
    /// Caddy, Apache, most load balancers.
    XForwardedFor,
    /// `Forwarded` for both (RFC 7239).
    Forwarded,
}

/// What the hops of a request say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hops {
    /// The first hop that is not trusted, or else the last one that has an address.
    pub(crate) client: Option<IpAddr>,
    /// Whether the client spoke https; `None` if no trusted proxy says so.
    pub(crate) is_secure: Option<bool>,
}

impl Request<'_> {
    /// Walks over the hops, from a trusted first one away from the server.
    ///
    /// The walk ends at a hop that is not trusted, and at an element without an address. It reads
    /// each byte of the header a fixed number of times.
    pub(crate) fn hops(
        &self,
        header: TrustedHeader,
        first: Option<IpAddr>,
        is_trusted: impl Fn(IpAddr) -> bool,
    ) -> Hops {
        let mut hops = Hops { client: first, is_secure: None };
        match header {
            TrustedHeader::XForwardedFor => {
                self.walk_addresses(&mut hops, is_trusted);
                let mut schemes = self.headers.lines().named("x-forwarded-proto");
                let last =
                    schemes.next_back().and_then(|line| line.rsplit(|&byte| byte == b',').next());
                hops.is_secure = last.and_then(|scheme| is_https(scheme.trim_ascii()));
            }
            TrustedHeader::Forwarded => self.walk_elements(&mut hops, is_trusted),
        }
        hops
    }

    fn walk_addresses(&self, hops: &mut Hops, is_trusted: impl Fn(IpAddr) -> bool) {
        for line in self.headers.lines().named("x-forwarded-for").rev() {
            for element in line.rsplit(|&byte| byte == b',') {
                let Some(address) = address_and_port(element.trim_ascii()) else { return };
                hops.client = Some(address);
                if !is_trusted(address) {
                    return;
                }
            }
        }
    }

    fn walk_elements(&self, hops: &mut Hops, is_trusted: impl Fn(IpAddr) -> bool) {
        for line in self.headers.lines().named("forwarded").rev() {
            let mut rest = Some(line);
            while let Some(elements) = rest {
                let (before, element) = split_last(elements);
                rest = before;
                // The hop before wrote this element: it says in which scheme its client spoke.
                let Element { address, is_secure } = Element::parse(element).unwrap_or_default();
                hops.is_secure = is_secure;
                let Some(address) = address else { return };
                hops.client = Some(address);
                if !is_trusted(address) {
                    return;
                }
            }
        }
    }
}

fn is_https(scheme: &[u8]) -> Option<bool> {
    let is_secure = scheme.eq_ignore_ascii_case(b"https");
    (is_secure || scheme.eq_ignore_ascii_case(b"http")).then_some(is_secure)
}

/// Parses an element of `X-Forwarded-For`: an address, which a port may follow.
fn address_and_port(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?;
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(IpAddr::V6(address).to_canonical());
    }
    node(element, false)
}

/// Parses `192.0.2.1` or `[2001:db8::1]`, each with or without a port (RFC 7239 section 6). A port
/// may be obfuscated where `hides_port` says so.
fn node(text: &[u8], hides_port: bool) -> Option<IpAddr> {
    let (name, port) = match text.strip_prefix(b"[") {
        Some(rest) => {
            let end = rest.iter().position(|&byte| byte == b']')?;
            (&rest[..end], &rest[end + 1..])
        }
        None => text.split_at(text.iter().position(|&byte| byte == b':').unwrap_or(text.len())),
    };
    let fits = match port {
        [] => true,
        [b':', b'_', hidden @ ..] => hides_port && is_obfuscated(hidden),
        [b':', digits @ ..] => digits.len() <= 5 && parse_port(digits).is_some(),
        _ => false,
    };
    let name = std::str::from_utf8(name).ok().filter(|_| fits)?;
    let address = match text.starts_with(b"[") {
        true => IpAddr::V6(name.parse::<Ipv6Addr>().ok()?),
        false => IpAddr::V4(name.parse::<Ipv4Addr>().ok()?),
    };
    Some(address.to_canonical())
}

fn is_obfuscated(name: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.iter().all(fits)
}

/// Splits the last element off a list, at a comma outside of quotes.
///
/// The search begins at the end. So an open quote of a client cannot swallow what a proxy has
/// appended.
fn split_last(elements: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut end = elements.len();
    while let Some(at) = elements[..end].iter().rposition(|&byte| matches!(byte, b',' | b'"')) {
        if elements[at] == b',' {
            return (Some(&elements[..at]), &elements[at + 1..]);
        }
        match opening_quote(&elements[..at]) {
            Some(open) => end = open,
            None => break,
        }
    }
    (None, elements)
}

/// The last quote that no backslash escapes.
fn opening_quote(text: &[u8]) -> Option<usize> {
    let mut end = text.len();
    loop {
        let at = text[..end].iter().rposition(|&byte| byte == b'"')?;
        let escapes = text[..at].iter().rev().take_while(|&&byte| byte == b'\\').count();
        if escapes.is_multiple_of(2) {
            return Some(at);
        }
        end = at;
    }
}

/// The parameters of an element of `Forwarded` that count here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    /// `None` for `unknown`, for an obfuscated name, and without `for`.
    address: Option<IpAddr>,
    is_secure: Option<bool>,
}

/// The longest value that is looked at, in bytes without escapes.
const VALUE: usize = 64;

impl Element {
    /// Parses an element; `None` if it does not follow the grammar (RFC 7239 section 4). White
    /// space around a semicolon is taken, since many proxies write it.
    fn parse(element: &[u8]) -> Option<Element> {
        let mut parsed = Element::default();
        let (mut has_for, mut has_proto) = (false, false);
        let mut rest = element.trim_ascii();
        loop {
            let value;
            if rest.first().is_some_and(|&byte| byte != b';') {
                let equals = rest.iter().position(|&byte| byte == b'=')?;
                let (name, after) = (&rest[..equals], &rest[equals + 1..]);
                (value, rest) = Value::split(after).filter(|_| is_token(name))?;
                if name.eq_ignore_ascii_case(b"for") {
                    if std::mem::replace(&mut has_for, true) {
                        return None;
                    }
                    parsed.address = node(value.bytes(), true);
                } else if name.eq_ignore_ascii_case(b"proto") {
                    if std::mem::replace(&mut has_proto, true) {
                        return None;
                    }
                    parsed.is_secure = is_https(value.bytes());
                }
            }
            rest = match rest.trim_ascii_start() {
                [] => return Some(parsed),
                [b';', after @ ..] => after.trim_ascii_start(),
                _ => return None,
            };
        }
    }
}

/// A value without its quotes and escapes: at most 64 bytes. A longer one counts as empty.
struct Value {
    bytes: [u8; VALUE],
    len: usize,
}

impl Value {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
        }
        self.len += 1;
    }

    /// Splits a token or a quoted string off (RFC 9110 section 5.6.4).
    fn split(text: &[u8]) -> Option<(Value, &[u8])> {
        let mut value = Value { bytes: [0; VALUE], len: 0 };
        let Some(quoted) = text.strip_prefix(b"\"") else {
            let ends = |&byte: &u8| matches!(byte, b';' | b' ' | b'\t');
            let (token, rest) = text.split_at(text.iter().position(ends).unwrap_or(text.len()));
            token.iter().for_each(|&byte| value.push(byte));
            return is_token(token).then_some((value, rest));
        };
        let mut bytes = quoted.iter().enumerate();
        while let Some((at, &byte)) = bytes.next() {
            match byte {
                b'"' => return Some((value, &quoted[at + 1..])),
                b'\\' => value.push(*bytes.next()?.1),
                _ => value.push(byte),
            }
        }
        None
    }
}
