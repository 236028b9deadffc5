//! Methods of a context that watch sources of the program's own, and end that. Each source lies
//! beside its closure. This file does not know when the closure runs.

use std::any::Any;
use std::io;
use std::marker::PhantomData;

use mio::event::Source;
use mio::{Interest, Registry};

use super::context::{Context, Watched};
use super::watch::{Leave, WatchId};
use crate::connection::ZoneId;
use crate::net::Readiness;

/// A source and its closure.
struct Watch<S, H, F> {
    source: S,
    call: F,
    handler: PhantomData<fn(H)>,
}

impl<S, H, F> Watched for Watch<S, H, F>
where
    S: Source + 'static,
    H: 'static,
    F: FnMut(&mut H, &mut Context, &mut S, Readiness) + 'static,
{
    fn call(&mut self, handler: &mut dyn Any, cx: &mut Context, readiness: Readiness) {
        if let Some(handler) = handler.downcast_mut() {
            (self.call)(handler, cx, &mut self.source, readiness);
        }
    }
}

impl<S: Source + 'static, H: 'static, F: 'static> Leave for Watch<S, H, F> {
    fn leave(mut self: Box<Self>, registry: &Registry) -> Box<dyn Any> {
        // A source that is not registered any more has left already.
        let _left = self.source.deregister(registry);
        Box::new(self.source)
    }
}

impl Context {
    /// Watches a source of the program's own from within a callback, as
    /// [`Reactor::watch`](crate::Reactor::watch) does between turns. A mio loop of the program's
    /// own calls it through [`Server::context`](crate::Server::context), and passes events of the
    /// source on like all events that the server [owns](crate::Server::owns).
    ///
    /// ```
    /// use std::process::{ChildStdout, Command, Stdio};
    /// use switchboard::mio::Interest;
    /// use switchboard::{Descriptor, Handler, Reactor, Response, ZoneId};
    ///
    /// struct Jobs;
    /// impl Handler for Jobs {}
    ///
    /// /// Runs a program, and publishes what it prints.
    /// fn run(cx: &mut switchboard::Context, jobs: ZoneId<Jobs>) -> std::io::Result<()> {
    ///     let mut child = Command::new("date").stdout(Stdio::piped()).spawn()?;
    ///     let out = Descriptor::new(child.stdout.take().expect("a pipe"))?;
    ///     cx.watch(out, Interest::READABLE, jobs, |_jobs, _cx, _out, _| { /* reads */ })?;
    ///     # child.wait()?;
    ///     Ok(())
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// let jobs = reactor.server.zone("/jobs", Jobs);
    /// reactor.server.http("/start", move |conn, _request| match run(conn.context(), jobs) {
    ///     Ok(()) => Response::new(202),
    ///     Err(error) => Response::text(error.to_string()).with_status(500),
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Reactor::watch`](crate::Reactor::watch), and when the server is
    /// [detached](crate::Server::detached).
    pub fn watch<S, H, F>(
        &mut self,
        mut source: S,
        interest: Interest,
        zone: ZoneId<H>,
        call: F,
    ) -> io::Result<WatchId<S>>
    where
        S: Source + 'static,
        H: 'static,
        F: FnMut(&mut H, &mut Context, &mut S, Readiness) + 'static,
    {
        let (registry, token, index) = self.watches.place()?;
        source.register(&registry, token, interest)?;
        let watch = Watch { source, call, handler: PhantomData::<fn(H)> };
        let count = self.watches.insert(index, zone.index, Box::new(watch));
        Ok(WatchId { index, count, source: PhantomData })
    }

    /// Ends the watch of a source, and returns the source. From within the source's own closure,
    /// this returns `None`, and the source is dropped when the closure returns. `None` also for a
    /// source that is no longer watched.
    pub fn unwatch<S: 'static>(&mut self, id: WatchId<S>) -> Option<S> {
        let source = self.watches.remove(id.index, id.count)?;
        source.downcast().ok().map(|source| *source)
    }
}
