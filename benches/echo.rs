//! `cargo bench --bench echo`: what an echo costs the server, divided by what it costs the bare epoll program.
//! Knows the roles, the options and the table; how a figure comes about is in `measure`.

mod measure;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use measure::floor::Floor;
use measure::load;
use measure::process::{self, Process};
use measure::ratio::Figure;
use measure::rounds::{CONTESTANT, ENOUGH, FLOOR, Rounds, Samples};
use measure::workload::Workload;

const HELP: &str = "\
What an echo costs the server in CPU time, divided by what it costs a bare epoll program.

usage: cargo bench --bench echo -- [options]

  --connections N,..  open connections, each with one segment on its way    [200]
  --size BYTES,..     payload of a message                                  [20]
  --frames N,..       messages in a segment                                 [1]
  --binary            binary messages instead of text
  --budget RATIO      what the ratio may be                                 [1.10]
  --rounds N          paired rounds, at least 31 for a verdict; after a
                      minute those 31 are enough                            [301]
  --turn MS           about how long a turn of one contestant is            [20]
  --quick             61 rounds: a wider interval within seconds
  --against-itself    a second floor instead of the library: shows the spread
  --help              this text

The servers and the load generator are this program in the roles serve-floor, serve-ours and load; README.md beside it
says how to start them by hand. Several values are measured in every combination. Ends with 0 when no budget is missed, 1 when one is or something
fails, 2 for a bad option.";

/// After this long the rounds of a workload end, once they are enough.
const TIME: Duration = Duration::from_secs(60);

/// The command line. The processes of a bench are started with the same options, and one value of each.
struct Options {
    role: Option<String>,
    connections: Vec<usize>,
    sizes: Vec<usize>,
    frames: Vec<usize>,
    binary: bool,
    budget: f64,
    rounds: usize,
    turn: Duration,
    against_itself: bool,
    help: bool,
    core: usize,
    servers: Vec<SocketAddr>,
}

fn main() -> ExitCode {
    let options = match Options::parse(lexopt::Parser::from_env()) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("echo: {error}; --help names the options");
            return ExitCode::from(2);
        }
    };
    let within_budget = match options.role.as_deref() {
        _ if options.help => {
            println!("{HELP}");
            Ok(true)
        }
        None => bench(&options),
        Some("serve-floor") => serve_floor(&options).map(|()| true),
        Some("serve-ours") => serve_ours(&options).map(|()| true),
        Some("load") => make_load(&options).map(|()| true),
        Some(other) => {
            eprintln!("echo: there is no role {other:?}; --help names the options");
            return ExitCode::from(2);
        }
    };
    match within_budget {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn parse(mut parser: lexopt::Parser) -> Result<Options, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options = Options {
            role: None,
            connections: vec![200],
            sizes: vec![20],
            frames: vec![1],
            binary: false,
            budget: 1.10,
            rounds: 301,
            turn: Duration::from_millis(20),
            against_itself: false,
            help: false,
            core: 0,
            servers: Vec::new(),
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("connections") => options.connections = parser.value()?.parse_with(at_least_one)?,
                Long("size") => options.sizes = parser.value()?.parse_with(numbers)?,
                Long("frames") => options.frames = parser.value()?.parse_with(at_least_one)?,
                Long("binary") => options.binary = true,
                Long("budget") => options.budget = parser.value()?.parse()?,
                Long("rounds") => options.rounds = parser.value()?.parse::<usize>()?.max(1),
                Long("turn") => options.turn = Duration::from_millis(parser.value()?.parse()?),
                Long("quick") => options.rounds = 61,
                Long("against-itself") => options.against_itself = true,
                Long("help") => options.help = true,
                // What `cargo bench` adds of its own.
                Long("bench") => {}
                Long("core") => options.core = parser.value()?.parse()?,
                Long("server") => options.servers.push(parser.value()?.parse()?),
                Value(role) if options.role.is_none() => options.role = Some(role.string()?),
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }

    /// Every combination of connections, sizes and frames.
    fn workloads(&self) -> Vec<Workload> {
        let mut workloads = Vec::new();
        for &connections in &self.connections {
            for &size in &self.sizes {
                for &frames in &self.frames {
                    workloads.push(Workload { connections, size, frames, binary: self.binary });
                }
            }
        }
        workloads
    }
}

fn numbers(list: &str) -> Result<Vec<usize>, String> {
    list.split(',').map(|number| number.parse().map_err(|_| format!("{number:?} is not a number"))).collect()
}

fn at_least_one(list: &str) -> Result<Vec<usize>, String> {
    let numbers = numbers(list)?;
    if numbers.contains(&0) { Err("0 is too few".to_owned()) } else { Ok(numbers) }
}

/// Measures every workload; says whether no budget was missed.
fn bench(options: &Options) -> io::Result<bool> {
    let (serving, loading) = process::cores()?;
    let contestant = if options.against_itself { "serve-floor" } else { "serve-ours" };
    println!(
        "servers on core {serving}, load on core {loading}; a round is two turns of either server, about {} ms each",
        options.turn.as_millis()
    );
    if serving == loading {
        println!("only one core is allowed: servers and load share it");
    }
    let mut within_budget = true;
    for workload in options.workloads() {
        let mut rounds = start(contestant, &workload, serving, loading)?;
        // This process sleeps while the servers work; what little it does belongs to the other core.
        process::pin(loading)?;
        let samples = rounds.run(options.rounds, options.turn, TIME)?;
        within_budget &= report(&workload, &samples, options);
    }
    Ok(within_budget)
}

/// Starts floor, contestant and load generator.
fn start(contestant: &str, workload: &Workload, serving: usize, loading: usize) -> io::Result<Rounds> {
    let mut arguments: Vec<String> =
        [("--connections", workload.connections), ("--size", workload.size), ("--frames", workload.frames)]
            .iter()
            .flat_map(|(name, value)| [(*name).to_owned(), value.to_string()])
            .collect();
    if workload.binary {
        arguments.push("--binary".to_owned());
    }
    let role = |name: &str, core: usize| {
        let mut arguments = arguments.clone();
        arguments.extend([name.to_owned(), "--core".to_owned(), core.to_string()]);
        arguments
    };
    let mut servers = [Process::start(&role("serve-floor", serving))?, Process::start(&role(contestant, serving))?];
    let mut loader = role("load", loading);
    for server in &mut servers {
        loader.extend(["--server".to_owned(), server.hear()?]);
    }
    let mut load = Process::start(&loader)?;
    load.hear()?;
    Ok(Rounds { servers, load, messages: workload.connections * workload.frames })
}

/// Prints one workload's figures; says whether its budget was not missed.
fn report(workload: &Workload, samples: &Samples, options: &Options) -> bool {
    let kind = if workload.binary { "binary" } else { "text" };
    println!(
        "\n{} connections, {} B {kind}, {} a segment: {} rounds, {} echoes a turn",
        workload.connections,
        workload.size,
        workload.frames,
        samples.ratios.len(),
        samples.messages
    );
    println!("{:>12} {:>9} {:>9} {:>9}   95 % interval", "", "median", "min", "max");
    let contestant = if options.against_itself { "floor 2, us" } else { "ours, us" };
    for (name, server) in [("floor, us", FLOOR), (contestant, CONTESTANT)] {
        if let Some(figure) = Figure::of(&samples.costs[server]) {
            print_row(name, &figure, 1e-3);
        }
    }
    let Some(ratio) = Figure::of(&samples.ratios) else { return false };
    print_row("ratio", &ratio, 1.0);
    let (holds, enough) = (ratio.holds(options.budget), samples.ratios.len() >= ENOUGH);
    let verdict = match (holds, enough) {
        (true, true) => "holds",
        (false, true) => "MISSED",
        (true, false) => "would hold (too few rounds for a verdict)",
        (false, false) => "would be missed (too few rounds for a verdict)",
    };
    println!("{:>12} {:>9.3} {verdict}", "budget", options.budget);
    holds || !enough
}

fn print_row(name: &str, figure: &Figure, unit: f64) {
    let Figure { median, min, max, low, high } = figure;
    let [median, min, max, low, high] = [median, min, max, low, high].map(|value| value * unit);
    println!("{name:>12} {median:>9.3} {min:>9.3} {max:>9.3}   {low:.3} .. {high:.3}");
}

/// The bare epoll program; prints its address.
fn serve_floor(options: &Options) -> io::Result<()> {
    process::settle_in(options.core)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let Some(workload) = options.workloads().pop() else { return Ok(()) };
    Floor::new(listener, &workload)?.run()
}

/// The library's echo, as its front page has it; prints its address.
fn serve_ours(options: &Options) -> io::Result<()> {
    process::settle_in(options.core)?;
    let mut reactor = switchboard::Reactor::new()?;
    reactor.server.websocket("/", |conn, message| conn.send(message));
    let listener = reactor.server.listen("127.0.0.1:0")?;
    println!("{}", reactor.server.local_addr(listener)?);
    reactor.run()
}

/// The load generator, connected to every `--server`.
fn make_load(options: &Options) -> io::Result<()> {
    process::settle_in(options.core)?;
    let Some(workload) = options.workloads().pop() else { return Ok(()) };
    load::obey(&options.servers, &workload)
}
