//! Internal listeners and zones: which zones the connections of a listener reach. A connection has
//! one flag for it.

use super::server::Server;
use crate::connection::Flags;

/// Connections of internal listeners that are admitted beyond `max_connections`, so that a full
/// server can still be seen.
pub(super) const RESERVE: usize = 16;

impl Server {
    /// Returns the first entry from `from` on that matches a path, and that the connection reaches.
    #[inline]
    pub(super) fn next_zone(&self, slot: u32, path: &str, from: usize) -> Option<usize> {
        let entry = self.zones.next(path, from)?;
        match self.zones.is_divided {
            false => Some(entry),
            true => self.next_reached(slot, path, entry),
        }
    }

    #[inline(never)]
    fn next_reached(&self, slot: u32, path: &str, mut entry: usize) -> Option<usize> {
        let connection = self.context.table.slots.at(slot);
        let is_internal = connection.is_some_and(|at| at.flags.has(Flags::INTERNAL));
        while self.zones.entries[entry].is_internal != is_internal {
            entry = self.zones.next(path, entry + 1)?;
        }
        Some(entry)
    }

    /// Whether as many connections are open as are allowed.
    #[inline]
    pub(super) fn is_full(&self, is_internal: bool) -> bool {
        let (open, limit) = (self.context.table.connections(), self.limits.connections);
        open >= limit && !(is_internal && open < limit.saturating_add(RESERVE))
    }

    /// Notes that a connection came through an internal listener.
    #[cold]
    pub(super) fn set_internal(&mut self, slot: u32) {
        self.context.table.with(slot, |at| at.connection.flags.insert(Flags::INTERNAL));
    }
}
