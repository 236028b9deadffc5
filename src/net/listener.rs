//! The address and the options of a listener, and its listening socket. This file does not accept
//! connections.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Describes where and how a server listens.
///
/// A `Listener` is made from an address (`&str`, `String`, `SocketAddr`) or from a socket that
/// listens already. [`Server::listen`](crate::Server::listen) binds it. Of a name with several
/// addresses, the first that can be bound is used.
///
/// Connections inherit `TCP_NODELAY` from the listening socket, which saves one system call for
/// each accept. On Linux they also inherit `TCP_USER_TIMEOUT`: the
/// [`write_timeout`](crate::Options::write_timeout) of the server's default options, at least 4 s.
/// A peer that acknowledges nothing, or takes nothing, for that long while bytes wait in the kernel
/// is gone. A socket that was bound elsewhere keeps its own options.
///
/// ```
/// use std::net::TcpStream;
/// use switchboard::{Listener, Reactor};
///
/// let mut reactor = Reactor::new()?;
/// let listener = Listener::from("127.0.0.1:0").backlog(128).reuse_port(true);
/// let id = reactor.server.listen(listener)?;
/// let address = reactor.server.local_addr(id).unwrap();
/// assert!(TcpStream::connect(address).is_ok());
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Listener {
    place: Place,
    backlog: i32,
    reuse_port: bool,
    pub(super) per_turn: usize,
}

#[derive(Debug)]
enum Place {
    Address(String),
    Bound(StdListener),
}

impl Listener {
    /// Sets how many connections the kernel queues until they are accepted (default 4,096).
    ///
    /// The kernel applies its own limit too: `net.core.somaxconn` on Linux.
    pub fn backlog(mut self, connections: u16) -> Listener {
        self.backlog = i32::from(connections);
        self
    }

    /// Sets `SO_REUSEPORT` (default off): several sockets listen at one address, and the kernel
    /// spreads new connections over them. With this, one reactor for each core shares one port.
    pub fn reuse_port(mut self, yes: bool) -> Listener {
        self.reuse_port = yes;
        self
    }

    /// Sets how many connections one turn of the loop accepts (default 256, at least 1).
    ///
    /// The rest wait for the next turn, so that a burst of new connections does not delay the open
    /// ones.
    pub fn accepts_per_turn(mut self, connections: usize) -> Listener {
        self.per_turn = connections.max(1);
        self
    }

    fn at(place: Place) -> Listener {
        Listener { place, backlog: 4096, reuse_port: false, per_turn: 256 }
    }

    /// Whether the socket is still to be made, so that its options are ours.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.place, Place::Address(_))
    }

    /// Binds the first address that can be bound.
    pub(super) fn bind(self) -> io::Result<StdListener> {
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

/// Limits how long bytes of a connection may wait in the kernel without an acknowledgement, for the
/// connections that a listening socket accepts from now on. `None` is the system's own limit.
pub(super) fn limit_unacknowledged(socket: SockRef<'_>, limit: Option<Duration>) -> io::Result<()> {
    // The kernel counts in milliseconds, in a signed number.
    const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(limit.map(|limit| limit.min(LONGEST)))?;
    #[cfg(not(target_os = "linux"))]
    let _ = (socket, limit, LONGEST);
    Ok(())
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

/// Takes a socket that listens already, for example one inherited from a supervisor.
impl From<StdListener> for Listener {
    fn from(listener: StdListener) -> Listener {
        Listener::at(Place::Bound(listener))
    }
}
