//! A run: short messages of one kind that a client sent together, made ready at once instead of one by one.
//! Knows where they lie and that they are unmasked and, if text, UTF-8; what is longer, cut or of another kind it leaves alone.

use super::{Header, Message, Opcode, apply};

/// Bytes of a short frame's header, the masking key included (RFC 6455 section 5.2).
const HEAD: usize = 6;

/// FIN in the first byte of a header, MASK in the second. Without them, and with a key of zeros, a header is ASCII: so a run of text
/// is UTF-8 as a whole exactly if each of its messages is, and one look at all of it judges them all.
const HIGH: u8 = 0x80;

/// Whole short messages of one kind at the beginning of the input. Their headers are not wire format while it lasts:
/// [`give_back`](Run::give_back) makes frames again of those that were not taken.
pub(crate) struct Run {
    opcode: Opcode,
    /// Bytes of the input that it takes.
    end: usize,
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
        let end = make_all_ready(input, longest.min(Header::SHORT) as u8, most);
        (end > 0).then_some(Run { opcode, end })
    }

    /// The messages; `None` when they are text and one of them is not UTF-8 (section 8.1). Which one, is found by giving them back.
    #[inline]
    pub(crate) fn messages<'i>(&self, input: &'i [u8]) -> Option<Messages<'i>> {
        let all = &input[..self.end];
        let all = match self.opcode {
            Opcode::Text => Message::Text(simdutf8::basic::from_utf8(all).ok()?),
            _ => Message::Binary(all),
        };
        Some(Messages { whole: self.end, rest: all })
    }

    /// Makes frames again of the messages from `at` on. Their payloads stay unmasked, which a key of zeros says.
    #[inline(never)]
    pub(crate) fn give_back(&self, input: &mut [u8], mut at: usize) {
        while at < self.end {
            let next = at + HEAD + usize::from(input[at + 1]);
            input[at] |= HIGH;
            input[at + 1] |= HIGH;
            at = next;
        }
    }
}

/// The messages of a run, one after the other.
pub(crate) struct Messages<'i> {
    /// Bytes of all of them.
    whole: usize,
    /// The next message, with its header, and all after it.
    rest: Message<'i>,
}

impl Messages<'_> {
    /// How many bytes of the run those took that came so far.
    #[inline]
    pub(crate) fn taken(&self) -> usize {
        self.whole - self.rest.len()
    }
}

impl<'i> Iterator for Messages<'i> {
    type Item = Message<'i>;

    #[inline]
    fn next(&mut self) -> Option<Message<'i>> {
        let end = HEAD + usize::from(*self.rest.as_bytes().get(1)?);
        // Between two headers, which are ASCII, lie whole characters.
        let (message, rest) = match self.rest {
            Message::Text(text) => {
                let (frame, rest) = text.split_at_checked(end)?;
                (Message::Text(frame.get(HEAD..)?), Message::Text(rest))
            }
            Message::Binary(bytes) => {
                let (frame, rest) = bytes.split_at_checked(end)?;
                (Message::Binary(frame.get(HEAD..)?), Message::Binary(rest))
            }
        };
        self.rest = rest;
        Some(message)
    }
}

/// Makes at most `most` frames ready that begin as the first does: how many bytes they take.
#[inline(never)]
fn make_all_ready(input: &mut [u8], longest: u8, most: usize) -> usize {
    let Some(&first) = input.first() else { return 0 };
    let (mut end, mut rest) = (0, input);
    for _ in 0..most {
        let Some((header, after)) = rest.split_first_chunk_mut() else { break };
        // Masked, and as long as it may be.
        let len = header[1].wrapping_sub(HIGH);
        if header[0] != first || len > longest || after.len() < usize::from(len) {
            break;
        }
        let (payload, next) = after.split_at_mut(usize::from(len));
        make_ready(header, payload);
        end += HEAD + usize::from(len);
        rest = next;
    }
    end
}

/// Unmasks a short frame and takes from its header what is not ASCII.
#[inline]
fn make_ready(header: &mut [u8; HEAD], payload: &mut [u8]) {
    let [first, second, key @ ..] = *header;
    *header = [first & !HIGH, second & !HIGH, 0, 0, 0, 0];
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
                let mut end = 0;
                if let Some(mut of_run) = run.messages(&input[at..]) {
                    messages.extend(of_run.by_ref().take(taken).map(|message| message.as_bytes().to_vec()));
                    end = of_run.taken();
                }
                run.give_back(&mut input[at..], end);
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
                Some(run) => run.messages(&input).unwrap().count(),
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
