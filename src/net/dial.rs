//! Starts a TCP connection to an address, from a given source address if there is one. This file
//! knows neither the purpose of the connection nor the end of the handshake.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// Starts to connect and returns at once.
///
/// # Errors
/// `InvalidInput` if `source` and `target` are of different families, and every error of `socket`,
/// `bind` and `connect` except `EINPROGRESS`.
pub(crate) fn dial(target: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(source) = source else { return TcpStream::connect(target) };
    if source.is_ipv4() != target.is_ipv4() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "the source address is of another family",
        ));
    }
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    match socket.connect(&target.into()) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
