//! The time of a turn: an argument that does not change until the turn ends. Deadlines are counted
//! in ticks of 250 ms of loop time, which counts one second of a stall of the program. This file
//! asks the system for the date only, and starts no timer.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::http1::Date;

/// The length of a tick. Deadlines of connections are whole ticks, and timers are exact.
pub(crate) const TICK: Duration = Duration::from_millis(250);
/// A tick in microseconds.
const TICK_MICROS: u64 = 250_000;

/// No deadline.
pub(crate) const NEVER: u32 = u32::MAX;

/// A duration in ticks, rounded up; [`NEVER`] for more than 34 years.
pub(crate) fn ticks(duration: Duration) -> u32 {
    let ticks = duration.as_nanos().div_ceil(TICK.as_nanos());
    u32::try_from(ticks).unwrap_or(NEVER)
}

/// How much of a stall loop time counts at most, in microseconds.
const GRACE: u64 = 1_000_000;

/// A wait without limit, in microseconds: 146,000 years.
const FOREVER: u64 = u64::MAX / 4;

/// The longest credit for rates, in microseconds: as long as the longest burst.
const MAX_CREDIT: u32 = 600_000_000;

/// The time of a turn, in the units that deadlines, rates and responses need.
///
/// Deadlines run on *loop time*. It counts a wait that the loop asked for in full, and one second
/// of a longer delay, such as a callback that blocks. So no peer is late because the program was.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    now: Instant,
    /// Microseconds of real time since `start`.
    micros: u64,
    /// Microseconds by which loop time is behind real time.
    lost: u64,
    /// Microseconds for which the loop waits until the next turn.
    wait: u64,
    /// The microsecond of real time at which the tick ends.
    tick_ends: u64,
    /// The tick of loop time.
    tick: u32,
    /// Microseconds of the last stall, whose input may come in one piece.
    credit: u32,
    /// The microsecond at which the credit ends.
    credit_ends: u64,
    date: Date,
}

impl Clock {
    pub(crate) fn new(now: Instant) -> Clock {
        Clock {
            start: now,
            now,
            micros: 0,
            lost: 0,
            wait: 0,
            tick_ends: TICK_MICROS,
            tick: 0,
            credit: 0,
            credit_ends: 0,
            date: Date::default(),
        }
    }

    /// Sets the time of a turn. Time never goes back: an earlier `now` changes nothing.
    #[inline]
    pub(crate) fn set(&mut self, now: Instant) {
        if now > self.now {
            let began = self.micros;
            self.now = now;
            self.micros = micros(now - self.start);
            // A stall is at least a tick long, so most turns find none by this comparison.
            if self.micros >= self.tick_ends {
                let late = (self.micros - began).saturating_sub(self.wait);
                self.count(began, late, late > GRACE);
            }
            self.wait = 0;
        }
    }

    /// Sets the time of a turn that ends. A wait that is not over by now, is not waited for.
    #[inline]
    pub(crate) fn set_in_turn(&mut self, now: Instant) {
        self.set(now);
        self.wait = 0;
    }

    /// Sets the time of a call of the program between two turns. The wait goes on after it.
    pub(crate) fn set_between_turns(&mut self, now: Instant) {
        let (wait, began) = (self.wait, self.micros);
        self.set(now);
        self.wait = wait.saturating_sub(self.micros - began);
    }

    /// Sets the time after a wait that a signal ended. The process may have been stopped for all of
    /// that wait.
    pub(crate) fn set_after_signal(&mut self, now: Instant) {
        if now > self.now {
            let began = self.micros;
            self.now = now;
            self.micros = micros(now - self.start);
            self.count(began, self.micros - began, true);
            self.wait = 0;
        }
    }

    /// Notes how long the loop is going to wait; `None` is without limit.
    pub(crate) fn expect_wait(&mut self, wait: Option<Duration>) {
        self.wait = wait.map_or(FOREVER, |wait| micros(wait).min(FOREVER));
    }

    /// Advances loop time from `began`. The last `late` microseconds may have been a stall. If loop
    /// time `loses` them, the last second of the wait is left too: no deadline strikes before the
    /// input that the stall held up is read.
    #[cold]
    fn count(&mut self, began: u64, late: u64, loses: bool) {
        if late >= TICK_MICROS {
            self.excuse(late);
        }
        if loses {
            let counts = GRACE.max(self.wait.saturating_sub(GRACE));
            self.lost += (self.micros - began).saturating_sub(counts);
        }
        self.tick = ((self.micros - self.lost) / TICK_MICROS) as u32;
        self.tick_ends = self.lost + (u64::from(self.tick) + 1) * TICK_MICROS;
    }

    /// Has rates excuse input that piled up during a stall, for as long as the stall took, and for
    /// a second at least.
    fn excuse(&mut self, micros: u64) {
        let micros = micros.min(u64::from(MAX_CREDIT)) as u32;
        self.credit = self.rate_credit().max(micros);
        self.credit_ends = self.micros + u64::from(self.credit).max(GRACE);
    }

    /// Has rates excuse input that has waited here for these ticks.
    pub(crate) fn excuse_ticks(&mut self, ticks: u32) {
        if ticks > 0 {
            self.excuse(u64::from(ticks) * TICK_MICROS);
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Ticks of loop time since the clock was made.
    pub(crate) fn tick(&self) -> u32 {
        self.tick
    }

    /// Microseconds of real time since the clock was made, modulo 2^32 (71 minutes), for rates.
    pub(crate) fn micros(&self) -> u32 {
        self.micros as u32
    }

    /// Microseconds of a stall that rates excuse: input that piled up comes in one piece.
    pub(crate) fn rate_credit(&self) -> u32 {
        if self.micros < self.credit_ends { self.credit } else { 0 }
    }

    /// Returns the tick by which `after` whole ticks have passed. The current tick is partly over,
    /// hence one more.
    pub(crate) fn deadline(&self, after: u32) -> u32 {
        self.tick.saturating_add(after).saturating_add(1)
    }

    /// Returns the moment at which a tick begins, if nothing more is lost until then.
    pub(crate) fn instant(&self, tick: u32) -> Instant {
        self.start + Duration::from_micros(self.lost) + TICK * tick
    }

    /// Returns the value of a `Date` header, made once a second (RFC 9110 6.6.1).
    pub(crate) fn date(&mut self) -> [u8; 29] {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        *self.date.at(since.map_or(0, |since| since.as_secs()))
    }
}

/// A duration in whole microseconds, modulo 2^64 (584,000 years).
#[inline]
fn micros(duration: Duration) -> u64 {
    duration.as_secs().wrapping_mul(1_000_000).wrapping_add(u64::from(duration.subsec_micros()))
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

    #[test]
    fn clock_counts_a_second_of_a_stall() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut clock = Clock::new(start);
        // A wait that was asked for counts in full.
        clock.expect_wait(Some(Duration::from_secs(10)));
        clock.set(at(10_000));
        assert_eq!((clock.tick(), clock.rate_credit()), (40, 0));
        // A turn of 11 s counts as one second.
        clock.set(at(21_000));
        assert_eq!((clock.tick(), clock.rate_credit()), (44, 11_000_000));
        // Of a wait that took too long, the last second is left.
        clock.expect_wait(Some(Duration::from_secs(4)));
        clock.set(at(31_000));
        assert_eq!((clock.tick(), clock.rate_credit()), (56, 11_000_000));
        assert_eq!(clock.instant(56), at(31_000));
        // Real time goes on.
        assert_eq!((clock.now(), clock.micros()), (at(31_000), 31_000_000));
        // A signal may have come after a stop.
        clock.expect_wait(Some(Duration::from_secs(4)));
        clock.set_after_signal(at(32_000));
        assert_eq!((clock.tick(), clock.rate_credit()), (60, 11_000_000));
        clock.expect_wait(Some(Duration::from_secs(100)));
        clock.set_after_signal(at(131_900));
        assert_eq!((clock.tick(), clock.rate_credit()), (456, 99_900_000));
        // Nothing was due that a wait without limit could have missed.
        clock.expect_wait(None);
        clock.set(at(331_900));
        assert_eq!((clock.tick(), clock.rate_credit()), (1256, 0));
    }

    /// A call of the program between two turns leaves the rest of the wait; a turn ends it.
    #[test]
    fn clock_counts_a_wait_on_both_sides_of_a_call() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut clock = Clock::new(start);
        clock.expect_wait(Some(Duration::from_secs(10)));
        clock.set_between_turns(at(3_000));
        clock.set(at(10_000));
        assert_eq!((clock.tick(), clock.rate_credit()), (40, 0));
        clock.expect_wait(Some(Duration::from_secs(10)));
        clock.set_between_turns(at(11_000));
        // The turn begins at this moment, and its callbacks take 9 s.
        clock.set_in_turn(at(11_000));
        clock.set(at(20_000));
        assert_eq!((clock.tick(), clock.rate_credit()), (48, 9_000_000));
    }
}
