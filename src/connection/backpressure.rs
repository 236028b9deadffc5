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
/// [`KeepLatest`](Backpressure::KeepLatest) also acts below the limit: a message takes the place of
/// the waiting one with the same key at once. A message with an id, such as one of a topic with
/// [history](crate::Server::history), goes to the end instead, so that a client can resume after
/// each id. [`Stats::replaced`](crate::Stats::replaced) counts both.
///
/// With compression in dedicated mode, a waiting message is compressed as it begins to leave. What
/// is dropped or replaced has never entered the window that later messages refer to. Up to 16 KiB
/// of compressed messages, and one message more, count as begun.
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
/// world.server.options(Options::new().backpressure(Backpressure::KeepLatest));
/// world.server.zone("/", Ticker);
/// let client = world.websocket("/");
/// world.window(client, 0); // the client takes no byte
/// for tick in ["1", "2", "3"] {
///     world.context().publish("ticks", tick.repeat(50).as_str());
///     world.settle();
/// }
/// world.window(client, usize::MAX);
/// assert_eq!(world.context().stats().replaced, 2);
/// assert_eq!(world.hear(client), ["3".repeat(50)]);
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
    /// Keeps one waiting message of each key: a later message takes the place of an earlier one
    /// that has not begun to leave, at once. Beyond the limit the oldest messages are dropped. The
    /// key is [`Outgoing::key`](crate::Outgoing::key); a publish without one has its topic for it.
    KeepLatest,
}

impl Backpressure {
    #[inline]
    pub(crate) fn drops(self) -> bool {
        self != Backpressure::Close
    }
}
