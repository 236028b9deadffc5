//! A reactor's place at a roster: alone, or with the other reactors of a cluster behind one lock.
//! This file wakes no reactor: it tells which ones are to be woken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::present::Present;
use super::roster::{Roster, list};

/// A reactor's place at a roster.
#[derive(Clone, Debug)]
pub(crate) struct RosterSeat {
    shared: Arc<Shared>,
    pub(super) reactor: usize,
}

#[derive(Debug)]
struct Shared {
    roster: Mutex<Roster>,
    /// Whether topics have changed for each reactor: read without the lock.
    has_changed: Box<[AtomicBool]>,
}

impl RosterSeat {
    /// Makes a roster, and the place of each of its reactors.
    pub(crate) fn all(reactors: usize) -> Vec<RosterSeat> {
        let roster = Mutex::new(Roster::new(reactors));
        let has_changed = (0..reactors).map(|_| AtomicBool::new(false)).collect();
        let shared = Arc::new(Shared { roster, has_changed });
        (0..reactors).map(|reactor| RosterSeat { shared: Arc::clone(&shared), reactor }).collect()
    }

    /// Makes a roster of a server that is alone.
    pub(crate) fn alone() -> RosterSeat {
        let has_changed = Box::new([AtomicBool::new(false)]);
        let shared = Shared { roster: Mutex::new(Roster::new(1)), has_changed };
        RosterSeat { shared: Arc::new(shared), reactor: 0 }
    }

    /// Reads or changes the roster. Adds the reactors that have a change now, and had none, to the
    /// list of those to wake.
    pub(super) fn with<R>(&self, wake: &mut Vec<usize>, act: impl FnOnce(&mut Roster) -> R) -> R {
        // No panic leaves the roster half changed.
        let mut roster = self.shared.roster.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut roster);
        for (reactor, has_changed) in self.shared.has_changed.iter().enumerate() {
            if roster.has_changed(reactor)
                && !has_changed.swap(true, Ordering::AcqRel)
                && reactor != self.reactor
            {
                wake.push(reactor);
            }
        }
        result
    }

    /// Reads the roster.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Roster) -> R) -> R {
        read(&self.shared.roster.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether topics have changed for this reactor. This takes no lock.
    pub(super) fn has_changed(&self) -> bool {
        self.shared.has_changed[self.reactor].load(Ordering::Acquire)
    }

    /// Has the next change set [`has_changed`](RosterSeat::has_changed) again. What has changed is
    /// taken after that.
    pub(super) fn look(&self) -> bool {
        self.has_changed() && self.shared.has_changed[self.reactor].swap(false, Ordering::AcqRel)
    }

    /// Returns the users of a topic.
    pub(crate) fn present(&self, topic: &str) -> Vec<Present> {
        self.read(|roster| roster.users(topic).map_or_else(Vec::new, |users| list(users).collect()))
    }

    /// Returns the number of users of a topic.
    pub(crate) fn count(&self, topic: &str) -> usize {
        self.read(|roster| roster.users(topic).map_or(0, |users| users.len()))
    }
}
