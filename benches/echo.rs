//! `cargo bench --bench echo`: measures what an echo costs the server, relative to a bare epoll
//! program. This file knows the workloads and their budgets; `measure` knows how a figure comes
//! about.

mod measure;

use std::io;
use std::process::ExitCode;

use measure::bench::{self, Bench};
use measure::contest::{Budget, Contest, Row};
use measure::options::numbers;
use measure::workload::Workload;

const CONNECTIONS: [usize; 3] = [10, 200, 5000];
const SIZES: [usize; 4] = [20, 1 << 10, 16 << 10, 1 << 20];
const FRAMES: [usize; 3] = [1, 16, 64];

/// The number of connections that have a large message on its way. Above this, a run would measure
/// the kernel's memory.
const FEW: usize = 20;

/// Bytes on their way over one connection in a default row. Above this, more frames a segment only
/// cause more reads.
const SEGMENT: usize = 128 << 10;

/// From this size on, the load generator polls. A sleeping one is woken several times for each
/// message, and the server's CPU time pays for that: some 100 us a message if the load generator is
/// the faster side, nothing otherwise.
const LARGE: usize = 128 << 10;

/// Bytes on their way over all connections in a default row: the kernel holds them several times.
const ALL_SEGMENTS: usize = 128 << 20;

/// Connections, size, frames, and the budget.
const BUDGETS: [(usize, usize, usize, f64); 5] = [
    (200, 20, 1, 1.02),
    (5000, 20, 1, 1.03),
    (200, 20, 64, 1.10),
    (200, 16 << 10, 1, 1.10),
    (20, 1 << 20, 1, 1.20),
];

/// The options; without any, the default rows are measured.
#[derive(Default)]
struct Echo {
    connections: Vec<usize>,
    sizes: Vec<usize>,
    frames: Vec<usize>,
    binary: bool,
    woken: bool,
    budget: Option<f64>,
}

impl Bench for Echo {
    const NAME: &'static str = "echo";

    const HELP: &'static str = "\
Measures the server's CPU time for an echo, divided by that of a bare epoll program.

usage: cargo bench --bench echo -- [options]

The rows are 20 B, 1 KiB and 16 KiB over 10, 200 and 5,000 connections with 1, 16 and 64 frames a
segment (segments below 128 KiB, together below 128 MiB), and 1 MiB over 10, 20, 200 and 5,000
connections. Of messages of 128 KiB and more at most 20 are on their way: the other connections
are silent. With --quick only rows with a budget are measured; with any of the first three
options, all combinations they name.

  --connections N,..     open connections, each with one segment on its way   [200]
  --size BYTES,..        payload of a message                                 [20]
  --frames N,..          messages in a segment                                [1]
  --binary               binary messages instead of text
  --woken                load generators of large messages are woken for each
                         piece of an echo as well, instead of polling
  --budget RATIO         the budget of every ratio, instead of the rows' own";

    fn option(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        use lexopt::ValueExt as _;
        match name {
            "connections" => self.connections = parser.value()?.parse_with(numbers)?,
            "size" => self.sizes = parser.value()?.parse_with(numbers)?,
            "frames" => self.frames = parser.value()?.parse_with(numbers)?,
            "binary" => self.binary = true,
            "woken" => self.woken = true,
            "budget" => self.budget = Some(parser.value()?.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn measure(&self, contest: &mut Contest) -> io::Result<()> {
        let rows: Vec<Row> =
            self.workloads(contest.options.quick).into_iter().map(|row| self.row(row)).collect();
        contest.compare(&rows)
    }
}

impl Echo {
    fn workloads(&self, quick: bool) -> Vec<Workload> {
        if !(self.connections.is_empty() && self.sizes.is_empty() && self.frames.is_empty()) {
            let or = |asked: &Vec<usize>, default| {
                if asked.is_empty() { vec![default] } else { asked.clone() }
            };
            return combine(
                &or(&self.sizes, 20),
                &or(&self.connections, 200),
                &or(&self.frames, 1),
            );
        }
        if quick {
            return BUDGETS
                .map(|(connections, size, frames, _)| Workload::echo(connections, size, frames))
                .into();
        }
        let (small, [large]) = SIZES.split_last_chunk().unwrap_or((&SIZES, &[1 << 20]));
        let mut workloads = combine(small, &CONNECTIONS, &FRAMES);
        workloads.retain(|workload| {
            let segment = workload.request_len() * workload.frames;
            segment <= SEGMENT && segment * workload.connections <= ALL_SEGMENTS
        });
        workloads.extend(combine(&[*large], &[10, FEW, 200, 5000], &[1]));
        workloads
    }

    fn row(&self, workload: Workload) -> Row {
        let Workload { connections, size, frames, .. } = workload;
        let listed =
            BUDGETS.iter().find(|row| (row.0, row.1, row.2) == (connections, size, frames));
        let senders = if size >= LARGE { connections.min(FEW) } else { connections };
        let mut label = format!("{}, {connections} connections", bytes(size));
        if senders < connections {
            label += &format!(", {senders} send");
        }
        if frames > 1 {
            label += &format!(", {frames} a segment");
        }
        if self.binary {
            label += ", binary";
        }
        if self.woken {
            label += ", woken";
        }
        Row {
            label,
            workload: Workload {
                senders,
                binary: self.binary,
                polled: size >= LARGE && !self.woken,
                ..workload
            },
            load: "load",
            budget: self.budget.or(listed.map(|row| row.3)).and_then(Budget::of),
        }
    }
}

/// All combinations of the given sizes, connections and frames.
fn combine(sizes: &[usize], connections: &[usize], frames: &[usize]) -> Vec<Workload> {
    let mut workloads = Vec::new();
    for &size in sizes {
        for &connections in connections {
            workloads
                .extend(frames.iter().map(|&frames| Workload::echo(connections, size, frames)));
        }
    }
    workloads
}

fn bytes(size: usize) -> String {
    match size {
        _ if size.is_multiple_of(1 << 20) => format!("{} MiB", size >> 20),
        _ if size.is_multiple_of(1 << 10) => format!("{} KiB", size >> 10),
        _ => format!("{size} B"),
    }
}

fn main() -> ExitCode {
    bench::main::<Echo>()
}
