//! Records refusals for the observer, and tells them at the end of a turn. Each refusal is made
//! elsewhere: in `request`, `reply`, `deadlines` and `listen`.

use std::borrow::Cow;

use http::StatusCode;

use super::observer::{Observed, Observer};
use super::server::Server;
use crate::connection::{Cause, Connection};
use crate::http1::RequestError;

impl Server {
    /// Sets a closure that the server tells what it refuses, each time at the end of
    /// [`flush`](Server::flush). A second call replaces the first closure.
    ///
    /// The closure gets each request that the server answers in place of a handler (400 to 505),
    /// each connection that it turns away (429, 503), and each that it closes before its first
    /// request. It gets no context and must not block. A
    /// turn keeps 1,024 events, and [`Observed::Dropped`] counts those beyond. Without a closure
    /// nothing is recorded.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use switchboard::testing::World;
    ///
    /// let count = Rc::new(Cell::new(0));
    /// let counter = count.clone();
    /// let mut world = World::new();
    /// world.server.observe(move |event| {
    ///     eprintln!("{event}"); // a program writes from another thread: a pipe may be full
    ///     counter.set(counter.get() + 1);
    /// });
    /// assert_eq!(world.get("/nowhere").status, 404);
    /// assert_eq!(count.get(), 1);
    /// ```
    pub fn observe(&mut self, call: impl FnMut(&Observed<'_>) + 'static) {
        self.observer = Some(Box::new(Observer::new(call)));
    }

    /// Records a refusal for the observer, if there is one. Where `head` is empty, the request
    /// line is in the bytes that wait.
    #[cold]
    pub(super) fn observe_refusal(
        &mut self,
        slot: u32,
        status: StatusCode,
        reason: impl Into<Cow<'static, str>>,
        head: &[u8],
    ) {
        let stats = &mut self.context.table.books.stats;
        stats.refused += 1;
        stats.refusals.count(status.as_u16(), 1);
        let Some(observer) = &mut self.observer else { return };
        let Some(connection) = self.context.table.slots.at(slot) else { return };
        let head = or_waiting(connection, head);
        let (peer, number) = (connection.transport.peer_addr(), connection.address);
        let client = self.context.addresses.client(number);
        observer.record((peer, client), status, reason.into(), head);
        self.tell_in_this_turn();
    }

    /// Has a request refused with an error that ends the connection: notes the cause, and records
    /// the refusal for the observer.
    #[cold]
    pub(super) fn refuse_for(
        &mut self,
        slot: u32,
        error: RequestError,
        reason: impl Into<Cow<'static, str>>,
        head: &[u8],
    ) {
        if let Some(connection) = self.context.table.slots.at_mut(slot) {
            connection.flags.end_by(Cause::of_request(error));
        }
        self.observe_refusal(slot, error.status(), reason, head);
    }

    /// Ends a connection before its first request, and records the reason for the observer.
    #[cold]
    pub(super) fn reject(&mut self, slot: u32, reason: impl Into<Cow<'static, str>>, cause: Cause) {
        let Some(at) = self.context.table.lease(slot) else { return };
        at.books.stats.rejected += 1;
        if let Some(observer) = &mut self.observer {
            let client = self.context.addresses.client(at.connection.address);
            observer.rejected((at.connection.transport.peer_addr(), client), reason.into());
        }
        self.context.table.with(slot, |at| match at.connection.transport.is_faulty() {
            // The peer may read the alert once it has sent all.
            true => at.linger(cause),
            false => at.mark_gone(cause),
        });
        self.tell_in_this_turn();
    }

    /// Returns the bytes of a refused head; the bytes that wait if `head` is empty.
    #[cold]
    pub(super) fn refused_head<'h>(&'h self, slot: u32, head: &'h [u8]) -> &'h [u8] {
        self.context.table.slots.at(slot).map_or(head, |connection| or_waiting(connection, head))
    }

    /// Has this turn call the observer. An empty call makes `flush` go through its lists, so a turn
    /// that refuses nothing has no list more to look at.
    #[cold]
    pub(super) fn tell_in_this_turn(&mut self) {
        let calls = &mut self.context.work.calls;
        if calls.is_empty() && self.observer.is_some() {
            calls.push_back((0, Box::new(|_, _| ())));
        }
    }

    /// Tells the observer what has been recorded.
    pub(super) fn tell_observer(&mut self) {
        if let Some(observer) = &mut self.observer {
            observer.tell();
        }
    }
}

fn or_waiting<'h>(connection: &'h Connection, head: &'h [u8]) -> &'h [u8] {
    match &connection.held {
        Some(held) if head.is_empty() => &held.spill,
        _ => head,
    }
}
