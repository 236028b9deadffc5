//! Connections that another thread hands over to a server. This file only queues them: the server
//! admits each one in its next turn.

use std::fmt;
use std::net::SocketAddr;

use super::handed_over::{HandedOver, Reason};
use super::remote::{Remote, RemoteCall};
use crate::connection::ListenerId;
use crate::net::{Socket, Transport};

/// A connection that was not taken, with its socket.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use switchboard::Reactor;
///
/// let mut reactor = Reactor::new()?;
/// let listener = reactor.server.listen("127.0.0.1:0")?;
/// let remote = reactor.remote();
/// drop(reactor);
/// let (near, _far) = UnixStream::pair()?;
/// let error = remote.adopt(near, None, listener).unwrap_err();
/// assert!(error.is_closed());
/// assert_eq!(error.to_string(), "the server is gone");
/// let _socket = error.into_inner();
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct AdoptError {
    socket: Socket,
    reason: Reason,
}

impl AdoptError {
    pub(crate) fn new(socket: impl Into<Socket>, reason: Reason) -> AdoptError {
        AdoptError { socket: socket.into(), reason }
    }

    /// Returns the socket.
    #[must_use]
    pub fn into_inner(self) -> Socket {
        self.socket
    }

    /// Whether the server is gone or draining, so that another try is of no use.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.reason, Reason::Closed | Reason::Draining)
    }

    /// Whether the queue is full: stop accepting, and try again later.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.reason, Reason::Full)
    }
}

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Full => f.write_str(
                "1,024 connections or 65,536 calls are waiting already: stop accepting, and try \
                 again later",
            ),
            Reason::Closed => f.write_str("the server is gone"),
            Reason::Draining => f.write_str("the server is draining"),
            Reason::Unusable(error) => write!(f, "cannot adopt a given descriptor: {error}"),
        }
    }
}

impl std::error::Error for AdoptError {}

impl Remote {
    /// Hands an accepted connection over. The server admits it in its next turn, as if `listener`
    /// had accepted it: with its PROXY header and its TLS handshake, and with a 503 or 429 beyond a
    /// limit.
    ///
    /// `peer` is the address that accepting returned. With `None` the server asks the socket, where
    /// it needs the address. The socket is set to non-blocking mode and keeps its other options:
    /// set `TCP_NODELAY`, or small messages may wait.
    ///
    /// At most 1,024 connections wait. One for a `listener` that does not exist is closed. A
    /// server that drains takes connections until the [window](crate::Drain) begins, and serves
    /// those that it took. A [`Cluster`](crate::Cluster) does all this by itself.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::{TcpListener, TcpStream};
    /// use std::time::Duration;
    /// use switchboard::{Drain, Reactor};
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.server.http("/", |_conn, _request| "hello");
    /// let listener = reactor.server.listen("127.0.0.1:0")?;
    /// let (remote, outside) = (reactor.remote(), TcpListener::bind("127.0.0.1:0")?);
    /// let address = outside.local_addr()?;
    /// let thread = std::thread::spawn(move || {
    ///     let mut client = TcpStream::connect(address)?;
    ///     let (socket, peer) = outside.accept()?;
    ///     assert!(remote.adopt(socket, Some(peer), listener).is_ok());
    ///     client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    ///     let mut answer = String::new();
    ///     client.read_to_string(&mut answer)?;
    ///     let _ = remote.drain(Drain::within(Duration::from_secs(1)));
    ///     std::io::Result::Ok(answer)
    /// });
    /// reactor.run()?;
    /// assert!(thread.join().unwrap()?.ends_with("hello"));
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// Gives the socket back when 1,024 connections or 65,536 calls are waiting, and when the
    /// server drains or is gone. Also when a descriptor is no stream socket of TCP or Unix.
    pub fn adopt(
        &self,
        socket: impl Into<Socket>,
        peer: Option<SocketAddr>,
        listener: ListenerId,
    ) -> Result<(), AdoptError> {
        let transport = socket
            .into()
            .into_transport()
            .map_err(|(socket, error)| AdoptError::new(socket, Reason::Unusable(error)))?;
        self.hand_over(transport, peer, listener, false)
            .map_err(|(transport, reason)| AdoptError::new(transport, reason))
    }

    pub(crate) fn hand_over(
        &self,
        transport: Transport,
        peer: Option<SocketAddr>,
        listener: ListenerId,
        is_counted: bool,
    ) -> Result<(), (Transport, Reason)> {
        let wrap = |transport| {
            RemoteCall::Adopt(Box::new(HandedOver { transport, peer, listener, is_counted }))
        };
        self.push_socket(transport, wrap)
    }
}
