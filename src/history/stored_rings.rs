//! The rings of topics in front of a store: each begins at an id that the store says. This file
//! asks no store.

use super::histories::Histories;
use super::message_id::MessageId;
use super::ring::Ring;

impl Histories {
    /// Begins a topic anew: its ring has all messages after an id.
    pub(crate) fn begin(&mut self, topic: &str, from: MessageId) {
        self.forget_topic(topic);
        if let Some(at) = self.add(topic) {
            self.rings[at].ring = Ring::new(from);
        }
    }

    /// Forgets a topic with all its messages.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        if let Some(at) = self.rings.find(topic) {
            self.forget(at);
        }
    }

    /// Returns the id after which a topic has all messages, if it has a ring.
    pub(crate) fn trimmed(&self, topic: &str) -> Option<MessageId> {
        self.ring(topic).map(Ring::trimmed)
    }
}
