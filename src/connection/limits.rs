//! How much one peer may have: connections by address, and messages and bytes by second. It counts; what follows from being over a
//! limit is not known here.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use slab::Slab;

use super::context::Context;
use super::index::Index;
use super::phase::Phase;

/// Connections by address prefix: 16 bytes an address and 5 in the index, at most 43 with both just grown.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    entries: Slab<Address>,
    index: Index,
    hasher: RandomState,
}

#[derive(Debug)]
struct Address {
    prefix: u64,
    count: NonZeroU32,
}

const _: () = assert!(size_of::<(usize, Address)>() == 24 && size_of::<Option<Address>>() == 16);

impl Addresses {
    /// Counts one more connection of an address and returns its entry; `None` if it has as many as it may.
    pub(crate) fn enter(&mut self, prefix: u64, limit: u32) -> Option<u32> {
        let hash = self.hasher.hash_one(prefix);
        if let Some(entry) =
            self.index.find(hash, |entry| self.entries[entry as usize].prefix == prefix)
        {
            let address = &mut self.entries[entry as usize];
            if address.count.get() >= limit {
                return None;
            }
            address.count = address.count.saturating_add(1);
            return Some(entry);
        }
        if limit == 0 {
            return None;
        }
        let entry = self.entries.insert(Address { prefix, count: NonZeroU32::MIN }) as u32;
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.index.insert(hash, entry, |entry| hasher.hash_one(entries[entry as usize].prefix));
        Some(entry)
    }

    /// One connection less; the last one takes the entry with it.
    pub(crate) fn leave(&mut self, entry: u32) {
        let Some(address) = self.entries.get_mut(entry as usize) else { return };
        if let Some(count) = NonZeroU32::new(address.count.get() - 1) {
            address.count = count;
            return;
        }
        let address = self.entries.remove(entry as usize);
        self.index.remove(self.hasher.hash_one(address.prefix), entry);
    }

    /// How many addresses are counted.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// A rate that may be exceeded by a burst: the generic cell rate algorithm, a token bucket in one word for each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    per_second: u64,
    /// How far ahead of time a connection may be, in microseconds.
    burst: u32,
}

impl Rate {
    /// `burst` of one at a time, and `per_second` from then on.
    pub(crate) fn of_messages(per_second: u32, burst: u32) -> Rate {
        let rate = Rate { per_second: u64::from(per_second).max(1), burst: 0 };
        // As many prices, each rounded up by itself.
        rate.with_burst(rate.price(1) * u128::from(burst.max(1)))
    }

    /// `burst` in one piece or in several, and `per_second` from then on.
    pub(crate) fn of_bytes(per_second: u64, burst: u64) -> Rate {
        let rate = Rate { per_second: per_second.max(1), burst: 0 };
        rate.with_burst(rate.price(burst.max(1)))
    }

    /// Bursts of more than 10 minutes' worth are cut to that.
    fn with_burst(self, micros: u128) -> Rate {
        const LONGEST: u128 = 600_000_000;
        Rate { burst: micros.min(LONGEST) as u32, ..self }
    }

    /// Microseconds for an amount.
    fn price(self, amount: u64) -> u128 {
        (u128::from(amount) * 1_000_000).div_ceil(u128::from(self.per_second))
    }

    /// Charges an amount. `paid_until` is the connection's word: the microsecond, modulo 2^32, up to which its share is spent. Returns
    /// whether it stays within its rate.
    ///
    /// A word that is further ahead than a burst allows was left behind by a silence, and means nothing: connections with a rate are looked
    /// at every half hour, well before the clock comes round.
    pub(crate) fn charge(self, paid_until: &mut u32, now: u32, amount: u64) -> bool {
        let ahead = paid_until.wrapping_sub(now);
        let ahead = if ahead > self.burst { 0 } else { ahead };
        let ahead = u128::from(ahead) + self.price(amount);
        if ahead > u128::from(self.burst) {
            return false;
        }
        *paid_until = now.wrapping_add(ahead as u32);
        true
    }
}

/// The longest that a connection with a rate goes without a look, so that its words are never mistaken.
pub(crate) const LOOK: Duration = Duration::from_secs(1800);

impl Context {
    /// Charges a message or a control frame to a connection's rate; false when that is exceeded.
    #[inline]
    pub(crate) fn charge_message(&mut self, slot: u32) -> bool {
        let Some(connection) = self.slots.at_mut(slot) else { return true };
        let Some(rate) = &self.options[usize::from(connection.options)].message_rate else {
            return true;
        };
        rate.charge(&mut connection.message_rate, self.clock.micros(), 1)
    }

    /// Charges bytes that arrived to a WebSocket's rate; false when that is exceeded.
    #[inline]
    pub(crate) fn charge_bytes(&mut self, slot: u32, n: usize) -> bool {
        let Some(connection) = self.slots.at_mut(slot) else { return true };
        let Some(rate) = &self.options[usize::from(connection.options)].byte_rate else {
            return true;
        };
        let applies = matches!(connection.phase, Phase::WebSocket(_));
        !applies || rate.charge(&mut connection.byte_rate, self.clock.micros(), n as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_count_exactly_and_forget() {
        let mut addresses = Addresses::default();
        let first = addresses.enter(7, 2).unwrap();
        assert_eq!(addresses.enter(7, 2), Some(first));
        assert_eq!(addresses.enter(7, 2), None);
        assert!(addresses.enter(8, 2).is_some_and(|other| other != first));
        addresses.leave(first);
        assert_eq!(addresses.enter(7, 2), Some(first));
        addresses.leave(first);
        addresses.leave(first);
        assert_eq!(addresses.len(), 1);
        for round in 0..3 {
            let entries: Vec<u32> =
                (0..10_000).map(|n| addresses.enter(n << 20 | round, 1).unwrap()).collect();
            assert_eq!(addresses.len(), 10_001);
            entries.into_iter().for_each(|entry| addresses.leave(entry));
        }
        assert_eq!(addresses.len(), 1);
    }

    #[test]
    fn rate_allows_exactly_its_burst_at_once() {
        for per_second in [1, 3, 7, 30, 999, 1_000_000, 2_000_000] {
            for burst in [1, 2, 10, 33] {
                let (rate, mut word) = (Rate::of_messages(per_second, burst), 5);
                let allowed = (0..100).filter(|_| rate.charge(&mut word, 5, 1)).count();
                assert_eq!(allowed, burst as usize, "{per_second}/s");
            }
            for burst in [1, 100, 131_072, 1_000_003] {
                let (rate, mut word) = (Rate::of_bytes(u64::from(per_second) * 7, burst), 5);
                let longest = u64::from(per_second) * 7 * 600;
                assert!(
                    rate.charge(&mut word, 5, burst.min(longest)),
                    "{burst} bytes at {per_second} * 7/s"
                );
            }
        }
    }

    #[test]
    fn rate_allows_a_burst_and_then_its_pace() {
        let rate = Rate::of_messages(10, 5);
        for start in [0, 1 << 31, u32::MAX - 200_000] {
            let mut word = start;
            let mut allowed = Vec::new();
            for tenth in 0..30u32 {
                let now = start.wrapping_add(tenth * 50_000); // twice the pace
                allowed.push(rate.charge(&mut word, now, 1));
            }
            let total = allowed.iter().filter(|&&allowed| allowed).count();
            assert!(
                (19..=20).contains(&total),
                "{total} of 30 in 1.45 s at 10/s with a burst of 5"
            );
            assert!(allowed[..5].iter().all(|&allowed| allowed));
            // After a silence of any length up to the next look, the burst is whole again.
            for silence in [1_000_000, 900_000_000, 1_800_000_000u32] {
                let now = start.wrapping_add(1_450_000).wrapping_add(silence);
                let mut word = word;
                let burst = (0..10).filter(|_| rate.charge(&mut word, now, 1)).count();
                assert_eq!(burst, 5, "after {silence} us");
            }
        }
    }
}
