//! An accepted connection on its way to a server on another thread. This file admits none.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;

use mio::net::{TcpStream, UnixStream};
use rustix::net::{AddressFamily, SocketType, sockopt};
use socket2::SockRef;

use super::transport::Transport;

/// An accepted connection, for [`Remote::adopt`](crate::Remote::adopt).
///
/// It is made from a `TcpStream` or `UnixStream` of the standard library or of mio, from an
/// [`OwnedFd`] of either kind, or from a [`Transport`]. A stream of mio must not be registered with
/// a `Poll`.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use switchboard::Socket;
///
/// let (near, _far) = UnixStream::pair()?;
/// let socket = Socket::from(near);
/// # let _ = socket;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Socket(Kind);

#[derive(Debug)]
enum Kind {
    Ready(Transport),
    /// Whose kind and mode are not known.
    Given(OwnedFd),
}

impl Socket {
    /// Makes a transport in non-blocking mode.
    ///
    /// # Errors
    /// With the descriptor, when it is no stream socket of TCP or Unix.
    pub(crate) fn into_transport(self) -> Result<Transport, (Socket, io::Error)> {
        match self.0 {
            Kind::Ready(transport) => Ok(transport),
            Kind::Given(descriptor) => match family(&descriptor) {
                Ok(AddressFamily::UNIX) => Ok(UnixStream::from_std(descriptor.into()).into()),
                Ok(_) => Ok(TcpStream::from_std(descriptor.into()).into()),
                Err(error) => Err((Socket(Kind::Given(descriptor)), error)),
            },
        }
    }
}

/// Sets a descriptor to non-blocking mode, and returns its family: TCP or Unix.
fn family(descriptor: &OwnedFd) -> io::Result<AddressFamily> {
    if sockopt::socket_type(descriptor)? != SocketType::STREAM {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no stream socket: give one of the type SOCK_STREAM",
        ));
    }
    SockRef::from(descriptor).set_nonblocking(true)?;
    match rustix::net::getsockname(descriptor)?.address_family() {
        family @ (AddressFamily::INET | AddressFamily::INET6 | AddressFamily::UNIX) => Ok(family),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is neither a TCP socket nor a Unix socket",
        )),
    }
}

impl From<Transport> for Socket {
    fn from(transport: Transport) -> Socket {
        Socket(Kind::Ready(transport))
    }
}

impl From<OwnedFd> for Socket {
    fn from(descriptor: OwnedFd) -> Socket {
        Socket(Kind::Given(descriptor))
    }
}

impl From<StdTcpStream> for Socket {
    fn from(socket: StdTcpStream) -> Socket {
        OwnedFd::from(socket).into()
    }
}

impl From<StdUnixStream> for Socket {
    fn from(socket: StdUnixStream) -> Socket {
        OwnedFd::from(socket).into()
    }
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Socket {
        Transport::from(socket).into()
    }
}

impl From<UnixStream> for Socket {
    fn from(socket: UnixStream) -> Socket {
        Transport::from(socket).into()
    }
}
