//! One connection in a handler's hands: the context and a name. What it is told to do is done by the context.

use std::net::SocketAddr;
use std::time::Duration;

use super::clock::ticks;
use super::connection::{Connection, Flags};
use super::context::Context;
use super::exchange::{Framing, Progress};
use super::id::ConnId;
use super::outgoing::Outgoing;
use super::output::buffered;
use super::phase::Phase;
use super::segment::Kind;
use crate::http1;
use crate::websocket::{self, CloseCode, Message, Opcode, State};

/// One connection, while a callback runs.
///
/// Nothing here fails: what cannot be sent any more is not sent, and a broken connection is heard of through
/// [`Handler::close`](crate::Handler::close) only. Keep [`Conn::id`] to reach the connection later, through
/// [`Context::conn`].
///
/// ```
/// use switchboard::{Conn, Message};
///
/// fn on_message(conn: &mut Conn<'_>, message: Message<'_>) {
///     conn.send("you said:");
///     conn.send(message);
/// }
/// # let _ = on_message;
/// ```
pub struct Conn<'c> {
    pub(crate) cx: &'c mut Context,
    pub(crate) id: ConnId,
}

impl Conn<'_> {
    /// The exchange's name, which may be kept for ever.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// Everything else that a handler may touch.
    pub fn context(&mut self) -> &mut Context {
        self.cx
    }

    /// Sends a message: a frame to a WebSocket (RFC 6455 5.6), an event to an event stream. Whether it left at once or waits is told
    /// by [`buffered`](Conn::buffered).
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) {
        if self.cx.plain == self.id {
            // Taken apart here: copied whole, a message that was just made would stall the processor.
            let (opcode, payload) = match message.into().message {
                Message::Text(text) => (Opcode::Text, text.as_bytes()),
                Message::Binary(bytes) => (Opcode::Binary, bytes),
            };
            self.cx.send_plain(self.id.slot(), opcode, payload);
        } else {
            self.send_otherwise(&message.into());
        }
    }

    /// Apart, so that the code of the usual way lies together.
    #[inline(never)]
    fn send_otherwise(&mut self, outgoing: &Outgoing<'_>) {
        if self.connection().is_some() {
            self.cx.send_to(self.id.slot(), *outgoing);
        }
    }

    /// Sends one fragment of a message (RFC 6455 5.4): text or binary as the first one says, `is_final` with the last. Messages that are
    /// sent or published meanwhile wait until then; control frames do not.
    ///
    /// A message in text fragments is valid UTF-8 as a whole, since every `&str` is.
    pub fn send_fragment<'m>(&mut self, fragment: impl Into<Message<'m>>, is_final: bool) {
        let Some(Phase::WebSocket(State::Open)) =
            self.connection().map(|connection| connection.phase)
        else {
            return;
        };
        let slot = self.id.slot();
        let message = fragment.into();
        let key = self.cx.masking_key(slot);
        let Some(output) = self.cx.output(slot) else { return };
        let opcode = match message {
            _ if output.is_fragmented() => Opcode::Continuation,
            Message::Text(_) => Opcode::Text,
            Message::Binary(_) => Opcode::Binary,
        };
        output.push_fragment(is_final, |own| {
            websocket::encode(own, is_final, opcode, message.as_bytes(), key)
        });
        self.cx.enforce_bounds(slot);
    }

    /// Sends a ping with at most 125 bytes (RFC 6455 5.5.2); more are cut. Its answer counts as a sign of life, and is told
    /// to [`Handler::pong`](crate::Handler::pong).
    pub fn ping(&mut self, payload: &[u8]) {
        self.control(Opcode::Ping, payload);
    }

    pub(crate) fn control(&mut self, opcode: Opcode, payload: &[u8]) {
        let Some(Phase::WebSocket(State::Open)) =
            self.connection().map(|connection| connection.phase)
        else {
            return;
        };
        let slot = self.id.slot();
        let payload = &payload[..payload.len().min(125)];
        let corked = slot == self.cx.corked;
        if self.cx.plain == self.id {
            return self.cx.send_plain(slot, opcode, payload);
        }
        let key = self.cx.masking_key(slot);
        let Some(output) = self.cx.output(slot) else { return };
        if corked {
            // The cork leaves within the turn, so every ping is answered, each in its place.
            return output
                .push_now(Kind::Frames, |own| websocket::encode(own, true, opcode, payload, key));
        }
        let mut frame = Vec::with_capacity(127);
        websocket::encode(&mut frame, true, opcode, payload, key);
        output.push_control(opcode == Opcode::Pong, &frame);
        self.cx.enforce_bounds(slot);
    }

    /// Closes: a WebSocket by a Close frame (RFC 6455 7.1.2; a reason beyond 123 bytes is cut at a character), after what was sent before; an event
    /// stream or a takeover once its output has left. [`Handler::close`](crate::Handler::close) follows. A code that may not be on the wire is sent
    /// as 1000. On an HTTP exchange, closes the connection after the answer.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        let Some(connection) = self.connection() else { return };
        let phase = connection.phase;
        let slot = self.id.slot();
        match phase {
            Phase::WebSocket(State::Open) => {
                let code = if code.may_be_sent() { code } else { CloseCode::NORMAL };
                self.cx.push_close(slot, code, reason);
                self.cx.enter(slot, Phase::WebSocket(State::Closing));
            }
            Phase::Streaming | Phase::Taken => {
                self.cx.record_close(slot, code, reason, false);
                // What was said before has the time that the end of a response has.
                self.flag(Flags::LAST);
                self.cx.after_response(slot);
            }
            Phase::WebSocket(_) | Phase::Lingering => {}
            // Never opened, at the handler's own wish: that is what it is told.
            Phase::Connecting => {
                self.cx.record_close(slot, code, reason, false);
                self.cx.mark_gone(slot);
            }
            Phase::Head | Phase::Body | Phase::Deferred | Phase::Responding => {
                self.flag(Flags::LAST)
            }
        }
    }

    /// Bytes that wait because the peer has not taken what was sent before.
    pub fn buffered(&self) -> usize {
        let Some(connection) = self.connection() else { return 0 };
        let corked = if self.cx.corked == self.id.slot() {
            self.cx.run.len() + self.cx.cork.buffered()
        } else {
            0
        };
        let posted = if connection.flags.has(Flags::POSTED) { self.cx.posts.len() } else { 0 };
        buffered(connection) + posted + corked
    }

    /// Subscribes to a topic; twice is once. Only WebSockets and event streams can.
    pub fn subscribe(&mut self, topic: &str) {
        if self.connection().is_none_or(|connection| {
            !matches!(connection.phase, Phase::WebSocket(_) | Phase::Streaming)
        }) {
            return;
        }
        if let Some(connection) = self.cx.slots.at_mut(self.id.slot()) {
            self.cx.topics.join(topic, self.id.slot(), &mut connection.memberships);
        }
    }

    /// Unsubscribes from a topic.
    pub fn unsubscribe(&mut self, topic: &str) {
        if self.connection().is_none() {
            return;
        }
        if let Some(connection) = self.cx.slots.at_mut(self.id.slot()) {
            self.cx.topics.leave(topic, &mut connection.memberships);
        }
    }

    /// The topics that it is subscribed to, the latest first; they still stand in [`Handler::close`](crate::Handler::close).
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        // Not `connection()`: a peer that vanished is gone before its handler hears of it.
        let connection =
            self.cx.slots.at(self.id.slot()).filter(|connection| connection.id == self.id);
        connection.into_iter().flat_map(|connection| self.cx.topics.names(connection.memberships))
    }

    /// Publishes to a topic, to this connection as well if it is subscribed.
    pub fn publish<'m>(&mut self, topic: &str, message: impl Into<Outgoing<'m>>) {
        self.cx.publish(topic, message);
    }

    /// Publishes to everybody on a topic but this connection.
    pub fn publish_to_others<'m>(&mut self, topic: &str, message: impl Into<Outgoing<'m>>) {
        self.cx.publish_except(topic, message.into(), self.id.slot());
    }

    /// Asks for [`Handler::writable`](crate::Handler::writable) once everything sent so far has left; at once if it has.
    pub fn want_writable(&mut self) {
        let slot = self.id.slot();
        if self.connection().is_none() {
            return;
        }
        self.flag(Flags::WANT_WRITABLE);
        if self.buffered() == 0
            && let Some(connection) = self.cx.slots.at_mut(slot)
            && connection.flags.mark(Flags::WRITABLE)
        {
            self.cx.writable.push(slot);
        }
    }

    /// Has [`Handler::timeout`](crate::Handler::timeout) called once after `duration` (in steps of 250 ms, rounded up), unless set again or
    /// cleared with `None`. Costs some 16 bytes while set.
    pub fn set_timeout(&mut self, duration: Option<Duration>) {
        let slot = self.id.slot();
        if self.connection().is_none() {
            return;
        }
        match duration {
            None => self.cx.timeouts.clear(slot),
            Some(duration) => {
                let tick = self.cx.clock.deadline(ticks(duration));
                self.cx.timeouts.set(slot, tick);
            }
        }
    }

    /// The peer's address; `None` for Unix sockets and in-memory connections. Asks the kernel: it is not kept.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection()?.transport.peer_addr()
    }

    /// Writes a piece of a streamed body, or bytes of a taken-over connection.
    pub fn write(&mut self, bytes: &[u8]) {
        let slot = self.id.slot();
        let Some(connection) = self.cx.live(self.id) else { return };
        let phase = connection.phase;
        if phase == Phase::Taken {
            self.push_bytes(|own| own.extend_from_slice(bytes));
        } else if phase == Phase::Responding
            && let Some(held) = self.cx.held(slot)
            && let Some(exchange) = &mut held.exchange
            && let Progress::Stream(framing) = &mut exchange.progress
        {
            match framing {
                Framing::Chunked => self.push_bytes(|own| http1::encode_chunk(own, bytes)),
                Framing::Length(rest) => {
                    let n =
                        usize::try_from(*rest).map_or(bytes.len(), |rest| rest.min(bytes.len()));
                    *rest -= n as u64;
                    self.push_bytes(|own| own.extend_from_slice(&bytes[..n]));
                }
                Framing::UntilClose => self.push_bytes(|own| own.extend_from_slice(bytes)),
                Framing::Nothing => {}
            }
        }
    }

    fn push_bytes(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let slot = self.id.slot();
        if let Some(output) = self.cx.output(slot) {
            output.push(Kind::Bytes, write);
        }
        self.cx.enforce_bounds(slot);
    }

    /// Ends a streamed body.
    pub fn finish(&mut self) {
        let slot = self.id.slot();
        if self.connection().is_none_or(|connection| connection.phase != Phase::Responding) {
            return;
        }
        let Some(exchange) = self.cx.held(slot).and_then(|held| held.exchange.take()) else {
            return;
        };
        let Progress::Stream(framing) = exchange.progress else { return };
        match framing {
            Framing::Chunked => self.push_bytes(|own| own.extend_from_slice(http1::LAST_CHUNK)),
            Framing::UntilClose => self.flag(Flags::LAST),
            // Short of its length: only a broken connection tells the client.
            Framing::Length(rest) if rest > 0 => return self.cx.mark_gone(slot),
            Framing::Length(_) | Framing::Nothing => {}
        }
        self.cx.end_exchange(slot);
        self.cx.after_response(slot);
        self.cx.read_later(slot);
    }

    /// Gives a taken-over connection back to HTTP once `input` returns: the next request is read from it.
    pub fn release(&mut self) {
        if self.connection().is_some_and(|connection| connection.phase == Phase::Taken) {
            self.flag(Flags::RELEASED);
            self.cx.read_later(self.id.slot());
        }
    }

    fn flag(&mut self, flag: Flags) {
        if let Some(connection) = self.cx.slots.at_mut(self.id.slot()) {
            connection.flags.insert(flag);
        }
    }

    #[inline]
    fn connection(&self) -> Option<&Connection> {
        self.cx.live(self.id)
    }
}

impl std::fmt::Debug for Conn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.id.fmt(f)
    }
}
