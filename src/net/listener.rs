//! The address and the options of a listener, and its listening socket. This file does not accept
//! connections.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::arrival::Arrival;

/// Describes where and how a server listens.
///
/// A `Listener` is made from an address (`&str`, `String`, `SocketAddr`) or from a socket that
/// listens already. [`Server::listen`](crate::Server::listen) binds it.
///
/// | address | where it listens |
/// | --- | --- |
/// | `127.0.0.1:9001`, `[::1]:9001` | at this address |
/// | `:9001` | at every address of this machine, IPv4 and IPv6 |
/// | `localhost:9001` | at 127.0.0.1 and ::1 (RFC 6761 6.3) |
/// | `example.com:9001` | at all addresses of the name that this machine has |
///
/// With port 0, all addresses of a name get the same port. A name of which one address is in use
/// is an error, since another program would get a part of the connections. A port alone, as `9001`,
/// is an error too: it does not say whether other machines may connect.
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
    per_turn: usize,
    arrival: Arrival,
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

    /// Has each connection begin with a TLS handshake (RFC 8446, RFC 5246; default: none).
    ///
    /// The handshake and the first request head together have
    /// [`head_timeout`](crate::Options::head_timeout), counted from the accept. A client that
    /// breaks TLS gets an alert. A client that speaks plain HTTP gets a 400 that says to use
    /// `https`. Nothing else is ever served without TLS.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::{Listener, Reactor, Tls};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let tls = Tls::from_pem_files("chain.pem", "key.pem")?;
    /// let listener = Listener::from("127.0.0.1:0").tls(tls);
    /// assert!(reactor.server.listen(listener).is_ok());
    /// # std::io::Result::Ok(())
    /// ```
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn tls(mut self, tls: impl Into<super::tls::Tls>) -> Listener {
        self.arrival.tls = Some(tls.into());
        self
    }

    fn at(place: Place) -> Listener {
        Listener {
            place,
            backlog: 4096,
            reuse_port: false,
            per_turn: 256,
            arrival: Arrival::default(),
        }
    }

    /// Whether the socket is still to be made, so that its options are ours.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.place, Place::Address(_))
    }

    /// The number of connections to accept in one turn of the loop.
    pub(crate) fn per_turn(&self) -> usize {
        self.per_turn
    }

    /// What each connection has to do before its first request.
    pub(crate) fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// Binds all addresses, all with one port.
    pub(crate) fn bind(self) -> io::Result<Vec<StdListener>> {
        let text = match self.place {
            Place::Bound(listener) => return Ok(vec![listener]),
            Place::Address(ref text) => text,
        };
        let places = places(text)?;
        let mut outcome = self.bind_all(&places);
        if let Places::Addresses(addresses) = &places
            && addresses.iter().all(|address| address.port() == 0)
        {
            // A port that is free at one address may be taken at another.
            for _ in 1..ATTEMPTS {
                match &outcome {
                    Err((_, error)) if error.kind() == ErrorKind::AddrInUse => {
                        outcome = self.bind_all(&places);
                    }
                    _ => break,
                }
            }
        }
        outcome.map_err(|(address, error)| unbound(text, address, &error))
    }

    fn bind_all(&self, places: &Places) -> Result<Vec<StdListener>, (SocketAddr, io::Error)> {
        let addresses = match places {
            Places::Addresses(addresses) => addresses,
            Places::Every(port) => return self.bind_every(*port).map(|socket| vec![socket]),
        };
        let (mut bound, mut absent, mut port) = (Vec::new(), None, 0);
        for &address in addresses {
            let mut address = address;
            if address.port() == 0 {
                address.set_port(port);
            }
            match self.bind_one(address, None) {
                Ok(socket) => {
                    port = socket.local_addr().map_or(0, |address| address.port());
                    bound.push(socket);
                }
                // A name may have an address of a family that this machine does not have.
                Err(error) if is_absent(&error) => absent = absent.or(Some((address, error))),
                Err(error) => return Err((address, error)),
            }
        }
        match absent {
            Some(absent) if bound.is_empty() => Err(absent),
            _ => Ok(bound),
        }
    }

    /// Binds one socket for every address of both families; without IPv6, for those of IPv4.
    fn bind_every(&self, port: u16) -> Result<StdListener, (SocketAddr, io::Error)> {
        let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let every_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        match self.bind_one(every, Some(false)) {
            Err(error) if is_absent(&error) => {
                self.bind_one(every_v4, None).map_err(|error| (every_v4, error))
            }
            outcome => outcome.map_err(|error| (every, error)),
        }
    }

    fn bind_one(&self, address: SocketAddr, only_v6: Option<bool>) -> io::Result<StdListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if let Some(only_v6) = only_v6 {
            socket.set_only_v6(only_v6)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(self.reuse_port)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        socket.listen(self.backlog)?;
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

/// The addresses that a text names.
#[derive(Debug)]
enum Places {
    Addresses(Vec<SocketAddr>),
    /// Every address of this machine, at this port.
    Every(u16),
}

/// Attempts to find one port that is free at all addresses of a name.
const ATTEMPTS: usize = 32;

/// Reads `HOST:PORT` or `:PORT`.
fn places(text: &str) -> io::Result<Places> {
    if let Ok(address) = text.parse() {
        return Ok(Places::Addresses(vec![address]));
    }
    let split = text.rsplit_once(':');
    // A URL is no address to listen at, and `::1:80` has two readings.
    let split = split.filter(|(host, _)| !host.contains(['/', '*', '[', ' ', ':']));
    let Some((host, port)) = split.and_then(|(host, port)| Some((host, port.parse().ok()?))) else {
        return Err(malformed(text));
    };
    if host.is_empty() {
        return Ok(Places::Every(port));
    }
    // RFC 6761 section 6.3: both loopback addresses, whatever the system's own list says.
    if host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost") {
        let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        return Ok(Places::Addresses(vec![(v4, port).into(), (v6, port).into()]));
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in (host, port).to_socket_addrs().map_err(|error| unresolved(text, &error))? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match addresses.is_empty() {
        true => Err(unresolved(text, &io::Error::new(ErrorKind::NotFound, "no address"))),
        false => Ok(Places::Addresses(addresses)),
    }
}

/// Whether this machine lacks the address, or its whole family.
fn is_absent(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT))
}

fn malformed(text: &str) -> io::Error {
    let advice = match text.strip_prefix("*:").unwrap_or(text).parse::<u16>() {
        _ if text.parse::<Ipv6Addr>().is_ok() => "[::1]:9001, with brackets".to_owned(),
        Ok(port) => format!("127.0.0.1:{port}, or :{port} for every address of this machine"),
        Err(_) => "127.0.0.1:9001, or :9001 for every address of this machine".to_owned(),
    };
    let text = format!("cannot listen at {text:?}: give HOST:PORT, such as {advice}");
    io::Error::new(ErrorKind::InvalidInput, text)
}

fn unresolved(text: &str, error: &io::Error) -> io::Error {
    let text = format!(
        "cannot listen at {text:?}: {error}: give an address of this machine, such as \
         127.0.0.1:9001"
    );
    io::Error::new(error.kind(), text)
}

/// Names the address in an error of the kernel, and says what to do.
fn unbound(text: &str, address: SocketAddr, error: &io::Error) -> io::Error {
    let port = address.port();
    let advice = match error.kind() {
        ErrorKind::AddrInUse if port == 0 => "no port is free at all its addresses".to_owned(),
        ErrorKind::AddrInUse => "end the program that listens there, or give another port".into(),
        ErrorKind::AddrNotAvailable => {
            format!("give an address of this machine, such as 127.0.0.1:{port}")
        }
        ErrorKind::PermissionDenied => "give a port above 1023".into(),
        _ => format!("give another address, such as 127.0.0.1:{port}"),
    };
    let one = address.to_string();
    let place = if one == text { String::new() } else { format!(" ({one})") };
    let text = format!("cannot listen at {text:?}{place}: {error}: {advice}");
    io::Error::new(error.kind(), text)
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
