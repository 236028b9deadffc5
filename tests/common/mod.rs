//! What the simulations share: servers without sockets, their peers and a clock moved by hand. Each test binary uses a part.
#![allow(dead_code, unused_imports, reason = "no test binary uses all of it")]

pub mod dialling;
pub mod frames;
pub mod http;
mod pair;
mod recorder;
pub mod serving;
pub mod slow;
pub mod wire;
mod words;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use switchboard::mio::Token;
use switchboard::{
    ConnId, Connect, Handler, MemoryPeer, Readiness, Server, Stats, Transport, ZoneId,
};

pub use pair::Pair;
pub use recorder::{Log, Recorder};
pub use words::{after_handshake, raw, words};

/// A server, its peers and the time. Nothing happens by itself: what a peer does is told to the server by [`Sim::step`], as
/// an edge-triggered `Poll` would, and time passes in [`Sim::advance`] alone.
pub struct Sim {
    pub server: Server,
    pub now: Instant,
    links: Vec<Link>,
}

/// One of a simulation's peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(usize);

struct Link {
    token: Token,
    peer: MemoryPeer,
    /// What has become possible since the server was told last.
    news: Readiness,
}

/// So many turns in a row without rest are a loop that spins.
const TURNS: usize = 20_000;

impl Sim {
    pub fn new() -> Sim {
        let server = Server::detached();
        Sim { server, now: Instant::now(), links: Vec::new() }
    }

    /// A simulation whose server is set up by a closure.
    pub fn with(set_up: impl FnOnce(&mut Server)) -> Sim {
        let mut sim = Sim::new();
        set_up(&mut sim.server);
        sim
    }

    /// A new connection.
    pub fn connect(&mut self) -> Client {
        let (transport, peer) = Transport::memory();
        let token = self.server.adopt(transport, self.now).expect("a place for the connection");
        self.links.push(Link { token, peer, news: Readiness::default() });
        Client(self.links.len() - 1)
    }

    /// A WebSocket that the server opens in the client role: the far end is the peer, which has been asked nothing yet.
    pub fn dial<H: Handler>(&mut self, zone: ZoneId<H>, connect: Connect) -> (Client, ConnId) {
        let (transport, peer) = Transport::memory();
        let dialled = self.server.connect_over(zone, connect, transport, self.now);
        let (token, id) = dialled.expect("a place for the connection");
        self.links.push(Link { token, peer, news: Readiness::default() });
        (Client(self.links.len() - 1), id)
    }

    /// A new connection that has become a WebSocket; its handshake is received already.
    pub fn websocket(&mut self, path: &str) -> Client {
        let client = self.connect();
        let answer = self.ask(client, http::handshake(path));
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        client
    }

    pub fn peer(&mut self, client: Client) -> &mut MemoryPeer {
        &mut self.links[client.0].peer
    }

    pub fn token(&self, client: Client) -> Token {
        self.links[client.0].token
    }

    /// The peer sends; the server does not know yet.
    pub fn push(&mut self, client: Client, bytes: impl AsRef<[u8]>) {
        let link = &mut self.links[client.0];
        link.peer.send(bytes);
        link.news.readable = true;
    }

    /// The peer sends, and the server does all that follows.
    pub fn send(&mut self, client: Client, bytes: impl AsRef<[u8]>) {
        self.push(client, bytes);
        self.step();
    }

    /// Sends, and receives what comes back.
    pub fn ask(&mut self, client: Client, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        self.send(client, bytes);
        self.receive(client)
    }

    /// Sends byte by byte, each in a turn of its own.
    pub fn trickle(&mut self, client: Client, bytes: &[u8]) {
        for byte in bytes {
            self.send(client, [*byte]);
        }
    }

    pub fn receive(&mut self, client: Client) -> Vec<u8> {
        self.peer(client).receive()
    }

    /// The peer takes this many more bytes, and the server does all that follows.
    pub fn window(&mut self, client: Client, bytes: usize) {
        let link = &mut self.links[client.0];
        link.peer.window(bytes);
        link.news.writable |= bytes > 0;
        self.step();
    }

    /// The peer ends its side, as the kernel tells of a FIN.
    pub fn end(&mut self, client: Client) {
        let link = &mut self.links[client.0];
        link.peer.end();
        link.news.readable = true;
        link.news.read_closed = true;
        self.step();
    }

    /// The peer ends its side; the server learns of it by reading only.
    pub fn end_quietly(&mut self, client: Client) {
        let link = &mut self.links[client.0];
        link.peer.end();
        link.news.readable = true;
        self.step();
    }

    /// The connection breaks, as the kernel tells of a RST.
    pub fn fail(&mut self, client: Client, kind: ErrorKind) {
        let link = &mut self.links[client.0];
        link.peer.fail(kind);
        link.news = Readiness { readable: true, writable: true, read_closed: true };
        self.step();
    }

    /// Tells the server that something is possible, true or not.
    pub fn tell(&mut self, client: Client, readiness: Readiness) {
        let token = self.token(client);
        self.server.ready(token, readiness, self.now);
        self.step();
    }

    pub fn is_gone(&mut self, client: Client) -> bool {
        self.peer(client).is_gone()
    }

    pub fn is_ended(&mut self, client: Client) -> bool {
        self.peer(client).is_ended()
    }

    pub fn stats(&mut self) -> Stats {
        self.server.context(self.now).stats()
    }

    /// One turn: what is possible is told, then the server flushes.
    pub fn turn(&mut self) {
        for link in &mut self.links {
            let news = std::mem::take(&mut link.news);
            if news != Readiness::default() && !link.peer.is_gone() {
                self.server.ready(link.token, news, self.now);
            }
        }
        self.server.flush(self.now);
    }

    /// Turns until the server has nothing left to do at this moment.
    pub fn step(&mut self) {
        for _ in 0..TURNS {
            self.turn();
            if self.server.poll_timeout(self.now) != Some(Duration::ZERO) {
                return;
            }
        }
        panic!("the server has not come to rest in {TURNS} turns");
    }

    /// Lets time pass, from one deadline to the next, as a loop sees it.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.step();
        while let Some(wait) =
            self.server.poll_timeout(self.now).filter(|wait| self.now + *wait <= end)
        {
            assert!(!wait.is_zero());
            self.now += wait;
            self.step();
        }
        self.now = end;
        self.step();
    }
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
