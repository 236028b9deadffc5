//! Rooms and topics: one message for many receivers. A topic is a name; a publish reaches
//! WebSockets and event streams that subscribed to it.
//!
//! # A room
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Close, Conn, Handler, Message, Request};
//!
//! struct Room;
//!
//! impl Handler for Room {
//!     fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
//!         conn.subscribe("room");
//!         let count = conn.context().subscribers("room");
//!         conn.publish("room", &*format!("{count} are here"));
//!     }
//!     fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
//!         conn.publish_to_others("room", message);
//!     }
//!     fn close(&mut self, conn: &mut Conn<'_>, _close: Close<'_>) {
//!         conn.publish_to_others("room", "somebody left");
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/room", Room);
//! let ada = world.websocket("/room");
//! let bob = world.websocket("/room");
//! world.say(ada, "hello");
//! assert_eq!(world.hear(ada), ["1 are here", "2 are here"]);
//! assert_eq!(world.hear(bob), ["2 are here", "hello"]);
//! ```
//!
//! # The calls
//!
//! | call | what it does |
//! | --- | --- |
//! | [`conn.subscribe(topic)`] | joins; a second call has no effect |
//! | [`conn.unsubscribe(topic)`] | leaves |
//! | [`conn.topics()`] | names the topics of a connection, latest first |
//! | [`conn.publish(topic, message)`] | to all, the sender included |
//! | [`conn.publish_to_others`] | to all but the sender |
//! | [`cx.publish(topic, message)`] | to all, from a timer or a thread's call |
//! | [`cx.subscribers(topic)`] | how many subscribe now, exactly |
//!
//! A topic begins with its first subscriber and ends with its last. Names are compared byte for
//! byte; there are no wildcards. Topics belong to the server, so two zones can share one.
//!
//! Only an open WebSocket or event stream can subscribe: call `subscribe` in
//! [`open`](crate::Handler::open) or later. A connection that ends leaves all of its topics by
//! itself. In [`close`](crate::Handler::close) its topics still stand, so a last message can reach
//! the others.
//!
//! # Event streams beside WebSockets
//!
//! An event stream (`text/event-stream`) is an HTTP response that does not end. Browsers reconnect
//! it by themselves. One publish reaches both kinds.
//!
//! ```
//! use std::time::Duration;
//! use switchboard::testing::World;
//! use switchboard::{Conn, EventStream, Handler, Outgoing, Reply, Request, Upgrade};
//!
//! struct Weather;
//!
//! impl Handler for Weather {
//!     fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
//!         match request.is_websocket() {
//!             true => Upgrade::new().into(),
//!             false => EventStream::new().retry(Duration::from_secs(2)).into(),
//!         }
//!     }
//!     fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
//!         conn.subscribe("weather");
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/weather", Weather);
//! let socket = world.websocket("/weather");
//! let stream = world.events("/weather");
//! world.context().publish("weather", Outgoing::text("21.5").event("celsius").id("7"));
//! assert_eq!(world.hear(socket), ["21.5"]);
//! assert_eq!(world.hear(stream), ["21.5"]);
//! ```
//!
//! A WebSocket gets the text alone. An event stream gets the name and the id beside it. Binary
//! messages do not reach event streams, which carry text only. A client that reconnects sends the
//! last id in `Last-Event-ID`; what it missed is yours to send again.
//!
//! # What a publish costs
//!
//! A message is encoded once for each kind of receiver, and compressed once for all that agreed on
//! the same terms. A membership takes some 20 bytes. A delivery of 100 bytes takes 188 instructions
//! beside its system call, which is one write for each receiver. A receiver that does not read
//! keeps a pointer to the message, not a copy; [`slow_readers`](super::slow_readers) says for how
//! long.
//!
//! A publish to a million receivers is one call, which took 890 ms in our test. The writes that
//! follow are spread over turns.
//!
//! [`cx.publish(topic, message)`]: crate::Context::publish
//! [`cx.subscribers(topic)`]: crate::Context::subscribers
//! [`conn.subscribe(topic)`]: crate::Conn::subscribe
//! [`conn.unsubscribe(topic)`]: crate::Conn::unsubscribe
//! [`conn.topics()`]: crate::Conn::topics
//! [`conn.publish(topic, message)`]: crate::Conn::publish
//! [`conn.publish_to_others`]: crate::Conn::publish_to_others
