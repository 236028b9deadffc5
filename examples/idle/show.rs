//! Shows progress on standard error: a bar at a terminal, otherwise a line every few seconds. This
//! file knows numbers and their names only.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::{SECOND, nanoseconds};
use crate::output::print_error;

/// The time between two lines without a terminal.
const INTERVAL: u64 = 3 * SECOND;

pub struct Show {
    bar: Option<ProgressBar>,
    phase: &'static str,
    next: u64,
}

impl Show {
    pub fn new() -> Show {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{prefix:>10} {wide_bar} {msg}  {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Show { bar, phase: "", next: 0 }
    }

    /// Begins another phase.
    pub fn begin(&mut self, phase: &'static str) {
        self.phase = phase;
        self.next = nanoseconds() + INTERVAL;
        if let Some(bar) = &self.bar {
            bar.set_prefix(phase);
            bar.reset_elapsed();
        }
    }

    /// Shows how much is done of the whole.
    pub fn tick(&mut self, done: u64, whole: u64, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_length(whole);
            bar.set_position(done.min(whole));
            bar.set_message(message());
        } else if nanoseconds() >= self.next {
            self.next = nanoseconds() + INTERVAL;
            print_error(format_args!("idle: {}: {}", self.phase, message()));
        }
    }

    /// Prints a line that stays.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print_error(format_args!("idle: {line}"))),
            None => print_error(format_args!("idle: {line}")),
        }
    }

    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
