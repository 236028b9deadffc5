//! A bounded queue of messages from the other reactors of a cluster. A message beyond a bound is
//! dropped. If its topic keeps history, the queue marks the topic instead, so that its reader
//! fetches what is missing from the topic's home. This file knows no thread and sends nothing.

use std::collections::{BTreeSet, VecDeque};

/// The bounds of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) messages: usize,
    /// Bytes of all messages that wait. One message that waits alone may be longer.
    pub(crate) bytes: usize,
    /// Topics that are marked one by one.
    pub(crate) marks: usize,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    Dropped,
    /// The reader will fetch the message from the home of its topic.
    Marked,
}

/// Topics whose reader has to fetch what it lacks from their homes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    Topics(BTreeSet<Box<str>>),
    /// More topics than the bound.
    All,
}

impl Default for Marks {
    fn default() -> Marks {
        Marks::Topics(BTreeSet::new())
    }
}

impl Marks {
    fn has(&self, topic: &str) -> bool {
        match self {
            Marks::Topics(topics) => topics.contains(topic),
            Marks::All => true,
        }
    }

    fn add(&mut self, topic: &str, most: usize) {
        let Marks::Topics(topics) = self else { return };
        topics.insert(topic.into());
        if topics.len() > most {
            *self = Marks::All;
        }
    }
}

/// All that waited.
#[derive(Debug)]
pub(crate) struct Taken<T> {
    pub(crate) messages: VecDeque<T>,
    pub(crate) marks: Marks,
}

#[derive(Debug)]
pub(crate) struct MarkingQueue<T> {
    messages: VecDeque<T>,
    bytes: usize,
    marks: Marks,
    bounds: Bounds,
}

impl<T> MarkingQueue<T> {
    pub(crate) fn new(bounds: Bounds) -> MarkingQueue<T> {
        MarkingQueue { messages: VecDeque::new(), bytes: 0, marks: Marks::default(), bounds }
    }

    /// Adds a message of this length. `history` is the name of its topic, if the topic keeps
    /// history.
    ///
    /// Once a topic is marked, no message of it is queued until the marks are taken: a later
    /// message must not come before those that are missing.
    pub(crate) fn push(&mut self, message: T, bytes: usize, history: Option<&str>) -> Pushed {
        if history.is_some_and(|topic| self.marks.has(topic)) {
            return Pushed::Marked;
        }
        let is_too_long = bytes > self.bounds.bytes.saturating_sub(self.bytes);
        let is_full = self.messages.len() >= self.bounds.messages
            || (is_too_long && !self.messages.is_empty());
        match (is_full, history) {
            (false, _) => {
                self.bytes = self.bytes.saturating_add(bytes);
                self.messages.push_back(message);
                Pushed::Queued
            }
            (true, Some(topic)) => {
                self.marks.add(topic, self.bounds.marks);
                Pushed::Marked
            }
            (true, None) => Pushed::Dropped,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes all messages in their order, and the marks.
    pub(crate) fn take(&mut self) -> Taken<T> {
        self.bytes = 0;
        Taken {
            messages: std::mem::take(&mut self.messages),
            marks: std::mem::take(&mut self.marks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds { messages: 3, bytes: 10, marks: 2 };

    #[test]
    fn queue_drops_beyond_its_bounds() {
        let mut queue = MarkingQueue::new(SMALL);
        assert_eq!(queue.push("long", 11, None), Pushed::Queued); // alone
        assert_eq!(queue.push("none", 0, None), Pushed::Queued);
        assert_eq!(queue.push("more", 1, None), Pushed::Dropped);
        assert_eq!(queue.take().messages, ["long", "none"]);
        for message in ["a", "b", "c"] {
            assert_eq!(queue.push(message, 1, None), Pushed::Queued);
        }
        assert_eq!(queue.push("d", 1, None), Pushed::Dropped);
        let taken = queue.take();
        assert_eq!(taken.messages, ["a", "b", "c"]);
        assert_eq!(taken.marks, Marks::default());
        assert!(queue.take().messages.is_empty());
    }

    #[test]
    fn full_queue_marks_a_topic_with_history() {
        let mut queue = MarkingQueue::new(SMALL);
        for message in 0..3 {
            assert_eq!(queue.push(message, 1, Some("kept")), Pushed::Queued);
        }
        assert_eq!(queue.push(3, 1, Some("kept")), Pushed::Marked);
        let taken = queue.take();
        assert_eq!(taken.messages, [0, 1, 2]);
        assert_eq!(taken.marks, Marks::Topics([Box::from("kept")].into()));
        assert_eq!(queue.push(4, 1, Some("kept")), Pushed::Queued, "the mark is taken");
    }

    #[test]
    fn marked_topic_waits_for_its_reader_and_others_go_on() {
        let mut queue = MarkingQueue::new(SMALL);
        assert_eq!(queue.push(0, 10, None), Pushed::Queued);
        assert_eq!(queue.push(1, 5, Some("kept")), Pushed::Marked);
        assert_eq!(queue.push(2, 0, Some("kept")), Pushed::Marked, "it would fit, and be early");
        assert_eq!(queue.push(3, 0, Some("other")), Pushed::Queued);
        assert_eq!(queue.push(4, 0, None), Pushed::Queued);
        assert_eq!(queue.take().messages, [0, 3, 4]);
    }

    #[test]
    fn marks_are_bounded() {
        let mut queue = MarkingQueue::new(SMALL);
        assert_eq!(queue.push(0, 10, None), Pushed::Queued);
        for topic in ["a", "b", "c"] {
            assert_eq!(queue.push(0, 1, Some(topic)), Pushed::Marked);
        }
        assert_eq!(queue.push(0, 0, Some("d")), Pushed::Marked, "any topic may be the third");
        assert_eq!(queue.push(0, 0, None), Pushed::Queued);
        assert_eq!(queue.take().marks, Marks::All);
        assert_eq!(queue.push(0, 0, Some("d")), Pushed::Queued);
    }
}
