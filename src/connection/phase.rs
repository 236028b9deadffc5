//! The life of a connection: its phases, which of them read, which may follow which, and how long
//! each may last. This file sets no phase: `Lease::enter` is the only setter.

use super::clock::NEVER;
use super::options::Options;
use crate::websocket::State;

/// ```text
/// connect --> Connecting --> WebSocket(State)
/// accept --> Idle --> Head --> Body --> Deferred | Responding --> Idle (next request)
///              |--101--> WebSocket(State) --> Lingering --> gone
///              |--event stream--> Streaming --> Lingering
///              |--takeover--> Taken --release--> Idle
/// any --violation, refusal, last response of a closing connection--> Lingering --> gone
/// ```
/// A head that arrives whole never makes `Head` of `Idle`. "Gone" is absence from the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// This program opens the connection: a name, a socket, a handshake.
    Connecting,
    /// No byte of the next request head has arrived.
    Idle,
    /// A part of a request head has arrived.
    Head,
    /// A part of a request body is still to arrive.
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
    /// The last bytes leave. Input is discarded.
    Lingering,
}

impl Phase {
    /// Whether input is wanted. In the other phases it waits in the kernel.
    #[inline]
    pub(crate) fn reads(self) -> bool {
        !matches!(self, Phase::Deferred | Phase::Responding)
    }

    /// Whether the connection waits for a request head, or for the rest of one.
    #[inline]
    pub(crate) fn awaits_request(self) -> bool {
        matches!(self, Phase::Idle | Phase::Head)
    }

    /// Whether the exchange is a WebSocket, an event stream or a takeover.
    #[inline]
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Phase::WebSocket(_) | Phase::Streaming | Phase::Taken)
    }

    /// Whether the drawing has an arrow from this phase to the next.
    pub(crate) fn may_become(self, next: Phase) -> bool {
        use Phase::{
            Body, Connecting, Deferred, Head, Idle, Lingering, Responding, Streaming, Taken,
        };
        use State::{Closed, Closing, Open};
        match (self, next) {
            (Connecting, next) => matches!(next, Phase::WebSocket(Open) | Lingering),
            (_, Connecting) => false,
            (_, Lingering) => true,
            (Phase::WebSocket(Open), Phase::WebSocket(next)) => next != Open,
            (Phase::WebSocket(Closing), Phase::WebSocket(next)) => next == Closed,
            (Phase::WebSocket(_) | Lingering, _) => false,
            (Streaming, next) => next == Responding,
            (Taken, next) => matches!(next, Idle | Responding),
            // One request, and whatever answers it.
            (Idle, Head) | (Idle | Head | Responding, Body) => true,
            (Head | Body | Deferred | Responding, Head) | (Body | Deferred, Body) => false,
            (Deferred, next) => matches!(next, Idle | Responding | Phase::WebSocket(Open)),
            (Idle | Head | Body | Responding, Phase::WebSocket(next)) => next == Open,
            (Idle | Head | Body | Responding, Idle | Deferred | Responding | Streaming | Taken) => {
                true
            }
        }
    }

    /// The ticks that the phase may last before a check.
    #[inline]
    pub(crate) fn ticks(self, options: &Options, slot: u32) -> u32 {
        match self {
            // Each attempt has its own deadline.
            Phase::Connecting => NEVER,
            Phase::Idle => options.keep_alive_timeout,
            Phase::Head => options.head_timeout,
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

    /// Whether `lifetime` may still end the connection: it has not been told to end before.
    pub(crate) fn may_retire(self) -> bool {
        !matches!(self, Phase::WebSocket(State::Closing | State::Closed) | Phase::Lingering)
    }
}

/// A number below `range` that differs from slot to slot.
fn jitter(range: u32, slot: u32) -> u32 {
    let spread = slot.wrapping_mul(0x9E37_79B1); // 2^32 by the golden ratio
    ((u64::from(spread) * u64::from(range)) >> 32) as u32
}
