//! The decoder: from bytes to events, one step at a time, for both roles (RFC 6455 sections 5 and
//! 6.2). This file knows the order of a connection's frames. It knows neither the state of the
//! connection nor any answer.

use std::mem;

use super::assembly::{Assembled, Assembly};
use super::close_code::CloseCode;
use super::close_payload::parse_close;
#[cfg(feature = "deflate")]
use super::deflate::Compressed;
use super::frame::{Decoded, Header, Opcode, Role, Rules};
use super::mask::apply;
use super::message::Message;
use super::violation::Violation;

/// The result of [`decode`].
///
/// ```
/// use switchboard::proto::websocket::{CloseCode, Event, Role, Rules, decode};
///
/// let rules = Rules { role: Role::Client, max_message: 16 << 20, compression: false };
/// let mut input = *b"\x89\x01p\x88\x05\x03\xE8bye";
/// assert_eq!(decode(&rules, &mut None, &mut input), (3, Event::Ping(b"p")));
/// let close = Event::Close(Some(CloseCode::NORMAL), "bye");
/// assert_eq!(decode(&rules, &mut None, &mut input[3..]), (7, close));
/// ```
#[derive(PartialEq, Debug)]
pub enum Event<'i> {
    /// Nothing is whole yet. The caller keeps what was not consumed until more arrives: always less
    /// than a header and a control frame's payload (139 bytes).
    More,
    /// A message that is whole in one frame and in the input: unmasked in place, borrowed, and
    /// valid UTF-8 if text.
    Message(Message<'i>),
    /// A message that came in pieces; [`Assembled::message`] validates the text.
    Assembled(Assembled),
    /// A whole compressed message, for [`Inflater::inflate`](super::Inflater::inflate) (RFC 7692
    /// section 6).
    #[cfg(feature = "deflate")]
    Compressed(Compressed<'i>),
    /// A ping and its payload.
    Ping(&'i [u8]),
    /// A pong and its payload.
    Pong(&'i [u8]),
    /// A Close frame: its code, if present, and its reason.
    Close(Option<CloseCode>, &'i str),
    /// A violation of the protocol. No further input may be decoded.
    Fail(Violation),
}

/// Decodes the next event of `input`: returns the number of consumed bytes and the event.
///
/// `assembly` is `None` before the first call, and the caller keeps the value between calls. A
/// message that is whole in the input is never copied and allocates nothing; any other is copied
/// into the assembly. Fragments are consumed until an event is complete, so that after
/// [`Event::More`] only more bytes lead on. The events do not depend on how the bytes were cut.
///
/// ```
/// use switchboard::proto::websocket::{Event, Message, Role, Rules, decode};
///
/// let rules = Rules { role: Role::Server, max_message: 16 << 20, compression: false };
/// let mut assembly = None;
/// let mut input = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
/// let (consumed, event) = decode(&rules, &mut assembly, &mut input);
/// assert_eq!((consumed, event), (11, Event::Message(Message::Text("Hello"))));
/// ```
#[inline]
pub fn decode<'i>(
    rules: &Rules,
    assembly: &mut Option<Box<Assembly>>,
    input: &'i mut [u8],
) -> (usize, Event<'i>) {
    decode_with(rules, assembly, input, |_| Vec::new())
}

/// Decodes as [`decode`] does, with memory from the caller for a message that comes in pieces.
/// `memory` gets the length of the first frame and returns a vector, whose bytes are overwritten.
#[inline]
pub(crate) fn decode_with<'i>(
    rules: &Rules,
    assembly: &mut Option<Box<Assembly>>,
    input: &'i mut [u8],
    memory: impl FnOnce(u64) -> Vec<u8>,
) -> (usize, Event<'i>) {
    if assembly.is_none()
        && let Some((header, at)) = whole_frame(rules.role, rules.max_message, input)
    {
        let end = at + header.len as usize;
        return (
            end,
            whole_message(header, &mut input[at..end]).map_or_else(Event::Fail, Event::Message),
        );
    }
    let (consumed, event) = decode_pieces(rules, assembly, input, memory);
    if let Event::Fail(_) | Event::Close(..) = event {
        *assembly = None; // an unfinished message will never end
    }
    (consumed, event)
}

/// Finds a message of at most `longest` bytes, whole in one frame and in the input: returns the
/// header and the offset of the payload.
#[inline]
pub(crate) fn whole_frame(role: Role, longest: usize, input: &[u8]) -> Option<(Header, usize)> {
    let Decoded::Header(header, at) = Header::decode(input) else { return None };
    let is_message =
        header.fin && header.opcode.is_start() && header.key.is_some() == role.receives_masked();
    (is_message && header.len <= longest as u64 && header.len <= (input.len() - at) as u64)
        .then_some((header, at))
}

/// Decodes an input that is exactly one short message of a client, of at most `longest` bytes;
/// `None` for any other input.
#[inline(always)]
pub(crate) fn only_message(
    longest: usize,
    input: &mut [u8],
) -> Option<Result<Message<'_>, Violation>> {
    let (&mut [first, second, key @ ..], payload) = input.split_first_chunk_mut::<6>()?;
    let len = usize::from(second).wrapping_sub(0x80);
    if len != payload.len() || len > longest.min(Header::SHORT) {
        return None;
    }
    let opcode = match first {
        0x81 => Opcode::Text,
        0x82 => Opcode::Binary,
        _ => return None,
    };
    Some(whole_message(
        Header { fin: true, rsv1: false, opcode, key: Some(key), len: len as u64 },
        payload,
    ))
}

/// Unmasks and validates the payload of a whole message. The function must be inlined: a result
/// that is written in words and then copied whole stalls the processor.
#[inline(always)]
pub(crate) fn whole_message(header: Header, payload: &mut [u8]) -> Result<Message<'_>, Violation> {
    if let Some(key) = header.key {
        apply(payload, key);
    }
    match header.opcode {
        Opcode::Binary => Ok(Message::Binary(payload)),
        _ => simdutf8::basic::from_utf8(payload)
            .map(Message::Text)
            .map_err(|_| Violation::InvalidUtf8), // 8.1
    }
}

/// Decodes all but whole messages: fragments, frames cut by the end of the input, control frames,
/// violations.
fn decode_pieces<'i>(
    rules: &Rules,
    slot: &mut Option<Box<Assembly>>,
    mut input: &'i mut [u8],
    memory: impl FnOnce(u64) -> Vec<u8>,
) -> (usize, Event<'i>) {
    let mut consumed = 0;
    let mut memory = Some(memory);
    loop {
        if let Some(assembly) = slot {
            let n = usize::try_from(assembly.remaining())
                .map_or(input.len(), |rest| rest.min(input.len()));
            let (payload, rest) = mem::take(&mut input).split_at_mut(n);
            (input, consumed) = (rest, consumed + n);
            assembly.append(payload);
            // The last piece is validated with the whole.
            if !assembly.is_whole()
                && let Err(violation) = assembly.validate()
            {
                return (consumed, Event::Fail(violation));
            }
            if assembly.remaining() > 0 {
                return (consumed, Event::More);
            }
        }
        if let Some(assembly) = slot.take_if(|assembly| assembly.is_whole()) {
            return (consumed, whole_assembly(assembly));
        }
        let (header, at) = match next_header(rules, slot.as_deref(), input) {
            Ok(Some(parts)) => parts,
            Ok(None) => return (consumed, Event::More),
            Err(violation) => return (consumed, Event::Fail(violation)),
        };
        if header.opcode.is_control() {
            return match at + header.len as usize {
                end if end <= input.len() => (consumed + end, control(header, &mut input[at..end])),
                _ => (consumed, Event::More),
            };
        }
        #[cfg(feature = "deflate")]
        if header.rsv1 && header.fin && header.len <= (input.len() - at) as u64 {
            let end = at + header.len as usize;
            return (
                consumed + end,
                Event::Compressed(Compressed::whole(&header, &mut input[at..end])),
            );
        }
        let assembly = slot.get_or_insert_with(|| {
            let memory = memory.take().map(|memory| memory(header.len)).unwrap_or_default();
            Box::new(Assembly::new(&header, memory))
        });
        assembly.begin_frame(header.fin, header.key, header.len);
        (input, consumed) = (&mut mem::take(&mut input)[at..], consumed + at);
    }
}

/// Makes the event of an assembly that is whole.
#[cfg_attr(
    not(feature = "deflate"),
    expect(clippy::boxed_local, reason = "only deflate keeps the box")
)]
fn whole_assembly<'i>(assembly: Box<Assembly>) -> Event<'i> {
    #[cfg(feature = "deflate")]
    if let Some(opcode) = assembly.compressed() {
        return Event::Compressed(Compressed::assembled(opcode, assembly));
    }
    Event::Assembled(assembly.finish())
}

/// Decodes a control frame that is whole in the input (section 5.5).
fn control<'i>(header: Header, payload: &'i mut [u8]) -> Event<'i> {
    if let Some(key) = header.key {
        apply(payload, key);
    }
    match header.opcode {
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        _ => match parse_close(payload) {
            Ok((code, reason)) => Event::Close(code, reason),
            Err(violation) => Event::Fail(violation),
        },
    }
}

/// Reads and checks the next header: returns the header and its length in bytes, or `None` while
/// bytes are missing.
///
/// The check goes byte by byte, so that of several faults the first on the wire is reported, before
/// the rest of the header arrives.
fn next_header(
    rules: &Rules,
    open: Option<&Assembly>,
    input: &[u8],
) -> Result<Option<(Header, usize)>, Violation> {
    let rsv1_allowed = cfg!(feature = "deflate") && rules.compression;
    for seen in 1..=input.len().min(Header::MAX_LEN) {
        let decoded = Header::decode_with(&input[..seen], rsv1_allowed);
        if let Decoded::Violation(violation) = decoded {
            return Err(violation);
        }
        match seen {
            1 => check_sequence(open.is_some(), input[0])?,
            2 => check_mask(rules.role, input[1])?,
            _ => {}
        }
        if let Decoded::Header(header, at) = decoded {
            check_limit(rules, open, &header)?;
            return Ok(Some((header, at)));
        }
    }
    Ok(None)
}

/// Checks the sequence: a continuation needs an unfinished message, a new message none (section
/// 5.4).
fn check_sequence(begun: bool, first_byte: u8) -> Result<(), Violation> {
    match (Opcode::new(first_byte & 0x0F), begun) {
        (Some(Opcode::Continuation), false) => Err(Violation::UnexpectedContinuation),
        (Some(Opcode::Text | Opcode::Binary), true) => Err(Violation::InterruptedMessage),
        _ => Ok(()),
    }
}

/// Checks the mask: frames to a server are masked, frames to a client are not (section 5.1).
fn check_mask(role: Role, second_byte: u8) -> Result<(), Violation> {
    match (role, second_byte & 0x80 != 0) {
        (Role::Server, false) => Err(Violation::Unmasked),
        (Role::Client, true) => Err(Violation::Masked),
        _ => Ok(()),
    }
}

/// Checks the limit by the header, so that no payload byte of a message above the limit is kept.
fn check_limit(rules: &Rules, open: Option<&Assembly>, header: &Header) -> Result<(), Violation> {
    let so_far = open.map_or(0, Assembly::len) as u64;
    let limit = match header.rsv1 || open.and_then(Assembly::compressed).is_some() {
        true => max_compressed(rules.max_message as u64),
        false => rules.max_message as u64,
    };
    match so_far.checked_add(header.len) {
        _ if header.opcode.is_control() => Ok(()),
        Some(len) if len <= limit => Ok(()),
        _ => Err(Violation::TooBig), // 7.4.1: 1009
    }
}

/// The longest compressed form, in bytes, of a message within the limit. Incompressible data grows
/// by an eighth and a little more with the smallest blocks.
fn max_compressed(max_message: u64) -> u64 {
    max_message.saturating_add(max_message / 8).saturating_add(max_message / 64).saturating_add(64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Makes inputs that are one short message, or nearly so.
    fn input() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![6 => Just(0x81), 3 => Just(0x82), 1 => any::<u8>()];
        let rest = prop_oneof![
            3 => "[ -~]{0,40}".prop_map(String::into_bytes),
            3 => "[ -~]{123,130}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..40),
        ];
        (first, any::<[u8; 4]>(), rest, -1..=1_i16, any::<bool>()).prop_map(
            |(first, key, mut bytes, more, exact)| {
                let says = bytes.len() as i16 + if exact { 0 } else { more };
                apply(&mut bytes, key);
                let mut input = vec![first, 0x80 | says.clamp(0, 0x7F) as u8];
                input.extend_from_slice(&key);
                input.extend_from_slice(&bytes);
                input
            },
        )
    }

    proptest! {
        /// The short way takes every short message that is alone, and nothing else.
        #[test]
        fn only_message_decodes_as_decode_does(
            input in input(),
            longest in prop_oneof![0..140_usize, Just(1_000)],
        ) {
            let rules = Rules { role: Role::Server, max_message: longest, compression: false };
            let (mut once, mut again) = (input.clone(), input);
            let (n, event) = decode(&rules, &mut None, &mut once);
            let short = again.len() <= 6 + Header::SHORT
                && again.get(1).is_some_and(|second| second & 0x7F < 0x7E);
            match only_message(longest, &mut again) {
                Some(Ok(message)) => {
                    prop_assert!(n >= 6 + message.len());
                    prop_assert_eq!(event, Event::Message(message));
                }
                Some(Err(violation)) => prop_assert_eq!(event, Event::Fail(violation)),
                None => {
                    let alone = short && n == again.len();
                    prop_assert!(!(alone && matches!(event, Event::Message(_))), "{:?}", event);
                }
            }
        }
    }
}
