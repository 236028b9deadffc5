//! A compressed message on the wire, in both directions, marked by RSV1 on its first frame (RFC
//! 7692 section 6). This file knows neither the compressed data nor the agreed parameters.

use crate::websocket::assembly::Assembly;
use crate::websocket::frame::{Header, Opcode};
use crate::websocket::mask::apply;

/// A whole compressed message, unmasked and not yet inflated.
///
/// ```
/// use switchboard::proto::websocket::{Event, Inflater, Role, Rules, decode};
///
/// let rules = Rules { role: Role::Client, max_message: 16 << 20, compression: true };
/// // RFC 7692 section 7.2.3.1
/// let mut input = [0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
/// let event = decode(&rules, &mut None, &mut input).1;
/// let Event::Compressed(compressed) = event else { panic!() };
/// let mut message = Vec::new();
/// let mut inflater = Inflater::new();
/// inflater.inflate(compressed.payload(), &mut message, rules.max_message, false).unwrap();
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
    /// The assembly in its box: without the box every event would be larger.
    Assembled(Box<Assembly>),
}

impl<'i> Compressed<'i> {
    /// Takes the only frame of a message, which is whole in the input.
    pub(in crate::websocket) fn whole(header: &Header, payload: &'i mut [u8]) -> Compressed<'i> {
        if let Some(key) = header.key {
            apply(payload, key);
        }
        Compressed { text: header.opcode == Opcode::Text, payload: Payload::Whole(payload) }
    }

    /// Takes a message that came in pieces, with the opcode of its first frame.
    pub(in crate::websocket) fn assembled(
        opcode: Opcode,
        assembly: Box<Assembly>,
    ) -> Compressed<'i> {
        Compressed { text: opcode == Opcode::Text, payload: Payload::Assembled(assembly) }
    }

    /// Whether the message is text. The caller validates the UTF-8 of the inflated message (RFC
    /// 6455 section 8.1).
    #[must_use]
    pub const fn is_text(&self) -> bool {
        self.text
    }

    /// The compressed bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match &self.payload {
            Payload::Whole(bytes) => bytes,
            Payload::Assembled(assembly) => assembly.as_bytes(),
        }
    }
}

/// Appends a whole compressed message as one frame with RSV1 (section 6.1).
/// [`Deflater::deflate`](super::Deflater::deflate) makes the payload. A client gives a masking key,
/// unpredictable and new for each frame; a server gives none.
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
