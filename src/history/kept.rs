//! One kept message: its WebSocket frame, and all else that an event needs. Other wire forms are
//! made when asked, and shared while an outbox has them. This file knows no topic.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::message_id::{IdText, MessageId};
use super::queued::Queued;
use crate::delivery::{EncodedOnce, Forms, Outgoing};
use crate::outbox::Shared;
use crate::websocket::{self, Decoded, Header, Message, Opcode};

/// Bytes that a kept message counts beyond its frame and its texts. It takes no more than these.
const OVERHEAD: usize = 256;

/// A message that a topic keeps. Live delivery and history share the frame.
pub(crate) struct Kept {
    pub(crate) id: MessageId,
    /// The second in which the message was published.
    pub(super) second: u32,
    uncompressed: bool,
    /// The message as one unmasked, uncompressed frame.
    frame: Shared,
    texts: Option<Box<Texts>>,
    forms: Mutex<Forms>,
}

/// What only some messages have.
struct Texts {
    event: Option<Box<str>>,
    key: Option<Box<str>>,
}

impl Kept {
    pub(crate) fn new(message: &Outgoing<'_>, id: MessageId, second: u32) -> Kept {
        let Outgoing { message, event, key, uncompressed, id: _ } = *message;
        let texts = (event.is_some() || key.is_some())
            .then(|| Box::new(Texts { event: event.map(Box::from), key: key.map(Box::from) }));
        let head = match message.len() {
            0..=0x7D => 2,
            0x7E..=0xFFFF => 4,
            _ => 10,
        };
        let mut frame = Vec::with_capacity(head + message.len());
        websocket::encode_message(&mut frame, message);
        let frame = Arc::new(frame);
        Kept { id, second, uncompressed, frame, texts, forms: Mutex::default() }
    }

    /// Returns the message without its id.
    pub(crate) fn outgoing(&self) -> Outgoing<'_> {
        let (event, key) = self.texts();
        let uncompressed = self.uncompressed;
        Outgoing { message: self.message(), event, id: None, key, uncompressed }
    }

    fn texts(&self) -> (Option<&str>, Option<&str>) {
        let texts = self.texts.as_deref();
        texts.map_or((None, None), |texts| (texts.event.as_deref(), texts.key.as_deref()))
    }

    /// Returns the key of the message, without a look at its text.
    pub(crate) fn key(&self) -> Option<&str> {
        self.texts().1
    }

    fn message(&self) -> Message<'_> {
        // This program wrote the header, so it is whole.
        let Decoded::Header(header, head) = Header::decode_with(&self.frame, true) else {
            return Message::Binary(&[]);
        };
        let payload = &self.frame[head..];
        match header.opcode {
            Opcode::Text => Message::Text(simdutf8::basic::from_utf8(payload).unwrap_or_default()),
            _ => Message::Binary(payload),
        }
    }

    /// Returns the bytes that the message counts against the bounds of its topic.
    pub(crate) fn len(&self) -> usize {
        let (event, key) = self.texts();
        OVERHEAD + self.frame.len() + event.map_or(0, str::len) + key.map_or(0, str::len)
    }

    /// Returns the message for its receivers, with the forms that are there. `id` is the text of
    /// the id, and `key` the number of what the message is the latest of.
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
        self.forms().encoded(message, key, &self.frame)
    }

    /// Shares the forms that were made for receivers, for as long as one of them has them.
    pub(crate) fn remember(&self, encoded: &EncodedOnce<'_>) {
        self.forms().remember(encoded);
    }

    fn forms(&self) -> MutexGuard<'_, Forms> {
        // No method panics half way through a change.
        self.forms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the forms counted that are in use, since the topic keeps the message no longer.
    pub(super) fn leave_to(self: &Arc<Kept>, queued: &mut Queued) {
        // A caller that has the message may still queue its frame.
        if Arc::strong_count(self) > 1 || Arc::strong_count(&self.frame) > 1 {
            queued.add(&self.frame, self.len());
        }
        self.forms().in_use().for_each(|form| queued.add(&form, form.len()));
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("id", &self.id).finish_non_exhaustive()
    }
}
