//! The pending fan-out: one published frame, and the connections that the frame is still to be
//! written to. This file writes nothing.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::outbox::{Droppable, Shared};

/// Room for receivers that is kept between turns.
const KEPT: usize = 16 << 10;

/// A frame and the slots that it is still to be written to, in their order. A slot counts only
/// while its connection has the flag `POSTED`.
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    pub(super) frame: Option<(Shared, Droppable)>,
    pub(super) receivers: VecDeque<u32>,
}

impl FanOut {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.receivers.is_empty()
    }

    /// Bytes that wait for each of the receivers.
    pub(crate) fn len(&self) -> usize {
        self.frame.as_ref().map_or(0, |(frame, _)| frame.len())
    }

    /// Makes this frame the pending one, if none is, and returns whether it is: the first frame
    /// stays pending until all its receivers have it.
    #[inline]
    pub(super) fn claim(&mut self, frame: &Shared, key: u64) -> bool {
        let pending = || (Rc::clone(frame), Droppable::Message { key });
        let (pending, _) = self.frame.get_or_insert_with(pending);
        Rc::ptr_eq(pending, frame)
    }

    /// Forgets the frame: every receiver has had it.
    pub(super) fn end(&mut self) {
        self.frame = None;
        self.receivers.shrink_to(KEPT);
    }
}
