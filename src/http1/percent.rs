//! Percent-encoding (RFC 3986 section 2.1): is it well-formed, and what does one escape stand for.
//! Knows nothing of paths and queries, which differ in what they allow.

/// Whether two hexadecimal digits follow every `%`.
pub(crate) fn is_well_formed(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'%').skip(1).all(|rest| unescape(rest).is_some())
}

/// The byte that the two digits at the beginning stand for.
pub(super) fn unescape(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = *digits else {
        return None;
    };
    Some(digit(high)? << 4 | digit(low)?)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
