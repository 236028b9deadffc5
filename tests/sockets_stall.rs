//! A program that stands still and goes on, on real sockets: a stopped process, and a callback that
//! blocks. What peers sent meanwhile is answered.

mod common;

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use common::frames::text;
use common::http;
use common::process::{self, Process};
use common::wire::{Running, Wire};
use rustix::process::Signal;
use switchboard::{Options, Rate, Reactor};

/// Every deadline of the server.
const DEADLINE: Duration = Duration::from_millis(1500);
/// The deadline of a head, where the loop turns often.
const LONG: Duration = Duration::from_secs(4);

fn set_up(reactor: &mut Reactor) {
    reactor.server.options(
        Options::new()
            .first_byte_timeout(DEADLINE)
            .keep_alive_timeout(DEADLINE)
            .head_timeout(DEADLINE)
            .idle_timeout(DEADLINE)
            .pong_timeout(DEADLINE)
            .message_rate(Rate::per_second(20).burst(20)),
    );
    reactor.server.http("/block", |_conn, _request| {
        // Nothing but a blocked loop shows what a blocked loop does.
        thread::sleep(2 * DEADLINE);
        "blocked"
    });
    reactor.server.http("/get", |_conn, _request| "got");
    reactor.server.websocket("/", |conn, message| conn.send(message));
}

/// No test of its own: the server in a process of its own.
#[test]
fn child_serves_when_it_is_asked_to() {
    if let Some(millis) = process::argument() {
        let wait = millis.parse().ok().map(Duration::from_millis);
        process::serve(&Running::turning(wait, move |reactor| {
            set_up(reactor);
            if wait.is_some() {
                reactor.server.options(Options::new().head_timeout(LONG));
            }
        }));
    }
}

fn kept(address: SocketAddr) -> Wire {
    let mut wire = Wire::connect(address);
    wire.send(http::get("/get"));
    wire.head();
    wire
}

#[test]
fn stopped_process_ends_no_live_peer() {
    let server = Process::start("child_serves_when_it_is_asked_to", "");
    let mut kept: Vec<_> = (0..200).map(|_| kept(server.address)).collect();
    let mut sockets: Vec<_> = (0..300).map(|_| Wire::websocket(server.address)).collect();
    let mut steady = Wire::websocket(server.address);
    server.signal(Signal::STOP);
    let fresh: Vec<_> = (0..100).map(|_| Wire::connect(server.address)).collect();
    kept.extend(fresh);
    for wire in &mut kept {
        wire.send(http::get("/get"));
    }
    for wire in &mut sockets {
        wire.send(text("hello"));
    }
    // Twenty a second, as its rate allows.
    for _ in 0..60 {
        steady.send(text("x"));
    }
    thread::sleep(2 * DEADLINE);
    server.signal(Signal::CONT);
    for wire in &mut kept {
        assert!(wire.head().ends_with("\r\n\r\n"));
    }
    for wire in &mut sockets {
        assert_eq!(wire.next_word(), "text hello");
    }
    assert_eq!((0..60).filter(|_| steady.next_word() == "text x").count(), 60);
}

/// A turn may wait for less time than deadlines allow. Then only that wait, and a second of the
/// stop, count.
#[test]
fn stopped_process_that_turns_often_ends_no_live_peer() {
    let server = Process::start("child_serves_when_it_is_asked_to", "20");
    let mut halves: Vec<_> = (0..20).map(|_| Wire::connect(server.address)).collect();
    let request = http::get("/get");
    let (first, rest) = request.split_at(9);
    for wire in &mut halves {
        wire.send(first);
    }
    thread::sleep(Duration::from_millis(100));
    server.signal(Signal::STOP);
    thread::sleep(LONG);
    server.signal(Signal::CONT);
    // Half of the deadline is left.
    thread::sleep(LONG / 2);
    for wire in &mut halves {
        wire.send(rest);
        assert!(wire.head().starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn blocked_callback_ends_no_newcomer() {
    let server = Running::start(set_up);
    let mut asking = Wire::connect(server.address);
    asking.send(http::get("/block"));
    let mut fresh: Vec<_> = (0..500).map(|_| Wire::connect(server.address)).collect();
    for wire in &mut fresh[..250] {
        wire.send(http::get("/get"));
    }
    asking.head();
    // Those that have sent nothing have their time from here on.
    thread::sleep(DEADLINE / 3);
    for wire in &mut fresh[250..] {
        wire.send(http::get("/get"));
    }
    for wire in &mut fresh {
        assert!(wire.head().starts_with("HTTP/1.1 200 "));
    }
}
