//! What a panic leaves of a server that does not catch it: a server that does nothing more, and
//! that can be dropped. This file knows no callback.

use std::io;
use std::mem;
use std::panic::resume_unwind;
use std::thread;

use super::server::Server;
use crate::connection::NO_SERVER;
use crate::context::{Payload, catch, dispose};

/// Poisons a server when it is dropped, which a panic alone brings about.
struct Unwinding<'s>(&'s mut Server);

impl Drop for Unwinding<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.poison();
    }
}

impl Server {
    /// Whether a panic has unwound out of this server: through [`flush`](Server::flush), a method
    /// that takes events, [`with`](Server::with), or a turn of a [`Reactor`](crate::Reactor).
    ///
    /// The server then serves no more, since the panic may have left a connection half changed:
    ///
    /// | call | on a poisoned server |
    /// | --- | --- |
    /// | [`Reactor::turn`](crate::Reactor::turn), [`run`](crate::Reactor::run) | an error |
    /// | [`Reactor::watch`](crate::Reactor::watch) | an error |
    /// | [`listen`](Server::listen) | an error |
    /// | [`adopt`](Server::adopt), [`adopt_at`](Server::adopt_at) | an error |
    /// | [`drain`](Server::drain) | [`DrainError::ServerGone`](crate::DrainError::ServerGone) |
    /// | a call of a [`Remote`](crate::Remote) | given back, as by a server that is gone |
    /// | `flush`, `ready`, `ready_all`, `handle_event`, `handle_events` | nothing, no callback |
    /// | [`poll_timeout`](Server::poll_timeout) | `None` |
    /// | `with`, [`Reactor::unwatch`](crate::Reactor::unwatch) | as before, to save state |
    ///
    /// Drop the server: this closes all its sockets without a callback. A program with a loop of
    /// its own that catches panics asks after each turn. [`Server::catch_panics`] keeps the server
    /// from being poisoned.
    ///
    /// ```
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    /// use std::time::Instant;
    /// use switchboard::{Readiness, Server, Transport};
    ///
    /// let mut server = Server::detached();
    /// server.http("/", |_, _| -> &str { panic!("a fault in a handler") });
    /// let (now, (transport, mut peer)) = (Instant::now(), Transport::memory());
    /// let token = server.adopt(transport, now)?;
    /// peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ///
    /// let turn = AssertUnwindSafe(|| server.ready(token, Readiness::READABLE, now));
    /// assert!(catch_unwind(turn).is_err());
    /// assert!(server.is_poisoned());
    /// let error = server.adopt(Transport::memory().0, now).unwrap_err();
    /// assert!(error.to_string().starts_with("a callback has panicked"));
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.heeded == NO_SERVER
    }

    /// Has the server ignore all further events. Nothing of the program's is dropped here: its
    /// `Drop` might panic while another panic unwinds.
    #[cold]
    pub(super) fn poison(&mut self) {
        self.heeded = NO_SERVER;
        self.remote.refuse();
        self.leave_history();
    }

    /// Does a part of a turn. The server is poisoned if a panic unwinds through it.
    #[inline(always)]
    pub(crate) fn poison_if_unwinding<R>(&mut self, act: impl FnOnce(&mut Server) -> R) -> R {
        let guard = Unwinding(self);
        let result = act(&mut *guard.0);
        mem::forget(guard);
        result
    }

    /// Checks that the server may serve: it is not poisoned, and its zones can match a request.
    ///
    /// # Errors
    /// Says that a callback has panicked, or names the first prefix that no path has.
    #[inline]
    pub(crate) fn check_serves(&self) -> io::Result<()> {
        match self.is_poisoned() {
            true => Err(poisoned()),
            false if self.context.disagrees_on_history() => self.check_history(),
            false => self.zones.check(),
        }
    }

    /// Checks that the server is not poisoned.
    #[inline]
    pub(crate) fn check_poison(&self) -> io::Result<()> {
        if self.is_poisoned() { Err(poisoned()) } else { Ok(()) }
    }

    /// Drops all that may hold values of the program, sockets first, and returns the first panic
    /// of a `Drop`.
    fn drop_all(&mut self) -> Option<Payload> {
        let mut first = None;
        let mut contain = |panicked: Result<(), Payload>| match panicked {
            Err(payload) if first.is_none() => first = Some(payload),
            Err(payload) => dispose(payload),
            Ok(()) => {}
        };
        for index in 0.. {
            let chunk = self.context.table.slots.chunk(index).map(Iterator::collect::<Vec<u32>>);
            let Some(chunk) = chunk else { break };
            for slot in chunk {
                let Some(connection) = self.context.table.slots.remove(slot) else { continue };
                self.leave_place(connection.address);
                contain(catch(|| drop(connection)));
            }
        }
        self.leave_history();
        self.close_presence();
        for call in self.remote.close() {
            contain(catch(|| drop(call)));
        }
        while let Some(call) = self.context.work.calls.pop_front() {
            contain(catch(|| drop(call)));
        }
        while let Some(at) = self.context.timers.next() {
            let due = self.context.timers.pop(at);
            contain(catch(|| drop(due)));
        }
        while let Some(watched) = self.context.watches.pop() {
            contain(catch(|| drop(watched)));
        }
        for handler in self.zones.handlers.take_all() {
            contain(catch(|| drop(handler)));
        }
        // A store ends its thread here. Its last answers do nothing.
        let stores = self.context.stores.take();
        contain(catch(|| drop(stores)));
        for store in mem::take(&mut self.stores) {
            contain(catch(|| drop(store)));
        }
        let observer = self.observer.take();
        contain(catch(|| drop(observer)));
        first
    }
}

#[cold]
fn poisoned() -> io::Error {
    io::Error::other(
        "a callback has panicked, and the server does nothing more: drop it and make a new one, or \
         call Server::catch_panics(true) before it serves",
    )
}

/// Closes all sockets, then drops handlers and closures. Of several panics in a `Drop` of the
/// program the first one unwinds; none does while another panic unwinds already.
impl Drop for Server {
    fn drop(&mut self) {
        match self.drop_all() {
            Some(payload) if thread::panicking() => dispose(payload),
            Some(payload) => resume_unwind(payload),
            None => {}
        }
    }
}
