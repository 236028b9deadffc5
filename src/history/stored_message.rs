//! A message as a store keeps it: all that was said of it but its id, with one form in bytes. This
//! file knows no store.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::delivery::Outgoing;
use crate::websocket::Message;

/// A message as a [`Store`](crate::Store) keeps it: its data, and the event, the key and the wish
/// for no compression that an [`Outgoing`] carries. The id is the store's own.
///
/// A clone shares the data. [`to_bytes`](StoredMessage::to_bytes) and
/// [`from_bytes`](StoredMessage::from_bytes) suit a store that keeps bytes; the fields suit one
/// that keeps columns.
///
/// ```
/// use switchboard::{Message, Outgoing, StoredMessage};
///
/// let stored = StoredMessage::new(Outgoing::text("21.5").event("celsius"));
/// assert_eq!(stored.message(), Message::Text("21.5"));
/// assert_eq!((stored.event(), stored.key()), (Some("celsius"), None));
/// let bytes = stored.to_bytes();
/// assert_eq!(StoredMessage::from_bytes(&bytes), Ok(stored));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage(Arc<Fields>);

#[derive(Debug, PartialEq, Eq)]
struct Fields {
    payload: Payload,
    event: Option<Box<str>>,
    key: Option<Box<str>>,
    uncompressed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Payload {
    Text(Box<str>),
    Binary(Box<[u8]>),
}

/// The bits of the first byte.
const BINARY: u8 = 0x01;
const EVENT: u8 = 0x02;
const KEY: u8 = 0x04;
const UNCOMPRESSED: u8 = 0x08;

/// Memory of a message beside its texts and its data, in bytes.
const OVERHEAD: usize = 200;

impl StoredMessage {
    /// Copies a message. An [`Outgoing::id`] is left out.
    pub fn new<'m>(message: impl Into<Outgoing<'m>>) -> StoredMessage {
        let Outgoing { message, event, key, uncompressed, .. } = message.into();
        let payload = match message {
            Message::Text(text) => Payload::Text(text.into()),
            Message::Binary(bytes) => Payload::Binary(bytes.into()),
        };
        StoredMessage(Arc::new(Fields {
            payload,
            event: event.map(Box::from),
            key: key.map(Box::from),
            uncompressed,
        }))
    }

    /// Returns the data.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        match &self.0.payload {
            Payload::Text(text) => Message::Text(text),
            Payload::Binary(bytes) => Message::Binary(bytes),
        }
    }

    /// Returns the name of the event, as [`Outgoing::event`] set it.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.0.event.as_deref()
    }

    /// Returns the key, as [`Outgoing::key`] set it.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Whether the message is sent uncompressed, as [`Outgoing::uncompressed`] asked for.
    #[must_use]
    pub fn is_uncompressed(&self) -> bool {
        self.0.uncompressed
    }

    /// Returns the message in the form in which it is sent.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            message: self.message(),
            event: self.event(),
            id: None,
            key: self.key(),
            uncompressed: self.0.uncompressed,
        }
    }

    /// Returns the message in bytes: one byte of flags, the event and the key where there are any,
    /// each behind its length in four bytes, and the data.
    ///
    /// ```
    /// use switchboard::StoredMessage;
    ///
    /// assert_eq!(StoredMessage::new("hi").to_bytes(), b"\x00hi");
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let data = self.message();
        let mut bytes = Vec::with_capacity(1 + data.as_bytes().len());
        let flag = |yes: bool, flag: u8| if yes { flag } else { 0 };
        bytes.push(
            flag(matches!(data, Message::Binary(_)), BINARY)
                | flag(self.event().is_some(), EVENT)
                | flag(self.key().is_some(), KEY)
                | flag(self.is_uncompressed(), UNCOMPRESSED),
        );
        for text in [self.event(), self.key()].into_iter().flatten() {
            // The name of an event and a key are parts of messages, which are far below 4 GiB.
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(data.as_bytes());
        bytes
    }

    /// Reads what [`to_bytes`](StoredMessage::to_bytes) has written.
    ///
    /// # Errors
    /// When the bytes are those of no message: cut, with a flag that does not exist, or with text
    /// that is not UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<StoredMessage, MalformedStoredMessage> {
        let malformed = MalformedStoredMessage;
        let (&flags, mut rest) = bytes.split_first().ok_or(malformed)?;
        if flags & !(BINARY | EVENT | KEY | UNCOMPRESSED) != 0 {
            return Err(malformed);
        }
        let mut text = |flag: u8| match flags & flag != 0 {
            true => take_text(&mut rest).map(Some),
            false => Ok(None),
        };
        let (event, key) = (text(EVENT)?, text(KEY)?);
        let message = match flags & BINARY != 0 {
            true => Message::Binary(rest),
            false => Message::Text(std::str::from_utf8(rest).map_err(|_| malformed)?),
        };
        let uncompressed = flags & UNCOMPRESSED != 0;
        Ok(StoredMessage::new(Outgoing { message, event, id: None, key, uncompressed }))
    }

    /// Returns the memory that the message takes while it waits, in bytes.
    pub(crate) fn len(&self) -> usize {
        let texts = [self.event(), self.key()].into_iter().flatten();
        OVERHEAD + self.message().as_bytes().len() + texts.map(str::len).sum::<usize>()
    }
}

/// Takes a text behind its length.
fn take_text<'b>(rest: &mut &'b [u8]) -> Result<&'b str, MalformedStoredMessage> {
    let malformed = MalformedStoredMessage;
    let (len, after) = rest.split_first_chunk::<4>().ok_or(malformed)?;
    let len = u32::from_le_bytes(*len) as usize;
    let (text, after) = after.split_at_checked(len).ok_or(malformed)?;
    *rest = after;
    std::str::from_utf8(text).map_err(|_| malformed)
}

impl<'m, M: Into<Outgoing<'m>>> From<M> for StoredMessage {
    fn from(message: M) -> StoredMessage {
        StoredMessage::new(message)
    }
}

/// The error of [`StoredMessage::from_bytes`]: the bytes are those of no message.
///
/// ```
/// use switchboard::StoredMessage;
///
/// let error = StoredMessage::from_bytes(b"").unwrap_err();
/// assert_eq!(error.to_string(), "these bytes are no stored message: they are cut or damaged");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MalformedStoredMessage;

impl fmt::Display for MalformedStoredMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these bytes are no stored message: they are cut or damaged")
    }
}

impl Error for MalformedStoredMessage {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn message_keeps_all_that_was_said_of_it() {
        let given = Outgoing::text("21.5").event("temperature").id("7").key("room").uncompressed();
        let stored = StoredMessage::new(given);
        let Outgoing { message, event, id, key, uncompressed } = stored.outgoing();
        assert!(matches!(message, Message::Text("21.5")));
        assert_eq!((event, id, key), (Some("temperature"), None, Some("room")));
        assert!(uncompressed);
        assert_eq!(stored.len(), 200 + 4 + 11 + 4);
        assert_eq!(
            stored.to_bytes(),
            b"\x0e\x0b\0\0\0temperature\x04\0\0\0room21.5",
            "the form in bytes is for ever: files are made of it"
        );
    }

    #[test]
    fn bytes_of_no_message_are_an_error() {
        let rows: [&[u8]; 8] = [
            b"",
            b"\x10",
            b"\x80hi",
            b"\x02",
            b"\x02\x01\0\0\0",
            b"\x04\xff\xff\xff\xffkey",
            b"\x02\x01\0\0\0\xff",
            b"\x00\xff",
        ];
        for row in rows {
            assert_eq!(StoredMessage::from_bytes(row), Err(MalformedStoredMessage), "{row:?}");
        }
    }

    proptest! {
        #[test]
        fn message_has_one_form_in_bytes(
            data: Vec<u8>,
            text: Option<String>,
            event: Option<String>,
            key: Option<String>,
            uncompressed: bool,
        ) {
            let message = match &text {
                Some(text) => Message::Text(text),
                None => Message::Binary(&data),
            };
            let (event, key) = (event.as_deref(), key.as_deref());
            let outgoing = Outgoing { message, event, id: None, key, uncompressed };
            let stored = StoredMessage::new(outgoing);
            prop_assert_eq!(StoredMessage::from_bytes(&stored.to_bytes()), Ok(stored));
        }

        #[test]
        fn bytes_that_are_read_are_those_that_are_written(bytes: Vec<u8>) {
            if let Ok(stored) = StoredMessage::from_bytes(&bytes) {
                prop_assert_eq!(stored.to_bytes(), bytes);
            }
        }
    }
}
