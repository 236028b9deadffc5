//! What a server refuses by default, and what stays your task. You have to turn on the limits whose
//! default is "none", and the list of hosts that are served.
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
//! A client that names no origin is not a browser, and is accepted. The scheme is not compared,
//! because a proxy may have ended TLS. The check protects users of browsers from foreign pages. It
//! does not identify the user.
//!
//! | call | accepted at a zone |
//! | --- | --- |
//! | none | pages of the request's own host |
//! | [`Server::origins`](crate::Server::origins) | those, and the pages of the list |
//! | [`Zone::origins`](crate::Zone::origins) | the pages of the zone's list, and no others |
//! | [`Zone::any_origin`](crate::Zone::any_origin) | every page |
//!
//! Pages without a host have the origin `null` or `file://`. Pages inside an application have an
//! origin such as `capacitor://localhost`. Lists may name all of them. `null` stands for every
//! sandboxed frame of every site: it suits a service that is open to all.
//!
//! # A proxy that rewrites `Host`
//!
//! nginx sends its own name for the server as `Host`, unless `proxy_set_header Host $http_host`
//! keeps the client's. The page is served, and its WebSocket gets 403, because its `Origin` is at
//! another host. Keep `Host`, as [`behind_a_proxy`](super::behind_a_proxy) shows, or name the
//! public origin:
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
//! answer that a handshake gets at a zone without a list of its own. The example `chat` does that
//! at `POST /why`.
//!
//! # The client behind a proxy
//!
//! Behind a proxy all clients have the proxy's address. A header names the client, and a client can
//! send this header itself. [`Server::trusted_proxies`](crate::Server::trusted_proxies) says whose
//! header is believed, and which header.
//!
//! ```
//! use switchboard::http::Request;
//! use switchboard::TrustedHeader;
//! use switchboard::testing::World;
//!
//! let mut world = World::new();
//! world.server.trusted_proxies(["10.0.0.0/8", "unix"], TrustedHeader::XForwardedFor)?;
//! world.server.http("/", |conn, request| {
//!     format!("{}://{}", request.scheme(), conn.client_addr().unwrap())
//! });
//! let forged = || Request::get("/").header("X-Forwarded-For", "127.0.0.1");
//! let proxy = world.connect_from("10.0.0.1:4711"); // it appends the client that it sees
//! let appended = forged().header("X-Forwarded-For", "192.0.2.1");
//! world.request(proxy, appended.header("X-Forwarded-Proto", "https"));
//! assert_eq!(world.answer(proxy).text(), "https://192.0.2.1");
//! let direct = world.connect_from("203.0.113.9:4711");
//! world.request(direct, forged());
//! assert_eq!(world.answer(direct).text(), "http://203.0.113.9");
//! # std::io::Result::Ok(())
//! ```
//!
//! | the client sends | the proxy | the server believes |
//! | --- | --- | --- |
//! | `X-Forwarded-For`, forged | replaces it | the proxy's |
//! | `X-Forwarded-For`, forged | appends to it, or adds a line | what was appended |
//! | the header that is not believed | passes it on | nothing of it |
//! | `X-Forwarded-For` or `Forwarded` | is not in between | nothing of it |
//! | an open quote in `Forwarded` | appends to it | what was appended |
//! | a trusted address, forged | appends to it | what was appended |
//! | nothing | names `unknown`, or hides the client | the proxy's own address |
//!
//! `X-Forwarded-Proto` is believed as the proxy sends it, so the proxy has to set it.
//! [`Conn::peer_addr`](crate::Conn::peer_addr) remains the proxy. A
//! [limit](crate::Server::max_connections_per_address) counts each client's WebSockets, event
//! streams and other answers that last; the proxy's sockets are not counted.
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
//! With [`Server::remedies`](crate::Server::remedies), the text of a refusal names the command-line
//! option of your program that allows the request.
//!
//! # One zone that checks every request
//!
//! Zones are asked in the order of their registration. Register a [`Handler`](crate::Handler) at
//! `/` first: it sees every request before all others, upgrades included.
//! [`Reply::Pass`](crate::Reply::Pass) hands a request on. A closure of
//! [`Server::http`](crate::Server::http) guards WebSockets only with
//! [`Zone::upgrades(true)`](crate::Zone::upgrades): without it, the closure is not asked about
//! handshakes.
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
//! world.server.websocket("/feed", |conn, message| conn.send(message));
//! assert_eq!(world.get("/page").status, 401);
//! let eve = world.connect();
//! world.upgrade(eve, "/feed");
//! assert_eq!(world.answer(eve).status, 401);
//! ```
//!
//! # Requests that have two readings
//!
//! HTTP/1.1 allows some leniency. Where it would let a proxy and the server read one message in two
//! ways, this server allows none. After each of these faults the connection closes.
//!
//! | what | status |
//! | --- | --- |
//! | `Content-Length` twice, as a list, or beside `Transfer-Encoding` | 400 |
//! | `Content-Length` with a sign, leading zeros or white space in it | 400 |
//! | `Transfer-Encoding` in HTTP/1.0, `chunked` twice, or not as the last coding | 400 |
//! | another transfer coding before `chunked` | 501 |
//! | a bare CR or LF, NUL, another control character | 400 |
//! | a folded field, white space before a colon | 400 |
//! | `Host` missing in HTTP/1.1, twice, or as a list | 400 |
//! | `Host` with a user, a path or a malformed port | 400 |
//! | a `Host` outside `Server::hosts`, or none in HTTP/1.0 where there is a list | 421 |
//! | a target with a fragment, or a path with a malformed `%` escape or other than ASCII | 400 |
//! | a query that is not UTF-8, or with a space or control character | 400 |
//! | a path that climbs above the root, or is not UTF-8 when decoded | 400 |
//! | a path with `/`, `\` or a control character hidden in an escape | 400 |
//! | a chunk size with a sign, white space or more than 16 digits | 400 |
//! | a chunk extension without a name, or with an open quote | 400 |
//! | anything but CR LF around a chunk | 400 |
//! | a handshake by another method, in HTTP/1.0, or without its fields | 400 |
//! | a handshake with a malformed `Sec-WebSocket-Extensions`, compression or not | 400 |
//! | a handshake for another version than 13 | 426 |
//! | a method above 32 bytes, or `CONNECT` | 501 |
//! | an HTTP version other than 1.0 and 1.1 | 505 |
//!
//! In an absolute target, the authority replaces `Host`. `Host` must still be present. Empty list
//! elements count for nothing (RFC 9110 5.6.1), as in `Connection: upgrade,`.
//!
//! A query is handed on as the client sent it. Browsers send `?rate=50%` and `?q=%u00e9` as users
//! type them, so a malformed escape is no fault of the request. Code that decodes
//! [`query`](crate::Request::query) decides; [`query_pairs`](crate::Request::query_pairs) keeps a
//! malformed escape as it is.
//!
//! On a WebSocket, each violation is answered with a Close frame. Lengths must have their shortest
//! encoding. Reserved bits must be clear unless an extension was agreed on. Text is refused at its
//! first bad byte, even in the middle of a frame.
//!
//! | code | when | [cause](super::endings) |
//! | --- | --- | --- |
//! | 1002 | the protocol is violated | `Violation` |
//! | 1007 | text is not UTF-8, or compressed data is corrupt | `Violation` |
//! | 1008 | the peer sends faster than `message_rate` or `byte_rate` | `Rate` |
//! | 1009 | a message is above `max_message` | `TooBig` |
//! | 1013 | more than `max_buffered` waits for the peer | `TooSlow` |
//!
//! A refused request ends its connection by `TooBig` (413, 414, 431), `Refused` (403, 421),
//! `HeadTimeout` or `BodyTimeout` (408), and by `Violation` for all else.
//!
//! # PROXY headers
//!
//! [`Listener::proxy_protocol`](crate::Listener::proxy_protocol) has each connection begin with the
//! header of the PROXY protocol, version 1 or 2, and names the peers that may send one. A header is
//! read in one way only. After each of these faults the connection is closed without an answer:
//!
//! | what | version |
//! | --- | --- |
//! | a peer that the list does not name, before a byte of it is read | both |
//! | no header: any other first byte | both |
//! | more or less than one space, another protocol than `TCP4`, `TCP6` and `UNKNOWN` | 1 |
//! | an address of the other family, or with leading zeros | 1 |
//! | a port with a sign or leading zeros, or above 65535 | 1 |
//! | a CR or LF alone, or no CR LF in the first 107 bytes | 1 |
//! | another version than 2, a command other than `LOCAL` and `PROXY` | 2 |
//! | a family or a transport that the specification does not have | 2 |
//! | fewer bytes than the addresses take, or more than 4,096 after the first 16 | 2 |
//! | a field (TLV) that does not end with the header, two checksums, a wrong CRC32C | 2 |
//! | a header and a first head that take longer than `head_timeout` from the accept | both |
//!
//! Any peer in the list can name any client. Bind the listener to an address that only proxies
//! reach, or name their addresses.
//!
//! ```no_run
//! use switchboard::{Listener, Reactor};
//!
//! let mut reactor = Reactor::new()?;
//! reactor.server.max_connections_per_address(100); // counts the addresses in the headers
//! let proxies = ["10.0.0.7", "10.0.1.0/24"];
//! reactor.server.listen(Listener::from("10.0.0.2:9001").proxy_protocol(proxies))?;
//! # std::io::Result::Ok(())
//! ```
//!
//! # Bounds
//!
//! | what | default | option | beyond it |
//! | --- | --- | --- | --- |
//! | request head | 16 KiB | `max_head` | 431 |
//! | method | 32 bytes | | 501 |
//! | header fields | 100 | `max_headers`, at most 128 | 431 |
//! | request target | 8 KiB | `max_target` | 414 |
//! | PROXY header | 107 bytes, or 16 and 4,096 | none | closed |
//! | request body | what the handler names | `Reply::Body(limit)` | 413 |
//! | WebSocket message | 16 MiB | `max_message` | Close 1009 |
//! | output that waits for one peer | 17 MiB | `max_buffered` | Close 1013 |
//! | messages, bytes in a second | none | `message_rate`, `byte_rate` | Close 1008 |
//! | connections | 16.7 million | `Server::max_connections` | 503 |
//! | connections of one address or client | none | `Server::max_connections_per_address` | 429 |
//! | accepted connections in a turn | 256 | `Listener::accepts_per_turn` | they wait |
//! | input of one connection in a turn | 128 KiB, 256 messages or requests | none | it waits |
//! | waiting calls from other threads | 65,536 | none | given back |
//!
//! A turn is one pass of the loop. In one turn, a large message may bring more than 128 KiB.
//! Deadlines are in [`time`](super::time). A declared length allocates nothing: a message takes at
//! most twice the bytes that have arrived.
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
//! # What was refused
//!
//! The server refuses most faulty requests before a handler is called.
//! [`Server::observe`](crate::Server::observe) takes a closure and reports each refusal to it, with
//! client, peer, status, reason and request line. It also reports connections that were turned
//! away.
//!
//! ```
//! use std::sync::mpsc;
//! use switchboard::testing::World;
//!
//! let (log, lines) = mpsc::sync_channel(1024); // a thread writes the lines
//! let mut world = World::new();
//! world.server.observe(move |event| drop(log.try_send(event.to_string()))); // never waits
//! assert_eq!(world.post("/login", "").status, 404);
//! let line = lines.recv().unwrap();
//! assert!(line.ends_with(r#"404, no zone answers this path: "POST /login HTTP/1.1""#), "{line}");
//! ```
//!
//! The line is safe for a log and a terminal: each byte of the peer that is not printable ASCII is
//! escaped. It holds at most 128 bytes of the request line, the query included. A turn reports
//! 1,024 events and the number of those beyond. The closure must not wait, so a thread of its own
//! writes: a pipe may be full, and so may a disk.
//!
//! # What stays your task
//!
//! - **Memory for all connections together.** No limit holds for it. In the worst case, each
//!   connection takes about twice `max_message` plus `max_buffered`. For many connections, lower
//!   both.
//! - **What a streamed response writes.** A handler watches
//!   [`Conn::buffered`](crate::Conn::buffered) itself; see [`big_messages`](super::big_messages).
//! - **TLS.** Use the [feature `tls`](super::tls), or put a proxy in front.
//! - **The identity of the user.**
//! - **Forged requests.** The server checks the origin of WebSockets alone. For other requests that
//!   change something, a handler calls [`Context::check_origin`](crate::Context::check_origin).
//! - **Comparing secrets.** Compare them in constant time.
