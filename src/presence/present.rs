//! What a zone learns of its users: a snapshot, changes, or a number. These are plain values.

use std::sync::Arc;
use std::time::Duration;

use crate::connection::ConnId;

/// A user at a topic, with the latest value that one of the user's connections joined with.
///
/// A clone copies two pointers.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Conn, Message, Presence};
///
/// let mut world = World::new();
/// world.server.websocket("/", |conn: &mut Conn<'_>, _: Message<'_>| {
///     conn.join("room", "ada", "typing", Presence::GRACE).expect("within the bounds");
/// });
/// let page = world.websocket("/");
/// world.say(page, "join");
/// let present: Vec<_> = world.context().present("room").collect();
/// assert_eq!((&*present[0].user, &*present[0].value), ("ada", "typing"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Present {
    /// The key of the user, 1 to 256 bytes: what the program has passed to
    /// [`Conn::join`](crate::Conn::join).
    pub user: Arc<str>,
    /// The latest value, at most 256 bytes.
    pub value: Arc<str>,
}

/// One change at a topic, of those of one turn. Each user has at most one change in a turn.
///
/// [`Presence`] has an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The user was not there at the end of the turn before.
    Joined(Present),
    /// The user has another value.
    Changed(Present),
    /// The grace of the user is over, or [`Conn::leave`](crate::Conn::leave) ended the last
    /// connection. The value is the last one.
    Left(Present),
}

/// What [`Handler::presence`](crate::Handler::presence) gets: something that the connections in
/// `to` do not know yet. The handler turns it into a message, and sends the message to all of them
/// by [`Context::send_each`](crate::Context::send_each).
///
/// `to` names connections of this server, or of this reactor of a [`Cluster`](crate::Cluster). It
/// is empty when all users of a topic wait for the end of their grace.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Change, Conn, Context, Handler, Presence, Request};
///
/// struct Room;
///
/// impl Handler for Room {
///     fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
///         let user = request.query_value("user").unwrap_or_default();
///         if conn.join("room", &user, "", Presence::GRACE).is_err() {
///             conn.send("no such user");
///         }
///     }
///     fn presence(&mut self, cx: &mut Context, _topic: &str, presence: Presence<'_>) {
///         match presence {
///             Presence::Snapshot { users, to } => {
///                 let users: Vec<&str> = users.iter().map(|present| &*present.user).collect();
///                 cx.send_each(to, &*format!("here: {}", users.join(" ")));
///             }
///             Presence::Changes { changes, to } => {
///                 for change in changes {
///                     let text = match change {
///                         Change::Joined(present) => format!("+{}", present.user),
///                         Change::Left(present) => format!("-{}", present.user),
///                         Change::Changed(_) => continue,
///                     };
///                     cx.send_each(to, &*text);
///                 }
///             }
///             Presence::Count { count, to } => cx.send_each(to, &*format!("{count} are here")),
///             _ => {}
///         }
///     }
/// }
///
/// let mut world = World::new();
/// world.server.zone("/room", Room);
/// let ada = world.websocket("/room?user=ada");
/// let bob = world.websocket("/room?user=bob");
/// assert_eq!(world.hear(ada), ["here: ", "+ada", "+bob"]);
/// assert_eq!(world.hear(bob), ["here: ada", "+bob"]);
/// world.end(bob);
/// assert!(world.hear(ada).is_empty());
/// world.advance(Presence::GRACE + std::time::Duration::from_secs(1));
/// assert_eq!(world.hear(ada), ["-bob"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence<'p> {
    /// All users that are there, ordered by their keys. Connections that have just joined get the
    /// state before the changes of the turn, and then these changes, with their own join among
    /// them. All connections get a snapshot when a topic falls below 80 users.
    Snapshot {
        /// At most 100 users.
        users: &'p [Present],
        /// The connections that need the snapshot.
        to: &'p [ConnId],
    },
    /// The changes of a turn, ordered by the keys of the users.
    Changes {
        /// At least one change, at most 200.
        changes: &'p [Change],
        /// All connections that have joined the topic.
        to: &'p [ConnId],
    },
    /// The number of users, in place of snapshots and changes, from more than 100 users until there
    /// are fewer than 80. All connections get it at most once a second, and always the last one. A
    /// connection that has just joined gets it at once.
    Count {
        /// The number of users.
        count: usize,
        /// The connections that need the number.
        to: &'p [ConnId],
    },
}

impl Presence<'_> {
    /// How long a user stays after the last connection has ended, unless a program decides
    /// otherwise: 10 seconds, longer than a reload of a page takes.
    pub const GRACE: Duration = Duration::from_secs(10);
}
