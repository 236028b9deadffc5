//! Exact timers, one-shot and repeating, each for one zone. This file knows when a timer is due. It
//! carries the timer's closure and never calls it.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, Instant};

use crate::connection::Chunks;

/// Names a timer, for [`Context::cancel`](crate::Context::cancel). Cancelling a timer that has run
/// does nothing.
///
/// ```
/// use std::time::{Duration, Instant};
/// use switchboard::{Handler, Server};
///
/// struct Alarm { rang: bool }
/// impl Handler for Alarm {}
///
/// let now = Instant::now();
/// let mut server = Server::detached();
/// let alarm = server.zone("/", Alarm { rang: false });
/// let second = Duration::from_secs(1);
/// let timer = server.context(now).after(alarm, second, |alarm, _cx| alarm.rang = true);
/// server.context(now).cancel(timer);
/// server.flush(now + 2 * second);
/// assert!(!server.with(alarm, now, |alarm, _cx| alarm.rang));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    key: u32,
    count: u64,
}

/// All timers. `O` is the closure of a one-shot timer, `E` that of a repeating one.
pub(crate) struct Timers<O, E> {
    /// A tree: it frees a cancelled timer at once and is never rebuilt as a whole.
    due: BTreeMap<(Instant, u64), u32>,
    timers: Chunks<Timer<O, E>>,
    count: u64,
}

struct Timer<O, E> {
    /// 0 once the timer is forgotten.
    count: u64,
    at: Instant,
    zone: u16,
    action: Action<O, E>,
}

pub(crate) enum Action<O, E> {
    Once(O),
    Every(Duration, E),
    /// The timer is being run, or has been forgotten.
    Running,
}

/// A timer that is due, taken out so that it may run while others are set.
pub(crate) struct Due<O, E> {
    id: TimerId,
    at: Instant,
    pub(crate) zone: u16,
    action: Action<O, E>,
}

impl<O, E> Due<O, E> {
    /// Returns the closure of a repeating timer, which `again` sets again.
    pub(crate) fn repeating(&mut self) -> Option<&mut E> {
        match &mut self.action {
            Action::Every(_, every) => Some(every),
            _ => None,
        }
    }

    /// Takes out the closure.
    pub(crate) fn take(&mut self) -> Action<O, E> {
        mem::replace(&mut self.action, Action::Running)
    }
}

impl<O, E> Default for Timers<O, E> {
    fn default() -> Timers<O, E> {
        Timers { due: BTreeMap::new(), timers: Chunks::default(), count: 0 }
    }
}

impl<O, E> Timers<O, E> {
    pub(crate) fn once(&mut self, at: Instant, zone: u16, once: O) -> TimerId {
        self.insert(at, zone, Action::Once(once))
    }

    pub(crate) fn every(
        &mut self,
        first: Instant,
        period: Duration,
        zone: u16,
        every: E,
    ) -> TimerId {
        // With a period of zero, the loop would never rest.
        let period = period.max(Duration::from_millis(1));
        self.insert(first, zone, Action::Every(period, every))
    }

    fn insert(&mut self, at: Instant, zone: u16, action: Action<O, E>) -> TimerId {
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

    /// Returns the instant at which the next timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Takes out the next timer that is due.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Due<O, E>> {
        let due = self.due.first_entry().filter(|due| due.key().0 <= now)?;
        let ((at, count), key) = due.remove_entry();
        let timer = self.timers.get_mut(key)?;
        let zone = timer.zone;
        let action = mem::replace(&mut timer.action, Action::Running);
        if matches!(action, Action::Once(_)) {
            self.forget(key);
        }
        Some(Due { id: TimerId { key, count }, at, zone, action })
    }

    /// Sets a repeating timer again. Missed periods are skipped. A closure that has cancelled its
    /// own timer is returned.
    pub(crate) fn again(&mut self, due: Due<O, E>, now: Instant) -> Option<E> {
        let Action::Every(period, every) = due.action else { return None };
        let timer = self.timers.get_mut(due.id.key).filter(|timer| timer.count == due.id.count);
        let Some(timer) = timer else { return Some(every) };
        timer.action = Action::Every(period, every);
        let next = due.at + period;
        let next = if next > now { next } else { now + period };
        timer.at = next;
        self.due.insert((next, due.id.count), due.id.key);
        None
    }
}
