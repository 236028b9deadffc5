//! The stages of a drain, over memory: what a connection in each phase meets in the notice, in the
//! window and at the deadline. The rows are those of the table of `Drain`.

mod common;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use common::dialling::URL;
use common::frames::{close, text};
use common::http::{get, handshake, only, post};
use common::{Bytes, Client, Log, Recorder, World, after_handshake, millis, seconds, words};
use switchboard::mio::Poll;
use switchboard::{
    Cause, CloseCode, Connect, Drain, DrainError, EventStream, Listener, MemoryPeer, Options,
    Readiness, Reply, Response, Server, Stream, Transport, Upgrade, ZoneId,
};

const NOTICE: u64 = 5;
const WINDOW: u64 = 10;
const DEADLINE: u64 = 60;

/// All three stages, for a given reason.
fn stages() -> Drain {
    Drain {
        reason: "a new version".into(),
        notice: seconds(NOTICE),
        window: seconds(WINDOW),
        deadline: seconds(DEADLINE),
        ..Drain::default()
    }
}

struct Bench {
    sim: World,
    zone: ZoneId<Recorder>,
    log: Log,
}

impl Bench {
    /// A server whose own deadlines end nothing within a test.
    fn new() -> Bench {
        let (long, log) = (seconds(3600), Log::new());
        let patient = Options::new()
            .first_byte_timeout(long)
            .head_timeout(long)
            .body_timeout(long)
            .answer_timeout(long)
            .write_timeout(long)
            .keep_alive_timeout(long)
            .idle_timeout(long);
        let patient = patient.close_timeout(long).linger_timeout(long).linger_limit(long);
        let recorder = Recorder::new(&log)
            .request(|_, request| match request.path() {
                _ if request.is_websocket() && request.path() != "/later" => Upgrade::new().into(),
                "/events" => EventStream::new().into(),
                "/later" => Reply::Later,
                "/body" => Reply::Body(100),
                "/big" => "x".repeat(100_000).into(),
                "/stream" => Stream::new(Response::new(200)).into(),
                "/take" => Reply::Takeover(Response::new(101).header("Upgrade", "own")),
                _ => "hello".into(),
            })
            .body(|_, _, _| "thanks")
            .message(|conn, message| conn.send(message))
            .input(|conn, bytes| {
                match bytes {
                    b"release" => conn.release(),
                    _ => conn.write(bytes),
                }
                bytes.len()
            });
        let mut sim = World::serving(|server| server.options(patient));
        let zone = sim.server.zone("/", recorder);
        Bench { sim, zone, log }
    }

    fn drain(&mut self, drain: Drain) {
        let now = self.sim.now;
        self.sim.server.context(now).drain(drain).unwrap();
        self.sim.settle();
    }

    /// A client that has sent these bytes, and has read what came.
    fn client(&mut self, bytes: impl AsRef<[u8]>) -> Client {
        let client = self.sim.connect();
        self.sim.ask(client, bytes);
        client
    }
}

/// What has become of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Now {
    Open,
    /// The server has ended its side.
    Ended,
    Gone,
}
use Now::{Ended, Gone, Open};

fn state(bench: &mut Bench, client: Client) -> Now {
    match (bench.sim.is_gone(client), bench.sim.is_ended(client)) {
        (true, _) => Gone,
        (false, true) => Ended,
        (false, false) => Open,
    }
}

type Enter = fn(&mut Bench) -> Client;

/// A phase, how a client gets there, what has become of it in the notice, when the window begins,
/// at its end and at the deadline, without any act of the client, and the last callback.
const PHASES: [(&str, Enter, [Now; 4], &str); 15] = [
    ("fresh", |it| it.sim.connect(), [Open, Gone, Gone, Gone], ""),
    ("between requests", |it| it.client(get("/")), [Open, Gone, Gone, Gone], "request GET /"),
    ("part of a head", |it| it.client(&get("/")[..9]), [Open, Open, Open, Gone], ""),
    (
        "part of a body",
        |it| it.client(&post("/body", "123")[..post("/body", "123").len() - 1]),
        [Open, Open, Open, Gone],
        "request POST /body",
    ),
    ("answer owed", |it| it.client(get("/later")), [Open, Open, Open, Gone], "cancelled"),
    ("streamed answer", |it| it.client(get("/stream")), [Open, Open, Open, Gone], "cancelled"),
    (
        "unread answer",
        |it| {
            let client = it.sim.connect();
            it.sim.window(client, 1_000);
            it.sim.send(client, get("/big"));
            client
        },
        [Open, Open, Open, Gone],
        "request GET /big",
    ),
    (
        "pipelined",
        |it| it.client([get("/later"), get("/second")].concat()),
        [Open, Open, Open, Gone],
        "cancelled",
    ),
    ("WebSocket", |it| it.sim.raw_websocket("/"), [Open, Open, Open, Gone], "close 1006 \"\""),
    (
        "event stream",
        |it| it.sim.raw_events("/events"),
        [Open, Open, Ended, Gone],
        "close 1001 \"a new version\"",
    ),
    (
        "takeover",
        |it| it.client(get("/take")),
        [Open, Open, Ended, Gone],
        "close 1001 \"a new version\"",
    ),
    (
        "closing handshake",
        |it| {
            let client = it.sim.raw_websocket("/");
            let id = it.log.last_id();
            it.sim.server.with(it.zone, it.sim.now, |_, cx| {
                cx.conn(id).unwrap().close(CloseCode::NORMAL, "over");
            });
            it.sim.settle();
            client
        },
        [Open, Open, Open, Gone],
        "close 1006 \"\"",
    ),
    ("last bytes", |it| it.client("nonsense\r\n\r\n"), [Ended, Ended, Ended, Gone], ""),
    (
        "attempt",
        |it| it.sim.dial(it.zone, Connect::to(URL).timeout(seconds(3600))).0,
        [Open, Gone, Gone, Gone],
        "close 1006 \"\"",
    ),
    (
        "WebSocket of this program",
        |it| common::dialling::established(&mut it.sim, it.zone, Connect::to(URL)).0,
        [Open, Open, Open, Gone],
        "close 1006 \"\"",
    ),
];

#[test]
fn drain_treats_each_phase_as_its_table_says() {
    for (name, enter, states, last) in PHASES {
        let mut bench = Bench::new();
        let client = enter(&mut bench);
        bench.sim.receive(client);
        bench.drain(stages());
        let moments = [1, NOTICE, NOTICE + WINDOW, DEADLINE - 1, DEADLINE];
        let expected = [states[0], states[1], states[2], states[2], states[3]];
        let began = bench.sim.now;
        for (moment, expected) in moments.into_iter().zip(expected) {
            let to = began + seconds(moment);
            bench.sim.advance(to - bench.sim.now);
            assert_eq!(state(&mut bench, client), expected, "{name}: {moment} s");
            assert_eq!(bench.sim.server.is_drained(), expected == Gone, "{name}: {moment} s");
        }
        assert_eq!(bench.log.take().pop().unwrap_or_default(), last, "{name}");
        let cause = match name {
            "last bytes" => Cause::Violation,
            "closing handshake" => Cause::Local,
            _ => Cause::Drain,
        };
        assert_eq!(bench.sim.stats().ends.get(cause), 1, "{name}");
    }
}

/// A connection that has not said who it comes from, at a listener that asks for it.
#[test]
fn drain_ends_an_arriving_connection_when_its_window_begins() {
    let mut server = Server::new(Poll::new().unwrap().registry()).unwrap();
    server.http("/", |_, _| "hello");
    let listener = Listener::from("127.0.0.1:0").proxy_protocol(["unix", "127.0.0.1"]);
    let listener = server.listen(listener).unwrap();
    let mut now = Instant::now();
    server.context(now).drain(stages()).unwrap();
    server.flush(now);
    now += seconds(1);
    let connect = |server: &mut Server, now, bytes: &str| {
        let (transport, mut peer) = Transport::memory();
        let token = server.adopt_at(listener, transport, now).unwrap();
        peer.send(bytes);
        server.ready(token, Readiness::READABLE, now);
        server.flush(now);
        peer
    };
    let half = connect(&mut server, now, "PROXY TCP4 192.0.2.1");
    let header = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut whole = connect(&mut server, now, header);
    let answer = only(&whole.receive());
    assert!(answer.closes() && !half.is_gone() && server.local_addr(listener).is_ok());
    now += seconds(NOTICE - 1);
    for _ in 0..3 {
        server.flush(now);
    }
    assert!(half.is_gone() && server.local_addr(listener).is_err());
    let refused = server.adopt_at(listener, Transport::memory().0, now).unwrap_err();
    assert_eq!(refused.to_string(), "the server is draining");
}

/// Each phase goes on in the notice, new connections too, and each answer is the last.
#[test]
fn drain_serves_all_in_its_notice() {
    let mut bench = Bench::new();
    let idle = bench.client(get("/"));
    let socket = bench.sim.raw_websocket("/");
    let taken = bench.client(get("/take"));
    let later = bench.client(get("/later"));
    let id = bench.log.last_id();
    let body = post("/body", "123");
    let half = bench.client(&body[..body.len() - 1]);
    let sim = &mut bench.sim;
    assert!(sim.server.is_ready());
    let now = sim.now;
    sim.server.context(now).drain(stages()).unwrap();
    assert!(!sim.server.is_ready() && !sim.server.context(now).is_ready());
    sim.advance(seconds(NOTICE) - millis(1));

    let new = sim.connect();
    sim.send(new, get("/"));
    sim.send(idle, [get("/"), get("/second")].concat());
    sim.send(half, &body[body.len() - 1..]);
    sim.server.with(bench.zone, sim.now, |_, cx| cx.respond(id, Response::text("at last")));
    sim.settle();
    for (client, said) in [(new, "hello"), (idle, "hello"), (half, "thanks"), (later, "at last")] {
        let answer = only(&sim.receive(client));
        assert_eq!((answer.status, answer.text(), answer.closes()), (200, said, true));
        assert!(sim.is_ended(client), "{said}");
        sim.end(client);
        assert!(sim.is_gone(client));
    }
    let called = bench.log.take();
    assert!(!called.contains(&"request GET /second".into()), "{called:?}");

    assert_eq!(sim.ask_words(socket, text("still")), ["text still"]);
    assert_eq!(sim.ask(taken, "raw"), b"raw");
    let (late, events) = (sim.raw_websocket("/"), sim.raw_events("/events"));
    let again = sim.connect();
    assert!(sim.ask(again, get("/take")).starts_with(b"HTTP/1.1 101 "));
    sim.send(again, "release");
    assert!(sim.is_ended(again), "the connection behind a takeover ends");
    let (attempt, _) = sim.dial(bench.zone, Connect::to(URL));
    sim.settle();
    assert!([late, events, taken, socket, attempt].iter().all(|client| !sim.is_ended(*client)));
    assert_eq!(bench.log.take().iter().filter(|call| call.starts_with("close")).count(), 1);
    assert!(!sim.server.is_drained());
}

/// What waits goes on behind the beginning of the window, as the last of its connection.
#[test]
fn drain_finishes_in_its_window_what_has_begun() {
    let mut bench = Bench::new();
    let head = bench.client(&get("/")[..9]);
    let body = post("/body", "123");
    let half = bench.client(&body[..body.len() - 1]);
    let taken = bench.client(get("/take"));
    let unread = bench.sim.connect();
    bench.sim.window(unread, 1_000);
    bench.sim.send(unread, get("/big"));
    let later = bench.client([get("/later"), get("/second")].concat());
    let id = bench.log.last_id();
    let stream = bench.client(get("/stream"));
    let streamed = bench.log.last_id();
    bench.drain(stages());
    let sim = &mut bench.sim;
    sim.advance(seconds(NOTICE));
    bench.log.take();

    sim.send(head, &get("/")[9..]);
    sim.send(half, &body[body.len() - 1..]);
    sim.window(unread, usize::MAX);
    sim.send(taken, "release");
    sim.server.with(bench.zone, sim.now, |_, cx| {
        cx.respond(id, Response::text("at last"));
        cx.conn(streamed).unwrap().finish();
    });
    sim.settle();
    for (client, said) in [(head, "hello"), (half, "thanks"), (later, "at last")] {
        let answer = only(&sim.receive(client));
        assert_eq!((answer.text(), answer.closes()), (said, true));
    }
    assert!(sim.receive(unread).ends_with(b"xxx"));
    assert!(sim.receive(stream).ends_with(b"0\r\n\r\n"));
    for client in [head, half, later, unread, stream, taken] {
        assert!(sim.is_ended(client));
        sim.end(client);
        assert!(sim.is_gone(client));
    }
    assert!(sim.server.is_drained(), "the window is not over");
    let called = bench.log.take();
    assert!(!called.contains(&"request GET /second".into()), "{called:?}");
}

/// A request that has arrived when the window begins is answered, though no event told of it.
#[test]
fn drain_reads_idle_connections_once_more() {
    let mut bench = Bench::new();
    let (fresh, idle) = (bench.sim.connect(), bench.client(get("/")));
    bench.drain(stages());
    bench.sim.advance(seconds(NOTICE) - millis(1));
    for client in [fresh, idle] {
        bench.sim.peer(client).send(get("/"));
    }
    let now = bench.sim.now + millis(1);
    (bench.sim.now, _) = (now, bench.sim.server.flush(now));
    for client in [fresh, idle] {
        let answer = only(&bench.sim.receive(client));
        assert_eq!((answer.text(), answer.closes()), ("hello", true));
    }
}

#[test]
fn drain_ends_at_once_what_opens_in_its_window() {
    let mut bench = Bench::new();
    let (socket, events, taken) = (bench.sim.connect(), bench.sim.connect(), bench.sim.connect());
    bench.sim.send(socket, &handshake("/")[..50]);
    bench.sim.send(events, &get("/events")[..9]);
    bench.sim.send(taken, &get("/take")[..9]);
    let late = bench.client(handshake("/later"));
    let id = bench.log.last_id();
    bench.drain(stages());
    let sim = &mut bench.sim;
    sim.advance(seconds(NOTICE));
    sim.send(socket, &handshake("/")[50..]);
    sim.send(events, &get("/events")[9..]);
    sim.send(taken, &get("/take")[9..]);
    sim.server.with(bench.zone, sim.now, |_, cx| cx.upgrade(id, Upgrade::new()));
    sim.settle();
    for client in [socket, late] {
        let said = words(after_handshake(&sim.receive(client)));
        assert_eq!(said, ["close 1001 a new version"]);
        sim.send(client, close(1001, ""));
        assert!(sim.is_gone(client));
    }
    assert!(sim.is_ended(events) && sim.is_ended(taken));
    let log = bench.log.take();
    let count = |what| log.iter().filter(|call| call.starts_with(what)).count();
    assert_eq!((count("open"), count("close 1001 \"")), (4, 4), "{log:?}");
}

#[test]
fn drain_refuses_newcomers_from_its_window_on() {
    let mut bench = Bench::new();
    bench.drain(stages());
    let sim = &mut bench.sim;
    sim.advance(seconds(NOTICE) - millis(1));
    assert!(sim.server.adopt(Transport::memory().0, sim.now).is_ok());
    sim.now += millis(1);
    // The turn of this moment has not come yet.
    let refused = sim.server.adopt(Transport::memory().0, sim.now).unwrap_err();
    assert_eq!(refused.to_string(), "the server is draining");
    let now = sim.now;
    sim.server.context(now).connect(bench.zone, Connect::to(URL));
    sim.settle();
    assert_eq!(bench.log.take(), ["close 1006 \"the server is draining\""]);
}

/// Without a connection, the notice lasts all the same: clients may still come.
#[test]
fn drain_keeps_its_notice_without_connections() {
    let mut bench = Bench::new();
    bench.drain(stages());
    let sim = &mut bench.sim;
    assert_eq!(sim.server.poll_timeout(sim.now), Some(seconds(NOTICE)));
    sim.advance(seconds(NOTICE) - millis(1));
    assert!(!sim.server.is_drained());
    let client = sim.connect();
    assert_eq!(only(&sim.ask(client, get("/"))).text(), "hello");
    sim.end(client);
    assert!(!sim.server.is_drained());
    sim.advance(millis(1));
    assert!(sim.server.is_drained());
}

/// A server with this many connections that have sent the same request, and their far ends.
fn crowd(count: usize, request: &[u8]) -> (Server, Vec<MemoryPeer>, Instant) {
    let (mut server, now) = (Server::detached(), Instant::now());
    let long = seconds(3600);
    server.options(Options::new().idle_timeout(long).event_stream_interval(long));
    server.http("/events", |_, _| Reply::from(EventStream::new()));
    server.websocket("/", |_, _| {});
    let mut connect = || {
        let (transport, mut peer) = Transport::memory();
        let token = server.adopt(transport, now).unwrap();
        peer.send(request);
        server.ready(token, Readiness::READABLE, now);
        assert!(!peer.receive().is_empty());
        peer
    };
    let peers = (0..count).map(|_| connect()).collect();
    server.flush(now);
    (server, peers, now)
}

#[test]
fn drain_spreads_ends_evenly_over_its_window() {
    const CLIENTS: usize = 10_000;
    for request in [handshake("/"), get("/events")] {
        let (mut server, mut open, began) = crowd(CLIENTS, request.as_bytes());
        let (window, mut now, mut tenths) = (seconds(30), began, [0; 10]);
        let drain = Drain { notice: Duration::ZERO, window, ..stages() };
        server.context(began).drain(drain).unwrap();
        for (tenth, count) in tenths.iter_mut().enumerate() {
            let end = began + window * (tenth as u32 + 1) / 10;
            while let Some(wait) = server.poll_timeout(now).filter(|wait| now + *wait <= end) {
                now += wait;
                server.flush(now);
            }
            let before = open.len();
            open.retain_mut(|peer| !peer.is_ended() && peer.receive().is_empty());
            *count = before - open.len();
        }
        assert_eq!(tenths.iter().sum::<usize>(), CLIENTS);
        let bounds = CLIENTS * 8 / 100..=CLIENTS * 12 / 100;
        assert!(tenths.iter().all(|count| bounds.contains(count)), "{tenths:?}");
    }
}

/// Neither the slot nor the order of arrival shows in the order of the ends.
#[test]
fn drain_ends_in_no_order_of_arrival() {
    let mut bench = Bench::new();
    let sim = &mut bench.sim;
    let clients: Vec<_> = (0..200).map(|_| sim.raw_websocket("/")).collect();
    let now = sim.now;
    let drain = Drain { notice: Duration::ZERO, window: seconds(20), ..stages() };
    sim.server.context(now).drain(drain).unwrap();
    sim.advance(seconds(10));
    let ended: Vec<bool> = clients.iter().map(|it| !sim.receive(*it).is_empty()).collect();
    let changes = ended.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!((60..140).contains(&changes), "{changes} of 200, {ended:?}");
}

/// Between the ends, the loop rests: it wakes for each step, and for no more.
#[test]
fn drain_wakes_in_steps() {
    for (window, most) in [(seconds(5), 510), (seconds(30), 1_030), (seconds(3600), 14_410)] {
        let mut bench = Bench::new();
        let sim = &mut bench.sim;
        let client = sim.raw_websocket("/");
        sim.receive(client);
        let now = sim.now;
        let drain = Drain { notice: Duration::ZERO, window, deadline: window, ..stages() };
        sim.server.context(now).drain(drain).unwrap();
        sim.settle();
        let mut turns = 0;
        while let Some(wait) = sim.server.poll_timeout(sim.now) {
            assert!(wait >= millis(1) || sim.now + wait == now + window, "{wait:?}");
            sim.now += wait;
            sim.settle();
            turns += 1;
        }
        assert!(turns <= most && sim.is_gone(client), "{turns} turns in {window:?}");
    }
}

/// The seconds after a first drain, of 10, 20 and 60 s, at which its window begins, the last of
/// many WebSockets ends, and a request is dropped. A second drain comes after 2 s.
fn moments_of(second: Drain) -> [u64; 3] {
    let mut bench = Bench::new();
    let sim = &mut bench.sim;
    let (idle, owed) = (sim.connect(), sim.connect());
    sim.send(owed, get("/later"));
    let mut open: Vec<_> = (0..200).map(|_| sim.raw_websocket("/")).collect();
    let first = Drain { notice: seconds(10), window: seconds(20), ..stages() };
    let now = sim.now;
    sim.server.context(now).drain(first).unwrap();
    let mut moments = [u64::MAX; 3];
    for second_now in 0..=100 {
        if second_now == 2 {
            let now = sim.now;
            sim.server.context(now).drain(second.clone()).unwrap();
            sim.settle();
        }
        open.retain(|socket| {
            let said = sim.words(*socket);
            assert!(said.is_empty() || said == ["close 1001 a new version"], "{said:?}");
            said.is_empty() && !sim.is_gone(*socket)
        });
        let over = [sim.is_gone(idle), open.is_empty(), sim.is_gone(owed)];
        for (moment, _) in moments.iter_mut().zip(over).filter(|(_, is_over)| *is_over) {
            *moment = second_now.min(*moment);
        }
        sim.advance(seconds(1));
    }
    assert!(sim.server.is_drained());
    moments
}

#[test]
fn drain_that_is_called_again_can_only_shorten() {
    for ((notice, window, deadline), moments) in [
        ((30, 30, 90), [10, 30, 60]),
        ((0, 0, 0), [2, 2, 2]),
        ((0, 0, 90), [2, 2, 60]),
        ((4, 10, 90), [6, 16, 60]),
        ((4, 60, 90), [6, 30, 60]),
        ((9, 0, 20), [10, 11, 22]),
        ((20, 0, 30), [10, 22, 32]),
        ((0, 1, 3), [2, 3, 5]),
    ] {
        let (notice, window, deadline) = (seconds(notice), seconds(window), seconds(deadline));
        let code = CloseCode::RESTART;
        let second = Drain { code, notice, window, deadline, ..Drain::default() };
        assert_eq!(moments_of(second.clone()), moments, "{second:?}");
    }
}

/// Each end comes earlier or stays, never later, when the window shrinks midway.
#[test]
fn drain_that_is_shortened_midway_ends_all_by_its_new_end() {
    let mut bench = Bench::new();
    let sim = &mut bench.sim;
    let clients: Vec<_> = (0..1_000).map(|_| sim.raw_websocket("/")).collect();
    let now = sim.now;
    let (notice, window) = (Duration::ZERO, seconds(30));
    sim.server.context(now).drain(Drain { notice, window, ..stages() }).unwrap();
    sim.advance(seconds(10));
    let told: HashSet<_> =
        clients.iter().filter(|client| !sim.receive(**client).is_empty()).collect();
    assert!((280..390).contains(&told.len()), "{}", told.len());
    let now = sim.now;
    sim.server.context(now).drain(Drain { notice, window: seconds(1), ..stages() }).unwrap();
    sim.advance(seconds(1));
    for client in &clients {
        assert_eq!(sim.receive(*client).is_empty(), told.contains(client), "one Close each");
    }
}

/// Calls between turns count from the next turn, each of them.
#[test]
fn drains_between_turns_add_up_to_the_shortest() {
    let mut bench = Bench::new();
    let sim = &mut bench.sim;
    let client = sim.connect();
    sim.server.drain(Drain { notice: seconds(8), ..stages() }).unwrap();
    sim.server.drain(Drain { notice: seconds(3), ..stages() }).unwrap();
    assert_eq!(sim.server.poll_timeout(sim.now), Some(Duration::ZERO));
    sim.now += seconds(100);
    sim.settle();
    sim.advance(seconds(3) - millis(1));
    assert!(!sim.is_gone(client));
    sim.server.drain(stages()).unwrap();
    sim.advance(millis(1));
    assert!(sim.is_gone(client));
}

#[test]
fn drain_with_a_short_deadline_is_an_error_that_says_what_to_give() {
    let (notice, window, deadline) = (seconds(5), seconds(30), seconds(34));
    let short = Drain { notice, window, deadline, ..Drain::default() };
    let error = DrainError::DeadlineTooShort { deadline, at_least: seconds(35) };
    let mut bench = Bench::new();
    let sim = &mut bench.sim;
    let client = sim.connect();
    let now = sim.now;
    assert_eq!(sim.server.context(now).drain(short.clone()), Err(error));
    assert_eq!(sim.server.drain(short), Err(error));
    assert!(error.to_string().ends_with("give a deadline of 35s or more"), "{error}");
    assert!(!error.is_closed());
    sim.advance(seconds(100));
    assert!(sim.server.is_ready() && !sim.is_gone(client));
    let most = Duration::MAX;
    for (window, deadline, holds) in [(most, most, true), (most, seconds(1), false)] {
        let drain = Drain { notice, window, deadline, ..Drain::default() };
        assert_eq!(sim.server.drain(drain).is_ok(), holds, "{window:?} {deadline:?}");
    }
    sim.settle();
    assert!(!sim.is_gone(client));
    let just = Drain { notice, window, deadline: seconds(35), ..Drain::default() };
    assert_eq!(sim.server.drain(just), Ok(()));
}

/// A reason longer than a Close frame is cut at a character.
#[test]
fn drain_cuts_a_long_reason() {
    let mut bench = Bench::new();
    let client = bench.sim.raw_websocket("/");
    bench.drain(Drain { reason: "\u{e9}".repeat(100), ..Drain::default() });
    assert_eq!(bench.sim.words(client), [format!("close 1001 {}", "\u{e9}".repeat(61))]);
}

/// With more connections than one turn visits, each turn ends at most a thousand.
#[test]
fn drain_ends_at_most_a_chunk_in_a_turn() {
    let mut bench = Bench::new();
    let sim = &mut bench.sim;
    let kinds: [fn(&mut World) -> Client; 2] = [|sim| sim.raw_websocket("/"), |sim| sim.connect()];
    let clients: Vec<_> = (0..6_000).map(|n| kinds[n % 2](sim)).collect();
    clients.iter().for_each(|client| drop(sim.receive(*client)));
    sim.server.drain(Drain::default()).unwrap();
    let (mut open, mut turns) = (clients, 0);
    while !open.is_empty() {
        let before = open.len();
        sim.turn();
        open.retain(|client| sim.receive(*client).is_empty() && !sim.is_gone(*client));
        assert!(before - open.len() <= 1 << 10, "{} in one turn", before - open.len());
        turns += 1;
        assert!(turns < 100, "the drain goes on");
    }
}
