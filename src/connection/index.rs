//! An index of numbers by hash: 256 small tables of `hashbrown` instead of one large table. This
//! file does not know what a number stands for.
//!
//! When a table grows, it hashes all its entries again. When this was written, one large table held
//! the loop for 243 ms at its 917,504th topic.

use hashbrown::HashTable;

/// Numbers by hash. An empty index has no tables.
#[derive(Debug, Default)]
pub(crate) struct Index {
    tables: Vec<HashTable<u32>>,
}

const TABLES: usize = 1 << 8;

/// Returns the table of a hash, from bits in the middle: a table itself uses the highest and the
/// lowest.
fn table(hash: u64) -> usize {
    (hash >> 40) as usize % TABLES
}

impl Index {
    /// Finds the number with this hash that `is` accepts.
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.tables.get(table(hash))?.find(hash, |&number| is(number)).copied()
    }

    /// Inserts a number that is not in the index. `hash_of` returns the hash of any other number.
    pub(crate) fn insert(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        if self.tables.is_empty() {
            self.tables.resize_with(TABLES, HashTable::new);
        }
        self.tables[table(hash)].insert_unique(hash, number, |&other| hash_of(other));
    }

    /// Returns the bytes that the tables take.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let tables = self.tables.iter().map(HashTable::allocation_size).sum::<usize>();
        tables + self.tables.capacity() * size_of::<HashTable<u32>>()
    }

    /// Removes a number, if it is in the index.
    pub(crate) fn remove(&mut self, hash: u64, number: u32) {
        let Some(table) = self.tables.get_mut(table(hash)) else { return };
        if let Ok(found) = table.find_entry(hash, |&other| other == number) {
            found.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn index_finds_exactly_its_numbers() {
        let hasher = RandomState::new();
        let hash = |number: u32| hasher.hash_one(number);
        let mut index = Index::default();
        assert_eq!(index.find(hash(0), |_| true), None);
        (0..10_000).for_each(|number| index.insert(hash(number), number, hash));
        (0..10_000).step_by(2).for_each(|number| index.remove(hash(number), number));
        for number in 0..20_000 {
            let there = number < 10_000 && number % 2 == 1;
            assert_eq!(index.find(hash(number), |found| found == number), there.then_some(number));
        }
    }

    #[test]
    fn index_hashes_few_numbers_anew_at_a_time() {
        let hasher = RandomState::new();
        let hashed = Cell::new(0);
        let mut index = Index::default();
        for number in 0..200_000u32 {
            hashed.set(0);
            index.insert(hasher.hash_one(number), number, |other| {
                hashed.set(hashed.get() + 1);
                hasher.hash_one(other)
            });
            assert!(hashed.get() <= 200_000 / 100, "{} of {number} hashed anew", hashed.get());
        }
    }
}
