//! What follows a panic of a callback that the server caught: the record, and the end of the
//! exchange that the callback belongs to. This file calls no code of a program.

use std::any::Any;

use super::context::{Answer, Context};
use super::panics::message_of;
use crate::connection::{Cause, ConnId, Flags, Origin, Phase, Progress};
use crate::http1::{Extensions, Response};
use crate::websocket::CloseCode;

/// What the peer and `close` get to know.
const REASON: &str = "internal error";

/// Makes the answer to a request whose callback panicked.
pub(crate) fn panicked_response() -> Response {
    Response::text(REASON).with_status(500)
}

impl Context {
    /// Counts a panic, and records it for the observer. `id` names the exchange of the callback.
    #[cold]
    pub(crate) fn note_panic(
        &mut self,
        id: Option<ConnId>,
        callback: &'static str,
        payload: &(dyn Any + Send),
    ) {
        self.table.books.stats.panics += 1;
        let Context { table, addresses, .. } = self;
        let slot = id.map(ConnId::slot);
        let connection = slot.and_then(|slot| table.slots.at(slot));
        table.books.note(|records, _| {
            let known = slot.and_then(|slot| records.peer(slot));
            let peer = known.or_else(|| connection?.transport.peer_addr());
            let client = connection.and_then(|at| addresses.client(at.address));
            records.panicked(Origin::new(peer, client), callback, message_of(payload));
        });
    }

    /// Has panics caught and counted in the `Drop` of values that a request carries.
    pub(crate) fn contain(&self, extensions: &mut Extensions) {
        extensions.contain(&self.drop_panics);
    }

    /// Forgets what the callbacks of an exchange have planned, so that no callback but `close`
    /// follows: its timeout, its wish for `writable`, and its recorded answer.
    #[cold]
    pub(crate) fn forget_plans(&mut self, id: ConnId) {
        let slot = id.slot();
        let Some(at) = self.table.lease_live(id) else { return };
        at.connection.flags.remove(Flags::WANT_WRITABLE | Flags::WRITABLE | Flags::RELEASED);
        at.books.work.writable.slots().retain(|&other| other != slot);
        self.timeouts.clear(slot);
        self.work.answered.retain(|(other, _)| *other != id);
    }

    /// Ends an exchange after a panic: with 500 if the head of its answer has not been made, with
    /// Close 1011 (RFC 6455 7.4.1) on a WebSocket, else by the end of the connection. What was
    /// sent before still leaves.
    #[cold]
    pub(crate) fn end_panicked(&mut self, id: ConnId) {
        self.forget_plans(id);
        let slot = id.slot();
        let Some((mut at, delivery)) = self.lease(slot) else { return };
        if at.connection.id != id || at.is_gone() {
            return;
        }
        match at.connection.phase {
            Phase::WebSocket(_) => {
                delivery.fail(&mut at, (CloseCode::INTERNAL, REASON), Cause::Panic)
            }
            Phase::Streaming | Phase::Taken => {
                at.record_close(CloseCode::INTERNAL, REASON, false, Cause::Panic);
                at.linger(Cause::Panic);
            }
            Phase::Connecting => {
                at.record_close(CloseCode::INTERNAL, REASON, false, Cause::Panic);
                at.mark_gone(Cause::Panic);
            }
            Phase::Body | Phase::Deferred | Phase::Responding => self.end_request(id),
            // `close` or a response has ended the exchange, or none has begun.
            Phase::Idle | Phase::Head | Phase::Lingering | Phase::Arriving => {}
        }
    }

    /// Ends a request that waits for its body or its answer. A request whose callback replies keeps
    /// no exchange meanwhile: the reply is the end.
    fn end_request(&mut self, id: ConnId) {
        let Some(mut at) = self.table.lease(id.slot()) else { return };
        let Some(exchange) = &mut at.held().exchange else { return };
        match exchange.progress {
            Progress::Owed => self.work.answered.push((id, Answer::Respond(panicked_response()))),
            Progress::Body(_) => {
                exchange.progress = Progress::Owed;
                // The rest of the body follows, and no request.
                at.set_last(Cause::Panic);
                at.enter(Phase::Deferred);
                self.work.answered.push((id, Answer::Respond(panicked_response())));
            }
            Progress::Stream(_) | Progress::Discard(_) => {
                self.end_exchange(id.slot());
                self.table.with(id.slot(), |at| at.linger(Cause::Panic));
            }
            // No callback belongs to these.
            Progress::Polling(_) | Progress::Connecting(_) | Progress::Rival(_) => {}
        }
    }
}
