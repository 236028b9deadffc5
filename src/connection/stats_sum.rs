//! The sum of the counters of several servers.

use std::iter::Sum;
use std::ops::AddAssign;

use super::stats::Stats;

/// Adds each counter.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::Stats;
///
/// let mut worlds = [World::new(), World::new()];
/// worlds.iter_mut().for_each(|world| drop(world.get("/")));
/// let sum: Stats = worlds.iter_mut().map(|world| world.context().stats()).sum();
/// assert_eq!(sum.requests, 2);
/// ```
impl Sum for Stats {
    fn sum<I: Iterator<Item = Stats>>(all: I) -> Stats {
        all.fold(Stats::default(), |mut sum, stats| {
            sum += stats;
            sum
        })
    }
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        // A counter that is not named here does not compile.
        let Stats {
            connections,
            websockets,
            event_streams,
            takeovers,
            accepted,
            exhausted,
            turned_away,
            handshakes,
            rejected,
            requests,
            refused,
            messages,
            overflowed,
            dropped,
            not_passed_on,
            ends,
            dialled,
            panics,
        } = other;
        self.connections += connections;
        self.websockets += websockets;
        self.event_streams += event_streams;
        self.takeovers += takeovers;
        self.accepted += accepted;
        self.exhausted += exhausted;
        self.turned_away += turned_away;
        self.handshakes += handshakes;
        self.rejected += rejected;
        self.requests += requests;
        self.refused += refused;
        self.messages += messages;
        self.overflowed += overflowed;
        self.dropped += dropped;
        self.not_passed_on += not_passed_on;
        self.ends += ends;
        self.dialled += dialled;
        self.panics += panics;
    }
}
