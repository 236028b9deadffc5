//! WebSockets in the client role, until they are open: names, sockets, the handshake. After that, a
//! WebSocket is like all others.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use mio::Token;

use super::input::Consumed;
use super::server::Server;
use crate::connection::{
    Attempt, AttemptState, ConnId, Flags, NEVER, Phase, Progress, TokenKind, ZoneId,
};
use crate::context::{Accepted, Connect};
use crate::http1::{
    Extensions, HeadLimits, HeaderSlots, Request, ResponseHead, Scan, scan_response,
};
use crate::net::{Lookup, Readiness, Resolver, Transport, dial};
use crate::outbox::Kind;
use crate::server::Handler;
use crate::websocket::{CloseCode, State};

/// This program made the request: it is parsed again without limits.
const OURS: HeadLimits =
    HeadLimits { head: usize::MAX, headers: crate::http1::MAX_HEADERS, target: usize::MAX };

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
        self.context.table.books.clock.set(now);
        let Some(slot) = self.context.table.slots.vacant() else {
            return Err(io::Error::other("16.7 million connections are open already"));
        };
        let token = TokenKind::Connection(slot).token(self.number);
        let mut transport = transport.into();
        if let Some(registry) = &self.registry {
            transport.register(registry, token)?;
        }
        let id = self.context.connect(zone, connect);
        if let Some(connection) = self.context.table.slots.at_mut(id.slot()) {
            connection.transport = transport;
        }
        self.context.work.connecting.retain(|&other| other != id);
        if self.compose(id) {
            self.request_upgrade(id.slot());
        }
        Ok((token, id))
    }

    /// Begins the attempts of this turn, and goes on with attempts whose name has been looked up.
    #[inline]
    pub(super) fn run_connects(&mut self) {
        if !self.context.work.connecting.is_empty() || self.resolver.is_some() {
            self.go_on_connecting();
        }
    }

    fn go_on_connecting(&mut self) {
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
                        self.failed(id.slot(), unresolved.as_str());
                    }
                    Err(_) => {}
                }
            }
        }
    }

    fn look_up(&mut self, id: ConnId) {
        let Some(attempt) = self.attempt(id) else { return };
        if !attempt.addresses.is_empty() {
            let given: Vec<IpAddr> = attempt.addresses.iter().map(SocketAddr::ip).collect();
            return self.resolved(id, &given);
        }
        let host = attempt.handshake.url().host().to_owned();
        let remote = self.remote.clone();
        let resolver = self.resolver.get_or_insert_with(|| Resolver::new(move || remote.wake()));
        match resolver.resolve(id.to_bits(), &host) {
            Ok(Lookup::Known(addresses)) => self.resolved(id, &addresses),
            Ok(Lookup::Pending) => {}
            Err(unresolved) => self.failed(id.slot(), unresolved.as_str()),
        }
    }

    /// Returns the attempt of an exchange, while it lasts.
    fn attempt(&mut self, id: ConnId) -> Option<&mut Attempt> {
        self.context.table.live(id).filter(|live| live.phase == Phase::Connecting)?;
        self.attempt_at(id.slot())
    }

    fn attempt_at(&mut self, slot: u32) -> Option<&mut Attempt> {
        let held = self.context.table.slots.at_mut(slot)?.held.as_mut()?;
        match &mut held.exchange.as_mut()?.progress {
            Progress::Connecting(attempt) => Some(attempt),
            _ => None,
        }
    }

    fn resolved(&mut self, id: ConnId, addresses: &[IpAddr]) {
        let Some(attempt) = self.attempt(id) else { return };
        let port = attempt.handshake.url().port();
        attempt.addresses = addresses.iter().map(|&ip| SocketAddr::new(ip, port)).collect();
        attempt.state = AttemptState::Dialing;
        self.try_next(id.slot(), "the name has no address");
    }

    /// Connects to the next address. With none left, the last failure is the attempt's.
    fn try_next(&mut self, slot: u32, failure: &str) {
        let next = self.attempt_at(slot).and_then(|attempt| attempt.addresses.pop_front());
        let Some(address) = next else { return self.failed(slot, failure) };
        if let Err(error) = self.start(slot, address) {
            self.try_next(slot, &error.to_string());
        }
    }

    fn start(&mut self, slot: u32, address: SocketAddr) -> io::Result<()> {
        let source = self.attempt_at(slot).and_then(|attempt| attempt.source);
        let Some(registry) = &self.registry else {
            return Err(io::Error::other("a detached server opens no socket: use connect_over"));
        };
        let socket = dial(address, source)?;
        socket.set_nodelay(true)?;
        let mut transport = Transport::Tcp(socket);
        transport.register(registry, TokenKind::Connection(slot).token(self.number))?;
        if let Some(connection) = self.context.table.slots.at_mut(slot) {
            connection.transport = transport;
            // The flag concerned the last address.
            connection.flags.remove(Flags::READ_CLOSED);
        }
        Ok(())
    }

    /// Handles the readiness of an attempt's socket.
    pub(super) fn attempt_ready(&mut self, slot: u32, readiness: Readiness) {
        let Some(state) = self.attempt_at(slot).map(|attempt| attempt.state) else { return };
        if state == AttemptState::Dialing {
            let Some(connection) = self.context.table.slots.at(slot) else { return };
            match connection.transport.is_connected() {
                Ok(true) => self.request_upgrade(slot),
                Ok(false) => return,
                Err(error) => return self.try_next(slot, &error.to_string()),
            }
        }
        if readiness.readable || readiness.read_closed {
            self.read(slot);
        }
    }

    /// Makes our half of the handshake. For one that may not be sent, no name is looked up and no
    /// socket opened.
    fn compose(&mut self, id: ConnId) -> bool {
        let Some(attempt) = self.attempt(id) else { return false };
        let mut head = Vec::new();
        if let Err(unsendable) = attempt.handshake.encode(&attempt.key, &mut head) {
            self.failed(id.slot(), unsendable.as_str());
            return false;
        }
        self.context.table.with(id.slot(), |at| {
            if let Some(exchange) = &mut at.held().exchange {
                exchange.head = head;
            }
        });
        true
    }

    /// Sends our half of the handshake.
    fn request_upgrade(&mut self, slot: u32) {
        let Some(attempt) = self.attempt_at(slot) else { return };
        attempt.state = AttemptState::Requested;
        self.call_back(slot, |server| {
            let Some((mut at, delivery)) = server.context.lease(slot) else { return };
            let Some(head) = at.held().exchange.as_ref().map(|exchange| exchange.head.clone())
            else {
                return;
            };
            let output = delivery.output(&mut at);
            output.push(Kind::Bytes, |own| own.extend_from_slice(&head));
        });
    }

    /// Looks for a whole response head, and judges it (RFC 6455 4.1).
    pub(super) fn response(&mut self, slot: u32, input: &[u8]) -> Consumed {
        let Some(at) = self.context.table.lease(slot) else { return Consumed::More(input.len()) };
        let limits = at.options().head;
        let scanned = at.connection.held.as_ref().map_or(0, |held| held.scanned);
        match scan_response(input, scanned, &limits) {
            Scan::Complete(len) => {
                self.set_scanned(slot, 0);
                self.judge(slot, &input[..len], &limits);
                Consumed::More(len)
            }
            Scan::Partial(scanned) => {
                self.set_scanned(slot, scanned);
                Consumed::Stuck(0)
            }
            Scan::Refused(error) => {
                self.failed(slot, error.as_str());
                Consumed::More(input.len())
            }
        }
    }

    fn judge(&mut self, slot: u32, head: &[u8], limits: &HeadLimits) {
        let Some(attempt) = self.attempt_at(slot) else { return };
        let mut slots = HeaderSlots::new();
        let response = match ResponseHead::parse(head, &mut slots, limits) {
            // The answer follows an interim response.
            Ok(response) if response.is_interim() => return,
            Ok(response) => response,
            Err(error) => return self.failed(slot, error.as_str()),
        };
        let subprotocol = match attempt.handshake.check(&attempt.key, &response) {
            Ok(subprotocol) => subprotocol.map(str::to_owned),
            Err(error) => return self.failed(slot, error.as_str()),
        };
        #[cfg(feature = "deflate")]
        if let Err(disagreement) = self.agreed_on_compression(slot, &response) {
            return self.failed(slot, disagreement.as_str());
        }
        self.opened(slot, Accepted { subprotocol });
    }

    /// Reads what the server made of our offer (RFC 7692 section 7.1).
    #[cfg(feature = "deflate")]
    fn agreed_on_compression(
        &mut self,
        slot: u32,
        response: &ResponseHead<'_>,
    ) -> Result<(), crate::websocket::Disagreement> {
        let Some(at) = self.context.table.lease(slot) else { return Ok(()) };
        let answers = response.header_values("sec-websocket-extensions");
        let agreed = crate::websocket::check_answer(answers, &at.options().deflate)?;
        at.connection.deflate = agreed;
        if agreed.is_some() {
            at.connection.flags.insert(Flags::DEFLATES);
        }
        Ok(())
    }

    /// Opens the WebSocket. The handler gets our own request, with what the server agreed to.
    fn opened(&mut self, slot: u32, accepted: Accepted) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        let options = at.connection.options;
        let Some(exchange) = at.held().exchange.take() else { return };
        let mut slots = HeaderSlots::new();
        let Ok(request) = Request::parse(&exchange.head, &mut slots, &OURS) else {
            return self.failed(slot, "a URL that is no request target");
        };
        let mut extensions = Extensions::new();
        extensions.insert(accepted);
        let request = request.with_extensions(extensions);
        self.open(slot, Phase::WebSocket(State::Open), options, &request);
    }

    /// Ends an attempt at its own deadline.
    pub(super) fn not_opened_in_time(&mut self, slot: u32) {
        self.context.table.with(slot, |at| at.set_deadline(NEVER));
        self.failed(slot, "not open in time");
    }

    /// Removes an attempt from the list of those that wait for a name.
    pub(super) fn forget(&mut self, id: ConnId, attempt: &Attempt) {
        if let Some(resolver) = &mut self.resolver {
            resolver.forget(id.to_bits(), attempt.handshake.url().host());
        }
    }

    /// Ends an attempt that failed. `close` reports the reason to the handler.
    fn failed(&mut self, slot: u32, reason: &str) {
        self.context.table.with(slot, |at| {
            at.record_close(CloseCode::ABNORMAL, reason, false);
            at.mark_gone();
        });
    }
}
