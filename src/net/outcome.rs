//! The outcomes of one read and of one write. This file knows neither sockets nor buffers.

/// The outcome of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// `n` bytes arrived; `more` says that the transport may hold further bytes.
    Bytes { n: usize, more: bool },
    /// No bytes now: the next readable event announces some.
    Blocked,
    /// The peer has ended its side.
    End,
}

impl Read {
    /// The number of bytes that arrived.
    pub(crate) fn count(self) -> usize {
        match self {
            Read::Bytes { n, .. } => n,
            Read::Blocked | Read::End => 0,
        }
    }
}

/// The outcome of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrote {
    /// Every byte left.
    All,
    /// The transport took this many bytes, not all, and is full until the next writable event.
    Part(usize),
    /// The transport took no byte and is full until the next writable event.
    Nothing,
}

impl Wrote {
    /// The outcome of a write to a socket that took `n` of `given` bytes.
    #[inline]
    pub(crate) const fn of(n: usize, given: usize) -> Wrote {
        match n {
            _ if n == given => Wrote::All,
            0 => Wrote::Nothing,
            n => Wrote::Part(n),
        }
    }

    /// The number of bytes taken of `given`.
    #[inline]
    pub(crate) const fn taken(self, given: usize) -> usize {
        match self {
            Wrote::All => given,
            Wrote::Part(n) => n,
            Wrote::Nothing => 0,
        }
    }
}
