//! The ends of an exchange and of a connection, and what follows once output has left. This file
//! calls no handler and frees no connection: `flush` does both.

use std::io;

use super::cause::Cause;
use super::clock::NEVER;
use super::flags::Flags;
use super::held::CloseRecord;
use super::options::Options;
use super::phase::Phase;
use super::table::Lease;
use crate::net::Wrote;
use crate::websocket::{CloseCode, State};

impl Lease<'_> {
    /// Records how an open exchange ended, and why; `flush` calls the handler's `close`. The first
    /// record stands. A connection that is gone without a record ended abnormally.
    pub(crate) fn record_close(
        &mut self,
        code: CloseCode,
        reason: &str,
        by_peer: bool,
        cause: Cause,
    ) {
        self.connection.flags.end_by(cause);
        let flags = self.connection.flags;
        if !flags.has(Flags::OWES_CLOSE) || flags.has(Flags::GONE) {
            return;
        }
        let held = self.held();
        if held.close_record.is_none() {
            held.close_record =
                Some(CloseRecord { code, reason: reason.into(), by_peer, declined: None });
        }
        self.books.work.ended.push(self.connection);
    }

    /// Goes on after a whole response: the next request may come, or this one was the last.
    pub(crate) fn after_response(&mut self) {
        let blocked = self.connection.flags.has(Flags::BLOCKED);
        if !self.connection.flags.has(Flags::LAST) {
            // No next request before the peer has taken this response.
            return self.enter(if blocked { Phase::Responding } else { Phase::Idle });
        }
        self.offer_later();
        self.enter(Phase::Responding);
    }

    /// Makes the current response the last of the connection.
    pub(crate) fn set_last(&mut self, cause: Cause) {
        self.connection.flags.insert(Flags::LAST);
        self.connection.flags.end_by(cause);
    }

    /// Has a connection without a request serve one, its last, if it begins within so many ticks of
    /// the accept. Ends an older connection.
    pub(crate) fn await_first(&mut self, ticks: u32, cause: Cause) {
        let arrives = self.connection.phase == Phase::Arriving;
        let counts_head = arrives || self.connection.flags.has(Flags::FROM_ACCEPT);
        let Options { first_byte_timeout, head_timeout, .. } = *self.options();
        // The deadline of the phase counts from the accept.
        let end = match if counts_head { head_timeout } else { first_byte_timeout } {
            NEVER => self.books.clock.deadline(ticks),
            timeout => self.connection.deadline.saturating_sub(timeout).saturating_add(ticks),
        };
        if end <= self.books.clock.tick() {
            return self.mark_gone(cause);
        }
        self.set_last(cause);
        self.set_deadline(end.min(self.connection.deadline));
    }

    /// Forgets a cause that was noted before: the connection goes on. One that is gone keeps it.
    pub(crate) fn go_on_living(&mut self) {
        if !self.connection.flags.has(Flags::GONE) {
            self.connection.flags.go_on();
        }
    }

    /// Ends the exchange but for bytes on their way.
    pub(crate) fn linger(&mut self, cause: Cause) {
        self.connection.flags.end_by(cause);
        self.enter(Phase::Lingering);
        // With nothing to write, `offer` still ends our side.
        self.offer_later();
    }

    /// Has the outbox offered to the kernel, unless a writable event must come first.
    #[inline]
    pub(crate) fn offer_later(&mut self) {
        if !self.connection.flags.has(Flags::BLOCKED) {
            self.books.work.dirty.push(self.connection);
        }
    }

    /// Ends the connection: `flush` frees it. Without a record of its close, an open exchange
    /// ends abnormally.
    pub(crate) fn mark_gone(&mut self, cause: Cause) {
        self.books.lane.leave_fast_path();
        self.connection.flags.insert(Flags::GONE);
        self.connection.flags.end_by(cause);
        self.books.work.ended.push(self.connection);
    }

    /// Ends our side after the last byte: the connection is gone if the peer has ended its side.
    fn end_our_side(&mut self, input_waits: bool) {
        let flags = &mut self.connection.flags;
        // Closing over unread input resets the connection, and the peer may lose the last bytes.
        if flags.has(Flags::READ_CLOSED) && !input_waits && !flags.has(Flags::UNREAD) {
            return self.mark_gone(Cause::Eof);
        }
        if flags.mark(Flags::SHUT) {
            self.connection.transport.shutdown(&mut self.books.traffic);
            self.read_later();
        }
    }

    /// Does what follows any write. `keep` stores what the transport did not
    /// take, given the bytes that it took. Every write to a transport ends here.
    #[inline]
    pub(crate) fn after_write(
        &mut self,
        outcome: io::Result<Wrote>,
        keep: impl FnOnce(&mut Self, usize),
    ) {
        match outcome {
            Ok(Wrote::All) => self.on_drained(),
            Ok(Wrote::Part(n)) => keep(self, n),
            Ok(Wrote::Nothing) => keep(self, 0),
            Err(_) => self.mark_gone(self.connection.broken()),
        }
    }

    /// Notes that the transport took `n` bytes of the outbox and no more.
    pub(crate) fn on_blocked(&mut self, n: usize) {
        self.connection.flags.insert(Flags::BLOCKED);
        if n > 0 {
            self.taken_by_peer();
        }
        self.store_waiting();
        // A response that waits for its reader has a deadline of its own.
        if self.connection.phase.awaits_request() {
            self.enter(Phase::Responding);
            self.held().outbox.progress();
        }
    }

    /// Notes that the peer of a blocked connection has taken bytes: it is alive.
    fn taken_by_peer(&mut self) {
        match self.connection.phase {
            Phase::WebSocket(State::Open) | Phase::Streaming => self.touch(),
            Phase::Lingering => self.linger_on(),
            _ => {}
        }
    }

    /// Moves a large outbox out of the heap.
    pub(crate) fn store_waiting(&mut self) {
        if let Some(held) = &mut self.connection.held {
            held.outbox.store_waiting();
        }
    }

    /// Notes that everything has left.
    #[inline]
    pub(crate) fn on_drained(&mut self) {
        // What `go_on` looks at: without any of it, as nearly always, it would do nothing.
        let waited = Flags::BLOCKED
            | Flags::ANSWERED
            | Flags::WANT_WRITABLE
            | Flags::READABLE
            | Flags::FOLLOWING;
        let phase = self.connection.phase;
        let plain = matches!(phase, Phase::WebSocket(_)) || phase.awaits_request();
        if self.connection.flags.any(waited) || !plain {
            self.go_on();
        }
    }

    /// Goes on with what waited for the output to leave.
    fn go_on(&mut self) {
        let flags = &mut self.connection.flags;
        let wants_writable = flags.any(Flags::WANT_WRITABLE | Flags::BLOCKED);
        let input_waits = flags.any(Flags::READABLE | Flags::ANSWERED);
        let was_blocked = flags.has(Flags::BLOCKED);
        let follows = flags.has(Flags::FOLLOWING);
        flags.remove(Flags::BLOCKED | Flags::ANSWERED | Flags::READABLE);
        let streams = self.connection.held.as_ref().is_some_and(|held| held.exchange.is_some());
        if wants_writable {
            self.books.work.writable.push(self.connection);
        }
        if was_blocked {
            self.taken_by_peer();
        }
        if follows {
            self.books.work.drained.push(self.connection.id.slot());
        }
        match self.connection.phase {
            Phase::Responding if streams => {}
            Phase::Responding if self.connection.flags.has(Flags::LAST) => {
                let ended = self.connection.flags.has(Flags::READ_CLOSED);
                self.connection.flags.end_by(if ended { Cause::Eof } else { Cause::Local });
                self.enter(Phase::Lingering);
                self.end_our_side(input_waits);
            }
            Phase::Responding => {
                self.enter(Phase::Idle);
                self.read_later();
            }
            Phase::Lingering => self.end_our_side(input_waits),
            _ if input_waits => self.read_later(),
            _ => {}
        }
    }
}
