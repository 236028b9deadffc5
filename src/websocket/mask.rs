//! Masking, which is also unmasking: byte `i` is XORed with byte `i mod 4` of the key (RFC 6455
//! section 5.3). This file knows neither frames nor the source of a key.
//!
//! `fearless_simd` selects the processor's vectors for payloads of 256 bytes and more. When this
//! was written, the vectors unmasked 16 KiB in 0.19 us; with words of 8 bytes it took 0.31 us. The
//! same pass finds out whether the result is ASCII, so that text is not read again: 16 KiB took
//! 5,276 instructions instead of 7,880.
//!
//! For short payloads, two overlapping pieces replace a loop. With 64 messages in a TCP segment,
//! this and the split of a batch into two functions brought an echo from 160 to 132 instructions.

use std::sync::LazyLock;

use fearless_simd::{Level, dispatch};

/// Masks or unmasks a payload in place, whose first byte belongs to the first byte of the key.
///
/// ```
/// use switchboard::proto::websocket::apply;
///
/// let mut payload = *b"Hello";
/// apply(&mut payload, [0x37, 0xFA, 0x21, 0x3D]);
/// assert_eq!(payload, [0x7F, 0x9F, 0x4D, 0x51, 0x58]);
/// ```
#[inline]
pub fn apply(payload: &mut [u8], key: [u8; 4]) {
    apply_and_see(payload, key);
}

/// The shortest payload in bytes for which the choice among vector levels at run time pays.
const LONG: usize = 256;

static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

/// Masks or unmasks a payload in place and returns whether the result is ASCII.
#[inline]
pub(super) fn apply_and_see(payload: &mut [u8], key: [u8; 4]) -> bool {
    match payload.len() < LONG {
        true => apply_shortly(payload, key),
        false => apply_widely(payload, key),
    }
}

#[inline(never)]
fn apply_widely(payload: &mut [u8], key: [u8; 4]) -> bool {
    // The macro compiles the call once for each level of vectors.
    dispatch!(*LEVEL, _simd => apply_words(payload, key))
}

/// Masks a short payload as two pieces that may overlap, both read before either is written: a loop
/// would cost more than the payload.
#[inline(always)]
fn apply_shortly(payload: &mut [u8], key: [u8; 4]) -> bool {
    match payload.len() {
        16..=32 => apply_to_ends::<16>(payload, key),
        8..=15 => apply_to_ends::<8>(payload, key),
        4..=7 => apply_to_ends::<4>(payload, key),
        _ => apply_words(payload, key),
    }
}

/// Masks the first and the last N bytes of a payload of N to 2 N bytes; N is a multiple of four.
#[inline(always)]
fn apply_to_ends<const N: usize>(payload: &mut [u8], key: [u8; 4]) -> bool {
    let (first_key, last_key) =
        (u32::from_ne_bytes(key), u32::from_ne_bytes(rotate(key, payload.len())));
    let (Some(&(mut first)), Some(&(mut last))) =
        (payload.first_chunk::<N>(), payload.last_chunk::<N>())
    else {
        return false;
    };
    let mut seen = 0;
    let words = first.as_chunks_mut().0.iter_mut().zip(last.as_chunks_mut().0);
    for (first, last) in words {
        let plain = (u32::from_ne_bytes(*first) ^ first_key, u32::from_ne_bytes(*last) ^ last_key);
        seen |= plain.0 | plain.1;
        (*first, *last) = (plain.0.to_ne_bytes(), plain.1.to_ne_bytes());
    }
    if let Some(place) = payload.first_chunk_mut() {
        *place = first;
    }
    if let Some(place) = payload.last_chunk_mut() {
        *place = last;
    }
    is_ascii(u64::from(seen))
}

#[inline(always)]
fn apply_words(payload: &mut [u8], key: [u8; 4]) -> bool {
    let (narrow, wide) = (u32::from_ne_bytes(key), wide(key));
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
    is_ascii(seen)
}

/// Repeats the key's four bytes in memory, which is right in either byte order.
#[inline(always)]
fn wide(key: [u8; 4]) -> u64 {
    let narrow = u64::from(u32::from_ne_bytes(key));
    narrow << 32 | narrow
}

#[inline(always)]
fn is_ascii(bytes: u64) -> bool {
    bytes & 0x8080_8080_8080_8080 == 0
}

/// Rotates the key to the byte `n` of a payload, for a payload that is masked in pieces.
///
/// ```
/// use switchboard::proto::websocket::rotate;
///
/// assert_eq!(rotate([1, 2, 3, 4], 5), [2, 3, 4, 1]);
/// ```
#[must_use]
#[inline]
pub const fn rotate(key: [u8; 4], n: usize) -> [u8; 4] {
    u32::from_le_bytes(key).rotate_right(8 * (n as u32 % 4)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_of_every_length_equals_the_naive_one() {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        let bytes: Vec<u8> = (0..LONG + 20).map(|i| (i * 7) as u8).collect();
        for len in 0..bytes.len() {
            let mut masked = bytes[..len].to_vec();
            apply(&mut masked, key);
            let naive: Vec<u8> =
                bytes[..len].iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
            assert_eq!(masked, naive, "{len} bytes");
        }
    }

    #[test]
    fn mask_sees_one_byte_that_is_not_ascii_at_every_place() {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        for len in (0..40).chain(LONG - 2..LONG + 70) {
            let mut masked = vec![b'a'; len];
            apply(&mut masked, key);
            assert!(apply_and_see(&mut masked.clone(), key), "{len} bytes");
            for at in 0..len {
                let mut other = masked.clone();
                other[at] ^= 0x80;
                assert!(!apply_and_see(&mut other, key), "byte {at} of {len}");
            }
        }
    }
}
