//! The handshake of an attempt in the client role: our request, and the judgement of the response.
//! This file knows neither names nor sockets.

use super::input::Consumed;
use super::server::Server;
#[cfg(feature = "deflate")]
use crate::connection::Flags;
use crate::connection::{AttemptState, Cause, ConnId, Phase};
use crate::context::Accepted;
use crate::http1::{
    Extensions, HeadLimits, HeaderSlots, Request, ResponseHead, Scan, scan_response,
};
use crate::outbox::Kind;
use crate::websocket::State;

/// This program made the request: it is parsed again without limits.
const OURS: HeadLimits =
    HeadLimits { head: usize::MAX, headers: crate::http1::MAX_HEADERS, target: usize::MAX };

impl Server {
    /// Makes our half of the handshake. For one that may not be sent, no name is looked up and no
    /// socket opened.
    pub(super) fn compose(&mut self, id: ConnId) -> bool {
        let Some(attempt) = self.attempt(id) else { return false };
        let mut head = Vec::new();
        if let Err(unsendable) = attempt.handshake.encode(&attempt.key, &mut head) {
            self.failed(id.slot(), unsendable.as_str(), Cause::DialFailed);
            return false;
        }
        self.context.table.with(id.slot(), |at| {
            if let Some(exchange) = &mut at.held().exchange {
                exchange.head = head;
            }
        });
        true
    }

    /// Goes on once the socket is connected: asks the proxy for a tunnel, or the server.
    pub(super) fn connected(&mut self, slot: u32) {
        self.call_back(slot, |server| {
            let Some(attempt) = server.attempt_at(slot) else { return };
            let Some(proxy) = &attempt.proxy else { return server.speak_to_server(slot) };
            let mut head = Vec::new();
            proxy.encode(attempt.handshake.url(), &mut head);
            attempt.state = AttemptState::Tunnelling;
            server.send_head(slot, &head);
        });
    }

    /// Goes on once bytes reach the server itself: with TLS for a `wss` URL, else with the request.
    fn speak_to_server(&mut self, slot: u32) {
        #[cfg(feature = "tls")]
        if self.attempt_at(slot).is_some_and(|attempt| attempt.handshake.url().is_secure()) {
            return self.secure(slot);
        }
        self.request_upgrade(slot);
    }

    /// Sends our half of the handshake.
    pub(super) fn request_upgrade(&mut self, slot: u32) {
        let Some(attempt) = self.attempt_at(slot) else { return };
        attempt.state = AttemptState::Requested;
        let held = self.context.table.slots.at(slot).and_then(|at| at.held.as_ref());
        let head = held.and_then(|held| held.exchange.as_ref()).map(|exchange| &exchange.head);
        if let Some(head) = head.cloned() {
            self.send_head(slot, &head);
        }
    }

    fn send_head(&mut self, slot: u32, head: &[u8]) {
        if let Some((mut at, delivery)) = self.context.lease(slot) {
            let output = delivery.output(&mut at);
            output.push(Kind::Bytes, |own| own.extend_from_slice(head));
        }
    }

    /// Looks for a whole response head, and judges it (RFC 6455 4.1).
    pub(super) fn response(&mut self, slot: u32, input: &[u8]) -> Consumed {
        if self.attempt_at(slot).is_some_and(|attempt| attempt.declining.is_some()) {
            self.declined_body(slot, input);
            return Consumed::More(input.len());
        }
        let Some(at) = self.context.table.lease(slot) else { return Consumed::More(input.len()) };
        let limits = at.options().head;
        let scanned = at.connection.held.as_ref().map_or(0, |held| held.scanned);
        match scan_response(input, scanned, &limits) {
            Scan::Complete(len) => {
                self.set_scanned(slot, 0);
                self.judge(slot, &input[..len], &limits);
                if self.awaits_response(slot) {
                    return Consumed::More(len);
                }
                #[cfg(feature = "tls")]
                if len < input.len() && self.is_securing(slot) {
                    let reason = "bytes came before the handshake began";
                    self.insecure(slot, reason, Cause::TlsFault);
                }
                // What follows a redirection came from the last socket.
                Consumed::More(input.len())
            }
            Scan::Partial(scanned) => {
                self.set_scanned(slot, scanned);
                Consumed::Stuck(0)
            }
            Scan::Refused(error) => {
                self.failed(slot, error.as_str(), Cause::of_response(error));
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
            Err(error) => return self.failed(slot, error.as_str(), Cause::of_response(error)),
        };
        if attempt.state == AttemptState::Tunnelling {
            return match response.status().is_success() {
                true => self.speak_to_server(slot),
                false => self.decline(slot, &response, "the proxy opens no tunnel to the server"),
            };
        }
        if response.status().is_redirection() {
            return self.redirection(slot, &response);
        }
        let subprotocol = match attempt.handshake.check(&attempt.key, &response) {
            Ok(subprotocol) => subprotocol.map(str::to_owned),
            Err(error) => return self.decline(slot, &response, error.as_str()),
        };
        #[cfg(feature = "deflate")]
        if let Err(disagreement) = self.agreed_on_compression(slot, &response) {
            return self.decline(slot, &response, disagreement.as_str());
        }
        self.opened(slot, Accepted { subprotocol });
    }

    /// Whether an attempt, if the slot has one, has sent a request to its socket.
    pub(super) fn awaits_response(&mut self, slot: u32) -> bool {
        use AttemptState::{Requested, Tunnelling};
        self.attempt_at(slot).is_none_or(|attempt| matches!(attempt.state, Tunnelling | Requested))
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
            return self.failed(slot, "a URL that is no request target", Cause::DialFailed);
        };
        let mut extensions = Extensions::new();
        extensions.insert(accepted);
        let request = request.with_extensions(extensions);
        self.open(slot, Phase::WebSocket(State::Open), options, &request);
    }
}
