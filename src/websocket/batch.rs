//! A run: short messages of one kind that a client sent together, unmasked and judged at once instead of one by one.
//! It has their payloads, one behind the other, and leaves the input as it was; what is longer, cut or of another kind it leaves alone.

use super::{Header, Opcode, apply};

/// Bytes of a short frame's header, the masking key included (RFC 6455 section 5.2).
const HEAD: usize = 6;

/// MASK in the second byte of a header.
const MASK: usize = 0x80;

/// Messages of a run at most.
const MOST: usize = 256;

/// So much is unmasked of a payload that is not longer, whatever follows it: a fixed length takes neither a loop nor a question.
const WINDOW: usize = 32;

/// The same for every short payload.
const LARGE_WINDOW: usize = 128;

/// The payloads of whole short messages of one kind, and how long each of them is. It is filled anew for every run.
pub(crate) struct Batch {
    payloads: Box<[u8]>,
    lens: Box<[u8; MOST]>,
    opcode: Opcode,
    /// How many messages there are, and how many bytes they have together.
    count: usize,
    len: usize,
}

impl Batch {
    pub(crate) fn new() -> Batch {
        let payloads = vec![0; MOST * Header::SHORT + LARGE_WINDOW].into();
        Batch { payloads, lens: Box::new([0; MOST]), opcode: Opcode::Text, count: 0, len: 0 }
    }

    /// Takes at most `most` messages from the beginning of the input; false where no two such messages are, or where short ones may be
    /// longer than `longest`.
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

    /// Takes the frames that begin with `first`.
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

    /// The messages; `None` when it is text that is not UTF-8 even as a whole (section 8.1).
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

    /// Of how many messages the handler has heard when so many are left, and how many bytes of the input those took.
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

/// The messages of a run that are left, of either kind.
pub(crate) enum Messages<'r> {
    Texts(Texts<'r>),
    Binaries(Binaries<'r>),
}

/// Text, one message after the other. It ends early at one that is not UTF-8 without the next one's beginning.
pub(crate) struct Texts<'r> {
    payloads: &'r str,
    lens: &'r [u8],
}

impl Texts<'_> {
    /// How many are left.
    pub(crate) fn left(&self) -> usize {
        self.lens.len()
    }
}

impl<'r> Iterator for Texts<'r> {
    type Item = &'r str;

    #[inline]
    fn next(&mut self) -> Option<&'r str> {
        let (&len, lens) = self.lens.split_first()?;
        let (text, payloads) = self.payloads.split_at_checked(usize::from(len))?;
        (self.payloads, self.lens) = (payloads, lens);
        Some(text)
    }
}

/// Binary messages, one after the other.
pub(crate) struct Binaries<'r> {
    payloads: &'r [u8],
    lens: &'r [u8],
}

impl Binaries<'_> {
    /// How many are left.
    pub(crate) fn left(&self) -> usize {
        self.lens.len()
    }
}

impl<'r> Iterator for Binaries<'r> {
    type Item = &'r [u8];

    #[inline]
    fn next(&mut self) -> Option<&'r [u8]> {
        let (&len, lens) = self.lens.split_first()?;
        let (binary, payloads) = self.payloads.split_at_checked(usize::from(len))?;
        (self.payloads, self.lens) = (payloads, lens);
        Some(binary)
    }
}

/// How long the payload of a frame is that begins with `first` and fits the window. Without MASK it is longer than any.
#[inline(always)]
fn len_in_window(frame: &[u8; HEAD + WINDOW], first: u8) -> Option<usize> {
    let len = usize::from(frame[1]).wrapping_sub(MASK);
    if frame[0] == first && len <= WINDOW { Some(len) } else { None }
}

/// Unmasks what a frame brings, and what follows it, as if it were as long as the window.
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
    // By way of a copy, which is known not to lie where the payload does: so it becomes vectors.
    let mut plain = *masked;
    for word in plain.as_chunks_mut().0 {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    *payload = plain;
}

/// Takes a frame that is longer than the window, or that too little follows: its length, and what is left of the input and of the room.
#[inline(never)]
fn take_one<'i, 'r>(
    input: &'i [u8],
    room: &'r mut [u8],
    first: u8,
) -> Option<(u8, &'i [u8], &'r mut [u8])> {
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
    use crate::websocket::{Event, Role, Rules, decode, encode_masked};

    fn rules(max_message: usize) -> Rules {
        Rules { role: Role::Server, max_message, compression: false }
    }

    /// What `receive` makes of the input, one message at a time, until something else comes.
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

    /// The same, but each run is taken at once; of every run at most `taken` messages.
    fn in_runs(
        mut input: Vec<u8>,
        longest: usize,
        most: usize,
        taken: usize,
    ) -> (Vec<Vec<u8>>, String) {
        let (mut messages, mut at, mut assembly, mut run) = (Vec::new(), 0, None, Batch::new());
        loop {
            if run.take(&input[at..], longest, most) {
                let before = messages.len();
                let left = match run.messages() {
                    None => run.count,
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
                let (count, len) = run.delivered(left);
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
        let opcode = prop_oneof![8 => Just(Opcode::Text), 3 => Just(Opcode::Binary), 1 => Just(Opcode::Ping)];
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
        fn run_reads_as_its_messages_do_one_by_one(
            input in segment(),
            longest in 20..140usize,
            most in 0..70usize,
            taken in 1..70usize,
        ) {
            prop_assert_eq!(in_runs(input.clone(), longest, most, taken), one_by_one(input, longest));
        }
    }

    /// The longest run of every length has its place, and no message more.
    #[test]
    fn run_takes_no_more_than_it_has_room_for() {
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
            let mut run = Batch::new();
            assert!(run.take(&input, 1_000, usize::MAX));
            assert_eq!(run.delivered(0), (MOST, MOST * (HEAD + len)));
            let Some(Messages::Binaries(binaries)) = run.messages() else {
                panic!("they are binary")
            };
            assert!(
                binaries.enumerate().all(|(n, binary)| binary == vec![n as u8; len]),
                "{len} bytes each"
            );
        }
    }

    #[test]
    fn run_takes_two_short_messages_of_one_kind_and_no_others() {
        let frame = |opcode, len: usize| {
            let mut bytes = Vec::new();
            encode_masked(&mut bytes, true, opcode, &vec![b'a'; len], [1, 2, 3, 4]);
            bytes
        };
        let messages = |parts: &[Vec<u8>]| {
            let mut run = Batch::new();
            if run.take(&parts.concat(), 200, 100) { run.count } else { 0 }
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
