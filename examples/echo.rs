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
//! listenfd = "1"
//! rlimit = "0.11"
//! sd-notify = "0.5"
//! signal-hook = "0.4"
//! switchboard = "0.1"
//!
//! [features]
//! deflate = ["switchboard/deflate"]
//! tls = ["switchboard/tls"]
//! ```

#[path = "common/access.rs"]
mod access;
#[path = "common/ending.rs"]
mod ending;
#[path = "common/log.rs"]
mod log;
#[path = "common/metrics.rs"]
mod metrics;
#[path = "common/notify.rs"]
mod notify;
#[path = "common/output.rs"]
mod output;
#[path = "common/signals.rs"]
mod signals;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;

use access::AccessLog;
use ending::Ending;
use lexopt::Arg;
use listenfd::ListenFd;
use log::{Lines, Log};
use output::{print_error, print_line};
use switchboard::http::Method;
use switchboard::{
    Conn, Handler, Listener, Message, Options, Reactor, Reply, Request, Response, Server,
    TrustedHeader, Upgrade, Zone,
};

const USAGE: &str = "\
usage: echo [ADDRESS].. [--unix PATH].. [OPTION]..

Echoes text and binary WebSocket messages at every path (subprotocol `echo` if offered),
and the bodies of POST requests up to 1 MiB. GET is answered with a short text.

Where to listen. Without any of these, and without inherited sockets: 127.0.0.1:9001
  ADDRESS         HOST:PORT, or :PORT for every address of this machine
  --unix PATH     a Unix socket; a file that an ended program left there is replaced.
                  @NAME is a name in the abstract namespace
  --mode MODE     who may connect to the Unix sockets, in octal (default 660)
  --reuse-port    other programs of this user may listen at the addresses, too: the next version
                  starts before this one ends
  LISTEN_FDS      sockets that systemd or another supervisor hands over
  --tls CERT KEY  speak TLS at all these places: PEM files of the certificate chain and of its key;
                  needs `--features tls` when building

Behind a proxy:
  --trusted-proxy NETWORK
                  a proxy that names its clients in X-Forwarded-For: 10.0.0.1, 10.0.0.0/8, or unix
                  for all peers of Unix sockets. GET is answered with the client's address, too
  --forwarded     the proxies name clients in Forwarded, in place of X-Forwarded-For
  --proxy-protocol
                  every connection begins with a PROXY header, and comes from a trusted proxy

  --deflate MODE  compression: off (default), shared or dedicated;
                  needs `--features deflate` when building
  --origin ORIGIN let pages of this origin open WebSockets, beside those of the same host:
                  https://app.example, null, file://, capacitor://localhost
  --metrics-listen [HOST:]PORT
                  serve /metrics, /healthz and /readyz there, and nowhere else; a port alone is
                  one of 127.0.0.1
  --verbose       print each refused request and connection
  --access-log    print a line for each request and for the end of each WebSocket
  -h, --help      this text

SIGINT, SIGTERM and SIGHUP close all WebSockets with 1001 and end the server. A second one does
not wait. A supervisor that sets NOTIFY_SOCKET learns when the server is ready, lives and ends.
How it ends, in seconds from the signal:
  --drain-notice SECONDS
                  accept and serve for so long, with `Connection: close` in each answer (default 0)
  --drain-window SECONDS
                  then stop accepting, and close the WebSockets over so long (default 0)
  --drain-deadline SECONDS
                  drop what is left then (default: 3 s after the window)";

struct Echo {
    /// Whether clients get to know their address.
    is_behind_proxy: bool,
}

const GREETING: &str = "This is a WebSocket echo server; POST is echoed as well.\n";

impl Handler for Echo {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        if request.is_websocket() {
            return Upgrade::new().subprotocols(["echo"]).into();
        }
        match *request.method() {
            Method::POST => Reply::Body(1 << 20),
            Method::GET | Method::HEAD => match request.client_addr() {
                Some(client) if self.is_behind_proxy => {
                    format!("{GREETING}You come from {client}.\n").into()
                }
                _ => GREETING.into(),
            },
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
    addresses: Vec<String>,
    paths: Vec<PathBuf>,
    mode: Option<u32>,
    reuse_port: bool,
    options: Options,
    verbose: bool,
    access_log: bool,
    /// Where metrics are served.
    metrics: Option<String>,
    origins: Vec<String>,
    /// The files of the certificate chain and of its key.
    tls: Option<(PathBuf, PathBuf)>,
    proxies: Vec<String>,
    /// The header in which the proxies name their clients.
    header: TrustedHeader,
    proxy_protocol: bool,
    ending: Ending,
}

impl Arguments {
    /// What holds without any argument.
    fn new() -> Arguments {
        Arguments {
            addresses: Vec::new(),
            paths: Vec::new(),
            mode: None,
            reuse_port: false,
            options: Options::new(),
            verbose: false,
            access_log: false,
            metrics: None,
            origins: Vec::new(),
            tls: None,
            proxies: Vec::new(),
            header: TrustedHeader::XForwardedFor,
            proxy_protocol: false,
            ending: Ending::default(),
        }
    }
}

/// Parses the command line. `Err` is the exit code after `--help` or a fault.
fn arguments() -> Result<Arguments, ExitCode> {
    let mut found = Arguments::new();
    let mut parser = lexopt::Parser::from_env();
    loop {
        match parser.next() {
            Ok(None) => break,
            Ok(Some(Arg::Short('h') | Arg::Long("help"))) => {
                print_line(USAGE);
                return Err(ExitCode::SUCCESS);
            }
            Ok(Some(Arg::Value(address))) => found.addresses.push(text(address)),
            Ok(Some(Arg::Long("verbose"))) => found.verbose = true,
            Ok(Some(Arg::Long("access-log"))) => found.access_log = true,
            Ok(Some(Arg::Long("metrics-listen"))) => {
                found.metrics = Some(text(value(&mut parser)?));
            }
            Ok(Some(Arg::Long("unix"))) => found.paths.push(value(&mut parser)?.into()),
            Ok(Some(Arg::Long("mode"))) => {
                found.mode = Some(mode(&text(value(&mut parser)?)).map_err(|error| usage(&error))?);
            }
            Ok(Some(Arg::Long("reuse-port"))) => found.reuse_port = true,
            Ok(Some(Arg::Long("tls"))) => {
                let certificate = value(&mut parser)?.into();
                found.tls = Some((certificate, value(&mut parser)?.into()));
            }
            Ok(Some(Arg::Long("trusted-proxy"))) => found.proxies.push(text(value(&mut parser)?)),
            Ok(Some(Arg::Long("forwarded"))) => found.header = TrustedHeader::Forwarded,
            Ok(Some(Arg::Long("proxy-protocol"))) => found.proxy_protocol = true,
            Ok(Some(Arg::Long("deflate"))) => {
                let mode = text(value(&mut parser)?);
                found.options = deflate(found.options, &mode).map_err(|error| usage(&error))?;
            }
            Ok(Some(Arg::Long("origin"))) => {
                found.origins.push(origin(text(value(&mut parser)?)).map_err(|e| usage(&e))?);
            }
            Ok(Some(Arg::Long(option))) if Ending::has(option) => {
                let option = option.to_owned();
                let value = text(value(&mut parser)?);
                found.ending.set(&option, &value).map_err(|error| usage(&error))?;
            }
            Ok(Some(argument)) => return Err(usage(&argument.unexpected().to_string())),
            Err(error) => return Err(usage(&error.to_string())),
        }
    }
    match misfit(&found) {
        Some(advice) => Err(usage(advice)),
        None => Ok(found),
    }
}

/// Says what to do about an option that needs another one.
fn misfit(found: &Arguments) -> Option<&'static str> {
    if found.mode.is_some() && found.paths.is_empty() {
        return Some("--mode is for Unix sockets: give --unix PATH as well");
    }
    if found.reuse_port && found.addresses.is_empty() {
        return Some("--reuse-port is for addresses: give one as well, such as 127.0.0.1:9001");
    }
    if found.proxy_protocol && found.proxies.is_empty() {
        return Some("--proxy-protocol needs the proxies: give --trusted-proxy 127.0.0.1 as well");
    }
    if found.header == TrustedHeader::Forwarded && found.proxies.is_empty() {
        return Some("--forwarded is for proxies: give --trusted-proxy 127.0.0.1 as well");
    }
    if found.tls.is_some() && !cfg!(feature = "tls") {
        return Some(
            "built without TLS: run `cargo run --release --features tls --example echo -- --tls \
             CERT KEY`",
        );
    }
    None
}

fn value(parser: &mut lexopt::Parser) -> Result<OsString, ExitCode> {
    parser.value().map_err(|error| usage(&error.to_string()))
}

fn text(value: OsString) -> String {
    value.to_string_lossy().into_owned()
}

/// Checks that an origin can match one of a browser.
fn origin(text: String) -> Result<String, String> {
    let is_origin = match text.split_once("://") {
        Some((scheme, host)) => !scheme.is_empty() && !host.contains(['/', ' ', '*', '?', '#']),
        None => text == "null",
    };
    is_origin.then_some(text.clone()).ok_or_else(|| {
        format!("{text:?} is no origin: give a scheme and a host, such as https://app.example")
    })
}

/// Parses the mode of a file.
fn mode(text: &str) -> Result<u32, String> {
    let is_octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
    mode.ok_or_else(|| format!("{text:?} is no mode: give three octal digits, such as 660"))
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
    // The environment names inherited sockets: it is read and cleared before any thread begins.
    let inherited = ListenFd::from_env();
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    // Each connection takes one descriptor: raise the limit as far as allowed.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        print_error(format_args!("echo: the descriptor limit stays as it is ({error})"));
    }
    match serve(arguments, inherited) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::InvalidInput => usage(&error.to_string()),
        Err(error) => {
            print_error(format_args!("echo: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The places to listen at, with what each asks of its connections.
fn listeners(arguments: &mut Arguments, inherited: ListenFd) -> io::Result<Vec<Listener>> {
    let mut listeners = places(arguments, inherited)?;
    if arguments.proxy_protocol {
        let with_header = |listener: Listener| listener.proxy_protocol(&arguments.proxies);
        listeners = listeners.into_iter().map(with_header).collect();
    }
    #[cfg(feature = "tls")]
    if let Some((certificate, key)) = &arguments.tls {
        let tls = switchboard::Tls::from_pem_files(certificate, key)?;
        listeners = listeners.into_iter().map(|listener| listener.tls(tls.clone())).collect();
    }
    Ok(listeners)
}

fn places(arguments: &mut Arguments, mut inherited: ListenFd) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for number in 0..inherited.len() {
        let tcp = inherited.take_tcp_listener(number).ok().flatten().map(Listener::from);
        let unix = || inherited.take_unix_listener(number).map(|found| found.map(Listener::from));
        let listener = tcp.map_or_else(unix, |tcp| Ok(Some(tcp))).map_err(|error| {
            let text = format!(
                "cannot use inherited socket {number} (LISTEN_FDS): {error}: hand over a TCP or \
                 Unix stream socket that listens, or unset LISTEN_FDS"
            );
            io::Error::other(text)
        })?;
        listeners.extend(listener);
    }
    let reuse_port = arguments.reuse_port;
    let addresses = arguments.addresses.drain(..).map(Listener::from);
    listeners.extend(addresses.map(|listener| listener.reuse_port(reuse_port)));
    let mode = arguments.mode.unwrap_or(0o660);
    for path in arguments.paths.drain(..) {
        let is_abstract = path.as_os_str().as_encoded_bytes().starts_with(b"@");
        let listener = Listener::unix(path);
        listeners.push(if is_abstract { listener } else { listener.mode(mode) });
    }
    if listeners.is_empty() {
        listeners.push("127.0.0.1:9001".into());
    }
    Ok(listeners)
}

/// Has the server's events written as the arguments say.
fn observe(server: &mut Server, (verbose, access_log): (bool, bool), lines: Lines) {
    let mut access = access_log.then(AccessLog::default);
    if !verbose && access.is_none() {
        return;
    }
    server.observe(move |event| {
        if verbose && event.is_refusal() {
            lines.add(format!("echo: {event}"));
        }
        if let Some(line) = access.as_mut().and_then(|access| access.line(event)) {
            lines.add(line);
        }
    });
}

fn serve(mut arguments: Arguments, inherited: ListenFd) -> io::Result<()> {
    let drain = arguments.ending.drain();
    let drain = drain.map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
    let log = Log::start("echo")?;
    let mut reactor = Reactor::new()?;
    let listeners = listeners(&mut arguments, inherited)?;
    let server = &mut reactor.server;
    server.options(arguments.options);
    server.origins(&arguments.origins);
    server.remedies("--origin", "Server::hosts");
    let is_behind_proxy = !arguments.proxies.is_empty();
    if is_behind_proxy {
        server.trusted_proxies(&arguments.proxies, arguments.header)?;
    }
    let zone = Zone::new("/").counted(arguments.metrics.is_some());
    let echo = server.zone(zone, Echo { is_behind_proxy });
    notify::alive(server, echo);
    observe(server, (arguments.verbose, arguments.access_log), log.lines());
    let mut places = Vec::new();
    for listener in listeners {
        let listener = server.listen(listener)?;
        places.extend(server.listening_at(listener)?.iter().map(ToString::to_string));
    }
    if let Some(place) = &arguments.metrics {
        print_line(format_args!("metrics at {}", metrics::serve(server, place)?));
    }
    let remote = reactor.remote();
    signals::on_end(move || {
        notify::stopping();
        let _already_ending = remote.drain(drain);
    })?;
    print_line(format_args!("listening on {}", places.join(" and ")));
    notify::ready("echo");
    let outcome = reactor.run();
    drop(reactor);
    log.end();
    outcome
}
