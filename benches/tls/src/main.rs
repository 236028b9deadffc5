//! `cargo run --release --manifest-path benches/tls/Cargo.toml`: measures what TLS costs the
//! server, relative to a bare epoll program with rustls. This file knows the workloads and their
//! budgets; `measure` knows how a figure comes about.

mod cost;
mod measure;
mod memory;

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use measure::bench::{self, Bench};
use measure::certificate::Key;
use measure::contest::{Budget, Contest, Row};
use measure::contestants::ourselves;
use measure::crowd::{Seen, Size};
use measure::opening::BATCH;
use measure::options::numbers;
use measure::process::Process;
use measure::table::verdict;
use measure::workload::Workload;

const CONNECTIONS: usize = 200;
const SIZES: [usize; 3] = [20, 1 << 10, 16 << 10];

/// Idle connections at the end of the slope of memory.
const HELD: usize = 10_000;

/// Payload bytes of the echo that has a budget, and the budget.
const ECHO_BUDGET: (usize, f64) = (16 << 10, 1.15);

/// The budget for accept, full handshake and close, relative to the floor's cost.
const HANDSHAKE_BUDGET: f64 = 1.05;

/// The most milliseconds that 99 of 100 echoes take beside a crowd of ECDSA clients.
const ECHO_LATE: f64 = 20.0;

/// The most milliseconds until all ECDSA handshakes of a crowd are done.
const CROWD_LATE: f64 = 5000.0;

const HELP: &str = "\
Measures the server's CPU time for an echo over TLS 1.3, and for accept, full handshake (ECDSA
P-256) and close, divided by that of a bare epoll program that calls rustls in the same way. Then
the memory of an idle connection, a crowd of clients that arrive within a second beside plain
peers, and what each kind of handshake costs rustls alone.

usage: cargo run --release --manifest-path benches/tls/Cargo.toml -- [options]

With --quick only 16 KiB, the handshake, and the kinds of handshakes are measured.

  --only PART,..         parts: echo, handshake, memory, crowd, cost          [all]
  --connections N,..     open connections, each with one message on its way   [200]
  --size BYTES,..        payload of a message                                 [20,1024,16384]
  --held N               idle connections at the end of the slope of memory   [10000]
  --crowd N,N,N[,MS]     plain peers, echoes a second in all, and TLS clients [10000,1000,1000]
                         of a crowd, which arrive within a second or in MS;
                         another crowd than that has no budget
  --budget RATIO         the budget of every ratio, instead of the rows' own

--peers is no option here: the programs of benches/peers have no TLS.
";

/// The options.
#[derive(Default)]
struct TlsBench {
    only: Vec<Part>,
    connections: Vec<usize>,
    sizes: Vec<usize>,
    held: Option<usize>,
    crowd: Size,
    budget: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Echo,
    Handshake,
    Memory,
    Crowd,
    Cost,
}

impl Part {
    fn parse(list: &str) -> Result<Vec<Part>, String> {
        list.split(',')
            .map(|part| match part {
                "echo" => Ok(Part::Echo),
                "handshake" => Ok(Part::Handshake),
                "memory" => Ok(Part::Memory),
                "crowd" => Ok(Part::Crowd),
                "cost" => Ok(Part::Cost),
                _ => Err(format!("there is no part {part:?}")),
            })
            .collect()
    }
}

impl Bench for TlsBench {
    const NAME: &'static str = "tls";
    const HELP: &'static str = HELP;

    fn option(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        use lexopt::ValueExt as _;
        match name {
            "only" => self.only = parser.value()?.parse_with(Part::parse)?,
            "connections" => self.connections = parser.value()?.parse_with(numbers)?,
            "size" => self.sizes = parser.value()?.parse_with(numbers)?,
            "held" => self.held = Some(parser.value()?.parse()?),
            "crowd" => self.crowd = parser.value()?.parse_with(Size::parse)?,
            "budget" => self.budget = Some(parser.value()?.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn measure(&self, contest: &mut Contest) -> io::Result<()> {
        if self.measures(Part::Cost, contest) {
            cost::measure(contest)?;
        }
        if self.measures(Part::Crowd, contest) {
            for key in [Key::Ecdsa, Key::Rsa] {
                self.crowd(contest, key)?;
            }
        }
        if self.measures(Part::Memory, contest) {
            let end = Instant::now() + contest.share(4);
            memory::measure(contest, &self.handshake(), self.held.unwrap_or(HELD), end)?;
        }
        let mut rows = Vec::new();
        if self.measures(Part::Handshake, contest) {
            rows.push(self.handshake());
        }
        if self.measures(Part::Echo, contest) {
            rows.extend(self.echoes(contest.options.quick));
        }
        if !rows.is_empty() {
            contest.compare(&rows)?;
        }
        Ok(())
    }
}

impl TlsBench {
    /// Whether a part is asked for, or belongs to a run that names none.
    fn measures(&self, part: Part, contest: &Contest) -> bool {
        let is_quick = !matches!(part, Part::Crowd | Part::Memory);
        self.only.contains(&part) || self.only.is_empty() && (is_quick || !contest.options.quick)
    }

    fn handshake(&self) -> Row {
        Row {
            label: format!("accept, handshake, close, {BATCH} at a time"),
            workload: Workload::echo(1, 20, 1),
            load: "come-and-go",
            budget: Budget::of(self.budget.unwrap_or(HANDSHAKE_BUDGET)),
        }
    }

    fn echoes(&self, quick: bool) -> Vec<Row> {
        let default = if quick { vec![ECHO_BUDGET.0] } else { SIZES.to_vec() };
        let sizes = if self.sizes.is_empty() { default } else { self.sizes.clone() };
        let few = vec![CONNECTIONS];
        let connections = if self.connections.is_empty() { &few } else { &self.connections };
        let mut rows = Vec::new();
        for &size in &sizes {
            for &count in connections {
                let listed = (size == ECHO_BUDGET.0).then_some(ECHO_BUDGET.1);
                rows.push(Row {
                    label: format!("{}, {count} connections", bytes(size)),
                    workload: Workload::echo(count, size, 1),
                    load: "load",
                    budget: self.budget.or(listed).and_then(Budget::of),
                });
            }
        }
        rows
    }

    /// Serves a crowd, and prints how late its echoes and handshakes were.
    fn crowd(&self, contest: &mut Contest, key: Key) -> io::Result<()> {
        let Size { plain, echoes, clients, within } = self.crowd;
        let key_name = key.name();
        let label = format!("{plain} plain, {clients} clients in {within} ms, {key_name}");
        contest.table.at(&label, contest.end);
        let seen = match run_crowd(self.crowd, key, contest.cores) {
            Ok(seen) => seen,
            Err(error) => {
                contest.table.failure(&label, "ours", &error.to_string());
                contest.table.missed |= key == Key::Ecdsa;
                return Ok(());
            }
        };
        let judged = key == Key::Ecdsa && self.crowd == Size::default();
        let holds = seen.during[1] <= ECHO_LATE && seen.done <= CROWD_LATE;
        contest.table.missed |= judged && !holds;
        let [middle, late, latest] = seen.during;
        contest.table.print(&format!(
            "{label}\n  {echoes} echoes a second: 50 % within {middle:.2} ms, 99 % within \
             {late:.2}, all within {latest:.2} ({:.2}, {:.2} and {:.2} before)\n  \
             all handshakes done and requests answered in {:.0} ms  {}",
            seen.before[0],
            seen.before[1],
            seen.before[2],
            seen.done,
            if judged { verdict(holds, true) } else { "" }
        ));
        contest.table.keep(&serde_json::json!({ "crowd": label, "seen": seen }));
        Ok(())
    }
}

/// Starts a server and a crowd, and returns what the crowd has seen.
fn run_crowd(size: Size, key: Key, cores: (usize, usize)) -> io::Result<Seen> {
    let rsa: Vec<String> = (key == Key::Rsa).then(|| "--rsa".to_owned()).into_iter().collect();
    let mut server = Process::start(ourselves("serve-both", &rsa)?, cores.0)?;
    let addresses = server.read_line()?;
    let (plain, secure) = addresses.split_once(' ').ok_or(io::ErrorKind::InvalidData)?;
    let size = size.argument();
    let arguments = ["--plain", plain, "--server", secure, "--crowd", &size].map(str::to_owned);
    let mut crowd = Process::start(ourselves("crowd", &arguments)?, cores.1)?;
    crowd.write_line("1")?;
    serde_json::from_str(&crowd.read_line()?).map_err(io::Error::other)
}

fn bytes(size: usize) -> String {
    match size {
        _ if size.is_multiple_of(1 << 10) => format!("{} KiB", size >> 10),
        _ => format!("{size} B"),
    }
}

fn main() -> ExitCode {
    bench::main::<TlsBench>()
}
