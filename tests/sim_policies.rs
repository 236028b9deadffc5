//! What is dropped when a peer does not take its output: each policy against the simplest possible
//! account of it, over memory.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::frames::text;
use common::http::handshake;
use common::slow::{CAP, DROPPING, buffered, send, serving, stalled, with_conn};
use common::{Bytes, Client, Log, Recorder, World, seconds};
use switchboard::{Backpressure, CloseCode, Conn, EventStream, Options, Outgoing};

/// Opens the window and returns what comes.
fn drained(sim: &mut World, client: Client) -> Vec<String> {
    sim.window(client, usize::MAX);
    sim.words(client)
}

/// A message of 25 bytes on the wire, four of which fill the outbox.
fn quarter(name: &str) -> String {
    format!("{name}{}", ".".repeat(23 - name.len()))
}

/// The names of quarters that came, and the other frames in words.
fn names(words: &[String]) -> Vec<&str> {
    words.iter().map(|word| word.trim_start_matches("text ").trim_end_matches('.')).collect()
}

#[test]
fn policy_keeps_what_it_says_of_six_where_four_fit() {
    for (policy, kept) in [
        (Backpressure::DropNewest, ["a", "b", "c", "d"]),
        (Backpressure::DropOldest, ["c", "d", "e", "f"]),
        (Backpressure::KeepLatest, ["c", "d", "e", "f"]),
    ] {
        for publish in [false, true] {
            let log = Log::new();
            let (mut sim, client, id) = stalled(&log, policy, 0);
            for name in ["a", "b", "c", "d", "e", "f"] {
                let message = quarter(name);
                match publish {
                    // Each has a key of its own. With the topic as key all but the last would be
                    // obsolete.
                    true => sim
                        .server
                        .context(sim.now)
                        .publish("all", Outgoing::text(&message).key(name)),
                    false => send(&mut sim, id, &*message),
                }
                sim.settle();
                assert!(buffered(&mut sim, id) <= CAP);
            }
            assert_eq!((sim.stats().dropped, sim.stats().overflowed), (2, 0));
            assert_eq!(names(&drained(&mut sim, client)), kept, "{policy:?}");
            assert_eq!(log.take(), ["writable"], "once it has caught up");
            send(&mut sim, id, "and on");
            sim.settle();
            assert_eq!(
                (sim.words(client), sim.stats().dropped),
                (vec!["text and on".to_owned()], 2)
            );
        }
    }
}

#[test]
fn policy_lets_a_cap_be_filled_to_the_byte() {
    for policy in DROPPING {
        let (mut sim, _, id) = stalled(&Log::new(), policy, 0);
        ["a", "b", "c", "d"].iter().for_each(|name| send(&mut sim, id, &*quarter(name)));
        sim.settle();
        assert_eq!((buffered(&mut sim, id), sim.stats().dropped), (CAP, 0), "{policy:?}");
        send(&mut sim, id, "");
        sim.settle();
        assert_eq!(sim.stats().dropped, 1, "{policy:?}");
        assert!(buffered(&mut sim, id) <= CAP);
    }
}

/// A message that is larger than the cap waits if its beginning has left, since half a frame is
/// none. Otherwise it is dropped like another.
#[test]
fn policy_drops_a_message_beyond_the_cap_unless_it_has_begun() {
    let big = "x".repeat(CAP + 50);
    for policy in DROPPING {
        for window in [0, 1] {
            let (mut sim, client, id) = stalled(&Log::new(), policy, window);
            send(&mut sim, id, &*big);
            sim.settle();
            assert_eq!(sim.stats().dropped, 1 - window as u64, "{policy:?}");
            send(&mut sim, id, "small");
            sim.settle();
            let fits = window == 0;
            let said = drained(&mut sim, client);
            assert_eq!(said, [format!("text {}", if fits { "small" } else { &big })], "{policy:?}");
            assert_eq!(sim.stats().dropped, 1);
        }
    }
}

/// The kernel is asked once before anything is dropped.
#[test]
fn policy_costs_a_fast_reader_nothing() {
    for policy in DROPPING {
        let (mut sim, client, id) = stalled(&Log::new(), policy, usize::MAX);
        let sent: Vec<_> = (0..100).map(|n| quarter(&n.to_string())).collect();
        for (n, message) in sent.iter().enumerate() {
            send(&mut sim, id, Outgoing::text(message).key(&n.to_string()));
        }
        sim.settle();
        assert_eq!(
            sim.words(client),
            sent.iter().map(|message| format!("text {message}")).collect::<Vec<_>>()
        );
        assert_eq!(sim.stats().dropped, 0);
    }
}

/// A key replaces what still waits under it, in its place. The topic is the key of a publish
/// without one.
#[test]
fn keep_latest_replaces_what_has_the_same_key() {
    let (mut sim, client, id) = stalled(&Log::new(), Backpressure::KeepLatest, 0);
    for (key, name) in [("x", "x1"), ("y", "y1"), ("x", "x2"), ("z", "z1")] {
        send(&mut sim, id, Outgoing::text(&quarter(name)).key(key));
    }
    sim.settle();
    assert_eq!((sim.stats().replaced, sim.stats().dropped), (1, 0), "though there is room");
    send(&mut sim, id, Outgoing::text(&quarter("x3")).key("x"));
    send(&mut sim, id, Outgoing::text(&quarter("y2")).key("y"));
    send(&mut sim, id, Outgoing::text(&quarter("y3")).key("y"));
    sim.settle();
    assert_eq!((sim.stats().replaced, sim.stats().dropped), (4, 0));
    assert_eq!(names(&drained(&mut sim, client)), ["x3", "y3", "z1"]);

    sim.window(client, 0);
    let cx = sim.server.context(sim.now);
    ["t1", "t2", "t3", "t4", "t5"].iter().for_each(|name| cx.publish("all", &*quarter(name)));
    cx.publish("all", Outgoing::text(&quarter("own key")).key("k"));
    sim.settle();
    assert_eq!(names(&drained(&mut sim, client)), ["t5", "own key"]);
    assert_eq!((sim.stats().replaced, sim.stats().dropped), (8, 0));
}

/// No key is no key: such messages replace nothing.
#[test]
fn keep_latest_without_keys_drops_the_oldest() {
    let (mut sim, client, id) = stalled(&Log::new(), Backpressure::KeepLatest, 0);
    for name in ["a", "b", "c", "d", "e"] {
        send(&mut sim, id, &*quarter(name));
    }
    sim.settle();
    assert_eq!(names(&drained(&mut sim, client)), ["b", "c", "d", "e"]);
}

/// Messages that a handler sends in its own callback wait like all others once they are refused:
/// each by itself, and by its key.
#[test]
fn policy_holds_for_what_a_callback_says() {
    for (policy, kept, dropped) in [
        (Backpressure::DropNewest, &["0", "1", "2", "3"][..], 10),
        (Backpressure::DropOldest, &["later 0", "later 1", "later 2", "later 3"], 10),
        // Of each key the last one stands in the place of the first.
        (Backpressure::KeepLatest, &["later 2", "later 3"], 0),
    ] {
        for publish in [false, true] {
            let log = Log::new();
            let mut sim = serving(&log, policy, move |conn, _| {
                for n in 0..10 {
                    let (message, key) = (quarter(&n.to_string()), ["even", "odd"][n % 2]);
                    let message = Outgoing::text(&message).key(key);
                    if publish { conn.publish("all", message) } else { conn.send(message) }
                }
            });
            let client = sim.raw_websocket("/");
            let id = log.last_id();
            sim.window(client, 0);
            sim.send(client, text("go"));
            let all = if policy == Backpressure::KeepLatest { (CAP / 2, 0) } else { (CAP, 6) };
            assert_eq!((buffered(&mut sim, id), sim.stats().dropped), all, "{policy:?}");
            for n in 0..4 {
                let name = format!("later {n}");
                send(&mut sim, id, Outgoing::text(&quarter(&name)).key(["even", "odd"][n % 2]));
            }
            sim.settle();
            assert_eq!(names(&drained(&mut sim, client)), kept, "{policy:?}, publish: {publish}");
            let gone = sim.stats().dropped + sim.stats().replaced;
            assert_eq!(
                (sim.stats().dropped, gone),
                (dropped, 14 - kept.len() as u64),
                "{policy:?}"
            );
        }
    }
}

#[test]
fn policy_never_drops_control_frames() {
    for policy in DROPPING {
        let (mut sim, client, id) = stalled(&Log::new(), policy, 0);
        ["a", "b", "c", "d"].iter().for_each(|name| send(&mut sim, id, &*quarter(name)));
        with_conn(&mut sim, id, |conn| conn.ping(b"still there?"));
        sim.settle();
        sim.send(client, common::frames::ping("and you?"));
        send(&mut sim, id, &*quarter("e"));
        with_conn(&mut sim, id, |conn| conn.close(CloseCode::NORMAL, "bye"));
        sim.settle();
        let said = drained(&mut sim, client);
        assert_eq!(said[..2], ["ping still there?", "pong and you?"], "{policy:?}");
        assert_eq!(said.last().map(String::as_str), Some("close 1000 bye"), "{policy:?}");
        assert_eq!(said.len() as u64 - 3 + sim.stats().dropped, 5);
    }
}

/// A fragment is part of a message, which leaves whole or not at all. Messages behind it are
/// dropped as usual.
#[test]
fn policy_never_drops_fragments() {
    for policy in DROPPING {
        let (mut sim, client, id) = stalled(&Log::new(), policy, 0);
        with_conn(&mut sim, id, |conn| conn.send_fragment("begin", false));
        for name in ["a", "b", "c", "d", "e"] {
            send(&mut sim, id, &*quarter(name));
        }
        with_conn(&mut sim, id, |conn| conn.send_fragment("middle", false));
        sim.settle();
        assert!(buffered(&mut sim, id) <= CAP, "{policy:?}: {}", buffered(&mut sim, id));
        with_conn(&mut sim, id, |conn| conn.send_fragment("end", true));
        sim.settle();
        assert!(buffered(&mut sim, id) <= CAP, "{policy:?}: {}", buffered(&mut sim, id));
        let said = drained(&mut sim, client);
        assert_eq!(said[..3], ["text begin..", "and middle..", "and end"], "{policy:?}");
        let kept: &[&str] = match policy {
            Backpressure::DropNewest => &["a", "b", "c"],
            _ => &["c", "d", "e"],
        };
        assert_eq!((names(&said[3..]), sim.stats().dropped), (kept.to_vec(), 2), "{policy:?}");
    }
}

/// A callback begins the message of fragments, and what it sends next waits behind that message.
#[test]
fn policy_holds_behind_fragments_of_a_callback() {
    for policy in DROPPING {
        let log = Log::new();
        let mut sim = serving(&log, policy, |conn, message| match message.as_bytes() {
            b"end" => conn.send_fragment("end", true),
            _ => {
                conn.send_fragment("begin", false);
                (0..10).for_each(|n| conn.send(&*quarter(&n.to_string())));
            }
        });
        for window in [0, usize::MAX] {
            let client = sim.raw_websocket("/");
            let id = log.last_id();
            let before = sim.stats().dropped;
            sim.window(client, window);
            sim.send(client, text("begin"));
            sim.window(client, 0);
            send(&mut sim, id, &*quarter("last"));
            sim.settle();
            assert!(buffered(&mut sim, id) <= CAP, "{policy:?}: {}", buffered(&mut sim, id));
            sim.window(client, usize::MAX);
            sim.send(client, text("end"));
            let said = sim.words(client);
            assert_eq!(said[..2], ["text begin..", "and end"], "{policy:?}");
            assert_eq!(
                (said.len() - 2) as u64 + sim.stats().dropped - before,
                11,
                "{policy:?}: {said:?}"
            );
        }
    }
}

/// What no policy may drop is held to the limit all the same.
#[test]
fn policy_with_nothing_to_drop_closes() {
    let fragments: fn(&mut Conn<'_>) = |conn| conn.send_fragment(&*quarter("part"), false);
    let pings: fn(&mut Conn<'_>) = |conn| conn.ping(quarter("ping").as_bytes());
    for policy in DROPPING {
        for act in [fragments, pings] {
            let log = Log::new();
            let (mut sim, client, id) = stalled(&log, policy, 0);
            for _ in 0..4 {
                with_conn(&mut sim, id, act);
            }
            sim.settle();
            assert_eq!((buffered(&mut sim, id), log.take().len()), (CAP, 0), "{policy:?}");
            with_conn(&mut sim, id, act);
            sim.settle();
            assert_eq!(log.take(), ["close 1013 \"too slow\""], "{policy:?}");
            assert_eq!((sim.stats().overflowed, sim.stats().dropped), (1, 0));
            assert_eq!(drained(&mut sim, client), ["close 1013 too slow"], "{policy:?}");
        }
    }
}

#[test]
fn publish_drops_for_each_slow_receiver_and_counts_each() {
    for policy in DROPPING {
        let log = Log::new();
        let mut sim = serving(&log, policy, |_, _| {});
        let clients: Vec<_> = (0..10).map(|_| sim.raw_websocket("/")).collect();
        let slow = [clients[1], clients[5], clients[9]];
        slow.iter().for_each(|client| sim.window(*client, 0));
        log.take();
        for n in 0..20 {
            let message = quarter(&n.to_string());
            sim.server
                .context(sim.now)
                .publish("all", Outgoing::text(&message).key(&n.to_string()));
            sim.settle();
        }
        assert_eq!((sim.stats().dropped, sim.stats().overflowed), (3 * 16, 0), "{policy:?}");
        assert_eq!(log.take(), [""; 0], "nobody is closed");
        for client in clients {
            let said = drained(&mut sim, client);
            assert_eq!(said.len(), if slow.contains(&client) { 4 } else { 20 }, "{policy:?}");
        }
        assert_eq!(log.take(), ["writable"; 3]);
    }
}

/// A handler that asked gets `writable` also when all that waited was dropped, and when the rest
/// has left.
#[test]
fn handler_is_told_writable_when_the_peer_has_caught_up() {
    for policy in DROPPING {
        let log = Log::new();
        let (mut sim, client, id) = stalled(&log, policy, 0);
        send(&mut sim, id, &*"x".repeat(CAP));
        sim.settle();
        assert_eq!(
            (buffered(&mut sim, id), sim.stats().dropped),
            (0, 1),
            "{policy:?}: nothing is left to wait"
        );
        assert_eq!(log.take(), [""; 0]);
        sim.window(client, 10);
        assert_eq!(log.take(), ["writable"], "{policy:?}: there is room again");
        send(&mut sim, id, &*quarter("a"));
        sim.settle();
        sim.window(client, 14);
        assert_eq!(log.take(), [""; 0]);
        sim.window(client, 1);
        assert_eq!(log.take(), ["writable"], "{policy:?}");
        assert_eq!(names(&sim.words(client)), ["a"]);
    }
}

/// Every event whole, in its order, whatever the window, and never more of them than fit.
#[test]
fn event_stream_drops_whole_events() {
    // `data: ` and two line ends: 17 bytes each.
    let event = |n: usize| format!("event {n:03}");
    for policy in DROPPING {
        for window in 0..40 {
            let log = Log::new();
            let mut sim = serving(&log, policy, |_, _| {});
            let client = sim.raw_events("/events");
            let id = log.last_id();
            sim.window(client, window);
            for n in 0..20 {
                match n % 2 {
                    0 => send(&mut sim, id, Outgoing::text(&event(n)).key("even")),
                    _ => sim
                        .server
                        .context(sim.now)
                        .publish("all", Outgoing::text(&event(n)).key(&event(n))),
                }
                sim.settle();
                assert!(buffered(&mut sim, id) <= CAP, "{policy:?} {window}");
            }
            let dropped = (sim.stats().dropped + sim.stats().replaced) as usize;
            sim.window(client, usize::MAX);
            let bytes = String::from_utf8(sim.receive(client)).expect("text");
            let events: Vec<_> = bytes.split_terminator("\n\n").collect();
            assert_eq!(events.len() + dropped, 20, "{policy:?} {window}");
            let numbers: Vec<usize> = events
                .iter()
                .map(|event| {
                    event
                        .strip_prefix("data: event ")
                        .and_then(|n| n.parse().ok())
                        .expect("an event")
                })
                .collect();
            // A later even number takes the place of an earlier one.
            let odd = numbers.iter().filter(|&n| policy != Backpressure::KeepLatest || n % 2 == 1);
            assert!(odd.is_sorted_by(|a, b| a < b), "{policy:?} {window}: {numbers:?}");
            assert_eq!(
                numbers.contains(&19),
                policy != Backpressure::DropNewest,
                "{policy:?} {window}"
            );
            assert!(dropped >= 20 - (CAP + window) / 17 - 1, "{policy:?} {window}");
        }
    }
}

/// What is said while the stream is opened is events too, and the head of the response is none.
#[test]
fn event_stream_holds_its_cap_from_the_first_event() {
    for policy in DROPPING {
        let log = Log::new();
        let recorder = Recorder::new(&log)
            .request(|_, _| EventStream::new())
            .open(|conn, _| (0..100).for_each(|n| conn.send(&*format!("event {n:03}"))));
        let mut sim = World::serving(|server| {
            server.zone("/", recorder);
            server.options(Options::new().max_buffered(1_000).backpressure(policy));
        });
        let client = sim.connect();
        sim.peer(client).window(0);
        sim.send(client, common::http::get("/"));
        let id = log.last_id();
        let waits = buffered(&mut sim, id);
        assert!(waits <= 1_000, "{policy:?}: {waits} bytes wait");
        let dropped = sim.stats().dropped as usize;
        sim.window(client, usize::MAX);
        let bytes = sim.receive(client);
        let answer = common::http::only(&bytes);
        let events = answer.text().strip_prefix(":\n\n").expect("the stream's first comment");
        assert_eq!(events.split_terminator("\n\n").count() + dropped, 100, "{policy:?}");
        assert!(dropped > 0);
    }
}

/// A handler that says more than fits and then closes: its Close frame leaves, under every policy.
#[test]
fn close_leaves_whatever_was_said_before_it() {
    for policy in [
        Backpressure::Close,
        Backpressure::DropNewest,
        Backpressure::DropOldest,
        Backpressure::KeepLatest,
    ] {
        let log = Log::new();
        let mut sim = serving(&log, policy, |conn, _| {
            (0..10).for_each(|n| conn.send(&*quarter(&n.to_string())));
            conn.close(CloseCode::GOING_AWAY, "bye");
        });
        let client = sim.raw_websocket("/");
        sim.window(client, 0);
        sim.send(client, text("go"));
        let said = drained(&mut sim, client);
        let closes: Vec<_> = said.iter().filter(|word| word.starts_with("close")).collect();
        assert!(
            closes.len() == 1 && closes[0] == said.last().expect("a Close"),
            "{policy:?}: {said:?}"
        );
    }
}

/// A client masks each frame by itself; what is dropped of them leaves the others whole.
#[test]
fn policy_holds_for_a_client() {
    for policy in DROPPING {
        let log = Log::new();
        let mut client = World::new();
        let zone = client.server.zone("/", Recorder::new(&log));
        client.server.options(Options::new().max_buffered(CAP).backpressure(policy));
        let heard: Rc<RefCell<Vec<String>>> = Rc::default();
        let notes = Rc::clone(&heard);
        let server = World::serving(|server| {
            server.websocket("/", move |_: &mut Conn<'_>, message| {
                notes.borrow_mut().push(String::from_utf8_lossy(message.as_bytes()).into_owned());
            });
        });
        let mut pair = common::Pair::new(client, zone, switchboard::Connect::to("ws://a/"), server);
        pair.pump();
        assert_eq!(log.take(), ["open /"]);
        pair.client.window(pair.near, 3);
        for n in 0..10 {
            // 29 bytes with the masking key: three fit.
            send(&mut pair.client, pair.id, &*quarter(&n.to_string()));
        }
        pair.client.settle();
        pair.pump();
        pair.client.window(pair.near, usize::MAX);
        pair.pump();
        let kept: &[&str] = match policy {
            Backpressure::DropNewest => &["0", "1", "2"],
            _ => &["0", "8", "9"],
        };
        assert_eq!(names(&heard.borrow()), kept, "{policy:?}");
        assert_eq!(pair.client.stats().dropped, 7, "{policy:?}");
        pair.advance(seconds(1));
        assert_eq!(log.take(), ["writable"]);
    }
}

/// Frames may wait, or the response before them. A control frame goes into neither, however much
/// the transport took.
#[test]
fn server_never_says_anything_into_its_own_handshake() {
    for policy in [Backpressure::Close, Backpressure::DropOldest, Backpressure::KeepLatest] {
        for window in 0..140 {
            let mut sim = World::serving(|server| {
                server.options(Options::new().backpressure(policy).idle_timeout(seconds(1)));
                server.websocket("/", |conn, message| conn.send(message));
            });
            let client = sim.connect();
            sim.peer(client).window(window);
            sim.send(client, handshake("/"));
            sim.advance(seconds(3)); // a ping is due
            sim.window(client, usize::MAX);
            let bytes = sim.receive(client);
            let end =
                bytes.windows(4).position(|end| end == b"\r\n\r\n").expect("a whole head") + 4;
            assert!(
                bytes.starts_with(b"HTTP/1.1 101 ") && !bytes[..end].contains(&0x89),
                "{policy:?}, window {window}"
            );
        }
    }
}
