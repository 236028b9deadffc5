//! From readiness to phases: reads a connection's bytes once a turn, of a large message a few times, and hands them to whatever its phase says, within
//! a budget. What they mean is the business of `request` and `frames`.

use std::io;

use super::server::Server;
use crate::connection::{Conn, Flags, Phase};
use crate::net::Read;
use crate::websocket::CloseCode;

/// Messages, requests and other steps that one connection is given in one turn; the rest of its input waits for the next.
pub(super) const STEPS: usize = 256;
/// About the most that is received at once of a large frame, into its own memory: at first, so that it is still in the cache when it is
/// unmasked, and when the turn's share is used up.
const IN_PLACE: usize = 256 << 10;
const IN_PLACE_AT_LEAST: usize = 128 << 10;
/// As long as no more than this was received so in a turn, large messages are read on until the transport has no more: one that is begun
/// in a turn and ended in a later one has left the cache by then. Whoever comes after them waits some ten milliseconds at most.
pub(super) const IN_PLACE_A_TURN: usize = 32 << 20;
/// Input of which a takeover uses nothing.
const UNUSED_AT_MOST: usize = 1 << 20;

/// What came of one step over the input.
pub(super) enum Consumed {
    /// So many bytes were used; there may be another step in the rest.
    More(usize),
    /// So many bytes were used; nothing can be done with the rest for now.
    Stuck(usize),
}

impl Server {
    /// Readiness says that there is something to read.
    pub(super) fn read(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        // In the list for the next turn already: it has had its share of this one.
        if connection.flags.has(Flags::GONE | Flags::UNREAD) {
            return;
        }
        if !connection.may_read() {
            connection.flags.insert(Flags::READABLE);
            // A response is made and written for a half-closed client too, but for nobody once the connection has failed.
            let closed = connection.flags.has(Flags::READ_CLOSED);
            if closed && (connection.phase == Phase::Deferred || connection.transport.is_broken()) {
                self.context.mark_gone(slot);
            }
            return;
        }
        let more = self.read_once(slot);
        self.read_on(slot, more);
    }

    /// Reads from a connection that has just come and may have said something already; whether it had. If not, readiness will be told as ever.
    pub(super) fn read_speculatively(&mut self, slot: u32) -> bool {
        let Some(connection) = self.context.slots.at_mut(slot) else { return false };
        let outcome = connection.transport.read(&mut self.lent.input);
        let heard = !matches!(outcome, Ok(Read::Blocked));
        let more = self.has_read(slot, false, outcome);
        self.read_on(slot, more);
        heard
    }

    /// Goes on with a large message: one that is finished at once leaves its memory, still in the cache, to the next one.
    pub(super) fn read_on(&mut self, slot: u32, mut more: bool) {
        while more && self.lent.in_place > 0 && self.has_large(slot) {
            more = self.read_once(slot);
        }
        self.context.tidy(slot);
    }

    /// The next turn of a connection that had more than one turn gives. What it spilled comes before new bytes.
    pub(super) fn read_again(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        connection.flags.remove(Flags::UNREAD);
        if connection.phase == Phase::Taken
            && connection.flags.has(Flags::RELEASED)
            && !connection.flags.has(Flags::GONE)
        {
            self.released(slot);
        }
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        let spilled = connection.held.as_ref().is_some_and(|held| !held.spill.is_empty());
        if connection.flags.has(Flags::GONE) || !spilled || !connection.may_read() {
            return self.read(slot);
        }
        let mut spill = connection
            .held
            .as_mut()
            .map(|held| std::mem::take(&mut held.spill))
            .unwrap_or_default();
        let used = self.consume(slot, &mut spill, STEPS);
        spill.drain(..used);
        self.keep(slot, spill);
        if used > 0 {
            self.context.read_later(slot);
            self.context.tidy(slot);
        } else {
            self.read(slot);
        }
    }

    fn has_large(&mut self, slot: u32) -> bool {
        let Some(connection) = self.context.slots.at_mut(slot) else { return false };
        // Whose bytes are counted has what one read gives.
        let counted = self.context.options[usize::from(connection.options)].byte_rate.is_some();
        !counted && connection.may_read() && connection.large().is_some()
    }

    /// Reads once; whether the transport may hold more.
    fn read_once(&mut self, slot: u32) -> bool {
        let Some(connection) = self.context.slots.at_mut(slot) else { return false };
        let in_place = connection.large().is_some();
        let outcome =
            match connection.held.as_deref_mut().and_then(|held| held.assembly.as_deref_mut()) {
                Some(assembly) if in_place => {
                    let counted =
                        self.context.options[usize::from(connection.options)].byte_rate.is_some();
                    let most = match counted {
                        true => IN_PLACE_AT_LEAST,
                        false => {
                            assembly.piece(self.lent.in_place.clamp(IN_PLACE_AT_LEAST, IN_PLACE))
                        }
                    };
                    connection.transport.read(assembly.space(most))
                }
                _ => connection.transport.read(&mut self.lent.input),
            };
        self.has_read(slot, in_place, outcome)
    }

    /// What came of a read; whether the transport may hold more.
    #[inline(never)]
    pub(super) fn has_read(
        &mut self,
        slot: u32,
        in_place: bool,
        outcome: io::Result<Read>,
    ) -> bool {
        let (n, more) = match outcome {
            Ok(Read::Bytes { n, more }) => (n, more),
            Ok(Read::Blocked) => {
                if in_place {
                    self.arrived_in_place(slot, 0, false);
                }
                return false;
            }
            Ok(Read::End) => {
                self.ended(slot);
                return false;
            }
            Err(_) => {
                self.context.mark_gone(slot);
                return false;
            }
        };
        // After a FIN no readiness follows: the end is found by reading on.
        let ends = self
            .context
            .slots
            .at(slot)
            .is_some_and(|connection| connection.flags.has(Flags::READ_CLOSED));
        if more || ends {
            self.context.read_later(slot);
        }
        match self.context.charge_bytes(slot, n) {
            true if in_place => self.arrived_in_place(slot, n, more),
            true => self.arrived(slot, n),
            false => self.call_back(slot, |server| {
                server.context.fail(slot, CloseCode::POLICY, "too many bytes")
            }),
        }
        more
    }

    /// Bytes lie in the read buffer. They are handled there, unless unfinished ones came before them.
    fn arrived(&mut self, slot: u32, n: usize) {
        let mut input = std::mem::take(&mut self.lent.input);
        let spill = self.context.slots.at_mut(slot).and_then(|connection| connection.held.as_mut());
        let spill = spill.map(|held| std::mem::take(&mut held.spill)).unwrap_or_default();
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

    /// Bytes of a large frame lie where they are to stay. They are looked at when no more are to be had at once.
    fn arrived_in_place(&mut self, slot: u32, n: usize, goes_on: bool) {
        let held = self.context.slots.at_mut(slot).and_then(|connection| connection.held.as_mut());
        if let Some(assembly) = held.and_then(|held| held.assembly.as_mut()) {
            assembly.received(n);
        }
        self.lent.in_place = self.lent.in_place.saturating_sub(n);
        if goes_on && self.lent.in_place > 0 && self.has_large(slot) {
            return;
        }
        self.context.begin_input(slot);
        self.context.heard(slot);
        self.frames(slot, &mut [], &mut { STEPS });
        self.context.end_input(slot);
    }

    /// Keeps what could not be used yet.
    pub(super) fn keep(&mut self, slot: u32, rest: Vec<u8>) {
        let gone =
            self.context.slots.at(slot).is_none_or(|connection| connection.flags.has(Flags::GONE));
        if !rest.is_empty()
            && !gone
            && let Some(held) = self.context.held(slot)
        {
            held.spill = rest;
        }
    }

    /// Handles input as far as it goes and returns how much was used. The replies leave in one write.
    pub(super) fn consume(&mut self, slot: u32, input: &mut [u8], mut steps: usize) -> usize {
        self.context.begin_input(slot);
        self.context.heard(slot);
        let mut used = 0;
        while used < input.len() {
            if steps == 0 {
                self.context.read_later(slot);
                break;
            }
            let Some(connection) = self.context.slots.at(slot) else { break };
            let rest = input.len() - used;
            let step = match connection.phase {
                _ if connection.flags.has(Flags::GONE) => Consumed::More(rest),
                Phase::WebSocket(_) => self.frames(slot, &mut input[used..], &mut steps),
                Phase::Connecting => self.response(slot, &input[used..]),
                Phase::Head => self.head(slot, &input[used..]),
                Phase::Body => self.body(slot, &input[used..]),
                Phase::Taken => self.taken(slot, &input[used..]),
                Phase::Lingering | Phase::Streaming => Consumed::More(rest),
                Phase::Deferred | Phase::Responding if connection.flags.has(Flags::LAST) => {
                    Consumed::More(rest)
                }
                Phase::Deferred | Phase::Responding => Consumed::Stuck(0),
            };
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

    /// The peer has ended its side. What is owed to it is finished first.
    fn ended(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        connection.flags.insert(Flags::READ_CLOSED);
        let waits = connection.held.as_ref().is_some_and(|held| !held.outbox.is_empty());
        match connection.phase {
            Phase::Responding => connection.flags.insert(Flags::LAST),
            Phase::Head if waits => {
                connection.flags.insert(Flags::LAST);
                self.context.after_response(slot);
            }
            Phase::Lingering if waits => {}
            _ => self.context.mark_gone(slot),
        }
    }

    /// Bytes for a handler's own protocol.
    fn taken(&mut self, slot: u32, input: &[u8]) -> Consumed {
        let Some(connection) = self.context.slots.at(slot) else {
            return Consumed::More(input.len());
        };
        let (id, zone) = (connection.id, connection.zone);
        let used = match connection.flags.has(Flags::RELEASED) {
            true => 0,
            false => self
                .zones
                .handler(zone)
                .input(&mut Conn { cx: &mut self.context, id }, input)
                .min(input.len()),
        };
        let Some(connection) = self.context.slots.at(slot) else {
            return Consumed::More(input.len());
        };
        if connection.phase == Phase::Taken && connection.flags.has(Flags::RELEASED) {
            self.released(slot);
            return Consumed::More(used);
        }
        if used == 0 && input.len() > UNUSED_AT_MOST {
            self.context.record_close(
                slot,
                CloseCode::TOO_BIG,
                "a megabyte of which nothing was used",
                false,
            );
            self.context.mark_gone(slot);
        }
        if used == 0 { Consumed::Stuck(0) } else { Consumed::More(used) }
    }

    /// The connection speaks HTTP again.
    pub(super) fn released(&mut self, slot: u32) {
        self.context.record_close(slot, CloseCode::NORMAL, "released", false);
        self.tell_close(slot);
        if let Some(connection) = self.context.slots.at_mut(slot) {
            connection.options = 0;
        }
        // Its request may have been the last, and its output may still wait.
        self.context.after_response(slot);
    }
}
