//! Rates of messages and bytes, by the generic cell rate algorithm. No crate is used: our state is
//! 4 bytes for each rate, so a connection with both rates still takes 64 bytes. This file does not
//! know what follows from an excess.

use std::time::Duration;

/// A rate per second, with a burst that may come at once.
///
/// The setter decides the unit: messages in
/// [`Options::message_rate`](crate::Options::message_rate), bytes in
/// [`Options::byte_rate`](crate::Options::byte_rate).
///
/// ```
/// use switchboard::{Options, Rate};
///
/// let ten = Rate::per_second(10);
/// assert_eq!(ten, ten.burst(10));
/// assert_eq!(Rate::per_second(0), Rate::per_second(1));
///
/// let bytes = Rate::per_second(64 << 10).burst(256 << 10);
/// let options = Options::new().message_rate(ten.burst(20)).byte_rate(bytes);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    per_second: u64,
    burst: u64,
}

impl Rate {
    /// Makes a rate of `n` per second, at least 1. The burst is `n` too.
    #[must_use]
    pub const fn per_second(n: u64) -> Rate {
        let n = if n == 0 { 1 } else { n };
        Rate { per_second: n, burst: n }
    }

    /// Sets the burst, at least 1. A burst of more than 10 minutes of the rate counts as 10
    /// minutes.
    #[must_use]
    pub const fn burst(self, n: u64) -> Rate {
        Rate { burst: if n == 0 { 1 } else { n }, ..self }
    }
}

/// A rate in the form that `charge` needs: a token bucket whose state is one word of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateLimit {
    per_second: u64,
    /// How far ahead of time a connection may be, in microseconds.
    burst: u32,
}

/// The longest burst in microseconds: the share of 10 minutes.
const MAX_BURST: u128 = 600_000_000;

/// The longest time between two checks of a connection with a rate. It is below the 71 minutes
/// after which the clock's microseconds repeat, so a word is never ambiguous.
pub(crate) const RATE_CHECK: Duration = Duration::from_secs(1800);

impl RateLimit {
    /// Makes the limit of a unit that is charged one at a time.
    pub(crate) fn of_messages(rate: Rate) -> RateLimit {
        let limit = RateLimit { per_second: rate.per_second, burst: 0 };
        // Each price is rounded up by itself.
        limit.with_burst(limit.price(1) * u128::from(rate.burst))
    }

    /// Makes the limit of a unit that is charged by amounts.
    pub(crate) fn of_bytes(rate: Rate) -> RateLimit {
        let limit = RateLimit { per_second: rate.per_second, burst: 0 };
        limit.with_burst(limit.price(rate.burst))
    }

    fn with_burst(self, micros: u128) -> RateLimit {
        RateLimit { burst: micros.min(MAX_BURST) as u32, ..self }
    }

    /// The microseconds in which the rate allows an amount.
    fn price(self, amount: u64) -> u128 {
        (u128::from(amount) * 1_000_000).div_ceil(u128::from(self.per_second))
    }

    /// Charges an amount, and returns whether it stays within the rate. `paid_until` is the
    /// connection's word: the microsecond, modulo 2^32, up to which the share is spent.
    ///
    /// `credit` prolongs the burst by microseconds: input that piled up during a stall of the
    /// program comes in one piece, though its peer kept to the rate.
    ///
    /// A word further ahead than a burst allows dates from before a silence, and counts as `now`.
    pub(crate) fn charge(self, paid_until: &mut u32, now: u32, credit: u32, amount: u64) -> bool {
        let burst = self.burst + credit;
        let ahead = paid_until.wrapping_sub(now);
        let ahead = if ahead > burst { 0 } else { ahead };
        let ahead = u128::from(ahead) + self.price(amount);
        if ahead > u128::from(burst) {
            return false;
        }
        *paid_until = now.wrapping_add(ahead as u32);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_allows_exactly_its_burst_at_once() {
        for per_second in [1, 3, 7, 30, 999, 1_000_000, 2_000_000] {
            for burst in [1, 2, 10, 33] {
                let (rate, mut word) =
                    (RateLimit::of_messages(Rate::per_second(per_second).burst(burst)), 5);
                let allowed = (0..100).filter(|_| rate.charge(&mut word, 5, 0, 1)).count();
                assert_eq!(allowed, burst as usize, "{per_second}/s");
            }
            for burst in [1, 100, 131_072, 1_000_003] {
                let (rate, mut word) =
                    (RateLimit::of_bytes(Rate::per_second(per_second * 7).burst(burst)), 5);
                let longest = per_second * 7 * 600;
                assert!(
                    rate.charge(&mut word, 5, 0, burst.min(longest)),
                    "{burst} bytes at {per_second} * 7/s"
                );
            }
        }
    }

    #[test]
    fn rate_allows_a_burst_and_then_one_unit_at_a_time() {
        let rate = RateLimit::of_messages(Rate::per_second(10).burst(5));
        for start in [0, 1 << 31, u32::MAX - 200_000] {
            let mut word = start;
            let mut allowed = Vec::new();
            for tenth in 0..30u32 {
                let now = start.wrapping_add(tenth * 50_000); // twice the rate
                allowed.push(rate.charge(&mut word, now, 0, 1));
            }
            let total = allowed.iter().filter(|&&allowed| allowed).count();
            assert!(
                (19..=20).contains(&total),
                "{total} of 30 in 1.45 s at 10/s with a burst of 5"
            );
            assert!(allowed[..5].iter().all(|&allowed| allowed));
            // After a silence of any length up to the next check, the burst is whole again.
            for silence in [1_000_000, 900_000_000, 1_800_000_000u32] {
                let now = start.wrapping_add(1_450_000).wrapping_add(silence);
                let mut word = word;
                let burst = (0..10).filter(|_| rate.charge(&mut word, now, 0, 1)).count();
                assert_eq!(burst, 5, "after {silence} us");
            }
        }
    }

    #[test]
    fn rate_excuses_what_piled_up_during_a_stall() {
        let rate = RateLimit::of_messages(Rate::per_second(10).burst(5));
        let mut word = 0;
        // 11 s late: 110 messages of a peer that kept to the rate, and the burst.
        let late = (0..200).filter(|_| rate.charge(&mut word, 11_000_000, 11_000_000, 1)).count();
        assert_eq!(late, 115);
        // The peer goes on at its rate, within the credit and after it.
        for tenth in 1..300u32 {
            let credit = if tenth < 110 { 11_000_000 } else { 0 };
            assert!(rate.charge(&mut word, 11_000_000 + tenth * 100_000, credit, 1), "{tenth}");
        }
        let burst = (0..10).filter(|_| rate.charge(&mut word, 50_000_000, 0, 1)).count();
        assert_eq!(burst, 5);
    }
}
