//! Notices connections of other clients at the servers' ports, whose cost is in the servers'
//! figures. This file opens none.

use std::time::Duration;

use crate::clock::{SECOND, nanoseconds};
use crate::sockets::{self, Places, Seen};

/// The pause between two looks that must agree, in which connections end that are about to.
const PAUSE: Duration = Duration::from_millis(300);

/// The time between two looks while a mode lasts, and its least multiple of the time that a look
/// takes.
const INTERVAL: u64 = SECOND;
const SPARE: u64 = 50;

pub struct Watch {
    pub places: Places,
    next: u64,
    /// What the last look saw.
    last: u64,
    /// The most that two looks in a row saw.
    pub most: u64,
}

impl Watch {
    pub fn new(places: Places) -> Watch {
        Watch { places, next: 0, last: 0, most: 0 }
    }

    pub fn seen(&self) -> Seen {
        sockets::look(&self.places)
    }

    /// Looks while `held` connections of this run are open, and none is being opened or closed.
    pub fn look(&mut self, held: u64) {
        self.last = 0;
        self.count(held);
        if self.last > 0 {
            std::thread::sleep(PAUSE);
            self.count(held);
        }
    }

    /// Looks likewise if the time has come.
    pub fn tick(&mut self, held: u64) {
        if nanoseconds() >= self.next {
            self.count(held);
        }
    }

    fn count(&mut self, held: u64) {
        let begun = nanoseconds();
        self.note(self.seen().foreign(held));
        let took = nanoseconds() - begun;
        self.next = begun + INTERVAL.max(SPARE * took);
    }

    /// Takes what a look saw. A connection that only one look saw is none that costs anything.
    fn note(&mut self, foreign: u64) {
        self.most = self.most.max(foreign.min(self.last));
        self.last = foreign;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_count_once_two_looks_in_a_row_see_them() {
        for (looks, most) in [
            (&[0, 0, 0][..], 0),
            (&[0, 7, 0, 7, 0], 0),
            (&[0, 7, 3, 0], 3),
            (&[300, 300, 0, 0], 300),
            (&[0, 1, 2, 300, 301], 300),
        ] {
            let mut watch = Watch::new(Places::default());
            looks.iter().for_each(|&foreign| watch.note(foreign));
            assert_eq!(watch.most, most, "{looks:?}");
        }
    }
}
