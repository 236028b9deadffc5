//! Large buffers between two messages: kept while messages keep needing them, given back within seconds when they no longer do. It
//! does not know what lay in them.

use super::clock::NEVER;

/// Smaller ones are quickly had anew.
const SMALLEST: usize = 128 << 10;
/// Bytes of memory that all of them hold.
const AT_MOST: usize = 32 << 20;
/// Ticks after which those are given back that nobody took meanwhile: a second.
const PATIENCE: u32 = 4;

/// Buffers as long as they are initialised.
#[derive(Debug)]
pub(crate) struct Spare {
    /// The last one in is the first one out, so those that are not needed lie at the beginning.
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    /// How many were never taken since the last look.
    unused: usize,
    look: u32,
}

impl Spare {
    pub(crate) fn new() -> Spare {
        Spare { buffers: Vec::new(), bytes: 0, unused: 0, look: NEVER }
    }

    /// Memory for a message of so many bytes; none where it had to be new.
    pub(crate) fn take(&mut self, len: u64) -> Vec<u8> {
        let fits = |buffer: &Vec<u8>| {
            let size = buffer.len() as u64;
            (SMALLEST as u64..=size).contains(&len) && len >= size / 2
        };
        let Some(at) = self.buffers.iter().rposition(fits) else { return Vec::new() };
        self.unused = self.unused.min(at);
        let buffer = self.buffers.remove(at);
        self.bytes -= buffer.capacity();
        buffer
    }

    pub(crate) fn put(&mut self, buffer: Vec<u8>, tick: u32) {
        // One that was used for much less than it holds would be taken for a small one.
        let holds = buffer.capacity();
        if buffer.len() < SMALLEST || buffer.len() < holds / 2 || self.bytes + holds > AT_MOST {
            return;
        }
        self.bytes += holds;
        self.buffers.push(buffer);
        self.look = self.look.min(tick.saturating_add(PATIENCE));
    }

    /// The tick of the next look; [`NEVER`] while there is nothing to give back.
    pub(crate) fn look(&self) -> u32 {
        self.look
    }

    /// Gives back what was not needed since the last look.
    pub(crate) fn tire(&mut self, tick: u32) {
        if tick < self.look {
            return;
        }
        self.bytes -=
            self.buffers.drain(..self.unused).map(|buffer| buffer.capacity()).sum::<usize>();
        self.unused = self.buffers.len();
        self.look = if self.buffers.is_empty() { NEVER } else { tick.saturating_add(PATIENCE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_keeps_what_is_needed_and_gives_back_the_rest() {
        let mut spare = Spare::new();
        assert!(spare.look() == NEVER && spare.take(1 << 20).is_empty());
        for _ in 0..3 {
            spare.put(vec![0; 1 << 20], 10);
        }
        spare.put(vec![0; SMALLEST - 1], 10);
        assert_eq!((spare.buffers.len(), spare.look()), (3, 14));
        spare.tire(13);
        spare.tire(14);
        assert_eq!(
            (spare.buffers.len(), spare.look()),
            (3, 18),
            "nobody has had the time to take one"
        );
        assert!(spare.take((1 << 20) + 1).is_empty());
        assert!(spare.take(20).is_empty());
        for tick in 15..18 {
            let buffer = spare.take(1 << 20);
            assert_eq!(buffer.len(), 1 << 20);
            spare.put(buffer, tick);
        }
        spare.tire(18);
        assert_eq!((spare.buffers.len(), spare.bytes), (1, 1 << 20), "one at a time was needed");
        spare.tire(22);
        assert_eq!((spare.buffers.len(), spare.bytes, spare.look()), (0, 0, NEVER));
    }

    #[test]
    fn spare_is_bounded_by_the_memory_that_it_holds() {
        let mut spare = Spare::new();
        for _ in 0..1000 {
            let mut large = vec![0; 16 << 20];
            large.truncate(SMALLEST);
            spare.put(large, 0);
        }
        assert_eq!((spare.bytes, spare.buffers.len()), (0, 0));
        (0..1000).for_each(|_| spare.put(vec![0; 1 << 20], 0));
        assert_eq!(spare.bytes, AT_MOST);
    }
}
