//! What a turn has published for the other reactors of a cluster. This file does not know them: the
//! server sends it at the end of the turn.

use std::sync::Arc;

use super::marking_queue::{Bounds, MarkingQueue, Pushed};
use super::published::Published;

/// The bounds of the messages that wait for one reactor, and of those published in one turn.
pub(crate) const MAIL: Bounds = Bounds { messages: 64 << 10, bytes: 16 << 20, marks: 1 << 10 };

/// Published messages, for other reactors.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    outgoing: MarkingQueue<Arc<Published>>,
    /// The number of other reactors.
    others: u64,
}

impl Elsewhere {
    pub(crate) fn new(others: usize) -> Elsewhere {
        Elsewhere { outgoing: MarkingQueue::new(MAIL), others: others as u64 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Adds a message. Returns how many reactors will not get it, since a bound is reached.
    pub(super) fn add(&mut self, message: Published) -> u64 {
        let bytes = message.bytes();
        match self.outgoing.push(Arc::new(message), bytes, None) {
            Pushed::Queued | Pushed::Marked => 0,
            Pushed::Dropped => self.others,
        }
    }

    /// Takes the messages of the turn, in their order.
    pub(crate) fn take(&mut self) -> Vec<Arc<Published>> {
        self.outgoing.take().messages.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Outgoing;

    #[test]
    fn turn_publishes_within_a_bound() {
        let mut elsewhere = Elsewhere::new(3);
        let message = || Published::new("topic", &Outgoing::text("x"));
        let lost: u64 = (0..MAIL.messages + 2).map(|_| elsewhere.add(message())).sum();
        assert_eq!(lost, 2 * 3);
        assert_eq!(elsewhere.take().len(), MAIL.messages);
        assert!(elsewhere.is_empty());
    }
}
