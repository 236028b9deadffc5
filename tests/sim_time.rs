//! Time, moved by hand: timers, queued calls, the timeout that a handler sets for a connection, and
//! how long a loop may wait.

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use common::frames::text;
use common::{Bytes, Log, Recorder, World, cases, http, millis, seconds};
use proptest::prelude::*;
use switchboard::{Context, Handler, Reply, Server, TimerId, Upgrade, ZoneId};

/// A handler that notes what is called on it.
#[derive(Default)]
struct Notes(Vec<String>);

impl Handler for Notes {}

impl Notes {
    fn add(&mut self, note: impl Into<String>) {
        self.0.push(note.into());
    }
}

/// A simulation with notes, which the tests take with `take`.
fn noting() -> (World, ZoneId<Notes>) {
    let mut sim = World::new();
    let zone = sim.server.zone("/", Notes::default());
    (sim, zone)
}

fn take(sim: &mut World, zone: ZoneId<Notes>) -> Vec<String> {
    sim.server.with(zone, sim.now, |notes, _| std::mem::take(&mut notes.0))
}

fn cx(sim: &mut World) -> &mut Context {
    sim.server.context(sim.now)
}

#[test]
fn timer_strikes_once_exactly_when_it_is_due() {
    let (mut sim, zone) = noting();
    for (delay, name) in [(30, "c"), (10, "a"), (30, "d"), (20, "b")] {
        cx(&mut sim).after(zone, millis(delay), move |notes: &mut Notes, _| notes.add(name));
    }
    assert_eq!(sim.server.poll_timeout(sim.now), Some(millis(10)));
    sim.advance(millis(9));
    assert_eq!(take(&mut sim, zone), [""; 0]);
    sim.advance(millis(1));
    assert_eq!(take(&mut sim, zone), ["a"]);
    sim.advance(seconds(10));
    assert_eq!(
        take(&mut sim, zone),
        ["b", "c", "d"],
        "those of one moment in the order in which they were set"
    );
    assert_eq!(sim.server.poll_timeout(sim.now), None);
}

#[test]
fn timer_repeats_and_skips_what_was_missed() {
    let (mut sim, zone) = noting();
    cx(&mut sim).every(zone, millis(100), |notes: &mut Notes, cx| {
        let now = cx.now();
        notes.add(format!("{now:?}"));
    });
    sim.advance(millis(1000));
    assert_eq!(take(&mut sim, zone).len(), 10);
    // A loop that was busy for 950 ms catches up with one call, and keeps the pace from there.
    sim.now += millis(950);
    sim.settle();
    assert_eq!(take(&mut sim, zone).len(), 1);
    assert_eq!(sim.server.poll_timeout(sim.now), Some(millis(100)));
    sim.advance(millis(99));
    assert_eq!(take(&mut sim, zone).len(), 0);
    sim.advance(millis(1));
    assert_eq!(take(&mut sim, zone).len(), 1);
}

#[test]
fn timer_that_is_cancelled_never_strikes() {
    let (mut sim, zone) = noting();
    let once = cx(&mut sim).after(zone, millis(10), |notes: &mut Notes, _| notes.add("once"));
    let every = cx(&mut sim).every(zone, millis(10), |notes: &mut Notes, _| notes.add("every"));
    let kept = cx(&mut sim).after(zone, millis(10), |notes: &mut Notes, _| notes.add("kept"));
    for timer in [once, every, once] {
        cx(&mut sim).cancel(timer);
    }
    // A new timer in the place of an old one is not cancelled by the old one's name.
    let fresh = cx(&mut sim).after(zone, millis(10), |notes: &mut Notes, _| notes.add("fresh"));
    assert!(fresh != once && fresh != every);
    cx(&mut sim).cancel(once);
    cx(&mut sim).cancel(every);
    sim.advance(seconds(1));
    assert_eq!(take(&mut sim, zone), ["kept", "fresh"]);
    cx(&mut sim).cancel(kept);
    assert_eq!(sim.server.poll_timeout(sim.now), None);
}

#[test]
fn timer_cancels_itself_and_others_while_it_runs() {
    let (mut sim, zone) = noting();
    let own: Rc<Cell<Option<TimerId>>> = Rc::default();
    let id = Rc::clone(&own);
    let mut count = 0;
    let timer = cx(&mut sim).every(zone, millis(10), move |notes: &mut Notes, cx| {
        count += 1;
        notes.add(format!("{count}"));
        if let (3, Some(id)) = (count, id.get()) {
            cx.cancel(id);
            cx.after(zone, millis(5), |notes: &mut Notes, _| notes.add("after"));
        }
    });
    own.set(Some(timer));
    let other = cx(&mut sim).after(zone, millis(20), |notes: &mut Notes, _| notes.add("never"));
    cx(&mut sim).after(zone, millis(15), move |_: &mut Notes, cx| cx.cancel(other));
    sim.advance(seconds(1));
    assert_eq!(take(&mut sim, zone), ["1", "2", "3", "after"]);
    assert_eq!(sim.server.poll_timeout(sim.now), None, "a cancelled timer is not waited for");
}

#[test]
fn timer_of_no_delay_leaves_the_loop_its_turns() {
    fn again(notes: &mut Notes, cx: &mut Context, zone: ZoneId<Notes>) {
        notes.add("again");
        cx.after(zone, Duration::ZERO, move |notes: &mut Notes, cx| again(notes, cx, zone));
    }
    let (mut sim, zone) = noting();
    sim.server.with(zone, sim.now, |notes, cx| again(notes, cx, zone));
    take(&mut sim, zone);
    for _ in 0..3 {
        sim.turn();
        let runs = take(&mut sim, zone).len();
        assert!((1..=1024).contains(&runs), "{runs} in one turn");
        assert_eq!(sim.server.poll_timeout(sim.now), Some(Duration::ZERO));
    }
    // A period of nothing is one of a millisecond.
    let (mut sim, zone) = noting();
    cx(&mut sim).every(zone, Duration::ZERO, |notes: &mut Notes, _| notes.add("x"));
    sim.advance(millis(10));
    assert!((10..=11).contains(&take(&mut sim, zone).len()));
    assert_eq!(sim.server.poll_timeout(sim.now), Some(millis(1)));
}

#[test]
fn timer_of_an_endless_delay_is_no_overflow() {
    let (mut sim, zone) = noting();
    cx(&mut sim).after(zone, Duration::MAX, |notes: &mut Notes, _| notes.add("never"));
    let every = cx(&mut sim).every(zone, Duration::MAX, |notes: &mut Notes, _| notes.add("never"));
    sim.advance(seconds(3600));
    assert!(sim.server.poll_timeout(sim.now).is_some_and(|wait| wait > seconds(1 << 30)));
    cx(&mut sim).cancel(every);
    assert_eq!(take(&mut sim, zone), [""; 0]);
}

#[test]
fn call_runs_in_order_after_the_callback_and_before_the_turn_ends() {
    let (mut sim, zone) = noting();
    sim.server.with(zone, sim.now, |notes, cx| {
        cx.call(zone, move |notes: &mut Notes, cx| {
            notes.add("first");
            cx.call(zone, |notes: &mut Notes, _| notes.add("third"));
        });
        cx.call(zone, |notes: &mut Notes, _| notes.add("second"));
        notes.add("callback");
    });
    assert_eq!(sim.server.poll_timeout(sim.now), Some(Duration::ZERO));
    sim.turn();
    assert_eq!(take(&mut sim, zone), ["callback", "first", "second", "third"]);
}

#[test]
fn call_that_calls_itself_leaves_the_loop_its_turns() {
    fn again(notes: &mut Notes, cx: &mut Context, zone: ZoneId<Notes>) {
        notes.add("again");
        cx.call(zone, move |notes: &mut Notes, cx| again(notes, cx, zone));
    }
    let (mut sim, zone) = noting();
    sim.server.with(zone, sim.now, |notes, cx| again(notes, cx, zone));
    sim.turn();
    assert!(take(&mut sim, zone).len() < 100);
}

#[test]
fn call_reaches_the_handler_that_its_zone_names() {
    let mut sim = World::new();
    let one = sim.server.zone("/one", Notes::default());
    let two = sim.server.zones(["/two", "/three"], Notes::default());
    cx(&mut sim).call(two, |notes: &mut Notes, _| notes.add("two"));
    cx(&mut sim).after(one, millis(1), |notes: &mut Notes, _| notes.add("one"));
    sim.advance(millis(1));
    assert_eq!(
        (take(&mut sim, one), take(&mut sim, two)),
        (vec!["one".to_owned()], vec!["two".to_owned()])
    );
}

/// Sets the timeout that a message names, in milliseconds.
fn timed(log: &Log) -> World {
    let recorder = Recorder::new(log).message(|conn, message| {
        let millis: Option<u64> =
            std::str::from_utf8(message.as_bytes()).ok().and_then(|text| text.parse().ok());
        conn.set_timeout(millis.map(Duration::from_millis));
    });
    World::serving(|server| {
        server.zone("/", recorder);
    })
}

#[test]
fn timeout_strikes_once_and_never_early() {
    let log = Log::new();
    let mut sim = timed(&log);
    let client = sim.raw_websocket("/");
    sim.send(client, text("1000"));
    log.take();
    sim.advance(millis(999));
    assert_eq!(log.take(), [""; 0]);
    sim.advance(millis(252));
    assert_eq!(log.take(), ["timeout"]);
    sim.advance(seconds(10));
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn timeout_moves_with_every_message_and_can_be_cleared() {
    let log = Log::new();
    let mut sim = timed(&log);
    let client = sim.raw_websocket("/");
    for _ in 0..20 {
        sim.send(client, text("1000"));
        sim.advance(millis(900));
    }
    assert!(!log.take().contains(&"timeout".to_owned()));
    sim.send(client, text("never"));
    sim.advance(seconds(10));
    assert_eq!(log.take(), ["text never"]);
    // Set farther away and then nearer: the nearer timeout counts. Set anew after it was cleared:
    // it counts.
    for (said, strikes) in
        [(["60000", "500"], 750), (["500", "2000"], 2250), (["never", "500"], 750)]
    {
        said.iter().for_each(|said| sim.send(client, text(said)));
        log.take();
        sim.advance(millis(strikes - 251));
        assert_eq!(log.take(), [""; 0], "{said:?}");
        sim.advance(millis(252));
        assert_eq!(log.take(), ["timeout"], "{said:?}");
    }
}

#[test]
fn timeout_goes_with_its_connection() {
    let log = Log::new();
    let mut sim = timed(&log);
    let client = sim.raw_websocket("/");
    sim.send(client, text("1000"));
    sim.end(client);
    let next = sim.raw_websocket("/");
    assert_eq!(sim.token(client), sim.token(next), "the slot is taken again");
    log.take();
    sim.advance(seconds(5));
    assert_eq!(log.take(), [""; 0]);
    sim.send(next, text("1000"));
    sim.advance(seconds(2));
    assert_eq!(log.take(), ["text 1000", "timeout"]);
}

/// The same where nothing but a request was open.
#[test]
fn timeout_goes_with_a_request_whose_peer_has_left() {
    let log = Log::new();
    let recorder = Recorder::new(&log).request(|conn, request| {
        if request.is_websocket() {
            return Upgrade::new().into();
        }
        conn.set_timeout(Some(seconds(1)));
        Reply::Later
    });
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
    });
    let client = sim.connect();
    sim.send(client, http::get("/"));
    sim.fail(client, std::io::ErrorKind::ConnectionReset);
    let next = sim.raw_websocket("/");
    assert_eq!(sim.token(client), sim.token(next), "the slot is taken again");
    log.take();
    sim.advance(seconds(5));
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn server_with_nothing_to_do_waits_for_ever() {
    let mut sim = World::new();
    assert_eq!(sim.server.poll_timeout(sim.now), None);
    sim.server.websocket("/", |conn, message| conn.send(message));
    sim.settle();
    assert_eq!(sim.server.poll_timeout(sim.now), None);
    let client = sim.raw_websocket("/");
    sim.end(client);
    sim.advance(seconds(1000));
    assert_eq!(sim.server.poll_timeout(sim.now), None);
}

#[test]
fn server_with_idle_connections_wakes_for_their_deadlines_only() {
    let mut sim = World::serving(|server| {
        server.websocket("/", |conn, message| conn.send(message));
    });
    let clients: Vec<_> = (0..100).map(|_| sim.raw_websocket("/")).collect();
    let end = sim.now + seconds(45);
    let mut wakes = 0;
    while let Some(wait) = sim.server.poll_timeout(sim.now).filter(|wait| sim.now + *wait <= end) {
        sim.now += wait;
        sim.turn();
        wakes += 1;
    }
    // The looks that were due for the handshakes are the only ones that may find nothing.
    assert!(wakes <= 2, "{wakes} wakes");
    assert!(clients.iter().all(|client| sim.receive(*client).is_empty()));
}

#[test]
fn server_takes_an_earlier_time_for_the_same_moment() {
    let (mut sim, zone) = noting();
    cx(&mut sim).after(zone, millis(10), |notes: &mut Notes, _| notes.add("x"));
    sim.advance(millis(5));
    sim.server.flush(sim.now - millis(5));
    sim.server.flush(sim.now - seconds(1));
    assert_eq!(sim.server.context(sim.now - millis(3)).now(), sim.now);
    assert_eq!(take(&mut sim, zone), [""; 0]);
    assert_eq!(
        sim.server.poll_timeout(sim.now + seconds(1)),
        Some(Duration::ZERO),
        "never negative"
    );
}

proptest! {
    #![proptest_config(cases(48))]

    /// Each timer strikes at its own moment, in the order of the moments, or not at all, whatever
    /// was set and cancelled.
    #[test]
    fn timers_strike_as_a_sorted_list_says(
        steps in prop::collection::vec(
            (0u64..50, 0u64..20, prop::bool::weighted(0.2)),
            1..100,
        ),
    ) {
        let (mut sim, zone) = noting();
        let start = sim.now;
        let mut expected: Vec<(u64, usize)> = Vec::new();
        let mut timers = Vec::new();
        for (number, (delay, pause, cancel)) in steps.into_iter().enumerate() {
            let now = (sim.now - start).as_millis() as u64;
            let timer = cx(&mut sim).after(zone, millis(delay), move |notes: &mut Notes, cx| {
                notes.add(format!("{} {number}", (cx.now() - start).as_millis()));
            });
            timers.push(timer);
            expected.push((now + delay, number));
            if cancel {
                let victim = number / 2;
                cx(&mut sim).cancel(timers[victim]);
                // All that were due have struck by now, but for the one just set.
                expected.retain(|(at, timer)| *timer != victim || (*at <= now && victim != number));
            }
            sim.advance(millis(pause));
        }
        sim.advance(millis(100));
        expected.sort();
        let shown = |(at, number): &(_, _)| format!("{at} {number}");
        let expected: Vec<_> = expected.iter().map(shown).collect();
        prop_assert_eq!(take(&mut sim, zone), expected);
        prop_assert_eq!(sim.server.poll_timeout(sim.now), None);
    }
}

/// Zones without a loop have no waiting to do at all.
#[test]
fn server_without_connections_runs_timers_all_the_same() {
    let mut server = Server::detached();
    let zone = server.zone("/", Notes::default());
    let now = std::time::Instant::now();
    server.context(now).after(zone, seconds(1), |notes: &mut Notes, _| notes.add("x"));
    server.flush(now + seconds(1));
    assert_eq!(server.with(zone, now, |notes, _| notes.0.len()), 1);
}

/// A loop that has slept for an hour: the server knows no later time than that of its last turn.
#[test]
fn closure_between_turns_runs_at_the_time_that_is_given() {
    let mut server = Server::detached();
    let zone = server.zone("/", Notes::default());
    let now = std::time::Instant::now() + seconds(3600);
    let told = server.with(zone, now, |_, cx| {
        cx.after(zone, seconds(1), |notes: &mut Notes, _| notes.add("after"));
        cx.every(zone, seconds(1), |notes: &mut Notes, _| notes.add("every"));
        cx.now()
    });
    assert_eq!(told, now);
    server.flush(now);
    server.flush(now + millis(999));
    assert_eq!(server.with(zone, now, |notes, _| std::mem::take(&mut notes.0)), [""; 0]);
    server.flush(now + seconds(1));
    assert_eq!(server.with(zone, now, |notes, _| notes.0.clone()), ["after", "every"]);
}
