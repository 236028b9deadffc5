//! The grammar of chunk extensions (RFC 9112 section 7.1.1), one byte at a time. This file knows no
//! sizes and no limits; what an extension means is ignored.

use super::characters::{is_token_byte, is_value_byte};

/// The part of an extension that the next byte belongs to.
///
/// ```text
/// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )
/// ```
///
/// White space is allowed around `;` and `=`, but not directly behind the size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ChunkExtension {
    /// Behind `;`, where a name is still to begin.
    #[default]
    Start,
    Name,
    /// White space behind a name.
    NameEnd,
    /// Behind `=`, where a value is still to begin.
    ValueStart,
    Value,
    Quoted,
    /// Behind a backslash in quotes.
    Escaped,
    /// Behind the closing quote.
    Unquoted,
    /// White space behind a value.
    ValueEnd,
}

impl ChunkExtension {
    /// Takes the next byte; `None` if the grammar has no such byte here.
    pub(super) fn step(self, byte: u8) -> Option<ChunkExtension> {
        use ChunkExtension::{
            Escaped, Name, NameEnd, Quoted, Start, Unquoted, Value, ValueEnd, ValueStart,
        };
        match (self, byte) {
            (Start | ValueStart | NameEnd | ValueEnd, b' ' | b'\t') => Some(self),
            (Start | Name, _) if is_token_byte(byte) => Some(Name),
            (ValueStart | Value, _) if is_token_byte(byte) => Some(Value),
            (ValueStart, b'"') => Some(Quoted),
            (Name, b' ' | b'\t') => Some(NameEnd),
            (Name | NameEnd, b'=') => Some(ValueStart),
            (Value | Unquoted, b' ' | b'\t') => Some(ValueEnd),
            (Name | NameEnd | Value | Unquoted | ValueEnd, b';') => Some(Start),
            (Quoted, b'"') => Some(Unquoted),
            (Quoted, b'\\') => Some(Escaped),
            (Quoted | Escaped, _) if is_value_byte(byte) => Some(Quoted),
            _ => None,
        }
    }

    /// Whether the extensions may end here.
    pub(super) fn may_end(self) -> bool {
        matches!(self, ChunkExtension::Name | ChunkExtension::Value | ChunkExtension::Unquoted)
    }
}
