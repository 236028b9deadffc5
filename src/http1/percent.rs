//! Escapes (RFC 3986 section 2.1): whether they are well-formed, and the byte that each stands for.
//! This file does not know paths and queries.
//!
//! The crate percent-encoding decodes, but passes malformed escapes on. This file finds the
//! malformed escapes.

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
