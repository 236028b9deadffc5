//! Keeps the latest message of each key: a message takes the place of the waiting one with the same
//! key. This file finds that place, and does not know which policy asks for it.
//!
//! A short queue is searched. A longer one has an index, so that a message costs the same however
//! many wait. A message with an id goes to the end instead, and its queue is searched: a receiver
//! that resumes after an id has had all messages with smaller ids.

use super::outbox::Outbox;
use super::places::Places;
use super::segment::{Droppable, Segment, Shared};

/// The longest queue that is searched.
const SEARCHED: usize = 16;

impl Outbox {
    /// Appends a message, unless one with the same key waits and has not begun to leave: then the
    /// message takes the place of that one. Returns whether it did.
    pub(crate) fn push_latest(&mut self, frame: Shared, drop: Droppable) -> bool {
        let Droppable::Message { key: 1.., .. } = drop else {
            self.push_shared(frame, drop);
            return false;
        };
        // What is held back behind a fragmented message is the later of the two.
        let behind = self.behind.as_deref_mut();
        let replaced =
            behind.is_some_and(|behind| behind.replace(&frame, drop)) || self.replace(&frame, drop);
        if !replaced {
            self.push_shared(frame, drop);
        }
        replaced
    }

    /// As [`push_latest`](Outbox::push_latest), for a message that stays behind all earlier ones:
    /// the waiting one with the same key goes.
    pub(crate) fn push_latest_last(&mut self, frame: Shared, drop: Droppable) -> bool {
        let mut replaced = false;
        if let Droppable::Message { key: key @ 1.., .. } = drop {
            let behind = self.behind.as_deref_mut();
            replaced = behind.is_some_and(|behind| behind.take_out(key)) || self.take_out(key);
        }
        self.push_shared(frame, drop);
        replaced
    }

    /// Drops the last message with a key, if it has not begun to leave and is not of history.
    fn take_out(&mut self, key: u64) -> bool {
        let found = self.segments.iter().rposition(|segment| segment.key() == key);
        let dropped = found.is_some_and(|at| self.drop_at(at));
        if dropped {
            // The numbers of earlier messages have changed.
            self.places = None;
        }
        dropped
    }

    /// Puts a message in the place of the waiting one with the same key, if there is one.
    fn replace(&mut self, new: &Shared, by: Droppable) -> bool {
        let Droppable::Message { key, deflates } = by else { return false };
        let Some(at) = self.place_of(key) else { return false };
        let Some(Segment::Shared { frame, drop, .. }) = self.segments.get_mut(at) else {
            return false;
        };
        self.len = self.len - frame.len() + new.len();
        self.deflating -= usize::from(drop.deflates());
        self.deflating += usize::from(deflates);
        (*frame, *drop) = (Shared::clone(new), by);
        true
    }

    /// Returns the index of the last message with a key, if it may be replaced: it has not begun to
    /// leave, and is not of history.
    fn place_of(&mut self, key: u64) -> Option<usize> {
        if self.places.is_none() && self.segments.len() > SEARCHED {
            self.index();
        }
        let at = match &self.places {
            None => self.segments.iter().rposition(|segment| segment.key() == key)?,
            Some(places) => usize::try_from(places.get(key)?.checked_sub(self.first)?).ok()?,
        };
        match self.segments.get(at)? {
            Segment::Shared { sent: 0, drop: Droppable::Message { key: other, .. }, .. } => {
                (*other == key).then_some(at)
            }
            _ => None,
        }
    }

    /// Makes the index of all segments.
    fn index(&mut self) {
        let mut places = Places::default();
        for (number, segment) in (self.first..).zip(&self.segments) {
            if segment.key() > 0 {
                places.set(segment.key(), number);
            }
        }
        self.places = Some(Box::new(places));
    }

    /// Enters the last segment in the index, if there is an index.
    #[inline]
    pub(super) fn note_place(&mut self) {
        let Some(places) = &mut self.places else { return };
        let Some(key @ 1..) = self.segments.back().map(Segment::key) else { return };
        places.set(key, self.first + self.segments.len() as u64 - 1);
        // Most entries are out of date: the next look-up makes the index anew.
        if places.len() > 2 * self.segments.len() + SEARCHED {
            self.places = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Traffic, Transport};

    fn message(key: u64) -> Droppable {
        Droppable::Message { key, deflates: false }
    }

    /// The index has an entry for each of the keys that wait, and not for all that ever did.
    #[test]
    fn index_is_as_long_as_the_queue() {
        let (mut transport, mut peer) = Transport::memory();
        let (mut outbox, mut scratch) = (Outbox::default(), Vec::new());
        peer.window(0);
        for key in 1..=10_000u64 {
            assert!(!outbox.push_latest(Shared::new(vec![7; 10]), message(key)));
            assert!(outbox.push_latest(Shared::new(vec![8; 11]), message(key)));
            peer.window(if outbox.segments.len() > 200 { 22 } else { 0 });
            let written = outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default());
            assert!(written.is_ok());
            let entries = outbox.places.as_ref().map_or(0, |places| places.len());
            // Two messages have left since the last entry was made.
            assert!(entries <= 2 * (outbox.segments.len() + 2) + SEARCHED);
        }
        assert!(outbox.places.is_some());
        peer.window(usize::MAX);
        let written = outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default());
        assert!(written.is_ok() && outbox.places.is_none());
    }

    /// A message with many keys that wait before it finds its place in one look-up.
    #[test]
    fn place_is_found_after_every_way_a_message_goes() {
        let mut outbox = Outbox::default();
        for key in 1..=100 {
            outbox.push_latest(Shared::new(vec![7; 10]), message(key));
        }
        // A message without a key, and the eleven oldest, go.
        outbox.push_shared(Shared::new(vec![7; 10]), message(0));
        assert_eq!(outbox.drop_oldest(900), 11);
        assert!(!outbox.push_latest(Shared::new(vec![9; 10]), message(11)));
        assert!(outbox.push_latest(Shared::new(vec![9; 10]), message(12)));
        assert_eq!(outbox.drop_newest(880), 3, "the eleventh, that without a key, the hundredth");
        assert!(outbox.push_latest(Shared::new(vec![9; 10]), message(99)));
        assert!(!outbox.push_latest(Shared::new(vec![9; 10]), message(100)));
        outbox.take_apart(false);
        assert!(outbox.push_latest(Shared::new(vec![9; 10]), message(50)));
        assert_eq!(outbox.len(), 890);
    }
}
