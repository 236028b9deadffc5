//! How to test a handler without a port, a thread or a sleep. A [`World`](crate::testing::World) is
//! a server in memory with a clock that you move.
//!
//! # The first test
//!
//! ```
//! use switchboard::testing::World;
//!
//! let mut world = World::new();
//! world.server.websocket("/echo", |conn, message| conn.send(message));
//! let ada = world.websocket("/echo");
//! world.say(ada, "hello");
//! assert_eq!(world.hear(ada), ["hello"]);
//! ```
//!
//! The server is the one that your program runs, with the same parser, limits, deadlines and
//! output. Only the sockets are replaced. A test takes microseconds and repeats exactly, except for
//! the `Date` header.
//!
//! # Test what you deploy
//!
//! Put the zones of your program into a function that takes `&mut Server`. The program calls the
//! function with `&mut reactor.server`, and the test passes it to
//! [`World::serving`](crate::testing::World::serving).
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Conn, Handler, Reply, Request, Response, Server};
//!
//! struct Notes(Vec<String>);
//!
//! impl Handler for Notes {
//!     fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
//!         match request.method().as_str() {
//!             "POST" => Reply::Body(1 << 10),
//!             _ => self.0.join("\n").into(),
//!         }
//!     }
//!     fn body(&mut self, _conn: &mut Conn<'_>, _request: &mut Request<'_>, body: &[u8]) -> Reply {
//!         self.0.push(String::from_utf8_lossy(body).into_owned());
//!         Response::empty(204).into()
//!     }
//! }
//!
//! fn set_up(server: &mut Server) {
//!     server.zone("/notes", Notes(Vec::new()));
//! }
//!
//! // in a function marked #[test]:
//! let mut world = World::serving(set_up);
//! assert_eq!(world.post("/notes", "buy tea").status, 204);
//! assert_eq!(world.post("/notes", vec![b'x'; 2000]).status, 413);
//! assert_eq!(world.get("/notes").text(), "buy tea");
//! ```
//!
//! # Cookies, origins, methods
//!
//! [`World::fetch`](crate::testing::World::fetch) takes a request of the crate `http`, which is
//! re-exported.
//!
//! ```
//! use switchboard::http::Request;
//! use switchboard::testing::World;
//!
//! let mut world = World::new();
//! world.server.http("/me", |_, request| request.cookie("user").unwrap_or("nobody").to_owned());
//! assert_eq!(world.fetch(Request::get("/me").header("Cookie", "user=ada")).text(), "ada");
//! ```
//!
//! # Time
//!
//! The clock stands still until [`advance`](crate::testing::World::advance) moves it. On its way,
//! the clock stops at each timer and deadline. So a day passes at once, and all timers and
//! deadlines come in order.
//!
//! ```
//! use std::time::Duration;
//! use switchboard::testing::World;
//! use switchboard::{Cause, Conn, Handler, Reply, Request};
//!
//! #[derive(Default)]
//! struct Never {
//!     cancelled: u32,
//! }
//! impl Handler for Never {
//!     fn request(&mut self, _conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
//!         Reply::Later
//!     }
//!     fn cancelled(&mut self, _conn: &mut Conn<'_>, _cause: Cause) {
//!         self.cancelled += 1;
//!     }
//! }
//!
//! let mut world = World::new();
//! let zone = world.server.zone("/never", Never::default());
//! let ada = world.connect();
//! world.request(ada, "/never");
//! world.advance(Duration::from_secs(59));
//! assert!(world.try_answer(ada).is_none());
//! world.advance(Duration::from_secs(2)); // `Options::answer_timeout` is 60 s
//! assert_eq!(world.answer(ada).status, 503);
//! assert_eq!(world.with(zone, |never, _cx| never.cancelled), 1);
//! ```
//!
//! # Peers that misbehave
//!
//! | what the peer does | call |
//! | --- | --- |
//! | takes only a number of bytes | [`window`](crate::testing::World::window) |
//! | answers neither pings nor Close frames | [`manual`](crate::testing::World::manual) |
//! | ends its side (FIN) | [`end`](crate::testing::World::end) |
//! | breaks the connection (reset) | [`fail`](crate::testing::World::fail) |
//! | sends bytes that no client sends | [`write`](crate::testing::World::write) |
//! | bytes arrive one at a time | [`peer`](crate::testing::World::peer), `read_at_most(1)` |
//!
//! ```
//! use switchboard::CloseCode;
//! use switchboard::testing::World;
//!
//! let mut world = World::new();
//! world.server.websocket("/", |_conn, _message| {});
//! let eve = world.websocket("/");
//! world.write(eve, [0x81, 0x01, b'x']); // a frame without a mask
//! assert_eq!(world.closed(eve).unwrap().0, CloseCode::PROTOCOL);
//! ```
//!
//! # The state of a handler
//!
//! [`World::with`](crate::testing::World::with) lends the handler between turns, as the test under
//! Time does. [`World::context`](crate::testing::World::context) gives topics, timers and counters.
//!
//! # What a world does not have
//!
//! Sockets, `listen`, TLS and other threads. A request is `https` if a
//! [trusted proxy](super::behind_a_proxy#the-clients-address) says so. For a handler that opens
//! WebSockets, [`World::dial`](crate::testing::World::dial) plays the far server. Test the rest
//! with real sockets: bind port 0, and get the port from [`local_addr`](crate::Server::local_addr).
