//! What connections cost in memory while their peers do their worst, and after it.

mod common;
mod heap;

use common::frames::{BINARY, CONTINUATION, TEXT, frame, header, text};
use common::{Bytes, Client, World, after_handshake, seconds};
use heap::{allocations, alone, heap};
use switchboard::{Conn, Handler, Message, Options, Request};

struct Echo;

impl Handler for Echo {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("all");
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.send(message);
    }
}

/// An echo server with so many connections.
fn echo(connections: usize) -> (World, Vec<Client>) {
    let mut sim = World::serving(|server| {
        server.zone("/", Echo);
    });
    let clients: Vec<_> = (0..connections).map(|_| sim.connect()).collect();
    clients.iter().for_each(|client| sim.push(*client, common::http::handshake("/")));
    sim.settle();
    clients.iter().for_each(|client| assert!(after_handshake(&sim.receive(*client)).is_empty()));
    (sim, clients)
}

/// FIELD rows 7 and 14: a declared length costs nothing.
#[test]
fn field_row_07_server_allocates_nothing_for_what_is_only_declared() {
    let _alone = alone();
    let (mut sim, clients) = echo(1_000);
    let before = heap();
    for client in &clients {
        sim.push(*client, header(true, BINARY, 15 << 20));
    }
    sim.settle();
    let each = (heap() - before) / 1_000;
    assert!(each < 1 << 10, "{each} bytes each");
    for client in &clients {
        sim.push(*client, [0; 100]);
    }
    sim.settle();
    let each = (heap() - before) / 1_000;
    assert!(each < 1 << 10, "{each} bytes each with 100 bytes of payload");
}

/// A short answer that is refused waits as its own bytes, whatever else was in the same buffer
/// before.
#[test]
fn server_keeps_of_refused_answers_their_bytes() {
    let _alone = alone();
    for burst in [0, 60] {
        let (mut sim, clients) = echo(1_001);
        let (busy, slow) = clients.split_first().unwrap();
        for client in slow {
            sim.send(*client, text("first"));
            sim.receive(*client);
            sim.window(*client, 0);
        }
        let before = heap();
        for client in slow {
            sim.send(*busy, frame(true, BINARY, [7; 500]).repeat(burst));
            sim.receive(*busy);
            sim.send(*client, text("12345678901234567890"));
        }
        let each = (heap() - before) / 1_000;
        assert!(each < 1 << 10, "{each} bytes each after {burst} others");
    }
}

/// FIELD row 4: fragments of one byte cost what they bring, no more.
#[test]
fn server_keeps_no_more_of_tiny_fragments_than_their_payload() {
    let _alone = alone();
    let (mut sim, clients) = echo(20);
    let before = heap();
    let tiny = frame(false, CONTINUATION, "x").repeat(2_000);
    for client in &clients {
        sim.push(*client, frame(false, TEXT, "x"));
    }
    for _ in 0..10 {
        clients.iter().for_each(|client| sim.push(*client, &tiny));
        sim.settle();
    }
    let each = (heap() - before) / 20;
    assert!(each <= 2 * 20_001 + 512, "{each} bytes for 20,001");
}

#[test]
fn server_allocates_nothing_for_each_message() {
    let _alone = alone();
    let (mut sim, clients) = echo(1);
    let mut counts = |messages: usize| {
        sim.push(clients[0], text("twenty bytes of text").repeat(messages));
        let before = allocations();
        sim.settle();
        let count = allocations() - before;
        assert_eq!(sim.words(clients[0]).len(), messages);
        count
    };
    counts(64);
    // The harness's own threads ask for memory at times.
    let mut least = |messages| (0..10).map(|_| counts(messages)).min();
    let (Some(one), Some(many)) = (least(1), least(64)) else {
        unreachable!("of ten there is a least")
    };
    assert!(many <= one + 2, "{one} allocations for one message, {many} for 64");
}

#[test]
fn publish_keeps_one_frame_for_all_who_are_slow() {
    let _alone = alone();
    let (mut sim, clients) = echo(1_000);
    clients.iter().for_each(|client| sim.peer(*client).window(0));
    let before = heap();
    for _ in 0..10 {
        sim.server.context(sim.now).publish("all", &[7; 100_000]);
        sim.settle();
    }
    let held = heap() - before;
    assert!(held < 10 * 100_000 + 1_000 * 2_000, "{held} bytes for ten frames of 100,000");
}

#[test]
fn server_gives_back_the_memory_of_a_burst() {
    let _alone = alone();
    let (mut sim, clients) = echo(20);
    let burst = |sim: &mut World| {
        for client in &clients {
            sim.peer(*client).window(0);
            sim.push(*client, frame(true, BINARY, vec![7; 300_000]));
        }
        sim.settle();
        let held = heap();
        for client in &clients {
            sim.window(*client, usize::MAX);
            assert_eq!(sim.words(*client), ["binary 300000"]);
        }
        sim.advance(seconds(1));
        held
    };
    burst(&mut sim);
    let before = heap();
    let held = burst(&mut sim);
    let after = heap();
    let each = (held - before) / 20;
    assert!(each < 2 << 10, "{each} bytes of the heap for 300,000 that wait in pages");
    assert!(after - before < 20 << 10, "{} bytes of a burst are kept", after - before);
}

#[test]
fn connection_that_ends_leaves_nothing_behind() {
    let _alone = alone();
    let (mut sim, _) = echo(1);
    sim.server.options(Options::new().max_buffered(1 << 20));
    let mut round = || {
        let clients: Vec<_> = (0..100).map(|_| sim.raw_websocket("/")).collect();
        for client in &clients {
            sim.peer(*client).window(0);
            sim.push(*client, [text("unread"), frame(false, BINARY, [7; 10_000])].concat());
        }
        sim.settle();
        for client in &clients {
            sim.fail(*client, std::io::ErrorKind::ConnectionReset);
            sim.receive(*client);
        }
        heap()
    };
    let rounds: Vec<_> = (0..10).map(|_| round()).collect();
    // What remains is the list of the simulation's own peers.
    let growth = (rounds[9] - rounds[1]) / 800;
    assert!(growth < 1 << 10, "{growth} bytes a connection: {rounds:?}");
}

/// The memory of a large publish is kept for the next publish at most: turns that do not need it
/// free it.
#[test]
fn server_gives_back_what_a_publish_needed() {
    let _alone = alone();
    let mut sim = World::serving(|server| {
        server.zone("/", Listener);
    });
    let clients: Vec<_> = (0..2_000).map(|_| sim.raw_websocket("/")).collect();
    let publish = |sim: &mut World| {
        // The first waits in a list, the second in the outbox of everybody.
        sim.server.context(sim.now).publish("all", "hello");
        sim.server.context(sim.now).publish("all", "hello again");
        sim.settle();
        clients.iter().for_each(|&client| assert!(!sim.receive(client).is_empty()));
    };
    let before = heap();
    publish(&mut sim);
    let kept = heap() - before;
    assert!(kept > 128 << 10, "{kept} bytes are there for the next publish");
    let allocated = allocations();
    publish(&mut sim);
    let count = allocations() - allocated;
    assert!(count < 2 * clients.len() + 100, "{count} allocations for the next one");
    (0..40).for_each(|_| sim.turn());
    let kept = heap() - before;
    assert!(kept < 64 << 10, "{kept} bytes are kept for no publish");
    let before = heap();
    sim.server.context(sim.now).publish("all", "hello");
    let posted = heap() - before;
    assert!(
        posted < 40 << 10,
        "{posted} bytes of one message for {} receivers at rest",
        clients.len()
    );
}

struct Listener;

impl Handler for Listener {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("all");
    }
}
