//! A message that has begun and not ended: the fragments so far, and how far the frame on the wire has come.
//! Does not read headers and knows no limit; [`receive`](super::receive()) has judged every frame before it gets here.

use std::mem;

use super::{Header, Message, Opcode, Utf8, Violation, apply, rotate};

/// Bytes are unmasked and judged in blocks of so many, so that the second look at a block finds it in the nearest cache.
const BLOCK: usize = 16 << 10;

/// Of a frame that still brings as much as this, the rest is best received where it is to stay.
const LARGE: usize = 16 << 10;

/// An unfinished message. It holds what has arrived of it, unmasked and, if text, already known to begin UTF-8; of a compressed
/// message the bytes as they are.
///
/// Its memory follows the bytes that arrived, at most twice as many, never the length that a header declares, unless it was given to it.
#[derive(PartialEq, Eq, Debug)]
pub struct Assembly {
    /// Of the message: text or binary.
    opcode: Opcode,
    /// The message is compressed (RFC 7692 section 6).
    compressed: bool,
    /// The current frame is the message's last.
    fin: bool,
    utf8: Utf8,
    /// The masking key, turned to the next byte to be unmasked.
    key: Option<[u8; 4]>,
    /// What has arrived, and room for more.
    bytes: Vec<u8>,
    /// How many bytes have arrived, and how many of those, the last ones, are neither unmasked nor judged.
    filled: usize,
    fresh: usize,
    /// Bytes of the current frame's payload that are still to come.
    remaining: u64,
    /// Bytes of the message that were taken out already, as chunks.
    taken: usize,
}

/// A message that came in pieces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assembled {
    is_text: bool,
    bytes: Vec<u8>,
}

impl Assembled {
    /// The message, borrowed. Text has been judged as it arrived; that it is text, a look at all of it has to show once more.
    pub fn message(&self) -> Message<'_> {
        match self.is_text {
            true => Message::Text(simdutf8::basic::from_utf8(&self.bytes).unwrap_or_default()),
            false => Message::Binary(&self.bytes),
        }
    }

    /// The memory it is in, for another message.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }
}

impl Assembly {
    /// A message that begins with the frame of this header, in this memory; see [`begin_frame`](Assembly::begin_frame).
    pub(super) fn new(first: &Header, memory: Vec<u8>) -> Assembly {
        Assembly {
            opcode: first.opcode,
            compressed: first.rsv1,
            fin: false,
            utf8: Utf8::new(),
            key: None,
            bytes: memory,
            filled: 0,
            fresh: 0,
            remaining: 0,
            taken: 0,
        }
    }

    /// What has arrived.
    #[cfg(feature = "deflate")]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// The opcode of a message that is compressed; `None` if it is not.
    pub(super) fn compressed(&self) -> Option<Opcode> {
        self.compressed.then_some(self.opcode)
    }

    fn is_plain_text(&self) -> bool {
        self.opcode == Opcode::Text && !self.compressed
    }

    /// How many bytes of the message have arrived.
    pub fn len(&self) -> usize {
        self.taken + self.filled
    }

    /// Whether no byte of the message has arrived.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes the message holds of memory.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Takes out what has arrived, so that a message of any length needs little memory: text is valid by itself, the beginning of
    /// a character waits for its rest. `None` if nothing is there, or if the message is compressed. What
    /// [`receive`](super::receive()) yields in the end is the last of these chunks.
    pub fn take_chunk(&mut self) -> Option<Assembled> {
        let len = self.filled - self.utf8.carried();
        if self.compressed || len == 0 {
            return None;
        }
        let begun = self.bytes[len..self.filled].to_vec();
        let mut bytes = mem::replace(&mut self.bytes, begun);
        bytes.truncate(len);
        self.taken += len;
        self.filled -= len;
        Some(Assembled { is_text: self.is_plain_text(), bytes })
    }

    /// How many bytes the current frame still brings.
    #[inline]
    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Whether every byte of the last frame is here.
    #[inline]
    pub(super) fn is_whole(&self) -> bool {
        self.fin && self.remaining == 0
    }

    /// The next frame of the message begins.
    #[inline]
    pub(super) fn begin_frame(&mut self, fin: bool, key: Option<[u8; 4]>, len: u64) {
        (self.fin, self.key, self.remaining) = (fin, key, len);
    }

    /// Whether so much of the frame has come and is still to come that the rest is best received right here.
    pub(crate) fn is_large(&self) -> bool {
        self.remaining >= LARGE as u64 && self.bytes.len() >= LARGE
    }

    /// Where the next bytes of the frame may be received, at most `most` of them. To be followed by
    /// [`received`](Assembly::received).
    pub(crate) fn space(&mut self, most: usize) -> &mut [u8] {
        let rest = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        if self.filled == self.bytes.len() {
            let room = rest.min(self.filled);
            self.bytes.reserve_exact(room);
            self.bytes.resize(self.filled + room, 0);
        }
        let end = self.bytes.len().min(self.filled.saturating_add(rest.min(most)));
        &mut self.bytes[self.filled..end]
    }

    /// So many bytes of the current frame have been received; [`judge`](Assembly::judge) is to look at them.
    pub(crate) fn received(&mut self, n: usize) {
        self.filled += n;
        self.fresh += n;
        self.remaining = self.remaining.saturating_sub(n as u64);
    }

    /// Takes bytes of the current frame, no more than remain of it; [`judge`](Assembly::judge) is to look at them.
    pub(super) fn append(&mut self, payload: &[u8]) {
        let roomy = payload.len().min(self.bytes.len() - self.filled);
        let (first, rest) = payload.split_at(roomy);
        self.bytes[self.filled..self.filled + roomy].copy_from_slice(first);
        let declared = self.remaining.saturating_sub(payload.len() as u64);
        // Of a last frame the end is known, so that doubling need not go beyond it.
        let at_most = match (self.fin, usize::try_from(declared)) {
            (true, Ok(to_come)) => to_come,
            _ => usize::MAX,
        };
        self.bytes.reserve_exact(growth(self.bytes.len(), self.bytes.capacity(), rest.len(), at_most));
        self.bytes.extend_from_slice(rest);
        self.received(payload.len());
    }

    /// Unmasks what was received last and judges it, if it is text: each byte when it arrives, wherever a piece ends (section 8.1).
    pub(super) fn judge(&mut self) -> Result<(), Violation> {
        let is_text = self.is_plain_text();
        let fresh = self.filled - mem::take(&mut self.fresh)..self.filled;
        for block in self.bytes[fresh].chunks_mut(BLOCK) {
            if let Some(key) = self.key {
                apply(block, key);
                self.key = Some(rotate(key, block.len()));
            }
            if is_text && self.utf8.push(block).is_err() {
                return Err(Violation::InvalidUtf8);
            }
        }
        Ok(())
    }

    /// The message, once it is whole.
    pub(super) fn finish(mut self) -> Result<Assembled, Violation> {
        self.bytes.truncate(self.filled);
        match self.utf8.is_complete() {
            true => Ok(Assembled { is_text: self.is_plain_text(), bytes: self.bytes }),
            false => Err(Violation::InvalidUtf8), // 8.1: the message ends within a character
        }
    }
}

/// How many bytes to reserve so that `new` ones fit: nothing while there is room, else as much again as will have
/// arrived, but not beyond the `rest` that is still to come.
fn growth(len: usize, capacity: usize, new: usize, rest: usize) -> usize {
    match capacity - len >= new {
        true => 0,
        false => new.saturating_add(rest.min(len.saturating_add(new))),
    }
}
