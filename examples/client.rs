//! A WebSocket client that sends the lines of its input, prints the messages that arrive, and
//! reconnects. The delay doubles from 0.5 s to 30 s; a random part of up to one half is cut off, so
//! that many clients do not reconnect at once.
//!
//! `cargo run --example client -- ws://127.0.0.1:9001/`
//!
//! It uses `common/output.rs`. Its `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "client"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! switchboard = "0.1"
//! ```

#[path = "common/output.rs"]
mod output;

use std::hash::{BuildHasher, RandomState};
use std::io::BufRead;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use output::{print_error, print_line};
use switchboard::{
    Close, CloseCode, Conn, ConnId, Connect, Context, Handler, Message, Reactor, Request, ZoneId,
};

const USAGE: &str = "\
usage: client URL

Sends the lines of its input to a WebSocket, prints the messages that arrive, and reconnects.

  URL         where to, such as ws://127.0.0.1:9001/
  -h, --help  this text";

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

struct Client {
    url: String,
    zone: Option<ZoneId<Client>>,
    /// The open connection.
    conn: Option<ConnId>,
    /// The delay before the next attempt.
    delay: Duration,
}

impl Client {
    fn connect(&mut self, cx: &mut Context) {
        if let Some(zone) = self.zone {
            cx.connect(zone, Connect::to(&self.url));
        }
    }

    fn reconnect_later(&mut self, cx: &mut Context) {
        let Some(zone) = self.zone else { return };
        // The keys of a fresh hasher are random enough for a delay.
        let part = 0.5 + 0.5 * (RandomState::new().hash_one(0) as f64 / u64::MAX as f64);
        let delay = self.delay.mul_f64(part);
        print_error(format_args!("trying again in {:.1} s", delay.as_secs_f64()));
        self.delay = (self.delay * 2).min(LONGEST);
        cx.after(zone, delay, |client: &mut Client, cx| client.connect(cx));
    }
}

impl Handler for Client {
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        print_error(format_args!("connected to {}{}", request.host(), request.target()));
        self.conn = Some(conn.id());
        self.delay = SHORTEST;
    }

    fn message(&mut self, _conn: &mut Conn<'_>, message: Message<'_>) {
        match message {
            Message::Text(text) => print_line(text),
            Message::Binary(bytes) => print_line(format_args!("({} bytes)", bytes.len())),
        }
    }

    /// Called at the end of every attempt: after `open`, or instead of it.
    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        print_error(format_args!("not connected: {} {}", close.code.as_u16(), close.reason));
        self.conn = None;
        if close.code != CloseCode::NORMAL {
            self.reconnect_later(conn.context());
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    if let Some("-h" | "--help") = arguments.peek().map(String::as_str) {
        print_line(USAGE);
        return ExitCode::SUCCESS;
    }
    let (Some(url), None) =
        (arguments.next().filter(|url| url.starts_with("ws://")), arguments.next())
    else {
        print_error("client: give one URL, such as ws://127.0.0.1:9001/; try --help");
        return ExitCode::from(2);
    };
    match run(url) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(format_args!("client: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(url: String) -> std::io::Result<()> {
    let mut reactor = Reactor::new()?;
    // No request reaches this zone, because the server does not listen.
    let zone = reactor.server.zone("/", Client { url, zone: None, conn: None, delay: SHORTEST });
    reactor.server.with(zone, Instant::now(), |client, cx| {
        client.zone = Some(zone);
        client.connect(cx);
    });
    let remote = reactor.remote();
    // Reading the terminal blocks, so a thread of its own does that.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let queued = remote.call(zone, move |client: &mut Client, cx| match client.conn {
                Some(id) => cx.send(id, &line),
                None => print_error("not connected: not said"),
            });
            if queued.is_err() {
                return;
            }
        }
        // The end of the input ends the program, with a Close frame.
        let _ = remote.drain(CloseCode::NORMAL, Duration::from_secs(2));
    });
    reactor.run()
}
