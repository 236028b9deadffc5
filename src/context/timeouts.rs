//! What `Conn::set_timeout` asked for: one tick for each connection that asked, moved without touching the queue. It does
//! not know what a timeout means.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::connection::NEVER;

#[derive(Debug, Default)]
pub(crate) struct Timeouts {
    /// By slot, in chunks of which only those exist that are needed: no growth stalls the loop.
    chunks: Vec<Option<Box<Chunk>>>,
    /// When to look at which slot; a look may find that its time has moved on, or that it is not wanted any more.
    looks: BinaryHeap<Reverse<(u32, u32)>>,
}

const CHUNK: usize = 1 << 8;

#[derive(Debug)]
struct Chunk {
    timeouts: [Timeout; CHUNK],
    /// How many of them have a look in the queue.
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Timeout {
    /// [`NEVER`] once it is not wanted any more.
    tick: u32,
    /// The tick of its look in the queue, or [`NEVER`].
    look: u32,
}

const NONE: Timeout = Timeout { tick: NEVER, look: NEVER };

impl Timeouts {
    /// Sets or moves a slot's timeout. Moving it on, as every message may, costs no entry in the queue.
    pub(crate) fn set(&mut self, slot: u32, tick: u32) {
        let at = slot as usize / CHUNK;
        if at >= self.chunks.len() {
            self.chunks.resize_with(at + 1, || None);
        }
        let chunk = self.chunks[at]
            .get_or_insert_with(|| Box::new(Chunk { timeouts: [NONE; CHUNK], used: 0 }));
        let timeout = &mut chunk.timeouts[slot as usize % CHUNK];
        timeout.tick = tick;
        if tick < timeout.look {
            chunk.used += usize::from(timeout.look == NEVER);
            timeout.look = tick;
            self.looks.push(Reverse((tick, slot)));
        }
    }

    /// Forgets a slot's timeout. Its look stays, for the next timeout to use: clearing and setting anew, as every message may, costs
    /// no entry in the queue either.
    pub(crate) fn clear(&mut self, slot: u32) {
        if let Some(timeout) = self.at(slot) {
            timeout.tick = NEVER;
        }
    }

    fn at(&mut self, slot: u32) -> Option<&mut Timeout> {
        let chunk = self.chunks.get_mut(slot as usize / CHUNK)?.as_mut()?;
        Some(&mut chunk.timeouts[slot as usize % CHUNK])
    }

    /// No look is needed before this tick.
    pub(crate) fn next(&self) -> u32 {
        self.looks.peek().map_or(NEVER, |Reverse((tick, _))| *tick)
    }

    /// Takes out a slot whose timeout has come. Every look costs one of `looks`, whatever it finds; without any left it ends.
    pub(crate) fn pop(&mut self, now: u32, looks: &mut usize) -> Option<u32> {
        while *looks > 0
            && let Some(&Reverse((look, slot))) = self.looks.peek()
            && look <= now
        {
            *looks -= 1;
            self.looks.pop();
            let Some(timeout) = self.at(slot).filter(|timeout| timeout.look == look) else {
                continue;
            };
            let tick = timeout.tick;
            if tick > now && tick != NEVER {
                timeout.look = tick;
                self.looks.push(Reverse((tick, slot)));
                continue;
            }
            *timeout = NONE;
            self.give_back(slot);
            if tick != NEVER {
                return Some(slot);
            }
        }
        None
    }

    /// One timeout less; the last one takes its chunk with it.
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
        assert_eq!(timeouts.looks.len(), 1);
        timeouts.clear(7);
        assert_eq!(timeouts.pop(3000, &mut 9), None);
        assert_eq!((timeouts.next(), timeouts.chunks.iter().flatten().count()), (NEVER, 0));
    }
    #[test]
    fn timeouts_that_moved_on_count_as_looks() {
        let mut timeouts = Timeouts::default();
        for slot in 0..1000 {
            timeouts.set(slot, 10);
            timeouts.set(slot, 20);
        }
        let mut looks = 300;
        assert_eq!((timeouts.pop(10, &mut looks), looks, timeouts.next()), (None, 0, 10));
        let mut looks = 701;
        assert_eq!((timeouts.pop(10, &mut looks), looks, timeouts.next()), (None, 1, 20));
        assert_eq!(std::iter::from_fn(|| timeouts.pop(20, &mut 1)).count(), 1000);
    }
}
