//! A map from connections to a handler's own values, in a dense array. This file does not know when
//! a connection ends: the handler removes its value in `close`.

use crate::connection::ConnId;

/// A map from [`ConnId`] to a value of the handler's own, as fast as an array.
///
/// The map has one entry for each slot of the server up to the highest one used. An entry takes the
/// size of `Option<(ConnId, T)>`, and the array is freed when the last value is removed. Values of
/// connections that ended stay until the handler removes them, best in
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
    entries: Vec<Option<(ConnId, T)>>,
    len: usize,
}

impl<T> Default for ConnMap<T> {
    fn default() -> ConnMap<T> {
        ConnMap { entries: Vec::new(), len: 0 }
    }
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
        let slot = id.slot() as usize;
        if slot >= self.entries.len() {
            self.entries.resize_with(slot + 1, || None);
        }
        match self.entries[slot].replace((id, value)) {
            Some((same, old)) if same == id => Some(old),
            Some(_) => None,
            None => {
                self.len += 1;
                None
            }
        }
    }

    /// Returns the value of a connection.
    #[must_use]
    pub fn get(&self, id: ConnId) -> Option<&T> {
        match self.entries.get(id.slot() as usize) {
            Some(Some((same, value))) if *same == id => Some(value),
            _ => None,
        }
    }

    /// Returns the value of a connection, to be changed.
    #[must_use]
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        match self.entries.get_mut(id.slot() as usize) {
            Some(Some((same, value))) if *same == id => Some(value),
            _ => None,
        }
    }

    /// Removes and returns the value of a connection.
    pub fn remove(&mut self, id: ConnId) -> Option<T> {
        self.get(id)?;
        self.len -= 1;
        let value = self.entries[id.slot() as usize].take().map(|(_, value)| value);
        if self.len == 0 {
            self.entries = Vec::new();
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
        self.entries.iter().flatten().map(|(id, value)| (*id, value))
    }

    /// Iterates over all connections and their values, to be changed, in no particular order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut T)> {
        self.entries.iter_mut().flatten().map(|(id, value)| (*id, value))
    }
}
