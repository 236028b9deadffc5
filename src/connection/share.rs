//! What a reactor tells the others of its cluster of its connections: how many it has, and their
//! part of a limit for all. A server without a cluster has none of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Connections of all reactors under one limit.
#[derive(Debug)]
pub(crate) struct Total {
    open: AtomicUsize,
    limit: usize,
}

impl Total {
    pub(crate) fn new(limit: usize) -> Total {
        Total { open: AtomicUsize::new(0), limit }
    }

    fn reserve(&self, beyond: usize) -> bool {
        let limit = self.limit.saturating_add(beyond);
        let one_more = |open: usize| (open < limit).then_some(open + 1);
        self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    fn add(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    fn remove(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The part of one reactor.
#[derive(Debug)]
pub(crate) struct Share {
    /// Connections that are open, and those handed over that wait to be admitted.
    load: Arc<AtomicUsize>,
    total: Option<Arc<Total>>,
    /// The reactor that handed the next connection over has counted it in `load`.
    is_handed_over: bool,
    /// The next connection is counted in `total` already.
    is_reserved: bool,
}

impl Share {
    pub(crate) fn new(load: Arc<AtomicUsize>, total: Option<Arc<Total>>) -> Share {
        Share { load, total, is_handed_over: false, is_reserved: false }
    }

    /// Begins the admission of a connection that another thread has handed over.
    pub(crate) fn begin_hand_over(&mut self) {
        self.is_handed_over = true;
    }

    /// Ends that admission. A connection that was not taken in is not counted any longer.
    pub(crate) fn end_hand_over(&mut self) {
        if std::mem::take(&mut self.is_handed_over) {
            self.load.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Reserves a place under the limit for all, for the next connection; false at the limit.
    /// `beyond` are the places above it that this connection may have.
    pub(crate) fn reserve(&mut self, beyond: usize) -> bool {
        self.is_reserved = self.total.as_ref().is_none_or(|total| total.reserve(beyond));
        self.is_reserved
    }

    /// Gives the place back, if no connection has taken it.
    pub(crate) fn end_reservation(&mut self) {
        if std::mem::take(&mut self.is_reserved) {
            self.uncount();
        }
    }

    /// Notes a new connection. One that is turned away counts for no limit.
    pub(super) fn enter(&mut self, is_turned_away: bool) {
        if !std::mem::take(&mut self.is_handed_over) {
            self.load.fetch_add(1, Ordering::Relaxed);
        }
        if !is_turned_away && !std::mem::take(&mut self.is_reserved) {
            self.count();
        }
    }

    /// Notes that a connection is freed.
    pub(crate) fn leave(&self, is_turned_away: bool) {
        self.load.fetch_sub(1, Ordering::Relaxed);
        if !is_turned_away {
            self.uncount();
        }
    }

    /// Counts a connection under the limit for all.
    pub(crate) fn count(&self) {
        if let Some(total) = &self.total {
            total.add();
        }
    }

    /// Counts a connection no longer, though it stays open.
    pub(crate) fn uncount(&self) {
        if let Some(total) = &self.total {
            total.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(limit: usize) -> (Arc<Total>, [Share; 2]) {
        let total = Arc::new(Total::new(limit));
        let share = || Share::new(Arc::default(), Some(Arc::clone(&total)));
        let shares = [share(), share()];
        (total, shares)
    }

    fn loads(shares: &[Share; 2]) -> [usize; 2] {
        [0, 1].map(|index| shares[index].load.load(Ordering::Relaxed))
    }

    #[test]
    fn limit_holds_for_all_reactors_together() {
        let (total, [mut one, mut two]) = shares(2);
        assert!(one.reserve(0));
        one.enter(false);
        assert!(two.reserve(0));
        two.end_reservation(); // it was not taken in
        assert!(two.reserve(0));
        two.enter(false);
        assert!(!one.reserve(0));
        assert!(one.reserve(1));
        one.end_reservation();
        one.enter(true); // it is turned away
        assert_eq!(total.open.load(Ordering::Relaxed), 2);
        one.leave(true);
        one.leave(false);
        assert!(two.reserve(0));
        two.end_reservation();
        two.leave(false);
        assert_eq!(total.open.load(Ordering::Relaxed), 0);
        assert_eq!(loads(&[one, two]), [0, 0]);
    }

    #[test]
    fn connection_that_is_handed_over_counts_once() {
        let (_, mut shares) = shares(9);
        let [one, _] = &mut shares;
        one.load.fetch_add(1, Ordering::Relaxed); // by the reactor that accepted it
        one.begin_hand_over();
        one.enter(false);
        one.end_hand_over();
        assert_eq!(loads(&shares), [1, 0]);
        let [one, _] = &mut shares;
        one.load.fetch_add(1, Ordering::Relaxed);
        one.begin_hand_over(); // it is not taken in
        one.end_hand_over();
        assert_eq!(loads(&shares), [1, 0]);
    }
}
