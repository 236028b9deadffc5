//! A request as a handler sees it: the judged head, its target split and decoded, its headers looked up.
//! Knows nothing of how a head is parsed, of sockets or of the body's bytes.

use std::borrow::Cow;
use std::fmt;

use http::Method;

use super::extensions::Extensions;
use super::known_headers::Known;
use super::query::{self, QueryPairs};
use super::request_headers::{
    BodyLength, CLOSE, CONNECTION_UPGRADES, EXPECTS_CONTINUE, KEEP_ALIVE, Repeated, RequestHeaders,
    UPGRADES_TO_WEBSOCKET, WEBSOCKET,
};
use super::target::Target;
use super::version::Version;

/// A request head that passed every check of RFC 9112, lent to a handler for one call.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
///
/// let head = b"GET /rooms/caf%C3%A9?since=7 HTTP/1.1\r\nHost: example.com\r\nCookie: id=42\r\n\r\n";
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
    pub(super) extensions: Extensions,
}

impl<'h> Request<'h> {
    /// The method; unknown ones are passed on, they are the zone's to answer.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The version of HTTP that the client speaks.
    pub fn version(&self) -> Version {
        self.headers.version()
    }

    /// The request target exactly as sent: visible ASCII, no fragment.
    pub fn target(&self) -> &'h str {
        self.target.raw
    }

    /// The path, percent-decoded, with `.`, `..` and empty segments resolved; `*` for `OPTIONS *`.
    ///
    /// It has one reading only: an encoded `/` or `\`, a raw `\`, an encoded control character and a path that
    /// leads above the root are refused with 400 before any handler runs, so nothing in here can be taken for a
    /// separator twice. A trailing slash is kept. Borrowed from the head when nothing had to change.
    pub fn path(&self) -> &str {
        &self.target.path
    }

    /// The query as sent, without its `?`; `None` where the target has no `?`.
    pub fn query(&self) -> Option<&'h str> {
        self.target.query
    }

    /// The query's pairs in order, decoded as forms encode them: `&` between pairs, `+` for a space.
    ///
    /// A pair without `=` has an empty value; what does not decode to UTF-8 becomes U+FFFD.
    pub fn query_pairs(&self) -> QueryPairs<'h> {
        QueryPairs::new(self.target.query)
    }

    /// The value of the first pair of the query with this name, decoded.
    pub fn query_value(&self, name: &str) -> Option<Cow<'h, str>> {
        self.query_pairs().value(name)
    }

    /// Whom the client means to talk to: `host[:port]` of an absolute target, else of the `Host` header
    /// (RFC 9112 section 3.3). Well-formed; empty only for an HTTP/1.0 request that names none.
    pub fn host(&self) -> &'h str {
        std::str::from_utf8(self.host_bytes()).unwrap_or_default()
    }

    /// The same as bytes, which are ASCII.
    pub(crate) fn host_bytes(&self) -> &'h [u8] {
        // RFC 9112 section 3.2.2: an absolute target's authority replaces the Host that must be there too.
        match self.target.authority {
            Some(authority) => authority.as_bytes(),
            None => self.headers.known(Known::Host).unwrap_or_default(),
        }
    }

    /// The value of a known header that stands once; `None` if it is absent.
    pub(crate) fn only(&self, known: Known) -> Result<Option<&'h [u8]>, Repeated> {
        self.headers.only(known)
    }

    /// The first header of this name, without white space around it; `None` if absent or not UTF-8.
    ///
    /// Names compare without regard to case.
    pub fn header(&self, name: &str) -> Option<&'h str> {
        self.header_bytes(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The first header of this name as bytes, without white space around it.
    pub fn header_bytes(&self, name: &str) -> Option<&'h [u8]> {
        self.headers.first(name)
    }

    /// The value of every header line of this name, in order.
    pub fn header_values<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'h [u8]> + 'r {
        self.headers.values(name)
    }

    /// Every header line as sent, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'h str, &'h [u8])> {
        self.headers.lines().iter()
    }

    /// The value of a cookie, without the quotes it may have (RFC 6265 section 4.2.1).
    ///
    /// Of several with one name the first counts, which is the one with the longest path.
    pub fn cookie(&self, name: &str) -> Option<&'h str> {
        self.header_values("cookie").find_map(|line| query::cookie(line, name))
    }

    /// The value of `Content-Length`, in bytes.
    pub fn content_length(&self) -> Option<u64> {
        match self.body_length() {
            BodyLength::Known(len) => Some(len),
            BodyLength::None | BodyLength::Chunked => None,
        }
    }

    /// How the end of the body is found (RFC 9112 section 6.3).
    pub fn body_length(&self) -> BodyLength {
        self.headers.body
    }

    /// Whether the client waits for `100 Continue` before it sends its body (RFC 9110 section 10.1.1).
    ///
    /// Never true in HTTP/1.0 nor for a request without a body.
    pub fn expects_continue(&self) -> bool {
        self.headers.says(EXPECTS_CONTINUE)
    }

    /// Whether the client wants to send another request on this connection (RFC 9112 section 9.3).
    pub fn keep_alive(&self) -> bool {
        match self.version() {
            Version::Http10 => self.headers.says(KEEP_ALIVE) && !self.headers.says(CLOSE),
            Version::Http11 => !self.headers.says(CLOSE),
        }
    }

    /// Whether this is, or tries to be, a WebSocket handshake.
    ///
    /// Half a handshake counts too: `Upgrade: websocket`, a `Sec-WebSocket-Key` or a `Sec-WebSocket-Version`
    /// alone is enough, so that it is told what is missing instead of being served a page.
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

    /// What earlier zones left for later ones.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The same, to put something in or take it out.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// Ends the request and keeps what the zones left in it.
    pub fn into_extensions(self) -> Extensions {
        self.extensions
    }

    /// The request with these extensions instead of its own: for a head that is parsed again.
    pub fn with_extensions(mut self, extensions: Extensions) -> Request<'h> {
        self.extensions = extensions;
        self
    }

    /// The prefix under which the zone that is asked stands: `/` or for instance `/chat`.
    pub fn zone(&self) -> &str {
        match self.zone_len {
            0 | 1 => "/",
            len => self.path().get(..len).unwrap_or("/"),
        }
    }

    /// What of the path follows [`zone`](Request::zone): empty or beginning with `/`.
    ///
    /// For the zone `/` it is the whole path.
    pub fn suffix(&self) -> &str {
        match self.zone_len {
            0 | 1 => self.path(),
            len => self.path().get(len..).unwrap_or(self.path()),
        }
    }

    /// Notes that the first `prefix_len` bytes of the path matched a zone; 0 and 1 both mean `/`.
    pub(crate) fn set_zone(&mut self, prefix_len: usize) {
        self.zone_len = prefix_len;
    }

    /// The bytes of the head, so that they can be kept and parsed again when an answer comes later.
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
        // The last but one would cut a character, the last lies beyond the path.
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
