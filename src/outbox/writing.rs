//! Writes an outbox to a transport: chooses the segments of one write, and counts the bytes that
//! have left. This file knows neither what may be dropped nor what follows once the transport is
//! full.

use std::io::{self, IoSlice};

use super::outbox::Outbox;
use super::segment::{Droppable, Segment, Shared};
use crate::net::{Traffic, Transport, Wrote};

/// One call of the transport.
struct Attempt {
    /// Whether the bytes are control frames, not segments.
    is_control: bool,
    /// Bytes that the transport took.
    n: usize,
    is_full: bool,
}

impl Attempt {
    fn new(is_control: bool, outcome: Wrote, asked: usize) -> Attempt {
        Attempt { is_control, n: outcome.taken(asked), is_full: outcome != Wrote::All }
    }
}

/// Segments below this size in bytes are gathered: a copy is cheaper than a slice of a vectored
/// write.
const SMALL: usize = 8 << 10;
/// The most bytes gathered for one write.
const WRITE: usize = 64 << 10;
/// The most larger segments in one vectored write.
const PIECES: usize = 16;
/// The most bytes deflated for one write, but for the last message of them.
const DEFLATED: usize = 16 << 10;

impl Outbox {
    /// Writes until the outbox is empty or the transport is full. Small frames are gathered in
    /// `scratch`.
    pub(crate) fn write_to(
        &mut self,
        transport: &mut Transport,
        scratch: &mut Vec<u8>,
        traffic: &mut Traffic,
    ) -> io::Result<Wrote> {
        debug_assert_eq!(self.deflating, 0, "`write_deflating` writes such an outbox");
        self.write_deflating(transport, scratch, traffic, &mut |frame| Some(frame.to_vec()))
    }

    /// Writes like [`write_to`](Outbox::write_to). From a message that deflates, `deflate` makes
    /// the frame that leaves. Where it makes none, the outbox [is paused](Outbox::is_paused).
    pub(crate) fn write_deflating(
        &mut self,
        transport: &mut Transport,
        scratch: &mut Vec<u8>,
        traffic: &mut Traffic,
        deflate: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
    ) -> io::Result<Wrote> {
        let mut written = 0;
        while self.len > 0 {
            if self.deflating > 0 && self.control.is_empty() {
                self.deflate_front(written.min(DEFLATED), deflate);
                if self.is_paused() {
                    return Ok(Wrote::of(written, self.len + written));
                }
            }
            let Attempt { is_control, n, is_full } =
                self.write_once(transport, scratch, traffic)?;
            written += n;
            self.written += n as u64;
            if n == self.len {
                break;
            }
            self.len -= n;
            if is_control {
                self.control_left(n)
            } else {
                self.segments_left(n)
            }
            if is_full {
                return Ok(Wrote::of(written, self.len + written));
            }
        }
        self.release();
        Ok(Wrote::All)
    }

    /// Whether messages wait that are deflated as they begin to leave.
    #[cfg(feature = "deflate")]
    pub(crate) fn deflates(&self) -> bool {
        self.deflating > 0 || self.behind.as_deref().is_some_and(Outbox::deflates)
    }

    /// Whether the next bytes are still to be deflated. After a write that left some, this says
    /// that the transport may take more.
    pub(crate) fn is_paused(&self) -> bool {
        self.control.is_empty() && self.segments.front().is_some_and(Segment::deflates)
    }

    /// Deflates messages at the front: as many as fill `most` bytes, and one at least. A message
    /// that is deflated can be neither dropped nor replaced, so none is before its turn.
    #[inline(never)]
    fn deflate_front(&mut self, most: usize, deflate: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) {
        let mut ready = 0;
        for segment in &mut self.segments {
            let rest = segment.rest();
            match segment {
                Segment::Shared { drop: Droppable::Deflated, .. } => ready += rest,
                Segment::Shared { frame, drop, .. }
                    if drop.deflates() && (ready == 0 || ready < most) =>
                {
                    let Some(deflated) = deflate(frame) else { return };
                    if drop.is_replayed() {
                        self.replayed -= rest;
                    }
                    self.len = self.len - rest + deflated.len();
                    self.deflating -= 1;
                    ready += deflated.len();
                    (*frame, *drop) = (Shared::new(deflated), Droppable::Deflated);
                }
                _ => return,
            }
        }
    }

    /// Writes control frames at a frame boundary, else as many segments as one write takes.
    fn write_once(
        &self,
        transport: &mut Transport,
        scratch: &mut Vec<u8>,
        traffic: &mut Traffic,
    ) -> io::Result<Attempt> {
        let front = self.front();
        let (is_control, piece) = if self.control.is_empty() {
            match self.segments.len() > 1 {
                true if is_small(front) => (false, self.gather(scratch)),
                true => return self.write_large(transport, traffic),
                false => (false, front),
            }
        } else {
            // Only here, since `begun` walks all frames of the segment.
            match self.begun() {
                0 => (true, &self.control[self.control_sent..]),
                begun => (false, &front[..begun]),
            }
        };
        Ok(Attempt::new(is_control, transport.write(piece, traffic)?, piece.len()))
    }

    /// Gathers the small segments at the front.
    fn gather<'s>(&self, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        scratch.clear();
        for piece in self.pieces().take_while(|piece| is_small(piece)) {
            if scratch.len() + piece.len() > WRITE {
                break;
            }
            scratch.extend_from_slice(piece);
        }
        scratch
    }

    /// Writes the large segments at the front without a copy.
    fn write_large(&self, transport: &mut Transport, traffic: &mut Traffic) -> io::Result<Attempt> {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let (mut count, mut asked) = (0, 0);
        for (slice, piece) in
            slices.iter_mut().zip(self.pieces().take_while(|piece| !is_small(piece)))
        {
            *slice = IoSlice::new(piece);
            (count, asked) = (count + 1, asked + piece.len());
        }
        Ok(Attempt::new(false, transport.write_vectored(&slices[..count], traffic)?, asked))
    }

    /// Returns the bytes of each segment that have not left, up to the first that deflates.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut own = self.left;
        let ready = self.segments.iter().take_while(|segment| !segment.deflates());
        ready.map(move |segment| match segment {
            Segment::Own { .. } => {
                own += segment.rest();
                &self.own[own - segment.rest()..own]
            }
            Segment::Shared { frame, sent, .. } => &frame[*sent..],
        })
    }
}

fn is_small(piece: &[u8]) -> bool {
    piece.len() < SMALL
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::outbox::segment::Kind;

    /// Own and shared segments around `SMALL` arrive in their order through every window. There are
    /// more small ones than one write gathers, and more large ones than one write takes.
    #[test]
    fn outbox_of_small_and_large_segments_leaves_in_order() {
        let large = [SMALL, SMALL + 1, 3 * SMALL].into_iter().cycle().take(2 * PIECES + 3);
        let small = [SMALL - 1, 1, 300].into_iter().cycle().take(60);
        let turns = [SMALL - 1, SMALL, 5, 2 * WRITE, 0, SMALL].into_iter();
        let lens: Vec<usize> = turns.clone().chain(large).chain(small).chain(turns).collect();
        for window in [1_000, SMALL - 1, SMALL, WRITE, WRITE + 1, 1 << 20, usize::MAX] {
            let (mut transport, mut peer) = Transport::memory();
            let (mut outbox, mut scratch, mut expected) =
                (Outbox::default(), Vec::new(), Vec::new());
            for (n, &len) in lens.iter().enumerate() {
                let bytes: Vec<u8> = (0..len).map(|at| (at * 31 + n * 7) as u8).collect();
                expected.extend_from_slice(&bytes);
                match n % 5 {
                    3 => outbox.push(Kind::Bytes, |own| own.extend_from_slice(&bytes)),
                    _ => outbox.push_shared(Arc::new(bytes), Droppable::Never),
                }
            }
            let mut received = Vec::new();
            for _ in 0..=expected.len() / window {
                peer.window(window);
                assert!(
                    outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default()).is_ok()
                );
                received.extend(peer.receive());
                assert_eq!(received.len() + outbox.len(), expected.len(), "window {window}");
            }
            assert!(received == expected && outbox.is_empty(), "window {window}");
            assert!(scratch.capacity() <= 2 * WRITE, "{} bytes are kept", scratch.capacity());
        }
    }

    /// A large frame that waits is written without a copy.
    #[test]
    fn outbox_writes_large_segments_without_a_copy() {
        let (mut transport, mut peer) = Transport::memory();
        let (mut outbox, mut scratch) = (Outbox::default(), Vec::new());
        let frame = Arc::new(vec![7; SMALL]);
        for _ in 0..3 * PIECES {
            outbox.push_shared(Arc::clone(&frame), Droppable::Never);
        }
        assert_eq!(
            outbox.write_to(&mut transport, &mut scratch, &mut Traffic::default()).ok(),
            Some(Wrote::All)
        );
        assert_eq!((peer.receive().len(), scratch.capacity()), (3 * PIECES * SMALL, 0));
    }
}
