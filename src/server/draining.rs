//! A drain: ends the server's connections in order, some in each turn. At the deadline, the drain
//! drops the connections that are left. The table in context/drain.rs says what ends when.

use super::server::Server;
use crate::connection::{Cause, Flags, Phase};
use crate::context::{Conn, Drain, DrainError, LAST_ACCEPTS, Walk};

/// How long after its accept a client may take to begin its request, in ticks: a second.
const FIRST_REQUEST: u32 = 4;

impl Server {
    /// Ends the server in order; see [`Drain`]. Its times count from the next turn, since between
    /// turns the server does not know the time. The end is complete once
    /// [`is_drained`](Server::is_drained) says so.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use switchboard::{Drain, Server};
    ///
    /// let mut server = Server::detached();
    /// server.drain(Drain { notice: Duration::from_secs(5), ..Drain::default() })?;
    /// let now = Instant::now();
    /// server.flush(now);
    /// assert!(!server.is_ready() && !server.is_drained());
    /// assert_eq!(server.poll_timeout(now), Some(Duration::from_secs(5)));
    /// server.flush(now + Duration::from_secs(5));
    /// assert!(server.is_drained());
    /// # Ok::<(), switchboard::DrainError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Context::drain`](crate::Context::drain). Also when a panic of a callback has
    /// [poisoned](Server::is_poisoned) the server: such a drain would never be complete.
    pub fn drain(&mut self, drain: Drain) -> Result<(), DrainError> {
        match self.is_poisoned() {
            true => Err(DrainError::ServerGone),
            false => self.context.drain_from_next_turn(drain),
        }
    }

    /// Whether the server wants more clients; see [`Context::is_ready`](crate::Context::is_ready).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.context.is_ready()
    }

    /// Whether a [`drain`](Server::drain) is complete: its notice is over, the listeners are
    /// closed, and no connection is left.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let has_stopped = self.context.draining.as_ref().is_some_and(|it| !it.is_listening());
        has_stopped && self.context.table.slots.len() == 0
    }

    /// Whether a drain has something to do in the next turn.
    pub(super) fn drains_on(&self) -> bool {
        let (now, slots) = (self.context.now(), &self.context.table.slots);
        let draining = self.context.draining.as_ref();
        draining.is_some_and(|draining| draining.is_busy(now, slots.len(), slots.chunks()))
    }

    /// Goes on with a drain.
    #[inline]
    pub(super) fn drain_on(&mut self) {
        if self.context.draining.is_some() {
            self.take_drain_step();
        }
    }

    fn take_drain_step(&mut self) {
        self.context.settle_drain();
        let now = self.context.now();
        let Some(draining) = &mut self.context.draining else { return };
        let walk = match draining.advance(now) {
            Walk::LastAccepts(turns) => self.accept_last(turns),
            walk => walk,
        };
        if matches!(walk, Walk::Notice | Walk::LastAccepts(_)) {
            return self.drain_goes_on(walk);
        }
        self.stop_listening();
        match walk {
            Walk::Http(chunk) => self.end_http(chunk),
            Walk::Late(chunk) => self.drop_late(chunk),
            _ => self.end_due(),
        }
    }

    fn drain_goes_on(&mut self, walk: Walk) {
        if let Some(draining) = &mut self.context.draining {
            draining.walk = walk;
        }
    }

    /// Accepts what waited at the listeners when the window began: closing them would reset it.
    /// Connections that were handed over before are admitted in the next turn.
    fn accept_last(&mut self, turns: u8) -> Walk {
        let mut wait = false;
        if turns == LAST_ACCEPTS {
            (0..self.listeners.len()).for_each(|index| self.accept_later(index as u16));
            wait = self.remote.refuse_sockets();
        }
        self.accept_again();
        let goes_on = turns > 1 && (wait || !self.work.accepting.is_empty());
        if goes_on { Walk::LastAccepts(turns - 1) } else { Walk::Http(0) }
    }

    fn slots_of(&self, chunk: usize) -> Vec<u32> {
        self.context.table.slots.chunk(chunk).map_or_else(Vec::new, Iterator::collect)
    }

    /// Ends what is not an open exchange in a chunk.
    fn end_http(&mut self, chunk: usize) {
        for slot in self.slots_of(chunk) {
            self.end_request(slot);
        }
        let slots = &self.context.table.slots;
        match &mut self.context.draining {
            Some(draining) if chunk + 1 >= slots.chunks() => draining.begin_open(slots.end()),
            _ => self.drain_goes_on(Walk::Http(chunk + 1)),
        }
    }

    fn end_request(&mut self, slot: u32) {
        let Some(connection) = self.context.table.slots.at_mut(slot) else { return };
        // What has arrived is answered.
        if connection.phase == Phase::Idle && !connection.has_spill() && !connection.has_output() {
            connection.flags.remove(Flags::UNREAD);
            self.look_again(slot);
        }
        let Some(mut at) = self.context.table.lease(slot).filter(|at| !at.is_gone()) else {
            return;
        };
        let arrived = at.connection.has_spill();
        match at.connection.phase {
            // The last response may come from this very turn, and still wait.
            Phase::Idle | Phase::Head if !arrived && at.connection.has_output() => {
                at.set_last(Cause::Drain);
                at.after_response();
            }
            // The request of a client that has just connected may be on its way.
            Phase::Arriving => at.await_first(FIRST_REQUEST, Cause::Drain),
            Phase::Idle if !arrived && at.connection.flags.has(Flags::FRESH) => {
                at.await_first(FIRST_REQUEST, Cause::Drain);
            }
            Phase::Idle | Phase::Head if !arrived => at.mark_gone(Cause::Drain),
            Phase::Idle | Phase::Head | Phase::Body | Phase::Deferred | Phase::Responding => {
                at.set_last(Cause::Drain);
                at.end_poll();
            }
            Phase::Connecting => at.mark_gone(Cause::Drain),
            Phase::WebSocket(_) | Phase::Streaming | Phase::Taken | Phase::Lingering => {}
        }
    }

    /// Ends the open exchanges whose moment has come.
    fn end_due(&mut self) {
        let now = self.context.now();
        let Some(draining) = &mut self.context.draining else { return };
        let due = draining.take_due(now);
        if due.is_empty() {
            return;
        }
        let reason = draining.reason.clone();
        for slot in due {
            self.end_open(slot, &reason);
        }
    }

    fn end_open(&mut self, slot: u32, reason: &str) {
        let Some(draining) = &self.context.draining else { return };
        let code = draining.code;
        let Some(connection) = self.context.table.slots.at(slot) else { return };
        if connection.phase.is_open() {
            let id = connection.id;
            self.call_back(slot, |server| {
                let conn = &mut Conn { cx: &mut server.context, id };
                conn.close_by(code, reason, Cause::Drain);
            });
        }
    }

    /// Ends an exchange that opened after the window began. The walk may have passed it.
    pub(super) fn end_newcomer(&mut self, slot: u32) {
        let draining = self.context.draining.as_ref().filter(|it| it.ends_newcomers());
        if let Some(reason) = draining.map(|draining| draining.reason.clone()) {
            self.end_open(slot, &reason);
        }
    }

    /// Drops the connections of a chunk.
    fn drop_late(&mut self, chunk: usize) {
        for slot in self.slots_of(chunk) {
            self.context.table.with(slot, |at| at.mark_gone(Cause::Drain));
        }
        // A walk past the end begins anew, while a connection is left.
        let is_over = chunk >= self.context.table.slots.chunks();
        self.drain_goes_on(Walk::Late(if is_over { 0 } else { chunk + 1 }));
    }
}
