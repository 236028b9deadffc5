//! Base64 (RFC 4648 section 4) of what a handshake has of it: 16 bytes in 24 characters, and 20 in 28.
//! Knows nothing of what the bytes are.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The characters of some bytes, four for every three that have begun.
pub(super) fn encode<const BYTES: usize, const CHARACTERS: usize>(
    bytes: &[u8; BYTES],
) -> [u8; CHARACTERS] {
    const { assert!(CHARACTERS == BYTES.div_ceil(3) * 4) };
    let mut text = [b'='; CHARACTERS];
    for (three, four) in bytes.chunks(3).zip(text.as_chunks_mut().0) {
        let [first, second, third] =
            [0, 1, 2].map(|at| u32::from(three.get(at).copied().unwrap_or(0)));
        let bits = first << 16 | second << 8 | third;
        let [a, b, c, d]: &mut [u8; 4] = four;
        *a = character(bits >> 18);
        *b = character(bits >> 12);
        if three.len() > 1 {
            *c = character(bits >> 6);
        }
        if three.len() > 2 {
            *d = character(bits);
        }
    }
    text
}

fn character(bits: u32) -> u8 {
    ALPHABET[bits as usize & 0x3F]
}

/// Whether this is canonical base64 of 16 bytes: 22 characters, of which the last stands for two bits, then `==`.
pub(super) fn is_nonce(text: &[u8]) -> bool {
    let Ok([characters @ .., last, b'=', b'=']) = <&[u8; 24]>::try_from(text) else {
        return false;
    };
    matches!(last, b'A' | b'Q' | b'g' | b'w') && characters.iter().all(|&byte| is_character(byte))
}

fn is_character(byte: u8) -> bool {
    const CHARACTERS: [bool; 256] = {
        let mut characters = [false; 256];
        let mut at = 0;
        while at < ALPHABET.len() {
            characters[ALPHABET[at] as usize] = true;
            at += 1;
        }
        characters
    };
    CHARACTERS[usize::from(byte)]
}
