//! A client's request, encoded from a path or from a request of the `http` crate.

use http::header::{CONTENT_LENGTH, Entry, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request};

/// The host that requests name, unless they name another.
const DEFAULT_HOST: HeaderValue = HeaderValue::from_static("example.com");

/// A request for a client to send: a path, or an [`http::Request`] or its builder.
///
/// A path means GET. `Host` is `example.com` unless the request has another, and `Content-Length`
/// is added where a body needs it. All else stands in the request: the method, an `Origin`, a
/// `Cookie`.
///
/// ```
/// use switchboard::http::Request;
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.server.http("/", |_, request| {
///     format!("{} by {}", request.method(), request.cookie("user").unwrap_or("a stranger"))
/// });
/// assert_eq!(world.fetch("/page").text(), "GET by a stranger");
/// assert_eq!(world.fetch(Request::delete("/page")).text(), "DELETE by a stranger");
/// let request = Request::get("/page").header("Cookie", "user=ada");
/// assert_eq!(world.fetch(request).text(), "GET by ada");
/// ```
#[derive(Debug)]
pub struct ClientRequest(Result<Request<Vec<u8>>, http::Error>);

impl From<&str> for ClientRequest {
    fn from(path: &str) -> ClientRequest {
        Request::get(path).into()
    }
}

impl From<&String> for ClientRequest {
    fn from(path: &String) -> ClientRequest {
        Request::get(&**path).into()
    }
}

impl From<http::request::Builder> for ClientRequest {
    fn from(builder: http::request::Builder) -> ClientRequest {
        ClientRequest(builder.body(Vec::new()))
    }
}

impl<B: Into<Vec<u8>>> From<Request<B>> for ClientRequest {
    fn from(request: Request<B>) -> ClientRequest {
        ClientRequest(Ok(request.map(Into::into)))
    }
}

impl ClientRequest {
    /// The request, with the default `Host`.
    #[track_caller]
    pub(super) fn build(self) -> Request<Vec<u8>> {
        let mut request = match self.0 {
            Ok(request) => request,
            Err(error) => panic!(
                "no client sends such a request: {error}. Use `connect` and `write` for its bytes"
            ),
        };
        let authority = request.uri().authority().map(|authority| authority.as_str());
        let host = authority.and_then(|host| HeaderValue::from_str(host).ok());
        add(&mut request, HOST, host.unwrap_or(DEFAULT_HOST));
        request
    }
}

/// Adds a header to a request that has none of this name.
pub(super) fn add(request: &mut Request<Vec<u8>>, name: HeaderName, value: HeaderValue) {
    if let Entry::Vacant(entry) = request.headers_mut().entry(name) {
        entry.insert(value);
    }
}

/// The request as it is on the wire (RFC 9112 section 3).
pub(super) fn encode(request: &Request<Vec<u8>>) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut bytes = format!("{} {target} HTTP/1.1\r\n", request.method()).into_bytes();
    for (name, value) in request.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    let body = request.body();
    let means_one = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let framed =
        [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| request.headers().contains_key(name));
    // RFC 9110 section 8.6: a method that means a body states its length, even 0.
    if !framed && (means_one || !body.is_empty()) {
        bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}
