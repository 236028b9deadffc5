//! The parts of a cluster before it runs: its listeners, its limits, and the places of its
//! reactors. The threads are in running.rs.

use std::io::{self, Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use super::handle::ClusterHandle;
use super::member::Member;
use crate::connection::{ListenerId, Share, SharedCounts, Total};
use crate::context::{Link, Stations};
use crate::net::{Bindings, Bound, ListenAddr, Listener};
use crate::server::{Seat, Server};

/// Several reactors that serve as one: a thread for each, one port, shared limits and topics.
///
/// [`run`](Cluster::run) starts the threads, and calls a function on each to set up its zones. Each
/// reactor has handlers of its own, which therefore need not be `Send`.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use std::time::Duration;
/// use switchboard::{Cluster, Drain};
///
/// let mut cluster = Cluster::new(2).hand_over(true).max_connections(10_000);
/// let listener = cluster.listen("127.0.0.1:0")?;
/// let (address, handle) = (cluster.local_addr(listener)?, cluster.handle());
/// let client = std::thread::spawn(move || {
///     let mut socket = TcpStream::connect(address)?;
///     socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
///     let mut answer = String::new();
///     socket.read_to_string(&mut answer)?;
///     let _ = handle.drain(Drain::within(Duration::from_secs(1)));
///     std::io::Result::Ok(answer)
/// });
/// cluster.run(|reactor, member| {
///     let index = member.index();
///     reactor.server.http("/", move |_conn, _request| format!("hello from {index}"));
///     Ok(())
/// })?; // until all reactors have drained
/// assert!(client.join().unwrap()?.contains("hello from "));
/// # std::io::Result::Ok(())
/// ```
///
/// # Which reactor gets a connection
///
/// | | `hand_over(false)`, the default | `hand_over(true)` |
/// | --- | --- | --- |
/// | who accepts | each reactor, with a socket of its own (`SO_REUSEPORT`) | the first one |
/// | who gets it | the kernel chooses by a hash of the addresses | the one with the fewest |
/// | where it listens | TCP addresses | TCP addresses, Unix sockets, inherited sockets |
/// | it costs | nothing | a lock and perhaps a wake-up for each connection |
///
/// Handing over spreads connections evenly: without departures the numbers differ by one at most.
/// At most 1,024 connections wait for a reactor. Then the next least loaded one gets them, and in
/// the end the first one, which accepts at most
/// [`accepts_per_turn`](Listener::accepts_per_turn) in a turn. The others wait in the kernel's
/// queue: none is lost. A change of the number of processes that listen, such as a restart, loses
/// connections with `SO_REUSEPORT` that wait in the queue of a socket that is closed.
///
/// # What the reactors share
///
/// - **Limits**: [`max_connections`](Cluster::max_connections) and
///   [`max_connections_per_address`](Cluster::max_connections_per_address) hold for all together.
///   All other limits are those of each server.
/// - **Topics**: a publish reaches the subscribers of all reactors; see
///   [`Context::publish`](crate::Context::publish).
/// - **History**: a topic with [history](crate::Server::history) has one history and one order of
///   messages for all reactors, and the id of any reactor holds at each. All of it shares one bound
///   of memory.
/// - **No stores**: a topic of a [store](crate::Server::store) is published to at one reactor. The
///   others get what the program passes on by [`Context::stored`](crate::Context::stored).
/// - **The end**: [`ClusterHandle::drain`] ends all.
///   [`Context::drain`](crate::Context::drain) ends one reactor, while the others go on. Do not
///   end the first one so with `hand_over(true)`: it accepts for all.
///
/// If a reactor fails or panics, the others drain within 10 seconds, and `run` returns an error
/// that names the reactor.
#[derive(Debug)]
#[must_use = "a cluster does nothing before `run`"]
pub struct Cluster {
    hands_over: bool,
    limits: Limits,
    listeners: Vec<Places>,
    /// The sockets of the seats that are not taken, the last one first.
    seats: Vec<Vec<Bindings>>,
    handle: ClusterHandle,
}

#[derive(Debug, Default)]
struct Limits {
    connections: Option<Arc<Total>>,
    per_address: Option<(u32, SharedCounts)>,
}

/// A listener, and where it listens.
#[derive(Debug)]
struct Places {
    id: ListenerId,
    addresses: Vec<ListenAddr>,
}

impl Cluster {
    /// Makes a cluster of this many reactors, at least one.
    ///
    /// [`Cluster::default`] has one reactor for each core that the process may use.
    pub fn new(reactors: usize) -> Cluster {
        let stations = Arc::new(Stations::new(reactors));
        Cluster {
            hands_over: false,
            limits: Limits::default(),
            listeners: Vec::new(),
            seats: stations.all().iter().map(|_| Vec::new()).collect(),
            handle: ClusterHandle::new(stations),
        }
    }

    /// Sets whether one reactor accepts for all, at the listeners that are added from now on
    /// (default off: each reactor accepts). See [above](Cluster#which-reactor-gets-a-connection).
    pub fn hand_over(mut self, yes: bool) -> Cluster {
        self.hands_over = yes;
        self
    }

    /// Sets the most connections at a time of all reactors together (default: no limit but those
    /// of each server). One more is answered as
    /// [`Server::max_connections`](crate::Server::max_connections) says.
    ///
    /// A server's own limit holds beside it, for that server. An
    /// [internal listener](Listener::internal) has 16 places beyond the limit.
    pub fn max_connections(mut self, connections: usize) -> Cluster {
        self.limits.connections = Some(Arc::new(Total::new(connections)));
        self
    }

    /// Sets the most connections at a time from one IPv4 address or one IPv6 /64, to all reactors
    /// together (default: no limit). It holds as
    /// [`Server::max_connections_per_address`](crate::Server::max_connections_per_address) says,
    /// also for clients behind trusted proxies.
    ///
    /// A connection that is counted takes a lock that the reactors share, when it comes and when
    /// it ends.
    pub fn max_connections_per_address(mut self, connections: u32) -> Cluster {
        self.limits.per_address = Some((connections, SharedCounts::default()));
        self
    }

    /// Listens with all reactors. Connections wait in the kernel's queue until the cluster
    /// [runs](Cluster::run). The listener has the returned name in each server.
    ///
    /// ```
    /// use switchboard::Cluster;
    ///
    /// let mut cluster = Cluster::new(4);
    /// let listener = cluster.listen("127.0.0.1:0")?;
    /// assert_ne!(cluster.local_addr(listener)?.port(), 0);
    /// let error = cluster.listen("unix:/tmp/app.sock").unwrap_err();
    /// assert!(error.to_string().contains("add Cluster::hand_over(true)"));
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`Server::listen`](crate::Server::listen). Also for a Unix socket, and for a socket that
    /// listens already, unless the cluster hands connections over. Also when a reactor has joined.
    pub fn listen(&mut self, listener: impl Into<Listener>) -> io::Result<ListenerId> {
        let (reactors, listener) = (self.handle.reactors(), listener.into());
        if self.has_members() {
            let text = "a cluster listens before its first reactor joins";
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        let bindings = match self.hands_over {
            true => listener.bindings_of_one(reactors)?,
            false if reactors == 1 => vec![listener.bindings()?],
            false => listener.bindings_of_each(reactors)?,
        };
        let addresses = match bindings.first() {
            Some(first) => first.sockets.iter().map(Bound::local).collect::<io::Result<_>>()?,
            None => Vec::new(),
        };
        let sockets = self.listeners.iter().map(|places| places.addresses.len()).sum::<usize>();
        let id = ListenerId(u16::try_from(sockets).unwrap_or(u16::MAX));
        self.listeners.push(Places { id, addresses });
        for (seat, bindings) in self.seats.iter_mut().rev().zip(bindings) {
            seat.push(bindings);
        }
        Ok(id)
    }

    /// Returns where a listener listens: its addresses, or the path of its Unix socket.
    ///
    /// # Errors
    /// `NotFound` for a listener that the cluster does not have.
    pub fn listening_at(&self, listener: ListenerId) -> io::Result<&[ListenAddr]> {
        let places = self.listeners.iter().find(|places| places.id == listener);
        let places = places.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "this cluster has no such listener: see Cluster::listen",
            )
        })?;
        Ok(&places.addresses)
    }

    /// Returns the first TCP address that a listener listens at.
    ///
    /// # Errors
    /// As [`listening_at`](Cluster::listening_at). `Unsupported` for a Unix socket.
    pub fn local_addr(&self, listener: ListenerId) -> io::Result<SocketAddr> {
        match self.listening_at(listener)?.first() {
            Some(ListenAddr::Tcp(address)) => Ok(*address),
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                "a Unix socket has no IP address: ask Cluster::listening_at for its path",
            )),
        }
    }

    /// Returns a handle to all reactors, for other threads. It works before the cluster runs.
    pub fn handle(&self) -> ClusterHandle {
        self.handle.clone()
    }

    /// Makes a server a part of the cluster, for a program with loops of its own, and for
    /// simulations. [`run`](Cluster::run) does this by itself.
    ///
    /// The first server that joins has the sockets of listeners that hand connections over. Handles
    /// of the server from before are closed. A server that is dropped leaves the cluster.
    ///
    /// ```
    /// use std::time::Instant;
    /// use switchboard::testing::World;
    /// use switchboard::{Cluster, Server};
    ///
    /// let mut cluster = Cluster::new(2);
    /// let mut worlds = [(); 2].map(|()| {
    ///     let mut server = Server::detached();
    ///     server.websocket("/", |conn, _message| conn.subscribe("news"));
    ///     cluster.join(&mut server).unwrap();
    ///     World::over(server)
    /// });
    /// let ada = worlds[1].websocket("/");
    /// worlds[1].say(ada, "subscribe");
    /// worlds[0].context().publish("news", "rain");
    /// worlds.iter_mut().for_each(World::settle);
    /// assert_eq!(worlds[1].hear(ada), ["rain"]);
    /// ```
    ///
    /// # Errors
    /// When all reactors have joined, when the server has listeners or connections already, or
    /// when a listener cannot be registered with its `Poll`.
    pub fn join(&mut self, server: &mut Server) -> io::Result<Member> {
        server.check_joins()?;
        let Some((index, seat)) = self.take_seat() else {
            let text =
                "all reactors of this cluster have joined: give Cluster::new a larger number";
            return Err(Error::new(ErrorKind::InvalidInput, text));
        };
        Ok(Member::new(index, server.join(seat)?, self.handle.clone()))
    }

    /// Whether a server has taken a seat.
    pub(super) fn has_members(&self) -> bool {
        self.seats.len() < self.handle.reactors()
    }

    /// Takes the next seat, and its number.
    pub(super) fn take_seat(&mut self) -> Option<(usize, Seat)> {
        let stations = self.handle.stations();
        let index = stations.all().len() - self.seats.len();
        let listeners = self.seats.pop()?;
        let seat = Seat {
            share: Share::new(
                Arc::clone(&stations.all()[index].load),
                self.limits.connections.clone(),
            ),
            link: Link { index, stations: Arc::clone(stations) },
            per_address: self.limits.per_address.clone(),
            listeners,
        };
        Some((index, seat))
    }
}

/// Seats that are not taken stay empty: nothing more is queued for them.
impl Drop for Cluster {
    fn drop(&mut self) {
        self.handle.close_from(self.handle.reactors() - self.seats.len());
    }
}

/// One reactor for each core that the process may use.
impl Default for Cluster {
    fn default() -> Cluster {
        Cluster::new(std::thread::available_parallelism().map_or(1, |cores| cores.get()))
    }
}
