//! What an outbox is a queue of: what a piece of output is, how much of it has left, and what may come before it or drop it. It holds no
//! queue, and of own bytes only their number.

use std::rc::Rc;

/// A frame encoded once for many receivers.
pub(crate) type Shared = Rc<Vec<u8>>;

/// What a segment is, which decides what may leave before it and what may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole WebSocket frames; control frames may go between them.
    Frames,
    /// Bytes of HTTP, of an event stream or of a takeover: they leave in their order.
    Bytes,
}

#[derive(Debug)]
pub(super) enum Segment {
    /// A run of `len` bytes of `Outbox::own`, of which `sent` have left.
    Own { len: usize, sent: usize, kind: Kind },
    /// One frame or event, of which `sent` bytes have left.
    Shared { frame: Shared, sent: usize, drop: Droppable },
}

/// Whether a policy may drop a frame, and which later one makes it obsolete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Droppable {
    /// It may not, and nothing may come before its end: bytes of HTTP.
    Whole,
    Never,
    /// It may, and one with the same key replaces it; zero is no key.
    Message {
        key: u64,
    },
}

impl Segment {
    pub(super) fn rest(&self) -> usize {
        match self {
            Segment::Own { len, sent, .. } => len - sent,
            Segment::Shared { frame, sent, .. } => frame.len() - sent,
        }
    }
}
