//! Frames that no topic keeps any more and that still wait in outboxes. Their bytes count until the
//! last outbox has let go of them. This file knows no outbox: it looks at the count of references.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use crate::outbox::Shared;

/// Trimmed frames that are still in use, each with the bytes that it counts.
#[derive(Debug, Default)]
pub(super) struct Queued {
    frames: VecDeque<(Weak<Vec<u8>>, usize)>,
    bytes: usize,
}

impl Queued {
    /// The bytes of all frames that were in use when they were looked at last.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Counts a frame for as long as it is in use.
    pub(super) fn add(&mut self, frame: &Shared, bytes: usize) {
        self.frames.push_back((Arc::downgrade(frame), bytes));
        self.bytes += bytes;
    }

    /// Looks at some of the frames, in turn, and forgets those that are no longer in use.
    pub(super) fn sweep(&mut self, count: usize) {
        for _ in 0..count.min(self.frames.len()) {
            let Some((frame, bytes)) = self.frames.pop_front() else { return };
            match frame.strong_count() {
                0 => self.bytes -= bytes,
                _ => self.frames.push_back((frame, bytes)),
            }
        }
        if self.frames.capacity() > 64 && self.frames.len() < self.frames.capacity() / 4 {
            self.frames.shrink_to(self.frames.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_counts_until_its_last_reference_goes() {
        let mut queued = Queued::default();
        let mut frames: Vec<Shared> = (0..1000).map(|n| Arc::new(vec![0; n])).collect();
        frames.iter().for_each(|frame| queued.add(frame, frame.len()));
        let second = Arc::clone(&frames[999]);
        assert_eq!(queued.bytes(), 999 * 1000 / 2);
        queued.sweep(usize::MAX);
        assert_eq!(queued.bytes(), 999 * 1000 / 2);
        frames.truncate(10);
        for _ in 0..250 {
            queued.sweep(4);
        }
        assert_eq!(queued.bytes(), 45 + 999, "four at a time, each was looked at");
        drop((frames, second));
        queued.sweep(usize::MAX);
        assert_eq!((queued.bytes(), queued.is_empty()), (0, true));
        assert!(queued.frames.capacity() <= 64);
    }
}
