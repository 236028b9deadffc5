//! CPU time of processes, and the load of all cores. This file judges nothing.

use std::fs;

/// Reads the CPU time of all threads of a process so far, in nanoseconds.
pub fn time_of(pid: u32) -> Option<u64> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread may end meanwhile.
        let statistics = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        nanoseconds += statistics
            .split_whitespace()
            .next()
            .and_then(|time| time.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Some(nanoseconds)
}

/// Time of all cores together, in the kernel's own units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cores {
    pub busy: u64,
    pub idle: u64,
}

impl Cores {
    pub fn now() -> Cores {
        Cores::read(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// Parses `cpu  user nice system idle iowait irq softirq steal ..`
    fn read(stat: &str) -> Cores {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
        let times: Vec<u64> =
            line.split_whitespace().take(8).filter_map(|time| time.parse().ok()).collect();
        let idle = times.iter().skip(3).take(2).sum();
        Cores { busy: times.iter().sum::<u64>() - idle, idle }
    }

    /// The share of the time since `before` in which cores were busy.
    pub fn share_since(self, before: Cores) -> f64 {
        let (busy, idle) =
            (self.busy.saturating_sub(before.busy), self.idle.saturating_sub(before.idle));
        if busy + idle == 0 { 0.0 } else { busy as f64 / (busy + idle) as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_this_process_passes_with_its_work() {
        let before = time_of(std::process::id()).unwrap();
        let mut sum = 0u64;
        while time_of(std::process::id()).unwrap() <= before {
            sum = sum.wrapping_add((0..100_000).sum());
        }
        assert_eq!(time_of(u32::MAX), None, "{sum}");
    }

    #[test]
    fn cores_are_busy_but_when_idle_or_waiting() {
        let first = Cores::read("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1 2 3\n");
        assert_eq!(first, Cores { busy: 20, idle: 80 });
        let then = Cores::read("cpu  40 0 40 80 20 5 5 0 9 9\n");
        assert_eq!(then.share_since(first), 70.0 / 90.0);
        assert_eq!(then.share_since(then), 0.0);
    }
}
