//! Where state lives: in the handler, for each connection, and shared between zones. State needs no
//! lock, and this chapter shows why.
//!
//! # State of a zone
//!
//! A handler is a value of your own type. Its callbacks run one at a time on one thread, and each
//! gets `&mut self`. So all connections of the zone share a field without `Arc` and without
//! `Mutex`.
//!
//! # State of a connection
//!
//! [`ConnMap`](crate::ConnMap) maps a connection to a value, as fast as an array. Insert the value
//! in `open` and remove it in `close`.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Close, Conn, ConnMap, Handler, Message, Request};
//!
//! #[derive(Default)]
//! struct Counting {
//!     seen: ConnMap<u64>,
//! }
//!
//! impl Handler for Counting {
//!     fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
//!         self.seen.insert(conn.id(), 0);
//!     }
//!     fn message(&mut self, conn: &mut Conn<'_>, _message: Message<'_>) {
//!         if let Some(seen) = self.seen.get_mut(conn.id()) {
//!             *seen += 1;
//!             conn.send(&*seen.to_string());
//!         }
//!     }
//!     fn close(&mut self, conn: &mut Conn<'_>, _close: Close<'_>) {
//!         self.seen.remove(conn.id());
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/count", Counting::default());
//! let (ada, bob) = (world.websocket("/count"), world.websocket("/count"));
//! world.say(ada, "one");
//! world.say(ada, "two");
//! world.say(bob, "one");
//! assert_eq!(world.hear(ada), ["1", "2"]);
//! assert_eq!(world.hear(bob), ["1"]);
//! ```
//!
//! A [`ConnId`](crate::ConnId) names one exchange, not one socket. You may keep the name for ever:
//! once the exchange has ended, the name has no effect.
//!
//! # One handler at several prefixes
//!
//! [`Server::zones`](crate::Server::zones) puts one value at several prefixes, so that a page and a
//! WebSocket share it. [`Request::zone`](crate::Request::zone) tells which prefix matched, and
//! [`Request::suffix`](crate::Request::suffix) what follows.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Conn, Handler, Message, Reply, Request, Upgrade};
//!
//! struct Votes(u32);
//!
//! impl Handler for Votes {
//!     fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
//!         match request.zone() {
//!             "/vote" => Upgrade::new().into(),
//!             _ => format!("{} votes", self.0).into(),
//!         }
//!     }
//!     fn message(&mut self, _conn: &mut Conn<'_>, _message: Message<'_>) {
//!         self.0 += 1;
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zones(&["/vote", "/count"], Votes(0));
//! let ada = world.websocket("/vote");
//! world.say(ada, "yes");
//! assert_eq!(world.get("/count").text(), "1 votes");
//! ```
//!
//! # From one zone to another
//!
//! Registering a handler returns a [`ZoneId`](crate::ZoneId): a small `Copy` value that remembers
//! the handler's type. With it, other code can pass a closure that the server calls with that
//! handler.
//!
//! | from | call | when the closure runs |
//! | --- | --- | --- |
//! | a handler | [`cx.call(zone, ..)`] | after this callback, in the same turn |
//! | a handler | [`cx.after`], [`cx.every`] | when due |
//! | between turns | [`server.with(zone, now, ..)`] | at once |
//! | another thread | [`remote.call(zone, ..)`] | soon, on the loop's thread |
//!
//! The call of the first row waits, because no handler runs inside another.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Conn, Handler, Message, ZoneId};
//!
//! #[derive(Default)]
//! struct Audit(Vec<String>);
//! impl Handler for Audit {}
//!
//! struct Room {
//!     audit: ZoneId<Audit>,
//! }
//! impl Handler for Room {
//!     fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
//!         let line = format!("{:?}", message);
//!         conn.context().call(self.audit, move |audit, _cx| audit.0.push(line));
//!     }
//! }
//!
//! let mut world = World::new();
//! let audit = world.server.zone("/audit", Audit::default());
//! world.server.zone("/room", Room { audit });
//! let ada = world.websocket("/room");
//! world.say(ada, "hello");
//! assert_eq!(world.with(audit, |audit, _cx| audit.0.len()), 1);
//! ```
//!
//! # From one zone to the next, with a request
//!
//! A zone that passes a request on may leave values in its [`Extensions`](crate::Extensions): at
//! most one of each type. Later zones and `open` find these values.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Conn, Handler, Reply, Request};
//!
//! struct User(String);
//!
//! struct Door;
//! impl Handler for Door {
//!     fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
//!         let name = request.query_value("user").unwrap_or("a stranger".into()).into_owned();
//!         request.extensions_mut().insert(User(name));
//!         Reply::Pass
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/", Door);
//! world.server.http("/hello", |_conn, request| {
//!     let user = request.extensions().get::<User>().map_or("", |user| &*user.0);
//!     format!("hello, {user}")
//! });
//! assert_eq!(world.get("/hello?user=ada").text(), "hello, ada");
//! ```
//!
//! [`cx.call(zone, ..)`]: crate::Context::call
//! [`cx.after`]: crate::Context::after
//! [`cx.every`]: crate::Context::every
//! [`server.with(zone, now, ..)`]: crate::Server::with
//! [`remote.call(zone, ..)`]: crate::Remote::call
