//! Calls to a server from other threads: a bounded queue, and one wake-up for each burst of calls.
//! This file never runs a call and knows no connection.

use mio::Waker;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::context::Context;
use super::drain::{Drain, DrainError};
use super::handed_over::{HandedOver, Reason};
use crate::connection::ZoneId;

/// A call from another thread, for a zone's handler or for the context alone.
pub(crate) enum RemoteCall {
    Zone(u16, ZoneCall),
    Context(Box<dyn FnOnce(&mut Context) + Send>),
    Adopt(Box<HandedOver>),
}

type ZoneCall = Box<dyn FnOnce(&mut dyn Any, &mut Context) + Send>;

/// A handle to a server for other threads. It is `Send`, `Sync` and cheap to clone.
///
/// At most 65,536 calls wait; a further call returns [`CallError`]. No method blocks: a lock is
/// held for a push or a swap of the queue alone. The first call of a burst wakes the loop. A handle
/// comes from [`Reactor::remote`](crate::Reactor::remote) or
/// [`Server::remote`](crate::Server::remote).
///
/// ```
/// use std::time::{Duration, Instant};
/// use switchboard::{Drain, Handler, Reactor};
///
/// struct Feed { latest: u64 }
/// impl Handler for Feed {}
///
/// let mut reactor = Reactor::new()?;
/// let feed = reactor.server.zone("/feed", Feed { latest: 0 });
/// let remote = reactor.remote();
/// let thread = std::thread::spawn(move || {
///     let sent = remote.call(feed, |feed, cx| {
///         feed.latest += 1;
///         cx.publish("feed", &*feed.latest.to_string());
///     });
///     assert!(sent.is_ok());
///     assert!(remote.drain(Drain::within(Duration::from_secs(1))).is_ok());
/// });
/// reactor.run()?; // until the drain is complete
/// assert_eq!(reactor.server.with(feed, Instant::now(), |feed, _cx| feed.latest), 1);
/// # thread.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Remote {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    queue: Mutex<Calls>,
    /// Whether a call is queued. The loop reads this alone while no call is.
    pending: AtomicBool,
    closed: AtomicBool,
    /// Whether the server drains, and takes calls but no connection.
    drains: AtomicBool,
    waker: Mutex<Option<Arc<Waker>>>,
}

#[derive(Default)]
struct Calls {
    waiting: VecDeque<RemoteCall>,
    /// How many of them hand a connection over.
    sockets: usize,
}

/// The most connections handed over that wait.
const SOCKETS: usize = 1 << 10;
/// The most calls that wait. A further call is given back.
const CAPACITY: usize = 64 << 10;

/// A call that was not taken, with its closure: the queue was full, or the server is gone.
///
/// ```
/// use switchboard::{Handler, Reactor};
///
/// struct Quiet;
/// impl Handler for Quiet {}
///
/// let mut reactor = Reactor::new()?;
/// let zone = reactor.server.zone("/", Quiet);
/// let remote = reactor.remote();
/// drop(reactor);
/// let error = remote.call(zone, |_handler, _cx| ()).unwrap_err();
/// assert!(error.is_closed());
/// assert_eq!(error.to_string(), "the server is gone");
/// let _closure = error.into_inner();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct CallError<F> {
    call: F,
    closed: bool,
}

impl<F> CallError<F> {
    /// Returns the closure.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.call
    }

    /// Whether the server is gone or [poisoned](crate::Server::is_poisoned), so that another try is
    /// of no use. Otherwise the queue was full.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

impl<F> CallError<F> {
    /// Makes this error one of another closure.
    pub(crate) fn with<G>(self, call: G) -> CallError<G> {
        CallError { call, closed: self.closed }
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
    // A panic leaves nothing under these locks half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Remote {
    pub(crate) fn new() -> Remote {
        Remote {
            inner: Arc::new(Inner {
                queue: Mutex::default(),
                pending: AtomicBool::new(false),
                closed: AtomicBool::new(false),
                drains: AtomicBool::new(false),
                waker: Mutex::default(),
            }),
        }
    }

    /// Queues a closure for the loop's thread, which runs it with a zone's handler and the context.
    /// Closures run in the next turn, in the order of the calls.
    ///
    /// If `zone` belongs to another server and the handler types differ, the closure is dropped. If
    /// the types agree, the closure runs.
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

    /// Ends the server in order, as [`Context::drain`] does. Its times count from the turn that the
    /// call begins.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::{Drain, DrainError, Reactor};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let remote = reactor.remote();
    /// assert_eq!(remote.drain(Drain::within(Duration::from_secs(3))), Ok(()));
    /// reactor.run()?;
    /// drop(reactor);
    /// assert_eq!(remote.drain(Drain::default()), Err(DrainError::ServerGone));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the deadline leaves no room for notice and window, when 65,536 calls are waiting, or
    /// when the server is gone. Then nothing is queued.
    pub fn drain(&self, drain: Drain) -> Result<(), DrainError> {
        drain.check()?;
        // The check has passed, so the call cannot fail.
        let call = move |cx: &mut Context| cx.drain(drain).unwrap_or_default();
        let pushed = self.push((), |()| RemoteCall::Context(Box::new(call)));
        pushed.map_err(|refused| match refused.is_closed() {
            true => DrainError::ServerGone,
            false => DrainError::QueueFull,
        })
    }

    fn push<F>(&self, call: F, wrap: impl FnOnce(F) -> RemoteCall) -> Result<(), CallError<F>> {
        let mut queue = lock(&self.inner.queue);
        let closed = self.inner.closed.load(Ordering::Relaxed); // written under the same lock
        if closed || queue.waiting.len() >= CAPACITY {
            return Err(CallError { call, closed });
        }
        queue.waiting.push_back(wrap(call));
        drop(queue);
        self.wake_once();
        Ok(())
    }

    /// Queues a closure for the context.
    pub(crate) fn call_context<F>(&self, call: F) -> Result<(), CallError<F>>
    where
        F: FnOnce(&mut Context) + Send + 'static,
    {
        self.push(call, |call| RemoteCall::Context(Box::new(call)))
    }

    /// Queues a connection, or gives it back with the reason.
    pub(super) fn push_socket<T>(
        &self,
        socket: T,
        wrap: impl FnOnce(T) -> RemoteCall,
    ) -> Result<(), (T, Reason)> {
        let mut queue = lock(&self.inner.queue);
        let is_full = queue.waiting.len() >= CAPACITY || queue.sockets >= SOCKETS;
        let refusal = match (self.is_closed(), self.takes_sockets()) {
            (true, _) => Some(Reason::Closed),
            (false, false) => Some(Reason::Draining),
            (false, true) => is_full.then_some(Reason::Full),
        };
        if let Some(reason) = refusal {
            return Err((socket, reason));
        }
        queue.sockets += 1;
        queue.waiting.push_back(wrap(socket));
        drop(queue);
        self.wake_once();
        Ok(())
    }

    fn wake_once(&self) {
        // The loop takes the whole queue, so the first call of a burst alone wakes the loop.
        if !self.inner.pending.swap(true, Ordering::AcqRel) {
            self.wake();
        }
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

    /// Has another handle wake the loop that this one wakes.
    pub(crate) fn move_waker(&self, to: &Remote) {
        if let Some(waker) = lock(&self.inner.waker).take() {
            to.set_waker(waker);
        }
        // Calls that came before found nothing to wake.
        to.wake();
    }

    /// Whether the server is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Relaxed)
    }

    /// Takes the queued calls. With none queued, this is one relaxed load.
    #[inline]
    pub(crate) fn take(&self) -> Option<VecDeque<RemoteCall>> {
        let pending = self.inner.pending.load(Ordering::Relaxed)
            && self.inner.pending.swap(false, Ordering::AcqRel);
        pending.then(|| std::mem::take(&mut *lock(&self.inner.queue)).waiting)
    }

    /// Puts calls that were taken before all others again.
    #[cold]
    pub(crate) fn put_back(&self, mut calls: VecDeque<RemoteCall>) {
        let waiting = &mut lock(&self.inner.queue).waiting;
        calls.append(waiting);
        *waiting = calls;
    }

    /// Whether connections are taken. While the queue is locked, this does not change.
    pub(crate) fn takes_sockets(&self) -> bool {
        !self.is_closed() && !self.inner.drains.load(Ordering::Relaxed)
    }

    /// Gives later connections back, from now on. Returns whether some were queued before.
    pub(crate) fn refuse_sockets(&self) -> bool {
        let queue = lock(&self.inner.queue);
        self.inner.drains.store(true, Ordering::Relaxed);
        queue.sockets > 0
    }

    /// Gives later calls back, from now on.
    pub(crate) fn refuse(&self) {
        let _queue = lock(&self.inner.queue);
        self.inner.closed.store(true, Ordering::Relaxed);
    }

    /// Closes the queue when the server is gone, and returns the calls that wait. They are dropped
    /// outside the lock: a closure may own a `Remote`, whose methods take the lock.
    pub(crate) fn close(&self) -> VecDeque<RemoteCall> {
        let mut queue = lock(&self.inner.queue);
        self.inner.closed.store(true, Ordering::Relaxed);
        std::mem::take(&mut *queue).waiting
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}
