//! Counters of a server's connections and messages. This file decides nothing by a counter.

use super::cause::Cause;
use super::ends::Ends;
use super::refusals::Refusals;
use super::turn_stats::TurnStats;
use super::zone_stats::ZoneStats;

/// Counters of a server.
///
/// [`Context::stats`](crate::Context::stats) returns a copy, and
/// [`to_prometheus`](Stats::to_prometheus) writes it as text. Fields of `usize` count what is open
/// at this moment. Fields of `u64` count since the server was made, and only grow.
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
/// assert_eq!((stats.accepted, stats.requests), (1, 1));
/// assert_eq!((stats.messages, stats.messages_sent), (1, 1));
/// assert_eq!((stats.refused, stats.overflowed, stats.dropped), (0, 0, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Counts open connections of any protocol and in either role. It is the sum of the phases:
    /// `connecting`, `arriving`, `idle`, `reading_head`, `reading_body`, `deferred`, `responding`,
    /// `websockets`, `event_streams`, `takeovers` and `lingering`.
    pub connections: usize,
    /// Counts connections that this program opens: a name, a socket, TLS, a handshake.
    pub connecting: usize,
    /// Counts accepted connections whose PROXY header or TLS handshake is not over.
    pub arriving: usize,
    /// Counts HTTP connections of whose next request no byte has arrived.
    pub idle: usize,
    /// Counts connections of whose request head a part has arrived.
    pub reading_head: usize,
    /// Counts connections of whose request body a part is still to arrive.
    pub reading_body: usize,
    /// Counts connections whose request has a deferred answer
    /// ([`Reply::Later`](crate::Reply::Later)).
    pub deferred: usize,
    /// Counts connections whose response is being written or streamed.
    pub responding: usize,
    /// Counts open WebSockets, including those in their close handshake.
    pub websockets: usize,
    /// Counts those among the WebSockets that have sent a Close frame and await the peer's.
    pub closing: usize,
    /// Counts open event streams.
    pub event_streams: usize,
    /// Counts connections that a handler has taken over.
    pub takeovers: usize,
    /// Counts connections that are over but for their last bytes, or the peer's.
    pub lingering: usize,
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
    /// connection lingers, neither `connections` nor a phase counts it.
    pub turned_away: u64,
    /// Counts TLS handshakes that succeeded.
    pub handshakes: u64,
    /// Counts connections closed before their first request, because their PROXY header or their
    /// TLS handshake is at fault or did not come in time. Also those whose peer may not send a
    /// PROXY header.
    pub rejected: u64,
    /// Counts requests with a complete and valid head.
    pub requests: u64,
    /// Counts requests that the server answered with an error in place of a handler, such as 404
    /// where no zone replies.
    pub refused: u64,
    /// Counts refusals by status: of `refused`, of `turned_away`, and of connections refused while
    /// no descriptor was left.
    pub refusals: Refusals,
    /// Counts bytes that sockets returned. Under TLS they are ciphertext.
    pub bytes_received: u64,
    /// Counts bytes that sockets took. Under TLS they are ciphertext.
    pub bytes_sent: u64,
    /// Counts WebSocket messages delivered to handlers. A message in chunks counts once, with its
    /// last chunk.
    pub messages: u64,
    /// Counts messages to WebSockets and events to event streams, once for each receiver. Control
    /// frames do not count, and a fragmented message counts with its last fragment. Messages of
    /// which the connection could take none, as one that closes, do not count. Those that are
    /// dropped or replaced later do.
    pub messages_sent: u64,
    /// Counts WebSockets, event streams and takeovers closed because more than
    /// [`max_buffered`](crate::Options::max_buffered) bytes waited (1013).
    pub overflowed: u64,
    /// Counts messages dropped by a [`Backpressure`](crate::Backpressure) policy, once for each
    /// receiver.
    pub dropped: u64,
    /// Counts waiting messages whose place a later one with the same key took, under
    /// [`Backpressure::KeepLatest`](crate::Backpressure::KeepLatest), once for each receiver. They
    /// are not in `dropped`.
    pub replaced: u64,
    /// Counts panics in callbacks and closures of the program, which
    /// [`Server::catch_panics`](crate::Server::catch_panics) caught.
    pub panics: u64,
    /// Counts published messages that the full queue of another reactor of a
    /// [`Cluster`](crate::Cluster) did not take, once for each such reactor.
    pub not_passed_on: u64,
    /// Counts topics that keep messages ([`Server::history`](crate::Server::history)).
    ///
    /// In a [`Cluster`](crate::Cluster) the first reactor that has not ended has the counters of
    /// the history of all, but `history_evicted`, and the others have 0. So a sum has each once.
    pub history_topics: usize,
    /// Counts the messages that topics keep.
    pub history_messages: usize,
    /// Counts the bytes of these topics and messages, with 320 bytes for each topic and 256 for
    /// each message beyond its own. Together with `history_queued_bytes` they stay below
    /// [`Server::history_memory`](crate::Server::history_memory).
    pub history_bytes: usize,
    /// Counts the bytes of messages that no topic keeps any more and that still wait for a slow
    /// reader. Where these are more than 16, some may count for some turns too long.
    pub history_queued_bytes: usize,
    /// Counts topics that were forgotten as a whole because the memory for history was full. In a
    /// cluster, each reactor counts those that its own messages pushed out. The first one also
    /// counts those of [`ClusterHandle::publish`](crate::ClusterHandle::publish).
    pub history_evicted: u64,
    /// Counts messages and other questions that wait for a [`Store`](crate::Store), those included
    /// that are late.
    pub store_waiting: usize,
    /// Counts what a [`Store`](crate::Store) has not done: questions that failed or took more than
    /// 10 seconds, messages and questions that a full queue refused, and messages whose ids were
    /// out of order.
    pub store_failed: u64,
    /// Has one entry for each handler at a zone with
    /// [`Zone::counted`](crate::Zone::counted), in the order of their registration.
    pub zones: Vec<ZoneStats>,
    /// Has the time of turns, once [`Server::measure_turns`](crate::Server::measure_turns) is on.
    pub turns: Option<TurnStats>,
}

impl Stats {
    /// Counts the end of sockets of the client role that were given up for another one.
    pub(crate) fn count_given_up(&mut self, sockets: usize) {
        for _ in 0..sockets {
            self.dialled += 1;
            self.ends.count(Cause::Replaced);
        }
    }
}
