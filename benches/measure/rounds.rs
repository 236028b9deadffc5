//! Alternates servers under one load in short turns, so that each round gives one ratio of CPU
//! times.
//!
//! The speed of a shared machine changes within seconds; turns in direct succession share most of
//! it. The placement of a process's memory lasts as long as the process, so new processes replace
//! all others every few rounds.

use std::io;
use std::time::{Duration, Instant};

use super::contestants::{Program, ourselves};
use super::process::Process;
use super::turns;
use super::workload::Workload;

/// The index of the floor, which is the divisor of all ratios and sets the length of a turn.
pub const FLOOR: usize = 0;

/// The fewest paired rounds that allow a verdict.
pub const ENOUGH: usize = 31;

/// Rounds between two replacements of all processes, which limit the luck of each process.
const ROUNDS_A_PROCESS: usize = 5;

/// Uncounted turns that each contestant takes to warm up, for each count tried.
const WARM_UP: usize = 3;

/// The most segments that a connection sends in a turn, however little they cost.
const MOST_SEGMENTS: usize = 1 << 20;

/// One server with its load generator, how both are started, and what the server has cost.
pub struct Contestant {
    pub program: Program,
    load: &'static str,
    workload: Workload,
    cores: (usize, usize),
    /// The processes between [`start`](Contestant::start) and [`end`](Contestant::end), or the
    /// reason why no more will start.
    running: io::Result<Option<Running>>,
    /// Nanoseconds of CPU time per unit of work, one figure for each round.
    pub costs: Vec<f64>,
}

struct Running {
    server: Process,
    load: Process,
}

impl Contestant {
    /// Makes a contestant whose processes do not run yet.
    pub fn new(
        program: Program,
        load: &'static str,
        workload: Workload,
        cores: (usize, usize),
    ) -> Contestant {
        Contestant { program, load, workload, cores, running: Ok(None), costs: Vec::new() }
    }

    pub fn failure(&self) -> Option<&io::Error> {
        self.running.as_ref().err()
    }

    /// Starts server and load generator, unless the contestant has failed.
    /// [`failure`](Contestant::failure) returns what went wrong.
    fn start(&mut self) {
        if self.running.is_ok() {
            self.running =
                Running::start(&self.program, self.load, &self.workload, self.cores).map(Some);
        }
    }

    fn end(&mut self) {
        if let Ok(running) = &mut self.running {
            *running = None;
        }
    }

    /// Takes one turn and returns its CPU time in nanoseconds; 0 once the contestant has failed.
    fn turn(&mut self, count: usize) -> u64 {
        let Ok(Some(running)) = &mut self.running else { return 0 };
        match running.turn(count) {
            Ok(nanoseconds) => nanoseconds,
            Err(error) => {
                self.running = Err(error);
                0
            }
        }
    }
}

impl Running {
    fn start(
        program: &Program,
        load: &str,
        workload: &Workload,
        cores: (usize, usize),
    ) -> io::Result<Running> {
        let (server, address) = program.start(workload, cores.0)?;
        let mut arguments = workload.arguments();
        arguments.extend(["--server".to_owned(), address.to_string()]);
        let mut running =
            Running { server, load: Process::start(ourselves(load, &arguments)?, cores.1)? };
        // A first order of no work ends when the connections are open.
        running.turn(0)?;
        Ok(running)
    }

    fn turn(&mut self, count: usize) -> io::Result<u64> {
        let before = self.server.cpu_time()?;
        self.load.write_line(&count.to_string())?;
        self.load.read_line()?;
        Ok(self.server.cpu_time()? - before)
    }
}

/// The number of rounds, and their time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rounds: usize,
    pub turn: Duration,
    /// The time at which to end with fewer rounds, but not with fewer than [`ENOUGH`].
    pub end: Instant,
}

/// Starts the contestants and runs rounds; calls `progress` with each. `units` is the work of one
/// segment on every connection.
pub fn run(
    contestants: &mut [Contestant],
    units: usize,
    limits: &Limits,
    mut progress: impl FnMut(usize),
) -> io::Result<()> {
    renew(contestants, 0);
    let count = calibrate(contestants, limits.turn);
    for round in 0..limits.rounds {
        if round >= ENOUGH && Instant::now() > limits.end {
            break;
        }
        progress(round);
        if round > 0 && round.is_multiple_of(ROUNDS_A_PROCESS) {
            renew(contestants, round / ROUNDS_A_PROCESS);
            warm_up(contestants, round / ROUNDS_A_PROCESS, count);
        }
        let mut spent = vec![0; contestants.len()];
        for contestant in turns::order(contestants.len(), round) {
            spent[contestant] += contestants[contestant].turn(count);
        }
        if let Err(error) = &contestants[FLOOR].running {
            return Err(io::Error::new(error.kind(), format!("the bare epoll program: {error}")));
        }
        for (contestant, nanoseconds) in contestants.iter_mut().zip(spent) {
            contestant.costs.push(nanoseconds as f64 / (2 * count * units) as f64);
        }
    }
    Ok(())
}

/// Ends all processes and starts new ones, each time with another contestant first.
fn renew(contestants: &mut [Contestant], time: usize) {
    for contestant in &mut *contestants {
        contestant.end();
    }
    for contestant in turns::each(contestants.len(), time) {
        contestants[contestant].start();
    }
}

/// Warms all contestants up, and finds how many segments a connection sends in a turn.
fn calibrate(contestants: &mut [Contestant], turn: Duration) -> usize {
    let mut count = 1;
    loop {
        let fastest = warm_up(contestants, 0, count);
        if fastest * 2 > turn || count >= MOST_SEGMENTS || contestants[FLOOR].failure().is_some() {
            let fitting = turn.as_secs_f64() / fastest.as_secs_f64() * count as f64;
            return (fitting.round() as usize).clamp(1, MOST_SEGMENTS);
        }
        count *= 2;
    }
}

/// Takes uncounted turns, and returns the time of the floor's fastest. The first contestant to warm
/// up after a start pays for it as long as its processes live (1 MiB: a tenth), so each contestant
/// is first equally often.
fn warm_up(contestants: &mut [Contestant], time: usize, count: usize) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..WARM_UP {
        for contestant in turns::each(contestants.len(), time / contestants.len()) {
            let start = Instant::now();
            contestants[contestant].turn(count);
            if contestant == FLOOR {
                fastest = fastest.min(start.elapsed());
            }
        }
    }
    fastest
}
