//! The loop around a server: waits for events, passes them to the server and calls `flush`. Only
//! this file has a `Poll`. It knows no connection.

use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::{Events, Interest, Poll, Token, Waker};

use super::turn::Turn;
use crate::connection::ZoneId;
use crate::context::{Context, Remote, WatchId};
use crate::net::Readiness;
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
/// For another loop (tokio, calloop, glib, `poll(2)`) a reactor is one pollable descriptor, by
/// [`AsFd`] and [`AsRawFd`]. Its sockets are in the reactor's own `Poll`, and the other loop polls
/// the descriptor of that `Poll`. Wait until it is readable, or [`Turn::wait`] has passed. Then
/// call [`turn`](Reactor::turn) with a timeout of zero. [`other_loops`](crate::guide::other_loops)
/// has examples.
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
    /// Whether the last wait may have left events with the kernel.
    leaves_events: bool,
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
            leaves_events: false,
            not_send: PhantomData,
        })
    }

    /// Runs one turn: waits for events, handles them, and does what is due. The wait takes at most
    /// `timeout`; `None` waits until there is something to do. A signal ends the wait.
    ///
    /// [`Server::turn_budget`] bounds the time of a turn.
    ///
    /// # Errors
    /// When the wait fails for another reason than a signal. No peer can cause this. Also when a
    /// panic of a callback has [poisoned](Server::is_poisoned) the server.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<Turn> {
        self.server.check_poison()?;
        // Before a turn that does not wait, another loop may have waited, as the last turn allowed.
        if timeout != Some(Duration::ZERO) {
            let due = self.server.next_wait(Instant::now());
            let wait = match (timeout, due) {
                (Some(timeout), Some(due)) => Some(timeout.min(due)),
                (timeout, due) => timeout.or(due),
            };
            self.server.expect_wait(wait);
            self.serve(wait)?;
        } else {
            self.serve(timeout)?;
        }
        let wait = match self.leaves_events {
            true => Some(Duration::ZERO),
            false => self.server.next_wait(Instant::now()),
        };
        Ok(Turn { wait })
    }

    /// Waits for this long at most, and serves.
    fn serve(&mut self, wait: Option<Duration>) -> io::Result<()> {
        let now = self.wait(wait)?;
        let events = &self.events;
        // One guard for the turn costs less than one for each event.
        self.leaves_events |= self.server.poison_if_unwinding(|server| {
            let is_full = server.take_events(events, now);
            server.flush_turn(now);
            is_full
        });
        Ok(())
    }

    /// Waits for events, and returns the time at which they came.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Instant> {
        self.leaves_events = false;
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
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.events.clear();
                self.leaves_events = true;
            }
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
        self.server.check_serves()?;
        while !self.server.is_drained() {
            let wait = self.server.poll_timeout(Instant::now());
            self.serve(wait)?;
        }
        Ok(())
    }

    /// Watches a source of the program's own in the loop's `Poll`: a UDP socket of mio, or a pipe,
    /// a timerfd or a child's output in a [`Descriptor`](crate::Descriptor). Each time it becomes
    /// ready, the closure runs between events, with the handler of `zone`.
    ///
    /// Readiness is edge-triggered: the closure reads until [`ErrorKind::WouldBlock`], or is not
    /// called again for what it leaves. At [`Readiness::read_closed`] the other side has ended.
    /// Where panics are [caught](Server::catch_panics), a closure that has panicked is called again
    /// when more arrives.
    ///
    /// The source belongs to the reactor until [`unwatch`](Reactor::unwatch). A zone lasts as long
    /// as its server, so a source that is still watched is dropped with the server. Sources do not
    /// keep a [drain](Server::drain) from being complete. From within a callback,
    /// [`Context::watch`] and [`Context::unwatch`] do so.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::mio::{Interest, net::UdpSocket};
    /// use switchboard::{Handler, Reactor};
    ///
    /// #[derive(Default)]
    /// struct Feed { bytes: usize }
    /// impl Handler for Feed {}
    ///
    /// let mut reactor = Reactor::new()?;
    /// let feed = reactor.server.zone("/feed", Feed::default());
    /// let udp = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
    /// let address = udp.local_addr()?;
    /// let id = reactor.watch(udp, Interest::READABLE, feed, |feed: &mut Feed, cx, udp, _ready| {
    ///     let mut buf = [0; 2048];
    ///     loop {
    ///         match udp.recv(&mut buf) {
    ///             Ok(n) => {
    ///                 feed.bytes += n;
    ///                 cx.publish("feed", &buf[..n]);
    ///             }
    ///             Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
    ///             Err(_) => {} // of one datagram, such as an ICMP message about an earlier one
    ///         }
    ///     }
    /// })?;
    ///
    /// std::net::UdpSocket::bind("127.0.0.1:0")?.send_to(b"news", address)?;
    /// reactor.turn(Some(Duration::from_secs(10)))?;
    /// assert_eq!(reactor.server.with(feed, std::time::Instant::now(), |feed, _cx| feed.bytes), 4);
    /// let udp = reactor.unwatch(id).expect("the source is watched");
    /// assert_eq!(udp.local_addr()?, address);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the source cannot be registered, such as a regular file, or is registered already. Also
    /// when 4,096 sources are watched, and when a panic of a callback has
    /// [poisoned](Server::is_poisoned) the server.
    pub fn watch<S, H, F>(
        &mut self,
        source: S,
        interest: Interest,
        zone: ZoneId<H>,
        call: F,
    ) -> io::Result<WatchId<S>>
    where
        S: Source + 'static,
        H: 'static,
        F: FnMut(&mut H, &mut Context, &mut S, Readiness) + 'static,
    {
        self.server.check_poison()?;
        self.server.context(Instant::now()).watch(source, interest, zone, call)
    }

    /// Ends the watch of a source, and returns the source. `None` if it is no longer watched.
    pub fn unwatch<S: 'static>(&mut self, id: WatchId<S>) -> Option<S> {
        self.server.context(Instant::now()).unwatch(id)
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

impl AsRawFd for Reactor {
    fn as_raw_fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }
}
