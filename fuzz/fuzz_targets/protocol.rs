//! Fuzzes a peer's frames to either role. The cut of the bytes changes no event, and memory follows
//! the bytes that arrived, not the declared lengths.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::proto::websocket::{Event, Message, Role, Rules, decode};

/// All events of these pieces, in words, the same for a message whole or in pieces.
fn events<'i>(rules: &Rules, pieces: impl Iterator<Item = &'i [u8]>) -> Vec<String> {
    let (mut assembly, mut kept, mut seen) = (None, Vec::new(), Vec::new());
    let word = |message: Message<'_>| format!("{message:?}");
    let mut bytes = 64;
    for piece in pieces {
        bytes += piece.len();
        kept.extend_from_slice(piece);
        loop {
            let (consumed, event) = decode(rules, &mut assembly, &mut kept);
            match event {
                Event::More => {
                    kept.drain(..consumed);
                    assert!(kept.len() < 139);
                    break;
                }
                Event::Message(message) => seen.push(word(message)),
                Event::Assembled(assembled) => match assembled.message() {
                    Ok(message) => seen.push(word(message)),
                    Err(violation) => {
                        seen.push(format!("{violation:?}"));
                        return seen;
                    }
                },
                Event::Compressed(message) => {
                    seen.push(format!("{} {:?}", message.is_text(), message.payload()))
                }
                Event::Fail(violation) => {
                    assert!(assembly.is_none());
                    seen.push(format!("{violation:?}"));
                    return seen;
                }
                other => seen.push(format!("{other:?}")),
            }
            kept.drain(..consumed);
        }
        // The compressed form of a message may be a little longer than the message.
        let most = rules.max_message.saturating_add(rules.max_message / 4 + 64);
        assert!(
            assembly
                .as_ref()
                .is_none_or(|assembly| assembly.len() <= most && assembly.capacity() <= 2 * bytes)
        );
    }
    seen
}

fuzz_target!(|input: &[u8]| {
    let Some((&[flags, len], input)) = input.split_first_chunk() else { return };
    let role = if flags & 1 == 0 { Role::Server } else { Role::Client };
    let max_message = if flags & 2 == 0 { 1 << 10 } else { usize::MAX };
    let rules = Rules { role, max_message, compression: flags & 4 != 0 };
    let whole = events(&rules, std::iter::once(input));
    assert_eq!(whole, events(&rules, input.chunks(1)));
    assert_eq!(whole, events(&rules, input.chunks(usize::from(len) + 1)));
});
