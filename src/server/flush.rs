//! The second half of a turn: timers, deadlines, queued calls, output, and the connections that
//! ended. Only this file frees connections. It calls `close`, `cancelled` and `writable`.

use std::collections::VecDeque;
use std::mem;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use super::polling::Polls;
use super::server::{LARGE_PER_TURN, Server};
use crate::connection::{CloseRecord, Flags, Phase, Progress, RIVAL, TURNED_AWAY, UNCOUNTED};
use crate::context::{Close, Context, RemoteCall, catch, dispose};
use crate::websocket::CloseCode;

/// The most timers that one turn runs.
const TIMERS: usize = 1 << 10;
/// How long timers wait for input that a full list of events left behind.
const TIMER_DELAY: Duration = Duration::from_millis(50);
/// The most connections that one round offers to the kernel, since a publish may reach a million.
const WRITES: usize = 1 << 10;
/// Capacity that stays in the list of connections that ended.
const ENDED_KEPT: usize = 1 << 10;
/// Rounds over the lists in one turn. What callbacks add in the last one waits for the next turn.
const ROUNDS: usize = 4;

impl Server {
    /// Ends a turn: deadlines, timers, queued calls, deferred answers, output, ended connections,
    /// and last the observer.
    ///
    /// A program with a loop of its own calls it after every batch of events, and when
    /// [`poll_timeout`](Server::poll_timeout) has passed without any.
    ///
    /// A [poisoned](Server::is_poisoned) server does nothing.
    pub fn flush(&mut self, now: Instant) {
        if !self.is_poisoned() {
            self.poison_if_unwinding(|server| server.flush_turn(now));
        }
    }

    /// Ends a turn, for a caller that poisons the server if a panic unwinds.
    pub(crate) fn flush_turn(&mut self, now: Instant) {
        self.context.table.books.clock.set_in_turn(now);
        if self.context.has_extras {
            self.context.following.begin_turn();
        }
        self.read_backlog();
        self.accept_again();
        self.run_arrivals();
        self.run_connects();
        self.run_remote();
        self.run_timers();
        self.sweep();
        self.drain_on();
        let writable = !self.context.table.books.work.writable.is_empty();
        if writable || self.has_more(0) {
            self.run_rounds(writable);
        }
        if self.link.is_some() {
            self.send_mail();
        }
        mem::swap(&mut self.work.backlog, self.context.table.books.work.unread.slots());
        self.lent.large_left = LARGE_PER_TURN;
        if self.work.writing.is_empty() && self.context.delivery.fan_out.is_empty() {
            self.context.table.books.pool.end_turn();
        }
        if self.context.has_extras {
            self.context.forget_old();
        }
        if self.measures_turns() {
            self.record_turn(now);
        }
        debug_assert!(self.context.table.adds_up(), "{:?}", self.context.stats());
        debug_assert!(self.context.has_extras || self.lacks_extras());
    }

    /// Goes over the lists until nothing is left or the rounds of the turn are over. Most turns of
    /// small messages need no round, so their path has nothing of this one's.
    #[inline(never)]
    fn run_rounds(&mut self, writable: bool) {
        let mut polls = None;
        for round in 0..ROUNDS {
            if round > 0 && !self.has_more(round) {
                break;
            }
            self.run_calls();
            self.run_answers();
            if self.context.has_extras && !self.context.table.books.work.polls.is_empty() {
                self.run_polls(polls.get_or_insert_with(Polls::new));
            }
            self.free_ended();
            if self.context.has_extras {
                self.run_extras(round);
            }
            self.write();
            if writable && round == 0 {
                self.tell_writable();
            }
            self.tell_observer();
        }
    }

    /// Whether another round has something to do.
    fn has_more(&self, round: usize) -> bool {
        let (cx, table) = (&self.context.work, &self.context.table.books.work);
        !(cx.calls.is_empty()
            && cx.answered.is_empty()
            && table.ended.is_empty()
            && table.dirty.is_empty()
            && self.context.delivery.fan_out.is_empty()
            && self.work.writing.is_empty()
            && !(self.context.has_extras && self.extras_have_more(round)))
    }

    /// Reads from the connections that had more input than one turn takes.
    fn read_backlog(&mut self) {
        if self.work.backlog.is_empty() {
            return;
        }
        if self.turn_budget.is_some() {
            return self.read_backlog_within();
        }
        let mut backlog = mem::take(&mut self.work.backlog);
        for slot in backlog.drain(..) {
            self.read_again(slot);
        }
        self.work.backlog = backlog;
    }

    fn run_remote(&mut self) {
        if let Some(calls) = self.remote.take() {
            self.run_remote_calls(calls);
        }
        if self.link.is_some() {
            self.take_mail();
        }
        if self.context.stores.is_some() {
            self.context.take_store_answers();
        }
    }

    fn run_remote_calls(&mut self, mut calls: VecDeque<RemoteCall>) {
        while let Some(call) = calls.pop_front() {
            let outcome = catch(|| match call {
                RemoteCall::Zone(zone, call) => self.call_zone("remote call", zone, call),
                RemoteCall::Context(call) => call(&mut self.context),
                RemoteCall::Adopt(handed) => self.take_handed_over(*handed),
            });
            match outcome {
                Ok(()) => {}
                // A closure without a zone, such as one that gets the counters of a cluster.
                Err(payload) if self.zones.handlers.catches() => {
                    self.context.note_panic(None, "remote call", &*payload);
                    dispose(payload);
                }
                Err(payload) => {
                    // The others are dropped with the server.
                    self.remote.put_back(calls);
                    resume_unwind(payload);
                }
            }
        }
    }

    /// Runs the timers that are due. A timer may judge a peer by its silence, so input that came
    /// before the timer is read first.
    fn run_timers(&mut self) {
        let Some(first) = self.context.timers.next() else { return };
        if self.measures_turns() {
            self.note_due(first);
        }
        let now = self.context.now();
        let due_by = match mem::take(&mut self.leaves_events) {
            true => now.checked_sub(TIMER_DELAY).unwrap_or(now),
            false => now,
        };
        for _ in 0..TIMERS {
            let Some(mut due) = self.context.timers.pop(due_by) else { return };
            let zone = due.zone;
            let outcome = catch(|| {
                self.call_zone("timer", zone, |handler, cx| due.run(handler, cx));
            });
            let left = self.context.timers.again(due, now);
            self.let_go("timer", outcome, || drop(left));
        }
    }

    fn run_calls(&mut self) {
        if self.context.work.calls.is_empty() {
            return;
        }
        // What a panic leaves on the list is dropped with the server.
        for _ in 0..self.context.work.calls.len() {
            let Some((zone, call)) = self.context.work.calls.pop_front() else { break };
            self.call_zone("call", zone, call);
        }
        if self.context.work.calls.is_empty() {
            self.context.work.calls = VecDeque::new();
        }
    }

    pub(super) fn run_answers(&mut self) {
        if self.context.work.answered.is_empty() {
            return;
        }
        for (id, answer) in mem::take(&mut self.context.work.answered) {
            self.answer(id, answer);
        }
    }

    /// Offers waiting output to the kernel, a slice at a time.
    #[inline(never)]
    fn write(&mut self) {
        let Context { table, delivery, .. } = &mut self.context;
        let posted = delivery.write_fan_out(table, WRITES);
        self.work.writing.extend(table.books.work.dirty.slots().drain(..));
        for _ in 0..self.work.writing.len().min(WRITES - posted) {
            let Some(slot) = self.work.writing.pop_front() else { return };
            let Some(mut at) = table.lease(slot) else { continue };
            at.connection.flags.remove(Flags::DIRTY);
            if !at.is_blocked() {
                delivery.offer(&mut at);
                at.tidy();
            }
        }
    }

    fn tell_writable(&mut self) {
        for slot in mem::take(self.context.table.books.work.writable.slots()) {
            let Some(at) = self.context.table.lease(slot) else { continue };
            at.connection.flags.remove(Flags::WRITABLE | Flags::WANT_WRITABLE);
            let phase = at.connection.phase;
            if (phase.is_open() || phase == Phase::Responding) && !at.is_gone() {
                self.call_back(slot, |server| {
                    server.tell(slot, |handler, conn| handler.writable(conn))
                });
            }
        }
    }

    /// Calls `close` and `cancelled` for exchanges that ended, and frees the connections that are
    /// gone. Connections that end meanwhile wait for the next round.
    #[inline(never)]
    fn free_ended(&mut self) {
        let before = self.context.table.slots.len();
        let count = self.context.table.books.work.ended.slots().len();
        for at in 0..count {
            let slot = self.context.table.books.work.ended.slots()[at];
            let Some(at) = self.context.table.lease(slot) else { continue };
            at.connection.flags.remove(Flags::ENDED);
            let gone = at.is_gone();
            let held = at.connection.held.as_ref();
            if gone && held.is_some_and(|held| held.exchange.is_some()) {
                self.tell_cancelled(slot);
            }
            let closed = self.tell_close(slot);
            if gone {
                if !closed {
                    self.context.end_exchange(slot);
                }
                self.free(slot);
            }
        }
        let ended = self.context.table.books.work.ended.slots();
        ended.drain(..count);
        ended.shrink_to(ENDED_KEPT);
        if self.context.table.slots.len() < before {
            let now = self.context.now();
            self.listeners.iter_mut().flatten().for_each(|listener| listener.hurry(now));
        }
    }

    fn free(&mut self, slot: u32) {
        self.context.note_end(slot);
        let table = &mut self.context.table;
        let Some(mut connection) = table.slots.remove(slot) else { return };
        if let Some(held) = connection.held.take_if(|held| held.is_empty()) {
            table.books.pool.put(held);
        }
        if connection.transport.is_tls() && connection.is_whole() {
            connection.transport.close_notify(&mut table.books.traffic);
        }
        table.books.phases.leave(connection.phase);
        let address = connection.address;
        // Neither is a connection of the server's, or it was counted when it was refused.
        if address != TURNED_AWAY && address != RIVAL {
            table.books.stats.ends.count_end(connection.flags);
        }
        self.leave_place(address);
        // Closing a descriptor also takes it out of the Poll.
        drop(connection);
    }

    /// Counts a connection that is out of the table no longer: for its cluster and its address.
    #[inline]
    pub(super) fn leave_place(&mut self, address: u32) {
        let table = &mut self.context.table;
        if address == RIVAL {
            table.rival_ended();
        }
        if let Some(share) = &table.books.share {
            share.leave(address == TURNED_AWAY);
        }
        match address {
            UNCOUNTED | RIVAL => {}
            TURNED_AWAY => table.books.turned_away -= 1,
            address => self.context.addresses.leave(address),
        }
    }

    /// Calls `close` once for an exchange that was open, and removes its topics after that. Returns
    /// whether the exchange was open.
    pub(super) fn tell_close(&mut self, slot: u32) -> bool {
        let Some(at) = self.context.table.lease(slot) else { return false };
        let record = at.connection.held.as_mut().and_then(|held| held.close_record.take());
        let ended = record.is_some() || at.is_gone();
        if !ended || !at.connection.flags.has(Flags::OWES_CLOSE) {
            return false;
        }
        at.connection.flags.remove(Flags::OWES_CLOSE);
        let cause = at.cause();
        let (code, reason, by_peer, declined) = match &record {
            Some(CloseRecord { code, reason, by_peer, declined }) => {
                (*code, &**reason, *by_peer, declined.as_deref())
            }
            None => (CloseCode::ABNORMAL, "", false, None),
        };
        let close = Close { code, reason, by_peer, cause, declined };
        self.context.note_close(slot, close);
        self.tell(slot, |handler, conn| handler.close(conn, close));
        self.context.end_exchange(slot);
        true
    }

    /// Calls `cancelled` for an answer that is still owed to a peer that is gone.
    fn tell_cancelled(&mut self, slot: u32) {
        let Some(at) = self.context.table.lease(slot) else { return };
        let id = at.connection.id;
        let exchange = at.connection.held.as_mut().and_then(|held| held.exchange.take());
        let Some(mut exchange) = exchange else { return };
        match &mut exchange.progress {
            Progress::Owed | Progress::Stream(_) => {
                let cause = at.cause();
                self.tell(slot, |handler, conn| handler.cancelled(conn, cause));
            }
            Progress::Connecting(attempt) => {
                self.forget(id, attempt);
                self.record_declined(slot, attempt);
            }
            Progress::Polling(_)
            | Progress::Rival(_)
            | Progress::Body(_)
            | Progress::Discard(_) => {}
        }
    }
}
