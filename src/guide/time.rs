//! Time: timers, timeouts, heartbeats, proxies, and every deadline with its default. A turn has one
//! time, and tests move the clock by hand.
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
//! | call | when it runs | precision |
//! | --- | --- | --- |
//! | [`cx.after(zone, delay, ..)`] | once | exact, unless the loop is busy |
//! | [`cx.every(zone, period, ..)`] | each period (1 ms or more) | exact, unless the loop is busy |
//! | [`conn.set_timeout(..)`] | once | 250 ms, rounded up |
//!
//! A repeating timer skips the periods during which the loop was busy.
//! [`Context::cancel`](crate::Context::cancel) stops a timer of `after` or of `every`.
//!
//! # A timeout of one connection
//!
//! After [`Conn::set_timeout`](crate::Conn::set_timeout), the server calls
//! [`timeout`](crate::Handler::timeout) once. A second `set_timeout` moves the timeout. Moving it
//! to a later time only overwrites a number, so a handler may do so with every message.
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
//! # Pings
//!
//! The server pings, and you need do nothing. A WebSocket that was silent for 50 s gets a ping. The
//! server shortens this time by a different amount for each connection, at most a tenth. So a ping
//! comes 45 to 50.25 s after the last byte (deadlines have steps of 250 ms), and the pings are
//! spread. Any byte counts as a sign of life. After 20 s more of silence the connection ends, and
//! `close` says 1006, with the cause `PongTimeout`.
//!
//! ```
//! use std::time::Duration;
//! use switchboard::testing::World;
//!
//! let mut world = World::new();
//! world.server.websocket("/", |_conn, _message| {});
//! let (alive, dead) = (world.websocket("/"), world.websocket("/"));
//! world.manual(dead); // answers no ping
//! world.advance(Duration::from_secs(80));
//! assert_eq!(world.pings(alive).len(), 1);
//! assert!(world.is_open(alive) && !world.is_open(dead));
//! ```
//!
//! | side | what it does |
//! | --- | --- |
//! | the server, to a silent peer | pings, then ends the connection |
//! | the server, to a peer's ping | answers by itself, with the same payload |
//! | a WebSocket that this program opened | pings a silent server in the same way |
//! | an event stream | gets a comment every 15 s |
//! | a handler | may ping too: [`Conn::ping`](crate::Conn::ping) |
//! | [`Handler::pong`](crate::Handler::pong) | gets every pong, also to the server's own pings |
//!
//! # Behind a proxy
//!
//! nginx and most load balancers cut a connection on which nothing came for 60 s, and keep idle
//! connections to a server for 60 s. The defaults fit both. A proxy with a shorter patience needs a
//! shorter `idle_timeout`. The chapter [`behind_a_proxy`](super::behind_a_proxy) has the files of
//! three proxies.
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
//! | `head_timeout` | 10 s | a PROXY header or a TLS handshake arrives, from the accept | closed |
//! | `head_timeout` | 10 s | the first head after it arrives, from the accept | 408, closed |
//! | `body_timeout`, `body_rate` | 30 s, 512 B/s | a body arrives more slowly | 408, closed |
//! | `answer_timeout` | 60 s | a deferred answer is owed | 503, `cancelled` |
//! | `write_timeout`, `write_rate` | 30 s, 512 B/s | a response is read more slowly | closed |
//! | `keep_alive_timeout` | 75 s | no next request has begun | closed |
//! | `idle_timeout` | 50 s | a WebSocket is silent | a ping |
//! | `pong_timeout` | 20 s | a WebSocket is silent after a ping | closed, 1006 |
//! | `close_timeout` | 5 s | the server's Close frame is unanswered | closed |
//! | `linger_timeout` | 5 s | all was sent, and the peer is silent but has not ended | closed |
//! | `linger_limit` | 30 s | all was sent, and the peer still sends | closed |
//! | `event_stream_interval` | 15 s | an event stream is open | a comment |
//! | `lifetime` | none | the connection is open | Close 1001; in HTTP, a last answer |
//!
//! A [long poll](crate::LongPoll::wait) that has no message is answered after 25 s, whatever
//! `answer_timeout` is.
//!
//! Each deadline that ends a connection has its own [`Cause`](crate::Cause), which `close` and
//! `cancelled` get: see [`endings`](super::endings).
//!
//! An event stream whose reader takes nothing ends within the sum of one interval and
//! `write_timeout`. A taken-over connection has its own timeouts and `lifetime`. Once its peer has
//! ended its side, `write_timeout` and `write_rate` hold for what still waits. It has no other
//! deadline but the limit of the kernel below. [`Connect::timeout`](crate::Connect::timeout) is 10
//! s, counted from the name lookup until the WebSocket is open, over all addresses and
//! redirections. `lifetime` is kept in steps of 16 s, up to 12 days.
//!
//! A peer may vanish without a FIN: a cable is cut, a phone loses its network. Only missing
//! acknowledgements show it. A ping finds a WebSocket that has vanished. An event stream gets no
//! answers, and the kernel keeps its comments for a quarter of an hour. On Linux the sockets of a
//! [`Listener`](crate::Listener) therefore have a `TCP_USER_TIMEOUT`: the `write_timeout` of the
//! server's default options, at least 4 s. So the stream ends within the sum of one interval and
//! `write_timeout`. The timeout holds for WebSockets and takeovers too: bytes that no peer
//! acknowledges or takes for that long end the connection. `close` gets 1006 and the cause `Reset`.
//! `write_timeout(Duration::MAX)` turns it off. Sockets that the program
//! [adopts](crate::Server::adopt), or that it bound itself, keep their own options.
//!
//! ```
//! use std::time::Duration;
//! use switchboard::{Options, Server};
//!
//! let mut server = Server::detached();
//! server.options(Options::new().idle_timeout(Duration::from_secs(30)));
//! ```
//!
//! # Ending in order
//!
//! A program that ends tells its clients so, and lets them come back elsewhere: not all at once,
//! and not before a load balancer knows. A [`Drain`](crate::Drain) has three stages. Its
//! documentation has a table of what each connection meets in each of them.
//!
//! | stage | default | what for | a value for a server of browsers |
//! | --- | --- | --- | --- |
//! | `notice` | 0 | a load balancer learns that the server is not ready | 10 s |
//! | `window` | 0 | clients come back to the other servers one by one | 30 s |
//! | `deadline`, from the call | 10 s | what has not ended is dropped | 60 s |
//!
//! Take a notice of two or three intervals of the load balancer's health check. That check asks
//! [`Ready`](crate::Ready), or a page of the program's own that
//! [`Context::is_ready`](crate::Context::is_ready) decides. Take a window in which the other
//! servers can accept these clients. The supervisor must wait for longer than the deadline, such as
//! `TimeoutStopSec=` of systemd. The chapter [`deployment`](super::deployment) has whole redeploys.
//!
//! ```no_run
//! use std::time::Duration;
//! use signal_hook::consts::{SIGINT, SIGTERM};
//! use signal_hook::iterator::Signals;
//! use switchboard::{Drain, Reactor, Ready};
//!
//! let seconds = Duration::from_secs;
//! let drain =
//!     Drain { notice: seconds(10), window: seconds(30), ..Drain::within(seconds(60)) };
//! drain.check()?; // now, not when the signal comes
//!
//! let mut reactor = Reactor::new()?;
//! reactor.server.zone("/readyz", Ready); // 503 from the call of `drain` on
//! let remote = reactor.remote();
//! let mut signals = Signals::new([SIGINT, SIGTERM])?;
//! std::thread::spawn(move || {
//!     signals.forever().next();
//!     let _already_ending = remote.drain(drain);
//!     if let Some(signal) = signals.forever().next() {
//!         std::process::exit(128 + signal); // the second one does not wait
//!     }
//! });
//! reactor.run()?; // until no connection is left, or until the deadline
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A second drain can only bring the three moments forward. So a program may begin a long drain at
//! SIGTERM, and shorten it when its supervisor becomes impatient.
//!
//! # When the program stands still
//!
//! A callback blocks for 11 s, a debugger or SIGSTOP stops the process, a laptop's lid closes.
//! **A stall of the program never ends a live peer.**
//!
//! - Deadlines of connections run on *loop time*. While the loop waits, loop time runs like real
//!   time, for as long as `poll_timeout` or [`Turn::wait`](crate::Turn::wait) allowed. Of any delay
//!   beyond, it counts at most one second. So no peer is late because the program was, and the
//!   deadlines of a connection that waited for its accept begin at the accept.
//! - Before a connection ends because its peer was silent or took nothing, the server reads its
//!   socket once more. It tries once to write waiting output, and looks at the deadline again.
//! - Before `timeout` is called, its connection is read once. If there were more events than the
//!   loop takes at once, a due timer waits until all are handled, for 50 ms at most.
//! - Rates run on real time. What a peer sent during a stall arrives all at once. So after a stall
//!   its burst grows by what its rate allowed during the stall.
//!
//! [`Context::now`](crate::Context::now), timers and [`drain`](crate::Server::drain) run on real
//! time. Many deadlines of one moment are judged over several turns, 256 in each.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use switchboard::{Options, Readiness, Server, Transport};
//!
//! let mut server = Server::detached();
//! server.options(Options::new().first_byte_timeout(Duration::from_secs(10)));
//! server.http("/", |_conn, _request| "hello");
//!
//! let mut now = Instant::now();
//! let (transport, mut peer) = Transport::memory();
//! let token = server.adopt(transport, now)?;
//! let _wait = server.poll_timeout(now); // the loop waits for 10 s at most
//! peer.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
//! now += Duration::from_secs(60); // the process was stopped
//! server.flush(now); // a turn with events of other connections
//! server.ready(token, Readiness::READABLE, now); // the next turn
//! assert!(peer.receive().ends_with(b"hello"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`cx.after(zone, delay, ..)`]: crate::Context::after
//! [`cx.every(zone, period, ..)`]: crate::Context::every
//! [`conn.set_timeout(..)`]: crate::Conn::set_timeout
