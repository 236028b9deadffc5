//! What a client receives from the server, with one item for each message or event. This file knows
//! no frames.

use crate::websocket::Message;

/// A message of a WebSocket or an event of an event stream, as the client received it.
///
/// A value equals a `&str` if it is a text message or an event with that data, and a `&[u8]` if it
/// is a binary message. So a list of them compares with an array of literals, or of
/// [`Message`]s where both kinds occur.
///
/// ```
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.server.websocket("/echo", |conn, message| conn.send(message));
/// let ada = world.websocket("/echo");
/// world.say(ada, "text");
/// assert_eq!(world.hear(ada), ["text"]);
/// world.say(ada, &[0xFF, 0xFE]);
/// assert_eq!(world.hear(ada), [[0xFF, 0xFE]]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// An event of an event stream (HTML standard, section 9.2).
    Event {
        /// The `event` field: the name, if the event has one.
        event: Option<String>,
        /// The `id` field, if the event has one.
        id: Option<String>,
        /// The `data` fields, joined by LF.
        data: String,
    },
}

impl Received {
    /// The text of a text message, or the data of an event.
    ///
    /// ```
    /// use switchboard::testing::Received;
    ///
    /// assert_eq!(Received::Text("hello".to_owned()).text(), "hello");
    /// ```
    ///
    /// # Panics
    /// If this is a binary message.
    #[track_caller]
    pub fn text(&self) -> &str {
        match self {
            Received::Text(text) | Received::Event { data: text, .. } => text,
            Received::Binary(bytes) => panic!(
                "the message is binary, not text: \"{}\". Match on Received::Binary instead",
                bytes.escape_ascii()
            ),
        }
    }
}

impl From<Message<'_>> for Received {
    fn from(message: Message<'_>) -> Received {
        match message {
            Message::Text(text) => Received::Text(text.to_owned()),
            Message::Binary(bytes) => Received::Binary(bytes.to_vec()),
        }
    }
}

impl PartialEq<Message<'_>> for Received {
    fn eq(&self, other: &Message<'_>) -> bool {
        match (self, other) {
            (Received::Text(text), Message::Text(other)) => text == other,
            (Received::Binary(bytes), Message::Binary(other)) => bytes == other,
            _ => false,
        }
    }
}

impl PartialEq<str> for Received {
    fn eq(&self, other: &str) -> bool {
        !matches!(self, Received::Binary(_)) && self.text() == other
    }
}

impl PartialEq<&str> for Received {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq<String> for Received {
    fn eq(&self, other: &String) -> bool {
        *self == **other
    }
}

impl PartialEq<[u8]> for Received {
    fn eq(&self, other: &[u8]) -> bool {
        matches!(self, Received::Binary(bytes) if bytes == other)
    }
}

impl PartialEq<&[u8]> for Received {
    fn eq(&self, other: &&[u8]) -> bool {
        *self == **other
    }
}

impl PartialEq<Vec<u8>> for Received {
    fn eq(&self, other: &Vec<u8>) -> bool {
        *self == **other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Received {
    fn eq(&self, other: &[u8; N]) -> bool {
        *self == other[..]
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Received {
    fn eq(&self, other: &&[u8; N]) -> bool {
        *self == other[..]
    }
}
