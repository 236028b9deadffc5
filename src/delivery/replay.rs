//! Sends a message of history to one connection. No policy drops the message, and no limit counts
//! it, so this file never polices. Its caller adds only what the reader has room for.

use super::broadcast::EncodedOnce;
use super::delivery::Delivery;
use crate::connection::{Flags, Lease};
use crate::outbox::{Droppable, Shared};

/// What compression costs, in bytes that would be sent as they are.
#[cfg(feature = "deflate")]
const COMPRESSION: usize = 4;

impl Delivery {
    /// Queues a message of history behind earlier output. Returns what that costs, in bytes; 0
    /// where the message cannot be sent.
    pub(crate) fn replay(&mut self, at: &mut Lease<'_>, encoded: &mut EncodedOnce<'_>) -> usize {
        #[cfg(feature = "deflate")]
        if let Some((frame, droppable)) = self.compressed_for(at, encoded) {
            let cost = COMPRESSION * encoded.outgoing.message.len();
            return cost + self.push_replayed(at, frame, encoded.key, droppable.deflates());
        }
        let Some(frame) = self.frame_for(at, encoded) else { return 0 };
        self.push_replayed(at, frame, encoded.key, false)
    }

    /// Returns the bytes that a message of history will take, before compression; 0 where it cannot
    /// be sent.
    pub(crate) fn replayed_len(&self, at: &Lease<'_>, encoded: &mut EncodedOnce<'_>) -> usize {
        let key = if at.connection.flags.has(Flags::CLIENT) { 4 } else { 0 };
        encoded.form(at.connection.phase).map_or(0, |frame| frame.len() + key)
    }

    fn push_replayed(
        &mut self,
        at: &mut Lease<'_>,
        frame: Shared,
        key: u64,
        deflates: bool,
    ) -> usize {
        let len = frame.len();
        at.books.stats.messages_sent += 1;
        self.outbox(at).push_shared(frame, Droppable::Replayed { key, deflates });
        len
    }
}
