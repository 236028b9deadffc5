//! The phases of a connection: which phases read, which may follow which, and how long each may
//! last. This file sets no phase: `Lease::enter` is the only setter.

use super::clock::NEVER;
use super::options::Options;
use crate::websocket::State;

/// ```text
/// connect --> Connecting --> WebSocket(State)
/// accept --[PROXY header, TLS]--> Arriving --> Idle
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
    /// An accepted connection whose PROXY header or TLS handshake is not over. `zone` is the index
    /// of its listener meanwhile.
    Arriving,
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
    /// A WebSocket, with its state by RFC 6455.
    WebSocket(State),
    /// An event stream.
    Streaming,
    /// A connection that a handler has taken over for its own protocol.
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

    /// Whether the connection is not ready for bytes of HTTP or of frames: it is being opened, or
    /// it arrives.
    #[inline]
    pub(crate) fn is_opening(self) -> bool {
        matches!(self, Phase::Connecting | Phase::Arriving)
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

    /// Whether the drawing has an arrow from this phase to the next. Any phase may end in
    /// `Lingering`.
    pub(crate) fn may_become(self, next: Phase) -> bool {
        use Phase::{
            Arriving, Body, Connecting, Deferred, Head, Idle, Lingering, Responding, Streaming,
            Taken, WebSocket,
        };
        use State::{Closed, Closing, Open};
        let answers =
            matches!(next, Idle | Deferred | Responding | WebSocket(Open) | Streaming | Taken);
        next == Lingering
            || match self {
                Connecting => next == WebSocket(Open),
                Arriving => next == Idle,
                Idle => answers || matches!(next, Head | Body),
                // `Responding` before its answer is whole: the peer did not take the first part.
                Head | Responding => answers || next == Body,
                Body => answers,
                Deferred => matches!(next, Idle | Responding | WebSocket(Open)),
                WebSocket(Open) => matches!(next, WebSocket(Closing | Closed)),
                WebSocket(Closing) => next == WebSocket(Closed),
                Streaming => next == Responding,
                Taken => matches!(next, Idle | Responding),
                WebSocket(Closed) | Lingering => false,
            }
    }

    /// The ticks that the phase may last before a check.
    #[inline]
    pub(crate) fn ticks(self, options: &Options, slot: u32) -> u32 {
        match self {
            // Each attempt has its own deadline.
            Phase::Connecting => NEVER,
            Phase::Arriving => options.head_timeout,
            Phase::Idle => options.keep_alive_timeout,
            Phase::Head => options.head_timeout,
            Phase::Body => options.body_timeout,
            Phase::Deferred => options.answer_timeout,
            Phase::Responding => options.write_timeout,
            Phase::WebSocket(State::Open) => {
                options.idle_timeout - jitter(options.idle_timeout / 10, slot)
            }
            Phase::WebSocket(_) => options.close_timeout,
            Phase::Streaming => options.event_stream_interval,
            Phase::Taken => NEVER,
            Phase::Lingering => options.linger_timeout,
        }
    }

    /// Whether `lifetime` may end the connection: it has arrived, and the phase is not an end
    /// already.
    pub(crate) fn may_retire(self) -> bool {
        !matches!(
            self,
            Phase::Arriving | Phase::WebSocket(State::Closing | State::Closed) | Phase::Lingering
        )
    }
}

/// A number below `range` that differs from slot to slot.
fn jitter(range: u32, slot: u32) -> u32 {
    let spread = slot.wrapping_mul(0x9E37_79B1); // 2^32 by the golden ratio
    ((u64::from(spread) * u64::from(range)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 13] = [
        Phase::Connecting,
        Phase::Arriving,
        Phase::Idle,
        Phase::Head,
        Phase::Body,
        Phase::Deferred,
        Phase::Responding,
        Phase::WebSocket(State::Open),
        Phase::WebSocket(State::Closing),
        Phase::WebSocket(State::Closed),
        Phase::Streaming,
        Phase::Taken,
        Phase::Lingering,
    ];

    /// The allowed arrows, from the phase of a row to the phase of a column. The columns have the
    /// order of the rows, under their first letters; `o`, `c` and `x` are the WebSocket's states.
    const ARROWS: [(&str, &str); 13] = [
        //                       C A I H B D R o c x S T L
        ("Connecting", "         . . . . . . . + . . . . +"),
        ("Arriving", "           . . + . . . . . . . . . +"),
        ("Idle", "               . . + + + + + + . . + + +"),
        ("Head", "               . . + . + + + + . . + + +"),
        ("Body", "               . . + . . + + + . . + + +"),
        ("Deferred", "           . . + . . . + + . . . . +"),
        ("Responding", "         . . + . + + + + . . + + +"),
        ("WebSocket(Open)", "    . . . . . . . . + + . . +"),
        ("WebSocket(Closing)", " . . . . . . . . . + . . +"),
        ("WebSocket(Closed)", "  . . . . . . . . . . . . +"),
        ("Streaming", "          . . . . . . + . . . . . +"),
        ("Taken", "              . . + . . . + . . . . . +"),
        ("Lingering", "          . . . . . . . . . . . . +"),
    ];

    #[test]
    fn phase_becomes_another_along_the_arrows_only() {
        for (from, (name, row)) in PHASES.into_iter().zip(ARROWS) {
            assert_eq!(format!("{from:?}"), name);
            let drawn: Vec<&str> = row.split_whitespace().collect();
            assert_eq!(drawn.len(), PHASES.len());
            for (to, drawn) in PHASES.into_iter().zip(drawn) {
                assert_eq!(from.may_become(to), drawn == "+", "{from:?} -> {to:?}");
            }
        }
    }
}
