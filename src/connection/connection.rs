//! One connection as it is kept while idle: a descriptor and a state, 64 bytes at most, no buffer, no box. What is
//! unfinished is held apart. It knows no handler and does nothing by itself.

use std::ops::{BitOr, BitOrAssign};

#[cfg(feature = "deflate")]
use super::compression::Contexts;
use super::exchange::Exchange;
use super::id::ConnId;
use super::outbox::Outbox;
use super::phase::Phase;
use crate::net::Transport;
#[cfg(feature = "deflate")]
use crate::websocket::Agreed;
use crate::websocket::{Assembly, CloseCode};

/// ```text
///  0        8                24       32   36   40   44   48   52   56  58  60  62 63 64
///  +--------+----------------+--------+----+----+----+----+----+----+---+---+---+--+--+
///  | id     | transport      | held   |dead|memb|addr|mess|byte|flag|zo-|op-|bo-|ph|de|
///  |        | tag+descriptor |        |line|ers.|ess |rate|rate|s   |ne |ts.|rn |. |fl|
///  +--------+----------------+--------+----+----+----+----+----+----+---+---+---+--+--+
/// ```
///
/// It lies in one line of the cache: of many, nearly all have left it when something comes for one of them.
#[derive(Debug)]
// Under debug assertions it is longer than one.
#[cfg_attr(not(debug_assertions), repr(align(64)))]
pub(crate) struct Connection {
    /// The current exchange's name.
    pub(crate) id: ConnId,
    pub(crate) transport: Transport,
    /// What is unfinished; absent when idle.
    pub(crate) held: Option<Box<Held>>,
    /// Tick of the next look; the phase says why.
    pub(crate) deadline: u32,
    /// Head of the list of topic memberships.
    pub(crate) memberships: u32,
    /// Its entry among the counted addresses, or [`UNCOUNTED`].
    pub(crate) address: u32,
    /// Up to when its share of messages and of bytes is spent; see [`Rate`](super::limits::Rate).
    pub(crate) message_rate: u32,
    pub(crate) byte_rate: u32,
    /// Index of the handler that the exchange belongs to.
    pub(crate) zone: u16,
    pub(crate) options: u16,
    pub(crate) flags: Flags,
    /// When it was accepted, in units of 64 ticks (16 s).
    pub(crate) born: u16,
    pub(crate) phase: Phase,
    /// What was agreed on about compression.
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<Agreed>,
}

/// The address of a connection that is not counted by it.
pub(crate) const UNCOUNTED: u32 = u32::MAX;

// mio's sockets carry eight bytes more under debug assertions.
#[cfg(not(debug_assertions))]
const _: () = assert!(size_of::<Connection>() <= 64);

/// What a connection keeps while something is unfinished. It comes from a pool and goes back when every part is empty.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Bytes that arrived and could not be decoded yet.
    pub(crate) spill: Vec<u8>,
    /// How much of a head in the spill has been scanned.
    pub(crate) scanned: usize,
    /// A message of which only a part has arrived.
    pub(crate) assembly: Option<Box<Assembly>>,
    pub(crate) outbox: Outbox,
    /// A request whose body or answer is still to come.
    pub(crate) exchange: Option<Box<Exchange>>,
    /// What compressed messages may refer back to, where that was agreed on.
    #[cfg(feature = "deflate")]
    pub(crate) contexts: Option<Box<Contexts>>,
    /// How a WebSocket, event stream or takeover ended, until its handler has been told.
    pub(crate) close_record: Option<CloseRecord>,
}

/// How an open exchange ended.
#[derive(Clone, Debug)]
pub(crate) struct CloseRecord {
    pub(crate) code: CloseCode,
    pub(crate) reason: Box<str>,
    pub(crate) by_peer: bool,
}

impl Connection {
    /// Whether input is wanted now: the phase reads, and the peer takes the answers to what it has sent.
    pub(crate) fn may_read(&self) -> bool {
        self.phase.reads() && !(self.flags.has(Flags::BLOCKED) && self.flags.has(Flags::ANSWERED))
    }

    /// The message of which a large part is still to be received, and nothing else before. One that is handed over in chunks has no
    /// memory of its own.
    #[inline]
    pub(crate) fn large(&mut self) -> Option<&mut Assembly> {
        let held = self.held.as_deref_mut().filter(|held| held.spill.is_empty())?;
        held.assembly
            .as_deref_mut()
            .filter(|assembly| assembly.is_large() && !self.flags.has(Flags::CHUNKS))
    }

    /// Whether later compressed messages to it may refer to earlier ones.
    pub(crate) fn takes_over(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.deflate.is_some_and(Agreed::our_takeover);
        #[cfg(not(feature = "deflate"))]
        false
    }

    /// Whether it is a WebSocket to which its peer may still say something.
    pub(crate) fn hears_frames(&self) -> bool {
        matches!(self.phase, Phase::WebSocket(_)) && !self.flags.has(Flags::GONE)
    }
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.spill.is_empty()
            && self.scanned == 0 // else the next byte of a head would be scanned with all before it
            && self.assembly.is_none()
            && self.outbox.is_empty()
            && !self.outbox.is_fragmented()
            && self.exchange.is_none()
            && self.close_record.is_none()
            && !self.has_contexts()
    }

    #[cfg(feature = "deflate")]
    fn has_contexts(&self) -> bool {
        self.contexts.is_some()
    }

    #[cfg(not(feature = "deflate"))]
    fn has_contexts(&self) -> bool {
        false
    }

    /// Ready for another connection: no buffer larger than what is worth keeping.
    pub(crate) fn recycle(&mut self) {
        const KEPT: usize = 1 << 10;
        self.scanned = 0;
        if self.spill.capacity() > KEPT {
            self.spill = Vec::new();
        }
        self.outbox.shrink(KEPT);
    }
}

/// A set of facts about a connection, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u32);

impl Flags {
    /// In the list of connections whose outbox is to be offered to the kernel.
    pub(crate) const DIRTY: Flags = Flags(1 << 0);
    /// In the list of connections to be read from in the next turn.
    pub(crate) const UNREAD: Flags = Flags(1 << 1);
    /// In the list of connections that ended, or whose open exchange did.
    pub(crate) const ENDED: Flags = Flags(1 << 2);
    /// To be freed.
    pub(crate) const GONE: Flags = Flags(1 << 3);
    /// The transport refused bytes; it will tell when it takes some again.
    pub(crate) const BLOCKED: Flags = Flags(1 << 4);
    /// What waits includes answers to the peer's own input: until it takes them, no more is read from it.
    pub(crate) const ANSWERED: Flags = Flags(1 << 5);
    /// The transport had something to read when we did not want it.
    pub(crate) const READABLE: Flags = Flags(1 << 6);
    /// The peer will send nothing more.
    pub(crate) const READ_CLOSED: Flags = Flags(1 << 7);
    /// The first byte of a request head has arrived.
    pub(crate) const HEAD_BEGUN: Flags = Flags(1 << 8);
    /// A ping of ours is unanswered.
    pub(crate) const PINGED: Flags = Flags(1 << 9);
    /// The handler wants to be told when output may go on.
    pub(crate) const WANT_WRITABLE: Flags = Flags(1 << 10);
    /// In the list of connections whose handler is to be told `writable`.
    pub(crate) const WRITABLE: Flags = Flags(1 << 11);
    /// No further request after this one.
    pub(crate) const LAST: Flags = Flags(1 << 12);
    /// The handler was told `open` and not yet `close`.
    pub(crate) const OPENED: Flags = Flags(1 << 13);
    /// Our side of the transport has been shut down.
    pub(crate) const SHUT: Flags = Flags(1 << 14);
    /// It was opened from here: we are the client.
    pub(crate) const CLIENT: Flags = Flags(1 << 16);
    /// Compression was agreed on.
    pub(crate) const DEFLATES: Flags = Flags(1 << 17);
    /// Messages are handed over in chunks.
    pub(crate) const CHUNKS: Flags = Flags(1 << 18);
    /// A posted frame is to be written to it; see [`Posts`](super::posts::Posts).
    pub(crate) const POSTED: Flags = Flags(1 << 19);
    /// Its frames are not those of a plain server connection: one test keeps both cases off the hot path.
    pub(crate) const UNUSUAL: Flags = Flags(Flags::CLIENT.0 | Flags::DEFLATES.0);
    /// The taken-over connection goes back to HTTP.
    pub(crate) const RELEASED: Flags = Flags(1 << 15);

    pub(crate) fn has(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn insert(&mut self, other: Flags) {
        self.0 |= other.0;
    }

    pub(crate) fn remove(&mut self, other: Flags) {
        self.0 &= !other.0;
    }

    /// Sets a bit and says whether it was clear: a connection is in a list once.
    pub(crate) fn mark(&mut self, other: Flags) -> bool {
        let clear = !self.has(other);
        self.insert(other);
        clear
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}
