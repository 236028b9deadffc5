//! Rooms and topics: one message for many receivers. A topic is a name; a publish to it reaches the
//! WebSockets and event streams that have subscribed.
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
//! | [`conn.subscribe(topic)`] | subscribes to the topic; a second call has no effect |
//! | [`conn.subscribe_from(topic, id)`] | subscribes after a message that the client has |
//! | [`conn.unsubscribe(topic)`] | ends the subscription |
//! | [`conn.topics()`] | lists the topics of the connection, the latest first |
//! | [`conn.publish(topic, message)`] | sends to all subscribers, this connection included |
//! | [`conn.publish_to_others`] | sends to all subscribers except this connection |
//! | [`cx.publish(topic, message)`] | sends to all subscribers, from a timer or a thread's call |
//! | [`cx.publish_with(topic, make)`] | sends a message that contains its own id |
//! | [`cx.subscribers(topic)`] | returns the exact number of subscribers |
//!
//! A topic begins with its first subscriber and ends with its last. Names are compared byte for
//! byte; there are no wildcards. Topics belong to the server, so two zones can share one.
//!
//! Only an open WebSocket or event stream can subscribe: call `subscribe` in
//! [`open`](crate::Handler::open) or later. A connection that ends leaves all of its topics. It
//! leaves them after [`close`](crate::Handler::close), so this callback can still publish to them.
//!
//! A count of connections is no list of users: [`presence`](super::presence) tells which users are
//! there, through their reloads.
//!
//! # Event streams beside WebSockets
//!
//! An event stream (`text/event-stream`) is an HTTP response that does not end. Browsers open it
//! again by themselves when it breaks. One publish reaches WebSockets and event streams.
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
//! A WebSocket gets the text alone. An event stream gets the text, the name of the event and its
//! id. Binary messages do not reach event streams, which carry text only.
//!
//! A client that was away misses what was published meanwhile, unless the topic keeps its messages:
//! [`history`](super::history) gives a client that reconnects what it missed, once and in order.
//!
//! # What a publish costs
//!
//! A message is encoded once for WebSockets and once for event streams. In shared mode it is
//! compressed once for all receivers with the same parameters, in dedicated mode for each receiver.
//! A membership takes some 20 bytes. A delivery of 100 bytes takes one write for each receiver, and
//! 188 instructions beside the write. While a message waits for a slow receiver, the server keeps a
//! pointer to the message, not a copy; [`slow_readers`](super::slow_readers) says for how long.
//!
//! A topic with [`history`](super::history) keeps each message once, as the frame that its
//! WebSockets get. Events and compressed frames are made when a receiver needs them, and shared
//! while one still waits. Without history a publish has one branch more.
//!
//! In November 2026, the call that publishes to a million receivers took 890 ms of CPU time. That
//! call writes nothing: the writes are spread over the turns that follow.
//!
//! [`cx.publish(topic, message)`]: crate::Context::publish
//! [`cx.publish_with(topic, make)`]: crate::Context::publish_with
//! [`cx.subscribers(topic)`]: crate::Context::subscribers
//! [`conn.subscribe(topic)`]: crate::Conn::subscribe
//! [`conn.subscribe_from(topic, id)`]: crate::Conn::subscribe_from
//! [`conn.unsubscribe(topic)`]: crate::Conn::unsubscribe
//! [`conn.topics()`]: crate::Conn::topics
//! [`conn.publish(topic, message)`]: crate::Conn::publish
//! [`conn.publish_to_others`]: crate::Conn::publish_to_others
