//! A socket on its way to an address, from a named address of this machine where one is asked for. It does not know
//! what it is for, nor when it is connected.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

/// Begins to connect, without waiting.
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
        Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// `EINPROGRESS`, which differs between Linux and the BSDs.
const IN_PROGRESS: i32 =
    if cfg!(any(target_os = "linux", target_os = "android")) { 115 } else { 36 };
