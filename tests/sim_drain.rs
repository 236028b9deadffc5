//! The end of a server, over memory: who is told, who is waited for, and who is not.

mod common;

use common::frames::{close, text};
use common::http::{get, handshake, only, post};
use common::{Bytes, Log, Recorder, World, after_handshake, millis, seconds, words};
use switchboard::{CloseCode, Drain, EventStream, Reply, Response, Stream, Transport, Upgrade};

/// WebSockets, event streams at `/events`, answers that come later at `/later`, bodies at `/body`.
fn server(log: &Log) -> (World, switchboard::ZoneId<Recorder>) {
    let mut sim = World::new();
    let recorder = Recorder::new(log)
        .request(|_, request| match request.path() {
            _ if request.is_websocket() && request.path() != "/later" => Upgrade::new().into(),
            "/events" => EventStream::new().into(),
            "/later" => Reply::Later,
            "/body" => Reply::Body(100),
            _ => "hello".into(),
        })
        .body(|_, _, _| "thanks");
    let zone = sim.server.zone("/", recorder);
    (sim, zone)
}

#[test]
fn drain_tells_websockets_and_waits_for_their_answer() {
    let log = Log::new();
    let (mut sim, _) = server(&log);
    // More than one turn tells.
    let clients: Vec<_> = (0..4_500).map(|_| sim.connect()).collect();
    clients.iter().for_each(|client| sim.push(*client, handshake("/")));
    sim.settle();
    clients.iter().for_each(|client| assert!(after_handshake(&sim.receive(*client)).is_empty()));
    log.take();
    sim.server.drain(Drain::within(seconds(10))).unwrap();
    assert!(!sim.server.is_drained());
    sim.settle();
    for client in &clients {
        assert_eq!(sim.words(*client), ["close 1001"]);
        sim.push(*client, close(1001, ""));
    }
    assert_eq!(log.take(), [""; 0]);
    sim.settle();
    assert_eq!(log.take(), ["close 1001 \"\""].repeat(4_500));
    assert!(sim.server.is_drained());
}

#[test]
fn drain_closes_idle_connections_and_refuses_new_ones() {
    let (mut sim, _) = server(&Log::new());
    let (fresh, idle) = (sim.connect(), sim.connect());
    sim.ask(idle, get("/"));
    sim.server.drain(Drain::within(seconds(10))).unwrap();
    sim.settle();
    assert!(sim.is_gone(fresh) && sim.is_gone(idle));
    assert_eq!((sim.receive(fresh), sim.receive(idle)), (vec![], vec![]));
    assert!(sim.server.is_drained());
    assert!(sim.server.adopt(Transport::memory().0, sim.now).is_err());
}

#[test]
fn drain_lets_requests_in_progress_be_answered() {
    let log = Log::new();
    let (mut sim, zone) = server(&log);
    let (head, body, later) = (sim.connect(), sim.connect(), sim.connect());
    let request = post("/body", "123");
    sim.send(head, &get("/")[..10]);
    sim.send(body, &request[..request.len() - 1]);
    sim.send(later, get("/later"));
    let id = log.last_id();
    sim.server.drain(Drain::within(seconds(10))).unwrap();
    sim.advance(millis(500));
    assert!(![head, body, later].iter().any(|client| sim.is_gone(*client)));

    sim.send(head, &get("/")[10..]);
    sim.send(body, &request[request.len() - 1..]);
    sim.server.with(zone, sim.now, |_, cx| cx.respond(id, Response::text("at last")));
    sim.settle();
    for (client, said) in [(head, "hello"), (body, "thanks"), (later, "at last")] {
        let answer = only(&sim.receive(client));
        assert_eq!((answer.status, answer.text(), answer.closes()), (200, said, true));
        assert!(sim.is_ended(client));
        sim.end(client);
        assert!(sim.is_gone(client));
    }
    assert!(sim.server.is_drained());
}

/// Answers whose head has left already say nothing of it, and are the last all the same.
#[test]
fn drain_lets_answers_under_way_leave() {
    let big = "x".repeat(100_000);
    let text = big.clone();
    let recorder = Recorder::new(&Log::new())
        .request(move |_, request| match request.path() {
            "/stream" => Reply::from(Stream::new(Response::empty(200)).length(6)),
            _ => text.clone().into(),
        })
        .writable(|conn| conn.write(b"123"));
    let mut sim = World::new();
    let zone = sim.server.zone("/", recorder);
    let (slow, streamed) = (sim.connect(), sim.connect());
    sim.window(slow, 1_000);
    sim.send(slow, get("/"));
    sim.send(streamed, get("/stream"));
    sim.server.drain(Drain::within(seconds(10))).unwrap();
    sim.settle();
    sim.window(slow, usize::MAX);
    sim.server.with(zone, sim.now, |_, cx| {
        assert_eq!(cx.stats().connections, 2);
    });
    assert_eq!(only(&sim.receive(slow)).text(), big);
    assert!(sim.is_ended(slow) && !sim.is_ended(streamed));
    sim.push(slow, get("/"));
    sim.end(slow);
    assert_eq!(sim.receive(slow), b"", "no further request");
    assert!(sim.is_gone(slow));
}

#[test]
fn drain_closes_event_streams() {
    let log = Log::new();
    let (mut sim, _) = server(&log);
    let stream = sim.raw_events("/events");
    log.take();
    sim.server.context(sim.now).publish("nobody", "x");
    sim.server.drain(Drain::within(seconds(10))).unwrap();
    sim.settle();
    assert!(sim.is_ended(stream));
    assert_eq!(log.take(), ["close 1001 \"\""]);
    sim.end(stream);
    assert!(sim.server.is_drained());
}

#[test]
fn drain_drops_at_its_deadline_whoever_is_left() {
    let log = Log::new();
    let (mut sim, _) = server(&log);
    let clients =
        [sim.connect(), sim.raw_websocket("/"), sim.raw_websocket("/"), sim.raw_events("/events")];
    sim.send(clients[0], get("/later"));
    sim.window(clients[2], 0);
    log.take();
    sim.server.drain(Drain { code: CloseCode::RESTART, ..Drain::within(seconds(1)) }).unwrap();
    sim.advance(millis(999));
    assert_eq!(sim.stats().connections, 4, "everybody has its time");
    assert_eq!(sim.words(clients[1]), ["close 1012"]);
    sim.advance(millis(1));
    assert!(clients.iter().all(|client| sim.is_gone(*client)));
    let mut told = log.take();
    told.sort();
    assert_eq!(told, ["cancelled", "close 1006 \"\"", "close 1006 \"\"", "close 1012 \"\""]);
    assert!(sim.server.is_drained());
    sim.advance(seconds(100));
    assert_eq!(
        (log.take().len(), sim.server.poll_timeout(sim.now)),
        (0, None),
        "an embedding loop may rest"
    );
}

#[test]
fn drain_keeps_its_first_code_and_deadline() {
    let (mut sim, _) = server(&Log::new());
    let client = sim.raw_websocket("/");
    sim.server.drain(Drain { code: CloseCode::RESTART, ..Drain::within(seconds(1)) }).unwrap();
    sim.server.drain(Drain::within(seconds(100))).unwrap();
    sim.advance(seconds(1));
    assert_eq!(sim.words(client), ["close 1012"]);
    assert!(sim.server.is_drained());
}

/// Whoever becomes a WebSocket after everybody was told is told at once.
#[test]
fn drain_tells_latecomers_too() {
    let log = Log::new();
    let (mut sim, zone) = server(&log);
    let (slow, late, stream) = (sim.connect(), sim.connect(), sim.connect());
    sim.send(slow, &handshake("/")[..50]);
    sim.send(stream, &get("/events")[..10]);
    sim.send(late, handshake("/later"));
    let id = log.last_id();
    sim.server.drain(Drain::within(seconds(10))).unwrap();
    sim.settle();
    sim.send(slow, &handshake("/")[50..]);
    sim.send(stream, &get("/events")[10..]);
    sim.server.with(zone, sim.now, |_, cx| cx.upgrade(id, Upgrade::new()));
    sim.settle();
    for client in [slow, late] {
        assert_eq!(words(after_handshake(&sim.receive(client))), ["close 1001"]);
        sim.send(client, [text("x"), close(1001, "")].concat());
        assert!(sim.is_gone(client));
    }
    assert!(sim.is_ended(stream));
    sim.end(stream);
    let told = log.take();
    assert_eq!(told.iter().filter(|entry| entry.starts_with("open")).count(), 3);
    assert_eq!(told.iter().filter(|entry| entry.starts_with("close 1001")).count(), 3);
    assert!(sim.server.is_drained());
}

#[test]
fn drain_is_begun_by_a_handler_too() {
    let log = Log::new();
    let recorder = Recorder::new(&log).message(|conn, _| {
        conn.send("goodbye");
        conn.context().drain(Drain::within(seconds(1))).unwrap();
    });
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
    });
    let (one, two) = (sim.raw_websocket("/"), sim.raw_websocket("/"));
    sim.send(one, text("enough"));
    assert_eq!(
        (sim.words(one), sim.words(two)),
        (vec!["text goodbye".into(), "close 1001".into()], vec!["close 1001".to_owned()])
    );
}

/// A loop that has slept for an hour: the server knows no later time than that of its last turn.
#[test]
fn drain_between_turns_counts_from_the_next_turn() {
    let log = Log::new();
    let (mut sim, _) = server(&log);
    let client = sim.websocket("/");
    let token = sim.token(client);
    sim.push(client, [0x8a, 0x80, 0, 0, 0, 0]); // a pong, so that the peer is alive
    sim.server.drain(Drain::within(seconds(2))).unwrap();
    let now = sim.now + seconds(30);
    sim.server.ready(token, switchboard::Readiness::READABLE, now);
    sim.server.flush(now);
    assert!(sim.server.poll_timeout(now).is_some());
    sim.server.flush(now + millis(1_999));
    assert!(!sim.peer(client).is_gone(), "two seconds have not passed");
    sim.server.flush(now + seconds(2));
    assert!(sim.peer(client).is_gone() && sim.server.is_drained());
}
