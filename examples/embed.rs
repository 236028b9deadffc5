//! A server inside a mio loop of the program's own, beside a UDP socket of the program's own. The
//! program publishes each datagram to the WebSockets and event streams at `/feed`.
//!
//! `cargo run --example embed -- 127.0.0.1:9002 127.0.0.1:9003`, then send datagrams to the second
//! address.
//!
//! Its `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "embed"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! switchboard = "0.1"
//! ```

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Instant;

use switchboard::mio::{Events, Interest, Poll, Token, net::UdpSocket};
use switchboard::{Conn, EventStream, Handler, Message, Outgoing, Reply, Request, Server, Upgrade};

/// The program's own token. Tokens with the highest bit set belong to the server.
const FEED: Token = Token(0);

struct Feed;

impl Handler for Feed {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        if request.is_websocket() { Upgrade::new().into() } else { EventStream::new().into() }
    }

    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("feed");
    }
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:9002".into());
    let feed = arguments.next().unwrap_or_else(|| "127.0.0.1:9003".into());
    let feed: SocketAddr = feed
        .parse()
        .map_err(|_| std::io::Error::other("usage: embed [LISTEN [FEED]], both HOST:PORT"))?;

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut udp = UdpSocket::bind(feed)?;
    poll.registry().register(&mut udp, FEED, Interest::READABLE)?;

    let mut server = Server::new(poll.registry())?;
    server.zone("/feed", Feed);
    let listener = server.listen(listen)?;
    println!("listening on {}, feed on {}", server.local_addr(listener)?, udp.local_addr()?);

    loop {
        if let Err(error) = poll.poll(&mut events, server.poll_timeout(Instant::now())) {
            // mio returns EINTR after a signal, which is no reason to end.
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        let now = Instant::now();
        for event in &events {
            match event.token() {
                FEED => publish_datagrams(&udp, &mut server, now)?,
                token if server.owns(token) => server.handle_event(event, now),
                _ => {}
            }
        }
        server.flush(now);
    }
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
