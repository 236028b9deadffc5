//! Listeners, and the connections that they accept. This file decides which connection is turned
//! away.
//!
//! At EMFILE and ENFILE no descriptor is left. The acceptor (net/acceptor.rs) then turns up to 64
//! waiting connections away with 503, over one descriptor held in reserve. The acceptor tries again
//! after 50 ms to 1 s. This file counts `Stats::exhausted`.

use std::io::{self, Error, ErrorKind};
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::server::Server;
use crate::connection::{MAX_LISTENERS, Phase, TokenKind, UNCOUNTED};
use crate::net::{AcceptOutcome, Acceptor, Listener, Transport, prefix, turn_away};

/// The answer to a connection beyond the limit, or beyond the descriptors (RFC 9110 15.6.4).
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\
    Connection: close\r\nContent-Length: 0\r\n\r\n";

/// The answer to a connection whose address has reached its limit (RFC 6585 section 4).
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n\
    Connection: close\r\nContent-Length: 0\r\n\r\n";

/// Names a listener of a server. [`Server::listen`] returns one.
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

impl Server {
    /// Listens at an address, such as `"127.0.0.1:9001"`. With port 0 the kernel chooses a port,
    /// which [`local_addr`](Server::local_addr) returns.
    ///
    /// ```
    /// use switchboard::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let listener = reactor.server.listen("127.0.0.1:0")?;
    /// assert_ne!(reactor.server.local_addr(listener)?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the address is malformed, cannot be resolved or is taken. Also when the server is
    /// [detached](Server::detached), or has 4,096 listeners already.
    pub fn listen(&mut self, listener: impl Into<Listener>) -> io::Result<ListenerId> {
        let Some(registry) = &self.registry else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a detached server has no Poll to listen with: use Server::new",
            ));
        };
        let index = u16::try_from(self.listeners.len())
            .ok()
            .filter(|&index| usize::from(index) < MAX_LISTENERS);
        let Some(index) = index else {
            return Err(Error::other("a server has at most 4,096 listeners"));
        };
        let token = TokenKind::Listener(index).token(self.number);
        self.listeners.push(Some(Acceptor::bind(listener.into(), registry, token)?));
        Ok(ListenerId(index))
    }

    /// Returns the address that a listener listens at.
    ///
    /// # Errors
    /// When the listener no longer listens, since the server drains.
    pub fn local_addr(&self, listener: ListenerId) -> io::Result<SocketAddr> {
        let listener = self.listeners.get(usize::from(listener.0)).and_then(Option::as_ref);
        listener.ok_or(ErrorKind::NotConnected)?.local_addr()
    }

    /// Sets the most connections at a time (default: 16.7 million). One more is answered with 503
    /// and closed. The limit of descriptors may come first.
    pub fn max_connections(&mut self, connections: usize) {
        self.limits.connections = connections;
    }

    /// Sets the most connections at a time from one IPv4 address or one IPv6 /64 (default: no
    /// limit). One more is answered with 429 and closed (RFC 6585 section 4).
    ///
    /// Connections that are open already are not counted. A limit costs at most 48 bytes for each
    /// address; no limit costs nothing.
    pub fn max_connections_per_address(&mut self, connections: u32) {
        self.limits.per_address = Some(connections);
    }

    /// Has `flush` accept from a listener, once a turn.
    pub(super) fn accept_later(&mut self, index: u16) {
        if !self.work.accepting.contains(&index) {
            self.work.accepting.push_back(index);
        }
    }

    /// Accepts waiting connections, within the turn's budget.
    fn accept(&mut self, index: u16) {
        let listener = self.listeners.get(usize::from(index)).and_then(Option::as_ref);
        for _ in 0..listener.map_or(0, Acceptor::per_turn) {
            let Some(Some(listener)) = self.listeners.get_mut(usize::from(index)) else { return };
            match listener.accept(self.context.now(), NO_ROOM) {
                AcceptOutcome::Connection(socket) => {
                    if let Some(slot) = self.admit(socket) {
                        self.read_after_accept(index, slot);
                    }
                }
                AcceptOutcome::Drained => return,
                // EMFILE or ENFILE: the acceptor tries again after a pause, at `retry_at`.
                AcceptOutcome::Exhausted => {
                    self.context.table.books.stats.exhausted += 1;
                    return;
                }
            }
        }
        self.accept_later(index);
    }

    /// Reads from a connection that was just accepted, while its memory is in the cache. The
    /// listener predicts whether bytes have arrived, from earlier connections.
    fn read_after_accept(&mut self, index: u16, slot: u32) {
        let Some(Some(listener)) = self.listeners.get_mut(usize::from(index)) else { return };
        if !listener.first_read.should_read() {
            return;
        }
        let hit = self.read_speculatively(slot);
        if let Some(Some(listener)) = self.listeners.get_mut(usize::from(index)) {
            listener.first_read.record(hit);
        }
    }

    /// Takes in a connection, if there is room for it.
    // Both limits are checked here; `turn_away` sends the 503 or the 429.
    fn admit(&mut self, socket: TcpStream) -> Option<u32> {
        if self.context.table.connections() >= self.limits.connections {
            self.context.table.books.stats.turned_away += 1;
            turn_away(socket, NO_ROOM);
            return None;
        }
        let mut entry = UNCOUNTED;
        if let Some(limit) = self.limits.per_address {
            // A socket whose peer has left already has no address.
            let Ok(address) = socket.peer_addr() else { return None };
            match self.addresses.enter(prefix(address.ip()), limit) {
                Some(counted) => entry = counted,
                None => {
                    self.context.table.books.stats.turned_away += 1;
                    turn_away(socket, TOO_MANY);
                    return None;
                }
            }
        }
        // A connection that cannot be taken in is closed, without a report.
        let slot = self.take_in(socket.into(), entry).ok();
        if slot.is_none() && entry != UNCOUNTED {
            self.addresses.leave(entry);
        }
        slot
    }

    /// Accepts from every listener with waiting connections. That includes listeners whose budget
    /// ended in the last turn, and listeners whose pause is over.
    pub(super) fn accept_again(&mut self) {
        let now = self.context.now();
        for index in 0..self.listeners.len() {
            let retry_at = self.listeners[index].as_ref().and_then(Acceptor::retry_at);
            if retry_at.is_some_and(|at| at <= now) {
                self.accept_later(index as u16);
            }
        }
        for _ in 0..self.work.accepting.len() {
            if let Some(index) = self.work.accepting.pop_front() {
                self.accept(index);
            }
        }
    }

    /// Puts a transport into the table, as an idle HTTP connection.
    // A new transport is a variant of `Transport` (net/transport.rs) with its read, write and
    // registration. In `server`, only this file (accepting) and `dialing` know TCP sockets.
    pub(super) fn take_in(&mut self, mut transport: Transport, address: u32) -> io::Result<u32> {
        if self.context.draining.is_some() {
            return Err(Error::new(ErrorKind::NotConnected, "the server is draining"));
        }
        let Some(slot) = self.context.table.slots.vacant() else {
            return Err(Error::other("16.7 million connections are open already"));
        };
        let token = TokenKind::Connection(slot).token(self.number);
        transport.register(self.registry.as_ref(), token)?;
        let first_byte_timeout = self.context.table.books.options[0].first_byte_timeout;
        let first = (Phase::Idle, first_byte_timeout);
        self.context.table.insert(slot, transport, address, first);
        self.context.table.books.stats.accepted += 1;
        Ok(slot)
    }

    /// Stops listening for good.
    pub(super) fn stop_listening(&mut self) {
        self.listeners.clear();
        self.work.accepting.clear();
    }
}
