//! Shows two outcomes beside each other, with their differences. This file judges neither.

use std::fmt::Write;
use std::path::Path;

use super::json;
use crate::latency::Summary;
use crate::measured::duration;
use crate::outcome::{Cpu, Memory, Outcome, Silence};
use crate::output::print_line;
use crate::words::{bytes, grouped};

/// # Errors
///
/// When one of the files is no outcome of this schema.
pub fn print(one: &Path, other: &Path) -> Result<(), String> {
    let (a, b) = (json::read(one)?, json::read(other)?);
    print_line(text(&a, &b).trim_end());
    Ok(())
}

/// One figure of each outcome that has the figure.
struct Figure {
    name: String,
    values: [Option<f64>; 2],
    show: fn(f64) -> String,
}

/// Writes the table.
pub fn text(a: &Outcome, b: &Outcome) -> String {
    let word = |outcome: &Outcome| {
        let verdict = &outcome.verdict;
        let words = [(verdict.complete, "incomplete"), (verdict.valid, "INVALID")];
        let bad: Vec<&str> =
            words.iter().filter(|(good, _)| !good).map(|(_, word)| *word).collect();
        if bad.is_empty() { "valid and complete".to_owned() } else { bad.join(", ") }
    };
    let mode =
        |outcome: &Outcome| format!("{} {}", outcome.settings.mode.as_str(), outcome.settings.url);
    let mut lines = vec![
        [String::new(), "A".into(), "B".into(), "B - A".into()],
        ["mode and server".into(), mode(a), mode(b), String::new()],
        ["verdict".into(), word(a), word(b), String::new()],
    ];
    lines.extend(figures(a, b).iter().map(line));
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [name, one, other, difference] in &lines {
        let [first, second, third] = widths;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:first$}  {one:>second$}  {other:>third$}  {difference}");
    }
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn line(figure: &Figure) -> [String; 4] {
    let show = |value: Option<f64>| value.map_or("-".to_owned(), figure.show);
    let difference = match figure.values {
        [Some(a), Some(b)] if a == b => "same".to_owned(),
        [Some(a), Some(b)] if a != 0.0 => format!("{:+.1} %", (b - a) / a.abs() * 100.0),
        [Some(_), Some(b)] if b < 0.0 => (figure.show)(b),
        [Some(_), Some(b)] => format!("+{}", (figure.show)(b)),
        _ => String::new(),
    };
    [figure.name.clone(), show(figure.values[0]), show(figure.values[1]), difference]
}

fn figures(a: &Outcome, b: &Outcome) -> Vec<Figure> {
    let count: fn(f64) -> String = |value| grouped(value as u64);
    let share: fn(f64) -> String = |value| format!("{:.1} %", value * 100.0);
    let of = |name: &str, show, value: &dyn Fn(&Outcome) -> Option<f64>| Figure {
        name: name.to_owned(),
        values: [value(a), value(b)],
        show,
    };
    let mut figures = vec![
        of("connections held", count, &|outcome| Some(outcome.connections.held as f64)),
        of("held at the end", count, &|outcome| Some(outcome.connections.held_at_end as f64)),
        of("failed attempts", count, &|outcome| Some(outcome.connections.failed as f64)),
        of("opened a second", count, &|outcome| {
            Some(outcome.connections.held as f64 / outcome.connections.opening_seconds.max(1e-9))
        }),
    ];
    for memory in &a.memory {
        let name = format!("{}: {}", memory.owner, memory.source);
        let show = |value| format!("{value:.1} B");
        figures.push(of(&name, show, &|outcome| per_connection(outcome, memory)));
    }
    for phase in ["opening", "measuring"] {
        let cpu = |outcome: &Outcome| -> Option<Cpu> {
            outcome.cpu.iter().find(|cpu| cpu.phase == phase).cloned()
        };
        figures.push(of(&format!("client CPU, {phase}"), share, &|outcome| {
            cpu(outcome).map(|cpu| cpu.client)
        }));
        figures.push(of(&format!("server CPU, {phase}"), share, &|outcome| cpu(outcome)?.server));
    }
    figures.push(of("server CPU, each a second", |us| format!("{us:.3} us"), &|outcome| {
        outcome.measured.idle_cpu?.server_us
    }));
    figures.extend(latencies("handshake", a.handshake.as_ref(), b.handshake.as_ref()));
    figures.push(of("sent", count, &|outcome| Some(outcome.measured.sent as f64)));
    figures.push(of("answered", count, &|outcome| Some(outcome.measured.answered as f64)));
    figures.push(of("reach", share, &|outcome| Some(outcome.measured.broadcast.as_ref()?.reach)));
    figures.push(of("time to the last", duration, &|outcome| {
        Some(outcome.measured.broadcast.as_ref()?.to_last_median_us)
    }));
    for (name, value) in GROWTH {
        figures.push(of(name, bytes, &|outcome| value(outcome.measured.silence.as_ref()?)));
    }
    figures.extend(latencies("latency", a.measured.latency.as_ref(), b.measured.latency.as_ref()));
    figures.extend(latencies("close", a.measured.closing.as_ref(), b.measured.closing.as_ref()));
    figures
        .retain(|figure| figure.values != [None, None] && figure.values != [Some(0.0), Some(0.0)]);
    figures
}

fn per_connection(outcome: &Outcome, memory: &Memory) -> Option<f64> {
    let same = |other: &&Memory| other.owner == memory.owner && other.source == memory.source;
    outcome.memory.iter().find(same)?.per_connection
}

type OfSilence = fn(&Silence) -> Option<f64>;

/// What peers cost that do not read.
const GROWTH: [(&str, OfSilence); 2] = [
    ("server's growth for each", |silence| silence.server_bytes),
    ("kernel's growth for each", |silence| silence.kernel_bytes),
];

fn latencies(name: &str, a: Option<&Summary>, b: Option<&Summary>) -> Vec<Figure> {
    type Of = fn(&Summary) -> f64;
    let quantiles: [(&str, Of); 5] = [
        ("p50", |summary| summary.p50_us),
        ("p90", |summary| summary.p90_us),
        ("p99", |summary| summary.p99_us),
        ("p99.9", |summary| summary.p999_us),
        ("max", |summary| summary.max_us),
    ];
    let figure = |(quantile, value): (&str, Of)| Figure {
        name: format!("{name} {quantile}"),
        values: [a.map(value), b.map(value)],
        show: duration,
    };
    quantiles.map(figure).into()
}
