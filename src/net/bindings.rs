//! The sockets of one listener, and what it asks of its connections: for one server, or for each
//! reactor of a cluster. The options themselves are in listener.rs.

use std::io::{self, ErrorKind};

use mio::net::TcpListener;

use super::arrival::Arrival;
use super::bound::Bound;
use super::listener::{Listener, Place};
use super::tcp::Tcp;

/// The bound sockets of a listener, for one server.
#[derive(Debug)]
pub(crate) struct Bindings {
    pub(crate) sockets: Vec<Bound>,
    pub(crate) per_turn: usize,
    pub(crate) arrival: Arrival,
    /// Whether the sockets are of TCP and were made here.
    pub(crate) is_ours: bool,
    /// Whether connections go to all reactors of a cluster.
    pub(crate) hands_over: bool,
}

impl Bindings {
    /// What another reactor needs to take in the connections of these sockets.
    fn elsewhere(&self) -> io::Result<Bindings> {
        let places = self.sockets.iter().map(|socket| socket.local().map(Bound::Elsewhere));
        Ok(self.with(places.collect::<io::Result<_>>()?))
    }

    /// Makes the bindings of other sockets of this listener.
    fn with(&self, sockets: Vec<Bound>) -> Bindings {
        Bindings { sockets, arrival: self.arrival.clone(), hands_over: false, ..*self }
    }
}

impl Listener {
    /// Binds the sockets, for one server.
    pub(crate) fn bindings(self) -> io::Result<Bindings> {
        let (per_turn, is_ours) = (self.per_turn(), self.is_ours());
        let arrival = self.arrival().clone();
        Ok(Bindings { sockets: self.bind()?, per_turn, arrival, is_ours, hands_over: false })
    }

    /// Binds sockets that the first reactor of a cluster has: it hands connections over.
    pub(crate) fn bindings_of_one(self, reactors: usize) -> io::Result<Vec<Bindings>> {
        let mut first = self.bindings()?;
        let others = (1..reactors).map(|_| first.elsewhere()).collect::<io::Result<Vec<_>>>()?;
        first.hands_over = reactors > 1;
        Ok([first].into_iter().chain(others).collect())
    }

    /// Binds sockets for each reactor of a cluster, all at the same addresses.
    pub(crate) fn bindings_of_each(self, reactors: usize) -> io::Result<Vec<Bindings>> {
        if !matches!(self.place, Place::Address(_)) {
            let text = format!(
                "cannot listen at {} with several reactors: only an address of TCP is shared by \
                 SO_REUSEPORT; add Cluster::hand_over(true)",
                self.place
            );
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let tcp = Tcp { queue: self.queue(), reuse_port: true };
        let first = self.reuse_port(true).bindings()?;
        let again = |bound: &Bound| match bound {
            Bound::Tcp(socket) => tcp.bind_again(socket).map(Bound::Tcp),
            Bound::Unix(..) | Bound::Elsewhere(_) => Err(ErrorKind::Unsupported.into()),
        };
        let further = (1..reactors).map(|_| {
            let sockets = first.sockets.iter().map(again).collect::<io::Result<Vec<_>>>()?;
            Ok(first.with(sockets))
        });
        let further = further.collect::<io::Result<Vec<Bindings>>>()?;
        Ok([first].into_iter().chain(further).collect())
    }
}

impl Tcp {
    /// Binds one more socket at the address of one that has `SO_REUSEPORT`.
    fn bind_again(&self, socket: &TcpListener) -> io::Result<TcpListener> {
        let address = socket.local_addr()?;
        let only_v6 = match address.is_ipv6() {
            true => Some(socket2::SockRef::from(socket).only_v6()?),
            false => None,
        };
        let again = self.bind_one(address, only_v6).map_err(|error| {
            let text = format!("cannot listen at {address} a further time: {error}");
            io::Error::new(error.kind(), text)
        })?;
        Ok(TcpListener::from_std(again))
    }
}
