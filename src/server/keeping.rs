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
}
