//! The memory of the decoder follows the bytes that arrived, not the declared lengths. The counts
//! are of the whole process, so this file holds one test.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use switchboard::proto::websocket::{
    Assembly, Event, Message, Opcode, Role, Rules, decode, encode_masked,
};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const RULES: Rules = Rules { role: Role::Server, max_message: 16 << 20, compression: false };

fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(14 + payload.len());
    encode_masked(&mut out, fin, opcode, payload, KEY);
    out
}

#[test]
fn receiver_pays_for_what_arrived_and_nothing_else() {
    // The long part comes first: the test runner may still allocate for the start of this thread,
    // and the next part counts exactly.
    field_row_04_a_million_fragments_cost_at_most_twice_their_payload();
    server_allocates_nothing_for_a_whole_message();
    field_row_06_a_declared_length_allocates_nothing();
    server_ends_with_exactly_the_bytes_of_a_long_last_frame();
}

fn server_allocates_nothing_for_a_whole_message() {
    let mut input =
        [frame(true, Opcode::Text, b"twenty bytes of text"), frame(true, Opcode::Ping, b"p")]
            .concat();
    let region = Region::new(GLOBAL);
    let mut assembly = None;
    let (consumed, event) = decode(&RULES, &mut assembly, &mut input);
    let seen = event == Event::Message(Message::Text("twenty bytes of text"));
    let ping = decode(&RULES, &mut assembly, &mut input[consumed..]).1 == Event::Ping(b"p");
    let allocations = region.change().allocations;
    assert!(seen && ping);
    assert_eq!(allocations, 0);
}

fn field_row_04_a_million_fragments_cost_at_most_twice_their_payload() {
    const FRAGMENTS: usize = 1_000_000;
    for opcode in [Opcode::Binary, Opcode::Text] {
        let mut first = frame(false, opcode, b"");
        let mut fragment = frame(false, Opcode::Continuation, b"x");
        let whole = fragment.clone();
        let mut assembly: Option<Box<Assembly>> = None;
        let region = Region::new(GLOBAL);
        let began = decode(&RULES, &mut assembly, &mut first) == (6, Event::More);
        let mut taken = 0;
        for _ in 0..FRAGMENTS {
            fragment.copy_from_slice(&whole);
            taken += decode(&RULES, &mut assembly, &mut fragment).0;
        }
        let change = region.change();
        let held = change.bytes_allocated - change.bytes_deallocated; // growing counts as allocated
        assert!(began && taken == FRAGMENTS * whole.len());
        let assembly = assembly.unwrap();
        assert_eq!(assembly.len(), FRAGMENTS);
        assert!(assembly.capacity() <= 2 * FRAGMENTS, "{} bytes of capacity", assembly.capacity());
        assert!(held <= 2 * FRAGMENTS + size_of::<Assembly>(), "{held} bytes held");
        assert!(change.reallocations < 64, "{} reallocations", change.reallocations);
    }
}

fn field_row_06_a_declared_length_allocates_nothing() {
    let declared = |first: u8, len: u64| [&[first, 0xFF][..], &len.to_be_bytes(), &KEY].concat();
    let unlimited = Rules { max_message: usize::MAX, ..RULES };
    let rows = [
        (RULES, 0x7FFF_FFFF_FFFF_FFFF, Some("message too big")),
        (RULES, (16 << 20) + 1, Some("message too big")),
        (RULES, 1 << 63, Some("payload length exceeds 63 bits")),
        (RULES, u64::MAX, Some("payload length exceeds 63 bits")),
        (RULES, 15 << 20, None),
        (unlimited, 0x7FFF_FFFF_FFFF_FFFF, (usize::BITS < 64).then_some("message too big")),
    ];
    for (rules, len, violation) in rows {
        for begun in [false, true] {
            for text in [false, true] {
                let opcode = if text { Opcode::Text } else { Opcode::Binary };
                let mut start = frame(false, opcode, b"a");
                let mut input = declared(if begun { 0x80 } else { 0x80 | opcode as u8 }, len);
                input.extend_from_slice(&[KEY[0] ^ b'b'; 1]);
                let region = Region::new(GLOBAL);
                let mut assembly = None;
                if begun {
                    decode(&rules, &mut assembly, &mut start);
                }
                let (_, event) = decode(&rules, &mut assembly, &mut input);
                let failed = match event {
                    Event::Fail(violation) => Some(violation.as_str()),
                    _ => None,
                };
                let allocated = region.change().bytes_allocated;
                assert_eq!(failed, violation, "{len:X}");
                assert!(
                    allocated <= size_of::<Assembly>() + 64,
                    "{allocated} bytes for a declared {len:X}"
                );
            }
        }
    }
}

fn server_ends_with_exactly_the_bytes_of_a_long_last_frame() {
    let rows = [
        (Opcode::Binary, vec![0xFF; 1 << 20]),
        (Opcode::Text, vec![b'a'; 1 << 20]),
        (Opcode::Text, "€".repeat(350_000).into_bytes()), // every piece ends within a character
    ];
    for (opcode, payload) in rows {
        let input = frame(true, opcode, &payload);
        for len in [100_000, 100_001, 1 << 19] {
            let (mut assembly, mut most) = (None, 0);
            for piece in input.clone().chunks_mut(len) {
                decode(&RULES, &mut assembly, piece);
                most = assembly.as_ref().map_or(most, |assembly| assembly.capacity());
            }
            assert!(assembly.is_none());
            assert_eq!(most, payload.len(), "{opcode:?} in pieces of {len}");
        }
    }
}
