//! A response that does not open the WebSocket of an attempt: a redirection is followed, and any
//! other response goes to the handler with `close`. This file does not know what was wrong with the
//! response, or how a `Location` is resolved.

use std::mem;

use super::server::Server;
use crate::connection::{
    Attempt, AttemptState, Cause, CloseRecord, Declining, Flags, NEVER, ticks,
};
use crate::context::may_open;
use crate::http1::{ResponseError, ResponseHead};
use crate::net::Transport;
use crate::outbox::Outbox;
use crate::websocket::{CloseCode, Key, redirected};

/// The time that the body of a response may take, within the attempt's deadline.
const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(1);

impl Server {
    /// Follows a redirection, or ends the attempt with it.
    pub(super) fn redirection(&mut self, slot: u32, response: &ResponseHead<'_>) {
        if let Err(reason) = self.follow(slot, response) {
            self.decline(slot, response, reason);
        }
    }

    fn follow(&mut self, slot: u32, response: &ResponseHead<'_>) -> Result<(), &'static str> {
        let refused = ResponseError::Redirected.as_str();
        let key = Key::from_nonce(self.context.delivery.keys.nonce());
        let Some(attempt) = self.attempt_at(slot) else { return Err(refused) };
        let location = response.header("location");
        let is_one = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
        let (Some(left), Some(location)) = (attempt.redirects.filter(|_| is_one), location) else {
            return Err(refused);
        };
        let Some(left) = left.checked_sub(1) else { return Err("more than 5 redirections") };
        let url = redirected(attempt.handshake.url(), location)?;
        may_open(&url)?;
        attempt.redirects = Some(left);
        attempt.handshake.redirect(url);
        attempt.key = key;
        attempt.addresses.clear();
        attempt.state = AttemptState::Resolving;
        self.begin_anew(slot);
        Ok(())
    }

    /// Drops the socket, and has `flush` begin with the name of the new URL.
    fn begin_anew(&mut self, slot: u32) {
        let id = self.context.table.with(slot, |at| {
            let transport = &mut at.connection.transport;
            transport.close_notify(&mut at.books.traffic);
            drop(mem::replace(transport, Transport::Unconnected));
            at.books.stats.count_given_up(1);
            // All of them concerned the last socket.
            at.connection.flags.remove(
                Flags::BLOCKED
                    | Flags::ANSWERED
                    | Flags::READABLE
                    | Flags::READ_CLOSED
                    | Flags::SHUT,
            );
            at.held().outbox = Outbox::default();
            at.connection.id
        });
        self.context.work.connecting.extend(id);
    }

    /// Fails an attempt with the response that did not open it, once the body has arrived.
    pub(super) fn decline(&mut self, slot: u32, response: &ResponseHead<'_>, reason: &'static str) {
        let Some(attempt) = self.attempt_at(slot) else { return };
        attempt.declining = Some(Box::new(Declining::new(response, reason)));
        self.context.table.with(slot, |at| {
            let deadline = at.books.clock.deadline(ticks(BODY_TIME));
            at.set_deadline(deadline.min(at.connection.deadline));
        });
        self.declined_body(slot, &[]);
    }

    /// Takes bytes that follow the head of a response that does not open the WebSocket.
    pub(super) fn declined_body(&mut self, slot: u32, input: &[u8]) {
        let declining = self.attempt_at(slot).and_then(|attempt| attempt.declining.as_mut());
        let Some(declining) = declining else { return };
        declining.take(input);
        if declining.is_done() {
            let cause = declining.cause;
            self.context.table.with(slot, |at| at.mark_gone(cause));
        }
    }

    /// Ends an attempt at its own deadline, or at that of the body of its response.
    pub(super) fn not_opened_in_time(&mut self, slot: u32) {
        self.context.table.with(slot, |at| at.set_deadline(NEVER));
        #[cfg(feature = "tls")]
        if self.is_securing(slot) {
            let reason = "the handshake did not end in time";
            return self.insecure(slot, reason, Cause::HandshakeTimeout);
        }
        self.attempt_broken(slot, "not open in time", Cause::HandshakeTimeout);
    }

    /// Ends an attempt whose transport failed.
    #[cfg(not(feature = "tls"))]
    pub(super) fn attempt_error(&mut self, slot: u32, error: &std::io::Error) {
        self.attempt_broken(slot, &error.to_string(), Cause::Reset);
    }

    /// Ends an attempt whose connection has ended: with the response that did not open it, if its
    /// head has arrived, and else for this reason.
    pub(super) fn attempt_broken(&mut self, slot: u32, reason: &str, cause: Cause) {
        let declining = self.attempt_at(slot).and_then(|attempt| attempt.declining.as_ref());
        match declining.map(|declining| declining.cause) {
            // `flush` finds the response in the attempt.
            Some(cause) => {
                self.context.table.with(slot, |at| at.mark_gone(cause));
            }
            None => self.failed(slot, reason, cause),
        }
    }

    /// Records the response of an attempt that is over, unless its end has another reason.
    pub(super) fn record_declined(&mut self, slot: u32, attempt: &mut Attempt) {
        let Some(declining) = attempt.declining.take() else { return };
        let Declining { declined, reason, .. } = *declining;
        self.context.table.with(slot, |at| {
            at.held().close_record.get_or_insert_with(|| CloseRecord {
                code: CloseCode::ABNORMAL,
                reason: reason.into(),
                by_peer: false,
                declined: Some(Box::new(declined)),
            });
        });
    }
}
