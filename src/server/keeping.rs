//! What a server keeps of its topics.

use super::server::Server;
use crate::history::History;

/// History.
impl Server {
    /// Keeps the messages of all topics whose name begins with `prefix`, so that a subscriber can
    /// go on from where it was.
    ///
    /// Other topics keep nothing. Of several prefixes the longest that fits wins, and a second call
    /// with a prefix replaces its [`History`]. A subscriber does not make a topic keep anything: a
    /// message that is published does.
    ///
    /// In a [`Cluster`](crate::Cluster) all reactors share one history. A prefix that one of them
    /// registers holds for all. If two register different settings for one prefix,
    /// [`Cluster::run`](crate::Cluster::run) returns an error that names them, and so do
    /// [`listen`](Server::listen) and [`adopt`](Server::adopt).
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{History, MessageId};
    ///
    /// let mut world = World::new();
    /// world.server.history("room/", History::new().messages(50));
    /// let before = world.context().latest_id();
    /// world.context().publish("room/1", "hello");
    /// assert_eq!(world.context().latest_id(), MessageId::new(before.a(), before.b() + 1));
    /// ```
    pub fn history(&mut self, prefix: &str, history: History) {
        self.context.keep_history(prefix, history);
    }

    /// Sets the bytes that the kept messages of all topics may take, 64 MiB by default.
    ///
    /// Beyond them, the topic that was published to least recently is forgotten, with all its
    /// messages. A later resume there is a gap. Messages that no topic keeps any more count for as
    /// long as they wait for a slow reader. With 0 nothing is kept.
    ///
    /// The latest messages of topics of a [store](Server::store) do not count here. They have a
    /// second bound of the same number; what is forgotten there is read from the store.
    ///
    /// In a [`Cluster`](crate::Cluster) this is the bound for all reactors together. Two reactors
    /// that set different bounds cannot serve, as with [`history`](Server::history). The second
    /// bound, for topics of a store, is that of each reactor.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::History;
    ///
    /// let mut world = World::new();
    /// world.server.history("room/", History::new());
    /// world.server.history_memory(16 << 10);
    /// for room in 0..100 {
    ///     world.context().publish(&format!("room/{room}"), "hello");
    /// }
    /// let stats = world.context().stats();
    /// assert!(stats.history_bytes <= 16 << 10);
    /// assert_eq!(stats.history_topics as u64 + stats.history_evicted, 100);
    /// ```
    pub fn history_memory(&mut self, bytes: usize) {
        self.context.keep_within(bytes);
    }
}
