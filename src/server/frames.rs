//! WebSocket input: messages to their handler, pings answered, the close handshake. What a frame is and what follows
//! from it is the business of `websocket`.

use super::drive::Consumed;
use super::server::Server;
use crate::connection::{Chunk, Conn, Flags, Phase};
#[cfg(feature = "deflate")]
use crate::websocket::Compressed;
use crate::websocket::{
    Action, Assembly, CloseCode, Event, Input, Message, Opcode, Role, State, Violation, decode_with,
};

/// Inflated bytes that count as one step of a turn's budget.
#[cfg(feature = "deflate")]
const INFLATED_BY_STEP: usize = 4 << 10;

impl Server {
    /// Handles frames until the input, the steps or the peer's patience for our answers is used up.
    pub(super) fn frames(&mut self, slot: u32, input: &mut [u8], steps: &mut usize) -> Consumed {
        let begun = self.context.slots.at(slot).and_then(|connection| connection.held.as_ref());
        let begun = begun.is_some_and(|held| held.assembly.is_some());
        let used = if begun { 0 } else { self.plain_messages(slot, input, steps) };
        match used > 0 && (used == input.len() || *steps == 0) {
            true => Consumed::More(used),
            false => self.all_frames(slot, input, used, steps),
        }
    }

    /// Frames of every kind, from `used` on.
    fn all_frames(
        &mut self,
        slot: u32,
        input: &mut [u8],
        mut used: usize,
        steps: &mut usize,
    ) -> Consumed {
        let Some(connection) = self.context.slots.at_mut(slot) else {
            return Consumed::More(input.len());
        };
        let mut rules = self.context.options[usize::from(connection.options)].rules;
        if connection.flags.has(Flags::UNUSUAL) {
            rules.role =
                if connection.flags.has(Flags::CLIENT) { Role::Client } else { Role::Server };
            rules.compression = connection.flags.has(Flags::DEFLATES);
        }
        let mut assembly = connection.held.as_mut().and_then(|held| held.assembly.take());
        let len = input.len();
        let step = loop {
            match self.context.slots.at(slot) {
                Some(connection) if !connection.hears_frames() => break Consumed::More(used),
                Some(connection) if connection.may_read() => {}
                _ => break Consumed::Stuck(used),
            }
            let memory = |len| self.context.spare.take(len);
            let (n, event) = decode_with(&rules, &mut assembly, &mut input[used..], memory);
            used += n;
            if let Event::More = event {
                self.chunk_so_far(slot, &mut assembly);
                break Consumed::Stuck(used);
            }
            if !self.context.charge_message(slot) {
                self.context.fail(slot, CloseCode::POLICY, "too many messages");
                break Consumed::More(used);
            }
            self.context.more_input = used < len;
            self.event(slot, event, steps);
            *steps = steps.saturating_sub(1);
            if assembly.is_none() {
                used += self.plain_messages(slot, &mut input[used..], steps);
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
            && self.context.slots.at(slot).is_some_and(|connection| connection.hears_frames())
            && let Some(held) = self.context.held(slot)
        {
            held.assembly = assembly;
        }
    }

    /// One event, answered as the state machine says.
    #[inline]
    fn event(&mut self, slot: u32, event: Event<'_>, steps: &mut usize) {
        let Some(connection) = self.context.slots.at(slot) else { return };
        let Phase::WebSocket(state) = connection.phase else { return };
        match event {
            Event::Message(message) => self.message(slot, state, message),
            other => self.other_event(slot, state, other, steps),
        }
    }

    /// What is no message that was whole in the input: kept apart, so that it costs those nothing.
    #[inline(never)]
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "nothing is inflated"))]
    fn other_event(&mut self, slot: u32, state: State, event: Event<'_>, steps: &mut usize) {
        let Some(connection) = self.context.slots.at(slot) else { return };
        match event {
            Event::More | Event::Message(_) => {}
            #[cfg(feature = "deflate")]
            Event::Compressed(compressed) => {
                let inflated = self.compressed(slot, state, &compressed);
                // What was inflated counts like input: by what a turn takes for a step on average.
                *steps = steps.saturating_sub(inflated / INFLATED_BY_STEP);
            }
            Event::Assembled(assembled) => {
                match assembled.message() {
                    Ok(message) => self.message(slot, state, message),
                    Err(violation) => self.violated(slot, state, violation),
                }
                let tick = self.context.clock.tick();
                self.context.spare.put(assembled.into_memory(), tick);
            }
            Event::Ping(payload) => {
                if let (_, Action::AnswerPong) = state.on(Input::Ping) {
                    let id = connection.id;
                    Conn { cx: &mut self.context, id }.control(Opcode::Pong, payload);
                }
            }
            // A sign of life, as any input is; what it answers, the handler knows.
            Event::Pong(payload) => {
                if let (_, Action::Deliver) = state.on(Input::Pong) {
                    let (id, zone) = (connection.id, connection.zone);
                    self.zones.handler(zone).pong(&mut Conn { cx: &mut self.context, id }, payload);
                }
            }
            Event::Close(code, reason) => self.closed_by_peer(slot, state, code, reason),
            Event::Fail(violation) => self.violated(slot, state, violation),
        }
    }

    fn violated(&mut self, slot: u32, state: State, violation: Violation) {
        match state.on(Input::Violation) {
            (_, Action::Fail) => self.context.fail(slot, violation.code(), violation.as_str()),
            _ => self.finish(slot),
        }
    }

    /// A compressed message is inflated into a buffer that the server lends.
    #[cfg(feature = "deflate")]
    #[inline(never)]
    fn compressed(&mut self, slot: u32, state: State, compressed: &Compressed<'_>) -> usize {
        const KEPT: usize = 1 << 20;
        let mut inflated = std::mem::take(&mut self.lent.inflated);
        match self.context.inflate(slot, compressed.payload(), &mut inflated) {
            Err(violation) => self.violated(slot, state, violation),
            Ok(()) if !compressed.is_text() => {
                self.message(slot, state, Message::Binary(&inflated))
            }
            Ok(()) => match simdutf8::basic::from_utf8(&inflated) {
                Ok(text) => self.message(slot, state, Message::Text(text)),
                Err(_) => self.violated(slot, state, Violation::InvalidUtf8),
            },
        }
        let len = inflated.len();
        inflated.clear();
        inflated.shrink_to(KEPT);
        self.lent.inflated = inflated;
        len
    }

    #[inline]
    fn message(&mut self, slot: u32, state: State, message: Message<'_>) {
        let Some(connection) = self.context.slots.at(slot) else { return };
        if let (_, Action::Deliver) = state.on(Input::Message) {
            let (id, zone) = (connection.id, connection.zone);
            let chunks = connection.flags.has(Flags::CHUNKS);
            self.context.stats.messages += 1;
            if chunks {
                return self.chunk(slot, Chunk { data: message, is_last: true });
            }
            self.zones.handler(zone).message(&mut Conn { cx: &mut self.context, id }, message);
        }
    }

    /// What has arrived of a message goes to a handler that wants chunks.
    fn chunk_so_far(&mut self, slot: u32, assembly: &mut Option<Box<Assembly>>) {
        let Some(connection) = self.context.slots.at(slot) else { return };
        if connection.flags.has(Flags::CHUNKS)
            && connection.phase == Phase::WebSocket(State::Open)
            && let Some(chunk) = assembly.as_mut().and_then(|assembly| assembly.take_chunk())
            && let Ok(data) = chunk.message()
        {
            self.chunk(slot, Chunk { data, is_last: false });
        }
    }

    #[inline(never)]
    fn chunk(&mut self, slot: u32, chunk: Chunk<'_>) {
        let Some(connection) = self.context.slots.at(slot) else { return };
        let (id, zone) = (connection.id, connection.zone);
        self.zones.handler(zone).chunk(&mut Conn { cx: &mut self.context, id }, chunk);
    }

    /// RFC 6455 5.5.1 and 7.1.1: the code is echoed, and the server is the one to end the connection first.
    fn closed_by_peer(&mut self, slot: u32, state: State, code: Option<CloseCode>, reason: &str) {
        let (_, action) = state.on(Input::Close);
        let code = code.unwrap_or(CloseCode::NO_STATUS);
        if action == Action::EchoClose {
            self.context.push_close(slot, code, "");
        }
        self.context.record_close(slot, code, reason, action == Action::EchoClose);
        self.finish(slot);
    }

    /// Both sides have said what they had to: nothing more is to be expected, so nothing is waited for.
    fn finish(&mut self, slot: u32) {
        self.context.record_close(slot, CloseCode::ABNORMAL, "", false);
        self.context.linger(slot);
        if let Some(connection) = self.context.slots.at_mut(slot)
            && !connection.flags.has(Flags::CLIENT)
        {
            connection.flags.insert(Flags::READ_CLOSED);
        }
    }
}
