//! This crate compared with seven others, as of November 2026. The chapter says when each of them
//! is the better choice.
//!
//! Facts about the others come from their source code and issue threads, read in 2026. A cell in
//! brackets is likely, but not checked line by line. Versions: uWebSockets 20.79, tungstenite 0.29
//! and 0.30, fastwebsockets 0.10, ws-rs 0.9.2, libwebsockets 5.0. We measured the figures
//! ourselves; each stands with its conditions.
//!
//! # When not to use this crate
//!
//! - You need HTTP/2, HTTP/3 or WebTransport.
//! - Your handlers are `async` and wait for a database inside each request. A handler here never
//!   waits; [`answering_later`](super::answering_later) shows how a thread or a task answers. The
//!   same code is shorter in axum.
//! - You need Windows.
//! - You want a server that has run in many places for years.
//!
//! # Which one, in one line each
//!
//! | project | take it when |
//! | --- | --- |
//! | uWebSockets (C++) | you write C++, or want routes with parameters |
//! | tungstenite, tokio-tungstenite | you have a stream and want WebSocket frames over it |
//! | fastwebsockets | your program uses tokio and hyper, and you want borrowed frames |
//! | ws-rs | you maintain a program that uses it: the crate is unmaintained |
//! | tiny_http | you want a small HTTP server without async, and no WebSockets |
//! | axum | you build an HTTP service in tokio, and WebSockets are only one of its features |
//! | libwebsockets (C) | you need HTTP/2, many TLS backends, or a very wide set of features |
//! | switchboard | you hold very many connections, or embed a small server in a program |
//!
//! # What each one does
//!
//! Y: yes. N: no. P: in part. A dash: does not apply. uWS is uWebSockets, fastws is fastwebsockets,
//! lws is libwebsockets.
//!
//! | feature | here | uWS | tungstenite | fastws | ws-rs | lws |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | client role | Y | N | Y | Y | Y | (Y) |
//! | HTTP and WebSocket on one port | Y | Y | N | N | P | (Y) |
//! | TLS in the library | Y | Y | Y | N | Y | Y |
//! | WebSocket over HTTP/2 | N | N | N | N | N | Y |
//! | permessage-deflate | Y | Y | N | N | P | Y |
//! | one compressor for all connections | Y | Y | - | - | N | (N) |
//! | same-origin check by default | Y | N | N | N | N | P |
//! | a Close frame names the violation | Y | N | (P) | P | Y | (Y) |
//! | text is checked while it arrives | Y | N | P | N | N | Y |
//! | output is bounded by default | Y | Y | N | - | N | N |
//! | drops old messages for a slow reader | Y | N | N | N | N | P |
//! | topics | Y | Y | N | N | N | P |
//! | pings idle peers by itself | Y | Y | N | N | N | Y |
//! | drain with a deadline | Y | N | N | N | P | P |
//! | runs in your own loop | Y | P | Y | tokio | N | Y |
//! | the protocol without sockets | Y | N | P | P | N | (P) |
//! | counters | Y | N | N | N | N | Y |
//!
//! # uWebSockets
//!
//! uWebSockets is the library whose cost others are compared with. Both projects have one read
//! buffer for each loop, and gather the output of a connection in one write buffer, the cork.
//! uWebSockets is better when you need routes with parameters, or HTTP/3 (experimental). It answers
//! a violation of the protocol by closing TCP: the peer sees 1006 and no reason.
//!
//! The table shows the server's CPU time divided by that of the floor: a bare epoll program with
//! the same system calls. Each cell is a median with its 95 % interval. Conditions: two cores of an
//! AMD EPYC virtual machine, loopback, no TLS, no compression, all three programs in the same
//! rounds.
//!
//! | workload | here | uWebSockets |
//! | --- | --- | --- |
//! | echo 20 B, 200 connections | 1.012 (1.003 .. 1.020) | 1.031 (1.019 .. 1.041) |
//! | echo 20 B, 5,000 connections | 1.029 (1.004 .. 1.055) | 1.004 (0.987 .. 1.033) |
//! | echo 20 B, 64 messages in a TCP segment | 1.080 (1.071 .. 1.084) | 1.313 (1.304 .. 1.323) |
//! | echo 16 KiB | 1.107 (1.094 .. 1.114) | 1.171 (1.163 .. 1.183) |
//! | echo 1 MiB, 20 connections | 1.122 (1.075 .. 1.149) | 1.918 (1.876 .. 1.981) |
//! | connections come and go | 1.040 (1.034 .. 1.044) | 1.091 (1.084 .. 1.095) |
//!
//! With 5,000 connections the intervals overlap, so the two may be equal.
//!
//! # Memory of one idle WebSocket
//!
//! The figure is the growth of the server's resident memory for each connection, from 1,000 to
//! 10,000 connections. The kernel adds about 5 KB for each end, whichever server holds it. The
//! other libraries were measured on a busier machine.
//!
//! | server | bytes |
//! | --- | --- |
//! | this crate | 64.6 |
//! | ws-rs | 4,998 |
//! | fastwebsockets | 5,529 |
//! | tokio-tungstenite | 136,717 |
//!
//! # tungstenite and tokio-tungstenite
//!
//! The two crates speak WebSocket over any stream that you bring, blocking or async, with
//! native-tls or rustls. They have no permessage-deflate, and their write buffer has no limit
//! unless you set one. This crate brings HTTP, timers, limits and topics, and TLS by rustls.
//! Connections that come and go cost 1.80 times the floor with tokio-tungstenite and 1.05 times
//! here (busier machine, same run).
//!
//! # fastwebsockets
//!
//! fastwebsockets lends payloads without a copy and works on hyper's upgraded connections. It
//! writes each frame separately, has no compression and leaves timeouts to you. Connections that
//! come and go cost 1.21 times the floor with fastwebsockets, and 1.05 times here (busier machine,
//! same run).
//!
//! # ws-rs
//!
//! The four-line API of ws-rs, on mio and slab, is the model of this crate's first example. The fix
//! for RUSTSEC-2020-0043 (output without bounds) never reached a release. A full queue closes a
//! connection or blocks the loop, and the default limit is 100 connections. In a room of 200
//! members that all send, a delivery here takes 0.18 (0.178 .. 0.186) of the CPU time of one in
//! ws-rs.
//!
//! # tiny_http
//!
//! tiny_http is a small HTTP server without async, which is all that many programs want. Two
//! advisories were unanswered in November 2026: request smuggling by an unknown
//! `Transfer-Encoding`, and line breaks in header values. Here the first gets 501, and the second
//! turns the response into a 500.
//!
//! # axum
//!
//! axum wraps tungstenite and adds subprotocols, buffer options and WebSocket over HTTP/2. Its read
//! buffer is 128 KiB for each WebSocket unless you set less. Take axum for a service whose
//! WebSockets are few and whose handlers wait for other services.
//!
//! # libwebsockets
//!
//! libwebsockets has the widest set of features: ten TLS backends, WebSocket over HTTP/2, HTTP/3,
//! virtual hosts, file mounts, metrics and fault injection. A limit for each address is a build
//! option. The application must bound the output. A check of the host is an option.
