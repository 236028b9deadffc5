//! Any events in any order: nothing panics or spins, every open is closed once, every owed answer
//! is given or cancelled once, and the counts are exact.

mod common;

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;

use common::http::{self, handshake};
use common::{Bytes, Client, Log, Recorder, World, cases, frames, millis, seconds};
use proptest::prelude::*;
use switchboard::{
    CloseCode, ConnId, Drain, EventStream, Options, Readiness, Reply, Response, Stats, Stream,
    Upgrade,
};

#[derive(Clone, Debug)]
enum Op {
    Connect,
    /// A piece of what a client may say, whole or cut.
    Send(usize, usize, usize),
    Window(usize, usize),
    ReadAtMost(usize, usize),
    End(usize, bool),
    Fail(usize),
    /// Readiness that may not be true, for a connection that may be gone.
    Tell(usize, bool, bool, bool),
    Advance(u64),
    Turn,
    Publish,
    /// On the exchange of a random earlier callback: answer, upgrade, send, write, finish, release,
    /// close.
    Poke(usize, usize),
    Drain,
}

fn op() -> impl Strategy<Value = Op> {
    let client = 0..6_usize;
    prop_oneof![
        3 => Just(Op::Connect),
        20 => (client.clone(), 0..PIECES, 0..200_usize)
            .prop_map(|(client, piece, cut)| Op::Send(client, piece, cut)),
        5 => (client.clone(), prop_oneof![Just(0), Just(1), 1..300_usize, Just(usize::MAX)])
            .prop_map(|(client, window)| Op::Window(client, window)),
        1 => (client.clone(), prop_oneof![Just(1), Just(usize::MAX)])
            .prop_map(|(client, most)| Op::ReadAtMost(client, most)),
        2 => (client.clone(), any::<bool>()).prop_map(|(client, told)| Op::End(client, told)),
        2 => client.clone().prop_map(Op::Fail),
        3 => (client, any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(client, r, w, c)| Op::Tell(client, r, w, c)),
        3 => prop_oneof![0..300_u64, 0..30_000_u64].prop_map(Op::Advance),
        5 => Just(Op::Turn),
        2 => Just(Op::Publish),
        10 => (0..1_000_usize, 0..POKES).prop_map(|(id, poke)| Op::Poke(id, poke)),
        1 => Just(Op::Drain),
    ]
}

const PIECES: usize = 20;

fn piece(n: usize) -> Vec<u8> {
    match n {
        0 => http::get("/a").into_bytes(),
        1 => http::get("/big").into_bytes(),
        2 => http::post("/upload", "hello").into_bytes(),
        3 => http::post_chunked("/upload", &["he", "llo"]).into_bytes(),
        4 => http::post("/a", "unwanted").into_bytes(),
        5 | 6 => http::get("/later").into_bytes(),
        7 | 8 => http::get("/stream").into_bytes(),
        9 => http::get("/take").into_bytes(),
        10 => http::get("/events").into_bytes(),
        11 | 12 => handshake("/ws").into_bytes(),
        13 => handshake("/later").into_bytes(),
        14 => frames::text("hello"),
        15 => frames::frame(false, frames::TEXT, "hel"),
        16 => frames::ping("p"),
        17 => frames::close(1000, "bye"),
        18 => http::request("GET", "/a", "Connection: close\r\n", "").into_bytes(),
        _ => b"\0\xFFgarbage\r\n\r\n".to_vec(),
    }
}

const POKES: usize = 8;

fn poke(sim: &mut World, id: ConnId, n: usize) {
    let now = sim.now;
    let cx = sim.server.context(now);
    match n {
        0 => cx.respond(id, "deferred"),
        1 => cx.upgrade(id, Upgrade::new()),
        _ => {
            let Some(mut conn) = cx.conn(id) else { return };
            match n {
                2 => conn.send("poked"),
                3 => conn.write(b"poked"),
                4 => conn.finish(),
                5 => conn.release(),
                6 => conn.want_writable(),
                _ => conn.close(CloseCode::NORMAL, "poked"),
            }
        }
    }
}

struct Chaos {
    sim: World,
    clients: Vec<Client>,
    log: Log,
    draining: bool,
    /// The exchange of every callback so far.
    ids: Vec<ConnId>,
    /// The exchanges that are open, and whether they can subscribe.
    open: HashMap<ConnId, bool>,
    /// The exchanges that are owed an answer by nobody but a poke.
    owed: HashSet<ConnId>,
    cancelled: HashSet<ConnId>,
}

impl Chaos {
    #[expect(clippy::too_many_lines, reason = "one step for each event")]
    fn new() -> Chaos {
        let log = Log::new();
        let short = Options::new()
            .first_byte_timeout(seconds(7))
            .keep_alive_timeout(seconds(9))
            .head_timeout(seconds(5));
        let short = short
            .body_timeout(seconds(6))
            .answer_timeout(seconds(8))
            .write_timeout(seconds(6))
            .idle_timeout(seconds(9));
        let short =
            short.pong_timeout(seconds(3)).event_stream_interval(seconds(4)).max_buffered(400);
        let recorder = Recorder::new(&log)
            .request(|_, request| match request.path() {
                "/big" => "x".repeat(500).into(),
                "/upload" => Reply::Body(10),
                "/later" => Reply::Later,
                "/stream" => Stream::new(Response::new(200)).into(),
                "/take" => Reply::Takeover(Response::new(101).header("Upgrade", "own")),
                "/events" => EventStream::new().into(),
                "/ws" => Upgrade::new().into(),
                path => path.to_owned().into(),
            })
            .body(|_, _, body| body.len().to_string())
            .open(|conn, _| {
                conn.subscribe("all");
                conn.subscribe("more");
            })
            .message(|conn, message| {
                conn.send(message);
                conn.publish_to_others("all", "said");
                conn.unsubscribe("more");
            })
            .input(|conn, bytes| {
                conn.write(&bytes[..bytes.len() / 2]);
                if bytes.starts_with(b"G") {
                    conn.release();
                }
                bytes.len().div_ceil(2)
            })
            .writable(|conn| {
                conn.write(b"piece");
                if conn.id().to_bits() % 2 == 0 {
                    conn.finish()
                } else {
                    conn.set_timeout(Some(seconds(2)))
                }
            })
            .timeout(|conn| conn.finish())
            .close(|conn, _| conn.publish("all", "left"));
        let mut sim = World::serving(|server| server.options(short));
        sim.server.zone("/", recorder);
        Chaos {
            sim,
            clients: Vec::new(),
            log,
            draining: false,
            ids: Vec::new(),
            open: HashMap::new(),
            owed: HashSet::new(),
            cancelled: HashSet::new(),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one step for each event")]
    fn run(&mut self, op: &Op) {
        let client = |n: &usize| self.clients.get(n % self.clients.len().max(1)).copied();
        match op {
            Op::Connect => {
                if !self.draining && self.sim.stats().connections < 6 {
                    self.clients.push(self.sim.connect());
                }
            }
            Op::Send(n, which, cut) => {
                let Some(client) = client(n) else { return };
                let piece = piece(*which);
                // Mostly whole.
                let end = if *cut < 150 { piece.len() } else { piece.len() - cut % piece.len() };
                self.sim.push(client, &piece[..end]);
            }
            Op::Window(n, window) => {
                let Some(client) = client(n) else { return };
                self.sim.window(client, *window);
            }
            Op::ReadAtMost(n, most) => {
                let Some(client) = client(n) else { return };
                self.sim.peer(client).read_at_most(*most);
            }
            Op::End(n, told) => {
                let Some(client) = client(n) else { return };
                if *told { self.sim.end(client) } else { self.sim.end_quietly(client) }
            }
            Op::Fail(n) => {
                let Some(client) = client(n) else { return };
                self.sim.fail(client, ErrorKind::ConnectionReset);
            }
            Op::Tell(n, readable, writable, read_closed) => {
                let Some(client) = client(n) else { return };
                // An announced end of file is not made up by any kernel.
                let read_closed = *read_closed && self.sim.is_gone(client);
                self.sim.tell(
                    client,
                    Readiness { readable: *readable, writable: *writable, read_closed },
                );
            }
            Op::Advance(by) => self.sim.advance(millis(*by)),
            Op::Turn => self.sim.turn(),
            Op::Publish => {
                let now = self.sim.now;
                self.sim.server.context(now).publish("all", "news of some length");
            }
            Op::Poke(n, which) => {
                let Some(id) = self.ids.get(n % self.ids.len().max(1)).copied() else { return };
                if *which < 2 {
                    self.owed.remove(&id);
                }
                poke(&mut self.sim, id, *which);
            }
            Op::Drain => {
                // Late in the day: a drain ends everything.
                if self.ids.len() > 60 {
                    // A notice and a window, of one length or none.
                    let long = seconds(self.ids.len() as u64 % 3);
                    let drain = Drain { notice: long, window: long, ..Drain::within(seconds(5)) };
                    self.draining = true;
                    let now = self.sim.now;
                    self.sim.server.context(now).drain(drain).unwrap();
                }
            }
        }
    }

    /// What holds at every moment.
    fn check(&mut self) {
        for (id, call) in self.log.take_all() {
            self.ids.push(id);
            match call.split(' ').next() {
                Some("open") => {
                    assert_eq!(self.open.insert(id, call != "open /take"), None, "opened twice")
                }
                Some("close") => assert!(self.open.remove(&id).is_some(), "closed without an open"),
                Some("cancelled") => assert!(self.cancelled.insert(id), "cancelled twice"),
                Some("request") if call.ends_with(" /later") => {
                    assert!(self.owed.insert(id), "asked twice")
                }
                Some("message" | "input" | "text") => {
                    assert!(self.open.contains_key(&id), "{call} after the close")
                }
                _ => {}
            }
        }
        let now = self.sim.now;
        let cx = self.sim.server.context(now);
        let members = self.open.values().filter(|can_subscribe| **can_subscribe).count();
        assert_eq!(
            cx.subscribers("all"),
            members,
            "subscribers are what is open and can subscribe"
        );
        let stats = cx.stats();
        assert!(stats.websockets + stats.event_streams + stats.takeovers <= self.open.len());
        let carried: Vec<_> =
            self.clients.iter().map(|client| self.sim.peer(*client).carried()).collect();
        assert_eq!(stats.bytes_received, carried.iter().map(|(read, _)| read).sum::<u64>());
        assert_eq!(stats.bytes_sent, carried.iter().map(|(_, written)| written).sum::<u64>());
        assert_eq!(stats.connections, in_phases(&stats), "{stats:?}");
    }
}

/// The sum of the connections in each phase.
fn in_phases(stats: &Stats) -> usize {
    let waiting = stats.connecting + stats.arriving + stats.idle;
    let exchanging = stats.reading_head + stats.reading_body + stats.deferred + stats.responding;
    let open = stats.websockets + stats.event_streams + stats.takeovers;
    waiting + exchanging + open + stats.lingering
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn server_survives_any_interleaving(ops in prop::collection::vec(op(), 1..120)) {
        let mut chaos = Chaos::new();
        chaos.run(&Op::Connect);
        for op in &ops {
            chaos.run(op);
            chaos.check();
        }
        for client in chaos.clients.clone() {
            chaos.sim.fail(client, ErrorKind::ConnectionReset);
        }
        chaos.sim.advance(seconds(60));
        chaos.check();
        let stats = chaos.sim.stats();
        prop_assert_eq!((stats.connections, stats.websockets), (0, 0));
        prop_assert_eq!((stats.event_streams, stats.takeovers), (0, 0));
        let now = chaos.sim.now;
        let cx = chaos.sim.server.context(now);
        prop_assert_eq!(cx.subscribers("all") + cx.subscribers("more"), 0);
        prop_assert_eq!(chaos.sim.server.poll_timeout(now), None);
        prop_assert!(chaos.open.is_empty(), "never closed");
        let cancelled = chaos.owed.is_subset(&chaos.cancelled);
        prop_assert!(cancelled, "owed, never answered and not cancelled");
    }
}
