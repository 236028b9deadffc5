//! Phases and deadlines of a leased connection: the only setter of a phase, and what moves the tick
//! of the next check. This file does not know what a check does.

use super::clock::{Clock, NEVER};
use super::connection::Connection;
use super::flags::Flags;
use super::options::Options;
use super::phase::Phase;
use super::table::Lease;
use crate::websocket::{Action, Input, State};

/// Ticks in the unit in which ages are kept (16 s).
const BORN: u32 = 64;

/// The unit in which ages are kept, at this moment.
pub(super) fn born(clock: &Clock) -> u16 {
    (clock.tick() / BORN) as u16
}

/// The tick of the next check of a connection that was active just now: by its phase, or by its
/// age.
#[inline]
pub(super) fn next_check(clock: &Clock, connection: &Connection, options: &Options) -> u32 {
    let deadline = clock.deadline(connection.phase.ticks(options, connection.id.slot()));
    // Without a lifetime, as nearly always, nothing has to be worked out.
    match options.lifetime {
        NEVER => deadline,
        _ => deadline.min(retirement(clock, connection, options)),
    }
}

/// The tick at which `lifetime` ends; [`NEVER`] if there is none or the connection is already
/// closing.
#[inline(never)]
fn retirement(clock: &Clock, connection: &Connection, options: &Options) -> u32 {
    let is_closing = connection.flags.has(Flags::LAST) && !connection.phase.is_open();
    if options.lifetime == NEVER || !connection.phase.may_retire() || is_closing {
        return NEVER;
    }
    let lifetime = options.lifetime.div_ceil(BORN).min(u32::from(u16::MAX) - 1);
    let age = u32::from(born(clock).wrapping_sub(connection.born));
    // Rounded up twice: to whole units, and because the unit of birth was partly over.
    (clock.tick() / BORN + (lifetime + 1).saturating_sub(age)).saturating_mul(BORN)
}

impl Lease<'_> {
    /// Sets the phase and its deadline, and clears what concerned the last phase only.
    pub(crate) fn enter(&mut self, phase: Phase) {
        let Lease { connection, books, .. } = self;
        debug_assert!(
            connection.phase.may_become(phase),
            "{:?} does not become {phase:?}",
            connection.phase
        );
        books.lane.leave_fast_path();
        if phase == Phase::WebSocket(State::Open) {
            // Nothing of the share is spent yet.
            let now = books.clock.micros();
            (connection.message_rate, connection.byte_rate) = (now, now);
        }
        books.stats.moved(connection.phase, phase);
        connection.phase = phase;
        connection.flags.remove(Flags::PINGED);
        self.rearm();
    }

    /// Makes the transition of RFC 6455's state machine, and returns what is to be done.
    #[inline]
    pub(crate) fn apply(&mut self, input: Input) -> Action {
        let Phase::WebSocket(state) = self.connection.phase else { return Action::Ignore };
        let (next, action) = state.on(input);
        if next != state {
            self.enter(Phase::WebSocket(next));
        }
        action
    }

    /// Gives the phase its full time again.
    pub(crate) fn touch(&mut self) {
        let deadline = self.next_check();
        self.connection.flags.remove(Flags::PINGED);
        if deadline < self.connection.deadline {
            return self.set_deadline(deadline);
        }
        // Later than before, as nearly always: the sweep finds that out, so nothing but the
        // connection is written to.
        self.connection.deadline = deadline;
    }

    /// Gives an open WebSocket its full time again: its peer is alive.
    #[inline]
    pub(crate) fn touch_websocket(&mut self) {
        if self.connection.phase == Phase::WebSocket(State::Open) {
            self.touch();
        }
    }

    /// Gives the phase its full time again, where the deadline may have been later.
    pub(crate) fn rearm(&mut self) {
        let deadline = self.next_check();
        self.set_deadline(deadline);
    }

    /// Sets the next check after this many ticks instead of by the phase.
    pub(crate) fn arm(&mut self, ticks: u32) {
        let deadline = self.books.clock.deadline(ticks).min(self.retirement());
        self.set_deadline(deadline);
    }

    /// Sets the tick of the next check.
    pub(crate) fn set_deadline(&mut self, deadline: u32) {
        self.connection.deadline = deadline;
        self.earliest.note(deadline);
    }

    /// Whether the connection has reached its `lifetime`.
    pub(crate) fn is_retired(&self) -> bool {
        self.retirement() <= self.books.clock.tick()
    }

    fn next_check(&self) -> u32 {
        next_check(&self.books.clock, self.connection, self.options())
    }

    fn retirement(&self) -> u32 {
        retirement(&self.books.clock, self.connection, self.options())
    }
}
