//! Output on its way to one peer: a queue of segments. A segment holds bytes of its own, or a
//! pointer to a frame that it shares with other peers. This file knows the order of output, and not
//! the reason for it.

use std::collections::VecDeque;
use std::ops::Range;

use super::paged_buf::PagedBuf;
use super::segment::{Droppable, Kind, Segment, Shared};
use crate::websocket::{Decoded, Header};

/// Segments in the order in which they leave. An empty outbox keeps little memory.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The bytes of all own segments, one after the other. Bytes before `left` have left.
    pub(super) own: PagedBuf,
    pub(super) left: usize,
    pub(super) segments: VecDeque<Segment>,
    /// Control frames, which leave at the next frame boundary.
    pub(super) control: Vec<u8>,
    /// Bytes of `control` that have left.
    pub(super) control_sent: usize,
    /// The start and the end of the last pong in `control`.
    pong: Option<(usize, usize)>,
    /// Bytes that wait in `segments` and `control`.
    pub(super) len: usize,
    /// Bytes of them that no limit counts: messages of history.
    replayed: usize,
    /// Bytes that have left so far.
    pub(super) written: u64,
    /// The value of `written` at the last call of `progress`.
    seen: u64,
    /// Whole messages that wait for the end of a fragmented message.
    pub(super) behind: Option<Box<Outbox>>,
}

/// Own bytes that have left are kept up to this number: fewer are not worth a move.
const KEPT: usize = 4 << 10;

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that have not left, without those held back behind a fragmented message.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends a whole message or other bytes, which `write` puts at the end of the buffer that it
    /// is lent. A fragmented message under way holds them back until its end.
    #[inline]
    pub(crate) fn push(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        match &mut self.behind {
            None => self.push_now(kind, write),
            Some(behind) => behind.push_now(kind, write),
        }
    }

    /// Appends what may come between the fragments of a message: the next fragment, or a Close
    /// frame.
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

    /// Appends two pieces that the transport has refused.
    pub(crate) fn keep(&mut self, kind: Kind, pieces: [&[u8]; 2]) {
        pieces.iter().for_each(|piece| self.own.keep(piece));
        self.count(kind, pieces.iter().map(|piece| piece.len()).sum());
    }

    /// Keeps frames of which the first `sent` bytes have left. The outbox is empty before the call.
    pub(crate) fn keep_frames(&mut self, frames: &[u8], sent: usize) {
        self.own.keep(frames);
        (self.left, self.len) = (sent, frames.len() - sent);
        self.written += sent as u64;
        self.segments.push_back(Segment::Own { len: frames.len(), sent, kind: Kind::Frames });
    }

    /// Keeps a shared frame of which the first `sent` bytes have left. The outbox is empty before
    /// the call.
    pub(crate) fn keep_shared(&mut self, frame: Shared, sent: usize, drop: Droppable) {
        self.len = frame.len() - sent;
        self.written += sent as u64;
        self.segments.push_back(Segment::Shared { frame, sent, drop });
    }

    /// Appends a pointer to a shared frame.
    pub(crate) fn push_shared(&mut self, frame: Shared, drop: Droppable) {
        if let Some(behind) = &mut self.behind {
            return behind.push_shared(frame, drop);
        }
        // Every segment has something to write.
        if frame.is_empty() {
            return;
        }
        self.len += frame.len();
        if drop == Droppable::Replayed {
            self.replayed += frame.len();
        }
        self.segments.push_back(Segment::Shared { frame, sent: 0, drop });
    }

    /// Queues a control frame before all data that has not begun to leave. Only the latest of
    /// several pongs waits (RFC 6455 5.5.3).
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

    /// Appends one fragment of a message. Whole messages wait until the final fragment.
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

    /// Appends another outbox, of which nothing has left.
    fn append(&mut self, mut other: Outbox) {
        self.len += other.len;
        self.replayed += other.replayed;
        self.own.write(|own| own.extend_from_slice(&other.own));
        self.segments.append(&mut other.segments);
    }

    /// Bytes that wait, including those held back behind a fragmented message.
    pub(crate) fn buffered(&self) -> usize {
        self.len + self.behind.as_deref().map_or(0, Outbox::len)
    }

    /// Bytes of messages of history that wait. No limit counts them.
    pub(crate) fn replayed(&self) -> usize {
        self.replayed + self.behind.as_deref().map_or(0, Outbox::replayed)
    }

    /// Returns the bytes that have left so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Returns the bytes that have left since the last call.
    pub(crate) fn progress(&mut self) -> u64 {
        let progress = self.written - self.seen;
        self.seen = self.written;
        progress
    }

    /// Drops everything that waits but the rest of a frame that has begun. After a frame cut short,
    /// the peer could not read the Close frame that follows.
    pub(crate) fn clear_to_boundary(&mut self) {
        let rest = match self.control_sent {
            0 => self.front()[..self.begun()].to_vec(),
            sent => self.control[sent..].to_vec(),
        };
        *self = Outbox::default();
        self.push(Kind::Bytes, |own| own.extend_from_slice(&rest));
    }

    /// Returns the bytes of the first segment that have not left.
    pub(super) fn front(&self) -> &[u8] {
        match self.segments.front() {
            Some(segment @ Segment::Own { .. }) => &self.own[self.left..self.left + segment.rest()],
            Some(Segment::Shared { frame, sent, .. }) => &frame[*sent..],
            None => &[],
        }
    }

    /// Bytes left of a frame that has begun to leave; 0 at a frame boundary.
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

    /// The place, in the own segment at the front, of the frame that has begun to leave. The range
    /// is empty at a frame boundary. A segment merges many frames and keeps no boundaries, so this
    /// walks the headers, which this program wrote.
    fn frame_under_way(&self) -> Range<usize> {
        let Some(Segment::Own { sent, len, .. }) = self.segments.front() else { return 0..0 };
        let start = self.left - sent;
        let frames = &self.own[start..start + len];
        let (mut begin, mut end) = (0, 0);
        while end < *sent {
            begin = end;
            end = match Header::decode_with(&frames[end..], true) {
                Decoded::Header(header, head) => (end + head + header.len as usize).min(*len),
                Decoded::Partial | Decoded::Violation(_) => *len,
            };
        }
        if end == *sent { end..end } else { begin..end }
    }

    /// Notes that `n` bytes of the control frames have left.
    pub(super) fn control_left(&mut self, n: usize) {
        self.control_sent += n;
        if self.control_sent == self.control.len() {
            self.control = Vec::new();
            self.control_sent = 0;
            self.pong = None;
        }
    }

    /// Notes that `n` bytes of the segments have left.
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
                Segment::Shared { sent, drop, .. } => {
                    *sent += taken;
                    if *drop == Droppable::Replayed {
                        self.replayed -= taken;
                    }
                }
            }
            n -= taken;
            if taken == rest {
                self.segments.pop_front();
            }
        }
        self.compact();
    }

    /// Forgets own bytes that have left, once they are the larger part. Bytes of a frame under way
    /// stay. Without this, a segment that never empties would grow for ever.
    fn compact(&mut self) {
        if self.left == self.own.len() {
            self.own.clear();
            self.left = 0;
        } else if self.left > KEPT && self.left > self.own.len() / 2 {
            let n = self.leave_behind();
            self.own.forget(n);
        }
    }

    /// Stops counting own bytes that have left, but for a frame under way. Returns how many bytes
    /// the caller must remove from the front of `own`.
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

    /// Whether own bytes take more of the heap than waiting bytes should.
    pub(crate) fn is_crowded(&self) -> bool {
        self.own.is_crowded() || self.behind.as_deref().is_some_and(Outbox::is_crowded)
    }

    /// Moves many own bytes out of the heap, since the outbox has to wait.
    pub(crate) fn store_waiting(&mut self) {
        if self.own.is_crowded() {
            let n = self.leave_behind();
            self.own.store_waiting(n);
        }
        if let Some(behind) = &mut self.behind {
            behind.store_waiting();
        }
    }

    /// Empties the outbox after its last byte has left, and keeps the memory of steady use.
    pub(super) fn release(&mut self) {
        (self.len, self.left, self.replayed) = (0, 0, 0);
        self.own.clear();
        // Most often there is only one segment.
        self.segments.pop_front();
        if !self.segments.is_empty() {
            self.segments.clear();
        }
        if !self.control.is_empty() {
            self.control_left(self.control.len() - self.control_sent);
        }
    }

    /// Frees memory beyond `keep` bytes. The outbox is empty.
    pub(crate) fn shrink(&mut self, keep: usize) {
        self.own.shrink(keep);
        if self.segments.capacity() > 16 {
            self.segments = VecDeque::new();
        }
    }
}
