//! What a handler may answer to a request. It knows no connection: the server performs it.

use std::borrow::Cow;

use crate::connection::OptionsId;
use crate::http1::Response;

/// A handler's answer to a request.
///
/// ```
/// use switchboard::{Reply, Response, Upgrade};
///
/// let _page: Reply = Response::text("hello").into();
/// let _upload = Reply::Body(1 << 20); // `body` is called with all of it, or the client gets 413
/// let _socket: Reply = Upgrade::new().into();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// Not mine: the next zone that matches is asked. Nobody answers: 404.
    Pass,
    /// The answer.
    Respond(Response),
    /// Call `body` with the whole request body, if it has at most this many bytes; more is answered 413.
    Body(usize),
    /// Make it a WebSocket (RFC 6455 section 4).
    Upgrade(Upgrade),
    /// Make it an event stream (`text/event-stream`).
    EventStream(EventStream),
    /// The answer comes later, through [`Context::respond`](crate::Context::respond) or
    /// [`Context::upgrade`](crate::Context::upgrade).
    Later,
    /// The head now, and the body piece by piece from [`Handler::writable`](crate::Handler::writable).
    Stream(Stream),
    /// This answer, and from then on the handler's own protocol over [`Handler::input`](crate::Handler::input). A request with
    /// a body is answered 400 instead, unless its body was asked for first.
    Takeover(Response),
}

impl From<Response> for Reply {
    fn from(response: Response) -> Reply {
        Reply::Respond(response)
    }
}

impl From<Upgrade> for Reply {
    fn from(upgrade: Upgrade) -> Reply {
        Reply::Upgrade(upgrade)
    }
}

impl From<EventStream> for Reply {
    fn from(stream: EventStream) -> Reply {
        Reply::EventStream(stream)
    }
}

impl From<Stream> for Reply {
    fn from(stream: Stream) -> Reply {
        Reply::Stream(stream)
    }
}

impl From<&'static str> for Reply {
    fn from(text: &'static str) -> Reply {
        Reply::Respond(Response::text(text))
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Reply {
        Reply::Respond(Response::text(text))
    }
}

/// Agreement to become a WebSocket. The handshake itself, its origin included, is checked by the server; a faulty one is
/// answered 400, 403 or 426 instead.
///
/// ```
/// use switchboard::Upgrade;
///
/// let upgrade = Upgrade::new().subprotocols(["chat.v2", "chat.v1"]).header("X-Node", "7");
/// # let _ = upgrade;
/// ```
#[derive(Debug, Default)]
pub struct Upgrade {
    pub(crate) subprotocols: Vec<Cow<'static, str>>,
    pub(crate) headers: Option<Response>,
    pub(crate) options: OptionsId,
}

impl Upgrade {
    /// A plain WebSocket under the server's default options.
    pub fn new() -> Upgrade {
        Upgrade::default()
    }

    /// The subprotocols that the handler speaks. The first of the client's offers that is among them is selected; if none is,
    /// the answer names none and it is for the client to go (RFC 6455 4.2.2).
    pub fn subprotocols<S: Into<Cow<'static, str>>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Upgrade {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// A further header field of the 101 response, e.g. `Set-Cookie`. A malformed one, or one of the handshake's own, turns
    /// the answer into a 500 that names it.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Upgrade {
        let headers = self.headers.unwrap_or_else(|| Response::empty(101));
        let ours = name.eq_ignore_ascii_case("upgrade")
            || name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("sec-websocket-"));
        self.headers = Some(match ours {
            true => Response::text(format!("{name} is the handshake's own")).with_status(500),
            false => headers.header(name, value),
        });
        self
    }

    /// Options for this WebSocket, registered with [`Context::add_options`](crate::Context::add_options).
    pub fn options(mut self, options: OptionsId) -> Upgrade {
        self.options = options;
        self
    }
}

/// Agreement to become an event stream: 200, `text/event-stream`, and from then on what is sent to it or published to its
/// topics, one event a message. A comment keeps it alive.
///
/// ```
/// use std::time::Duration;
/// use switchboard::EventStream;
///
/// let stream = EventStream::new().retry(Duration::from_secs(2)).header("X-Node", "7");
/// # let _ = stream;
/// ```
#[derive(Debug)]
pub struct EventStream {
    pub(crate) response: Response,
    pub(crate) retry: Option<std::time::Duration>,
    pub(crate) options: OptionsId,
}

impl Default for EventStream {
    fn default() -> EventStream {
        let response = Response::empty(200)
            .header("Content-Type", "text/event-stream")
            .header("Cache-Control", "no-store");
        EventStream { response, retry: None, options: OptionsId::default() }
    }
}

impl EventStream {
    /// A plain event stream.
    pub fn new() -> EventStream {
        EventStream::default()
    }

    /// How long the client should wait before it reconnects (whole milliseconds).
    pub fn retry(mut self, after: std::time::Duration) -> EventStream {
        self.retry = Some(after);
        self
    }

    /// A further header field of the response.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> EventStream {
        self.response = self.response.header(name, value);
        self
    }

    /// Options for this stream, registered with [`Context::add_options`](crate::Context::add_options).
    pub fn options(mut self, options: OptionsId) -> EventStream {
        self.options = options;
        self
    }
}

/// A response whose body is made piece by piece: [`Handler::writable`](crate::Handler::writable) is called at once and
/// whenever [`Conn::want_writable`](crate::Conn::want_writable) asked for it and the last piece has left;
/// [`Conn::write`](crate::Conn::write) and [`Conn::finish`](crate::Conn::finish) make the body.
///
/// ```
/// use switchboard::{Response, Stream};
///
/// let chunked = Stream::new(Response::empty(200).header("Content-Type", "text/csv"));
/// let counted = Stream::new(Response::empty(200)).length(1 << 30);
/// # let _ = (chunked, counted);
/// ```
#[derive(Debug)]
pub struct Stream {
    pub(crate) response: Response,
    pub(crate) length: Option<u64>,
}

impl Stream {
    /// A streamed body of unknown length: chunked, or delimited by the end of the connection for HTTP/1.0. A body that
    /// `response` already has is not sent.
    pub fn new(response: Response) -> Stream {
        Stream { response, length: None }
    }

    /// The body's length in bytes. Writing more than that is cut; finishing short of it breaks the connection off, so that
    /// the client notices.
    pub fn length(mut self, bytes: u64) -> Stream {
        self.length = Some(bytes);
        self
    }
}
