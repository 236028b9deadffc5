//! The bounds of waiting output: what a slow reader gets. Beyond the limit one of four policies
//! applies, by default Close 1013 with the reason `too slow`. `outbox` drops the messages.
//!
//! These bounds are for WebSockets, event streams and takeovers. server/deadlines.rs closes a slow
//! reader of a response (`response_stalls`), and an event stream whose reader takes nothing between
//! two comments (`keep_stream_alive`).

use super::delivery::Delivery;
use crate::connection::{Backpressure, Cause, Lease, Phase};
use crate::outbox::MAX_HEAP;
use crate::websocket::{CloseCode, State};

impl Delivery {
    /// Applies the policy to an outbox beyond its limit, and moves a large one out of the heap. The
    /// kernel is offered the outbox once before, so that a burst never costs a fast reader a
    /// message.
    #[inline]
    pub(super) fn police(&mut self, at: &mut Lease<'_>) {
        let max = at.options().max_buffered;
        if at.connection.buffered() > max.min(MAX_HEAP) && at.connection.phase.is_open() {
            self.police_large(at, max);
        }
    }

    fn police_large(&mut self, at: &mut Lease<'_>, max: usize) {
        let crowded = at.connection.held.as_ref().is_some_and(|held| held.outbox.is_crowded());
        if !crowded && at.connection.buffered() <= max {
            return;
        }
        if !at.is_blocked() {
            self.offer(at);
        }
        self.apply_policy(at, max);
        at.store_waiting();
    }

    fn apply_policy(&mut self, at: &mut Lease<'_>, max: usize) {
        // Messages of history wait beside the limit: they cost no overflow and no message.
        let replayed = at.connection.held.as_ref().map_or(0, |held| held.outbox.replayed());
        let max = max.saturating_add(replayed);
        if at.connection.buffered() <= max || at.is_gone() {
            return;
        }
        let policy = at.options().backpressure;
        // Nothing follows the Close frame, and that frame should still arrive.
        let closing = at.connection.phase == Phase::WebSocket(State::Closing);
        let Some(held) = &mut at.connection.held else { return };
        let outbox = &mut held.outbox;
        let dropped = match policy {
            Backpressure::Close => 0,
            Backpressure::DropNewest => outbox.drop_newest(max),
            Backpressure::DropOldest => outbox.drop_oldest(max),
            Backpressure::KeepLatest => outbox.drop_obsolete() + outbox.drop_oldest(max),
        };
        let waits = match policy {
            Backpressure::Close => outbox.buffered(),
            _ => outbox.buffered_behind_begun(),
        };
        at.books.stats.dropped += dropped;
        if waits > max && !closing {
            at.books.stats.overflowed += 1;
            self.overflow(at);
        }
    }

    /// Drops what waits and closes with 1013, under [`Backpressure::Close`] and where another
    /// policy finds nothing to drop.
    fn overflow(&mut self, at: &mut Lease<'_>) {
        at.held().outbox.clear_to_boundary();
        self.fail(at, (CloseCode::TRY_AGAIN, "too slow"), Cause::TooSlow);
    }

    /// Whether a message needs a segment of its own, since a policy may drop it later. The cork
    /// nearly always leaves whole, so a message in it may join others, unless it would lose its key
    /// or an event its end.
    #[inline]
    pub(super) fn stands_alone(&self, at: &Lease<'_>, has_key: bool) -> bool {
        let policy = at.options().backpressure;
        policy.drops()
            && (!at.is_corked()
                || at.connection.phase == Phase::Streaming
                || has_key && policy == Backpressure::KeepLatest)
    }
}
