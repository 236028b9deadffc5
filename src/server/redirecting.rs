//! Redirections of an attempt in the client role: the same request, at another URL. This file does
//! not know how a `Location` is resolved.

use std::mem;

use super::server::Server;
use crate::connection::{AttemptState, Flags};
use crate::context::NEEDS_TLS;
use crate::http1::{ResponseError, ResponseHead};
use crate::net::Transport;
use crate::outbox::Outbox;
use crate::websocket::{Key, redirected};

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
        if url.is_secure() {
            return Err(NEEDS_TLS);
        }
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
            drop(mem::replace(transport, Transport::Unconnected));
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
}
