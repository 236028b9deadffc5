//! The segments of an outbox: how much of each has left, what may overtake it, and which policies
//! may drop it. This file holds no queue. It keeps how many own bytes a segment has, not the bytes.

use std::sync::Arc;

/// A frame or event encoded once for many receivers, also those of other threads.
pub(crate) type Shared = Arc<Vec<u8>>;

/// The content of a segment, which decides what may leave before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole WebSocket frames. Control frames may leave between two of them.
    Frames,
    /// Bytes of HTTP, of an event stream or of a takeover. Nothing may leave between them.
    Bytes,
}

/// A piece of output that leaves from one place in memory.
#[derive(Debug)]
pub(super) enum Segment {
    /// The next `len` bytes of `Outbox::own`, of which `sent` have left.
    Own { len: usize, sent: usize, kind: Kind },
    /// One frame or event, of which `sent` bytes have left.
    Shared { frame: Shared, sent: usize, drop: Droppable },
}

/// Whether a policy may drop a shared segment, and which later one makes it obsolete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Droppable {
    /// No policy may drop the segment, and nothing may leave before its end: bytes of HTTP.
    Whole,
    /// No policy may drop the frame. Control frames may leave before it.
    Never,
    /// No policy may drop the message, and its bytes do not count toward the limit: it was kept
    /// before, and waits here no longer than its reader lets it.
    Replayed,
    /// A policy may drop the message. A later one with the same key replaces it; 0 is no key.
    Message { key: u64 },
}

impl Segment {
    /// Bytes that have not left.
    pub(super) fn rest(&self) -> usize {
        match self {
            Segment::Own { len, sent, .. } => len - sent,
            Segment::Shared { frame, sent, .. } => frame.len() - sent,
        }
    }
}
