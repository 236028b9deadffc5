//! A server that echoes WebSocket messages at every path, and the bodies of POST requests.
//!
//! `cargo run --release --example echo -- 127.0.0.1:9001`
//!
//! It uses the files of `common/`. Its `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "echo"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! lexopt = "0.3"
//! rlimit = "0.11"
//! signal-hook = "0.4"
//! switchboard = "0.1"
//!
//! [features]
//! deflate = ["switchboard/deflate"]
//! ```

#[path = "common/log.rs"]
mod log;
#[path = "common/output.rs"]
mod output;
#[path = "common/signals.rs"]
mod signals;

use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::Duration;

use log::Log;
use output::{print_error, print_line};
use switchboard::http::Method;
use switchboard::{
    CloseCode, Conn, Handler, Message, Options, Reactor, Reply, Request, Response, Upgrade,
};

const USAGE: &str = "\
usage: echo [ADDRESS] [--origin ORIGIN]..

Echoes text and binary WebSocket messages at every path (subprotocol `echo` if offered),
and the bodies of POST requests up to 1 MiB. GET is answered with a short text.

  ADDRESS         where to listen: HOST:PORT, or :PORT for every address of this machine
                  (default 127.0.0.1:9001)
  --deflate MODE  compression: off (default), shared or dedicated;
                  needs `--features deflate` when building
  --origin ORIGIN let pages of this origin open WebSockets, beside those of the same host:
                  https://app.example, null, file://, capacitor://localhost
  --verbose       print each refused request and connection
  -h, --help      this text

SIGINT, SIGTERM and SIGHUP close all WebSockets with 1001 and end the server. A second one does
not wait.";

/// How long the closing handshakes may take at the end.
const GOODBYE: Duration = Duration::from_secs(3);

struct Echo;

impl Handler for Echo {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        if request.is_websocket() {
            return Upgrade::new().subprotocols(["echo"]).into();
        }
        match *request.method() {
            Method::POST => Reply::Body(1 << 20),
            Method::GET | Method::HEAD => {
                "This is a WebSocket echo server; POST is echoed as well.\n".into()
            }
            _ => Response::method_not_allowed(&[Method::GET, Method::HEAD, Method::POST]).into(),
        }
    }

    fn body(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>, body: &[u8]) -> Reply {
        let content_type = request.header("content-type").unwrap_or("application/octet-stream");
        Response::bytes(content_type, body.to_vec()).into()
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.send(message);
    }
}

/// The parsed command line.
struct Arguments {
    address: String,
    options: Options,
    verbose: bool,
    origins: Vec<String>,
}

/// Parses the command line. `Err` is the exit code after `--help` or a fault.
fn arguments() -> Result<Arguments, ExitCode> {
    let mut address = None;
    let mut options = Options::new();
    let mut verbose = false;
    let mut origins = Vec::new();
    let mut parser = lexopt::Parser::from_env();
    loop {
        match parser.next() {
            Ok(None) => {
                let address = address.unwrap_or_else(|| "127.0.0.1:9001".into());
                return Ok(Arguments { address, options, origins, verbose });
            }
            Ok(Some(lexopt::Arg::Long("deflate"))) => {
                let mode = parser.value().map_err(|error| usage(&error.to_string()))?;
                options =
                    deflate(options, &mode.to_string_lossy()).map_err(|error| usage(&error))?;
            }
            Ok(Some(lexopt::Arg::Long("verbose"))) => verbose = true,
            Ok(Some(lexopt::Arg::Long("origin"))) => {
                let origin = parser.value().map_err(|error| usage(&error.to_string()))?;
                origins.push(origin.to_string_lossy().into_owned());
            }
            Ok(Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help"))) => {
                print_line(USAGE);
                return Err(ExitCode::SUCCESS);
            }
            Ok(Some(lexopt::Arg::Value(value))) if address.is_none() => {
                address = Some(value.to_string_lossy().into_owned());
            }
            Ok(Some(argument)) => return Err(usage(&argument.unexpected().to_string())),
            Err(error) => return Err(usage(&error.to_string())),
        }
    }
}

#[cfg(feature = "deflate")]
fn deflate(options: Options, mode: &str) -> Result<Options, String> {
    use switchboard::DeflateConfig;
    match mode {
        "off" => Ok(options),
        "shared" => Ok(options.deflate(DeflateConfig::shared().threshold(0))),
        "dedicated" => Ok(options.deflate(DeflateConfig::dedicated().threshold(0))),
        _ => Err(format!("{mode:?} is no mode of compression: give off, shared or dedicated")),
    }
}

#[cfg(not(feature = "deflate"))]
fn deflate(options: Options, mode: &str) -> Result<Options, String> {
    match mode {
        "off" => Ok(options),
        _ => Err("built without compression: build with --features deflate".into()),
    }
}

fn usage(error: &str) -> ExitCode {
    print_error(format_args!("echo: {error}; try --help"));
    ExitCode::from(2)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    // Each connection takes one descriptor: raise the limit as far as allowed.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        print_error(format_args!("echo: the descriptor limit stays as it is ({error})"));
    }
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::InvalidInput => usage(&error.to_string()),
        Err(error) => {
            print_error(format_args!("echo: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: Arguments) -> io::Result<()> {
    let log = Log::start("echo")?;
    let mut reactor = Reactor::new()?;
    let server = &mut reactor.server;
    server.options(arguments.options);
    server.origins(&arguments.origins);
    server.remedies("--origin", "Server::hosts");
    server.zone("/", Echo);
    if arguments.verbose {
        let lines = log.lines();
        server.observe(move |event| lines.add(format!("echo: {event}")));
    }
    let listener = server.listen(arguments.address)?;
    let addresses: Vec<_> = server.local_addrs(listener)?.iter().map(ToString::to_string).collect();
    let remote = reactor.remote();
    signals::on_end(move || {
        let _already_ending = remote.drain(CloseCode::GOING_AWAY, GOODBYE);
    })?;
    print_line(format_args!("listening on {}", addresses.join(" and ")));
    let outcome = reactor.run();
    drop(reactor);
    log.end();
    outcome
}
