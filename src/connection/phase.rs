//! The life of a connection: the phases, which of them read, and the deadline of each. `Context::enter` is the only
//! setter. What is said within a phase is the business of `http1` and `websocket`.

use super::clock::NEVER;
use super::connection::Flags;
use super::context::Context;
use super::options::Options;
use crate::websocket::State;

/// ```text
/// accept --> Head --> Body --> Waiting | Responding --> Head (next request)
///              |--101--> WebSocket(State) --> Lingering --> gone
///              |--event stream--> Streaming --> Lingering
///              |--takeover--> Taken --release--> Head
/// any --violation, refusal, last response of a closing connection--> Lingering --> gone
/// ```
/// "Gone" is absence from the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waiting for a request head, or for the rest of one.
    Head,
    /// Waiting for the rest of a request body.
    Body,
    /// A handler owes a deferred answer.
    Waiting,
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
        !matches!(self, Phase::Waiting | Phase::Responding)
    }

    /// Whether a handler was told `open` and will be told `close`.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Phase::WebSocket(_) | Phase::Streaming | Phase::Taken)
    }

    /// How many ticks the phase may last before the connection is looked at.
    fn ticks(self, options: &Options) -> u32 {
        match self {
            Phase::Head => options.keep_alive_timeout,
            Phase::Body => options.body_timeout,
            Phase::Waiting => options.answer_timeout,
            Phase::Responding => options.write_timeout,
            Phase::WebSocket(State::Open) => options.idle_timeout,
            Phase::WebSocket(_) => options.close_timeout,
            Phase::Streaming => options.event_stream_interval,
            Phase::Taken => NEVER,
            Phase::Lingering => options.linger_timeout,
        }
    }
}

impl Context {
    /// The one way into a phase: it sets the phase and its deadline, and forgets what only concerned the last one.
    pub(crate) fn enter(&mut self, slot: u32, phase: Phase) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        self.stats.moved(connection.phase, phase);
        connection.phase = phase;
        connection.flags.remove(Flags::HEAD_BEGUN | Flags::PINGED);
        let ticks = phase.ticks(&self.options[usize::from(connection.options)]);
        self.arm(slot, ticks);
    }

    /// Something happened that gives the phase its full time again.
    pub(crate) fn touch(&mut self, slot: u32) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        connection.flags.remove(Flags::PINGED);
        let ticks = connection.phase.ticks(&self.options[usize::from(connection.options)]);
        // Later than before: the sweep finds out by itself, so nothing but the connection is written to.
        connection.deadline = self.clock.deadline(ticks);
    }

    /// The peer was heard: an open WebSocket is alive.
    #[inline]
    pub(crate) fn heard(&mut self, slot: u32) {
        if self.slots.at(slot).is_some_and(|connection| connection.phase == Phase::WebSocket(State::Open)) {
            self.touch(slot);
        }
    }

    /// After a look that changed nothing: the phase has its full time again.
    pub(crate) fn rearm(&mut self, slot: u32) {
        let Some(connection) = self.slots.at(slot) else { return };
        let ticks = connection.phase.ticks(self.options_of(connection));
        self.arm(slot, ticks);
    }

    /// Sets the tick of the next look.
    pub(crate) fn arm(&mut self, slot: u32, ticks: u32) {
        let deadline = self.clock.deadline(ticks);
        self.slots.arm(slot, deadline);
    }
}
