//! Counts connections and exchanges by the prefix of an address. This file does not know what
//! follows from a full count.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;

use slab::Slab;

use super::index::Index;

/// Connections by address prefix. An address takes 16 bytes and 5 in the index; at most 43 when
/// both have just grown.
#[derive(Debug, Default)]
pub(crate) struct PrefixCounts {
    entries: Slab<Prefix>,
    index: Index,
    hasher: RandomState,
}

#[derive(Debug)]
struct Prefix {
    prefix: u64,
    count: NonZeroU32,
}

const _: () = assert!(size_of::<(usize, Prefix)>() == 24 && size_of::<Option<Prefix>>() == 16);

impl PrefixCounts {
    /// Counts one more connection of an address, and returns its entry; `None` at the limit.
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
        let entry = self.entries.insert(Prefix { prefix, count: NonZeroU32::MIN }) as u32;
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.index.insert(hash, entry, |entry| hasher.hash_one(entries[entry as usize].prefix));
        Some(entry)
    }

    /// Counts one less for an address. Its prefix has to have been counted.
    pub(crate) fn leave_prefix(&mut self, prefix: u64) {
        let hash = self.hasher.hash_one(prefix);
        let entry = self.index.find(hash, |entry| self.entries[entry as usize].prefix == prefix);
        if let Some(entry) = entry {
            self.leave(entry);
        }
    }

    /// Counts one connection less. The last one removes the entry.
    pub(crate) fn leave(&mut self, entry: u32) {
        let Some(address) = self.entries.get_mut(entry as usize) else { return };
        if let Some(count) = NonZeroU32::new(address.count.get() - 1) {
            address.count = count;
            return;
        }
        let address = self.entries.remove(entry as usize);
        self.index.remove(self.hasher.hash_one(address.prefix), entry);
    }

    /// Returns the number of counts.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_count_exactly_and_forget() {
        let mut counts = PrefixCounts::default();
        let first = counts.enter(7, 2).unwrap();
        assert_eq!(counts.enter(7, 2), Some(first));
        assert_eq!(counts.enter(7, 2), None);
        assert!(counts.enter(8, 2).is_some_and(|other| other != first));
        counts.leave(first);
        assert_eq!(counts.enter(7, 2), Some(first));
        counts.leave(first);
        counts.leave(first);
        assert_eq!(counts.len(), 1);
        for round in 0..3 {
            let entries: Vec<u32> =
                (0..10_000).map(|n| counts.enter(n << 20 | round, 1).unwrap()).collect();
            assert_eq!(counts.len(), 10_001);
            entries.into_iter().for_each(|entry| counts.leave(entry));
        }
        assert_eq!(counts.len(), 1);
    }
}
