//! Escapes of percent-encoding (RFC 3986 section 2.1): are they well-formed, and what do they stand
//! for.
//! Knows nothing of paths and queries. percent-encoding decodes; it passes malformed escapes on,
//! which this crate refuses, so the check is here.

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
