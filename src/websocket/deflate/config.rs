//! How messages are to be compressed (RFC 7692), as we want it and as a connection agreed on it.
//! Knows neither how peers come to agree nor a bit of compressed data.

use std::num::NonZeroU8;

/// The largest window there is (RFC 7692 section 7.1.2).
pub(super) const MAX_BITS: u8 = 15;
/// The smallest window that a compressor has; the RFC begins at 8.
pub(super) const MIN_BITS: u8 = 9;

/// Who holds the memory that compression needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum DeflateMode {
    /// Nobody: nothing is offered or accepted.
    #[default]
    Off,
    /// One compressor and one decompressor for all connections: nothing is remembered between messages, in neither
    /// direction, and a connection costs no byte more.
    Shared,
    /// A compressor and a decompressor of its own for each connection, as far as the peer allows: messages compress
    /// better after others like them. A connection costs what [`Deflater`](super::Deflater) and
    /// [`Inflater`](super::Inflater) say, at 15 bits 370,240 bytes together.
    Dedicated,
}

/// How messages are to be compressed; what the peer says to it makes it [`Agreed`].
///
/// ```
/// use switchboard::proto::websocket::DeflateConfig;
///
/// let config = DeflateConfig::dedicated().level(6).server_bits(12).threshold(1 << 10);
/// assert!(config.compresses(1 << 10) && !config.compresses((1 << 10) - 1));
/// assert!(!DeflateConfig::off().compresses(1 << 10));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeflateConfig {
    pub(super) mode: DeflateMode,
    pub(super) level: u8,
    pub(super) server_bits: u8,
    pub(super) client_bits: u8,
    threshold: usize,
}

impl Default for DeflateConfig {
    /// [`off`](DeflateConfig::off).
    fn default() -> DeflateConfig {
        DeflateConfig::new(DeflateMode::Off)
    }
}

impl DeflateConfig {
    /// Level 1, windows of 15 bits, a threshold of 256 bytes.
    pub const fn new(mode: DeflateMode) -> DeflateConfig {
        DeflateConfig {
            mode,
            level: 1,
            server_bits: MAX_BITS,
            client_bits: MAX_BITS,
            threshold: 256,
        }
    }

    /// No compression.
    pub const fn off() -> DeflateConfig {
        DeflateConfig::new(DeflateMode::Off)
    }

    /// [`DeflateMode::Shared`].
    pub const fn shared() -> DeflateConfig {
        DeflateConfig::new(DeflateMode::Shared)
    }

    /// [`DeflateMode::Dedicated`].
    pub const fn dedicated() -> DeflateConfig {
        DeflateConfig::new(DeflateMode::Dedicated)
    }

    /// How hard the compressor tries: 0 not at all, 1 quickly, 9 (and above) as hard as it can.
    #[must_use]
    pub const fn level(mut self, level: u8) -> DeflateConfig {
        self.level = if level < 9 { level } else { 9 };
        self
    }

    /// The largest window that the server compresses with, as a power of two: 9 to 15, others are brought into that range.
    #[must_use]
    pub const fn server_bits(mut self, bits: u8) -> DeflateConfig {
        self.server_bits = in_range(bits);
        self
    }

    /// The largest window that the client compresses with, as a power of two: 9 to 15, others are brought into that
    /// range. A server can ask this only of a client that offers it.
    #[must_use]
    pub const fn client_bits(mut self, bits: u8) -> DeflateConfig {
        self.client_bits = in_range(bits);
        self
    }

    /// The shortest message in bytes that is worth compressing.
    #[must_use]
    pub const fn threshold(mut self, len: usize) -> DeflateConfig {
        self.threshold = len;
        self
    }

    /// Who holds the memory.
    pub const fn mode(&self) -> DeflateMode {
        self.mode
    }

    /// Whether a message of this many bytes is worth compressing.
    pub const fn compresses(&self, len: usize) -> bool {
        !matches!(self.mode, DeflateMode::Off) && len >= self.threshold
    }

    pub(super) const fn is_dedicated(&self) -> bool {
        matches!(self.mode, DeflateMode::Dedicated)
    }
}

/// What holds for a connection after its handshake, in a byte that is never zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Agreed(NonZeroU8);

const OUR_TAKEOVER: u8 = 0x10;
const PEER_TAKEOVER: u8 = 0x20;

impl Agreed {
    /// `window_bits` from 8 to 15.
    pub(super) fn new(window_bits: u8, our_takeover: bool, peer_takeover: bool) -> Agreed {
        let window = (window_bits.clamp(8, MAX_BITS) - 8) << 1;
        let ours = if our_takeover { OUR_TAKEOVER } else { 0 };
        let peers = if peer_takeover { PEER_TAKEOVER } else { 0 };
        Agreed(NonZeroU8::MIN | window | ours | peers)
    }

    /// The window to compress with, as a power of two from 9 to 15. `None` for a client that was told 8: no compressor
    /// has so small a window, and an endpoint may always send a message as it is (RFC 7692 section 6).
    pub const fn window_bits(self) -> Option<u8> {
        match (self.0.get() >> 1) & 0x07 {
            0 => None,
            above => Some(8 + above),
        }
    }

    /// Whether what we send may refer to messages that we sent before.
    pub const fn our_takeover(self) -> bool {
        self.0.get() & OUR_TAKEOVER != 0
    }

    /// Whether what the peer sends may refer to messages that it sent before.
    pub const fn peer_takeover(self) -> bool {
        self.0.get() & PEER_TAKEOVER != 0
    }
}

impl std::fmt::Debug for Agreed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agreed")
            .field("window_bits", &self.window_bits())
            .field("our_takeover", &self.our_takeover())
            .field("peer_takeover", &self.peer_takeover())
            .finish()
    }
}

const fn in_range(bits: u8) -> u8 {
    match bits {
        ..MIN_BITS => MIN_BITS,
        MIN_BITS..=MAX_BITS => bits,
        _ => MAX_BITS,
    }
}
