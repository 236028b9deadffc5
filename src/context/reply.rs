//! A handler's reply to a request, as a value. This file knows no connection: server/reply.rs
//! performs a reply.

use std::borrow::Cow;

use super::event_stream::EventStream;
use super::long_poll::LongPoll;
use crate::connection::OptionsId;
use crate::http1::Response;

/// A handler's reply to a request, from [`Handler::request`] or [`Handler::body`].
///
/// Texts, [`Response`], [`Upgrade`], [`EventStream`], [`LongPoll`] and [`Stream`] convert into it.
/// The callbacks that follow each reply stand in a table at
/// [`Handler`](crate::Handler#callbacks).
///
/// # The body of the request
/// A body is *whole* if all its bytes arrived together with the head, and it is not chunked.
/// Otherwise it is *unread*. After `Body` has fetched the body, the server treats the request as
/// one without a body. `Upgrade` is the exception: a handshake with a body is refused.
///
/// | reply | whole body | unread body |
/// | --- | --- | --- |
/// | `Pass` | offered to the next zone | offered to the next zone |
/// | `Respond` | discarded | up to 64 KiB are read and discarded; for more, the connection ends |
/// | `Body` | handed to [`Handler::body`] | collected, then handed to [`Handler::body`] |
/// | `Upgrade` | answered with 400 | answered with 400 |
/// | `EventStream` | discarded | read and discarded |
/// | `Later`, `LongPoll`, `Stream` | discarded | not read; the connection ends after the answer |
/// | `Takeover` | answered with 400 | answered with 400 |
///
/// With `Expect: 100-continue` (RFC 9110 10.1.1), `Body` alone sends the 100. In this case
/// `Respond` to an unread body ends the connection. The 404 and 405 of the server itself are like
/// `Respond`.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Conn, Handler, Reply, Request, Response};
///
/// struct Upload;
/// impl Handler for Upload {
///     fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
///         match request.path() {
///             "/upload" => Reply::Body(1 << 10), // bytes; a longer body is answered with 413
///             "/" => "send a file to /upload".into(),
///             _ => Reply::Pass,
///         }
///     }
///     fn body(&mut self, _: &mut Conn<'_>, _: &mut Request<'_>, body: &[u8]) -> Reply {
///         Response::text(format!("{} bytes", body.len())).with_status(201).into()
///     }
/// }
///
/// let mut world = World::new();
/// world.server.zone("/", Upload);
/// assert_eq!(world.get("/").text(), "send a file to /upload");
/// assert_eq!(world.post("/upload", "hello").text(), "5 bytes");
/// assert_eq!(world.post("/upload", vec![0; 2000]).status, 413);
/// assert_eq!(world.get("/elsewhere").status, 404);
/// ```
///
/// [`Handler::request`]: crate::Handler::request
/// [`Handler::body`]: crate::Handler::body
// A new variant of `Reply` is performed in server/reply.rs, in `perform`, which also says what
// becomes of an unread body. `ask` in server/request.rs decides which replies a request with a body
// may have. A reply that owes something to its peer also needs a `Progress`
// (connection/exchange.rs), a deadline (server/deadlines.rs) and perhaps a `Phase`
// (connection/phase.rs). Tables of replies stand at `Handler` and in guide/first_server.rs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// Passes the request on to the next zone that matches. If no zone replies, the answer is 404,
    /// or 405 where a zone takes other methods (RFC 9110 15.5.6). `OPTIONS *` is answered with 204.
    Pass,
    /// Answers with this response. A status of 1xx is no final answer and becomes 500 (RFC 9110
    /// 15.2). With 204, 205 and 304 no body is sent (RFC 9110 6.4.1).
    Respond(Response),
    /// Asks for the whole request body, of at most this many bytes, for
    /// [`Handler::body`](crate::Handler::body). A longer body is answered with 413, and the
    /// connection ends.
    Body(usize),
    /// Makes the request a WebSocket (RFC 6455 section 4).
    Upgrade(Upgrade),
    /// Makes the request an event stream (`text/event-stream`; HTML standard, section 9.2).
    EventStream(EventStream),
    /// Defers the answer to [`Context::respond`](crate::Context::respond) or
    /// [`Context::upgrade`](crate::Context::upgrade), within
    /// [`Options::answer_timeout`](crate::Options::answer_timeout).
    Later,
    /// Answers with the messages of some topics that are newer than an id, or waits for the next.
    LongPoll(LongPoll),
    /// Sends the head now, and the body piece by piece from
    /// [`Handler::writable`](crate::Handler::writable).
    Stream(Stream),
    /// Sends this response. From then on the connection speaks the handler's own protocol, over
    /// [`Handler::input`](crate::Handler::input) and [`Conn::write`](crate::Conn::write).
    ///
    /// A body that the response has is not sent.
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

impl From<LongPoll> for Reply {
    fn from(poll: LongPoll) -> Reply {
        Reply::LongPoll(poll)
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

/// A handler's consent to a WebSocket, for [`Reply::Upgrade`] and
/// [`Context::upgrade`](crate::Context::upgrade).
///
/// The server checks the handshake itself (RFC 6455 4.2.1), also its `Origin`:
/// [`Zone::origins`](crate::Zone::origins), [`Server::origins`](crate::Server::origins). A faulty
/// handshake is answered with 400, a foreign origin 403, and another version 426 (RFC 6455 4.4).
///
/// ```
/// use switchboard::http::Request;
/// use switchboard::testing::World;
/// use switchboard::{Upgrade, Zone};
///
/// let mut world = World::new();
/// world.server.http(Zone::new("/").upgrades(true), |_conn, _request| {
///     Upgrade::new().subprotocols(["chat.v2", "chat.v1"]).header("X-Node", "7")
/// });
/// let ada = world.websocket(Request::get("/").header("Sec-WebSocket-Protocol", "chat.v1"));
/// assert_eq!(world.head(ada).header("Sec-WebSocket-Protocol"), Some("chat.v1"));
/// assert_eq!(world.head(ada).header("X-Node"), Some("7"));
/// ```
#[derive(Debug, Default)]
pub struct Upgrade {
    pub(crate) subprotocols: Vec<Cow<'static, str>>,
    pub(crate) headers: Option<Response>,
    pub(crate) options: OptionsId,
}

impl Upgrade {
    /// Makes a consent without subprotocol and header fields, under the server's default options.
    #[must_use]
    pub fn new() -> Upgrade {
        Upgrade::default()
    }

    /// Sets the subprotocols that the handler speaks. The server selects the first of the client's
    /// offers that is among them. With no match, the answer names no subprotocol, and the client
    /// decides (RFC 6455 4.2.2).
    #[must_use]
    pub fn subprotocols<S: Into<Cow<'static, str>>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Upgrade {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a header field to the 101 response, such as `Set-Cookie`. A malformed field turns the
    /// answer into a 500 that names the field. So does `Upgrade` or a `Sec-WebSocket-` field, which
    /// the handshake itself sets.
    #[must_use]
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

    /// Sets the options of this WebSocket, registered with
    /// [`Context::add_options`](crate::Context::add_options).
    #[must_use]
    pub fn options(mut self, options: OptionsId) -> Upgrade {
        self.options = options;
        self
    }
}

/// A response whose body the handler makes piece by piece, for [`Reply::Stream`].
///
/// [`Handler::writable`](crate::Handler::writable) is called first in the turn of the request.
/// After [`Conn::want_writable`](crate::Conn::want_writable), the next call follows once all pieces
/// have left. [`Conn::write`](crate::Conn::write) adds a piece to the body, and
/// [`Conn::finish`](crate::Conn::finish) ends the body. With a status of 1xx, the answer is 500 and
/// no callback follows.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Conn, Handler, Reply, Request, Response, Stream};
///
/// struct Countdown { next: u8 }
/// impl Handler for Countdown {
///     fn request(&mut self, _conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
///         Stream::new(Response::empty(200).header("Content-Type", "text/plain")).into()
///     }
///     fn writable(&mut self, conn: &mut Conn<'_>) {
///         if self.next == 0 {
///             return conn.finish();
///         }
///         conn.write(self.next.to_string().as_bytes());
///         self.next -= 1;
///         conn.want_writable(); // the next piece, once this one has left
///     }
/// }
///
/// let mut world = World::new();
/// world.server.zone("/", Countdown { next: 3 });
/// assert_eq!(world.get("/").text(), "321");
/// ```
#[derive(Debug)]
pub struct Stream {
    pub(crate) response: Response,
    pub(crate) length: Option<u64>,
}

impl Stream {
    /// Makes a streamed body of unknown length. It is chunked (RFC 9112 7.1); for HTTP/1.0, the end
    /// of the connection delimits it. A body that `response` has is not sent.
    #[must_use]
    pub fn new(response: Response) -> Stream {
        Stream { response, length: None }
    }

    /// Sets the body's length in bytes. Bytes beyond the length are cut. A shorter body breaks the
    /// connection off at [`finish`](crate::Conn::finish), so that the client notices.
    #[must_use]
    pub fn length(mut self, bytes: u64) -> Stream {
        self.length = Some(bytes);
        self
    }
}
