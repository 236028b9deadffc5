//! A map from connections to a handler's own values, in an array of pages. This file does not know
//! when a connection ends: the handler removes its value in `close`.
//!
//! Slots are used again from anywhere, so the first value may have a high slot. One array would
//! then grow by tens of megabytes in one call, and hold the loop.

use crate::connection::ConnId;

/// A map from [`ConnId`] to a value of the handler's own, as fast as an array.
///
/// The map has a page for each 1,024 slots of the server of which one has a value. A page has 1,024
/// entries of the size of `Option<(ConnId, T)>`, and is freed when its last value is removed.
/// Values of connections that ended stay until the handler removes them, best in
/// [`Handler::close`](crate::Handler::close).
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Close, Conn, ConnMap, Handler, Message, Request};
///
/// #[derive(Default)]
/// struct Counting { seen: ConnMap<u64> }
///
/// impl Handler for Counting {
///     fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
///         self.seen.insert(conn.id(), 0);
///     }
///     fn message(&mut self, conn: &mut Conn<'_>, _message: Message<'_>) {
///         if let Some(seen) = self.seen.get_mut(conn.id()) {
///             *seen += 1;
///         }
///     }
///     fn close(&mut self, conn: &mut Conn<'_>, _close: Close<'_>) {
///         self.seen.remove(conn.id());
///     }
/// }
///
/// let mut world = World::new();
/// let zone = world.server.zone("/", Counting::default());
/// let ada = world.websocket("/");
/// world.say(ada, "one");
/// world.say(ada, "two");
/// let seen = world.with(zone, |counting, _cx| counting.seen.iter().next().map(|(_, &n)| n));
/// assert_eq!(seen, Some(2));
/// world.end(ada);
/// assert!(world.with(zone, |counting, _cx| counting.seen.is_empty()));
/// ```
#[derive(Clone, Debug)]
pub struct ConnMap<T> {
    pages: Vec<Page<T>>,
    len: usize,
}

/// Entries in a page.
const PAGE: usize = 1 << 10;

#[derive(Clone, Debug)]
struct Page<T> {
    /// None while no connection has a value, else [`PAGE`].
    entries: Vec<Option<(ConnId, T)>>,
    len: usize,
}

impl<T> Page<T> {
    const EMPTY: Page<T> = Page { entries: Vec::new(), len: 0 };
}

impl<T> Default for ConnMap<T> {
    fn default() -> ConnMap<T> {
        ConnMap { pages: Vec::new(), len: 0 }
    }
}

/// Returns the page of a connection, and the place in it.
fn place_of(id: ConnId) -> (usize, usize) {
    let slot = id.slot() as usize;
    (slot / PAGE, slot % PAGE)
}

impl<T> ConnMap<T> {
    /// Makes an empty map, which allocates nothing.
    #[must_use]
    pub fn new() -> ConnMap<T> {
        ConnMap::default()
    }

    /// Inserts a value, and returns the value that this connection had before. A value left behind
    /// by an earlier connection in the slot is dropped.
    pub fn insert(&mut self, id: ConnId, value: T) -> Option<T> {
        let (at, place) = place_of(id);
        if at >= self.pages.len() {
            self.pages.resize_with(at + 1, || Page::EMPTY);
        }
        let page = &mut self.pages[at];
        if page.entries.is_empty() {
            page.entries.resize_with(PAGE, || None);
        }
        match page.entries[place].replace((id, value)) {
            Some((same, old)) if same == id => Some(old),
            Some(_) => None,
            None => {
                page.len += 1;
                self.len += 1;
                None
            }
        }
    }

    /// Returns the value of a connection.
    #[must_use]
    pub fn get(&self, id: ConnId) -> Option<&T> {
        let (at, place) = place_of(id);
        match self.pages.get(at)?.entries.get(place) {
            Some(Some((same, value))) if *same == id => Some(value),
            _ => None,
        }
    }

    /// Returns the value of a connection, to be changed.
    #[must_use]
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        let (at, place) = place_of(id);
        match self.pages.get_mut(at)?.entries.get_mut(place) {
            Some(Some((same, value))) if *same == id => Some(value),
            _ => None,
        }
    }

    /// Removes and returns the value of a connection.
    pub fn remove(&mut self, id: ConnId) -> Option<T> {
        self.get(id)?;
        let (at, place) = place_of(id);
        let page = &mut self.pages[at];
        let value = page.entries[place].take().map(|(_, value)| value);
        page.len -= 1;
        self.len -= 1;
        if page.len == 0 {
            *page = Page::EMPTY;
        }
        if self.len == 0 {
            self.pages = Vec::new();
        }
        value
    }

    /// Returns the number of connections that have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no connection has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Iterates over all connections and their values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &T)> {
        let entries = self.pages.iter().flat_map(|page| &page.entries);
        entries.flatten().map(|(id, value)| (*id, value))
    }

    /// Iterates over all connections and their values, to be changed, in no particular order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut T)> {
        let entries = self.pages.iter_mut().flat_map(|page| &mut page.entries);
        entries.flatten().map(|(id, value)| (*id, value))
    }
}
