//! A message on its way out, with what goes with it. A plain value: this file sends nothing.

use crate::websocket::Message;

/// A message to send: a frame to a WebSocket, an event to an event stream.
///
/// [`Conn::send`](crate::Conn::send) and [`Context::publish`](crate::Context::publish) make one of
/// a [`Message`], a `&str` (text) or a `&[u8]` (binary).
///
/// ```
/// use switchboard::{Context, Outgoing};
///
/// fn report(cx: &mut Context) {
///     cx.publish("news", "hello");
///     cx.publish("room", Outgoing::text("21.5").event("temperature").id("1042"));
/// }
/// # let mut server = switchboard::Server::detached();
/// # let cx = server.context(std::time::Instant::now());
/// # report(cx);
/// # assert_eq!(cx.subscribers("room"), 0);
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

    /// Names what the message is the latest of. Under
    /// [`Backpressure::KeepLatest`](crate::Backpressure::KeepLatest) it replaces a waiting message
    /// with the same key. A publish without a key has its topic for one.
    #[must_use]
    pub fn key(mut self, key: &'a str) -> Outgoing<'a> {
        self.key = Some(key);
        self
    }

    /// Sends the message uncompressed, whatever both sides agreed on. Use it for bytes that do not
    /// shrink, and for secrets whose length must not tell of their content.
    #[must_use]
    pub fn uncompressed(mut self) -> Outgoing<'a> {
        self.uncompressed = true;
        self
    }

    /// Names the event. Only event streams carry it.
    #[must_use]
    pub fn event(mut self, name: &'a str) -> Outgoing<'a> {
        self.event = Some(name);
        self
    }

    /// Sets the id of the event. Only event streams carry it; a client that reconnects sends the
    /// last id that it has.
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
