//! Listeners, and the connections that they accept. This file turns connections away by the limits
//! of the server. Such a connection lingers with its 503 or 429, as after any other refusal, while
//! fewer than 256 do so. Further ones are closed at once. A client of TLS gets an alert in place of
//! the 503 or 429, which it could not read.
//!
//! Only missing acknowledgements show that a peer has vanished without a FIN. Sockets therefore
//! inherit a limit on unacknowledged bytes (`TCP_USER_TIMEOUT`) from their listening socket.

use std::io::{self, Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;

use super::clients::Placed;
use super::server::Server;
use crate::connection::{
    Cause, ListenerId, MAX_LISTENERS, NEVER, Options, Phase, TICK, TURNED_AWAY, TokenKind,
};
use crate::net::{Acceptor, Arrival, Bindings, Listener, Read, Transport};
use crate::outbox::Kind;

/// The answer to a connection beyond the limit, or beyond the descriptors (RFC 9110 15.6.4).
pub(super) const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\
    Connection: close\r\nContent-Length: 0\r\n\r\n";

/// The answer to a connection whose address has reached its limit (RFC 6585 section 4).
pub(super) const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n\
    Connection: close\r\nContent-Length: 0\r\n\r\n";

/// Why a connection gets a 429.
pub(super) const ADDRESS_IS_FULL: &str =
    "as many connections as max_connections_per_address allows";

/// The most connections beyond a limit that linger at a time.
pub(super) const MAX_TURNED_AWAY: usize = 256;

impl Server {
    /// Listens at an address, such as `"127.0.0.1:9001"`, or `":9001"` for every address of this
    /// machine; see [`Listener`]. With port 0 the kernel chooses a port, which
    /// [`local_addr`](Server::local_addr) returns. A name takes one listener for each address.
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
    /// When the address is malformed, cannot be resolved or is taken. The error names the address
    /// and says what to give. Also when the server is
    /// [detached](Server::detached), has 4,096 listeners already, or has a
    /// [zone](crate::Zone::new) whose prefix no path can have.
    pub fn listen(&mut self, listener: impl Into<Listener>) -> io::Result<ListenerId> {
        self.check_serves()?;
        if self.registry.is_none() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a detached server has no Poll to listen with: use Server::new",
            ));
        }
        self.listen_at(listener.into().bindings()?)
    }

    /// Listens at sockets that are bound. A server without a `Poll` takes only those of another
    /// reactor.
    pub(super) fn listen_at(&mut self, bindings: Bindings) -> io::Result<ListenerId> {
        let Bindings { sockets, per_turn, arrival, is_ours, hands_over } = bindings;
        self.zones.is_divided |= arrival.is_internal;
        let unacknowledged = unacknowledged(&self.context.table.books.options[0]);
        let first = self.listeners.len();
        let mut acceptors = Vec::new();
        for socket in sockets {
            let index = first + acceptors.len();
            if index >= MAX_LISTENERS {
                return Err(Error::other("a server has at most 4,096 listeners"));
            }
            let token = TokenKind::Listener(index as u16).token(self.number);
            let mut acceptor = Acceptor::new(socket, per_turn, self.registry.as_deref(), token)?;
            acceptor.arrival = arrival.clone();
            acceptor.is_ours = is_ours;
            acceptor.hands_over = hands_over;
            acceptor.is_further = index > first;
            acceptor.limit_unacknowledged(unacknowledged)?;
            acceptors.push(Some(acceptor));
        }
        self.listeners.append(&mut acceptors);
        Ok(ListenerId(first as u16))
    }

    /// Has later connections of all listeners inherit what the default options say.
    pub(super) fn limit_unacknowledged(&self) {
        let unacknowledged = unacknowledged(&self.context.table.books.options[0]);
        for listener in self.listeners.iter().flatten() {
            // It was possible when the socket was made.
            let _refused = listener.limit_unacknowledged(unacknowledged);
        }
    }

    /// Sets the most connections at a time (default: 16.7 million). One more is answered with 503
    /// and closed. The limit of descriptors may come first: up to 256 refused connections linger
    /// beside the others, so that their clients can read the answer.
    ///
    /// A client of TLS could not read a 503 before its handshake, which is too dear for a refusal.
    /// It gets the fatal alert `internal_error` instead (RFC 8446 section 6.2).
    pub fn max_connections(&mut self, connections: usize) {
        self.limits.connections = connections;
    }

    /// Sets the most connections at a time from one IPv4 address or one IPv6 /64 (default: no
    /// limit). One more is answered with 429 and closed (RFC 6585 section 4). A client of TLS gets
    /// the alert of [`max_connections`](Server::max_connections) instead.
    ///
    /// A client behind a [trusted proxy](Server::trusted_proxies) is counted for its exchanges that
    /// last, in place of the proxy.
    ///
    /// Connections that are open already are not counted. A limit costs at most 48 bytes for each
    /// address; no limit costs nothing.
    pub fn max_connections_per_address(&mut self, connections: u32) {
        self.limits.per_address = Some(connections);
    }

    /// Takes in a connection, if there is room for it. One that is still to arrive keeps the index
    /// of its listener. `peer` is the address of its socket, where that is known already.
    // Both limits are checked here; `turn_away` sends the 503 or the 429. The refusal of a request
    // is the business of `request`.
    pub(super) fn admit(
        &mut self,
        transport: Transport,
        arrives: Option<u16>,
        peer: Option<&SocketAddr>,
        is_internal: bool,
    ) -> Option<u32> {
        let listener = arrives.and_then(|index| self.listeners.get(usize::from(index))?.as_ref());
        let arrival = listener.map(|listener| &listener.arrival);
        // The address that counts is the one in the header.
        let names_client = arrival.is_some_and(|arrival| arrival.proxies.is_some());
        if !arrival.map_or(Some(true), |arrival| arrival.admits(&transport, peer))? {
            self.reject_stranger(&transport);
            return None;
        }
        if self.is_full(is_internal) || !self.has_place_in_cluster(is_internal) {
            let reason = "as many connections as max_connections allows";
            let answer = (StatusCode::SERVICE_UNAVAILABLE, NO_ROOM);
            self.turn_away(transport, arrives, answer, reason);
            return None;
        }
        let address = match self.place_accepted(&transport, names_client, peer) {
            Placed::At(address) => address,
            Placed::Left => {
                self.leave_place_in_cluster();
                return None;
            }
            Placed::Full => {
                self.leave_place_in_cluster();
                let answer = (StatusCode::TOO_MANY_REQUESTS, TOO_MANY);
                self.turn_away(transport, arrives, answer, ADDRESS_IS_FULL);
                return None;
            }
        };
        // A connection that cannot be taken in is closed, without a report.
        let first = if arrives.is_some() { Phase::Arriving } else { Phase::Idle };
        let slot = self.take_in_placed(transport, address, first).ok();
        if let (Some(slot), Some(index)) = (slot, arrives) {
            self.context.table.with(slot, |at| at.connection.zone = index);
        }
        if slot.is_none() {
            self.leave_place_in_cluster();
        }
        self.context.table.books.stats.accepted += u64::from(slot.is_some());
        if let Some(slot) = slot {
            self.context.note_opened(slot);
            if is_internal {
                self.set_internal(slot);
            }
        }
        slot
    }

    /// Takes in a connection of a simulation, as if a plain listener had accepted it.
    pub(crate) fn accepted(&mut self, transport: Transport) {
        if self.check_drain().is_ok() {
            self.admit(transport, None, None, false);
        }
    }

    /// Takes in a connection whose address has its place. Failing that, gives the place back.
    pub(super) fn take_in_placed(
        &mut self,
        transport: Transport,
        address: u32,
        phase: Phase,
    ) -> io::Result<u32> {
        let slot = self.take_in(transport, address, phase);
        if slot.is_err() {
            self.context.addresses.leave(address);
        }
        slot
    }

    /// Refuses a connection beyond a limit. It lingers, so that a client that has begun to send
    /// reads the refusal. Beyond the bound it is closed at once.
    fn turn_away(
        &mut self,
        mut transport: Transport,
        arrives: Option<u16>,
        (status, words): (StatusCode, &'static [u8]),
        reason: &'static str,
    ) {
        let table = &mut self.context.table;
        table.books.stats.turned_away += 1;
        table.books.stats.refusals.count(status.as_u16(), 1);
        let is_full = table.books.turned_away == MAX_TURNED_AWAY || table.slots.vacant().is_none();
        let arrival = arrives.and_then(|index| self.arrival_at(index));
        // The request line, if it has arrived, or the first byte of TLS. Unread bytes would reset a
        // connection that is closed at once.
        let observed = self.context.table.books.records.is_some();
        let reads = is_full || observed || arrival.is_some_and(|it| !it.is_plain());
        let mut read = match reads {
            true => {
                let traffic = &mut self.context.table.books.traffic;
                transport.read(&mut self.lent.input, traffic).map_or(0, Read::count)
            }
            false => 0,
        };
        let arrival = arrives.and_then(|index| self.arrival_at(index));
        let awaits_tls = arrival.is_some_and(|it| it.awaits_tls(&self.lent.input[..read]));
        if awaits_tls {
            read = 0;
        }
        let refusal = Arrival::refusal(awaits_tls, words);
        if observed {
            let (peer, read) = (transport.peer_addr(), &self.lent.input[..read]);
            let books = &mut self.context.table.books;
            books.note(|records, _| records.turned_away(peer, (status, reason), read));
        }
        if is_full {
            // The peer may be gone.
            let _gone = transport.write(refusal, &mut self.context.table.books.traffic);
            return;
        }
        if let Ok(slot) = self.take_in(transport, TURNED_AWAY, Phase::Idle) {
            self.let_linger(slot, refusal);
        }
    }

    /// Has a connection beyond a limit linger with its refusal.
    pub(super) fn let_linger(&mut self, slot: u32, refusal: &[u8]) {
        self.context.table.books.turned_away += 1;
        let Some((mut at, delivery)) = self.context.lease(slot) else { return };
        at.set_last(Cause::Refused);
        let output = delivery.output(&mut at);
        output.push(Kind::Bytes, |own| own.extend_from_slice(refusal));
        at.after_response();
    }

    /// Puts a transport into the table, as an idle HTTP connection or as one that is to arrive.
    // A new transport is a variant of `Transport` (net/transport.rs) with its read, write and
    // registration.
    pub(super) fn take_in(
        &mut self,
        mut transport: Transport,
        address: u32,
        phase: Phase,
    ) -> io::Result<u32> {
        if self.context.draining.as_ref().is_some_and(|draining| !draining.is_listening()) {
            return Err(is_draining());
        }
        let Some(slot) = self.context.table.slots.vacant() else {
            return Err(Error::other("16.7 million connections are open already"));
        };
        let token = TokenKind::Connection(slot).token(self.number);
        if self.registry.is_some() || transport.is_memory() {
            transport.register(self.registry.as_deref(), token)?;
        }
        let options = &self.context.table.books.options[0];
        if options.sending.is_set() {
            transport.limit_sending(options.sending);
        }
        let ticks = match phase {
            Phase::Arriving => options.head_timeout,
            _ => options.first_byte_timeout,
        };
        self.context.table.insert(slot, transport, address, (phase, ticks));
        Ok(slot)
    }

    /// Checks that a drain does not keep a program from bringing connections.
    pub(super) fn check_drain(&self) -> io::Result<()> {
        self.context.takes_connections().then_some(()).ok_or_else(is_draining)
    }

    /// Stops listening for good. Connections that were accepted go on to their first request.
    pub(super) fn stop_listening(&mut self) {
        if self.remote.takes_sockets() {
            self.remote.refuse_sockets(); // the deadline of the drain comes before its window
        }
        if !self.listeners.is_empty() {
            let listeners = self.listeners.drain(..);
            self.arrivals =
                listeners.map(|it| it.map_or_else(Arrival::default, |it| it.arrival)).collect();
        }
        self.work.accepting.clear();
    }
}

#[cold]
fn is_draining() -> Error {
    Error::new(ErrorKind::NotConnected, "the server is draining")
}

/// How long bytes to a peer may stay unacknowledged: `write_timeout`, but long enough for a network
/// that is slow. `None` without a `write_timeout`.
fn unacknowledged(options: &Options) -> Option<Duration> {
    const SHORTEST: Duration = Duration::from_secs(4);
    (options.write_timeout != NEVER).then(|| (TICK * options.write_timeout).max(SHORTEST))
}
