//! Runs a bench: for each row of the table the contestants take turns, and a line reports each
//! ratio. This file knows rows, budgets and contestants; the bench knows what a row means.

use std::io;
use std::time::{Duration, Instant};

use super::contestants::{Peers, Program};
use super::options::Options;
use super::process;
use super::ratio::Figure;
use super::roles;
use super::rounds::{self, Contestant, ENOUGH, FLOOR, Limits};
use super::table::{Comparison, Table, verdict};
use super::workload::Workload;

/// The factor by which turns are longer for large messages: 20 messages of 1 MiB take 6 ms, so each
/// connection sends 16 in 100 ms.
const LONGER: u32 = 5;

/// One workload, under which every contestant is measured.
pub struct Row {
    pub label: String,
    pub workload: Workload,
    /// The role that makes the load.
    pub load: &'static str,
    pub budget: Option<Budget>,
}

/// An upper bound for the library's ratio.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub ratio: f64,
    /// The contestant whose cost is the divisor: a server of `benches/peers`, or the floor.
    pub against: Option<&'static str>,
}

impl Budget {
    pub fn of(ratio: f64) -> Option<Budget> {
        Some(Budget { ratio, against: None })
    }
}

/// The state of a bench: options, table, cores, deadline and contestants.
pub struct Contest {
    pub options: Options,
    pub table: Table,
    /// The core of the servers, and the core of the load generators.
    pub cores: (usize, usize),
    /// The time at which the bench should end.
    pub end: Instant,
    /// All servers of benches/peers, with `--peers`.
    peers: Vec<Program>,
    /// Without `--peers`, the server of benches/peers that a budget is relative to.
    rival: Option<Program>,
}

impl Contest {
    pub fn new(options: Options) -> io::Result<Contest> {
        let cores = process::cores()?;
        let peers = if options.peers { Peers::build()?.all()? } else { Vec::new() };
        println!("servers on core {}, load on core {}", cores.0, cores.1);
        if cores.0 == cores.1 {
            println!("only one core is allowed: servers and load share it");
        }
        let end = Instant::now() + options.time;
        Ok(Contest { options, table: Table::new(), cores, end, peers, rival: None })
    }

    /// Returns the time for one of `parts` equal parts of what is left.
    pub fn share(&self, parts: usize) -> Duration {
        self.end.saturating_duration_since(Instant::now())
            / u32::try_from(parts.max(1)).unwrap_or(u32::MAX)
    }

    /// Measures every row within the time that is left.
    pub fn compare(&mut self, rows: &[Row]) -> io::Result<()> {
        let rival = rows.iter().find_map(|row| row.budget?.against);
        if let Some(rival) =
            rival.filter(|rival| !self.peers.iter().any(|peer| peer.name == *rival))
        {
            let start = Instant::now();
            let built = Peers::build()?;
            self.rival = Some(built.named(rival));
            self.end += start.elapsed();
        }
        self.table.heading();
        for (number, row) in rows.iter().enumerate() {
            let end = Instant::now() + self.share(rows.len() - number);
            let doing = format!("row {} of {}: {}", number + 1, rows.len(), row.label);
            self.table.at(&doing, self.end);
            let mut contestants: Vec<Contestant> = self
                .programs(row)
                .into_iter()
                .map(|program| Contestant::new(program, row.load, row.workload, self.cores))
                .collect();
            let limits = Limits { rounds: self.options.rounds, turn: self.turn(row), end };
            let told = |round| self.table.at(&format!("{doing}, round {}", round + 1), self.end);
            rounds::run(&mut contestants, roles::units(row.load, &row.workload), &limits, told)?;
            self.report(row, &contestants);
        }
        Ok(())
    }

    /// Returns the length of a turn. With large messages a turn of the usual length would consist
    /// of little but the first messages and the last.
    fn turn(&self, row: &Row) -> Duration {
        let turn = self.options.turn;
        if row.workload.polled { turn * LONGER } else { turn }
    }

    /// Lists the contestants: the floor, the library, the programs asked for, and the rival of the
    /// budget. For a room they serve as rooms.
    pub fn programs(&self, row: &Row) -> Vec<Program> {
        let ours = match self.options.against_itself {
            true => Program::role("floor 2", "serve-floor"),
            false => Program::role("ours", "serve-ours"),
        };
        let mut programs = vec![Program::role("floor", "serve-floor"), ours];
        programs.extend(self.options.against.iter().cloned());
        let rival =
            self.rival.iter().filter(|_| row.budget.is_some_and(|budget| budget.against.is_some()));
        programs.extend(self.peers.iter().chain(rival).map(|peer| match row.workload.room {
            true => peer.clone().with("--room"),
            false => peer.clone(),
        }));
        programs
    }

    /// Prints a line for each contestant, and one more if the budget is relative to a rival.
    fn report(&mut self, row: &Row, contestants: &[Contestant]) {
        let (floor, ours) = (&contestants[FLOOR], &contestants[FLOOR + 1]);
        for contestant in &contestants[FLOOR + 1..] {
            let budget = row
                .budget
                .filter(|budget| std::ptr::eq(contestant, ours) && budget.against.is_none());
            match contestant.failure() {
                None => self.line(row, contestant, floor, budget),
                Some(error) => {
                    self.table.failure(&row.label, &contestant.program.name, &error.to_string());
                    self.table.missed |= std::ptr::eq(contestant, ours);
                }
            }
        }
        let Some(budget) = row.budget.filter(|budget| budget.against.is_some()) else { return };
        let rival = contestants
            .iter()
            .find(|rival| budget.against == Some(&rival.program.name) && rival.failure().is_none());
        match (rival, ours.failure()) {
            (Some(rival), None) => self.line(row, ours, rival, Some(budget)),
            // Without a figure the budget does not hold.
            _ => self.table.missed = true,
        }
    }

    fn line(
        &mut self,
        row: &Row,
        server: &Contestant,
        against: &Contestant,
        budget: Option<Budget>,
    ) {
        let ratios: Vec<f64> =
            server.costs.iter().zip(&against.costs).map(|(cost, other)| cost / other).collect();
        let figures = (Figure::of(&ratios), Figure::of(&server.costs), Figure::of(&against.costs));
        let (Some(ratio), Some(cost), Some(against_cost)) = figures else { return };
        let enough = ratios.len() >= ENOUGH;
        let holds = budget.is_none_or(|budget| ratio.holds(budget.ratio));
        self.table.missed |= enough && !holds;
        self.table.comparison(&Comparison {
            workload: row.label.clone(),
            server: server.program.name.clone(),
            against: against.program.name.clone(),
            cost: cost.median,
            against_cost: against_cost.median,
            ratio,
            rounds: ratios.len(),
            budget: budget.map(|budget| budget.ratio),
            verdict: budget.map_or("", |_| verdict(holds, enough)),
        });
    }
}
