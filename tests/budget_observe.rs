//! The memory of an observer: at most 300 bytes for each request whose answer has not left, and
//! some 200 for each connection. This test counts the memory of the process, so the file holds one
//! test and no other thread runs.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use switchboard::Reply;
use switchboard::testing::World;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Just beyond a step of the table's growth, where it takes most.
const CLIENTS: usize = 3_600;

/// Bytes that connections and their requests keep.
fn kept(observed: bool) -> (isize, isize) {
    let mut world = World::new();
    world.server.http("/", |_, _| Reply::Later);
    if observed {
        world.server.observe(|_| {});
    }
    let region = Region::new(ALLOCATOR);
    let bytes = || {
        let change = region.change();
        change.bytes_allocated as isize - change.bytes_deallocated as isize
    };
    let begin = bytes();
    let clients: Vec<_> = (0..CLIENTS).map(|_| world.connect()).collect();
    world.settle();
    let connected = bytes();
    let request = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(500));
    for client in clients {
        world.push(client, &request);
    }
    world.settle();
    (connected - begin, bytes() - connected)
}

#[test]
fn observer_costs_a_bounded_memory_for_each_request_and_connection() {
    let (plain, observed) = (kept(false), kept(true));
    let each = |with: isize, without: isize| (with - without) / CLIENTS as isize;
    let (connection, request) = (each(observed.0, plain.0), each(observed.1, plain.1));
    println!("a connection {connection}, a request {request}");
    assert!((150..=300).contains(&request), "{request} bytes for a request");
    assert!((50..=300).contains(&connection), "{connection} bytes for a connection");
}
