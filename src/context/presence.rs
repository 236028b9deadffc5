//! Presence as a handler uses it: a connection joins and leaves topics, and a context tells which
//! users are there. The server makes the callbacks, in server/presence.rs.

use std::time::Duration;

use super::conn::Conn;
use super::context::Context;
use crate::connection::{ConnId, Phase, ticks};
use crate::delivery::{EncodedOnce, Outgoing};
use crate::presence::{JoinError, Joining, Presences, Present, RosterSeat};

/// The longest grace.
const LONGEST_GRACE: Duration = Duration::from_secs(60 * 60);

/// Presence.
impl Conn<'_> {
    /// Ties a user to the connection at a topic of presence, or gives the user another value. Only
    /// WebSockets and event streams can; for other connections this does nothing.
    ///
    /// The user is there from the first connection that joins until `grace` after the last one has
    /// ended, rounded up to steps of 250 ms. So a reload of a page is silent.
    /// [`Presence::GRACE`](crate::Presence::GRACE) is 10 seconds. A grace of zero ends with the
    /// connection, and one of more than an hour counts as an hour. [`leave`](Conn::leave) has no
    /// grace. The connection that ends last decides, by its latest call.
    ///
    /// The zone learns what follows by [`Handler::presence`](crate::Handler::presence), once a
    /// turn: the connection gets a snapshot, and every change after it, in order. The value of the
    /// latest call is the user's, whichever connection it came from. A further call with the same
    /// value reports nothing. A further call with another user key takes the connection from the
    /// first user to the second one.
    ///
    /// A topic of presence is no topic of [`subscribe`](Conn::subscribe): the same name may serve
    /// for both, and neither implies the other.
    ///
    /// **The user key is your decision.** The server compares it byte for byte and checks nothing
    /// else. A name that a client chose without a login is no identity: any client can be anyone.
    ///
    /// In a [`Cluster`](crate::Cluster) the users of all reactors are counted together, and each
    /// reactor calls its own zone.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Conn, Message, Presence};
    ///
    /// let mut world = World::new();
    /// world.server.websocket("/", |conn: &mut Conn<'_>, value: Message<'_>| {
    ///     if let Message::Text(value) = value {
    ///         let joined = conn.join("room", "ada", value, Presence::GRACE);
    ///         assert_eq!(joined, Ok(()));
    ///     }
    /// });
    /// let page = world.websocket("/");
    /// world.say(page, "away");
    /// assert_eq!(world.context().present_count("room"), 1);
    /// world.end(page); // and a grace begins
    /// assert_eq!(world.context().present_count("room"), 1);
    /// ```
    ///
    /// # Errors
    /// [`JoinError`], when the topic, the user key or the value has more than 256 bytes, when the
    /// user key is empty, when the connection has joined 16 other topics, and when a connection of
    /// another zone has joined the topic. Then nothing changes.
    pub fn join(
        &mut self,
        topic: &str,
        user: &str,
        value: &str,
        grace: Duration,
    ) -> Result<(), JoinError> {
        let Some(connection) = self.connection() else { return Ok(()) };
        if !matches!(connection.phase, Phase::WebSocket(_) | Phase::Streaming) {
            return Ok(());
        }
        let (zone, grace) = (connection.zone, ticks(grace.min(LONGEST_GRACE)));
        let joining = Joining { zone, topic, user, value, grace };
        self.cx.presences().join(self.id, joining)
    }

    /// Takes the connection out of a topic of presence. If it was the last one of its user, the
    /// user leaves at once: a grace is for connections that end.
    ///
    /// A connection that ends leaves by itself, after [`close`](crate::Handler::close).
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Conn, Message, Presence};
    ///
    /// let mut world = World::new();
    /// world.server.websocket("/", |conn: &mut Conn<'_>, word: Message<'_>| match word {
    ///     Message::Text("leave") => conn.leave("room"),
    ///     _ => assert!(conn.join("room", "ada", "", Presence::GRACE).is_ok()),
    /// });
    /// let page = world.websocket("/");
    /// world.say(page, "join");
    /// world.say(page, "leave");
    /// assert_eq!(world.context().present_count("room"), 0);
    /// ```
    pub fn leave(&mut self, topic: &str) {
        if let Some(presence) = &mut self.cx.presence {
            presence.leave(self.id, topic);
        }
    }
}

/// Presence.
impl Context {
    /// Returns the users at a topic of presence, ordered by their keys, also those whose grace
    /// runs. The list is a copy: it takes time and 32 bytes for each user. It is exact at every
    /// moment, and so ahead of what [`Handler::presence`](crate::Handler::presence) has reported.
    ///
    /// In a [`Cluster`](crate::Cluster) it has the users of all reactors.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Conn, Message, Presence};
    ///
    /// let mut world = World::new();
    /// world.server.websocket("/", |conn: &mut Conn<'_>, user: Message<'_>| {
    ///     let Message::Text(user) = user else { return };
    ///     assert!(conn.join("room", user, "here", Presence::GRACE).is_ok());
    /// });
    /// for user in ["cid", "ada", "cid"] {
    ///     let page = world.websocket("/");
    ///     world.say(page, user);
    /// }
    /// let users: Vec<_> = world.context().present("room").map(|at| at.user).collect();
    /// assert_eq!(users, ["ada".into(), "cid".into()]);
    /// assert_eq!(world.context().present_count("room"), 2);
    /// ```
    pub fn present(&self, topic: &str) -> impl Iterator<Item = Present> + use<> {
        let users = self.roster().map_or_else(Vec::new, |roster| roster.present(topic));
        users.into_iter()
    }

    /// Returns the number of users at a topic of presence, also of those whose grace runs, without
    /// a copy. In a [`Cluster`](crate::Cluster) it counts the users of all reactors.
    #[must_use]
    pub fn present_count(&self, topic: &str) -> usize {
        self.roster().map_or(0, |roster| roster.count(topic))
    }

    /// Sends one message to several WebSockets and event streams. It is encoded once for each of
    /// the two kinds, as by [`publish`](Context::publish). Exchanges that have ended get nothing.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Conn, ConnId, Handler, Message};
    ///
    /// #[derive(Default)]
    /// struct Pair(Vec<ConnId>);
    /// impl Handler for Pair {
    ///     fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
    ///         self.0.push(conn.id());
    ///         conn.context().send_each(&self.0, message);
    ///     }
    /// }
    ///
    /// let mut world = World::new();
    /// world.server.zone("/", Pair::default());
    /// let (ada, bob) = (world.websocket("/"), world.websocket("/"));
    /// world.say(ada, "one");
    /// world.say(bob, "two");
    /// assert_eq!(world.hear(ada), ["one", "two"]);
    /// assert_eq!(world.hear(bob), ["two"]);
    /// ```
    pub fn send_each<'m>(&mut self, to: &[ConnId], message: impl Into<Outgoing<'m>>) {
        let message = message.into();
        let key = message.key.map_or(0, |key| self.delivery.number_of(key));
        let mut encoded = EncodedOnce::new(message, key);
        let waiting = self.delivery.fan_out.receivers();
        for &id in to {
            if let Some(mut at) = self.table.lease_live(id) {
                self.delivery.publish_to(&mut at, &mut encoded);
            }
        }
        let posted = self.delivery.fan_out.receivers() - waiting;
        self.table.books.stats.messages_sent += posted as u64;
    }

    fn roster(&self) -> Option<&RosterSeat> {
        let own = self.presence.as_ref().map(|presence| presence.seat());
        own.or(self.roster_seat.as_ref())
    }

    /// Returns the presence of this server, which begins with the first join.
    fn presences(&mut self) -> &mut Presences {
        self.has_extras = true;
        let (seat, drains) = (&self.roster_seat, self.draining.is_some());
        self.presence.get_or_insert_with(|| {
            let mut presences = Presences::new(seat.clone().unwrap_or_else(RosterSeat::alone));
            if drains {
                presences.drain();
            }
            Box::new(presences)
        })
    }

    /// Takes an exchange that has ended out of its topics of presence.
    #[cold]
    pub(super) fn end_presence(&mut self, id: ConnId) {
        let Context { presence, table, .. } = self;
        if let Some(presence) = presence {
            presence.end(id, |ticks| table.books.clock.deadline(ticks));
        }
    }
}
