//! What happens beyond the limit of waiting output, as a value. This file drops nothing.

/// What happens to a connection whose peer does not take its output, once more than
/// [`Options::max_buffered`](crate::Options::max_buffered) bytes wait.
///
/// A policy drops whole messages that have not begun to leave; never control frames, fragments or
/// HTTP. [`Stats::dropped`](crate::Stats::dropped) counts the dropped messages exactly. Where
/// dropping does not suffice, the connection is closed, as by [`Close`](Backpressure::Close). Only
/// the rest of a message that has begun to leave may exceed the limit.
///
/// ```
/// use switchboard::{Backpressure, Options, Server};
///
/// let mut server = Server::detached();
/// let options = Options::new().max_buffered(64 << 10).backpressure(Backpressure::KeepLatest);
/// server.options(options);
/// assert_eq!(Backpressure::default(), Backpressure::Close);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backpressure {
    /// Closes the connection with 1013 (try again later) and drops what waits.
    #[default]
    Close,
    /// Drops the message that exceeds the limit.
    DropNewest,
    /// Drops the oldest messages until there is room.
    DropOldest,
    /// Drops waiting messages with the key of the latest one, then the oldest. The key is
    /// [`Outgoing::key`](crate::Outgoing::key); a publish without one has its topic for a key.
    KeepLatest,
}

impl Backpressure {
    #[inline]
    pub(crate) fn drops(self) -> bool {
        self != Backpressure::Close
    }
}
