//! What a listener is made from: texts, addresses, and sockets that listen already. This file asks
//! no socket for its kind.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener as StdUnixListener;

use mio::net::{TcpListener, UnixListener};

use super::bound::ListenAddr;
use super::listener::{Listener, Place};

impl From<&str> for Listener {
    fn from(address: &str) -> Listener {
        Listener::from(address.to_owned())
    }
}

/// `unix:` before a path that begins with `/`, `.` or `@` is a Unix socket; all else an address.
impl From<String> for Listener {
    fn from(address: String) -> Listener {
        match address.strip_prefix("unix:").filter(|path| path.starts_with(['/', '.', '@'])) {
            Some(path) => Listener::unix(path),
            None => Listener::at(Place::Address(address)),
        }
    }
}

impl From<SocketAddr> for Listener {
    fn from(address: SocketAddr) -> Listener {
        Listener::at(Place::Address(address.to_string()))
    }
}

impl From<ListenAddr> for Listener {
    fn from(address: ListenAddr) -> Listener {
        match address {
            ListenAddr::Tcp(address) => address.into(),
            ListenAddr::Unix(path) => Listener::unix(path),
        }
    }
}

/// Takes a descriptor whose kind [`Server::listen`](crate::Server::listen) finds out: a TCP or Unix
/// stream socket that listens, for example one inherited from a supervisor.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use std::os::fd::OwnedFd;
/// use switchboard::Reactor;
///
/// let inherited = OwnedFd::from(TcpListener::bind("127.0.0.1:0")?);
/// let mut reactor = Reactor::new()?;
/// let listener = reactor.server.listen(inherited)?;
/// assert!(TcpStream::connect(reactor.server.local_addr(listener)?).is_ok());
/// # std::io::Result::Ok(())
/// ```
impl From<OwnedFd> for Listener {
    fn from(descriptor: OwnedFd) -> Listener {
        Listener::at(Place::Given(descriptor))
    }
}

/// Takes a socket that listens already.
impl From<StdListener> for Listener {
    fn from(listener: StdListener) -> Listener {
        OwnedFd::from(listener).into()
    }
}

/// Takes a socket that listens already. Its file stays when the listener ends.
///
/// ```
/// use std::os::unix::net::{UnixListener, UnixStream};
/// use switchboard::Reactor;
///
/// let path = std::env::temp_dir().join(format!("given-{}.sock", std::process::id()));
/// let mut reactor = Reactor::new()?;
/// reactor.server.listen(UnixListener::bind(&path)?)?;
/// assert!(UnixStream::connect(&path).is_ok());
/// std::fs::remove_file(path)?; // the program that binds a socket removes its file
/// # std::io::Result::Ok(())
/// ```
impl From<StdUnixListener> for Listener {
    fn from(listener: StdUnixListener) -> Listener {
        OwnedFd::from(listener).into()
    }
}

/// Takes a listener of mio that no `Poll` has registered.
impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Listener {
        OwnedFd::from(listener).into()
    }
}

/// Takes a listener of mio that no `Poll` has registered. Its file stays when the listener ends.
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Listener {
        OwnedFd::from(listener).into()
    }
}
