//! The addresses of clients, and the counts that a limit needs. A connection holds one number,
//! [`Connection::address`](super::Connection): a counted prefix, or a client of this table.
//!
//! ```text
//! hop 0, the socket's or the PROXY header's <-- a client behind it <-- exchanges in progress
//! ```
//! Between two exchanges a connection refers to hop 0. During an exchange that came through a
//! trusted proxy it refers to the client. This file does not know how a client is found.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use slab::Slab;

use super::connection::{RIVAL, TURNED_AWAY, UNCOUNTED};
use super::index::Index;
use super::prefix_counts::PrefixCounts;
use crate::net::prefix;

/// The bit of a number that names a client. Without it the number names a counted prefix.
const CLIENT: u32 = 1 << 31;
/// The bit of a client that is counted: hop 0 for the life of its connection, another client for
/// its exchange.
const COUNTED: u32 = 1 << 30;

/// Counted prefixes, and clients. A client takes at most 27 bytes and 12 in the index. Without
/// trusted proxies and PROXY headers there is none.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// Prefixes that a limit counts.
    pub(crate) counts: PrefixCounts,
    clients: Slab<Client>,
    index: Index,
    hasher: RandomState,
}

/// The address of a hop; an IPv4 address stands in its IPv6 form.
type Key = (u64, u64, u32);

#[derive(Debug)]
struct Client {
    address: (u64, u64),
    /// The entry of hop 0, or what this hop 0 is.
    via: u32,
    /// Connections, and clients behind this hop 0, that refer to the entry.
    uses: NonZeroU32,
}

const _: () = assert!(size_of::<Option<Client>>() == 24);

/// Values of `Client::via` of a hop 0: not trusted, trusted, trusted without an address.
const UNTRUSTED: u32 = u32::MAX;
const TRUSTED: u32 = u32::MAX - 1;
const TRUSTED_NAMELESS: u32 = u32::MAX - 2;

/// The first hop of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    /// `None` for a Unix socket.
    pub(crate) address: Option<IpAddr>,
    /// Whether the hop may name the client behind it.
    pub(crate) is_trusted: bool,
}

impl Addresses {
    /// Notes the first hop of a connection, and returns the number for the connection. A hop that
    /// is not trusted must have an address.
    pub(crate) fn first_hop(&mut self, hop: Hop) -> u32 {
        let (address, via) = match hop {
            Hop { address: Some(address), is_trusted: true } => (bits(address), TRUSTED),
            Hop { address: Some(address), is_trusted: false } => (bits(address), UNTRUSTED),
            Hop { address: None, .. } => ((0, 0), TRUSTED_NAMELESS),
        };
        self.refer((address.0, address.1, via)) | CLIENT
    }

    /// Begins the exchange of a client behind a connection's first hop.
    pub(crate) fn begin_exchange(&mut self, number: &mut u32, client: IpAddr) {
        self.end_exchange(number);
        if let Some(hop) = entry(*number) {
            let (high, low) = bits(client);
            // The new entry takes over the connection's use of its first hop.
            let before = self.clients.len();
            *number = self.refer((high, low, hop)) | CLIENT;
            if self.clients.len() == before {
                self.forget(hop);
            }
        }
    }

    /// Ends an exchange: its client is no longer counted, and the connection refers to its first
    /// hop.
    #[inline]
    pub(crate) fn end_exchange(&mut self, number: &mut u32) {
        if entry(*number).is_some() {
            self.end(number);
        }
    }

    #[inline(never)]
    fn end(&mut self, number: &mut u32) {
        let Some(client) = entry(*number).and_then(|entry| self.clients.get_mut(entry as usize))
        else {
            return;
        };
        let hop = client.via;
        if hop >= TRUSTED_NAMELESS {
            return;
        }
        // The connection's own use, before the client gives up its own.
        if let Some(hop) = self.clients.get_mut(hop as usize) {
            hop.uses = hop.uses.saturating_add(1);
        }
        self.leave(std::mem::replace(number, hop | CLIENT));
    }

    /// Counts a client under a limit; false at the limit. A client without an address, and one that
    /// is counted already, is not counted.
    pub(crate) fn count(&mut self, number: &mut u32, limit: u32) -> bool {
        let Some(address) = self.client(*number).filter(|_| *number & COUNTED == 0) else {
            return true;
        };
        let counted = self.counts.enter(prefix(address), limit).is_some();
        if counted {
            *number |= COUNTED;
        }
        counted
    }

    /// Forgets a connection that is gone.
    pub(crate) fn leave(&mut self, number: u32) {
        let Some(entry) = entry(number) else {
            if number < RIVAL {
                self.counts.leave(number);
            }
            return;
        };
        if number & COUNTED != 0
            && let Some(address) = self.client(number)
        {
            self.counts.leave_prefix(prefix(address));
        }
        self.forget(entry);
    }

    /// Whether a number names a client, and not a counted prefix alone.
    #[inline]
    pub(crate) fn has(number: u32) -> bool {
        entry(number).is_some()
    }

    /// The address of the client that a number names; `None` if it names none.
    pub(crate) fn client(&self, number: u32) -> Option<IpAddr> {
        let client = self.clients.get(entry(number)? as usize)?;
        (client.via != TRUSTED_NAMELESS).then(|| address(client.address))
    }

    /// The first hop of a connection that notes its clients.
    pub(crate) fn hop(&self, number: u32) -> Option<Hop> {
        let mut client = self.clients.get(entry(number)? as usize)?;
        if client.via < TRUSTED_NAMELESS {
            client = self.clients.get(client.via as usize)?;
        }
        let address = (client.via != TRUSTED_NAMELESS).then(|| address(client.address));
        Some(Hop { address, is_trusted: client.via != UNTRUSTED })
    }

    /// Whether a number names a client behind a first hop.
    pub(crate) fn is_behind(&self, number: u32) -> bool {
        let client = entry(number).and_then(|entry| self.clients.get(entry as usize));
        client.is_some_and(|client| client.via < TRUSTED_NAMELESS)
    }

    /// Finds or makes an entry, with one more use.
    fn refer(&mut self, key: Key) -> u32 {
        let hash = self.hasher.hash_one(key);
        let found = self.index.find(hash, |entry| key_of(&self.clients[entry as usize]) == key);
        if let Some(entry) = found {
            let client = &mut self.clients[entry as usize];
            client.uses = client.uses.saturating_add(1);
            return entry;
        }
        // Doubling would leave half of the memory unused.
        if self.clients.len() == self.clients.capacity() {
            self.clients.reserve_exact((self.clients.len() / 8).max(64));
        }
        let (high, low, via) = key;
        let client = Client { address: (high, low), via, uses: NonZeroU32::MIN };
        let entry = self.clients.insert(client) as u32;
        let (clients, hasher) = (&self.clients, &self.hasher);
        let hash_of = |entry| hasher.hash_one(key_of(&clients[entry as usize]));
        self.index.insert(hash, entry, hash_of);
        entry
    }

    /// Ends one use of an entry. The last one removes the entry, and its use of its first hop.
    fn forget(&mut self, entry: u32) {
        let Some(client) = self.clients.get_mut(entry as usize) else { return };
        if let Some(uses) = NonZeroU32::new(client.uses.get() - 1) {
            client.uses = uses;
            return;
        }
        let client = self.clients.remove(entry as usize);
        self.index.remove(self.hasher.hash_one(key_of(&client)), entry);
        if client.via < TRUSTED_NAMELESS {
            self.forget(client.via);
        }
    }

    /// Returns the number of clients.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }
}

/// The entry of a client.
#[inline]
fn entry(number: u32) -> Option<u32> {
    (number & CLIENT != 0 && number < RIVAL).then_some(number & !(CLIENT | COUNTED))
}

const _: () = assert!(RIVAL < TURNED_AWAY && TURNED_AWAY < UNCOUNTED && RIVAL & CLIENT != 0);

fn key_of(client: &Client) -> Key {
    (client.address.0, client.address.1, client.via)
}

fn bits(address: IpAddr) -> (u64, u64) {
    let bits = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    };
    ((bits >> 64) as u64, bits as u64)
}

fn address((high, low): (u64, u64)) -> IpAddr {
    let address = Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low));
    IpAddr::V6(address).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn hop(text: &str, is_trusted: bool) -> Hop {
        Hop { address: Some(ip(text)), is_trusted }
    }

    #[test]
    fn exchanges_leave_their_connection_at_its_first_hop() {
        let mut addresses = Addresses::default();
        let mut first = addresses.first_hop(hop("10.0.0.1", true));
        let mut second = addresses.first_hop(hop("10.0.0.1", true));
        assert_eq!((first, addresses.len()), (second, 1));
        addresses.begin_exchange(&mut first, ip("192.0.2.1"));
        addresses.begin_exchange(&mut second, ip("::ffff:192.0.2.1"));
        assert_eq!((first, addresses.len()), (second, 2));
        assert_eq!(addresses.client(first), Some(ip("192.0.2.1")));
        assert_eq!(addresses.hop(first), Some(hop("10.0.0.1", true)));
        // A further exchange without an end of the first one.
        addresses.begin_exchange(&mut first, ip("2001:db8::1"));
        assert_eq!(addresses.client(first), Some(ip("2001:db8::1")));
        assert_eq!(addresses.len(), 3);
        addresses.end_exchange(&mut first);
        addresses.end_exchange(&mut first);
        assert_eq!(addresses.client(first), Some(ip("10.0.0.1")));
        assert_eq!(addresses.len(), 2);
        addresses.leave(first);
        addresses.leave(second);
        assert_eq!(addresses.len(), 0);
    }

    #[test]
    fn hops_differ_by_trust() {
        let mut addresses = Addresses::default();
        let hops = [
            hop("10.0.0.1", true),
            hop("10.0.0.1", false),
            Hop { address: None, is_trusted: true },
        ];
        let numbers = hops.map(|hop| addresses.first_hop(hop));
        for (number, hop) in numbers.into_iter().zip(hops) {
            assert_eq!(addresses.hop(number), Some(hop));
            assert_eq!(addresses.client(number), hop.address);
            assert!(!addresses.is_behind(number));
            addresses.leave(number);
        }
        for number in [UNCOUNTED, TURNED_AWAY, RIVAL, 0] {
            assert_eq!((addresses.hop(number), addresses.client(number)), (None, None));
        }
        assert_eq!(addresses.len(), 0);
    }

    #[test]
    fn counts_end_with_the_exchange_or_with_the_connection() {
        let mut addresses = Addresses::default();
        let mut direct = addresses.first_hop(hop("192.0.2.1", false));
        assert!(addresses.count(&mut direct, 2));
        let mut behind = addresses.first_hop(hop("10.0.0.1", true));
        addresses.begin_exchange(&mut behind, ip("192.0.2.1"));
        assert!(addresses.count(&mut behind, 2));
        assert!(addresses.count(&mut behind, 2), "it is counted once");
        let mut third = addresses.first_hop(hop("10.0.0.1", true));
        addresses.begin_exchange(&mut third, ip("192.0.2.1"));
        assert!(!addresses.count(&mut third, 2));
        addresses.end_exchange(&mut third);
        addresses.end_exchange(&mut direct);
        addresses.begin_exchange(&mut third, ip("192.0.2.1"));
        assert!(!addresses.count(&mut third, 2), "a first hop is counted for its connection");
        addresses.end_exchange(&mut behind);
        assert!(addresses.count(&mut third, 2));
        [direct, behind, third].into_iter().for_each(|number| addresses.leave(number));
        assert_eq!((addresses.len(), addresses.counts.len()), (0, 0));
    }

    #[test]
    fn one_limit_holds_for_a_whole_ipv6_subscriber() {
        let mut addresses = Addresses::default();
        let numbers = [1_u128, 2, 3].map(|host| {
            let mut number = addresses.first_hop(Hop { address: None, is_trusted: true });
            assert!(addresses.count(&mut number, 0), "nothing to count by");
            let client = Ipv6Addr::from_bits(0x2001_0db8 << 96 | host);
            addresses.begin_exchange(&mut number, client.into());
            (addresses.count(&mut number, 2), number)
        });
        assert_eq!(numbers.map(|(counted, _)| counted), [true, true, false]);
        numbers.into_iter().for_each(|(_, number)| addresses.leave(number));
        assert_eq!((addresses.len(), addresses.counts.len()), (0, 0));
    }

    #[test]
    fn client_takes_at_most_48_bytes() {
        let mut addresses = Addresses::default();
        let mut most = 0;
        for n in 0..100_000_u128 {
            let mut number = addresses.first_hop(hop("10.0.0.1", true));
            let client = Ipv6Addr::from_bits(0x2001_0db8 << 96 | n << 64 | 7);
            addresses.begin_exchange(&mut number, client.into());
            let bytes = addresses.clients.capacity() * 24 + addresses.index.bytes();
            // The first ones pay for the tables of the index.
            if n >= 20_000 {
                most = most.max(bytes / (n as usize + 1));
            }
        }
        assert!((25..=48).contains(&most), "{most}");
    }
}
