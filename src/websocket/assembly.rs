//! A message that has begun and not ended: the fragments so far, and how far the frame on the wire has come.
//! Does not read headers and knows no limit; [`receive`](super::receive()) has judged every frame before it gets here.

use std::mem;

use super::{Header, Message, Opcode, Utf8, Violation, apply, rotate};

/// An unfinished message. It holds what has arrived of it, unmasked and, if text, already known to be UTF-8; of a compressed
/// message the bytes as they are.
///
/// Its memory follows the bytes that arrived, at most twice as many, never the length that a header declares.
#[derive(PartialEq, Eq, Debug)]
pub struct Assembly {
    body: Body,
    /// Bytes of the current frame's payload that are still to come.
    remaining: u64,
    /// The masking key, turned to the next of these bytes.
    key: Option<[u8; 4]>,
    /// The current frame is the message's last.
    fin: bool,
    /// Bytes of the message that were taken out already, as chunks.
    taken: usize,
    /// The message is compressed (RFC 7692 section 6), and what its opcode is.
    compressed: Option<Opcode>,
}

#[derive(PartialEq, Eq, Debug)]
enum Body {
    /// What has arrived, without the `Utf8`'s unfinished character.
    Text(String, Utf8),
    Binary(Vec<u8>),
}

/// A message that came in pieces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Assembled {
    /// Text, which is UTF-8.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Assembled {
    /// The message, borrowed.
    pub fn message(&self) -> Message<'_> {
        match self {
            Assembled::Text(text) => Message::Text(text),
            Assembled::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

impl Assembly {
    /// A message that begins with the frame of this header; see [`begin_frame`](Assembly::begin_frame).
    pub(super) fn new(first: &Header) -> Assembly {
        let body = match first.opcode {
            Opcode::Text if !first.rsv1 => Body::Text(String::new(), Utf8::new()),
            _ => Body::Binary(Vec::new()),
        };
        Assembly { body, remaining: 0, key: None, fin: false, taken: 0, compressed: first.rsv1.then_some(first.opcode) }
    }

    /// What has arrived, without the beginning of a character at the end of text.
    #[cfg(feature = "deflate")]
    pub(super) fn as_bytes(&self) -> &[u8] {
        match &self.body {
            Body::Text(text, _) => text.as_bytes(),
            Body::Binary(bytes) => bytes,
        }
    }

    /// The opcode of a message that is compressed; `None` if it is not.
    pub(super) fn compressed(&self) -> Option<Opcode> {
        self.compressed
    }

    /// How many bytes of the message have arrived.
    pub fn len(&self) -> usize {
        self.taken
            + match &self.body {
                Body::Text(text, utf8) => text.len() + utf8.carried(),
                Body::Binary(bytes) => bytes.len(),
            }
    }

    /// Takes out what has arrived, so that a message of any length needs little memory: text is valid by itself, the beginning of
    /// a character waits for its rest. `None` if nothing is there, or if the message is compressed. What
    /// [`receive`](super::receive()) yields in the end is the last of these chunks.
    pub fn take_chunk(&mut self) -> Option<Assembled> {
        let chunk = match &mut self.body {
            _ if self.compressed.is_some() => return None,
            Body::Text(text, _) if text.is_empty() => return None,
            Body::Binary(bytes) if bytes.is_empty() => return None,
            Body::Text(text, _) => Assembled::Text(mem::take(text)),
            Body::Binary(bytes) => Assembled::Binary(mem::take(bytes)),
        };
        self.taken += chunk.message().len();
        Some(chunk)
    }

    /// Whether no byte of the message has arrived.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes the message holds of memory.
    pub fn capacity(&self) -> usize {
        match &self.body {
            Body::Text(text, _) => text.capacity(),
            Body::Binary(bytes) => bytes.capacity(),
        }
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

    /// Takes bytes of the current frame, no more than remain of it, and unmasks them in place on the way.
    pub(super) fn append(&mut self, payload: &mut [u8]) -> Result<(), Violation> {
        if let Some(key) = self.key {
            apply(payload, key);
            self.key = Some(rotate(key, payload.len()));
        }
        let declared = self.remaining.saturating_sub(payload.len() as u64);
        // Of a last frame the end is known, so that doubling need not go beyond it.
        let at_most = match (self.fin, usize::try_from(declared)) {
            (true, Ok(rest)) => rest,
            _ => usize::MAX,
        };
        self.remaining = declared;
        match &mut self.body {
            Body::Binary(bytes) => {
                let growth = growth(bytes.len(), bytes.capacity(), payload.len(), at_most);
                bytes.reserve_exact(growth);
                bytes.extend_from_slice(payload);
            }
            Body::Text(text, utf8) => {
                let Ok(valid) = utf8.push(payload) else {
                    return Err(Violation::InvalidUtf8); // 8.1
                };
                let new = valid.text.len() + valid.joined.map_or(0, char::len_utf8);
                let growth = growth(text.len(), text.capacity(), new, at_most.saturating_add(utf8.carried()));
                text.reserve_exact(growth);
                text.extend(valid.joined);
                text.push_str(valid.text);
            }
        }
        Ok(())
    }

    /// The message, once it is whole.
    pub(super) fn finish(self) -> Result<Assembled, Violation> {
        match self.body {
            Body::Binary(bytes) => Ok(Assembled::Binary(bytes)),
            Body::Text(text, utf8) if utf8.is_complete() => Ok(Assembled::Text(text)),
            Body::Text(..) => Err(Violation::InvalidUtf8), // 8.1: the message ends within a character
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
