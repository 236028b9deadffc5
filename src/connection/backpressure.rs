//! When much waits for a peer, and when more than may: where it lies, which policy applies, and what follows from it. How messages are
//! dropped is the business of `dropping`, how they wait that of `waiting`; nothing here knows what they say.

use super::connection::{Connection, Flags};
use super::context::Context;
use super::options::Backpressure;
use super::output::buffered;
use super::phase::Phase;
use super::waiting::FEW;
use crate::websocket::{CloseCode, State};

impl Context {
    /// An outbox beyond its limit meets its policy, and much that waits leaves the heap. The kernel is asked once before, so that a burst
    /// never hurts a fast reader.
    #[inline]
    pub(super) fn police(&mut self, slot: u32) {
        let Some(connection) = self.slots.at(slot) else { return };
        let max = self.options_of(connection).max_buffered;
        if buffered(connection) > max.min(FEW) && connection.phase.is_open() {
            self.police_much(slot, max);
        }
    }

    fn police_much(&mut self, slot: u32, max: usize) {
        let Some(connection) = self.slots.at(slot) else { return };
        let crowded = connection.held.as_ref().is_some_and(|held| held.outbox.is_crowded());
        if !crowded && buffered(connection) <= max {
            return;
        }
        if !connection.flags.has(Flags::BLOCKED) {
            self.offer(slot);
        }
        self.apply_policy(slot, max);
        self.store_waiting(slot);
    }

    /// What the transport has refused is to wait.
    pub(super) fn store_waiting(&mut self, slot: u32) {
        if let Some(connection) = self.slots.at_mut(slot)
            && let Some(held) = &mut connection.held
        {
            held.outbox.store_waiting();
        }
    }

    fn apply_policy(&mut self, slot: u32, max: usize) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        if buffered(connection) <= max || connection.flags.has(Flags::GONE) {
            return;
        }
        let policy = self.options[usize::from(connection.options)].backpressure;
        // After our Close frame nothing is added, and it is what the peer should hear.
        let closing = connection.phase == Phase::WebSocket(State::Closing);
        let Some(held) = &mut connection.held else { return };
        let outbox = &mut held.outbox;
        let (dropped, waits) = match policy {
            Backpressure::Close => (0, outbox.buffered()),
            Backpressure::DropNewest => (outbox.drop_newest(max), outbox.buffered_behind_begun()),
            Backpressure::DropOldest => (outbox.drop_oldest(max), outbox.buffered_behind_begun()),
            Backpressure::KeepLatest => {
                (outbox.drop_obsolete() + outbox.drop_oldest(max), outbox.buffered_behind_begun())
            }
        };
        self.stats.dropped += dropped;
        if waits > max && !closing {
            self.stats.overflowed += 1;
            self.overflow(slot);
        }
    }

    /// `Backpressure::Close`, and where no other policy has anything to drop: what waits is dropped and the peer is told 1013, if it still listens.
    fn overflow(&mut self, slot: u32) {
        if let Some(held) = self.held(slot) {
            held.outbox.clear_to_boundary();
        }
        self.fail(slot, CloseCode::TRY_AGAIN, "too slow");
    }

    /// Whether a message has to be a segment of its own, since it may come to wait and then to be dropped. In the cork, which nearly
    /// always leaves whole, it may be part of a run, unless that would lose its key, or where an event ends.
    #[inline]
    pub(super) fn stands_alone(&self, connection: &Connection, has_key: bool) -> bool {
        let policy = self.options_of(connection).backpressure;
        let corked = connection.id.slot() == self.corked;
        policy.drops()
            && (!corked
                || connection.phase == Phase::Streaming
                || has_key && policy == Backpressure::KeepLatest)
    }
}
