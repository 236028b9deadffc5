//! What `Conn::set_timeout` asked for: one tick for each connection that asked, moved without touching the queue. It does
//! not know what a timeout means.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::clock::NEVER;

#[derive(Debug, Default)]
pub(crate) struct Timeouts {
    by_slot: HashMap<u32, Timeout>,
    /// When to look at which slot; a look may find that its time has moved on, or that it is not wanted any more.
    looks: BinaryHeap<Reverse<(u32, u32)>>,
}

#[derive(Debug)]
struct Timeout {
    /// [`NEVER`] once it is not wanted any more.
    tick: u32,
    /// The tick of its look in the queue.
    look: u32,
}

impl Timeouts {
    /// Sets or moves a slot's timeout. Moving it on, as every message may, costs no entry in the queue.
    pub(crate) fn set(&mut self, slot: u32, tick: u32) {
        match self.by_slot.get_mut(&slot) {
            Some(timeout) if timeout.look <= tick => timeout.tick = tick,
            _ => {
                self.by_slot.insert(slot, Timeout { tick, look: tick });
                self.looks.push(Reverse((tick, slot)));
            }
        }
    }

    /// Forgets a slot's timeout. Its look stays, for the next timeout to use: clearing and setting anew, as every message may, costs
    /// no entry in the queue either.
    pub(crate) fn clear(&mut self, slot: u32) {
        if !self.by_slot.is_empty()
            && let Some(timeout) = self.by_slot.get_mut(&slot)
        {
            timeout.tick = NEVER;
        }
    }

    /// No look is needed before this tick.
    pub(crate) fn next(&self) -> u32 {
        self.looks.peek().map_or(NEVER, |Reverse((tick, _))| *tick)
    }

    /// Takes out a slot whose timeout has come.
    pub(crate) fn pop(&mut self, now: u32) -> Option<u32> {
        while let Some(&Reverse((look, slot))) = self.looks.peek() {
            if look > now {
                return None;
            }
            self.looks.pop();
            let Some(timeout) = self.by_slot.get_mut(&slot).filter(|timeout| timeout.look == look) else { continue };
            let tick = timeout.tick;
            if tick > now && tick != NEVER {
                timeout.look = tick;
                self.looks.push(Reverse((tick, slot)));
                continue;
            }
            self.by_slot.remove(&slot);
            if tick != NEVER {
                return Some(slot);
            }
        }
        None
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
            .flat_map(|now| std::iter::from_fn(|| timeouts.pop(now)).map(|slot| (now, slot)).collect::<Vec<_>>())
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
            assert_eq!(timeouts.pop(now), None);
        }
        assert_eq!(timeouts.looks.len(), 1);
        timeouts.clear(7);
        assert_eq!(timeouts.pop(3000), None);
        assert_eq!((timeouts.next(), timeouts.by_slot.len()), (NEVER, 0));
    }
}
