//! The way out: where output goes, how it is offered to the transport, and what follows when it has left, was refused
//! or cannot leave at all. It calls no handler: what one must hear of goes into a list.

use super::connection::{Connection, Flags};
use super::context::{Context, NOBODY};
use super::delivery::Frames;
use super::id::ConnId;
use super::outbox::Outbox;
use super::outgoing::Outgoing;
use super::phase::Phase;
use super::segment::Kind;
use super::writing::Written;
use crate::http1;
use crate::websocket::{self, State};

/// Corked output beyond this goes to the kernel without waiting for the end of the input.
pub(super) const CORKED_AT_MOST: usize = 128 << 10;
/// What the cork keeps of its memory between turns.
pub(super) const CORK_KEPT: usize = 2 << 20;

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
            self.cork.push(Kind::Frames, |own| own.extend_from_slice(self.run.as_bytes()));
            self.run.clear();
        }
        Some(&mut self.cork)
    }

    pub(super) fn outbox(&mut self, slot: u32) -> Option<&mut Outbox> {
        let answers = slot == self.driven;
        let connection = self.slots.at_mut(slot)?;
        if connection.flags.has(Flags::POSTED) {
            self.unpost(slot);
            return self.outbox(slot);
        }
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
                output.push(Kind::Bytes, |own| {
                    http1::event_stream::encode(own, outgoing.event, outgoing.id, data)
                });
            }
            _ => return,
        }
        self.enforce_bounds(slot);
    }

    /// The same where frames are masked or compressed.
    #[inline(never)]
    fn send_unusual(&mut self, slot: u32, outgoing: &Outgoing<'_>) {
        #[cfg(feature = "deflate")]
        if self.send_compressed(slot, outgoing) {
            return self.enforce_bounds(slot);
        }
        let (message, key) = (outgoing.message, self.masking_key(slot));
        let Some(output) = self.output(slot) else { return };
        output.push(Kind::Frames, |own| {
            websocket::encode(own, true, message.opcode(), message.as_bytes(), key)
        });
        self.enforce_bounds(slot);
    }

    /// After output was added: a cork that has grown leaves at once, an outbox beyond its limit meets its policy.
    #[inline]
    pub(crate) fn enforce_bounds(&mut self, slot: u32) {
        if slot == self.corked {
            if self.cork.buffered() < CORKED_AT_MOST {
                return;
            }
            self.flush_cork_and_go_on(slot);
        }
        self.police(slot);
    }

    /// If all of it left, the next output is corked again.
    #[inline(never)]
    pub(super) fn flush_cork_and_go_on(&mut self, slot: u32) {
        let more_input = self.more_input;
        self.flush_cork();
        self.begin_input(slot);
        self.more_input = more_input;
    }

    /// Begins a callback or a piece of input: output for this connection goes into the cork, unless earlier output waits.
    pub(crate) fn begin_input(&mut self, slot: u32) {
        self.driven = slot;
        self.more_input = false;
        let Some(connection) = self.slots.at(slot) else { return };
        let waits = connection.flags.has(Flags::POSTED)
            || connection
                .held
                .as_ref()
                .is_some_and(|held| !held.outbox.is_empty() || held.outbox.is_fragmented());
        self.corked = if waits { NOBODY } else { slot };
        // What went into the cork before comes before every frame of the run.
        let begun = !self.cork.is_empty() || self.cork.is_fragmented();
        self.plain = if !waits && !begun && self.may_be_plain(connection) {
            connection.id
        } else {
            ConnId::NOBODY
        };
    }

    /// Ends what `drive` began: the cork leaves in one write.
    #[inline]
    pub(crate) fn end_input(&mut self, slot: u32) {
        if self.corked == slot {
            self.flush_cork();
        }
        self.driven = NOBODY;
        self.tidy(slot);
    }

    /// Ends the cork: what it has leaves in one write.
    #[inline]
    fn flush_cork(&mut self) {
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
                self.mark_gone(slot);
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
            Ok(Written::Blocked { n }) => self.on_blocked(slot, n),
            Err(_) => self.mark_gone(slot),
        }
    }

    /// The transport took `n` bytes of what waits and no more.
    pub(super) fn on_blocked(&mut self, slot: u32, n: usize) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        connection.flags.insert(Flags::BLOCKED);
        if n > 0 && matches!(connection.phase, Phase::WebSocket(State::Open) | Phase::Streaming) {
            self.touch(slot);
        }
        self.blocked(slot);
    }

    /// What waits takes its place, and a response that waits for its reader has a deadline of its own.
    fn blocked(&mut self, slot: u32) {
        self.store_waiting(slot);
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
        if connection.flags.has(waited)
            || !matches!(connection.phase, Phase::WebSocket(_) | Phase::Head)
        {
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
}

/// Bytes that wait for a connection's peer.
pub(crate) fn buffered(connection: &Connection) -> usize {
    connection.held.as_ref().map_or(0, |held| held.outbox.buffered())
}
