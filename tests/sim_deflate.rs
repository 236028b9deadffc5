//! Compression by whole servers (RFC 7692): which client receives what, from which contexts, and
//! what happens to a bomb.
#![cfg(feature = "deflate")]

mod common;

use std::sync::{Arc, Mutex};

use common::{Bytes, Client, Log, Recorder, World};
use switchboard::proto::websocket::{
    Decoded, DeflateConfig, Deflater, Header, Inflater, Opcode, encode_compressed, encode_masked,
};
use switchboard::{
    Backpressure, Conn, Handler, History, Message, MessageId, Options, Outgoing, Readiness, Request,
};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// Subscribes everybody, publishes what it hears, and says `plain` uncompressed.
struct Room;

impl Handler for Room {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("room");
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        match message {
            Message::Text("plain") => {
                conn.send(Outgoing::text(&"plain ".repeat(100)).uncompressed())
            }
            Message::Binary(bytes) => conn.send(bytes),
            message => conn.publish("room", message),
        }
    }
}

fn sim(options: Options) -> World {
    World::serving(|server| {
        server.options(options);
        server.zone("/", Room);
    })
}

/// A WebSocket whose handshake carried this offer, and what the server answered to it.
fn connect(sim: &mut World, offer: &str) -> (Client, Option<String>) {
    let client = sim.connect();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: {offer}\r\n\r\n"
    );
    let answer = String::from_utf8(sim.ask(client, request)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let agreed = answer
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "))
        .map(str::to_owned);
    (client, agreed)
}

fn text(payload: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode_masked(&mut out, true, Opcode::Text, payload.as_bytes(), KEY);
    out
}

fn compressed(payload: &[u8], is_text: bool) -> Vec<u8> {
    let (mut deflated, mut out) = (Vec::new(), Vec::new());
    Deflater::new(&DeflateConfig::shared(), 15).deflate(payload, &mut deflated, false);
    encode_compressed(&mut out, is_text, &deflated, Some(KEY));
    out
}

/// The frames in these bytes: RSV1, and the payload.
fn frames(mut bytes: &[u8]) -> Vec<(bool, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Decoded::Header(header, at) = Header::decode_with(bytes, true) {
        let end = at + header.len as usize;
        frames.push((header.rsv1, bytes[at..end].to_vec()));
        bytes = &bytes[end..];
    }
    assert!(bytes.is_empty(), "a frame cut short");
    frames
}

fn inflate(inflater: &mut Inflater, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    inflater.inflate(payload, &mut out, 1 << 20, true).unwrap();
    out
}

const NEWS: &str = concat!(
    r#"{"kind":"news","about":"the weather","#,
    r#""text":"rain, rain, rain, and then some more rain, rain, rain"}"#
);

fn small() -> DeflateConfig {
    DeflateConfig::shared().threshold(16)
}

#[test]
fn server_compresses_a_publish_alike_for_all_that_agreed_on_the_same() {
    let mut sim = sim(Options::new().deflate(small()));
    let (a, agreed) = connect(&mut sim, "permessage-deflate");
    assert_eq!(
        agreed.as_deref(),
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    );
    let (b, _) = connect(&mut sim, "permessage-deflate; client_max_window_bits");
    let (narrow, _) = connect(&mut sim, "permessage-deflate; server_max_window_bits=9");
    let (plain, none) = connect(&mut sim, "x-webkit-deflate-frame");
    assert_eq!(none, None);
    sim.send(a, text(NEWS));
    let for_a = sim.receive(a);
    assert_eq!(for_a, sim.receive(b));
    for bytes in [for_a, sim.receive(narrow)] {
        let frames = frames(&bytes);
        assert!(frames.len() == 1 && frames[0].0 && frames[0].1.len() < NEWS.len());
        assert_eq!(inflate(&mut Inflater::new(), &frames[0].1), NEWS.as_bytes());
    }
    assert_eq!(frames(&sim.receive(plain)), [(false, NEWS.as_bytes().to_vec())]);
}

#[test]
fn server_remembers_for_those_that_agreed_on_context_takeover() {
    let mut sim = sim(Options::new().deflate(DeflateConfig::dedicated().threshold(16)));
    let (client, agreed) = connect(&mut sim, "permessage-deflate");
    assert_eq!(agreed.as_deref(), Some("permessage-deflate"));
    let mut inflater = Inflater::new();
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let answer = frames(&sim.ask(client, text(NEWS)));
        assert_eq!(inflate(&mut inflater, &answer[0].1), NEWS.as_bytes());
        lengths.push(answer[0].1.len());
    }
    assert!(lengths[1] * 3 < lengths[0] && lengths[2] * 3 < lengths[0], "{lengths:?}");
}

#[test]
fn server_sends_uncompressed_what_is_short_or_was_asked_to_be() {
    let mut sim = sim(Options::new().deflate(small()));
    let (client, _) = connect(&mut sim, "permessage-deflate");
    assert_eq!(frames(&sim.ask(client, text("short"))), [(false, b"short".to_vec())]);
    let answer = frames(&sim.ask(client, text("plain")));
    assert_eq!(answer, [(false, "plain ".repeat(100).into_bytes())]);
}

#[test]
fn server_hears_compressed_messages_whole_and_in_fragments() {
    let mut sim = sim(Options::new().deflate(small()));
    let (client, _) = connect(&mut sim, "permessage-deflate");
    for at in 1..10 {
        let wire = compressed(&[7; 500], false);
        sim.send(client, &wire[..at]);
        let answer = frames(&sim.ask(client, &wire[at..]));
        assert_eq!(inflate(&mut Inflater::new(), &answer[0].1), [7; 500]);
    }
}

#[test]
fn server_answers_bombs_corruption_and_bad_text_by_their_codes() {
    let bad_text = compressed(b"\xFF\xFE", true);
    let mut corrupt = compressed(&[0; 500], false);
    let last = corrupt.len() - 1;
    corrupt.truncate(last);
    corrupt[1] -= 1;
    for (wire, code) in
        [(compressed(&[0; 5000], false), 1009u16), (corrupt, 1007), (bad_text, 1007)]
    {
        let mut sim = sim(Options::new().max_message(4096).deflate(small()));
        let (client, _) = connect(&mut sim, "permessage-deflate");
        let answer = frames(&sim.ask(client, wire));
        assert_eq!(answer[0].1[..2], code.to_be_bytes(), "{code}");
        // The next connection is served by the same inflater.
        let (next, _) = connect(&mut sim, "permessage-deflate");
        let answer = frames(&sim.ask(next, compressed(&[1; 400], false)));
        assert_eq!(inflate(&mut Inflater::new(), &answer[0].1), [1; 400]);
    }
}

#[test]
fn server_refuses_a_compressed_message_that_was_not_agreed_on() {
    let mut sim = sim(Options::new().deflate(small()));
    let (client, _) = connect(&mut sim, "x-other");
    let answer = frames(&sim.ask(client, compressed(b"Hello", true)));
    assert_eq!(answer[0].1[..2], 1002u16.to_be_bytes());
}

/// What is dropped must not have been in the window: the peer could not follow what comes after it.
#[test]
fn server_drops_under_context_takeover_without_losing_the_peer() {
    let options = Options::new().deflate(DeflateConfig::dedicated().threshold(16));
    for policy in [Backpressure::DropOldest, Backpressure::DropNewest, Backpressure::KeepLatest] {
        let mut sim = sim(options.clone().max_buffered(1000).backpressure(policy));
        let (slow, _) = connect(&mut sim, "permessage-deflate");
        let (talker, _) = connect(&mut sim, "permessage-deflate");
        let mut wire = Vec::new();
        for round in 0..4 {
            sim.window(slow, 7);
            for n in 0..50 {
                sim.send(talker, text(&format!("{round} {n} {NEWS}")));
            }
            sim.window(slow, usize::MAX);
            sim.send(talker, text(&format!("end of {round}: {NEWS}")));
            wire.extend(sim.receive(slow));
        }
        let gone = sim.stats().dropped + sim.stats().replaced;
        assert!(gone > 100, "{policy:?}: {gone}");
        let heard = inflated(&wire);
        assert!(heard.iter().all(|message| message.ends_with(NEWS)), "{policy:?}");
        assert_eq!(
            heard.iter().filter(|message| message.starts_with("end of ")).count(),
            4,
            "{policy:?}"
        );
    }
}

/// What the frames say, each of which is compressed and refers to the ones before it.
fn inflated(wire: &[u8]) -> Vec<String> {
    let mut inflater = Inflater::new();
    let each = frames(wire).into_iter().map(|(rsv1, payload)| {
        assert!(rsv1, "an uncompressed message");
        String::from_utf8(inflate(&mut inflater, &payload)).unwrap()
    });
    each.collect()
}

fn keeping_latest() -> Options {
    Options::new()
        .backpressure(Backpressure::KeepLatest)
        .deflate(DeflateConfig::dedicated().threshold(16))
}

/// A waiting message is deflated as it begins to leave, so another can take its place until then.
#[test]
fn message_that_waits_is_deflated_as_it_begins_to_leave() {
    let mut sim = sim(keeping_latest());
    let (slow, _) = connect(&mut sim, "permessage-deflate");
    sim.window(slow, 0);
    for (key, state) in [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3)] {
        let state = format!("{key}{state} {NEWS}");
        sim.server.context(sim.now).publish("room", Outgoing::text(&state).key(key));
        sim.settle();
    }
    // The transport has refused the first one, which is in the window.
    assert_eq!((sim.stats().replaced, sim.stats().dropped), (3, 0));
    sim.window(slow, usize::MAX);
    let wire = sim.receive(slow);
    assert!(wire.len() < NEWS.len() + 100, "{} bytes: each refers to the first", wire.len());
    let heard = inflated(&wire);
    assert_eq!(heard.iter().map(|text| &text[..2]).collect::<Vec<_>>(), ["a1", "b3", "c1", "a3"]);
}

/// However much the peer takes at a time, it can read all that leaves: of each key ever newer
/// states, and the newest at last. The same holds for messages in fragments between them.
#[test]
fn messages_that_replace_others_keep_the_window_at_every_split() {
    for window in (1..80).chain([100, 1_000, 20_000]) {
        let mut sim = sim(keeping_latest());
        let (slow, _) = connect(&mut sim, "permessage-deflate");
        sim.window(slow, 0);
        let (mut wire, mut sent) = (Vec::new(), 0);
        for n in 0..300usize {
            let key = (n * n % 37 % 23).to_string();
            let state = format!("{key}/{n}/{}", &NEWS[..NEWS.len() - n % 40]);
            sim.server.context(sim.now).publish("room", Outgoing::text(&state).key(&key));
            sent += 1;
            if n % 3 == 0 {
                sim.window(slow, window);
                wire.extend(sim.receive(slow));
            }
        }
        sim.window(slow, usize::MAX);
        wire.extend(sim.receive(slow));
        let heard = inflated(&wire);
        assert_eq!(heard.len() as u64 + sim.stats().replaced, sent, "window {window}");
        let mut newest = [None; 23];
        for text in &heard {
            let mut parts = text.split('/').map(str::parse::<usize>);
            let (key, n) = (parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap());
            assert!(newest[key] < Some(n), "window {window}: {n} of {key}");
            newest[key] = Some(n);
        }
        for n in 0..300 {
            assert!(newest[n * n % 37 % 23] >= Some(n), "window {window}: {n} is not the newest");
        }
        assert_eq!((sim.stats().dropped, sim.stats().overflowed), (0, 0));
    }
}

/// A message beyond the limit that has begun to leave is not cut, and does not close.
#[test]
fn message_that_is_deflated_does_not_count_against_the_peer() {
    let mut sim = sim(keeping_latest().max_buffered(1_000));
    let (slow, _) = connect(&mut sim, "permessage-deflate");
    let noise: String = (0..5_000u32)
        .map(|n| char::from(b' ' + (n.wrapping_mul(2_654_435_761) >> 16) as u8 % 90))
        .collect();
    sim.window(slow, 10);
    for n in 0..20 {
        let message = Outgoing::text(&noise).key("noise");
        sim.server.context(sim.now).publish("room", message);
        sim.settle();
        let state = format!("{n} {NEWS}");
        sim.server.context(sim.now).publish("room", Outgoing::text(&state).key("state"));
        sim.settle();
    }
    assert_eq!(sim.stats().overflowed, 0);
    sim.window(slow, usize::MAX);
    let heard = inflated(&sim.receive(slow));
    assert!(heard == [noise], "{} messages", heard.len());
    assert_eq!(sim.stats().dropped, 39, "what fills the limit leaves no room");
}

/// A policy that changes while messages wait brings none of them out of the window's order.
#[test]
fn messages_keep_the_window_when_the_policy_changes() {
    let mut sim = sim(keeping_latest());
    let (slow, _) = connect(&mut sim, "permessage-deflate");
    let policies = [Backpressure::KeepLatest, Backpressure::Close, Backpressure::DropNewest];
    let mut wire = Vec::new();
    for n in 0..300usize {
        if n % 20 == 0 {
            sim.server.options(keeping_latest().backpressure(policies[n / 20 % 3]));
        }
        sim.window(slow, if n % 11 == 0 { 60 } else { 0 });
        let (key, state) = ((n % 5).to_string(), format!("{n} {NEWS}"));
        sim.server.context(sim.now).publish("room", Outgoing::text(&state).key(&key));
        wire.extend(sim.receive(slow));
    }
    sim.window(slow, usize::MAX);
    wire.extend(sim.receive(slow));
    let heard = inflated(&wire);
    assert!(heard.iter().all(|text| text.ends_with(NEWS)));
    assert_eq!(heard.len() as u64 + sim.stats().replaced, 300);
}

/// What a handler sends in one callback waits raw as well, and a client masks what it deflates.
#[test]
fn client_deflates_and_masks_as_messages_begin_to_leave() {
    let log = Log::new();
    let mut client = World::new();
    let zone = client.server.zone("/", Recorder::new(&log));
    client.server.options(keeping_latest());
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = Arc::clone(&heard);
    let server = World::serving(|server| {
        server.options(Options::new().deflate(DeflateConfig::dedicated()));
        server.websocket("/", move |_: &mut Conn<'_>, message| {
            notes.lock().unwrap().push(String::from_utf8_lossy(message.as_bytes()).into_owned());
        });
    });
    let mut pair = common::Pair::new(client, zone, switchboard::Connect::to("ws://a/"), server);
    pair.pump();
    assert_eq!(log.take(), ["open /"]);
    pair.client.window(pair.near, 3);
    for n in 0..10 {
        let state = format!("{n} {NEWS}");
        let (id, now) = (pair.id, pair.client.now);
        pair.client.server.context(now).send(id, Outgoing::text(&state).key("state"));
        pair.client.server.context(now).send(id, &*format!("no key, {state}"));
        pair.client.settle();
    }
    pair.pump();
    pair.client.window(pair.near, usize::MAX);
    pair.pump();
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 12);
    assert!(heard[0].starts_with("0 ") && heard[2].starts_with("9 "), "{heard:?}");
    assert_eq!(pair.client.stats().replaced, 8);
}

/// Messages of history enter the window behind those that wait before them.
#[test]
fn replayed_messages_keep_the_window_behind_waiting_ones() {
    use Backpressure::{Close, DropOldest, KeepLatest};
    // The policy of the messages that wait, and that of those behind them.
    for (first, then) in
        [(KeepLatest, KeepLatest), (KeepLatest, Close), (DropOldest, Close), (Close, KeepLatest)]
    {
        for window in [0, 1, 30, 1_000] {
            let log = Log::new();
            let recorder = Recorder::new(&log).open(|conn, _| conn.subscribe("room"));
            let mut sim = World::serving(|server| {
                server.options(keeping_latest().backpressure(first));
                server.history("kept/", History::new());
                server.zone("/", recorder);
            });
            for n in 0..20 {
                sim.server.context(sim.now).publish("kept/a", &*format!("kept {n} {NEWS}"));
            }
            let (slow, _) = connect(&mut sim, "permessage-deflate");
            let id = log.last_id();
            sim.window(slow, window);
            let mut said = Vec::new();
            for n in 0..10 {
                let message = format!("live {n} {NEWS}");
                sim.server.context(sim.now).publish("room", Outgoing::text(&message).key(&message));
                sim.settle();
                said.push(message);
            }
            sim.server.options(keeping_latest().backpressure(then));
            let from = MessageId::default();
            sim.server.context(sim.now).conn(id).unwrap().subscribe_from("kept/a", from);
            sim.settle();
            said.extend((0..20).map(|n| format!("kept {n} {NEWS}")));
            sim.server.context(sim.now).publish("room", "the last, which is long enough");
            sim.settle();
            said.push("the last, which is long enough".to_owned());
            let mut wire = sim.receive(slow);
            sim.window(slow, usize::MAX);
            wire.extend(sim.receive(slow));
            assert_eq!(inflated(&wire), said, "{first:?}, {then:?}, window {window}");
        }
    }
}

/// A reader that comes back does not hold the loop while all that waits for it is deflated.
#[test]
fn much_that_waits_is_deflated_over_several_turns() {
    let log = Log::new();
    let recorder = Recorder::new(&log).open(|conn, _| conn.subscribe("room"));
    let mut sim = World::serving(|server| {
        server.options(keeping_latest());
        server.zone("/", recorder);
    });
    let (slow, _) = connect(&mut sim, "permessage-deflate");
    sim.window(slow, 0);
    let said: Vec<String> = (0..2_000).map(|n| format!("{n} {}", NEWS.repeat(8))).collect();
    for message in &said {
        sim.server.context(sim.now).publish("room", Outgoing::text(message).key(message));
        sim.settle();
    }
    sim.server.context(sim.now).conn(log.last_id()).unwrap().want_writable();
    sim.peer(slow).window(usize::MAX);
    log.take();
    let (token, now) = (sim.token(slow), sim.now);
    sim.server.ready(token, Readiness::WRITABLE, now);
    let (mut wire, mut turns) = (Vec::new(), 0);
    while log.take().is_empty() && turns < 100 {
        sim.turn();
        let more = sim.peer(slow).receive();
        let messages = frames(&more).len();
        assert!(messages * said[0].len() < 1 << 19, "{messages} messages in one turn");
        wire.extend(more);
        turns += 1;
    }
    assert!((4..40).contains(&turns), "{turns} turns");
    assert!(inflated(&wire) == said, "all of them, in their order");
}
