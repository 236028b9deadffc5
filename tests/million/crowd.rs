//! One server and the far ends of a million connections to it, in memory. The crowd reports
//! readiness in batches, as a loop with as many events does, and times every call. The checks know
//! what must hold.

use std::hint::black_box;
use std::time::{Duration, Instant};

use switchboard::mio::Token;
use switchboard::{
    Close, Conn, ConnMap, Handler, MemoryPeer, Message, Options, Readiness, Request, Server,
    Transport, ZoneId,
};

use super::hold::Holds;

/// Events that a loop takes from the kernel at once.
const EVENTS: usize = 1 << 10;

/// The topic that all connections subscribe to.
pub const TOPIC: &str = "all";

pub const UPGRADE_REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Does with each connection what a page's handler does: a common topic, a topic of its own, state,
/// a timeout, a timer.
#[derive(Default)]
pub struct Lobby {
    pub present: ConnMap<u64>,
    pub timeouts: usize,
    pub closed: usize,
    pub timers: ConnMap<switchboard::TimerId>,
    pub zone: Option<ZoneId<Lobby>>,
}

/// The silence of a member after which the handler is called.
pub const TIMEOUT: Duration = Duration::from_secs(3600);

impl Handler for Lobby {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe(TOPIC);
        conn.subscribe(&format!("user:{}", conn.id().to_bits()));
        conn.set_timeout(Some(TIMEOUT));
        self.present.insert(conn.id(), 0);
        if let Some(zone) = self.zone {
            let timer = conn.context().after(zone, 2 * TIMEOUT, |_, _| {});
            self.timers.insert(conn.id(), timer);
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, _message: Message<'_>) {
        if let Some(heard) = self.present.get_mut(conn.id()) {
            *heard += 1;
        }
    }

    fn timeout(&mut self, _conn: &mut Conn<'_>) {
        self.timeouts += 1;
    }

    fn close(&mut self, conn: &mut Conn<'_>, _close: Close<'_>) {
        self.present.remove(conn.id());
        if let Some(timer) = self.timers.remove(conn.id()) {
            conn.context().cancel(timer);
        }
        self.closed += 1;
    }
}

pub struct Crowd {
    pub server: Server,
    pub zone: ZoneId<Lobby>,
    pub now: Instant,
    pub peers: Vec<(Token, MemoryPeer)>,
    /// One for each kind of call so far.
    pub holds: Vec<Holds>,
}

impl Crowd {
    pub fn new(options: Options) -> Crowd {
        let mut server = Server::detached();
        server.options(options);
        let zone = server.zone("/", Lobby::default());
        let now = Instant::now();
        server.with(zone, now, |lobby, _| lobby.zone = Some(zone));
        Crowd { server, zone, now, peers: Vec::new(), holds: Vec::new() }
    }

    /// Opens this many more connections.
    pub fn grow(&mut self, count: usize) {
        let (mut adopts, mut flushes) =
            (Holds::new("growing: adopt"), Holds::new("growing: flush"));
        self.peers.clear();
        settle();
        self.peers.reserve(count);
        for n in 1..=count {
            let (transport, peer) = Transport::memory();
            let token = adopts
                .time(|| self.server.adopt(transport, self.now))
                .expect("a place for the connection");
            self.peers.push((token, peer));
            if n % EVENTS == 0 {
                flushes.time(|| self.server.flush(self.now));
            }
        }
        self.holds.extend([adopts, flushes]);
        self.rest("growing: flush");
    }

    /// Lets `act` act on each peer, and reports peers for which it returns true as readable, in
    /// batches.
    pub fn tell(
        &mut self,
        ready: &'static str,
        flush: &'static str,
        readiness: Readiness,
        mut act: impl FnMut(usize, &mut MemoryPeer) -> bool,
    ) {
        let (mut readies, mut flushes) = (Holds::new(ready), Holds::new(flush));
        for (batch, peers) in self.peers.chunks_mut(EVENTS).enumerate() {
            let mut tokens = Vec::with_capacity(peers.len());
            for (n, (token, peer)) in peers.iter_mut().enumerate() {
                if act(batch * EVENTS + n, peer) {
                    tokens.push(*token);
                }
            }
            for token in tokens {
                readies.time(|| self.server.ready(token, readiness, self.now));
            }
            flushes.time(|| self.server.flush(self.now));
        }
        self.holds.extend([readies, flushes]);
        settle();
        self.rest(flush);
    }

    /// Turns without events until nothing is left to do now. Returns the number of turns.
    pub fn rest(&mut self, name: &'static str) -> usize {
        const TURNS: usize = 1 << 20;
        let mut flushes = Holds::new(name);
        let turns = (1..TURNS).find(|_| {
            flushes.time(|| self.server.flush(self.now));
            self.server.poll_timeout(self.now) != Some(Duration::ZERO)
        });
        self.holds.push(flushes);
        turns.expect("the server comes to rest")
    }

    /// Moves the clock, from one deadline to the next, as a loop does.
    pub fn advance(&mut self, name: &'static str, duration: Duration) {
        let end = self.now + duration;
        while let Some(wait) =
            self.server.poll_timeout(self.now).filter(|wait| self.now + *wait <= end)
        {
            self.now += wait;
            self.rest(name);
        }
        self.now = end;
        self.rest(name);
    }

    /// Lets time pass second by second without a flush, so that all deadlines are due at once. Loop
    /// time would not count a longer step.
    pub fn fall_behind(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = end.min(self.now + Duration::from_secs(1));
            self.server.context(self.now);
        }
    }

    /// Checks what each peer has received since the last call.
    pub fn received(&mut self, mut check: impl FnMut(usize, Vec<u8>)) {
        for (n, (_, peer)) in self.peers.iter_mut().enumerate() {
            check(n, peer.receive());
        }
        settle();
    }

    pub fn websockets(&mut self) -> usize {
        self.server.context(self.now).stats().websockets
    }

    pub fn connections(&mut self) -> usize {
        self.server.context(self.now).stats().connections
    }
}

/// Makes the allocator do its deferred work: to merge and sort some thousands of freed pieces
/// before the next large allocation. The pieces are the far ends' bytes, which a server with
/// sockets does not have.
fn settle() {
    const PIECES: usize = 1 << 10;
    black_box((0..PIECES).map(|_| Vec::with_capacity(2 << 10)).collect::<Vec<Vec<u8>>>());
}
