//! The life of a connection: the phases, which of them read, and the deadline of each. `Context::enter` is the only
//! setter. What is said within a phase is the business of `http1` and `websocket`.

use super::clock::{Clock, NEVER};
use super::connection::{Connection, Flags};
use super::context::Context;
use super::id::ConnId;
use super::options::Options;
use crate::websocket::State;

/// Ages are kept in units of so many ticks (16 s).
const BORN: u32 = 64;

/// ```text
/// connect --> Opening --> WebSocket(State)
/// accept --> Head --> Body --> Waiting | Responding --> Head (next request)
///              |--101--> WebSocket(State) --> Lingering --> gone
///              |--event stream--> Streaming --> Lingering
///              |--takeover--> Taken --release--> Head
/// any --violation, refusal, last response of a closing connection--> Lingering --> gone
/// ```
/// "Gone" is absence from the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Being opened from here: a name, a socket, a handshake.
    Connecting,
    /// Waiting for a request head, or for the rest of one.
    Head,
    /// Waiting for the rest of a request body.
    Body,
    /// A handler owes a deferred answer.
    Deferred,
    /// A response is being written, or made by a handler piece by piece.
    Responding,
    /// RFC 6455, with its own state.
    WebSocket(State),
    /// An event stream.
    Streaming,
    /// A handler's own protocol.
    Taken,
    /// The last bytes leave; whatever arrives is discarded.
    Lingering,
}

impl Phase {
    /// Whether arriving bytes are asked for. In the others they wait in the kernel.
    pub(crate) fn reads(self) -> bool {
        !matches!(self, Phase::Deferred | Phase::Responding)
    }

    /// Whether a handler was told `open` and will be told `close`.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Phase::WebSocket(_) | Phase::Streaming | Phase::Taken)
    }

    /// How many ticks the phase may last before the connection is looked at.
    #[inline]
    fn ticks(self, options: &Options, slot: u32) -> u32 {
        match self {
            // Each attempt has its own.
            Phase::Connecting => NEVER,
            Phase::Head => options.keep_alive_timeout,
            Phase::Body => options.body_timeout,
            Phase::Deferred => options.answer_timeout,
            Phase::Responding => options.write_timeout,
            Phase::WebSocket(State::Open) => {
                options.idle_timeout - jitter(options.idle_timeout / 8, slot)
            }
            Phase::WebSocket(_) => options.close_timeout,
            Phase::Streaming => options.event_stream_interval,
            Phase::Taken => NEVER,
            Phase::Lingering => options.linger_timeout,
        }
    }

    /// Whether a connection that is too old is to be told so: it has not been told to end before.
    fn may_retire(self) -> bool {
        !matches!(self, Phase::WebSocket(State::Closing | State::Closed) | Phase::Lingering)
    }
}

/// A number below `range` that differs from slot to slot.
fn jitter(range: u32, slot: u32) -> u32 {
    let spread = slot.wrapping_mul(0x9E37_79B1); // 2^32 by the golden ratio
    ((u64::from(spread) * u64::from(range)) >> 32) as u32
}

impl Clock {
    /// The tick at which a connection is looked at that was heard of just now: by its phase, or for its age.
    #[inline]
    pub(super) fn deadline_of(&self, connection: &Connection, options: &Options) -> u32 {
        let deadline = self.deadline(connection.phase.ticks(options, connection.id.slot()));
        // Nearly always, and then nothing needs to be worked out.
        if options.lifetime == NEVER {
            deadline
        } else {
            deadline.min(self.retirement(connection, options))
        }
    }

    /// The tick at which a connection becomes too old, and no longer has been told so.
    #[inline(never)]
    fn retirement(&self, connection: &Connection, options: &Options) -> u32 {
        let told = connection.flags.has(Flags::LAST) && !connection.phase.is_open();
        if options.lifetime == NEVER || !connection.phase.may_retire() || told {
            return NEVER;
        }
        let lifetime = options.lifetime.div_ceil(BORN).min(u32::from(u16::MAX) - 1);
        let age = u32::from(self.born().wrapping_sub(connection.born));
        // Rounded up twice: to whole units, and because the unit of its birth was partly over.
        (self.tick() / BORN + (lifetime + 1).saturating_sub(age)).saturating_mul(BORN)
    }

    /// The unit in which ages are kept, at this moment.
    pub(super) fn born(&self) -> u16 {
        (self.tick() / BORN) as u16
    }
}

impl Context {
    /// The one way into a phase: it sets the phase and its deadline, and forgets what only concerned the last one.
    pub(crate) fn enter(&mut self, slot: u32, phase: Phase) {
        self.plain = ConnId::NOBODY;
        let Some(connection) = self.slots.at_mut(slot) else { return };
        if phase == Phase::WebSocket(State::Open) {
            // Nothing of its share is spent yet.
            let now = self.clock.micros();
            (connection.message_rate, connection.byte_rate) = (now, now);
        }
        self.stats.moved(connection.phase, phase);
        connection.phase = phase;
        connection.flags.remove(Flags::HEAD_BEGUN | Flags::PINGED);
        self.rearm(slot);
    }

    /// Something happened that gives the phase its full time again.
    pub(crate) fn touch(&mut self, slot: u32) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        let options = &self.options[usize::from(connection.options)];
        let deadline = self.clock.deadline_of(connection, options);
        connection.flags.remove(Flags::PINGED);
        if deadline < connection.deadline {
            return self.slots.arm(slot, deadline);
        }
        // Later than before, as nearly always: the sweep finds out by itself, so nothing but the connection is written to.
        connection.deadline = deadline;
    }

    /// The phase has its full time again, from a deadline that may have been later.
    pub(crate) fn rearm(&mut self, slot: u32) {
        let Some(connection) = self.slots.at(slot) else { return };
        let deadline = self.clock.deadline_of(connection, self.options_of(connection));
        self.slots.arm(slot, deadline);
    }

    /// Sets the next look, for once not by the phase.
    pub(crate) fn arm(&mut self, slot: u32, ticks: u32) {
        let Some(connection) = self.slots.at(slot) else { return };
        let deadline = self.clock.deadline(ticks).min(self.retirement_of(connection));
        self.slots.arm(slot, deadline);
    }

    fn retirement_of(&self, connection: &Connection) -> u32 {
        self.clock.retirement(connection, self.options_of(connection))
    }

    /// Whether a connection has become too old.
    pub(crate) fn is_retired(&self, slot: u32) -> bool {
        self.slots
            .at(slot)
            .is_some_and(|connection| self.retirement_of(connection) <= self.clock.tick())
    }

    /// The peer was heard: an open WebSocket is alive.
    #[inline]
    pub(crate) fn heard(&mut self, slot: u32) {
        if self
            .slots
            .at(slot)
            .is_some_and(|connection| connection.phase == Phase::WebSocket(State::Open))
        {
            self.touch(slot);
        }
    }
}
