//! One connection, as a handler sees it: the context and the name of one exchange. This file
//! decides in which phase a method has an effect. The code of the effects is in `delivery` and
//! `connection`.

use std::time::Duration;

use super::context::Context;
use crate::connection::{Cause, ConnId, Connection, Flags, Lease, Phase, Progress, ticks};
use crate::delivery::{AsOutgoing, Delivery, Outgoing};
use crate::history::MessageId;
use crate::http1::{self, Framing};
use crate::outbox::Kind;
use crate::websocket::{self, Action, CloseCode, Input, Message, Opcode, State};

/// One connection, while a callback runs.
///
/// No method fails. A method does nothing on a connection that cannot do it, and a broken
/// connection shows in [`Handler::close`](crate::Handler::close) or
/// [`Handler::cancelled`](crate::Handler::cancelled) only. Keep [`Conn::id`] to reach
/// the connection later, through [`Context::conn`].
///
/// | method | WebSocket | event stream | takeover | streamed response | other HTTP |
/// | --- | --- | --- | --- | --- | --- |
/// | [`send`] | one frame | one event, if text | - | - | - |
/// | [`send_fragment`], [`ping`] | one frame | - | - | - | - |
/// | [`write`] | - | - | bytes | a piece of the body | - |
/// | [`finish`] | - | - | - | ends the body | - |
/// | [`release`] | - | - | back to HTTP | - | - |
/// | [`subscribe`], [`subscribe_from`] | yes | yes | - | - | - |
/// | [`close`] | Close frame | end of stream | end | last response | last response |
/// | [`want_writable`] | yes | yes | yes | yes | - |
/// | [`set_timeout`] | yes | yes | yes | yes | until the answer |
///
/// [`send`]: Conn::send
/// [`send_fragment`]: Conn::send_fragment
/// [`ping`]: Conn::ping
/// [`write`]: Conn::write
/// [`finish`]: Conn::finish
/// [`release`]: Conn::release
/// [`subscribe`]: Conn::subscribe
/// [`subscribe_from`]: Conn::subscribe_from
/// [`close`]: Conn::close
/// [`want_writable`]: Conn::want_writable
/// [`set_timeout`]: Conn::set_timeout
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Conn, Message};
///
/// fn on_message(conn: &mut Conn<'_>, message: Message<'_>) {
///     conn.send("you sent:");
///     conn.send(message);
/// }
///
/// let mut world = World::new();
/// world.server.websocket("/", on_message);
/// let ada = world.websocket("/");
/// world.say(ada, "hello");
/// assert_eq!(world.hear(ada), ["you sent:", "hello"]);
/// ```
pub struct Conn<'c> {
    pub(crate) cx: &'c mut Context,
    pub(crate) id: ConnId,
}

impl Context {
    /// Returns a connection by the name of its exchange, while that exchange lasts.
    #[must_use]
    pub fn conn(&mut self, id: ConnId) -> Option<Conn<'_>> {
        self.table.live(id)?;
        Some(Conn { cx: self, id })
    }

    /// Sends a message to a WebSocket or an event stream. Nothing is sent to an exchange that has
    /// ended.
    pub fn send<'m>(&mut self, id: ConnId, message: impl Into<Outgoing<'m>>) {
        if let Some(mut conn) = self.conn(id) {
            conn.send(message);
        }
    }
}

impl Conn<'_> {
    /// Returns the name of the exchange. It may be kept for ever.
    #[must_use]
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// Returns everything else that a handler may touch.
    #[must_use]
    pub fn context(&mut self) -> &mut Context {
        self.cx
    }

    /// Sends a message: a frame to a WebSocket (RFC 6455 5.6), an event to an event stream.
    ///
    /// The message leaves at once or later; [`buffered`](Conn::buffered) returns the bytes that
    /// wait.
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) {
        if self.cx.table.books.lane.fast_path() == self.id {
            // The message is taken apart here: a copy of a message that was just made would stall
            // the processor.
            let (opcode, payload) = match message.into().message {
                Message::Text(text) => (Opcode::Text, text.as_bytes()),
                Message::Binary(bytes) => (Opcode::Binary, bytes),
            };
            let Context { table, delivery, .. } = &mut *self.cx;
            table.books.stats.messages_sent += 1;
            delivery.send_fast(table, self.id.slot(), opcode, payload);
        } else {
            self.send_otherwise(&message.into());
        }
    }

    /// Sends off the fast path. It stands apart, so that the code of the fast path lies together.
    #[inline(never)]
    fn send_otherwise(&mut self, outgoing: &Outgoing<'_>) {
        if let Some((mut at, delivery)) = self.lease() {
            delivery.send(&mut at, *outgoing);
        }
    }

    /// Sends one fragment of a message (RFC 6455 5.4). The first fragment decides whether the
    /// message is text or binary. Pass `is_final` with the last fragment. Messages that are sent or
    /// published meanwhile wait for the last fragment; control frames do not.
    ///
    /// Every `&str` is valid UTF-8, so a message in text fragments is valid as a whole.
    pub fn send_fragment<'m>(&mut self, fragment: impl Into<Message<'m>>, is_final: bool) {
        let Some((mut at, delivery)) = self.lease_websocket() else { return };
        at.books.stats.messages_sent += u64::from(is_final);
        let message = fragment.into();
        let key = delivery.masking_key(&at);
        let output = delivery.output(&mut at);
        let opcode = match message {
            _ if output.is_fragmented() => Opcode::Continuation,
            Message::Text(_) => Opcode::Text,
            Message::Binary(_) => Opcode::Binary,
        };
        output.push_fragment(is_final, |own| {
            websocket::encode(own, is_final, opcode, message.as_bytes(), key);
        });
        delivery.enforce_bounds(&mut at);
    }

    /// Sends a ping with at most 125 bytes (RFC 6455 5.5.2); a longer payload is cut. Any answer is
    /// a sign of life, and a pong is handed to [`Handler::pong`](crate::Handler::pong).
    pub fn ping(&mut self, payload: &[u8]) {
        self.send_control(Opcode::Ping, payload);
    }

    pub(crate) fn send_control(&mut self, opcode: Opcode, payload: &[u8]) {
        let payload = &payload[..payload.len().min(125)];
        if self.cx.table.books.lane.fast_path() == self.id {
            let Context { table, delivery, .. } = &mut *self.cx;
            return delivery.send_fast(table, self.id.slot(), opcode, payload);
        }
        let Some((mut at, delivery)) = self.lease_websocket() else { return };
        let key = delivery.masking_key(&at);
        if at.is_corked() {
            // The cork leaves within the turn, so each ping is answered, in its place.
            return delivery.output(&mut at).push_now(Kind::Frames, |own| {
                websocket::encode(own, true, opcode, payload, key);
            });
        }
        let mut frame = Vec::with_capacity(127);
        websocket::encode(&mut frame, true, opcode, payload, key);
        delivery.output(&mut at).push_control(opcode == Opcode::Pong, &frame);
        delivery.enforce_bounds(&mut at);
    }

    /// Closes the exchange. For the first two kinds,
    /// [`Handler::close`](crate::Handler::close) follows.
    ///
    /// - A WebSocket sends a Close frame behind earlier output (RFC 6455 7.1.2). A reason beyond
    ///   123 bytes is cut at a character. A code that may not be on the wire is sent as 1000.
    /// - An event stream or a takeover ends once its output has left.
    /// - An HTTP connection closes after the response.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        self.close_by(code, reason, Cause::Local);
    }

    /// Closes the exchange as [`close`](Conn::close) does, for another cause.
    pub(crate) fn close_by(&mut self, code: CloseCode, reason: &str, cause: Cause) {
        let Some((mut at, delivery)) = self.lease() else { return };
        match at.connection.phase {
            Phase::WebSocket(_) => {
                let code = if code.may_be_sent() { code } else { CloseCode::NORMAL };
                at.connection.flags.end_by(cause);
                if at.apply(Input::SendClose) == Action::SendClose {
                    delivery.push_close(&mut at, code, reason);
                }
            }
            Phase::Streaming | Phase::Taken => {
                at.record_close(code, reason, false, cause);
                // Earlier output has the time that the end of a response has.
                at.set_last(cause);
                at.after_response();
            }
            // No handler knows a connection that arrives.
            Phase::Lingering | Phase::Arriving => {}
            // The handler gave up its own attempt, and `close` reports the handler's own code.
            Phase::Connecting => {
                at.record_close(code, reason, false, cause);
                at.mark_gone(cause);
            }
            Phase::Idle | Phase::Head | Phase::Body | Phase::Deferred | Phase::Responding => {
                at.set_last(cause);
            }
        }
    }

    /// Returns the bytes that wait because the peer has not taken earlier output.
    #[must_use]
    pub fn buffered(&self) -> usize {
        let Some(connection) = self.connection() else { return 0 };
        self.cx.delivery.waiting_for(connection, &self.cx.table.books.lane)
    }

    /// Returns the topics that the connection is subscribed to, the latest first. In
    /// [`Handler::close`](crate::Handler::close) the list is still complete.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        // Not `connection()`: in `close`, a connection whose peer vanished is gone already.
        let connection = self.cx.table.slots.at(self.id.slot());
        let connection = connection.filter(|connection| connection.id == self.id);
        connection.into_iter().flat_map(|connection| self.cx.topics.names(connection.memberships))
    }

    /// Publishes to a topic, also to this connection if it is subscribed.
    pub fn publish<'m>(&mut self, topic: &str, message: impl Into<Outgoing<'m>>) {
        self.cx.publish(topic, message);
    }

    /// Publishes a message that contains its own id, as
    /// [`Context::publish_with`](Context::publish_with) does.
    pub fn publish_with<M: AsOutgoing>(
        &mut self,
        topic: &str,
        make: impl FnOnce(MessageId) -> M,
    ) -> MessageId {
        self.cx.publish_with(topic, make)
    }

    /// Publishes to all subscribers of a topic but this connection. A topic with
    /// [history](crate::Server::history) also keeps the message.
    pub fn publish_to_others<'m>(&mut self, topic: &str, message: impl Into<Outgoing<'m>>) {
        self.cx.publish_except(topic, message.into(), Some(self.id.slot()));
    }

    /// Asks for [`Handler::writable`](crate::Handler::writable) once all earlier output has left.
    /// If all has left already, the callback comes in this turn.
    pub fn want_writable(&mut self) {
        let waits = self.buffered() > 0;
        let Some((at, _)) = self.lease() else { return };
        at.connection.flags.insert(Flags::WANT_WRITABLE);
        if !waits {
            at.books.work.writable.push(at.connection);
        }
    }

    /// Has [`Handler::timeout`](crate::Handler::timeout) called once after `duration`, rounded up
    /// to steps of 250 ms. A later call moves the timeout, and `None` cancels it. A timeout takes
    /// some 16 bytes while set. The end of the exchange cancels it.
    pub fn set_timeout(&mut self, duration: Option<Duration>) {
        let slot = self.id.slot();
        if self.connection().is_none() {
            return;
        }
        match duration {
            None => self.cx.timeouts.clear(slot),
            Some(duration) => {
                let tick = self.cx.table.books.clock.deadline(ticks(duration));
                self.cx.timeouts.set(slot, tick);
            }
        }
    }

    /// Writes a piece of a streamed body, or bytes of a taken-over connection.
    pub fn write(&mut self, bytes: &[u8]) {
        let Some((mut at, delivery)) = self.lease() else { return };
        let framing = match at.connection.phase {
            Phase::Taken => Framing::UntilClose,
            Phase::Responding => match streamed(at.connection) {
                Some(framing) => take(framing, bytes.len()),
                None => return,
            },
            _ => return,
        };
        match framing {
            Framing::Chunked => push(delivery, &mut at, |own| http1::encode_chunk(own, bytes)),
            Framing::Length(n) => {
                push(delivery, &mut at, |own| own.extend_from_slice(&bytes[..n as usize]));
            }
            Framing::UntilClose => push(delivery, &mut at, |own| own.extend_from_slice(bytes)),
            Framing::None => {}
        }
    }

    /// Ends a streamed body. If the body is shorter than its declared length, the server
    /// drops the connection, so that the client notices.
    pub fn finish(&mut self) {
        let slot = self.id.slot();
        let Some((mut at, delivery)) = self.lease() else { return };
        if at.connection.phase != Phase::Responding {
            return;
        }
        let Some(&mut framing) = streamed(at.connection) else { return };
        at.held().exchange = None;
        match framing {
            Framing::Chunked => {
                push(delivery, &mut at, |own| own.extend_from_slice(http1::LAST_CHUNK));
            }
            Framing::UntilClose => at.connection.flags.insert(Flags::LAST),
            Framing::Length(rest) if rest > 0 => return at.mark_gone(Cause::Local),
            Framing::Length(_) | Framing::None => {}
        }
        self.cx.note_answer(slot);
        self.cx.end_exchange(slot);
        self.cx.table.with(slot, |at| {
            at.after_response();
            at.read_later();
        });
    }

    /// Gives a taken-over connection back to HTTP once `input` returns: the next request is read
    /// from it.
    pub fn release(&mut self) {
        if let Some((mut at, _)) = self.lease()
            && at.connection.phase == Phase::Taken
        {
            at.connection.flags.insert(Flags::RELEASED);
            at.read_later();
        }
    }

    #[inline]
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.cx.table.live(self.id)
    }

    #[inline]
    fn lease(&mut self) -> Option<(Lease<'_>, &mut Delivery)> {
        Some((self.cx.table.lease_live(self.id)?, &mut self.cx.delivery))
    }

    /// Lends the connection, if it is an open WebSocket.
    fn lease_websocket(&mut self) -> Option<(Lease<'_>, &mut Delivery)> {
        self.lease().filter(|(at, _)| at.connection.phase == Phase::WebSocket(State::Open))
    }
}

/// Returns how the streamed body of a connection is delimited, if it has one.
fn streamed(connection: &mut Connection) -> Option<&mut Framing> {
    match &mut connection.held.as_mut()?.exchange.as_mut()?.progress {
        Progress::Stream(framing) => Some(framing),
        _ => None,
    }
}

/// Takes a piece of `len` bytes off a streamed body, and returns the framing of the piece. A body
/// of declared length cuts the piece to the bytes that are left.
fn take(framing: &mut Framing, len: usize) -> Framing {
    match framing {
        Framing::Length(rest) => {
            let n = (*rest).min(len as u64);
            *rest -= n;
            Framing::Length(n)
        }
        other => *other,
    }
}

fn push(delivery: &mut Delivery, at: &mut Lease<'_>, write: impl FnOnce(&mut Vec<u8>)) {
    delivery.output(at).push(Kind::Bytes, write);
    delivery.enforce_bounds(at);
}

impl std::fmt::Debug for Conn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.id.fmt(f)
    }
}
