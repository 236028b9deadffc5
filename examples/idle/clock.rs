//! A clock that all processes of one machine share, and the times of evenly spaced events. This
//! file does not know what the events are.

use rustix::time::{ClockId, clock_gettime};

/// One second.
pub const SECOND: u64 = 1_000_000_000;

/// Reads the monotonic clock in nanoseconds. All processes read one clock, so one may stamp what
/// another reads.
pub fn nanoseconds() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * SECOND + now.tv_nsec as u64
}

/// Converts seconds to nanoseconds.
pub fn seconds(seconds: f64) -> u64 {
    (seconds * SECOND as f64) as u64
}

/// Events at an even rate. Each is due at its own time, whether or not the ones before were in
/// time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    start: u64,
    interval: f64,
    done: u64,
}

impl Pace {
    /// Makes a pace whose first event is due at `start`.
    pub fn new(start: u64, per_second: f64) -> Pace {
        Pace { start, interval: SECOND as f64 / per_second, done: 0 }
    }

    /// The time at which the next event is due.
    pub fn next(&self) -> u64 {
        self.start + (self.interval * self.done as f64) as u64
    }

    /// Takes the next event if its time has come, and returns that time.
    pub fn take(&mut self, now: u64) -> Option<u64> {
        let due = self.next();
        (due <= now).then(|| {
            self.done += 1;
            due
        })
    }

    /// Skips events that are overdue by more than `most`.
    pub fn forgive(&mut self, now: u64, most: u64) {
        if self.next() + most < now {
            self.start = now;
            self.done = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_keeps_each_time_however_late_it_is_asked() {
        let mut pace = Pace::new(1_000, 4.0);
        assert_eq!(pace.take(999), None);
        assert_eq!(pace.take(1_000), Some(1_000));
        assert_eq!(pace.take(SECOND / 4), None);
        let late: Vec<u64> = std::iter::from_fn(|| pace.take(SECOND)).collect();
        assert_eq!(late, [SECOND / 4 + 1_000, SECOND / 2 + 1_000, SECOND / 4 * 3 + 1_000]);
        assert_eq!(pace.next(), SECOND + 1_000);
    }

    #[test]
    fn pace_forgives_what_is_long_overdue_only() {
        let mut pace = Pace::new(0, 1_000.0);
        pace.forgive(SECOND, 2 * SECOND);
        assert_eq!(pace.next(), 0);
        pace.forgive(SECOND, SECOND / 2);
        assert_eq!(pace.next(), SECOND);
    }
}
