//! The path of one connection's output, Close frames included: into the cork while the connection's
//! input is handled, else into its outbox. From there the output goes to the transport. This file
//! does not know why a connection closes.

use std::io;
use std::mem;

use super::broadcast::EncodedOnce;
use super::delivery::Delivery;
use super::frame_buf::{CORK_KEPT, MAX_CORKED};
use super::outgoing::Outgoing;
use crate::connection::{Cause, Flags, Lease, Phase, Table};
use crate::http1;
use crate::net::Wrote;
use crate::outbox::{Kind, Outbox};
use crate::websocket::{self, Action, CloseCode, Input, Message, Opcode, State};

/// The most bytes of waiting messages that one offer deflates, but for the last message.
const DEFLATED: usize = 64 << 10;

impl Delivery {
    /// Returns where output for a connection goes now: the cork while its input is being handled,
    /// else its outbox.
    #[inline]
    pub(crate) fn output<'a>(&'a mut self, at: &'a mut Lease<'_>) -> &'a mut Outbox {
        if !at.is_corked() {
            return self.outbox(at);
        }
        // This output, and all that follows, goes behind the frames of the fast path.
        at.books.lane.leave_fast_path();
        if !self.frame_buf.is_empty() {
            self.cork.push(Kind::Frames, |own| own.extend_from_slice(self.frame_buf.as_bytes()));
            self.frame_buf.clear();
        }
        &mut self.cork
    }

    pub(super) fn outbox<'a>(&mut self, at: &'a mut Lease<'_>) -> &'a mut Outbox {
        if at.connection.flags.has(Flags::POSTED) {
            self.move_posted(at);
        }
        at.offer_later();
        if at.is_driven() {
            at.connection.flags.insert(Flags::ANSWERED);
        }
        &mut at.held().outbox
    }

    /// Sends one message to one connection.
    #[inline]
    pub(crate) fn send(&mut self, at: &mut Lease<'_>, outgoing: Outgoing<'_>) {
        if self.stands_alone(at, outgoing.key.is_some()) {
            let key = outgoing.key.map_or(0, |key| self.number_of(key));
            return self.deliver(at, &mut EncodedOnce::new(outgoing, key));
        }
        match (at.connection.phase, outgoing.message) {
            (Phase::WebSocket(State::Open), message) => {
                at.books.stats.messages_sent += 1;
                if at.connection.flags.any(Flags::UNUSUAL) {
                    return self.send_unusual(at, &outgoing);
                }
                let output = self.output(at);
                output.push(Kind::Frames, |own| websocket::encode_message(own, message));
            }
            (Phase::Streaming, Message::Text(data)) => {
                at.books.stats.messages_sent += 1;
                self.output(at).push(Kind::Bytes, |own| {
                    http1::event_stream::encode(own, outgoing.event, outgoing.id, data);
                });
            }
            _ => return,
        }
        self.enforce_bounds(at);
    }

    /// Sends a message in a frame that is masked or compressed.
    #[inline(never)]
    fn send_unusual(&mut self, at: &mut Lease<'_>, outgoing: &Outgoing<'_>) {
        #[cfg(feature = "deflate")]
        if self.send_compressed(at, outgoing) {
            return self.enforce_bounds(at);
        }
        let (message, key) = (outgoing.message, self.masking_key(at));
        self.output(at).push(Kind::Frames, |own| {
            websocket::encode(own, true, message.opcode(), message.as_bytes(), key);
        });
        self.enforce_bounds(at);
    }

    /// Fails a connection (RFC 6455 7.1.7): sends a Close frame, records the close, and ends the
    /// exchange.
    pub(crate) fn fail(
        &mut self,
        at: &mut Lease<'_>,
        (code, reason): (CloseCode, &'static str),
        cause: Cause,
    ) {
        if at.apply(Input::Violation) == Action::Fail {
            self.push_close(at, code, reason);
            if at.books.records.is_some() {
                at.note_violation(code, reason);
            }
        }
        at.record_close(code, reason, false, cause);
        at.linger(cause);
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

    /// Enforces the bounds after output was added: a grown cork leaves at once, and an outbox
    /// beyond its limit meets its policy.
    #[inline]
    pub(crate) fn enforce_bounds(&mut self, at: &mut Lease<'_>) {
        if at.is_corked() {
            if self.cork.buffered() < MAX_CORKED {
                return;
            }
            self.flush_cork_and_go_on(at);
        }
        self.police(at);
    }

    /// Flushes the cork in the middle of the input. If all of it left, later output is corked
    /// again.
    #[inline(never)]
    pub(super) fn flush_cork_and_go_on(&mut self, at: &mut Lease<'_>) {
        let more_input = self.more_input;
        self.flush_cork(at);
        self.begin_input(at);
        self.more_input = more_input;
    }

    /// Begins a callback or a piece of input: output for this connection goes into the cork, unless
    /// earlier output waits.
    pub(crate) fn begin_input(&mut self, at: &mut Lease<'_>) {
        self.more_input = false;
        let connection = &*at.connection;
        let waits = connection.flags.has(Flags::POSTED)
            || connection
                .held
                .as_ref()
                .is_some_and(|held| !held.outbox.is_empty() || held.outbox.is_fragmented());
        // Bytes in the cork precede every frame of the fast path.
        let begun = !self.cork.is_empty() || self.cork.is_fragmented();
        let fast_path = !waits && !begun && at.allows_fast_path();
        at.books.lane.begin(connection.id, !waits, fast_path);
    }

    /// Ends what `begin_input` began: the cork leaves in one write.
    #[inline]
    pub(crate) fn end_input(&mut self, table: &mut Table, slot: u32) {
        if let Some(mut at) = table.lease(slot) {
            if at.is_corked() {
                self.flush_cork(&mut at);
            }
            at.tidy();
        }
        table.books.lane.end();
    }

    /// Writes the cork, and ends it.
    #[inline]
    fn flush_cork(&mut self, at: &mut Lease<'_>) {
        at.books.lane.end_cork();
        match self.cork.is_empty() && !self.cork.is_fragmented() {
            true => self.write_frame_buf(at),
            false => self.write_cork(at),
        }
    }

    #[inline(never)]
    fn write_cork(&mut self, at: &mut Lease<'_>) {
        debug_assert!(self.frame_buf.is_empty(), "output() moves these frames into the cork");
        if at.is_gone() {
            self.cork = Outbox::default();
            return;
        }
        let before = self.cork.written();
        let outcome = self.write_cork_once(at);
        if at.books.records.is_some() {
            at.note_left(self.cork.written() - before);
        }
        let drained = matches!(outcome, Ok(Wrote::All));
        match outcome {
            Ok(Wrote::All) => self.cork.shrink(CORK_KEPT),
            Ok(_) => {}
            Err(_) => self.cork = Outbox::default(),
        }
        at.after_write(outcome, |at, _| self.keep_cork(at));
        // What a fragmented message holds back waits in the outbox.
        if drained && self.cork.is_fragmented() {
            self.swap_cork(at);
            self.police(at);
        }
    }

    /// Moves what the transport refused of the cork into the outbox.
    #[cold]
    pub(super) fn keep_cork(&mut self, at: &mut Lease<'_>) {
        at.connection.flags.insert(Flags::ANSWERED);
        self.swap_cork(at);
        at.on_blocked(0);
        self.police(at);
    }

    /// Exchanges the cork with the connection's outbox.
    fn swap_cork(&mut self, at: &mut Lease<'_>) {
        let mut cork = mem::take(&mut self.cork);
        if at.options().backpressure.drops() {
            cork.take_apart(at.connection.takes_over());
        }
        self.cork = mem::replace(&mut at.held().outbox, cork);
    }

    /// Offers a connection's outbox to its transport. The rest of one that takes much compression
    /// is offered in a later round.
    pub(crate) fn offer(&mut self, at: &mut Lease<'_>) {
        self.offer_within(at, DEFLATED);
    }

    /// Offers an outbox, of which at most `most` bytes and one message are deflated.
    pub(super) fn offer_within(&mut self, at: &mut Lease<'_>, most: usize) {
        if at.is_gone() {
            return;
        }
        let Some(held) = &at.connection.held else { return at.on_drained() };
        let before = held.outbox.written();
        let outcome = self.write_outbox(at, most);
        let outbox = at.connection.held.as_ref().map(|held| &held.outbox);
        let n = outbox.map_or(0, |outbox| outbox.written() - before);
        let is_paused = outcome.is_ok() && outbox.is_some_and(Outbox::is_paused);
        if at.books.records.is_some() {
            at.note_left(n);
        }
        match is_paused {
            false => at.after_write(outcome, |at, n| at.on_blocked(n)),
            true => at.on_paused(n as usize),
        }
    }

    /// Writes the outbox of a connection that has one.
    #[inline]
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "nothing is deflated"))]
    fn write_outbox(&mut self, at: &mut Lease<'_>, most: usize) -> io::Result<Wrote> {
        let connection = &mut *at.connection;
        let Some(held) = &mut connection.held else { return Ok(Wrote::All) };
        #[cfg(feature = "deflate")]
        if held.outbox.deflates() {
            let mut outbox = mem::take(&mut held.outbox);
            let outcome = self.write_deflating(at, &mut outbox, most);
            at.held().outbox = outbox;
            return outcome;
        }
        let traffic = &mut at.books.traffic;
        held.outbox.write_to(&mut connection.transport, &mut self.scratch, traffic)
    }

    #[inline]
    fn write_cork_once(&mut self, at: &mut Lease<'_>) -> io::Result<Wrote> {
        #[cfg(feature = "deflate")]
        if self.cork.deflates() {
            let mut cork = mem::take(&mut self.cork);
            let outcome = self.write_deflating(at, &mut cork, usize::MAX);
            self.cork = cork;
            return outcome;
        }
        let traffic = &mut at.books.traffic;
        self.cork.write_to(&mut at.connection.transport, &mut self.scratch, traffic)
    }
}
