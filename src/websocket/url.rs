//! The `ws:` and `wss:` URLs of a client (RFC 6455 section 3). This file knows the grammar. It
//! resolves no names and opens no connections.
//!
//! `http::Uri` accepts 30 of the 55 faulty URLs of our tests. Some of these have user information,
//! ports that are no numbers, `127.1` for a host, or malformed escapes. `http::Uri` normalizes
//! neither letters, nor default ports, nor IPv6 literals: of 25 good URLs, 7 would give another
//! `Host` or target.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::http1::{is_authority, is_query, is_well_formed, parse_port, split_port};

/// A valid `ws:` or `wss:` URL.
///
/// A URL has one reading. User information, a fragment, a percent-encoded host, and an IPv4 address
/// in another form than four decimal numbers are refused. The path holds only the characters of a
/// URI (RFC 3986 section 3.3): the caller percent-encodes all others, non-ASCII included. The query
/// is sent as it is, such as `rate=50%` or `q="é"`. It holds no space, control character or `#`.
///
/// ```
/// use switchboard::proto::websocket::Url;
///
/// let url: Url = "wss://Example.com/chat?room=7".parse().unwrap();
/// assert!(url.is_secure());
/// assert_eq!((url.host(), url.port()), ("example.com", 443));
/// assert_eq!(url.authority(), "example.com");
/// assert_eq!(url.resource(), "/chat?room=7");
/// assert_eq!(Url::parse("ws://a?rate=50%").unwrap().resource(), "/?rate=50%");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    secure: bool,
    port: u16,
    authority: String,
    resource: String,
}

impl Url {
    /// Parses a URL, as `str::parse` does.
    ///
    /// # Errors
    /// The first part of the URL that section 3 does not allow.
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

    /// Whether the scheme is `wss:`, which goes through TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host in lower case: a name, or an address without the brackets of an IPv6 literal.
    #[must_use]
    pub fn host(&self) -> &str {
        match self.authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((literal, _)) => literal,
            None => self.authority.split_once(':').map_or(&self.authority, |(name, _)| name),
        }
    }

    /// The port; the default is 80 for `ws:` and 443 for `wss:`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of `Host`: the host, and the port if not the scheme's default (section 4.1, item
    /// 4).
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The target of the request: the path, `/` if empty, and the query with its `?`.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }
}

/// Parses an authority: returns the value of `Host`, and the port.
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
        return Err(MalformedUrl::Authority); // no server listens at port 0
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
    // Resolvers read 127.1, 0x7f000001 and 0177.0.0.1 as addresses, which no check of names would
    // see.
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
    let (path, query) = resource.split_once('?').unwrap_or((resource, ""));
    if !path.bytes().all(is_path_byte) || !is_query(query) {
        return Err(MalformedUrl::Character);
    }
    if !is_well_formed(path) {
        return Err(MalformedUrl::Escape);
    }
    Ok(match resource.starts_with('/') {
        true => resource.to_owned(),
        false => format!("/{resource}"), // "/" where the path is empty
    })
}

/// Whether the path may hold the byte (RFC 3986 section 3.3).
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
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

/// The error of a URL that section 3 does not allow.
///
/// ```
/// use switchboard::proto::websocket::{MalformedUrl, Url};
///
/// let error = Url::parse("ws://example.com/#top").unwrap_err();
/// assert_eq!(error, MalformedUrl::Fragment);
/// assert_eq!(error.to_string(), "the URL has a fragment");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MalformedUrl {
    /// The URL does not begin with `ws://` or `wss://`.
    Scheme,
    /// The URL has a fragment; the character `#` is written `%23`.
    Fragment,
    /// The URL has user information; credentials go into a header.
    UserInfo,
    /// The host or the port is malformed.
    Authority,
    /// The path or the query has a character that must be percent-encoded.
    Character,
    /// The path has a `%` that two hexadecimal digits do not follow.
    Escape,
}

impl MalformedUrl {
    /// Describes the fault, without a full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            MalformedUrl::Scheme => "the URL does not begin with ws:// or wss://",
            MalformedUrl::Fragment => "the URL has a fragment",
            MalformedUrl::UserInfo => "the URL has user information",
            MalformedUrl::Authority => "the URL has a malformed host or port",
            MalformedUrl::Character => "the URL has a character that must be percent-encoded",
            MalformedUrl::Escape => "the path has a % that two hexadecimal digits do not follow",
        }
    }
}

impl fmt::Display for MalformedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for MalformedUrl {}
