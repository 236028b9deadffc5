//! A stall of the program never ends a live peer: what peers sent or took meanwhile lies in the
//! kernel, and the first turn afterwards brings the events of other connections only.

mod common;

use std::time::Duration;

use common::dialling::{URL, dialler, request};
use common::frames::{close, pong, text};
use common::http::{self, only};
use common::serving::serving;
use common::{Bytes, Client, Log, Recorder, World, millis, seconds};
use switchboard::{ConnId, Connect, Options, Rate, Readiness, Reply, RequestError};

/// Every deadline of a peer, in these tests.
const DEADLINE: Duration = Duration::from_secs(10);
/// A deadline is judged with the tick of 250 ms after it.
const STEP: Duration = Duration::from_millis(250);

fn options() -> Options {
    Options::new()
        .first_byte_timeout(DEADLINE)
        .keep_alive_timeout(DEADLINE)
        .head_timeout(DEADLINE)
        .body_timeout(DEADLINE)
        .answer_timeout(DEADLINE)
        .write_timeout(DEADLINE)
        .idle_timeout(DEADLINE)
        .pong_timeout(DEADLINE)
        .close_timeout(DEADLINE)
        .linger_timeout(DEADLINE)
        .event_stream_interval(DEADLINE)
}

/// Where a program stands still.
#[derive(Clone, Copy, Debug)]
enum Stall {
    /// A callback blocks.
    InTurn(Duration),
    /// The process is stopped while it waits.
    InWait(Duration),
}

const STALLS: [Stall; 4] = [
    Stall::InTurn(Duration::from_secs(11)),
    Stall::InTurn(Duration::from_secs(1000)),
    Stall::InWait(Duration::from_secs(11)),
    Stall::InWait(Duration::from_secs(1000)),
];

/// The program stands still, has a turn without the events of these connections, and goes on.
fn stall(sim: &mut World, stall: Stall) {
    match stall {
        Stall::InTurn(duration) => {
            sim.now += millis(1);
            sim.server.flush(sim.now);
            sim.now += duration;
            let _ = sim.server.poll_timeout(sim.now);
        }
        Stall::InWait(duration) => sim.now += duration,
    }
    sim.server.flush(sim.now);
    sim.settle();
}

/// Lets most of a deadline pass.
fn nearly(sim: &mut World) {
    sim.advance(DEADLINE - millis(1));
}

#[test]
fn stall_loses_no_request() {
    for how in STALLS {
        let (mut sim, _) = serving(options());
        let kept = sim.connect();
        assert_eq!(http::bodies(&sim.ask(kept, http::get("/first"))), "/first");
        let fresh = sim.connect();
        let half = sim.connect();
        sim.send(half, &http::get("/half")[..20]);
        let upload = sim.connect();
        sim.send(upload, http::request("POST", "/upload", "Content-Length: 900\r\n", "x"));
        nearly(&mut sim);
        for (client, bytes) in [
            (kept, http::get("/kept")),
            (fresh, http::get("/fresh")),
            (half, http::get("/half")[20..].to_owned()),
            (upload, "x".repeat(899)),
        ] {
            sim.push(client, bytes);
        }
        stall(&mut sim, how);
        for (client, body) in [(kept, "/kept"), (fresh, "/fresh"), (half, "/half"), (upload, "900")]
        {
            assert_eq!(http::bodies(&sim.receive(client)), body, "{how:?}");
        }
    }
}

/// A turn that takes long accepts connections whose age counts from its end.
#[test]
fn stall_makes_no_newcomer_old() {
    for how in STALLS {
        let (mut sim, _) = serving(options());
        let fresh = sim.connect();
        stall(&mut sim, how);
        sim.advance(seconds(8));
        assert!(!sim.is_gone(fresh), "{how:?}");
        assert_eq!(http::bodies(&sim.ask(fresh, http::get("/"))), "/", "{how:?}");
    }
}

#[test]
fn stall_extends_no_deadline_by_more_than_itself() {
    for how in STALLS {
        let (mut sim, _) = serving(options());
        let half = sim.connect();
        sim.send(half, "GET / HTTP/1.1\r\n");
        stall(&mut sim, how);
        sim.advance(DEADLINE + STEP);
        let answer = only(&sim.receive(half));
        assert_eq!((answer.status, answer.text()), (408, RequestError::HeadTimeout.as_str()));
    }
    // Bytes of a head do not extend its deadline, also where they are read at the last moment.
    let (mut sim, _) = serving(options());
    let half = sim.connect();
    sim.send(half, "GET / HTTP/1.1\r\n");
    nearly(&mut sim);
    sim.push(half, "Host: a\r\n");
    stall(&mut sim, Stall::InWait(STEP + millis(1)));
    assert_eq!(only(&sim.receive(half)).status, 408);
}

#[test]
fn stall_ends_no_websocket_that_has_answered() {
    for how in STALLS {
        // Each connection is pinged after another part of its idle timeout.
        let (mut sim, log) = serving(options().pong_timeout(2 * DEADLINE));
        let (ponged, spoke) = (sim.raw_websocket("/socket"), sim.raw_websocket("/socket"));
        sim.advance(DEADLINE + STEP);
        assert_eq!([sim.words(ponged), sim.words(spoke)], [["ping"], ["ping"]]);
        nearly(&mut sim);
        sim.push(ponged, pong(""));
        sim.push(spoke, text("hello"));
        log.take();
        stall(&mut sim, how);
        assert_eq!(log.take(), ["text hello"], "{how:?}");
        assert!(!sim.is_gone(ponged) && !sim.is_gone(spoke), "{how:?}");
        sim.advance(seconds(45));
        assert!(sim.is_gone(ponged), "a peer that stays silent");
    }
}

#[test]
fn stall_loses_no_close() {
    for how in STALLS {
        let (mut sim, log) = serving(options());
        let client = sim.raw_websocket("/socket");
        assert_eq!(sim.ask_words(client, text("close")), ["close 1000"]);
        nearly(&mut sim);
        sim.push(client, close(1000, ""));
        stall(&mut sim, how);
        assert!(log.take().contains(&"close 1000 \"\"".to_owned()), "{how:?}");
    }
}

#[test]
fn stall_loses_no_handshake_of_a_client() {
    for how in STALLS {
        let log = Log::new();
        let (mut sim, zone) = dialler(&log);
        let (client, _) = sim.dial(zone, Connect::to(URL).timeout(DEADLINE));
        sim.settle();
        let (_, answer) = request(&mut sim, client);
        nearly(&mut sim);
        sim.push(client, answer);
        stall(&mut sim, how);
        assert_eq!(log.take()[0], "open /chat", "{how:?}");
    }
}

/// A peer that reads took what waited, and its window is open again.
#[test]
fn stall_ends_no_reader() {
    for how in STALLS {
        let (mut sim, _) = serving(options().write_rate(100));
        let stream = sim.raw_events("/events");
        sim.window(stream, 0);
        // A comment does not leave, and the stream has until the next to take it.
        sim.advance(DEADLINE + STEP);
        let reader = sim.connect();
        sim.window(reader, 5_000);
        sim.send(reader, http::get("/big"));
        nearly(&mut sim);
        for client in [stream, reader] {
            sim.peer(client).window(20_000);
        }
        stall(&mut sim, how);
        assert!(!sim.is_gone(stream) && !sim.is_gone(reader), "{how:?}");
        assert!(sim.receive(stream).starts_with(b":\n\n"), "{how:?}");
    }
}

fn deferring() -> (World, switchboard::ZoneId<Recorder>, Log) {
    let log = Log::new();
    let recorder = Recorder::new(&log).request(|_, _| Reply::Later);
    let mut sim = World::serving(|server| server.options(options()));
    let zone = sim.server.zone("/", recorder);
    (sim, zone, log)
}

/// The answer came during the stall, from another thread or from the program's own loop.
#[test]
fn stall_loses_no_answer_that_came_in_time() {
    for how in STALLS {
        let (mut sim, _, log) = deferring();
        let client = sim.connect();
        sim.send(client, http::get("/"));
        let id: ConnId = log.last_id();
        nearly(&mut sim);
        let (Stall::InTurn(duration) | Stall::InWait(duration)) = how;
        if let Stall::InWait(_) = how {
            sim.now += duration;
        }
        sim.server.context(sim.now).respond(id, "done");
        stall(&mut sim, how);
        assert_eq!(http::bodies(&sim.receive(client)), "done", "{how:?}");
    }
}

/// Ten messages a second, of which a stall of 11 s makes one burst. The rate has not changed.
#[test]
fn stall_makes_no_burst_of_what_piled_up() {
    let rate = Rate::per_second(10).burst(5);
    for (count, passes) in [(110, true), (115, true), (116, false)] {
        let (mut sim, log) = serving(options().message_rate(rate));
        let client = sim.raw_websocket("/socket");
        let messages: Vec<u8> = (0..count).flat_map(|_| text("m")).collect();
        sim.push(client, messages);
        log.take();
        stall(&mut sim, Stall::InTurn(seconds(11)));
        let entries = log.take();
        let heard = entries.iter().filter(|entry| entry.starts_with("text")).count();
        assert_eq!((heard, !sim.is_ended(client)), (count.min(115), passes));
    }
}

#[test]
fn stall_lets_a_timeout_be_moved_first() {
    for how in STALLS {
        let log = Log::new();
        let recorder = Recorder::new(&log)
            .open(|conn, _| conn.set_timeout(Some(DEADLINE)))
            .message(|conn, message| match message.as_bytes() {
                b"more" => conn.set_timeout(Some(DEADLINE)),
                b"stop" => conn.set_timeout(None),
                _ => {}
            });
        let mut sim = World::new();
        sim.server.zone("/", recorder);
        let clients = ["more", "stop", "other"].map(|word| (sim.raw_websocket("/"), word));
        nearly(&mut sim);
        for (client, word) in clients {
            sim.push(client, text(word));
        }
        log.take();
        stall(&mut sim, how);
        sim.advance(seconds(2));
        let mut heard = log.take();
        heard.sort();
        assert_eq!(heard, ["text more", "text other", "text stop", "timeout"], "{how:?}");
        sim.advance(DEADLINE);
        assert_eq!(log.take(), ["timeout"], "{how:?}");
    }
}

/// Timers follow the input that came before them, and come 50 ms late at most.
#[test]
fn timer_waits_for_events_that_were_left_behind() {
    let (mut sim, zone, log) = deferring();
    let id = {
        let client = sim.connect();
        sim.send(client, http::get("/"));
        log.last_id()
    };
    let timer = log.clone();
    sim.server.context(sim.now).after(zone, millis(10), move |_: &mut Recorder, _| {
        timer.note(id, "timer");
    });
    log.take();
    for (after, struck) in [(10, 0), (40, 0), (9, 0), (1, 1)] {
        sim.now += millis(after);
        sim.server.leave_events();
        sim.server.flush(sim.now);
        assert_eq!(log.take().len(), struck);
    }
}

/// Sockets that always have input do not keep a deadline from being judged.
#[test]
fn busy_sockets_delay_no_deadline() {
    let (mut sim, _) = serving(options());
    let busy: Vec<Client> = (0..2_000).map(|_| sim.raw_websocket("/socket")).collect();
    let half = sim.connect();
    sim.send(half, "GET / HTTP/1.1\r\n");
    let began = sim.now;
    let mut turns = (0..).map(|_| {
        // A lot of 1,024 events a turn, in turns of 40 ms.
        sim.now += millis(40);
        for &client in &busy {
            sim.push(client, text("more"));
        }
        for &client in &busy[..1024] {
            let token = sim.token(client);
            sim.server.ready(token, Readiness::READABLE, sim.now);
        }
        sim.server.leave_events();
        sim.server.flush(sim.now);
        (sim.now - began, sim.is_ended(half))
    });
    let (when, _) = turns.find(|&(when, ended)| ended || when > seconds(30)).expect("a turn");
    assert!(when >= DEADLINE && when <= DEADLINE + seconds(1), "{when:?}");
}

/// Many deadlines of one moment are judged over several turns.
#[test]
fn deadlines_of_one_moment_come_in_slices() {
    let (mut sim, _) = serving(options());
    for _ in 0..10_000 {
        sim.connect();
    }
    sim.advance(DEADLINE - millis(1));
    sim.now += STEP + millis(1);
    let mut left = 10_000;
    for turn in 0.. {
        sim.server.flush(sim.now);
        let open = sim.stats().connections;
        assert!(left - open <= 256, "{} in turn {turn}", left - open);
        left = open;
        if left == 0 {
            assert!((39..=45).contains(&turn), "{turn} turns");
            return;
        }
        assert_eq!(sim.server.poll_timeout(sim.now), Some(Duration::ZERO));
    }
}
