//! The output of a bench: a line for each figure as soon as it is there, progress meanwhile, and
//! all figures in a file at the end. This file knows how a verdict is worded, not what was
//! measured.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

use super::ratio::Figure;

/// The lines so far.
pub struct Table {
    progress: ProgressBar,
    lines: Vec<Value>,
    /// Whether a budget was missed or the library failed.
    pub missed: bool,
}

/// One server compared with another under one workload.
#[derive(Debug, Serialize)]
pub struct Comparison {
    pub workload: String,
    pub server: String,
    pub against: String,
    /// Median CPU time of the server per unit of work, in nanoseconds.
    pub cost: f64,
    /// Median CPU time of the other server, likewise.
    pub against_cost: f64,
    pub ratio: Figure,
    pub rounds: usize,
    /// The budget of the ratio.
    pub budget: Option<f64>,
    pub verdict: &'static str,
}

impl Table {
    pub fn new() -> Table {
        let progress = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            progress.set_style(style);
        }
        Table { progress, lines: Vec::new(), missed: false }
    }

    /// Shows progress on a terminal: the current work, and how much time is left.
    pub fn at(&self, doing: &str, end: Instant) {
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        self.progress.set_message(format!("{doing}; at most {}:{:02} left", left / 60, left % 60));
        self.progress.tick();
    }

    /// Prints a line past the progress.
    pub fn print(&self, line: &str) {
        self.progress.suspend(|| println!("{line}"));
    }

    /// Keeps a figure for the file.
    pub fn keep(&mut self, figure: &impl Serialize) {
        self.lines.push(json!(figure));
    }

    pub fn heading(&self) {
        self.print(&format!(
            "{:<40} {:<20} {:>10} {:>10}  {:>6} {:>6} {:>6}  {:<18} {:>6}",
            "", "server", "us", "floor us", "ratio", "min", "max", "95 % interval", "budget"
        ));
    }

    pub fn comparison(&mut self, line: &Comparison) {
        let Figure { median, min, max, low, high } = line.ratio;
        let server = if line.against == "floor" {
            line.server.clone()
        } else {
            format!("{} / {}", line.server, line.against)
        };
        let budget = line.budget.map_or(String::new(), |budget| format!("{budget:.2}"));
        self.print(&format!(
            "{:<40} {server:<20.20} {:>10.3} {:>10.3}  \
             {median:>6.3} {min:>6.3} {max:>6.3}  {:<18} {budget:>6} {}",
            line.workload,
            line.cost / 1e3,
            line.against_cost / 1e3,
            format!("{low:.3} .. {high:.3}"),
            line.verdict
        ));
        self.keep(line);
    }

    pub fn failure(&mut self, workload: &str, server: &str, reason: &str) {
        self.print(&format!("{workload:<40} {server:<20.20} failed: {reason}"));
        self.keep(&json!({ "workload": workload, "server": server, "failed": reason }));
    }

    /// Writes all figures to `file`.
    pub fn save(&self, bench: &str, file: &Path) -> io::Result<()> {
        let all = json!({ "schema": 1, "bench": bench, "lines": self.lines });
        fs::write(file, format!("{all:#}\n")).map_err(|error| {
            io::Error::new(error.kind(), format!("--save {}: {error}", file.display()))
        })
    }

    /// Clears the progress line.
    pub fn end(&self) {
        self.progress.finish_and_clear();
    }
}

/// Words the verdict beside a budget.
pub fn verdict(holds: bool, enough: bool) -> &'static str {
    match (holds, enough) {
        (true, true) => "holds",
        (false, true) => "MISSED",
        (true, false) => "would hold (too few rounds)",
        (false, false) => "would be missed (too few rounds)",
    }
}
