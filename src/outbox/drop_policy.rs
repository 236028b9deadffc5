//! Drops whole messages from an outbox, and only those of which no byte has left. This file does
//! not know when to drop.

use std::mem;
use std::sync::Arc;

use super::outbox::Outbox;
use super::paged_buf::PagedBuf;
use super::segment::{Droppable, Kind, Segment};
use crate::websocket::{Decoded, Header};

impl Outbox {
    /// Splits own segments into one segment for each frame, so that a policy can drop one message.
    /// Only output that the transport has refused is split. With `takeover`, later compressed
    /// messages may refer to earlier ones.
    pub(crate) fn take_apart(&mut self, takeover: bool) {
        let mut at = self.left;
        for segment in mem::take(&mut self.segments) {
            match segment {
                // A frame is found by its header, so the bytes that have left are needed too: they
                // still lie before `left`.
                Segment::Own { len, sent, kind: Kind::Frames } => {
                    let frames = self.own[at - sent..at - sent + len].to_vec();
                    at += len - sent;
                    self.push_frames(&frames, sent, takeover);
                }
                Segment::Own { len, sent, .. } => {
                    let bytes = Arc::new(self.own[at..at + len - sent].to_vec());
                    at += len - sent;
                    self.segments.push_back(Segment::Shared {
                        frame: bytes,
                        sent: 0,
                        drop: Droppable::Whole,
                    });
                }
                shared => self.segments.push_back(shared),
            }
        }
        self.own = PagedBuf::default();
        self.left = 0;
        self.places = None;
        if let Some(behind) = &mut self.behind {
            behind.take_apart(takeover);
        }
    }

    /// Appends one segment for each frame that has not left entirely.
    fn push_frames(&mut self, frames: &[u8], sent: usize, takeover: bool) {
        let mut start = 0;
        while start < frames.len() {
            // This program wrote these headers, so none is invalid.
            let Decoded::Header(header, head) = Header::decode_with(&frames[start..], true) else {
                return;
            };
            let end = start + head + header.len as usize;
            // A fragment needs the other fragments, and later messages may refer to a compressed
            // one.
            let whole = header.fin && header.opcode.is_start() && !(header.rsv1 && takeover);
            let drop = if whole { Droppable::message(0) } else { Droppable::Never };
            if end > sent {
                let frame = Arc::new(frames[start..end].to_vec());
                self.segments.push_back(Segment::Shared {
                    frame,
                    sent: sent.saturating_sub(start),
                    drop,
                });
            }
            start = end;
        }
    }

    /// Drops the latest messages until at most `max` bytes wait or no message may be dropped.
    /// Returns the number of messages dropped.
    pub(crate) fn drop_newest(&mut self, max: usize) -> u64 {
        let behind = self.behind.as_mut();
        let mut dropped =
            behind.map_or(0, |behind| behind.drop_newest(max.saturating_sub(self.len)));
        let mut at = self.segments.len();
        while self.buffered() > max && at > 0 {
            at -= 1;
            dropped += u64::from(self.drop_at(at));
        }
        // The numbers of later messages have changed.
        self.places = None;
        dropped
    }

    /// Drops the oldest messages until at most `max` bytes wait or no message may be dropped.
    /// Returns the number of messages dropped.
    pub(crate) fn drop_oldest(&mut self, max: usize) -> u64 {
        let (mut dropped, mut at) = (0, 0);
        while self.buffered() > max && at < self.segments.len() {
            match self.drop_at(at) {
                true => dropped += 1,
                false => at += 1,
            }
        }
        let behind = self.behind.as_mut();
        dropped + behind.map_or(0, |behind| behind.drop_oldest(max.saturating_sub(self.len)))
    }

    /// Bytes that wait, without the rest of a message that has begun to leave, and without what was
    /// deflated to leave with it. These can no longer be dropped, so they do not count against the
    /// peer.
    pub(crate) fn buffered_behind_begun(&self) -> usize {
        let begun = self.segments.iter().take_while(|segment| match segment {
            Segment::Shared { drop: Droppable::Deflated, .. } => true,
            Segment::Shared { sent, drop: Droppable::Message { .. }, .. } => *sent > 0,
            _ => false,
        });
        self.buffered() - begun.map(Segment::rest).sum::<usize>()
    }

    /// Drops the segment at an index, and returns whether it may be dropped. The numbers of the
    /// segments before it change. From the front on, none of them is in the index of keys.
    pub(super) fn drop_at(&mut self, at: usize) -> bool {
        match self.segments.get(at) {
            Some(Segment::Shared { sent: 0, drop: drop @ Droppable::Message { .. }, frame }) => {
                self.len -= frame.len();
                self.deflating -= usize::from(drop.deflates());
                self.segments.remove(at);
                self.first += 1;
                true
            }
            _ => false,
        }
    }
}
