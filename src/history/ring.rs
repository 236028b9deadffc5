//! The kept messages of one topic, in the order of their ids. This file knows no other topic.

use std::collections::VecDeque;
use std::sync::Arc;

use super::kept::Kept;
use super::message_id::MessageId;
use super::settings::History;

/// The messages that a topic keeps.
#[derive(Debug, Default)]
pub(super) struct Ring {
    messages: VecDeque<Arc<Kept>>,
    /// The bytes that the messages count.
    bytes: usize,
    /// The greatest id of a message that may have been forgotten.
    trimmed: MessageId,
    /// The id of the latest message, also if it is forgotten.
    latest: MessageId,
}

impl Ring {
    /// Makes an empty ring. Messages up to `trimmed` may have been forgotten.
    pub(super) fn new(trimmed: MessageId) -> Ring {
        Ring { messages: VecDeque::new(), bytes: 0, trimmed, latest: trimmed }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn trimmed(&self) -> MessageId {
        self.trimmed
    }

    pub(super) fn latest(&self) -> MessageId {
        self.latest
    }

    pub(super) fn oldest(&self) -> Option<&Arc<Kept>> {
        self.messages.front()
    }

    /// Returns the first message with a greater id.
    pub(super) fn next_after(&self, after: MessageId) -> Option<&Arc<Kept>> {
        let at = self.messages.partition_point(|kept| kept.id <= after);
        self.messages.get(at)
    }

    /// Appends a message, whose id is greater than all before.
    pub(super) fn push(&mut self, kept: Arc<Kept>) {
        debug_assert!(kept.id > self.latest, "{} follows {}", kept.id, self.latest);
        self.latest = kept.id;
        self.bytes += kept.len();
        self.messages.push_back(kept);
    }

    /// Whether the topic has more messages or bytes than it may keep.
    pub(super) fn is_over(&self, history: &History) -> bool {
        self.messages.len() > history.messages || self.bytes > history.bytes
    }

    /// Removes the oldest message.
    pub(super) fn trim(&mut self) -> Option<Arc<Kept>> {
        let kept = self.messages.pop_front()?;
        self.bytes -= kept.len();
        self.trimmed = kept.id;
        let (len, capacity) = (self.messages.len(), self.messages.capacity());
        if len == 0 {
            self.messages = VecDeque::new();
        } else if capacity > 64 && len < capacity / 4 {
            self.messages.shrink_to(len * 2);
        }
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Outgoing;

    #[test]
    fn ring_finds_the_next_message_after_any_id_and_gives_memory_back() {
        let id = |b| MessageId::new(1, b);
        let mut ring = Ring::new(id(0));
        // Ids of a topic have gaps: other topics have the ids between.
        for b in (10..=5_000).step_by(10) {
            ring.push(Arc::new(Kept::new(&Outgoing::text("text"), id(b), 0)));
        }
        for after in 0..5_010 {
            let next = ring.next_after(id(after)).map(|kept| kept.id.b());
            let expected = (after / 10 + 1) * 10;
            assert_eq!(next, (expected <= 5_000).then_some(expected));
        }
        let history = History::new().messages(20);
        while ring.is_over(&history) {
            ring.trim();
        }
        assert_eq!((ring.len(), ring.trimmed(), ring.latest()), (20, id(4_800), id(5_000)));
        assert!(ring.messages.capacity() <= 128);
        assert_eq!(ring.next_after(id(0)).map(|kept| kept.id), Some(id(4_810)));
        while ring.trim().is_some() {}
        assert_eq!((ring.bytes, ring.messages.capacity()), (0, 0));
        assert_eq!((ring.trimmed(), ring.latest()), (id(5_000), id(5_000)));
    }
}
