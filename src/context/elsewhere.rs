//! What a turn has published for the other reactors of a cluster, for topics without history. The
//! server sends it at the end of the turn. For those with history, this file wakes the reactors.

use std::fmt::Debug;
use std::sync::Arc;

use super::bounded_queue::{BoundedQueue, MAIL};
use super::published::Published;

/// Published messages, for other reactors.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    outgoing: BoundedQueue<Arc<Published>>,
    /// The number of other reactors.
    others: u64,
    all: Arc<dyn Wake>,
}

/// The reactors of a cluster, by their numbers.
pub(crate) trait Wake: Debug {
    /// Wakes reactors, for which history waits.
    fn wake(&self, reactors: &[usize]);
}

impl Elsewhere {
    pub(crate) fn new(others: usize, all: Arc<dyn Wake>) -> Elsewhere {
        Elsewhere { outgoing: BoundedQueue::new(MAIL), others: others as u64, all }
    }

    /// Wakes reactors, for which history waits.
    pub(super) fn wake(&self, reactors: &[usize]) {
        self.all.wake(reactors);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Adds a message. Returns how many reactors will not get it, since a bound is reached.
    pub(super) fn add(&mut self, message: Published) -> u64 {
        let bytes = message.bytes();
        match self.outgoing.push(Arc::new(message), bytes) {
            true => 0,
            false => self.others,
        }
    }

    /// Takes the messages of the turn, in their order.
    pub(crate) fn take(&mut self) -> Vec<Arc<Published>> {
        self.outgoing.take().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Outgoing;

    #[derive(Debug)]
    struct NoOthers;

    impl Wake for NoOthers {
        fn wake(&self, _reactors: &[usize]) {}
    }

    #[test]
    fn turn_publishes_within_a_bound() {
        let mut elsewhere = Elsewhere::new(3, Arc::new(NoOthers));
        let message = || Published::new("topic", &Outgoing::text("x"));
        let lost: u64 = (0..MAIL.messages + 2).map(|_| elsewhere.add(message())).sum();
        assert_eq!(lost, 2 * 3);
        assert_eq!(elsewhere.take().len(), MAIL.messages);
        assert!(elsewhere.is_empty());
    }
}
