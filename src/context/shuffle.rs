//! A random order of the slots, computed one by one. It takes no memory for each connection, and a
//! walk in this order visits each slot once. This file knows no connection.

/// An order of all numbers below a power of two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shuffle {
    bits: u32,
    seed: u64,
}

/// Odd, so that each multiplication modulo 2^bits can be undone: no number comes twice. From the
/// golden ratio, and from the finaliser of MurmurHash3.
const FACTORS: [u32; 3] = [0x9E37_79B1, 0x85EB_CA6B, 0xC2B2_AE35];

impl Shuffle {
    /// Makes an order of at least `len` slots, fewer than 2^31.
    pub(super) fn new(len: u32, seed: u64) -> Shuffle {
        Shuffle { bits: len.max(2).next_power_of_two().trailing_zeros(), seed }
    }

    /// Returns the order with the same seed for another number of slots.
    pub(super) fn resized(self, len: u32) -> Shuffle {
        Shuffle::new(len, self.seed)
    }

    /// The number of positions. Some may stand for slots that do not exist.
    pub(super) fn len(self) -> u32 {
        1 << self.bits
    }

    /// Returns the slot at a position. Each step can be undone, so this is a permutation.
    pub(super) fn slot(self, position: u32) -> u32 {
        let mask = self.len() - 1;
        let keys = [self.seed as u32, (self.seed >> 21) as u32, (self.seed >> 42) as u32];
        keys.into_iter().zip(FACTORS).fold(position & mask, |slot, (key, factor)| {
            let slot = slot.wrapping_add(key).wrapping_mul(factor) & mask;
            slot ^ (slot >> self.bits.div_ceil(2))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffle_visits_each_slot_once() {
        for (len, seed) in [(0, 0), (1, 7), (2, 8), (1000, 0), (1024, 1), (4097, u64::MAX)] {
            let shuffle = Shuffle::new(len, seed);
            assert!(shuffle.len() >= len && shuffle.len() <= 2 * len.max(1));
            let mut seen = vec![false; shuffle.len() as usize];
            for position in 0..shuffle.len() {
                let slot = shuffle.slot(position) as usize;
                assert!(!std::mem::replace(&mut seen[slot], true), "{len} {seed}: {slot} twice");
            }
        }
    }

    /// Slots are dense from 0 on. Whatever the table's length and the seed, each tenth of the
    /// positions has a tenth of them.
    #[test]
    fn shuffle_spreads_dense_slots_evenly() {
        for seed in 0..200_u64 {
            let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            for slots in [5_000, 10_000, 16_384] {
                let shuffle = Shuffle::new(slots, seed);
                let mut tenths = [0; 10];
                for position in 0..shuffle.len() {
                    if shuffle.slot(position) < slots {
                        let tenth = u64::from(position) * 10 / u64::from(shuffle.len());
                        tenths[tenth as usize] += 1;
                    }
                }
                let bounds = slots / 10 * 85 / 100..=slots / 10 * 115 / 100;
                assert!(tenths.iter().all(|n| bounds.contains(n)), "{slots} {seed}: {tenths:?}");
            }
        }
    }

    #[test]
    fn shuffle_differs_by_seed() {
        let order = |seed| (0..8).map(|n| Shuffle::new(1024, seed).slot(n)).collect::<Vec<_>>();
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
