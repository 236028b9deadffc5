//! Notes requests and refusals for the observer, and has it told of all events at the end of a
//! turn. Each refusal is made elsewhere: in `request`, `reply`, `deadlines` and `listen`.

use std::borrow::Cow;

use http::StatusCode;

use super::observer::{Observed, Observer};
use super::server::Server;
use crate::connection::{Cause, Connection, Origin, Phase, Protocol, Records, Table};
use crate::context::{Context, catch, dispose};
use crate::http1::{Request, RequestError};

impl Server {
    /// Sets a closure that the server tells what happens, each time at the end of
    /// [`flush`](Server::flush). A second call replaces the first closure.
    ///
    /// The closure gets each request, once its answer has left, was cut, or was refused. It gets
    /// each connection that opens, ends or is turned away, and each WebSocket that fails. Messages
    /// are no events. The chapter [observing](crate::guide::observing) shows an access log.
    ///
    /// The closure gets no context and must not block. A turn keeps 1,024 events, and
    /// [`Observed::Dropped`] counts those beyond. Call this before the first connection: of one
    /// that is open already, the closure is told neither the beginning nor the end.
    ///
    /// Without a closure nothing is recorded. With one, each connection takes some 200 bytes, and
    /// each request at most 300 bytes until its answer has left.
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
    /// assert_eq!(count.get(), 3); // opened, refused, ended
    /// ```
    pub fn observe(&mut self, call: impl FnMut(&Observed<'_>) + 'static) {
        let is_real = self.registry.is_some();
        self.observer = Some(Box::new(Observer::new(call)));
        self.context.table.books.records.get_or_insert_with(|| Box::new(Records::new(is_real)));
    }

    /// Notes a request for the observer: its answer begins.
    #[inline]
    pub(super) fn note_request(&mut self, slot: u32, request: &Request<'_>) {
        if self.context.table.books.records.is_some() {
            self.begin_answer(slot, request);
        }
    }

    #[cold]
    fn begin_answer(&mut self, slot: u32, request: &Request<'_>) {
        let Context { table, delivery, addresses, .. } = &mut self.context;
        let Table { slots, books, .. } = table;
        let Some(connection) = slots.at(slot) else { return };
        let waiting = delivery.waiting_for(connection, &books.lane);
        let client = addresses.client(connection.address);
        books.note(|records, clock| {
            let peer = || connection.transport.peer_addr();
            records.begin((slot, peer), client, request, (waiting, clock));
        });
    }

    /// Notes that an answer has made the connection an open exchange.
    #[inline]
    pub(super) fn note_opening(&mut self, slot: u32, phase: Phase) {
        if self.context.table.books.records.is_some() {
            self.opening(slot, phase);
        }
    }

    #[cold]
    fn opening(&mut self, slot: u32, phase: Phase) {
        self.context.table.with(slot, |at| {
            if let Phase::WebSocket(_) = phase {
                at.note_status(StatusCode::SWITCHING_PROTOCOLS);
            }
            at.note_protocol(match phase {
                Phase::WebSocket(_) => Protocol::WebSocket,
                Phase::Streaming => Protocol::EventStream,
                _ => Protocol::Takeover,
            });
        });
        self.context.note_answer(slot);
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
        let Context { table, addresses, .. } = &mut self.context;
        let stats = &mut table.books.stats;
        stats.refused += 1;
        stats.refusals.count(status.as_u16(), 1);
        let Some(connection) = table.slots.at(slot) else { return };
        table.books.note(|records, _| {
            let peer = records.peer(slot).or_else(|| connection.transport.peer_addr());
            let origin = Origin::new(peer, addresses.client(connection.address));
            records.refused(origin, status, reason, or_waiting(connection, head));
            records.refuse_answer(slot);
        });
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
        let Context { table, addresses, .. } = &mut self.context;
        table.books.stats.rejected += 1;
        let Some(connection) = table.slots.at(slot) else { return };
        let reason = reason.into();
        table.books.note(|records, _| {
            let peer = records.peer(slot).or_else(|| connection.transport.peer_addr());
            records.closed(slot, None, &reason);
            records.rejected(Origin::new(peer, addresses.client(connection.address)), reason);
        });
        self.context.table.with(slot, |at| match at.connection.transport.is_faulty() {
            // The peer may read the alert once it has sent all.
            true => at.linger(cause),
            false => at.mark_gone(cause),
        });
    }

    /// Returns the bytes of a refused head; the bytes that wait if `head` is empty.
    #[cold]
    pub(super) fn refused_head<'h>(&'h self, slot: u32, head: &'h [u8]) -> &'h [u8] {
        self.context.table.slots.at(slot).map_or(head, |connection| or_waiting(connection, head))
    }

    /// Tells the observer what has been recorded. Where panics are caught, an observer that panics
    /// is dropped.
    pub(super) fn tell_observer(&mut self) {
        let books = &mut self.context.table.books;
        let Some((observer, records)) = self.observer.as_mut().zip(books.records.as_mut()) else {
            return;
        };
        if !self.zones.handlers.catches() {
            return observer.tell(records);
        }
        if let Err(payload) = catch(|| observer.tell(records)) {
            books.stats.panics += 1;
            books.records = None;
            dispose(payload);
            let observer = self.observer.take();
            let _ = catch(|| drop(observer)).map_err(dispose);
        }
    }
}

fn or_waiting<'h>(connection: &'h Connection, head: &'h [u8]) -> &'h [u8] {
    match &connection.held {
        Some(held) if head.is_empty() => &held.spill,
        _ => head,
    }
}
