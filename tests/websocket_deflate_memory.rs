//! The memory of compression, bombs included. The counts are of the whole process, so this file
//! holds one test.
#![cfg(feature = "deflate")]

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use switchboard::proto::websocket::{
    Assembly, DeflateConfig, Deflater, Event, Header, Inflater, Opcode, Role, Rules, Violation,
    decode,
};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const RULES: Rules = Rules { role: Role::Client, max_message: 4 << 20, compression: true };
/// The documented bytes by window.
const DEFLATERS: [(u8, usize); 7] = [
    (9, 143_488),
    (10, 145_536),
    (11, 149_632),
    (12, 157_824),
    (13, 181_376),
    (14, 228_480),
    (15, 322_688),
];
const INFLATER: usize = 47_552;

#[test]
fn compression_costs_what_its_documentation_says() {
    // The long part comes first: the test runner may still allocate for the start of this thread,
    // and the next part counts exactly.
    field_row_09_bombs_stop_at_the_limit();
    contexts_cost_what_is_documented_and_are_never_allocated_again();
}

fn within_ten_percent(bytes: usize, documented: usize) -> bool {
    bytes.abs_diff(documented) * 10 <= documented
}

fn contexts_cost_what_is_documented_and_are_never_allocated_again() {
    let message = b"some message, some message".repeat(40);
    let (mut payload, mut out) = (Vec::with_capacity(1 << 16), Vec::with_capacity(1 << 16));
    for (bits, documented) in DEFLATERS {
        let region = Region::new(GLOBAL);
        let mut deflater = Deflater::new(&DeflateConfig::dedicated(), bits);
        let made = region.change();
        let mut inflater = Inflater::new();
        let both = region.change();
        for keep_context in [true, true, false, false, true] {
            payload.clear();
            out.clear();
            deflater.deflate(&message, &mut payload, keep_context);
            let inflated = inflater.inflate(&payload, &mut out, 1 << 16, keep_context);
            assert!(inflated.is_ok() && out == message);
        }
        let used = region.change();
        assert!(
            within_ten_percent(made.bytes_allocated, documented),
            "{} at {bits} bits",
            made.bytes_allocated
        );
        assert!(within_ten_percent(both.bytes_allocated - made.bytes_allocated, INFLATER));
        assert_eq!((used.allocations, used.reallocations), (both.allocations, 0));
        drop((deflater, inflater));
        assert_eq!(region.change().bytes_deallocated, both.bytes_allocated);
    }
}

/// A gibibyte of zeros in about a mebibyte, by references to the zeros before.
fn bomb(after: &[u8]) -> (Vec<u8>, Vec<u8>) {
    const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
    let mut deflater = Deflater::new(&DeflateConfig::dedicated().level(6), 15);
    let (mut greeting, mut first, mut again) = (Vec::new(), Vec::new(), Vec::new());
    deflater.deflate(after, &mut greeting, true);
    deflater.deflate(&vec![0; 1 << 20], &mut first, true);
    deflater.deflate(&vec![0; 1 << 20], &mut again, true);
    let mut payload = [&first[..], &TAIL].concat();
    for _ in 0..1022 {
        payload.extend_from_slice(&again);
        payload.extend_from_slice(&TAIL);
    }
    payload.extend_from_slice(&again);
    (greeting, payload)
}

fn field_row_09_bombs_stop_at_the_limit() {
    let (greeting, payload) = bomb(b"a message before it");
    assert!(payload.len() < RULES.max_message, "{} bytes", payload.len());
    for fragments in [1, 1000] {
        let mut frames = Vec::new();
        let pieces: Vec<&[u8]> = payload.chunks(payload.len().div_ceil(fragments)).collect();
        for (i, piece) in pieces.iter().enumerate() {
            let opcode = if i == 0 { Opcode::Binary } else { Opcode::Continuation };
            let (fin, len) = (i + 1 == pieces.len(), piece.len() as u64);
            Header { fin, rsv1: i == 0, opcode, key: None, len }.encode(&mut frames);
            frames.extend_from_slice(piece);
        }
        for keep_context in [false, true] {
            let mut input = frames.clone();
            let mut assembly: Option<Box<Assembly>> = None;
            let region = Region::new(GLOBAL);
            let (mut inflater, mut out) = (Inflater::new(), Vec::new());
            let greeted = inflater.inflate(&greeting, &mut out, RULES.max_message, keep_context);
            out = Vec::new();
            let (_, event) = decode(&RULES, &mut assembly, &mut input);
            let Event::Compressed(message) = event else { panic!("{event:?}") };
            let before = region.change();
            let done =
                inflater.inflate(message.payload(), &mut out, RULES.max_message, keep_context);
            let change = region.change();
            // All bytes requested, growth included.
            let grown = change.bytes_allocated - before.bytes_allocated;
            assert!(greeted.is_ok());
            assert_eq!(done, Err(Violation::TooBig));
            assert_eq!(out.len(), RULES.max_message);
            assert!(grown <= RULES.max_message, "{grown} bytes for {fragments} fragments");
            let assembled = before.bytes_allocated - before.bytes_deallocated - INFLATER;
            assert!(
                assembled <= 2 * payload.len() + 1024,
                "{assembled} bytes for {fragments} fragments"
            );
        }
    }
}
