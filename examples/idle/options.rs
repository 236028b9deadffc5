//! Parses and judges the command line: the result is a task, or one line that says why not. This
//! file starts nothing.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use lexopt::{Arg, Parser};

use crate::asked::Asked;
use crate::stamp;
use crate::talk::Mode;
use crate::targets::{self, Target};

/// The task that the command line names.
#[derive(Debug)]
pub enum Task {
    Help,
    Run(Box<Options>),
    Compare(PathBuf, PathBuf),
}

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Options {
    pub url: String,
    pub targets: Vec<Target>,
    pub connections: u64,
    pub mode: Mode,
    pub rate: f64,
    pub in_flight: usize,
    pub timeout: f64,
    pub duration: f64,
    pub messages_per_second: Option<f64>,
    pub size: usize,
    pub active: f64,
    pub sources: Vec<IpAddr>,
    pub asked: Asked,
    pub workers: Option<u64>,
    pub serve: usize,
    pub serve_idle: f64,
    pub serve_descriptors: u64,
    pub pids: Vec<u32>,
    pub json: Option<PathBuf>,
    pub report: Option<PathBuf>,
}

/// The longest message: the most that servers commonly take.
const LONGEST: usize = 16 << 20;

/// A day, the longest duration.
const DAY: f64 = 86_400.0;

/// The size of a message if no option gives one.
const SIZE: usize = 20;
const SLOW_SIZE: usize = 16 << 10;

/// Parses the command line.
///
/// # Errors
///
/// The fault, and the argument that has it.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Task, String> {
    let mut parser = Parser::from_args(arguments);
    let mut draft = Draft::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Task::Help),
            Arg::Long("compare") => return compare(&mut parser),
            Arg::Value(value) if draft.url.is_none() => draft.url = Some(text(value)?),
            Arg::Long(name) => {
                let name = name.to_owned();
                draft.set(&name, &mut parser)?;
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    draft.finish().map(|options| Task::Run(Box::new(options)))
}

fn compare(parser: &mut Parser) -> Result<Task, String> {
    let mut file = || {
        parser
            .value()
            .map(PathBuf::from)
            .map_err(|_| "--compare wants two files that --json wrote".to_owned())
    };
    let files = (file()?, file()?);
    match parser.next() {
        Ok(None) => Ok(Task::Compare(files.0, files.1)),
        _ => Err("--compare takes two files and nothing else".into()),
    }
}

/// The options seen so far.
#[derive(Debug, Default)]
struct Draft {
    url: Option<String>,
    connections: Option<u64>,
    mode: Option<Mode>,
    rate: Option<f64>,
    in_flight: Option<usize>,
    timeout: Option<f64>,
    duration: Option<f64>,
    messages_per_second: Option<f64>,
    size: Option<usize>,
    active: Option<f64>,
    sources: Vec<IpAddr>,
    asked: Asked,
    workers: Option<u64>,
    serve: Option<usize>,
    serve_idle: Option<f64>,
    serve_descriptors: Option<u64>,
    pids: Vec<u32>,
    json: Option<PathBuf>,
    report: Option<PathBuf>,
}

impl Draft {
    fn set(&mut self, name: &str, parser: &mut Parser) -> Result<(), String> {
        match name {
            "connections" => self.connections = Some(number(name, parser, 1, 16_000_000)?),
            "mode" => self.mode = Some(mode(parser)?),
            "rate" => self.rate = Some(decimal(name, parser, 0.1, 1e6, "connections a second")?),
            "in-flight" => self.in_flight = Some(number(name, parser, 1, 100_000)?),
            "timeout" => self.timeout = Some(decimal(name, parser, 0.25, DAY, "seconds")?),
            "duration" => self.duration = Some(decimal(name, parser, 0.1, DAY, "seconds")?),
            "messages-per-second" => {
                self.messages_per_second =
                    Some(decimal(name, parser, 0.01, 1e7, "messages a second")?)
            }
            "size" => self.size = Some(number(name, parser, 1, LONGEST)?),
            "active" => self.active = Some(share(parser)?),
            "source" => self.sources = list(name, parser, "addresses, such as 10.0.0.7,10.0.0.8")?,
            "header" => self.asked.add_header(&value(name, parser)?)?,
            "subprotocol" => self.asked.add_subprotocols(&value(name, parser)?)?,
            "origin" => self.asked.set_origin(value(name, parser)?)?,
            "workers" => self.workers = Some(number(name, parser, 1, 4096)?),
            "serve" => self.serve = Some(number(name, parser, 1, 4096)?),
            "serve-idle" => self.serve_idle = Some(decimal(name, parser, 0.25, DAY, "seconds")?),
            "serve-descriptors" => {
                self.serve_descriptors = Some(number(name, parser, 32, 1 << 30)?)
            }
            "pid" => self.pids = list(name, parser, "process ids, such as 4711,4712")?,
            "json" => self.json = Some(file(name, parser)?),
            "report" => self.report = Some(file(name, parser)?),
            _ => return Err(format!("--{name} is no option")),
        }
        Ok(())
    }

    fn finish(self) -> Result<Options, String> {
        let url = self.url.ok_or("name a server, such as ws://127.0.0.1:9001/")?;
        let targets = targets::parse(&url)?;
        let mode = self.mode.unwrap_or(Mode::Hold);
        let serve = self.serve.unwrap_or(0);
        check_serve(serve, &targets)?;
        let connections = self.connections.unwrap_or(1000);
        if mode == Mode::Broadcast && connections < 2 {
            return Err(
                "--mode broadcast needs at least --connections 2: one sends, the others hear"
                    .into(),
            );
        }
        let size = self.size.unwrap_or(if mode == Mode::Slow { SLOW_SIZE } else { SIZE });
        if matches!(mode, Mode::Echo | Mode::Broadcast) && size < stamp::LEN {
            return Err(format!(
                "--size {size} has no room for a time stamp: give at least {}",
                stamp::LEN
            ));
        }
        Ok(Options {
            url,
            targets,
            connections,
            mode,
            rate: self.rate.unwrap_or(5000.0),
            in_flight: self.in_flight.unwrap_or(256),
            timeout: self.timeout.unwrap_or(10.0),
            duration: self.duration.unwrap_or(10.0),
            messages_per_second: self.messages_per_second,
            size,
            active: self.active.unwrap_or(1.0),
            sources: self.sources,
            asked: self.asked,
            workers: self.workers,
            serve,
            serve_idle: self.serve_idle.unwrap_or(120.0),
            serve_descriptors: self.serve_descriptors.unwrap_or(u64::MAX),
            pids: self.pids,
            json: self.json,
            report: self.report,
        })
    }
}

/// Whether `--serve` fits the URL: as many ports, on this machine.
fn check_serve(serve: usize, targets: &[Target]) -> Result<(), String> {
    if serve > 0 && serve != targets.len() {
        return Err(format!(
            "--serve {serve} needs as many ports, but the URL names {}: \
             write it as ws://127.0.0.1:9001-{}/",
            targets.len(),
            9000 + serve
        ));
    }
    if serve > 0 && !targets[0].is_loopback() {
        return Err(
            "--serve serves at addresses of this machine only: name 127.0.0.1 in the URL".into()
        );
    }
    Ok(())
}

fn text(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("{value:?} is no text"))
}

fn value(name: &str, parser: &mut Parser) -> Result<String, String> {
    parser.value().map_err(|_| format!("--{name} wants a value")).and_then(text)
}

fn file(name: &str, parser: &mut Parser) -> Result<PathBuf, String> {
    parser.value().map(PathBuf::from).map_err(|_| format!("--{name} wants a file"))
}

fn number<T>(name: &str, parser: &mut Parser, least: T, most: T) -> Result<T, String>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    let value = value(name, parser)?;
    match value.replace('_', "").parse::<T>() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(format!("--{name} {value:?}: give a whole number from {least} to {most}")),
    }
}

fn decimal(
    name: &str,
    parser: &mut Parser,
    least: f64,
    most: f64,
    unit: &str,
) -> Result<f64, String> {
    let value = value(name, parser)?;
    match value.replace('_', "").parse::<f64>() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(format!("--{name} {value:?}: give {unit}, from {least} to {most}")),
    }
}

/// Parses a share: `0.1` or `10%`.
fn share(parser: &mut Parser) -> Result<f64, String> {
    let value = value("active", parser)?;
    let share = match value.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().map(|percent| percent / 100.0),
        None => value.parse(),
    };
    match share {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => {
            Err(format!("--active {value:?}: give a share above 0 and up to 1, such as 0.1 or 10%"))
        }
    }
}

fn list<T: FromStr>(name: &str, parser: &mut Parser, what: &str) -> Result<Vec<T>, String> {
    let value = value(name, parser)?;
    let all: Result<Vec<T>, T::Err> = value.split(',').map(str::parse).collect();
    all.map_err(|_| format!("--{name} {value:?}: give {what}"))
}

fn mode(parser: &mut Parser) -> Result<Mode, String> {
    let value = value("mode", parser)?;
    let names = || Mode::ALL.map(Mode::as_str).join(", ");
    let found = Mode::ALL.into_iter().find(|mode| mode.as_str() == value);
    found.ok_or_else(|| format!("--mode {value:?}: give one of {}", names()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn run(line: &str) -> Options {
        match parsed(line) {
            Ok(Task::Run(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn options_have_defaults_that_depend_on_the_mode() {
        let hold = run("ws://127.0.0.1:9001/");
        assert_eq!((hold.mode, hold.connections, hold.size, hold.serve), (Mode::Hold, 1000, 20, 0));
        assert_eq!(run("--mode slow ws://127.0.0.1:9001/").size, 16 << 10);
        let all = run("ws://h:1-2/ --connections 1_000 --rate 2.5 --in-flight 7 --active 10% \
             --source 127.0.0.2,::1 --pid 1,2 --json a --report b \
             --workers 3 --mode half-open --duration 0.5 --header A:b --header C:d \
             --subprotocol v2,v1 --origin https://a.example");
        assert_eq!((all.asked.headers.len(), all.asked.subprotocols.len()), (2, 2));
        assert_eq!(all.asked.origin.as_deref(), Some("https://a.example"));
        assert_eq!((all.connections, all.rate, all.in_flight, all.active), (1000, 2.5, 7, 0.1));
        assert_eq!(
            (all.sources.len(), all.pids, all.workers, all.targets.len()),
            (2, vec![1, 2], Some(3), 2)
        );
        assert!(matches!(parsed("--compare a b"), Ok(Task::Compare(..))));
        assert!(matches!(parsed("--rate 5 -h"), Ok(Task::Help)));
    }

    #[test]
    fn options_that_make_no_sense_are_told_in_one_line_which_and_why() {
        for (line, names) in [
            ("", "name a server"),
            ("ws://h/ ws://i/", "unexpected argument"),
            ("ws://h/ --connections 0", "--connections \"0\""),
            ("ws://h/ --connections", "--connections wants"),
            ("ws://h/ --rate fast", "--rate \"fast\""),
            ("ws://h/ --rate NaN", "--rate \"NaN\""),
            ("ws://h/ --mode idle", "one of hold, ping, echo, broadcast, churn, half-open, slow"),
            ("ws://h/ --active 0", "--active \"0\""),
            ("ws://h/ --active 101%", "--active \"101%\""),
            ("ws://h/ --size 15 --mode echo", "at least 16"),
            ("ws://h/ --source here", "--source \"here\""),
            ("ws://h/ --header a", "give name and value"),
            ("ws://h/ --header Host:a", "the handshake's own"),
            ("ws://h/ --subprotocol a --subprotocol a", "--subprotocol \"a\""),
            ("ws://h/ --origin", "--origin wants"),
            ("ws://h/ --pid x", "--pid \"x\""),
            ("ws://127.0.0.1:9001/ --serve 2", "--serve 2 needs as many ports"),
            ("ws://10.0.0.1:9001/ --serve 1", "this machine only"),
            ("ws://h/ --connections 1 --mode broadcast", "--connections 2"),
            ("ws://h/ --loud", "--loud is no option"),
            ("ws://h/ -x", "-x"),
            ("--compare a", "--compare wants two"),
            ("--compare a b c", "--compare takes two"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(names) && !error.contains('\n'), "{line}: {error}");
        }
    }
}
