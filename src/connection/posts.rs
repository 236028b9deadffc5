//! One frame on its way to many who have nothing else to wait for: until the end of the turn each of them costs a number in a list instead of
//! an outbox. A second frame, and all that follows to the same receiver, takes the usual way behind it.

use std::collections::VecDeque;
use std::rc::Rc;

use super::connection::Flags;
use super::context::Context;
use super::delivery::Frames;
use super::segment::{Drop, Shared};
use crate::net::Wrote;

/// Receivers for whom room is kept between turns.
const KEPT: usize = 16 << 10;

/// A frame and the slots to which it is still to be written, in their order: those of them that are still flagged as posted to.
#[derive(Debug, Default)]
pub(crate) struct Posts {
    frame: Option<(Shared, Drop)>,
    receivers: VecDeque<u32>,
}

impl Posts {
    pub(crate) fn is_empty(&self) -> bool {
        self.receivers.is_empty()
    }

    /// Bytes that wait for each of the receivers.
    pub(super) fn len(&self) -> usize {
        self.frame.as_ref().map_or(0, |(frame, _)| frame.len())
    }

    /// Whether this is the frame: the first one is, until all receivers have had it.
    #[inline]
    fn is_of(&mut self, frame: &Shared, key: u64) -> bool {
        let (posted, _) =
            self.frame.get_or_insert_with(|| (Rc::clone(frame), Drop::Message { key }));
        Rc::ptr_eq(posted, frame)
    }

    /// The last receiver has been looked at.
    fn end(&mut self) {
        self.frame = None;
        self.receivers.shrink_to(KEPT);
    }
}

impl Context {
    /// Posts a frame to a connection at rest. False, and nothing done, to any other, and while another frame is posted.
    #[inline]
    pub(super) fn post(&mut self, slot: u32, frames: &mut Frames<'_>) -> bool {
        let Some(connection) = self.slots.at(slot) else { return false };
        // What goes to a connection whose input is being handled comes behind its cork.
        if slot == self.driven || !self.is_at_rest(connection) {
            return false;
        }
        let key = frames.key();
        if !frames.of(connection.phase).is_some_and(|frame| self.posts.is_of(frame, key)) {
            return false;
        }
        if let Some(connection) = self.slots.at_mut(slot) {
            connection.flags.insert(Flags::POSTED);
            self.posts.receivers.push_back(slot);
        }
        true
    }

    /// More output follows: what is posted goes into the outbox before it. Its slot stays in the list and means nothing.
    #[inline(never)]
    pub(super) fn unpost(&mut self, slot: u32) {
        if let Some(connection) = self.slots.at_mut(slot) {
            connection.flags.remove(Flags::POSTED);
        }
        let Some((frame, drop)) = self.posts.frame.clone() else { return };
        if let Some(outbox) = self.outbox(slot) {
            outbox.push_shared(frame, drop);
        }
    }

    /// Writes to at most `most` receivers, and returns to how many.
    pub(crate) fn write_posts(&mut self, most: usize) -> usize {
        let count = self.posts.receivers.len().min(most);
        for _ in 0..count {
            let Some(slot) = self.posts.receivers.pop_front() else { break };
            self.write_post(slot);
        }
        if count > 0 && self.posts.is_empty() {
            self.posts.end();
        }
        count
    }

    fn write_post(&mut self, slot: u32) {
        let Some((frame, drop)) = &self.posts.frame else { return };
        let Some(connection) = self.slots.at_mut(slot) else { return };
        if !connection.flags.has(Flags::POSTED) {
            return;
        }
        connection.flags.remove(Flags::POSTED);
        match connection.transport.write(frame) {
            Ok(Wrote::All) => self.drained(slot),
            Ok(outcome) => {
                let n = outcome.taken(frame.len());
                let (frame, drop) = (Rc::clone(frame), *drop);
                self.keep_post(slot, frame, n, drop);
            }
            Err(_) => self.mark_gone(slot),
        }
    }

    /// What the transport has refused of a posted frame waits like any other.
    #[cold]
    fn keep_post(&mut self, slot: u32, frame: Shared, sent: usize, drop: Drop) {
        if let Some(held) = self.held(slot) {
            held.outbox.keep_shared(frame, sent, drop);
        }
        self.on_blocked(slot, sent);
        self.police(slot);
    }
}
