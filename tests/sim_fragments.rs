//! Messages in fragments, both ways, over memory: what comes between them, and what they cost.

mod common;

use common::frames::{BINARY, CONTINUATION, Frame, TEXT, close, frame, ping, text};
use common::{Bytes, Client, Log, Recorder, World, cases};
use proptest::prelude::*;
use switchboard::{CloseCode, ConnId, Context, Message};

/// A server that echoes, and its first connection.
fn echo(log: &Log) -> (World, Client, ConnId) {
    let recorder = Recorder::new(log)
        .open(|conn, _| conn.subscribe("all"))
        .message(|conn, message| conn.send(message));
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
    });
    let client = sim.raw_websocket("/");
    let id = log.last_id();
    log.take();
    (sim, client, id)
}

/// Does something outside any callback of the connection's own.
fn outside(sim: &mut World, act: impl FnOnce(&mut Context)) {
    act(sim.server.context(sim.now));
    sim.settle();
}

fn fragment<'m>(sim: &mut World, id: ConnId, fragment: impl Into<Message<'m>>, is_final: bool) {
    let fragment = fragment.into();
    outside(sim, |cx| {
        if let Some(mut conn) = cx.conn(id) {
            conn.send_fragment(fragment, is_final);
        }
    });
}

#[test]
fn server_puts_a_message_of_fragments_together() {
    let (mut sim, client, _) = echo(&Log::new());
    let pieces = [
        frame(false, TEXT, "a"),
        frame(false, CONTINUATION, ""),
        ping("now"),
        frame(true, CONTINUATION, "b"),
        text("c"),
    ];
    assert_eq!(sim.ask_words(client, pieces.concat()), ["pong now", "text ab", "text c"]);
    for piece in &pieces[..4] {
        sim.send(client, piece);
    }
    assert_eq!(sim.words(client), ["pong now", "text ab"]);
    sim.send(client, [frame(false, BINARY, ""), close(1000, "")].concat());
    assert_eq!(sim.words(client), ["close 1000"], "a Close between fragments is one");
}

#[test]
fn sender_of_fragments_says_what_they_are_once() {
    let (mut sim, client, id) = echo(&Log::new());
    fragment(&mut sim, id, "one", false);
    fragment(&mut sim, id, "two", false);
    fragment(&mut sim, id, "", true);
    fragment(&mut sim, id, &[1, 2, 3], false);
    fragment(&mut sim, id, &[4], true);
    fragment(&mut sim, id, "whole", true);
    assert_eq!(
        sim.words(client),
        ["text one..", "and two..", "and", "binary 3..", "and \u{4}", "text whole"]
    );
}

#[test]
fn messages_wait_behind_a_message_of_fragments_and_control_frames_do_not() {
    let (mut sim, client, id) = echo(&Log::new());
    fragment(&mut sim, id, "a", false);
    outside(&mut sim, |cx| cx.send(id, "sent"));
    outside(&mut sim, |cx| cx.publish("all", "published"));
    sim.send(client, [text("echoed"), ping("p")].concat());
    outside(&mut sim, |cx| cx.conn(id).into_iter().for_each(|mut conn| conn.ping(b"q")));
    assert_eq!(sim.words(client), ["text a..", "pong p", "ping q"]);
    let waits = sim.server.context(sim.now).conn(id).map(|conn| conn.buffered());
    assert_eq!(waits, Some(6 + 11 + 8));
    fragment(&mut sim, id, "b", false);
    fragment(&mut sim, id, "c", true);
    assert_eq!(
        sim.words(client),
        ["and b..", "and c", "text sent", "text published", "text echoed"]
    );
    outside(&mut sim, |cx| cx.send(id, "again"));
    assert_eq!(sim.words(client), ["text again"]);
}

/// The same from within the connection's own callback, where output is corked.
#[test]
fn handler_sends_fragments_among_other_messages() {
    let recorder = Recorder::new(&Log::new()).open(|conn, _| conn.subscribe("all")).message(
        |conn, message| {
            conn.send_fragment(message, false);
            conn.send("sent");
            conn.publish("all", "published");
            conn.ping(b"between");
            if message.as_bytes() == b"end" {
                conn.send_fragment("", true);
            }
        },
    );
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
    });
    let client = sim.raw_websocket("/");
    assert_eq!(sim.ask_words(client, text("x")), ["text x..", "ping between"]);
    assert_eq!(
        sim.ask_words(client, text("end")),
        [
            "ping between",
            "and end..",
            "and",
            "text sent",
            "text published",
            "text sent",
            "text published"
        ],
        "what waits behind fragments makes this an outbox, which control frames leave first"
    );
    assert_eq!(
        sim.ask_words(client, [text("x"), text("end")].concat()),
        [
            "text x..",
            "ping between",
            "and end..",
            "ping between",
            "and",
            "text sent",
            "text published",
            "text sent",
            "text published"
        ]
    );
}

/// RFC 6455 5.5.3: of several pings that wait for an answer the latest is answered.
#[test]
fn pongs_that_wait_give_way_to_the_latest() {
    let (mut sim, client, id) = echo(&Log::new());
    fragment(&mut sim, id, "a", false);
    sim.receive(client);
    let pings: Vec<u8> = (0..10).flat_map(|n| ping(n.to_string())).collect();
    assert_eq!(sim.ask_words(client, pings), ["pong 9"]);
    outside(&mut sim, |cx| cx.conn(id).into_iter().for_each(|mut conn| conn.ping(b"ours")));
    assert_eq!(sim.words(client), ["ping ours"]);
}

#[test]
fn close_ends_a_message_of_fragments() {
    let log = Log::new();
    let (mut sim, client, id) = echo(&log);
    fragment(&mut sim, id, "never ended", false);
    outside(&mut sim, |cx| cx.send(id, "never sent"));
    outside(&mut sim, |cx| {
        cx.conn(id).into_iter().for_each(|mut conn| conn.close(CloseCode::NORMAL, ""))
    });
    fragment(&mut sim, id, "too late", true);
    assert_eq!(sim.words(client), ["text never ended..", "close 1000"]);
    sim.send(client, close(1000, ""));
    assert!(sim.is_gone(client));
    assert_eq!(log.take(), ["close 1000 \"\""]);

    let next = sim.raw_websocket("/");
    assert_eq!(
        sim.ask_words(next, text("x")),
        ["text x"],
        "nothing is left for the next in its slot"
    );
}

#[test]
fn fragments_that_wait_are_not_torn_apart() {
    for window in 0..30 {
        let (mut sim, client, id) = echo(&Log::new());
        sim.window(client, window);
        fragment(&mut sim, id, "first", false);
        outside(&mut sim, |cx| cx.publish("all", "published"));
        outside(&mut sim, |cx| cx.conn(id).into_iter().for_each(|mut conn| conn.ping(b"p")));
        fragment(&mut sim, id, "last", true);
        sim.window(client, usize::MAX);
        let mut said = sim.words(client);
        let at = said.iter().position(|word| word == "ping p");
        assert!(at.is_some_and(|at| at < 3), "{window}: {said:?}");
        said.retain(|word| word != "ping p");
        assert_eq!(said, ["text first..", "and last", "text published"], "{window}");
    }
}

/// What is done to one connection in the property below.
#[derive(Clone, Debug)]
enum Step {
    Fragment(bool),
    Send,
    Publish,
    Echo,
    Ping,
    Window(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(Step::Fragment),
        2 => Just(Step::Send),
        1 => Just(Step::Publish),
        1 => Just(Step::Echo),
        1 => Just(Step::Ping),
        2 => prop_oneof![(0..20usize), Just(usize::MAX)].prop_map(Step::Window),
    ]
}

/// Puts messages together as a client does, strictly.
fn messages(frames: &[Frame]) -> Vec<String> {
    let mut messages = Vec::new();
    let mut begun: Option<Vec<u8>> = None;
    for frame in frames.iter().filter(|frame| frame.opcode < 0x8) {
        assert_eq!(begun.is_some(), frame.opcode == CONTINUATION, "a message in a message");
        let mut bytes = begun.take().unwrap_or_default();
        bytes.extend_from_slice(&frame.payload);
        match frame.fin {
            true => messages.push(String::from_utf8_lossy(&bytes).into_owned()),
            false => begun = Some(bytes),
        }
    }
    messages
}

proptest! {
    #![proptest_config(cases(64))]

    /// A strict client reads every message whole, in the order of their ends, however fragments,
    /// messages and windows alternate.
    #[test]
    fn fragments_and_messages_never_mix(steps in prop::collection::vec(step(), 1..60)) {
        let (mut sim, client, id) = echo(&Log::new());
        let mut begun: Option<String> = None;
        let (mut behind, mut expected): (Vec<String>, Vec<String>) = Default::default();
        for (n, step) in steps.iter().chain([&Step::Fragment(true)]).enumerate() {
            let stamp = format!("message {n} ");
            match step {
                Step::Fragment(is_final) => {
                    fragment(&mut sim, id, &*stamp, *is_final);
                    let whole = begun.take().unwrap_or_default() + &stamp;
                    match is_final {
                        true => {
                            expected.push(whole);
                            expected.append(&mut behind);
                        }
                        false => begun = Some(whole),
                    }
                    continue;
                }
                Step::Send => outside(&mut sim, |cx| cx.send(id, &*stamp)),
                Step::Publish => outside(&mut sim, |cx| cx.publish("all", &*stamp)),
                Step::Echo => {
                    sim.window(client, usize::MAX);
                    sim.send(client, text(&stamp));
                }
                Step::Ping => {
                    outside(&mut sim, |cx| {
                        if let Some(mut conn) = cx.conn(id) {
                            conn.ping(b"");
                        }
                    });
                    continue;
                }
                Step::Window(bytes) => {
                    sim.window(client, *bytes);
                    continue;
                }
            }
            if begun.is_some() { behind.push(stamp) } else { expected.push(stamp) }
        }
        sim.window(client, usize::MAX);
        let frames = common::frames::frames(&sim.receive(client));
        prop_assert_eq!(messages(&frames), expected);
    }
}
