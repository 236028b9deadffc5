//! Peers that do not read, over memory: what waits for them, in which order it leaves, and when it
//! exceeds the limit.

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::frames::{BINARY, CLOSE, Frame, TEXT, close, ping, some_frames, text};
use common::{Bytes, Client, Log, Recorder, World, cases, seconds, words};
use proptest::prelude::*;
use switchboard::{CloseCode, Conn, ConnId, Message, Options, OptionsId};

/// An echo server with at most 1,000 bytes waiting for each connection, and its first connection.
fn echo(log: &Log) -> (World, Client, ConnId) {
    let recorder = Recorder::new(log).message(|conn, message| conn.send(message));
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
        server.options(Options::new().max_buffered(1_000));
    });
    let client = sim.raw_websocket("/");
    let id = log.last_id();
    log.take();
    (sim, client, id)
}

fn buffered(sim: &mut World, id: ConnId) -> usize {
    sim.server.context(sim.now).conn(id).map_or(0, |conn| conn.buffered())
}

fn send<'m>(sim: &mut World, id: ConnId, message: impl Into<Message<'m>>) {
    sim.server.context(sim.now).send(id, message.into());
}

#[test]
fn outbox_keeps_what_the_peer_refuses_and_counts_it() {
    let log = Log::new();
    let (mut sim, client, id) = echo(&log);
    sim.window(client, 0);
    sim.send(client, text("hello"));
    assert_eq!(buffered(&mut sim, id), 7);
    send(&mut sim, id, "more");
    sim.settle();
    assert_eq!(buffered(&mut sim, id), 13);
    sim.window(client, 3);
    assert_eq!(buffered(&mut sim, id), 10);
    assert_eq!(log.take(), ["text hello"], "not writable yet");
    sim.window(client, 100);
    assert_eq!(
        (sim.words(client), buffered(&mut sim, id)),
        (vec!["text hello".to_owned(), "text more".to_owned()], 0)
    );
    assert_eq!(log.take(), ["writable"]);
    sim.window(client, usize::MAX);
    sim.settle();
    assert_eq!(log.take(), [""; 0], "once after a refusal");
}

#[test]
fn buffered_counts_what_a_callback_has_said_so_far() {
    let counts = Rc::new(Cell::new((0, 0)));
    let seen = Rc::clone(&counts);
    let mut sim = World::serving(|server| {
        server.websocket("/", move |conn: &mut Conn<'_>, _| {
            let before = conn.buffered();
            conn.send("12345");
            seen.set((before, conn.buffered()));
        });
    });
    let client = sim.raw_websocket("/");
    sim.send(client, text(""));
    assert_eq!(counts.get(), (0, 7));
}

/// Much output does not wait for the end of the turn. A fast reader takes it before it costs memory
/// of its own.
#[test]
fn outbox_offers_much_before_the_turn_ends() {
    let log = Log::new();
    let (mut sim, client, id) = echo(&log);
    sim.server.options(Options::new());
    let mut received = Vec::new();
    for _ in 0..1_000 {
        send(&mut sim, id, &[7; 1_000][..]);
        received.extend(sim.receive(client));
        assert!(buffered(&mut sim, id) <= 32 << 10);
    }
    assert!(received.len() > 950_000, "{} bytes", received.len());
    sim.settle();
    received.extend(sim.receive(client));
    assert_eq!(words(&received).len(), 1_000);
}

/// What has begun leaves first, then control frames, then data; of several pongs the latest.
#[test]
fn outbox_lets_control_frames_pass_at_the_next_boundary() {
    let log = Log::new();
    let (mut sim, client, id) = echo(&log);
    sim.window(client, 4);
    send(&mut sim, id, "first");
    send(&mut sim, id, "second");
    sim.settle();
    let mut cx_ping = |payload: &[u8]| {
        if let Some(mut conn) = sim.server.context(sim.now).conn(id) {
            conn.ping(payload);
        }
    };
    cx_ping(b"one");
    cx_ping(b"two");
    send(&mut sim, id, "third");
    sim.window(client, 2);
    sim.window(client, 1_000);
    assert_eq!(
        sim.words(client),
        ["text first", "ping one", "ping two", "text second", "text third"]
    );
}

#[test]
fn outbox_keeps_one_pong_for_a_peer_that_does_not_read() {
    let (mut sim, client, id) = echo(&Log::new());
    sim.window(client, 0);
    send(&mut sim, id, "data");
    sim.settle();
    for n in 0..10 {
        sim.send(client, ping(n.to_string()));
    }
    assert_eq!(buffered(&mut sim, id), 6 + 3, "one pong at most");
    sim.window(client, usize::MAX);
    sim.settle();
    let said = sim.words(client);
    assert_eq!(said[..2], ["pong 0", "text data"], "before data that has not begun");
    assert_eq!(
        said[2..],
        (1..10).map(|n| format!("pong {n}")).collect::<Vec<_>>(),
        "the others once it reads"
    );
}

#[test]
fn server_reads_no_more_from_a_peer_that_does_not_take_its_answers() {
    let log = Log::new();
    let (mut sim, client, id) = echo(&log);
    sim.server.options(Options::new());
    sim.window(client, 0);
    let message = text(&"x".repeat(1 << 10));
    for _ in 0..100 {
        sim.send(client, message.repeat(64));
    }
    let heard = log.take().len();
    assert!(heard < 256, "heard {heard} of 6,400 messages");
    assert!(buffered(&mut sim, id) <= 256 << 10, "holds {}", buffered(&mut sim, id));
    sim.window(client, usize::MAX);
    sim.settle();
    assert_eq!(sim.words(client).len(), 6_400, "nothing is lost once it reads");
    assert_eq!(log.take().iter().filter(|entry| *entry != "writable").count(), 6_400 - heard);
}

#[test]
fn server_drops_a_peer_that_neither_reads_nor_says_anything_new() {
    let log = Log::new();
    let (mut sim, client, _) = echo(&log);
    sim.window(client, 0);
    sim.send(client, text("x"));
    log.take();
    sim.advance(seconds(120 + 20 + 2));
    assert_eq!(log.take(), ["close 1006 \"\""]);
    assert!(sim.is_gone(client));
}

/// Other people's messages do not stop a peer's own words from being heard.
#[test]
fn server_reads_on_while_only_others_fill_the_outbox() {
    let log = Log::new();
    let (mut sim, client, id) = echo(&log);
    sim.window(client, 0);
    send(&mut sim, id, "from another");
    sim.settle();
    sim.send(client, text("still heard"));
    assert_eq!(log.take(), ["text still heard"]);
}

#[test]
fn outbox_beyond_its_limit_closes_with_1013_once() {
    let log = Log::new();
    let (mut sim, client, id) = echo(&log);
    sim.window(client, 0);
    for _ in 0..9 {
        send(&mut sim, id, &[b'x'; 98]);
    }
    sim.settle();
    assert_eq!(buffered(&mut sim, id), 900);
    send(&mut sim, id, &[b'x'; 98]);
    sim.settle();
    assert_eq!((buffered(&mut sim, id), log.take().len()), (1_000, 0), "at the limit");
    send(&mut sim, id, "");
    send(&mut sim, id, "too late");
    sim.settle();
    assert_eq!(log.take(), ["close 1013 \"too slow\""]);
    assert_eq!(sim.stats().overflowed, 1);
    sim.window(client, usize::MAX);
    sim.settle();
    assert_eq!(sim.words(client), ["close 1013 too slow"], "what waited is dropped");
    sim.end(client);
    assert!(sim.is_gone(client));
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn outbox_beyond_its_limit_cuts_no_frame() {
    let big: Vec<u8> = (0..600).map(|n| n as u8).collect();
    for window in 0..606 {
        let log = Log::new();
        let (mut sim, client, id) = echo(&log);
        sim.window(client, window);
        send(&mut sim, id, "a");
        send(&mut sim, id, &big);
        sim.settle();
        send(&mut sim, id, "behind it");
        send(&mut sim, id, &[0; 1_000]);
        sim.settle();
        assert_eq!(log.take().len(), 1, "{window}");
        sim.window(client, usize::MAX);
        let said = common::frames::frames(&sim.receive(client));
        let expected = match window {
            0 => 0,
            1..=3 => 1,
            _ => 2,
        };
        assert_eq!(said.len(), expected + 1, "{window}: what has begun and the Close");
        assert_eq!(said[expected].close().0, 1013);
        assert!(expected < 2 || said[1].payload == big);
    }
}

/// The kernel is asked once before anybody is called slow.
#[test]
fn outbox_of_a_fast_reader_has_no_limit() {
    let log = Log::new();
    let (mut sim, client, id) = echo(&log);
    for _ in 0..100 {
        send(&mut sim, id, &[b'x'; 500]);
    }
    sim.settle();
    assert_eq!((sim.words(client).len(), log.take().len()), (100, 0));
    send(&mut sim, id, &vec![b'x'; 1 << 20]);
    sim.settle();
    assert_eq!((sim.words(client), log.take().len()), (vec!["binary 1048576".to_owned()], 0));
}

#[test]
fn field_row_13_publish_drops_the_slow_and_reaches_the_others() {
    let log = Log::new();
    let recorder = Recorder::new(&log).open(|conn, _| conn.subscribe("all"));
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
        server.options(Options::new().max_buffered(10_000));
    });
    let clients: Vec<_> = (0..10).map(|_| sim.raw_websocket("/")).collect();
    let slow = [clients[0], clients[4], clients[9]];
    for client in slow {
        sim.window(client, 50);
    }
    log.take();
    for _ in 0..20 {
        sim.server.context(sim.now).publish("all", &[b'x'; 996]);
        sim.settle();
    }
    assert_eq!(log.take(), ["close 1013 \"too slow\""; 3]);
    assert_eq!((sim.stats().overflowed, sim.server.context(sim.now).subscribers("all")), (3, 7));
    for client in clients {
        sim.window(client, usize::MAX);
        let said = sim.words(client);
        match slow.contains(&client) {
            true => {
                assert_eq!(said, ["binary 996", "close 1013 too slow"], "what had begun, and why")
            }
            false => assert_eq!(said, ["binary 996"; 20]),
        }
    }
}

#[test]
fn close_leaves_after_what_was_sent_before() {
    let log = Log::new();
    let (mut sim, client, id) = echo(&log);
    sim.window(client, 5);
    send(&mut sim, id, "before");
    if let Some(mut conn) = sim.server.context(sim.now).conn(id) {
        conn.close(CloseCode::GOING_AWAY, "bye");
    }
    send(&mut sim, id, "after");
    sim.settle();
    sim.window(client, usize::MAX);
    assert_eq!(sim.words(client), ["text before", "close 1001 bye"]);
    sim.send(client, close(1001, ""));
    assert_eq!(log.take().pop().as_deref(), Some("close 1001 \"\""));
}

/// A peer that takes a byte at a time, for longer than it may be silent, is slow, not dead.
#[test]
fn outbox_leaves_byte_by_byte() {
    let log = Log::new();
    let (mut sim, client, id) = echo(&log);
    sim.window(client, 1);
    let sent: Vec<String> = (0..40).map(|n| format!("message {n}")).collect();
    sent.iter().for_each(|message| send(&mut sim, id, &**message));
    sim.settle();
    let mut heard = Vec::new();
    for _ in 0..500 {
        sim.window(client, 1);
        heard.extend(sim.receive(client));
        sim.advance(common::millis(200));
    }
    assert_eq!(
        words(&heard),
        sent.iter().map(|message| format!("text {message}")).collect::<Vec<_>>()
    );
    assert_eq!(log.take().iter().filter(|entry| *entry == "writable").count(), 1);
}

#[test]
fn want_writable_is_told_once_a_turn_after_all_has_left() {
    let log = Log::new();
    let recorder = Recorder::new(&log).message(|conn, _| conn.want_writable()).writable(|conn| {
        conn.send("go on");
        conn.want_writable();
        conn.want_writable();
    });
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
    });
    let client = sim.raw_websocket("/");
    log.take();
    sim.push(client, text("x"));
    sim.turn();
    assert_eq!(log.take(), ["text x", "writable"]);
    sim.turn();
    assert_eq!(log.take(), ["writable"]);
    sim.window(client, 0);
    let told = log.take();
    assert!(told.len() <= 1, "nothing is asked for while its last words wait: {told:?}");
    sim.window(client, 100);
    assert_eq!(log.take()[..1], ["writable"]);
}

/// One step of a connection's life as the property below takes it.
#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Publish(usize),
    Ping,
    Window(usize),
    Echo(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..300usize).prop_map(Step::Send),
        2 => (0..300usize).prop_map(Step::Publish),
        1 => Just(Step::Ping),
        4 => (0..200usize).prop_map(Step::Window),
        1 => (0..100usize).prop_map(Step::Echo),
    ]
}

proptest! {
    #![proptest_config(cases(64))]

    /// Output leaves as whole frames, with data in its order, however it waits and leaves. Only a
    /// Close with 1013 loses messages, and it is the last frame.
    #[test]
    fn output_is_whole_frames_in_order_through_every_window(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let log = Log::new();
        let recorder = Recorder::new(&log)
            .open(|conn, _| conn.subscribe("all"))
            .message(|conn, message| conn.send(message));
        let mut sim = World::serving(|server| {
            server.zone("/", recorder);
            server.options(Options::new().max_buffered(1_000));
        });
        let client = sim.raw_websocket("/");
        let id = log.last_id();
        let mut expected = Vec::new();
        for (n, step) in steps.iter().enumerate() {
            let stamp = |len: usize| format!("{n}{}", ".".repeat(len));
            match *step {
                Step::Send(len) | Step::Publish(len) => {
                    let message = stamp(len);
                    let cx = sim.server.context(sim.now);
                    match step {
                        Step::Send(_) => cx.send(id, &*message),
                        _ => cx.publish("all", &*message),
                    }
                    expected.push(message);
                }
                Step::Ping => {
                    if let Some(mut conn) = sim.server.context(sim.now).conn(id) {
                        conn.ping(b"?");
                    }
                }
                Step::Window(bytes) => sim.window(client, bytes),
                Step::Echo(len) => {
                    sim.window(client, usize::MAX);
                    sim.send(client, text(&stamp(len)));
                    expected.push(stamp(len));
                    sim.window(client, 0);
                }
            }
            sim.settle();
        }
        sim.window(client, usize::MAX);
        let bytes = sim.receive(client);
        let (frames, rest) = some_frames(&bytes);
        prop_assert_eq!(rest, b"");
        let is_data = |frame: &&Frame| matches!(frame.opcode, TEXT | BINARY);
        let data: Vec<&Frame> = frames.iter().filter(is_data).collect();
        let closes = frames.iter().filter(|frame| frame.opcode == CLOSE).count();
        prop_assert_eq!(closes as u64, sim.stats().overflowed);
        if closes == 0 {
            prop_assert_eq!(data.len(), expected.len());
        } else {
            prop_assert_eq!(frames.last().map(|frame| frame.close().0), Some(1013));
        }
        for (frame, message) in data.iter().zip(&expected) {
            prop_assert_eq!(&frame.payload, message.as_bytes());
        }
    }
}

/// Limits are those of the options that the upgrade named.
#[test]
fn upgrade_names_the_options_of_its_websocket() {
    let tight: Rc<Cell<OptionsId>> = Rc::default();
    let named = Rc::clone(&tight);
    let log = Log::new();
    let recorder = Recorder::new(&log).request(move |_, request| {
        let upgrade = switchboard::Upgrade::new();
        if request.path() == "/tight" { upgrade.options(named.get()) } else { upgrade }
    });
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
    });
    tight.set(sim.server.context(sim.now).add_options(Options::new().max_buffered(10)));
    for (path, closes) in [("/tight", 1), ("/loose", 0)] {
        let client = sim.raw_websocket(path);
        let id = log.last_id();
        log.take();
        sim.window(client, 0);
        send(&mut sim, id, "more than ten bytes");
        sim.settle();
        assert_eq!(log.take().len(), closes, "{path}");
    }
}
