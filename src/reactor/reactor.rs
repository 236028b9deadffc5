//! The loop around a server: waits for events, passes them to the server and calls `flush`. Only
//! this file has a `Poll`. It knows no connection.

use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use crate::context::Remote;
use crate::server::Server;

/// The token of the loop's waker. All tokens of a server have their highest bit set, so the two
/// never meet.
const WAKER: Token = Token(0);
/// The most events that one wait returns.
const EVENTS: usize = 1 << 10;

/// An event loop and the [`Server`] in it.
///
/// A reactor is not [`Send`], since handlers need not be: it stays on the thread that made it. A
/// tokio program gives the reactor a thread of its own, and calls it through a [`Remote`].
///
/// For another loop (tokio, glib, libuv) a reactor is one pollable descriptor. Wait until the
/// descriptor of [`AsFd`] is readable, or [`poll_timeout`](Server::poll_timeout) has passed. Then
/// call [`turn`](Reactor::turn) with a timeout of zero.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use std::time::Duration;
/// use switchboard::{Drain, Reactor};
///
/// let mut reactor = Reactor::new()?;
/// reactor.server.http("/", |_conn, _request| "hello");
/// let listener = reactor.server.listen("127.0.0.1:0")?;
/// let address = reactor.server.local_addr(listener)?;
/// let remote = reactor.remote();
/// let client = std::thread::spawn(move || {
///     let mut socket = TcpStream::connect(address)?;
///     socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
///     let mut answer = String::new();
///     socket.read_to_string(&mut answer)?;
///     let _ = remote.drain(Drain::within(Duration::from_secs(1)));
///     Ok::<String, std::io::Error>(answer)
/// });
/// reactor.run()?; // until the drain is complete
/// assert!(client.join().unwrap()?.ends_with("hello"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A reactor cannot be sent to another thread:
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
    /// Makes the reactor not `Send`, even with handlers that are.
    not_send: PhantomData<Rc<()>>,
}

impl Reactor {
    /// Makes a loop with a server that has no zones.
    ///
    /// # Errors
    /// When no descriptor is left for the `Poll` or its waker.
    pub fn new() -> io::Result<Reactor> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let server = Server::new(poll.registry())?;
        // The resolver's thread ends the wait, also in a program that never asks for a handle.
        server.remote(Arc::clone(&waker));
        Ok(Reactor {
            server,
            poll,
            events: Events::with_capacity(EVENTS),
            waker,
            not_send: PhantomData,
        })
    }

    /// Runs one turn: waits for events, handles them, and does what is due. The wait takes at most
    /// `timeout`; `None` waits until there is something to do. A signal ends the wait.
    ///
    /// # Errors
    /// When the wait fails for another reason than a signal. No peer can cause this.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let due = self.server.poll_timeout(Instant::now());
        let wait = match (timeout, due) {
            (Some(timeout), Some(due)) => Some(timeout.min(due)),
            (timeout, due) => timeout.or(due),
        };
        self.server.expect_wait(wait);
        let now = self.wait(wait)?;
        let mut count = 0;
        for event in &self.events {
            self.server.handle_event(event, now);
            count += 1;
        }
        if count == EVENTS {
            self.server.leave_events();
        }
        self.server.flush(now);
        Ok(())
    }

    /// Waits for events, and returns the time at which they came.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Instant> {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => Ok(Instant::now()),
            Err(error) if error.kind() == ErrorKind::Interrupted => self.wait_after_signal(),
            Err(error) => Err(error),
        }
    }

    /// Collects the events that came before a signal. The signal may have ended a stop of the whole
    /// process: deadlines must not be judged before what came meanwhile.
    #[cold]
    fn wait_after_signal(&mut self) -> io::Result<Instant> {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.events.clear(),
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        self.server.note_signal(now);
        Ok(now)
    }

    /// Runs turns until a [drain](Server::drain) is complete.
    ///
    /// # Errors
    /// As [`turn`](Reactor::turn). Also when no path can have the prefix of a
    /// [zone](crate::Zone::new).
    pub fn run(&mut self) -> io::Result<()> {
        self.server.check_zones()?;
        while !self.server.is_drained() {
            self.turn(None)?;
        }
        Ok(())
    }

    /// Returns a handle for other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        self.server.remote(Arc::clone(&self.waker))
    }
}

/// The descriptor is readable when an event waits.
impl AsFd for Reactor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}
