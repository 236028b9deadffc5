//! The kernel's table of TCP sockets: the listeners of the servers, and the number of open
//! connections on either side. This file opens none.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};

const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
const ESTABLISHED: u8 = 0x01;
const LISTEN: u8 = 0x0A;

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
    state: u8,
    /// Bytes that are sent and not acknowledged, and bytes that are not read.
    queued: u64,
    inode: u64,
}

impl Entry {
    /// Parses `0: 0100007F:2329 00000000:0000 0A tx:rx tr:when retrnsmt uid timeout inode ..`
    fn read(line: &str) -> Option<Entry> {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (local, remote) = (end(words.next()?)?, end(words.next()?)?);
        let state = u8::from_str_radix(words.next()?, 16).ok()?;
        let (sent, unread) = words.next()?.split_once(':')?;
        let bytes = |queue| u64::from_str_radix(queue, 16).ok();
        Some(Entry {
            local,
            remote,
            state,
            // A listener's queues count connections.
            queued: if state == LISTEN { 0 } else { bytes(sent)? + bytes(unread)? },
            inode: words.nth(4)?.parse().ok()?,
        })
    }
}

/// Parses address and port. The kernel writes each four bytes as a number of its own byte order.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok();
    if address.len() == 8 {
        return Some((Ipv4Addr::from(word(0)?.to_ne_bytes()).into(), port));
    }
    let mut bytes = [0; 16];
    for (index, part) in bytes.chunks_exact_mut(4).enumerate() {
        part.copy_from_slice(&word(index * 8)?.to_ne_bytes());
    }
    Some((IpAddr::from(bytes).to_canonical(), port))
}

fn each(mut look: impl FnMut(Entry)) {
    let mut line = String::new();
    for table in TABLES.iter().filter_map(|path| File::open(path).ok()) {
        // The table may be long: a million connections are 300 MB of it.
        let mut table = BufReader::with_capacity(64 << 10, table);
        while table.read_line(&mut line).is_ok_and(|len| len > 0) {
            Entry::read(&line).into_iter().for_each(&mut look);
            line.clear();
        }
    }
}

/// The addresses and ports of the servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    named: HashSet<(IpAddr, u16)>,
    /// Ports with a listener at every address of this machine.
    everywhere: HashSet<u16>,
}

impl Places {
    pub fn new(addresses: &[IpAddr], ports: impl Iterator<Item = u16> + Clone) -> Places {
        let at = |&address: &IpAddr| ports.clone().map(move |port| (address, port));
        Places { named: addresses.iter().flat_map(at).collect(), everywhere: HashSet::new() }
    }

    /// Whether a listener at this end takes connections to one of the places.
    fn is_served_by(&self, (address, port): (IpAddr, u16)) -> bool {
        self.named.contains(&(address, port))
            || (address.is_unspecified() && self.named.iter().any(|&(_, named)| named == port))
    }

    fn has(&self, end: (IpAddr, u16)) -> bool {
        self.named.contains(&end) || self.everywhere.contains(&end.1)
    }

    /// Finds the listeners on this machine: their processes, as far as permissions allow, and
    /// whether they listen at every address.
    pub fn find_listeners(&mut self) -> Vec<u32> {
        let mut inodes = HashSet::new();
        each(|entry| {
            if entry.state == LISTEN && self.is_served_by(entry.local) {
                inodes.insert(format!("socket:[{}]", entry.inode));
                if entry.local.0.is_unspecified() {
                    self.everywhere.insert(entry.local.1);
                }
            }
        });
        let has = |pid: &u32| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            files
                .filter_map(|file| fs::read_link(file.path()).ok())
                .any(|link| link.to_str().is_some_and(|link| inodes.contains(link)))
        };
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
        if inodes.is_empty() { Vec::new() } else { pids.filter(has).collect() }
    }
}

/// The side of a connection that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The server's side, which is on this machine.
    Server,
    /// The clients' side, whose far end is the server.
    Client,
}

/// The sockets of some places at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Open connections, counted at the server's side.
    pub server: u64,
    /// Open connections, counted at the clients' side.
    pub client: u64,
    /// Bytes on both sides that wait to be acknowledged or read.
    pub queued: u64,
}

impl Seen {
    pub fn at(self, side: Side) -> u64 {
        if side == Side::Server { self.server } else { self.client }
    }

    /// The side to count when this many connections are open. A server of another machine or
    /// network namespace has no side here.
    pub fn side(self, held: u64) -> Side {
        if self.server >= held { Side::Server } else { Side::Client }
    }

    /// Connections beyond the `held` ones of this harness. Clients of other machines show at the
    /// server's side alone, and those of a server elsewhere at the clients' side.
    pub fn foreign(self, held: u64) -> u64 {
        self.server.max(self.client).saturating_sub(held)
    }
}

/// Counts the sockets of the places.
pub fn look(places: &Places) -> Seen {
    let mut entries = Vec::new();
    each(|entry| {
        if places.has(entry.local) || places.named.contains(&entry.remote) {
            entries.push(entry);
        }
    });
    count(places, entries)
}

fn count(places: &Places, mut entries: Vec<Entry>) -> Seen {
    // The kernel shows a socket twice where others come or go while its table is read.
    entries.sort_unstable_by_key(|entry| (entry.local, entry.remote));
    entries.dedup_by_key(|entry| (entry.local, entry.remote));
    let mut seen = Seen::default();
    for entry in entries {
        let (server, client) = (places.has(entry.local), places.named.contains(&entry.remote));
        seen.queued += entry.queued;
        if entry.state == ESTABLISHED {
            seen.server += u64::from(server);
            seen.client += u64::from(client);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn table_is_read_as_it_is_written() {
        let line = "   0: 0100007F:2329 0100007F:D3F2 01 0000000A:00000020 \
                    00:00000000 00000000  0 0 48213 1 0 20 4 30 10 -1";
        let local = IpAddr::from(Ipv4Addr::LOCALHOST);
        let entry = Entry {
            local: (local, 9001),
            remote: (local, 54258),
            state: ESTABLISHED,
            queued: 42,
            inode: 48213,
        };
        assert_eq!(Entry::read(line), Some(entry));
        assert_eq!(Entry::read("  sl  local_address rem_address   st tx_queue"), None);
        for (text, address) in [
            ("00000000000000000000000001000000:0050", IpAddr::from(Ipv6Addr::LOCALHOST)),
            ("0000000000000000FFFF00000100007F:0050", local),
            ("00000000000000000000000000000000:0050", Ipv6Addr::UNSPECIFIED.into()),
        ] {
            assert_eq!(end(text), Some((address, 80)), "{text}");
        }
        assert_eq!((end("0100007F"), end("01:0050")), (None, None));
    }

    #[test]
    fn socket_that_the_table_shows_twice_counts_once() {
        let local = IpAddr::from(Ipv4Addr::LOCALHOST);
        let places = Places::new(&[local], [9001].into_iter());
        let entry = |client| {
            let (local, remote) = ((local, 9001), (local, client));
            Entry { local, remote, state: ESTABLISHED, queued: 1, inode: 0 }
        };
        let seen = count(&places, [1, 2, 1, 3, 2].map(entry).into());
        assert_eq!(seen, Seen { server: 3, client: 0, queued: 3 });
    }

    #[test]
    fn connections_beyond_our_own_are_foreign() {
        for (server, client, held, foreign, side) in [
            (100, 100, 100, 0, Side::Server),
            (400, 400, 100, 300, Side::Server),
            // Clients of other machines.
            (103, 100, 100, 3, Side::Server),
            // A server of another machine.
            (0, 100, 100, 0, Side::Client),
            (0, 160, 100, 60, Side::Client),
            // Connections that the server has ended already.
            (70, 80, 100, 0, Side::Client),
        ] {
            let seen = Seen { server, client, queued: 0 };
            assert_eq!((seen.foreign(held), seen.side(held)), (foreign, side), "{seen:?}");
        }
    }

    #[test]
    fn table_tells_who_listens_and_how_many_are_open() {
        let here = [IpAddr::from(Ipv4Addr::LOCALHOST)];
        for address in ["127.0.0.1:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            let mut places = Places::new(&here, [port].into_iter());
            let mut elsewhere =
                Places::new(&[Ipv4Addr::new(127, 7, 7, 7).into()], [port].into_iter());
            assert_eq!(places.find_listeners(), [std::process::id()]);
            let is_everywhere = address.starts_with("0.0.0.0");
            assert_eq!(elsewhere.find_listeners().len(), usize::from(is_everywhere));
            assert_eq!(look(&places), Seen::default());
            let connect = |_| TcpStream::connect(("127.0.0.1", port)).unwrap();
            let open: Vec<TcpStream> = (0..3).map(connect).collect();
            assert_eq!(look(&places), Seen { server: 3, client: 3, queued: 0 });
            let server = if is_everywhere { 3 } else { 0 };
            assert_eq!(look(&elsewhere), Seen { server, client: 0, queued: 0 });
            std::io::Write::write_all(&mut &open[0], b"unread").unwrap();
            assert!(look(&places).queued >= 6);
        }
    }
}
