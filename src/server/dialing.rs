//! WebSockets opened from here, until they are open: names, sockets, the handshake. From then on they are like all the others.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use mio::Token;

use super::drive::Consumed;
use super::server::Server;
use crate::connection::{
    Accepted, Attempt, AttemptState, Conn, ConnId, Connect, Flags, Kind, NEVER, Phase, Progress,
    TokenKind, ZoneId,
};
use crate::http1::{HeadLimits, HeaderSlots, Request, ResponseHead, Scan, scan_response};
use crate::net::{Lookup, Readiness, Resolver, Transport, dial};
use crate::server::Handler;
use crate::websocket::{CloseCode, State};

/// Our own request was made by ourselves: it is read again without limits.
const OURS: HeadLimits =
    HeadLimits { head: usize::MAX, headers: crate::http1::MAX_HEADERS, target: usize::MAX };

impl Server {
    /// Opens a WebSocket in the client role over a transport that is connected already, such as one end of a
    /// [`Transport::memory`].
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
        self.context.clock.set(now);
        let Some(slot) = self.context.slots.vacant() else {
            return Err(io::Error::other("16.7 million connections are open already"));
        };
        let token = TokenKind::Connection(slot).token(self.number);
        let mut transport = transport.into();
        if let Some(registry) = &self.registry {
            transport.register(registry, token)?;
        }
        let id = self.context.connect(zone, connect);
        if let Some(connection) = self.context.slots.at_mut(id.slot()) {
            connection.transport = transport;
        }
        self.context.connecting.retain(|&other| other != id);
        if self.compose(id) {
            self.request_upgrade(id.slot());
        }
        Ok((token, id))
    }

    /// Begins what was asked for since the last turn, and goes on with what has been looked up.
    #[inline]
    pub(super) fn run_connects(&mut self) {
        if !self.context.connecting.is_empty() || self.resolver.is_some() {
            self.go_on_connecting();
        }
    }

    fn go_on_connecting(&mut self) {
        for id in std::mem::take(&mut self.context.connecting) {
            if self.compose(id) {
                self.look_up(id);
            }
        }
        while let Some(answer) = self.resolver.as_mut().and_then(Resolver::answer) {
            for id in answer.ids.into_iter().map(ConnId::from_bits) {
                match &answer.addresses {
                    Ok(addresses) => self.resolved(id, addresses),
                    // The exchange may have ended meanwhile, and its slot be another's.
                    Err(unresolved) if self.attempt(id).is_some() => {
                        self.failed(id.slot(), unresolved.as_str())
                    }
                    Err(_) => {}
                }
            }
        }
    }

    fn look_up(&mut self, id: ConnId) {
        let Some(host) = self.attempt(id).map(|attempt| attempt.opening.url().host().to_owned())
        else {
            return;
        };
        let remote = self.remote.clone();
        let resolver = self.resolver.get_or_insert_with(|| Resolver::new(move || remote.wake()));
        match resolver.resolve(id.to_bits(), &host) {
            Ok(Lookup::Known(addresses)) => self.resolved(id, &addresses),
            Ok(Lookup::Pending) => {}
            Err(unresolved) => self.failed(id.slot(), unresolved.as_str()),
        }
    }

    /// The attempt of an exchange, while it lasts.
    fn attempt(&mut self, id: ConnId) -> Option<&mut Attempt> {
        self.context.live(id).filter(|connection| connection.phase == Phase::Connecting)?;
        self.attempt_at(id.slot())
    }

    fn attempt_at(&mut self, slot: u32) -> Option<&mut Attempt> {
        match &mut self.context.slots.at_mut(slot)?.held.as_mut()?.exchange.as_mut()?.progress {
            Progress::Connecting(attempt) => Some(attempt),
            _ => None,
        }
    }

    fn resolved(&mut self, id: ConnId, addresses: &[std::net::IpAddr]) {
        let Some(attempt) = self.attempt(id) else { return };
        let port = attempt.opening.url().port();
        attempt.addresses =
            addresses.iter().map(|&address| SocketAddr::new(address, port)).collect();
        attempt.step = AttemptState::Connecting;
        self.try_next(id.slot(), "the name has no address");
    }

    /// Connects to the next address; with none left, the last failure is the attempt's.
    fn try_next(&mut self, slot: u32, failure: &str) {
        let Some(address) = self.attempt_at(slot).and_then(|attempt| attempt.addresses.pop_front())
        else {
            return self.failed(slot, failure);
        };
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
        if let Some(connection) = self.context.slots.at_mut(slot) {
            connection.transport = transport;
            // That was said of the address before.
            connection.flags.remove(Flags::READ_CLOSED);
        }
        Ok(())
    }

    /// Readiness of a socket that is not open yet.
    pub(super) fn opening_ready(&mut self, slot: u32, readiness: Readiness) {
        let Some(step) = self.attempt_at(slot).map(|attempt| attempt.step) else { return };
        if step == AttemptState::Connecting {
            let Some(connection) = self.context.slots.at(slot) else { return };
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

    /// Makes our half of the handshake. For one that may not be sent no name is looked up and no socket opened.
    fn compose(&mut self, id: ConnId) -> bool {
        let Some(attempt) = self.attempt(id) else { return false };
        let mut head = Vec::new();
        if let Err(unsendable) = attempt.opening.encode(&attempt.key, &mut head) {
            self.failed(id.slot(), unsendable.as_str());
            return false;
        }
        if let Some(exchange) = self.context.held(id.slot()).and_then(|held| held.exchange.as_mut())
        {
            exchange.head = head;
        }
        true
    }

    /// Sends our half of the handshake.
    fn request_upgrade(&mut self, slot: u32) {
        let Some(attempt) = self.attempt_at(slot) else { return };
        attempt.step = AttemptState::Asked;
        let exchange = self.context.held(slot).and_then(|held| held.exchange.as_ref());
        let Some(head) = exchange.map(|exchange| exchange.head.clone()) else { return };
        self.call_back(slot, |server| {
            if let Some(output) = server.context.output(slot) {
                output.push(Kind::Bytes, |own| own.extend_from_slice(&head));
            }
        });
    }

    /// Looks for a whole response head, and judges it (RFC 6455 section 4.1).
    pub(super) fn response(&mut self, slot: u32, input: &[u8]) -> Consumed {
        let Some(connection) = self.context.slots.at(slot) else {
            return Consumed::More(input.len());
        };
        let limits = self.context.options_of(connection).head;
        let scanned = connection.held.as_ref().map_or(0, |held| held.scanned);
        match scan_response(input, scanned, &limits) {
            Scan::Complete(len) => {
                self.scanned(slot, 0);
                self.accepted(slot, &input[..len], &limits);
                Consumed::More(len)
            }
            Scan::Partial(scanned) => {
                self.scanned(slot, scanned);
                Consumed::Stuck(0)
            }
            Scan::Refused(rejection) => {
                self.failed(slot, rejection.as_str());
                Consumed::More(input.len())
            }
        }
    }

    fn accepted(&mut self, slot: u32, head: &[u8], limits: &HeadLimits) {
        let Some(attempt) = self.attempt_at(slot) else { return };
        let mut slots = HeaderSlots::new();
        let checked = ResponseHead::parse(head, &mut slots, limits).and_then(|response| {
            match response.is_interim() {
                true => Ok(None),
                false => attempt
                    .opening
                    .check(&attempt.key, &response)
                    .map(|subprotocol| Some(subprotocol.map(str::to_owned))),
            }
        });
        match checked {
            Ok(None) => {} // the answer comes after it
            Ok(Some(subprotocol)) => {
                #[cfg(feature = "deflate")]
                if let Err(disagreement) = self.agreed_on_compression(slot, head, limits) {
                    return self.failed(slot, disagreement);
                }
                self.opened(slot, Accepted { subprotocol });
            }
            Err(rejection) => self.failed(slot, rejection.as_str()),
        }
    }

    /// What the server made of our offer (RFC 7692 section 7.1).
    #[cfg(feature = "deflate")]
    fn agreed_on_compression(
        &mut self,
        slot: u32,
        head: &[u8],
        limits: &HeadLimits,
    ) -> Result<(), &'static str> {
        let mut slots = HeaderSlots::new();
        let response = ResponseHead::parse(head, &mut slots, limits)
            .map_err(|rejection| rejection.as_str())?;
        let Some(connection) = self.context.slots.at_mut(slot) else { return Ok(()) };
        let config = &self.context.options[usize::from(connection.options)].deflate;
        let answers = response.header_values("sec-websocket-extensions");
        connection.deflate = crate::websocket::check_answer(answers, config)
            .map_err(|disagreement| disagreement.as_str())?;
        if connection.deflate.is_some() {
            connection.flags.insert(Flags::DEFLATES);
        }
        Ok(())
    }

    /// The handshake is done: the handler is shown our own request, and what the server agreed to.
    fn opened(&mut self, slot: u32, accepted: Accepted) {
        let Some(exchange) = self.context.held(slot).and_then(|held| held.exchange.take()) else {
            return;
        };
        let mut slots = HeaderSlots::new();
        let Ok(mut request) = Request::parse(&exchange.head, &mut slots, &OURS) else {
            return self.failed(slot, "a URL that is no request target");
        };
        request.extensions_mut().insert(accepted);
        self.context.enter(slot, Phase::WebSocket(State::Open));
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        connection.flags.insert(Flags::OPENED);
        if self.context.options[usize::from(connection.options)].chunks {
            connection.flags.insert(Flags::CHUNKS);
        }
        let (id, zone) = (connection.id, connection.zone);
        self.zones.handler(zone).open(&mut Conn { cx: &mut self.context, id }, &request);
    }

    /// The attempt's own deadline has come.
    pub(super) fn not_opened_in_time(&mut self, slot: u32) {
        self.context.slots.arm(slot, NEVER);
        self.failed(slot, "not open in time");
    }

    /// Nobody waits for the name any longer.
    pub(super) fn forget(&mut self, id: ConnId, attempt: &Attempt) {
        if let Some(resolver) = &mut self.resolver {
            resolver.forget(id.to_bits(), attempt.opening.url().host());
        }
    }

    /// The attempt has failed: the handler is told why by `close`.
    fn failed(&mut self, slot: u32, reason: &str) {
        self.context.record_close(slot, CloseCode::ABNORMAL, reason, false);
        self.context.mark_gone(slot);
    }
}
