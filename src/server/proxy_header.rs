//! The PROXY header of an arriving connection: which peers may send one, and what becomes of the
//! address in it. The grammar is that of net/proxy_header.

use std::net::SocketAddr;

use http::StatusCode;

use super::clients::Placed;
use super::listen::{ADDRESS_IS_FULL, MAX_TURNED_AWAY, TOO_MANY};
use super::server::Server;
use crate::connection::{Cause, Origin, TURNED_AWAY};
use crate::net::{Acceptor, Arrival, ProxyHeader, Transport};

/// Returns what a connection of a listener has to do before its first request, also once the
/// listener is closed.
pub(super) fn arrival_of<'a>(
    listeners: &'a [Option<Acceptor>],
    closed: &'a [Arrival],
    index: u16,
) -> Option<&'a Arrival> {
    match listeners.get(usize::from(index)) {
        Some(listener) => Some(&listener.as_ref()?.arrival),
        None => closed.get(usize::from(index)),
    }
}

impl Server {
    /// What the listener of an arriving connection asks of it.
    pub(super) fn arrival(&self, slot: u32) -> Option<&Arrival> {
        self.arrival_at(self.context.table.slots.at(slot)?.zone)
    }

    /// What the listener with this index asks of each connection.
    pub(super) fn arrival_at(&self, index: u16) -> Option<&Arrival> {
        arrival_of(&self.listeners, &self.arrivals, index)
    }

    /// Puts the part of a header that has arrived before to the front of the read buffer. Returns
    /// its length, at most 4,112 bytes.
    pub(super) fn restore_proxy_header(&mut self, slot: u32) -> usize {
        let connection = self.context.table.slots.at(slot);
        let Some(held) = connection.and_then(|connection| connection.held.as_ref()) else {
            return 0;
        };
        self.lent.input[..held.spill.len()].copy_from_slice(&held.spill);
        held.spill.len()
    }

    /// Reads the PROXY header at the front of the read buffer, if the listener asks for one.
    /// Returns the number of bytes behind it, which are at the front then: the connection has to go
    /// on to TLS or HTTP at once. `None` if the header is not whole, or if the connection ends.
    pub(super) fn read_proxy_header(&mut self, slot: u32, n: usize) -> Option<usize> {
        if self.arrival(slot).is_none_or(|arrival| arrival.proxies.is_none()) {
            return Some(n);
        }
        match ProxyHeader::parse(&self.lent.input[..n]) {
            ProxyHeader::Partial(_) => {
                let mut at = self.context.table.lease(slot)?;
                let spill = &mut at.held().spill;
                spill.extend_from_slice(&self.lent.input[spill.len()..n]);
                None
            }
            ProxyHeader::Malformed(fault) => {
                self.reject(slot, fault.as_str(), Cause::ProxyFault);
                None
            }
            ProxyHeader::Complete { address, len } => {
                self.lent.input.copy_within(len..n, 0);
                let mut at = self.context.table.lease(slot)?;
                if at.connection.has_spill() {
                    at.held().spill = Vec::new();
                    at.tidy();
                }
                self.has_place(slot, address, n - len).then_some(n - len)
            }
        }
    }

    /// Gives the address in a header its place, in the place of the socket's. Beyond the limit the
    /// connection ends: with a 429 if HTTP comes next, and with an alert if TLS does.
    fn has_place(&mut self, slot: u32, address: Option<SocketAddr>, n: usize) -> bool {
        let placed = match address {
            Some(address) => self.place_at(Some(address.ip()), self.limits.per_address, true),
            // Such as a health check of the proxy itself, which no limit counts.
            None => match self.context.table.slots.at(slot).and_then(|at| at.transport.peer_ip()) {
                Some(own) => self.place_at(own, None, true),
                None => Placed::Left,
            },
        };
        let Some(connection) = self.context.table.slots.at_mut(slot) else { return false };
        match (placed, address) {
            (Placed::At(number), _) => {
                connection.address = number;
                let client = self.context.addresses.client(number);
                let books = &mut self.context.table.books;
                books.note(|records, _| records.names_client(slot, client));
            }
            (Placed::Full, Some(address)) => {
                self.turn_client_away(slot, address, n);
                return false;
            }
            (Placed::Full, None) | (Placed::Left, _) => {}
        }
        true
    }

    fn turn_client_away(&mut self, slot: u32, address: SocketAddr, n: usize) {
        let peer = self.context.table.slots.at(slot).and_then(|at| at.transport.peer_addr());
        let rest = &self.lent.input[..n];
        let arrival = self.arrival(slot);
        let awaits_tls = arrival.is_some_and(|it| it.awaits_tls_behind_header(rest));
        let refusal = Arrival::refusal(awaits_tls, TOO_MANY);
        let books = &mut self.context.table.books;
        books.stats.turned_away += 1;
        books.stats.refusals.count(StatusCode::TOO_MANY_REQUESTS.as_u16(), 1);
        let may_linger = books.turned_away < MAX_TURNED_AWAY;
        let head = if awaits_tls { &[] } else { &self.lent.input[..n] };
        books.note(|records, _| {
            let origin = Origin::new(peer, Some(address.ip()));
            records.names_client(slot, origin.client);
            records.refused(origin, StatusCode::TOO_MANY_REQUESTS, ADDRESS_IS_FULL, head);
        });
        let Some(mut at) = self.context.table.lease(slot) else { return };
        if may_linger {
            // It ends now: while it lingers, nothing counts it.
            at.books.stats.ends.count(Cause::Refused);
            at.connection.address = TURNED_AWAY;
            if let Some(share) = &at.books.share {
                share.uncount();
            }
            at.arrive();
            self.let_linger(slot, refusal);
        } else {
            // Its peer reads the answer if it fits into the socket, which is empty.
            let _gone = at.connection.transport.write(refusal, &mut at.books.traffic);
            at.mark_gone(Cause::Refused);
        }
    }

    /// Closes a connection of a peer that may not send a header, before a byte is read.
    #[cold]
    pub(super) fn reject_stranger(&mut self, transport: &Transport) {
        self.context.table.books.stats.rejected += 1;
        let reason = "this peer may not send a PROXY header: Listener::proxy_protocol does not \
                      name it";
        let peer = transport.peer_addr();
        let books = &mut self.context.table.books;
        books.note(|records, _| records.rejected(Origin::new(peer, None), reason));
    }
}
