//! `cargo bench --bench idle`: measures the memory of an idle connection, and the CPU time of a
//! connection that comes and goes. This file knows which processes' memory is read and when;
//! `measure` knows how a ratio comes about.

mod measure;

use std::fs;
use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;

use measure::bench::{self, Bench};
use measure::contest::{Budget, Contest, Row};
use measure::contestants::{Program, ourselves};
use measure::opening::BATCH;
use measure::options::numbers;
use measure::process::Process;
use measure::ratio::Figure;
use measure::table::verdict;
use measure::workload::Workload;

/// Connections at the start of the slope, when all the memory is there that a process needs anyway.
const FEW: usize = 1000;

/// Connections at the end of the slope, if the descriptor limit allows.
const MANY: [usize; 2] = [10_000, 19_000];

/// Descriptors that either process needs for other things.
const OTHERS: usize = 64;

/// The fewest and the most runs, each with new processes.
const RUNS: (usize, usize) = (3, 31);

/// Bytes that an idle connection may keep, in either role.
const MEMORY_BUDGET: f64 = 80.0;

/// The budget for accept, handshake and close, relative to the floor's cost.
const COMING_BUDGET: f64 = 1.05;

/// The options.
#[derive(Default)]
struct Idle {
    only: Option<Part>,
    many: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Memory,
    Coming,
}

impl Bench for Idle {
    const NAME: &'static str = "idle";

    const HELP: &'static str = "\
Measures the memory of an idle WebSocket in the server and in the client, and the server's CPU
time for a connection that comes and goes (accept, handshake, end of file, close), divided by that
of a bare epoll program.

usage: cargo bench --bench idle -- [options]

Memory is the slope of the resident bytes between 1,000 connections and 10,000, and 19,000 if the
descriptor limit allows. Every run has new processes. The budget holds if no run exceeds it; the
floor has none.

  --only memory|coming   one part only
  --connections N,..     ends of the slopes                                   [10000,19000]";

    fn option(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        use lexopt::ValueExt as _;
        match name {
            "only" => {
                self.only = Some(parser.value()?.parse_with(|part| match part {
                    "memory" => Ok(Part::Memory),
                    "coming" => Ok(Part::Coming),
                    _ => Err("it is memory or coming"),
                })?);
            }
            "connections" => self.many = parser.value()?.parse_with(numbers)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn measure(&self, contest: &mut Contest) -> io::Result<()> {
        let coming = Row {
            label: format!("come and go, {BATCH} at a time"),
            workload: Workload::echo(1, 20, 1),
            load: "come-and-go",
            budget: Budget::of(COMING_BUDGET),
        };
        if self.only != Some(Part::Coming) {
            let mut subjects: Vec<Subject> =
                contest.programs(&coming).into_iter().map(Subject::server).collect();
            subjects[1].budget = Some(MEMORY_BUDGET);
            subjects.insert(2, Subject::our_client());
            let end = Instant::now() + contest.share(if self.only.is_none() { 2 } else { 1 });
            self.memory(contest, &mut subjects, end)?;
        }
        if self.only != Some(Part::Memory) {
            contest.compare(&[coming])?;
        }
        Ok(())
    }
}

/// A process whose memory is measured.
struct Subject {
    name: String,
    /// The server. It is the measured process unless the library connects to it.
    program: Program,
    role: &'static str,
    budget: Option<f64>,
    /// Bytes per connection up to each mark, one figure for each run.
    slopes: Vec<Vec<f64>>,
    /// The number of marks, from the first, that no run has failed at.
    reach: usize,
    failure: Option<io::Error>,
}

/// A line of the table.
#[derive(Serialize)]
struct Memory {
    workload: String,
    server: String,
    bytes: Figure,
    runs: usize,
    budget: Option<f64>,
    verdict: &'static str,
}

impl Subject {
    fn server(program: Program) -> Subject {
        Subject {
            name: program.name.clone(),
            program,
            role: "hold",
            budget: None,
            slopes: Vec::new(),
            reach: 0,
            failure: None,
        }
    }

    fn our_client() -> Subject {
        let program = Program::role("ours, client role", "serve-floor");
        Subject { role: "hold-ours", budget: Some(MEMORY_BUDGET), ..Subject::server(program) }
    }

    /// Starts new processes and records the slope up to each mark.
    fn run(&mut self, marks: &[usize], cores: (usize, usize)) -> io::Result<()> {
        let (server, address) = self.program.start(&Workload::echo(1, 20, 1), cores.0)?;
        let mut holder = Process::start(
            ourselves(self.role, &["--server".to_owned(), address.to_string()])?,
            cores.1,
        )?;
        let mut before = 0;
        for (number, &connections) in [FEW].iter().chain(marks).enumerate() {
            holder.write_line(&connections.to_string())?;
            holder.read_line()?;
            let resident = resident(if self.role == "hold" { &server } else { &holder })?;
            match number.checked_sub(1) {
                None => before = resident,
                Some(mark) => {
                    let slope = (resident as f64 - before as f64) / (connections - FEW) as f64;
                    self.slopes[mark].push(slope);
                }
            }
        }
        Ok(())
    }
}

impl Idle {
    fn memory(
        &self,
        contest: &mut Contest,
        subjects: &mut [Subject],
        end: Instant,
    ) -> io::Result<()> {
        let marks = self.marks(contest)?;
        for subject in &mut *subjects {
            subject.slopes = vec![Vec::new(); marks.len()];
            subject.reach = marks.len();
        }
        let least = RUNS.0;
        for run in 0..RUNS.1 {
            if run >= least && Instant::now() > end {
                break;
            }
            for subject in subjects.iter_mut().filter(|subject| subject.reach > 0) {
                contest
                    .table
                    .at(&format!("memory, run {}: {}", run + 1, subject.name), contest.end);
                if let Err(error) = subject.run(&marks[..subject.reach], contest.cores) {
                    subject.reach =
                        subject.slopes.iter().position(|slopes| slopes.len() <= run).unwrap_or(0);
                    subject.failure = Some(error);
                }
            }
        }
        contest.table.print(&format!(
            "{:<40} {:<20} {:>10} {:>8} {:>8} {:>5} {:>7}",
            "", "process", "B", "min", "max", "runs", "budget"
        ));
        for (mark, connections) in marks.iter().enumerate() {
            let label = format!("memory, {FEW} to {connections} connections");
            for subject in &*subjects {
                report(contest, &label, subject, &subject.slopes[mark]);
            }
        }
        contest.table.print("");
        Ok(())
    }

    /// Returns the connections at which slopes end.
    fn marks(&self, contest: &Contest) -> io::Result<Vec<usize>> {
        let (limit, _) = rlimit::Resource::NOFILE.get()?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(OTHERS);
        let asked = if self.many.is_empty() { MANY.to_vec() } else { self.many.clone() };
        let mut marks: Vec<usize> =
            asked.iter().map(|&mark| mark.min(most)).filter(|&mark| mark > FEW).collect();
        marks.sort_unstable();
        marks.dedup();
        if marks.is_empty() {
            let reason = format!(
                "a slope ends above {FEW} connections; {limit} descriptors are allowed (ulimit -n)"
            );
            return Err(io::Error::new(ErrorKind::InvalidInput, reason));
        }
        if asked.iter().any(|&mark| mark > most) {
            contest.table.print(&format!(
                "only {limit} descriptors are allowed (ulimit -n): measured up to {most}"
            ));
        }
        Ok(marks)
    }
}

fn report(contest: &mut Contest, label: &str, subject: &Subject, slopes: &[f64]) {
    let Some(bytes) = Figure::of(slopes) else {
        let reason =
            subject.failure.as_ref().map_or("not measured".to_owned(), io::Error::to_string);
        contest.table.failure(label, &subject.name, &reason);
        contest.table.missed |= subject.budget.is_some();
        return;
    };
    let budget = subject.budget;
    let holds = budget.is_none_or(|budget| bytes.max <= budget);
    let line = Memory {
        workload: label.to_owned(),
        server: subject.name.clone(),
        bytes,
        runs: slopes.len(),
        budget,
        verdict: budget.map_or("", |_| verdict(holds, true)),
    };
    contest.table.missed |= !holds;
    contest.table.print(&format!(
        "{label:<40} {:<20.20} {:>10.1} {:>8.1} {:>8.1} {:>5} {:>7} {}",
        line.server,
        bytes.median,
        bytes.min,
        bytes.max,
        line.runs,
        budget.map_or(String::new(), |budget| format!("{budget:.0}")),
        line.verdict
    ));
    contest.table.keep(&line);
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

fn main() -> ExitCode {
    bench::main::<Idle>()
}
