//! The two keys of the opening handshake: the client's nonce in base64, and the server's digest
//! (RFC 6455 sections 4.1 and 4.2.2). This file knows neither headers nor roles.
//!
//! `base64` and `sha1` are used through their ordinary interfaces. When this was written, `base64`
//! took 646 instructions of a handshake, whereas own tables for 16 and 20 bytes took 200. The block
//! interface of `sha1`, with a padding written in advance, would save 150.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

/// The constant that a server appends to the key (section 1.3). A server that does not speak the
/// protocol cannot answer with its digest.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Key`: the nonce of one handshake in base64, 24 characters.
///
/// ```
/// use switchboard::proto::websocket::Key;
///
/// let key = Key::from_nonce(*b"the sample nonce");
/// assert_eq!(key.as_bytes(), b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(key.accept().as_bytes(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key([u8; 24]);

impl Key {
    /// Encodes a nonce. The nonce must be random and new for each handshake (section 4.1, item 7):
    /// [`MaskingKeys::nonce`](super::MaskingKeys::nonce) draws one.
    #[must_use]
    pub fn from_nonce(nonce: [u8; 16]) -> Key {
        Key(encode(&nonce))
    }

    /// The characters of the header value.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 24] {
        &self.0
    }

    /// The answer that proves that the server read this key and speaks the protocol.
    #[must_use]
    pub fn accept(&self) -> AcceptKey {
        AcceptKey::from_key(&self.0)
    }
}

/// The value of `Sec-WebSocket-Accept`, 28 characters (section 4.2.2).
///
/// ```
/// use switchboard::proto::websocket::AcceptKey;
///
/// let accept = AcceptKey::from_key(b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept.as_bytes(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AcceptKey([u8; 28]);

impl AcceptKey {
    /// Answers a `Sec-WebSocket-Key`. The key is hashed as its characters, not decoded.
    #[must_use]
    pub fn from_key(key: &[u8]) -> AcceptKey {
        let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
        AcceptKey(encode(&digest.into()))
    }

    /// The characters of the header value.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 28] {
        &self.0
    }
}

/// Whether the text is base64 of 16 bytes. The bits behind them need not be 0 (RFC 4648 section
/// 3.5), as in the key of RFC 6455 section 4.1; the padding must stand.
pub(super) fn is_key(text: &[u8]) -> bool {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    // The engine estimates 18 bytes for 24 characters and refuses a slice below its estimate.
    ENGINE.decode_slice(text, &mut [0; 18]) == Ok(16)
}

fn encode<const BYTES: usize, const CHARACTERS: usize>(bytes: &[u8; BYTES]) -> [u8; CHARACTERS] {
    const { assert!(CHARACTERS == BYTES.div_ceil(3) * 4) };
    let mut text = [b'='; CHARACTERS];
    let written = STANDARD.encode_slice(bytes, &mut text);
    debug_assert_eq!(written, Ok(CHARACTERS));
    text
}
