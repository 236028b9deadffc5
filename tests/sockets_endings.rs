//! Ends of connections that only a kernel makes: a FIN that an event reports, a reset behind a FIN.

mod common;

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use common::wire::{PATIENCE, Wire};
use common::{Log, Recorder, http};
use switchboard::{ConnId, Reactor, Reply};

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
    socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let calls = until(&mut reactor, |_| Some(log.take()).filter(|calls| !calls.is_empty()));
    assert_eq!(calls, ["cancelled"]);
    assert_eq!(reactor.server.context(Instant::now()).stats().connections, 0);
}
