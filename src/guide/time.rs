//! Time: timers, timeouts, heartbeats, and every deadline with its default. The clock is read once
//! a turn; tests move it by hand.
//!
//! # Timers
//!
//! A timer belongs to a zone and calls a closure with that zone's handler.
//!
//! ```
//! use std::time::Duration;
//! use switchboard::Handler;
//! use switchboard::testing::World;
//!
//! #[derive(Default)]
//! struct Clock {
//!     ticks: u32,
//!     rang: bool,
//! }
//! impl Handler for Clock {}
//!
//! let mut world = World::new();
//! let clock = world.server.zone("/clock", Clock::default());
//! let ticking = world.context().every(clock, Duration::from_secs(1), |clock: &mut Clock, cx| {
//!     clock.ticks += 1;
//!     cx.publish("clock", &*clock.ticks.to_string());
//! });
//! world.context().after(clock, Duration::from_millis(2500), move |clock: &mut Clock, cx| {
//!     clock.rang = true;
//!     cx.cancel(ticking);
//! });
//! world.advance(Duration::from_secs(60));
//! assert!(world.with(clock, |clock, _cx| clock.rang && clock.ticks == 2));
//! ```
//!
//! | call | runs | precision |
//! | --- | --- | --- |
//! | [`cx.after(zone, delay, ..)`] | once | exact, as far as the loop is free |
//! | [`cx.every(zone, period, ..)`] | each period, 1 ms at least | the same |
//! | [`conn.set_timeout(..)`] | once | 250 ms, rounded up |
//!
//! A repeating timer skips the periods during which the loop was busy.
//! [`Context::cancel`](crate::Context::cancel) stops either kind.
//!
//! # A timeout of one connection
//!
//! [`Conn::set_timeout`](crate::Conn::set_timeout) has [`timeout`](crate::Handler::timeout) called
//! once. A second call moves the timeout. It only overwrites a number and adds no entry to a queue.
//! So a handler may set it with every message.
//!
//! ```
//! use std::time::Duration;
//! use switchboard::testing::World;
//! use switchboard::{CloseCode, Conn, Handler, Message, Request};
//!
//! const PATIENCE: Duration = Duration::from_secs(30);
//!
//! struct Login;
//! impl Handler for Login {
//!     fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
//!         conn.set_timeout(Some(PATIENCE));
//!     }
//!     fn message(&mut self, conn: &mut Conn<'_>, _message: Message<'_>) {
//!         conn.set_timeout(None);
//!     }
//!     fn timeout(&mut self, conn: &mut Conn<'_>) {
//!         conn.close(CloseCode::POLICY, "log in first");
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/login", Login);
//! let (ada, eve) = (world.websocket("/login"), world.websocket("/login"));
//! world.say(ada, "I am Ada");
//! world.advance(PATIENCE + Duration::from_millis(250));
//! assert_eq!(world.closed(ada), None);
//! assert_eq!(world.closed(eve).unwrap().0, CloseCode::POLICY);
//! ```
//!
//! # Pings: who sends them
//!
//! The server pings, and you need do nothing. A WebSocket that was silent for 120 s gets a ping.
//! The server shortens this time by a different amount for each connection, at most an eighth. This
//! spreads the pings. Any byte counts as a sign of life. After 20 s more of silence the connection
//! ends, and `close` says 1006.
//!
//! ```
//! use std::time::Duration;
//! use switchboard::testing::World;
//!
//! let mut world = World::new();
//! world.server.websocket("/", |_conn, _message| {});
//! let (alive, dead) = (world.websocket("/"), world.websocket("/"));
//! world.manual(dead); // answers no ping
//! world.advance(Duration::from_secs(150));
//! assert_eq!(world.pings(alive).len(), 1);
//! assert!(world.is_open(alive) && !world.is_open(dead));
//! ```
//! | side | what it does |
//! | --- | --- |
//! | the server, to a silent peer | pings, then ends the connection |
//! | the server, to a peer's ping | answers by itself, with the same payload |
//! | a WebSocket that this program opened | pings a silent server in the same way |
//! | an event stream | gets a comment every 15 s |
//! | a handler | may ping too: [`Conn::ping`](crate::Conn::ping) |
//! | [`Handler::pong`](crate::Handler::pong) | gets every pong, also to the server's own pings |
//!
//! # All deadlines
//!
//! Each row is a setter of [`Options`](crate::Options). The server rounds deadlines up to steps of
//! 250 ms. Two differ: `idle_timeout` may come early, and `lifetime` has steps of 16 s.
//!
//! | option | default | runs while | then |
//! | --- | --- | --- | --- |
//! | `first_byte_timeout` | 10 s | a new connection has sent nothing | closed |
//! | `head_timeout` | 10 s | a head arrives, from its first byte | 408, closed |
//! | `body_timeout`, `body_rate` | 30 s, 512 B/s | a body arrives more slowly | 408, closed |
//! | `answer_timeout` | 60 s | a deferred answer is owed | 503, `cancelled` |
//! | `write_timeout`, `write_rate` | 30 s, 512 B/s | a response is read more slowly | closed |
//! | `keep_alive_timeout` | 60 s | no next request has begun | closed |
//! | `idle_timeout` | 120 s | a WebSocket is silent | a ping |
//! | `pong_timeout` | 20 s | it is still silent | closed, 1006 |
//! | `close_timeout` | 5 s | our Close frame is unanswered | closed |
//! | `linger_timeout` | 2 s | all was sent, the peer has not ended | closed |
//! | `event_stream_interval` | 15 s | an event stream is open | a comment |
//! | `lifetime` | none | the connection is open | Close 1001, or the last answer |
//!
//! An event stream whose reader takes nothing for two intervals ends. A taken-over connection has
//! no deadline but its own timeouts. [`Connect::timeout`](crate::Connect::timeout) is 10 s, from
//! the name to the open WebSocket, over all addresses and redirections. `lifetime` is kept in steps
//! of 16 s, up to 12 days.
//!
//! ```
//! use std::time::Duration;
//! use switchboard::{Options, Server};
//!
//! let mut server = Server::detached();
//! server.options(Options::new().idle_timeout(Duration::from_secs(30)));
//! ```
//!
//! [`cx.after(zone, delay, ..)`]: crate::Context::after
//! [`cx.every(zone, period, ..)`]: crate::Context::every
//! [`conn.set_timeout(..)`]: crate::Conn::set_timeout
