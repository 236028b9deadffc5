//! Reads the messages that topics keep. This file changes nothing.

use std::sync::Arc;

use super::context::Context;
use crate::history::{Kept, MessageId, Resume};

impl Context {
    /// Whether a topic still has all messages after an id.
    pub(crate) fn resume(&self, topic: &str, from: MessageId) -> Resume {
        let gap = Resume::Gap { oldest: MessageId::default() };
        self.histories.as_ref().map_or(gap, |histories| histories.resume(topic, from))
    }

    /// Returns the id after which a topic has all messages.
    pub(crate) fn start_of(&self, topic: &str) -> MessageId {
        let histories = self.histories.as_ref();
        histories.map_or_else(MessageId::default, |histories| histories.start_of(topic))
    }

    /// Returns the first message of a topic after an id.
    pub(crate) fn kept_after(&self, topic: &str, after: MessageId) -> Option<Arc<Kept>> {
        self.histories.as_ref()?.next_after(topic, after).cloned()
    }
}
