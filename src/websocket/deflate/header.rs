//! The value of `Sec-WebSocket-Extensions`: extensions in order, each with its parameters (RFC 6455 section 9.1).
//! Knows the grammar; not what any extension or parameter means, nor what to do about a malformed one.

/// One extension, its parameters not looked at yet.
#[derive(Clone, Copy)]
pub(super) struct Extension<'v> {
    pub(super) name: &'v [u8],
    params: Option<&'v [u8]>,
}

/// A parameter.
pub(super) struct Param<'v> {
    pub(super) name: &'v [u8],
    pub(super) value: Option<Value<'v>>,
}

/// The value of a parameter: of a quoted string what is between the quotes, its escapes well-formed.
pub(super) struct Value<'v> {
    bytes: &'v [u8],
    quoted: bool,
}

/// The extensions of one header line, in order. One that is malformed reaches to the next comma outside of quotes.
pub(super) fn extensions(value: &[u8]) -> impl Iterator<Item = Extension<'_>> {
    // RFC 9110 5.6.1: empty elements of a list are passed over.
    pieces(value, b',').filter(|element| !element.is_empty()).map(|element| {
        let (name, params) = cut(element, b';');
        Extension { name, params }
    })
}

impl<'v> Extension<'v> {
    /// The parameters in order, `None` in the place of a malformed one.
    pub(super) fn params(&self) -> impl Iterator<Item = Option<Param<'v>>> + use<'v> {
        self.params.into_iter().flat_map(|params| pieces(params, b';')).map(|param| {
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

    /// The characters that are meant: those of a token, or of a quoted string without its escapes.
    pub(super) fn chars(&self) -> impl Iterator<Item = u8> + use<'v> {
        let (mut bytes, quoted) = (self.bytes.iter().copied(), self.quoted);
        std::iter::from_fn(move || match bytes.next() {
            Some(b'\\') if quoted => bytes.next(),
            other => other,
        })
    }
}

/// Whether quotes stand only behind a backslash, and behind every backslash something.
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

/// What stands between separators, those within quotes not counted, without the white space around it.
fn pieces(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let (piece, after) = cut(rest?, separator);
        rest = after;
        Some(piece)
    })
}

/// What stands before the first separator outside of quotes, trimmed, and what follows it.
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
