//! Names of an exchange, a zone, a set of options and a readiness token: plain numbers that a
//! program may keep for ever. This file does not know whether the named thing still exists.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use mio::Token;

/// Names one exchange: a request and its answer, or the WebSocket, event stream or takeover that
/// the request became.
///
/// A program may keep the name for ever. Using it after the exchange has ended does nothing. The
/// next request on the same socket has another name, and so has the next connection in the same
/// slot.
///
/// A name belongs to one server. In another server it may by chance name a stranger's exchange:
/// keep it together with the [`Remote`](crate::Remote) of its own server.
///
/// ```
/// use std::collections::HashSet;
/// use switchboard::{Conn, ConnId, Handler, Message};
/// use switchboard::testing::World;
///
/// #[derive(Default)]
/// struct Room(HashSet<ConnId>);
///
/// impl Handler for Room {
///     fn message(&mut self, conn: &mut Conn, _: Message) {
///         self.0.insert(conn.id());
///     }
/// }
///
/// let mut world = World::new();
/// let room = world.server.zone("/", Room::default());
/// let client = world.websocket("/");
/// world.say(client, "hello");
/// let [id] = world.with(room, |room, _| Vec::from_iter(room.0.iter().copied()))[..] else {
///     panic!("one exchange");
/// };
/// world.context().send(id, "welcome");
/// world.end(client);
/// assert!(world.context().conn(id).is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(u64);

/// The low 24 bits name a slot (16.7 million connections), the other 40 count exchanges. At a
/// million exchanges a second the count repeats after 12 days. A name repeats only if its slot then
/// has the same count.
pub(crate) const SLOT_BITS: u32 = 24;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

impl ConnId {
    /// Names no exchange: the count starts at 1.
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

    /// Returns the name as a number, for logs. No other exchange of the server has this number
    /// before 2^40 exchanges have passed.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnId({}.{})", self.slot(), self.0 >> SLOT_BITS)
    }
}

/// Names a zone of a server, with the type of the zone's handler.
///
/// Names of one server are equal if they name the same zone. A name means nothing in another
/// server.
///
/// ```
/// use std::time::Instant;
/// use switchboard::{Handler, Server, ZoneId};
///
/// struct Counter(u32);
/// impl Handler for Counter {}
///
/// let mut server = Server::detached();
/// let one: ZoneId<Counter> = server.zone("/one", Counter(0));
/// let two = server.zone("/two", Counter(0));
/// let now = Instant::now();
/// server.with(one, now, |counter, _cx| counter.0 += 1);
/// assert_eq!(server.with(one, now, |counter, _cx| counter.0), 1);
/// assert_eq!(server.with(two, now, |counter, _cx| counter.0), 0);
/// assert_ne!(one, two);
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

impl<H> PartialEq for ZoneId<H> {
    fn eq(&self, other: &ZoneId<H>) -> bool {
        self.index == other.index
    }
}

impl<H> Eq for ZoneId<H> {}

impl<H> Hash for ZoneId<H> {
    fn hash<S: Hasher>(&self, state: &mut S) {
        self.index.hash(state);
    }
}

impl<H> fmt::Debug for ZoneId<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZoneId({})", self.index)
    }
}

/// The source of readiness that a mio token names. A token is `1 | server | slot`: the mark tells
/// the server's tokens from those of the program in the same `Poll`. The number tells several
/// servers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Connection(u32),
    Listener(u16),
    /// A source of the program's own.
    Watched(u16),
}

const MARK: usize = 1 << (usize::BITS - 1);
/// The numbers of servers, from 0 to this one.
pub(crate) const NUMBERS: usize = (MARK >> SLOT_BITS) - 1;
/// The number of no server.
pub(crate) const NO_SERVER: usize = usize::MAX;
/// The highest slots name listeners and watched sources, not connections.
const LISTENERS: u32 = 1 << 12;
const WATCHED: u32 = 1 << 12;
pub(crate) const SLOTS: u32 = (1 << SLOT_BITS) - LISTENERS - WATCHED;
pub(crate) const MAX_LISTENERS: usize = LISTENERS as usize;
pub(crate) const MAX_WATCHED: usize = WATCHED as usize;

impl TokenKind {
    /// Makes the token for a server with this number.
    pub(crate) fn token(self, server: usize) -> Token {
        let slot = match self {
            TokenKind::Connection(slot) => slot,
            TokenKind::Listener(index) => SLOTS + u32::from(index) % LISTENERS,
            TokenKind::Watched(index) => SLOTS + LISTENERS + u32::from(index) % WATCHED,
        };
        Token(MARK | server << SLOT_BITS | slot as usize)
    }

    /// Returns the source of a token; `None` for a token of the program or of another server. With
    /// [`NO_SERVER`], no token has a source.
    pub(crate) fn of(token: Token, server: usize) -> Option<TokenKind> {
        let Token(bits) = token;
        if bits >> SLOT_BITS != (MARK >> SLOT_BITS) | server {
            return None;
        }
        let slot = (bits & SLOT_MASK as usize) as u32;
        Some(if slot < SLOTS {
            TokenKind::Connection(slot)
        } else {
            match slot - SLOTS {
                index @ 0..LISTENERS => TokenKind::Listener(index as u16),
                index => TokenKind::Watched((index - LISTENERS) as u16),
            }
        })
    }
}

/// Names a set of [`Options`](crate::Options) registered with a server.
///
/// A number means a set of one server only. A server without a set of that number takes its default
/// set.
///
/// ```
/// use std::time::Instant;
/// use switchboard::{Options, OptionsId, Server};
///
/// let mut server = Server::detached();
/// let small = server.context(Instant::now()).add_options(Options::new().max_message(1 << 10));
/// assert_ne!(small, OptionsId::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OptionsId(pub(crate) u16);

/// Names a listener of a server. [`Server::listen`](crate::Server::listen) returns one.
///
/// ```
/// use std::net::TcpStream;
/// use switchboard::{ListenerId, Reactor};
///
/// let mut reactor = Reactor::new()?;
/// let listener: ListenerId = reactor.server.listen("127.0.0.1:0")?;
/// let address = reactor.server.local_addr(listener)?;
/// assert!(TcpStream::connect(address).is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(pub(crate) u16);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn token_names_one_source_of_one_server() {
        for kind in [
            TokenKind::Connection(0),
            TokenKind::Connection(SLOTS - 1),
            TokenKind::Listener(0),
            TokenKind::Listener(4095),
            TokenKind::Watched(0),
            TokenKind::Watched(4095),
        ] {
            for server in [0, 1, 126] {
                let token = kind.token(server);
                assert_eq!(TokenKind::of(token, server), Some(kind));
                assert_eq!(TokenKind::of(token, server + 1), None);
            }
        }
        assert_eq!(TokenKind::of(Token(0), 0), None);
        assert_eq!(TokenKind::of(Token(7), 0), None);
    }

    #[test]
    fn zone_id_is_a_key_whatever_the_handler() {
        struct NeitherEqNorHash;
        let ids = [1, 2, 1].map(ZoneId::<NeitherEqNorHash>::new);
        assert_eq!(HashSet::from(ids).len(), 2);
    }
}
