//! Alternation: servers under the same load in short turns, so that each round gives one ratio of their CPU times.
//! The speed of a shared machine changes within seconds; turns that follow each other at once share most of it. Where a
//! process's memory lies is settled for its whole life; so the processes are new ones every few rounds.

use std::io;
use std::time::{Duration, Instant};

use super::contestants::{Program, ourselves};
use super::process::Process;
use super::turns;
use super::workload::Workload;

/// Which contestant: the one that the others are compared with, and whose speed sets the length of a turn.
pub const FLOOR: usize = 0;

/// Fewer paired rounds than this are a look, not a verdict.
pub const ENOUGH: usize = 31;

/// Rounds between which the processes of all contestants are replaced: what one of them owes to chance goes with it.
const ROUNDS_A_PROCESS: usize = 5;

/// Turns that each contestant takes uncounted, of any one count.
const WARM_UP: usize = 3;

/// Segments that a connection sends in a turn at most, however little they cost.
const MOST_SEGMENTS: usize = 1 << 20;

/// One server with a load generator of its own, how both are started, and what the server has cost.
pub struct Contestant {
    pub program: Program,
    load: &'static str,
    workload: Workload,
    cores: (usize, usize),
    /// Its processes between [`start`](Contestant::start) and [`end`](Contestant::end), or why there will be none any more.
    running: io::Result<Option<Running>>,
    /// Nanoseconds of CPU time per unit of work, one figure for each round.
    pub costs: Vec<f64>,
}

struct Running {
    server: Process,
    load: Process,
}

impl Contestant {
    /// Nothing runs yet.
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

    /// Starts server and load generator, unless it has failed; what goes wrong is told by [`failure`](Contestant::failure).
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

    /// The CPU time spent on one turn, in nanoseconds; nothing any more once it has failed.
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
        // Its connections are open when it has done nothing.
        running.turn(0)?;
        Ok(running)
    }

    fn turn(&mut self, count: usize) -> io::Result<u64> {
        let before = self.server.cpu_time()?;
        self.load.tell(&count.to_string())?;
        self.load.hear()?;
        Ok(self.server.cpu_time()? - before)
    }
}

/// How many rounds there are, and how long they take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rounds: usize,
    pub turn: Duration,
    /// When to end with fewer rounds, though not with fewer than [`ENOUGH`].
    pub end: Instant,
}

/// Starts the contestants, runs rounds, and tells `progress` of each. `units` is the work of one segment on every connection.
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

/// Ends all processes and then starts new ones, those of another contestant first every time.
fn renew(contestants: &mut [Contestant], time: usize) {
    for contestant in &mut *contestants {
        contestant.end();
    }
    for contestant in turns::each(contestants.len(), time) {
        contestants[contestant].start();
    }
}

/// Warms all of them up, and finds how many segments a connection sends in a turn.
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

/// Turns that are not counted; how long the floor's fastest took. Whoever is warmed up first after a start pays for it as long as it lives
/// (1 MiB: a tenth), so each of them is that as often as it is started first.
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
