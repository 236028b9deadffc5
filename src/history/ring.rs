//! The kept messages of one topic, in the order of their ids, within the bounds of the topic. This
//! file knows no other topic.

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
    /// The greatest id of a message that is not kept, as far as is known.
    trimmed: MessageId,
    /// The id of the latest message.
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

    pub(super) fn bytes(&self) -> usize {
        self.bytes
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
        Some(kept)
    }
}
