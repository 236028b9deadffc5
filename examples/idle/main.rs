//! Opens many WebSockets to any server, does with them what a mode says, and reports the cost for
//! the server, the kernel and the client. This file knows the roles of the executable and its exit
//! codes.
//!
//! `cargo run --release --example idle -- ws://127.0.0.1:9001/ --connections 100000`

mod answers;
mod asked;
mod clock;
mod cpu;
mod crew;
mod crowd;
mod dialling;
mod ends;
mod failure;
mod foreign;
mod growth;
mod help;
mod invalid;
mod latency;
mod limits;
mod lookup;
mod measured;
mod memory;
mod modes;
mod notes;
mod options;
mod outcome;
#[path = "../common/output.rs"]
mod output;
mod plan;
mod process;
mod report;
mod roster;
mod run;
mod sampler;
mod serve;
mod show;
#[path = "../common/signals.rs"]
mod signals;
mod sockets;
mod stamp;
mod start;
mod talk;
mod targets;
mod verdict;
mod words;
mod worker;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use options::{Options, Task};
use outcome::Verdict;
use output::{print_error, print_line};

const WRONG: u8 = 2;
const INCOMPLETE: u8 = 3;
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let said = |index: usize| arguments.get(index).and_then(|argument| argument.to_str());
    match said(0) {
        Some(process::WORKER) => ended("worker", worker::run()),
        Some(process::SERVER) => ended("server", serve_as(said(1).unwrap_or_default())),
        _ => match options::parse(arguments) {
            Ok(Task::Help) => {
                print_line(help::TEXT.trim_end());
                ExitCode::SUCCESS
            }
            Ok(Task::Compare(one, other)) => {
                report::compare::print(&one, &other).map_or_else(wrong, |()| ExitCode::SUCCESS)
            }
            Ok(Task::Run(options)) => run(*options),
            Err(error) => wrong(format!("{error}; try --help")),
        },
    }
}

fn wrong(error: String) -> ExitCode {
    print_error(format_args!("idle: {error}"));
    ExitCode::from(WRONG)
}

fn serve_as(service: &str) -> std::io::Result<()> {
    serve::run(&serde_json::from_str(service)?)
}

fn ended(role: &str, result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(format_args!("idle: a {role} ended: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> ExitCode {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    // The second signal ends the process at once and leaves all files as they are.
    if let Err(error) = signals::on_end(move || flag.store(true, Ordering::Relaxed)) {
        print_error(format_args!("idle: a signal will end this without a report ({error})"));
    }
    let (json, html) = (options.json.clone(), options.report.clone());
    // A file that cannot be written should be known before a long run.
    for file in [&json, &html].into_iter().flatten() {
        if let Err(error) = std::fs::File::options().create(true).append(true).open(file) {
            return wrong(format!(
                "{} cannot be written: {error}; name another file",
                file.display()
            ));
        }
    }
    let outcome = match run::Run::start(options, interrupted) {
        Ok(run) => run.finish(),
        Err(error) => return wrong(error),
    };
    let table = write_table(&report::table::text(&outcome));
    let written = [
        json.map(|file| report::json::write(&file, &outcome)),
        html.map(|file| report::html::write(&file, &outcome)),
        Some(table),
    ];
    if let Some(error) = written.into_iter().flatten().find_map(Result::err) {
        print_error(format_args!("idle: {error}"));
        return ExitCode::from(INCOMPLETE);
    }
    exit_code(&outcome.verdict)
}

/// Prints the figures. A reader that has left does not want them; another fault is an error.
fn write_table(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("the figures cannot be written to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

fn exit_code(verdict: &Verdict) -> ExitCode {
    match verdict {
        Verdict { interrupted: true, .. } => ExitCode::from(INTERRUPTED),
        Verdict { complete: true, valid: true, .. } => ExitCode::SUCCESS,
        _ => ExitCode::from(INCOMPLETE),
    }
}
