//! Memory of processes and of sockets, as the kernel reports it. This file does not know what the
//! processes do.

use std::fs;

/// The slab caches that every socket has an object of.
const CACHES: [&str; 6] = ["TCP", "TCPv6", "sock_inode_cache", "filp", "dentry", "eventpoll_epi"];

/// Memory of a process, counted page by page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// All resident memory, shared or not.
    pub all: u64,
    /// Memory that the process has written itself.
    pub own: u64,
}

/// Reads the resident memory of a process, quickly and approximately.
pub fn roughly(pid: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Reads the resident memory of a process exactly; `None` without permission.
pub fn exactly(pid: u32) -> Option<Resident> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    Some(Resident { all: kilobytes(&rollup, "Rss:")?, own: kilobytes(&rollup, "Private_Dirty:")? })
}

/// Reads the value of a line such as `Rss:  1234 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// The descriptors of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// Room that the kernel has made for descriptors. It grows with them and never shrinks.
    pub room: u64,
    pub open: u64,
}

impl Descriptors {
    /// Whether the process had far more descriptors open earlier than it has now: memory that it
    /// kept from that time serves new connections. A shell leaves room for 256 to any process, and
    /// a program may open hundreds of files when it starts.
    pub fn had_more(self) -> bool {
        self.room > 512 && self.room > 4 * self.open
    }
}

/// Reads the descriptors of a process; `None` without permission.
pub fn descriptors(pid: u32) -> Option<Descriptors> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let room = status.lines().find_map(|line| line.strip_prefix("FDSize:"))?.trim().parse().ok()?;
    Some(Descriptors { room, open: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64 })
}

/// The kernel's own memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// All objects of all kinds: `Slab` of /proc/meminfo.
    pub slab: u64,
    /// Buffers of TCP sockets: `mem` of /proc/net/sockstat.
    pub buffers: u64,
    /// The objects that every socket has, if /proc/slabinfo is readable.
    pub sockets: Option<u64>,
}

impl Kernel {
    pub fn now() -> Kernel {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Kernel {
            slab: kilobytes(&read("/proc/meminfo"), "Slab:").unwrap_or(0),
            buffers: buffers(&read("/proc/net/sockstat")).unwrap_or(0),
            sockets: fs::read_to_string("/proc/slabinfo").ok().map(|slabinfo| objects(&slabinfo)),
        }
    }
}

/// Reads `TCP: inuse 5 orphan 0 tw 0 alloc 6 mem 1`, whose last number counts pages.
fn buffers(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let pages: u64 =
        line.split_whitespace().skip_while(|word| *word != "mem").nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Reads `name active_objs num_objs objsize ..`, and returns the bytes of active objects.
fn objects(slabinfo: &str) -> u64 {
    let size = |line: &str| {
        let mut words = line.split_whitespace();
        let known = CACHES.contains(&words.next()?);
        let (active, size) =
            (words.next()?.parse::<u64>().ok()?, words.nth(1)?.parse::<u64>().ok()?);
        known.then_some(active * size)
    };
    slabinfo.lines().filter_map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_this_process_grows_by_what_it_writes() {
        let pid = std::process::id();
        let before = exactly(pid).unwrap();
        // Other tests may free memory meanwhile.
        let written = vec![1u8; 32 << 20];
        let after = exactly(pid).unwrap();
        assert!(
            after.own >= before.own + (24 << 20) && after.all >= after.own,
            "{before:?} {after:?} {}",
            written.len()
        );
        assert!(roughly(pid).unwrap() > 24 << 20);
        assert_eq!((roughly(u32::MAX), exactly(u32::MAX)), (None, None));
    }

    #[test]
    fn descriptors_show_what_a_process_had_open() {
        for (room, open, had_more) in [
            (64, 9, false),
            (256, 9, false),
            (512, 9, false),
            (1024, 9, true),
            (1024, 1000, false),
            (1 << 20, 1000, true),
            (4096, 1024, false),
        ] {
            let descriptors = Descriptors { room, open };
            assert_eq!(descriptors.had_more(), had_more, "{descriptors:?}");
        }
        let own = descriptors(std::process::id()).unwrap();
        assert!(own.room >= own.open && own.open > 3, "{own:?}");
        assert_eq!(descriptors(u32::MAX), None);
    }

    #[test]
    fn memory_of_the_kernel_is_read_as_it_is_written() {
        let sockstat =
            "sockets: used 9\nTCP: inuse 5 orphan 0 tw 0 alloc 6 mem 3\nUDP: inuse 0 mem 7\n";
        assert_eq!(buffers(sockstat), Some(3 * rustix::param::page_size() as u64));
        let slabinfo = "slabinfo - version: 2.1\n# name <active>\n\
                        TCP 10 24 2368 13 8 : x\nfilp 5 5 192 21 1\n\
                        other 9 9 9 9\n";
        assert_eq!(objects(slabinfo), 23_680 + 960);
        assert!(Kernel::now().slab > 0);
    }
}
