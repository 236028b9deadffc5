//! The characters of a query, and the pairs of a query and of a `Cookie` line, taken apart on
//! demand. This file knows text only. form_urlencoded decodes, and keeps a malformed escape.

use std::borrow::Cow;
use std::fmt;
use std::iter::FusedIterator;

/// The decoded pairs of a query in order: see
/// [`Request::query_pairs`](super::Request::query_pairs).
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
///
/// let head = b"GET /?name=Ada+L.&tag=%23x&debug HTTP/1.1\r\nHost: a\r\n\r\n";
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(head, &mut slots, &HeadLimits::default()).unwrap();
/// let pairs: Vec<_> = request.query_pairs().collect();
/// assert_eq!(pairs[0], ("name".into(), "Ada L.".into()));
/// assert_eq!(pairs[1..], [("tag".into(), "#x".into()), ("debug".into(), "".into())]);
/// ```
#[derive(Clone)]
pub struct QueryPairs<'h>(form_urlencoded::Parse<'h>);

impl<'h> QueryPairs<'h> {
    pub(super) fn new(query: Option<&'h str>) -> QueryPairs<'h> {
        QueryPairs(form_urlencoded::parse(query.unwrap_or_default().as_bytes()))
    }
}

impl<'h> Iterator for QueryPairs<'h> {
    type Item = (Cow<'h, str>, Cow<'h, str>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl FusedIterator for QueryPairs<'_> {}

impl fmt::Debug for QueryPairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Whether a query is handed on: it has no space, control character or `#`. Browsers send `100%`,
/// `%u00e9` and `"` as users type them.
pub(crate) fn is_query(query: &str) -> bool {
    !query.contains(|character: char| character.is_control() || matches!(character, ' ' | '#'))
}

/// The decoded value of the first pair with a name. Decodes no other value, so that a lookup in
/// vain allocates nothing for values with escapes.
pub(super) fn value<'h>(query: &'h str, name: &str) -> Option<Cow<'h, str>> {
    let first = |pair: &'h str| form_urlencoded::parse(pair.as_bytes()).next();
    let named = |pair: &&'h str| {
        let raw = pair.split('=').next().unwrap_or_default();
        first(raw).map_or("".into(), |(name, _)| name) == name
    };
    let pair = query.split('&').filter(|pair| !pair.is_empty()).find(named)?;
    first(pair).map(|(_, value)| value)
}

/// The value of a cookie in one `Cookie` line (RFC 6265 section 4.2.1), without its quotes.
pub(super) fn cookie<'h>(line: &'h [u8], name: &str) -> Option<&'h str> {
    line.split(|&byte| byte == b';').map(<[u8]>::trim_ascii).find_map(|pair| {
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        std::str::from_utf8(quoted.unwrap_or(value)).ok()
    })
}
