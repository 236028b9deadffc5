//! The time of turns of the loop, and how late they were. This file reads no clock.

use std::time::{Duration, Instant};

/// How long the turns of the loop took, and how late they began.
///
/// [`Stats::turns`](crate::Stats::turns) has them, once
/// [`Server::measure_turns`](crate::Server::measure_turns) is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TurnStats {
    /// Has the time from the `now` that the loop passed to `flush`, until the end of `flush`. With
    /// a [`Reactor`](crate::Reactor) that is all of a turn but its wait for events.
    pub time: Times,
    /// Has the time by which turns were late. A turn is late if a timer was due before its `now`,
    /// or if the wait that [`poll_timeout`](crate::Server::poll_timeout) allowed was over. Of both,
    /// the earlier moment counts. A turn that events begin, before both, does not count.
    pub lag: Times,
}

/// A histogram of times, with their sum and their greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    counts: [u64; Times::BOUNDS.len() + 1],
    sum: Duration,
    max: Window,
}

/// The greatest time of this minute and of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Window {
    began: Option<Instant>,
    this: Duration,
    last: Duration,
}

impl Times {
    /// The upper bounds of the buckets, each included. A last bucket has no bound.
    pub const BOUNDS: [Duration; 13] = [
        Duration::from_micros(10),
        Duration::from_micros(30),
        Duration::from_micros(100),
        Duration::from_micros(300),
        Duration::from_millis(1),
        Duration::from_millis(3),
        Duration::from_millis(10),
        Duration::from_millis(30),
        Duration::from_millis(100),
        Duration::from_millis(300),
        Duration::from_secs(1),
        Duration::from_secs(3),
        Duration::from_secs(10),
    ];

    /// Records one time of a turn that began at `now`.
    pub(crate) fn record(&mut self, time: Duration, now: Instant) {
        self.counts[Times::BOUNDS.partition_point(|bound| *bound < time)] += 1;
        self.sum += time;
        self.max.record(time, now);
    }

    /// Adds the times of another server.
    pub(super) fn add(&mut self, other: &Times) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.sum += other.sum;
        self.max.this = self.max.this.max(other.max());
    }

    /// Returns the number of times.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the sum of all times.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Returns the greatest time of the last one to two minutes in which there were turns.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max.this.max(self.max.last)
    }

    /// Returns how many times are within each of the [bounds](Times::BOUNDS).
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let mut within = 0;
        Times::BOUNDS.iter().zip(self.counts).map(move |(bound, count)| {
            within += count;
            (*bound, within)
        })
    }
}

impl Window {
    fn record(&mut self, time: Duration, now: Instant) {
        const MINUTE: Duration = Duration::from_secs(60);
        let began = *self.began.get_or_insert(now);
        let age = now.saturating_duration_since(began);
        if age >= MINUTE {
            self.last = if age < 2 * MINUTE { self.this } else { Duration::ZERO };
            (self.this, self.began) = (Duration::ZERO, Some(now));
        }
        self.this = self.this.max(time);
    }
}
