//! The counts of addresses under a limit: a server's own, or those of all reactors of a cluster.
//! The counting itself is in prefix_counts.rs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::prefix_counts::PrefixCounts;

/// Counts that the reactors of a cluster share. Only a connection that a limit counts locks them.
pub(crate) type SharedCounts = Arc<Mutex<PrefixCounts>>;

/// Where the addresses of a server's connections are counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    own: PrefixCounts,
    shared: Option<SharedCounts>,
}

fn lock(counts: &SharedCounts) -> MutexGuard<'_, PrefixCounts> {
    // No method panics half way through a change.
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counts {
    /// Counts in the counts of a cluster from now on. No connection may have been counted before.
    pub(crate) fn share(&mut self, counts: SharedCounts) {
        self.shared = Some(counts);
    }

    /// As [`PrefixCounts::enter`].
    pub(crate) fn enter(&mut self, prefix: u64, limit: u32) -> Option<u32> {
        match &self.shared {
            None => self.own.enter(prefix, limit),
            Some(shared) => lock(shared).enter(prefix, limit),
        }
    }

    /// As [`PrefixCounts::leave_prefix`].
    pub(super) fn leave_prefix(&mut self, prefix: u64) {
        match &self.shared {
            None => self.own.leave_prefix(prefix),
            Some(shared) => lock(shared).leave_prefix(prefix),
        }
    }

    /// As [`PrefixCounts::leave`].
    pub(super) fn leave(&mut self, entry: u32) {
        match &self.shared {
            None => self.own.leave(entry),
            Some(shared) => lock(shared).leave(entry),
        }
    }

    /// Returns the number of counts.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shared.as_ref().map_or(self.own.len(), |shared| lock(shared).len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_counts_hold_for_both_servers() {
        let shared = SharedCounts::default();
        let mut servers = [Counts::default(), Counts::default()];
        servers.iter_mut().for_each(|counts| counts.share(Arc::clone(&shared)));
        let [one, two] = &mut servers;
        let first = one.enter(7, 2).unwrap();
        assert_eq!(two.enter(7, 2), Some(first));
        assert_eq!(one.enter(7, 2), None);
        two.leave_prefix(7);
        assert_eq!(one.enter(7, 2), Some(first));
        one.leave(first);
        two.leave(first);
        assert_eq!((one.len(), two.len()), (0, 0));
    }
}
