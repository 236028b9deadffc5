//! A published message on its way to the other reactors of a cluster: copied once, and shared by
//! all of them. This file knows no receiver.

use crate::delivery::Outgoing;
use crate::websocket::Message;

/// A message with its topic, and all that [`Outgoing`] says of it.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) topic: Box<str>,
    payload: Payload,
    event: Option<Box<str>>,
    id: Option<Box<str>>,
    key: Option<Box<str>>,
    uncompressed: bool,
}

#[derive(Debug)]
enum Payload {
    Text(Box<str>),
    Binary(Box<[u8]>),
}

impl Published {
    pub(crate) fn new(topic: &str, message: &Outgoing<'_>) -> Published {
        Published {
            topic: topic.into(),
            payload: match message.message {
                Message::Text(text) => Payload::Text(text.into()),
                Message::Binary(bytes) => Payload::Binary(bytes.into()),
            },
            event: message.event.map(Box::from),
            id: message.id.map(Box::from),
            key: message.key.map(Box::from),
            uncompressed: message.uncompressed,
        }
    }

    pub(crate) fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            message: match &self.payload {
                Payload::Text(text) => Message::Text(text),
                Payload::Binary(bytes) => Message::Binary(bytes),
            },
            event: self.event.as_deref(),
            id: self.id.as_deref(),
            key: self.key.as_deref(),
            uncompressed: self.uncompressed,
        }
    }

    /// Returns the bytes that the message takes while it waits, some 200 of them for itself.
    pub(crate) fn bytes(&self) -> usize {
        let Outgoing { message, event, id, key, .. } = self.outgoing();
        let texts = [Some(&*self.topic), event, id, key].into_iter().flatten();
        200 + message.as_bytes().len() + texts.map(str::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_keeps_all_that_was_said_of_it() {
        let given = Outgoing::text("21.5").event("temperature").id("7").key("room").uncompressed();
        let published = Published::new("topic", &given);
        let Outgoing { message, event, id, key, uncompressed } = published.outgoing();
        assert!(matches!(message, Message::Text("21.5")));
        assert_eq!((event, id, key), (Some("temperature"), Some("7"), Some("room")));
        assert!(uncompressed);
        assert_eq!(published.bytes(), 200 + 4 + 5 + 11 + 1 + 4);
        let published = Published::new("", &Outgoing::binary(&[0xff]));
        assert!(matches!(published.outgoing().message, Message::Binary([0xff])));
    }
}
