//! The connections of a server, in slabs of 1,024 slots: growth moves no connection and never holds
//! the loop. Each slab keeps its earliest deadline, so a sweep for due deadlines skips most slabs.
//! This file does not know what follows from a deadline.

use slab::Slab;

use super::clock::NEVER;
use super::connection::Connection;
use super::id::SLOTS;

/// Slots in a chunk.
const CHUNK: usize = 1 << 10;

/// The most chunks that one sweep goes through.
const MAX_SWEPT: usize = 16;
/// The most due connections that one sweep collects. Each may cost a few system calls: a turn with
/// all of them takes some 5 ms.
const MAX_DUE: usize = 256;

/// All connections by slot.
#[derive(Debug)]
pub(crate) struct Slots {
    chunks: Vec<Chunk>,
    /// Chunks with a vacant slot. The last is used next.
    vacant: Vec<usize>,
    len: usize,
    /// No deadline in any chunk is earlier.
    earliest: u32,
}

#[derive(Debug)]
struct Chunk {
    slab: Slab<Connection>,
    /// No deadline in the chunk is earlier. The tick may be too early, since a later deadline does
    /// not change it.
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
        Slots { chunks: Vec::new(), vacant: Vec::new(), len: 0, earliest: NEVER }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the slot for the next `insert`; `None` once all 16.7 million are taken.
    pub(crate) fn vacant(&mut self) -> Option<u32> {
        if self.vacant.is_empty() {
            if (self.chunks.len() + 1) * CHUNK > SLOTS as usize {
                return None;
            }
            self.vacant.push(self.chunks.len());
            self.chunks.push(Chunk { slab: Slab::new(), earliest: NEVER });
        }
        let chunk = *self.vacant.last()?;
        let slab = &mut self.chunks[chunk].slab;
        if slab.capacity() == 0 {
            slab.reserve_exact(CHUNK);
        }
        Some((chunk * CHUNK + slab.vacant_key()) as u32)
    }

    /// Inserts a connection in the slot that `vacant` returned.
    pub(crate) fn insert(&mut self, slot: u32, connection: Connection) {
        let chunk = slot as usize / CHUNK;
        let slab = &mut self.chunks[chunk].slab;
        let key = slab.insert(connection);
        debug_assert_eq!(key, slot as usize % CHUNK);
        self.len += 1;
        if slab.len() == CHUNK {
            self.vacant.pop();
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Connection> {
        let chunk = slot as usize / CHUNK;
        let slab = &mut self.chunks.get_mut(chunk)?.slab;
        let connection = slab.try_remove(slot as usize % CHUNK)?;
        self.len -= 1;
        if slab.len() == CHUNK - 1 {
            self.vacant.push(chunk);
        }
        // The first chunk stays: a server with few connections would allocate it again and again.
        if slab.is_empty() && chunk > 0 {
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

    /// Lends a connection, with the earliest deadlines of its chunk and of the table.
    #[inline]
    pub(crate) fn lend(&mut self, slot: u32) -> Option<(&mut Connection, Earliest<'_>)> {
        let chunk = self.chunks.get_mut(slot as usize / CHUNK)?;
        let connection = chunk.slab.get_mut(slot as usize % CHUNK)?;
        let earliest = Earliest { chunk: &mut chunk.earliest, table: &mut self.earliest };
        Some((connection, earliest))
    }

    /// No check is needed before this tick.
    pub(crate) fn earliest(&self) -> u32 {
        self.earliest
    }

    /// Collects at most `MAX_DUE` due connections, from at most `MAX_SWEPT` chunks. If more may be
    /// due, `earliest` stays, and the next turn sweeps again. By then each collected connection has
    /// a later deadline.
    pub(crate) fn sweep(&mut self, tick: u32, due: &mut Vec<u32>) {
        let mut swept = 0;
        let mut earliest = NEVER;
        for (index, chunk) in self.chunks.iter_mut().enumerate() {
            if chunk.earliest <= tick {
                if swept == MAX_SWEPT {
                    return;
                }
                swept += 1;
                let mut later = NEVER;
                for (key, connection) in &chunk.slab {
                    if connection.deadline > tick {
                        later = later.min(connection.deadline);
                    } else if due.len() < MAX_DUE {
                        due.push((index * CHUNK + key) as u32);
                    } else {
                        return;
                    }
                }
                chunk.earliest = later;
            }
            earliest = earliest.min(chunk.earliest);
        }
        self.earliest = earliest;
    }

    /// The number of chunks, empty ones included.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// No slot in use is this or beyond it.
    pub(crate) fn end(&self) -> u32 {
        (self.chunks.len() * CHUNK) as u32
    }

    /// Returns the slots in use of one chunk; `None` past the last chunk. A visit of all
    /// connections takes one chunk at a time.
    pub(crate) fn chunk(&self, index: usize) -> Option<impl Iterator<Item = u32> + '_> {
        let chunk = self.chunks.get(index)?;
        Some(chunk.slab.iter().map(move |(key, _)| (index * CHUNK + key) as u32))
    }
}
