//! Reaching a server from other threads: a bounded queue of calls, and one wake-up per burst. It never blocks the
//! loop and knows nothing of connections.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::Waker;

use super::context::Context;
use crate::connection::ZoneId;
use crate::websocket::CloseCode;

/// A call from another thread; without a zone it concerns the context alone.
pub(crate) enum RemoteCall {
    Zone(u16, ZoneCall),
    Context(Box<dyn FnOnce(&mut Context) + Send>),
}

type ZoneCall = Box<dyn FnOnce(&mut dyn Any, &mut Context) + Send>;

/// A handle to a server for other threads: cheap to clone, bounded, never blocking the loop.
///
/// ```no_run
/// use switchboard::{Handler, Reactor};
///
/// struct Feed { latest: u64 }
/// impl Handler for Feed {}
///
/// let mut reactor = Reactor::new()?;
/// let feed = reactor.server.zone("/feed", Feed { latest: 0 });
/// let remote = reactor.remote();
/// std::thread::spawn(move || {
///     let sent = remote.call(feed, |feed, cx| {
///         feed.latest += 1;
///         cx.publish("feed", &*feed.latest.to_string());
///     });
///     if let Err(refused) = sent {
///         eprintln!("not taken: {refused}"); // `refused.into_inner()` gives the closure back
///     }
/// });
/// reactor.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Remote {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    queue: Mutex<VecDeque<RemoteCall>>,
    /// Something is queued: the loop looks at this alone.
    pending: AtomicBool,
    closed: AtomicBool,
    waker: Mutex<Option<Arc<Waker>>>,
}

/// How many calls may wait; more are given back.
const CAPACITY: usize = 64 << 10;

/// A call that was not taken, with what was to be called.
pub struct CallError<F> {
    call: F,
    closed: bool,
}

impl<F> CallError<F> {
    /// The closure, as it was given.
    pub fn into_inner(self) -> F {
        self.call
    }

    /// Whether the server is gone, so that trying again is of no use; otherwise the queue was full.
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

impl<F> fmt::Display for CallError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.closed {
            "the server is gone"
        } else {
            "65,536 calls are waiting already; try again later"
        })
    }
}

impl<F> fmt::Debug for CallError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallError({self})")
    }
}

impl<F> std::error::Error for CallError<F> {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks is left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Remote {
    pub(crate) fn new() -> Remote {
        Remote {
            inner: Arc::new(Inner {
                queue: Mutex::default(),
                pending: AtomicBool::new(false),
                closed: AtomicBool::new(false),
                waker: Mutex::default(),
            }),
        }
    }

    /// Runs a closure on the loop's thread with a zone's handler and the context, soon, in the order of the calls.
    ///
    /// # Errors
    /// Gives the closure back when 65,536 calls are waiting, or when the server is gone.
    pub fn call<H: 'static, F>(&self, zone: ZoneId<H>, call: F) -> Result<(), CallError<F>>
    where
        F: FnOnce(&mut H, &mut Context) + Send + 'static,
    {
        self.push(call, |call| {
            RemoteCall::Zone(
                zone.index,
                Box::new(move |handler, cx| {
                    if let Some(handler) = handler.downcast_mut() {
                        call(handler, cx);
                    }
                }),
            )
        })
    }

    /// Ends the server in order, as [`Context::drain`] does.
    ///
    /// # Errors
    /// When 65,536 calls are waiting, or when the server is gone.
    pub fn drain(&self, code: CloseCode, deadline: Duration) -> Result<(), CallError<()>> {
        self.push((), |()| RemoteCall::Context(Box::new(move |cx| cx.drain(code, deadline))))
    }

    fn push<F>(&self, call: F, wrap: impl FnOnce(F) -> RemoteCall) -> Result<(), CallError<F>> {
        let mut queue = lock(&self.inner.queue);
        let closed = self.inner.closed.load(Ordering::Relaxed); // written under the same lock
        if closed || queue.len() >= CAPACITY {
            return Err(CallError { call, closed });
        }
        queue.push_back(wrap(call));
        drop(queue);
        // Only the first of a burst wakes the loop: it takes all that is there.
        if !self.inner.pending.swap(true, Ordering::AcqRel) {
            self.wake();
        }
        Ok(())
    }

    /// Ends the loop's wait.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*lock(&self.inner.waker) {
            // A loop that cannot be woken goes on at its next turn.
            let _ = waker.wake();
        }
    }

    pub(crate) fn set_waker(&self, waker: Arc<Waker>) {
        *lock(&self.inner.waker) = Some(waker);
    }

    /// Takes what is queued. One relaxed load when nothing is.
    #[inline]
    pub(crate) fn take(&self) -> Option<VecDeque<RemoteCall>> {
        let pending = self.inner.pending.load(Ordering::Relaxed)
            && self.inner.pending.swap(false, Ordering::AcqRel);
        pending.then(|| std::mem::take(&mut *lock(&self.inner.queue)))
    }

    /// The server is gone: what is queued is dropped, what comes is given back.
    pub(crate) fn close(&self) {
        let mut queue = lock(&self.inner.queue);
        self.inner.closed.store(true, Ordering::Relaxed);
        let dropped = std::mem::take(&mut *queue);
        drop(queue);
        // Outside the lock: what a closure owns may itself hold a `Remote`.
        drop(dropped);
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}
