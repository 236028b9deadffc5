//! The memory of an observer: at most 300 bytes for each request whose answer has not left, and
//! some 200 for each connection, which its end gives back. Without an observer nothing is allocated
//! for one. This test counts the memory of the process: the file has one test.

mod heap;

use std::time::Duration;

use heap::heap;
use switchboard::Reply;
use switchboard::testing::World;

/// Just beyond a step of the table's growth, where it takes most.
const CLIENTS: usize = 3_600;
/// Connections that are idle.
const IDLE: usize = 10_000;

/// Bytes that connections and their requests keep.
fn kept(observed: bool) -> (isize, isize) {
    let mut world = World::new();
    world.server.http("/", |_, _| Reply::Later);
    if observed {
        world.server.observe(|_| {});
    }
    let begin = heap();
    let clients: Vec<_> = (0..CLIENTS).map(|_| world.connect()).collect();
    world.settle();
    let connected = heap();
    let request = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(500));
    for client in clients {
        world.push(client, &request);
    }
    world.settle();
    (connected - begin, heap() - connected)
}

/// Bytes that idle connections keep, and those that are left once all have ended.
fn idle(observed: bool) -> (isize, isize) {
    let mut world = World::new();
    world.server.http("/", |_, _| "hello");
    if observed {
        world.server.observe(|_| {});
    }
    let begin = heap();
    let clients: Vec<_> = (0..IDLE).map(|_| world.connect()).collect();
    world.settle();
    for client in &clients {
        world.push(*client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    world.settle();
    clients.iter().for_each(|client| drop(world.peer(*client).receive()));
    let connected = heap() - begin;
    world.advance(Duration::from_secs(600));
    assert_eq!(world.context().stats().connections, 0);
    (connected, heap() - begin)
}

/// Allocations of 1,000 requests and their answers over a connection that stays. Without a request,
/// those of 1,000 messages and their echoes.
fn allocations(observed: bool, request: Option<&str>) -> usize {
    let mut world = World::new();
    world.server.http("/", |_, _| "hello");
    world.server.websocket("/ws", |conn, message| conn.send(message));
    if observed {
        world.server.observe(|_| {});
    }
    let client = if request.is_some() { world.connect() } else { world.websocket("/ws") };
    world.manual(client);
    let message = [0x81, 0x85, 0, 0, 0, 0, b'h', b'e', b'l', b'l', b'o'];
    let bytes = request.map_or(&message[..], str::as_bytes);
    let mut ask = |count: usize| {
        for _ in 0..count {
            world.push(client, bytes);
            world.turn();
            assert!(world.peer(client).receive().ends_with(b"hello"));
        }
    };
    ask(100);
    let before = heap::allocations();
    ask(1_000);
    heap::allocations() - before
}

#[test]
fn observer_costs_a_bounded_memory_for_each_request_and_connection() {
    let (plain, observed) = (kept(false), kept(true));
    let each = |with: isize, without: isize| (with - without) / CLIENTS as isize;
    let (connection, request) = (each(observed.0, plain.0), each(observed.1, plain.1));
    println!("a connection {connection}, a request {request}");
    assert!((150..=300).contains(&request), "{request} bytes for a request");
    assert!((50..=300).contains(&connection), "{connection} bytes for a connection");

    let (plain, observed) = (idle(false), idle(true));
    let each = |with: isize, without: isize| (with - without) / IDLE as isize;
    let (idle, left) = (each(observed.0, plain.0), observed.1 - plain.1);
    println!("an idle connection {idle}, left {left} of {}", plain.1);
    assert!((50..=300).contains(&idle), "{idle} bytes for an idle connection");
    assert!(left < 64 << 10, "{left} bytes are left after {IDLE} connections");

    // The test's own end of a connection allocates for each segment. The server allocates nothing
    // for an echo (tests/budget_allocations.rs), so it allocates nothing for a request either.
    let request = Some("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let echoes = [false, true].map(|observed| allocations(observed, None));
    let [plain, observed] = [false, true].map(|observed| allocations(observed, request));
    println!("{echoes:?} allocations of echoes, {plain} of requests, {observed} with an observer");
    assert_eq!((echoes[0], plain), (echoes[1], echoes[0]));
    // Four, and one that grows.
    assert!(observed <= plain + 5_000, "{observed} allocations with an observer");
}
