//! A run: short messages of one kind that a client sent together, made ready at once instead of one by one.
//! Knows where they lie and that they are unmasked and, if text, UTF-8; what is longer, cut or of another kind it leaves alone.

use std::mem;

use super::{Header, Message, Opcode, apply};

/// Bytes of a short frame's header, the masking key included (RFC 6455 section 5.2).
const HEAD: usize = 6;

/// FIN in the first byte of a header, MASK in the second. Without them, and with a key of zeros, a header is ASCII: so a run of text
/// is UTF-8 as a whole exactly if each of its messages is, and one look at all of it judges them all.
const HIGH: u8 = 0x80;

/// Whole short messages of one kind at the beginning of the input. Their headers are not wire format while it lasts:
/// [`end`](Run::end) makes frames again of those that were not taken.
pub(crate) struct Run {
    opcode: Opcode,
    /// Bytes of the input that it takes.
    end: usize,
    /// Messages that are in it.
    count: usize,
}

impl Run {
    /// Prepares at most `most` messages of at most `longest` bytes. `None`, and an untouched input, where no two such messages begin.
    #[inline]
    pub(crate) fn prepare(input: &mut [u8], longest: usize, most: usize) -> Option<Run> {
        let &[first, second, ..] = &*input else { return None };
        let opcode = match first {
            0x81 => Opcode::Text,
            0x82 => Opcode::Binary,
            _ => return None,
        };
        if input.get(HEAD + usize::from(second & !HIGH)) != Some(&first) || most < 2 {
            return None;
        }
        let (end, count) = make_all_ready(input, first, longest.min(Header::SHORT) as u8, most);
        (end > 0).then_some(Run { opcode, end, count })
    }

    /// All of it, each message behind its header, for [`Texts`] or [`Binaries`] to go through; `None` when it is text and one of the
    /// messages is not UTF-8 (section 8.1). Which one, is found by giving them back.
    #[inline]
    pub(crate) fn whole<'i>(&self, input: &'i [u8]) -> Option<Message<'i>> {
        let whole = &input[..self.end];
        match self.opcode {
            Opcode::Text => simdutf8::basic::from_utf8(whole).ok().map(Message::Text),
            _ => Some(Message::Binary(whole)),
        }
    }

    /// Ends it where the last `left` bytes were not taken, or none at all. How many messages were, and how many bytes.
    #[inline]
    pub(crate) fn end(self, input: &mut [u8], left: Option<usize>) -> (usize, usize) {
        let taken = left.map_or(0, |left| self.end - left);
        let given_back = if taken < self.end { give_back(&mut input[taken..self.end]) } else { 0 };
        (self.count - given_back, taken)
    }
}

/// Makes frames again of prepared messages: how many. Their payloads stay unmasked, which a key of zeros says.
#[cold]
fn give_back(mut messages: &mut [u8]) -> usize {
    let mut count = 0;
    while let [first, second, ..] = messages {
        let len = usize::from(*second);
        (*first, *second) = (*first | HIGH, *second | HIGH);
        messages = &mut messages[HEAD + len..];
        count += 1;
    }
    count
}

/// The messages of a run of text, one after the other: this is what is left of it.
pub(crate) struct Texts<'i>(pub(crate) &'i str);

impl<'i> Iterator for Texts<'i> {
    type Item = &'i str;

    #[inline]
    fn next(&mut self) -> Option<&'i str> {
        let end = HEAD + usize::from(*self.0.as_bytes().get(1)?);
        // Between two headers, which are ASCII, lie whole characters.
        let (frame, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        frame.get(HEAD..)
    }
}

/// The same of a run of binary messages.
pub(crate) struct Binaries<'i>(pub(crate) &'i [u8]);

impl<'i> Iterator for Binaries<'i> {
    type Item = &'i [u8];

    #[inline]
    fn next(&mut self) -> Option<&'i [u8]> {
        let end = HEAD + usize::from(*self.0.get(1)?);
        let (frame, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        frame.get(HEAD..)
    }
}

/// Makes at most `most` frames ready that begin with `first`: how many bytes they take, and how many they are.
#[inline(never)]
fn make_all_ready(input: &mut [u8], first: u8, longest: u8, most: usize) -> (usize, usize) {
    let all = input.len();
    let (mut rest, mut left) = (input, most);
    while left > 0
        && let &mut [begins, second, ..] = rest
    {
        // Without MASK it is longer than any.
        let len = usize::from(second).wrapping_sub(usize::from(HIGH));
        if begins != first || len > usize::from(longest) || HEAD + len > rest.len() {
            break;
        }
        let (frame, next) = mem::take(&mut rest).split_at_mut(HEAD + len);
        make_ready(frame, [first & !HIGH, len as u8]);
        (rest, left) = (next, left - 1);
    }
    (all - rest.len(), most - left)
}

/// Unmasks a short frame and leaves of its header what is ASCII.
#[inline(always)]
fn make_ready(frame: &mut [u8], [first, second]: [u8; 2]) {
    let Some((header, payload)) = frame.split_first_chunk_mut::<HEAD>() else { return };
    let [_, _, key @ ..] = *header;
    *header = [first, second, 0, 0, 0, 0];
    apply(payload, key);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::websocket::{Event, Role, Rules, encode_masked, receive};

    const RULES: Rules = Rules { role: Role::Server, max_message: 100, compression: false };

    /// What `receive` makes of the input, one message at a time, until something else comes.
    fn one_by_one(mut input: Vec<u8>) -> (Vec<Vec<u8>>, String) {
        let (mut messages, mut at, mut assembly) = (Vec::new(), 0, None);
        loop {
            match receive(&RULES, &mut assembly, &mut input[at..]) {
                (n, Event::Message(message)) => {
                    messages.push(message.as_bytes().to_vec());
                    at += n;
                }
                (_, other) => return (messages, format!("{other:?}")),
            }
        }
    }

    /// The same, but each run is taken at once; of every run at most `taken` messages.
    fn in_runs(mut input: Vec<u8>, most: usize, taken: usize) -> (Vec<Vec<u8>>, String) {
        let (mut messages, mut at, mut assembly) = (Vec::new(), 0, None);
        loop {
            if let Some(run) = Run::prepare(&mut input[at..], RULES.max_message, most) {
                let before = messages.len();
                let left = match run.whole(&input[at..]) {
                    None => None,
                    Some(Message::Text(whole)) => {
                        let mut texts = Texts(whole);
                        messages.extend(texts.by_ref().take(taken).map(|text| text.as_bytes().to_vec()));
                        Some(texts.0.len())
                    }
                    Some(Message::Binary(whole)) => {
                        let mut binaries = Binaries(whole);
                        messages.extend(binaries.by_ref().take(taken).map(<[u8]>::to_vec));
                        Some(binaries.0.len())
                    }
                };
                let (count, end) = run.end(&mut input[at..], left);
                assert_eq!(count, messages.len() - before);
                at += end;
            }
            match receive(&RULES, &mut assembly, &mut input[at..]) {
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
        ]
    }

    fn segment() -> impl Strategy<Value = Vec<u8>> {
        let opcode = prop_oneof![8 => Just(Opcode::Text), 3 => Just(Opcode::Binary), 1 => Just(Opcode::Ping)];
        let frame = (opcode, payload(), any::<[u8; 4]>(), prop::bool::weighted(0.98));
        (prop::collection::vec(frame, 0..40), any::<prop::sample::Index>()).prop_map(|(frames, cut)| {
            let mut bytes = Vec::new();
            for (opcode, payload, key, fin) in frames {
                let fin = fin || opcode == Opcode::Ping;
                encode_masked(&mut bytes, fin, opcode, &payload[..payload.len().min(125)], key);
            }
            let keep = bytes.len() - cut.index(bytes.len() / 4 + 1);
            bytes.truncate(keep);
            bytes
        })
    }

    proptest! {
        #[test]
        fn run_reads_as_its_messages_do_one_by_one(input in segment(), most in 0..70usize, taken in 1..70usize) {
            prop_assert_eq!(in_runs(input.clone(), most, taken), one_by_one(input));
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
            let mut input = parts.concat();
            let before = input.clone();
            match Run::prepare(&mut input, 200, 100) {
                None => {
                    assert_eq!(input, before);
                    0
                }
                Some(run) => match run.whole(&input).unwrap() {
                    Message::Text(whole) => Texts(whole).count(),
                    Message::Binary(whole) => Binaries(whole).count(),
                },
            }
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
