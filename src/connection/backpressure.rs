//! What happens when waiting output passes its limit, as a value. This file drops nothing.

/// Decides what happens to a connection once more than
/// [`Options::max_buffered`](crate::Options::max_buffered) bytes wait for its peer.
///
/// A policy drops whole messages that have not begun to leave; never control frames, fragments or
/// HTTP. What [`Conn::subscribe_from`](crate::Conn::subscribe_from) replays is not dropped either,
/// and does not count toward the limit. [`Stats::dropped`](crate::Stats::dropped) counts the
/// dropped messages exactly. Where dropping does not suffice, the connection is closed, as by
/// [`Close`](Backpressure::Close). Only the rest of a message that has begun to leave may exceed
/// the limit.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Backpressure, Conn, Handler, Options, Request};
///
/// struct Ticker;
///
/// impl Handler for Ticker {
///     fn open(&mut self, conn: &mut Conn, _: &Request) {
///         conn.subscribe("ticks");
///     }
/// }
///
/// let mut world = World::new();
/// let latest = Options::new().max_buffered(100).backpressure(Backpressure::KeepLatest);
/// world.server.options(latest);
/// world.server.zone("/", Ticker);
/// let client = world.websocket("/");
/// world.window(client, 0); // the client takes no byte
/// for tick in ["1", "2", "3"] {
///     world.context().publish("ticks", tick.repeat(50).as_str());
///     world.settle();
/// }
/// world.window(client, usize::MAX);
/// assert_eq!(world.context().stats().dropped, 2);
/// assert_eq!(world.hear(client).len(), 1);
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
