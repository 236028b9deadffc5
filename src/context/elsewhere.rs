//! What a turn has published for the other reactors of a cluster, for topics without history. The
//! server sends it at the end of the turn.

use std::sync::Arc;

use super::bounded_queue::{BoundedQueue, MAIL};
use super::published::Published;
use super::stations::Stations;

/// Published messages, for other reactors.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    outgoing: BoundedQueue<Arc<Published>>,
    stations: Arc<Stations>,
}

impl Elsewhere {
    pub(crate) fn new(stations: Arc<Stations>) -> Elsewhere {
        Elsewhere { outgoing: BoundedQueue::new(MAIL), stations }
    }

    /// Wakes reactors, for which history waits.
    pub(super) fn wake(&self, reactors: &[usize]) {
        self.stations.wake(reactors);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Adds a message. Returns how many reactors will not get it, since a bound is reached.
    pub(super) fn add(&mut self, message: Published) -> u64 {
        let bytes = message.bytes();
        match self.outgoing.push(Arc::new(message), bytes) {
            true => 0,
            false => self.stations.all().len() as u64 - 1,
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

    #[test]
    fn turn_publishes_within_a_bound() {
        let mut elsewhere = Elsewhere::new(Arc::new(Stations::new(4)));
        let message = || Published::new("topic", &Outgoing::text("x"));
        let lost: u64 = (0..MAIL.messages + 2).map(|_| elsewhere.add(message())).sum();
        assert_eq!(lost, 2 * 3);
        assert_eq!(elsewhere.take().len(), MAIL.messages);
        assert!(elsewhere.is_empty());
    }
}
