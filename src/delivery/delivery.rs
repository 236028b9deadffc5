//! What the output of all connections shares: the cork, the buffer of the fast path, the pending
//! fan-out, masking keys and compression contexts. The other files of this folder act on it.
//!
//! A method takes a lease of one connection. A method that visits several connections takes the
//! table.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::frame_buf::FrameBuf;
#[cfg(feature = "deflate")]
use super::shared_contexts::SharedContexts;
use crate::connection::{Connection, Flags, Lane, Lease};
use crate::outbox::{Outbox, Shared};
use crate::websocket::MaskingKeys;

/// The way out of a server.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// The outbox of the connection whose input is being handled.
    pub(super) cork: Outbox,
    /// Frames of this connection, while it is on the fast path. Any other output moves them
    /// into the cork and follows there.
    pub(super) frame_buf: FrameBuf,
    /// More of the input that is being handled follows: output is better gathered.
    pub(crate) more_input: bool,
    /// Where small segments are gathered for one write.
    pub(super) scratch: Vec<u8>,
    pub(crate) fan_out: FanOut,
    #[cfg(feature = "deflate")]
    pub(crate) shared_contexts: SharedContexts,
    /// Masking keys for output in the client role.
    pub(crate) keys: MaskingKeys,
    /// Makes numbers of message keys, differently in each server.
    hasher: RandomState,
}

impl Delivery {
    /// Returns the number that stands for a message's key or topic while it waits.
    pub(crate) fn number_of(&self, key: &str) -> u64 {
        self.hasher.hash_one(key).max(1)
    }

    /// Returns the bytes that wait for a connection's peer, wherever they lie.
    pub(crate) fn waiting_for(&self, connection: &Connection, lane: &Lane) -> usize {
        let corked = match lane.is_corked(connection.id.slot()) {
            true => self.frame_buf.len() + self.cork.buffered(),
            false => 0,
        };
        let posted = match connection.flags.has(Flags::POSTED) {
            true => self.fan_out.len(),
            false => 0,
        };
        connection.buffered() + posted + corked
    }

    /// Makes the key for the next frame of a connection that masks (RFC 6455 5.3).
    #[inline]
    pub(crate) fn masking_key(&mut self, at: &Lease<'_>) -> Option<[u8; 4]> {
        at.connection.flags.has(Flags::CLIENT).then(|| self.keys.next_key())
    }
}

/// Room for receivers that is kept between turns.
const KEPT: usize = 16 << 10;

/// A frame and the slots that it is still to be written to, in their order. A slot counts only
/// while its connection has the flag `POSTED`.
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    /// The frame, and the number of what it is the latest of; 0 is no key.
    pub(super) frame: Option<(Shared, u64)>,
    pub(super) receivers: VecDeque<u32>,
}

impl FanOut {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.receivers.is_empty()
    }

    /// Slots that wait. One that has got the frame otherwise meanwhile still counts.
    #[inline]
    pub(crate) fn receivers(&self) -> usize {
        self.receivers.len()
    }

    /// Bytes that wait for each of the receivers.
    pub(crate) fn len(&self) -> usize {
        self.frame.as_ref().map_or(0, |(frame, _)| frame.len())
    }

    /// Makes this frame the pending one, if none is, and returns whether it is: the first frame
    /// stays pending until all its receivers have it.
    #[inline]
    pub(super) fn claim(&mut self, frame: &Shared, key: u64) -> bool {
        let pending = || (Arc::clone(frame), key);
        let (pending, _) = self.frame.get_or_insert_with(pending);
        Arc::ptr_eq(pending, frame)
    }

    /// Forgets the frame: every receiver has had it.
    pub(super) fn end(&mut self) {
        self.frame = None;
        self.receivers.shrink_to(KEPT);
    }
}
