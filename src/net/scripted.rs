//! A network for simulations: names whose addresses are given by hand, and connections over memory
//! that stand or fail by hand. This file knows no clock and no slot.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::address::race_order;
use super::memory::MemoryPeer;
use super::resolve::{Found, Unresolved, known};
use super::transport::Transport;

/// Takes the place of the resolver and of sockets.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    names: HashMap<String, Vec<IpAddr>>,
    /// Connections that were begun and not yet taken.
    dialled: VecDeque<(SocketAddr, MemoryPeer)>,
}

impl Scripted {
    /// Sets the addresses of a name.
    pub(crate) fn name(&mut self, name: &str, addresses: Vec<IpAddr>) {
        self.names.insert(name.to_ascii_lowercase(), addresses);
    }

    /// Looks a name up, as the resolver does.
    pub(crate) fn look_up(&self, host: &str) -> Found {
        let found = known(host).or_else(|| self.names.get(host).cloned().map(race_order));
        found.filter(|found| !found.is_empty()).ok_or(Unresolved::NotFound)
    }

    /// Begins to connect.
    pub(crate) fn dial(&mut self, address: SocketAddr) -> Transport {
        let (mut transport, peer) = Transport::memory();
        if let Transport::Memory(memory) = &mut transport {
            memory.connect();
        }
        self.dialled.push_back((address, peer));
        transport
    }

    /// Takes the oldest connection that was begun: the address, and the peer's end.
    pub(crate) fn next_dialled(&mut self) -> Option<(SocketAddr, MemoryPeer)> {
        self.dialled.pop_front()
    }
}
