//! Data of a handler's own for each of its connections, in a dense array. It does not know when a connection ends:
//! the handler removes what it inserted, in `close`.

use crate::connection::ConnId;

/// A map from [`ConnId`] to a value, as fast as an array.
///
/// ```
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
    /// An empty map.
    pub fn new() -> ConnMap<T> {
        ConnMap::default()
    }

    /// Inserts a value and returns the one that this connection had. What an earlier connection left behind in the same slot
    /// is dropped.
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

    /// The value of a connection.
    pub fn get(&self, id: ConnId) -> Option<&T> {
        match self.entries.get(id.slot() as usize) {
            Some(Some((same, value))) if *same == id => Some(value),
            _ => None,
        }
    }

    /// The value of a connection, to be changed.
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

    /// How many connections have a value.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All connections and their values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &T)> {
        self.entries.iter().flatten().map(|(id, value)| (*id, value))
    }

    /// All connections and their values, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut T)> {
        self.entries.iter_mut().flatten().map(|(id, value)| (*id, value))
    }
}
