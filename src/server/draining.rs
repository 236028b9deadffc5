//! A drain: closes the server's connections in order, some in each turn. At the deadline, the drain
//! drops the connections that are left.

use std::time::Duration;

use super::server::Server;
use crate::connection::{Cause, Phase};
use crate::context::Conn;
use crate::websocket::CloseCode;

impl Server {
    /// Ends the server in order; see [`Context::drain`](crate::Context::drain). The deadline counts
    /// from the next turn, since between turns the server does not know the time.
    pub fn drain(&mut self, code: CloseCode, deadline: Duration) {
        if self.context.draining.is_none() {
            self.context.drain(code, deadline);
            if let Some(draining) = &mut self.context.draining {
                draining.pending = Some(deadline);
            }
        }
    }

    /// Whether a [`drain`](Server::drain) is complete: no connection is left.
    pub fn is_drained(&self) -> bool {
        self.context.draining.is_some() && self.context.table.slots.len() == 0
    }

    /// Whether a drain has connections left to close.
    pub(super) fn drains_on(&self) -> bool {
        let slots = &self.context.table.slots;
        self.context.draining.is_some_and(|draining| slots.chunk(draining.chunk).is_some())
    }

    /// Goes on with a drain.
    pub(super) fn drain_on(&mut self) {
        let Some(mut draining) = self.context.draining else { return };
        self.stop_listening();
        if let Some(pending) = draining.pending.take() {
            draining.deadline = self.context.later(pending);
        }
        let late = self.context.now() >= draining.deadline;
        let slots = &self.context.table.slots;
        if late && slots.chunk(draining.chunk).is_none() && slots.len() > 0 {
            draining.chunk = 0;
        }
        let slots = slots.chunk(draining.chunk).map(Iterator::collect::<Vec<u32>>);
        draining.chunk += usize::from(slots.is_some());
        for slot in slots.into_iter().flatten() {
            if late {
                self.context.table.with(slot, |at| at.mark_gone(Cause::Drain));
            } else {
                self.drain_one(slot, draining.code);
            }
        }
        self.context.draining = Some(draining);
    }

    fn drain_one(&mut self, slot: u32, code: CloseCode) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        let arrived = at.connection.has_spill();
        match at.connection.phase {
            // The last response may come from this very turn, and still wait.
            Phase::Idle | Phase::Head if !arrived && at.connection.has_output() => {
                at.set_last(Cause::Drain);
                at.after_response();
            }
            Phase::Idle | Phase::Head if !arrived => at.mark_gone(Cause::Drain),
            Phase::Idle | Phase::Head | Phase::Body | Phase::Deferred | Phase::Responding => {
                at.set_last(Cause::Drain);
            }
            Phase::WebSocket(_) | Phase::Streaming | Phase::Taken => {
                let id = at.connection.id;
                self.call_back(slot, |server| {
                    let conn = &mut Conn { cx: &mut server.context, id };
                    conn.close_by(code, "", Cause::Drain);
                });
            }
            Phase::Connecting | Phase::Arriving => at.mark_gone(Cause::Drain),
            Phase::Lingering => {}
        }
    }
}
