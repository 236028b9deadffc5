//! Closures that a program runs with a zone's handler, and panics: whether the server catches them.
//! `guarded` catches those of callbacks.

use std::any::Any;
use std::panic::resume_unwind;
use std::time::Instant;

use super::handler::Handler;
use super::server::Server;
use crate::connection::ZoneId;
use crate::context::{Context, Payload, catch, dispose};

impl Server {
    /// Sets whether the server catches panics of the program's code. The default is false: a panic
    /// unwinds out of the loop, and [poisons](Server::is_poisoned) the server.
    ///
    /// With `true`, a panic of a callback ends its exchange, and the server goes on:
    ///
    /// | the exchange | ends with |
    /// | --- | --- |
    /// | a request, also with a deferred answer | 500, if no answer has been made |
    /// | a WebSocket | Close 1011 (RFC 6455 7.4.1) |
    /// | an event stream, a takeover, a streamed answer | what was sent before, then the end |
    ///
    /// No callback of that exchange follows but [`close`](Handler::close), which gets 1011. Its
    /// topics and its timeout go, as at every end. A closure of [`Context::call`],
    /// [`Context::after`] or a [`Remote`](crate::Remote) ends with its panic; one of
    /// [`Context::every`] is called again after its period. A [watched](crate::Reactor::watch)
    /// source stays watched: its closure is called at the next readiness, and what it left waits
    /// until then. A panic in [`presence`](Handler::presence) ends no exchange. One in
    /// [`with`](Server::with) reaches the caller of `with`, and the server goes on. An observer
    /// that panics is dropped.
    ///
    /// Each panic is counted in [`Stats::panics`](crate::Stats::panics), and reported as
    /// [`Observed::Panicked`](crate::Observed::Panicked). Those of an observer, and of a `Drop` of
    /// [`Extensions`](crate::Extensions), are only counted. The panic hook still runs: by default
    /// it prints the panic to standard error.
    ///
    /// The handler and the closure keep what they had changed before the panic; they need not be
    /// [`UnwindSafe`](std::panic::UnwindSafe). A handler whose state must never be half changed
    /// changes it in one step, at the end of a callback. In a program that is compiled with
    /// `panic = "abort"`, a panic ends the process and nothing is caught.
    ///
    /// ```
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.catch_panics(true);
    /// world.server.http("/half", |_conn, request| {
    ///     let n: u32 = request.suffix()[1..].parse().unwrap();
    ///     (n / 2).to_string()
    /// });
    /// assert_eq!(world.get("/half/14").text(), "7");
    /// assert_eq!(world.get("/half/seven").status, 500);
    /// assert_eq!(world.get("/half/16").text(), "8");
    /// assert_eq!(world.context().stats().panics, 1);
    /// ```
    pub fn catch_panics(&mut self, yes: bool) {
        self.zones.handlers.guard(yes);
    }

    /// Runs a closure with a zone's handler and the context, between turns. `now` becomes the
    /// server's time, and must not be earlier than any time passed before. Output of the closure
    /// leaves with the next [`flush`](Server::flush).
    ///
    /// A [poisoned](Server::is_poisoned) server still runs the closure, so that a program can save
    /// the handler's state. No output leaves.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use switchboard::{Handler, Server};
    ///
    /// struct Alarm { rang: bool }
    /// impl Handler for Alarm {}
    ///
    /// let mut server = Server::detached();
    /// let alarm = server.zone("/", Alarm { rang: false });
    /// let (now, second) = (Instant::now(), Duration::from_secs(1));
    /// server.with(alarm, now, |_, cx| {
    ///     cx.after(alarm, second, |alarm, _| alarm.rang = true); // a second after `now`
    /// });
    /// server.flush(now);
    /// assert!(!server.with(alarm, now, |alarm, _| alarm.rang));
    /// server.flush(now + second);
    /// assert!(server.with(alarm, now + second, |alarm, _| alarm.rang));
    /// ```
    ///
    /// # Panics
    /// If `zone` comes from another server, and this server has no handler of type `H` with that
    /// number. If it has one, that handler is called. Also if the closure panics.
    pub fn with<H: Handler, R>(
        &mut self,
        zone: ZoneId<H>,
        now: Instant,
        call: impl FnOnce(&mut H, &mut Context) -> R,
    ) -> R {
        self.context.table.books.clock.set_between_turns(now);
        self.context.end_history_turn();
        let handler = self.zones.handlers.as_any(zone.index).downcast_mut();
        let handler: &mut H = handler.expect("a ZoneId of this server");
        let cx = &mut self.context;
        let before = cx.table.books.stats.messages_sent;
        let outcome = catch(|| call(handler, cx));
        self.count_sent(zone.index, before);
        match outcome {
            Ok(result) => result,
            Err(payload) => {
                match self.zones.handlers.catches() {
                    true => self.context.note_panic(None, "with", &*payload),
                    false => self.poison(),
                }
                resume_unwind(payload)
            }
        }
    }

    /// Ends the call of a closure that the server keeps, and drops what has left meanwhile. A drop
    /// may panic as well: the first panic unwinds, unless the server catches panics.
    pub(super) fn let_go(
        &mut self,
        callback: &'static str,
        outcome: Result<(), Payload>,
        let_go: impl FnOnce(),
    ) {
        match (outcome, catch(let_go)) {
            (Ok(()), Ok(())) => {}
            (Ok(()), Err(payload)) if self.zones.handlers.catches() => {
                self.context.note_panic(None, callback, &*payload);
                dispose(payload);
            }
            (Ok(()), Err(payload)) => resume_unwind(payload),
            (Err(payload), second) => {
                let _first_counts = second.map_err(dispose);
                resume_unwind(payload);
            }
        }
    }

    /// Runs a closure with a zone's handler.
    pub(crate) fn call_zone(
        &mut self,
        callback: &'static str,
        zone: u16,
        call: impl FnOnce(&mut dyn Any, &mut Context),
    ) {
        let catches = self.zones.handlers.catches();
        let (handler, cx) = (self.zones.handlers.as_any(zone), &mut self.context);
        let before = cx.table.books.stats.messages_sent;
        if !catches {
            call(handler, cx);
        } else if let Err(payload) = catch(|| call(handler, cx)) {
            cx.note_panic(None, callback, &*payload);
            dispose(payload);
        }
        self.count_sent(zone, before);
    }
}
