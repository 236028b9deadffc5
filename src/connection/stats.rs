//! Counters of a server's connections and messages. This file decides nothing by a counter.

use super::cause::Cause;
use super::ends::Ends;
use super::phase::Phase;

/// Counters of a server.
///
/// The first four count what is open at this moment. The others count since the server was made,
/// and only grow. [`Context::stats`](crate::Context::stats) returns a copy.
///
/// ```
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.server.websocket("/", |conn, message| conn.send(message));
/// let client = world.websocket("/");
/// world.say(client, "hello");
///
/// let stats = world.context().stats();
/// assert_eq!((stats.connections, stats.websockets), (1, 1));
/// assert_eq!((stats.accepted, stats.requests, stats.messages), (1, 1, 1));
/// assert_eq!((stats.refused, stats.overflowed, stats.dropped), (0, 0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Counts open connections of any protocol and in either role.
    pub connections: usize,
    /// Counts open WebSockets, including those in their close handshake.
    pub websockets: usize,
    /// Counts open event streams.
    pub event_streams: usize,
    /// Counts connections that a handler has taken over.
    pub takeovers: usize,
    /// Counts connections accepted or adopted, without those turned away.
    pub accepted: u64,
    /// Counts attempts in the client role, and each further socket of one that was given up for
    /// another socket ([`Cause::Replaced`](crate::Cause::Replaced)).
    pub dialled: u64,
    /// Counts connections that have ended, by their cause.
    ///
    /// After each [`flush`](crate::Server::flush), `ends.total()` is `accepted + dialled` less
    /// `connections`. A connection that is turned away or rejected before the server takes it in is
    /// in none of the four: `turned_away` and `rejected` count it. One that a limit refuses because
    /// of its PROXY header was accepted, and ends at that moment.
    pub ends: Ends,
    /// Counts pauses of a listener that found no descriptor or memory for a connection.
    pub exhausted: u64,
    /// Counts connections refused because of a limit, in all or for their address. While such a
    /// connection lingers, `connections` does not count it.
    pub turned_away: u64,
    /// Counts TLS handshakes that succeeded.
    pub handshakes: u64,
    /// Counts connections closed before their first request, because their PROXY header or their
    /// TLS handshake is at fault or did not come in time. Also those whose peer may not send a
    /// PROXY header.
    pub rejected: u64,
    /// Counts requests with a complete and valid head.
    pub requests: u64,
    /// Counts requests that the server answered with an error before a handler answered.
    pub refused: u64,
    /// Counts WebSocket messages delivered to handlers. A message in chunks counts once, with its
    /// last chunk.
    pub messages: u64,
    /// Counts WebSockets, event streams and takeovers closed because more than
    /// [`max_buffered`](crate::Options::max_buffered) bytes waited (1013).
    pub overflowed: u64,
    /// Counts messages dropped by a [`Backpressure`](crate::Backpressure) policy, once for each
    /// receiver.
    pub dropped: u64,
    /// Counts panics in callbacks and closures of the program, which
    /// [`Server::catch_panics`](crate::Server::catch_panics) caught.
    pub panics: u64,
    /// Counts published messages that the full queue of another reactor of a
    /// [`Cluster`](crate::Cluster) did not take, once for each such reactor.
    pub not_passed_on: u64,
}

impl Stats {
    /// Counts the end of sockets of the client role that were given up for another one.
    pub(crate) fn replaced(&mut self, sockets: usize) {
        for _ in 0..sockets {
            self.dialled += 1;
            self.ends.count(Cause::Replaced);
        }
    }

    /// Whether every connection that was accepted or dialled is open or has ended.
    pub(crate) fn adds_up(&self) -> bool {
        self.ends.total() + self.connections as u64 == self.accepted + self.dialled
    }

    /// Counts a change of phase.
    pub(crate) fn moved(&mut self, from: Phase, to: Phase) {
        if let Some(count) = self.open(from) {
            *count -= 1;
        }
        if let Some(count) = self.open(to) {
            *count += 1;
        }
    }

    /// Returns the counter of a phase; `None` for a phase without one.
    pub(crate) fn open(&mut self, phase: Phase) -> Option<&mut usize> {
        match phase {
            Phase::WebSocket(_) => Some(&mut self.websockets),
            Phase::Streaming => Some(&mut self.event_streams),
            Phase::Taken => Some(&mut self.takeovers),
            _ => None,
        }
    }
}
