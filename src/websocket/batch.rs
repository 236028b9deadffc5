//! A batch: short messages of one kind that a client sent together, unmasked and validated at once.
//! This file copies payloads and leaves the input unchanged. decode.rs reads long frames, fragments
//! and control frames.
//!
//! When this was written, batches reduced an echo from 575 to 260 instructions, with 64 messages in
//! a TCP segment. The standard library takes 102 instructions to validate 20 bytes; in a batch,
//! validation takes 4 for each message. Later, a separate buffer for the batch, filled in pieces of
//! fixed length, brought the echo from 93 to 84.

use super::frame::{Header, Opcode};
use super::mask::apply;

/// The length in bytes of a short frame's header with its masking key (RFC 6455 section 5.2).
const HEAD: usize = 6;

/// The bit MASK in the second byte of a header.
const MASK: usize = 0x80;

/// The most messages of a batch.
const MOST: usize = 256;

/// The bytes unmasked at once for a payload up to this length, with the bytes behind the payload. A
/// fixed length needs neither a loop nor a branch.
const WINDOW: usize = 32;

/// The bytes unmasked at once for a short payload longer than [`WINDOW`].
const LARGE_WINDOW: usize = 128;

/// The payloads of whole short messages of one kind, and the length of each. [`take`](Batch::take)
/// fills the memory anew for each batch.
pub(crate) struct Batch {
    payloads: Box<[u8]>,
    lens: Box<[u8; MOST]>,
    opcode: Opcode,
    /// The number of messages, and the sum of their lengths in bytes.
    count: usize,
    len: usize,
}

impl Batch {
    pub(crate) fn new() -> Batch {
        let payloads = vec![0; MOST * Header::SHORT + LARGE_WINDOW].into();
        Batch { payloads, lens: Box::new([0; MOST]), opcode: Opcode::Text, count: 0, len: 0 }
    }

    /// Takes at most `most` messages from the beginning of the input. False if the input does not
    /// begin with two of one kind, or if `longest` bytes are below the longest short message.
    #[inline]
    pub(crate) fn take(&mut self, input: &[u8], longest: usize, most: usize) -> bool {
        let &[first, second, ..] = input else { return false };
        self.opcode = match first {
            0x81 => Opcode::Text,
            0x82 => Opcode::Binary,
            _ => return false,
        };
        if input.get(HEAD + (usize::from(second) & !MASK)) != Some(&first)
            || most < 2
            || longest < Header::SHORT
        {
            return false;
        }
        self.take_all(input, first, most);
        self.count > 0
    }

    /// Takes frames while the next one begins with `first`.
    #[inline(never)]
    fn take_all(&mut self, input: &[u8], first: u8, most: usize) {
        let (mut rest, mut room) = (input, &mut *self.payloads);
        let mut count = 0;
        for place in &mut self.lens[..most.min(MOST)] {
            (*place, rest, room) = if let (Some(frame), Some(payload)) =
                (rest.first_chunk(), room.first_chunk_mut())
                && let Some(len) = len_in_window(frame, first)
            {
                unmask_window(frame, payload);
                (len as u8, &rest[HEAD + len..], &mut room[len..])
            } else if let Some(taken) = take_one(rest, room, first) {
                taken
            } else {
                break;
            };
            count += 1;
        }
        self.count = count;
        self.len = input.len() - rest.len() - count * HEAD;
    }

    /// The messages; `None` for text of which not even the whole is UTF-8 (section 8.1).
    #[inline]
    pub(crate) fn messages(&self) -> Option<Messages<'_>> {
        let (payloads, lens) = (&self.payloads[..self.len], &self.lens[..self.count]);
        Some(match self.opcode {
            Opcode::Text => Messages::Texts(Texts {
                payloads: simdutf8::basic::from_utf8(payloads).ok()?,
                lens,
            }),
            _ => Messages::Binaries(Binaries { payloads, lens }),
        })
    }

    /// (messages delivered, input bytes they took), given how many were left undelivered.
    #[inline]
    pub(crate) fn delivered(&self, left: usize) -> (usize, usize) {
        let count = self.count - left;
        let len = if left == 0 { self.len } else { self.len_of(count) };
        (count, count * HEAD + len)
    }

    #[cold]
    fn len_of(&self, count: usize) -> usize {
        self.lens[..count].iter().copied().map(usize::from).sum()
    }
}

/// The undelivered messages of a batch, all of one kind.
pub(crate) enum Messages<'b> {
    Texts(Texts<'b>),
    Binaries(Binaries<'b>),
}

/// An iterator over text messages, whose payloads are UTF-8 as a whole. The iterator ends early at
/// a message that is not UTF-8 by itself, because a character goes on in the next one.
pub(crate) struct Texts<'b> {
    payloads: &'b str,
    lens: &'b [u8],
}

impl Texts<'_> {
    /// The number of undelivered messages.
    pub(crate) fn left(&self) -> usize {
        self.lens.len()
    }
}

impl<'b> Iterator for Texts<'b> {
    type Item = &'b str;

    #[inline]
    fn next(&mut self) -> Option<&'b str> {
        let (&len, lens) = self.lens.split_first()?;
        let (text, payloads) = self.payloads.split_at_checked(usize::from(len))?;
        (self.payloads, self.lens) = (payloads, lens);
        Some(text)
    }
}

/// An iterator over binary messages.
pub(crate) struct Binaries<'b> {
    payloads: &'b [u8],
    lens: &'b [u8],
}

impl Binaries<'_> {
    /// The number of undelivered messages.
    pub(crate) fn left(&self) -> usize {
        self.lens.len()
    }
}

impl<'b> Iterator for Binaries<'b> {
    type Item = &'b [u8];

    #[inline]
    fn next(&mut self) -> Option<&'b [u8]> {
        let (&len, lens) = self.lens.split_first()?;
        let (binary, payloads) = self.payloads.split_at_checked(usize::from(len))?;
        (self.payloads, self.lens) = (payloads, lens);
        Some(binary)
    }
}

/// The payload length of a frame that begins with `first` and fits the window. Without MASK the
/// subtraction wraps to a length that fits no window.
#[inline(always)]
fn len_in_window(frame: &[u8; HEAD + WINDOW], first: u8) -> Option<usize> {
    let len = usize::from(frame[1]).wrapping_sub(MASK);
    if frame[0] == first && len <= WINDOW { Some(len) } else { None }
}

/// Unmasks a frame's payload, and the bytes behind, as if the payload were as long as the window.
#[inline(always)]
fn unmask_window(frame: &[u8; HEAD + WINDOW], payload: &mut [u8; WINDOW]) {
    if let Some((&[_, _, key @ ..], masked)) = frame.split_first_chunk::<HEAD>()
        && let Some(masked) = masked.first_chunk()
    {
        unmask(key, masked, payload);
    }
}

#[inline(always)]
fn unmask<const N: usize>(key: [u8; 4], masked: &[u8; N], payload: &mut [u8; N]) {
    let key = u32::from_ne_bytes(key);
    // The compiler makes vectors of the loop because a copy cannot overlap the payload.
    let mut plain = *masked;
    for word in plain.as_chunks_mut().0 {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    *payload = plain;
}

/// Takes a frame whose payload is longer than the window, or near the end of the input. Returns the
/// payload's length and the rest of the input and of the room.
#[inline(never)]
fn take_one<'i, 'b>(
    input: &'i [u8],
    room: &'b mut [u8],
    first: u8,
) -> Option<(u8, &'i [u8], &'b mut [u8])> {
    let (&[begins, second, key @ ..], rest) = input.split_first_chunk::<HEAD>()?;
    let len = usize::from(second).checked_sub(MASK)?;
    if begins != first || len > Header::SHORT {
        return None;
    }
    if let (Some(masked), Some(payload)) =
        (rest.first_chunk::<LARGE_WINDOW>(), room.first_chunk_mut())
    {
        unmask(key, masked, payload);
    } else {
        let payload = room.get_mut(..len)?;
        payload.copy_from_slice(rest.get(..len)?);
        apply(payload, key);
    }
    Some((len as u8, &rest[len..], &mut room[len..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::websocket::decode::{Event, decode};
    use crate::websocket::encode::encode_masked;
    use crate::websocket::frame::{Role, Rules};

    fn rules(max_message: usize) -> Rules {
        Rules { role: Role::Server, max_message, compression: false }
    }

    /// Decodes one message at a time until an event is no message.
    fn one_by_one(mut input: Vec<u8>, longest: usize) -> (Vec<Vec<u8>>, String) {
        let (mut messages, mut at, mut assembly) = (Vec::new(), 0, None);
        loop {
            match decode(&rules(longest), &mut assembly, &mut input[at..]) {
                (n, Event::Message(message)) => {
                    messages.push(message.as_bytes().to_vec());
                    at += n;
                }
                (_, other) => return (messages, format!("{other:?}")),
            }
        }
    }

    /// Decodes as [`one_by_one`] does, but takes batches, and of each at most `taken` messages.
    fn in_batches(
        mut input: Vec<u8>,
        longest: usize,
        most: usize,
        taken: usize,
    ) -> (Vec<Vec<u8>>, String) {
        let (mut messages, mut at, mut assembly, mut batch) = (Vec::new(), 0, None, Batch::new());
        loop {
            if batch.take(&input[at..], longest, most) {
                let before = messages.len();
                let left = match batch.messages() {
                    None => batch.count,
                    Some(Messages::Texts(mut texts)) => {
                        messages.extend(
                            texts.by_ref().take(taken).map(|text| text.as_bytes().to_vec()),
                        );
                        texts.left()
                    }
                    Some(Messages::Binaries(mut binaries)) => {
                        messages.extend(binaries.by_ref().take(taken).map(<[u8]>::to_vec));
                        binaries.left()
                    }
                };
                let (count, len) = batch.delivered(left);
                assert_eq!(count, messages.len() - before);
                at += len;
            }
            match decode(&rules(longest), &mut assembly, &mut input[at..]) {
                (n, Event::Message(message)) => {
                    messages.push(message.as_bytes().to_vec());
                    at += n;
                }
                (_, other) => return (messages, format!("{other:?}")),
            }
        }
    }

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            6 => "[a-z]{0,30}".prop_map(String::into_bytes),
            3 => "\\PC{0,8}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..20),
            1 => prop::collection::vec(Just(b'x'), 90..140),
            1 => prop::collection::vec(Just(b'y'), WINDOW - 2..WINDOW + 3),
        ]
    }

    fn segment() -> impl Strategy<Value = Vec<u8>> {
        let opcode = prop_oneof![
            8 => Just(Opcode::Text),
            3 => Just(Opcode::Binary),
            1 => Just(Opcode::Ping),
        ];
        let frame = (opcode, payload(), any::<[u8; 4]>(), prop::bool::weighted(0.98));
        (prop::collection::vec(frame, 0..40), any::<prop::sample::Index>()).prop_map(
            |(frames, cut)| {
                let mut bytes = Vec::new();
                for (opcode, payload, key, fin) in frames {
                    let fin = fin || opcode == Opcode::Ping;
                    encode_masked(&mut bytes, fin, opcode, &payload[..payload.len().min(125)], key);
                }
                let keep = bytes.len() - cut.index(bytes.len() / 4 + 1);
                bytes.truncate(keep);
                bytes
            },
        )
    }

    proptest! {
        #[test]
        fn batch_yields_what_its_messages_yield_one_by_one(
            input in segment(),
            longest in 20..140usize,
            most in 0..70usize,
            taken in 1..70usize,
        ) {
            let batches = in_batches(input.clone(), longest, most, taken);
            prop_assert_eq!(batches, one_by_one(input, longest));
        }
    }

    /// The largest batch of messages of every length fits, and no message more.
    #[test]
    fn batch_takes_no_more_than_fits() {
        for len in [0, 1, WINDOW, WINDOW + 1, Header::SHORT] {
            let mut input = Vec::new();
            for n in 0..MOST + 44 {
                encode_masked(
                    &mut input,
                    true,
                    Opcode::Binary,
                    &vec![n as u8; len],
                    [1, 2, 3, n as u8],
                );
            }
            let mut batch = Batch::new();
            assert!(batch.take(&input, 1_000, usize::MAX));
            assert_eq!(batch.delivered(0), (MOST, MOST * (HEAD + len)));
            let Some(Messages::Binaries(binaries)) = batch.messages() else {
                panic!("they are binary")
            };
            assert!(
                binaries.enumerate().all(|(n, binary)| binary == vec![n as u8; len]),
                "{len} bytes each"
            );
        }
    }

    #[test]
    fn batch_takes_two_short_messages_of_one_kind_and_no_others() {
        let frame = |opcode, len: usize| {
            let mut bytes = Vec::new();
            encode_masked(&mut bytes, true, opcode, &vec![b'a'; len], [1, 2, 3, 4]);
            bytes
        };
        let messages = |parts: &[Vec<u8>]| {
            let mut batch = Batch::new();
            if batch.take(&parts.concat(), 200, 100) { batch.count } else { 0 }
        };
        let (text, binary) = (frame(Opcode::Text, 20), frame(Opcode::Binary, 20));
        assert_eq!(messages(&[]), 0);
        assert_eq!(messages(std::slice::from_ref(&text)), 0);
        assert_eq!(messages(&[text.clone(), text.clone()]), 2);
        assert_eq!(messages(&[text.clone(), binary.clone(), binary.clone()]), 0);
        assert_eq!(messages(&[binary.clone(), binary.clone(), binary.clone(), text.clone()]), 3);
        assert_eq!(messages(&[text.clone(), text.clone(), frame(Opcode::Text, 126)]), 2);
        assert_eq!(messages(&[text.clone(), text.clone(), text[..25].to_vec()]), 2);
        assert_eq!(messages(&[frame(Opcode::Ping, 3), text.clone(), text]), 0);
    }
}
