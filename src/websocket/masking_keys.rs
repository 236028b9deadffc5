//! The random bytes of a client: a masking key for each frame (RFC 6455 section 5.3) and a nonce
//! for each handshake (section 4.1). This file knows neither frames nor handshakes.
//!
//! One system call draws 1,024 keys, so a client's frame needs no system call of its own. When this
//! was written, a key took 18 instructions, and 86 with the thread's generator of the crate `rand`.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// The bytes drawn by one system call: 1,024 keys.
const BULK: usize = 4 << 10;

/// A store of unpredictable bytes: 4 KiB of memory from the first key on, none before.
///
/// ```
/// use switchboard::proto::websocket::{Key, MaskingKeys, Opcode, encode_masked};
///
/// let mut keys = MaskingKeys::new();
/// assert_ne!(Key::from_nonce(keys.nonce()), Key::from_nonce(keys.nonce()));
/// let mut out = Vec::new();
/// encode_masked(&mut out, true, Opcode::Text, b"Hello", keys.next_key());
/// assert_eq!(out.len(), 2 + 4 + 5);
/// ```
pub struct MaskingKeys {
    bytes: Vec<u8>,
    used: usize,
    /// Fills the bytes; false if the system has none.
    draw: fn(&mut [u8]) -> bool,
}

impl MaskingKeys {
    /// Makes an empty store, which the first key fills.
    #[must_use]
    pub const fn new() -> MaskingKeys {
        MaskingKeys { bytes: Vec::new(), used: 0, draw: |bytes| getrandom::fill(bytes).is_ok() }
    }

    /// Takes a masking key for one frame.
    #[inline]
    pub fn next_key(&mut self) -> [u8; 4] {
        self.take()
    }

    /// Takes a nonce for one handshake.
    pub fn nonce(&mut self) -> [u8; 16] {
        self.take()
    }

    #[inline]
    fn take<const LEN: usize>(&mut self) -> [u8; LEN] {
        const { assert!(LEN <= BULK) };
        loop {
            if let Some(bytes) = self.bytes.get(self.used..).and_then(|rest| rest.first_chunk()) {
                self.used += LEN;
                return *bytes;
            }
            self.refill();
        }
    }

    #[cold]
    fn refill(&mut self) {
        self.bytes.resize(BULK, 0);
        self.used = 0;
        if !(self.draw)(&mut self.bytes) {
            stretch(&mut self.bytes);
        }
    }
}

/// Fills the bytes from a keyed hash, whose key the standard library drew. A supported system
/// always gives random bytes once started. Masks protect caches on the way, so neither a panic nor
/// an unmasked frame would be better.
fn stretch(bytes: &mut [u8]) {
    let hash = RandomState::new();
    for (count, chunk) in bytes.chunks_mut(8).enumerate() {
        let word = hash.hash_one(count).to_ne_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

impl Default for MaskingKeys {
    fn default() -> MaskingKeys {
        MaskingKeys::new()
    }
}

/// Shows nothing of the keys to come.
impl fmt::Debug for MaskingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskingKeys")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{BULK, MaskingKeys};

    /// Every byte of a bulk is taken once, in order, and none that a refill did not write.
    #[test]
    fn client_draws_its_keys_in_bulk() {
        let mut keys = MaskingKeys {
            draw: |bytes| {
                for (n, chunk) in bytes.chunks_mut(4).enumerate() {
                    chunk.copy_from_slice(&(n as u32 + 1).to_be_bytes());
                }
                true
            },
            ..MaskingKeys::new()
        };
        assert_eq!(keys.bytes.capacity(), 0, "nothing before the first key");
        let in_bulk = BULK as u32 / 4;
        for n in 0..3 * in_bulk {
            assert_eq!(keys.next_key(), (n % in_bulk + 1).to_be_bytes());
        }
        keys.next_key();
        assert_eq!(keys.nonce()[12..], 5_u32.to_be_bytes());
        // 12 bytes are left of 4,096, too few for a nonce: the next bulk gives all of it.
        for _ in 0..in_bulk - 5 - 3 {
            keys.next_key();
        }
        assert_eq!(keys.nonce()[12..], 4_u32.to_be_bytes());
        assert_eq!(keys.bytes.len(), BULK);
    }

    #[test]
    fn client_never_masks_with_a_key_that_can_be_guessed() {
        let silent = MaskingKeys { draw: |_| false, ..MaskingKeys::new() };
        for mut keys in [MaskingKeys::new(), silent] {
            let seen: HashSet<[u8; 16]> = (0..1000).map(|_| keys.nonce()).collect();
            assert_eq!(seen.len(), 1000);
            let ones: u32 =
                (0..4096).map(|_| u32::from_ne_bytes(keys.next_key()).count_ones()).sum();
            // Of 131,072 fair bits, half are ones, with a standard deviation of 181.
            assert!((64_000..67_072).contains(&ones), "{ones}");
        }
    }
}
