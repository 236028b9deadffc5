//! The listeners of a server after they were made: where they listen, and pauses. This
//! file accepts no connection.

use std::io::{self, Error, ErrorKind};
use std::net::SocketAddr;

use super::server::Server;
use crate::connection::ListenerId;
use crate::net::{Acceptor, ListenAddr};

impl Server {
    /// Returns the TCP address that a listener listens at; the first one if it listens at several.
    /// [`listening_at`](Server::listening_at) returns the paths of Unix sockets too.
    ///
    /// # Errors
    /// When the listener no longer listens, since the server drains. `Unsupported` for a Unix
    /// socket, which has no such address.
    pub fn local_addr(&self, listener: ListenerId) -> io::Result<SocketAddr> {
        match self.acceptors(listener).next().ok_or(ErrorKind::NotConnected)?.local()? {
            ListenAddr::Tcp(address) => Ok(address),
            ListenAddr::Unix(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "a Unix socket has no IP address: ask Server::listening_at for its path",
            )),
        }
    }

    /// Returns all TCP addresses that a listener listens at: several for a name such as
    /// `localhost`.
    ///
    /// ```
    /// use switchboard::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let listener = reactor.server.listen("localhost:0")?;
    /// let addresses = reactor.server.local_addrs(listener)?; // 127.0.0.1 and ::1
    /// assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`local_addr`](Server::local_addr).
    pub fn local_addrs(&self, listener: ListenerId) -> io::Result<Vec<SocketAddr>> {
        self.local_addr(listener)?;
        let addresses = self.listening_at(listener)?.into_iter();
        let tcp = addresses.filter_map(|address| match address {
            ListenAddr::Tcp(address) => Some(address),
            ListenAddr::Unix(_) => None,
        });
        Ok(tcp.collect())
    }

    /// Returns where a listener listens: its addresses, or the path of its Unix socket. There is at
    /// least one.
    ///
    /// ```
    /// use switchboard::{Listener, Reactor};
    ///
    /// let path = std::env::temp_dir().join(format!("where-{}.sock", std::process::id()));
    /// let mut reactor = Reactor::new()?;
    /// let listener = reactor.server.listen(Listener::unix(&path))?;
    /// let [place] = &reactor.server.listening_at(listener)?[..] else { panic!("one place") };
    /// assert_eq!(place.to_string(), format!("unix:{}", path.display()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the listener no longer listens, since the server drains.
    pub fn listening_at(&self, listener: ListenerId) -> io::Result<Vec<ListenAddr>> {
        let places: Vec<_> =
            self.acceptors(listener).map(Acceptor::local).collect::<io::Result<_>>()?;
        if places.is_empty() {
            return Err(ErrorKind::NotConnected.into());
        }
        Ok(places)
    }

    /// The sockets of a listener; none when it no longer listens.
    fn acceptors(&self, listener: ListenerId) -> impl Iterator<Item = &Acceptor> {
        let all = self.listeners.get(usize::from(listener.0)..).unwrap_or_default().iter();
        let sockets = all.flatten().enumerate();
        sockets.take_while(|(at, socket)| *at == 0 || socket.is_further).map(|(_, socket)| socket)
    }

    /// Turns accepting off and on again (on at first). Open connections are served as before.
    ///
    /// While accepting is off, the kernel queues new connections up to the listener's
    /// [`backlog`](crate::Listener::backlog). Beyond that, TCP clients repeat their SYN after 1, 3,
    /// 7 .. seconds, and Unix clients wait or get `EAGAIN`. Nothing that waits is lost: the turn
    /// after the call accepts it. With [`reuse_port`](crate::Listener::reuse_port) the kernel goes
    /// on to hand this socket its share, which waits too.
    ///
    /// A listener that no longer listens, since the server drains, stays as it is.
    ///
    /// ```
    /// use std::net::TcpStream;
    /// use std::time::{Duration, Instant};
    /// use switchboard::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let listener = reactor.server.listen("127.0.0.1:0")?;
    /// reactor.server.accepting(listener, false);
    /// let address = reactor.server.local_addr(listener)?;
    /// let client = TcpStream::connect(address)?; // waits in the kernel's queue
    /// reactor.turn(Some(Duration::ZERO))?;
    /// assert_eq!(reactor.server.context(Instant::now()).stats().connections, 0);
    /// reactor.server.accepting(listener, true);
    /// reactor.turn(Some(Duration::ZERO))?;
    /// assert_eq!(reactor.server.context(Instant::now()).stats().connections, 1);
    /// # drop(client);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn accepting(&mut self, listener: ListenerId, yes: bool) {
        let first = usize::from(listener.0);
        for index in first..first + self.acceptors(listener).count() {
            let Some(Some(acceptor)) = self.listeners.get_mut(index) else { return };
            acceptor.is_paused = !yes;
            if yes {
                // Readiness that came meanwhile is not reported again.
                self.accept_later(index as u16);
            }
        }
    }
}
