//! A compressed message on the wire, as it came and as it goes: RSV1 on its first frame says what it is (RFC 7692 section 6).
//! Does not look into the payload, and does not know what was agreed on.

use crate::websocket::{Assembly, Header, Opcode, apply};

/// A compressed message that arrived whole: unmasked, not decompressed.
///
/// ```
/// use switchboard::proto::websocket::{Event, Inflater, Role, Rules, decode};
///
/// let rules = Rules { role: Role::Client, max_message: 16 << 20, compression: true };
/// // RFC 7692 section 7.2.3.1
/// let mut input = [0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
/// let (_, Event::Compressed(compressed)) = decode(&rules, &mut None, &mut input) else { panic!() };
/// let mut message = Vec::new();
/// Inflater::new().inflate(compressed.payload(), &mut message, rules.max_message, false).unwrap();
/// assert!(compressed.is_text());
/// assert_eq!(message, b"Hello");
/// ```
#[derive(PartialEq, Eq, Debug)]
pub struct Compressed<'i> {
    text: bool,
    payload: Payload<'i>,
}

#[derive(PartialEq, Eq, Debug)]
enum Payload<'i> {
    Whole(&'i [u8]),
    /// In the box that it came in: a word more would make every event bigger, those of other messages too.
    Assembled(Box<Assembly>),
}

impl<'i> Compressed<'i> {
    /// The one frame of a message, whole in the input.
    pub(in crate::websocket) fn whole(header: &Header, payload: &'i mut [u8]) -> Compressed<'i> {
        if let Some(key) = header.key {
            apply(payload, key);
        }
        Compressed { text: header.opcode == Opcode::Text, payload: Payload::Whole(payload) }
    }

    /// A message that came in pieces, its first frame with this opcode.
    pub(in crate::websocket) fn assembled(
        opcode: Opcode,
        assembly: Box<Assembly>,
    ) -> Compressed<'i> {
        Compressed { text: opcode == Opcode::Text, payload: Payload::Assembled(assembly) }
    }

    /// Whether the message is text. Whether it is UTF-8 (RFC 6455 section 8.1) only its decompression can tell.
    pub const fn is_text(&self) -> bool {
        self.text
    }

    /// What is to be decompressed.
    pub fn payload(&self) -> &[u8] {
        match &self.payload {
            Payload::Whole(bytes) => bytes,
            Payload::Assembled(assembly) => assembly.as_bytes(),
        }
    }
}

/// Appends a whole message as one frame whose payload [`Deflater::deflate`](super::Deflater::deflate) made: RSV1 says so (section 6.1). A client gives a
/// masking key, unpredictable and new for each frame, a server none.
///
/// ```
/// use switchboard::proto::websocket::{DeflateConfig, Deflater, encode_compressed};
///
/// let (mut payload, mut out) = (Vec::new(), Vec::new());
/// Deflater::new(&DeflateConfig::shared(), 15).deflate(b"Hello", &mut payload, false);
/// encode_compressed(&mut out, true, &payload, None);
/// // RFC 7692 section 7.2.3.1
/// assert_eq!(out, [0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]);
/// ```
pub fn encode_compressed(out: &mut Vec<u8>, text: bool, payload: &[u8], key: Option<[u8; 4]>) {
    let opcode = if text { Opcode::Text } else { Opcode::Binary };
    Header { fin: true, rsv1: true, opcode, key, len: payload.len() as u64 }.encode(out);
    let at = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        apply(&mut out[at..], key);
    }
}
