//! A connection and its topics: subscribing from now on, or from an id on. This file sends nothing.

use super::conn::Conn;
use super::replay::may_follow;
use super::stores::{FROM_HERE, NO_ID};
use crate::connection::{Flags, Phase};
use crate::history::MessageId;

impl Conn<'_> {
    /// Subscribes to a topic. A second subscription has no effect. Only WebSockets and event
    /// streams can.
    pub fn subscribe(&mut self, topic: &str) {
        let Some(at) = self.cx.table.lease_live(self.id) else { return };
        if matches!(at.connection.phase, Phase::WebSocket(_) | Phase::Streaming) {
            self.cx.topics.join(topic, self.id.slot(), &mut at.connection.memberships);
            let follows = at.connection.flags.has(Flags::FOLLOWING);
            if self.cx.stores.is_some() {
                self.cx.open_stored(topic);
            }
            if follows {
                self.cx.follow_from_here(self.id.slot(), topic);
            }
        }
    }

    /// Unsubscribes from a topic.
    pub fn unsubscribe(&mut self, topic: &str) {
        if let Some(at) = self.cx.table.lease_live(self.id) {
            self.cx.topics.leave(topic, &mut at.connection.memberships);
            if at.connection.flags.has(Flags::FOLLOWING) {
                self.cx.unfollow(self.id.slot(), topic);
            }
        }
    }

    /// Subscribes to a topic, and goes on after a message that was received before: with all later
    /// messages that the topic keeps, then with those that are published from now on. None is
    /// lost, and none comes twice.
    ///
    /// The zone must judge whether the client may read the topic: **an id is no permission.** Any
    /// client can send any id, and gets what the topic keeps.
    ///
    /// [`Handler::resumed`](crate::Handler::resumed) is called first, once the current callback
    /// has returned. It says whether messages are missing. After a gap, the oldest message that is
    /// kept comes next. If later messages are forgotten before a slow reader has had them, it is
    /// called once more.
    ///
    /// What is kept comes at the reader's pace: at most 64 KiB in a turn, 1 MiB for all connections
    /// together, and never so much that more than half of
    /// [`Options::max_buffered`](crate::Options::max_buffered) waits. No policy drops it, and it
    /// counts for no limit. Until the end is reached, live messages of all topics with history wait
    /// in their place behind it. With several topics, the messages come in the order of their ids.
    ///
    /// In a [`Cluster`](crate::Cluster) an id holds at every reactor, whichever reactor the client
    /// had it from.
    ///
    /// A topic without [history](crate::Server::history) is subscribed to as by
    /// [`subscribe`](Conn::subscribe), without a callback. For a topic that the connection is
    /// subscribed to already, the last call counts: messages since the id come again.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Conn, Handler, History, Message, Resume};
    ///
    /// struct Room;
    ///
    /// impl Handler for Room {
    ///     fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
    ///         let Message::Text(text) = message else { return };
    ///         match text.parse() {
    ///             Ok(id) => conn.subscribe_from("room/1", id),
    ///             Err(_) => conn.subscribe("room/1"),
    ///         }
    ///     }
    ///     fn resumed(&mut self, conn: &mut Conn<'_>, _topic: &str, resume: Resume) {
    ///         conn.send(if resume == Resume::Resumed { "resumed" } else { "gap" });
    ///     }
    /// }
    ///
    /// let mut world = World::new();
    /// world.server.history("room/", History::new());
    /// world.server.zone("/", Room);
    /// let ada = world.websocket("/");
    /// world.context().publish("room/1", "one");
    /// let id = world.context().latest_id();
    /// world.context().publish("room/1", "two");
    /// world.say(ada, &*id.to_string());
    /// world.context().publish("room/1", "three");
    /// assert_eq!(world.hear(ada), ["resumed", "two", "three"]);
    /// world.say(ada, "0-7"); // an id of another server
    /// assert_eq!(world.hear(ada), ["gap", "one", "two", "three"]);
    /// ```
    pub fn subscribe_from(&mut self, topic: &str, after: MessageId) {
        self.subscribe(topic);
        let slot = self.id.slot();
        let phase = self.connection().map(|connection| connection.phase);
        if phase.is_some_and(may_follow) && self.cx.keeps_history(topic) {
            // No store gives this id, which has a meaning of its own here.
            let after = if after == FROM_HERE { NO_ID } else { after };
            self.cx.follow(slot, topic, after);
        }
    }
}
