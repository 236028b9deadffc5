//! A pool of large buffers for messages. The pool keeps a buffer while messages keep needing it,
//! and frees it within seconds otherwise. This file does not know what the buffers held.

use crate::connection::NEVER;

/// The shortest buffer that is kept. A shorter one is quickly allocated.
const MIN_LEN: usize = 128 << 10;
/// Bytes of memory that all buffers hold together.
const MAX_BYTES: usize = 32 << 20;
/// Ticks between two checks (1 s). A check frees the buffers that were not taken since the last.
const PATIENCE: u32 = 4;

/// The pool. Each buffer is initialised to its end.
#[derive(Debug)]
pub(crate) struct BufferPool {
    /// The last one in is the first one out, so unneeded buffers lie at the beginning.
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    /// Buffers at the beginning that were not taken since the last check.
    unused: usize,
    next_check: u32,
}

impl BufferPool {
    pub(crate) fn new() -> BufferPool {
        BufferPool { buffers: Vec::new(), bytes: 0, unused: 0, next_check: NEVER }
    }

    /// Takes a buffer for a message of `len` bytes; an empty one if none fits.
    pub(crate) fn take(&mut self, len: u64) -> Vec<u8> {
        let fits = |buffer: &Vec<u8>| {
            let size = buffer.len() as u64;
            (MIN_LEN as u64..=size).contains(&len) && len >= size / 2
        };
        let Some(at) = self.buffers.iter().rposition(fits) else { return Vec::new() };
        self.unused = self.unused.min(at);
        let buffer = self.buffers.remove(at);
        self.bytes -= buffer.capacity();
        buffer
    }

    /// Puts a buffer back, unless it is short or the pool is full.
    pub(crate) fn put(&mut self, buffer: Vec<u8>, tick: u32) {
        // A buffer is found by its length, so one that holds much more would count as small.
        let holds = buffer.capacity();
        if buffer.len() < MIN_LEN || buffer.len() < holds / 2 || self.bytes + holds > MAX_BYTES {
            return;
        }
        self.bytes += holds;
        self.buffers.push(buffer);
        self.next_check = self.next_check.min(tick.saturating_add(PATIENCE));
    }

    /// Returns the tick of the next check; [`NEVER`] while the pool is empty.
    pub(crate) fn next_check(&self) -> u32 {
        self.next_check
    }

    /// Frees the buffers that were not taken since the last check.
    pub(crate) fn evict_unused(&mut self, tick: u32) {
        if tick < self.next_check {
            return;
        }
        self.bytes -=
            self.buffers.drain(..self.unused).map(|buffer| buffer.capacity()).sum::<usize>();
        self.unused = self.buffers.len();
        self.next_check =
            if self.buffers.is_empty() { NEVER } else { tick.saturating_add(PATIENCE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_pool_keeps_what_is_needed_and_gives_back_the_rest() {
        let mut pool = BufferPool::new();
        assert!(pool.next_check() == NEVER && pool.take(1 << 20).is_empty());
        for _ in 0..3 {
            pool.put(vec![0; 1 << 20], 10);
        }
        pool.put(vec![0; MIN_LEN - 1], 10);
        assert_eq!((pool.buffers.len(), pool.next_check()), (3, 14));
        pool.evict_unused(13);
        pool.evict_unused(14);
        assert_eq!(
            (pool.buffers.len(), pool.next_check()),
            (3, 18),
            "no message has come meanwhile"
        );
        assert!(pool.take((1 << 20) + 1).is_empty());
        assert!(pool.take(20).is_empty());
        for tick in 15..18 {
            let buffer = pool.take(1 << 20);
            assert_eq!(buffer.len(), 1 << 20);
            pool.put(buffer, tick);
        }
        pool.evict_unused(18);
        assert_eq!((pool.buffers.len(), pool.bytes), (1, 1 << 20), "one at a time was needed");
        pool.evict_unused(22);
        assert_eq!((pool.buffers.len(), pool.bytes, pool.next_check()), (0, 0, NEVER));
    }

    #[test]
    fn buffer_pool_is_bounded_by_the_memory_that_it_holds() {
        let mut pool = BufferPool::new();
        for _ in 0..1000 {
            let mut large = vec![0; 16 << 20];
            large.truncate(MIN_LEN);
            pool.put(large, 0);
        }
        assert_eq!((pool.bytes, pool.buffers.len()), (0, 0));
        (0..1000).for_each(|_| pool.put(vec![0; 1 << 20], 0));
        assert_eq!(pool.bytes, MAX_BYTES);
    }
}
