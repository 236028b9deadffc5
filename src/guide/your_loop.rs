//! The server in a loop of your own: mio, any loop that polls a descriptor, or none. The server
//! itself waits for nothing, so it fits into every loop.
//!
//! | your loop | use |
//! | --- | --- |
//! | mio | a [`Server`](crate::Server) with your registry: [below](#in-a-mio-loop) |
//! | tokio, calloop, glib, libuv, a game | a [`Reactor`](crate::Reactor): [`other_loops`] |
//! | none of your own | [`Reactor::watch`] for your sources: [below](#your-sources-in-its-loop) |
//!
//! # Your sources in its loop
//!
//! The shortest way needs no loop of your own. [`Reactor::watch`] adds a UDP socket, a pipe, a
//! timerfd or the output of a child process to the reactor's `Poll`, and calls a zone when it is
//! ready. Sources of mio go in as they are; all other descriptors in a
//! [`Descriptor`](crate::Descriptor).
//!
//! ```
//! use std::io::{ErrorKind, Read};
//! use std::process::{Command, Stdio};
//! use std::time::Duration;
//! use switchboard::mio::Interest;
//! use switchboard::{Descriptor, Handler, Reactor};
//!
//! #[derive(Default)]
//! struct Log {
//!     bytes: usize,
//!     has_ended: bool,
//! }
//! impl Handler for Log {}
//!
//! let mut reactor = Reactor::new()?;
//! let log = reactor.server.zone("/log", Log::default());
//! let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
//! let out = Descriptor::new(child.stdout.take().expect("a pipe"))?;
//! reactor.watch(out, Interest::READABLE, log, |log: &mut Log, cx, out, _readiness| {
//!     let mut buf = [0; 4096];
//!     // Readiness is edge-triggered: read until nothing is left.
//!     loop {
//!         match out.get_mut().read(&mut buf) {
//!             Ok(0) => return log.has_ended = true,
//!             Ok(n) => {
//!                 log.bytes += n;
//!                 cx.publish("log", &buf[..n]);
//!             }
//!             Err(error) if error.kind() == ErrorKind::WouldBlock => return,
//!             Err(error) if error.kind() == ErrorKind::Interrupted => {}
//!             Err(_) => return log.has_ended = true,
//!         }
//!     }
//! })?;
//! let mut ended = false;
//! while !ended {
//!     reactor.turn(Some(Duration::from_secs(10)))?;
//!     let now = std::time::Instant::now();
//!     ended = reactor.server.with(log, now, |log, _cx| log.has_ended);
//! }
//! assert_eq!(reactor.server.with(log, std::time::Instant::now(), |log, _cx| log.bytes), 6);
//! # child.wait()?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Reactor::unwatch`](crate::Reactor::unwatch) gives the source back. Callbacks use
//! [`Context::watch`](crate::Context::watch) and [`Context::unwatch`](crate::Context::unwatch); in
//! the source's own closure, `unwatch` drops the source once the closure returns. A source that is
//! still watched is dropped with the server.
//!
//! # In a mio loop
//!
//! Make the [`Server`](crate::Server) from your registry. Hand the server its events, and end each
//! turn with [`flush`](crate::Server::flush). You may use every token whose highest bit is clear.
//!
//! ```no_run
//! use std::io::ErrorKind;
//! use std::time::Instant;
//! use switchboard::Server;
//! use switchboard::mio::net::UdpSocket;
//! use switchboard::mio::{Events, Interest, Poll, Token};
//!
//! const FEED: Token = Token(0);
//!
//! fn main() -> std::io::Result<()> {
//!     let mut poll = Poll::new()?;
//!     let mut events = Events::with_capacity(1024);
//!     let mut udp = UdpSocket::bind(([127, 0, 0, 1], 9003).into())?;
//!     poll.registry().register(&mut udp, FEED, Interest::READABLE)?;
//!
//!     let mut server = Server::new(poll.registry())?;
//!     server.websocket("/feed", |conn, _message| conn.subscribe("feed"));
//!     server.listen("127.0.0.1:9002")?;
//!     let mut buf = [0; 2048];
//!     loop {
//!         match poll.poll(&mut events, server.poll_timeout(Instant::now())) {
//!             Err(error) if error.kind() == ErrorKind::Interrupted => continue, // a signal
//!             waited => waited?,
//!         }
//!         let now = Instant::now();
//!         if events.iter().any(|event| event.token() == FEED) {
//!             while let Ok(n) = udp.recv(&mut buf) {
//!                 server.context(now).publish("feed", &buf[..n]);
//!             }
//!         }
//!         server.handle_events(&events, now);
//!         server.flush(now);
//!     }
//! }
//! ```
//!
//! | call | when |
//! | --- | --- |
//! | [`poll_timeout(now)`](crate::Server::poll_timeout) | before each wait: the longest wait |
//! | [`is_drained()`](crate::Server::is_drained) | after each turn: whether a `drain` is complete |
//! | [`handle_events(&events, now)`](crate::Server::handle_events) | after each wait |
//! | [`flush(now)`](crate::Server::flush) | at the end of each turn, even without events |
//!
//! A loop that takes its events one by one calls [`handle_event`](crate::Server::handle_event) for
//! those that the server [owns](crate::Server::owns), and
//! [`leave_events`](crate::Server::leave_events) after a wait that filled its list.
//!
//! Deadlines count the wait that `poll_timeout` asked for, and one second of any other delay. So a
//! loop that blocks ends no connection. A loop that never calls `poll_timeout` slows deadlines
//! down. See [`time`](super::time#when-the-program-stands-still).
//!
//! `mio` is re-exported as [`switchboard::mio`](crate::mio), so that both sides use one version.
//!
//! # In any other loop
//!
//! A [`Reactor`](crate::Reactor) is one pollable descriptor, for tokio, calloop, glib, libuv or the
//! frames of a game: see [`other_loops`](super::other_loops).
//!
//! # Calls from other threads
//!
//! [`Reactor::remote`](crate::Reactor::remote) gives a [`Remote`](crate::Remote). In a mio loop of
//! your own, make a waker and share it with the server, because mio allows one waker for each
//! `Poll`. An event with the waker's token needs no more than the `flush` of the turn.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Instant;
//! use switchboard::mio::{Events, Poll, Token, Waker};
//! use switchboard::{Handler, Server};
//!
//! const WAKER: Token = Token(1);
//!
//! struct Counter(u32);
//! impl Handler for Counter {}
//!
//! let mut poll = Poll::new()?;
//! let mut server = Server::new(poll.registry())?;
//! let counter = server.zone("/", Counter(0));
//! let remote = server.remote(Arc::new(Waker::new(poll.registry(), WAKER)?));
//!
//! let thread = std::thread::spawn(move || remote.call(counter, |counter, _cx| counter.0 += 1));
//! let mut events = Events::with_capacity(8);
//! poll.poll(&mut events, None)?; // the call ends the wait
//! let now = Instant::now();
//! server.flush(now);
//! assert!(thread.join().is_ok_and(|sent| sent.is_ok()));
//! assert_eq!(server.with(counter, now, |counter, _cx| counter.0), 1);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A server that opens WebSockets to host names needs the waker too, because names are looked up on
//! a thread.
//!
//! # Without mio
//!
//! [`Server::detached`](crate::Server::detached) has no `Poll`. [`adopt`](crate::Server::adopt)
//! takes in a connection: a TCP or Unix socket of mio's types in non-blocking mode, or a connection
//! in memory. Call [`ready`](crate::Server::ready) once each time a connection becomes readable or
//! writable: readiness is edge-triggered.
//!
//! This is for simulations, for connections that are no sockets, and for an edge-triggered poller
//! of your own that registers each socket once, for reading and writing. For any other poller,
//! [nest the descriptor](super::other_loops) of a reactor: the server never says which readiness it
//! wants next, since mio needs no such word.
//!
//! ```
//! use std::time::Instant;
//! use switchboard::{Readiness, Server, Transport};
//!
//! let mut server = Server::detached();
//! server.http("/", |_conn, _request| "hello");
//! let now = Instant::now();
//! let (transport, mut peer) = Transport::memory();
//! let token = server.adopt(transport, now)?;
//! peer.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
//! server.ready(token, Readiness::READABLE, now);
//! server.flush(now);
//! assert!(peer.receive().ends_with(b"hello"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Listeners
//!
//! A server has any number of listeners, up to 4,096 sockets. All lead to the same zones.
//!
//! | listen at | how |
//! | --- | --- |
//! | an address, or all addresses of a name | `"127.0.0.1:9001"`, `"localhost:9001"` |
//! | every address of the machine | `":9001"` |
//! | a Unix socket | [`Listener::unix(path)`](crate::Listener::unix), `"unix:/run/app.sock"` |
//! | a socket that a supervisor hands over | its `OwnedFd`, `TcpListener` or `UnixListener` |
//!
//! [`listening_at`](crate::Server::listening_at) returns where a listener listens, with the port
//! that the kernel chose for port 0. `Display` of a [`ListenAddr`](crate::ListenAddr) is a line for
//! a log, and a place for the configuration of another program.
//!
//! ```
//! use std::os::unix::net::UnixListener;
//! use switchboard::{Listener, Reactor};
//!
//! # let folder = std::env::temp_dir().join(format!("guide-{}", std::process::id()));
//! # std::fs::create_dir(&folder)?;
//! let inherited = UnixListener::bind(folder.join("inherited.sock"))?; // in life: from `listenfd`
//! let mut reactor = Reactor::new()?;
//! let places: [Listener; 3] = [
//!     "127.0.0.1:0".into(),
//!     Listener::unix(folder.join("app.sock")).mode(0o660), // nginx's group may connect
//!     inherited.into(),
//! ];
//! for place in places {
//!     let listener = reactor.server.listen(place)?;
//!     for place in reactor.server.listening_at(listener)? {
//!         println!("listening on {place}");
//!     }
//! }
//! assert!(folder.join("app.sock").exists());
//! drop(reactor); // removes its own socket file, and not that of the supervisor
//! assert!(!folder.join("app.sock").exists() && folder.join("inherited.sock").exists());
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! With systemd, a `.socket` unit with `ListenStream=9001` makes the socket, and the program takes
//! it through the crate `listenfd`: `ListenFd::from_env().take_tcp_listener(0)?`, as the example
//! `echo` does. No connection is lost while such a program restarts, since the kernel queues it.
//!
//! [`Server::accepting`](crate::Server::accepting) turns a listener off and on, for example while a
//! database is away. New connections wait in the kernel meanwhile. To refuse them in words instead,
//! set [`max_connections`](crate::Server::max_connections).
//!
//! # Several cores
//!
//! One reactor runs on one core. [`many_cores`](super::many_cores) is about more.
//!
//! [`Reactor::watch`]: crate::Reactor::watch
//! [`other_loops`]: super::other_loops
