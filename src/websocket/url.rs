//! `ws:` and `wss:` URLs (RFC 6455 section 3): where a client connects, and what it asks for there.
//! Knows the grammar alone; neither resolves a name nor opens anything.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::http1::{is_authority, is_well_formed, parse_port, split_port};

/// A `ws:` or `wss:` URL, judged.
///
/// There is one reading: no user information, no fragment, no host in disguise (percent-encoded, or an IPv4 address in
/// any form but four decimal numbers), and in path and query only what a URI may hold (RFC 3986 section 3.3, 3.4): all
/// else, non-ASCII included, is to be percent-encoded by whoever knows what it means.
///
/// ```
/// use switchboard::proto::websocket::Url;
///
/// let url: Url = "wss://Example.com/chat?room=7".parse().unwrap();
/// assert!(url.is_secure());
/// assert_eq!((url.host(), url.port()), ("example.com", 443));
/// assert_eq!(url.authority(), "example.com");
/// assert_eq!(url.resource(), "/chat?room=7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    secure: bool,
    port: u16,
    authority: String,
    resource: String,
}

impl Url {
    /// Judges a URL; `str::parse` does the same.
    ///
    /// # Errors
    /// The first part of it that section 3 does not allow.
    pub fn parse(url: &str) -> Result<Url, MalformedUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(MalformedUrl::Scheme)?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(MalformedUrl::Scheme),
        };
        if rest.contains('#') {
            return Err(MalformedUrl::Fragment); // "MUST NOT be used on these URIs"
        }
        let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (authority, port) = judge_authority(authority, if secure { 443 } else { 80 })?;
        Ok(Url { secure, port, authority, resource: judge_resource(resource)? })
    }

    /// Whether it is `wss:`, which goes through TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host in lower case: a name, or an address without the brackets of an IPv6 literal.
    pub fn host(&self) -> &str {
        match self.authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((literal, _)) => literal,
            None => self.authority.split_once(':').map_or(&self.authority, |(name, _)| name),
        }
    }

    /// The port, which is 80 for `ws:` and 443 for `wss:` where none is named.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of `Host`: the host, and the port unless it is that of the scheme (section 4.1, item 4).
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The resource name: the path, `/` if there is none, and the query with its `?`. It is the request's target.
    pub fn resource(&self) -> &str {
        &self.resource
    }
}

/// The host, with the port if that is not the scheme's own, and the port in any case.
fn judge_authority(authority: &str, default_port: u16) -> Result<(String, u16), MalformedUrl> {
    if authority.contains('@') {
        return Err(MalformedUrl::UserInfo);
    }
    if !is_authority(authority.as_bytes()) {
        return Err(MalformedUrl::Authority);
    }
    let (host, port) = split_port(authority.as_bytes());
    let port = match port {
        None | Some(b"") => default_port, // RFC 3986 section 3.2.3
        Some(digits) => parse_port(digits).ok_or(MalformedUrl::Authority)?,
    };
    let mut host = judge_host(&authority[..host.len()])?;
    if port == 0 {
        return Err(MalformedUrl::Authority); // nobody can listen there
    }
    if port != default_port {
        host = format!("{host}:{port}");
    }
    Ok((host, port))
}

fn judge_host(host: &str) -> Result<String, MalformedUrl> {
    if let Some(literal) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = literal.parse().map_err(|_| MalformedUrl::Authority)?;
        return Ok(format!("[{address}]"));
    }
    // Resolvers read 127.1, 0x7f000001 and 0177.0.0.1 as addresses, so no check of the name would see which.
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    let numeric = match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    };
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err(MalformedUrl::Authority);
    }
    Ok(host.to_ascii_lowercase())
}

fn judge_resource(resource: &str) -> Result<String, MalformedUrl> {
    if !resource.bytes().all(is_resource_byte) {
        return Err(MalformedUrl::Character);
    }
    if !is_well_formed(resource) {
        return Err(MalformedUrl::Escape);
    }
    Ok(match resource.starts_with('/') {
        true => resource.to_owned(),
        false => format!("/{resource}"), // "/" where the path is empty
    })
}

/// What path and query may hold: RFC 3986 sections 3.3 and 3.4.
fn is_resource_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte)
}

impl FromStr for Url {
    type Err = MalformedUrl;

    fn from_str(url: &str) -> Result<Url, MalformedUrl> {
        Url::parse(url)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority, self.resource)
    }
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MalformedUrl {
    /// It does not begin with `ws://` or `wss://`.
    Scheme,
    /// It has a fragment; a `#` that is meant is written `%23`.
    Fragment,
    /// It has user information; credentials go into a header.
    UserInfo,
    /// Its host or its port is malformed.
    Authority,
    /// Its path or query has a character that must be percent-encoded.
    Character,
    /// It has a `%` that two hexadecimal digits do not follow.
    Escape,
}

impl MalformedUrl {
    /// What was wrong, without a full stop.
    pub const fn as_str(self) -> &'static str {
        match self {
            MalformedUrl::Scheme => "the URL does not begin with ws:// or wss://",
            MalformedUrl::Fragment => "the URL has a fragment",
            MalformedUrl::UserInfo => "the URL has user information",
            MalformedUrl::Authority => "the URL has a malformed host or port",
            MalformedUrl::Character => "the URL has a character that must be percent-encoded",
            MalformedUrl::Escape => "the URL has a % that two hexadecimal digits do not follow",
        }
    }
}

impl fmt::Display for MalformedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for MalformedUrl {}
