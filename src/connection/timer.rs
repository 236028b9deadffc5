//! Exact timers, one-shot and repeating, each a call to a zone. It knows when; running them is the server's.

use std::any::Any;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::chunks::Chunks;
use super::context::Context;

/// A closure for one zone's handler, run between events.
pub(crate) type Call = Box<dyn FnOnce(&mut dyn Any, &mut Context)>;
type Repeat = Box<dyn FnMut(&mut dyn Any, &mut Context)>;

/// Names a timer, for [`Context::cancel`](crate::Context::cancel). Using it after the timer has run does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId {
    key: u32,
    count: u64,
}

#[derive(Default)]
pub(crate) struct Timers {
    /// A tree, since it lets go of a cancelled timer and never has to be made anew.
    due: BTreeMap<(Instant, u64), u32>,
    timers: Chunks<Timer>,
    count: u64,
}

struct Timer {
    /// Zero once it is forgotten.
    count: u64,
    at: Instant,
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

    pub(crate) fn every(
        &mut self,
        first: Instant,
        period: Duration,
        zone: u16,
        call: Repeat,
    ) -> TimerId {
        // A period of nothing would never let the loop rest.
        let period = period.max(Duration::from_millis(1));
        self.insert(first, zone, Action::Every(period, call))
    }

    fn insert(&mut self, at: Instant, zone: u16, action: Action) -> TimerId {
        self.count += 1;
        let count = self.count;
        let key = self.timers.insert(Timer { count, at, zone, action });
        self.due.insert((at, count), key);
        TimerId { key, count }
    }

    /// Forgets a timer.
    pub(crate) fn cancel(&mut self, id: TimerId) {
        if let Some(timer) = self.timers.get(id.key).filter(|timer| timer.count == id.count) {
            self.due.remove(&(timer.at, id.count));
            self.forget(id.key);
        }
    }

    fn forget(&mut self, key: u32) {
        let at = self.timers[key].at;
        self.timers.remove(key, Timer { count: 0, at, zone: 0, action: Action::Running });
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Takes out the next timer that is due.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Due> {
        let due = self.due.first_entry().filter(|due| due.key().0 <= now)?;
        let ((at, count), key) = due.remove_entry();
        let timer = self.timers.get_mut(key)?;
        let zone = timer.zone;
        let action = std::mem::replace(&mut timer.action, Action::Running);
        if matches!(action, Action::Once(_)) {
            self.forget(key);
        }
        Some(Due { id: TimerId { key, count }, at, zone, action })
    }

    /// Sets a repeating timer again, unless its own closure cancelled it. Periods that were missed are skipped.
    pub(crate) fn again(&mut self, due: Due, now: Instant) {
        let Action::Every(period, call) = due.action else { return };
        let Some(timer) = self.timers.get_mut(due.id.key) else { return };
        if timer.count == due.id.count {
            timer.action = Action::Every(period, call);
            let next = due.at + period;
            let next = if next > now { next } else { now + period };
            timer.at = next;
            self.due.insert((next, due.id.count), due.id.key);
        }
    }
}
