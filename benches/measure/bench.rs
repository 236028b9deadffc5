//! What all end-to-end benches share: their options, their contestants, the rows of their table and how each comes about.
//! A bench adds what it measures; see [`Bench`].

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::contestants::{Peers, Program};
use super::process;
use super::ratio::Figure;
use super::roles;
use super::rounds::{self, Contestant, ENOUGH, FLOOR, Limits};
use super::table::{Comparison, Table, part, verdict};
use super::workload::Workload;

/// Ends the help of every bench.
const HELP: &str = "
  --rounds N             paired rounds, at least 31 for a verdict; fewer than
                         asked for, but not fewer than 31, when time is short [301]
  --turn MS              about how long the floor's turns are                 [20]
  --minutes N            how long all of it may take; 31 rounds with many
                         contestants may need more                            [10]
  --quick                a minute: fewer rows and at most 61 rounds
  --against \"COMMAND\"    measure another program as well (may be repeated): it
                         prints its address as its first line and serves as the
                         library does; it ends when its input does, or is killed
  --peers                measure every server of the package benches/peers
  --against-itself       a second floor instead of the library: how far noise goes
  --save FILE            write all figures as JSON
  --help                 this text

Servers and load generators are this program in roles of their own; README.md beside it says how to start them by hand.
A server that fails at a workload is shown as failed. Ends with 0 when no budget is missed, 1 when one is, or when the
library or the bench fails, 2 for a bad option.";

/// A bench: options of its own and what it measures.
pub trait Bench: Default {
    const NAME: &'static str;

    /// Begins its `--help`: what it measures, and its own options.
    const HELP: &'static str;

    /// Takes the option called `name`; `false` when it is none of its own.
    fn option(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error>;

    fn measure(&self, contest: &mut Contest) -> io::Result<()>;
}

/// The options of every bench.
pub struct Options {
    rounds: usize,
    turn: Duration,
    time: Duration,
    pub quick: bool,
    against: Vec<Program>,
    peers: bool,
    against_itself: bool,
    save: Option<PathBuf>,
    help: bool,
}

/// One workload, under which every contestant is measured.
pub struct Row {
    pub label: String,
    pub workload: Workload,
    /// The role that makes the load.
    pub load: &'static str,
    pub budget: Option<Budget>,
}

/// What the library's ratio may be.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub ratio: f64,
    /// To whose cost: the floor's, unless a server of `benches/peers` is named.
    pub against: Option<&'static str>,
}

impl Budget {
    pub fn of(ratio: f64) -> Option<Budget> {
        Some(Budget { ratio, against: None })
    }
}

/// A bench under way.
pub struct Contest {
    pub options: Options,
    pub table: Table,
    /// For servers and for load generators.
    pub cores: (usize, usize),
    /// When it should end.
    pub end: Instant,
    peers: Option<Peers>,
}

/// The whole of a bench's `main`.
pub fn main<B: Bench>() -> ExitCode {
    let mut parser = lexopt::Parser::from_env();
    let role = std::env::args().nth(1).filter(|first| !first.starts_with('-'));
    let outcome = match role {
        Some(role) => {
            let _ = parser.next();
            let Some(outcome) = roles::play(&role, parser) else {
                eprintln!("{}: there is no role {role:?}; --help names the options", B::NAME);
                return ExitCode::from(2);
            };
            outcome.map(|()| true)
        }
        None => match Options::parse::<B>(&mut parser) {
            Ok((options, bench)) => run(options, &bench),
            Err(error) => {
                eprintln!("{}: {error}; --help names the options", B::NAME);
                return ExitCode::from(2);
            }
        },
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}: {error}", B::NAME);
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn parse<B: Bench>(parser: &mut lexopt::Parser) -> Result<(Options, B), lexopt::Error> {
        use lexopt::prelude::*;
        let mut bench = B::default();
        let mut options = Options {
            rounds: 301,
            turn: Duration::from_millis(20),
            time: Duration::from_secs(600),
            quick: false,
            against: Vec::new(),
            peers: false,
            against_itself: false,
            save: None,
            help: false,
        };
        while let Some(argument) = parser.next()? {
            let Long(name) = argument else { return Err(argument.unexpected()) };
            match name.to_owned().as_str() {
                "rounds" => options.rounds = parser.value()?.parse::<usize>()?.max(1),
                "turn" => options.turn = Duration::from_millis(parser.value()?.parse::<u64>()?.max(1)),
                "minutes" => options.time = Duration::from_secs(60 * parser.value()?.parse::<u64>()?),
                "quick" => {
                    (options.quick, options.rounds, options.time) = (true, 61, Duration::from_secs(60));
                }
                "against" => options.against.push(parser.value()?.parse_with(Program::parse)?),
                "peers" => options.peers = true,
                "against-itself" => options.against_itself = true,
                "save" => options.save = Some(parser.value()?.into()),
                "help" => options.help = true,
                // What `cargo bench` adds of its own.
                "bench" => {}
                other if bench.option(other, parser)? => {}
                other => return Err(format!("there is no option --{other}").into()),
            }
        }
        Ok((options, bench))
    }
}

/// Measures; says whether no budget was missed.
fn run<B: Bench>(options: Options, bench: &B) -> io::Result<bool> {
    if options.help {
        println!("{}{HELP}", B::HELP);
        return Ok(true);
    }
    // Other programs inherit it.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let cores = process::cores()?;
    let peers = options.peers.then(Peers::build).transpose()?;
    println!("servers on core {}, load on core {}", cores.0, cores.1);
    if cores.0 == cores.1 {
        println!("only one core is allowed: servers and load share it");
    }
    // This process sleeps while the servers work; what little it does belongs to the other core.
    process::pin(None, cores.1)?;
    let end = Instant::now() + options.time;
    let mut contest = Contest { options, table: Table::new(), cores, end, peers };
    let outcome = bench.measure(&mut contest);
    contest.table.end();
    outcome?;
    if let Some(file) = &contest.options.save {
        contest.table.save(B::NAME, file)?;
    }
    Ok(!contest.table.missed)
}

impl Contest {
    /// Measures every row within the time that is left.
    pub fn compare(&mut self, rows: &[Row]) -> io::Result<()> {
        self.table.heading();
        for (number, row) in rows.iter().enumerate() {
            let share = part(self.end.saturating_duration_since(Instant::now()), rows.len() - number);
            let end = Instant::now() + share;
            let doing = format!("row {} of {}: {}", number + 1, rows.len(), row.label);
            self.table.at(&doing, self.end);
            let mut contestants: Vec<Contestant> = self
                .programs(row)?
                .iter()
                .map(|program| Contestant::start(program, row.load, &row.workload, self.cores))
                .collect();
            let limits = Limits { rounds: self.options.rounds, turn: self.options.turn, end };
            let told = |round| self.table.at(&format!("{doing}, round {}", round + 1), self.end);
            rounds::run(&mut contestants, roles::units(row.load, &row.workload), &limits, told)?;
            self.report(row, &contestants);
        }
        Ok(())
    }

    /// The floor, the library, and who else was asked for. A row of a room is served by rooms.
    pub fn programs(&mut self, row: &Row) -> io::Result<Vec<Program>> {
        let ours = if self.options.against_itself {
            Program::role("floor 2", "serve-floor")
        } else {
            Program::role("ours", "serve-ours")
        };
        let mut programs = vec![Program::role("floor", "serve-floor"), ours];
        programs.extend(self.options.against.iter().cloned());
        let mut names = Vec::new();
        if self.options.peers
            && let Some(peers) = &self.peers
        {
            names = peers.names()?;
        }
        if let Some(named) = row.budget.and_then(|budget| budget.against) {
            names.retain(|name| name != named);
            names.push(named.to_owned());
        }
        for name in names {
            let peers = match &mut self.peers {
                Some(peers) => peers,
                none => none.insert(Peers::build()?),
            };
            programs.push(peers.named(&name, row.workload.room));
        }
        Ok(programs)
    }

    /// A line for each contestant, and a further one where the budget is no ratio to the floor.
    fn report(&mut self, row: &Row, contestants: &[Contestant]) {
        let (floor, ours) = (&contestants[FLOOR], &contestants[FLOOR + 1]);
        for contestant in &contestants[FLOOR + 1..] {
            let budget = row.budget.filter(|budget| std::ptr::eq(contestant, ours) && budget.against.is_none());
            match contestant.failure() {
                None => self.line(row, contestant, floor, budget),
                Some(error) => {
                    self.table.failure(&row.label, &contestant.name, &error.to_string());
                    self.table.missed |= std::ptr::eq(contestant, ours);
                }
            }
        }
        let Some(budget) = row.budget else { return };
        let other = contestants.iter().find(|other| budget.against == Some(&other.name) && other.failure().is_none());
        if let (Some(other), None) = (other, ours.failure()) {
            self.line(row, ours, other, Some(budget));
        }
    }

    fn line(&mut self, row: &Row, server: &Contestant, against: &Contestant, budget: Option<Budget>) {
        let ratios: Vec<f64> = server.costs.iter().zip(&against.costs).map(|(cost, other)| cost / other).collect();
        let figures = (Figure::of(&ratios), Figure::of(&server.costs), Figure::of(&against.costs));
        let (Some(ratio), Some(cost), Some(against_cost)) = figures else { return };
        let enough = ratios.len() >= ENOUGH;
        let holds = budget.is_none_or(|budget| ratio.holds(budget.ratio));
        self.table.missed |= enough && !holds;
        self.table.comparison(&Comparison {
            workload: row.label.clone(),
            server: server.name.clone(),
            against: against.name.clone(),
            cost: cost.median,
            against_cost: against_cost.median,
            ratio,
            rounds: ratios.len(),
            budget: budget.map(|budget| budget.ratio),
            verdict: budget.map_or("", |_| verdict(holds, enough)),
        });
    }
}

/// The values of an option that takes several, separated by commas, none of them 0.
pub fn numbers(list: &str) -> Result<Vec<usize>, String> {
    list.split(',')
        .map(|number| match number.parse() {
            Ok(0) => Err("0 is too few".to_owned()),
            Ok(number) => Ok(number),
            Err(_) => Err(format!("{number:?} is not a number")),
        })
        .collect()
}
