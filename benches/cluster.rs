//! `cargo bench --bench cluster`: measures what a message costs with two reactors, relative to one,
//! beside the same ratio of two bare epoll programs. This file knows the workload and its budget.

#[expect(dead_code, reason = "the other benches use the rest")]
mod measure;

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use measure::bench::{self, Bench};
use measure::contest::{Budget, Contest};
use measure::contestants::Program;
use measure::load::TICKS_A_SECOND;
use measure::ratio::Figure;
use measure::rounds::{self, Contestant, ENOUGH, Limits};
use measure::table::{Comparison, verdict};
use measure::workload::Workload;

/// Connections of each reactor.
const CONNECTIONS: usize = 200;
const SIZE: usize = 20;
/// The most that two reactors may cost more than one, beside the floor.
const BUDGET: f64 = 1.05;
/// The most of a core that one server may take, for its cost to be that of a server at ease.
const MOST_OF_A_CORE: f64 = 0.60;

/// The ratio has no options of its own.
#[derive(Default)]
struct Cluster;

impl Bench for Cluster {
    const NAME: &'static str = "cluster";

    const HELP: &'static str = "\
Measures the server's CPU time for an echo with two reactors of 200 connections each, divided by
that with one of 200, and by the same ratio of bare epoll programs. Each connection sends 100
messages of 20 B a second. Each byte that comes back is checked: none is lost or doubled.

usage: cargo bench --bench cluster -- [options]
";

    fn option(&mut self, _: &str, _: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        Ok(false)
    }

    fn measure(&self, contest: &mut Contest) -> io::Result<()> {
        let one = Workload { paced: true, ..Workload::echo(CONNECTIONS, SIZE, 1) };
        let two =
            Workload { paced: true, spread: true, ..Workload::echo(2 * CONNECTIONS, SIZE, 1) };
        let entry = |name, role, workload| {
            Contestant::new(Program::role(name, role), "load", workload, contest.cores)
        };
        let mut contestants = [
            entry("floor", "serve-floor", one),
            entry("two floors", "serve-two-floors", two),
            entry("one reactor", "serve-ours", one),
            entry("two reactors", "serve-two-reactors", two),
        ];
        let options = &contest.options;
        let limits = Limits {
            rounds: options.rounds,
            turn: options.turn * 5,
            end: Instant::now() + options.time,
        };
        let told = |round| contest.table.at(&format!("round {}", round + 1), limits.end);
        rounds::run(&mut contestants, CONNECTIONS, &limits, told)?;
        if let Some((failed, error)) =
            contestants.iter().find_map(|entry| Some((&entry.program.name, entry.failure()?)))
        {
            return Err(io::Error::new(error.kind(), format!("{failed}: {error}")));
        }
        report(contest, &contestants);
        Ok(())
    }
}

fn report(contest: &mut Contest, contestants: &[Contestant; 4]) {
    let [floor, floors, one, two] = contestants.each_ref().map(|entry| &entry.costs);
    // Two reactors have twice the messages.
    let ratio = |two: &[f64], one: &[f64]| -> Vec<f64> {
        two.iter().zip(one).map(|(two, one)| two / 2.0 / one).collect()
    };
    let (ours, bare) = (ratio(two, one), ratio(floors, floor));
    let beside: Vec<f64> = ours.iter().zip(&bare).map(|(ours, bare)| ours / bare).collect();
    let budget = Budget::of(BUDGET).map(|budget| budget.ratio);
    contest.table.heading();
    for (label, ratios, costs, budget) in [
        ("bare, two over one", &bare, (floors, floor), None),
        ("reactors, two over one", &ours, (two, one), None),
        ("reactors beside bare", &beside, (two, one), budget),
    ] {
        let figures = (Figure::of(ratios), Figure::of(costs.0), Figure::of(costs.1));
        let (Some(ratio), Some(cost), Some(other)) = figures else { return };
        let (enough, holds) =
            (ratios.len() >= ENOUGH, budget.is_none_or(|budget| ratio.holds(budget)));
        contest.table.missed |= enough && !holds;
        contest.table.comparison(&Comparison {
            workload: label.to_owned(),
            server: "two".to_owned(),
            against: "one".to_owned(),
            cost: cost.median / 2.0,
            against_cost: other.median,
            ratio,
            rounds: ratios.len(),
            budget,
            verdict: budget.map_or("", |_| verdict(holds, enough)),
        });
    }
    let Some(cost) = Figure::of(two) else { return };
    // The figure is of both reactors, so this is an upper bound for each.
    let share = cost.median * (CONNECTIONS * TICKS_A_SECOND) as f64 / 1e9;
    contest.table.print(&format!("both reactors take {:.0} % of a core", share * 100.0));
    contest.table.missed |= share > MOST_OF_A_CORE;
}

fn main() -> ExitCode {
    bench::main::<Cluster>()
}
