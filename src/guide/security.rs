//! What a server refuses by default, and what stays your task. Nothing in this chapter has to be
//! turned on.
//!
//! # Pages of other sites
//!
//! A browser lets any page open a WebSocket to any host, with the user's cookies. If an upgrade
//! names an `Origin`, its host must equal the host of the request. Otherwise the server answers
//! 403.
//!
//! ```
//! use switchboard::Zone;
//! use switchboard::http::Request;
//! use switchboard::testing::World;
//!
//! let mut world = World::new(); // requests name the host example.com
//! world.server.websocket("/feed", |conn, message| conn.send(message));
//! let partner = Zone::new("/partner").origins(["https://partner.example"]);
//! world.server.websocket(partner, |conn, message| conn.send(message));
//!
//! let mut status = |path: &str, origin: &str| {
//!     let client = world.connect();
//!     world.upgrade(client, Request::get(path).header("Origin", origin));
//!     world.answer(client).status
//! };
//! assert_eq!(status("/feed", "https://evil.example"), 403);
//! assert_eq!(status("/feed", "null"), 403);
//! assert_eq!(status("/partner", "https://example.com"), 403);
//! world.websocket(Request::get("/feed").header("Origin", "https://example.com"));
//! world.websocket(Request::get("/partner").header("Origin", "https://partner.example"));
//! ```
//!
//! A client that names no origin is no browser and is accepted. The scheme is not compared, because
//! a proxy may have ended TLS. The check guards browsers. It does not tell who the user is.
//!
//! | call | accepted at a zone |
//! | --- | --- |
//! | none | pages of the request's own host |
//! | [`Server::origins`](crate::Server::origins) | those, and the pages of the list |
//! | [`Zone::origins`](crate::Zone::origins) | the pages of the zone's list, and no others |
//! | [`Zone::any_origin`](crate::Zone::any_origin) | every page |
//!
//! Pages without a host have the origin `null` or `file://`. Pages inside of programs have one such
//! as `capacitor://localhost`. Lists may name all of them. `null` stands for every sandboxed frame
//! of every site: it suits a service that is open to all.
//!
//! # A proxy that rewrites `Host`
//!
//! nginx sends its own name for the server as `Host`, unless `proxy_set_header Host $http_host`
//! keeps the client's. The page is served, and its WebSocket gets 403, because its `Origin` is at
//! another host. Keep `Host`, or name the public origin:
//!
//! ```
//! use switchboard::http::Request;
//! use switchboard::testing::World;
//! use switchboard::{Reply, Response};
//!
//! let mut world = World::new();
//! world.server.websocket("/feed", |conn, message| conn.send(message));
//! world.server.http("/why", |conn, request| match conn.context().check_origin(request) {
//!     Ok(()) => Reply::from(Response::new(204)),
//!     Err(refusal) => refusal.into(),
//! });
//! let page = |request: switchboard::http::request::Builder| {
//!     request.header("Host", "127.0.0.1:8080").header("Origin", "https://chat.example")
//! };
//! let why = world.fetch(page(Request::post("/why")));
//! assert!(why.text().contains("\"https://chat.example\", at the Host \"127.0.0.1:8080\""));
//!
//! world.server.origins(["https://chat.example"]);
//! world.websocket(page(Request::get("/feed")));
//! ```
//!
//! A browser shows a page neither the status nor the text of a refused handshake. So a page asks a
//! zone of its own, as above: [`Context::check_origin`](crate::Context::check_origin) returns the
//! answer that the handshake had. The example `chat` does that at `POST /why`.
//!
//! # Names that lead here
//!
//! A foreign name may resolve to your server: DNS rebinding. A page of that name has a `Host` and
//! an `Origin` that agree, and the browser lets it read all answers. Servers on a loopback address
//! and in a local network are the usual aim. [`Server::hosts`](crate::Server::hosts) names the
//! hosts that are served. Other requests are answered with 421 before any zone is asked.
//!
//! ```
//! use switchboard::http::Request;
//! use switchboard::testing::World;
//!
//! let mut world = World::new();
//! world.server.http("/", |_, _| "hello");
//! world.server.hosts(["chat.example", "localhost", "127.0.0.0/8", "[::1]"]);
//! let mut status = |host: &str| world.fetch(Request::get("/").header("Host", host)).status;
//! assert_eq!(status("chat.example:8443"), 200);
//! assert_eq!(status("127.0.0.1"), 200);
//! assert_eq!(status("evil.example"), 421);
//! ```
//!
//! Behind a proxy, name the `Host` that the proxy sends. Without a list, every host is served.
//! [`Server::remedies`](crate::Server::remedies) has the refusals name your own options.
//!
//! # One door for everything
//!
//! Zones are asked in the order of their registration. A zone at `/` sees every request first,
//! upgrades included, and lets it go on with [`Reply::Pass`](crate::Reply::Pass).
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Conn, Handler, Reply, Request, Response};
//!
//! struct Door;
//! impl Handler for Door {
//!     fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
//!         match request.cookie("user") {
//!             Some(_) => Reply::Pass,
//!             None => Response::text("who are you?").with_status(401).into(),
//!         }
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/", Door);
//! world.server.http("/page", |_, _| "hello");
//! assert_eq!(world.get("/page").status, 401);
//! ```
//!
//! # Requests that have two readings
//!
//! HTTP/1.1 allows some leniency; this server takes none, so that a proxy and the server never read
//! one message in two ways. Each row closes the connection.
//!
//! | what | status |
//! | --- | --- |
//! | `Content-Length` twice, as a list, or beside `Transfer-Encoding` | 400 |
//! | `Content-Length` with a sign, leading zeros or white space in it | 400 |
//! | `Transfer-Encoding` in HTTP/1.0, or `chunked` twice | 400 |
//! | a transfer coding other than `chunked` | 501 |
//! | a bare CR or LF, NUL, another control character | 400 |
//! | a folded field, white space before a colon | 400 |
//! | `Host` missing in HTTP/1.1, twice, or as a list | 400 |
//! | `Host` with a user, a path or a malformed port | 400 |
//! | a `Host` outside `Server::hosts`, or none in HTTP/1.0 where there is a list | 421 |
//! | a target with a fragment, a malformed `%` escape, or other than ASCII | 400 |
//! | a path that climbs above the root, or is not UTF-8 when decoded | 400 |
//! | a path with `/`, `\` or a control character hidden in an escape | 400 |
//! | a chunk size with a sign, white space or more than 16 digits | 400 |
//! | anything but CR LF around a chunk | 400 |
//! | a handshake by another method, in HTTP/1.0, or without its fields | 400 |
//! | a handshake for another version than 13 | 426 |
//! | an HTTP version other than 1.0 and 1.1 | 505 |
//!
//! In an absolute target, the authority replaces `Host`. `Host` must still be present.
//!
//! On a WebSocket each violation is answered with a Close frame. Lengths must have their shortest
//! encoding, and reserved bits must be clear unless an extension was agreed on. Text is refused at
//! its first bad byte, in the middle of a frame too.
//!
//! | code | when |
//! | --- | --- |
//! | 1002 | the protocol is violated |
//! | 1007 | text is not UTF-8, or compressed data is corrupt |
//! | 1008 | the peer sends faster than `message_rate` or `byte_rate` |
//! | 1009 | a message is above `max_message` |
//! | 1013 | the peer does not take what is sent to it |
//!
//! # Bounds
//!
//! | what | default | option | beyond it |
//! | --- | --- | --- | --- |
//! | request head | 16 KiB | `max_head` | 431 |
//! | header fields | 100 | `max_headers`, at most 128 | 431 |
//! | request target | 8 KiB | `max_target` | 414 |
//! | request body | nothing | `Reply::Body(limit)` | 413 |
//! | WebSocket message | 16 MiB | `max_message` | Close 1009 |
//! | output that waits for one peer | 17 MiB | `max_buffered` | Close 1013 |
//! | messages, bytes in a second | none | `message_rate`, `byte_rate` | Close 1008 |
//! | connections | 16.7 million | `Server::max_connections` | 503 |
//! | connections of one address | none | `Server::max_connections_per_address` | 429 |
//! | accepted connections in a turn | 256 | `Listener::accepts_per_turn` | they wait |
//! | input in a turn, but for large messages | 128 KiB, 256 steps | | it waits |
//! | calls from other threads | 65,536 | | given back |
//!
//! Deadlines are in [`time`](super::time). A declared length allocates nothing: memory follows the
//! bytes that have arrived.
//!
//! ```
//! use switchboard::{Options, Rate, Server};
//!
//! let mut server = Server::detached();
//! server.max_connections(50_000);
//! server.max_connections_per_address(100); // one IPv4 address, or one IPv6 /64
//! let options = Options::new().max_message(64 << 10).max_buffered(256 << 10);
//! // 10 a second, 20 of them at once
//! server.options(options.message_rate(Rate::per_second(10).burst(20)));
//! ```
//!
//! # What stays your task
//!
//! - **Memory for all connections together.** There is no common limit. The worst case is the
//!   number of connections times `max_message` plus `max_buffered`: for many connections, lower
//!   both.
//! - **What a streamed response writes.** A handler watches
//!   [`Conn::buffered`](crate::Conn::buffered) itself; see [`big_messages`](super::big_messages).
//! - **TLS.** A proxy does it for now.
//! - **The identity of the user.**
//! - **Requests that change something.** The server checks the origin of WebSockets alone. For
//!   others a handler calls [`Context::check_origin`](crate::Context::check_origin).
//! - **Secrets that you compare**: do so in constant time.
