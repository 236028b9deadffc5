//! WebSocket input: hands messages to their handler, answers pings, and performs the closing
//! handshake. `websocket` knows the form of frames and the transitions.
//!
//! `other_event` answers a ping. For a message beyond `max_message`, the decoder
//! (websocket/decode.rs) or the inflater (websocket/deflate/codec.rs) returns `Violation::TooBig`.
//! Then `violated` fails the connection with Close 1009. delivery/backpressure.rs closes slow
//! readers with 1013.

#[cfg(feature = "deflate")]
use std::mem;

use super::input::Consumed;
use super::server::Server;
use crate::connection::{Cause, Flags, Lease, Phase};
use crate::context::Chunk;
#[cfg(feature = "deflate")]
use crate::websocket::Compressed;
use crate::websocket::{
    Action, Assembly, CloseCode, Event, Input, Message, Opcode, Role, Rules, State, Violation,
    decode_with,
};

/// Inflated bytes that count as one step of a turn's budget.
#[cfg(feature = "deflate")]
const INFLATED_PER_STEP: usize = 4 << 10;

impl Server {
    /// Handles frames until the input or the steps are used up, or until the peer does not take the
    /// answers.
    pub(super) fn frames(&mut self, slot: u32, input: &mut [u8], steps: &mut usize) -> Consumed {
        let held = self.context.table.slots.at(slot).and_then(|at| at.held.as_ref());
        let begun = held.is_some_and(|held| held.assembly.is_some());
        let used = if begun { 0 } else { self.fast_messages(slot, input, steps) };
        match used > 0 && (used == input.len() || *steps == 0) {
            true => Consumed::More(used),
            false => self.frames_of_all_kinds(slot, input, used, steps),
        }
    }

    /// Handles frames of every kind, from `used` on.
    fn frames_of_all_kinds(
        &mut self,
        slot: u32,
        input: &mut [u8],
        mut used: usize,
        steps: &mut usize,
    ) -> Consumed {
        let Some(at) = self.context.table.lease(slot) else { return Consumed::More(input.len()) };
        let rules = rules_of(&at);
        let mut assembly = at.connection.held.as_mut().and_then(|held| held.assembly.take());
        let len = input.len();
        let step = loop {
            match self.context.table.slots.at(slot) {
                Some(connection) if !connection.reads_frames() => break Consumed::More(used),
                Some(connection) if connection.may_read() => {}
                _ => break Consumed::Stuck(used),
            }
            let memory = |len| self.buffer_pool.take(len);
            let (n, event) = decode_with(&rules, &mut assembly, &mut input[used..], memory);
            used += n;
            if let Event::More = event {
                self.chunk_so_far(slot, &mut assembly);
                break Consumed::Stuck(used);
            }
            let charged = self.context.table.with(slot, |at| at.charge_message());
            if charged == Some(false) {
                self.fail(slot, (CloseCode::POLICY, "too many messages"), Cause::Rate);
                break Consumed::More(used);
            }
            self.context.delivery.more_input = used < len;
            self.event(slot, event, steps);
            *steps = steps.saturating_sub(1);
            if assembly.is_none() {
                used += self.fast_messages(slot, &mut input[used..], steps);
            }
            if used == len || *steps == 0 {
                break Consumed::More(used);
            }
        };
        self.keep_assembly(slot, assembly);
        step
    }

    fn keep_assembly(&mut self, slot: u32, assembly: Option<Box<Assembly>>) {
        if assembly.is_some()
            && let Some(mut at) = self.context.table.lease(slot)
            && at.connection.reads_frames()
        {
            at.held().assembly = assembly;
        }
    }

    /// Makes the transition for one input of the peer, and returns the action that follows.
    #[inline]
    fn apply(&mut self, slot: u32, input: Input) -> Action {
        self.context.table.with(slot, |at| at.apply(input)).unwrap_or(Action::Ignore)
    }

    /// Handles one event of the decoder.
    #[inline]
    fn event(&mut self, slot: u32, event: Event<'_>, steps: &mut usize) {
        match event {
            Event::Message(message) => self.message(slot, message),
            other => self.other_event(slot, other, steps),
        }
    }

    /// Handles all events but a message that is whole in the input. This function stands apart, so
    /// that these events cost such a message nothing.
    #[inline(never)]
    #[cfg_attr(
        not(feature = "deflate"),
        expect(unused_variables, reason = "only inflating counts steps")
    )]
    fn other_event(&mut self, slot: u32, event: Event<'_>, steps: &mut usize) {
        match event {
            Event::More | Event::Message(_) => {}
            #[cfg(feature = "deflate")]
            Event::Compressed(compressed) => {
                let inflated = self.compressed(slot, &compressed);
                // Inflated bytes count like input, by the average of what a step takes.
                *steps = steps.saturating_sub(inflated / INFLATED_PER_STEP);
            }
            Event::Assembled(assembled) => {
                match assembled.message() {
                    Ok(message) => self.message(slot, message),
                    Err(violation) => self.violated(slot, violation),
                }
                let tick = self.context.table.books.clock.tick();
                self.buffer_pool.put(assembled.into_memory(), tick);
            }
            // A ping is answered with its own payload (RFC 6455 5.5.3).
            Event::Ping(payload) => {
                if self.apply(slot, Input::Ping) == Action::AnswerPong {
                    self.tell(slot, |_, conn| conn.send_control(Opcode::Pong, payload));
                }
            }
            Event::Pong(payload) => {
                if self.apply(slot, Input::Pong) == Action::Deliver {
                    self.tell(slot, |handler, conn| handler.pong(conn, payload));
                }
            }
            Event::Close(code, reason) => self.closed_by_peer(slot, code, reason),
            Event::Fail(violation) => self.violated(slot, violation),
        }
    }

    /// Fails the connection for a violation, with its close code and reason (RFC 6455 7.1.7).
    fn violated(&mut self, slot: u32, violation: Violation) {
        let phase = self.context.table.slots.at(slot).map(|at| at.phase);
        match phase == Some(Phase::WebSocket(State::Open)) {
            true => {
                let end = (violation.code(), violation.as_str());
                self.fail(slot, end, Cause::of_violation(violation));
            }
            false => {
                self.context.table.with(slot, |at| {
                    let cause = Cause::of_violation(violation);
                    at.record_close(CloseCode::ABNORMAL, "", false, cause);
                    finish(at, cause);
                });
            }
        }
    }

    /// Inflates a compressed message into a buffer that the server lends. Returns its length.
    #[cfg(feature = "deflate")]
    #[inline(never)]
    fn compressed(&mut self, slot: u32, compressed: &Compressed<'_>) -> usize {
        const KEPT: usize = 1 << 20;
        let mut inflated = mem::take(&mut self.lent.inflated);
        let outcome = match self.context.lease(slot) {
            Some((mut at, delivery)) => {
                delivery.inflate(&mut at, compressed.payload(), &mut inflated)
            }
            None => Err(Violation::CorruptDeflate),
        };
        match outcome {
            Err(violation) => self.violated(slot, violation),
            Ok(()) if !compressed.is_text() => self.message(slot, Message::Binary(&inflated)),
            Ok(()) => match simdutf8::basic::from_utf8(&inflated) {
                Ok(text) => self.message(slot, Message::Text(text)),
                Err(_) => self.violated(slot, Violation::InvalidUtf8),
            },
        }
        let len = inflated.len();
        inflated.clear();
        inflated.shrink_to(KEPT);
        self.lent.inflated = inflated;
        len
    }

    #[inline]
    fn message(&mut self, slot: u32, message: Message<'_>) {
        if self.apply(slot, Input::Message) != Action::Deliver {
            return;
        }
        self.context.table.books.stats.messages += 1;
        match self.takes_chunks(slot) {
            true => self.chunk(slot, Chunk { data: message, is_last: true }),
            false => {
                self.tell(slot, |handler, conn| handler.message(conn, message));
            }
        }
    }

    fn takes_chunks(&self, slot: u32) -> bool {
        self.context.table.slots.at(slot).is_some_and(|at| at.flags.has(Flags::CHUNKS))
    }

    /// Hands the part of a message that has arrived to a handler that takes chunks.
    fn chunk_so_far(&mut self, slot: u32, assembly: &mut Option<Box<Assembly>>) {
        let phase = self.context.table.slots.at(slot).map(|at| at.phase);
        if self.takes_chunks(slot)
            && phase == Some(Phase::WebSocket(State::Open))
            && let Some(chunk) = assembly.as_mut().and_then(|assembly| assembly.take_chunk())
            && let Ok(data) = chunk.message()
        {
            self.chunk(slot, Chunk { data, is_last: false });
        }
    }

    #[inline(never)]
    fn chunk(&mut self, slot: u32, chunk: Chunk<'_>) {
        self.tell(slot, |handler, conn| handler.chunk(conn, chunk));
    }

    /// Answers a Close frame with the frame's code (RFC 6455 5.5.1). The server is the first to end
    /// the connection (7.1.1).
    fn closed_by_peer(&mut self, slot: u32, code: Option<CloseCode>, reason: &str) {
        let Some((mut at, delivery)) = self.context.lease(slot) else { return };
        let code = code.unwrap_or(CloseCode::NO_STATUS);
        let by_peer = at.apply(Input::Close) == Action::EchoClose;
        if by_peer {
            delivery.push_close(&mut at, code, "");
        }
        at.record_close(code, reason, by_peer, Cause::PeerClosed);
        finish(&mut at, Cause::PeerClosed);
    }
}

/// Ends a WebSocket after both Close frames. Nothing more is read.
fn finish(at: &mut Lease<'_>, cause: Cause) {
    at.linger(cause);
    if !at.connection.flags.has(Flags::CLIENT) {
        at.connection.flags.insert(Flags::READ_CLOSED);
    }
}

/// The rules for the frames of one connection.
fn rules_of(at: &Lease<'_>) -> Rules {
    let mut rules = at.options().rules;
    let flags = at.connection.flags;
    if flags.any(Flags::UNUSUAL) {
        rules.role = if flags.has(Flags::CLIENT) { Role::Client } else { Role::Server };
        rules.compression = flags.has(Flags::DEFLATES);
    }
    rules
}
