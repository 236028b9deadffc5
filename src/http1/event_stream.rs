//! `text/event-stream` as the HTML standard defines it: events, comments and the id a client comes back with.
//! Knows no connections and no topics; a response's head is [`Response`](super::Response)'s.

use std::io::Write;
use std::time::Duration;

use super::Request;

/// The media type of an event stream; always UTF-8.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// A comment: keeps proxies from closing a silent stream, and no client shows it.
pub const KEEP_ALIVE: &[u8] = b":\n\n";

/// Appends one event.
///
/// `data` becomes a line for each of its lines, whether they end with CRLF, CR or LF; the client joins them with LF.
/// An `event` or `id` with a CR, LF or NUL would be another field or be ignored by the client, so it is left out.
///
/// ```
/// use switchboard::proto::http1::event_stream;
///
/// let mut out = Vec::new();
/// event_stream::encode(&mut out, Some("news"), Some("7"), "one\ntwo");
/// assert_eq!(out, b"event: news\nid: 7\ndata: one\ndata: two\n\n");
/// ```
pub fn encode(out: &mut Vec<u8>, event: Option<&str>, id: Option<&str>, data: &str) {
    for (name, value) in [("event", event), ("id", id)] {
        if let Some(value) = value
            && !value.contains(['\r', '\n', '\0'])
        {
            field(out, name, value);
        }
    }
    let mut rest = data;
    while let Some(end) = rest.find(['\r', '\n']) {
        let (line, after) = rest.split_at(end);
        field(out, "data", line);
        rest = after.strip_prefix("\r\n").unwrap_or(&after[1..]);
    }
    field(out, "data", rest);
    out.push(b'\n');
}

/// Appends the advice to come back after this long, in whole milliseconds, once the stream breaks.
pub fn encode_retry(out: &mut Vec<u8>, after: Duration) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "retry: {}\n\n", after.as_millis());
}

/// The id of the last event that a returning client has seen; `None` for a new one.
pub fn last_event_id<'h>(request: &Request<'h>) -> Option<&'h str> {
    request.header("last-event-id")
}

/// The space is not optional: without it a value that begins with one would lose it.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}
