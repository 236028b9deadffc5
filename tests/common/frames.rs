//! Frames as a client sends them, masked, and as a client reads them, unmasked.

/// One frame that a server sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    pub opcode: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code and the reason of a Close frame; 1005 if it has none.
    pub fn close(&self) -> (u16, &str) {
        assert_eq!(self.opcode, CLOSE);
        match self.payload.split_first_chunk() {
            Some((code, reason)) => {
                (u16::from_be_bytes(*code), std::str::from_utf8(reason).expect("a text"))
            }
            None => (1005, ""),
        }
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}{:X}:{}",
            if self.fin { "" } else { "~" },
            self.opcode,
            self.payload.escape_ascii()
        )
    }
}

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A masked frame with the shortest length encoding.
pub fn frame(fin: bool, opcode: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = header(fin, opcode, payload.len() as u64);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The header of a masked frame that declares a length, key included.
pub fn header(fin: bool, opcode: u8, len: u64) -> Vec<u8> {
    let mut bytes = vec![if fin { 0x80 } else { 0 } | opcode];
    match len {
        0..126 => bytes.push(0x80 | len as u8),
        126..0x1_0000 => {
            bytes.push(0xFE);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0xFF);
            bytes.extend_from_slice(&len.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&KEY);
    bytes
}

pub fn text(text: &str) -> Vec<u8> {
    frame(true, TEXT, text)
}

pub fn binary(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    frame(true, BINARY, bytes)
}

pub fn ping(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(true, PING, payload)
}

pub fn pong(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(true, PONG, payload)
}

pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    frame(true, CLOSE, payload)
}

/// All frames in these bytes. Panics if the last frame is cut or if a frame is masked.
pub fn frames(bytes: &[u8]) -> Vec<Frame> {
    let (frames, rest) = some_frames(bytes);
    assert_eq!(rest, b"", "half a frame after {frames:?}");
    frames
}

/// The whole frames in these bytes, and the rest.
pub fn some_frames(bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut rest = bytes;
    let mut frames = Vec::new();
    while let Some((frame, len)) = first_frame(rest) {
        frames.push(frame);
        rest = &rest[len..];
    }
    (frames, rest)
}

/// The first whole frame in these bytes, and its length.
pub fn first_frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    assert_eq!(
        (first & 0x70, second & 0x80),
        (0, 0),
        "a server's frame is neither masked nor extended"
    );
    let (len, at) = match second {
        0x7E => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        0x7F => (u64::from_be_bytes(*rest.first_chunk()?), 10),
        len => (u64::from(*len), 2),
    };
    let end = at + usize::try_from(len).expect("a length that fits");
    let payload = bytes.get(at..end)?.to_vec();
    Some((Frame { fin: first & 0x80 != 0, opcode: first & 0x0F, payload }, end))
}

/// An unmasked frame whose first byte is given whole, as a server sends it.
pub fn plain(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = header(true, 0, payload.len() as u64);
    bytes.truncate(bytes.len() - KEY.len());
    bytes[0] = first;
    bytes[1] &= 0x7F;
    bytes.extend_from_slice(payload);
    bytes
}

/// The frames that a client sent, unmasked, and their masking keys. Panics if the last frame is cut
/// or if a frame is not masked.
pub fn masked_frames(bytes: &[u8]) -> (Vec<Frame>, Vec<[u8; 4]>) {
    let (mut rest, mut plain, mut keys) = (bytes, Vec::new(), Vec::new());
    while let [first, second, after @ ..] = rest {
        assert!(second & 0x80 != 0, "a client's frame is masked");
        let extended = match second & 0x7F {
            0x7E => 2,
            0x7F => 8,
            _ => 0,
        };
        let (length, after) = after.split_at(extended);
        let (key, after) = after.split_first_chunk::<4>().expect("a masking key");
        let len = match extended {
            0 => usize::from(second & 0x7F),
            _ => length.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)),
        };
        let (payload, after) = after.split_at_checked(len).expect("a whole frame");
        plain.extend([*first, second & 0x7F]);
        plain.extend_from_slice(length);
        plain.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        keys.push(*key);
        rest = after;
    }
    assert_eq!(rest, b"", "half a header");
    (frames(&plain), keys)
}
