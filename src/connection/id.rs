//! Names: of an exchange, of a zone, of a readiness token. They are plain numbers that may be kept for ever; they
//! know nothing of what they name.

use std::fmt;
use std::marker::PhantomData;

use mio::Token;

/// Names one exchange: one request and its answer, or the WebSocket, event stream or takeover that it became.
///
/// It may be kept for ever. Once its exchange has ended, using it does nothing: the next request on the same
/// socket has another name, and so has the next connection in the same slot.
///
/// ```
/// use switchboard::ConnId;
///
/// fn remember(id: ConnId) -> u64 {
///     id.to_bits() // for logs and maps; unique for the life of the server
/// }
/// # let _ = remember;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(u64);

/// Slots take the low 24 bits (16.7 million connections), the exchange counter the other 40: at a million exchanges
/// a second it repeats after 12 days, and only matters if the same slot then has the same count.
pub(crate) const SLOT_BITS: u32 = 24;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

impl ConnId {
    /// The name of nothing: exchanges are counted from one.
    pub(crate) const NOBODY: ConnId = ConnId(0);

    pub(crate) fn new(slot: u32, exchange: u64) -> ConnId {
        ConnId(exchange << SLOT_BITS | u64::from(slot) & SLOT_MASK)
    }

    pub(crate) fn from_bits(bits: u64) -> ConnId {
        ConnId(bits)
    }

    pub(crate) fn slot(self) -> u32 {
        (self.0 & SLOT_MASK) as u32
    }

    /// The name as a number.
    pub fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnId({}.{})", self.slot(), self.0 >> SLOT_BITS)
    }
}

/// Names a handler that was registered with a server, and remembers its type.
///
/// ```
/// use switchboard::{Handler, Server, ZoneId};
///
/// struct Counter(u32);
/// impl Handler for Counter {}
///
/// let mut server = Server::detached();
/// let counter: ZoneId<Counter> = server.zone("/", Counter(0));
/// server.with(counter, |counter, _cx| counter.0 += 1);
/// ```
pub struct ZoneId<H> {
    pub(crate) index: u16,
    handler: PhantomData<fn() -> H>,
}

impl<H> ZoneId<H> {
    pub(crate) fn new(index: u16) -> ZoneId<H> {
        ZoneId { index, handler: PhantomData }
    }
}

impl<H> Clone for ZoneId<H> {
    fn clone(&self) -> ZoneId<H> {
        *self
    }
}

impl<H> Copy for ZoneId<H> {}

impl<H> fmt::Debug for ZoneId<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZoneId({})", self.index)
    }
}

/// What a mio token of ours stands for. A token is `1 | server | slot`: the mark tells ours from the host's own in
/// the same `Poll`, the server's number tells several of ours apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Connection(u32),
    Listener(u16),
}

const MARK: usize = 1 << (usize::BITS - 1);
const NUMBERS: usize = (MARK >> SLOT_BITS) - 1;
/// The highest slots name listeners instead.
const LISTENERS: u32 = 1 << 12;
pub(crate) const SLOTS: u32 = (1 << SLOT_BITS) - LISTENERS;
pub(crate) const MAX_LISTENERS: usize = LISTENERS as usize;

impl TokenKind {
    pub(crate) fn token(self, server: usize) -> Token {
        let slot = match self {
            TokenKind::Connection(slot) => slot,
            TokenKind::Listener(index) => SLOTS + u32::from(index) % LISTENERS,
        };
        Token(MARK | (server & NUMBERS) << SLOT_BITS | slot as usize)
    }

    /// `None` for a token of the host's, or of another server.
    pub(crate) fn of(token: Token, server: usize) -> Option<TokenKind> {
        let Token(bits) = token;
        if bits >> SLOT_BITS != (MARK >> SLOT_BITS) | (server & NUMBERS) {
            return None;
        }
        let slot = (bits & SLOT_MASK as usize) as u32;
        Some(if slot < SLOTS {
            TokenKind::Connection(slot)
        } else {
            TokenKind::Listener((slot - SLOTS) as u16)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_names_its_source_and_its_server_only() {
        for source in [
            TokenKind::Connection(0),
            TokenKind::Connection(SLOTS - 1),
            TokenKind::Listener(0),
            TokenKind::Listener(4095),
        ] {
            for server in [0, 1, 126] {
                let token = source.token(server);
                assert_eq!(TokenKind::of(token, server), Some(source));
                assert_eq!(TokenKind::of(token, server + 1), None);
            }
        }
        assert_eq!(TokenKind::of(Token(0), 0), None);
        assert_eq!(TokenKind::of(Token(7), 0), None);
    }
}
