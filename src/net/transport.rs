//! One connection's bytes: read, write, shut down, whatever carries them. It alone judges whether a
//! socket is drained. It knows no message boundary and keeps no bytes of its own.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::memory::{Memory, MemoryPeer};
use super::outcome::{Read, Wrote};

/// What carries a connection's bytes.
///
/// ```
/// use switchboard::Transport;
///
/// let (transport, mut peer) = Transport::memory();
/// peer.send(b"GET / HTTP/1.1\r\n");
/// assert!(matches!(transport, Transport::Memory(_)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Transport {
    /// A TCP socket in non-blocking mode.
    Tcp(TcpStream),
    /// A Unix stream socket in non-blocking mode.
    Unix(UnixStream),
    /// Nothing yet: a connection that is being opened from here.
    Unconnected,
    /// The near end of an in-memory pipe: no descriptor, readiness told by hand.
    Memory(Memory),
}

/// What is known to be possible on a connection's transport, without blocking.
///
/// ```
/// use switchboard::Readiness;
///
/// let readiness = Readiness { read_closed: true, ..Readiness::READABLE };
/// assert!(readiness.readable && !readiness.writable);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Bytes, or the end of file, may be read.
    pub readable: bool,
    /// Bytes may be written.
    pub writable: bool,
    /// The peer will send nothing more; what it sent before may still be unread.
    pub read_closed: bool,
}

impl Readiness {
    /// Readable and nothing else.
    pub const READABLE: Readiness =
        Readiness { readable: true, writable: false, read_closed: false };
    /// Writable and nothing else.
    pub const WRITABLE: Readiness =
        Readiness { readable: false, writable: true, read_closed: false };
}

impl Transport {
    /// An in-memory connection: the end a server adopts, and the peer that a test or a simulation holds.
    pub fn memory() -> (Transport, MemoryPeer) {
        let (memory, peer) = Memory::pair();
        (Transport::Memory(memory), peer)
    }

    /// Reads once. A buffer that came back full may have left bytes behind.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<Read> {
        loop {
            let result = match self {
                Transport::Tcp(socket) => socket.read(buf),
                Transport::Unix(socket) => socket.read(buf),
                Transport::Memory(memory) => return memory.read(buf),
                Transport::Unconnected => return Ok(Read::Blocked),
            };
            return match result {
                Ok(0) => Ok(Read::End),
                Ok(n) => Ok(Read::Bytes { n, more: n == buf.len() }),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Read::Blocked),
                Err(error) => Err(error),
            };
        }
    }

    /// Writes once. Only [`Wrote::All`] says that the transport may take more bytes now.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<Wrote> {
        loop {
            let result = match self {
                Transport::Tcp(socket) => socket.write(bytes),
                Transport::Unix(socket) => socket.write(bytes),
                Transport::Memory(memory) => memory.write(bytes),
                Transport::Unconnected => return Ok(Wrote::Nothing),
            };
            return match result {
                Ok(n) => Ok(Wrote::of(n, bytes.len())),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Wrote::Nothing),
                Err(error) => Err(error),
            };
        }
    }

    /// Writes once, like [`write`](Transport::write), bytes that lie in several places.
    #[inline]
    pub(crate) fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<Wrote> {
        let given = pieces.iter().map(|piece| piece.len()).sum();
        loop {
            let result = match self {
                Transport::Tcp(socket) => socket.write_vectored(pieces),
                Transport::Unix(socket) => socket.write_vectored(pieces),
                Transport::Memory(memory) => memory.write_vectored(pieces),
                Transport::Unconnected => return Ok(Wrote::Nothing),
            };
            return match result {
                Ok(n) => Ok(Wrote::of(n, given)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Wrote::Nothing),
                Err(error) => Err(error),
            };
        }
    }

    /// Whether it has failed, found without reading; of the peer's end of file it says nothing.
    pub(crate) fn is_broken(&self) -> bool {
        match self {
            Transport::Tcp(socket) => !matches!(socket.take_error(), Ok(None)),
            Transport::Unix(socket) => !matches!(socket.take_error(), Ok(None)),
            Transport::Memory(memory) => memory.is_broken(),
            Transport::Unconnected => false,
        }
    }

    /// Ends our side: the peer reads end of file after what was written. A socket that is gone already is no fault.
    pub(crate) fn shutdown(&mut self) {
        let _already_gone = match self {
            Transport::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Transport::Unix(socket) => socket.shutdown(Shutdown::Write),
            Transport::Memory(memory) => {
                memory.shutdown();
                Ok(())
            }
            Transport::Unconnected => Ok(()),
        };
    }

    /// Whether a socket that is being connected is.
    ///
    /// # Errors
    /// When it never will be.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        let Transport::Tcp(socket) = self else {
            return Ok(!matches!(self, Transport::Unconnected));
        };
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The peer's address, where the transport has one.
    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Transport::Tcp(socket) => socket.peer_addr().ok(),
            Transport::Unix(_) | Transport::Memory(_) | Transport::Unconnected => None,
        }
    }

    /// Registers for both directions, once and for all: mio is edge-triggered, so interest never changes.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Transport::Tcp(socket) => registry.register(socket, token, interest),
            Transport::Unix(socket) => registry.register(socket, token, interest),
            Transport::Memory(_) | Transport::Unconnected => Ok(()),
        }
    }
}

impl From<TcpStream> for Transport {
    fn from(socket: TcpStream) -> Transport {
        Transport::Tcp(socket)
    }
}

impl From<UnixStream> for Transport {
    fn from(socket: UnixStream) -> Transport {
        Transport::Unix(socket)
    }
}
