//! A message on its way out and what goes with it; and how a connection's exchange ended. Plain values.

use crate::websocket::{CloseCode, Message};

/// A message to be sent: to a WebSocket as it is, to an event stream as one event.
///
/// Most often made by itself, from a [`Message`], a `&str` (text) or a `&[u8]` (binary).
///
/// ```
/// use switchboard::Outgoing;
///
/// let plain = Outgoing::from("hello");
/// let named = Outgoing::text("21.5").event("temperature").id("1042");
/// # let _ = (plain, named);
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
    /// A text message.
    pub fn text(text: &'a str) -> Outgoing<'a> {
        Message::Text(text).into()
    }

    /// A binary message. Event streams carry text only: they are not sent it.
    pub fn binary(bytes: &'a [u8]) -> Outgoing<'a> {
        Message::Binary(bytes).into()
    }

    /// What the message is the latest of: under [`Backpressure::KeepLatest`](crate::Backpressure::KeepLatest) it replaces one with the same key
    /// that still waits. A publish without a key has its topic for one.
    pub fn key(mut self, key: &'a str) -> Outgoing<'a> {
        self.key = Some(key);
        self
    }

    /// The message goes as it is, whatever was agreed on about compression: for what does not compress, or must not be guessed at by its length.
    pub fn uncompressed(mut self) -> Outgoing<'a> {
        self.uncompressed = true;
        self
    }

    /// The event's name, for event streams only.
    pub fn event(mut self, name: &'a str) -> Outgoing<'a> {
        self.event = Some(name);
        self
    }

    /// The event's id, for event streams only: a client that reconnects tells the last one it saw.
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

/// A piece of a message that is handed over as it arrives; see [`Options::chunks`](crate::Options::chunks).
///
/// ```
/// use switchboard::{Chunk, Conn, Handler, Message};
///
/// #[derive(Default)]
/// struct Upload { bytes: u64 }
///
/// impl Handler for Upload {
///     fn chunk(&mut self, conn: &mut Conn<'_>, chunk: Chunk<'_>) {
///         self.bytes += chunk.data.len() as u64;
///         if chunk.is_last {
///             conn.send(&*format!("{} bytes", self.bytes));
///             self.bytes = 0;
///         }
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Chunk<'a> {
    /// The piece; text is valid UTF-8 by itself, and the last piece may be empty.
    pub data: Message<'a>,
    /// Whether the message ends with it: the next one begins another message.
    pub is_last: bool,
}

/// How a WebSocket, event stream or takeover ended.
///
/// ```
/// use switchboard::{Close, CloseCode};
///
/// fn was_polite(close: Close<'_>) -> bool {
///     close.by_peer && close.code == CloseCode::NORMAL
/// }
/// # let _ = was_polite;
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Close<'a> {
    /// The close code; [`CloseCode::ABNORMAL`] (1006) if there was no Close frame, [`CloseCode::NO_STATUS`] (1005) if it
    /// carried none.
    pub code: CloseCode,
    /// The reason that came with it, at most 123 bytes.
    pub reason: &'a str,
    /// Whether the peer began it.
    pub by_peer: bool,
}
