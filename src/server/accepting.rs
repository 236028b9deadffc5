//! Accepts connections: when, from which listener, and how many in a turn. `listen` admits each or
//! turns it away.
//!
//! At EMFILE and ENFILE no descriptor is left. The acceptor (net/acceptor.rs) then turns up to 64
//! waiting connections away itself, with the 503 that this file passes to it. It does so over one
//! descriptor held in reserve, and tries again after 50 ms to 1 s. This file counts
//! `Stats::exhausted`.

use std::net::SocketAddr;

use http::StatusCode;

use super::listen::NO_ROOM;
use super::server::Server;
use crate::net::{AcceptOutcome, Acceptor, Transport};

impl Server {
    /// Has `flush` accept from a listener, once a turn.
    pub(super) fn accept_later(&mut self, index: u16) {
        if !self.work.accepting.contains(&index) {
            self.work.accepting.push_back(index);
        }
    }

    /// Accepts at most `limit` waiting connections.
    // Apart, so that `accept_again` is small enough to be a part of `flush`.
    #[inline(never)]
    pub(super) fn accept(&mut self, index: u16, limit: usize) {
        for _ in 0..limit {
            let Some(Some(listener)) = self.listeners.get_mut(usize::from(index)) else { return };
            let (now, mut no_room) = (self.context.now(), 0);
            let books = &mut self.context.table.books;
            let (traffic, records) = (&mut books.traffic, &mut books.records);
            let mut refused = |transport: &Transport, read: &[u8]| {
                no_room += 1;
                if let Some(records) = records {
                    let why = (StatusCode::SERVICE_UNAVAILABLE, "no descriptor or memory is left");
                    records.turned_away(transport.peer_addr(), why, read);
                }
            };
            match listener.accept(now, NO_ROOM, traffic, &mut refused) {
                AcceptOutcome::Connection(transport) => {
                    if listener.hands_over {
                        self.place_in_cluster(index, transport);
                        continue;
                    }
                    self.take_accepted(index, transport, None);
                }
                AcceptOutcome::Drained => return,
                // EMFILE or ENFILE: the acceptor tries again after a pause, at `retry_at`.
                AcceptOutcome::Exhausted => {
                    let stats = &mut self.context.table.books.stats;
                    stats.exhausted += 1;
                    stats.refusals.count(StatusCode::SERVICE_UNAVAILABLE.as_u16(), no_room);
                    if no_room > 0 {
                        // The observer learns of them in this turn.
                        self.context.table.books.work.dirty.wake();
                    }
                    return;
                }
            }
        }
        self.accept_later(index);
    }

    /// Reads from a connection that was just accepted, while its memory is in the cache. The
    /// listener predicts whether bytes have arrived, from earlier connections.
    pub(super) fn read_after_accept(&mut self, index: u16, slot: u32) {
        let Some(Some(listener)) = self.listeners.get_mut(usize::from(index)) else { return };
        if !listener.first_read.should_read() {
            return;
        }
        let hit = self.read_speculatively(slot);
        if let Some(Some(listener)) = self.listeners.get_mut(usize::from(index)) {
            listener.first_read.record(hit);
        }
    }

    /// Takes in an accepted connection, and reads from it if bytes may be there. Without its
    /// listener the connection is closed. `peer` is the address of its socket, where that is known.
    #[inline]
    pub(super) fn take_accepted(
        &mut self,
        index: u16,
        transport: Transport,
        peer: Option<&SocketAddr>,
    ) {
        let Some(arrival) = self.arrival_at(index) else { return };
        let (arrives, is_internal) = (!arrival.is_immediate(), arrival.is_internal);
        match self.admit(transport, arrives.then_some(index), peer, is_internal) {
            Some(slot) if !arrives => self.read_after_accept(index, slot),
            _ => {}
        }
    }

    /// Accepts from every listener with waiting connections. That includes listeners whose budget
    /// ended in the last turn, and listeners whose pause is over.
    #[inline(always)]
    pub(super) fn accept_again(&mut self) {
        let now = self.context.now();
        for index in 0..self.listeners.len() {
            let retry_at = self.listeners[index].as_ref().and_then(Acceptor::retry_at);
            if retry_at.is_some_and(|at| at <= now) {
                self.accept_later(index as u16);
            }
        }
        if self.turn_budget.is_some() {
            return self.accept_within();
        }
        for _ in 0..self.work.accepting.len() {
            if let Some(index) = self.work.accepting.pop_front() {
                self.accept(index, self.accepts_per_turn(index));
            }
        }
    }

    /// Returns the most connections that one turn accepts from a listener.
    pub(super) fn accepts_per_turn(&self, index: u16) -> usize {
        let listener = self.listeners.get(usize::from(index)).and_then(Option::as_ref);
        listener.map_or(0, Acceptor::per_turn)
    }
}
