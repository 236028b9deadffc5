//! Alternation: servers under the same load in short turns, so that each round gives one ratio of their CPU times.
//! The speed of a shared machine changes within seconds; turns that follow each other at once share most of it.

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

/// Segments that a connection sends in a turn at most, however little they cost.
const MOST_SEGMENTS: usize = 1 << 20;

/// One server with a load generator of its own, and what it has cost.
pub struct Contestant {
    pub name: String,
    running: io::Result<Running>,
    /// Nanoseconds of CPU time per unit of work, one figure for each round.
    pub costs: Vec<f64>,
}

struct Running {
    server: Process,
    load: Process,
}

impl Contestant {
    /// Starts server and load generator; what goes wrong is told by [`failure`](Contestant::failure).
    pub fn start(program: &Program, load: &str, workload: &Workload, cores: (usize, usize)) -> Contestant {
        let running = Running::start(program, load, workload, cores);
        Contestant { name: program.name.clone(), running, costs: Vec::new() }
    }

    pub fn failure(&self) -> Option<&io::Error> {
        self.running.as_ref().err()
    }

    /// The CPU time spent on one turn, in nanoseconds; nothing any more once it has failed.
    fn turn(&mut self, count: usize) -> u64 {
        let Ok(running) = &mut self.running else { return 0 };
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
    fn start(program: &Program, load: &str, workload: &Workload, cores: (usize, usize)) -> io::Result<Running> {
        let (server, address) = program.start(workload, cores.0)?;
        let mut arguments = workload.arguments();
        arguments.extend(["--server".to_owned(), address.to_string()]);
        let mut running = Running { server, load: Process::start(ourselves(load, &arguments)?, cores.1)? };
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

/// Runs rounds after a warm-up, and tells `progress` of each. `units` is the work of one segment on every connection.
pub fn run(
    contestants: &mut [Contestant],
    units: usize,
    limits: &Limits,
    mut progress: impl FnMut(usize),
) -> io::Result<()> {
    let count = calibrate(contestants, limits.turn);
    for round in 0..limits.rounds {
        if round >= ENOUGH && Instant::now() > limits.end {
            break;
        }
        progress(round);
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

/// Warms all of them up, and finds how many segments a connection sends in a turn.
fn calibrate(contestants: &mut [Contestant], turn: Duration) -> usize {
    let mut count = 1;
    loop {
        let mut fastest = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            contestants[FLOOR].turn(count);
            fastest = fastest.min(start.elapsed());
            for contestant in &mut contestants[FLOOR + 1..] {
                contestant.turn(count);
            }
        }
        if fastest * 2 > turn || count >= MOST_SEGMENTS || contestants[FLOOR].failure().is_some() {
            let fitting = turn.as_secs_f64() / fastest.as_secs_f64() * count as f64;
            return (fitting.round() as usize).clamp(1, MOST_SEGMENTS);
        }
        count *= 2;
    }
}
