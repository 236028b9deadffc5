//! What is forgotten because of its age, and when the next of it is due. This file knows whether a
//! topic has subscribers, and not which.
//!
//! A tree holds the second in which each topic is checked: the second in which its oldest message
//! becomes too old. A publish leaves that second as it is. So a busy topic is checked about once in
//! the time that it keeps a message, a publish looks nothing up, and no turn goes through topics
//! that are not due.

use std::time::{Duration, Instant};

use super::histories::Histories;
use super::settings::NEVER;

/// The most messages and topics that one turn forgets because of their age.
const FORGOTTEN_PER_TURN: usize = 4 << 10;
/// Queued frames that are looked at in each turn.
const LOOKS: usize = 16;
/// Seconds between two checks of a topic that keeps nothing and has subscribers, at least.
const RECHECK: u32 = 60;
/// Seconds after which queued frames are looked at, also if nothing else happens.
const LOOK_AGAIN: u32 = 16;

impl Histories {
    /// Forgets messages that are too old. A topic without messages and subscribers goes too.
    pub(crate) fn expire(&mut self, now: Instant, has_subscribers: impl Fn(&str) -> bool) {
        let second = self.second(now);
        let mut left = FORGOTTEN_PER_TURN;
        while left > 0
            && let Some(&(check, at)) = self.checks.first()
            && check <= second
        {
            left -= 1;
            while left > 0 && self.rings[at].is_old(second) {
                self.trim(at);
                left -= 1;
            }
            match self.rings[at].next_check() {
                Some(next) => self.set_check(at, next),
                None if has_subscribers(&self.rings[at].name) => {
                    let next = self.rings[at].history.check_of(second);
                    self.set_check(at, next.max((second + RECHECK).next_multiple_of(RECHECK)));
                }
                None => self.forget(at),
            }
        }
        self.queued.sweep(LOOKS);
        if self.look <= second {
            self.queued.sweep(FORGOTTEN_PER_TURN);
            self.look = NEVER;
        }
        self.look_later(second);
    }

    /// Returns the moment at which something is to be forgotten.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        moment(self.start, self.next_second())
    }

    /// Returns the second in which something is to be forgotten, or `NEVER`.
    pub(super) fn next_second(&self) -> u32 {
        let check = self.checks.first().map_or(NEVER, |(check, _)| *check);
        check.min(self.look)
    }

    /// Whole seconds since the start.
    pub(super) fn second(&self, now: Instant) -> u32 {
        let seconds = now.saturating_duration_since(self.start).as_secs();
        u32::try_from(seconds).unwrap_or(NEVER / 2).min(NEVER / 2)
    }

    /// Has queued frames looked at, if there are any.
    pub(super) fn look_later(&mut self, second: u32) {
        if self.queued.is_empty() {
            self.look = NEVER;
        } else if self.look == NEVER {
            self.look = second + LOOK_AGAIN;
        }
    }

    /// Sets the second of a topic's next check; 0 is none.
    pub(super) fn set_check(&mut self, at: u32, check: u32) {
        let before = std::mem::replace(&mut self.rings[at].check, check);
        self.checks.remove(&(before, at));
        if check != 0 && check != NEVER {
            self.checks.insert((check, at));
        }
    }

    /// Sets a topic's next check anew, since the time for which it keeps messages has changed.
    pub(super) fn check_again(&mut self, at: u32) {
        if let Some(check) = self.rings[at].next_check() {
            self.set_check(at, check);
        }
    }
}

/// Returns the moment of a second since the start; `None` for `NEVER`.
pub(super) fn moment(start: Instant, second: u32) -> Option<Instant> {
    (second != NEVER).then(|| start.checked_add(Duration::from_secs(second.into())))?
}
