//! A WebSocket client that says what is typed, shows what arrives, and comes back when the line breaks: with a delay that doubles up to half a
//! minute, of which a random part is left out, so that many clients do not come back at once.
//!
//! `cargo run --example client -- ws://127.0.0.1:9001/`

use std::hash::{BuildHasher, RandomState};
use std::io::BufRead;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use switchboard::{
    Close, CloseCode, Conn, ConnId, Connect, Context, Handler, Message, Reactor, Request, ZoneId,
};

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

struct Client {
    url: String,
    zone: Option<ZoneId<Client>>,
    line: Option<ConnId>,
    delay: Duration,
}

impl Client {
    fn connect(&mut self, cx: &mut Context) {
        if let Some(zone) = self.zone {
            cx.connect(zone, Connect::to(&self.url));
        }
    }

    fn come_back_later(&mut self, cx: &mut Context) {
        let Some(zone) = self.zone else { return };
        // A fresh hasher is as random as a delay needs to be.
        let part = 0.5 + 0.5 * (RandomState::new().hash_one(0) as f64 / u64::MAX as f64);
        let delay = self.delay.mul_f64(part);
        eprintln!("trying again in {:.1} s", delay.as_secs_f64());
        self.delay = (self.delay * 2).min(LONGEST);
        cx.after(zone, delay, |client: &mut Client, cx| client.connect(cx));
    }
}

impl Handler for Client {
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        eprintln!("connected to {}{}", request.host(), request.target());
        self.line = Some(conn.id());
        self.delay = SHORTEST;
    }

    fn message(&mut self, _conn: &mut Conn<'_>, message: Message<'_>) {
        match message {
            Message::Text(text) => println!("{text}"),
            Message::Binary(bytes) => println!("({} bytes)", bytes.len()),
        }
    }

    /// Told after `open`, and as well when it never came to that.
    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        eprintln!("not connected: {} {}", close.code.as_u16(), close.reason);
        self.line = None;
        if close.code != CloseCode::NORMAL {
            self.come_back_later(conn.context());
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), None) =
        (arguments.next().filter(|url| url.starts_with("ws://")), arguments.next())
    else {
        eprintln!("client: give one URL, such as ws://127.0.0.1:9001/");
        return ExitCode::from(2);
    };
    match run(url) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(url: String) -> std::io::Result<()> {
    let mut reactor = Reactor::new()?;
    // A zone that no request reaches: nothing listens.
    let zone = reactor.server.zone("/", Client { url, zone: None, line: None, delay: SHORTEST });
    reactor.server.context(Instant::now());
    reactor.server.with(zone, |client, cx| {
        client.zone = Some(zone);
        client.connect(cx);
    });
    let remote = reactor.remote();
    // Reading the terminal blocks, so it has a thread of its own.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let said = remote.call(zone, move |client: &mut Client, cx| match client.line {
                Some(id) => cx.send(id, &line),
                None => eprintln!("not connected: not said"),
            });
            if said.is_err() {
                return;
            }
        }
        // The input has ended; so does the program, with a Close frame.
        let _ = remote.drain(CloseCode::NORMAL, Duration::from_secs(2));
    });
    reactor.run()
}
