//! A first server: a page, a WebSocket, errors, and an orderly end. At the end of the chapter you
//! have a program that you can deploy.
//!
//! # The whole program
//!
//! Create a package, run `cargo add switchboard signal-hook`, and put this program into
//! `src/main.rs`. Only the thread that waits for a signal uses the crate `signal-hook`.
//!
//! ```no_run
//! use std::io::Write;
//! use std::time::Duration;
//! use signal_hook::consts::{SIGINT, SIGTERM};
//! use signal_hook::iterator::Signals;
//! use switchboard::http::Method;
//! use switchboard::{Drain, Reactor, Response, Zone};
//!
//! const PAGE: &str = "<script>
//!   const socket = new WebSocket(`ws://${location.host}/echo`);
//!   socket.onopen = () => socket.send('hello');
//!   socket.onmessage = event => document.body.append(event.data);
//! </script>";
//!
//! fn main() -> std::io::Result<()> {
//!     let mut reactor = Reactor::new()?;
//!     let server = &mut reactor.server;
//!     let page = Zone::new("/page").methods(&[Method::GET]);
//!     server.http(page, |_conn, _request| Response::html(PAGE));
//!     server.websocket("/echo", |conn, message| conn.send(message));
//!
//!     let listener = server.listen("127.0.0.1:8080")?;
//!     let address = server.local_addr(listener)?;
//!     // `println!` panics when the reader has left.
//!     let _ = writeln!(std::io::stdout(), "open http://{address}/page");
//!
//!     let remote = reactor.remote();
//!     let mut signals = Signals::new([SIGINT, SIGTERM])?;
//!     std::thread::spawn(move || {
//!         signals.forever().next();
//!         let _already_ending = remote.drain(Drain::within(Duration::from_secs(3)));
//!     });
//!     reactor.run()
//! }
//! ```
//!
//! # What happens
//!
//! [`Reactor`](crate::Reactor) is the loop; the [`Server`](crate::Server) in it holds zones and
//! connections. A zone is a prefix and a handler. The prefix `/page` matches `/page` and
//! `/page/more`, not `/pages`. Zones are asked in the order in which you added them. If none
//! answers, the client gets 404, or 405 if only the method was wrong.
//!
//! A closure is the shortest handler. [`Server::http`](crate::Server::http) takes a closure that
//! answers requests: with a text, a [`Response`](crate::Response) or a [`Reply`](crate::Reply).
//! [`Server::websocket`](crate::Server::websocket) takes a closure that receives messages. So a
//! page and a WebSocket may stand at one prefix, in any order: `http` passes handshakes on, and
//! `websocket` all other requests.
//!
//! Handlers run on the thread of the loop, one at a time. A handler must not block: while it runs,
//! no other connection is served.
//!
//! # A handler with more than one callback
//!
//! Implement [`Handler`](crate::Handler) and write the callbacks that you need. Each callback has a
//! default.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Close, Conn, Handler, Message, Reply, Request, Response, Upgrade};
//!
//! struct Greeter {
//!     open: usize,
//! }
//!
//! impl Handler for Greeter {
//!     fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
//!         match request.is_websocket() {
//!             true => Upgrade::new().into(),
//!             false => Response::text(format!("{} are here", self.open)).into(),
//!         }
//!     }
//!     fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
//!         self.open += 1;
//!         conn.send(&*format!("welcome to {}", request.path()));
//!     }
//!     fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
//!         conn.send(message);
//!     }
//!     fn close(&mut self, _conn: &mut Conn<'_>, _close: Close<'_>) {
//!         self.open -= 1;
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/hall", Greeter { open: 0 });
//! let ada = world.websocket("/hall");
//! assert_eq!(world.hear(ada), ["welcome to /hall"]);
//! assert_eq!(world.get("/hall").text(), "1 are here");
//! ```
//!
//! [`World`](crate::testing::World) is a server without sockets; see
//! [`testing_handlers`](super::testing_handlers).
//!
//! # Which callback comes after which reply
//!
//! | `request` answers | then |
//! | --- | --- |
//! | [`Pass`](crate::Reply::Pass) | the next zone that matches is asked |
//! | [`Respond`](crate::Reply::Respond), or a text | the answer is sent |
//! | [`Body(limit)`](crate::Reply::Body) | `body`, once, with the whole body |
//! | [`Upgrade`](crate::Reply::Upgrade) | `open`, then `message` and `pong`, then `close` |
//! | [`EventStream`](crate::Reply::EventStream) | `open`, then `close` |
//! | [`Later`](crate::Reply::Later) | the answer is sent when given; or `cancelled` |
//! | [`LongPoll`](crate::Reply::LongPoll) | the server answers, at once or with the next message |
//! | [`Stream`](crate::Reply::Stream) | `writable`, until `Conn::finish`; or `cancelled` |
//! | [`Takeover`](crate::Reply::Takeover) | `open`, then `input`, then `close` |
//!
//! After `Later`, `open` comes if the answer is an upgrade. `cancelled` comes if the peer leaves or
//! the deadline passes before the answer.
//!
//! # Errors
//!
//! Setting up can fail: [`listen`](crate::Server::listen) reports a port that is taken. No method
//! of [`Conn`](crate::Conn) or [`Context`](crate::Context) that sends, answers or closes returns an
//! error.
//! A broken WebSocket shows in [`close`](crate::Handler::close), with code 1006 and a
//! [cause](super::endings). A wrong header in
//! a response turns that response into a 500 that names the header. [`run`](crate::Reactor::run)
//! returns an error only if waiting itself fails, which no peer can cause.
//!
//! # Panics
//!
//! A panic in a callback ends the server: it unwinds out of [`run`](crate::Reactor::run), and a
//! server that is dropped closes its sockets. A program that catches it gets an error from the next
//! turn, which says so; see [`Server::is_poisoned`](crate::Server::is_poisoned). So a supervisor
//! starts the program anew, with a handler in a known state.
//!
//! With [`Server::catch_panics(true)`](crate::Server::catch_panics) a panic ends its own exchange
//! alone:
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{CloseCode, Message, Observed};
//!
//! let mut world = World::new();
//! world.server.catch_panics(true);
//! world.server.observe(|event| {
//!     let Observed::Panicked(panicked) = event else { return };
//!     assert_eq!((panicked.callback, panicked.message), ("message", "divided by zero"));
//! });
//! world.server.websocket("/divide", |conn, message| {
//!     let Message::Text(text) = message else { return };
//!     let divisor: u32 = text.parse().unwrap_or(0);
//!     assert!(divisor > 0, "divided by zero");
//!     conn.send(&*(100 / divisor).to_string());
//! });
//! let (ada, bob) = (world.websocket("/divide"), world.websocket("/divide"));
//! world.say(ada, "0");
//! world.say(bob, "4");
//! assert_eq!(world.closed(ada).map(|(code, _)| code), Some(CloseCode::INTERNAL));
//! assert_eq!(world.hear(bob), ["25"]);
//! assert_eq!(world.context().stats().panics, 1);
//! ```
//!
//! | the panic comes from | then |
//! | --- | --- |
//! | `request`, `body`, or a timeout before the answer | 500, and the connection serves on |
//! | a callback of a WebSocket | Close 1011, then `close` |
//! | a callback of an event stream or a takeover | the end of the connection, then `close` |
//! | `writable` of a streamed answer | the end of the connection, without the last chunk |
//! | `close`, `cancelled` | nothing: the exchange has ended |
//! | a closure of a timer, of `call` or of a `Remote` | nothing; a repeating timer goes on |
//! | a closure of `watch` | nothing; it is called again when more arrives |
//! | the observer | the observer is dropped |
//!
//! A timeout during an unfinished body ends the connection behind its 500. The handler serves all
//! its connections, so they share what the panic left half changed. Change such state in one step,
//! at the end of a callback. With `panic = "abort"` in `Cargo.toml`, a panic ends the process.
//!
//! # The end
//!
//! [`drain`](crate::Server::drain) ends a server in order: listeners close, WebSockets get a Close
//! frame, and requests in progress are answered. Connections that are left at the deadline are
//! dropped. Then `run` returns. From another thread, such as a signal handler's, call
//! [`Remote::drain`](crate::Remote::drain). A server behind a load balancer gives a notice first,
//! and a server of many clients a window in which they leave; see
//! [`time`](super::time#ending-in-order).
