//! Handles due deadlines: the phase of the connection decides what follows. connection/deadlines.rs
//! sets the first deadline of a phase.
//!
//! A WebSocket may be silent for 45 to 50.25 s by default: `Phase::ticks` shortens
//! `Options::idle_timeout` by a different part for each connection. Then `ping` sends a ping. After
//! `Options::pong_timeout` (default 20 s) without input, the connection is dropped.

use http::StatusCode;

use super::server::Server;
use crate::connection::{Cause, Flags, NEVER, Phase, Progress, Terms};
use crate::context::Conn;
use crate::http1::{RequestError, Response, event_stream};
use crate::net::Readiness;
use crate::outbox::Kind;
use crate::websocket::{CloseCode, Opcode, State};

/// The most timeouts of handlers that one turn checks, since a million may be due at once.
const TIMEOUTS: usize = 1 << 10;

impl Server {
    /// Handles all deadlines and timeouts that are due.
    pub(super) fn sweep(&mut self) {
        let tick = self.context.table.books.clock.tick();
        self.buffer_pool.evict_unused(tick);
        if self.context.table.slots.earliest() <= tick {
            let mut due = std::mem::take(&mut self.lent.due);
            self.context.table.slots.sweep(tick, &mut due);
            for slot in due.drain(..) {
                self.expire(slot);
            }
            self.lent.due = due;
        }
        let mut checks = TIMEOUTS;
        while let Some(slot) = self.context.timeouts.pop(tick, &mut checks) {
            // Input that waits may have the handler move its timeout.
            self.look_again(slot);
            if self.context.timeouts.strike(slot, tick) {
                self.call_back(slot, |server| {
                    server.tell(slot, |handler, conn| handler.timeout(conn))
                });
            }
        }
    }

    fn expire(&mut self, slot: u32) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        // A callback of an earlier check may have moved the deadline.
        let deadline = at.connection.deadline;
        if deadline > at.books.clock.tick() {
            return at.set_deadline(deadline);
        }
        if at.is_gone() {
            return at.set_deadline(NEVER);
        }
        if at.is_retired() {
            return self.retire(slot);
        }
        let pinged = at.connection.flags.has(Flags::PINGED);
        // Whether the check may end the connection or its exchange. A ping and a comment end none.
        let ends = match at.connection.phase {
            Phase::WebSocket(State::Open) => pinged,
            Phase::Streaming => at.is_blocked(),
            Phase::Taken => at.connection.flags.has(Flags::READ_CLOSED),
            _ => true,
        };
        if ends && !self.is_still_due(slot) {
            return;
        }
        let Some(mut at) = self.context.table.lease(slot) else { return };
        match at.connection.phase {
            Phase::Head => {
                let error = RequestError::HeadTimeout;
                self.call_back(slot, |server| server.refuse(slot, error, &[]));
            }
            Phase::Body => self.body_stalls(slot),
            Phase::Deferred => match at.connection.polling() {
                Some(_) => self.poll_is_over(slot),
                None => self.call_back(slot, |server| server.answer_is_late(slot)),
            },
            Phase::Responding => self.response_stalls(slot),
            Phase::WebSocket(State::Open) if !pinged => self.ping(slot),
            Phase::Streaming => self.call_back(slot, |server| server.keep_stream_alive(slot)),
            Phase::Taken if at.connection.flags.has(Flags::READ_CLOSED) => {
                self.response_stalls(slot);
                self.context.table.with(slot, |at| {
                    if at.is_blocked() && !at.is_gone() {
                        at.await_last_bytes();
                    }
                });
            }
            Phase::Taken => at.set_deadline(NEVER),
            Phase::Connecting => self.not_opened_in_time(slot),
            Phase::Arriving => self.not_arrived_in_time(slot),
            Phase::Idle => self.drop_now(slot, Cause::Silence),
            Phase::WebSocket(State::Open) => self.drop_now(slot, Cause::PongTimeout),
            // Both have a cause already.
            Phase::WebSocket(_) | Phase::Lingering => self.drop_now(slot, Cause::Local),
        }
    }

    /// Looks for news of a peer that the loop has not brought: reads its transport once, and offers
    /// it once what waits. A full list of events or a stall of the program may have left both.
    pub(super) fn look_again(&mut self, slot: u32) {
        let Some((mut at, delivery)) = self.context.lease(slot) else { return };
        if at.is_blocked() {
            delivery.offer(&mut at);
        }
        match at.connection.phase {
            Phase::Connecting => self.attempt_ready(slot, Readiness::READABLE),
            // The handler's answer may be here, though not given to the connection yet.
            Phase::Deferred => self.run_answers(),
            Phase::Arriving => self.look_at_arrival(slot),
            // Its input was left for a later turn, before it was read in this one.
            _ if self.turn_budget.is_some() && at.connection.flags.has(Flags::UNREAD) => {
                self.read_again(slot);
            }
            _ if at.connection.may_read() => self.read(slot),
            _ => {}
        }
    }

    /// Looks again at a peer that is late, and returns whether its connection is still due.
    fn is_still_due(&mut self, slot: u32) -> bool {
        self.look_again(slot);
        let Some(mut at) = self.context.table.lease(slot) else { return false };
        let deadline = at.connection.deadline;
        if at.is_gone() {
            at.set_deadline(NEVER);
            return false;
        }
        // The sweep took the deadline out of the books.
        at.set_deadline(deadline);
        deadline <= at.books.clock.tick()
    }

    /// Drops a connection without a further byte. Its handler gets `close` with 1006, or
    /// `cancelled`.
    fn drop_now(&mut self, slot: u32, cause: Cause) {
        self.context.table.with(slot, |at| {
            at.set_deadline(NEVER);
            at.mark_gone(cause);
        });
    }

    /// Ends a connection that has reached its `lifetime`.
    fn retire(&mut self, slot: u32) {
        // A request that has arrived is answered.
        self.look_again(slot);
        let Some(mut at) = self.context.table.lease(slot) else { return };
        if at.is_gone() {
            return at.set_deadline(NEVER);
        }
        let (id, phase) = (at.connection.id, at.connection.phase);
        if phase == Phase::Idle && !at.is_blocked() && !at.connection.has_output() {
            return self.drop_now(slot, Cause::Lifetime);
        }
        self.call_back(slot, |server| {
            let conn = &mut Conn { cx: &mut server.context, id };
            conn.close_by(CloseCode::GOING_AWAY, "lifetime", Cause::Lifetime);
        });
        // An HTTP exchange goes on, as the last one, with the deadline of its phase. A poll ends.
        self.poll_is_over(slot);
        if !phase.is_open() {
            self.context.table.with(slot, |at| at.rearm());
        }
    }

    /// Answers 408 to a body that is slower than `body_rate` (RFC 9110 15.5.9).
    fn body_stalls(&mut self, slot: u32) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        let options = at.options();
        let min = bytes_in(options.body_timeout, options.body_rate).max(1);
        let Some(exchange) = &mut at.held().exchange else {
            return self.drop_now(slot, Cause::BodyTimeout);
        };
        let terms = exchange.terms;
        let (progress, wanted) = match &mut exchange.progress {
            Progress::Body(incoming) => (incoming.progress(), true),
            Progress::Discard(incoming) => (incoming.progress(), false),
            Progress::Owed
            | Progress::Polling(_)
            | Progress::Connecting(_)
            | Progress::Rival(_)
            | Progress::Stream(_) => (0, false),
        };
        if progress >= min {
            return at.rearm();
        }
        let exchange = at.held().exchange.take();
        let head = exchange.map_or_else(Vec::new, |exchange| exchange.head);
        match wanted {
            true => self.call_back(slot, |server| {
                server.refuse_with(slot, terms, RequestError::BodyTimeout, &head);
            }),
            false => self.drop_now(slot, Cause::BodyTimeout),
        }
    }

    /// Answers 503 to a request whose deferred answer is late, and calls `cancelled`.
    fn answer_is_late(&mut self, slot: u32) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        let Some(exchange) = at.held().exchange.take() else {
            return self.drop_now(slot, Cause::AnswerTimeout);
        };
        at.connection.flags.end_by(Cause::AnswerTimeout);
        let cause = at.cause();
        self.tell(slot, |handler, conn| handler.cancelled(conn, cause));
        let terms = Terms { keep_alive: false, ..exchange.terms };
        let (status, text) = (StatusCode::SERVICE_UNAVAILABLE, "the answer did not come in time");
        self.observe_refusal(slot, status, text, &exchange.head);
        let response = Response::text(text).with_status(status);
        self.respond(slot, terms, &response);
    }

    /// Drops a connection whose peer reads slower than `write_rate`: that of a response, or of a
    /// takeover once the peer has ended its side. While the handler itself makes
    /// no output, the peer is not at fault.
    fn response_stalls(&mut self, slot: u32) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        let progress = at.connection.held.as_mut().map_or(0, |held| held.outbox.progress());
        let options = at.options();
        let min = bytes_in(options.write_timeout, options.write_rate).max(1);
        match at.is_blocked() && progress < min {
            true => self.drop_now(slot, Cause::WriteTimeout),
            false => at.rearm(),
        }
    }

    /// Pings a silent peer (RFC 6455 5.5.2). Any input within `pong_timeout` is a sign of life.
    fn ping(&mut self, slot: u32) {
        self.context.table.with(slot, |at| {
            at.connection.flags.insert(Flags::PINGED);
            let pong_timeout = at.options().pong_timeout;
            at.arm(pong_timeout);
        });
        self.call_back(slot, |server| {
            server.tell(slot, |_, conn| conn.send_control(Opcode::Ping, b""))
        });
    }

    /// Sends a comment to an event stream. A stream whose peer has taken nothing since the last
    /// comment is dropped.
    fn keep_stream_alive(&mut self, slot: u32) {
        let Some((mut at, delivery)) = self.context.lease(slot) else { return };
        let blocked = at.is_blocked();
        if blocked && at.connection.flags.has(Flags::PINGED) {
            return self.drop_now(slot, Cause::WriteTimeout);
        }
        at.rearm();
        match blocked {
            true => {
                at.connection.flags.insert(Flags::PINGED);
                let options = at.options();
                let patience = options.write_timeout.min(options.event_stream_interval);
                at.arm(patience);
            }
            false => delivery.output(&mut at).push(Kind::Bytes, |own| {
                own.extend_from_slice(event_stream::KEEP_ALIVE);
            }),
        }
    }
}

/// Returns the bytes of a rate over some ticks of 250 ms.
fn bytes_in(ticks: u32, per_second: u64) -> u64 {
    (u64::from(ticks) * per_second) / 4
}
