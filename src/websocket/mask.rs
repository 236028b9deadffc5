//! Masking, which is also unmasking (RFC 6455 section 5.3): byte `i` is XORed with byte `i mod 4` of the key.
//! Knows neither frames nor where a key comes from.

/// Masks or unmasks a payload in place.
///
/// ```
/// use switchboard::proto::apply;
///
/// let mut payload = *b"Hello";
/// apply(&mut payload, [0x37, 0xFA, 0x21, 0x3D]);
/// assert_eq!(payload, [0x7F, 0x9F, 0x4D, 0x51, 0x58]);
/// ```
#[inline]
pub fn apply(payload: &mut [u8], key: [u8; 4]) {
    let narrow = u32::from_ne_bytes(key);
    let wide = u64::from(narrow) << 32 | u64::from(narrow); // four bytes in memory, twice: right in either byte order
    let (words, tail) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    let (half, tail) = match tail.split_first_chunk_mut::<4>() {
        Some((half, tail)) => (Some(half), tail),
        None => (None, tail),
    };
    if let Some(half) = half {
        *half = (u32::from_ne_bytes(*half) ^ narrow).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// The key for a payload that goes on after its first `n` bytes.
///
/// ```
/// use switchboard::proto::rotate;
///
/// assert_eq!(rotate([1, 2, 3, 4], 5), [2, 3, 4, 1]);
/// ```
#[inline]
pub const fn rotate(key: [u8; 4], n: usize) -> [u8; 4] {
    u32::from_le_bytes(key).rotate_right(8 * (n as u32 % 4)).to_le_bytes()
}
