//! Presence: which users are at a room now. A page shows their names, and a reload of another page
//! does not make a name flicker.
//!
//! # A room that shows its users
//!
//! A connection [joins](crate::Conn::join) a topic with a user key and a value. The server tells
//! the zone what the pages do not know yet, and the zone turns it into messages:
//!
//! ```
//! use std::time::Duration;
//! use switchboard::testing::World;
//! use switchboard::{
//!     Change, Close, CloseCode, Conn, ConnMap, Context, Handler, Message, Presence, Request,
//! };
//!
//! #[derive(serde::Serialize)]
//! #[serde(rename_all = "lowercase")]
//! enum News<'n> {
//!     /// All users that are there, with their values.
//!     All(Vec<(&'n str, &'n str)>),
//!     /// Users with another value, or with none if they have left.
//!     Changes(Vec<(&'n str, Option<&'n str>)>),
//!     Count(usize),
//! }
//!
//! #[derive(Default)]
//! struct Room {
//!     users: ConnMap<String>,
//! }
//!
//! /// The user of a login. Here the page names the user itself, so anyone can be anyone.
//! fn user(request: &Request<'_>) -> Option<String> {
//!     request.query_value("user").map(Into::into)
//! }
//!
//! impl Handler for Room {
//!     fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
//!         let user = user(request).unwrap_or_default();
//!         match conn.join("room", &user, "here", Presence::GRACE) {
//!             Ok(()) => drop(self.users.insert(conn.id(), user)),
//!             Err(error) => conn.close(CloseCode::POLICY, &error.to_string()),
//!         }
//!     }
//!
//!     fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
//!         // The page says what its user does, such as `typing`.
//!         if let (Message::Text(value), Some(user)) = (message, self.users.get(conn.id())) {
//!             let _too_long = conn.join("room", user, value, Presence::GRACE);
//!         }
//!     }
//!
//!     fn close(&mut self, conn: &mut Conn<'_>, _close: Close<'_>) {
//!         self.users.remove(conn.id());
//!     }
//!
//!     fn presence(&mut self, cx: &mut Context, _topic: &str, presence: Presence<'_>) {
//!         let (news, to) = match presence {
//!             Presence::Snapshot { users, to } => {
//!                 let users = users.iter().map(|at| (&*at.user, &*at.value));
//!                 (News::All(users.collect()), to)
//!             }
//!             Presence::Changes { changes, to } => {
//!                 let changes = changes.iter().map(|change| match change {
//!                     Change::Joined(at) | Change::Changed(at) => (&*at.user, Some(&*at.value)),
//!                     Change::Left(at) => (&*at.user, None),
//!                 });
//!                 (News::Changes(changes.collect()), to)
//!             }
//!             Presence::Count { count, to } => (News::Count(count), to),
//!             _ => return,
//!         };
//!         if let Ok(json) = serde_json::to_string(&news) {
//!             cx.send_each(to, &*json);
//!         }
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/room", Room::default());
//! let ada = world.websocket("/room?user=ada");
//! let bob = world.websocket("/room?user=bob");
//! assert_eq!(world.hear(bob), [r#"{"all":[["ada","here"]]}"#, r#"{"changes":[["bob","here"]]}"#]);
//! world.say(ada, "typing");
//! assert_eq!(world.hear(bob), [r#"{"changes":[["ada","typing"]]}"#]);
//!
//! world.end(ada); // a reload
//! world.advance(Duration::from_secs(5));
//! let again = world.websocket("/room?user=ada");
//! assert_eq!(world.hear(bob), [r#"{"changes":[["ada","here"]]}"#]); // another value, and not gone
//!
//! world.end(again);
//! world.advance(Presence::GRACE + Duration::from_secs(1));
//! assert_eq!(world.hear(bob), [r#"{"changes":[["ada",null]]}"#]);
//! ```
//!
//! The page keeps a map, and draws it after each message:
//!
//! ```js
//! let users = new Map()
//! const socket = new WebSocket(`wss://${location.host}/room?user=ada`)
//! socket.onmessage = ({ data }) => {
//!     const news = JSON.parse(data)
//!     if ('all' in news) users = new Map(news.all)
//!     for (const [user, value] of news.changes ?? []) {
//!         if (value === null) users.delete(user)
//!         else users.set(user, value)
//!     }
//!     document.querySelector('#here').textContent =
//!         'count' in news ? `${news.count} are here` : [...users.keys()].join(', ')
//! }
//! ```
//!
//! A page that has lost its connection opens another one. Its first message then is a snapshot, so
//! it needs nothing of what it had. An event stream joins in `open` alike.
//!
//! # The user key
//!
//! **It is your decision**, and the server believes it. A name that a page chose, as in
//! the example above, is no identity: any page can take any name, and with it the place of another
//! user. Take the key from a login: a first zone at `/` checks the session's cookie and puts the
//! user into the request's [`Extensions`](crate::Extensions), as [the chapter on
//! state](super::state) shows. `open` then reads it there. Each tab of a user is a connection of
//! its own, and all of them are one user.
//!
//! # When a user comes and goes
//!
//! | what happens | what is reported |
//! | --- | --- |
//! | the first connection of a user joins | `Joined` |
//! | a further connection joins with the same value | a snapshot for it, and nothing else |
//! | a connection joins again with another value | `Changed` |
//! | a connection ends while the user has another one | nothing |
//! | the last one ends, and one joins within the grace | a snapshot for it, and nothing else |
//! | the last one ends, and the grace is over | `Left` |
//! | [`Conn::leave`](crate::Conn::leave) ends the last one | `Left`, at once |
//! | a user comes and goes, or changes and changes back, in one turn | nothing |
//! | the server [drains](crate::Drain) | no user leaves, from the call on |
//!
//! The grace is an argument of `join`: [`Presence::GRACE`](crate::Presence::GRACE) is 10 seconds.
//! It counts in steps of 250 ms of loop time, so a stall of the program ends none.
//!
//! A connection that joins gets the state before its turn, and then every change of this turn and
//! of all later ones, in order. Its own user is one of these changes, unless the user was there
//! before. So it can add and remove without care, and a page that joins in the middle of a change
//! misses nothing.
//!
//! # Many users
//!
//! A list of a thousand names is of no use, and its changes are a load. With more than 100 users a
//! topic is counted: its pages get [`Presence::Count`](crate::Presence::Count) in place of
//! snapshots and changes, at most once a second and always the last one. A page that joins gets the
//! number at once. With fewer than 80 users all pages get a snapshot, and changes from then on.
//!
//! [`Context::present`](crate::Context::present) and
//! [`present_count`](crate::Context::present_count) tell a handler at any time who is there, such
//! as for a page of all rooms.
//!
//! # Bounds
//!
//! | what | bound |
//! | --- | --- |
//! | a topic, a value | 256 bytes |
//! | a user key | 1 to 256 bytes |
//! | topics that one connection joins | 16 |
//! | a grace | an hour; a longer one counts as an hour |
//! | users named one by one | 100 |
//! | users that wait for the end of their grace | 65,536; one more ends the earliest |
//! | topics reported in a turn | 1,024; the others in the next turn |
//!
//! Beyond the first three, `join` returns a [`JoinError`](crate::JoinError) whose text says what
//! to do. A topic belongs to the zone that joined it first, while users are there: put one handler
//! at several prefixes to have WebSockets and event streams in one topic. A server whose zones
//! join nothing pays nothing for presence.
//!
//! # Presence and topics
//!
//! A topic of presence is no topic of [`subscribe`](crate::Conn::subscribe) and has no history: one
//! name can serve for both, and a page that wants both joins and subscribes. Messages of presence
//! go to the connections that have joined, by
//! [`Context::send_each`](crate::Context::send_each).
//!
//! In a [cluster](super::many_cores) the users of all reactors are counted together. Each reactor
//! calls its own zone, and `to` names its own connections. A zone that published there would reach
//! each page once for each reactor, so send to `to`.
