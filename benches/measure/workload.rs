//! What one exchange of an echo benchmark looks like on the wire, for the load generator and for the floor alike.
//! Knows lengths and bytes; knows no socket, no process and no clock.

/// The sample nonce of RFC 6455 section 1.3; every connection of the load generator offers it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The answer to [`KEY`], by the same section.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The masking key of every frame sent (RFC 6455 section 5.7 uses it too).
const MASKING_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const MASKED: u8 = 0x80;

/// Which messages are sent: all of one kind and one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// How many connections are open, each with one segment on its way.
    pub connections: usize,
    /// Payload bytes of a message.
    pub size: usize,
    /// Messages sent at once, in one `write`; all their echoes are awaited before the next.
    pub frames: usize,
    /// Binary instead of text.
    pub binary: bool,
}

impl Workload {
    /// Bytes of one masked message, header included.
    pub fn request_len(&self) -> usize {
        header(self.size).len() + MASKING_KEY.len() + self.size
    }

    /// Bytes of one echo, header included (a server's frames are not masked, RFC 6455 section 5.1).
    pub fn reply_len(&self) -> usize {
        header(self.size).len() + self.size
    }

    /// What a connection sends at once.
    pub fn segment(&self) -> Vec<u8> {
        let mut frame = self.opening(MASKED);
        frame.extend(MASKING_KEY);
        frame.extend(self.payload().zip(MASKING_KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
        frame.repeat(self.frames)
    }

    /// `count` echoes, one after the other.
    pub fn replies(&self, count: usize) -> Vec<u8> {
        let mut frame = self.opening(0);
        frame.extend(self.payload());
        frame.repeat(count)
    }

    fn opening(&self, mask_bit: u8) -> Vec<u8> {
        let mut bytes = header(self.size);
        bytes[0] |= if self.binary { 0x2 } else { 0x1 };
        bytes[1] |= mask_bit;
        bytes
    }

    fn payload(&self) -> impl Iterator<Item = u8> {
        (b'a'..=b'z').cycle().take(self.size)
    }
}

/// FIN and the shortest of the three length encodings (RFC 6455 section 5.2), without opcode and mask bit.
fn header(size: usize) -> Vec<u8> {
    const FIN: u8 = 0x80;
    match size {
        0..=125 => vec![FIN, size as u8],
        126..=0xffff => [&[FIN, 126], &(size as u16).to_be_bytes()[..]].concat(),
        _ => [&[FIN, 127], &(size as u64).to_be_bytes()[..]].concat(),
    }
}
