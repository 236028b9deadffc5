//! A message to send, with its key, the fields of an event, and whether to compress it. This file
//! sends nothing.

use crate::websocket::Message;

/// A message to send: a frame to a WebSocket, an event to an event stream.
///
/// [`Conn::send`](crate::Conn::send) and [`Context::publish`](crate::Context::publish) make one of
/// a [`Message`], a `&str` (text) or a `&[u8]` (binary).
///
/// ```
/// use switchboard::testing::{Received, World};
/// use switchboard::{Conn, EventStream, Handler, Outgoing, Reply, Request};
///
/// struct Room;
///
/// impl Handler for Room {
///     fn request(&mut self, _: &mut Conn, _: &mut Request) -> Reply {
///         EventStream::new().into()
///     }
///
///     fn open(&mut self, conn: &mut Conn, _: &Request) {
///         conn.subscribe("room");
///     }
/// }
///
/// let mut world = World::new();
/// world.server.zone("/", Room);
/// let client = world.events("/");
/// world.context().publish("room", Outgoing::text("21.5").event("temperature").id("1042"));
/// let (event, id) = (Some("temperature".to_owned()), Some("1042".to_owned()));
/// let expected = Received::Event { event, id, data: "21.5".to_owned() };
/// assert_eq!(world.hear(client), [expected]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) event: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) uncompressed: bool,
}

impl<'a> Outgoing<'a> {
    /// Makes a text message.
    #[must_use]
    pub fn text(text: &'a str) -> Outgoing<'a> {
        Message::Text(text).into()
    }

    /// Makes a binary message. Event streams carry text only: they are not sent it.
    #[must_use]
    pub fn binary(bytes: &'a [u8]) -> Outgoing<'a> {
        Message::Binary(bytes).into()
    }

    /// Names what the message is the latest of.
    ///
    /// Under [`Backpressure::KeepLatest`](crate::Backpressure::KeepLatest), once more than
    /// `max_buffered` bytes wait, the waiting messages with the key of the latest one are dropped.
    /// Below that limit all are delivered. A publish without a key has its topic for one. Sent
    /// messages without a key are dropped oldest first.
    #[must_use]
    pub fn key(mut self, key: &'a str) -> Outgoing<'a> {
        self.key = Some(key);
        self
    }

    /// Sends the message uncompressed, even where both sides agreed on compression. Use it for
    /// bytes that do not shrink, and for secrets whose length must not tell of their content.
    #[must_use]
    pub fn uncompressed(mut self) -> Outgoing<'a> {
        self.uncompressed = true;
        self
    }

    /// Names the event. Only event streams carry it. A name with a line break is left out.
    #[must_use]
    pub fn event(mut self, name: &'a str) -> Outgoing<'a> {
        self.event = Some(name);
        self
    }

    /// Sets the id of the event. Only event streams carry it; a client that reconnects sends the
    /// last id that it has. An id with a line break or a NUL is left out. A topic with
    /// [history](crate::Server::history) gives a [`MessageId`](crate::MessageId) in place of it.
    #[must_use]
    pub fn id(mut self, id: &'a str) -> Outgoing<'a> {
        self.id = Some(id);
        self
    }
}

impl<'a, M: Into<Message<'a>>> From<M> for Outgoing<'a> {
    fn from(message: M) -> Outgoing<'a> {
        Outgoing { message: message.into(), event: None, id: None, key: None, uncompressed: false }
    }
}
