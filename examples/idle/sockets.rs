//! The kernel's table of TCP sockets: the listener at a port, and the number of open connections of
//! a port on either side. This file opens none.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};

const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
const ESTABLISHED: u8 = 0x01;
const LISTEN: u8 = 0x0A;

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    local_port: u16,
    remote_port: u16,
    state: u8,
    inode: u64,
}

impl Entry {
    /// Parses `0: 0100007F:2329 00000000:0000 0A tx:rx tr:when retrnsmt uid timeout inode ..`
    fn read(line: &str) -> Option<Entry> {
        let mut words = line.split_ascii_whitespace().skip(1);
        let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
        Some(Entry {
            local_port: port(words.next()?)?,
            remote_port: port(words.next()?)?,
            state: u8::from_str_radix(words.next()?, 16).ok()?,
            inode: words.nth(5)?.parse().ok()?,
        })
    }
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

/// The side of a connection that the ports are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The server's side, which is on this machine.
    Server,
    /// The clients' side, whose far end has the ports.
    Client,
}

/// Counts the open connections of the ports.
pub fn established(ports: &HashSet<u16>, side: Side) -> u64 {
    let mut count = 0;
    each(|entry| {
        let port = if side == Side::Server { entry.local_port } else { entry.remote_port };
        count += u64::from(entry.state == ESTABLISHED && ports.contains(&port));
    });
    count
}

/// Finds the processes that listen at the ports, as far as permissions allow.
pub fn listening(ports: &HashSet<u16>) -> Vec<u32> {
    let mut inodes = HashSet::new();
    each(|entry| {
        if entry.state == LISTEN && ports.contains(&entry.local_port) {
            inodes.insert(format!("socket:[{}]", entry.inode));
        }
    });
    let has = |pid: &u32| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors
            .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
            .any(|link| link.to_str().is_some_and(|link| inodes.contains(link)))
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    if inodes.is_empty() { Vec::new() } else { pids.filter(has).collect() }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn table_is_read_as_it_is_written() {
        let line = "   0: 0100007F:2329 0100007F:D3F2 01 00000000:00000000 \
                    00:00000000 00000000  0 0 48213 1 0 20 4 30 10 -1";
        let entry =
            Entry { local_port: 9001, remote_port: 54258, state: ESTABLISHED, inode: 48213 };
        assert_eq!(Entry::read(line), Some(entry));
        assert_eq!(Entry::read("  sl  local_address rem_address   st tx_queue"), None);
    }

    #[test]
    fn table_tells_who_listens_and_how_many_are_open() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ports = HashSet::from([address.port()]);
        assert_eq!(listening(&ports), [std::process::id()]);
        assert_eq!(established(&ports, Side::Server), 0);
        let open: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert_eq!((established(&ports, Side::Server), established(&ports, Side::Client)), (3, 3));
        drop(open);
    }
}
