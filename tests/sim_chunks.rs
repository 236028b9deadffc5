//! Messages handed over in chunks, as `Options::chunks` asks for.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Bytes, World};
use proptest::prelude::*;
use switchboard::proto::websocket::{Opcode, encode_masked};
use switchboard::{Chunk, Conn, Handler, Message, Options};

/// Every message as its chunks, text or not.
type Seen = Arc<Mutex<Vec<Vec<(bool, Vec<u8>)>>>>;

struct Chunks(Seen, Vec<(bool, Vec<u8>)>);

impl Handler for Chunks {
    fn message(&mut self, _conn: &mut Conn<'_>, message: Message<'_>) {
        panic!("a whole message: {message:?}");
    }

    fn chunk(&mut self, conn: &mut Conn<'_>, chunk: Chunk<'_>) {
        let is_text = matches!(chunk.data, Message::Text(_));
        self.1.push((is_text, chunk.data.as_bytes().to_vec()));
        if chunk.is_last {
            self.0.lock().unwrap().push(std::mem::take(&mut self.1));
            conn.send("taken");
        }
    }
}

fn sim(options: Options) -> (World, Seen) {
    let seen = Seen::default();
    let handler = Chunks(Arc::clone(&seen), Vec::new());
    let sim = World::serving(|server| {
        server.options(options.chunks(true));
        server.zone("/", handler);
    });
    (sim, seen)
}

fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_masked(&mut out, fin, opcode, payload, [0x37, 0xFA, 0x21, 0x3D]);
    out
}

#[test]
fn server_hands_over_text_in_chunks_that_are_text() {
    let (mut sim, seen) = sim(Options::new());
    let client = sim.raw_websocket("/");
    let text = "\u{20AC}\u{1F600}a".repeat(100);
    sim.trickle(client, &frame(true, Opcode::Text, text.as_bytes()));
    assert_eq!(sim.receive(client), b"\x81\x05taken");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].len() >= 300, "{} chunks", seen[0].len());
    for (is_text, chunk) in &seen[0] {
        assert!(*is_text && std::str::from_utf8(chunk).is_ok(), "{chunk:?}");
    }
    assert_eq!(
        seen[0].iter().flat_map(|(_, chunk)| chunk.clone()).collect::<Vec<u8>>(),
        text.as_bytes()
    );
}

#[test]
fn server_bounds_the_whole_message_though_its_chunks_are_gone() {
    let (mut sim, seen) = sim(Options::new().max_message(1000));
    let client = sim.raw_websocket("/");
    sim.send(client, frame(false, Opcode::Binary, &[1; 600]));
    sim.send(client, frame(false, Opcode::Continuation, &[2; 400]));
    let answer = sim.ask(client, frame(true, Opcode::Continuation, &[3; 1]));
    assert_eq!(answer[..4], [0x88, answer[1], 0x03, 0xF1], "1009");
    assert!(seen.lock().unwrap().is_empty());
    sim.advance(Duration::from_secs(10));
    assert!(sim.is_gone(client));
}

#[test]
fn server_refuses_text_that_ends_within_a_character_after_its_chunks() {
    let (mut sim, _seen) = sim(Options::new());
    let client = sim.raw_websocket("/");
    sim.send(client, frame(false, Opcode::Text, b"good \xE2\x82"));
    let answer = sim.ask(client, frame(true, Opcode::Continuation, b""));
    assert_eq!(answer[..4], [0x88, answer[1], 0x03, 0xEF], "1007");
}

proptest! {
    #[test]
    fn server_hands_over_the_same_bytes_however_they_are_cut(
        messages in prop::collection::vec(
            (any::<bool>(), prop::collection::vec("[a-z\u{20AC}]{0,40}", 1..4)),
            1..5,
        ),
        cuts in prop::collection::vec(1usize..50, 1..60),
    ) {
        let (mut sim, seen) = sim(Options::new());
        let client = sim.raw_websocket("/");
        let mut wire = Vec::new();
        for (is_text, pieces) in &messages {
            let first = if *is_text { Opcode::Text } else { Opcode::Binary };
            for (at, piece) in pieces.iter().enumerate() {
                let opcode = if at == 0 { first } else { Opcode::Continuation };
                wire.extend(frame(at + 1 == pieces.len(), opcode, piece.as_bytes()));
            }
        }
        let mut rest = &wire[..];
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            sim.send(client, piece);
            rest = after;
            if rest.is_empty() { break }
        }
        let seen = seen.lock().unwrap();
        prop_assert_eq!(seen.len(), messages.len());
        for ((is_text, pieces), chunks) in messages.iter().zip(seen.iter()) {
            prop_assert!(chunks.iter().all(|(text, _)| text == is_text));
            let whole: Vec<u8> = chunks.iter().flat_map(|(_, chunk)| chunk.clone()).collect();
            prop_assert_eq!(whole, pieces.concat().into_bytes());
        }
    }
}
