//! A WebSocket client that sends the lines of its input and prints the messages that arrive.
//!
//! It reconnects. The delay doubles from 0.5 s to 30 s; a random part of up to one half is cut off,
//! so that many clients do not reconnect at once. A server's `Retry-After` is added, up to an hour.
//! The client ends with a normal Close (1000), and with a status that a later attempt would meet
//! again: 4xx but 408, 425 and 429. At the end of its input, it closes once the answers are there.
//!
//! `cargo run --example client -- ws://127.0.0.1:9001/`
//!
//! `cargo run --features tls --example client -- wss://127.0.0.1:9001/ --root roots.pem`
//!
//! It uses `common/output.rs` and `common/signals.rs`. Its `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "client"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! httpdate = "1"
//! signal-hook = "0.4"
//! switchboard = "0.1"
//!
//! [features]
//! tls = ["switchboard/tls"]
//! ```

#[path = "common/output.rs"]
mod output;
#[path = "common/signals.rs"]
mod signals;

use std::hash::{BuildHasher, RandomState};
use std::io::BufRead;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use output::{print_error, print_line};
use switchboard::{
    Close, CloseCode, Conn, ConnId, Connect, Context, Declined, Drain, Handler, Message, Reactor,
    Request, ZoneId,
};

const USAGE: &str = "\
usage: client URL [--root FILE]

Sends the lines of its input to a WebSocket, prints the messages that arrive, and reconnects. Ends
with the input, once its lines are answered, and with a normal Close.

  URL          where to, such as ws://127.0.0.1:9001/ or wss://feed.example/
  --root FILE  with wss: the certificate authorities to trust, a PEM file (default: those of the
               platform); wss needs `--features tls` when building
  -h, --help   this text

SIGINT, SIGTERM and SIGHUP close the WebSocket with 1001 and end the client. A second one does not
wait.";

/// The command that has TLS.
const TLS: &str = "`cargo run --features tls --example client`";

/// How long the closing handshake may take at the end.
const GOODBYE: Duration = Duration::from_secs(2);
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// The longest delay that a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Lines that wait for a connection, or for a server that is slower than the input.
const LINES: usize = 64;
/// Bytes on their way beyond which no further line is taken.
const BUFFERED: usize = 64 << 10;
/// The payload of the ping behind the last line. Its pong follows the answers to all lines.
const LAST: &[u8] = b"last line";
/// The time for that pong, and for answers that come after it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The silence after which no further answer is expected.
const SILENCE: Duration = Duration::from_millis(250);

struct Client {
    /// A clone resumes the TLS sessions of the others.
    connect: Connect,
    zone: Option<ZoneId<Client>>,
    lines: Receiver<String>,
    /// The open connection.
    conn: Option<ConnId>,
    /// The delay before the next attempt.
    delay: Duration,
    /// When the last answers must be there, once all lines were sent.
    ends_at: Option<Instant>,
    /// Whether the pong behind the last line has arrived.
    is_answered: bool,
    /// Why the client ends without success.
    fault: Option<String>,
}

impl Client {
    fn connect(&mut self, cx: &mut Context) {
        if let Some(zone) = self.zone {
            cx.connect(zone, self.connect.clone());
        }
    }

    fn reconnect_later(&mut self, cx: &mut Context, at_least: Duration) {
        let Some(zone) = self.zone else { return };
        // The keys of a fresh hasher are random enough for a delay.
        let part = 0.5 + 0.5 * (RandomState::new().hash_one(0) as f64 / u64::MAX as f64);
        let delay = at_least.min(LONGEST_ASKED) + self.delay.mul_f64(part);
        print_error(format_args!("trying again in {:.1} s", delay.as_secs_f64()));
        self.delay = (self.delay * 2).min(LONGEST);
        cx.after(zone, delay, |client: &mut Client, cx| client.connect(cx));
    }

    /// Sends the lines that wait, as far as the server takes them.
    fn send_lines(&mut self, cx: &mut Context) {
        let Some(mut conn) = self.conn.and_then(|id| cx.conn(id)) else { return };
        while self.ends_at.is_none() {
            if conn.buffered() > BUFFERED {
                return conn.want_writable();
            }
            match self.lines.try_recv() {
                Ok(line) => conn.send(&line),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    conn.ping(LAST);
                    conn.set_timeout(Some(PATIENCE));
                    self.ends_at = Some(conn.context().now() + PATIENCE);
                }
            }
        }
    }

    /// Waits for a further answer to the last lines, within `PATIENCE` in all.
    fn await_answers(&self, conn: &mut Conn<'_>) {
        if let Some(ends_at) = self.ends_at.filter(|_| self.is_answered) {
            let left = ends_at.saturating_duration_since(conn.context().now());
            conn.set_timeout(Some(SILENCE.min(left)));
        }
    }

    fn end(&mut self, cx: &mut Context, fault: Option<String>) {
        self.fault = fault;
        // Without notice and window, every deadline will do.
        let _begun = cx.drain(Drain { code: CloseCode::NORMAL, ..Drain::within(GOODBYE) });
    }
}

impl Handler for Client {
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        print_error(format_args!("connected to {}{}", request.host(), request.target()));
        self.conn = Some(conn.id());
        self.delay = SHORTEST;
        self.send_lines(conn.context());
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        match message {
            Message::Text(text) => print_line(text),
            Message::Binary(bytes) => print_line(format_args!("({} bytes)", bytes.len())),
        }
        self.await_answers(conn);
    }

    fn pong(&mut self, conn: &mut Conn<'_>, payload: &[u8]) {
        if payload == LAST && self.ends_at.is_some() {
            self.is_answered = true;
            self.await_answers(conn);
        }
    }

    fn writable(&mut self, conn: &mut Conn<'_>) {
        self.send_lines(conn.context());
    }

    fn timeout(&mut self, conn: &mut Conn<'_>) {
        conn.close(CloseCode::NORMAL, "");
    }

    /// Called at the end of every attempt: after `open`, or instead of it.
    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        let was_open = self.conn.take().is_some();
        if !conn.context().is_ready() {
            return; // a signal or the end has begun the drain
        }
        if close.code == CloseCode::NORMAL {
            return self.end(conn.context(), None);
        }
        let status = close.declined.map(|declined| format!(": {}", declined.status()));
        let (code, status) = (close.code.as_u16(), status.unwrap_or_default());
        let told = format!("not connected: {code} {}{status}", close.reason);
        if was_open && self.ends_at.is_some() || close.declined.is_some_and(is_final) {
            return self.end(conn.context(), Some(told));
        }
        print_error(&told);
        let at_least = close.declined.and_then(retry_after).unwrap_or_default();
        self.reconnect_later(conn.context(), at_least);
    }
}

/// Whether a later attempt would meet the same status.
fn is_final(declined: &Declined) -> bool {
    let status = declined.status();
    status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429)
}

/// The delay that a server asks for, in seconds or as a date (RFC 9110 10.2.3).
fn retry_after(declined: &Declined) -> Option<Duration> {
    let value = declined.header("retry-after")?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    date.duration_since(SystemTime::now()).ok()
}

/// Reads the arguments; `None` asks for the usage.
fn request(mut arguments: impl Iterator<Item = String>) -> Result<Option<Connect>, String> {
    let (mut url, mut root) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--root" if root.is_none() => match arguments.next() {
                Some(file) => root = Some(file),
                None => return Err("--root wants a file; try --help".into()),
            },
            _ if url.is_none() && !argument.starts_with('-') => url = Some(argument),
            _ => return Err(ONE_URL.into()),
        }
    }
    let connect = Connect::to(&url.ok_or(ONE_URL)?);
    let connect = match root {
        Some(file) => trusting(connect, &file)?,
        None => connect,
    };
    // An attempt that cannot be made is no use to repeat.
    match connect.check() {
        Ok(()) => Ok(Some(connect)),
        Err(fault) if fault.contains("needs TLS") => Err(format!("{fault}, as {TLS} does")),
        Err(fault) => Err(fault.into()),
    }
}

const ONE_URL: &str = "give one URL, such as ws://127.0.0.1:9001/; try --help";

#[cfg(feature = "tls")]
fn trusting(connect: Connect, file: &str) -> Result<Connect, String> {
    let tls = switchboard::ClientTls::from_pem_file(file);
    tls.map(|tls| connect.tls(tls)).map_err(|error| format!("--root {error}"))
}

#[cfg(not(feature = "tls"))]
fn trusting(_connect: Connect, _file: &str) -> Result<Connect, String> {
    Err(format!("--root needs TLS, which {TLS} has"))
}

fn main() -> ExitCode {
    let connect = match request(std::env::args().skip(1)) {
        Ok(Some(connect)) => connect,
        Ok(None) => {
            print_line(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(fault) => {
            print_error(format_args!("client: {fault}"));
            return ExitCode::from(2);
        }
    };
    match run(connect) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(fault)) => {
            print_error(format_args!("client: {fault}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            print_error(format_args!("client: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(connect: Connect) -> std::io::Result<Option<String>> {
    let mut reactor = Reactor::new()?;
    let (sender, lines) = sync_channel(LINES);
    let client = Client {
        connect,
        zone: None,
        lines,
        conn: None,
        delay: SHORTEST,
        ends_at: None,
        is_answered: false,
        fault: None,
    };
    // No request reaches this zone, because the server does not listen.
    let zone = reactor.server.zone("/", client);
    reactor.server.with(zone, Instant::now(), |client, cx| {
        client.zone = Some(zone);
        client.connect(cx);
    });
    let remote = reactor.remote();
    // Reading the terminal blocks, so a thread of its own does that.
    std::thread::spawn(move || {
        // A queue that is full has a call already, and that call finds the line.
        let wake = || remote.call(zone, |client: &mut Client, cx| client.send_lines(cx));
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
            let _ = wake();
        }
        drop(sender);
        let _ = wake();
    });
    let ending = reactor.remote();
    signals::on_end(move || {
        let _already_ending = ending.drain(Drain::within(GOODBYE));
    })?;
    reactor.run()?;
    Ok(reactor.server.with(zone, Instant::now(), |client, _cx| client.fault.take()))
}
