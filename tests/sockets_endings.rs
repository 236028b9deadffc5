//! Ends of connections that only a kernel makes: a FIN that an event reports, a reset behind a FIN.

mod common;

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use common::wire::{PATIENCE, Wire};
use common::{Log, Recorder, http};
use socket2::SockRef;
use switchboard::{Cause, ConnId, Connect, Reactor, Reply};

/// A server that owes every answer, in this thread; a client that has asked and ended its side.
fn owing(requests: usize) -> (Reactor, Wire, Log) {
    let log = Log::new();
    let mut reactor = Reactor::new().unwrap();
    reactor.server.zone("/", Recorder::new(&log).request(|_, _| Reply::Later));
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let mut client = Wire::connect(reactor.server.local_addr(listener).unwrap());
    client.send(http::get("/later").repeat(requests));
    client.stream.shutdown(Shutdown::Write).unwrap();
    (reactor, client, log)
}

/// Turns until a condition holds.
fn until<T>(reactor: &mut Reactor, mut holds: impl FnMut(&mut Reactor) -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        reactor.turn(Some(Duration::from_millis(20))).unwrap();
        if let Some(found) = holds(reactor) {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "it never came to pass");
    }
}

/// The exchange that a request has just begun.
fn asked(log: &Log) -> Option<ConnId> {
    log.take_all().iter().find(|(_, call)| call.starts_with("request")).map(|(id, _)| *id)
}

fn has_ended(reactor: &mut Reactor, id: ConnId) -> bool {
    let cx = reactor.server.context(Instant::now());
    cx.conn(id).expect("an exchange that lasts").peer_ended()
}

#[test]
fn server_answers_a_client_that_has_ended_its_side() {
    let (mut reactor, mut client, log) = owing(3);
    for n in 0..3 {
        let id = until(&mut reactor, |_| asked(&log));
        until(&mut reactor, |reactor| has_ended(reactor, id).then_some(()));
        reactor.server.context(Instant::now()).respond(id, format!("answer {n}"));
    }
    until(&mut reactor, |reactor| {
        (reactor.server.context(Instant::now()).stats().connections == 0).then_some(())
    });
    let mut bytes = Vec::new();
    client.stream.read_to_end(&mut bytes).expect("an end of file, not a reset");
    assert_eq!(http::bodies(&bytes), "answer 0 answer 1 answer 2");
    let closes: Vec<_> = http::answers(&bytes).iter().map(http::Answer::closes).collect();
    assert_eq!(closes, [false, false, true], "the last answer is marked as such");
}

#[test]
fn reset_behind_an_end_cancels_a_deferred_answer() {
    let (mut reactor, client, log) = owing(1);
    let id = until(&mut reactor, |_| asked(&log));
    until(&mut reactor, |reactor| has_ended(reactor, id).then_some(()));
    // A close without lingering sends a RST.
    SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let calls = until(&mut reactor, |_| Some(log.take()).filter(|calls| !calls.is_empty()));
    assert_eq!(calls, ["cancelled"]);
    assert_eq!(reactor.server.context(Instant::now()).stats().connections, 0);
}

/// A server over sockets, in this thread.
fn echoing() -> (Reactor, std::net::SocketAddr) {
    let mut reactor = Reactor::new().unwrap();
    reactor.server.websocket("/ws", |conn, message| conn.send(message));
    reactor.server.http("/", |_, _| "hello");
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let address = reactor.server.local_addr(listener).unwrap();
    (reactor, address)
}

/// The causes that the server has counted, each with its count.
fn ends(reactor: &mut Reactor) -> Vec<(Cause, u64)> {
    let stats = reactor.server.context(Instant::now()).stats();
    stats.ends.iter().filter(|&(_, count)| count > 0).collect()
}

#[test]
fn kernel_tells_a_reset_from_an_end() {
    for path in ["/", "/ws"] {
        for (resets, cause) in [(false, Cause::Eof), (true, Cause::Reset)] {
            let (mut reactor, address) = echoing();
            let mut client = Wire::connect(address);
            let request = if path == "/ws" { http::handshake(path) } else { http::get(path) };
            client.send(request);
            until(&mut reactor, |reactor| {
                let stats = reactor.server.context(Instant::now()).stats();
                (stats.requests == 1).then_some(())
            });
            // Unread bytes would make a reset of any close.
            let mut answer = [0; 4_096];
            assert!(client.stream.read(&mut answer).unwrap() > 0);
            if resets {
                SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
            drop(client);
            let ends =
                until(&mut reactor, |reactor| Some(ends(reactor)).filter(|ends| !ends.is_empty()));
            assert_eq!(ends, [(cause, 1)], "{path}");
        }
    }
}

#[test]
fn kernel_refuses_a_connection() {
    let (mut reactor, _) = echoing();
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let log = Log::new();
    let zone = reactor.server.zone("/client", Recorder::new(&log));
    let connect = Connect::to(&format!("ws://{free}/"));
    reactor.server.context(Instant::now()).connect(zone, connect);
    until(&mut reactor, |_| Some(log.take()).filter(|calls| !calls.is_empty()));
    assert_eq!(ends(&mut reactor), [(Cause::DialFailed, 1)]);
    let stats = reactor.server.context(Instant::now()).stats();
    assert_eq!((stats.accepted, stats.dialled, stats.connections), (0, 1, 0));
}
