//! A million connections in one reactor, over memory: neither growth nor deadlines nor a drain
//! holds the loop for long.

#[path = "million/crowd.rs"]
mod crowd;
#[path = "million/hold.rs"]
mod hold;

use std::io::{Write, stderr};
use std::time::Duration;

use crowd::{Crowd, TIMEOUT, TOPIC, UPGRADE_REQUEST};
use hold::{Holds, LONGEST};
use switchboard::{Drain, Options, Readiness};

/// Without optimisation the test checks what happens, not how long it takes.
const TIMED: bool = !cfg!(debug_assertions);
const CONNECTIONS: usize = if TIMED { 1_000_000 } else { 20_000 };

/// A machine may stall for a moment: a hold of the server itself recurs at the same call every
/// time.
const ATTEMPTS: usize = 3;

/// The time of a handler in one call is shown, not judged.
const PUBLISH: &str = "publish to all, one call";

const IDLE: Duration = Duration::from_secs(120);
const PONG: Duration = Duration::from_secs(20);

const PING_FRAME: [u8; 2] = [0x89, 0x00];
const PONG_FRAME: [u8; 6] = [0x8A, 0x80, 0, 0, 0, 0];
const CLOSE_FRAME: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE9];

#[test]
fn server_never_stops_at_a_million_connections() {
    let mut before: Vec<Holds> = Vec::new();
    for attempt in 1..=ATTEMPTS {
        let mut holds = crowds();
        note(&format!("{CONNECTIONS} connections: longest CPU time of a call, and on the wall"));
        holds.iter().for_each(|hold| note(&hold.to_string()));
        holds.retain(|hold| hold.name != PUBLISH);
        for (hold, before) in holds.iter_mut().zip(&before) {
            hold.keep_recurring(&before.too_long);
        }
        let too_long: Vec<_> = holds
            .iter()
            .map(|hold| (hold.name, &hold.too_long))
            .filter(|(_, calls)| !calls.is_empty())
            .collect();
        if too_long.is_empty() || !TIMED {
            return;
        }
        assert!(
            attempt < ATTEMPTS,
            "these calls held the loop for more than {LONGEST:?} every time: {too_long:?}"
        );
        before = holds;
    }
}

/// Three crowds in a row in one server: peers that leave, peers that fall silent, peers that the
/// server closes.
fn crowds() -> Vec<Holds> {
    let mut crowd = Crowd::new(Options::new().idle_timeout(IDLE).pong_timeout(PONG));
    open(&mut crowd);
    live(&mut crowd);
    leave(&mut crowd);
    open(&mut crowd);
    fall_silent(&mut crowd);
    open(&mut crowd);
    drain(&mut crowd);
    let Crowd { server, mut holds, .. } = crowd;
    let mut freeing = Holds::new("freeing: drop of the server");
    freeing.time(|| drop(server));
    holds.push(freeing);
    together(holds)
}

/// Grows to a million open WebSockets.
fn open(crowd: &mut Crowd) {
    crowd.grow(CONNECTIONS);
    crowd.tell("handshakes: ready", "handshakes: flush", Readiness::READABLE, |_, peer| {
        peer.send(UPGRADE_REQUEST);
        true
    });
    crowd.received(|_, answer| assert!(answer.starts_with(b"HTTP/1.1 101 ")));
    assert_eq!(crowd.websockets(), CONNECTIONS);
}

/// Idle connections are pinged, all at once and one after the other, and answer; a message goes to
/// all.
fn live(crowd: &mut Crowd) {
    crowd.advance("idle: flush", IDLE / 2);
    crowd.received(|_, frames| assert!(frames.is_empty()));

    // Each connection at its own time.
    crowd.advance("pinging: flush", IDLE / 2 + Duration::from_secs(1));
    crowd.received(|_, frames| assert_eq!(frames, PING_FRAME));
    pong(crowd);

    // A loop that never came to flush: every deadline is due at once.
    crowd.fall_behind(2 * IDLE);
    crowd.rest("all due at once: flush");
    crowd.received(|_, frames| assert_eq!(frames, PING_FRAME));
    pong(crowd);

    let now = crowd.now;
    let mut publish = Holds::new(PUBLISH);
    publish.time(|| crowd.server.context(now).publish(TOPIC, "to all"));
    crowd.holds.push(publish);
    crowd.rest("published: flush");
    crowd.received(|_, frames| assert_eq!(frames, b"\x81\x06to all"));

    crowd.fall_behind(TIMEOUT);
    crowd.rest("all due and timed out at once: flush");
    let (zone, now) = (crowd.zone, crowd.now);
    assert_eq!(crowd.server.with(zone, now, |lobby, _| lobby.timeouts), CONNECTIONS);
    crowd.received(|_, frames| assert_eq!(frames, PING_FRAME));
    pong(crowd);
}

fn pong(crowd: &mut Crowd) {
    crowd.tell("pongs: ready", "pongs: flush", Readiness::READABLE, |_, peer| {
        peer.send(PONG_FRAME);
        true
    });
    assert_eq!(crowd.websockets(), CONNECTIONS);
}

fn leave(crowd: &mut Crowd) {
    let gone = Readiness { read_closed: true, ..Readiness::READABLE };
    crowd.tell("peers leave: ready", "peers leave: flush", gone, |_, peer| {
        peer.end();
        true
    });
    closed(crowd);
}

/// Pings without an answer end the connections.
fn fall_silent(crowd: &mut Crowd) {
    crowd.fall_behind(IDLE + Duration::from_secs(1));
    crowd.rest("all due at once: flush");
    assert_eq!(crowd.websockets(), CONNECTIONS);
    crowd.fall_behind(PONG + Duration::from_secs(1));
    crowd.rest("silent ones dropped: flush");
    closed(crowd);
}

/// The time between the end of the window and the deadline.
const PATIENCE: Duration = Duration::from_secs(4);

/// All are closed over a window. Half of those that are left answer the Close frame; the deadline
/// ends the others.
fn drain(crowd: &mut Crowd) {
    let mut call = Holds::new("drain: the call");
    let window = Duration::from_secs(30);
    let drain = Drain { window, ..Drain::within(window + PATIENCE) };
    call.time(|| crowd.server.drain(drain).unwrap());
    crowd.holds.push(call);
    crowd.rest("drain: flush");
    assert!(crowd.websockets() == CONNECTIONS, "the window has begun, and no moment has come");
    crowd.advance("drain, window: flush", window);
    crowd.received(|_, frames| assert_eq!(frames, [0x88, 0x02, 0x03, 0xE9]));
    crowd.tell(
        "drain, answered: ready",
        "drain, answered: flush",
        Readiness::READABLE,
        |n, peer| {
            peer.send(CLOSE_FRAME);
            n % 2 == 0
        },
    );
    crowd.fall_behind(PATIENCE);
    crowd.rest("drain, at its deadline: flush");
    closed(crowd);
    assert!(crowd.server.is_drained());
}

/// All connections have ended, and their memory is free.
fn closed(crowd: &mut Crowd) {
    assert_eq!(crowd.connections(), 0);
    crowd.peers.iter_mut().for_each(|(_, peer)| assert!(peer.is_gone()));
    let now = crowd.now;
    assert_eq!(crowd.server.context(now).subscribers(TOPIC), 0);
    crowd.server.with(crowd.zone, now, |lobby, _| {
        assert_eq!((lobby.closed, lobby.present.len()), (CONNECTIONS, 0));
        (lobby.closed, lobby.timeouts) = (0, 0);
    });
}

/// Prints one line for each kind of call.
fn together(holds: Vec<Holds>) -> Vec<Holds> {
    let mut kinds: Vec<Holds> = Vec::new();
    for hold in holds {
        match kinds.iter_mut().find(|kind| kind.name == hold.name) {
            None => kinds.push(hold),
            Some(kind) => kind.join(&hold),
        }
    }
    kinds
}

/// Prints past the test harness, which shows no output of a passing test.
fn note(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}
