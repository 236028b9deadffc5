//! The frame header of two to fourteen bytes, read and written (RFC 6455 section 5.2), and the
//! rules of one connection for the frames that it accepts. This file knows neither the frames
//! before nor payloads, and does not apply the rules.

use super::violation::Violation;

/// The kind of a frame: one of six opcodes (section 5.2). [`Header::decode`] refuses all others.
///
/// ```
/// use switchboard::proto::websocket::Opcode;
///
/// assert_eq!(Opcode::new(0x9), Some(Opcode::Ping));
/// assert_eq!(Opcode::new(0x3), None);
/// assert!(Opcode::Ping.is_control() && Opcode::Text.is_start());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// The next fragment of a message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// A Close frame: one half of the closing handshake (section 5.5.1).
    Close = 0x8,
    /// A ping. Its answer is a pong with the payload of the ping (section 5.5.2).
    Ping = 0x9,
    /// A pong: the answer to a ping, or unsolicited (section 5.5.3).
    Pong = 0xA,
}

impl Opcode {
    /// Makes an opcode of four bits; `None` for reserved bits.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Opcode> {
        match bits {
            0x0 => Some(Opcode::Continuation),
            0x1 => Some(Opcode::Text),
            0x2 => Some(Opcode::Binary),
            0x8 => Some(Opcode::Close),
            0x9 => Some(Opcode::Ping),
            0xA => Some(Opcode::Pong),
            _ => None,
        }
    }

    /// Whether the frame is Close, Ping or Pong: whole in one frame, at most 125 bytes, allowed
    /// between fragments (section 5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    /// Whether the frame begins a message (section 5.4).
    #[must_use]
    #[inline]
    pub const fn is_start(self) -> bool {
        matches!(self, Opcode::Text | Opcode::Binary)
    }
}

/// A frame header.
///
/// ```
/// use switchboard::proto::websocket::{Decoded, Header, Opcode};
///
/// // The masked "Hello" of RFC 6455 section 5.7.
/// let bytes = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
/// let Decoded::Header(header, at) = Header::decode(&bytes) else { panic!() };
/// assert_eq!((header.opcode, header.fin, header.len, at), (Opcode::Text, true, 5, 6));
/// assert!(matches!(Header::decode(&bytes[..5]), Decoded::Partial));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The frame ends its message.
    pub fin: bool,
    /// The message is compressed (RFC 7692 section 6).
    pub rsv1: bool,
    /// The kind of the frame.
    pub opcode: Opcode,
    /// The masking key, if the payload is masked.
    pub key: Option<[u8; 4]>,
    /// The length of the payload in bytes, below 2^63.
    pub len: u64,
}

/// The result of [`Header::decode`].
///
/// ```
/// use switchboard::proto::websocket::{Decoded, Header, Violation};
///
/// assert_eq!(Header::decode(&[0x81]), Decoded::Partial);
/// assert_eq!(Header::decode(&[0x83]), Decoded::Violation(Violation::UnknownOpcode));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decoded {
    /// A header, and its length in bytes.
    Header(Header, usize),
    /// The beginning of a header; more bytes are needed.
    Partial,
    /// No header begins with these bytes.
    Violation(Violation),
}

/// The side of the connection that we are.
///
/// ```
/// use switchboard::proto::websocket::Role;
///
/// assert!(Role::Server.receives_masked() && !Role::Client.receives_masked());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Role {
    /// We accept connections: frames to us are masked, ours are not (section 5.1).
    Server,
    /// We open connections: our frames are masked, frames to us are not (section 5.1).
    Client,
}

impl Role {
    /// Whether frames to this role are masked (section 5.1).
    #[must_use]
    #[inline]
    pub const fn receives_masked(self) -> bool {
        matches!(self, Role::Server)
    }
}

/// The frames that [`decode`](super::decode()) accepts.
///
/// ```
/// use switchboard::proto::websocket::{Event, Role, Rules, Violation, decode};
///
/// let rules = Rules { role: Role::Client, max_message: 4, compression: false };
/// let mut input = *b"\x81\x05Hello";
/// assert_eq!(decode(&rules, &mut None, &mut input).1, Event::Fail(Violation::TooBig));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// The side that we are.
    pub role: Role,
    /// The longest message in bytes; `usize::MAX` is no limit.
    pub max_message: usize,
    /// Whether permessage-deflate was negotiated (RFC 7692), which gives RSV1 a meaning. Without
    /// the feature `deflate` a compressed message is a violation either way.
    pub compression: bool,
}

const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASKED: u8 = 0x80;
/// The longest payload in bytes of a control frame, and the longest whose length fits the second
/// byte.
const MAX_SHORT: u8 = 125;
const LEN_16: u8 = 126;
const LEN_64: u8 = 127;

impl Header {
    /// The longest header in bytes: two, then eight of length and four of masking key.
    pub const MAX_LEN: usize = 14;
    /// FIN in the first byte.
    pub(crate) const FIN: u8 = 0x80;
    /// The longest payload in bytes whose length fits the second byte.
    pub(crate) const SHORT: usize = MAX_SHORT as usize;

    /// Reads the header at the beginning of `input`. A reserved bit is a violation.
    ///
    /// A violation is reported with the byte that proves it, even if the header is incomplete.
    #[must_use]
    #[inline]
    pub fn decode(input: &[u8]) -> Decoded {
        let (first, second) = match *input {
            [first, second, ..] => (first, second),
            [first] => return incomplete(first_byte(first)),
            [] => return Decoded::Partial,
        };
        let (fin, opcode) = match first_byte(first) {
            Ok(parts) => parts,
            Err(violation) => return Decoded::Violation(violation),
        };
        let short = second & !MASKED;
        if opcode.is_control() && short > MAX_SHORT {
            return Decoded::Violation(Violation::ControlTooLong); // 5.5
        }
        let (len, at) = match short {
            0..=MAX_SHORT => (u64::from(short), 2),
            _ => match long_len(short, &input[2..]) {
                Ok(Some(parts)) => parts,
                other => return incomplete(other),
            },
        };
        if second & MASKED == 0 {
            return Decoded::Header(Header { fin, rsv1: false, opcode, key: None, len }, at);
        }
        match input[at..].first_chunk() {
            Some(&key) => {
                Decoded::Header(Header { fin, rsv1: false, opcode, key: Some(key), len }, at + 4)
            }
            None => Decoded::Partial,
        }
    }

    /// Reads a header as [`decode`](Header::decode) does. If an extension allows RSV1, the first
    /// frame of a message may have the bit (RFC 7692 section 6).
    ///
    /// A function of its own keeps the check of the extension off the path of `decode`.
    #[must_use]
    pub fn decode_with(input: &[u8], rsv1_allowed: bool) -> Decoded {
        let mut buf = [0; Header::MAX_LEN];
        match input {
            [first, ..] if rsv1_allowed && first & RSV1 != 0 => buf[0] = first & !RSV1,
            _ => return Header::decode(input),
        }
        if let Some(Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong) =
            Opcode::new(buf[0] & 0x0F)
        {
            // RFC 7692 6.1: only the first frame of a message has the bit.
            return Decoded::Violation(Violation::ReservedBits);
        }
        let n = input.len().min(Header::MAX_LEN);
        buf[1..n].copy_from_slice(&input[1..n]);
        match Header::decode(&buf[..n]) {
            Decoded::Header(header, at) => Decoded::Header(Header { rsv1: true, ..header }, at),
            other => other,
        }
    }

    /// Appends the header, with the length in the fewest bytes.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        // A server's short frame has two bytes of header, which need no buffer in between.
        if self.key.is_none() && self.len <= u64::from(MAX_SHORT) {
            out.extend_from_slice(&[self.first_byte(), self.len as u8]);
        } else {
            let mut buf = [0; Header::MAX_LEN];
            let n = self.encode_into(&mut buf);
            out.extend_from_slice(&buf[..n]);
        }
    }

    /// Writes the header and returns its length: 2 to 14 bytes.
    #[must_use]
    pub fn encode_into(&self, buf: &mut [u8; Header::MAX_LEN]) -> usize {
        let masked = if self.key.is_some() { MASKED } else { 0 };
        buf[0] = self.first_byte();
        let at = match self.len {
            0..=0x7D => {
                buf[1] = masked | self.len as u8;
                2
            }
            0x7E..=0xFFFF => {
                buf[1] = masked | LEN_16;
                buf[2..4].copy_from_slice(&(self.len as u16).to_be_bytes());
                4
            }
            _ => {
                buf[1] = masked | LEN_64;
                buf[2..10].copy_from_slice(&self.len.to_be_bytes());
                10
            }
        };
        match self.key {
            Some(key) => {
                buf[at..at + 4].copy_from_slice(&key);
                at + 4
            }
            None => at,
        }
    }

    #[inline]
    fn first_byte(&self) -> u8 {
        u8::from(self.fin) << 7 | u8::from(self.rsv1) << 6 | self.opcode as u8
    }
}

/// Reads FIN and the opcode of a header's first byte.
#[inline]
fn first_byte(byte: u8) -> Result<(bool, Opcode), Violation> {
    let fin = byte & Header::FIN != 0;
    if byte & (RSV1 | RSV2_RSV3) != 0 {
        return Err(Violation::ReservedBits); // 5.2
    }
    let Some(opcode) = Opcode::new(byte & 0x0F) else {
        return Err(Violation::UnknownOpcode); // 5.2
    };
    if opcode.is_control() && !fin {
        return Err(Violation::FragmentedControl); // 5.5
    }
    Ok((fin, opcode))
}

/// Reads a length of 16 or 64 bits: returns the length and the offset behind it. `None` if bytes
/// are missing and none is wrong.
fn long_len(short: u8, extended: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    if short == LEN_16 {
        return match extended.first_chunk().map(|bytes| u16::from_be_bytes(*bytes)) {
            Some(len) if len <= u16::from(MAX_SHORT) => Err(Violation::NonMinimalLength), // 5.2
            Some(len) => Ok(Some((u64::from(len), 4))),
            None => Ok(None),
        };
    }
    if extended.first().is_some_and(|byte| byte & 0x80 != 0) {
        return Err(Violation::LengthOverflow); // 5.2: "the most significant bit MUST be 0"
    }
    if extended.starts_with(&[0; 6]) {
        // 5.2: six zeros mean that the length fits 16 bits.
        return Err(Violation::NonMinimalLength);
    }
    Ok(extended.first_chunk().map(|bytes| (u64::from_be_bytes(*bytes), 10)))
}

#[cold]
fn incomplete<T>(so_far: Result<T, Violation>) -> Decoded {
    match so_far {
        Ok(_) => Decoded::Partial,
        Err(violation) => Decoded::Violation(violation),
    }
}
