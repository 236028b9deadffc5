//! The place of a handler, as a program describes it. This file matches no path.

use std::io;

use http::Method;

use crate::http1::normalise_prefix;
use crate::websocket::Origins;

/// The prefix, and the path, of a request to the server as a whole.
pub(crate) const WHOLE_SERVER: &str = "*";

/// The place of a handler: a URI prefix, and the methods and origins that it takes.
///
/// A prefix matches whole path segments: `/foo` takes `/foo` and `/foo/x`, not `/foobar`. Paths and
/// prefixes are decoded and normalised before the match (RFC 3986 6.2.2). A text converts into a
/// zone for every method and for WebSockets from the server's own host.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::http::{Method, Request};
/// use switchboard::Zone;
///
/// let mut world = World::new();
/// let time = Zone::new("/time").methods(&[Method::GET]);
/// world.server.http(time, |_conn, _request| "noon");
/// let feed = Zone::new("/feed").origins(["https://app.example"]);
/// world.server.websocket(feed, |conn, message| conn.send(message));
///
/// assert_eq!(world.get("/time/here").text(), "noon");
/// assert_eq!(world.get("/timetable").status, 404);
/// assert_eq!(world.post("/time", "").status, 405);
/// world.websocket(Request::get("/feed").header("Origin", "https://app.example"));
/// ```
#[derive(Debug)]
pub struct Zone {
    /// As written, if no path can have it.
    pub(super) prefix: Result<Box<str>, UnusablePrefix>,
    pub(super) methods: Vec<Method>,
    pub(super) origins: Origins,
    /// `None` leaves it to the handler's kind: see [`Zone::upgrades`].
    pub(super) upgrades: Option<bool>,
    pub(super) is_counted: bool,
    pub(super) is_internal: bool,
}

/// A prefix that no path of a request has.
#[derive(Clone, Debug)]
pub(crate) struct UnusablePrefix {
    prefix: Box<str>,
    reason: &'static str,
}

impl From<UnusablePrefix> for io::Error {
    fn from(UnusablePrefix { prefix, reason }: UnusablePrefix) -> io::Error {
        let text = format!("no request matches the zone {prefix:?}: {reason}");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    }
}

impl Zone {
    /// Makes a zone at a prefix, for every method, and for WebSockets from the server's own host.
    ///
    /// The prefix is read as the path of a request is. So `/café`, `/caf%C3%A9` and `/x/../café/`
    /// are one prefix. Empty segments, a missing first slash and a trailing one are ignored.
    ///
    /// No path leads above the root, or has a query, a malformed escape, a backslash, or an escaped
    /// slash or control character. A server with such a prefix returns an error that names the
    /// prefix from [`listen`](crate::Server::listen), [`adopt`](crate::Server::adopt) and
    /// [`Reactor::run`](crate::Reactor::run).
    ///
    /// ```
    /// use switchboard::{Reactor, Zone};
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.server.http(Zone::new("/search?q"), |_conn, _request| "found");
    /// let error = reactor.server.listen("127.0.0.1:0").unwrap_err();
    /// assert!(error.to_string().starts_with(r#"no request matches the zone "/search?q": "#));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// The prefix `*` takes `OPTIONS *`, a request to the server as a whole, and nothing else (RFC
    /// 9112 3.2.4). No other prefix takes it. If no zone at `*` replies, the answer is 204 without
    /// `Allow` and `Content-Length`.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Response, Zone};
    ///
    /// let mut world = World::new();
    /// let ping = |world: &mut World| {
    ///     let client = world.connect();
    ///     world.write(client, "OPTIONS * HTTP/1.1\r\nHost: example.com\r\n\r\n");
    ///     world.read(client)
    /// };
    /// world.server.http("/", |_, _| "the page");
    /// assert!(ping(&mut world).starts_with(b"HTTP/1.1 204 "));
    /// world.server.http(Zone::new("*"), |_, _| Response::new(200).header("Allow", "GET"));
    /// assert!(ping(&mut world).starts_with(b"HTTP/1.1 200 "));
    /// ```
    // A program registers its zones in one go, and asks for errors where it begins to serve. So
    // registering returns no `Result`, and does not panic: a prefix may come from a configuration.
    #[must_use]
    pub fn new(prefix: &str) -> Zone {
        let normalised = match prefix {
            WHOLE_SERVER => Ok(prefix.to_owned()),
            _ => normalise_prefix(prefix),
        };
        let prefix = normalised
            .map(String::into_boxed_str)
            .map_err(|reason| UnusablePrefix { prefix: prefix.into(), reason });
        Zone {
            prefix,
            methods: Vec::new(),
            origins: Origins::default(),
            upgrades: None,
            is_counted: false,
            is_internal: false,
        }
    }

    /// Sets the methods that the zone takes. GET includes HEAD (RFC 9110 9.1).
    ///
    /// A request with another method goes on to the next zone. If no zone takes the method, the
    /// answer is 405 with `Allow` (RFC 9110 15.5.6).
    #[must_use]
    pub fn methods(mut self, methods: &[Method]) -> Zone {
        self.methods = methods.to_vec();
        if let Some(get) = methods.iter().position(|method| *method == Method::GET)
            && !methods.contains(&Method::HEAD)
        {
            self.methods.insert(get + 1, Method::HEAD);
        }
        self
    }

    /// Sets the origins whose pages may open a WebSocket, such as `https://example.com`, in place
    /// of the server's own host and of [`Server::origins`](crate::Server::origins) (RFC 6455 10.2).
    /// `null`, `file://` and schemes such as `capacitor://localhost` may be among them. A request
    /// with another `Origin` is answered with 403. A request without `Origin` is accepted, since
    /// browsers always send it.
    #[must_use]
    pub fn origins<S: Into<String>>(mut self, origins: impl IntoIterator<Item = S>) -> Zone {
        self.origins = Origins::List(origins.into_iter().map(Into::into).collect());
        self
    }

    /// Lets a page of any origin open a WebSocket. This is safe only for a service without cookies,
    /// or with another protection.
    #[must_use]
    pub fn any_origin(mut self) -> Zone {
        self.origins = Origins::Any;
        self
    }

    /// Sets whether the zone sees WebSocket handshakes, and parts of one: see
    /// [`Request::is_websocket`](crate::Request::is_websocket).
    ///
    /// By default the closure of [`Server::http`](crate::Server::http) sees none: they are passed
    /// on to the next zone, since a page is no answer to a handshake. A closure that guards others,
    /// or that returns an [`Upgrade`](crate::Upgrade), needs `upgrades(true)`. Every other handler
    /// sees them, and its own answer stands. If no zone takes a handshake, the answer is a 404 that
    /// says so. Upgrades to another protocol than `websocket` are ignored (RFC 9110 7.8).
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Reply, Response, Zone};
    ///
    /// let mut world = World::new();
    /// world.server.http(Zone::new("/").upgrades(true), |_, request| match request.cookie("user") {
    ///     Some(_) => Reply::Pass,
    ///     None => Response::text("who are you?").with_status(401).into(),
    /// });
    /// world.server.http("/", |_, _| "the page");
    /// world.server.websocket("/", |conn, message| conn.send(message));
    ///
    /// let eve = world.connect();
    /// world.upgrade(eve, "/");
    /// assert_eq!(world.answer(eve).status, 401);
    /// let request = switchboard::http::Request::get("/").header("Cookie", "user=ada");
    /// world.websocket(request); // passes the guard and the page
    /// ```
    #[must_use]
    pub fn upgrades(mut self, sees_upgrades: bool) -> Zone {
        self.upgrades = Some(sees_upgrades);
        self
    }

    /// Sets whether the requests and messages of the zone are counted apart (default: they are
    /// not), in [`Stats::zones`](crate::Stats::zones).
    ///
    /// A handler at several zones is counted as a whole, under the prefix of the first of its zones
    /// that is counted. A zone that is not counted costs nothing. A counted zone costs a call of a
    /// function for each callback.
    ///
    /// ```
    /// use switchboard::Zone;
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// let echo = Zone::new("/echo").counted(true);
    /// world.server.websocket(echo, |conn, message| conn.send(message));
    /// let ada = world.websocket("/echo");
    /// world.say(ada, "hello");
    ///
    /// let stats = world.context().stats();
    /// let [zone] = &stats.zones[..] else { panic!("one zone is counted") };
    /// assert_eq!((&*zone.zone, zone.open, zone.requests), ("/echo", 1, 1));
    /// assert_eq!((zone.messages, zone.messages_sent), (1, 1));
    /// ```
    #[must_use]
    pub fn counted(mut self, is_counted: bool) -> Zone {
        self.is_counted = is_counted;
        self
    }

    /// Sets whether the zone is for [internal listeners](crate::Listener::internal) only (default:
    /// it is for all others).
    ///
    /// Metrics and other pages for operators stand at internal zones. A client of another listener
    /// gets a 404 there.
    #[must_use]
    pub fn internal(mut self, is_internal: bool) -> Zone {
        self.is_internal = is_internal;
        self
    }

    /// Says what the zone does with handshakes, unless the program has said it.
    pub(crate) fn or_upgrades(mut self, sees_upgrades: bool) -> Zone {
        self.upgrades.get_or_insert(sees_upgrades);
        self
    }
}

impl From<&str> for Zone {
    fn from(prefix: &str) -> Zone {
        Zone::new(prefix)
    }
}

impl From<&&str> for Zone {
    fn from(prefix: &&str) -> Zone {
        Zone::new(prefix)
    }
}
