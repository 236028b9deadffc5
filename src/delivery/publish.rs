//! Publishes a message to its subscribers: writes one frame to all connections at rest, and
//! sends to the other connections one by one.
//!
//! Until its frame is written, a connection at rest needs only a number in a list, and no outbox.
//! When this was written, the list reduced a delivery from 685 to 201 instructions. A second frame,
//! and all later output to a receiver, is queued in the usual way, behind the pending frame.

use std::io;
use std::sync::Arc;

use super::broadcast::EncodedOnce;
use super::delivery::Delivery;
use crate::connection::{Flags, Lease, Table};
use crate::net::Wrote;
use crate::outbox::{Droppable, Shared};

impl Delivery {
    /// Publishes a message to one subscriber.
    #[inline]
    pub(crate) fn publish_to(&mut self, at: &mut Lease<'_>, encoded: &mut EncodedOnce<'_>) {
        if !self.post(at, encoded) {
            self.deliver(at, encoded);
        }
    }

    /// Posts a frame to a connection at rest. Returns false, and does nothing, for any other
    /// connection and while another frame is pending.
    #[inline]
    fn post(&mut self, at: &mut Lease<'_>, encoded: &mut EncodedOnce<'_>) -> bool {
        // Output to the connection whose input is being handled follows its cork.
        if at.is_driven() || !at.connection.is_quiet() || !at.allows_fast_path() {
            return false;
        }
        let key = encoded.key;
        let frame = encoded.form(at.connection.phase);
        if !frame.is_some_and(|frame| self.fan_out.claim(frame, key)) {
            return false;
        }
        at.connection.flags.insert(Flags::POSTED);
        self.fan_out.receivers.push_back(at.slot());
        true
    }

    /// Moves the posted frame into the outbox, since more output follows. The slot stays in the
    /// list and counts no longer.
    #[inline(never)]
    pub(super) fn move_posted(&mut self, at: &mut Lease<'_>) {
        at.connection.flags.remove(Flags::POSTED);
        if let Some((frame, key)) = self.fan_out.frame.clone() {
            self.outbox(at).push_shared(frame, Droppable::message(key));
        }
    }

    /// Writes the pending frame to at most `max` receivers, and returns to how many.
    #[inline]
    pub(crate) fn write_fan_out(&mut self, table: &mut Table, max: usize) -> usize {
        let count = self.fan_out.receivers.len().min(max);
        for _ in 0..count {
            let Some(slot) = self.fan_out.receivers.pop_front() else { break };
            if let Some(mut at) = table.lease(slot) {
                self.write_posted(&mut at);
            }
        }
        if count > 0 && self.fan_out.is_empty() {
            self.fan_out.end();
        }
        count
    }

    #[inline]
    fn write_posted(&mut self, at: &mut Lease<'_>) {
        let Some((frame, key)) = &self.fan_out.frame else { return };
        if !at.connection.flags.has(Flags::POSTED) {
            return;
        }
        at.connection.flags.remove(Flags::POSTED);
        let outcome = at.connection.transport.write(frame, &mut at.books.traffic);
        if let Ok(Wrote::All) = outcome {
            return at.on_drained();
        }
        let (frame, key) = (Arc::clone(frame), *key);
        self.after_refusal(at, outcome, frame, key);
    }

    /// Goes on where the transport did not take all of the pending frame.
    #[cold]
    fn after_refusal(
        &mut self,
        at: &mut Lease<'_>,
        outcome: io::Result<Wrote>,
        frame: Shared,
        key: u64,
    ) {
        let mut sent = None;
        at.after_write(outcome, |_, n| sent = Some(n));
        if let Some(sent) = sent {
            self.keep_posted(at, frame, sent, key);
        }
    }

    /// Keeps what the transport refused of the pending frame in the outbox.
    #[cold]
    fn keep_posted(&mut self, at: &mut Lease<'_>, frame: Shared, sent: usize, key: u64) {
        at.held().outbox.keep_shared(frame, sent, Droppable::message(key));
        at.on_blocked(sent);
        self.police(at);
    }
}
