//! Events of a `text/event-stream`, as the HTML standard defines them (section 9.2). This file
//! knows no connections and no topics. [`Response`](super::Response) makes the head of the
//! response.

use std::io::Write;
use std::time::Duration;

/// A comment that no client shows. It keeps proxies from closing a silent stream.
pub const KEEP_ALIVE: &[u8] = b":\n\n";

/// Appends one event.
///
/// Each line of `data`, ended by CRLF, CR or LF, becomes a line of its own. The client joins the
/// lines with LF. An `event` or `id` with a CR, LF or NUL is left out: it would be another field,
/// or the client would ignore it.
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

/// Appends the time that a client is to wait before it reconnects, in whole milliseconds.
///
/// ```
/// use std::time::Duration;
/// use switchboard::proto::http1::event_stream;
///
/// let mut out = Vec::new();
/// event_stream::encode_retry(&mut out, Duration::from_secs(3));
/// assert_eq!(out, b"retry: 3000\n\n");
/// ```
pub fn encode_retry(out: &mut Vec<u8>, after: Duration) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "retry: {}\n\n", after.as_millis());
}

/// Appends one line. Without its space, a value that begins with a space would lose that.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}
