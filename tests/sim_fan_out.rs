//! A frame that was published to connections at rest, over memory: it leaves at the end of the
//! turn, once, whole, and before all later output.

mod common;

use std::io::ErrorKind;

use common::frames::{ping, text};
use common::{Bytes, Client, Log, Recorder, World};
use switchboard::{CloseCode, Conn, ConnId, Options, Outgoing, Readiness};

/// Everybody hears everybody, and `echo ..` comes back.
fn room(log: &Log) -> World {
    let recorder =
        Recorder::new(log).open(|conn, _| conn.subscribe("room")).message(|conn, message| {
            let said = String::from_utf8_lossy(message.as_bytes()).into_owned();
            match said.strip_prefix("echo ") {
                Some(echo) => conn.send(echo),
                None => conn.publish_to_others("room", said.as_str()),
            }
        });
    World::serving(|server| {
        server.zone("/", recorder);
    })
}

fn join(sim: &mut World, log: &Log) -> (Client, ConnId) {
    (sim.raw_websocket("/"), log.last_id())
}

fn publish(sim: &mut World, text: &str) {
    sim.server.context(sim.now).publish("room", text);
}

fn buffered(sim: &mut World, id: ConnId) -> usize {
    sim.server.context(sim.now).conn(id).map_or(0, |conn| conn.buffered())
}

#[test]
fn posted_message_comes_before_all_that_follows() {
    type Follow = fn(&mut Conn<'_>);
    let follows: [(Follow, &[&str]); 5] = [
        (|conn| conn.send("two"), &["text one", "text two"]),
        (|conn| conn.publish("room", "two"), &["text one", "text two"]),
        (
            |conn| conn.context().publish("room", Outgoing::binary(b"two")),
            &["text one", "binary 3"],
        ),
        (|conn| conn.close(CloseCode::NORMAL, ""), &["text one", "close 1000"]),
        (|_| {}, &["text one"]),
    ];
    for (follow, expected) in follows {
        let log = Log::new();
        let mut sim = room(&log);
        let ((one, id), (two, _)) = (join(&mut sim, &log), join(&mut sim, &log));
        publish(&mut sim, "one");
        sim.server.context(sim.now).conn(id).map(|mut conn| follow(&mut conn)).expect("it is open");
        sim.settle();
        assert_eq!(sim.words(one), expected);
        assert_eq!(sim.words(two)[0], "text one");
    }
}

#[test]
fn posted_message_comes_before_the_answer_to_later_input() {
    let log = Log::new();
    let mut sim = room(&log);
    let ((one, _), (two, _)) = (join(&mut sim, &log), join(&mut sim, &log));
    sim.push(one, text("published"));
    sim.push(two, [text("echo answer"), ping("p")].concat());
    sim.turn();
    assert_eq!(
        sim.words(two),
        ["pong p", "text published", "text answer"],
        "a pong goes before what has not begun"
    );
    // The other way round, what was said in its own callback has left before.
    sim.push(one, text("echo answer"));
    sim.push(two, text("published"));
    sim.turn();
    assert_eq!(sim.words(one), ["text answer", "text published"]);
}

#[test]
fn posted_message_is_buffered_until_it_has_left() {
    let log = Log::new();
    let mut sim = room(&log);
    let (one, id) = join(&mut sim, &log);
    log.take();
    publish(&mut sim, "hello");
    assert_eq!(buffered(&mut sim, id), 7);
    sim.server.context(sim.now).conn(id).map(|mut conn| conn.want_writable()).expect("it is open");
    assert!(log.take().is_empty(), "not writable yet");
    sim.settle();
    assert_eq!((sim.words(one), buffered(&mut sim, id)), (vec!["text hello".to_owned()], 0));
    assert_eq!(log.take(), ["writable"]);
}

#[test]
fn posted_message_waits_wherever_the_transport_refuses_it() {
    const LEN: usize = 7;
    for window in 0..=LEN {
        let log = Log::new();
        let mut sim = room(&log);
        let ((slow, id), (quick, _)) = (join(&mut sim, &log), join(&mut sim, &log));
        sim.window(slow, window);
        publish(&mut sim, "hello");
        sim.settle();
        assert_eq!(buffered(&mut sim, id), LEN - window);
        publish(&mut sim, "second");
        sim.settle();
        assert_eq!(buffered(&mut sim, id), LEN - window + 8);
        assert_eq!(sim.words(quick), ["text hello", "text second"]);
        sim.window(slow, usize::MAX);
        assert_eq!(sim.words(slow), ["text hello", "text second"], "after {window} bytes");
    }
}

#[test]
fn posted_message_keeps_to_the_limit_of_what_may_wait() {
    for (limit, expected) in [(7, "text hello"), (6, "close 1013 too slow")] {
        let log = Log::new();
        let mut sim = room(&log);
        sim.server.options(Options::new().max_buffered(limit));
        let (slow, _) = join(&mut sim, &log);
        sim.window(slow, 0);
        publish(&mut sim, "hello");
        sim.settle();
        sim.window(slow, usize::MAX);
        assert_eq!(sim.words(slow), [expected]);
    }
}

#[test]
fn posted_message_to_a_broken_connection_ends_it() {
    let log = Log::new();
    let mut sim = room(&log);
    let ((broken, _), (whole, _)) = (join(&mut sim, &log), join(&mut sim, &log));
    log.take();
    sim.peer(broken).fail(ErrorKind::BrokenPipe);
    publish(&mut sim, "hello");
    sim.settle();
    assert_eq!(log.take(), ["close 1006 \"\""]);
    assert_eq!(sim.words(whole), ["text hello"]);
    assert_eq!(sim.stats().websockets, 1);
}

/// There are more receivers than one round writes to, and one of the last is writable early.
#[test]
fn posted_message_has_left_when_its_receiver_is_writable() {
    let log = Log::new();
    let recorder = Recorder::new(&log).open(|conn, _| conn.subscribe("room"));
    let heard = log.clone();
    let recorder =
        recorder.writable(move |conn| heard.note(conn.id(), format!("{} wait", conn.buffered())));
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
    });
    let members: Vec<_> = (0..6_000).map(|_| join(&mut sim, &log)).collect();
    log.take();
    publish(&mut sim, "hello");
    sim.turn();
    let &(last, id) = members.last().expect("6,000 members");
    assert_eq!((sim.words(last), buffered(&mut sim, id)), (vec![], 7));
    sim.server.context(sim.now).conn(id).map(|mut conn| conn.want_writable()).expect("it is open");
    sim.tell(last, Readiness { writable: true, ..Readiness::default() });
    assert_eq!(
        (sim.words(last), log.take()),
        (vec!["text hello".to_owned()], vec!["writable".to_owned(), "0 wait".to_owned()])
    );
}

/// There are more receivers than one turn writes to. What happens between its turns reaches each of
/// them in its order, and no connection that came later.
#[test]
fn posted_message_goes_to_whom_it_was_published_over_several_turns() {
    const MEMBERS: usize = 5_000;
    let log = Log::new();
    let mut sim = room(&log);
    let members: Vec<_> = (0..MEMBERS).map(|_| join(&mut sim, &log)).collect();
    publish(&mut sim, "first");
    sim.turn();
    let heard: Vec<_> = members.iter().map(|&(client, _)| sim.words(client)).collect();
    let waiting: Vec<usize> = (0..MEMBERS).filter(|&n| heard[n].is_empty()).collect();
    assert!(
        (100..MEMBERS - 100).contains(&waiting.len()),
        "{} have not heard it yet",
        waiting.len()
    );

    let [ended, closed, .., spoken_to] = waiting[..] else { panic!("three have not heard it yet") };
    let token = sim.token(members[ended].0);
    sim.peer(members[ended].0).fail(ErrorKind::ConnectionReset);
    sim.server.ready(token, Readiness { writable: true, ..Readiness::READABLE }, sim.now);
    let cx = sim.server.context(sim.now);
    cx.send(members[spoken_to].1, "aside");
    cx.publish("room", "second");
    cx.conn(members[closed].1)
        .map(|mut conn| conn.close(CloseCode::NORMAL, ""))
        .expect("it is open");
    sim.settle();
    let (newcomer, _) = join(&mut sim, &log);
    assert_eq!(sim.token(newcomer), token, "the slot is taken again");

    for (n, &(client, _)) in members.iter().enumerate().filter(|&(n, _)| n != ended) {
        let mut all = heard[n].clone();
        all.extend(sim.words(client));
        let expected: &[&str] = match n {
            _ if n == closed => &["text first", "text second", "close 1000"],
            _ if n == spoken_to => &["text first", "text aside", "text second"],
            _ => &["text first", "text second"],
        };
        assert_eq!(all, expected, "member {n}");
    }
    assert_eq!(sim.words(newcomer), [""; 0]);
    publish(&mut sim, "third");
    sim.settle();
    assert_eq!(sim.words(newcomer), ["text third"]);
}
