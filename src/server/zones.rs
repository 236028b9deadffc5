//! The ordered list of zones, and the match of a path against their prefixes. This file knows paths
//! and handlers, and no connection.

use std::io;

use http::Method;

use super::handlers::Handlers;
use super::served::Served;
use super::zone::{UnusablePrefix, Zone};
use crate::websocket::Origins;

/// One prefix and the handler that stands there.
pub(crate) struct Entry {
    prefix: Box<str>,
    methods: Vec<Method>,
    pub(crate) origins: Origins,
    /// Whether the handler is asked about WebSocket handshakes.
    pub(crate) upgrades: bool,
    /// Whether only connections of internal listeners reach the entry, or only all others.
    pub(crate) is_internal: bool,
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
    /// The numbers of handlers that are counted, each with its entry of `Stats::zones`.
    counted: Vec<(u16, usize)>,
    /// All prefixes, sorted, each with its entries in their order. Every leading part of a path
    /// takes one binary search.
    prefixes: Vec<(Box<str>, Vec<usize>)>,
    /// Bytes of the longest prefix, which is all of a path that a match reads.
    longest: usize,
    /// Whether a zone or a listener is internal, so that a connection does not reach every zone.
    pub(crate) is_divided: bool,
    /// The first prefix that no path has.
    unusable: Option<UnusablePrefix>,
}

impl Zones {
    /// Puts a handler at several prefixes, after all zones that are there, and returns its number.
    pub(crate) fn add(&mut self, zones: Vec<Zone>, handler: Box<dyn Served>) -> u16 {
        let number = self.handlers.add(handler);
        for Zone { prefix, methods, origins, upgrades, is_internal, .. } in zones {
            self.is_divided |= is_internal;
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
            let handler = number;
            self.entries.push(Entry { prefix, methods, origins, upgrades, is_internal, handler });
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

    /// Notes that a handler is counted, in the entry `index` of `Stats::zones`.
    pub(crate) fn count(&mut self, number: u16, index: usize) {
        self.counted.push((number, index));
    }

    /// Returns the entry of `Stats::zones` of a handler that is counted.
    pub(crate) fn counted(&self, number: u16) -> Option<usize> {
        self.counted.iter().find(|&&(counted, _)| counted == number).map(|&(_, index)| index)
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
