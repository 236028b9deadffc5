//! Accepting connections: where to listen, and what to do when descriptors run out. It does not know what
//! becomes of an accepted socket.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

/// Where and how a server listens.
///
/// Connections inherit `TCP_NODELAY` from the listening socket, so accepting one costs no further system call.
///
/// ```
/// use switchboard::Listener;
///
/// let listener = Listener::from("127.0.0.1:0").backlog(4096).reuse_port(true);
/// # let _ = listener;
/// ```
#[derive(Debug)]
pub struct Listener {
    place: Place,
    backlog: i32,
    reuse_port: bool,
    per_turn: usize,
}

#[derive(Debug)]
enum Place {
    Address(String),
    Bound(StdListener),
}

impl Listener {
    /// How many connections the kernel may hold ready to be accepted (default 4,096; the kernel's own limit applies).
    pub fn backlog(mut self, connections: u16) -> Listener {
        self.backlog = i32::from(connections);
        self
    }

    /// Whether several sockets may listen at this address, the kernel spreading connections over them
    /// (`SO_REUSEPORT`; off by default). This is how one reactor per core shares a port.
    pub fn reuse_port(mut self, yes: bool) -> Listener {
        self.reuse_port = yes;
        self
    }

    /// How many connections are accepted in one turn of the loop (default 256, at least 1); the rest wait for the next, so that a rush of
    /// newcomers does not keep others waiting.
    pub fn accepts_per_turn(mut self, connections: usize) -> Listener {
        self.per_turn = connections.max(1);
        self
    }

    fn at(place: Place) -> Listener {
        Listener { place, backlog: 4096, reuse_port: false, per_turn: 256 }
    }

    fn bind(self) -> io::Result<StdListener> {
        let text = match self.place {
            Place::Bound(listener) => return Ok(listener),
            Place::Address(text) => text,
        };
        let mut last = io::Error::new(ErrorKind::InvalidInput, format!("no address in {text:?}"));
        for address in text.to_socket_addrs()? {
            match Self::bind_one(address, self.backlog, self.reuse_port) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn bind_one(address: SocketAddr, backlog: i32, reuse_port: bool) -> io::Result<StdListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(reuse_port)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        Ok(socket.into())
    }
}

impl From<&str> for Listener {
    fn from(address: &str) -> Listener {
        Listener::at(Place::Address(address.to_owned()))
    }
}

impl From<String> for Listener {
    fn from(address: String) -> Listener {
        Listener::at(Place::Address(address))
    }
}

impl From<SocketAddr> for Listener {
    fn from(address: SocketAddr) -> Listener {
        Listener::from(address.to_string())
    }
}

/// A socket that listens already, e.g. one inherited from a supervisor.
impl From<StdListener> for Listener {
    fn from(listener: StdListener) -> Listener {
        Listener::at(Place::Bound(listener))
    }
}

/// What came of one attempt to accept.
#[derive(Debug)]
pub(crate) enum AcceptOutcome {
    Connection(TcpStream),
    /// Nobody waits; readiness will be told.
    Drained,
    /// No descriptor or memory is left; nothing will be told, so come back at [`Acceptor::retry_at`].
    Exhausted,
}

/// A listening socket and its way out when descriptors run out.
#[derive(Debug)]
pub(crate) struct Acceptor {
    socket: TcpListener,
    /// A descriptor held in reserve: giving it up lets us accept one connection and tell it why it is turned away.
    reserve: Option<File>,
    pause: Duration,
    retry_at: Option<Instant>,
    per_turn: usize,
    pub(crate) first_read: FirstReadBackoff,
}

/// Whether those who are accepted have said something by then, guessed from those before: where a server is busy most have, and where each
/// takes its time a look in vain is rare.
#[derive(Debug, Default)]
pub(crate) struct FirstReadBackoff {
    /// How many are accepted without a look after the next one in vain, and how many still are.
    skip: u8,
    left: u8,
}

impl FirstReadBackoff {
    pub(crate) fn should_read(&mut self) -> bool {
        let expected = self.left == 0;
        self.left = self.left.saturating_sub(1);
        expected
    }

    /// What came of a look.
    pub(crate) fn record(&mut self, hit: bool) {
        self.skip = if hit { 0 } else { self.skip.saturating_mul(2).saturating_add(1) };
        self.left = self.skip;
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How many waiting connections one back-off turns away, so that they need not wait for a server that is full.
const TURNED_AWAY_AT_ONCE: usize = 64;

impl Acceptor {
    pub(crate) fn bind(
        listener: Listener,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Acceptor> {
        let per_turn = listener.per_turn;
        let listener = listener.bind()?;
        listener.set_nonblocking(true)?;
        let mut socket = TcpListener::from_std(listener);
        registry.register(&mut socket, token, Interest::READABLE)?;
        Ok(Acceptor {
            socket,
            reserve: reserve(),
            pause: SHORTEST_PAUSE,
            retry_at: None,
            per_turn,
            first_read: FirstReadBackoff::default(),
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(crate) fn per_turn(&self) -> usize {
        self.per_turn
    }

    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Accepts one connection. `refusal` is written to those who are turned away for want of descriptors.
    pub(crate) fn accept(&mut self, now: Instant, refusal: &[u8]) -> AcceptOutcome {
        if self.retry_at.is_some_and(|at| now < at) {
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
                    self.turn_away(refusal);
                    break;
                }
                // ECONNABORTED, EPROTO, EINTR and the like concern one connection that is gone: the next one may be well. One that
                // stays, as of a listener that somebody shut down, must not hold the loop.
                Err(_) => {}
            }
        }
        self.retry_at = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        AcceptOutcome::Exhausted
    }

    /// A descriptor was closed: try again at once.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if self.retry_at.is_some() {
            self.retry_at = Some(now);
        }
    }

    fn turn_away(&mut self, refusal: &[u8]) {
        for _ in 0..TURNED_AWAY_AT_ONCE {
            if self.reserve.take().is_none() {
                break;
            }
            let accepted = accept(&self.socket);
            let more = accepted.is_ok();
            if let Ok(socket) = accepted {
                turn_away(socket, refusal);
            }
            self.reserve = reserve();
            if !more {
                break;
            }
        }
    }
}

/// Accepts without asking for the peer's address, which the kernel would have to look up and copy: few want to know it, and those ask.
#[cfg(target_os = "linux")]
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    use rustix::net::{SocketFlags, accept_with};
    let socket = accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    Ok(TcpStream::from_std(socket.into()))
}

#[cfg(not(target_os = "linux"))]
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    listener.accept().map(|(socket, _)| socket)
}

/// Tells somebody why not, and closes. What it had to say is read first: closing over unread bytes would reset the connection and
/// lose the answer. Neither can be waited for.
pub(crate) fn turn_away(mut socket: TcpStream, refusal: &[u8]) {
    let _ = socket.read(&mut [0; 4 << 10]);
    let _ = socket.write(refusal);
}

fn reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

fn is_exhaustion(error: &io::Error) -> bool {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    // ENOBUFS differs between Linux and the BSDs.
    const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
    matches!(error.raw_os_error(), Some(ENOMEM | ENFILE | EMFILE | ENOBUFS))
}

#[cfg(test)]
mod tests {
    use super::FirstReadBackoff;

    #[test]
    fn words_are_looked_for_in_vain_once_in_256_times_at_most() {
        let mut backoff = FirstReadBackoff::default();
        let mut look = |speaks: bool| {
            let expected = backoff.should_read();
            if expected {
                backoff.record(speaks);
            }
            expected
        };
        assert!((0..100).all(|_| look(true)), "those who speak at once are heard at once");
        let looks: Vec<usize> = (0..1_000).filter(|_| look(false)).collect();
        assert_eq!(looks, [0, 2, 6, 14, 30, 62, 126, 254, 510, 766]);
        assert!((0..256).any(|_| look(true)) && (0..100).all(|_| look(true)));
    }
}
