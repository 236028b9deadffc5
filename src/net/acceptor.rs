//! Accepts connections, and backs off when descriptors run out (EMFILE, ENFILE). This file does not
//! know what becomes of an accepted socket.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use mio::event::Source as _;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use socket2::SockRef;

use super::arrival::Arrival;
use super::bound::{Bound, ListenAddr};
use super::first_read::FirstReadBackoff;
use super::outcome::Read;
use super::tcp::limit_unacknowledged;
use super::traffic::Traffic;
use super::transport::Transport;

/// The outcome of one attempt to accept.
#[derive(Debug)]
pub(crate) enum AcceptOutcome {
    Connection(Transport),
    /// No connection can be accepted now: the next readable event, or the end of the pause,
    /// announces one.
    Drained,
    /// No descriptor or memory is left, or the listening socket fails each time. No event follows:
    /// call again at [`Acceptor::retry_at`].
    Exhausted,
}

/// A listening socket, with its back-off for times without descriptors.
#[derive(Debug)]
pub(crate) struct Acceptor {
    socket: Bound,
    /// Whether the socket is of TCP and was made here. One that was bound elsewhere keeps its own
    /// options.
    pub(crate) is_ours: bool,
    /// A descriptor held in reserve. Closing it frees one, with which a connection is accepted and
    /// refused in words.
    reserve: Option<File>,
    pause: Duration,
    retry_at: Option<Instant>,
    per_turn: usize,
    /// The kernel queues connections until this is off again.
    pub(crate) is_paused: bool,
    /// What each connection has to do before its first request.
    pub(crate) arrival: Arrival,
    /// The socket belongs to the listener of the socket before it: a name has several addresses.
    pub(crate) is_further: bool,
    pub(crate) first_read: FirstReadBackoff,
    /// Connections go to the reactor of a cluster with the fewest.
    pub(crate) hands_over: bool,
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Connections refused in one back-off, so that they do not wait for a server that is full.
const REFUSED_PER_PAUSE: usize = 64;

impl Acceptor {
    /// Accepts from a bound socket, at most `per_turn` connections in a turn.
    pub(crate) fn new(
        mut socket: Bound,
        per_turn: usize,
        registry: Option<&Registry>,
        token: Token,
    ) -> io::Result<Acceptor> {
        match (&mut socket, registry) {
            (Bound::Tcp(socket), Some(registry)) => {
                socket.register(registry, token, Interest::READABLE)?;
            }
            (Bound::Unix(_, socket), Some(registry)) => {
                socket.register(registry, token, Interest::READABLE)?;
            }
            _ => {}
        }
        Ok(Acceptor {
            is_ours: false,
            reserve: match socket {
                Bound::Elsewhere(_) => None,
                _ => reserve(),
            },
            socket,
            pause: SHORTEST_PAUSE,
            retry_at: None,
            per_turn,
            is_paused: false,
            arrival: Arrival::default(),
            is_further: false,
            first_read: FirstReadBackoff::default(),
            hands_over: false,
        })
    }

    /// Limits how long bytes to a peer may wait in the kernel without an acknowledgement, on
    /// connections that are accepted from now on. They inherit the limit, which costs them no
    /// system call.
    pub(crate) fn limit_unacknowledged(&self, limit: Option<Duration>) -> io::Result<()> {
        match &self.socket {
            Bound::Tcp(socket) if self.is_ours => {
                limit_unacknowledged(SockRef::from(socket), limit)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn local(&self) -> io::Result<ListenAddr> {
        self.socket.local()
    }

    /// The number of connections to accept in one turn of the loop.
    pub(crate) fn per_turn(&self) -> usize {
        self.per_turn
    }

    /// The end of the back-off, if there is one. A paused listener has none.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| !self.is_paused)
    }

    /// Accepts one connection. Without descriptors it writes `refusal` to the connections that wait
    /// and closes them. `refused` gets each of these sockets, with the first bytes of its input.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        refusal: &[u8],
        traffic: &mut Traffic,
        refused: &mut dyn FnMut(&Transport, &[u8]),
    ) -> AcceptOutcome {
        if self.is_paused || self.retry_at.is_some_and(|at| now < at) {
            return AcceptOutcome::Drained;
        }
        self.retry_at = None;
        for _ in 0..self.per_turn {
            match accept(&self.socket) {
                Ok(socket) => {
                    self.pause = SHORTEST_PAUSE;
                    if self.reserve.is_none() {
                        self.reserve = reserve();
                    }
                    return AcceptOutcome::Connection(socket);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return AcceptOutcome::Drained;
                }
                Err(error) if is_exhaustion(&error) => {
                    self.refuse_waiting(refusal, traffic, refused);
                    break;
                }
                // ECONNABORTED, EPROTO, EINTR and the like concern one connection that is gone: the
                // next may be well. An error that stays, as after a shutdown of the listening
                // socket, must not hold the loop: hence the bound.
                Err(_) => {}
            }
        }
        self.retry_at = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        AcceptOutcome::Exhausted
    }

    /// Ends the back-off because a descriptor was closed.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if self.retry_at.is_some() {
            self.retry_at = Some(now);
        }
    }

    /// Refuses the connections that wait, one after the other over the reserved descriptor.
    fn refuse_waiting(
        &mut self,
        refusal: &[u8],
        traffic: &mut Traffic,
        refused: &mut dyn FnMut(&Transport, &[u8]),
    ) {
        for _ in 0..REFUSED_PER_PAUSE {
            if self.reserve.take().is_none() {
                break;
            }
            let accepted = accept(&self.socket);
            let more = accepted.is_ok();
            if let Ok(socket) = accepted {
                // A peer that the listener does not name is closed before a byte is read.
                if self.arrival.admits(&socket, None) == Some(true) {
                    turn_away(socket, &self.arrival, refusal, traffic, &mut *refused);
                }
            }
            self.reserve = reserve();
            if !more {
                break;
            }
        }
    }
}

/// Accepts without asking for the peer's address. The kernel would have to look the address up and
/// copy it; the few handlers that want it ask later.
#[cfg(target_os = "linux")]
fn accept(listener: &Bound) -> io::Result<Transport> {
    use rustix::net::{SocketFlags, accept_with};
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(match listener {
        Bound::Tcp(listener) => TcpStream::from_std(accept_with(listener, flags)?.into()).into(),
        Bound::Unix(_, listener) => {
            UnixStream::from_std(accept_with(listener, flags)?.into()).into()
        }
        Bound::Elsewhere(_) => return Err(ErrorKind::WouldBlock.into()),
    })
}

#[cfg(not(target_os = "linux"))]
fn accept(listener: &Bound) -> io::Result<Transport> {
    match listener {
        Bound::Tcp(listener) => listener.accept().map(|(socket, _)| socket.into()),
        Bound::Unix(_, listener) => listener.accept().map(|(socket, _)| socket.into()),
        Bound::Elsewhere(_) => Err(ErrorKind::WouldBlock.into()),
    }
}

/// Writes `refusal` to a connection, or an alert if it waits for TLS. Then closes it, without
/// waiting.
///
/// One read comes first: closing a socket with unread bytes resets the connection, and the peer
/// would lose the refusal. `refused` gets the bytes of plain HTTP that were read.
fn turn_away(
    mut transport: Transport,
    arrival: &Arrival,
    refusal: &[u8],
    traffic: &mut Traffic,
    refused: impl FnOnce(&Transport, &[u8]),
) {
    let mut buf = [0; 4 << 10];
    let read = transport.read(&mut buf, traffic).map_or(0, Read::count);
    let awaits_tls = arrival.awaits_tls(&buf[..read]);
    refused(&transport, if awaits_tls { &[] } else { &buf[..read] });
    let _ = transport.write(Arrival::refusal(awaits_tls, refusal), traffic);
}

fn reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Whether the process or the system has no descriptor (EMFILE, ENFILE) or no memory left.
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOMEM | Errno::NFILE | Errno::MFILE | Errno::NOBUFS)
    )
}
