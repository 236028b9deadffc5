//! A bounded queue of messages for other reactors of a cluster. A message beyond a bound is
//! dropped. This file knows no thread and sends nothing.

use std::collections::VecDeque;

/// The bounds of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) messages: usize,
    /// Bytes of all messages that wait. One message that waits alone may be longer.
    pub(crate) bytes: usize,
}

/// The bounds of the messages that wait for one reactor, and of those published in one turn.
pub(crate) const MAIL: Bounds = Bounds { messages: 64 << 10, bytes: 16 << 20 };

#[derive(Debug)]
pub(crate) struct BoundedQueue<T> {
    messages: VecDeque<T>,
    bytes: usize,
    bounds: Bounds,
}

impl<T> BoundedQueue<T> {
    pub(crate) fn new(bounds: Bounds) -> BoundedQueue<T> {
        BoundedQueue { messages: VecDeque::new(), bytes: 0, bounds }
    }

    /// Adds a message of this length. Returns false, and drops the message, beyond a bound.
    #[must_use]
    pub(crate) fn push(&mut self, message: T, bytes: usize) -> bool {
        let is_too_long = bytes > self.bounds.bytes.saturating_sub(self.bytes);
        let is_full = self.messages.len() >= self.bounds.messages
            || (is_too_long && !self.messages.is_empty());
        if !is_full {
            self.bytes = self.bytes.saturating_add(bytes);
            self.messages.push_back(message);
        }
        !is_full
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes all messages in their order.
    pub(crate) fn take(&mut self) -> VecDeque<T> {
        self.bytes = 0;
        std::mem::take(&mut self.messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_drops_beyond_its_bounds() {
        let mut queue = BoundedQueue::new(Bounds { messages: 3, bytes: 10 });
        assert!(queue.push("long", 11), "alone");
        assert!(queue.push("none", 0));
        assert!(!queue.push("more", 1));
        assert_eq!(queue.take(), ["long", "none"]);
        for message in ["a", "b", "c"] {
            assert!(queue.push(message, 1));
        }
        assert!(!queue.push("d", 1));
        assert_eq!(queue.take(), ["a", "b", "c"]);
        assert!(queue.is_empty() && queue.take().is_empty());
    }
}
