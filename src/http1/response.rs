//! A response as a program builds it: a status, headers and a body. This file knows which headers
//! may be sent. `response_encoding` writes the bytes on the wire.

use std::borrow::Cow;
use std::fmt;

use http::{Method, StatusCode};

use super::characters::{is_token, is_value_byte};
use super::request_error::RequestError;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// A complete response: a status, headers, and a body in memory.
///
/// Setters neither fail nor panic. A header that may not be sent turns the whole response into a
/// 500 whose text names the header. So nothing can be injected, and the mistake shows. Such a
/// header has a name that is no token, a control character in its value, or belongs to the server:
/// `Content-Length`, `Transfer-Encoding` and `Connection`.
///
/// ```
/// use switchboard::proto::http1::Response;
///
/// let response = Response::json(r#"{"ok":true}"#).header("Cache-Control", "no-store");
/// assert_eq!(response.status(), 200);
/// assert_eq!(Response::text("nothing here").with_status(404).body_bytes(), b"nothing here");
/// assert_eq!(Response::text("hello").header("X-Name", "a\r\nb: c").status(), 500);
/// assert!(format!("{response:?}").contains("body_len: 11"), "and not the bytes of the body");
/// ```
#[derive(Clone)]
pub struct Response {
    pub(super) status: StatusCode,
    /// The media type of text, pages and JSON; apart from `lines`, so that these allocate nothing.
    pub(super) media_type: Option<&'static str>,
    /// Header lines as they go out, each with its CRLF.
    pub(super) lines: Vec<u8>,
    pub(super) body: Cow<'static, [u8]>,
    pub(super) close: bool,
    /// A `Date` was set, so none is added.
    pub(super) dated: bool,
    /// An `Upgrade` was set, so `Connection` names it (RFC 9110 section 7.8).
    pub(super) upgrade: bool,
    /// A `Keep-Alive` was set, so none is added.
    pub(super) names_keep_alive: bool,
    /// A bad header made the response a 500; later setters change nothing.
    spoiled: bool,
}

impl Response {
    /// Creates an empty response with a status: a number or a [`StatusCode`]. A number that is no
    /// status becomes 500.
    #[must_use]
    pub fn new<S: TryInto<StatusCode>>(status: S) -> Response {
        Response {
            status: status.try_into().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            media_type: None,
            lines: Vec::new(),
            body: Cow::Borrowed(&[]),
            close: false,
            dated: false,
            upgrade: false,
            names_keep_alive: false,
            spoiled: false,
        }
    }

    /// Creates an empty response as [`Response::new`] does, where nothing is added to it.
    #[must_use]
    pub fn empty<S: TryInto<StatusCode>>(status: S) -> Response {
        Response::new(status)
    }

    /// Creates a 200 with plain text in UTF-8.
    #[must_use]
    pub fn text(text: impl Into<Cow<'static, str>>) -> Response {
        Response::of(TEXT, text.into())
    }

    /// Creates a 200 with a page in UTF-8.
    #[must_use]
    pub fn html(page: impl Into<Cow<'static, str>>) -> Response {
        Response::of(HTML, page.into())
    }

    /// Creates a 200 with a JSON text that is already encoded.
    #[must_use]
    pub fn json(json: impl Into<Cow<'static, str>>) -> Response {
        Response::of(JSON, json.into())
    }

    /// Creates a 200 with bytes of a media type.
    #[must_use]
    pub fn bytes(content_type: &str, body: impl Into<Cow<'static, [u8]>>) -> Response {
        Response::new(StatusCode::OK).header("Content-Type", content_type).body(body)
    }

    fn of(media_type: &'static str, text: Cow<'static, str>) -> Response {
        let body = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Response { media_type: Some(media_type), body, ..Response::new(StatusCode::OK) }
    }

    /// Creates a redirection: 301, 302, 303, 307 or 308 with `Location`.
    #[must_use]
    pub fn redirect<S: TryInto<StatusCode>>(status: S, location: &str) -> Response {
        Response::new(status).header("Location", location)
    }

    /// Creates a 405 with the allowed methods (RFC 9110 section 15.5.6).
    #[must_use]
    pub fn method_not_allowed(allowed: &[Method]) -> Response {
        let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        Response::text("method not allowed")
            .with_status(StatusCode::METHOD_NOT_ALLOWED)
            .header("Allow", names.join(", "))
    }

    /// Replaces the status. A number that is no status becomes 500.
    #[must_use]
    pub fn with_status<S: TryInto<StatusCode>>(mut self, status: S) -> Response {
        if !self.spoiled {
            self.status = status.try_into().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        }
        self
    }

    /// Adds a header line. `Content-Type`, `Date` and `Location` replace a line of their name.
    ///
    /// White space around the value is dropped. A header that may not be sent makes the response a
    /// 500: see [`Response`].
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Response {
        if self.spoiled {
            return self;
        }
        let value = value.as_ref().trim_matches([' ', '\t']);
        if !is_token(name.as_bytes()) || !value.bytes().all(is_value_byte) || is_framing(name) {
            return Response::spoiled(name);
        }
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("content-type") {
            self.media_type = None;
        }
        if is("content-type") || is("date") || is("location") {
            self.remove(name);
        }
        self.dated |= is("date");
        self.upgrade |= is("upgrade");
        self.names_keep_alive |= is("keep-alive");
        push_line(&mut self.lines, name, value);
        self
    }

    /// Sets a header line in place of all lines of its name.
    pub(crate) fn replace(mut self, name: &str, value: &str) -> Response {
        self.remove(name);
        self.header(name, value)
    }

    fn remove(&mut self, name: &str) {
        let mut kept = Vec::with_capacity(self.lines.len());
        for line in self.lines.split_inclusive(|&byte| byte == b'\n') {
            let line_name = line.split(|&byte| byte == b':').next().unwrap_or_default();
            if !line_name.eq_ignore_ascii_case(name.as_bytes()) {
                kept.extend_from_slice(line);
            }
        }
        self.lines = kept;
    }

    /// Replaces the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Cow<'static, [u8]>>) -> Response {
        if !self.spoiled {
            self.body = body.into();
        }
        self
    }

    /// Closes the connection after this response.
    #[must_use]
    pub fn close(mut self) -> Response {
        self.close = true;
        self
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the body.
    #[must_use]
    pub fn body_bytes(&self) -> &[u8] {
        &self.body
    }

    /// Returns the header lines that were added, as they go on the wire.
    pub(crate) fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// Whether the connection closes after this response.
    #[must_use]
    pub fn is_close(&self) -> bool {
        self.close
    }

    /// Creates the 500 for a header that may not be sent. The name comes from the program, not from
    /// the peer.
    fn spoiled(name: &str) -> Response {
        let shown: String = name.chars().take(64).flat_map(char::escape_default).collect();
        let text = format!("the response has a header that may not be sent: {shown}");
        Response {
            spoiled: true,
            ..Response::text(text).with_status(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("media_type", &self.media_type)
            .field("lines", &format_args!("\"{}\"", self.lines.escape_ascii()))
            .field("body_len", &self.body.len())
            .field("close", &self.close)
            .finish_non_exhaustive()
    }
}

impl From<RequestError> for Response {
    fn from(error: RequestError) -> Response {
        let response = Response::text(error.as_str()).with_status(error.status()).close();
        match error {
            // RFC 6455 section 4.4, RFC 9110 section 15.5.22.
            RequestError::UnsupportedWebSocketVersion => {
                response.header("Upgrade", "websocket").header("Sec-WebSocket-Version", "13")
            }
            _ => response,
        }
    }
}

impl From<&'static str> for Response {
    fn from(text: &'static str) -> Response {
        Response::text(text)
    }
}

impl From<String> for Response {
    fn from(text: String) -> Response {
        Response::text(text)
    }
}

/// Appends a header line.
pub(super) fn push_line(out: &mut Vec<u8>, name: &str, value: &str) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Whether a header is the encoder's own (RFC 9112 sections 6 and 9).
fn is_framing(name: &str) -> bool {
    ["content-length", "transfer-encoding", "connection"]
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing))
}
