//! The index of an outbox in which many messages with keys wait. This file knows no outbox: a place
//! is the number of a segment.

use hashbrown::HashTable;

/// The number of the last segment of each key. A number may be out of date: the message has begun
/// to leave, or has left. The outbox finds that out.
#[derive(Debug, Default)]
pub(super) struct Places {
    table: HashTable<(u64, u64)>,
}

impl Places {
    pub(super) fn get(&self, key: u64) -> Option<u64> {
        self.table.find(key, |&(other, _)| other == key).map(|&(_, number)| number)
    }

    /// Notes the number of the last segment of a key. A key is a hash already.
    pub(super) fn set(&mut self, key: u64, number: u64) {
        match self.table.find_mut(key, |&(other, _)| other == key) {
            Some((_, place)) => *place = number,
            None => {
                self.table.insert_unique(key, (key, number), |&(other, _)| other);
            }
        }
    }

    /// Counts the keys.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}
