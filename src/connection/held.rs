//! A box with what a connection holds while something is unfinished, and the pool of such boxes. An
//! idle connection has no box, except with dedicated compression. This file does not know when
//! something is finished.

use super::attempt::Declined;
use super::exchange::Exchange;
use crate::outbox::Outbox;
use crate::websocket::{Assembly, CloseCode};
#[cfg(feature = "deflate")]
use crate::websocket::{Deflater, Inflater};

/// The unfinished parts of one connection. The box goes back to its pool once every part is empty.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Bytes that arrived and cannot be decoded yet.
    pub(crate) spill: Vec<u8>,
    /// The part of a head in the spill that has been scanned, in bytes.
    pub(crate) scanned: usize,
    /// A message of which a part has arrived.
    pub(crate) assembly: Option<Box<Assembly>>,
    pub(crate) outbox: Outbox,
    /// A request whose body or answer is still to come.
    pub(crate) exchange: Option<Box<Exchange>>,
    /// What compressed messages may refer back to, where both sides agreed on context takeover.
    #[cfg(feature = "deflate")]
    pub(crate) contexts: Option<Box<Contexts>>,
    /// How a WebSocket, event stream or takeover ended, until its handler's `close` is called.
    pub(crate) close_record: Option<CloseRecord>,
}

/// How an open exchange ended.
#[derive(Clone, Debug)]
pub(crate) struct CloseRecord {
    pub(crate) code: CloseCode,
    pub(crate) reason: Box<str>,
    pub(crate) by_peer: bool,
    /// The response that ended an attempt in the client role.
    pub(crate) declined: Option<Box<Declined>>,
}

/// The compression contexts of a connection that agreed on context takeover (RFC 7692 7.1.1). Each
/// is made with the first compressed message in its direction. Both take 370,240 bytes together at
/// 15 bits.
#[cfg(feature = "deflate")]
#[derive(Default)]
pub(crate) struct Contexts {
    pub(crate) deflater: Option<Deflater>,
    pub(crate) inflater: Option<Inflater>,
}

#[cfg(feature = "deflate")]
impl std::fmt::Debug for Contexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contexts")
    }
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.spill.is_empty()
            // Without its mark, a head would be scanned from its beginning with each further byte.
            && self.scanned == 0
            && self.assembly.is_none()
            && self.outbox.is_empty()
            && !self.outbox.is_fragmented()
            && self.exchange.is_none()
            && self.close_record.is_none()
            && !self.has_contexts()
    }

    /// Drops what has arrived of a head or a message.
    pub(crate) fn forget_input(&mut self) {
        self.scanned = 0;
        if self.spill.capacity() > 0 || self.assembly.is_some() {
            (self.spill, self.assembly) = (Vec::new(), None);
        }
    }

    #[cfg(feature = "deflate")]
    fn has_contexts(&self) -> bool {
        self.contexts.is_some()
    }

    #[cfg(not(feature = "deflate"))]
    fn has_contexts(&self) -> bool {
        false
    }

    /// Prepares the box for another connection: it keeps at most 1 KiB of each buffer.
    fn recycle(&mut self) {
        const KEPT: usize = 1 << 10;
        self.scanned = 0;
        if self.spill.capacity() > KEPT {
            self.spill = Vec::new();
        }
        self.outbox.shrink(KEPT);
    }
}

/// Boxes to use again.
#[derive(Debug, Default)]
pub(crate) struct HeldPool {
    /// The allocations are what is pooled.
    #[expect(clippy::vec_box)]
    boxes: Vec<Box<Held>>,
    /// Boxes taken in this turn. The pool keeps as many for the next turn.
    needed: usize,
}

/// Boxes that the pool keeps at least and at most.
const MIN_POOLED: usize = 1 << 5;
const MAX_POOLED: usize = 1 << 14;

impl HeldPool {
    pub(crate) fn take(&mut self) -> Box<Held> {
        self.needed += 1;
        self.boxes.pop().unwrap_or_default()
    }

    pub(crate) fn put(&mut self, mut held: Box<Held>) {
        if self.boxes.len() < self.kept() {
            held.recycle();
            self.boxes.push(held);
        }
    }

    /// Frees a quarter of the boxes that the turn did not need.
    #[inline]
    pub(crate) fn end_turn(&mut self) {
        let (keep, len) = (self.kept(), self.boxes.len());
        if len > keep {
            self.boxes.truncate(keep.max(len - len / 4));
        }
        self.needed = 0;
    }

    fn kept(&self) -> usize {
        self.needed.clamp(MIN_POOLED, MAX_POOLED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pool_keeps_little_of_each_box() {
        let mut pool = HeldPool::default();
        let mut held = pool.take();
        held.spill = Vec::with_capacity(64 << 10);
        held.scanned = 7;
        pool.put(held);
        let held = pool.take();
        assert!(held.is_empty() && held.spill.capacity() <= 1 << 10);
    }

    #[test]
    fn pool_keeps_as_many_boxes_as_a_turn_needs() {
        let mut pool = HeldPool::default();
        let taken: Vec<_> = (0..10 * MIN_POOLED).map(|_| pool.take()).collect();
        taken.into_iter().for_each(|held| pool.put(held));
        pool.end_turn();
        assert_eq!(pool.boxes.len(), 10 * MIN_POOLED);
        // A quarter goes with each turn that needs none, down to the least.
        pool.end_turn();
        assert_eq!(pool.boxes.len(), 10 * MIN_POOLED - 10 * MIN_POOLED / 4);
        (0..20).for_each(|_| pool.end_turn());
        assert_eq!(pool.boxes.len(), MIN_POOLED);
        pool.put(Box::default());
        assert_eq!(pool.boxes.len(), MIN_POOLED);
    }
}
