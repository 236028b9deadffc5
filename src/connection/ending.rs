//! How an exchange or a connection comes to its end: what the peer is still told, what its handler will be, and when our side is ended. The
//! handlers are told, and the dead are freed, in `flush`.

use super::connection::{CloseRecord, Flags};
use super::context::Context;
use super::id::ConnId;
use super::phase::Phase;
use super::segment::Kind;
use crate::websocket::{self, CloseCode, Opcode, State};

impl Context {
    /// Fails a connection: its peer is told why, its handler will be, and it ends (RFC 6455 7.1.7).
    pub(crate) fn fail(&mut self, slot: u32, code: CloseCode, reason: &'static str) {
        let Some(connection) = self.slots.at(slot) else { return };
        if connection.phase == Phase::WebSocket(State::Open) {
            self.push_close(slot, code, reason);
        }
        self.record_close(slot, code, reason, false);
        self.linger(slot);
    }

    /// Queues a Close frame behind what was sent before it (RFC 6455 5.5.1).
    pub(crate) fn push_close(&mut self, slot: u32, code: CloseCode, reason: &str) {
        let key = self.masking_key(slot);
        if let Some(output) = self.output(slot) {
            let mut payload = [0; 125];
            let n = websocket::close_payload(code, reason, &mut payload);
            output.push_now(Kind::Frames, |own| {
                websocket::encode(own, true, Opcode::Close, &payload[..n], key)
            });
        }
    }

    /// Notes how an open exchange ended; its handler is told in `flush`. The first account stands, and of one that is gone without
    /// any there is nothing more to be said.
    pub(crate) fn record_close(&mut self, slot: u32, code: CloseCode, reason: &str, by_peer: bool) {
        let open = |flags: Flags| flags.has(Flags::OPENED) && !flags.has(Flags::GONE);
        if !self.slots.at(slot).is_some_and(|connection| open(connection.flags)) {
            return;
        }
        let Some(held) = self.held(slot) else { return };
        if held.close_record.is_none() {
            held.close_record = Some(CloseRecord { code, reason: reason.into(), by_peer });
        }
        if let Some(connection) = self.slots.at_mut(slot)
            && connection.flags.mark(Flags::ENDED)
        {
            self.ended.push(slot);
        }
    }

    /// A whole response is on its way: the next request may come, or this was the last.
    pub(crate) fn after_response(&mut self, slot: u32) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        if !connection.flags.has(Flags::LAST) {
            // No next request before the peer has taken this response.
            let phase =
                if connection.flags.has(Flags::BLOCKED) { Phase::Responding } else { Phase::Head };
            return self.enter(slot, phase);
        }
        if !connection.flags.has(Flags::BLOCKED) && connection.flags.mark(Flags::DIRTY) {
            self.dirty.push(slot);
        }
        self.enter(slot, Phase::Responding);
    }

    /// The exchange is over but for bytes on their way.
    pub(crate) fn linger(&mut self, slot: u32) {
        self.enter(slot, Phase::Lingering);
        // With nothing to be written, `offer` still ends our side.
        if let Some(connection) = self.slots.at_mut(slot)
            && !connection.flags.has(Flags::BLOCKED)
            && connection.flags.mark(Flags::DIRTY)
        {
            self.dirty.push(slot);
        }
    }

    /// The connection is over: `flush` frees it, and tells the handler of an open exchange that has no other end of an abnormal one.
    pub(crate) fn mark_gone(&mut self, slot: u32) {
        self.plain = ConnId::NOBODY;
        let Some(connection) = self.slots.at_mut(slot) else { return };
        connection.flags.insert(Flags::GONE);
        if connection.flags.mark(Flags::ENDED) {
            self.ended.push(slot);
        }
    }

    /// The last byte has left: the peer is told, and if it has nothing more to say either, that was all.
    pub(super) fn end_our_side(&mut self, slot: u32, unread: bool) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        // To close over unread input is to reset the connection, which may cost the peer what was written last.
        if connection.flags.has(Flags::READ_CLOSED)
            && !unread
            && !connection.flags.has(Flags::UNREAD)
        {
            return self.mark_gone(slot);
        }
        if connection.flags.mark(Flags::SHUT) {
            connection.transport.shutdown();
            self.read_later(slot);
        }
    }
}
