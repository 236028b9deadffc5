//! An unfinished message: the fragments so far, and the position in the current frame.
//! This file reads no header and knows no limit: [`decode`](super::decode()) checks every frame
//! before its payload gets here.

use std::mem;

use super::frame::{Header, Opcode};
use super::mask::{apply_and_see, rotate};
use super::message::Message;
use super::utf8::Utf8;
use super::violation::Violation;

/// The remaining bytes from which on the rest of a frame is received into the message's own memory.
const LARGE: usize = 16 << 10;

/// An unfinished message. [`decode`](super::decode()) keeps the bytes that arrived here, unmasked;
/// text is validated before more input is awaited, compressed bytes stay as they are.
///
/// The memory is at most twice the bytes that arrived, or what the caller lent. The length that a
/// header declares allocates nothing.
///
/// ```
/// use switchboard::proto::websocket::{Event, Role, Rules, decode};
///
/// let rules = Rules { role: Role::Client, max_message: 16 << 20, compression: false };
/// let (mut assembly, mut start, mut end) = (None, *b"\x01\x03Hel", *b"\x80\x02lo");
/// assert_eq!(decode(&rules, &mut assembly, &mut start), (5, Event::More));
/// assert_eq!(assembly.as_ref().map(|assembly| assembly.len()), Some(3));
/// let event = decode(&rules, &mut assembly, &mut end).1;
/// let Event::Assembled(assembled) = event else { panic!() };
/// assert_eq!(assembled.message(), Ok("Hello".into()));
/// assert!(assembly.is_none());
/// ```
#[derive(PartialEq, Eq, Debug)]
pub struct Assembly {
    /// The opcode of the message's first frame: text or binary.
    opcode: Opcode,
    /// The message is compressed (RFC 7692 section 6).
    compressed: bool,
    /// The current frame is the last of the message.
    fin: bool,
    utf8: Utf8,
    /// The masking key, rotated to the next byte.
    key: Option<[u8; 4]>,
    /// The bytes that arrived, then room for more.
    bytes: Vec<u8>,
    /// The number of bytes that arrived, and the number of validated ones.
    filled: usize,
    validated: usize,
    /// The bytes of the current frame's payload that are still to come.
    remaining: u64,
    /// The bytes of the message that were taken out as chunks.
    taken: usize,
}

/// A message that came in pieces: in fragments, or in a frame cut by the end of the input.
///
/// ```
/// use switchboard::proto::websocket::{Event, Message, Role, Rules, decode};
///
/// let rules = Rules { role: Role::Client, max_message: 16 << 20, compression: false };
/// let mut input = *b"\x02\x01a\x80\x01b";
/// let (_, Event::Assembled(assembled)) = decode(&rules, &mut None, &mut input) else { panic!() };
/// assert_eq!(assembled.message(), Ok(Message::Binary(b"ab")));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assembled {
    is_text: bool,
    bytes: Vec<u8>,
}

impl Assembled {
    /// Validates the whole and borrows the message.
    ///
    /// # Errors
    /// [`Violation::InvalidUtf8`] for text that is not UTF-8 (section 8.1). Only the last piece can
    /// be at fault, because earlier pieces were validated on arrival.
    pub fn message(&self) -> Result<Message<'_>, Violation> {
        match self.is_text {
            true => simdutf8::basic::from_utf8(&self.bytes)
                .map(Message::Text)
                .map_err(|_| Violation::InvalidUtf8),
            false => Ok(Message::Binary(&self.bytes)),
        }
    }

    /// The length of the message in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the message is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The memory of the message, for the next one.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }
}

impl Assembly {
    /// Makes the message that the first header announces, in the given memory. A call of
    /// [`begin_frame`](Assembly::begin_frame) follows.
    pub(super) fn new(first: &Header, memory: Vec<u8>) -> Assembly {
        Assembly {
            opcode: first.opcode,
            compressed: first.rsv1,
            fin: false,
            utf8: Utf8::new(),
            key: None,
            bytes: memory,
            filled: 0,
            validated: 0,
            remaining: 0,
            taken: 0,
        }
    }

    /// The bytes that arrived.
    #[cfg(feature = "deflate")]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// The opcode of a compressed message; `None` for any other.
    pub(super) fn compressed(&self) -> Option<Opcode> {
        self.compressed.then_some(self.opcode)
    }

    fn is_plain_text(&self) -> bool {
        self.opcode == Opcode::Text && !self.compressed
    }

    /// The number of bytes of the message that arrived.
    #[must_use]
    pub fn len(&self) -> usize {
        self.taken + self.filled
    }

    /// Whether no byte of the message arrived.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The allocated memory in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Takes out the bytes that arrived, so that a message of any length needs little memory. A
    /// chunk of text is UTF-8 by itself: an unfinished character waits for the next one.
    ///
    /// `None` if no byte is there, or if the message is compressed. The message that
    /// [`decode`](super::decode()) yields in the end is the last chunk.
    pub fn take_chunk(&mut self) -> Option<Assembled> {
        let len = self.filled - self.utf8.carried();
        if self.compressed || len == 0 {
            return None;
        }
        let begun = self.bytes[len..self.filled].to_vec();
        let mut bytes = mem::replace(&mut self.bytes, begun);
        bytes.truncate(len);
        self.taken += len;
        (self.filled, self.validated) = (self.filled - len, self.validated - len);
        Some(Assembled { is_text: self.is_plain_text(), bytes })
    }

    /// The bytes of the current frame that are still to come.
    #[inline]
    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Whether every byte of the message arrived.
    #[inline]
    pub(super) fn is_whole(&self) -> bool {
        self.fin && self.remaining == 0
    }

    /// Begins the next frame of the message.
    #[inline]
    pub(super) fn begin_frame(&mut self, fin: bool, key: Option<[u8; 4]>, len: u64) {
        (self.fin, self.key, self.remaining) = (fin, key, len);
    }

    /// Whether the rest of the frame should be received right here: 16 KiB or more are there, and
    /// as much is still to come.
    pub(crate) fn is_large(&self) -> bool {
        self.remaining >= LARGE as u64 && self.bytes.len() >= LARGE
    }

    /// The bytes of a large frame to receive at once: `about` as many. A rest below 16 KiB comes
    /// along, because alone the rest would wait for the next turn.
    pub(crate) fn piece(&self, about: usize) -> usize {
        let rest = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        if rest.saturating_sub(about) < LARGE { rest } else { about }
    }

    /// The room for the next bytes of the frame, at most `most` of them. A call of
    /// [`received`](Assembly::received) follows.
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

    /// Unmasks `n` bytes received into the [`space`](Assembly::space) while they are in the cache.
    pub(crate) fn received(&mut self, n: usize) {
        let payload = &mut self.bytes[self.filled..self.filled + n];
        if let Some(key) = self.key {
            let is_ascii = apply_and_see(payload, key);
            self.key = Some(rotate(key, n));
            // ASCII behind whole characters needs no validation.
            if is_ascii && self.validated == self.filled && self.utf8.is_complete() {
                self.validated += n;
            }
        }
        self.filled += n;
        self.remaining = self.remaining.saturating_sub(n as u64);
    }

    /// Copies bytes of the current frame, at most as many as remain.
    pub(super) fn append(&mut self, payload: &[u8]) {
        let roomy = payload.len().min(self.bytes.len() - self.filled);
        let (first, rest) = payload.split_at(roomy);
        self.bytes[self.filled..self.filled + roomy].copy_from_slice(first);
        let declared = self.remaining.saturating_sub(payload.len() as u64);
        // The end of a last frame is known, so that doubling need not go beyond.
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

    /// Validates the text that arrived since the last call, wherever the piece ends (section 8.1).
    pub(super) fn validate(&mut self) -> Result<(), Violation> {
        let fresh = mem::replace(&mut self.validated, self.filled)..self.filled;
        match !self.is_plain_text() || self.utf8.push(&self.bytes[fresh]).is_ok() {
            true => Ok(()),
            false => Err(Violation::InvalidUtf8),
        }
    }

    /// Makes the message, which must be whole.
    pub(super) fn finish(mut self) -> Assembled {
        self.bytes.truncate(self.filled);
        Assembled { is_text: self.is_plain_text(), bytes: self.bytes }
    }
}

/// The bytes to reserve so that `new` ones fit: none while there is room. Else the room doubles,
/// but not beyond the `rest` that is still to come.
fn growth(len: usize, capacity: usize, new: usize, rest: usize) -> usize {
    match capacity - len >= new {
        true => 0,
        false => new.saturating_add(rest.min(len.saturating_add(new))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Receives pieces of one frame of text with a key of zeros, and validates after marked pieces:
    /// returns the index of the first refused piece.
    fn refused(pieces: &[(&[u8], bool)]) -> Option<usize> {
        let len = pieces.iter().map(|(piece, _)| piece.len() as u64).sum();
        let header =
            Header { fin: true, rsv1: false, opcode: Opcode::Text, key: Some([0; 4]), len };
        let mut assembly = Assembly::new(&header, Vec::with_capacity(64));
        assembly.bytes.resize(64, 0);
        assembly.begin_frame(true, header.key, len);
        pieces.iter().position(|(piece, validated)| {
            assembly.space(piece.len()).copy_from_slice(piece);
            assembly.received(piece.len());
            *validated && assembly.validate().is_err()
        })
    }

    #[test]
    fn growth_doubles_the_room_up_to_the_end_of_the_message() {
        assert_eq!(growth(10, 64, 54, usize::MAX), 0, "there is room");
        assert_eq!(growth(64, 64, 10, usize::MAX), 10 + 74);
        assert_eq!(growth(64, 64, 10, 20), 10 + 20, "the end is known");
        assert_eq!(growth(64, 64, 10, 0), 10);
        assert_eq!(growth(64, 64, usize::MAX, usize::MAX), usize::MAX, "no overflow");
    }

    #[test]
    fn piece_includes_a_short_rest() {
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
    fn ascii_skips_validation_only_behind_validated_text() {
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
