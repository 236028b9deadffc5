//! The first line of a head: its version of HTTP, and where the request line lies, even if the head
//! is faulty or incomplete. This file judges nothing.

use std::fmt;

/// A version of HTTP; any other is refused with 505 (RFC 9110 section 15.6.6).
///
/// ```
/// use switchboard::proto::http1::Version;
///
/// assert!(Version::Http10 < Version::Http11);
/// assert_eq!(Version::Http11.to_string(), "HTTP/1.1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0: no chunked coding and no `100 Continue`. The connection closes after each response
    /// unless both sides ask to keep it.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        })
    }
}

/// Bytes of a request line that are shown at most.
const SHOWN: usize = 128;

/// Returns the first 128 bytes of the request line that a head begins with; fewer if the line is
/// shorter, or has not arrived whole.
pub(crate) fn request_line(head: &[u8]) -> &[u8] {
    // One empty line may precede the request line (RFC 9112 section 2.2).
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let head = &head[..head.len().min(SHOWN)];
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or(head);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_line_is_cut_and_has_no_end() {
        let long = [b'a'; 4 * SHOWN];
        let rows: [(&[u8], &[u8]); 8] = [
            (b"", b""),
            (b"\r\n", b""),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1"),
            (b"\r\nGET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1"),
            (b"GET / HTTP/1.1\nHost: a", b"GET / HTTP/1.1"),
            (b"GET /\rX: y\r\n", b"GET /\rX: y"),
            (b"GET /hal", b"GET /hal"),
            (&long, &long[..SHOWN]),
        ];
        for (head, line) in rows {
            assert_eq!(request_line(head), line, "{}", head.escape_ascii());
        }
    }
}
