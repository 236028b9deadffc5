//! Messages far bigger than the memory they flow through, out in fragments and in by chunks.

mod common;
mod heap;

use std::cell::Cell;
use std::rc::Rc;

use common::frames::{BINARY, CONTINUATION, frame, header, some_frames, text};
use common::{Bytes, World};
use heap::{alone, heap};
use switchboard::{Chunk, Conn, Handler, Message, Options};

/// The payload of a message.
const TOTAL: usize = 256 << 20;

/// What is sent, and arrives, at once.
const PIECE: usize = 64 << 10;

/// The heap may rise so far above what it was before.
const RISE: isize = 2 << 20;

/// The heap as it was, and the most that it has risen since; copies are the same.
#[derive(Clone)]
struct Rise {
    before: Rc<Cell<isize>>,
    most: Rc<Cell<isize>>,
}

impl Rise {
    fn new() -> Rise {
        Rise { before: Rc::default(), most: Rc::default() }
    }

    /// What is in use now is what is compared with.
    fn begin(&self) {
        self.before.set(heap());
        self.most.set(0);
    }

    fn sample(&self) {
        self.most.set(self.most.get().max(heap() - self.before.get()));
    }

    fn check(&self) {
        let most = self.most.get();
        println!("{TOTAL} bytes flow through {most}");
        assert!(most > 0, "no sample has seen anything");
        assert!(most <= RISE, "{most} bytes above what was in use before");
    }
}

/// A piece whose length is no multiple of its pattern's, so that lost or doubled bytes show.
fn piece() -> Vec<u8> {
    (0..PIECE).map(|n| (n % 251) as u8).collect()
}

/// Sends one message, asked by any: a piece whenever the last one has left.
struct Source {
    piece: Vec<u8>,
    left: usize,
    rise: Rise,
}

impl Handler for Source {
    fn message(&mut self, conn: &mut Conn<'_>, _message: Message<'_>) {
        conn.want_writable();
    }

    fn writable(&mut self, conn: &mut Conn<'_>) {
        if self.left == 0 {
            return;
        }
        self.left -= self.piece.len();
        conn.send_fragment(&*self.piece, self.left == 0);
        conn.want_writable();
        self.rise.sample();
    }
}

#[test]
fn handler_sends_a_message_of_256_mebibytes_from_one_piece() {
    let _alone = alone();
    let rise = Rise::new();
    let source = Source { piece: piece(), left: TOTAL, rise: rise.clone() };
    let mut sim = World::serving(|server| {
        server.zone("/", source);
    });
    let client = sim.raw_websocket("/");
    let piece = piece();
    rise.begin();
    // More than a frame and no multiple of one: every write is refused within another one.
    sim.peer(client).window(100_000);
    sim.send(client, text("go"));
    let (mut heard, mut total, mut is_whole) = (sim.receive(client), 0, false);
    while !is_whole {
        let (frames, rest) = some_frames(&heard);
        rise.sample();
        for frame in &frames {
            assert!(!is_whole, "something behind the message");
            assert_eq!(frame.opcode, if total == 0 { BINARY } else { CONTINUATION });
            assert!(frame.payload == piece, "another payload at {total}");
            total += frame.payload.len();
            is_whole = frame.fin;
        }
        heard = rest.to_vec();
        sim.window(client, 100_000);
        let more = sim.receive(client);
        assert!(is_whole || !more.is_empty(), "nothing more after {total}");
        heard.extend_from_slice(&more);
    }
    assert_eq!((total, heard.len()), (TOTAL, 0));
    rise.check();
}

/// Counts one message in chunks, which repeats a pattern.
struct Sink {
    /// As long as the longest chunk from anywhere in a piece.
    pattern: Vec<u8>,
    total: Rc<Cell<usize>>,
    rise: Rise,
}

impl Handler for Sink {
    fn chunk(&mut self, conn: &mut Conn<'_>, chunk: Chunk<'_>) {
        let (bytes, total) = (chunk.data.as_bytes(), self.total.get());
        assert!(
            bytes == &self.pattern[total % PIECE..][..bytes.len()],
            "another payload at {total}"
        );
        self.total.set(total + bytes.len());
        self.rise.sample();
        if chunk.is_last {
            conn.send("taken");
        }
    }
}

#[test]
fn handler_hears_a_message_of_256_mebibytes_in_chunks() {
    let _alone = alone();
    let (rise, total) = (Rise::new(), Rc::<Cell<usize>>::default());
    let sink = Sink { pattern: piece().repeat(4), total: Rc::clone(&total), rise: rise.clone() };
    let mut sim = World::serving(|server| {
        server.options(Options::new().chunks(true).max_message(usize::MAX));
        server.zone("/", sink);
    });
    let client = sim.raw_websocket("/");
    // Masked once: a piece is a multiple of the key.
    let masked = frame(true, BINARY, piece()).split_off(header(true, BINARY, PIECE as u64).len());
    rise.begin();
    sim.push(client, header(true, BINARY, TOTAL as u64));
    for n in 1..=TOTAL / PIECE {
        assert_eq!(sim.words(client), [""; 0], "answered before its end");
        sim.send(client, &masked);
        rise.sample();
        // What a read brought is handed over in the same turn.
        assert_eq!(total.get(), n * PIECE);
    }
    assert_eq!(sim.words(client), ["text taken"]);
    rise.check();
}
