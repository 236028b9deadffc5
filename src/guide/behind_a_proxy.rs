//! Run the server behind nginx, Caddy or HAProxy: what to set, why, and what goes wrong without it.
//!
//! The files of this chapter are those of `examples/proxies`. `tests/proxies/run` starts the real
//! proxies with these files. For each row of [the last table](#what-goes-wrong) it leaves out the
//! line, and checks the symptom.
//!
//! # What a proxy has to do
//!
//! | task | nginx | Caddy | HAProxy |
//! | --- | --- | --- | --- |
//! | speak HTTP/1.1, and pass upgrades on | three lines | by default | by default |
//! | pass `Host` on as it came | one line | by default | by default |
//! | replace the client's `X-Forwarded-For` | one line | by default | one line |
//! | remove the client's `Forwarded` | one line | one line | one line |
//! | wait above 50.25 s, the longest time between two pings | one line | by default | three lines |
//! | close idle connections to the server before 75 s | by default | one line | by default |
//! | pass each event on at once | by default | by default | by default |
//! | tell the server at once that a client has left | by default | by default | one line |
//!
//! # nginx
//!
//! ```nginx
#![doc = include_str!("../../examples/proxies/nginx.conf")]
//! ```
//!
//! `$http_host` is the client's `Host` with its port. `$host` has no port, so pages at another port
//! than 443 get 403. A `proxy_set_header` in a `location` replaces all such lines of outer levels.
//!
//! # Caddy
//!
//! ```text
#![doc = include_str!("../../examples/proxies/Caddyfile")]
//! ```
//!
//! # HAProxy
//!
//! ```text
#![doc = include_str!("../../examples/proxies/haproxy.cfg")]
//! ```
//!
//! `option abortonclose` stands in `defaults`, because HAProxy 2.6 ignores it in a `backend`.
//!
//! # The client's address
//!
//! Behind a proxy every connection comes from the proxy. With
//! [`Server::trusted_proxies`](crate::Server::trusted_proxies) the server believes one header of
//! one list of proxies. The files above write `X-Forwarded-For`, so name that:
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Response, TrustedHeader};
//!
//! let mut world = World::new();
//! world.server.trusted_proxies(["127.0.0.1", "unix"], TrustedHeader::XForwardedFor)?;
//! world.server.max_connections_per_address(100); // counts clients, not the proxy
//! world.server.http("/", |_, request| match request.scheme() {
//!     "https" => Response::text(format!("hello, {}", request.client_addr().unwrap())),
//!     _ => Response::empty(308).header("Location", "https://chat.example/"),
//! });
//! let proxy = world.connect_from("127.0.0.1:4711");
//! let request = switchboard::http::Request::get("/").header("X-Forwarded-For", "192.0.2.1");
//! world.request(proxy, request.header("X-Forwarded-Proto", "https"));
//! assert_eq!(world.answer(proxy).text(), "hello, 192.0.2.1");
//! # std::io::Result::Ok(())
//! ```
//!
//! - **Replace the field, or append to it.** A proxy without the line passes the client's own field
//!   on, and the server believes it. `$remote_addr` replaces it by the address of the socket.
//! - **A proxy behind a proxy** appends. nginx does so with the line below, and the server's list
//!   has to name both. The server reads the field from its end and stops at the first stranger, so
//!   what a client wrote in front counts for nothing.
//! - **Remove `Forwarded`.** These proxies do not write it. A server that believes it would believe
//!   the client.
//! - **Let only the proxy reach the server**: listen at a loopback address or at a Unix socket, or
//!   have a firewall. Any other peer counts as a client, whatever header it sends.
//!
//! ```nginx
//! proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
//! ```
//!
//! # Below a path
//!
//! A proxy may hand on only what lies below `/app/`. With the prefix kept, the zones are
//! `/app/ws`, `/app/page`. With the prefix stripped, they are `/ws`, `/page`.
//!
//! | proxy | prefix kept | prefix stripped |
//! | --- | --- | --- |
//! | nginx | `location /app/ {` | also `proxy_pass http://chat/;` |
//! | Caddy | `reverse_proxy /app/* 127.0.0.1:8080 {` | `handle_path /app/* {` around it |
//! | HAProxy | `use_backend chat if { path_beg /app/ }` | also, in `backend chat`, the line below |
//!
//! ```text
//! http-request replace-path /app(/.*) \1
//! ```
//!
//! Keep the prefix if you can. The server does not know a stripped prefix, so its links, its
//! redirections and the `Path` of its cookies must be relative or name the prefix. With a path in
//! `proxy_pass`, nginx also decodes the client's path: `/a%2Fb` arrives as `/a/b`. Without one, the
//! server sees the escape, and refuses it.
//!
//! # Over a Unix socket
//!
//! A Unix socket needs no port, and its mode says which users may connect. The proxy's user needs
//! the permission to write.
//!
//! | proxy | line |
//! | --- | --- |
//! | nginx | `server unix:/run/chat/chat.sock;` |
//! | Caddy | `reverse_proxy unix//run/chat/chat.sock {` |
//! | HAProxy | `server chat unix@/run/chat/chat.sock check` |
//!
//! ```
//! use switchboard::{Listener, Reactor};
//!
//! let path = std::env::temp_dir().join(format!("chat-{}.sock", std::process::id()));
//! let mut reactor = Reactor::new()?;
//! reactor.server.listen(Listener::unix(path).mode(0o660))?;
//! # std::io::Result::Ok(())
//! ```
//!
//! # TLS at the server, behind a proxy
//!
//! A proxy may pass TCP on, so that the server ends TLS itself. The proxy can change no field then,
//! and names the client in a PROXY header in front of the bytes. The server has to expect it:
//!
//! ```
//! use switchboard::{Listener, Reactor};
//!
//! let mut reactor = Reactor::new()?;
//! let listener = Listener::from("127.0.0.1:0").proxy_protocol(["127.0.0.1"]);
//! reactor.server.listen(listener)?;
//! # std::io::Result::Ok(())
//! ```
//!
//! Name the proxies' own addresses. All other peers are closed. nginx:
//!
//! ```nginx
#![doc = include_str!("../../examples/proxies/nginx-stream.conf")]
//! ```
//!
//! HAProxy:
//!
//! ```text
#![doc = include_str!("../../examples/proxies/haproxy-tcp.cfg")]
//! ```
//!
//! # Silence and idle connections
//!
//! nginx and most load balancers cut a connection on which nothing came for 60 s, and keep idle
//! connections to a server for 60 s. The defaults of the server fit both:
//!
//! - A WebSocket gets a ping after at most 50.25 s, an event stream a comment after 15 s.
//! - An idle HTTP connection is kept for 75 s. Its client reads `Keep-Alive: timeout=70`. Of the
//!   two ends, the proxy should close first: then no request meets a server that closes. That is
//!   [`Options::keep_alive_timeout`](crate::Options::keep_alive_timeout) and
//!   [`keep_alive_header`](crate::Options::keep_alive_header).
//! - An event stream has `X-Accel-Buffering: no` and `Cache-Control: no-cache, no-transform`.
//!   nginx would collect its events otherwise. A [`Stream`] has neither: add
//!   `X-Accel-Buffering: no` where each piece must arrive at once, or have nginx say
//!   `proxy_buffering off;`.
//! - A deferred answer may be owed for 60 s. Lower `answer_timeout` if your 503 is to come before
//!   the proxy's 504.
//! - A proxy whose client has left sends a FIN. The server takes it for a client that still reads,
//!   and works on. [`Options::half_close(false)`](crate::Options::half_close) calls `cancelled` at
//!   once. These proxies never pass on the FIN of a client that still reads.
//!
//! ```
//! use std::time::Duration;
//! use switchboard::testing::World;
//! use switchboard::{EventStream, Options};
//!
//! let mut world = World::new();
//! world.server.http("/page", |_, _| "hello");
//! world.server.http("/events", |_, _| EventStream::new());
//! let options = Options::new().keep_alive_timeout(Duration::from_secs(30)).half_close(false);
//! world.server.options(options);
//! assert_eq!(world.get("/page").header("Keep-Alive"), Some("timeout=25"));
//! let stream = world.events("/events");
//! assert_eq!(world.head(stream).header("X-Accel-Buffering"), Some("no"));
//! ```
//!
//! A proxy with a shorter patience needs a shorter
//! [`idle_timeout`](crate::Options::idle_timeout).
//!
//! # What goes wrong
//!
//! | symptom | cause | remedy |
//! | --- | --- | --- |
//! | WebSocket: 400, "in HTTP/1.0" | nginx speaks HTTP/1.0 | `proxy_http_version 1.1;` |
//! | WebSocket: 400, "must pass it on" | nginx drops `Upgrade` | `map`, `Upgrade`, `Connection` |
//! | WebSocket: 403, `at the Host "chat"` | nginx replaces `Host` | `$http_host`, or [origins] |
//! | WebSocket: 403, but not at port 443 | `$host` has no port | `$http_host` |
//! | 421 for every page | `Host` is not among the [hosts] | `$http_host`, or add the name |
//! | a silent WebSocket gets 1006 | the proxy waits too short | its timeouts, or [ours][idle] |
//! | a POST gets 502 now and then | the proxy keeps it longer idle | `keepalive`, or [ours][keep] |
//! | pieces of a [`Stream`] come late | nginx collects them | `X-Accel-Buffering: no` |
//! | 413 in HTML, with nginx's name | its limit is 1 MiB | `client_max_body_size` |
//! | an upload comes late, all at once | nginx fills a file | `proxy_request_buffering off;` |
//! | all clients have one address, or get 429 | it is the proxy's | [`trusted_proxies`][trusted] |
//! | clients have addresses that they name | nginx passes the field on | `X-Forwarded-For` |
//! | every request: 400 behind a TCP proxy | a PROXY header came | [`proxy_protocol`][header] |
//! | every connection ends behind a TCP proxy | no PROXY header came | `proxy_protocol on;` |
//! | a client left, its event stream stays | HAProxy waits for output | `option abortonclose` |
//! | many ends by `ProxyFault` | the proxy sends no header | [`proxy_protocol`][header] |
//! | a client left, and no `cancelled` comes | a FIN may be a half-close | [`half_close`][half] |
//!
//! The refusals of the server are texts that name the cause. A browser shows a page neither the
//! status nor the text of a refused handshake: [`Server::observe`] reports both, and `--verbose`
//! prints them in the examples.
//!
//! [`Server::observe`]: crate::Server::observe
//! [`Stream`]: crate::Stream
//! [origins]: crate::Server::origins
//! [hosts]: crate::Server::hosts
//! [idle]: crate::Options::idle_timeout
//! [keep]: crate::Options::keep_alive_timeout
//! [trusted]: crate::Server::trusted_proxies
//! [header]: crate::Listener::proxy_protocol
//! [half]: crate::Options::half_close
