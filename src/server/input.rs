//! From readiness to phases: reads a connection once in a turn, or a few times if a large message
//! is arriving. The phase decides which function takes the bytes, within a budget. This file does
//! not know what bytes mean.

use std::io;
use std::mem;

use super::server::Server;
use crate::connection::{Cause, Flags, Phase, Protocol, Table};
use crate::net::Read;
use crate::websocket::CloseCode;

/// Messages, requests and other steps that one connection may take in one turn. The rest of its
/// input waits for the next.
pub(super) const STEPS: usize = 256;
/// Bytes read per call into a large message's own buffer: this still fits the cache for unmasking.
const LARGE_READ: usize = 256 << 10;
/// Bytes read per call into a large message's own buffer, once the turn's budget is spent.
const SMALL_READ: usize = 128 << 10;
/// The most bytes of a takeover that wait while the handler uses none of them.
const MAX_UNUSED: usize = 1 << 20;

/// The outcome of one step over the input.
pub(super) enum Consumed {
    /// These bytes were used, and another step may use more.
    More(usize),
    /// These bytes were used, and nothing can be done with the rest for now.
    Stuck(usize),
}

impl Server {
    /// Reads from a connection whose transport may have input.
    pub(super) fn read(&mut self, slot: u32) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        // In the list for the next turn, a connection has had its share of this one.
        if at.connection.flags.any(Flags::GONE | Flags::UNREAD) {
            return;
        }
        if !at.connection.may_read() {
            at.connection.flags.insert(Flags::READABLE);
            // A half-closed client still gets its response; a broken connection gets none.
            let ended = at.connection.flags.has(Flags::READ_CLOSED);
            let cancels = at.connection.owes_answer() && !at.options().half_close;
            match at.connection.transport.is_broken() {
                true if ended => at.mark_gone(Cause::Reset),
                false if ended && cancels => at.mark_gone(Cause::Eof),
                // What the peer still takes has the deadline of a response.
                false if ended && at.connection.phase == Phase::Taken => at.await_last_bytes(),
                // A page that leaves sends nothing else.
                false if ended => at.end_poll(),
                _ => {}
            }
            return;
        }
        let more = self.read_once(slot);
        self.read_on(slot, more);
    }

    /// Reads from a connection that was just accepted, and returns whether it had input. If not,
    /// a readable event follows.
    pub(super) fn read_speculatively(&mut self, slot: u32) -> bool {
        let Table { slots, books, .. } = &mut self.context.table;
        let Some(connection) = slots.at_mut(slot) else { return false };
        let outcome = connection.transport.read(&mut self.lent.input, &mut books.traffic);
        let hit = !matches!(outcome, Ok(Read::Blocked));
        let more = self.after_read(slot, false, outcome);
        self.read_on(slot, more);
        hit
    }

    /// Goes on with a large message. A message that is finished at once leaves its memory to the
    /// next one while the memory is still in the cache.
    pub(super) fn read_on(&mut self, slot: u32, mut more: bool) {
        while more && self.lent.large_left > 0 && self.has_large_message(slot) {
            more = self.read_once(slot);
        }
        self.context.table.with(slot, |at| at.tidy());
    }

    /// Gives a connection its next turn. Its spill precedes new bytes.
    pub(super) fn read_again(&mut self, slot: u32) {
        let Some(at) = self.context.table.lease(slot) else { return };
        at.connection.flags.remove(Flags::UNREAD);
        let flags = at.connection.flags;
        // A redirected attempt may be dialling: the list concerned the last socket.
        let phase = at.connection.phase;
        match phase {
            Phase::Arriving => return self.arrive_later(slot),
            Phase::Connecting if !self.awaits_response(slot) => return self.read_attempt(slot),
            Phase::Taken if flags.has(Flags::RELEASED) && !flags.has(Flags::GONE) => {
                self.released(slot);
            }
            _ => {}
        }
        let Some(at) = self.context.table.lease(slot) else { return };
        if at.is_gone() || !at.connection.has_spill() || !at.connection.may_read() {
            return self.read(slot);
        }
        let spill = at.connection.held.as_mut().map(|held| mem::take(&mut held.spill));
        let mut spill = spill.unwrap_or_default();
        let used = self.consume(slot, &mut spill, STEPS);
        spill.drain(..used);
        self.keep(slot, spill);
        if used == 0 {
            return self.read(slot);
        }
        self.context.table.with(slot, |at| {
            at.read_later();
            at.tidy();
        });
    }

    fn has_large_message(&mut self, slot: u32) -> bool {
        let Some(at) = self.context.table.lease(slot) else { return false };
        // With a byte rate, one read a turn is what is charged.
        let rated = at.options().byte_rate.is_some();
        !rated && at.connection.may_read() && at.connection.large_message().is_some()
    }

    /// Reads once, and returns whether the transport may hold more.
    fn read_once(&mut self, slot: u32) -> bool {
        let Some(at) = self.context.table.lease(slot) else { return false };
        let rated = at.options().byte_rate.is_some();
        let in_place = at.connection.large_message().is_some();
        let held = at.connection.held.as_deref_mut();
        let outcome = match held.and_then(|held| held.assembly.as_deref_mut()) {
            Some(assembly) if in_place => {
                let len = match rated {
                    true => SMALL_READ,
                    false => assembly.piece(self.lent.large_left.clamp(SMALL_READ, LARGE_READ)),
                };
                at.connection.transport.read(assembly.space(len), &mut at.books.traffic)
            }
            _ => at.connection.transport.read(&mut self.lent.input, &mut at.books.traffic),
        };
        self.after_read(slot, in_place, outcome)
    }

    /// Handles the outcome of a read, and returns whether the transport may hold more.
    #[inline(never)]
    pub(super) fn after_read(
        &mut self,
        slot: u32,
        in_place: bool,
        outcome: io::Result<Read>,
    ) -> bool {
        let Some(mut at) = self.context.table.lease(slot) else { return false };
        let (n, more) = match outcome {
            Ok(Read::Bytes { n, more }) => (n, more),
            Ok(Read::Blocked) => {
                if in_place {
                    self.arrived_in_place(slot, 0, false);
                }
                return false;
            }
            Ok(Read::End) => {
                self.peer_ended(slot);
                return false;
            }
            Err(error) => {
                match at.connection.phase {
                    Phase::Connecting => self.attempt_error(slot, &error),
                    _ if at.connection.transport.is_faulty() => {
                        at.note_reason(&error.to_string());
                        let (code, cause) = (CloseCode::ABNORMAL, Cause::TlsFault);
                        at.record_close(code, &error.to_string(), false, cause);
                        at.linger(cause);
                    }
                    _ => at.mark_gone(Cause::Reset),
                }
                return false;
            }
        };
        // No readiness follows a FIN: only a further read finds the end of file.
        if more || at.connection.flags.has(Flags::READ_CLOSED) {
            at.read_later();
        }
        match at.charge_bytes(n) {
            true if in_place => self.arrived_in_place(slot, n, more),
            true => self.arrived(slot, n),
            false => self.call_back(slot, |server| {
                server.fail(slot, (CloseCode::POLICY, "too many bytes"), Cause::Rate);
            }),
        }
        more
    }

    /// Handles bytes in the read buffer where they lie, unless unused input precedes them.
    fn arrived(&mut self, slot: u32, n: usize) {
        let mut input = mem::take(&mut self.lent.input);
        let held = self.context.table.slots.at_mut(slot).and_then(|at| at.held.as_mut());
        let spill = held.map(|held| mem::take(&mut held.spill)).unwrap_or_default();
        if spill.is_empty() {
            let used = self.consume(slot, &mut input[..n], STEPS);
            if used < n {
                self.keep(slot, input[used..n].to_vec());
            }
        } else {
            let mut whole = spill;
            whole.extend_from_slice(&input[..n]);
            let used = self.consume(slot, &mut whole, STEPS);
            whole.drain(..used);
            self.keep(slot, whole);
        }
        self.lent.input = input;
    }

    /// Handles bytes of a large frame in the message's own memory, once the transport or the turn's
    /// budget has no more.
    fn arrived_in_place(&mut self, slot: u32, n: usize, more: bool) {
        let held = self.context.table.slots.at_mut(slot).and_then(|at| at.held.as_mut());
        if let Some(assembly) = held.and_then(|held| held.assembly.as_mut()) {
            assembly.received(n);
        }
        self.lent.large_left = self.lent.large_left.saturating_sub(n);
        if more && self.lent.large_left > 0 && self.has_large_message(slot) {
            return;
        }
        self.begin_input(slot);
        self.frames(slot, &mut [], &mut { STEPS });
        self.context.end_input(slot);
    }

    /// Keeps input that cannot be used yet.
    pub(super) fn keep(&mut self, slot: u32, rest: Vec<u8>) {
        if !rest.is_empty()
            && let Some(mut at) = self.context.table.lease(slot)
            && !at.is_gone()
        {
            at.held().spill = rest;
        }
    }

    /// Begins the input of a connection: its output goes into the cork, and its peer is alive.
    fn begin_input(&mut self, slot: u32) {
        if let Some((mut at, delivery)) = self.context.lease(slot) {
            delivery.begin_input(&mut at);
            at.touch_websocket();
        }
    }

    /// Handles as much input as possible, and returns the number of bytes used. The output leaves
    /// in one write.
    pub(super) fn consume(&mut self, slot: u32, input: &mut [u8], mut steps: usize) -> usize {
        self.begin_input(slot);
        let mut used = 0;
        while used < input.len() {
            if steps == 0 {
                self.context.table.with(slot, |at| at.read_later());
                break;
            }
            let step = self.step(slot, &mut input[used..], &mut steps);
            steps = steps.saturating_sub(1);
            match step {
                Consumed::More(n) => used += n,
                Consumed::Stuck(n) => {
                    used += n;
                    break;
                }
            }
        }
        self.context.end_input(slot);
        used
    }

    /// Hands input to the function for the connection's phase.
    fn step(&mut self, slot: u32, input: &mut [u8], steps: &mut usize) -> Consumed {
        let discarded = Consumed::More(input.len());
        let Some(connection) = self.context.table.slots.at(slot) else { return discarded };
        let last = connection.flags.has(Flags::LAST);
        match connection.phase {
            _ if connection.flags.has(Flags::GONE) => discarded,
            Phase::WebSocket(_) => self.frames(slot, input, steps),
            Phase::Connecting => self.response(slot, input),
            // Its bytes go to `arriving`.
            Phase::Arriving => Consumed::Stuck(0),
            Phase::Idle | Phase::Head => self.head(slot, input),
            Phase::Body => self.body(slot, input),
            Phase::Taken => self.taken(slot, input),
            Phase::Lingering => {
                self.context.table.with(slot, |at| at.linger_on());
                discarded
            }
            Phase::Streaming => discarded,
            Phase::Deferred | Phase::Responding if last => discarded,
            Phase::Deferred | Phase::Responding => Consumed::Stuck(0),
        }
    }

    /// Notes the peer's end of file. Output that is owed to the peer is finished first.
    fn peer_ended(&mut self, slot: u32) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        at.connection.flags.insert(Flags::READ_CLOSED);
        let waits = at.connection.has_output();
        match at.connection.phase {
            Phase::Responding => at.set_last(Cause::Eof),
            Phase::Idle | Phase::Head if waits => {
                at.set_last(Cause::Eof);
                at.after_response();
            }
            Phase::Taken if waits => {
                at.record_close(CloseCode::ABNORMAL, "", false, Cause::Eof);
                at.set_last(Cause::Eof);
                at.after_response();
            }
            Phase::Lingering if waits => {}
            Phase::Connecting => {
                self.attempt_broken(slot, "the peer ended without an answer", Cause::Eof);
            }
            _ => at.mark_gone(Cause::Eof),
        }
    }

    /// Reads once behind a request whose client has ended its side. With nothing behind it, its
    /// answer is the last.
    pub(super) fn read_behind(&mut self, slot: u32) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        if !at.connection.flags.has(Flags::READ_CLOSED) || at.connection.has_spill() {
            return;
        }
        match at.connection.transport.read(&mut self.lent.input, &mut at.books.traffic) {
            Ok(Read::End) => at.set_last(Cause::Eof),
            Ok(Read::Bytes { n, .. }) => self.keep(slot, self.lent.input[..n].to_vec()),
            Ok(Read::Blocked) => {}
            Err(_) => at.mark_gone(at.connection.broken()),
        }
    }

    /// Hands bytes to a handler's own protocol.
    fn taken(&mut self, slot: u32, input: &[u8]) -> Consumed {
        let Some(connection) = self.context.table.slots.at(slot) else {
            return Consumed::More(input.len());
        };
        let used = match connection.flags.has(Flags::RELEASED) {
            true => 0,
            false => self.tell(slot, |handler, conn| handler.input(conn, input)).unwrap_or(0),
        };
        let used = used.min(input.len());
        let Some(mut at) = self.context.table.lease(slot) else {
            return Consumed::More(input.len());
        };
        if at.connection.phase == Phase::Taken && at.connection.flags.has(Flags::RELEASED) {
            self.released(slot);
            return Consumed::More(used);
        }
        if used == 0 && input.len() > MAX_UNUSED {
            let reason = "a megabyte of which nothing was used";
            at.record_close(CloseCode::TOO_BIG, reason, false, Cause::TooBig);
            at.mark_gone(Cause::TooBig);
        }
        if used == 0 { Consumed::Stuck(0) } else { Consumed::More(used) }
    }

    /// Gives a taken-over connection back to HTTP.
    fn released(&mut self, slot: u32) {
        self.context.table.with(slot, |at| {
            at.record_close(CloseCode::NORMAL, "released", false, Cause::Local);
        });
        self.tell_close(slot);
        let is_ending = self.context.draining.as_ref().is_some_and(|it| it.ends_newcomers());
        self.context.table.with(slot, |at| {
            at.connection.options = 0;
            at.go_on_living();
            if is_ending {
                at.set_last(Cause::Drain);
            }
            at.note_protocol(Protocol::Http);
            // The request may have been the last, and output may still wait.
            at.after_response();
        });
    }
}
