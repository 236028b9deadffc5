//! The methods of a context that end its server in order. This file ends no connection: the server
//! does, in server/draining.rs.

use super::context::Context;
use super::drain::{Drain, DrainError};
use super::draining::{Draining, Moments};

impl Context {
    /// Ends the server in order: a notice, a window in which connections close, and a deadline. See
    /// [`Drain`]. Then [`Reactor::run`](crate::Reactor::run) returns. A second call can only bring
    /// the three moments forward.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::testing::World;
    /// use switchboard::{Drain, Message};
    ///
    /// let mut world = World::new();
    /// world.server.websocket("/", |conn, message| match message {
    ///     Message::Text("end") => {
    ///         let ending = conn.context().drain(Drain::within(Duration::from_secs(3)));
    ///         assert_eq!(ending, Ok(()));
    ///     }
    ///     _ => conn.send(message),
    /// });
    /// let ada = world.websocket("/");
    /// world.say(ada, "end");
    /// assert!(!world.is_open(ada) && world.server.is_drained());
    /// ```
    ///
    /// # Errors
    /// [`DrainError::DeadlineTooShort`], if the deadline leaves no room for notice and window. Then
    /// nothing ends.
    pub fn drain(&mut self, drain: Drain) -> Result<(), DrainError> {
        drain.check()?;
        let moments = Moments::of(&drain).map(|after| self.later(after));
        self.draining_as(drain).shorten(moments);
        Ok(())
    }

    /// Drains with times that count from the next turn.
    pub(crate) fn drain_from_next_turn(&mut self, drain: Drain) -> Result<(), DrainError> {
        drain.check()?;
        let moments = Moments::of(&drain);
        self.draining_as(drain).shorten_later(moments);
        Ok(())
    }

    /// Returns the drain that is under way, or begins one with the code and the reason of this one.
    fn draining_as(&mut self, drain: Drain) -> &mut Draining {
        let seed =
            self.drain_seed.unwrap_or_else(|| self.delivery.number_of("the order of a drain"));
        if let Some(presence) = &mut self.presence {
            presence.drain();
        }
        self.draining.get_or_insert_with(|| Box::new(Draining::new(drain.code, drain.reason, seed)))
    }

    /// Lets times count that were to count from this turn.
    pub(crate) fn settle_drain(&mut self) {
        let pending = self.draining.as_mut().and_then(|draining| draining.take_pending());
        let moments = pending.map(|pending| pending.map(|after| self.later(after)));
        if let (Some(draining), Some(moments)) = (&mut self.draining, moments) {
            draining.shorten(moments);
        }
    }

    /// Whether the server wants more clients. This is false from the call of
    /// [`drain`](Context::drain) on, while the server may still serve those that come.
    ///
    /// A load balancer that asks for a page gets the answer from here:
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::testing::World;
    /// use switchboard::{Drain, Response};
    ///
    /// let mut world = World::new();
    /// world.server.http("/readyz", |conn, _| match conn.context().is_ready() {
    ///     true => Response::text("ready"),
    ///     false => Response::text("ending").with_status(503),
    /// });
    /// assert_eq!(world.get("/readyz").status, 200);
    /// let notice = Duration::from_secs(5);
    /// world.context().drain(Drain { notice, ..Drain::default() })?;
    /// assert_eq!(world.get("/readyz").status, 503);
    /// # Ok::<(), switchboard::DrainError>(())
    /// ```
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.draining.is_none()
    }

    /// Whether a program may bring connections, and begin attempts: no window has begun.
    pub(crate) fn takes_connections(&self) -> bool {
        self.draining.as_ref().is_none_or(|draining| draining.is_notice(self.now()))
    }
}
