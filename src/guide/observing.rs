//! Observing: the events of a server, its refusals, an access log.
//!
//! # Events
//!
//! [`Server::observe`](crate::Server::observe) takes a closure. The server calls it at the end of a
//! turn with each event of the turn, in order. A message is no event.
//!
//! | event | when | what it has |
//! | --- | --- | --- |
//! | [`Opened`](crate::Opened) | a connection was accepted, or this program begins one | peer |
//! | [`Answered`](crate::Answered) | an answer has left, or was cut | path, status, bytes, time |
//! | [`Refused`](crate::Refused) | the server answered in place of a handler | status, reason |
//! | [`Rejected`](crate::Rejected) | a connection is closed before its first request | reason |
//! | [`Violated`](crate::Violated) | a WebSocket fails by a fault of its peer | code, reason |
//! | [`Panicked`](crate::Panicked) | a callback panicked, and was caught | callback, message |
//! | [`Ended`](crate::Ended) | a connection has ended | protocol, time, cause, code, reason |
//! | [`Dropped`](crate::Observed::Dropped) | a turn had more than 1,024 events | their number |
//!
//! Each `Opened` makes one `Ended`. Each request with a valid head makes one `Answered` or one
//! `Refused`. A 404 that a handler makes is `Answered`; the 404 where no zone replies is `Refused`.
//! The 500 in place of a handler that panicked is `Answered`, behind its `Panicked`. The life of a
//! WebSocket makes three events:
//!
//! ```
//! use std::sync::mpsc;
//! use std::time::Duration;
//! use switchboard::CloseCode;
//! use switchboard::testing::World;
//!
//! let (log, lines) = mpsc::sync_channel(1024); // a thread writes the lines
//! let mut world = World::new();
//! world.server.websocket("/chat", |conn, message| conn.send(message));
//! world.server.observe(move |event| drop(log.try_send(event.to_string()))); // never waits
//! let ada = world.websocket("/chat?token=secret");
//! world.advance(Duration::from_secs(5));
//! world.close(ada, CloseCode::NORMAL, "bye");
//! let lines: Vec<String> = lines.try_iter().collect();
//! assert_eq!(lines[0], "? opened"); // a transport in memory has no address
//! assert!(lines[1].starts_with("? answered with 101, "));
//! assert!(lines[1].ends_with(" bytes in 0.0ns: \"GET /chat HTTP/1.1\""));
//! assert_eq!(lines[2], "? ended after 5.0s, websocket, the peer sent a Close frame: 1000 bye");
//! ```
//!
//! The lines are safe for a log and a terminal: each byte of a peer that is not printable ASCII is
//! escaped. The query is in the line of a `Refused` alone: it may hold a secret.
//!
//! The closure runs on the server's thread, so it must not wait: a pipe may be full, and so may a
//! disk. A thread of its own writes. A program that wants faults alone asks
//! [`Observed::is_refusal`](crate::Observed::is_refusal).
//!
//! # What is an answer
//!
//! | answer | counts when | bytes |
//! | --- | --- | --- |
//! | whole, later or streamed | its last byte was given to the kernel | head and body |
//! | the 101 of a WebSocket | its head was given to the kernel | the head |
//! | an event stream, a takeover | its head was given to the kernel | the head |
//! | cut | its connection ended before | what was given to the kernel |
//! | none yet | its connection ended before its head | those of a `100 Continue`, and no status |
//!
//! Answers of one connection count in their order. A reader that is slow makes the time of its
//! answer long. A `100 Continue` counts for the answer behind it.
//!
//! # An access log
//!
//! The ten lines at [`Answered`](crate::Answered) write the Common Log Format. The example `echo`
//! has `--access-log`, which also writes a line for the end of each WebSocket:
//!
//! ```text
//! cargo run --release --example echo -- --access-log
//! 127.0.0.1 - - [28/Nov/2026:14:40:07 +0000] "GET / HTTP/1.1" 200 190 0.000042
//! 127.0.0.1 - - [28/Nov/2026:14:40:09 +0000] "GET /chat HTTP/1.1" 101 129 0.000061
//! 127.0.0.1 - - [28/Nov/2026:14:41:30 +0000] "websocket" 1000 - 81.204113 peer_closed
//! ```
//!
//! With the feature `log`, `server.observe(|event| event.log())` hands each event to that crate:
//! answers at `info` with the target `switchboard::access`, beginnings and ends at `debug`, and all
//! else at `warn`. A server has one observer: to log as well, a closure of your own
//! calls `event.log()`.
//!
//! # What it costs
//!
//! Without an observer nothing is recorded. With one, a connection takes some 200 bytes, because
//! the kernel forgets the address of a peer that has left. A request takes at most 300 bytes until
//! its answer has left, and one reading of the clock at each end. A message costs nothing more.
//!
//! # Metrics
//!
//! Events tell about one connection, counters about all of them. The chapter
//! [`metrics`](super::metrics) has the counters, and how Prometheus gets them.
