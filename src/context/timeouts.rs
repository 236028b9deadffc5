//! The timeouts of `Conn::set_timeout`: one tick for each connection that has one. Moving a timeout
//! to a later tick adds no entry to the queue. This file does not know what follows from a timeout.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::connection::NEVER;

#[derive(Debug, Default)]
pub(crate) struct Timeouts {
    /// Timeouts by slot, in chunks. A chunk exists while it has a timeout, and growth never copies
    /// one, so no growth stalls the loop.
    chunks: Vec<Option<Box<Chunk>>>,
    /// Pairs of a tick and a slot to check then. A check may find that the timeout has moved on or
    /// was cancelled.
    checks: BinaryHeap<Reverse<(u32, u32)>>,
}

const CHUNK: usize = 1 << 8;

#[derive(Debug)]
struct Chunk {
    timeouts: [Timeout; CHUNK],
    /// The number of timeouts that have a check in the queue.
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Timeout {
    /// The tick at which the timeout is due; [`NEVER`] if there is none.
    tick: u32,
    /// The tick of the slot's check in the queue, or [`NEVER`].
    check: u32,
}

const NONE: Timeout = Timeout { tick: NEVER, check: NEVER };

impl Timeouts {
    /// Sets or moves a slot's timeout. A program may move one on with every message, so a move to a
    /// later tick adds no entry to the queue.
    pub(crate) fn set(&mut self, slot: u32, tick: u32) {
        let at = slot as usize / CHUNK;
        if at >= self.chunks.len() {
            self.chunks.resize_with(at + 1, || None);
        }
        let chunk = self.chunks[at]
            .get_or_insert_with(|| Box::new(Chunk { timeouts: [NONE; CHUNK], used: 0 }));
        let timeout = &mut chunk.timeouts[slot as usize % CHUNK];
        timeout.tick = tick;
        if tick < timeout.check {
            chunk.used += usize::from(timeout.check == NEVER);
            timeout.check = tick;
            self.checks.push(Reverse((tick, slot)));
        }
    }

    /// Forgets a slot's timeout. Its check stays in the queue, for the slot's next timeout, so
    /// clearing and setting with every message adds no entry either.
    pub(crate) fn clear(&mut self, slot: u32) {
        if let Some(timeout) = self.at(slot) {
            timeout.tick = NEVER;
        }
    }

    fn at(&mut self, slot: u32) -> Option<&mut Timeout> {
        let chunk = self.chunks.get_mut(slot as usize / CHUNK)?.as_mut()?;
        Some(&mut chunk.timeouts[slot as usize % CHUNK])
    }

    /// Returns the tick of the next check, or [`NEVER`].
    pub(crate) fn next(&self) -> u32 {
        self.checks.peek().map_or(NEVER, |Reverse((tick, _))| *tick)
    }

    /// Takes out a check that finds a timeout due, and returns its slot. [`strike`] must follow: it
    /// decides whether the timeout has stayed due.
    ///
    /// Each check takes one from `checks`, also a check that finds nothing due. With none left, the
    /// rest waits for the next turn.
    ///
    /// [`strike`]: Timeouts::strike
    pub(crate) fn pop(&mut self, now: u32, checks: &mut usize) -> Option<u32> {
        while *checks > 0
            && let Some(&Reverse((check, slot))) = self.checks.peek()
            && check <= now
        {
            *checks -= 1;
            self.checks.pop();
            let Some(timeout) = self.at(slot).filter(|timeout| timeout.check == check) else {
                continue;
            };
            let tick = timeout.tick;
            if tick > now && tick != NEVER {
                timeout.check = tick;
                self.checks.push(Reverse((tick, slot)));
                continue;
            }
            timeout.check = NEVER;
            if tick != NEVER {
                return Some(slot);
            }
            self.give_back(slot);
        }
        None
    }

    /// Ends a timeout whose check was taken out, and returns whether it is still due: not moved and
    /// not cancelled since.
    pub(crate) fn strike(&mut self, slot: u32, now: u32) -> bool {
        let Some(timeout) = self.at(slot) else { return false };
        let is_due = timeout.tick <= now;
        if is_due {
            *timeout = NONE;
        }
        self.give_back(slot);
        is_due
    }

    /// Counts one timeout less in a chunk, and frees the chunk with its last timeout.
    fn give_back(&mut self, slot: u32) {
        let Some(chunk) = self.chunks.get_mut(slot as usize / CHUNK) else { return };
        let used = chunk.as_mut().map_or(0, |chunk| {
            chunk.used -= 1;
            chunk.used
        });
        if used == 0 {
            *chunk = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_strike_once_at_their_latest_tick() {
        let mut timeouts = Timeouts::default();
        timeouts.set(7, 10);
        timeouts.set(7, 20);
        timeouts.set(8, 15);
        timeouts.set(9, 5);
        timeouts.set(9, 3);
        timeouts.set(6, 4);
        timeouts.clear(6);
        let struck: Vec<_> = (0..30)
            .flat_map(|now| {
                std::iter::from_fn(|| timeouts.pop(now, &mut 9))
                    .map(|slot| (now, slot))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(struck, [(3, 9), (15, 8), (20, 7)]);
        assert_eq!(timeouts.next(), NEVER);
    }

    #[test]
    fn timeouts_need_no_room_for_being_set_and_cleared() {
        let mut timeouts = Timeouts::default();
        for now in 0..1000 {
            timeouts.set(7, now + 1000);
            timeouts.clear(7);
            timeouts.set(7, now + 1001);
            assert_eq!(timeouts.pop(now, &mut 9), None);
        }
        assert_eq!(timeouts.checks.len(), 1);
        timeouts.clear(7);
        assert_eq!(timeouts.pop(3000, &mut 9), None);
        assert_eq!((timeouts.next(), timeouts.chunks.iter().flatten().count()), (NEVER, 0));
    }

    #[test]
    fn timeouts_that_moved_on_count_as_checks() {
        let mut timeouts = Timeouts::default();
        for slot in 0..1000 {
            timeouts.set(slot, 10);
            timeouts.set(slot, 20);
        }
        let mut checks = 300;
        assert_eq!((timeouts.pop(10, &mut checks), checks, timeouts.next()), (None, 0, 10));
        let mut checks = 701;
        assert_eq!((timeouts.pop(10, &mut checks), checks, timeouts.next()), (None, 1, 20));
        assert_eq!(std::iter::from_fn(|| timeouts.pop(20, &mut 1)).count(), 1000);
    }
}
