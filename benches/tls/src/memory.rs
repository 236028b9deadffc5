//! The memory of an idle WebSocket over TLS in the server: a slope between two numbers of
//! connections. This file does not know what a server keeps.

use std::fs;
use std::io::{self, ErrorKind};
use std::time::Instant;

use serde::Serialize;

use crate::measure::contest::{Contest, Row};
use crate::measure::contestants::{Program, ourselves};
use crate::measure::process::Process;
use crate::measure::ratio::Figure;

/// The part of the connections at which the slope starts, when all the memory is there that a
/// process needs anyway.
const FEW: usize = 10;

/// Descriptors that either process needs for other things.
const OTHERS: u64 = 64;

/// The fewest and the most runs, each with new processes.
const RUNS: (usize, usize) = (3, 11);

/// A line of the table.
#[derive(Serialize)]
struct Memory {
    workload: String,
    server: String,
    bytes: Figure,
    runs: usize,
}

/// Measures the memory of floor and library, and prints both. There is no budget: an allocator
/// counts the library's own bytes in a test, and rustls' share depends on its version.
///
/// # Errors
/// When the descriptor limit allows fewer connections than `many`, or a process fails.
pub fn measure(contest: &mut Contest, row: &Row, many: usize, end: Instant) -> io::Result<()> {
    let (limit, _) = rlimit::Resource::NOFILE.get()?;
    if many < FEW || many as u64 + OTHERS > limit {
        let reason = format!(
            "--held {many}: at least {FEW} are needed, and {limit} descriptors are allowed \
             (ulimit -n)"
        );
        return Err(io::Error::new(ErrorKind::InvalidInput, reason));
    }
    let programs = contest.programs(row);
    let mut slopes = vec![Vec::new(); programs.len()];
    for run in 0..RUNS.1.min(contest.options.rounds.max(1)) {
        if run >= RUNS.0 && Instant::now() > end {
            break;
        }
        for (program, slopes) in programs.iter().zip(&mut slopes) {
            let doing = format!("memory, run {}: {}", run + 1, program.name);
            contest.table.at(&doing, contest.end);
            slopes.push(slope(program, row, contest.cores, many)?);
        }
    }
    contest.table.print(&format!(
        "{:<40} {:<20} {:>10} {:>8} {:>8} {:>5}",
        "", "process", "B", "min", "max", "runs"
    ));
    for (program, slopes) in programs.iter().zip(&slopes) {
        let Some(bytes) = Figure::of(slopes) else { continue };
        let line = Memory {
            workload: format!("memory, {} to {many} connections", many / FEW),
            server: program.name.clone(),
            bytes,
            runs: slopes.len(),
        };
        contest.table.print(&format!(
            "{:<40} {:<20.20} {:>10.1} {:>8.1} {:>8.1} {:>5}",
            line.workload, line.server, bytes.median, bytes.min, bytes.max, line.runs
        ));
        contest.table.keep(&line);
    }
    contest.table.print("");
    Ok(())
}

/// Starts a server, and returns how many bytes it keeps for each connection.
fn slope(program: &Program, row: &Row, cores: (usize, usize), many: usize) -> io::Result<f64> {
    let (server, address) = program.start(&row.workload, cores.0)?;
    let arguments = ["--server".to_owned(), address.to_string()];
    let mut holder = Process::start(ourselves("hold", &arguments)?, cores.1)?;
    let mut bytes = [0; 2];
    for (bytes, count) in bytes.iter_mut().zip([many / FEW, many]) {
        holder.write_line(&count.to_string())?;
        holder.read_line()?;
        *bytes = resident(&server)?;
    }
    Ok((bytes[1] as f64 - bytes[0] as f64) / (many - many / FEW) as f64)
}

/// Reads the resident bytes of a sleeping process, counted page by page (`VmRSS` is approximate).
fn resident(process: &Process) -> io::Result<u64> {
    process.cpu_time()?;
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.id()))?;
    let kilobytes = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kilobytes.ok_or(ErrorKind::InvalidData)? << 10)
}
