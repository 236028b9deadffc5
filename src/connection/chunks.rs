//! An array that grows by chunks of 1,024 entries, so growth moves no entry. An unused place is
//! used again, and an unused chunk owns no memory. This file does not know its entries.
//!
//! The crate `slab` doubles its memory instead. For topics, memberships and timers, that moved tens
//! of megabytes at once and held the loop.

use std::ops::{Index, IndexMut};

/// Entries in a chunk.
const CHUNK: usize = 1 << 10;

/// Entries by place. A place is a number that stays the same until `remove`.
#[derive(Debug)]
pub(crate) struct Chunks<T> {
    chunks: Vec<Chunk<T>>,
    /// Chunks with an unused place. The last is used next.
    vacant: Vec<u32>,
}

#[derive(Debug)]
struct Chunk<T> {
    entries: Vec<T>,
    /// Places in `entries` to use again.
    unused: Vec<u16>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Chunks<T> {
        Chunks { chunks: Vec::new(), vacant: Vec::new() }
    }
}

impl<T> Chunk<T> {
    const EMPTY: Chunk<T> = Chunk { entries: Vec::new(), unused: Vec::new() };

    fn is_full(&self) -> bool {
        self.entries.len() == CHUNK && self.unused.is_empty()
    }
}

impl<T> Chunks<T> {
    /// Inserts a value, and returns its place.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let at = self.vacant.last().map_or(self.chunks.len(), |&at| at as usize);
        if at == self.chunks.len() {
            self.chunks.push(Chunk::EMPTY);
            self.vacant.push(at as u32);
        }
        let chunk = &mut self.chunks[at];
        let key = match chunk.unused.pop() {
            Some(key) => {
                chunk.entries[usize::from(key)] = value;
                usize::from(key)
            }
            None => {
                chunk.entries.reserve_exact(CHUNK - chunk.entries.len());
                chunk.entries.push(value);
                chunk.entries.len() - 1
            }
        };
        if chunk.is_full() {
            self.vacant.pop();
        }
        (at * CHUNK + key) as u32
    }

    /// Removes the value at a place, and leaves `nothing` there. The last removal frees the chunk.
    pub(crate) fn remove(&mut self, place: u32, nothing: T) -> T {
        let at = place as usize / CHUNK;
        let chunk = &mut self.chunks[at];
        if chunk.is_full() {
            self.vacant.push(at as u32);
        }
        let key = place as usize % CHUNK;
        chunk.unused.push(key as u16);
        let value = std::mem::replace(&mut chunk.entries[key], nothing);
        if chunk.unused.len() == chunk.entries.len() {
            *chunk = Chunk::EMPTY;
        }
        value
    }

    /// Returns all values. What `remove` left in unused places is among them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| &chunk.entries)
    }

    pub(crate) fn get(&self, place: u32) -> Option<&T> {
        self.chunks.get(place as usize / CHUNK)?.entries.get(place as usize % CHUNK)
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.chunks.get_mut(place as usize / CHUNK)?.entries.get_mut(place as usize % CHUNK)
    }
}

impl<T> Index<u32> for Chunks<T> {
    type Output = T;
    #[inline]
    fn index(&self, place: u32) -> &T {
        &self.chunks[place as usize / CHUNK].entries[place as usize % CHUNK]
    }
}

impl<T> IndexMut<u32> for Chunks<T> {
    #[inline]
    fn index_mut(&mut self, place: u32) -> &mut T {
        &mut self.chunks[place as usize / CHUNK].entries[place as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_keep_each_value_in_its_place() {
        let mut chunks = Chunks::default();
        let places: Vec<u32> = (0..5_000).map(|n| chunks.insert(n)).collect();
        let first: *const i32 = &raw const chunks[0];
        for &place in places.iter().filter(|&place| place % 3 == 0) {
            assert_eq!(chunks.remove(place, -1), place as i32);
        }
        let again: Vec<u32> = (0..2_000).map(|n| chunks.insert(10_000 + n)).collect();
        let found: Vec<i32> = again.iter().map(|&place| chunks[place]).collect();
        assert_eq!(found, (10_000..12_000).collect::<Vec<_>>());
        assert!(
            places
                .iter()
                .filter(|&place| place % 3 != 0)
                .all(|&place| chunks[place] == place as i32)
        );
        assert_eq!((first, chunks.get(6_000)), (&raw const chunks[0], None));
        assert!(chunks.chunks.iter().all(|chunk| chunk.entries.capacity() == CHUNK));
    }

    #[test]
    fn chunks_give_all_memory_back() {
        let mut chunks = Chunks::default();
        let places: Vec<u32> = (0..5_000).map(|n| chunks.insert(n)).collect();
        let values: Vec<i32> = places.into_iter().map(|place| chunks.remove(place, -1)).collect();
        assert_eq!(values, (0..5_000).collect::<Vec<_>>());
        assert!(
            chunks
                .chunks
                .iter()
                .all(|chunk| chunk.entries.capacity() + chunk.unused.capacity() == 0)
        );
        let places: Vec<u32> = (0..5_000).map(|n| chunks.insert(n)).collect();
        assert_eq!((places.len(), chunks.chunks.len()), (5_000, 5), "freed chunks are used again");
    }
}
