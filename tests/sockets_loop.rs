//! A reactor inside another loop, on real sockets: what a turn says about the next one, watched
//! sources, and waits of the other loop, which deadlines count.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::UdpSocket as StdUdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use common::frames::text;
use common::wire::{PATIENCE, Wire};
use common::{http, millis, seconds};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use switchboard::mio::net::UdpSocket;
use switchboard::mio::{self, Interest};
use switchboard::{Context, Descriptor, Handler, Options, Reactor, Server, Turn, WatchId, ZoneId};

/// What the closures of watched sources note.
#[derive(Default)]
struct Notes(Vec<String>);
impl Handler for Notes {}

type Call = Box<dyn FnOnce(&mut Notes, &mut Context)>;

/// More than the events of one turn.
const MANY: usize = 1_100;

fn now_turn(reactor: &mut Reactor) -> Turn {
    reactor.turn(Some(Duration::ZERO)).unwrap()
}

/// Waits in another loop, as the last turn allowed, and runs a turn.
fn wait_and_turn(reactor: &mut Reactor, last: Turn) -> Turn {
    let wait = Timespec::try_from(last.wait.unwrap_or(PATIENCE)).unwrap();
    poll(&mut [PollFd::new(&reactor, PollFlags::IN)], Some(&wait)).unwrap();
    now_turn(reactor)
}

fn notes(reactor: &mut Reactor, zone: ZoneId<Notes>) -> Vec<String> {
    reactor.server.with(zone, Instant::now(), |notes, _| std::mem::take(&mut notes.0))
}

fn set_up() -> (Reactor, ZoneId<Notes>) {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut reactor = Reactor::new().unwrap();
    let zone = reactor.server.zone("/notes", Notes::default());
    reactor.server.http("/get", |_conn, _request| "got");
    (reactor, zone)
}

#[test]
fn reactor_has_one_descriptor() {
    let (reactor, _) = set_up();
    assert_eq!(reactor.as_raw_fd(), reactor.as_fd().as_raw_fd());
}

#[test]
fn turn_that_fills_its_list_says_that_events_are_left() {
    let (mut reactor, _) = set_up();
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let address = reactor.server.local_addr(listener).unwrap();
    let mut wires = Vec::new();
    for _ in 0..MANY {
        wires.push(Wire::connect(address));
        now_turn(&mut reactor);
    }
    while now_turn(&mut reactor).wait == Some(Duration::ZERO) {}
    for wire in &mut wires {
        wire.send(http::get("/get"));
    }
    assert_eq!(now_turn(&mut reactor).wait, Some(Duration::ZERO), "events are left");
    assert_ne!(now_turn(&mut reactor).wait, Some(Duration::ZERO), "none is left");
    for wire in &mut wires {
        assert!(wire.head().starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn turn_says_when_a_timer_and_a_call_are_due() {
    let (mut reactor, zone) = set_up();
    assert_eq!(now_turn(&mut reactor).wait, None);
    let cx = reactor.server.context(Instant::now());
    cx.after(zone, seconds(3), |_: &mut Notes, _| {});
    let wait = now_turn(&mut reactor).wait.expect("a timer");
    assert!(wait > Duration::ZERO && wait <= seconds(3), "{wait:?}");
    // A closure that calls another has work left after the turn's rounds.
    fn again(zone: ZoneId<Notes>, left: u32) -> impl FnOnce(&mut Notes, &mut Context) {
        move |notes, cx| {
            notes.0.push(left.to_string());
            if left > 0 {
                let call: Call = Box::new(again(zone, left - 1));
                cx.call(zone, call);
            }
        }
    }
    reactor.server.context(Instant::now()).call(zone, again(zone, 10));
    assert_eq!(now_turn(&mut reactor).wait, Some(Duration::ZERO), "work is queued");
}

/// The other loop waited as it was told, which is no stall.
#[test]
fn deadlines_count_the_waits_of_another_loop() {
    let (mut reactor, _) = set_up();
    reactor.server.options(Options::new().first_byte_timeout(millis(3500)));
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let address = reactor.server.local_addr(listener).unwrap();
    let _silent = Wire::connect(address);
    let mut turn = now_turn(&mut reactor);
    while turn.wait == Some(Duration::ZERO) {
        turn = now_turn(&mut reactor);
    }
    assert_eq!(reactor.server.context(Instant::now()).stats().connections, 1);
    let mut waits = 0;
    while reactor.server.context(Instant::now()).stats().connections > 0 {
        turn = wait_and_turn(&mut reactor, turn);
        waits += u32::from(turn.wait != Some(Duration::ZERO));
        assert!(waits < 3, "a wait of 3.5 s counts as less");
    }
}

/// Turns that never wait let time pass as it does.
#[test]
fn deadlines_count_the_frames_of_a_game() {
    let (mut reactor, _) = set_up();
    reactor.server.options(Options::new().first_byte_timeout(millis(1000)));
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let _silent = Wire::connect(reactor.server.local_addr(listener).unwrap());
    let mut frames = 0;
    now_turn(&mut reactor);
    while reactor.server.context(Instant::now()).stats().connections > 0 {
        std::thread::sleep(millis(16));
        now_turn(&mut reactor);
        frames += 1;
        assert!(frames < 200, "a deadline of 1 s does not come");
    }
    assert!(frames > 10, "{frames}");
}

/// Watches a UDP socket that notes what it gets.
fn watch_udp(reactor: &mut Reactor, zone: ZoneId<Notes>) -> (WatchId<UdpSocket>, StdUdpSocket) {
    let udp = UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let sender = StdUdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(udp.local_addr().unwrap()).unwrap();
    let id = reactor.watch(udp, Interest::READABLE, zone, |notes: &mut Notes, cx, udp, ready| {
        assert!(ready.readable);
        let mut buf = [0; 100];
        loop {
            match udp.recv(&mut buf) {
                Ok(n) => {
                    notes.0.push(String::from_utf8_lossy(&buf[..n]).into_owned());
                    cx.publish("news", &buf[..n]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    });
    (id.unwrap(), sender)
}

#[test]
fn watched_socket_calls_its_zone_until_it_is_given_back() {
    let (mut reactor, zone) = set_up();
    let (id, sender) = watch_udp(&mut reactor, zone);
    for word in ["one", "two"] {
        sender.send(word.as_bytes()).unwrap();
        reactor.turn(Some(PATIENCE)).unwrap();
        assert_eq!(notes(&mut reactor, zone), [word]);
    }
    let udp = reactor.unwatch(id).expect("the socket");
    sender.send(b"three").unwrap();
    now_turn(&mut reactor);
    assert!(notes(&mut reactor, zone).is_empty());
    assert!(reactor.unwatch(id).is_none(), "it is given back once");
    // It may be watched again.
    let (mut buf, again) = ([0; 16], udp);
    assert_eq!(again.recv(&mut buf).unwrap(), 5);
    reactor.watch(again, Interest::READABLE, zone, |_: &mut Notes, _, _, _| {}).unwrap();
}

#[test]
fn watched_socket_publishes_to_websockets() {
    let (mut reactor, zone) = set_up();
    struct News;
    impl Handler for News {
        fn open(&mut self, conn: &mut switchboard::Conn<'_>, _: &switchboard::Request<'_>) {
            conn.subscribe("news");
        }
    }
    reactor.server.zone("/news", News);
    let (_, sender) = watch_udp(&mut reactor, zone);
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let mut wire = Wire::connect(reactor.server.local_addr(listener).unwrap());
    wire.send(http::handshake("/news"));
    while reactor.server.context(Instant::now()).subscribers("news") == 0 {
        reactor.turn(Some(millis(20))).unwrap();
    }
    wire.head();
    sender.send(b"hello").unwrap();
    reactor.turn(Some(PATIENCE)).unwrap();
    assert_eq!(wire.word(), "binary 5");
}

#[test]
fn watched_pipe_reports_its_end() {
    let (mut reactor, zone) = set_up();
    let (read, mut write) = std::io::pipe().unwrap();
    let read = Descriptor::new(read).unwrap();
    let id = reactor.watch(read, Interest::READABLE, zone, |notes: &mut Notes, _, read, ready| {
        let mut text = String::new();
        let end = read.get_mut().read_to_string(&mut text);
        notes.0.push(format!("{text} {} {}", end.is_ok(), ready.read_closed));
    });
    let id = id.unwrap();
    write.write_all(b"a line").unwrap();
    reactor.turn(Some(PATIENCE)).unwrap();
    assert_eq!(notes(&mut reactor, zone), ["a line false false"]);
    drop(write);
    reactor.turn(Some(PATIENCE)).unwrap();
    assert_eq!(notes(&mut reactor, zone), [" true true"]);
    assert!(reactor.unwatch(id).is_some());
}

/// A closure ends its own watch and another, and begins a third.
#[test]
fn closures_watch_and_unwatch() {
    let (mut reactor, zone) = set_up();
    let (other, other_sender) = watch_udp(&mut reactor, zone);
    let (read, mut write) = std::io::pipe().unwrap();
    let own = std::rc::Rc::new(std::cell::Cell::new(None));
    let name = std::rc::Rc::clone(&own);
    let read = Descriptor::new(read).unwrap();
    let id = reactor.watch(read, Interest::READABLE, zone, move |notes: &mut Notes, cx, _, _| {
        let id: WatchId<Descriptor<std::io::PipeReader>> = name.get().unwrap();
        assert!(cx.unwatch(id).is_none(), "it is lent to this closure");
        let udp = cx.unwatch(other).expect("the other socket");
        let watched = cx.watch(udp, Interest::READABLE, zone, |notes: &mut Notes, _, _, _| {
            notes.0.push("third".into());
        });
        notes.0.push(format!("first {}", watched.is_ok()));
    });
    own.set(Some(id.unwrap()));
    write.write_all(b"x").unwrap();
    reactor.turn(Some(PATIENCE)).unwrap();
    assert_eq!(notes(&mut reactor, zone), ["first true"]);
    assert_eq!(write.write_all(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe, "it is closed");
    other_sender.send(b"x").unwrap();
    reactor.turn(Some(PATIENCE)).unwrap();
    assert_eq!(notes(&mut reactor, zone), ["third"]);
}

#[test]
fn watched_sources_are_dropped_with_the_server() {
    let (mut reactor, zone) = set_up();
    let (read, mut write) = std::io::pipe().unwrap();
    let read = Descriptor::new(read).unwrap();
    reactor.watch(read, Interest::READABLE, zone, |_: &mut Notes, _, _, _| {}).unwrap();
    write.write_all(b"x").unwrap();
    drop(reactor);
    assert_eq!(write.write_all(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn watch_refuses_what_has_no_readiness_and_what_is_too_much() {
    let (mut reactor, zone) = set_up();
    let file = Descriptor::new(std::fs::File::open("/proc/self/exe").unwrap()).unwrap();
    let refused = reactor.watch(file, Interest::READABLE, zone, |_: &mut Notes, _, _, _| {});
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
    let pipe = || Descriptor::new(std::io::pipe().unwrap().0).unwrap();
    let nothing = |_: &mut Notes, _: &mut Context, _: &mut _, _| {};
    let ids: Vec<_> = (0..4096)
        .map(|_| reactor.watch(pipe(), Interest::READABLE, zone, nothing).unwrap())
        .collect();
    let refused = reactor.watch(pipe(), Interest::READABLE, zone, nothing).unwrap_err();
    assert_eq!(refused.to_string(), "a server watches at most 4,096 sources: unwatch one");
    assert!(reactor.unwatch(ids[7]).is_some());
    let id = reactor.watch(pipe(), Interest::READABLE, zone, nothing).unwrap();
    assert!(reactor.unwatch(ids[7]).is_none(), "the old name names nothing");
    assert!(reactor.unwatch(id).is_some());

    let mut server = Server::detached();
    let zone = server.zone("/", Notes::default());
    let refused = server.context(Instant::now()).watch(pipe(), Interest::READABLE, zone, nothing);
    assert!(refused.unwrap_err().to_string().starts_with("a detached server has no Poll"));
}

/// A mio loop of the program's own passes events of its sources on by their token.
#[test]
fn mio_loop_serves_and_watches() {
    let mut poll = mio::Poll::new().unwrap();
    let mut events = mio::Events::with_capacity(8);
    let mut server = Server::new(poll.registry()).unwrap();
    server.turn_budget(Some(Duration::ZERO));
    let zone = server.zone("/notes", Notes::default());
    server.websocket("/", |conn, message| conn.send(message));
    let listener = server.listen("127.0.0.1:0").unwrap();
    let address = server.local_addr(listener).unwrap();
    let (read, mut write) = std::io::pipe().unwrap();
    let cx = server.context(Instant::now());
    let read = Descriptor::new(read).unwrap();
    cx.watch(read, Interest::READABLE, zone, |notes: &mut Notes, _, _, _| {
        notes.0.push("ready".into());
    })
    .unwrap();
    write.write_all(b"x").unwrap();
    let client = std::thread::spawn(move || {
        let mut wires: Vec<_> = (0..50).map(|_| Wire::websocket(address)).collect();
        wires.iter_mut().for_each(|wire| wire.send(text("hello")));
        wires.iter_mut().for_each(|wire| assert_eq!(wire.word(), "text hello"));
    });
    while !client.is_finished() {
        let wait = server.poll_timeout(Instant::now());
        let wait = wait.map_or(millis(20), |wait| wait.min(millis(20)));
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            waited => waited.unwrap(),
        }
        let now = Instant::now();
        server.handle_events(&events, now);
        server.flush(now);
    }
    client.join().unwrap();
    assert_eq!(server.with(zone, Instant::now(), |notes, _| notes.0.len()), 1);
}
