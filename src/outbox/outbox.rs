//! Output on its way to one peer: a queue of segments, own bytes or pointers to frames shared with other peers.
//! The cork is one of these. It knows what leaves before what; it does not know why anything was sent.

use std::collections::VecDeque;
use std::ops::Range;

use super::paged_buf::PagedBuf;
use super::segment::{Droppable, Kind, Segment, Shared};
use crate::websocket::{Decoded, Header};

/// Segments in the order they will leave. Empty, it owns no memory worth keeping.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The bytes of all own segments, one after the other; those before `left` are gone.
    pub(super) own: PagedBuf,
    pub(super) left: usize,
    pub(super) segments: VecDeque<Segment>,
    /// Control frames, which leave at the next frame boundary, and where the last pong lies in them.
    pub(super) control: Vec<u8>,
    pub(super) control_sent: usize,
    pong: Option<(usize, usize)>,
    /// Bytes waiting in all of it.
    pub(super) len: usize,
    /// Bytes that have left so far, and had when it was last looked at.
    pub(super) written: u64,
    seen: u64,
    /// While a message is being sent in fragments, what must not come between them.
    pub(super) behind: Option<Box<Outbox>>,
}

/// Own bytes beyond this capacity are given back once the outbox is empty.
const KEPT: usize = 4 << 10;

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that have not left yet.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends a whole message, or bytes: `write` puts them at the end of the buffer it is lent. While a fragmented message
    /// is under way they wait behind it.
    #[inline]
    pub(crate) fn push(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        match &mut self.behind {
            None => self.push_now(kind, write),
            Some(behind) => behind.push_now(kind, write),
        }
    }

    /// Appends what may come between the fragments of a message: the next of them, or a control frame.
    #[inline]
    pub(crate) fn push_now(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        let added = self.own.write(write);
        if added > 0 {
            self.count(kind, added);
        }
    }

    #[inline]
    fn count(&mut self, kind: Kind, added: usize) {
        self.len += added;
        match self.segments.back_mut() {
            Some(Segment::Own { len, kind: same, .. }) if *same == kind => *len += added,
            _ => self.segments.push_back(Segment::Own { len: added, sent: 0, kind }),
        }
    }

    /// Appends what the transport has refused, piece by piece.
    pub(crate) fn keep(&mut self, kind: Kind, pieces: [&[u8]; 2]) {
        pieces.iter().for_each(|piece| self.own.keep(piece));
        self.count(kind, pieces.iter().map(|piece| piece.len()).sum());
    }

    /// Keeps a run of frames, of which the first `sent` bytes have left; nothing lies here before it.
    pub(crate) fn keep_frames(&mut self, frames: &[u8], sent: usize) {
        self.own.keep(frames);
        (self.left, self.len) = (sent, frames.len() - sent);
        self.written += sent as u64;
        self.segments.push_back(Segment::Own { len: frames.len(), sent, kind: Kind::Frames });
    }

    /// Keeps a frame that others send as well, of which the first `sent` bytes have left; nothing lies here before it.
    pub(crate) fn keep_shared(&mut self, frame: Shared, sent: usize, drop: Droppable) {
        self.len = frame.len() - sent;
        self.written += sent as u64;
        self.segments.push_back(Segment::Shared { frame, sent, drop });
    }

    /// Appends a pointer to a frame that others send as well.
    pub(crate) fn push_shared(&mut self, frame: Shared, drop: Droppable) {
        if let Some(behind) = &mut self.behind {
            return behind.push_shared(frame, drop);
        }
        // Every segment has something to write.
        if frame.is_empty() {
            return;
        }
        self.len += frame.len();
        self.segments.push_back(Segment::Shared { frame, sent: 0, drop });
    }

    /// Queues a control frame before all data that has not begun. Of several pongs only the latest waits (RFC 6455 5.5.3).
    pub(crate) fn push_control(&mut self, is_pong: bool, frame: &[u8]) {
        if is_pong
            && let Some((start, end)) = self.pong.take()
            && start >= self.control_sent
        {
            self.control.drain(start..end);
            self.len -= end - start;
        }
        let start = self.control.len();
        self.control.extend_from_slice(frame);
        self.len += frame.len();
        if is_pong {
            self.pong = Some((start, start + frame.len()));
        }
    }

    /// Appends one fragment of a message. Until the final one, whole messages wait behind it.
    pub(crate) fn push_fragment(&mut self, is_final: bool, write: impl FnOnce(&mut Vec<u8>)) {
        self.push_now(Kind::Frames, write);
        if !is_final {
            self.behind.get_or_insert_default();
        } else if let Some(behind) = self.behind.take() {
            self.append(*behind);
        }
    }

    /// Whether a fragmented message is under way.
    pub(crate) fn is_fragmented(&self) -> bool {
        self.behind.is_some()
    }

    fn append(&mut self, mut other: Outbox) {
        self.len += other.len;
        self.own.write(|own| own.extend_from_slice(&other.own));
        self.segments.append(&mut other.segments);
    }

    /// Bytes waiting, those held back behind a fragmented message included.
    pub(crate) fn buffered(&self) -> usize {
        self.len + self.behind.as_deref().map_or(0, Outbox::len)
    }

    /// How many bytes have left since it was last asked.
    pub(crate) fn progress(&mut self) -> u64 {
        let progress = self.written - self.seen;
        self.seen = self.written;
        progress
    }

    /// Forgets everything that has not left, but for the rest of a frame that has begun: a frame cut short would
    /// make the next one unreadable. Used before a Close frame that must still arrive.
    pub(crate) fn clear_to_boundary(&mut self) {
        let rest = match self.control_sent {
            0 => self.front()[..self.begun()].to_vec(),
            sent => self.control[sent..].to_vec(),
        };
        *self = Outbox::default();
        self.push(Kind::Bytes, |own| own.extend_from_slice(&rest));
    }

    pub(super) fn front(&self) -> &[u8] {
        match self.segments.front() {
            Some(segment @ Segment::Own { .. }) => &self.own[self.left..self.left + segment.rest()],
            Some(Segment::Shared { frame, sent, .. }) => &frame[*sent..],
            None => &[],
        }
    }

    /// How many bytes are left of a frame that has begun to leave.
    pub(super) fn begun(&self) -> usize {
        match self.segments.front() {
            Some(Segment::Own { sent, kind: Kind::Frames, .. }) if *sent > 0 => {
                self.frame_under_way().end - sent
            }
            Some(
                segment @ (Segment::Own { kind: Kind::Bytes, .. }
                | Segment::Shared { drop: Droppable::Whole, .. }),
            ) => segment.rest(),
            Some(segment @ Segment::Shared { sent, .. }) if *sent > 0 => segment.rest(),
            _ => 0,
        }
    }

    /// Where, in a run of own frames at the front, the frame lies that has begun to leave: empty between two frames. Own frames are
    /// merged into runs, so it is found by walking the headers that we wrote ourselves.
    fn frame_under_way(&self) -> Range<usize> {
        let Some(Segment::Own { sent, len, .. }) = self.segments.front() else { return 0..0 };
        let start = self.left - sent;
        let run = &self.own[start..start + len];
        let (mut begin, mut end) = (0, 0);
        while end < *sent {
            begin = end;
            end = match Header::decode_with(&run[end..], true) {
                Decoded::Header(header, head) => (end + head + header.len as usize).min(*len),
                Decoded::Partial | Decoded::Violation(_) => *len,
            };
        }
        if end == *sent { end..end } else { begin..end }
    }

    pub(super) fn control_left(&mut self, n: usize) {
        self.control_sent += n;
        if self.control_sent == self.control.len() {
            self.control = Vec::new();
            self.control_sent = 0;
            self.pong = None;
        }
    }

    pub(super) fn segments_left(&mut self, mut n: usize) {
        while n > 0 {
            let Some(segment) = self.segments.front_mut() else { return };
            let rest = segment.rest();
            let taken = rest.min(n);
            match segment {
                Segment::Own { sent, .. } => {
                    *sent += taken;
                    self.left += taken;
                }
                Segment::Shared { sent, .. } => *sent += taken,
            }
            n -= taken;
            if taken == rest {
                self.segments.pop_front();
            }
        }
        self.compact();
    }

    /// Gives back own bytes that have left once they are the larger part, but for those of a frame under way. A run that always
    /// has something appended before it ends must not grow for ever.
    fn compact(&mut self) {
        if self.left == self.own.len() {
            self.own.clear();
            self.left = 0;
        } else if self.left > KEPT && self.left > self.own.len() / 2 {
            let n = self.leave_behind();
            self.own.forget(n);
        }
    }

    /// Own bytes that have left, but for those of a frame under way: they count no more, and are to be forgotten.
    fn leave_behind(&mut self) -> usize {
        let under_way = match self.segments.front() {
            Some(Segment::Own { sent, kind: Kind::Frames, .. }) => {
                sent - self.frame_under_way().start
            }
            _ => 0,
        };
        if let Some(Segment::Own { sent, len, .. }) = self.segments.front_mut() {
            *len -= *sent - under_way;
            *sent = under_way;
        }
        std::mem::replace(&mut self.left, under_way) - under_way
    }

    /// Whether own bytes take more of the heap than they should if they are to wait.
    pub(crate) fn is_crowded(&self) -> bool {
        self.own.is_crowded() || self.behind.as_deref().is_some_and(Outbox::is_crowded)
    }

    /// All of it is to wait: many own bytes leave the heap.
    pub(crate) fn store_waiting(&mut self) {
        if self.own.is_crowded() {
            let n = self.leave_behind();
            self.own.store_waiting(n);
        }
        if let Some(behind) = &mut self.behind {
            behind.store_waiting();
        }
    }

    /// All of it has left. Keeps no more memory than an outbox in steady use needs.
    pub(super) fn release(&mut self) {
        (self.len, self.left) = (0, 0);
        self.own.clear();
        // Most often there is just the one.
        self.segments.pop_front();
        if !self.segments.is_empty() {
            self.segments.clear();
        }
        if !self.control.is_empty() {
            self.control_left(self.control.len() - self.control_sent);
        }
    }

    /// Gives back memory beyond what is worth keeping, once empty.
    pub(crate) fn shrink(&mut self, keep: usize) {
        self.own.shrink(keep);
        if self.segments.capacity() > 16 {
            self.segments = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::net::{Transport, Wrote};
    use crate::websocket::{Message, encode_message};

    /// Frames of many sizes through every window, some behind others that have begun: whole and in their order at the far end.
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
                    0 => outbox.push_shared(Rc::new(frame), Droppable::Never),
                    _ => outbox.push(Kind::Frames, |own| own.extend_from_slice(&frame)),
                }
                peer.window(window);
                assert!(outbox.write_to(&mut transport, &mut scratch).is_ok());
            }
            peer.window(usize::MAX);
            assert_eq!(outbox.write_to(&mut transport, &mut scratch).ok(), Some(Wrote::All));
            assert_eq!(peer.receive(), expected);
            assert_eq!((outbox.len(), outbox.own.len(), outbox.segments.len()), (0, 0, 0));
        }
    }

    /// A reader that never quite catches up must not keep what has left.
    #[test]
    fn outbox_gives_back_what_has_left_of_an_endless_run() {
        let (mut transport, mut peer) = Transport::memory();
        let (mut outbox, mut scratch) = (Outbox::default(), Vec::new());
        for _ in 0..10_000 {
            outbox.push(Kind::Frames, |own| encode_message(own, Message::Binary(&[7; 98])));
            peer.window(if outbox.len() > 1000 { 100 } else { 90 });
            assert!(outbox.write_to(&mut transport, &mut scratch).is_ok());
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

    /// What waits in pages leaves like what waits in the heap, and takes no more memory than about twice itself.
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
                assert!(outbox.write_to(&mut transport, &mut scratch).is_ok());
                outbox.store_waiting();
            }
            assert!(outbox.len() > 1 << 20);
            while !outbox.is_empty() {
                // Two for what has left and is not yet forgotten, and two for powers of two.
                let most = (4 * outbox.len()).max(64 << 10);
                assert!(
                    outbox.own.capacity() <= most,
                    "{} bytes for {}",
                    outbox.own.capacity(),
                    outbox.len()
                );
                peer.window(window);
                assert!(outbox.write_to(&mut transport, &mut scratch).is_ok());
            }
            assert!(peer.receive() == expected, "window {window}");
            assert!(outbox.own.capacity() <= 8 << 10);
        }
    }

    /// RFC 6455 5.4: a control frame goes between frames, never into one, and at most one pong waits.
    #[test]
    fn outbox_sends_control_at_the_next_boundary() {
        for window in 0..=30 {
            let (mut transport, mut peer) = Transport::memory();
            let (mut outbox, mut scratch) = (Outbox::default(), Vec::new());
            peer.window(window);
            for _ in 0..3 {
                outbox.push(Kind::Frames, |own| encode_message(own, Message::Text("12345678")));
            }
            assert!(outbox.write_to(&mut transport, &mut scratch).is_ok());
            outbox.push_control(true, b"\x8A\x01a");
            outbox.push_control(true, b"\x8A\x01b");
            peer.window(usize::MAX);
            assert!(outbox.write_to(&mut transport, &mut scratch).is_ok());
            let boundary = window.div_ceil(10) * 10;
            let mut expected = b"\x81\x0812345678".repeat(3);
            expected.splice(boundary..boundary, *b"\x8A\x01b");
            assert_eq!(peer.receive(), expected, "window {window}");
        }
    }
}
