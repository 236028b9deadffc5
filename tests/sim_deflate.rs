//! Compression by whole servers (RFC 7692): which client receives what, from which contexts, and
//! what happens to a bomb.
#![cfg(feature = "deflate")]

mod common;

use common::{Bytes, Client, World};
use switchboard::proto::websocket::{
    Decoded, DeflateConfig, Deflater, Header, Inflater, Opcode, encode_compressed, encode_masked,
};
use switchboard::{Backpressure, Conn, Handler, Message, Options, Outgoing, Request};

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
        assert!(sim.stats().dropped > 100, "{:?}: {}", policy, sim.stats().dropped);
        let mut inflater = Inflater::new();
        let heard: Vec<String> = frames(&wire)
            .into_iter()
            .map(|(rsv1, payload)| if rsv1 { inflate(&mut inflater, &payload) } else { payload })
            .map(|message| String::from_utf8(message).unwrap())
            .collect();
        assert!(heard.iter().all(|message| message.ends_with(NEWS)), "{policy:?}");
        assert_eq!(
            heard.iter().filter(|message| message.starts_with("end of ")).count(),
            4,
            "{policy:?}"
        );
    }
}
