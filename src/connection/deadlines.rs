//! Sets the phase of a leased connection, and the tick at which its deadline is judged next. This
//! file does not know what follows from a deadline.

use super::clock::NEVER;
use super::flags::Flags;
use super::next_check::{next_check, retirement};
use super::options::Options;
use super::phase::Phase;
use super::recorded::Protocol;
use super::table::Lease;
use crate::http1::KeepAliveHeader;
use crate::websocket::{Action, Input, State};

impl Lease<'_> {
    /// Sets the phase and its deadline, and clears what concerned the last phase only.
    #[inline]
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
        books.phases.moved(connection.phase, phase);
        let begins_to_linger = phase == Phase::Lingering && connection.phase != phase;
        connection.phase = phase;
        connection.flags.remove(Flags::PINGED | Flags::FROM_ACCEPT | Flags::FRESH);
        if begins_to_linger {
            return self.begin_to_linger();
        }
        self.rearm();
    }

    /// Ends the arrival of a connection. The deadline of its first head stays the one that was set
    /// at the accept.
    pub(crate) fn arrive(&mut self) {
        let deadline = self.connection.deadline;
        self.connection.zone = 0;
        self.enter(Phase::Idle);
        self.connection.flags.insert(Flags::FROM_ACCEPT | Flags::FRESH);
        self.set_deadline(deadline);
        self.note_protocol(Protocol::Http);
    }

    /// Notes that a part of a head has arrived.
    pub(crate) fn begin_head(&mut self) {
        let (deadline, flags) = (self.connection.deadline, self.connection.flags);
        self.enter(Phase::Head);
        if flags.has(Flags::FROM_ACCEPT) {
            self.set_deadline(deadline);
        }
    }

    /// Begins both deadlines of a lingering connection, and frees the input that is of no use now.
    #[inline(never)]
    fn begin_to_linger(&mut self) {
        let Options { linger_timeout, linger_limit, .. } = *self.options();
        self.connection.message_rate = self.books.clock.deadline(linger_limit);
        if let Some(held) = &mut self.connection.held {
            held.forget_input();
        }
        self.set_deadline(self.books.clock.deadline(linger_timeout.min(linger_limit)));
    }

    /// Gives a lingering connection its full time again, up to `linger_limit`: its peer is active.
    pub(crate) fn linger_on(&mut self) {
        let deadline = self.next_check().min(self.connection.message_rate);
        self.set_deadline(deadline);
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

    /// Has a takeover whose peer has ended its side checked after `write_timeout`, while it waits
    /// for its reader. A check that is to come stays.
    #[cold]
    pub(crate) fn await_last_bytes(&mut self) {
        let after = self.options().write_timeout;
        if self.books.clock.deadline(after) < self.connection.deadline {
            self.held().outbox.progress();
            self.arm(after);
        }
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

    /// Returns what a client is told about the connection. Nothing if its `lifetime` may end
    /// first.
    pub(crate) fn keep_alive_header(&self) -> KeepAliveHeader {
        let options = self.options();
        let lasts = || self.retirement() >= self.books.clock.deadline(options.keep_alive_timeout);
        match options.keep_alive_header {
            Some(header) if options.lifetime == NEVER || lasts() => header,
            _ => KeepAliveHeader::NONE,
        }
    }

    fn next_check(&self) -> u32 {
        next_check(&self.books.clock, self.connection, self.options())
    }

    fn retirement(&self) -> u32 {
        retirement(&self.books.clock, self.connection, self.options())
    }
}
