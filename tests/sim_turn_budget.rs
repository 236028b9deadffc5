//! A turn with a budget: 16 events and one accept, the rest later, in order, and no peer is judged
//! by what waits. A budget of zero is spent at once, so no test measures time.

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use common::dialling::{URL, dialler, request};
use common::frames::{close, pong, text};
use common::http::{self, only};
use common::serving::serving;
use common::{Bytes, Client, Log, Recorder, World, millis, seconds};
use switchboard::{Connect, Options, Rate, Readiness, RequestError};

const DEADLINE: Duration = Duration::from_secs(10);

/// Servers whose turns handle 16 events.
fn slow(options: Options) -> (World, Log) {
    let (mut sim, log) = serving(options);
    sim.server.turn_budget(Some(Duration::ZERO));
    (sim, log)
}

/// Has all clients send at once, in a single turn.
fn push_all(sim: &mut World, clients: &[Client], bytes: impl AsRef<[u8]>) {
    for &client in clients {
        sim.push(client, bytes.as_ref());
    }
    sim.turn();
}

/// The clients that have been answered since the last look.
fn answered(sim: &mut World, clients: &[Client]) -> Vec<usize> {
    let peers = clients.iter().enumerate();
    peers.filter(|(_, client)| !sim.receive(**client).is_empty()).map(|(at, _)| at).collect()
}

#[test]
fn turn_answers_sixteen_and_leaves_the_rest_in_order() {
    let (mut sim, _) = slow(Options::new());
    let clients: Vec<_> = (0..50).map(|_| sim.connect()).collect();
    push_all(&mut sim, &clients, http::get("/"));
    for from in [0, 16, 32] {
        assert_eq!(answered(&mut sim, &clients), Vec::from_iter(from..from + 16));
        assert_eq!(sim.server.poll_timeout(sim.now), Some(Duration::ZERO), "work is left");
        sim.turn();
    }
    assert_eq!(answered(&mut sim, &clients), [48, 49]);
    sim.settle();
    assert_ne!(sim.server.poll_timeout(sim.now), Some(Duration::ZERO));
    assert_eq!(answered(&mut sim, &clients), [0; 0]);
}

#[test]
fn turn_without_a_budget_answers_all() {
    let (mut sim, _) = serving(Options::new());
    let clients: Vec<_> = (0..50).map(|_| sim.connect()).collect();
    push_all(&mut sim, &clients, http::get("/"));
    assert_eq!(answered(&mut sim, &clients).len(), 50);
    sim.server.turn_budget(Some(seconds(1_000)));
    push_all(&mut sim, &clients, http::get("/"));
    assert_eq!(answered(&mut sim, &clients).len(), 50, "the budget is not spent");
    sim.server.turn_budget(Some(Duration::ZERO));
    push_all(&mut sim, &clients, http::get("/"));
    assert_eq!(answered(&mut sim, &clients).len(), 16);
    sim.server.turn_budget(None);
    sim.turn();
    assert_eq!(answered(&mut sim, &clients).len(), 34, "what was left is not lost");
}

/// Peers that are always ready do not keep those that were left from their turn.
#[test]
fn turn_serves_those_that_were_left_before_new_events() {
    let (mut sim, log) = slow(Options::new());
    let clients: Vec<_> = (0..64).map(|_| sim.raw_websocket("/socket")).collect();
    let mut turns = vec![Vec::new(); clients.len()];
    log.take();
    for turn in 0..40 {
        for (at, &client) in clients.iter().enumerate() {
            // The first ones flood; each of the others says one thing.
            if at < 16 || turn == 0 {
                sim.push(client, text(&at.to_string()));
            }
        }
        sim.turn();
        for entry in log.take() {
            let at: usize = entry.strip_prefix("text ").unwrap().parse().unwrap();
            turns[at].push(turn);
        }
    }
    for (at, turns) in turns.iter().enumerate() {
        match at < 16 {
            true => assert!(turns.len() > 20, "{at} speaks at {turns:?}"),
            false => assert_eq!(turns, &[at / 16], "{at}"),
        }
    }
}

#[test]
fn turn_that_is_behind_judges_no_request_that_waits() {
    let options =
        Options::new().first_byte_timeout(DEADLINE).head_timeout(DEADLINE).body_timeout(DEADLINE);
    let (mut sim, _) = slow(options.keep_alive_timeout(DEADLINE));
    let busy: Vec<_> = (0..200).map(|_| sim.raw_websocket("/socket")).collect();
    let kept = sim.connect();
    assert_eq!(http::bodies(&sim.ask(kept, http::get("/first"))), "/first");
    let half = sim.connect();
    sim.send(half, &http::get("/half")[..20]);
    let late = sim.connect();
    sim.send(late, &http::get("/late")[..20]);
    sim.advance(DEADLINE - millis(1));
    for &client in &busy {
        sim.push(client, text("busy"));
    }
    sim.push(kept, http::get("/kept"));
    sim.push(half, &http::get("/half")[20..]);
    sim.turn(); // all of it waits here, behind the busy ones
    sim.now += seconds(1);
    sim.turn();
    sim.settle();
    assert_eq!(http::bodies(&sim.receive(kept)), "/kept");
    assert_eq!(http::bodies(&sim.receive(half)), "/half");
    let answer = only(&sim.receive(late));
    assert_eq!((answer.status, answer.text()), (408, RequestError::HeadTimeout.as_str()));
}

#[test]
fn turn_that_is_behind_ends_no_websocket_that_has_answered() {
    let options = Options::new().idle_timeout(DEADLINE).pong_timeout(2 * DEADLINE);
    let (mut sim, log) = slow(options.close_timeout(DEADLINE));
    let busy: Vec<_> = (0..400).map(|_| sim.websocket("/socket")).collect();
    let ponged = sim.raw_websocket("/socket");
    sim.advance(DEADLINE + millis(250));
    assert_eq!(sim.words(ponged), ["ping"]);
    let closing = sim.raw_websocket("/socket");
    assert_eq!(sim.ask_words(closing, text("close")), ["close 1000"]);
    sim.advance(DEADLINE - millis(1));
    for &client in &busy {
        sim.push(client, text("busy"));
    }
    sim.push(ponged, pong(""));
    sim.push(closing, close(1000, ""));
    log.take();
    sim.turn();
    // Each step counts, since none is a stall.
    for _ in 0..13 {
        sim.now += millis(900);
        sim.turn();
    }
    assert!(!sim.is_gone(ponged));
    assert!(log.take().contains(&"close 1000 \"\"".to_owned()));
}

#[test]
fn timeout_waits_for_input_that_was_left() {
    let log = Log::new();
    let recorder = Recorder::new(&log)
        .open(|conn, _| conn.set_timeout(Some(DEADLINE)))
        .message(|conn, _| conn.set_timeout(None));
    let mut sim = World::new();
    sim.server.zone("/", recorder);
    sim.server.turn_budget(Some(Duration::ZERO));
    let clients: Vec<_> = (0..100).map(|_| sim.raw_websocket("/")).collect();
    sim.advance(DEADLINE - millis(1));
    log.take();
    push_all(&mut sim, &clients, text("moved"));
    sim.now += seconds(1);
    sim.settle();
    let entries = log.take();
    assert_eq!((entries.len(), entries.iter().all(|entry| entry == "text moved")), (100, true));
}

/// Deadlines and timers come, however much is left.
#[test]
fn deadlines_and_timers_come_while_the_turn_is_behind() {
    let (mut sim, _) = slow(Options::new().first_byte_timeout(DEADLINE));
    let zone = sim.server.zone("/timer", Recorder::new(&Log::new()));
    let timer = Rc::new(Cell::new(false));
    let busy: Vec<_> = (0..200).map(|_| sim.raw_websocket("/socket")).collect();
    let silent = sim.connect();
    let strikes = Rc::clone(&timer);
    sim.server.context(sim.now).after(zone, DEADLINE, move |_, _| strikes.set(true));
    let began = sim.now;
    let (mut ended, mut struck) = (None, None);
    while (ended.is_none() || struck.is_none()) && sim.now < began + 3 * DEADLINE {
        sim.now += millis(16);
        push_all(&mut sim, &busy, text("busy"));
        if sim.is_gone(silent) {
            ended.get_or_insert(sim.now - began);
        }
        if timer.get() {
            struck.get_or_insert(sim.now - began);
        }
    }
    let (ended, struck) = (ended.expect("a deadline"), struck.expect("a timer"));
    assert!(ended >= DEADLINE && ended <= DEADLINE + seconds(1), "{ended:?}");
    assert!(struck >= DEADLINE && struck <= DEADLINE + millis(100), "{struck:?}");
}

/// Ten messages a second, which arrive in one piece since they waited here.
#[test]
fn rates_excuse_the_time_for_which_input_waits_here() {
    let rate = Rate::per_second(10).burst(5);
    let (mut sim, log) = slow(Options::new().message_rate(rate));
    let clients: Vec<_> = (0..20).map(|_| sim.raw_websocket("/socket")).collect();
    log.take();
    push_all(&mut sim, &clients, text("m"));
    // The last four wait for 3 s, and send on meanwhile.
    for &client in &clients[16..] {
        for _ in 0..30 {
            sim.push(client, text("m"));
        }
    }
    for _ in 0..3 {
        sim.now += seconds(1);
        let _ = sim.server.poll_timeout(sim.now);
    }
    sim.settle();
    let ended = clients.iter().filter(|client| sim.is_ended(**client)).count();
    assert_eq!((ended, log.take().len()), (0, 20 + 4 * 30));
    // The excuse ends: a burst of a later moment is one.
    sim.advance(seconds(20));
    for _ in 0..10 {
        sim.push(clients[19], text("m"));
    }
    sim.settle();
    assert!(sim.is_ended(clients[19]));
}

/// A game may set the budget of each turn anew, by what is left of its frame.
#[test]
fn rates_excuse_waits_also_when_each_turn_has_a_budget_of_its_own() {
    let rate = Rate::per_second(10).burst(5);
    let (mut sim, _) = slow(Options::new().message_rate(rate));
    let clients: Vec<_> = (0..20).map(|_| sim.raw_websocket("/socket")).collect();
    push_all(&mut sim, &clients, text("m"));
    for &client in &clients[16..] {
        (0..30).for_each(|_| sim.push(client, text("m")));
    }
    for _ in 0..3 {
        sim.now += seconds(1);
        let _ = sim.server.poll_timeout(sim.now);
        sim.server.turn_budget(Some(Duration::from_micros(1)));
    }
    sim.settle();
    let ended = clients.iter().filter(|client| sim.is_ended(**client)).count();
    assert_eq!(ended, 0);
}

/// Answers to handshakes of the client role wait in order as well: `open` may follow each.
#[test]
fn answers_to_handshakes_wait_for_their_turn() {
    let log = Log::new();
    let (mut sim, zone) = dialler(&log);
    let clients: Vec<_> = (0..40).map(|_| sim.dial(zone, Connect::to(URL)).0).collect();
    sim.settle();
    sim.server.turn_budget(Some(Duration::ZERO));
    for client in clients {
        let (_, answer) = request(&mut sim, client);
        sim.push(client, answer);
    }
    log.take();
    for opened in [16, 16, 8] {
        sim.turn();
        let entries = log.take();
        assert_eq!(entries.iter().filter(|entry| entry.starts_with("open")).count(), opened);
    }
}

/// What an event reports is noted at once, so a slot that is taken again inherits nothing.
#[test]
fn end_of_a_peer_that_was_left_reaches_no_other() {
    let (mut sim, log) = slow(Options::new().half_close(false));
    let clients: Vec<_> = (0..40).map(|_| sim.raw_websocket("/socket")).collect();
    let mut news = Vec::new();
    for &client in &clients {
        sim.push(client, text("last"));
        sim.peer(client).end();
        news.push((sim.token(client), Readiness { read_closed: true, ..Readiness::READABLE }));
    }
    log.take();
    sim.server.ready_all(news, sim.now);
    sim.server.flush(sim.now);
    let late = sim.connect();
    sim.send(late, http::get("/later"));
    sim.settle();
    assert!(!sim.is_gone(late), "a request that waits for its answer");
    let entries = log.take();
    assert_eq!(entries.iter().filter(|entry| *entry == "text last").count(), 40, "{entries:?}");
    assert_eq!(
        entries.iter().filter(|entry| entry.starts_with("close ")).count(),
        40,
        "{entries:?}"
    );
}

/// A peer without readiness to write was offered its output before its event was left.
#[test]
fn writable_peers_get_their_output_in_their_turn() {
    let (mut sim, _) = slow(Options::new());
    let clients: Vec<_> = (0..40).map(|_| sim.connect()).collect();
    for &client in &clients {
        sim.window(client, 1_000);
        sim.send(client, http::get("/big"));
        sim.receive(client);
    }
    for &client in &clients {
        sim.peer(client).window(1 << 20);
    }
    let news: Vec<_> =
        clients.iter().map(|&client| (sim.token(client), Readiness::WRITABLE)).collect();
    sim.server.ready_all(news, sim.now);
    sim.server.flush(sim.now);
    assert_eq!(answered(&mut sim, &clients).len(), 40);
}
