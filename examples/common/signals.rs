//! The signals that end a program: SIGINT, SIGTERM and SIGHUP. This file does not know how the
//! program ends.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Calls `end` at the first of the signals, on a thread of its own. The second one ends the process
/// at once, with the exit code that a shell gives to a program that a signal ended.
///
/// A signal that is ignored when the program starts stays ignored: SIGHUP under `nohup`, and SIGINT
/// for a job that a script starts in the background.
pub fn on_end(end: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let ignored = ignored();
    let taken = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !ignored.contains(signal));
    let mut signals = Signals::new(taken)?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            end();
        }
        if let Some(signal) = signals.next() {
            std::process::exit(128 + signal);
        }
    })?;
    Ok(())
}

/// The signals that this process ignores, as Linux lists them. Elsewhere nothing lists them, and
/// SIGHUP is left alone.
fn ignored() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    match mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) {
        Some(mask) => (1..=64).filter(|signal| mask >> (signal - 1) & 1 == 1).collect(),
        None => vec![SIGHUP],
    }
}
