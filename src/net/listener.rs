//! The place and the options of a listener. This file makes no socket and does not accept
//! connections.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use mio::net::TcpListener;

use super::arrival::Arrival;
use super::bound::{Bound, ListenAddr};
use super::networks::Networks;
use super::tcp::Tcp;
use super::unix;

/// Describes where and how a server listens.
///
/// A `Listener` is made from an address (`&str`, `String`, `SocketAddr`, [`ListenAddr`]), by
/// [`unix`](Listener::unix) from a path, or from a socket that listens already.
/// [`Server::listen`](crate::Server::listen) binds it. A server may have several listeners.
///
/// | address | where it listens |
/// | --- | --- |
/// | `127.0.0.1:9001`, `[::1]:9001` | at this address |
/// | `:9001` | at every address of this machine, IPv4 and IPv6 |
/// | `localhost:9001` | at 127.0.0.1 and ::1 (RFC 6761 6.3) |
/// | `example.com:9001` | at all addresses of the name that this machine has |
/// | `unix:/run/app.sock`, `unix:./app.sock` | at this path; see [`unix`](Listener::unix) |
/// | `unix:@app` | at this name in Linux' abstract namespace |
///
/// With port 0, all addresses of a name get the same port. A name of which one address is in use
/// is an error, since another program would get a part of the connections. A port alone, as `9001`,
/// is an error too: it does not say whether other machines may connect.
///
/// Connections inherit `TCP_NODELAY` from the listening socket, which saves one system call for
/// each accept. On Linux they also inherit `TCP_USER_TIMEOUT`: the
/// [`write_timeout`](crate::Options::write_timeout) of the server's default options, at least 4 s.
/// A peer that acknowledges nothing, or takes nothing, for that long while bytes wait in the kernel
/// is gone. A socket that was bound elsewhere keeps its own options.
///
/// An option that has no effect at a place is an error of `listen`:
///
/// | option | address | path | abstract name | socket that listens already |
/// | --- | --- | --- | --- | --- |
/// | [`accepts_per_turn`](Listener::accepts_per_turn) | yes | yes | yes | yes |
/// | [`backlog`](Listener::backlog) | yes | yes | yes | error |
/// | [`reuse_port`](Listener::reuse_port) | yes | error | error | error |
/// | [`mode`](Listener::mode) | error | yes | error | error |
/// | [`proxy_protocol`](Listener::proxy_protocol) | yes | yes | yes | yes |
/// | `tls`, with the feature `tls` | yes | yes | yes | yes |
///
/// # Sockets that listen already
///
/// A `TcpListener` or `UnixListener` of the standard library or of mio, or an [`OwnedFd`] of either
/// kind, for example one inherited from a supervisor. `listen` finds out what a descriptor is, and
/// sets it to non-blocking mode, also for other processes that share it. A listener of mio must
/// not be registered with another `Poll`.
///
/// ```
/// use std::net::TcpStream;
/// use switchboard::{Listener, Reactor};
///
/// let mut reactor = Reactor::new()?;
/// let listener = Listener::from("127.0.0.1:0").backlog(128).reuse_port(true);
/// let id = reactor.server.listen(listener)?;
/// let address = reactor.server.local_addr(id).unwrap();
/// assert!(TcpStream::connect(address).is_ok());
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Listener {
    pub(super) place: Place,
    backlog: Option<u16>,
    reuse_port: bool,
    mode: Option<u32>,
    per_turn: usize,
    arrival: Arrival,
    /// Why the listener cannot listen: an entry of a list is no network.
    fault: Option<String>,
}

/// Where a listener is to listen.
#[derive(Debug)]
pub(super) enum Place {
    Address(String),
    Path(PathBuf),
    Given(OwnedFd),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Address(text) => write!(f, "{text:?}"),
            Place::Path(path) => write!(f, "{:?}", ListenAddr::Unix(path.clone()).to_string()),
            Place::Given(_) => f.write_str("a given descriptor"),
        }
    }
}

/// Connections that the kernel queues, unless `backlog` sets another number.
const BACKLOG: u16 = 4096;

impl Listener {
    /// Listens at a Unix socket: its peers are programs of the same machine, and have no address.
    /// So [`peer_addr`](crate::Conn::peer_addr) is `None`, and
    /// [`max_connections_per_address`](crate::Server::max_connections_per_address) does not count
    /// them.
    ///
    /// The path has at most 107 bytes on Linux, and its directory exists. What is there already:
    ///
    /// | at the path | what `listen` does |
    /// | --- | --- |
    /// | nothing | makes the socket file |
    /// | the socket file of a program that has ended | removes it, and makes its own |
    /// | a socket at which a program listens | `AddrInUse` |
    /// | a file of another kind, a directory or a symbolic link | `AlreadyExists` |
    ///
    /// To tell the second row from the third, `listen` connects to the socket and leaves at once. A
    /// server's socket file is removed when the listener ends: with a drain or with the server. A
    /// file that another program has put there in the meantime stays.
    ///
    /// Nothing locks the path. Of two programs that start at one path at the same moment, one gets
    /// the path, and nearly always the other one an error. A program that listens already keeps its
    /// path.
    ///
    /// A path `@name` is a name in Linux' abstract namespace: it has no file and no mode, and every
    /// program of the network namespace may connect. `./@name` is a file.
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use switchboard::{Listener, Reactor};
    ///
    /// let path = std::env::temp_dir().join(format!("doc-{}.sock", std::process::id()));
    /// let mut reactor = Reactor::new()?;
    /// reactor.server.listen(Listener::unix(&path).mode(0o600))?;
    /// assert!(UnixStream::connect(&path).is_ok());
    /// drop(reactor);
    /// assert!(!path.exists());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn unix(path: impl Into<PathBuf>) -> Listener {
        Listener::at(Place::Path(path.into()))
    }

    /// Sets the mode of a Unix socket's file, in octal and at most 0o777 (default: 0o777 without
    /// the bits of the process's umask). A peer needs the permission to write.
    ///
    /// The mode is set before the socket listens, whatever the umask is. So there is no moment in
    /// which another user may connect.
    ///
    /// ```
    /// use std::os::unix::fs::PermissionsExt;
    /// use switchboard::{Listener, Reactor};
    ///
    /// let path = std::env::temp_dir().join(format!("mode-{}.sock", std::process::id()));
    /// let mut reactor = Reactor::new()?;
    /// reactor.server.listen(Listener::unix(&path).mode(0o660))?;
    /// assert_eq!(path.metadata()?.permissions().mode() & 0o777, 0o660);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn mode(mut self, mode: u32) -> Listener {
        self.mode = Some(mode);
        self
    }

    /// Sets how many connections the kernel queues until they are accepted (default 4,096).
    ///
    /// The kernel applies its own limit too: `net.core.somaxconn` on Linux.
    pub fn backlog(mut self, connections: u16) -> Listener {
        self.backlog = Some(connections);
        self
    }

    /// Sets `SO_REUSEPORT` (default off): several sockets listen at one address, and the kernel
    /// spreads new connections over them. With this, one reactor for each core shares one port.
    pub fn reuse_port(mut self, yes: bool) -> Listener {
        self.reuse_port = yes;
        self
    }

    /// Sets how many connections one turn of the loop accepts (default 256, at least 1).
    ///
    /// The rest wait for the next turn, so that a burst of new connections does not delay the open
    /// ones.
    pub fn accepts_per_turn(mut self, connections: usize) -> Listener {
        self.per_turn = connections.max(1);
        self
    }

    /// Has every connection begin with a PROXY header, version 1 or 2, from one of these peers
    /// (default: no header).
    ///
    /// An entry is an address such as `10.0.0.1`, a network such as `10.0.0.0/8`, or `unix` for the
    /// peers of a Unix socket. Any peer in the list can name any client, so name your proxies only.
    /// A peer that is not in the list is closed before a byte is read from it.
    ///
    /// The header comes before TLS. Version 1 has at most 107 bytes, version 2 at most 16 and
    /// 4,096. The head deadline ([`head_timeout`](crate::Options::head_timeout)) counts from the
    /// accept, for the header and the first request together. A connection with a malformed
    /// header, or without one, is closed without an answer. [`Server::observe`] reports it, and
    /// [`Stats::rejected`](crate::Stats::rejected) counts it.
    ///
    /// The address in the header takes the place of the socket's:
    /// [`Conn::client_addr`](crate::Conn::client_addr) returns it,
    /// [`max_connections_per_address`] counts it, and with [`Server::trusted_proxies`] it is the
    /// first hop. With `LOCAL`, as in a health check, and with `UNKNOWN` the address of the socket
    /// holds, and [`max_connections_per_address`] does not count the connection.
    ///
    /// ```
    /// use switchboard::{Listener, Reactor};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let listener = Listener::from("127.0.0.1:0").proxy_protocol(["127.0.0.1", "10.0.0.0/8"]);
    /// assert!(reactor.server.listen(listener).is_ok());
    ///
    /// let error = reactor.server.listen(Listener::from("127.0.0.1:0").proxy_protocol(["lan"]));
    /// assert!(error.unwrap_err().to_string().contains("\"lan\" is no network: give an address"));
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// [`Server::observe`]: crate::Server::observe
    /// [`Server::trusted_proxies`]: crate::Server::trusted_proxies
    /// [`max_connections_per_address`]: crate::Server::max_connections_per_address
    ///
    /// # Errors
    /// [`Server::listen`](crate::Server::listen) fails if an entry is malformed, or if no peer of
    /// the place can be in the list: a Unix socket needs `unix`, an IPv4 address needs an IPv4
    /// entry. Its error says what to give.
    pub fn proxy_protocol<S: AsRef<str>>(mut self, peers: impl IntoIterator<Item = S>) -> Listener {
        let mut peers = peers.into_iter().peekable();
        if peers.peek().is_none() {
            self.fault = Some("no peer could connect: name one, such as 127.0.0.1".to_owned());
            return self;
        }
        match Networks::parse(peers) {
            Ok(peers) => self.arrival.proxies = Some(Arc::new(peers)),
            Err(error) => self.fault = Some(error.to_string()),
        }
        self
    }

    /// Sets whether the connections reach [internal zones](crate::Zone::internal), and no others
    /// (default: they reach all other zones).
    ///
    /// Such a listener is for operators: a loopback address, or one of a private network. Beyond
    /// [`max_connections`](crate::Server::max_connections) it still takes 16 connections, so that a
    /// full server can be seen. All else holds alike, [`Server::hosts`](crate::Server::hosts)
    /// included.
    ///
    /// ```
    /// use switchboard::{Health, Listener, Metrics, Reactor, Ready, Zone};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let server = &mut reactor.server;
    /// server.http("/", |_conn, _request| "for everyone");
    /// server.zone(Zone::new("/metrics").internal(true), Metrics);
    /// server.zone(Zone::new("/healthz").internal(true), Health);
    /// server.zone(Zone::new("/readyz").internal(true), Ready);
    /// server.listen("127.0.0.1:0")?;
    /// server.listen(Listener::from("127.0.0.1:0").internal(true))?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn internal(mut self, is_internal: bool) -> Listener {
        self.arrival.is_internal = is_internal;
        self
    }

    /// Has each connection begin with a TLS handshake (RFC 8446, RFC 5246; default: none).
    ///
    /// The handshake and the first request head together have
    /// [`head_timeout`](crate::Options::head_timeout), counted from the accept. A client that
    /// breaks TLS gets an alert, where rustls has one for the fault. A client beyond a limit gets
    /// the alert `internal_error`. A client that speaks plain HTTP gets a 400 that says to use
    /// `https`. Nothing else is ever sent without TLS.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::{Listener, Reactor, Tls};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let tls = Tls::from_pem_files("chain.pem", "key.pem")?;
    /// let listener = Listener::from("127.0.0.1:0").tls(tls);
    /// assert!(reactor.server.listen(listener).is_ok());
    /// # std::io::Result::Ok(())
    /// ```
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn tls(mut self, tls: impl Into<super::tls::Tls>) -> Listener {
        self.arrival.tls = Some(tls.into());
        self
    }

    pub(super) fn at(place: Place) -> Listener {
        Listener {
            place,
            backlog: None,
            reuse_port: false,
            mode: None,
            per_turn: 256,
            arrival: Arrival::default(),
            fault: None,
        }
    }

    /// Whether a TCP socket is still to be made, so that its options are ours.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.place, Place::Address(_))
    }

    /// The number of connections to accept in one turn of the loop.
    pub(super) fn per_turn(&self) -> usize {
        self.per_turn
    }

    /// The number of connections that the kernel queues.
    pub(super) fn queue(&self) -> i32 {
        i32::from(self.backlog.unwrap_or(BACKLOG))
    }

    /// What each connection has to do before its first request.
    pub(super) fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// Binds the socket; for a name those of all addresses, all with one port.
    pub(super) fn bind(mut self) -> io::Result<Vec<Bound>> {
        self.check()?;
        if let Some(fault) = self.fault {
            let text = format!("cannot listen with Listener::proxy_protocol: {fault}");
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let queue = self.queue();
        let shown = self.place.to_string();
        match std::mem::replace(&mut self.place, Place::Path(PathBuf::new())) {
            Place::Given(descriptor) => {
                let socket = Bound::of(descriptor)?;
                self.arrival.check(&shown, &[socket.local()?.ip()])?;
                Ok(vec![socket])
            }
            Place::Path(path) => {
                self.arrival.check(&shown, &[None])?; // before a file is made or removed
                let (socket, file) = unix::bind(&path, self.mode, queue)?;
                socket.set_nonblocking(true)?;
                Ok(vec![Bound::Unix(file, OwnedFd::from(socket).into())])
            }
            Place::Address(text) => {
                let sockets = Tcp { queue, reuse_port: self.reuse_port }.bind(&text)?;
                let local = |socket: &TcpListener| socket.local_addr().map(|at| Some(at.ip()));
                let locals = sockets.iter().map(local).collect::<io::Result<Vec<_>>>()?;
                self.arrival.check(&shown, &locals)?;
                Ok(sockets.into_iter().map(Bound::Tcp).collect())
            }
        }
    }

    /// Checks that each option has an effect.
    fn check(&self) -> io::Result<()> {
        let rows = [
            (
                self.mode.is_some() && !matches!(self.place, Place::Path(_)),
                "only the path of a Unix socket has a mode: leave Listener::mode out",
            ),
            (
                self.reuse_port && !matches!(self.place, Place::Address(_)),
                "only an address of TCP is reused: leave Listener::reuse_port out",
            ),
            (
                self.backlog.is_some() && matches!(self.place, Place::Given(_)),
                "it listens already with its own backlog: leave Listener::backlog out",
            ),
        ];
        match rows.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, advice)) => {
                let text = format!("cannot listen at {}: {advice}", self.place);
                Err(io::Error::new(ErrorKind::InvalidInput, text))
            }
            None => Ok(()),
        }
    }
}
