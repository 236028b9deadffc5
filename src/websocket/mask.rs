//! Masking, which is also unmasking (RFC 6455 section 5.3): byte `i` is XORed with byte `i mod 4` of the key.
//! Knows neither frames nor where a key comes from.

use std::sync::LazyLock;

use fearless_simd::{Level, Simd, dispatch};

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
    apply_and_see(payload, key);
}

/// A payload as long as this is worth the processor's widest words, which are known only when the program runs.
const LONG: usize = 256;

static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

/// Masks or unmasks a payload in place; whether what comes of it is ASCII, which costs nothing to see on the way.
#[inline]
pub(super) fn apply_and_see(payload: &mut [u8], key: [u8; 4]) -> bool {
    match payload.len() < LONG {
        true => apply_words(payload, key),
        false => apply_widely(payload, key),
    }
}

#[inline(never)]
fn apply_widely(payload: &mut [u8], key: [u8; 4]) -> bool {
    dispatch!(*LEVEL, simd => apply_as(simd, payload, key))
}

/// Compiled for every level of vectors there is.
#[inline(always)]
fn apply_as<S: Simd>(_: S, payload: &mut [u8], key: [u8; 4]) -> bool {
    apply_words(payload, key)
}

#[inline(always)]
fn apply_words(payload: &mut [u8], key: [u8; 4]) -> bool {
    let narrow = u32::from_ne_bytes(key);
    let wide = u64::from(narrow) << 32 | u64::from(narrow); // four bytes in memory, twice: right in either byte order
    let (words, tail) = payload.as_chunks_mut::<8>();
    let mut seen = 0;
    for word in words {
        let plain = u64::from_ne_bytes(*word) ^ wide;
        seen |= plain;
        *word = plain.to_ne_bytes();
    }
    let (half, tail) = match tail.split_first_chunk_mut::<4>() {
        Some((half, tail)) => (Some(half), tail),
        None => (None, tail),
    };
    if let Some(half) = half {
        let plain = u32::from_ne_bytes(*half) ^ narrow;
        seen |= u64::from(plain);
        *half = plain.to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key) {
        *byte ^= key;
        seen |= u64::from(*byte);
    }
    seen & 0x8080_8080_8080_8080 == 0
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_is_seen_to_be_ascii_exactly_if_it_is(
            text in "[ -~]{0,600}", other in proptest::option::of((any::<prop::sample::Index>(), 0x80..=u8::MAX)), key in any::<[u8; 4]>(),
        ) {
            let mut bytes = text.into_bytes();
            if let Some((at, byte)) = other
                && !bytes.is_empty()
            {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let is_ascii = bytes.is_ascii();
            let plain = bytes.clone();
            apply(&mut bytes, key);
            prop_assert_eq!(apply_and_see(&mut bytes, key), is_ascii);
            prop_assert_eq!(bytes, plain);
        }
    }
}
