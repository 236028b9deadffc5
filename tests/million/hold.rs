//! Records how long single calls hold the loop: the longest of each kind, in CPU time of the thread
//! and on the wall. This file does not know what is called.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// The longest that one call may hold the loop.
pub const LONGEST: Duration = Duration::from_millis(20);

/// The calls of one kind.
#[derive(Clone, Debug)]
pub struct Holds {
    pub name: &'static str,
    /// The calls that took more than [`LONGEST`].
    pub too_long: Vec<u64>,
    pub calls: u64,
    /// CPU time of the longest call: a neighbour on the core does not lengthen it.
    pub longest: Duration,
    /// The number of that call: a power of two points at growth.
    pub which: u64,
    /// The longest call from its beginning to its end.
    pub wall: Duration,
    /// CPU time of all calls.
    pub total: Duration,
}

impl Holds {
    pub fn new(name: &'static str) -> Holds {
        let none = Duration::ZERO;
        Holds {
            name,
            too_long: Vec::new(),
            calls: 0,
            longest: none,
            which: 0,
            wall: none,
            total: none,
        }
    }

    /// Keeps only the long calls that were long in another run too, give or take a thousandth of
    /// all. A hold of the server recurs at the same call; a stall of the machine does not.
    pub fn keep_recurring(&mut self, other: &[u64]) {
        let near = self.calls / 1_000;
        self.too_long.retain(|call| other.iter().any(|other| call.abs_diff(*other) <= near));
    }

    /// Appends other calls of the same kind.
    pub fn join(&mut self, later: &Holds) {
        if later.longest > self.longest {
            (self.longest, self.which) = (later.longest, self.calls + later.which);
        }
        self.too_long.extend(later.too_long.iter().map(|call| self.calls + call));
        self.wall = self.wall.max(later.wall);
        self.total += later.total;
        self.calls += later.calls;
    }

    /// Times one call.
    pub fn time<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let (started, cpu) = (Instant::now(), cpu_time());
        let result = call();
        let cpu = cpu_time().saturating_sub(cpu);
        self.calls += 1;
        if cpu > LONGEST {
            self.too_long.push(self.calls);
        }
        if cpu > self.longest {
            (self.longest, self.which) = (cpu, self.calls);
        }
        self.wall = self.wall.max(started.elapsed());
        self.total += cpu;
        result
    }
}

/// Formats a line of the table.
impl std::fmt::Display for Holds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let (longest, wall) = (millis(self.longest), millis(self.wall));
        let total = self.total.as_secs_f64();
        write!(
            f,
            "{:38} {longest:9.3} ms (call {:7}) {wall:9.3} ms {:9} calls {total:8.3} s",
            self.name, self.which, self.calls
        )
    }
}

/// CPU time of this thread so far.
fn cpu_time() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(tv_sec as u64, tv_nsec as u32)
}
