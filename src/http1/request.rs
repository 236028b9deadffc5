//! A request as a handler sees it: target, headers, cookies, and what they mean together. This file
//! knows neither the parsing of a head, nor sockets, nor the bytes of the body.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use http::Method;

use super::extensions::Extensions;
use super::first_line::Version;
use super::header_lines::Known;
use super::query::{self, QueryPairs};
use super::request_headers::{
    BodyLength, CLOSE, CONNECTION_UPGRADES, EXPECTS_CONTINUE, KEEP_ALIVE, Repeated, RequestHeaders,
    UPGRADES_TO_WEBSOCKET, WEBSOCKET,
};
use super::target::Target;

/// A request head that passed every check of RFC 9112. A handler borrows it for one call.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
///
/// let head = b"GET /rooms/caf%C3%A9?since=7 HTTP/1.1\r\n\
///     Host: example.com\r\n\
///     Cookie: id=42\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// assert_eq!(request.path(), "/rooms/café");
/// assert_eq!(request.query_value("since").as_deref(), Some("7"));
/// assert_eq!(request.header("host"), Some("example.com"));
/// assert_eq!(request.cookie("id"), Some("42"));
/// ```
pub struct Request<'h> {
    pub(super) method: Method,
    pub(super) target: Target<'h>,
    pub(super) headers: RequestHeaders<'h>,
    pub(super) zone_len: usize,
    pub(super) is_secure: bool,
    pub(super) client: Option<IpAddr>,
    pub(super) extensions: Extensions,
}

impl<'h> Request<'h> {
    /// Returns the method. Unknown methods are passed on: the zone answers them.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the version of HTTP that the client speaks.
    #[must_use]
    pub fn version(&self) -> Version {
        self.headers.version()
    }

    /// Returns the request target as sent, without space, control character and fragment. All but
    /// the query is visible ASCII.
    #[must_use]
    pub fn target(&self) -> &'h str {
        self.target.raw
    }

    /// Returns the path as it was sent, without authority and query: visible ASCII.
    pub(crate) fn sent_path(&self) -> &'h str {
        let raw = self.target.raw;
        let path = raw.split_once('?').map_or(raw, |(path, _)| path);
        match path.split_once("://") {
            Some((_, rest)) if !path.starts_with('/') => {
                rest.find('/').map_or("/", |at| &rest[at..])
            }
            _ => path,
        }
    }

    /// Returns the path, percent-decoded, with `.`, `..` and empty segments resolved; `*` for
    /// `OPTIONS *` (RFC 9112 section 3.2.4).
    ///
    /// A path has one reading. A path is answered with 400 before any handler runs if it holds an
    /// encoded `/` or `\`, a raw `\`, or an encoded control character. So is one that leads above
    /// the root. A trailing slash is kept. The path is borrowed from the head where nothing had to
    /// change.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.target.path
    }

    /// Returns the query as sent, without its `?`; `None` if the target has no `?`.
    ///
    /// A query is text in UTF-8 without space, control character and `#`. All else is handed on
    /// unchanged, such as `100%`, `%u00e9`, `"` or `é`: the program that decodes it decides.
    ///
    /// ```
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.http("/", |_, request| request.query().unwrap_or("none").to_owned());
    /// assert_eq!(world.get("/?rate=50%&q=%u00e9").text(), "rate=50%&q=%u00e9");
    /// ```
    #[must_use]
    pub fn query(&self) -> Option<&'h str> {
        self.target.query
    }

    /// Returns the pairs of the query in order, decoded as forms encode them: `+` is a space.
    ///
    /// A pair without `=` has an empty value. A `%` without two hexadecimal digits behind it stays
    /// as it is: `100%` decodes to `100%`. Bytes that are not UTF-8 become U+FFFD. So every query
    /// decodes; a program that must refuse a malformed one reads [`query`](Request::query).
    #[must_use]
    pub fn query_pairs(&self) -> QueryPairs<'h> {
        QueryPairs::new(self.target.query)
    }

    /// Returns the decoded value of the first pair of the query with this name.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<Cow<'h, str>> {
        query::value(self.target.query?, name)
    }

    /// Returns `host[:port]` of an absolute target, or else of the `Host` header (RFC 9112 section
    /// 3.3).
    ///
    /// Well-formed. Empty only for an HTTP/1.0 request without `Host`.
    #[must_use]
    pub fn host(&self) -> &'h str {
        std::str::from_utf8(self.host_bytes()).unwrap_or_default()
    }

    /// Returns [`host`](Request::host) as bytes, which are ASCII.
    pub(crate) fn host_bytes(&self) -> &'h [u8] {
        // RFC 9112 section 3.2.2: the authority of an absolute target replaces Host.
        match self.target.authority {
            Some(authority) => authority.as_bytes(),
            None => self.headers.known(Known::Host).unwrap_or_default(),
        }
    }

    /// Returns the address of the client that made the request: behind a trusted proxy the one that
    /// the proxy names, else the one in the PROXY header, else the peer's. An IPv4 address in IPv6
    /// form is the IPv4 address.
    ///
    /// `None` if no address is known: for a Unix socket without a header, and for a peer without a
    /// PROXY header while [`Server::trusted_proxies`](crate::Server::trusted_proxies) is not set,
    /// since the kernel is not asked then. [`Conn::client_addr`](crate::Conn::client_addr) asks
    /// the kernel.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// use switchboard::TrustedHeader;
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.trusted_proxies(["10.0.0.0/8"], TrustedHeader::XForwardedFor)?;
    /// world.server.http("/", |_, request| request.client_addr().unwrap().to_string());
    /// let proxy = world.connect_from("10.0.0.1:4711");
    /// world.request(proxy, Request::get("/").header("X-Forwarded-For", "192.0.2.1"));
    /// assert_eq!(world.answer(proxy).text(), "192.0.2.1");
    /// let direct = world.connect_from("203.0.113.9:4711");
    /// world.request(direct, Request::get("/").header("X-Forwarded-For", "192.0.2.1"));
    /// assert_eq!(world.answer(direct).text(), "203.0.113.9");
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn client_addr(&self) -> Option<IpAddr> {
        self.client
    }

    /// Returns the scheme in which the client spoke, `"http"` or `"https"`: behind a trusted proxy
    /// the one that the proxy names, else the connection's own.
    ///
    /// By `X-Forwarded-Proto` its last element counts; by `Forwarded`, the `proto` of the element
    /// at which the walk over the proxies ended. Any other value counts for nothing.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// use switchboard::TrustedHeader;
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.trusted_proxies(["10.0.0.0/8"], TrustedHeader::XForwardedFor)?;
    /// world.server.http("/", |_, request| format!("{}://{}/", request.scheme(), request.host()));
    /// let proxy = world.connect_from("10.0.0.1:4711");
    /// world.request(proxy, Request::get("/").header("X-Forwarded-Proto", "https"));
    /// assert_eq!(world.answer(proxy).text(), "https://example.com/");
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }

    /// Notes the client of the request, and whether the client spoke https.
    pub(crate) fn set_client(&mut self, client: Option<IpAddr>, is_secure: bool) {
        (self.client, self.is_secure) = (client, is_secure);
    }

    /// Returns the value of a known header that stands on one line; `None` if it is absent.
    pub(crate) fn only(&self, known: Known) -> Result<Option<&'h [u8]>, Repeated> {
        self.headers.only(known)
    }

    /// Returns the value of the first header of this name; `None` if it is absent or not UTF-8.
    ///
    /// Names compare without regard to case. White space around the value does not belong to it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'h str> {
        self.header_bytes(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Returns the value of the first header of this name as bytes.
    #[must_use]
    pub fn header_bytes(&self, name: &str) -> Option<&'h [u8]> {
        self.headers.first(name)
    }

    /// Returns the value of every header line of this name, in order.
    pub fn header_values<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'h [u8]> + 'r {
        self.headers.values(name)
    }

    /// Returns the name, as sent, and the value of every header line, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'h str, &'h [u8])> {
        self.headers.lines().iter()
    }

    /// Returns the value of a cookie without its quotes (RFC 6265 section 4.2.1).
    ///
    /// The first cookie of this name counts, which is the one with the longest path.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&'h str> {
        self.header_values("cookie").find_map(|line| query::cookie(line, name))
    }

    /// Returns the value of `Content-Length`, in bytes.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        match self.body_length() {
            BodyLength::Known(len) => Some(len),
            BodyLength::None | BodyLength::Chunked => None,
        }
    }

    /// Says how the end of the body is found (RFC 9112 section 6.3).
    #[must_use]
    pub fn body_length(&self) -> BodyLength {
        self.headers.body
    }

    /// Whether the client waits for `100 Continue` before it sends its body (RFC 9110 section
    /// 10.1.1).
    ///
    /// Never true in HTTP/1.0, nor for a request without a body.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.headers.says(EXPECTS_CONTINUE)
    }

    /// Whether the client may send another request on this connection (RFC 9112 section 9.3).
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        match self.version() {
            Version::Http10 => self.headers.says(KEEP_ALIVE) && !self.headers.says(CLOSE),
            Version::Http11 => !self.headers.says(CLOSE),
        }
    }

    /// Whether this is a WebSocket handshake, or a part of one.
    ///
    /// `Upgrade: websocket`, a `Sec-WebSocket-Key` or a `Sec-WebSocket-Version` alone is enough. So
    /// the answer names what is missing, where a page would not.
    #[must_use]
    pub fn is_websocket(&self) -> bool {
        self.headers.says(WEBSOCKET)
    }

    /// Whether `Upgrade` names `websocket` (RFC 6455 section 4.2.1).
    pub(crate) fn upgrades_to_websocket(&self) -> bool {
        self.headers.says(UPGRADES_TO_WEBSOCKET)
    }

    /// Whether `Connection` names `upgrade`.
    pub(crate) fn connection_upgrades(&self) -> bool {
        self.headers.says(CONNECTION_UPGRADES)
    }

    /// Returns what earlier zones left for later zones.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Returns what earlier zones left, to be changed.
    #[must_use]
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// Consumes the request and returns what the zones left in it.
    #[must_use]
    pub fn into_extensions(self) -> Extensions {
        self.extensions
    }

    /// Replaces the extensions: for a head that is parsed again.
    #[must_use]
    pub fn with_extensions(mut self, extensions: Extensions) -> Request<'h> {
        self.extensions = extensions;
        self
    }

    /// Returns the prefix of the zone that is asked, such as `/`, `/chat` or `*`.
    #[must_use]
    pub fn zone(&self) -> &str {
        match self.zone_len {
            0 => "/",
            len => self.path().get(..len).unwrap_or("/"),
        }
    }

    /// Returns the part of the path that follows [`zone`](Request::zone). It is empty or begins
    /// with `/`.
    ///
    /// For the zone `/` it is the whole path.
    #[must_use]
    pub fn suffix(&self) -> &str {
        match self.zone_len {
            0 => self.path(),
            1 if self.path() != "*" => self.path(),
            len => self.path().get(len..).unwrap_or(self.path()),
        }
    }

    /// Notes that the first `prefix_len` bytes of the path matched a zone; 0 means `/`.
    pub(crate) fn set_zone(&mut self, prefix_len: usize) {
        self.zone_len = prefix_len;
    }

    /// Returns the bytes of the head. A program that answers later keeps them and parses them
    /// again.
    #[must_use]
    pub fn head(&self) -> &'h [u8] {
        self.headers.lines().head()
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target.raw)
            .field("version", &self.version())
            .field("host", &self.host())
            .field("body_length", &self.headers.body)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::http1::{HeadLimits, HeaderSlots, Request};

    #[test]
    fn request_splits_its_path_at_the_zone() {
        let head = b"GET /chat/rooms/%C3%A9 HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut slots = HeaderSlots::new();
        let mut request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
        let whole = "/chat/rooms/é";
        // 13 would cut a character, and 99 lies beyond the path.
        let rows = [
            (0, "/", whole),
            (1, "/", whole),
            (5, "/chat", "/rooms/é"),
            (14, whole, ""),
            (13, "/", whole),
            (99, "/", whole),
        ];
        for (len, zone, suffix) in rows {
            request.set_zone(len);
            assert_eq!((request.zone(), request.suffix()), (zone, suffix), "{len}");
        }
    }
}
