//! Samples processes and kernel during a run: a series of moments that stays below some hundreds,
//! and exact figures on demand. This file does not know what happens in the run.

use crate::clock::{SECOND, nanoseconds};
use crate::cpu::{self, Cores};
use crate::growth::{Finding, Ramp};
use crate::memory::{self, Kernel};
use crate::outcome::{Cpu, Memory, Point};
use crate::sockets::{self, Places, Side};

/// The length at which every second moment of the series is dropped.
const MOMENTS: usize = 600;

pub struct Sampler {
    begun: u64,
    interval: u64,
    next: u64,
    servers: Vec<u32>,
    workers: Vec<u32>,
    pub points: Vec<Point>,
    /// The servers whose open connections are counted.
    watched: Option<(Places, Side)>,
}

/// Exact figures of one moment.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    pub held: u64,
    pub server: Option<u64>,
    client: Option<u64>,
    kernel: Kernel,
}

/// CPU time so far.
pub struct Times {
    at: u64,
    servers: Vec<Option<u64>>,
    workers: Vec<Option<u64>>,
    cores: Cores,
}

impl Sampler {
    pub fn new(servers: Vec<u32>, workers: Vec<u32>) -> Sampler {
        let begun = nanoseconds();
        Sampler {
            begun,
            interval: SECOND / 5,
            next: 0,
            servers,
            workers,
            points: Vec::new(),
            watched: None,
        }
    }

    /// Counts the open connections of these servers from now on.
    pub fn watch(&mut self, places: Places, side: Side) {
        self.watched = Some((places, side));
        self.next = 0;
    }

    /// Samples at once.
    pub fn look(&mut self, held: u64) {
        self.next = 0;
        self.tick(held);
    }

    fn seconds(&self) -> f64 {
        (nanoseconds() - self.begun) as f64 / SECOND as f64
    }

    /// Samples if the time for the next sample has come.
    pub fn tick(&mut self, held: u64) {
        let now = nanoseconds();
        if now < self.next {
            return;
        }
        let sum = |pids: &[u32]| pids.iter().filter_map(|&pid| memory::roughly(pid)).sum();
        let seen = self.watched.as_ref().map(|(places, side)| (sockets::look(places), *side));
        let kernel = Kernel::now();
        self.points.push(Point {
            seconds: self.seconds(),
            held,
            server_bytes: (!self.servers.is_empty()).then(|| sum(&self.servers)),
            client_bytes: sum(&self.workers),
            kernel_bytes: kernel.slab,
            buffer_bytes: kernel.buffers,
            server_held: seen.map(|(seen, side)| seen.at(side)),
            queued_bytes: seen.map(|(seen, _)| seen.queued),
        });
        if self.points.len() > MOMENTS {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.interval *= 2;
        }
        // Reading a long table takes long: the pause grows with it.
        let took = nanoseconds() - now;
        self.next = now + self.interval.max(4 * took);
    }

    pub fn snapshot(&self, held: u64) -> Snapshot {
        let sum = |pids: &[u32], of: fn(memory::Resident) -> u64| {
            let all: Option<u64> = pids.iter().map(|&pid| memory::exactly(pid).map(of)).sum();
            all.filter(|_| !pids.is_empty())
        };
        Snapshot {
            held,
            server: sum(&self.servers, |resident| resident.all),
            client: sum(&self.workers, |resident| resident.own),
            kernel: Kernel::now(),
        }
    }

    pub fn times(&self) -> Times {
        let times = |pids: &[u32]| pids.iter().map(|&pid| cpu::time_of(pid)).collect();
        Times {
            at: nanoseconds(),
            servers: times(&self.servers),
            workers: times(&self.workers),
            cores: Cores::now(),
        }
    }

    /// CPU time since `before`, in shares of one core.
    pub fn cpu_since(&self, before: &Times, phase: &str) -> Cpu {
        let now = self.times();
        let elapsed = (now.at - before.at).max(1) as f64;
        let shares = |before: &[Option<u64>], now: &[Option<u64>]| -> Vec<f64> {
            let both = before
                .iter()
                .zip(now)
                .filter_map(|(before, now)| Some((before.as_ref()?, now.as_ref()?)));
            both.map(|(before, now)| now.saturating_sub(*before) as f64 / elapsed).collect()
        };
        let (client, server) =
            (shares(&before.workers, &now.workers), shares(&before.servers, &now.servers));
        let busiest = |shares: &[f64]| shares.iter().copied().fold(0.0, f64::max);
        Cpu {
            phase: phase.to_owned(),
            seconds: elapsed / SECOND as f64,
            // The sum of no numbers is -0.0.
            client: client.iter().sum::<f64>().abs(),
            busiest_client: busiest(&client),
            server: (!server.is_empty()).then(|| server.iter().sum()),
            busiest_server: (!server.is_empty()).then(|| busiest(&server)),
            machine: now.cores.share_since(before.cores),
        }
    }
}

/// The processes that share the connections of a run.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    pub servers: u64,
    pub workers: u64,
    /// Whether the kernel's figures are those of both ends.
    pub both_ends: bool,
}

/// The cost of each connection: the increase between two moments, divided by the new connections.
/// `none` is the moment before the first connection.
pub fn memory_between(
    none: &Snapshot,
    few: &Snapshot,
    many: &Snapshot,
    shares: Shares,
) -> Vec<Memory> {
    let of = |owner: &str, source: &str, processes, at: &dyn Fn(&Snapshot) -> Option<u64>| {
        let (before, after) = (at(few), at(many));
        let added = many.held.saturating_sub(few.held);
        let may_be_flat = source == BUFFERS;
        // Other programs free the kernel's memory too, and workers that of their start.
        let baseline = at(none).filter(|_| owner == "server");
        let ramp = Ramp { baseline, before, after, added, processes, may_be_flat };
        let finding = ramp.finding();
        Memory {
            owner: owner.to_owned(),
            source: source.to_owned(),
            per_connection: ramp.slope().filter(|_| finding == Finding::Measured),
            slope: ramp.slope(),
            finding,
            ramp: (few.held, many.held),
            baseline: at(none),
            before,
            total: after,
            is_part: false,
        }
    };
    let ends = if shares.both_ends { "both ends" } else { "this end" };
    let kernel = |source: &str, at: &dyn Fn(&Kernel) -> Option<u64>| {
        let row = of("kernel", source, 1, &|snapshot| at(&snapshot.kernel));
        Memory { source: format!("{source}, {ends}"), ..row }
    };
    let sockets = "sockets' own objects, /proc/slabinfo";
    let (servers, workers) = (shares.servers, shares.workers);
    vec![
        of("server", "RSS, smaps_rollup", servers, &|snapshot| snapshot.server),
        kernel("Slab, /proc/meminfo", &|kernel| Some(kernel.slab)),
        kernel(BUFFERS, &|kernel| Some(kernel.buffers)),
        Memory { is_part: true, ..kernel(sockets, &|kernel| kernel.sockets) },
        of("client", "Private_Dirty, smaps_rollup", workers, &|snapshot| snapshot.client),
    ]
}

/// The source that shows nothing of idle connections, which need no buffers.
pub const BUFFERS: &str = "TCP buffers, /proc/net/sockstat";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampler_keeps_the_whole_line_in_bounded_room() {
        let mut sampler = Sampler::new(vec![], vec![std::process::id()]);
        for held in 0..1_300 {
            sampler.next = 0;
            sampler.tick(held);
        }
        assert!(sampler.points.len() <= MOMENTS + 1, "{}", sampler.points.len());
        assert_eq!(sampler.points[0].held, 0);
        assert!(sampler.points.last().unwrap().held > 1_290);
        assert!(
            sampler
                .points
                .iter()
                .all(|point| point.client_bytes > 0 && point.server_bytes.is_none())
        );
    }

    #[test]
    fn memory_is_what_was_added_for_each_that_was_added() {
        let kernel = |slab| Kernel { slab, buffers: 0, sockets: None };
        let few = Snapshot { held: 100, server: Some(50_000), client: None, kernel: kernel(9) };
        let many = Snapshot {
            held: 1100,
            server: Some(130_000),
            client: Some(7),
            kernel: kernel(4_000_009),
        };
        let none = Snapshot { held: 0, server: Some(40_000), ..few };
        let shares = Shares { servers: 1, workers: 1, both_ends: true };
        let rows = memory_between(&none, &few, &many, shares);
        let by = |index: usize| rows[index].per_connection;
        assert_eq!((by(0), by(1), by(3), by(4)), (Some(80.0), Some(4000.0), None, None));
        assert_eq!(by(2), Some(0.0), "idle connections need no buffers");
        let server = &rows[0];
        assert_eq!(
            (server.baseline, server.before, server.total, server.ramp),
            (Some(40_000), Some(50_000), Some(130_000), (100, 1100))
        );
        let nothing = memory_between(&none, &few, &few, shares);
        assert_eq!(nothing[0].per_connection, None);
        let more = Snapshot { held: 2100, server: Some(110_000), ..many };
        let fell = &memory_between(&none, &many, &more, shares)[0];
        assert_eq!((fell.per_connection, fell.slope), (None, Some(-20.0)));
        assert_eq!(fell.finding, Finding::Fell);
    }
}
