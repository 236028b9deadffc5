//! The second half of a turn: everything that callbacks asked for, the deadlines, the output and the dead. Nothing is freed or
//! called back before.

use std::time::Instant;

use super::drive::IN_PLACE_A_TURN;
use super::server::Server;
use crate::connection::{Close, Conn, Flags, Phase, Progress, RemoteCall, UNCOUNTED};
use crate::websocket::CloseCode;

/// How many timers one turn runs.
const TIMERS: usize = 1 << 10;
/// How many connections one round offers to the kernel: something may have been published to a million.
const WRITES: usize = 1 << 10;
/// Room that is kept for those that end.
const ENDED_KEPT: usize = 1 << 10;
/// How often the lists are gone through in one turn; callbacks that fill them anew wait for the next one after that.
const ROUNDS: usize = 4;

impl Server {
    /// Ends a turn: deadlines, timers, queued calls, deferred answers, output, the dead. To be called after every batch of
    /// events, and when [`poll_timeout`](Server::poll_timeout) has passed without any.
    pub fn flush(&mut self, now: Instant) {
        self.context.clock.set(now);
        self.read_backlog();
        self.accept_again();
        self.run_connects();
        self.run_remote();
        self.run_timers();
        self.sweep();
        self.drain_on();
        for round in 0..ROUNDS {
            let writable = round == 0 && !self.context.writable.is_empty();
            if !writable && !self.has_more() {
                break;
            }
            self.run_calls();
            self.run_answers();
            self.free_ended();
            self.write();
            if writable {
                self.tell_writable();
            }
        }
        std::mem::swap(&mut self.backlog, &mut self.context.unread);
        self.lent.in_place = IN_PLACE_A_TURN;
        if self.writing.is_empty() && self.context.posts.is_empty() {
            self.context.end_turn();
        }
    }

    /// Whether another round has something to do.
    fn has_more(&self) -> bool {
        let cx = &self.context;
        !(cx.calls.is_empty()
            && cx.answered.is_empty()
            && cx.ended.is_empty()
            && cx.posts.is_empty()
            && cx.dirty.is_empty()
            && self.writing.is_empty())
    }

    /// Connections that had more to read than one turn gives.
    fn read_backlog(&mut self) {
        if self.backlog.is_empty() {
            return;
        }
        let mut backlog = std::mem::take(&mut self.backlog);
        for slot in backlog.drain(..) {
            self.read_again(slot);
        }
        self.backlog = backlog;
    }

    fn run_remote(&mut self) {
        for call in self.remote.take().into_iter().flatten() {
            match call {
                RemoteCall::Zone(zone, call) => {
                    call(self.zones.handler_as_any(zone), &mut self.context)
                }
                RemoteCall::Context(call) => call(&mut self.context),
            }
        }
    }

    fn run_timers(&mut self) {
        let now = self.context.clock.now();
        for _ in 0..TIMERS {
            let Some(mut due) = self.context.timers.pop(now) else { return };
            due.run(self.zones.handler_as_any(due.zone), &mut self.context);
            self.context.timers.again(due, now);
        }
    }

    fn run_calls(&mut self) {
        for (zone, call) in std::mem::take(&mut self.context.calls) {
            call(self.zones.handler_as_any(zone), &mut self.context);
        }
    }

    fn run_answers(&mut self) {
        for (id, answer) in std::mem::take(&mut self.context.answered) {
            self.answer(id, answer);
        }
    }

    /// Offers what waits to the kernel, a slice at a time.
    fn write(&mut self) {
        let posts = self.context.write_posts(WRITES);
        self.writing.extend(self.context.dirty.drain(..));
        for _ in 0..self.writing.len().min(WRITES - posts) {
            let Some(slot) = self.writing.pop_front() else { return };
            let Some(connection) = self.context.slots.at_mut(slot) else { continue };
            connection.flags.remove(Flags::DIRTY);
            if !connection.flags.has(Flags::BLOCKED) {
                self.context.offer(slot);
                self.context.tidy(slot);
            }
        }
    }

    fn tell_writable(&mut self) {
        for slot in std::mem::take(&mut self.context.writable) {
            let Some(connection) = self.context.slots.at_mut(slot) else { continue };
            connection.flags.remove(Flags::WRITABLE | Flags::WANT_WRITABLE);
            let (id, zone) = (connection.id, connection.zone);
            let open = connection.phase.is_open() || connection.phase == Phase::Responding;
            if open && !connection.flags.has(Flags::GONE) {
                self.call_back(slot, |server| {
                    server.zones.handler(zone).writable(&mut Conn { cx: &mut server.context, id })
                });
            }
        }
    }

    /// Tells the handlers of what has ended, and frees the dead. What ends meanwhile waits for the next round.
    fn free_ended(&mut self) {
        let (before, count) = (self.context.slots.len(), self.context.ended.len());
        for at in 0..count {
            let slot = self.context.ended[at];
            let Some(connection) = self.context.slots.at_mut(slot) else { continue };
            connection.flags.remove(Flags::ENDED);
            let gone = connection.flags.has(Flags::GONE);
            if gone {
                self.tell_cancelled(slot);
            }
            let told = self.tell_close(slot);
            if gone {
                if !told {
                    self.context.end_exchange(slot);
                }
                self.free(slot);
            }
        }
        self.context.ended.drain(..count);
        self.context.ended.shrink_to(ENDED_KEPT);
        if self.context.slots.len() < before {
            let now = self.context.clock.now();
            self.listeners.iter_mut().flatten().for_each(|listener| listener.hurry(now));
        }
    }

    fn free(&mut self, slot: u32) {
        self.context.tidy(slot);
        let Some(connection) = self.context.slots.remove(slot) else { return };
        if let Some(count) = self.context.stats.open(connection.phase) {
            *count -= 1;
        }
        if connection.address != UNCOUNTED {
            self.context.addresses.leave(connection.address);
        }
        // Closing a descriptor also takes it out of the Poll.
        drop(connection);
    }

    /// `close`, once for an exchange that was open; its topics go after it. Whether there was one to be told of.
    pub(super) fn tell_close(&mut self, slot: u32) -> bool {
        let Some(connection) = self.context.slots.at_mut(slot) else { return false };
        let farewell = connection.held.as_mut().and_then(|held| held.close_record.take());
        let ended = farewell.is_some() || connection.flags.has(Flags::GONE);
        if !ended || !connection.flags.has(Flags::OPENED) {
            return false;
        }
        connection.flags.remove(Flags::OPENED);
        let (id, zone) = (connection.id, connection.zone);
        let close = match &farewell {
            Some(farewell) => {
                Close { code: farewell.code, reason: &farewell.reason, by_peer: farewell.by_peer }
            }
            None => Close { code: CloseCode::ABNORMAL, reason: "", by_peer: false },
        };
        self.zones.handler(zone).close(&mut Conn { cx: &mut self.context, id }, close);
        self.context.end_exchange(slot);
        true
    }

    /// `cancelled`, for an answer that is still owed to a peer that is gone.
    fn tell_cancelled(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        let Some(exchange) = connection.held.as_mut().and_then(|held| held.exchange.take()) else {
            return;
        };
        let (id, zone) = (connection.id, connection.zone);
        match &exchange.progress {
            Progress::Owed | Progress::Stream(_) => {
                self.zones.handler(zone).cancelled(&mut Conn { cx: &mut self.context, id });
            }
            Progress::Connecting(attempt) => self.forget(id, attempt),
            Progress::Body(_) | Progress::Discard(_) => {}
        }
    }

    /// Goes on with a drain: a slice of the connections is told, and at the deadline all that are left are dropped.
    fn drain_on(&mut self) {
        let Some(mut draining) = self.context.draining else { return };
        self.stop_listening();
        let late = self.context.clock.now() >= draining.deadline;
        if late
            && self.context.slots.chunk(draining.chunk).is_none()
            && self.context.slots.len() > 0
        {
            draining.chunk = 0;
        }
        let slots = self.context.slots.chunk(draining.chunk).map(Iterator::collect::<Vec<u32>>);
        draining.chunk += usize::from(slots.is_some());
        for slot in slots.into_iter().flatten() {
            if late { self.context.mark_gone(slot) } else { self.drain_one(slot, draining.code) }
        }
        self.context.draining = Some(draining);
    }

    fn drain_one(&mut self, slot: u32, code: CloseCode) {
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        let arrived = connection.held.as_ref().is_some_and(|held| !held.spill.is_empty());
        let waits = connection.held.as_ref().is_some_and(|held| !held.outbox.is_empty());
        match connection.phase {
            // The last response may have been made in this very turn, and not have left yet.
            Phase::Head if !arrived && waits => {
                connection.flags.insert(Flags::LAST);
                self.context.after_response(slot);
            }
            Phase::Head if !arrived => self.context.mark_gone(slot),
            Phase::Head | Phase::Body | Phase::Deferred | Phase::Responding => {
                connection.flags.insert(Flags::LAST)
            }
            Phase::WebSocket(_) | Phase::Streaming | Phase::Taken => {
                let id = connection.id;
                self.call_back(slot, |server| Conn { cx: &mut server.context, id }.close(code, ""));
            }
            Phase::Connecting => self.context.mark_gone(slot),
            Phase::Lingering => {}
        }
    }
}
