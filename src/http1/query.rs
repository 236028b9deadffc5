//! The pairs inside a query and inside a cookie line, taken apart on demand.
//! Knows text only; a query's escapes are known to be well-formed since the target was judged.

use std::borrow::Cow;
use std::iter::FusedIterator;

use super::percent;

/// The decoded pairs of a query, in order: [`Request::query_pairs`](super::Request::query_pairs).
#[derive(Clone, Debug)]
pub struct QueryPairs<'h> {
    rest: Option<&'h str>,
}

impl<'h> QueryPairs<'h> {
    pub(super) fn new(query: Option<&'h str>) -> QueryPairs<'h> {
        QueryPairs { rest: query }
    }

    /// The value of the first pair with this name; no other value is decoded.
    pub(super) fn value(mut self, name: &str) -> Option<Cow<'h, str>> {
        std::iter::from_fn(|| self.next_raw())
            .find(|(key, _)| decode(key) == name)
            .map(|(_, value)| decode(value))
    }

    /// The next pair as sent; nothing between two `&` is no pair.
    fn next_raw(&mut self) -> Option<(&'h str, &'h str)> {
        loop {
            let rest = self.rest?;
            let (pair, rest) = match rest.split_once('&') {
                Some((pair, rest)) => (pair, Some(rest)),
                None => (rest, None),
            };
            self.rest = rest;
            if !pair.is_empty() {
                return Some(pair.split_once('=').unwrap_or((pair, "")));
            }
        }
    }
}

impl<'h> Iterator for QueryPairs<'h> {
    type Item = (Cow<'h, str>, Cow<'h, str>);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_raw().map(|(name, value)| (decode(name), decode(value)))
    }
}

impl FusedIterator for QueryPairs<'_> {}

/// The form encoding of the URL standard: `+` is a space, an escape a byte.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, percent::unescape(after)) {
            (b'%', Some(escaped)) => {
                decoded.push(escaped);
                rest = &after[2..];
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    match String::from_utf8(decoded) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

/// The value of a cookie in one `Cookie` line (RFC 6265 section 4.2.1), without its quotes.
pub(super) fn cookie<'h>(line: &'h [u8], name: &str) -> Option<&'h str> {
    line.split(|&byte| byte == b';').map(<[u8]>::trim_ascii).find_map(|pair| {
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        std::str::from_utf8(quoted.unwrap_or(value)).ok()
    })
}
