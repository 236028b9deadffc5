//! Makes an executable a bench: its options, the roles in which it starts itself again, its exit
//! code. This file does not know what is measured; see [`Bench`].

use std::io;
use std::process::ExitCode;

use super::contest::Contest;
use super::options::{HELP, Options};
use super::process;
use super::roles;

/// A bench: its own options, and its measurement.
pub trait Bench: Default {
    const NAME: &'static str;

    /// The first part of `--help`: what the bench measures, and its own options.
    const HELP: &'static str;

    /// Takes the option called `name`; returns `false` if the bench has no such option.
    fn option(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error>;

    fn measure(&self, contest: &mut Contest) -> io::Result<()>;
}

/// The `main` of every bench.
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
        None => match parse::<B>(&mut parser) {
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

fn parse<B: Bench>(parser: &mut lexopt::Parser) -> Result<(Options, B), lexopt::Error> {
    let mut bench = B::default();
    let options = Options::parse(parser, |name, parser| bench.option(name, parser))?;
    Ok((options, bench))
}

/// Measures, and returns whether every budget holds.
fn run<B: Bench>(options: Options, bench: &B) -> io::Result<bool> {
    if options.help {
        println!("{}{HELP}", B::HELP);
        return Ok(true);
    }
    // Child processes inherit the limit.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut contest = Contest::new(options)?;
    // This process sleeps while the servers work. Its little work goes to the other core.
    process::pin(None, contest.cores.1)?;
    let outcome = bench.measure(&mut contest);
    contest.table.end();
    outcome?;
    if let Some(file) = &contest.options.save {
        contest.table.save(B::NAME, file)?;
    }
    Ok(!contest.table.missed)
}
