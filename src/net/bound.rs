//! Sockets that listen: their kinds, sockets that were bound elsewhere, and where each listens.
//! This file makes no socket and accepts no connection.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use mio::net::{TcpListener, UnixListener};
use rustix::net::{AddressFamily, SocketType, sockopt};
use socket2::{SockAddr, SockRef};

use super::unix::SocketFile;

/// The address or the path that a listener listens at.
///
/// `Display` writes `127.0.0.1:9001` or `unix:/run/app.sock`.
/// [`Listener::from`](crate::Listener) takes this text and the value itself.
///
/// ```
/// use switchboard::{ListenAddr, Reactor};
///
/// let mut reactor = Reactor::new()?;
/// let listener = reactor.server.listen("127.0.0.1:0")?;
/// let [ListenAddr::Tcp(address)] = reactor.server.listening_at(listener)?[..] else {
///     panic!("one address")
/// };
/// assert!(address.port() != 0);
/// assert_eq!(ListenAddr::Unix("/run/app.sock".into()).to_string(), "unix:/run/app.sock");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListenAddr {
    /// The address of a TCP socket, with the port that the kernel chose for port 0.
    Tcp(SocketAddr),
    /// The path of a Unix socket; `@name` in Linux' abstract namespace. The path is absolute if the
    /// listener made the socket, and empty if the socket has no name.
    Unix(PathBuf),
}

impl ListenAddr {
    /// The IP address; `None` for a Unix socket.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        match self {
            ListenAddr::Tcp(address) => Some(address.ip()),
            ListenAddr::Unix(_) => None,
        }
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddr::Tcp(address) => address.fmt(f),
            ListenAddr::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum Bound {
    Tcp(TcpListener),
    /// The file comes first, so that it is removed while the socket still holds its inode.
    Unix(Option<SocketFile>, UnixListener),
    /// Another reactor of a cluster listens there, and hands connections over.
    Elsewhere(ListenAddr),
}

impl Bound {
    /// Takes a descriptor that was bound elsewhere.
    ///
    /// # Errors
    /// When the descriptor is no stream socket of TCP or Unix, or does not listen.
    pub(super) fn of(descriptor: OwnedFd) -> io::Result<Bound> {
        let kind = sockopt::socket_type(&descriptor).map_err(|error| unusable(&error.into()))?;
        if kind != SocketType::STREAM {
            return Err(wrong("is no stream socket: give one of the type SOCK_STREAM"));
        }
        // Apple's systems do not tell: there, accepting fails later.
        #[cfg(not(target_vendor = "apple"))]
        if !sockopt::socket_acceptconn(&descriptor)? {
            return Err(wrong("does not listen: call listen(2) on it before"));
        }
        let family = rustix::net::getsockname(&descriptor)?.address_family();
        SockRef::from(&descriptor).set_nonblocking(true)?;
        match family {
            AddressFamily::INET | AddressFamily::INET6 => Ok(Bound::Tcp(descriptor.into())),
            AddressFamily::UNIX => Ok(Bound::Unix(None, descriptor.into())),
            _ => Err(wrong("is neither a TCP socket nor a Unix socket")),
        }
    }

    pub(crate) fn local(&self) -> io::Result<ListenAddr> {
        match self {
            Bound::Tcp(socket) => socket.local_addr().map(ListenAddr::Tcp),
            Bound::Unix(Some(file), _) => Ok(ListenAddr::Unix(file.path.clone())),
            Bound::Elsewhere(address) => Ok(address.clone()),
            Bound::Unix(None, socket) => {
                let address = SockRef::from(socket).local_addr()?;
                Ok(ListenAddr::Unix(name(&address)))
            }
        }
    }
}

/// The path of a Unix address; `@name` for an abstract one.
fn name(address: &SockAddr) -> PathBuf {
    #[cfg(target_os = "linux")]
    if let Some(name) = address.as_abstract_namespace() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        return Path::new(OsStr::from_bytes(&[b"@", name].concat())).to_owned();
    }
    address.as_pathname().map(Path::to_owned).unwrap_or_default()
}

fn wrong(advice: &str) -> io::Error {
    let text = format!("cannot listen at a given descriptor: it {advice}");
    io::Error::new(ErrorKind::InvalidInput, text)
}

fn unusable(error: &io::Error) -> io::Error {
    wrong(&format!("is no socket ({error}): give a socket that listens"))
}
