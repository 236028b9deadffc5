//! The ordered list of zones and its prefix match. It knows paths and handlers, no connection.

use std::any::Any;

use http::Method;

use super::handler::Handler;
use super::served::Served;
use crate::websocket::Origins;

/// Where a handler stands: a URI prefix, and which methods and origins it takes.
///
/// A prefix matches whole path segments: `/foo` takes `/foo` and `/foo/x`, not `/foobar`. Paths are decoded and normalised
/// before they are matched.
///
/// ```
/// use switchboard::{Response, Server, Zone, http::Method};
///
/// let mut server = Server::detached();
/// server.http(Zone::new("/time").methods(&[Method::GET]), |_conn, _request| "noon");
/// server.websocket(Zone::new("/feed").origins(["https://example.com"]), |conn, message| conn.send(message));
/// ```
#[derive(Debug)]
pub struct Zone {
    prefix: Box<str>,
    methods: Vec<Method>,
    origins: Origins,
}

impl Zone {
    /// A zone at a prefix, for every method, and for WebSockets from the same host.
    pub fn new(prefix: &str) -> Zone {
        let inner = prefix.trim_matches('/');
        let prefix = if inner.is_empty() { String::new() } else { format!("/{inner}") };
        Zone { prefix: prefix.into(), methods: Vec::new(), origins: Origins::default() }
    }

    /// The methods that the zone answers; who answers GET answers HEAD (RFC 9110 9.1). Others go on to the next zone; if nobody
    /// takes them they are answered 405 with `Allow`.
    pub fn methods(mut self, methods: &[Method]) -> Zone {
        self.methods = methods.to_vec();
        if let Some(get) = methods.iter().position(|method| *method == Method::GET)
            && !methods.contains(&Method::HEAD)
        {
            self.methods.insert(get + 1, Method::HEAD);
        }
        self
    }

    /// The origins (`https://example.com`) from whose pages a WebSocket may be opened, in place of the server's own host.
    pub fn origins<S: Into<String>>(mut self, origins: impl IntoIterator<Item = S>) -> Zone {
        self.origins = Origins::List(origins.into_iter().map(Into::into).collect());
        self
    }

    /// Lets a page of any origin open a WebSocket: only for what needs no protection, or protects itself.
    pub fn any_origin(mut self) -> Zone {
        self.origins = Origins::Any;
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

/// One prefix and the handler that stands there.
pub(crate) struct Entry {
    prefix: Box<str>,
    methods: Vec<Method>,
    pub(crate) origins: Origins,
    pub(crate) handler: u16,
}

impl Entry {
    pub(crate) fn prefix_len(&self) -> usize {
        self.prefix.len()
    }

    /// The methods that the entry names, if it does not take this one.
    pub(crate) fn refuses(&self, method: &Method) -> Option<&[Method]> {
        (!self.methods.is_empty() && !self.methods.contains(method)).then_some(&self.methods)
    }
}

#[derive(Default)]
struct Nobody;

impl Handler for Nobody {}

#[derive(Default)]
pub(crate) struct Zones {
    pub(crate) entries: Vec<Entry>,
    handlers: Vec<Box<dyn Served>>,
    /// Stands in for a handler of another server, whose `ZoneId` was used here.
    nobody: Nobody,
    /// The prefixes that there are, sorted, each with its entries in their order: a path is looked up segment by segment,
    /// each time in half of the rest, however many zones there are.
    prefixes: Vec<(Box<str>, Vec<usize>)>,
    /// Bytes of the longest prefix; no path is looked at further.
    longest: usize,
}

impl Zones {
    /// Puts a handler at several prefixes, after all zones that are there, and returns its number.
    pub(crate) fn add(&mut self, zones: Vec<Zone>, handler: Box<dyn Served>) -> u16 {
        // One more than 65,536 handlers would need a wider number in every connection.
        let number = u16::try_from(self.handlers.len()).expect("at most 65,536 handlers");
        self.handlers.push(handler);
        for Zone { prefix, methods, origins } in zones {
            self.longest = self.longest.max(prefix.len());
            let place = self.place(prefix.as_bytes()).unwrap_or_else(|place| {
                self.prefixes.insert(place, (prefix.clone(), Vec::new()));
                place
            });
            self.prefixes[place].1.push(self.entries.len());
            self.entries.push(Entry { prefix, methods, origins, handler: number });
        }
        number
    }

    /// The first entry from `from` on whose prefix matches.
    pub(crate) fn next(&self, path: &str, from: usize) -> Option<usize> {
        let path = path.as_bytes();
        let borders = (0..=path.len().min(self.longest))
            .filter(|&at| path.get(at).is_none_or(|&byte| byte == b'/'));
        borders
            .filter_map(|border| self.place(&path[..border]).ok())
            .filter_map(|place| first_from(&self.prefixes[place].1, from))
            .min()
    }

    /// Where a prefix is among them, or would be.
    fn place(&self, prefix: &[u8]) -> Result<usize, usize> {
        self.prefixes.binary_search_by(|(present, _)| present.as_bytes().cmp(prefix))
    }

    pub(crate) fn handler(&mut self, number: u16) -> &mut dyn Served {
        match self.handlers.get_mut(usize::from(number)) {
            Some(handler) => &mut **handler,
            None => &mut self.nobody,
        }
    }

    pub(crate) fn handler_as_any(&mut self, number: u16) -> &mut dyn Any {
        match self.handlers.get_mut(usize::from(number)) {
            Some(handler) => &mut **handler,
            None => &mut self.nobody,
        }
    }
}

/// The first of some entries in their order that is this one or later.
fn first_from(entries: &[usize], from: usize) -> Option<usize> {
    entries.get(entries.partition_point(|&entry| entry < from)).copied()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

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
        let prefixes = ["/foo", "/", "/foo/bar", "/foo/", "/foobar"];
        assert_eq!(matches(&prefixes, "/foo"), [0, 1, 3]);
        assert_eq!(matches(&prefixes, "/foo/"), [0, 1, 3]);
        assert_eq!(matches(&prefixes, "/foo/x"), [0, 1, 3]);
        assert_eq!(matches(&prefixes, "/foo/bar/x"), [0, 1, 2, 3]);
        assert_eq!(matches(&prefixes, "/foobar"), [1, 4]);
        assert_eq!(matches(&prefixes, "/"), [1]);
        assert_eq!(matches(&prefixes, "*"), Vec::<usize>::new());
    }

    /// Every prefix is compared, by the sentence in the manual.
    fn matches_naively(prefixes: &[String], path: &str) -> Vec<usize> {
        let stands = |prefix: &str| {
            let inner = prefix.trim_matches('/');
            let suffix = match inner {
                "" => Some(path),
                _ => path.strip_prefix('/').and_then(|path| path.strip_prefix(inner)),
            };
            suffix.is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('/'))
        };
        (0..prefixes.len()).filter(|&entry| stands(&prefixes[entry])).collect()
    }

    proptest! {
        #[test]
        fn zones_match_as_if_each_were_compared(prefixes in vec("(/[ab!0é]{0,2}){1,3}", 0..40), path in "(/[ab!0é]{1,2}){0,4}/?|[*]") {
            let path = if path.is_empty() { "/" } else { &path };
            let borrowed: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            prop_assert_eq!(matches(&borrowed, path), matches_naively(&prefixes, path));
        }
    }
}
