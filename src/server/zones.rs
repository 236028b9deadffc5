//! The ordered list of zones, and the match of a path against their prefixes. This file knows paths
//! and handlers, and no connection.

use std::io;

use http::Method;

use super::handlers::Handlers;
use super::served::Served;
use crate::http1::normalise_prefix;
use crate::websocket::Origins;

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
    prefix: Result<Box<str>, UnusablePrefix>,
    methods: Vec<Method>,
    origins: Origins,
    /// `None` leaves it to the handler's kind: see [`Zone::upgrades`].
    upgrades: Option<bool>,
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
        Zone { prefix, methods: Vec::new(), origins: Origins::default(), upgrades: None }
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

    /// Says what the zone does with handshakes, unless the program has said it.
    pub(crate) fn or_upgrades(mut self, sees_upgrades: bool) -> Zone {
        self.upgrades.get_or_insert(sees_upgrades);
        self
    }
}

/// The prefix, and the path, of a request to the server as a whole.
pub(crate) const WHOLE_SERVER: &str = "*";

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

/// One prefix and the handler that stands there.
pub(crate) struct Entry {
    prefix: Box<str>,
    methods: Vec<Method>,
    pub(crate) origins: Origins,
    /// Whether the handler is asked about WebSocket handshakes.
    pub(crate) upgrades: bool,
    pub(crate) handler: u16,
}

impl Entry {
    pub(crate) fn prefix_len(&self) -> usize {
        self.prefix.len()
    }

    /// Returns the methods of the entry, if it does not take this one.
    pub(crate) fn refuses(&self, method: &Method) -> Option<&[Method]> {
        (!self.methods.is_empty() && !self.methods.contains(method)).then_some(&self.methods)
    }
}

#[derive(Default)]
pub(crate) struct Zones {
    pub(crate) entries: Vec<Entry>,
    pub(super) handlers: Handlers,
    /// All prefixes, sorted, each with its entries in their order. Every leading part of a path
    /// takes one binary search.
    prefixes: Vec<(Box<str>, Vec<usize>)>,
    /// Bytes of the longest prefix, which is all of a path that a match reads.
    longest: usize,
    /// The first prefix that no path has.
    unusable: Option<UnusablePrefix>,
}

impl Zones {
    /// Puts a handler at several prefixes, after all zones that are there, and returns its number.
    pub(crate) fn add(&mut self, zones: Vec<Zone>, handler: Box<dyn Served>) -> u16 {
        let number = self.handlers.add(handler);
        for Zone { prefix, methods, origins, upgrades } in zones {
            let upgrades = upgrades.unwrap_or(true);
            let prefix = match prefix {
                Ok(prefix) => prefix,
                Err(unusable) => {
                    self.unusable.get_or_insert(unusable);
                    continue;
                }
            };
            self.longest = self.longest.max(prefix.len());
            let place = self.place(prefix.as_bytes()).unwrap_or_else(|place| {
                self.prefixes.insert(place, (prefix.clone(), Vec::new()));
                place
            });
            self.prefixes[place].1.push(self.entries.len());
            self.entries.push(Entry { prefix, methods, origins, upgrades, handler: number });
        }
        number
    }

    /// Checks that a path can have each of the prefixes.
    ///
    /// # Errors
    /// Names the first prefix that no path has.
    #[inline]
    pub(crate) fn check(&self) -> io::Result<()> {
        self.unusable.clone().map_or(Ok(()), |unusable| Err(unusable.into()))
    }

    /// Returns the first entry from `from` on whose prefix matches.
    pub(crate) fn next(&self, path: &str, from: usize) -> Option<usize> {
        let path = path.as_bytes();
        let borders = (0..=path.len().min(self.longest))
            .filter(|&at| path.get(at).is_none_or(|&byte| byte == b'/'));
        borders
            .filter_map(|border| self.place(&path[..border]).ok())
            .filter_map(|place| first_from(&self.prefixes[place].1, from))
            .min()
    }

    /// Returns the index of a prefix, or the index at which to insert it.
    fn place(&self, prefix: &[u8]) -> Result<usize, usize> {
        self.prefixes.binary_search_by(|(present, _)| present.as_bytes().cmp(prefix))
    }
}

/// Returns the first of sorted entries that is not below `from`.
fn first_from(entries: &[usize], from: usize) -> Option<usize> {
    entries.get(entries.partition_point(|&entry| entry < from)).copied()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::server::Handler;

    struct Nothing;
    impl Handler for Nothing {}

    fn matches(prefixes: &[&str], path: &str) -> Vec<usize> {
        let mut zones = Zones::default();
        for prefix in prefixes {
            zones.add(vec![Zone::new(prefix)], Box::new(Nothing));
        }
        let mut from = 0;
        let mut found = Vec::new();
        while let Some(entry) = zones.next(path, from) {
            found.push(entry);
            from = entry + 1;
        }
        found
    }

    #[test]
    fn zones_match_whole_segments_in_order() {
        let prefixes = ["/foo", "/", "/foo/bar", "/foo/", "/foobar", "*", "/*"];
        assert_eq!(matches(&prefixes, "/foo"), [0, 1, 3]);
        assert_eq!(matches(&prefixes, "/foo/"), [0, 1, 3]);
        assert_eq!(matches(&prefixes, "/foo/x"), [0, 1, 3]);
        assert_eq!(matches(&prefixes, "/foo/bar/x"), [0, 1, 2, 3]);
        assert_eq!(matches(&prefixes, "/foobar"), [1, 4]);
        assert_eq!(matches(&prefixes, "/"), [1]);
        assert_eq!(matches(&prefixes, "*"), [5]);
        assert_eq!(matches(&prefixes, "/*"), [1, 6]);
    }

    /// Compares every prefix, by the rule in the manual.
    fn matches_naively(prefixes: &[String], path: &str) -> Vec<usize> {
        let stands = |prefix: &str| {
            let segments: Vec<_> = prefix.split('/').filter(|part| !part.is_empty()).collect();
            let suffix = match &*segments.join("/") {
                "" => Some(path),
                inner => path.strip_prefix('/').and_then(|path| path.strip_prefix(inner)),
            };
            suffix.is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('/'))
        };
        (0..prefixes.len()).filter(|&entry| stands(&prefixes[entry])).collect()
    }

    proptest! {
        #[test]
        fn zones_match_as_if_each_were_compared(
            prefixes in vec("(/[ab!0é]{0,2}){1,3}", 0..40),
            path in "(/[ab!0é]{1,2}){0,4}/?|[*]",
        ) {
            let path = if path.is_empty() { "/" } else { &path };
            let borrowed: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            prop_assert_eq!(matches(&borrowed, path), matches_naively(&prefixes, path));
        }
    }
}
