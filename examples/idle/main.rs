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
mod inquiry;
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
mod plan;
mod process;
mod report;
mod roster;
mod run;
mod sampler;
mod serve;
mod show;
mod sockets;
mod stamp;
mod start;
mod talk;
mod targets;
mod verdict;
mod words;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use options::{Options, Task};
use outcome::Verdict;

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
                print!("{}", help::TEXT);
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
    eprintln!("idle: {error}");
    ExitCode::from(WRONG)
}

fn serve_as(service: &str) -> std::io::Result<()> {
    serve::run(&serde_json::from_str(service)?)
}

fn ended(role: &str, result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("idle: a {role} ended: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> ExitCode {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    // The second signal ends the process at once and leaves all files as they are.
    let twice = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    };
    if let Err(error) = ctrlc::set_handler(twice) {
        eprintln!("idle: Ctrl-C will end this without a report ({error})");
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
    print!("{}", report::table::text(&outcome));
    let written = [
        json.map(|file| report::json::write(&file, &outcome)),
        html.map(|file| report::html::write(&file, &outcome)),
    ];
    if let Some(error) = written.into_iter().flatten().find_map(Result::err) {
        eprintln!("idle: {error}");
        return ExitCode::from(INCOMPLETE);
    }
    exit_code(&outcome.verdict)
}

fn exit_code(verdict: &Verdict) -> ExitCode {
    match verdict {
        Verdict { interrupted: true, .. } => ExitCode::from(INTERRUPTED),
        Verdict { complete: true, valid: true, .. } => ExitCode::SUCCESS,
        _ => ExitCode::from(INCOMPLETE),
    }
}
