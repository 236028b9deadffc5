//! A message that has begun and not ended: the fragments so far, and how far the frame on the wire has come.
//! Does not read headers and knows no limit; [`decode`](super::decode()) has judged every frame before it gets here.

use std::mem;

use super::mask::apply_and_see;
use super::{Header, Message, Opcode, Utf8, Violation, rotate};

/// Of a frame that still brings as much as this, the rest is best received where it is to stay.
const LARGE: usize = 16 << 10;

/// An unfinished message. It holds what has arrived of it, unmasked and, if text, known to begin UTF-8 before anybody waits for more; of
/// a compressed message the bytes as they are.
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
    /// The masking key, turned to the next byte.
    key: Option<[u8; 4]>,
    /// What has arrived, and room for more.
    bytes: Vec<u8>,
    /// How many bytes have arrived, and how many of those have been judged.
    filled: usize,
    judged: usize,
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
    /// The message, borrowed.
    ///
    /// # Errors
    /// [`Violation::InvalidUtf8`] for text that is none (section 8.1). All that had arrived before the last piece has been judged when it
    /// did; this looks at the whole.
    pub fn message(&self) -> Result<Message<'_>, Violation> {
        match self.is_text {
            true => simdutf8::basic::from_utf8(&self.bytes)
                .map(Message::Text)
                .map_err(|_| Violation::InvalidUtf8),
            false => Ok(Message::Binary(&self.bytes)),
        }
    }

    /// How many bytes the message has.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
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
            judged: 0,
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
    /// [`decode`](super::decode()) yields in the end is the last of these chunks.
    pub fn take_chunk(&mut self) -> Option<Assembled> {
        let len = self.filled - self.utf8.carried();
        if self.compressed || len == 0 {
            return None;
        }
        let begun = self.bytes[len..self.filled].to_vec();
        let mut bytes = mem::replace(&mut self.bytes, begun);
        bytes.truncate(len);
        self.taken += len;
        (self.filled, self.judged) = (self.filled - len, self.judged - len);
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

    /// How many bytes of a large frame are best received at once: about so many. A rest that would no longer be large comes along, for alone
    /// it would wait for the next turn.
    pub(crate) fn piece(&self, about: usize) -> usize {
        let rest = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        if rest.saturating_sub(about) < LARGE { rest } else { about }
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

    /// So many bytes of the current frame have been received. They are unmasked while they are in the cache.
    pub(crate) fn received(&mut self, n: usize) {
        let payload = &mut self.bytes[self.filled..self.filled + n];
        if let Some(key) = self.key {
            let is_ascii = apply_and_see(payload, key);
            self.key = Some(rotate(key, n));
            // What is whole characters until here goes on as such: nothing is left to be judged.
            if is_ascii && self.judged == self.filled && self.utf8.is_complete() {
                self.judged += n;
            }
        }
        self.filled += n;
        self.remaining = self.remaining.saturating_sub(n as u64);
    }

    /// Takes bytes of the current frame, no more than remain of it.
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
        self.bytes.reserve_exact(growth(
            self.bytes.len(),
            self.bytes.capacity(),
            rest.len(),
            at_most,
        ));
        self.bytes.extend_from_slice(rest);
        self.received(payload.len());
    }

    /// Judges what has arrived, if it is text, wherever the piece ends: before anybody waits for more of it (section 8.1).
    pub(super) fn judge(&mut self) -> Result<(), Violation> {
        let fresh = mem::replace(&mut self.judged, self.filled)..self.filled;
        match !self.is_plain_text() || self.utf8.push(&self.bytes[fresh]).is_ok() {
            true => Ok(()),
            false => Err(Violation::InvalidUtf8),
        }
    }

    /// The message, once it is whole.
    pub(super) fn finish(mut self) -> Assembled {
        self.bytes.truncate(self.filled);
        Assembled { is_text: self.is_plain_text(), bytes: self.bytes }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Receives pieces of one frame of text, each masked with a key of zeros, and judges after those that say so: the first refused.
    fn refused(pieces: &[(&[u8], bool)]) -> Option<usize> {
        let len = pieces.iter().map(|(piece, _)| piece.len() as u64).sum();
        let header =
            Header { fin: true, rsv1: false, opcode: Opcode::Text, key: Some([0; 4]), len };
        let mut assembly = Assembly::new(&header, Vec::with_capacity(64));
        assembly.bytes.resize(64, 0);
        assembly.begin_frame(true, header.key, len);
        pieces.iter().position(|(piece, judged)| {
            assembly.space(piece.len()).copy_from_slice(piece);
            assembly.received(piece.len());
            *judged && assembly.judge().is_err()
        })
    }

    #[test]
    fn piece_takes_a_little_rest_along() {
        for (rest, piece) in
            [(0, 200_000), (LARGE - 1, 200_000 + LARGE - 1), (LARGE, 200_000), (1 << 40, 200_000)]
        {
            let len = 200_000 + rest as u64;
            let header = Header { fin: true, rsv1: false, opcode: Opcode::Binary, key: None, len };
            let mut assembly = Assembly::new(&header, Vec::new());
            assembly.begin_frame(true, None, len);
            assert_eq!(assembly.piece(200_000), piece, "{rest} bytes more");
        }
    }

    #[test]
    fn ascii_is_taken_for_judged_only_where_all_before_it_is() {
        assert_eq!(
            refused(&[
                (b"caf", true),
                (b"e", true),
                (b"\xC3", true),
                (b"\xA9", true),
                (b"!", true)
            ]),
            None
        );
        assert_eq!(refused(&[(b"caf\xC3", true), (b"e", true), (b"!", true)]), Some(1));
        assert_eq!(refused(&[(b"\xC3", false), (b"e", false), (b"!", true)]), Some(2));
        assert_eq!(
            refused(&[(b"a", false), (b"\xFF", false), (b"e", false), (b"!", true)]),
            Some(3)
        );
        assert_eq!(refused(&[(b"a", false), (b"b", false), (b"\xFF", true)]), Some(2));
    }
}
