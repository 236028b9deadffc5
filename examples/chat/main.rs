//! A chat server with its page: `cargo run --release --example chat`, then open the address that it
//! prints.
//!
//! This file knows the command line, the signals and the zones. [`chat`] is the chat, [`protocol`]
//! its messages, [`page`] what the browser gets.
//!
//! To begin a program from it, copy the folder and `common/` beside it, and add these dependencies:
//!
//! ```toml
//! [package]
//! name = "my-chat"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! switchboard = "0.1"
//! lexopt = "0.3"
//! rlimit = "0.11"
//! sd-notify = "0.5"
//! serde = { version = "1", features = ["derive"] }
//! serde_json = "1"
//! signal-hook = "0.4"
//! unicode-normalization = "0.1"
//! unicode-script = "0.5"
//! unicode-security = "0.1"
//! ```

mod chat;
#[path = "../common/ending.rs"]
mod ending;
#[path = "../common/log.rs"]
mod log;
mod members;
#[path = "../common/metrics.rs"]
mod metrics;
mod names;
#[path = "../common/notify.rs"]
mod notify;
#[path = "../common/output.rs"]
mod output;
mod page;
mod protocol;
mod room;
#[path = "../common/signals.rs"]
mod signals;
#[cfg(test)]
mod tests;
mod why;

use std::fmt::Display;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Instant;

use lexopt::prelude::*;
use switchboard::http::Method;
use switchboard::{Conn, Drain, ListenAddr, Reactor, Reply, Request, Server, TrustedHeader, Zone};

use chat::{Chat, PREFIXES};
use ending::Ending;
use log::Log;
use output::{print_error, print_line};

const HELP: &str = "\
A chat server with its page.

Usage: chat [--listen ADDR] [--origin ORIGIN].. [--allow-host HOST]..
            [--trusted-proxy CIDR].. [--metrics-listen [HOST:]PORT] [--verbose]

  --listen ADDR      where to listen: HOST:PORT, or :PORT for every address of this machine
                     (default 127.0.0.1:8080; port 0 takes any free one). A path as
                     unix:/run/chat.sock is a Unix socket, for a proxy in front
  --origin ORIGIN    let pages of this origin chat, too, such as https://chat.example;
                     for a proxy that sends another Host than the browser's
  --allow-host HOST  serve this host name, localhost and loopback addresses, and no others
                     (default: every host name)
  --trusted-proxy CIDR
                     believe the X-Forwarded-For of this proxy, such as 127.0.0.1, 10.0.0.0/8,
                     or unix for all peers of a Unix socket
  --metrics-listen [HOST:]PORT
                     serve /metrics, /healthz and /readyz there, and nowhere else; a port alone
                     is one of 127.0.0.1
  --verbose          print each refused request and connection
  -h, --help         print this and end

SIGINT (Ctrl-C), SIGTERM and SIGHUP say goodbye to everybody and end. A second one does not wait.
A supervisor that sets NOTIFY_SOCKET learns when the chat is ready, lives and ends.
How the chat ends, in seconds from the signal:
  --drain-notice SECONDS    accept and serve for so long, with `Connection: close` in each answer
                            (default 0)
  --drain-window SECONDS    then stop accepting, and close the WebSockets over so long (default 0)
  --drain-deadline SECONDS  drop what is left then (default: 3 s after the window)";

/// The hosts that are served beside those of `--allow-host`.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.0/8", "[::1]"];

/// The parsed command line.
struct Arguments {
    listen: String,
    origins: Vec<String>,
    hosts: Vec<String>,
    proxies: Vec<String>,
    verbose: bool,
    /// Where metrics are served.
    metrics: Option<String>,
    ending: Ending,
}

/// What ends the program early: a line for the user, and the exit code.
struct Failure(String, u8);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(line, code)) => {
            print_error(format_args!("chat: {line}"));
            ExitCode::from(code)
        }
    }
}

fn run() -> Result<(), Failure> {
    let Some(arguments) = arguments()? else {
        print_line(HELP);
        return Ok(());
    };
    // Every browser is a descriptor. With the soft limit alone the chat still works, for fewer.
    let _ = rlimit::increase_nofile_limit(u64::MAX);

    let drain = arguments.ending.drain();
    let drain = drain.map_err(|error| Failure(format!("{error}; see chat --help"), 2))?;

    let log = Log::start("chat").map_err(|error| Failure(format!("no thread: {error}"), 1))?;
    let mut reactor =
        Reactor::new().map_err(|error| Failure(format!("no event loop: {error}"), 1))?;
    let server = &mut reactor.server;
    let counted = |prefix: &&str| Zone::new(prefix).counted(arguments.metrics.is_some());
    let chat = server.zones(PREFIXES.iter().map(counted), Chat::new());
    server.with(chat, Instant::now(), |handler, cx| handler.start(chat, cx));
    notify::alive(server, chat);
    server.http(Zone::new(why::PATH).methods(&[Method::POST]), why::why);
    server.http(Zone::new("/").methods(&[Method::GET, Method::HEAD]), front_door);
    guard(server, &arguments)?;
    if arguments.verbose {
        let lines = log.lines();
        server.observe(move |event| {
            if event.is_refusal() {
                lines.add(format!("chat: {event}"));
            }
        });
    }

    if let Some(place) = &arguments.metrics {
        let url = metrics::serve(server, place).map_err(|error| match error.kind() {
            ErrorKind::InvalidInput => Failure(format!("{error}; see chat --help"), 2),
            _ => Failure(error.to_string(), 1),
        })?;
        print_line(format_args!("metrics at {url}"));
    }
    let bound = listen(&mut reactor, &arguments.listen)?;
    goodbye_at_a_signal(&reactor, drain);
    match bound {
        ListenAddr::Tcp(address) => print_line(format_args!("open http://{}/", reachable(address))),
        place => print_line(format_args!("listening on {place}")),
    }
    notify::ready("chat");
    let outcome = reactor.run();
    drop(reactor);
    log.end();
    outcome.map_err(|error| Failure(format!("the event loop failed: {error}"), 1))
}

/// Says which pages, hosts and proxies the server believes.
fn guard(server: &mut Server, arguments: &Arguments) -> Result<(), Failure> {
    server.remedies("--origin", "--allow-host");
    server.origins(&arguments.origins);
    if !arguments.hosts.is_empty() {
        server.hosts(arguments.hosts.iter().map(String::as_str).chain(LOOPBACK));
    }
    if !arguments.proxies.is_empty() {
        server
            .trusted_proxies(&arguments.proxies, TrustedHeader::XForwardedFor)
            .map_err(|error| Failure(format!("--trusted-proxy: {error}; see chat --help"), 2))?;
    }
    Ok(())
}

/// The command line; nothing if only help is wanted.
fn arguments() -> Result<Option<Arguments>, Failure> {
    let usage = |error: &dyn Display| Failure(format!("{error}; see chat --help"), 2);
    let mut arguments = Arguments {
        listen: "127.0.0.1:8080".into(),
        origins: Vec::new(),
        hosts: Vec::new(),
        proxies: Vec::new(),
        verbose: false,
        metrics: None,
        ending: Ending::default(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(|error| usage(&error))? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("listen") => {
                arguments.listen = parser
                    .value()
                    .and_then(|value| value.string())
                    .map_err(|error| usage(&error))?
            }
            Long("origin") => arguments.origins.push(value(&mut parser, |text| {
                (text == "null" || text.contains("://"))
                    .then_some(text)
                    .ok_or("https://chat.example")
            })?),
            Long("allow-host") => arguments.hosts.push(value(&mut parser, |text| {
                let is_host =
                    !text.is_empty() && !text.contains(['*', ' ']) && !text.contains("://");
                is_host.then_some(text).ok_or("chat.example")
            })?),
            Long("trusted-proxy") => arguments.proxies.push(value(&mut parser, Ok)?),
            Long("metrics-listen") => arguments.metrics = Some(value(&mut parser, Ok)?),
            Long("verbose") => arguments.verbose = true,
            Long(option) if Ending::has(option) => {
                let option = option.to_owned();
                let value = value(&mut parser, Ok)?;
                arguments.ending.set(&option, &value).map_err(|error| usage(&error))?;
            }
            other => return Err(usage(&other.unexpected())),
        }
    }
    Ok(Some(arguments))
}

/// The value of an option, or what it should be like.
fn value(
    parser: &mut lexopt::Parser,
    read: impl FnOnce(String) -> Result<String, &'static str>,
) -> Result<String, Failure> {
    let text = parser.value().and_then(|value| value.string());
    let text = text.map_err(|error| Failure(format!("{error}; see chat --help"), 2))?;
    let shown = format!("{text:?}");
    read(text).map_err(|like| Failure(format!("{shown}: give one like {like}; see chat --help"), 2))
}

/// Listens, and returns the first place.
fn listen(reactor: &mut Reactor, address: &str) -> Result<ListenAddr, Failure> {
    let server = &mut reactor.server;
    let bound = server.listen(address).and_then(|listener| server.listening_at(listener));
    bound.map(|mut places| places.remove(0)).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => Failure(format!("{error}; see chat --help"), 2),
        _ => Failure(format!("{error} with --listen"), 1),
    })
}

fn front_door(_conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
    match request.path() {
        "/" => page::page().into(),
        _ => Reply::Pass,
    }
}

/// Ends the server at the first signal: it closes every connection in order, after which
/// [`Reactor::run`] returns.
fn goodbye_at_a_signal(reactor: &Reactor, drain: Drain) {
    let remote = reactor.remote();
    let installed = signals::on_end(move || {
        notify::stopping();
        let _already_ending = remote.drain(drain);
    });
    if let Err(error) = installed {
        print_error(format_args!("chat: a signal will end the chat without a goodbye: {error}"));
    }
}

/// An address that a browser on this machine can open: 0.0.0.0 means every address, but is none.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let v4 = address.is_ipv4();
        address.set_ip(if v4 {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}
