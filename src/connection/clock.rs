//! The time of a turn of the loop: an argument that stays the same during the turn. Deadlines are
//! counted in ticks of 250 ms. This file asks the system for the date only, and starts no timer.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::http1::Date;

/// The length of a tick. Deadlines of connections are whole ticks, and timers are exact.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// No deadline.
pub(crate) const NEVER: u32 = u32::MAX;

/// A duration in ticks, rounded up; [`NEVER`] for more than 34 years.
pub(crate) fn ticks(duration: Duration) -> u32 {
    let ticks = duration.as_nanos().div_ceil(TICK.as_nanos());
    u32::try_from(ticks).unwrap_or(NEVER)
}

/// The time of a turn, in the units that deadlines, rates and responses need.
#[derive(Debug)]
pub(crate) struct Clock {
    epoch: Instant,
    now: Instant,
    tick: u32,
    micros: u32,
    date: Date,
}

impl Clock {
    pub(crate) fn new(now: Instant) -> Clock {
        Clock { epoch: now, now, tick: 0, micros: 0, date: Date::default() }
    }

    /// Sets the time of a turn. Time never goes back: an earlier `now` changes nothing.
    pub(crate) fn set(&mut self, now: Instant) {
        if now > self.now {
            self.now = now;
            let passed = now - self.epoch;
            self.micros = (passed.as_secs() * 1_000_000 + u64::from(passed.subsec_micros())) as u32;
            self.tick =
                (passed.as_secs() * 4 + u64::from(passed.subsec_nanos() / 250_000_000)) as u32;
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Ticks since the clock was made.
    pub(crate) fn tick(&self) -> u32 {
        self.tick
    }

    /// Microseconds since the clock was made, modulo 2^32 (71 minutes), for rates.
    pub(crate) fn micros(&self) -> u32 {
        self.micros
    }

    /// Returns the tick by which `after` whole ticks have passed. The current tick is partly over,
    /// hence one more.
    pub(crate) fn deadline(&self, after: u32) -> u32 {
        self.tick.saturating_add(after).saturating_add(1)
    }

    /// Returns the moment at which a tick begins.
    pub(crate) fn instant(&self, tick: u32) -> Instant {
        self.epoch + TICK * tick
    }

    /// Returns the value of a `Date` header, made once a second (RFC 9110 6.6.1).
    pub(crate) fn date(&mut self) -> [u8; 29] {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        *self.date.at(since.map_or(0, |since| since.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_never_strikes_early() {
        let start = Instant::now();
        let mut clock = Clock::new(start);
        for millis in [0, 1, 249, 250, 251, 999] {
            clock.set(start + Duration::from_millis(millis));
            let deadline = clock.deadline(ticks(Duration::from_secs(1)));
            let strikes = clock.instant(deadline);
            assert!(strikes >= clock.now() + Duration::from_secs(1));
            assert!(strikes <= clock.now() + Duration::from_millis(1250));
        }
        assert_eq!(ticks(Duration::MAX), NEVER);
        assert_eq!(clock.deadline(NEVER), NEVER);
    }
}
