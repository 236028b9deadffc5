//! TCP sockets to listen at: from the text of an address to sockets, with errors that name the
//! address. This file does not accept connections.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::time::Duration;

use mio::net::TcpListener;
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// The options of sockets to be made.
#[derive(Debug)]
pub(super) struct Tcp {
    /// Connections that the kernel queues.
    pub(super) queue: i32,
    pub(super) reuse_port: bool,
}

impl Tcp {
    /// Binds all addresses that a text names, all with one port.
    pub(super) fn bind(&self, text: &str) -> io::Result<Vec<TcpListener>> {
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
        let sockets = outcome.map_err(|(address, error)| unbound(text, address, &error))?;
        Ok(sockets.into_iter().map(TcpListener::from_std).collect())
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

    pub(super) fn bind_one(
        &self,
        address: SocketAddr,
        only_v6: Option<bool>,
    ) -> io::Result<StdListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if let Some(only_v6) = only_v6 {
            socket.set_only_v6(only_v6)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(self.reuse_port)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        socket.listen(self.queue)?;
        socket.set_nonblocking(true)?;
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
    let path = text.strip_prefix("unix:");
    if path.is_some() || text.contains('/') && !text.contains("://") {
        let path = path.unwrap_or(text);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("./{path}") };
        let text = format!("cannot listen at {text:?}: give HOST:PORT, or a path as unix:{path}");
        return io::Error::new(ErrorKind::InvalidInput, text);
    }
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
