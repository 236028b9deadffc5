//! Looks at connections whose deadline has come. The phase says what that means.

use super::server::Server;
use crate::connection::{Conn, Flags, Kind, NEVER, Phase, Progress, Terms};
use crate::http1::{RequestError, Response, event_stream};
use crate::websocket::{CloseCode, Opcode, State};

/// How many timeouts of handlers one turn looks at: a million may come at once.
const TIMEOUTS: usize = 1 << 10;

impl Server {
    /// Looks at what is due.
    pub(super) fn sweep(&mut self) {
        let tick = self.context.clock.tick();
        self.context.spare.tire(tick);
        if self.context.slots.earliest() <= tick {
            let mut due = std::mem::take(&mut self.lent.due);
            self.context.slots.sweep(tick, &mut due);
            for slot in due.drain(..) {
                self.expire(slot);
            }
            self.lent.due = due;
        }
        let mut looks = TIMEOUTS;
        while let Some(slot) = self.context.timeouts.pop(tick, &mut looks) {
            let Some(connection) = self.context.slots.at(slot) else { continue };
            let (id, zone) = (connection.id, connection.zone);
            self.call_back(slot, |server| {
                server.zones.handler(zone).timeout(&mut Conn { cx: &mut server.context, id })
            });
        }
    }

    /// Runs a callback whose output for this connection leaves in one write.
    pub(super) fn call_back(&mut self, slot: u32, call: impl FnOnce(&mut Server)) {
        self.context.begin_input(slot);
        call(self);
        self.context.end_input(slot);
        self.context.tidy(slot);
    }

    fn expire(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at(slot) else { return };
        // A callback of an earlier look may have given it another deadline.
        let deadline = connection.deadline;
        if deadline > self.context.clock.tick() {
            return self.context.slots.arm(slot, deadline);
        }
        let (phase, flags) = (connection.phase, connection.flags);
        if flags.has(Flags::GONE) {
            return self.context.slots.arm(slot, NEVER);
        }
        if self.context.is_retired(slot) {
            return self.retire(slot);
        }
        match phase {
            Phase::Head if flags.has(Flags::HEAD_BEGUN) => {
                self.call_back(slot, |server| server.refuse(slot, RequestError::HeadTimeout))
            }
            Phase::Body => self.body_stalls(slot),
            Phase::Deferred => self.call_back(slot, |server| server.answer_is_late(slot)),
            Phase::Responding => self.response_stalls(slot),
            Phase::WebSocket(State::Open) if !flags.has(Flags::PINGED) => self.ping(slot),
            Phase::Streaming => self.call_back(slot, |server| server.keep_stream_alive(slot)),
            Phase::Taken => self.context.slots.arm(slot, NEVER),
            Phase::Connecting => self.not_opened_in_time(slot),
            Phase::Head | Phase::WebSocket(_) | Phase::Lingering => self.drop_now(slot),
        }
    }

    fn drop_now(&mut self, slot: u32) {
        self.context.slots.arm(slot, NEVER);
        self.context.mark_gone(slot);
    }

    /// It has lived for as long as it may.
    fn retire(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        let (id, phase) = (connection.id, connection.phase);
        let idle =
            phase == Phase::Head && !connection.flags.has(Flags::HEAD_BEGUN | Flags::BLOCKED);
        let waits = connection.held.as_ref().is_some_and(|held| !held.outbox.is_empty());
        if idle && !waits {
            return self.drop_now(slot);
        }
        self.call_back(slot, |server| {
            Conn { cx: &mut server.context, id }.close(CloseCode::GOING_AWAY, "lifetime")
        });
        // An HTTP exchange goes on, as the last: its phase has its deadline.
        let Some(connection) = self.context.slots.at(slot) else { return };
        let head_timeout = self.context.options_of(connection).head_timeout;
        match phase {
            Phase::Head if connection.flags.has(Flags::HEAD_BEGUN) => {
                self.context.arm(slot, head_timeout)
            }
            phase if !phase.is_open() => self.context.rearm(slot),
            _ => {}
        }
    }

    /// A body that comes too slowly is refused.
    fn body_stalls(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at(slot) else { return };
        let options = self.context.options_of(connection);
        let least = bytes_in(options.body_timeout, options.body_rate).max(1);
        let Some(mut exchange) = self.context.held(slot).and_then(|held| held.exchange.take())
        else {
            return self.drop_now(slot);
        };
        let (progress, wanted) = match &mut exchange.progress {
            Progress::Body(incoming) => (incoming.progress(), true),
            Progress::Discard(incoming) => (incoming.progress(), false),
            Progress::Owed | Progress::Connecting(_) | Progress::Stream(_) => (0, false),
        };
        if progress >= least {
            if let Some(held) = self.context.held(slot) {
                held.exchange = Some(exchange);
            }
            self.context.rearm(slot);
        } else if wanted {
            self.call_back(slot, |server| {
                server.refuse_with(slot, exchange.terms, RequestError::BodyTimeout)
            });
        } else {
            self.drop_now(slot);
        }
    }

    /// The handler has not answered: the client is told so, and the handler that it need not any more.
    fn answer_is_late(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at(slot) else { return };
        let (id, zone) = (connection.id, connection.zone);
        let exchange = self.context.held(slot).and_then(|held| held.exchange.take());
        let Some(exchange) = exchange else { return self.drop_now(slot) };
        self.zones.handler(zone).cancelled(&mut Conn { cx: &mut self.context, id });
        let terms = Terms { keep_alive: false, ..exchange.terms };
        self.respond(
            slot,
            terms,
            &Response::text("the answer did not come in time").with_status(503),
        );
    }

    /// The peer takes too little, or the handler has nothing to give, in which case it is not the peer's fault.
    fn response_stalls(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        let waits = connection.flags.has(Flags::BLOCKED);
        let progress = connection.held.as_mut().map_or(0, |held| held.outbox.progress());
        let options = &self.context.options[usize::from(connection.options)];
        let least = bytes_in(options.write_timeout, options.write_rate).max(1);
        if waits && progress < least { self.drop_now(slot) } else { self.context.rearm(slot) }
    }

    /// A ping to a silent peer (RFC 6455 5.5.2): it has so long to show any sign of life.
    fn ping(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        connection.flags.insert(Flags::PINGED);
        let (id, options) = (connection.id, connection.options);
        let pong_timeout = self.context.options[usize::from(options)].pong_timeout;
        self.context.arm(slot, pong_timeout);
        self.call_back(slot, |server| {
            Conn { cx: &mut server.context, id }.control(Opcode::Ping, b"")
        });
    }

    /// A comment to an event stream; one whose peer has taken nothing since the last is over.
    fn keep_stream_alive(&mut self, slot: u32) {
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        let blocked = connection.flags.has(Flags::BLOCKED);
        if blocked && connection.flags.has(Flags::PINGED) {
            return self.drop_now(slot);
        }
        self.context.rearm(slot);
        if blocked {
            if let Some(connection) = self.context.slots.at_mut(slot) {
                connection.flags.insert(Flags::PINGED);
            }
        } else if let Some(output) = self.context.output(slot) {
            output.push(Kind::Bytes, |own| own.extend_from_slice(event_stream::KEEP_ALIVE));
        }
    }
}

/// What a rate comes to in so many ticks.
fn bytes_in(ticks: u32, per_second: u64) -> u64 {
    (u64::from(ticks) * per_second) / 4
}
