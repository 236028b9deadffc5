//! Limits of descriptors and ports: raises those of this process, and reads those of others. This
//! file decides nothing.

use std::fs;

/// Descriptors that a worker needs for other things than connections.
pub const SPARE: u64 = 64;

/// Raises the soft limit of descriptors to the hard one or to `at_most`, and returns the limit.
pub fn raise_descriptors(at_most: u64) -> u64 {
    // On failure the old limit stays, and is returned.
    rlimit::increase_nofile_limit(at_most)
        .or_else(|_| rlimit::Resource::NOFILE.get().map(|(soft, _)| soft))
        .unwrap_or(1024)
}

/// The descriptors that another process may have open.
pub fn descriptors_of(pid: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The number of ephemeral ports of an address.
pub fn ephemeral_ports() -> u64 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = range.split_whitespace().filter_map(|port| port.parse::<u64>().ok());
    match (ends.next(), ends.next()) {
        (Some(first), Some(last)) if first < last => last - first + 1,
        _ => 28_232,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_this_process_are_read_back() {
        let raised = raise_descriptors(u64::MAX);
        assert_eq!(descriptors_of(std::process::id()), Some(raised));
        assert_eq!(descriptors_of(u32::MAX), None);
        assert!(ephemeral_ports() > 1);
    }
}
