//! The way out: where output goes, how it is offered to the transport, and what follows when it has left, was refused
//! or cannot leave at all. It calls no handler: what one must hear of goes into a list.

use std::hash::BuildHasher;
use std::rc::Rc;

#[cfg(feature = "deflate")]
use super::compression::Compressed;
use super::connection::{Connection, Farewell, Flags};
use super::context::{Context, NOBODY};
use super::id::ConnId;
use super::outbox::{Drop, Kind, Outbox, Shared, Written};
use super::outgoing::Outgoing;
use super::phase::Phase;
use crate::http1;
use crate::websocket::{self, CloseCode, Opcode, State};

/// Corked output beyond this goes to the kernel without waiting for the end of the input.
pub(super) const CORKED_AT_MOST: usize = 128 << 10;
/// What the cork keeps of its memory between turns.
pub(super) const CORK_KEPT: usize = 2 << 20;

/// A message in the forms that receivers may want, each encoded at most once.
pub(crate) struct Frames<'m> {
    outgoing: Outgoing<'m>,
    key: u64,
    websocket: Option<Shared>,
    #[cfg(feature = "deflate")]
    compressed: Compressed,
    event: Option<Shared>,
}

impl<'m> Frames<'m> {
    pub(crate) fn new(outgoing: Outgoing<'m>, key: u64) -> Frames<'m> {
        Frames {
            outgoing,
            key,
            websocket: None,
            #[cfg(feature = "deflate")]
            compressed: Compressed::new(),
            event: None,
        }
    }

    /// The form for a phase; `None` where nothing may be sent, or not this.
    fn of(&mut self, phase: Phase) -> Option<&Shared> {
        let outgoing = self.outgoing;
        match phase {
            Phase::WebSocket(State::Open) => Some(self.websocket.get_or_insert_with(|| {
                let mut frame = Vec::new();
                websocket::encode_message(&mut frame, outgoing.message);
                Rc::new(frame)
            })),
            Phase::Streaming => {
                let websocket::Message::Text(data) = outgoing.message else { return None };
                Some(self.event.get_or_insert_with(|| {
                    let mut event = Vec::new();
                    http1::event_stream::encode(&mut event, outgoing.event, outgoing.id, data);
                    Rc::new(event)
                }))
            }
            _ => None,
        }
    }
}

impl Context {
    /// Where output for a connection goes now: into the cork while its input is being handled, else into its outbox.
    #[inline]
    pub(crate) fn output(&mut self, slot: u32) -> Option<&mut Outbox> {
        if slot != self.corked {
            return self.outbox(slot);
        }
        // What is not a frame in the run goes behind those that are, and so does all that follows.
        self.plain = ConnId::NOBODY;
        if !self.run.is_empty() {
            self.cork.push(Kind::Frames, |own| own.append(&mut self.run));
        }
        Some(&mut self.cork)
    }

    fn outbox(&mut self, slot: u32) -> Option<&mut Outbox> {
        let answers = slot == self.driven;
        let connection = self.slots.at_mut(slot)?;
        if answers {
            connection.flags.insert(Flags::ANSWERED);
        }
        if !connection.flags.has(Flags::BLOCKED) && connection.flags.mark(Flags::DIRTY) {
            self.dirty.push(slot);
        }
        self.held(slot).map(|held| &mut held.outbox)
    }

    /// Sends one message to one connection, whose exchange is known to last.
    #[inline]
    pub(crate) fn send_to(&mut self, slot: u32, outgoing: Outgoing<'_>) {
        let Some(connection) = self.slots.at(slot) else { return };
        if self.stands_alone(connection, outgoing.key.is_some()) {
            let key = outgoing.key.map_or(0, |key| self.key(key));
            return self.deliver(slot, &mut Frames::new(outgoing, key));
        }
        match connection.phase {
            Phase::WebSocket(State::Open) => {
                if connection.flags.has(Flags::UNUSUAL) {
                    return self.send_unusual(slot, &outgoing);
                }
                let Some(output) = self.output(slot) else { return };
                output.push(Kind::Frames, |own| websocket::encode_message(own, outgoing.message));
            }
            Phase::Streaming => {
                let websocket::Message::Text(data) = outgoing.message else { return };
                let Some(output) = self.output(slot) else { return };
                output.push(Kind::Bytes, |own| http1::event_stream::encode(own, outgoing.event, outgoing.id, data));
            }
            _ => return,
        }
        self.bound(slot);
    }

    /// The same where frames are masked or compressed.
    #[inline(never)]
    fn send_unusual(&mut self, slot: u32, outgoing: &Outgoing<'_>) {
        #[cfg(feature = "deflate")]
        if self.send_compressed(slot, outgoing) {
            return self.bound(slot);
        }
        let (message, key) = (outgoing.message, self.masking_key(slot));
        let Some(output) = self.output(slot) else { return };
        output.push(Kind::Frames, |own| websocket::encode(own, true, message.opcode(), message.as_bytes(), key));
        self.bound(slot);
    }

    /// Sends a message that goes to many.
    pub(crate) fn deliver(&mut self, slot: u32, frames: &mut Frames<'_>) {
        #[cfg(feature = "deflate")]
        if let Some((frame, drop)) = self.compressed_for(slot, frames) {
            return self.push_frame(slot, frame, Kind::Frames, drop, frames.key);
        }
        let Some(connection) = self.slots.at(slot) else { return };
        let drop = Drop::Message { key: frames.key };
        let Some(frame) = frames.of(connection.phase) else { return };
        let kind = if connection.phase == Phase::Streaming { Kind::Bytes } else { Kind::Frames };
        let frame = match connection.flags.has(Flags::CLIENT) {
            false => Rc::clone(frame),
            // A client masks every frame by a key of its own: nothing can be shared.
            true => {
                let mut own = Vec::new();
                let message = frames.outgoing.message;
                websocket::encode(&mut own, true, message.opcode(), message.as_bytes(), self.masking_key(slot));
                Rc::new(own)
            }
        };
        self.push_frame(slot, frame, kind, drop, frames.key);
    }

    /// A compressed frame for one of several receivers, if it is to have one. With context takeover it is in the window that later ones
    /// refer to, so it cannot be dropped any more.
    #[cfg(feature = "deflate")]
    fn compressed_for(&mut self, slot: u32, frames: &mut Frames<'_>) -> Option<(Shared, Drop)> {
        let connection = self.slots.at(slot).filter(|connection| connection.phase == Phase::WebSocket(State::Open))?;
        let drop = match connection.deflate?.our_takeover() {
            true => Drop::Never,
            false => Drop::Message { key: frames.key },
        };
        let frame = self.compressed_frame(slot, &frames.outgoing, &mut frames.compressed)?;
        Some((frame, drop))
    }

    fn push_frame(&mut self, slot: u32, frame: Shared, kind: Kind, drop: Drop, key: u64) {
        if self.is_plain(slot) {
            return self.write_plain(slot, |run| run.extend_from_slice(&frame));
        }
        let Some(connection) = self.slots.at(slot) else { return };
        let in_a_run = slot == self.corked && !self.stands_alone(connection, key != 0);
        let Some(output) = self.output(slot) else { return };
        match in_a_run {
            true => output.push(kind, |own| own.extend_from_slice(&frame)),
            false => output.push_shared(frame, drop),
        }
        self.bound(slot);
    }

    /// After output was added: a cork that has grown leaves at once, an outbox beyond its limit meets its policy.
    #[inline]
    pub(crate) fn bound(&mut self, slot: u32) {
        if slot == self.corked {
            if self.cork.buffered() < CORKED_AT_MOST {
                return;
            }
            self.uncork_and_go_on(slot);
        }
        self.police(slot);
    }

    /// If all of it left, the next output is corked again.
    #[inline(never)]
    pub(super) fn uncork_and_go_on(&mut self, slot: u32) {
        let more_input = self.more_input;
        self.uncork();
        self.drive(slot);
        self.more_input = more_input;
    }

    /// A key or topic as a number that waits with a message.
    pub(crate) fn key(&self, key: &str) -> u64 {
        self.hasher.hash_one(key).max(1)
    }

    /// Fails a connection: its peer is told why, its handler will be, and it ends (RFC 6455 7.1.7).
    pub(crate) fn fail(&mut self, slot: u32, code: CloseCode, reason: &'static str) {
        let Some(connection) = self.slots.at(slot) else { return };
        if connection.phase == Phase::WebSocket(State::Open) {
            self.push_close(slot, code, reason);
        }
        self.farewell(slot, code, reason, false);
        self.linger(slot);
    }

    /// Queues a Close frame behind what was sent before it (RFC 6455 5.5.1).
    pub(crate) fn push_close(&mut self, slot: u32, code: CloseCode, reason: &str) {
        let key = self.masking_key(slot);
        if let Some(output) = self.output(slot) {
            let mut payload = [0; 125];
            let n = websocket::close_payload(code, reason, &mut payload);
            output.push_now(Kind::Frames, |own| websocket::encode(own, true, Opcode::Close, &payload[..n], key));
        }
    }

    /// Notes how an open exchange ended; its handler is told in `flush`. The first account stands.
    pub(crate) fn farewell(&mut self, slot: u32, code: CloseCode, reason: &str, by_peer: bool) {
        if !self.slots.at(slot).is_some_and(|connection| connection.flags.has(Flags::OPENED)) {
            return;
        }
        let Some(held) = self.held(slot) else { return };
        if held.farewell.is_none() {
            held.farewell = Some(Farewell { code, reason: reason.into(), by_peer });
        }
        self.list_ended(slot);
    }

    /// A whole response is on its way: the next request may come, or this was the last.
    pub(crate) fn after_response(&mut self, slot: u32) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        if !connection.flags.has(Flags::LAST) {
            // No next request before the peer has taken this response.
            let phase = if connection.flags.has(Flags::BLOCKED) { Phase::Responding } else { Phase::Head };
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

    /// The connection is over: `flush` frees it.
    pub(crate) fn gone(&mut self, slot: u32) {
        self.plain = ConnId::NOBODY;
        self.farewell(slot, CloseCode::ABNORMAL, "", false);
        if let Some(connection) = self.slots.at_mut(slot) {
            connection.flags.insert(Flags::GONE);
        }
        self.list_ended(slot);
    }

    fn list_ended(&mut self, slot: u32) {
        if let Some(connection) = self.slots.at_mut(slot)
            && connection.flags.mark(Flags::ENDED)
        {
            self.ended.push(slot);
        }
    }

    /// Begins a callback or a piece of input: output for this connection goes into the cork, unless earlier output waits.
    pub(crate) fn drive(&mut self, slot: u32) {
        self.driven = slot;
        self.more_input = false;
        let Some(connection) = self.slots.at(slot) else { return };
        let waits = connection.held.as_ref().is_some_and(|held| !held.outbox.is_empty() || held.outbox.is_fragmented());
        self.corked = if waits { NOBODY } else { slot };
        // What went into the cork before comes before every frame of the run.
        let begun = !self.cork.is_empty() || self.cork.is_fragmented();
        self.plain = if !waits && !begun && self.may_be_plain(connection) { connection.id } else { ConnId::NOBODY };
    }

    /// Ends what `drive` began: the cork leaves in one write.
    #[inline]
    pub(crate) fn rest(&mut self, slot: u32) {
        if self.corked == slot {
            self.uncork();
        }
        self.driven = NOBODY;
        self.tidy(slot);
    }

    /// Ends the cork: what it has leaves in one write.
    #[inline]
    fn uncork(&mut self) {
        let slot = self.end_cork();
        match self.cork.is_empty() && !self.cork.is_fragmented() {
            true => self.write_run(slot),
            false => self.write_cork(slot),
        }
    }

    /// What the transport refuses goes into the connection's outbox.
    #[inline(never)]
    fn write_cork(&mut self, slot: u32) {
        debug_assert!(self.run.is_empty(), "output() puts the run before what follows");
        let Some(connection) = self.slots.at_mut(slot) else { return };
        if connection.flags.has(Flags::GONE) {
            self.cork = Outbox::default();
            return;
        }
        match self.cork.write_to(&mut connection.transport, &mut self.scratch) {
            Ok(Written::Drained) => {
                self.cork.shrink(CORK_KEPT);
                let fragmented = self.cork.is_fragmented();
                if fragmented {
                    self.swap_cork(slot);
                }
                self.drained(slot);
                if fragmented {
                    self.police(slot);
                }
            }
            Ok(Written::Blocked { .. }) => self.refused(slot),
            Err(_) => {
                self.cork = Outbox::default();
                self.gone(slot);
            }
        }
    }

    /// Nobody's output is corked from here on. Returns whose it was.
    pub(super) fn end_cork(&mut self) -> u32 {
        self.plain = ConnId::NOBODY;
        std::mem::replace(&mut self.corked, NOBODY)
    }

    /// The transport is full: what the cork still has is to wait.
    #[cold]
    pub(super) fn refused(&mut self, slot: u32) {
        if let Some(connection) = self.slots.at_mut(slot) {
            connection.flags.insert(Flags::BLOCKED | Flags::ANSWERED);
        }
        self.swap_cork(slot);
        self.blocked(slot);
        self.police(slot);
    }

    /// What the cork still has is the connection's from here on.
    fn swap_cork(&mut self, slot: u32) {
        let mut cork = std::mem::take(&mut self.cork);
        if let Some(connection) = self.slots.at(slot)
            && self.options_of(connection).backpressure.drops()
        {
            cork.take_apart(connection.takes_over());
        }
        if let Some(held) = self.held(slot) {
            self.cork = std::mem::replace(&mut held.outbox, cork);
        }
    }

    /// Offers a connection's outbox to its transport.
    pub(crate) fn offer(&mut self, slot: u32) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        if connection.flags.has(Flags::GONE) {
            return;
        }
        let Some(held) = &mut connection.held else { return self.drained(slot) };
        match held.outbox.write_to(&mut connection.transport, &mut self.scratch) {
            Ok(Written::Drained) => self.drained(slot),
            Ok(Written::Blocked { n }) => {
                connection.flags.insert(Flags::BLOCKED);
                if n > 0 && matches!(connection.phase, Phase::WebSocket(State::Open) | Phase::Streaming) {
                    self.touch(slot);
                }
                self.blocked(slot);
            }
            Err(_) => self.gone(slot),
        }
    }

    /// What waits takes its place, and a response that waits for its reader has a deadline of its own.
    fn blocked(&mut self, slot: u32) {
        self.settle(slot);
        if self.slots.at(slot).is_some_and(|connection| connection.phase == Phase::Head) {
            self.enter(slot, Phase::Responding);
            if let Some(held) = self.held(slot) {
                held.outbox.progress();
            }
        }
    }

    /// Everything has left.
    #[inline]
    pub(super) fn drained(&mut self, slot: u32) {
        let Some(connection) = self.slots.at(slot) else { return };
        let waited = Flags::BLOCKED | Flags::ANSWERED | Flags::WANT_WRITABLE | Flags::READABLE;
        if connection.flags.has(waited) || !matches!(connection.phase, Phase::WebSocket(_) | Phase::Head) {
            self.go_on(slot);
        }
    }

    /// What could not go on before its output had left.
    fn go_on(&mut self, slot: u32) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        let wanted = connection.flags.has(Flags::WANT_WRITABLE | Flags::BLOCKED);
        let unread = connection.flags.has(Flags::READABLE | Flags::ANSWERED);
        connection.flags.remove(Flags::BLOCKED | Flags::ANSWERED | Flags::READABLE);
        let streamed = connection.held.as_ref().is_some_and(|held| held.exchange.is_some());
        if wanted && connection.flags.mark(Flags::WRITABLE) {
            self.writable.push(slot);
        }
        match connection.phase {
            Phase::Responding if streamed => {}
            Phase::Responding if connection.flags.has(Flags::LAST) => {
                self.enter(slot, Phase::Lingering);
                self.end_our_side(slot, unread);
            }
            Phase::Responding => {
                self.enter(slot, Phase::Head);
                self.read_later(slot);
            }
            Phase::Lingering => self.end_our_side(slot, unread),
            _ if unread => self.read_later(slot),
            _ => {}
        }
    }

    /// The last byte has left: the peer is told, and if it has nothing more to say either, that was all.
    fn end_our_side(&mut self, slot: u32, unread: bool) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        // To close over unread input is to reset the connection, which may cost the peer what was written last.
        if connection.flags.has(Flags::READ_CLOSED) && !unread && !connection.flags.has(Flags::UNREAD) {
            return self.gone(slot);
        }
        if connection.flags.mark(Flags::SHUT) {
            connection.transport.shutdown();
            self.read_later(slot);
        }
    }
}

/// Bytes that wait for a connection's peer.
pub(crate) fn buffered(connection: &Connection) -> usize {
    connection.held.as_ref().map_or(0, |held| held.outbox.buffered())
}
