//! Exact timers, one-shot and repeating, each a call to a zone. It knows when; running them is the server's.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use slab::Slab;

use super::context::Context;

/// A closure for one zone's handler, run between events.
pub(crate) type Call = Box<dyn FnOnce(&mut dyn Any, &mut Context)>;
type Repeat = Box<dyn FnMut(&mut dyn Any, &mut Context)>;

/// Names a timer, for [`Context::cancel`](crate::Context::cancel). Using it after the timer has run does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId {
    key: usize,
    count: u64,
}

#[derive(Default)]
pub(crate) struct Timers {
    due: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    timers: Slab<Timer>,
    count: u64,
}

struct Timer {
    count: u64,
    zone: u16,
    action: Action,
}

enum Action {
    Once(Call),
    Every(Duration, Repeat),
    /// A repeating timer whose closure is just being run.
    Running,
}

/// A timer that is due, taken out so that it may be run while others are set.
pub(crate) struct Due {
    id: TimerId,
    at: Instant,
    pub(crate) zone: u16,
    action: Action,
}

impl Due {
    pub(crate) fn run(&mut self, handler: &mut dyn Any, cx: &mut Context) {
        match std::mem::replace(&mut self.action, Action::Running) {
            Action::Once(call) => call(handler, cx),
            Action::Every(period, mut call) => {
                call(handler, cx);
                self.action = Action::Every(period, call);
            }
            Action::Running => {}
        }
    }
}

impl Timers {
    pub(crate) fn once(&mut self, at: Instant, zone: u16, call: Call) -> TimerId {
        self.insert(at, zone, Action::Once(call))
    }

    pub(crate) fn every(&mut self, first: Instant, period: Duration, zone: u16, call: Repeat) -> TimerId {
        // A period of nothing would never let the loop rest.
        let period = period.max(Duration::from_millis(1));
        self.insert(first, zone, Action::Every(period, call))
    }

    fn insert(&mut self, at: Instant, zone: u16, action: Action) -> TimerId {
        self.count += 1;
        let count = self.count;
        let key = self.timers.insert(Timer { count, zone, action });
        self.due.push(Reverse((at, count, key)));
        TimerId { key, count }
    }

    /// Forgets a timer; its place in the heap goes when its time comes, or with the others when those are the majority.
    pub(crate) fn cancel(&mut self, id: TimerId) {
        if self.timers.get(id.key).is_some_and(|timer| timer.count == id.count) {
            self.timers.remove(id.key);
            if self.due.len() > 64 && self.due.len() > 2 * self.timers.len() {
                let timers = &self.timers;
                self.due.retain(|Reverse((_, count, key))| timers.get(*key).is_some_and(|timer| timer.count == *count));
            }
        }
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes out the next timer that is due.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Due> {
        while let Some(&Reverse((at, count, key))) = self.due.peek() {
            if at > now {
                return None;
            }
            self.due.pop();
            let Some(timer) = self.timers.get_mut(key) else { continue };
            if timer.count != count {
                continue;
            }
            let zone = timer.zone;
            let action = std::mem::replace(&mut timer.action, Action::Running);
            if matches!(action, Action::Once(_)) {
                self.timers.remove(key);
            }
            return Some(Due { id: TimerId { key, count }, at, zone, action });
        }
        None
    }

    /// Sets a repeating timer again, unless its own closure cancelled it. Periods that were missed are skipped.
    pub(crate) fn again(&mut self, due: Due, now: Instant) {
        let Action::Every(period, call) = due.action else { return };
        let Some(timer) = self.timers.get_mut(due.id.key) else { return };
        if timer.count == due.id.count {
            timer.action = Action::Every(period, call);
            let next = due.at + period;
            let next = if next > now { next } else { now + period };
            self.due.push(Reverse((next, due.id.count, due.id.key)));
        }
    }
}
