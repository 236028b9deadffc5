//! Where connections live: slabs of a fixed size, so that growth never moves a connection or stalls the loop, each
//! with the earliest deadline in it, so that a sweep skips what need not be looked at.

use slab::Slab;

use super::clock::NEVER;
use super::connection::Connection;
use super::id::SLOTS;

const CHUNK: usize = 1 << 10;

/// One sweep goes through so many chunks at most, and through no other once it has found so many connections to look at: each may
/// cost a system call or two.
const SWEPT: usize = 16;
const FOUND: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Slots {
    chunks: Vec<Chunk>,
    /// Chunks with room, the one to use next at the end.
    roomy: Vec<usize>,
    len: usize,
    /// No deadline in any chunk is earlier.
    earliest: u32,
}

#[derive(Debug)]
struct Chunk {
    slab: Slab<Connection>,
    /// No deadline in the chunk is earlier; it may be too early, since deadlines move on without a word.
    earliest: u32,
}

/// The earliest deadlines of a connection's chunk and of the table.
pub(crate) struct Earliest<'s> {
    chunk: &'s mut u32,
    table: &'s mut u32,
}

impl Earliest<'_> {
    /// Notes that the connection has this deadline.
    pub(crate) fn note(&mut self, deadline: u32) {
        *self.chunk = deadline.min(*self.chunk);
        *self.table = deadline.min(*self.table);
    }
}

impl Slots {
    pub(crate) fn new() -> Slots {
        Slots { chunks: Vec::new(), roomy: Vec::new(), len: 0, earliest: NEVER }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The slot that the next `insert` will use; `None` when all 16.7 million are taken.
    pub(crate) fn vacant(&mut self) -> Option<u32> {
        if self.roomy.is_empty() {
            if (self.chunks.len() + 1) * CHUNK > SLOTS as usize {
                return None;
            }
            self.roomy.push(self.chunks.len());
            self.chunks.push(Chunk { slab: Slab::new(), earliest: NEVER });
        }
        let chunk = *self.roomy.last()?;
        let slab = &mut self.chunks[chunk].slab;
        if slab.capacity() == 0 {
            slab.reserve_exact(CHUNK);
        }
        Some((chunk * CHUNK + slab.vacant_key()) as u32)
    }

    /// Puts a connection where `vacant` said.
    pub(crate) fn insert(&mut self, slot: u32, connection: Connection) {
        let chunk = slot as usize / CHUNK;
        let slab = &mut self.chunks[chunk].slab;
        let key = slab.insert(connection);
        debug_assert_eq!(key, slot as usize % CHUNK);
        self.len += 1;
        if slab.len() == CHUNK {
            self.roomy.pop();
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Connection> {
        let chunk = slot as usize / CHUNK;
        let slab = &mut self.chunks.get_mut(chunk)?.slab;
        let connection = slab.try_remove(slot as usize % CHUNK)?;
        self.len -= 1;
        if slab.len() == CHUNK - 1 {
            self.roomy.push(chunk);
        }
        if slab.is_empty() {
            *slab = Slab::new();
        }
        Some(connection)
    }

    #[inline]
    pub(crate) fn at(&self, slot: u32) -> Option<&Connection> {
        self.chunks.get(slot as usize / CHUNK)?.slab.get(slot as usize % CHUNK)
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut Connection> {
        self.chunks.get_mut(slot as usize / CHUNK)?.slab.get_mut(slot as usize % CHUNK)
    }

    /// Lends a connection, with the earliest deadlines that its own deadline counts for.
    #[inline]
    pub(crate) fn lend(&mut self, slot: u32) -> Option<(&mut Connection, Earliest<'_>)> {
        let chunk = self.chunks.get_mut(slot as usize / CHUNK)?;
        let connection = chunk.slab.get_mut(slot as usize % CHUNK)?;
        let earliest = Earliest { chunk: &mut chunk.earliest, table: &mut self.earliest };
        Some((connection, earliest))
    }

    /// No look is needed before this tick.
    pub(crate) fn earliest(&self) -> u32 {
        self.earliest
    }

    /// Collects what is due in a slice of the chunks that may hold something due. Unless all were done, `earliest` stays as it was.
    pub(crate) fn sweep(&mut self, tick: u32, due: &mut Vec<u32>) {
        let mut looked = 0;
        let mut earliest = NEVER;
        for (index, chunk) in self.chunks.iter_mut().enumerate() {
            if chunk.earliest <= tick {
                if looked == SWEPT || due.len() >= FOUND {
                    return;
                }
                looked += 1;
                chunk.earliest = NEVER;
                for (key, connection) in &chunk.slab {
                    if connection.deadline <= tick {
                        due.push((index * CHUNK + key) as u32);
                    } else {
                        chunk.earliest = chunk.earliest.min(connection.deadline);
                    }
                }
            }
            earliest = earliest.min(chunk.earliest);
        }
        self.earliest = earliest;
    }

    /// The connections of one chunk, for going through all of them in slices; `None` past the last chunk.
    pub(crate) fn chunk(&self, index: usize) -> Option<impl Iterator<Item = u32> + '_> {
        let chunk = self.chunks.get(index)?;
        Some(chunk.slab.iter().map(move |(key, _)| (index * CHUNK + key) as u32))
    }
}
