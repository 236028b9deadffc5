//! Classes of characters (RFC 9110 section 5.6), tokens, lists of tokens separated by commas, and
//! escapes (RFC 3986 section 2.1). This file knows bytes only. It does not know the meaning of a
//! token, a list or a path.
//!
//! The crate percent-encoding decodes, but passes malformed escapes on. This file finds the
//! malformed escapes.

/// A byte of a token: a visible ASCII character that is no delimiter (RFC 9110 section 5.6.2).
const TOKEN: u8 = 1 << 0;
/// A byte that ends a word of a request line: space, and every control character.
const GAP: u8 = 1 << 1;
/// A byte that no path may hold: not ASCII, or one of `"`, `<` and `>` (RFC 3986 section 2).
pub(super) const FOREIGN: u8 = 1 << 2;
/// `#` begins a fragment, which never leaves the client (RFC 9110 section 4.2.5).
pub(super) const FRAGMENT: u8 = 1 << 3;
/// `%` begins an escape.
pub(super) const ESCAPE: u8 = 1 << 4;
/// `\`, which some programs take for `/`.
pub(super) const BACKSLASH: u8 = 1 << 5;
/// `?` begins a query.
pub(super) const QUERY: u8 = 1 << 6;

const CLASSES: [u8; 256] = {
    let mut classes = [FOREIGN; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        classes[byte as usize] = match byte {
            0x00..=0x20 | 0x7F => GAP,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => TOKEN,
            b'!' | b'$' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|'
            | b'~' => TOKEN,
            b'#' => TOKEN | FRAGMENT,
            b'%' => TOKEN | ESCAPE,
            b'"' | b'<' | b'>' => FOREIGN,
            b'\\' => BACKSLASH,
            b'?' => QUERY,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

#[inline]
fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// Returns every class that at least one byte of a text is in.
#[inline]
pub(super) fn classes_in(text: &str) -> u8 {
    text.bytes().fold(0, |classes, byte| classes | class(byte))
}

/// Whether a byte ends a word of a request line.
pub(super) fn is_gap(byte: u8) -> bool {
    class(byte) & GAP != 0
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    class(byte) & TOKEN != 0
}

/// Whether a name is a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte))
}

/// Whether a header's value may hold a byte (RFC 9110 section 5.5).
pub(crate) fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

/// Splits a list at its commas and trims each element. Skips empty elements, which count for
/// nothing (RFC 9110 section 5.6.1.2).
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let trimmed = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    trimmed.filter(|element| !element.is_empty())
}

/// Whether two hexadecimal digits follow every `%`.
pub(crate) fn is_well_formed(text: &str) -> bool {
    escapes(text).all(|escape| escape.is_some())
}

/// The byte that each escape stands for; `None` for a malformed one.
pub(super) fn escapes(text: &str) -> impl Iterator<Item = Option<u8>> {
    text.split('%').skip(1).map(|rest| {
        let [high, low] = *rest.as_bytes().first_chunk()?;
        let digit = |byte| char::from(byte).to_digit(16);
        Some((digit(high)? << 4 | digit(low)?) as u8)
    })
}
