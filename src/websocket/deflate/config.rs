//! The parameters of compression (RFC 7692): those that a program configures, and those of one
//! connection. This file knows neither the negotiation nor the compressed data.

use std::num::NonZeroU8;

/// The largest window, as a power of two (RFC 7692 section 7.1.2).
pub(super) const MAX_BITS: u8 = 15;
/// The smallest window of the compressor, as a power of two. The RFC allows 8.
pub(super) const MIN_BITS: u8 = 9;

/// The owner of the memory for compression.
///
/// ```
/// use switchboard::proto::websocket::{DeflateConfig, DeflateMode};
///
/// assert_eq!(DeflateMode::default(), DeflateMode::Off);
/// assert_eq!(DeflateConfig::shared().mode(), DeflateMode::Shared);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum DeflateMode {
    /// No compression: nothing is offered or accepted.
    #[default]
    Off,
    /// One compressor and one decompressor for all connections. Each message is compressed by
    /// itself, and a connection costs no additional byte.
    Shared,
    /// One compressor and one decompressor for each connection, if the peer allows. A message
    /// compresses better after similar ones. At 15 bits a connection costs 370,240 bytes: see
    /// [`Deflater`](super::Deflater) and [`Inflater`](super::Inflater).
    Dedicated,
}

/// The configuration of compression. The negotiation with a peer gives [`Agreed`].
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
    /// Returns [`off`](DeflateConfig::off).
    fn default() -> DeflateConfig {
        DeflateConfig::new(DeflateMode::Off)
    }
}

impl DeflateConfig {
    /// Makes a configuration with level 1, windows of 15 bits and a threshold of 256 bytes.
    #[must_use]
    pub const fn new(mode: DeflateMode) -> DeflateConfig {
        DeflateConfig {
            mode,
            level: 1,
            server_bits: MAX_BITS,
            client_bits: MAX_BITS,
            threshold: 256,
        }
    }

    /// Makes a configuration without compression.
    #[must_use]
    pub const fn off() -> DeflateConfig {
        DeflateConfig::new(DeflateMode::Off)
    }

    /// Makes a configuration with [`DeflateMode::Shared`].
    #[must_use]
    pub const fn shared() -> DeflateConfig {
        DeflateConfig::new(DeflateMode::Shared)
    }

    /// Makes a configuration with [`DeflateMode::Dedicated`].
    #[must_use]
    pub const fn dedicated() -> DeflateConfig {
        DeflateConfig::new(DeflateMode::Dedicated)
    }

    /// Sets the effort of the compressor: 0 stores, 1 is the fastest, 9 the best. Levels above 9
    /// mean 9.
    #[must_use]
    pub const fn level(mut self, level: u8) -> DeflateConfig {
        self.level = if level < 9 { level } else { 9 };
        self
    }

    /// Sets the largest window of the server's compressor, as a power of two. The range is 9 to 15;
    /// other values are clamped.
    #[must_use]
    pub const fn server_bits(mut self, bits: u8) -> DeflateConfig {
        self.server_bits = in_range(bits);
        self
    }

    /// Sets the largest window of the client's compressor, as a power of two. The range is 9 to 15;
    /// other values are clamped. A server can demand a window only of a client that offers one.
    #[must_use]
    pub const fn client_bits(mut self, bits: u8) -> DeflateConfig {
        self.client_bits = in_range(bits);
        self
    }

    /// Sets the length in bytes of the shortest message to compress.
    #[must_use]
    pub const fn threshold(mut self, len: usize) -> DeflateConfig {
        self.threshold = len;
        self
    }

    /// The owner of the memory.
    #[must_use]
    pub const fn mode(&self) -> DeflateMode {
        self.mode
    }

    /// Whether a message of `len` bytes is compressed.
    #[must_use]
    pub const fn compresses(&self, len: usize) -> bool {
        !matches!(self.mode, DeflateMode::Off) && len >= self.threshold
    }

    pub(super) const fn is_dedicated(&self) -> bool {
        matches!(self.mode, DeflateMode::Dedicated)
    }
}

/// The agreed parameters of one connection, in one byte that is never zero.
///
/// ```
/// use switchboard::proto::websocket::{Agreed, DeflateConfig, check_answer};
///
/// let answer: &[u8] = b"permessage-deflate; client_max_window_bits=12";
/// let agreed = check_answer([answer], &DeflateConfig::dedicated()).unwrap().unwrap();
/// assert_eq!(agreed.window_bits(), Some(12));
/// assert!(agreed.our_takeover() && agreed.peer_takeover());
/// assert_eq!(size_of::<Option<Agreed>>(), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Agreed(NonZeroU8);

const OUR_TAKEOVER: u8 = 0x10;
const PEER_TAKEOVER: u8 = 0x20;

impl Agreed {
    /// Packs the parameters; `window_bits` is 8 to 15.
    pub(super) fn new(window_bits: u8, our_takeover: bool, peer_takeover: bool) -> Agreed {
        let window = (window_bits.clamp(8, MAX_BITS) - 8) << 1;
        let ours = if our_takeover { OUR_TAKEOVER } else { 0 };
        let peers = if peer_takeover { PEER_TAKEOVER } else { 0 };
        Agreed(NonZeroU8::MIN | window | ours | peers)
    }

    /// The window of our compressor, as a power of two from 9 to 15. `None` for a client that must
    /// not exceed 8, which no compressor has: such a client sends uncompressed messages (RFC 7692
    /// section 6).
    #[must_use]
    pub const fn window_bits(self) -> Option<u8> {
        match (self.0.get() >> 1) & 0x07 {
            0 => None,
            above => Some(8 + above),
        }
    }

    /// Whether our messages may refer to earlier ones of ours.
    #[must_use]
    pub const fn our_takeover(self) -> bool {
        self.0.get() & OUR_TAKEOVER != 0
    }

    /// Whether the peer's messages may refer to earlier ones of the peer.
    #[must_use]
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
