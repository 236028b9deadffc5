//! The parser of `Sec-WebSocket-Extensions`: extensions in order, each with its parameters (RFC
//! 6455 section 9.1). This file knows the grammar. It knows neither the meaning of an extension nor
//! the reaction to a malformed one.

use crate::http1::is_token;

/// An extension, whose parameters are parsed on demand.
#[derive(Clone, Copy)]
pub(super) struct Extension<'v> {
    pub(super) name: &'v [u8],
    params: Option<&'v [u8]>,
}

/// A parameter of an extension.
pub(super) struct Param<'v> {
    pub(super) name: &'v [u8],
    pub(super) value: Option<Value<'v>>,
}

/// The value of a parameter. A quoted string is kept without its quotes, its escapes well-formed.
pub(super) struct Value<'v> {
    bytes: &'v [u8],
    quoted: bool,
}

/// Splits a header value into extensions, in order. An extension ends at the next comma outside
/// quotes, even if malformed. Skips empty list elements (RFC 9110 section 5.6.1.2).
pub(super) fn extensions(value: &[u8]) -> impl Iterator<Item = Extension<'_>> {
    let elements = split_outside_quotes(value, b',').filter(|element| !element.is_empty());
    elements.map(|element| {
        let (name, params) = cut(element, b';');
        Extension { name, params }
    })
}

impl<'v> Extension<'v> {
    /// The name, if the name and all parameters follow the grammar by the letter.
    pub(super) fn well_formed_name(&self) -> Option<&'v [u8]> {
        let param_follows = |param: Option<Param<'_>>| {
            param.is_some_and(|Param { name, value }| {
                is_token(name) && value.is_none_or(|value| value.means_token())
            })
        };
        (is_token(self.name) && self.params().all(param_follows)).then_some(self.name)
    }

    /// The parameters in order, `None` in the place of a malformed one.
    pub(super) fn params(&self) -> impl Iterator<Item = Option<Param<'v>>> + use<'v> {
        self.params.into_iter().flat_map(|params| split_outside_quotes(params, b';')).map(|param| {
            match cut(param, b'=') {
                (b"", _) => None,
                (name, None) => Some(Param { name, value: None }),
                (name, Some(value)) => {
                    Value::parse(value.trim_ascii()).map(|value| Param { name, value: Some(value) })
                }
            }
        })
    }
}

impl<'v> Value<'v> {
    fn parse(value: &'v [u8]) -> Option<Value<'v>> {
        match value {
            [] => None,
            [b'"', bytes @ .., b'"'] if is_quotable(bytes) => Some(Value { bytes, quoted: true }),
            bytes if bytes.contains(&b'"') => None,
            bytes => Some(Value { bytes, quoted: false }),
        }
    }

    /// The characters of the token, or of the quoted string without its escapes (RFC 9110 section
    /// 5.6.4).
    pub(super) fn chars(&self) -> impl Iterator<Item = u8> + use<'v> {
        let (mut bytes, quoted) = (self.bytes.iter().copied(), self.quoted);
        std::iter::from_fn(move || match bytes.next() {
            Some(b'\\') if quoted => bytes.next(),
            other => other,
        })
    }

    /// Whether the characters are a token, as section 9.1 demands of a quoted string too.
    fn means_token(&self) -> bool {
        !self.bytes.is_empty() && self.chars().all(|byte| is_token(&[byte]))
    }
}

/// Whether every quote stands behind a backslash, and every backslash before a character.
fn is_quotable(bytes: &[u8]) -> bool {
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return false,
            b'\\' if bytes.next().is_none() => return false,
            _ => {}
        }
    }
    true
}

/// Splits at separators outside quotes, and trims each piece.
fn split_outside_quotes(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let (piece, after) = cut(rest?, separator);
        rest = after;
        Some(piece)
    })
}

/// Cuts at the first separator outside quotes: returns the trimmed piece before, and the rest
/// behind.
fn cut(value: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => {
                return (value[..at].trim_ascii(), Some(&value[at + 1..]));
            }
            _ => {}
        }
    }
    (value.trim_ascii(), None)
}
