//! Reads the options that all end-to-end benches share. This file does not know what `bench` and
//! `contest` do with them.

use std::path::PathBuf;
use std::time::Duration;

use super::contestants::Program;

/// Ends the help of every bench.
pub const HELP: &str = "
  --rounds N             paired rounds, at least 31 for a verdict; fewer than
                         asked for, but not fewer than 31, when time is short [301]
  --turn MS              about how long the floor's turns are                 [20]
  --minutes N            the time for all rows; 31 rounds with many
                         contestants may need more                            [10]
  --quick                a minute: fewer rows and at most 61 rounds
  --against \"COMMAND\"    measure another program as well (may be repeated): it
                         prints its address as its first line and serves as the
                         library does; it ends when its input does, or is killed
  --peers                measure every server of the package benches/peers
  --against-itself       a second floor instead of the library: how far noise goes
  --save FILE            write all figures as JSON
  --help                 this text

Servers and load generators are this program in other roles; benches/README.md says how to start
them by hand. A server that fails at a workload is shown as failed. Ends with 0 when every budget
holds, 1 when one does not, or when the library or the bench fails, 2 for a bad option.";

/// The options of every bench.
pub struct Options {
    pub rounds: usize,
    pub turn: Duration,
    pub time: Duration,
    pub quick: bool,
    pub against: Vec<Program>,
    pub peers: bool,
    pub against_itself: bool,
    pub save: Option<PathBuf>,
    pub help: bool,
}

impl Options {
    /// Reads a command line. `own` takes the options of one bench; it returns `false` for others.
    pub fn parse(
        parser: &mut lexopt::Parser,
        mut own: impl FnMut(&str, &mut lexopt::Parser) -> Result<bool, lexopt::Error>,
    ) -> Result<Options, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options = Options {
            rounds: 301,
            turn: Duration::from_millis(20),
            time: minutes(10),
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
                "turn" => {
                    options.turn = Duration::from_millis(parser.value()?.parse::<u64>()?.max(1))
                }
                "minutes" => options.time = minutes(parser.value()?.parse()?),
                "quick" => {
                    (options.quick, options.rounds, options.time) = (true, 61, minutes(1));
                }
                "against" => options.against.push(parser.value()?.parse_with(Program::parse)?),
                "peers" => options.peers = true,
                "against-itself" => options.against_itself = true,
                "save" => options.save = Some(parser.value()?.into()),
                "help" => options.help = true,
                // `cargo bench` adds this.
                "bench" => {}
                other if own(other, parser)? => {}
                other => return Err(format!("there is no option --{other}").into()),
            }
        }
        Ok(options)
    }
}

/// This many minutes, less ten seconds for the rounds under way at the end and for what follows.
fn minutes(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(60)).saturating_sub(Duration::from_secs(10))
}

/// Reads the values of an option that takes several: numbers above 0, separated by commas.
pub fn numbers(list: &str) -> Result<Vec<usize>, String> {
    list.split(',')
        .map(|number| match number.parse() {
            Ok(0) => Err("0 is too few".to_owned()),
            Ok(number) => Ok(number),
            Err(_) => Err(format!("{number:?} is not a number")),
        })
        .collect()
}
