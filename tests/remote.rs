//! A server reached from other threads: in order, bounded, never lost and soon.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use switchboard::{Drain, Handler, Reactor, Remote, ZoneId};

/// How many calls may wait.
const CAPACITY: usize = 65_536;

#[derive(Default)]
struct Notes(Vec<usize>);

impl Handler for Notes {}

fn reactor() -> (Reactor, ZoneId<Notes>, Remote) {
    let mut reactor = Reactor::new().unwrap();
    let zone = reactor.server.zone("/", Notes::default());
    let remote = reactor.remote();
    (reactor, zone, remote)
}

fn note(number: usize) -> impl FnOnce(&mut Notes, &mut switchboard::Context) + Send {
    move |notes, _| notes.0.push(number)
}

fn notes(reactor: &mut Reactor, zone: ZoneId<Notes>) -> Vec<usize> {
    reactor.server.with(zone, Instant::now(), |notes, _| std::mem::take(&mut notes.0))
}

/// A reactor that runs in a thread of its own until it is drained.
fn running() -> (Remote, ZoneId<Notes>, thread::JoinHandle<std::io::Result<()>>) {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        let (mut reactor, zone, remote) = reactor();
        tell.send((remote, zone)).unwrap();
        reactor.run()
    });
    let (remote, zone) = told.recv().unwrap();
    (remote, zone, thread)
}

/// Calls with the means to answer.
fn ask<T: Send + 'static>(
    remote: &Remote,
    zone: ZoneId<Notes>,
    answer: impl FnOnce(&mut Notes) -> T + Send + 'static,
) -> T {
    let (tell, told): (Sender<T>, _) = mpsc::channel();
    remote.call(zone, move |notes, _| tell.send(answer(notes)).unwrap()).unwrap();
    told.recv_timeout(Duration::from_secs(10)).expect("an answer of the loop")
}

#[test]
fn remote_is_for_every_thread() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Remote>();
}

#[test]
fn remote_calls_run_in_their_order() {
    let (mut reactor, zone, remote) = reactor();
    for number in 0..1_000 {
        remote.call(zone, note(number)).unwrap();
    }
    assert!(notes(&mut reactor, zone).is_empty(), "not before a turn");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(notes(&mut reactor, zone), Vec::from_iter(0..1_000));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(notes(&mut reactor, zone).is_empty(), "once each");
}

#[test]
fn remote_calls_of_many_threads_all_arrive() {
    let (remote, zone, thread) = running();
    let start = Arc::new(Barrier::new(4));
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let (remote, start) = (remote.clone(), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                for number in 0..2_000 {
                    let mut call = note(caller * 10_000 + number);
                    while let Err(refused) = remote.call(zone, call) {
                        assert!(!refused.is_closed());
                        call = refused.into_inner();
                    }
                }
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    let heard = ask(&remote, zone, |notes| std::mem::take(&mut notes.0));
    assert_eq!(heard.len(), 8_000);
    for caller in 0..4 {
        let own: Vec<_> = heard
            .iter()
            .filter(|number| **number / 10_000 == caller)
            .map(|number| number % 10_000)
            .collect();
        assert_eq!(own, Vec::from_iter(0..2_000), "in each thread's order");
    }
    remote.drain(Drain::within(Duration::ZERO)).unwrap();
    thread.join().unwrap().unwrap();
}

#[test]
fn remote_drain_checks_its_stages_before_it_queues_anything() {
    let (mut reactor, _, remote) = reactor();
    let seconds = Duration::from_secs;
    let short = Drain { window: seconds(30), ..Drain::within(seconds(29)) };
    let error = remote.drain(short).unwrap_err();
    assert!(error.to_string().ends_with("give a deadline of 30s or more"), "{error}");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(reactor.server.is_ready() && !error.is_closed());

    // A remote call is a call of its own turn: its notice counts from there.
    remote.drain(Drain { notice: seconds(3600), ..Drain::within(seconds(7200)) }).unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(!reactor.server.is_ready() && !reactor.server.is_drained());
    let wait = reactor.server.poll_timeout(Instant::now()).unwrap();
    assert!((seconds(3000)..=seconds(3600)).contains(&wait), "{wait:?}");
    remote.drain(Drain::within(seconds(3600))).unwrap();
    reactor.run().unwrap();
}

#[test]
fn remote_gives_back_what_the_queue_cannot_take() {
    let (mut reactor, zone, remote) = reactor();
    for number in 0..CAPACITY {
        remote.call(zone, note(number)).unwrap();
    }
    let refused = remote.call(zone, note(7)).expect_err("the queue is full");
    assert!(!refused.is_closed());
    assert_eq!(refused.to_string(), "65,536 calls are waiting already; try again later");
    assert!(remote.drain(Drain::default()).is_err_and(|refused| !refused.is_closed()));
    reactor.server.with(zone, Instant::now(), refused.into_inner());
    assert_eq!(notes(&mut reactor, zone), [7], "the closure itself comes back");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(notes(&mut reactor, zone).len(), CAPACITY);
    remote.call(zone, note(8)).expect("room again");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(notes(&mut reactor, zone), [8]);
}

#[test]
fn remote_of_a_server_that_is_gone_gives_everything_back() {
    let (reactor, zone, remote) = reactor();
    let kept = Arc::new(());
    let (inner, own) = (Arc::clone(&kept), remote.clone());
    remote.call(zone, move |_, _| drop((inner, own))).unwrap();
    assert_eq!(Arc::strong_count(&kept), 2);
    drop(reactor);
    assert_eq!(Arc::strong_count(&kept), 1, "what waited is dropped");
    let refused = remote.call(zone, note(1)).expect_err("nobody will run it");
    assert!(refused.is_closed());
    assert_eq!(refused.to_string(), "the server is gone");
    assert!(remote.drain(Drain::default()).is_err_and(|refused| refused.is_closed()));
}

#[test]
fn remote_call_that_calls_again_runs_in_the_next_turn() {
    let (mut reactor, zone, remote) = reactor();
    let again = remote.clone();
    let call = move |notes: &mut Notes, _: &mut switchboard::Context| {
        notes.0.push(1);
        again.call(zone, note(2)).unwrap();
    };
    remote.call(zone, call).unwrap();
    reactor.turn(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(notes(&mut reactor, zone), [1]);
    let start = Instant::now();
    reactor.turn(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(notes(&mut reactor, zone), [2]);
    assert!(start.elapsed() < Duration::from_secs(5), "it wakes the loop that it runs in");
}

/// FIELD row 28: a loop that sleeps with nothing to wait for is woken at once.
#[test]
fn field_row_28_remote_wakes_a_parked_loop() {
    let (remote, zone, thread) = running();
    let mut waits: Vec<_> = (0..50)
        .map(|_| {
            // The loop is parked again by now, or will see the call before it parks: no wake-up may
            // be lost either way.
            thread::sleep(Duration::from_micros(200));
            let start = Instant::now();
            ask(&remote, zone, |_| ());
            start.elapsed()
        })
        .collect();
    waits.sort();
    assert!(waits[25] < Duration::from_millis(5), "half of them take more than {:?}", waits[25]);
    assert!(waits[49] < Duration::from_secs(2), "one takes {:?}", waits[49]);
    remote.drain(Drain::within(Duration::ZERO)).unwrap();
    thread.join().unwrap().unwrap();
}

#[test]
fn remote_drain_ends_the_run() {
    let (remote, zone, thread) = running();
    ask(&remote, zone, |_| ());
    remote.drain(Drain::within(Duration::from_secs(60))).unwrap();
    thread.join().unwrap().unwrap();
    assert!(remote.call(zone, note(1)).is_err_and(|refused| refused.is_closed()));
}
