//! What a bench sends, and what has to come back, for load generators and floor alike. This file
//! knows lengths and bytes; it knows no socket, process or clock.

/// The sample nonce of RFC 6455 section 1.3, which every connection of a load generator offers.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The answer to [`KEY`], from the same section.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The masking key of every frame sent (RFC 6455 section 5.7 uses it too).
const MASKING_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const MASKED: u8 = 0x80;

/// The messages to be sent: all of one kind and one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The number of open connections.
    pub connections: usize,
    /// The number of connections that send: each has one segment on its way.
    pub senders: usize,
    /// Payload bytes of a message.
    pub size: usize,
    /// Messages in one segment, sent by one `write`. All replies are awaited before the next
    /// segment.
    pub frames: usize,
    /// Binary instead of text.
    pub binary: bool,
    /// Each message goes to every connection instead of back to its sender.
    pub room: bool,
    /// The load generator polls for replies instead of being woken for each piece.
    pub polled: bool,
    /// Each connection sends one segment a tick, instead of the next one as soon as it can.
    pub paced: bool,
    /// Half of the connections go to 127.0.0.2.
    pub spread: bool,
}

impl Workload {
    /// Every connection sends text and gets its own echo.
    pub fn echo(connections: usize, size: usize, frames: usize) -> Workload {
        Workload {
            connections,
            senders: connections,
            size,
            frames,
            binary: false,
            room: false,
            polled: false,
            paced: false,
            spread: false,
        }
    }

    /// The options that describe this workload to a process; [`option`](Workload::option) reads
    /// them.
    pub fn arguments(&self) -> Vec<String> {
        let numbers = [
            ("--connections", self.connections),
            ("--senders", self.senders),
            ("--size", self.size),
            ("--frames", self.frames),
        ];
        let mut arguments: Vec<String> = numbers
            .iter()
            .flat_map(|(name, value)| [(*name).to_owned(), value.to_string()])
            .collect();
        for (name, yes) in [
            ("--binary", self.binary),
            ("--room", self.room),
            ("--polled", self.polled),
            ("--paced", self.paced),
            ("--spread", self.spread),
        ] {
            arguments.extend(yes.then(|| name.to_owned()));
        }
        arguments
    }

    /// Reads one of those options; returns `false` for others.
    pub fn option(
        &mut self,
        name: &str,
        parser: &mut lexopt::Parser,
    ) -> Result<bool, lexopt::Error> {
        use lexopt::ValueExt as _;
        let number = match name {
            "connections" => &mut self.connections,
            "senders" => &mut self.senders,
            "size" => &mut self.size,
            "frames" => &mut self.frames,
            _ => return Ok(self.flag(name)),
        };
        *number = parser.value()?.parse()?;
        Ok(true)
    }

    /// Reads one of the options without a value; returns `false` for others.
    fn flag(&mut self, name: &str) -> bool {
        let flag = match name {
            "binary" => &mut self.binary,
            "room" => &mut self.room,
            "polled" => &mut self.polled,
            "paced" => &mut self.paced,
            "spread" => &mut self.spread,
            _ => return false,
        };
        *flag = true;
        true
    }

    /// Messages that one connection gets before the next segment is sent.
    pub fn received(&self) -> usize {
        if self.room { self.senders * self.frames } else { self.frames }
    }

    /// The number of connections that get messages.
    pub fn receivers(&self) -> usize {
        if self.room { self.connections } else { self.senders }
    }

    /// Messages that all connections get for one segment of each sender.
    pub fn deliveries(&self) -> usize {
        self.receivers() * self.received()
    }

    /// Bytes of one masked message, header included.
    pub fn request_len(&self) -> usize {
        header(self.size).len() + MASKING_KEY.len() + self.size
    }

    /// Bytes of one delivery, header included (a server's frames are not masked, RFC 6455 section
    /// 5.1).
    pub fn reply_len(&self) -> usize {
        header(self.size).len() + self.size
    }

    /// The bytes of one segment.
    pub fn segment(&self) -> Vec<u8> {
        let mut frame = self.opening(MASKED);
        frame.extend(MASKING_KEY);
        frame.extend(self.payload().zip(MASKING_KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
        frame.repeat(self.frames)
    }

    /// The bytes of `count` deliveries.
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

/// Encodes FIN and the shortest of the three length forms (RFC 6455 section 5.2), without opcode
/// and mask bit.
fn header(size: usize) -> Vec<u8> {
    const FIN: u8 = 0x80;
    match size {
        0..=125 => vec![FIN, size as u8],
        126..=0xffff => [&[FIN, 126], &(size as u16).to_be_bytes()[..]].concat(),
        _ => [&[FIN, 127], &(size as u64).to_be_bytes()[..]].concat(),
    }
}
