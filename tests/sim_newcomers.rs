//! Clients that have just connected when a server ends, over memory: their first request is on its
//! way, and gets its answer.

mod common;

use common::http::{get, handshake, only};
use common::{Bytes, Log, Recorder, World, millis, seconds};
use switchboard::{Cause, Drain, Options, Reply, Upgrade};

fn server() -> World {
    let mut sim = World::new();
    let recorder = Recorder::new(&Log::new()).request(|_, request| match request.is_websocket() {
        true => Reply::from(Upgrade::new()),
        false => "hello".into(),
    });
    sim.server.zone("/", recorder);
    sim
}

#[test]
fn drain_answers_the_first_request_of_a_newcomer() {
    for (before, after) in [(0, 0), (0, 1), (0, 999), (600, 399), (999, 0)] {
        let mut sim = server();
        let client = sim.connect();
        sim.advance(millis(before));
        sim.server.drain(Drain::default()).unwrap();
        sim.settle();
        sim.advance(millis(after));
        sim.send(client, get("/"));
        let answer = only(&sim.receive(client));
        assert_eq!((answer.text(), answer.closes()), ("hello", true), "{after} ms");
        sim.end(client);
        assert!(sim.server.is_drained(), "{after} ms");
    }
}

#[test]
fn drain_waits_one_second_for_the_first_request() {
    let mut sim = server();
    let client = sim.connect();
    sim.server.drain(Drain::default()).unwrap();
    sim.settle();
    sim.advance(millis(1_250));
    assert!(sim.is_gone(client) && sim.server.is_drained());
    assert_eq!(sim.stats().ends.get(Cause::Drain), 1);
}

/// An older client gets no time, and an earlier deadline stands.
#[test]
fn drain_waits_for_a_newcomer_to_its_deadline_at_most() {
    let mut sim = server();
    let client = sim.connect();
    sim.server.drain(Drain::within(millis(300))).unwrap();
    sim.settle();
    assert!(!sim.is_gone(client));
    sim.advance(millis(300));
    assert!(sim.is_gone(client) && sim.server.is_drained());

    for (timeout, age) in [(seconds(10), millis(1_250)), (millis(250), millis(400))] {
        let mut sim = World::serving(|server| {
            server.options(Options::new().first_byte_timeout(timeout));
        });
        let client = sim.connect();
        sim.advance(age);
        sim.server.drain(Drain::default()).unwrap();
        sim.settle();
        sim.advance(millis(100));
        assert!(sim.is_gone(client) && sim.server.is_drained(), "{age:?}");
    }
}

/// A newcomer gets one answer, and a kept connection none: it is closed at once.
#[test]
fn drain_waits_for_no_second_request() {
    let mut sim = server();
    let kept = sim.connect();
    sim.ask(kept, get("/"));
    let newcomer = sim.connect();
    sim.server.drain(Drain::default()).unwrap();
    sim.settle();
    assert!(sim.is_gone(kept) && !sim.is_gone(newcomer));
    sim.send(newcomer, [get("/"), get("/")].concat());
    assert_eq!(only(&sim.receive(newcomer)).text(), "hello");
    sim.end(newcomer);
    assert!(sim.server.is_drained());
}

/// A newcomer that wants a WebSocket gets one, and its Close frame: it connects again elsewhere.
#[test]
fn drain_closes_the_websocket_of_a_newcomer_in_order() {
    let mut sim = server();
    let client = sim.connect();
    sim.server.drain(Drain::default()).unwrap();
    sim.settle();
    sim.send(client, handshake("/"));
    let received = sim.receive(client);
    assert!(received.starts_with(b"HTTP/1.1 101 "), "{}", received.escape_ascii());
    assert!(received.ends_with(b"\x88\x02\x03\xe9"), "{}", received.escape_ascii());
}
