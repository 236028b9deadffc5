//! WebSockets in the client role, until their socket is connected: names and addresses. This file
//! knows no handshake. A connected WebSocket in the client role is like any other.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use mio::Token;

use super::server::Server;
use crate::connection::{Attempt, AttemptState, Cause, ConnId, Phase, Progress, TokenKind, ZoneId};
use crate::context::Connect;
use crate::net::{Lookup, Readiness, Resolver, Transport, race_order};
use crate::server::Handler;
use crate::websocket::CloseCode;

impl Server {
    /// Opens a WebSocket in the client role over a transport that is connected already, such as
    /// one end of a [`Transport::memory`].
    ///
    /// # Errors
    /// As [`adopt`](Server::adopt).
    pub fn connect_over<H: Handler>(
        &mut self,
        zone: ZoneId<H>,
        connect: Connect,
        transport: impl Into<Transport>,
        now: Instant,
    ) -> io::Result<(Token, ConnId)> {
        self.check_poison()?;
        self.context.table.books.clock.set(now);
        let Some(slot) = self.context.table.slots.vacant() else {
            return Err(io::Error::other("16.7 million connections are open already"));
        };
        let token = TokenKind::Connection(slot).token(self.number);
        let mut transport = transport.into();
        transport.register(self.registry.as_deref(), token)?;
        let id = self.context.connect(zone, connect);
        if let Some(at) = self.context.table.lease(id.slot()) {
            transport.limit_sending(at.options().sending);
            at.connection.transport = transport;
        }
        self.context.work.connecting.retain(|&other| other != id);
        if self.compose(id) {
            self.connected(id.slot());
        }
        Ok((token, id))
    }

    /// Begins the attempts of this turn, and goes on with attempts whose name has been looked up.
    #[inline]
    pub(super) fn run_connects(&mut self) {
        let work = &self.context.work;
        if !(work.connecting.is_empty() && work.racing.is_empty()) || self.resolver.is_some() {
            self.go_on_connecting();
        }
    }

    fn go_on_connecting(&mut self) {
        self.go_on_racing();
        for id in std::mem::take(&mut self.context.work.connecting) {
            if self.compose(id) {
                self.look_up(id);
            }
        }
        while let Some(answer) = self.resolver.as_mut().and_then(Resolver::answer) {
            for id in answer.ids.into_iter().map(ConnId::from_bits) {
                match &answer.addresses {
                    Ok(addresses) => self.resolved(id, addresses),
                    // The exchange may have ended meanwhile, and another may have its slot.
                    Err(unresolved) if self.attempt(id).is_some() => {
                        self.failed(id.slot(), unresolved.as_str(), Cause::DialFailed);
                    }
                    Err(_) => {}
                }
            }
        }
    }

    fn look_up(&mut self, id: ConnId) {
        let Some(attempt) = self.attempt(id) else { return };
        if !attempt.addresses.is_empty() {
            let given = attempt.addresses.iter().map(SocketAddr::ip).collect();
            return self.resolved(id, &race_order(given));
        }
        let host = attempt.dialled().0.to_owned();
        if let Some(scripted) = &self.scripted {
            return match scripted.look_up(&host) {
                Ok(addresses) => self.resolved(id, &addresses),
                Err(unresolved) => {
                    self.failed(id.slot(), unresolved.as_str(), Cause::DialFailed);
                }
            };
        }
        let remote = self.remote.clone();
        let resolver = self.resolver.get_or_insert_with(|| Resolver::new(move || remote.wake()));
        match resolver.resolve(id.to_bits(), &host) {
            Ok(Lookup::Known(addresses)) => self.resolved(id, &addresses),
            Ok(Lookup::Pending) => {}
            Err(unresolved) => {
                self.failed(id.slot(), unresolved.as_str(), Cause::DialFailed);
            }
        }
    }

    /// Returns the attempt of an exchange, while it lasts.
    pub(super) fn attempt(&mut self, id: ConnId) -> Option<&mut Attempt> {
        self.context.table.live(id).filter(|live| live.phase == Phase::Connecting)?;
        self.attempt_at(id.slot())
    }

    pub(super) fn attempt_at(&mut self, slot: u32) -> Option<&mut Attempt> {
        let held = self.context.table.slots.at_mut(slot)?.held.as_mut()?;
        match &mut held.exchange.as_mut()?.progress {
            Progress::Connecting(attempt) => Some(attempt),
            _ => None,
        }
    }

    fn resolved(&mut self, id: ConnId, addresses: &[IpAddr]) {
        let Some(attempt) = self.attempt(id) else { return };
        let (_, port) = attempt.dialled();
        attempt.addresses = addresses.iter().map(|&ip| SocketAddr::new(ip, port)).collect();
        attempt.state = AttemptState::Dialing;
        self.dial_next(id, "the name has no address");
    }

    /// Handles the readiness of an attempt's socket.
    pub(super) fn attempt_ready(&mut self, slot: u32, readiness: Readiness) {
        if let Some(id) = self.rival_of(slot) {
            return self.rival_ready(slot, id);
        }
        let Some(state) = self.attempt_at(slot).map(|attempt| attempt.state) else { return };
        if state == AttemptState::Dialing {
            self.own_socket_ready(slot, readiness);
            return;
        }
        #[cfg(feature = "tls")]
        if state == AttemptState::Securing {
            return self.arrive_later(slot);
        }
        if readiness.readable || readiness.read_closed {
            self.read(slot);
        }
    }

    /// Reads from an attempt's socket, in a later turn than its readiness.
    pub(super) fn read_attempt(&mut self, slot: u32) {
        #[cfg(feature = "tls")]
        if self.is_securing(slot) {
            return self.arrive_later(slot);
        }
        if self.awaits_response(slot) {
            self.read(slot);
        }
    }

    /// Removes an attempt from the list of those that wait for a name, and closes its rivals.
    pub(super) fn forget(&mut self, id: ConnId, attempt: &Attempt) {
        self.end_race(id);
        if let Some(resolver) = &mut self.resolver {
            resolver.forget(id.to_bits(), attempt.dialled().0);
        }
    }

    /// Ends an attempt that failed. `close` reports the reason to the handler.
    pub(super) fn failed(&mut self, slot: u32, reason: &str, cause: Cause) {
        self.context.table.with(slot, |at| {
            at.record_close(CloseCode::ABNORMAL, reason, false, cause);
            at.mark_gone(cause);
        });
    }
}
