//! A server inside a mio loop of the program's own, beside a UDP socket of the program's own. The
//! program publishes each datagram to the WebSockets and event streams at `/feed`.
//!
//! `cargo run --example embed -- 127.0.0.1:9002 127.0.0.1:9003`, then send datagrams to the second
//! address.
//!
//! It uses `common/output.rs` and `common/signals.rs`. Its `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "embed"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! signal-hook = "0.4"
//! switchboard = "0.1"
//! ```

#[path = "common/output.rs"]
mod output;
#[path = "common/signals.rs"]
mod signals;

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use output::{print_error, print_line};
use switchboard::mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};
use switchboard::{
    Conn, Drain, EventStream, Handler, Message, Outgoing, Reply, Request, Server, Upgrade,
};

const USAGE: &str = "\
usage: embed [LISTEN [FEED]]

Publishes each datagram that arrives at FEED to the WebSockets and event streams at /feed.

  LISTEN      where to listen: HOST:PORT, or :PORT for every address of this machine
              (default 127.0.0.1:9002)
  FEED        IP:PORT of the UDP socket (default 127.0.0.1:9003)
  -h, --help  this text

SIGINT, SIGTERM and SIGHUP close all WebSockets with 1001 and end the program. A second one does
not wait.";

/// The program's own tokens. Tokens with the highest bit set belong to the server.
const FEED: Token = Token(0);
const WAKER: Token = Token(1);

/// How long the closing handshakes may take at the end.
const GOODBYE: Duration = Duration::from_secs(3);

struct Feed;

impl Handler for Feed {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        if request.is_websocket() { Upgrade::new().into() } else { EventStream::new().into() }
    }

    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("feed");
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (listen, feed) = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["-h" | "--help", ..] => {
            print_line(USAGE);
            return ExitCode::SUCCESS;
        }
        [] => ("127.0.0.1:9002", "127.0.0.1:9003"),
        [listen] => (*listen, "127.0.0.1:9003"),
        [listen, feed] => (*listen, *feed),
        _ => {
            print_error("embed: give at most two addresses; try --help");
            return ExitCode::from(2);
        }
    };
    match run(listen, feed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(format_args!("embed: {error}"));
            ExitCode::from(if error.kind() == ErrorKind::InvalidInput { 2 } else { 1 })
        }
    }
}

/// Binds the socket of the feed. An error names the address.
fn bind(feed: &str) -> std::io::Result<UdpSocket> {
    let Ok(address) = feed.parse::<SocketAddr>() else {
        let text = format!("cannot bind the feed {feed:?}: give IP:PORT, such as 127.0.0.1:9003");
        return Err(Error::new(ErrorKind::InvalidInput, text));
    };
    UdpSocket::bind(address)
        .map_err(|error| Error::new(error.kind(), format!("cannot bind the feed {feed}: {error}")))
}

fn run(listen: &str, feed: &str) -> std::io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut udp = bind(feed)?;
    poll.registry().register(&mut udp, FEED, Interest::READABLE)?;

    let mut server = Server::new(poll.registry())?;
    server.zone("/feed", Feed);
    let listener = server.listen(listen)?;
    let address = server.local_addr(listener)?;
    // A signal is handled on a thread of its own, and wakes the loop.
    let remote = server.remote(Arc::new(Waker::new(poll.registry(), WAKER)?));
    signals::on_end(move || {
        let _already_ending = remote.drain(Drain::within(GOODBYE));
    })?;
    print_line(format_args!("listening on {address}, feed on {}", udp.local_addr()?));

    while !server.is_drained() {
        if let Err(error) = poll.poll(&mut events, server.poll_timeout(Instant::now())) {
            // mio returns EINTR after a signal, which is no reason to end.
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        let now = Instant::now();
        if events.iter().any(|event| event.token() == FEED) {
            publish_datagrams(&udp, &mut server, now)?;
        }
        server.handle_events(&events, now);
        server.flush(now);
    }
    Ok(())
}

/// Publishes all datagrams that have arrived. Readiness is edge-triggered: the loop ends only when
/// the socket is empty.
fn publish_datagrams(udp: &UdpSocket, server: &mut Server, now: Instant) -> std::io::Result<()> {
    let mut buf = [0; 64 << 10];
    loop {
        match udp.recv(&mut buf) {
            Ok(n) => {
                let message = match std::str::from_utf8(&buf[..n]) {
                    Ok(text) => Message::Text(text),
                    Err(_) => Message::Binary(&buf[..n]),
                };
                server.context(now).publish("feed", Outgoing::from(message));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
