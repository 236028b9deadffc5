//! Tests of the outbox over a test peer: order, boundaries and memory. `tests/sim_policies.rs`
//! tests the drop policies.

use std::sync::Arc;

use super::outbox::Outbox;
use super::segment::{Droppable, Kind};
use crate::net::{Traffic, Transport, Wrote};
use crate::websocket::{Message, encode_message};

/// Frames of many sizes arrive whole and in their order through every window, also behind a frame
/// that has begun to leave.
#[test]
fn outbox_leaves_in_order_whatever_the_window() {
    for window in 1..40 {
        let (mut transport, mut peer) = Transport::memory();
        peer.window(0);
        let mut outbox = Outbox::default();
        let (mut expected, mut scratch) = (Vec::new(), Vec::new());
        for n in 0..200usize {
            let text = "x".repeat(n * 7 % 150);
            let mut frame = Vec::new();
            encode_message(&mut frame, Message::Text(&text));
            expected.extend_from_slice(&frame);
            match n % 3 {
                0 => outbox.push_shared(Arc::new(frame), Droppable::Never),
                _ => outbox.push(Kind::Frames, |own| own.extend_from_slice(&frame)),
            }
            peer.window(window);
            assert!(outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default()).is_ok());
        }
        peer.window(usize::MAX);
        assert_eq!(
            outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default()).ok(),
            Some(Wrote::All)
        );
        assert_eq!(peer.receive(), expected);
        assert_eq!((outbox.len(), outbox.own.len(), outbox.segments.len()), (0, 0, 0));
    }
}

/// A segment that never empties gives back the bytes that have left.
#[test]
fn outbox_gives_back_what_has_left_of_an_endless_segment() {
    let (mut transport, mut peer) = Transport::memory();
    let (mut outbox, mut scratch) = (Outbox::default(), Vec::new());
    for _ in 0..10_000 {
        outbox.push(Kind::Frames, |own| encode_message(own, Message::Binary(&[7; 98])));
        peer.window(if outbox.len() > 1000 { 100 } else { 90 });
        assert!(outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default()).is_ok());
        peer.receive();
        assert!(!outbox.is_empty());
    }
    assert!(
        outbox.own.capacity() < 64 << 10,
        "{} bytes kept for {}",
        outbox.own.capacity(),
        outbox.len()
    );
}

/// Bytes in pages leave like bytes in the heap. Their memory stays within four times their number.
#[test]
fn outbox_leaves_in_order_from_pages() {
    for window in [700, 5_000, 40_000, 300_000] {
        let (mut transport, mut peer) = Transport::memory();
        let (mut outbox, mut scratch) = (Outbox::default(), Vec::new());
        let mut expected = Vec::new();
        for n in 0..2_000u32 {
            let before = expected.len();
            encode_message(
                &mut expected,
                Message::Binary(&n.to_le_bytes().repeat(n as usize % 400)),
            );
            outbox.push(Kind::Frames, |own| own.extend_from_slice(&expected[before..]));
            peer.window(if n % 8 == 0 { 500 } else { 0 });
            assert!(outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default()).is_ok());
            outbox.store_waiting();
        }
        assert!(outbox.len() > 1 << 20);
        while !outbox.is_empty() {
            // Twice for bytes that have left and are not forgotten yet, twice for powers of two.
            let most = (4 * outbox.len()).max(64 << 10);
            assert!(
                outbox.own.capacity() <= most,
                "{} bytes for {}",
                outbox.own.capacity(),
                outbox.len()
            );
            peer.window(window);
            assert!(outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default()).is_ok());
        }
        assert!(peer.receive() == expected, "window {window}");
        assert!(outbox.own.capacity() <= 8 << 10);
    }
}

/// A control frame leaves between two frames (RFC 6455 5.4). At most one pong waits.
#[test]
fn outbox_sends_control_at_the_next_boundary() {
    for window in 0..=30 {
        let (mut transport, mut peer) = Transport::memory();
        let (mut outbox, mut scratch) = (Outbox::default(), Vec::new());
        peer.window(window);
        for _ in 0..3 {
            outbox.push(Kind::Frames, |own| encode_message(own, Message::Text("12345678")));
        }
        assert!(outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default()).is_ok());
        outbox.push_control(true, b"\x8A\x01a");
        outbox.push_control(true, b"\x8A\x01b");
        peer.window(usize::MAX);
        assert!(outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default()).is_ok());
        let boundary = window.div_ceil(10) * 10;
        let mut expected = b"\x81\x0812345678".repeat(3);
        expected.splice(boundary..boundary, *b"\x8A\x01b");
        assert_eq!(peer.receive(), expected, "window {window}");
    }
}
