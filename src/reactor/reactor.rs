//! A `Poll` and a server: waits, hands on, flushes. The only file that says `Poll`; it never sees a connection.

use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use crate::context::Remote;
use crate::server::Server;

/// Ours alone in our own `Poll`: a server's tokens all have their highest bit set.
const WAKER: Token = Token(0);
/// Events taken from the kernel at once.
const EVENTS: usize = 1 << 10;

/// An event loop and the [`Server`] in it.
///
/// It is not [`Send`]: handlers need not be, so it lives on the thread that made it. A tokio program gives it a thread of its own and
/// speaks to it through a [`Remote`], which is.
///
/// In another loop (tokio, glib, libuv) it is one pollable descriptor: wait until its [`AsFd`] is readable or
/// [`poll_timeout`](Server::poll_timeout) has passed, then call [`turn`](Reactor::turn) with a timeout of zero.
///
/// ```no_run
/// use switchboard::Reactor;
///
/// let mut reactor = Reactor::new()?;
/// reactor.server.websocket("/", |conn, message| conn.send(message));
/// reactor.server.listen("127.0.0.1:9001")?;
/// reactor.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// ```compile_fail
/// fn is_send<T: Send>() {}
/// is_send::<switchboard::Reactor>();
/// ```
#[derive(Debug)]
pub struct Reactor {
    /// The server: its zones, listeners and connections.
    pub server: Server,
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    /// Handlers need not be `Send`; nor is this, whatever they are.
    not_send: PhantomData<Rc<()>>,
}

impl Reactor {
    /// A loop with an empty server.
    ///
    /// # Errors
    /// When the kernel gives no descriptor for it.
    pub fn new() -> io::Result<Reactor> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let server = Server::new(poll.registry())?;
        // Other threads may have to end the wait though nobody asked for a handle: names are looked up on one.
        server.remote(Arc::clone(&waker));
        Ok(Reactor {
            server,
            poll,
            events: Events::with_capacity(EVENTS),
            waker,
            not_send: PhantomData,
        })
    }

    /// One turn: waits for events for at most `timeout` (`None`: as long as there is nothing to do), handles them, and does what is
    /// due. A signal ends the wait.
    ///
    /// # Errors
    /// When waiting fails for another reason than a signal, which no peer can bring about.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.turn_from(Instant::now(), timeout).map(|_| ())
    }

    /// A turn that begins at a time known already; returns that of its events, with which the next one can begin.
    fn turn_from(&mut self, now: Instant, timeout: Option<Duration>) -> io::Result<Instant> {
        let due = self.server.poll_timeout(now);
        let wait = match (timeout, due) {
            (Some(timeout), Some(due)) => Some(timeout.min(due)),
            (timeout, due) => timeout.or(due),
        };
        match self.poll.poll(&mut self.events, wait) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.events.clear(),
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        for event in &self.events {
            self.server.handle_event(event, now);
        }
        self.server.flush(now);
        Ok(now)
    }

    /// Turns until the server has been [drained](Server::drain).
    ///
    /// # Errors
    /// As [`turn`](Reactor::turn).
    pub fn run(&mut self) -> io::Result<()> {
        // The clock is read once a turn: what a turn takes is nothing to a deadline, and a timer waits for its turn anyway.
        let mut now = Instant::now();
        while !self.server.is_drained() {
            now = self.turn_from(now, None)?;
        }
        Ok(())
    }

    /// A handle for other threads.
    pub fn remote(&self) -> Remote {
        self.server.remote(Arc::clone(&self.waker))
    }
}

/// Readable when there is something to do at once.
impl AsFd for Reactor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}
