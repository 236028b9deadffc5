//! A chat room on all cores: what one client sends reaches the clients of every reactor.
//!
//! `cargo run --example cluster -- --threads 2 --hand-over`, then open WebSockets to
//! `ws://127.0.0.1:9001/`. `GET /` returns the number of the reactor, and `GET /stats` counts over
//! all.
//!
//! It uses `common/output.rs` and `common/signals.rs`. Its `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "cluster"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! lexopt = "0.3"
//! signal-hook = "0.4"
//! switchboard = "0.1"
//! ```

#[path = "common/output.rs"]
mod output;
#[path = "common/signals.rs"]
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use output::{print_error, print_line};
use switchboard::{
    Cluster, ClusterHandle, Conn, Drain, Handler, Member, Message, Reactor, Remote, Reply, Request,
    Response, Upgrade, ZoneId,
};

const USAGE: &str = "\
usage: cluster [options] [LISTEN]

Runs a chat room on several threads: each message goes to the clients of all of them.

  LISTEN           where to listen: HOST:PORT, :PORT for every address of this
                   machine, or unix:/PATH with --hand-over
                   (default 127.0.0.1:9001)
  --threads N      reactors, each on a thread (default: one for each core)
  --hand-over      one reactor accepts, and hands each connection to the one
                   with the fewest; else the kernel chooses (SO_REUSEPORT)
  --connections N  the most connections at a time, over all reactors
  -h, --help       this text

SIGINT, SIGTERM and SIGHUP end it in order, within 10 seconds. A second one does not wait.";

/// How long connections may take to end.
const DEADLINE: Duration = Duration::from_secs(10);

struct Options {
    listen: String,
    threads: Option<usize>,
    hand_over: bool,
    connections: Option<usize>,
    help: bool,
}

fn parse() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options {
        listen: "127.0.0.1:9001".to_owned(),
        threads: None,
        hand_over: false,
        connections: None,
        help: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("threads") => match parser.value()?.parse()? {
                0 => return Err("give --threads a number above 0".into()),
                threads => options.threads = Some(threads),
            },
            Long("hand-over") => options.hand_over = true,
            Long("connections") => options.connections = Some(parser.value()?.parse()?),
            Short('h') | Long("help") => options.help = true,
            Value(listen) => options.listen = listen.string()?,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

/// The room, as one reactor has it.
struct Room {
    index: usize,
    cluster: ClusterHandle,
    /// Reaches this handler from the threads of the others.
    own: Option<(Remote, ZoneId<Room>)>,
}

impl Handler for Room {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.path() {
            _ if request.is_websocket() => Upgrade::new().into(),
            "/stats" => self.count(conn),
            _ => format!("reactor {} of {}\n", self.index, self.cluster.reactors()).into(),
        }
    }

    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("room");
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish("room", message);
    }
}

impl Room {
    /// Answers once all reactors have counted.
    fn count(&self, conn: &mut Conn<'_>) -> Reply {
        let Some((remote, zone)) = self.own.clone() else { return busy() };
        let id = conn.id();
        let asked = self.cluster.stats(move |stats| {
            // A queue that is full leaves the request to its answer timeout.
            let _ = remote.call(zone, move |_room, cx| {
                let text =
                    format!("{} connections, {} messages\n", stats.connections, stats.messages);
                cx.respond(id, text);
            });
        });
        if asked.is_err() { busy() } else { Reply::Later }
    }
}

fn busy() -> Reply {
    Response::text("a reactor is busy: try again in a second\n").with_status(503).into()
}

fn set_up(reactor: &mut Reactor, member: &Member) -> std::io::Result<()> {
    let room = Room { index: member.index(), cluster: member.handle().clone(), own: None };
    let zone = reactor.server.zone("/", room);
    let own = (reactor.remote(), zone);
    reactor.server.with(zone, std::time::Instant::now(), |room, _cx| room.own = Some(own));
    Ok(())
}

fn run(options: &Options) -> std::io::Result<()> {
    let cluster = options.threads.map_or_else(Cluster::default, Cluster::new);
    let mut cluster = cluster.hand_over(options.hand_over);
    if let Some(connections) = options.connections {
        cluster = cluster.max_connections(connections);
    }
    let listener = cluster.listen(&*options.listen)?;
    let handle = cluster.handle();
    for place in cluster.listening_at(listener)? {
        print_line(format_args!("listening on {place} with {} reactors", handle.reactors()));
    }
    signals::on_end(move || {
        if let Err(error) = handle.drain(Drain::within(DEADLINE)) {
            print_error(format_args!("cluster: {error}"));
        }
    })?;
    cluster.run(set_up)
}

fn main() -> ExitCode {
    let options = match parse() {
        Ok(options) => options,
        Err(error) => {
            print_error(format_args!("cluster: {error}; try --help"));
            return ExitCode::from(2);
        }
    };
    if options.help {
        print_line(USAGE);
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(format_args!("cluster: {error}"));
            ExitCode::from(if error.kind() == std::io::ErrorKind::InvalidInput { 2 } else { 1 })
        }
    }
}
