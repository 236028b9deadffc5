//! Alternation: two servers under the same load in short turns, one ratio of their CPU times per round.
//! The speed of a shared machine changes within seconds; two turns that follow each other at once share most of it.

use std::io;
use std::time::{Duration, Instant};

use super::process::Process;

/// Which server: the bare epoll program or the one it is compared with.
pub const FLOOR: usize = 0;
pub const CONTESTANT: usize = 1;

/// Fewer paired rounds than this are a look, not a verdict.
pub const ENOUGH: usize = 31;

/// Both servers, and the load generator that is connected to both.
pub struct Rounds {
    pub servers: [Process; 2],
    pub load: Process,
    /// Messages of one order `1` to the load generator.
    pub messages: usize,
}

/// What the rounds gave, all of the servers' CPU time.
pub struct Samples {
    /// Nanoseconds per message in each round, of [`FLOOR`] and [`CONTESTANT`].
    pub costs: [Vec<f64>; 2],
    /// The contestant's cost divided by the floor's, in each round.
    pub ratios: Vec<f64>,
    /// Messages of one turn.
    pub messages: usize,
}

impl Rounds {
    /// Runs `rounds` rounds after a warm-up, or as many as `time` allows, though not fewer than [`ENOUGH`]. A round is floor, contestant, contestant, floor (or the other way round,
    /// in every second round), each turn about `turn` long, so that a steady drift of the machine cancels out.
    pub fn run(&mut self, rounds: usize, turn: Duration, time: Duration) -> io::Result<Samples> {
        let count = self.calibrate(turn)?;
        let messages = count * self.messages;
        let mut samples = Samples { costs: [Vec::new(), Vec::new()], ratios: Vec::new(), messages };
        let start = Instant::now();
        for round in 0..rounds {
            if round >= ENOUGH && start.elapsed() > time {
                break;
            }
            let (first, second) = if round % 2 == 0 { (FLOOR, CONTESTANT) } else { (CONTESTANT, FLOOR) };
            let mut spent = [0; 2];
            for server in [first, second, second, first] {
                spent[server] += self.turn(server, count)?;
            }
            let costs = spent.map(|nanoseconds| nanoseconds as f64 / (2 * messages) as f64);
            samples.costs[FLOOR].push(costs[FLOOR]);
            samples.costs[CONTESTANT].push(costs[CONTESTANT]);
            samples.ratios.push(costs[CONTESTANT] / costs[FLOOR]);
        }
        Ok(samples)
    }

    /// Warms both servers up, and finds how many segments a connection sends in a turn.
    fn calibrate(&mut self, turn: Duration) -> io::Result<usize> {
        let mut count = 1;
        loop {
            let mut fastest = Duration::MAX;
            for _ in 0..3 {
                let start = Instant::now();
                self.turn(FLOOR, count)?;
                fastest = fastest.min(start.elapsed());
                self.turn(CONTESTANT, count)?;
            }
            if fastest * 2 > turn {
                let fitting = turn.as_secs_f64() / fastest.as_secs_f64() * count as f64;
                return Ok((fitting.round() as usize).max(1));
            }
            count *= 2;
        }
    }

    /// The CPU time that `server` spends on one turn, in nanoseconds.
    fn turn(&mut self, server: usize, count: usize) -> io::Result<u64> {
        let before = self.servers[server].cpu_time()?;
        self.load.tell(&format!("{server} {count}"))?;
        self.load.hear()?;
        Ok(self.servers[server].cpu_time()? - before)
    }
}
