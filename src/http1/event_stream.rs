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

/// Appends a block that sets the client's last event id. A client that reconnects sends this id,
/// even if no event has arrived.
///
/// A block without `data` dispatches no event (HTML standard, section 9.2.6). Some clients take no
/// id from such a block. `with_data` adds an empty `data` field, and the block is an event without
/// text. An id with a CR, LF or NUL is left out, with its block.
///
/// ```
/// use switchboard::proto::http1::event_stream;
///
/// let mut out = Vec::new();
/// event_stream::encode_id(&mut out, "7-42", false);
/// assert_eq!(out, b"id: 7-42\n\n");
/// ```
pub fn encode_id(out: &mut Vec<u8>, id: &str, with_data: bool) {
    if id.contains(['\r', '\n', '\0']) {
        return;
    }
    field(out, "id", id);
    if with_data {
        out.extend_from_slice(b"data:\n");
    }
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

/// Moves a duration by up to a quarter to either side. `random` chooses the place, evenly over its
/// range. The result has whole milliseconds.
pub(crate) fn jittered(after: Duration, random: u32) -> Duration {
    let millis = after.as_millis();
    let quarter = millis / 4;
    let spread = ((2 * quarter + 1) * u128::from(random)) >> 32;
    let jittered = millis - quarter + spread;
    Duration::from_millis(u64::try_from(jittered).unwrap_or(u64::MAX))
}

/// Appends one line. Without its space, a value that begins with a space would lose that.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_quarter_and_reaches_both_ends() {
        for millis in [0_u64, 1, 2, 3, 4, 20, 1000, 1500, 2001, u64::from(u32::MAX)] {
            let at = |random| jittered(Duration::from_millis(millis), random).as_millis() as u64;
            let (low, high) = (at(0), at(u32::MAX));
            assert_eq!(low, millis - millis / 4, "{millis}");
            assert!(high <= millis + millis / 4, "{millis}: {high}");
            assert!(high + 1 >= millis + millis / 4, "{millis}: {high}");
            assert!((low..=high).contains(&at(1 << 31)));
        }
        assert!(jittered(Duration::MAX, u32::MAX) > Duration::from_secs(1 << 40));
    }
}
