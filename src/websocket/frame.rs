//! The frame header: what its two to fourteen bytes say and how they are written (RFC 6455 section 5.2).
//! Does not know what came before a frame, who may send it, or what its payload means.

use super::Violation;

/// What a frame is: the six legal opcodes (section 5.2). The reserved ones never get past [`Header::decode`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// The next fragment of a message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// A ping, to be answered by a pong with the same payload.
    Ping = 0x9,
    /// A pong.
    Pong = 0xA,
}

impl Opcode {
    /// The opcode of these four bits; `None` where they are reserved.
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

    /// Close, Ping and Pong: whole in one frame, at most 125 bytes, allowed between fragments (section 5.5).
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    /// Whether a message begins with such a frame (section 5.4).
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
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key, if the payload is masked.
    pub key: Option<[u8; 4]>,
    /// The length of the payload in bytes, below 2^63.
    pub len: u64,
}

/// What [`Header::decode`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decoded {
    /// A header, and how many bytes it takes.
    Header(Header, usize),
    /// Good so far; more bytes are needed.
    Partial,
    /// No continuation of these bytes is a header.
    Violation(Violation),
}

const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASKED: u8 = 0x80;
/// The longest payload of a control frame, and the longest that the second byte itself can tell.
const MAX_SHORT: u8 = 125;
const LEN_16: u8 = 126;
const LEN_64: u8 = 127;

impl Header {
    /// The longest header in bytes: two, eight of length, four of masking key.
    pub const MAX_LEN: usize = 14;
    /// FIN in the first byte.
    pub(crate) const FIN: u8 = 0x80;
    /// The longest payload that the second byte itself tells.
    pub(crate) const SHORT: usize = MAX_SHORT as usize;

    /// Reads the header at the beginning of `input`; no reserved bit may be set.
    ///
    /// A violation is reported with the byte that proves it, though the header is incomplete.
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

    /// The same where an extension may allow RSV1 on the first frame of a message (RFC 7692 section 6).
    ///
    /// It goes a way of its own, so that [`decode`](Header::decode) pays nothing for it.
    pub fn decode_with(input: &[u8], rsv1_allowed: bool) -> Decoded {
        let mut buf = [0; Header::MAX_LEN];
        match input {
            [first, ..] if rsv1_allowed && first & RSV1 != 0 => buf[0] = first & !RSV1,
            _ => return Header::decode(input),
        }
        if let Some(Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong) =
            Opcode::new(buf[0] & 0x0F)
        {
            return Decoded::Violation(Violation::ReservedBits); // RFC 7692 6.1: only a message's first frame says it
        }
        let n = input.len().min(Header::MAX_LEN);
        buf[1..n].copy_from_slice(&input[1..n]);
        match Header::decode(&buf[..n]) {
            Decoded::Header(header, at) => Decoded::Header(Header { rsv1: true, ..header }, at),
            other => other,
        }
    }

    /// Appends the header, its length in the fewest bytes.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        // The server's own path: two bytes, no buffer between.
        if self.key.is_none() && self.len <= u64::from(MAX_SHORT) {
            out.extend_from_slice(&[self.first_byte(), self.len as u8]);
        } else {
            let mut buf = [0; Header::MAX_LEN];
            let n = self.encode_into(&mut buf);
            out.extend_from_slice(&buf[..n]);
        }
    }

    /// Writes the header and says how many bytes it took: 2 to 14.
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

/// FIN and opcode of a header's first byte, if it can begin a frame.
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

/// A length of 16 or 64 bits and the offset after it; `None` while bytes are missing and none is wrong.
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
        return Err(Violation::NonMinimalLength); // 5.2: it would have fitted 16 bits, whatever the last two are
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
