//! The lane: which connection's input is being handled, and where the output of this connection
//! goes meanwhile. The connection is kept as a slot and a name; this file never sees the
//! connection.

use super::id::ConnId;

/// No slot.
const NOBODY: u32 = u32::MAX;

/// One input at a time: the three members name at most one connection.
#[derive(Debug)]
pub(crate) struct Lane {
    /// The connection whose handler is being called.
    driven: u32,
    /// The connection, if its output goes into the cork.
    corked: u32,
    /// The connection, if it is on the fast path: an open WebSocket whose input and output are
    /// nothing but whole messages. A change of phase, the end of the connection, any other output
    /// and the end of the cork clear it.
    fast_path: ConnId,
}

impl Lane {
    pub(crate) const fn new() -> Lane {
        Lane { driven: NOBODY, corked: NOBODY, fast_path: ConnId::NOBODY }
    }

    /// Begins the input of a connection.
    #[inline]
    pub(crate) fn begin(&mut self, id: ConnId, corked: bool, fast_path: bool) {
        self.driven = id.slot();
        self.corked = if corked { id.slot() } else { NOBODY };
        self.fast_path = if fast_path { id } else { ConnId::NOBODY };
    }

    /// Goes on without the fast path.
    #[inline]
    pub(crate) fn leave_fast_path(&mut self) {
        self.fast_path = ConnId::NOBODY;
    }

    /// Ends the cork: output goes into outboxes from here on.
    #[inline]
    pub(crate) fn end_cork(&mut self) {
        (self.corked, self.fast_path) = (NOBODY, ConnId::NOBODY);
    }

    /// Ends the input.
    #[inline]
    pub(crate) fn end(&mut self) {
        *self = Lane::new();
    }

    #[inline]
    pub(crate) fn is_driven(&self, slot: u32) -> bool {
        slot == self.driven
    }

    #[inline]
    pub(crate) fn is_corked(&self, slot: u32) -> bool {
        slot == self.corked
    }

    /// The connection on the fast path, or [`ConnId::NOBODY`].
    #[inline]
    pub(crate) fn fast_path(&self) -> ConnId {
        self.fast_path
    }

    #[inline]
    pub(crate) fn is_on_fast_path(&self, slot: u32) -> bool {
        self.fast_path != ConnId::NOBODY && self.fast_path.slot() == slot
    }
}
