//! An in-memory connection without a descriptor, whose peer can be slow, abrupt or gone. This file
//! reports no readiness: the program that holds the peer does.

use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::Token;

use super::outcome::Read;
use super::traffic::Traffic;

/// The server's end of an in-memory connection.
///
/// [`Transport::memory`](super::Transport::memory) makes one, together with its [`MemoryPeer`].
#[derive(Debug)]
pub struct Memory {
    pipe: Arc<Mutex<Pipe>>,
}

/// The client's end of an in-memory connection: sends, receives, stalls, ends and fails on demand.
///
/// A peer reports no readiness. After [`send`](MemoryPeer::send), [`window`](MemoryPeer::window) or
/// [`end`](MemoryPeer::end), call [`Server::ready`](crate::Server::ready) for the connection.
///
/// ```
/// use std::time::Instant;
/// use switchboard::{Readiness, Server, Transport};
///
/// let (mut server, now) = (Server::detached(), Instant::now());
/// server.http("/", |_conn, _request| "hello");
/// let (transport, mut peer) = Transport::memory();
/// let token = server.adopt(transport, now)?;
///
/// peer.send("GET / HTTP/1.1\r\nHost: example\r\n\r\n");
/// server.ready(token, Readiness::READABLE, now);
/// server.flush(now);
/// assert!(peer.receive().ends_with(b"hello"));
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct MemoryPeer {
    pipe: Arc<Mutex<Pipe>>,
}

#[derive(Debug)]
struct Pipe {
    to_server: Vec<u8>,
    /// Bytes of `to_server` that the server has read.
    read: usize,
    read_at_most: usize,
    to_peer: Vec<u8>,
    /// Bytes that the server may still write; `usize::MAX` is no limit.
    window: usize,
    /// Bytes that the peer has sent.
    sent: u64,
    /// Bytes that the peer has received.
    received: u64,
    peer_ended: bool,
    server_ended: bool,
    server_gone: bool,
    broken: Option<ErrorKind>,
    /// The handshake of a scripted network is not over.
    connecting: bool,
    /// The peer's address; `None` as for a Unix socket.
    address: Option<SocketAddr>,
    /// The name under which a scripted network reports readiness.
    token: Option<Token>,
}

fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    // A pipe is plain bytes: a panic elsewhere cannot leave it half changed.
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    pub(crate) fn pair() -> (Memory, MemoryPeer) {
        let pipe = Arc::new(Mutex::new(Pipe {
            to_server: Vec::new(),
            read: 0,
            read_at_most: usize::MAX,
            to_peer: Vec::new(),
            window: usize::MAX,
            sent: 0,
            received: 0,
            peer_ended: false,
            server_ended: false,
            server_gone: false,
            broken: None,
            connecting: false,
            address: None,
            token: None,
        }));
        (Memory { pipe: Arc::clone(&pipe) }, MemoryPeer { pipe })
    }

    #[inline(never)]
    pub(crate) fn read(&mut self, buf: &mut [u8], traffic: &mut Traffic) -> io::Result<Read> {
        let mut pipe = lock(&self.pipe);
        if let Some(kind) = pipe.broken {
            return Err(kind.into());
        }
        let start = pipe.read;
        let n = (pipe.to_server.len() - start).min(buf.len()).min(pipe.read_at_most);
        if n == 0 {
            return Ok(if pipe.peer_ended { Read::End } else { Read::Blocked });
        }
        buf[..n].copy_from_slice(&pipe.to_server[start..start + n]);
        pipe.read += n;
        traffic.received += n as u64;
        let more = pipe.read < pipe.to_server.len();
        if !more {
            pipe.to_server = Vec::new();
            pipe.read = 0;
        }
        Ok(Read::Bytes { n, more })
    }

    #[inline(never)]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = lock(&self.pipe);
        if let Some(kind) = pipe.broken {
            return Err(kind.into());
        }
        let n = pipe.window.min(bytes.len());
        pipe.to_peer.extend_from_slice(&bytes[..n]);
        if pipe.window != usize::MAX {
            pipe.window -= n;
        }
        Ok(n)
    }

    pub(crate) fn write_vectored(
        &mut self,
        pieces: &[IoSlice<'_>],
        traffic: &mut Traffic,
    ) -> io::Result<usize> {
        let mut written = 0;
        for piece in pieces {
            let n = self.write(piece)?;
            written += n;
            traffic.sent += n as u64;
            if n < piece.len() {
                break;
            }
        }
        Ok(written)
    }

    /// Has the connection wait for [`MemoryPeer::establish`].
    pub(crate) fn connect(&mut self) {
        lock(&self.pipe).connecting = true;
    }

    /// Whether the handshake is over; the error of one that failed.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        let pipe = lock(&self.pipe);
        pipe.broken.map_or(Ok(!pipe.connecting), |kind| Err(kind.into()))
    }

    pub(crate) fn set_token(&mut self, token: Token) {
        lock(&self.pipe).token = Some(token);
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        lock(&self.pipe).address
    }

    pub(crate) fn is_broken(&self) -> bool {
        lock(&self.pipe).broken.is_some()
    }

    pub(crate) fn shutdown(&mut self) {
        lock(&self.pipe).server_ended = true;
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let mut pipe = lock(&self.pipe);
        pipe.server_ended = true;
        pipe.server_gone = true;
    }
}

impl MemoryPeer {
    /// Sends bytes to the server. There is no limit.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let mut pipe = lock(&self.pipe);
        pipe.to_server.extend_from_slice(bytes.as_ref());
        pipe.sent += bytes.as_ref().len() as u64;
    }

    /// Takes all bytes that the server has written since the last call.
    pub fn receive(&mut self) -> Vec<u8> {
        let mut pipe = lock(&self.pipe);
        pipe.received += pipe.to_peer.len() as u64;
        std::mem::take(&mut pipe.to_peer)
    }

    /// Returns the bytes that the server has read, and those that it has written, since the
    /// beginning.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.http("/", |_, _| "hello");
    /// let ada = world.connect();
    /// world.request(ada, "/");
    /// let (read, written) = world.peer(ada).carried();
    /// let stats = world.context().stats();
    /// assert_eq!((stats.bytes_received, stats.bytes_sent), (read, written));
    /// ```
    #[must_use]
    pub fn carried(&self) -> (u64, u64) {
        let pipe = lock(&self.pipe);
        let unread = pipe.to_server.len() - pipe.read;
        (pipe.sent - unread as u64, pipe.received + pipe.to_peer.len() as u64)
    }

    /// Lets the server write this many more bytes before the transport is full.
    ///
    /// `usize::MAX`, the initial value, is no limit.
    pub fn window(&mut self, bytes: usize) {
        lock(&self.pipe).window = bytes;
    }

    /// Limits one read of the server to this many bytes.
    ///
    /// `usize::MAX`, the initial value, is no limit.
    pub fn read_at_most(&mut self, bytes: usize) {
        lock(&self.pipe).read_at_most = bytes;
    }

    /// Ends the peer's side, as a FIN does: after the bytes sent, the server reads end of file.
    pub fn end(&mut self) {
        lock(&self.pipe).peer_ended = true;
    }

    /// Breaks the connection: every later read and write of the server fails with this error.
    pub fn fail(&mut self, kind: ErrorKind) {
        lock(&self.pipe).broken = Some(kind);
    }

    /// Ends the TCP handshake of a connection that the server has begun. No turn runs; see
    /// [`World::establish`](crate::testing::World::establish).
    ///
    /// ```
    /// use switchboard::{Connect, Readiness};
    /// # let mut world = switchboard::testing::World::new();
    /// # let zone = world.server.websocket("/", |_, _| {});
    /// world.host("feed.example", &["192.0.2.1"]);
    /// world.context().connect(zone, Connect::to("ws://feed.example/"));
    /// let [(_, far)] = world.dialled()[..] else { panic!("one connection") };
    /// world.peer(far).establish();
    /// let token = world.token(far);
    /// world.server.ready(token, Readiness::WRITABLE, world.now);
    /// assert!(world.peer(far).receive().starts_with(b"GET / HTTP/1.1\r\n"));
    /// ```
    pub fn establish(&mut self) {
        lock(&self.pipe).connecting = false;
    }

    /// Returns the token that the server registered the connection with, if it has registered it.
    pub(crate) fn token(&self) -> Option<Token> {
        lock(&self.pipe).token
    }

    /// Gives the peer an address, before the server takes the transport. Without one it is like the
    /// peer of a Unix socket.
    ///
    /// ```
    /// use std::time::Instant;
    /// use switchboard::{Readiness, Server, Transport};
    ///
    /// let (mut server, now) = (Server::detached(), Instant::now());
    /// server.http("/", |conn, _request| format!("{:?}", conn.peer_addr()));
    /// let (transport, mut peer) = Transport::memory();
    /// peer.set_address("192.0.2.1:4711".parse().unwrap());
    /// let token = server.adopt(transport, now)?;
    /// peer.send("GET / HTTP/1.1\r\nHost: example\r\n\r\n");
    /// server.ready(token, Readiness::READABLE, now);
    /// server.flush(now);
    /// assert!(peer.receive().ends_with(b"Some(192.0.2.1:4711)"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn set_address(&mut self, address: SocketAddr) {
        lock(&self.pipe).address = Some(address);
    }

    /// Whether the server has ended its side, by a shutdown or by dropping the connection.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        lock(&self.pipe).server_ended
    }

    /// Whether the server has dropped the connection.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        lock(&self.pipe).server_gone
    }
}
