//! Reads, writes and shuts down one connection, over TCP, a Unix socket or memory. Only this file
//! judges whether a socket is drained or full. This file knows no message boundary and keeps no
//! bytes.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr};

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::memory::{Memory, MemoryPeer};
use super::outcome::{Read, Wrote};
#[cfg(feature = "tls")]
use super::tls::{Tls, TlsStream};
use super::traffic::Traffic;

/// Carries the bytes of one connection.
///
/// [`Server::adopt`](crate::Server::adopt) takes any transport; accepted connections are
/// [`Tcp`](Transport::Tcp) or [`Unix`](Transport::Unix). mio's sockets are in non-blocking mode
/// from the start; a socket of the standard library has to be set to it before `from_std`.
///
/// ```
/// use std::time::Instant;
/// use switchboard::{Server, Transport};
///
/// let mut server = Server::detached();
/// let (transport, peer) = Transport::memory();
/// assert!(server.adopt(transport, Instant::now()).is_ok());
/// assert!(!peer.is_gone());
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Transport {
    /// A TCP socket in non-blocking mode.
    Tcp(TcpStream),
    /// A Unix stream socket in non-blocking mode.
    Unix(UnixStream),
    // A new kind of transport is a variant here, with an arm in each method of this file. One that
    // is accepted also needs an arm in `accept` (acceptor.rs).
    /// No socket yet: the connection is being opened by this program.
    #[doc(hidden)]
    Unconnected,
    /// TLS over one of the others; [`Tls::over`](crate::Tls::over) makes one.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    Tls(Box<TlsStream<Transport>>),
    /// The server's end of an in-memory connection: no descriptor; readiness is reported by hand.
    Memory(Memory),
}

impl Transport {
    /// Makes an in-memory connection: the end for the server, and the peer for the test.
    #[must_use]
    pub fn memory() -> (Transport, MemoryPeer) {
        let (memory, peer) = Memory::pair();
        (Transport::Memory(memory), peer)
    }

    /// Reads once. After a read that filled `buf`, the transport may hold further bytes.
    #[inline(never)]
    pub(crate) fn read(&mut self, buf: &mut [u8], traffic: &mut Traffic) -> io::Result<Read> {
        self.read_fast(buf, traffic)
    }

    /// Reads once, like [`read`](Transport::read), as a part of the fast path: a call would cost
    /// more than the rest.
    #[inline(always)]
    pub(crate) fn read_fast(&mut self, buf: &mut [u8], traffic: &mut Traffic) -> io::Result<Read> {
        loop {
            let result = match self {
                Transport::Tcp(socket) => socket.read(buf),
                Transport::Unix(socket) => socket.read(buf),
                rare => return rare.read_rare(buf, traffic),
            };
            return match result {
                Ok(0) => Ok(Read::End),
                Ok(n) => {
                    traffic.received += n as u64;
                    Ok(Read::Bytes { n, more: n == buf.len() })
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Read::Blocked),
                Err(error) => Err(error),
            };
        }
    }

    /// Reads once from what is no socket.
    #[inline(never)]
    fn read_rare(&mut self, buf: &mut [u8], traffic: &mut Traffic) -> io::Result<Read> {
        match self {
            Transport::Memory(memory) => memory.read(buf, traffic),
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => stream.read(buf, traffic),
            _ => Ok(Read::Blocked),
        }
    }

    /// Writes once. Only [`Wrote::All`] says that the transport may take more bytes now.
    // The compiler finds the function too large to be inlined by itself: that would cost 31
    // instructions for each delivery.
    #[inline(always)]
    pub(crate) fn write(&mut self, bytes: &[u8], traffic: &mut Traffic) -> io::Result<Wrote> {
        loop {
            let result = match self {
                Transport::Tcp(socket) => socket.write(bytes),
                Transport::Unix(socket) => socket.write(bytes),
                rare => return rare.write_pieces(&[IoSlice::new(bytes)], traffic),
            };
            return match result {
                Ok(n) => {
                    traffic.sent += n as u64;
                    Ok(Wrote::of(n, bytes.len()))
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Wrote::Nothing),
                Err(error) => Err(error),
            };
        }
    }

    /// Writes once, like [`write`](Transport::write), bytes that lie in several places.
    #[inline]
    pub(crate) fn write_vectored(
        &mut self,
        pieces: &[IoSlice<'_>],
        traffic: &mut Traffic,
    ) -> io::Result<Wrote> {
        let given = pieces.iter().map(|piece| piece.len()).sum();
        loop {
            let result = match self {
                Transport::Tcp(socket) => socket.write_vectored(pieces),
                Transport::Unix(socket) => socket.write_vectored(pieces),
                rare => return rare.write_pieces(pieces, traffic),
            };
            return match result {
                Ok(n) => {
                    traffic.sent += n as u64;
                    Ok(Wrote::of(n, given))
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Wrote::Nothing),
                Err(error) => Err(error),
            };
        }
    }

    /// Writes once to what is no socket. It stands apart, so that a write to a socket compares
    /// twice and has no table of jumps.
    #[inline(never)]
    fn write_pieces(&mut self, pieces: &[IoSlice<'_>], traffic: &mut Traffic) -> io::Result<Wrote> {
        match self {
            Transport::Memory(memory) => {
                let given = pieces.iter().map(|piece| piece.len()).sum();
                memory.write_vectored(pieces, traffic).map(|n| Wrote::of(n, given))
            }
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => stream.write(pieces, traffic),
            _ => Ok(Wrote::Nothing),
        }
    }

    /// Whether the transport has failed, found without a read. An end of file is no failure.
    pub(crate) fn is_broken(&self) -> bool {
        match self {
            Transport::Tcp(socket) => !matches!(socket.take_error(), Ok(None)),
            Transport::Unix(socket) => !matches!(socket.take_error(), Ok(None)),
            Transport::Memory(memory) => memory.is_broken(),
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => stream.carrier().is_broken(),
            Transport::Unconnected => false,
        }
    }

    /// Ends our side: after the bytes written, the peer reads end of file.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "only TLS writes here"))]
    pub(crate) fn shutdown(&mut self, traffic: &mut Traffic) {
        // The socket may be gone already, which is no fault.
        let _gone = match self {
            Transport::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Transport::Unix(socket) => socket.shutdown(Shutdown::Write),
            Transport::Memory(memory) => {
                memory.shutdown();
                Ok(())
            }
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => {
                stream.shutdown(traffic);
                Ok(())
            }
            Transport::Unconnected => Ok(()),
        };
    }

    /// Whether the handshake of a connecting socket is over.
    ///
    /// # Errors
    /// The reason why the handshake failed.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        let socket = match self {
            Transport::Tcp(socket) => socket,
            Transport::Unix(_) => return Ok(true),
            Transport::Memory(memory) => return memory.is_connected(),
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => return stream.carrier().is_connected(),
            Transport::Unconnected => return Ok(false),
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

    /// The peer's address, if the transport is a connected TCP socket, or memory with an address.
    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Transport::Tcp(socket) => socket.peer_addr().ok(),
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => stream.carrier().peer_addr(),
            Transport::Memory(memory) => memory.address(),
            Transport::Unix(_) | Transport::Unconnected => None,
        }
    }

    /// The peer's address for a list of networks; `Some(None)` for a Unix socket. `None` if the
    /// peer has left already, and has no address any more.
    pub(crate) fn peer_ip(&self) -> Option<Option<IpAddr>> {
        match self.peer_addr() {
            None if self.has_addresses() => None,
            address => Some(address.map(|address| address.ip())),
        }
    }

    /// Whether a peer that is there has an address.
    pub(crate) fn has_addresses(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => stream.carrier().has_addresses(),
            Transport::Unix(_) | Transport::Memory(_) => false,
            Transport::Tcp(_) | Transport::Unconnected => true,
        }
    }

    /// Registers for both directions, once: with edge-triggered events the interest never changes.
    /// Without a registry, only a transport over memory notes its token.
    #[inline]
    pub(crate) fn register(&mut self, registry: Option<&Registry>, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match (self, registry) {
            (Transport::Tcp(socket), Some(registry)) => registry.register(socket, token, interest),
            (Transport::Unix(socket), Some(registry)) => registry.register(socket, token, interest),
            (Transport::Memory(memory), _) => {
                memory.set_token(token);
                Ok(())
            }
            #[cfg(feature = "tls")]
            (Transport::Tls(stream), _) => stream.carrier_mut().register(registry, token),
            _ => Ok(()),
        }
    }

    /// Gives a registered transport another token. What the transport is ready for is reported
    /// again.
    pub(crate) fn move_to(&mut self, registry: Option<&Registry>, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match (self, registry) {
            (Transport::Tcp(socket), Some(registry)) => {
                registry.reregister(socket, token, interest)
            }
            (Transport::Unix(socket), Some(registry)) => {
                registry.reregister(socket, token, interest)
            }
            #[cfg(feature = "tls")]
            (Transport::Tls(stream), _) => stream.carrier_mut().move_to(registry, token),
            (other, _) => other.register(registry, token),
        }
    }

    /// Whether the bytes of the connection are under TLS.
    #[inline]
    pub(crate) fn is_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return matches!(self, Transport::Tls(_));
        #[cfg(not(feature = "tls"))]
        false
    }

    /// The certificates that the peer showed, its own first.
    #[cfg(feature = "tls")]
    pub(crate) fn peer_certificates(&self) -> &[rustls::pki_types::CertificateDer<'static>] {
        let Transport::Tls(stream) = self else { return &[] };
        stream.connection().and_then(|connection| connection.peer_certificates()).unwrap_or(&[])
    }

    /// Whether a TLS handshake is to come, or under way.
    pub(crate) fn is_handshaking(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Transport::Tls(stream) = self {
            return stream.connection().is_none_or(|connection| connection.is_handshaking());
        }
        false
    }

    /// Expects TLS of the peer from the next byte on.
    #[cfg(feature = "tls")]
    pub(crate) fn expect_tls(&mut self, tls: &Tls) {
        let carrier = std::mem::replace(self, Transport::Unconnected);
        *self = tls.over(carrier);
    }

    /// Begins TLS, in the client role.
    #[cfg(feature = "tls")]
    pub(crate) fn begin_tls(&mut self, session: rustls::ClientConnection) {
        let carrier = std::mem::replace(self, Transport::Unconnected);
        *self = Transport::Tls(Box::new(TlsStream::begun(carrier, session.into())));
    }

    /// Goes on without TLS: the peer does not speak it.
    #[cfg(feature = "tls")]
    pub(crate) fn strip_tls(&mut self) {
        if let Transport::Tls(stream) = self {
            let carrier = std::mem::replace(stream.carrier_mut(), Transport::Unconnected);
            *self = carrier;
        }
    }

    /// Whether the transport is over memory, with or without TLS.
    pub(crate) fn is_memory(&self) -> bool {
        match self {
            Transport::Memory(_) => true,
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => stream.carrier().is_memory(),
            _ => false,
        }
    }

    /// Whether the peer broke TLS, and was sent an alert. It may read the alert once it has sent
    /// all.
    pub(crate) fn is_faulty(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Transport::Tls(stream) = self {
            return stream.is_faulty();
        }
        false
    }

    /// Tells the peer that nothing is cut off, before the connection is dropped. Without TLS the
    /// end of file says so.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "only TLS writes here"))]
    #[inline]
    pub(crate) fn close_notify(&mut self, traffic: &mut Traffic) {
        #[cfg(feature = "tls")]
        if let Transport::Tls(stream) = self {
            stream.close_notify(traffic);
        }
    }
}

#[cfg(feature = "tls")]
const _: () = assert!(cfg!(debug_assertions) || size_of::<TlsStream<Transport>>() <= 32);

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
