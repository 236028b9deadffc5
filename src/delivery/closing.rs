//! Close frames: for a connection that fails, and for a connection that closes in order (RFC 6455
//! section 7). This file does not know why a connection closes.

use super::delivery::Delivery;
use crate::connection::Lease;
use crate::outbox::Kind;
use crate::websocket::{self, Action, CloseCode, Input, Opcode};

impl Delivery {
    /// Fails a connection (RFC 6455 7.1.7): sends a Close frame, records the close, and ends the
    /// exchange.
    pub(crate) fn fail(&mut self, at: &mut Lease<'_>, code: CloseCode, reason: &'static str) {
        if at.apply(Input::Violation) == Action::Fail {
            self.push_close(at, code, reason);
        }
        at.record_close(code, reason, false);
        at.linger();
    }

    /// Queues a Close frame behind earlier output (RFC 6455 5.5.1).
    pub(crate) fn push_close(&mut self, at: &mut Lease<'_>, code: CloseCode, reason: &str) {
        let key = self.masking_key(at);
        let mut payload = [0; 125];
        let n = websocket::close_payload(code, reason, &mut payload);
        self.output(at).push_now(Kind::Frames, |own| {
            websocket::encode(own, true, Opcode::Close, &payload[..n], key);
        });
    }
}
