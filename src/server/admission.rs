//! Which pages and which host names a program allows: `Server::origins`, `Server::hosts`, and how a
//! refusal says what to do. The check of the host runs before any zone is asked. The list of
//! origins holds for every zone without a list of its own.

use std::borrow::Cow;

use super::server::Server;

impl Server {
    /// Sets the host names that are served (default: all). A request to another host is answered
    /// with 421 (RFC 9110 15.5.20) before any zone is asked, a WebSocket and `OPTIONS *` included.
    ///
    /// This stops DNS rebinding: a page whose own name resolves to this server has a `Host` and an
    /// `Origin` that agree. A second call replaces the list.
    ///
    /// An entry is a name, an address or a range of addresses. `chat.example` and `[::1]` match any
    /// port; `chat.example:8080` matches this port only. A `Host` without a port has port 80 or
    /// 443. Names compare without regard to case and to one final dot; addresses compare as
    /// numbers. An entry that is none of these, such as a URL or `*.example`, matches nothing.
    ///
    /// The authority of an absolute target counts before `Host` (RFC 9112 3.2.2). HTTP/1.0 without
    /// `Host` is answered with 421, too. HTTP/1.1 without `Host` is answered with 400, as always.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.http("/", |_, _| "hello");
    /// world.server.hosts(["chat.example", "localhost", "127.0.0.0/8", "[::1]"]);
    /// let mut status = |host: &str| world.fetch(Request::get("/").header("Host", host)).status;
    /// assert_eq!(status("chat.example"), 200);
    /// assert_eq!(status("LOCALHOST:8080"), 200);
    /// assert_eq!(status("127.0.0.1:8080"), 200);
    /// assert_eq!(status("evil.example"), 421);
    /// ```
    pub fn hosts<S: AsRef<str>>(&mut self, hosts: impl IntoIterator<Item = S>) {
        self.hosts.set(hosts);
    }

    /// Sets the origins whose pages may open a WebSocket at every zone, beside pages of the
    /// server's own host (RFC 6455 10.2; default: none). A second call replaces the list.
    ///
    /// A server behind a proxy that rewrites `Host` needs the origin under which browsers see it.
    /// An origin is a scheme, a host and perhaps a port: `https://chat.example`. Pages without a
    /// host have `null` (a sandboxed frame) or `file://`. Pages inside of programs have schemes of
    /// their own, such as `capacitor://localhost`.
    ///
    /// A zone's own list wins: [`Zone::origins`](crate::Zone::origins) stands in place of this list
    /// and of the own host.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new(); // requests name the host example.com
    /// world.server.websocket("/chat", |conn, message| conn.send(message));
    /// world.server.origins(["https://chat.example", "capacitor://localhost"]);
    /// for origin in ["https://chat.example", "capacitor://localhost", "https://example.com"] {
    ///     world.websocket(Request::get("/chat").header("Origin", origin));
    /// }
    /// ```
    pub fn origins<S: AsRef<str>>(&mut self, origins: impl IntoIterator<Item = S>) {
        self.context.origins.set(origins);
    }

    /// Sets the words with which a refusal says how to allow an Origin (403) and a Host (421).
    /// The refused Origin or Host follows them, in quotes.
    ///
    /// The default is `Server::origins` and `Server::hosts`. A program with options of its own
    /// names these.
    ///
    /// ```
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.hosts(["chat.example"]);
    /// world.server.remedies("--origin", "--allow-host");
    /// assert_eq!(
    ///     world.get("/").text(),
    ///     "a Host that is not served here: \"example.com\"; \
    ///      allow it with --allow-host \"example.com\""
    /// );
    /// ```
    pub fn remedies(
        &mut self,
        origin: impl Into<Cow<'static, str>>,
        host: impl Into<Cow<'static, str>>,
    ) {
        self.context.origins.remedy = origin.into();
        self.hosts.remedy = host.into();
    }
}
