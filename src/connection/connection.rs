//! What the server keeps for an idle connection: a descriptor and a state in at most 64 bytes. An
//! idle connection has no buffer and no box, except with dedicated compression. This file calls no
//! handler.

use super::cause::Cause;
use super::exchange::{Polling, Progress};
use super::flags::Flags;
use super::held::Held;
use super::id::ConnId;
use super::options::Options;
use super::phase::Phase;
use crate::net::Transport;
#[cfg(feature = "deflate")]
use crate::websocket::Agreed;
use crate::websocket::{Assembly, State};

/// ```text
///  0        8                24       32   36   40   44   48   52   56  58  60  62 63 64
///  +--------+----------------+--------+----+----+----+----+----+----+---+---+---+--+--+
///  | id     | transport      | held   |dead|memb|addr|mess|byte|flag|zo-|op-|bo-|ph|de|
///  |        | tag+descriptor |        |line|ers.|ess |rate|rate|s   |ne |ts.|rn |. |fl|
///  +--------+----------------+--------+----+----+----+----+----+----+---+---+---+--+--+
/// ```
///
/// A connection fills one cache line. A server with many connections finds nearly every one of
/// them out of the cache, so each further line would be a further miss.
#[derive(Debug)]
// Debug assertions add 8 bytes to mio's sockets, so a connection is longer than a line then.
#[cfg_attr(not(debug_assertions), repr(align(64)))]
pub(crate) struct Connection {
    /// The name of the current exchange.
    pub(crate) id: ConnId,
    pub(crate) transport: Transport,
    /// The unfinished parts; absent when idle.
    pub(crate) held: Option<Box<Held>>,
    /// The tick of the next check. The phase decides what is checked.
    pub(crate) deadline: u32,
    /// The head of the list of topic memberships, or [`NO_MEMBERSHIP`].
    pub(crate) memberships: u32,
    /// The number of a counted prefix or of a client in `Addresses`; else [`UNCOUNTED`],
    /// [`TURNED_AWAY`] or [`RIVAL`].
    pub(crate) address: u32,
    /// The microsecond up to which the share of messages is spent; see `RateLimit`. While the
    /// connection lingers, the tick at which `linger_limit` ends.
    pub(crate) message_rate: u32,
    /// The microsecond up to which the share of bytes is spent.
    pub(crate) byte_rate: u32,
    /// The index of the handler that the exchange belongs to.
    pub(crate) zone: u16,
    pub(crate) options: u16,
    pub(crate) flags: Flags,
    /// When the connection was accepted, in units of 64 ticks (16 s).
    pub(crate) born: u16,
    pub(crate) phase: Phase,
    /// What both sides agreed on about compression.
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<Agreed>,
}

/// The address of a connection that is neither counted by its address nor noted with it.
pub(crate) const UNCOUNTED: u32 = u32::MAX;

/// The address of a connection beyond a limit, which lingers with its refusal.
pub(crate) const TURNED_AWAY: u32 = u32::MAX - 1;

/// The address of a further socket of an attempt, which is no connection of its own.
pub(crate) const RIVAL: u32 = u32::MAX - 2;

/// The end of a list of topic memberships.
pub(crate) const NO_MEMBERSHIP: u32 = u32::MAX;

#[cfg(not(debug_assertions))]
const _: () = assert!(size_of::<Connection>() <= 64);

impl Connection {
    /// Whether input is wanted now: the phase reads, and the peer takes the answers to its input.
    pub(crate) fn may_read(&self) -> bool {
        self.phase.reads() && !(self.flags.has(Flags::BLOCKED) && self.flags.has(Flags::ANSWERED))
    }

    /// Whether a handler owes or streams the answer to a request that has arrived.
    pub(crate) fn owes_answer(&self) -> bool {
        let held = self.held.as_ref();
        !self.phase.reads() && held.is_some_and(|held| held.exchange.is_some())
    }

    /// The long poll that waits for a message.
    pub(crate) fn polling(&mut self) -> Option<&mut Polling> {
        match &mut self.held.as_mut()?.exchange.as_mut()?.progress {
            Progress::Polling(polling) => Some(polling),
            _ => None,
        }
    }

    /// The message of which a large part is still to be received, if no spill precedes it. A
    /// message that is handed over in chunks has no memory of its own, and under TLS nothing is
    /// received in place.
    #[inline]
    pub(crate) fn large_message(&mut self) -> Option<&mut Assembly> {
        // Ciphertext is longer than the message, and is decrypted in a buffer with room for it.
        if self.transport.is_tls() {
            return None;
        }
        let held = self.held.as_deref_mut().filter(|held| held.spill.is_empty())?;
        let assembly = held.assembly.as_deref_mut()?;
        (assembly.is_large() && !self.flags.has(Flags::CHUNKS)).then_some(assembly)
    }

    /// Whether later compressed messages to the peer may refer to earlier ones.
    pub(crate) fn takes_over(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.deflate.is_some_and(Agreed::our_takeover);
        #[cfg(not(feature = "deflate"))]
        false
    }

    /// Whether frames from the peer are still decoded.
    pub(crate) fn reads_frames(&self) -> bool {
        matches!(self.phase, Phase::WebSocket(_)) && !self.flags.has(Flags::GONE)
    }

    /// Bytes that wait in the outbox.
    #[inline]
    pub(crate) fn buffered(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.outbox.buffered())
    }

    /// Whether bytes that arrived wait for the next turn.
    pub(crate) fn has_spill(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.spill.is_empty())
    }

    /// Whether output waits that may leave now: what a fragmented message holds back does not
    /// count.
    pub(crate) fn has_output(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.outbox.is_empty())
    }

    /// Whether only whole messages come from and go to the connection, each in one plain frame.
    #[inline]
    pub(crate) fn allows_fast_path(&self, options: &Options) -> bool {
        self.phase == Phase::WebSocket(State::Open)
            && !self.flags.any(Flags::UNUSUAL | Flags::CHUNKS | Flags::GONE)
            && options.allows_fast_path
    }

    /// Whether nothing that was begun towards the peer is cut off, should the connection end now.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(self.phase, Phase::Responding | Phase::Taken) && !self.has_output()
    }

    /// Returns why the connection ends after its transport has returned an error.
    #[cold]
    pub(crate) fn broken(&self) -> Cause {
        if self.transport.is_faulty() { Cause::TlsFault } else { Cause::Reset }
    }

    /// Whether the exchange is open and nothing is unfinished, owed or wanted.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.flags == Flags::OWES_CLOSE && self.held.is_none()
    }
}
