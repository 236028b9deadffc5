//! One kept message: its WebSocket frame, and all else that an event needs. Other wire forms are
//! made when asked, and shared while an outbox has them. This file knows no topic.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::message_id::{IdText, MessageId};
use crate::delivery::{EncodedOnce, Outgoing};
use crate::outbox::Shared;
use crate::websocket::{self, Decoded, Header, Message, Opcode};

/// Bytes that a kept message takes beyond its frame and its texts.
const OVERHEAD: usize = 256;

/// A message that a topic keeps. Live delivery and history share the frame.
pub(crate) struct Kept {
    pub(crate) id: MessageId,
    /// The message as one unmasked, uncompressed frame.
    frame: Shared,
    texts: Option<Box<Texts>>,
    uncompressed: bool,
    /// The second in which the message was published.
    pub(super) second: u32,
    event: Mutex<Weak<Vec<u8>>>,
}

/// What only some messages have.
#[derive(Debug)]
struct Texts {
    event: Option<Box<str>>,
    key: Option<Box<str>>,
}

impl Kept {
    pub(super) fn new(message: &Outgoing<'_>, id: MessageId, second: u32) -> Kept {
        let mut frame = Vec::with_capacity(message.message.len() + 10);
        websocket::encode_message(&mut frame, message.message);
        frame.shrink_to_fit();
        let texts = (message.event.is_some() || message.key.is_some()).then(|| {
            let Outgoing { event, key, .. } = *message;
            Box::new(Texts { event: event.map(Box::from), key: key.map(Box::from) })
        });
        let uncompressed = message.uncompressed;
        let event = Mutex::default();
        Kept { id, frame: Arc::new(frame), texts, uncompressed, second, event }
    }

    /// Returns the message without its id.
    pub(crate) fn outgoing(&self) -> Outgoing<'_> {
        let texts = self.texts.as_deref();
        Outgoing {
            message: self.message(),
            event: texts.and_then(|texts| texts.event.as_deref()),
            id: None,
            key: texts.and_then(|texts| texts.key.as_deref()),
            uncompressed: self.uncompressed,
        }
    }

    fn message(&self) -> Message<'_> {
        // This program wrote the header, so it is whole.
        let Decoded::Header(Header { opcode, .. }, head) = Header::decode_with(&self.frame, true)
        else {
            return Message::Binary(&[]);
        };
        let payload = &self.frame[head..];
        match opcode {
            Opcode::Text => Message::Text(simdutf8::basic::from_utf8(payload).unwrap_or_default()),
            _ => Message::Binary(payload),
        }
    }

    /// Returns the bytes that the message counts against the bounds of its topic.
    pub(crate) fn len(&self) -> usize {
        let texts = self.texts.as_deref();
        let texts = texts.map(|texts| [texts.event.as_deref(), texts.key.as_deref()]);
        let texts = texts.into_iter().flatten().flatten().map(str::len).sum::<usize>();
        OVERHEAD + self.frame.len() + texts
    }

    /// Returns the message for its receivers, with the forms that are there. `id` is the text of
    /// the id; `key` is the number of what the message is the latest of.
    pub(crate) fn encoded<'k>(&'k self, id: &'k IdText, key: u64) -> EncodedOnce<'k> {
        self.encoded_of(self.outgoing(), id, key)
    }

    /// As [`encoded`](Kept::encoded), for a caller that has the message at hand.
    pub(crate) fn encoded_of<'m>(
        &self,
        message: Outgoing<'m>,
        id: &'m IdText,
        key: u64,
    ) -> EncodedOnce<'m> {
        let message = Outgoing { id: Some(id.as_str()), ..message };
        EncodedOnce::kept(message, key, Arc::clone(&self.frame), self.event().upgrade())
    }

    /// Shares the forms that were made for receivers, for as long as one of them has them.
    pub(crate) fn remember(&self, encoded: &EncodedOnce<'_>) {
        if let Some(event) = encoded.event() {
            *self.event() = Arc::downgrade(event);
        }
    }

    fn event(&self) -> MutexGuard<'_, Weak<Vec<u8>>> {
        // No method panics half way through a change.
        self.event.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("id", &self.id).finish_non_exhaustive()
    }
}
