//! A drain that is under way: its moments, how far its walks over the connections have come, and
//! when the next step is due. This file knows no connection.

use std::time::{Duration, Instant};

use super::drain::Drain;
use super::shuffle::Shuffle;
use crate::websocket::CloseCode;

/// The slots that one turn visits.
const VISITS: u32 = 1 << 10;

/// The ends of open exchanges have steps of the window divided by this, within these bounds. So a
/// step of a million connections visits as many as a turn may.
const STEPS: u32 = 1 << 10;
const SHORTEST_STEP: Duration = Duration::from_millis(10);
const LONGEST_STEP: Duration = Duration::from_millis(250);

/// The turns in which listeners accept what waited when the window began.
pub(crate) const LAST_ACCEPTS: u8 = 16;

/// A drain that is under way.
#[derive(Debug)]
pub(crate) struct Draining {
    pub(crate) code: CloseCode,
    pub(crate) reason: String,
    moments: Option<Moments<Instant>>,
    /// Moments that count from the next turn.
    pending: Option<Moments<Duration>>,
    pub(crate) walk: Walk,
    shuffle: Shuffle,
}

/// The moments of a drain: instants, or times after its call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments<T> {
    window: T,
    window_end: T,
    deadline: T,
}

/// How far a drain has come. Each turn goes on with one chunk, or with as many positions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Walk {
    /// The window has not begun.
    Notice,
    /// Listeners accept what waited when the window began, for at most so many turns yet.
    LastAccepts(u8),
    /// All that is not an open exchange ends, from this chunk on.
    Http(usize),
    /// Open exchanges end when their moment comes, from this position of the shuffle on.
    Open(u32),
    /// All that is left is dropped, from this chunk on.
    Late(usize),
}

impl Moments<Duration> {
    pub(super) fn of(drain: &Drain) -> Moments<Duration> {
        Moments {
            window: drain.notice,
            window_end: drain.notice.saturating_add(drain.window),
            deadline: drain.deadline,
        }
    }
}

impl<T: Ord + Copy> Moments<T> {
    pub(super) fn map<U>(self, map: impl Fn(T) -> U) -> Moments<U> {
        Moments {
            window: map(self.window),
            window_end: map(self.window_end),
            deadline: map(self.deadline),
        }
    }

    /// Returns the earlier of each two moments. Their order stays.
    fn earlier(self, other: Option<Moments<T>>) -> Moments<T> {
        other.map_or(self, |other| Moments {
            window: self.window.min(other.window),
            window_end: self.window_end.min(other.window_end),
            deadline: self.deadline.min(other.deadline),
        })
    }
}

impl Draining {
    /// `seed` decides the order in which open exchanges end.
    pub(super) fn new(code: CloseCode, reason: String, seed: u64) -> Draining {
        Draining {
            code,
            reason,
            moments: None,
            pending: None,
            walk: Walk::Notice,
            shuffle: Shuffle::new(0, seed),
        }
    }

    /// Moves the moments forward, never back.
    pub(super) fn shorten(&mut self, moments: Moments<Instant>) {
        self.moments = Some(moments.earlier(self.moments));
    }

    /// Moves the moments forward in the next turn, from which they count.
    pub(super) fn shorten_later(&mut self, moments: Moments<Duration>) {
        self.pending = Some(moments.earlier(self.pending));
    }

    pub(super) fn take_pending(&mut self) -> Option<Moments<Duration>> {
        self.pending.take()
    }

    /// Whether a program may still bring connections: the window has not begun.
    pub(super) fn is_notice(&self, now: Instant) -> bool {
        let pending = self.pending.is_some_and(|pending| pending.window.is_zero());
        let begun = self.moments.is_some_and(|moments| moments.window <= now);
        matches!(self.walk, Walk::Notice) && !pending && !begun
    }

    /// Whether listeners still bring connections.
    pub(crate) fn is_listening(&self) -> bool {
        matches!(self.walk, Walk::Notice | Walk::LastAccepts(_))
    }

    /// Whether an exchange that opens now is to end at once.
    pub(crate) fn ends_newcomers(&self) -> bool {
        !self.is_listening()
    }

    /// Goes on to the stage of this moment.
    pub(crate) fn advance(&mut self, now: Instant) -> Walk {
        let Some(moments) = self.moments else { return self.walk };
        self.walk = match self.walk {
            Walk::Late(chunk) => Walk::Late(chunk),
            _ if moments.deadline <= now => Walk::Late(0),
            Walk::Notice if moments.window <= now => Walk::LastAccepts(LAST_ACCEPTS),
            walk => walk,
        };
        self.walk
    }

    /// Begins the walk over open exchanges, in a table of so many slots.
    pub(crate) fn begin_open(&mut self, slots: u32) {
        self.shuffle = self.shuffle.resized(slots);
        self.walk = Walk::Open(0);
    }

    /// Takes the slots whose moment has come, as many as one turn visits. Some may be vacant.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<u32> {
        let Walk::Open(from) = self.walk else { return Vec::new() };
        let to = self.due(now).clamp(from, from.saturating_add(VISITS));
        self.walk = Walk::Open(to);
        (from..to).map(|position| self.shuffle.slot(position)).collect()
    }

    /// The number of positions whose moment has come: the share of the window that is over.
    fn due(&self, now: Instant) -> u32 {
        let all = self.shuffle.len();
        let Some(moments) = self.moments.filter(|moments| now < moments.window_end) else {
            return all;
        };
        let over = now.saturating_duration_since(moments.window).as_nanos();
        let window = (moments.window_end - moments.window).as_nanos().max(1);
        u32::try_from(u128::from(all) * over / window).unwrap_or(all)
    }

    /// Whether the next turn has something to do, given how many connections and chunks there are.
    pub(crate) fn is_busy(&self, now: Instant, connections: usize, chunks: usize) -> bool {
        self.pending.is_some()
            || match self.walk {
                Walk::Notice => false,
                Walk::LastAccepts(_) | Walk::Http(_) => true,
                Walk::Open(position) => connections > 0 && position < self.due(now),
                Walk::Late(chunk) => chunk < chunks,
            }
    }

    /// Returns the moment of the next step, when nothing is left to do now.
    pub(crate) fn next_step(&self, now: Instant, connections: usize) -> Option<Instant> {
        let Moments { window, window_end, deadline } = self.moments?;
        match self.walk {
            Walk::Notice => Some(window.min(deadline)),
            _ if connections == 0 => None,
            Walk::Open(position) if position < self.shuffle.len() => {
                let step = (window_end.saturating_duration_since(window) / STEPS)
                    .clamp(SHORTEST_STEP, LONGEST_STEP);
                let over = now.saturating_duration_since(window).as_nanos() % step.as_nanos();
                let next = now + step - Duration::from_nanos(over as u64);
                Some(next.min(window_end).min(deadline))
            }
            _ => Some(deadline),
        }
    }
}
