//! Names the fault of a head that header_lines.rs refused, in a second pass, which only faulty
//! heads need. This file accepts nothing.

use super::characters::{is_gap, is_token, is_token_byte, is_value_byte};
use super::request_error::RequestError;
use super::response_error::ResponseError;

/// Why header lines cannot be read.
enum LineFault {
    /// The empty line that ends them is missing.
    Incomplete,
    /// No token stands directly before a colon.
    Name,
    /// A value holds a control character or does not end with CR LF.
    Value,
    /// There are more lines than the limit.
    TooMany,
}

/// Names the first fault of a request head that may have `limit` header lines.
#[cold]
pub(super) fn request_fault(head: &[u8], limit: usize) -> RequestError {
    let lines = match after_request_line(head) {
        Ok(lines) => lines,
        Err(fault) => return fault,
    };
    match line_fault(lines, limit) {
        LineFault::Incomplete => RequestError::IncompleteHead,
        LineFault::TooMany => RequestError::TooManyHeaders,
        LineFault::Value => RequestError::MalformedHeaderValue,
        LineFault::Name if has_folded_line(head) => RequestError::FoldedHeader,
        LineFault::Name => RequestError::MalformedHeaderName,
    }
}

/// Names the first fault of a response head that may have `limit` header lines.
#[cold]
pub(super) fn response_fault(head: &[u8], limit: usize) -> ResponseError {
    let lines = match after_status_line(head) {
        Ok(lines) => lines,
        Err(_) if is_cut(head) => return ResponseError::IncompleteHead,
        Err(fault) => return fault,
    };
    match line_fault(lines, limit) {
        LineFault::Incomplete => ResponseError::IncompleteHead,
        LineFault::TooMany => ResponseError::TooManyHeaders,
        LineFault::Value => ResponseError::MalformedHeaderValue,
        LineFault::Name if has_folded_line(head) => ResponseError::FoldedHeader,
        LineFault::Name => ResponseError::MalformedHeaderName,
    }
}

/// What follows a request line (RFC 9112 section 3) and the one empty line that may precede it.
fn after_request_line(head: &[u8]) -> Result<&[u8], RequestError> {
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let end = head.iter().position(|&byte| byte == b'\r').unwrap_or(head.len());
    let (line, rest) = head.split_at(end);
    let Some((line_end, lines)) = rest.split_first_chunk() else {
        return Err(RequestError::IncompleteHead);
    };
    if line.is_empty() {
        return Err(RequestError::MissingRequestLine);
    }
    let mut parts = line.split(|&byte| byte == b' ');
    let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
    let [Some(method), Some(target), Some(version), None] = parts else {
        return Err(RequestError::MalformedRequestLine);
    };
    // Section 2.3: the version is case-sensitive and has one digit on each side.
    match version {
        _ if method.is_empty() || target.is_empty() || version.is_empty() => {
            Err(RequestError::MalformedRequestLine)
        }
        _ if !is_token(method) => Err(RequestError::MalformedMethod),
        b"HTTP/1.0" | b"HTTP/1.1" if line_end != b"\r\n" => Err(RequestError::BareCarriageReturn),
        b"HTTP/1.0" | b"HTTP/1.1" if is_target(target) => Ok(lines),
        b"HTTP/1.0" | b"HTTP/1.1" => Err(RequestError::TargetCharacter),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(RequestError::VersionNotSupported)
        }
        _ => Err(RequestError::MalformedVersion),
    }
}

/// Whether a target is text in one word; the rest is judged where it has a meaning.
fn is_target(target: &[u8]) -> bool {
    !target.iter().any(|&byte| is_gap(byte)) && std::str::from_utf8(target).is_ok()
}

/// What follows a status line (RFC 9112 section 4).
fn after_status_line(head: &[u8]) -> Result<&[u8], ResponseError> {
    let rest = match head.strip_prefix(b"HTTP/1.") {
        Some([b'0' | b'1', b' ', rest @ ..]) => rest,
        _ => return Err(ResponseError::NotHttp), // HTTP/1.2, too
    };
    let rest = match rest {
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', rest @ ..] => rest,
        _ => return Err(ResponseError::MalformedStatusLine),
    };
    // A reason has the bytes that a value may have.
    match after_line(rest) {
        Ok(lines) if matches!(rest[0], b' ' | b'\r') => Ok(lines),
        Err(LineFault::Incomplete) => Err(ResponseError::IncompleteHead),
        _ => Err(ResponseError::MalformedStatusLine),
    }
}

/// Whether a head ends within its first line.
fn is_cut(head: &[u8]) -> bool {
    let start = b"HTTP/1.";
    head.starts_with(&start[..head.len().min(start.len())]) && !head.contains(&b'\r')
}

/// Finds the first faulty line (RFC 9112 section 5).
fn line_fault(lines: &[u8], limit: usize) -> LineFault {
    let mut rest = lines;
    for count in 0.. {
        let name = rest.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(rest.len());
        let after = match &rest[name..] {
            [b':', after @ ..] if name > 0 => after,
            [] => return LineFault::Incomplete,
            [b'\r'] if name == 0 => return LineFault::Incomplete,
            _ => return LineFault::Name,
        };
        match after_line(after) {
            Ok(_) if count == limit => return LineFault::TooMany,
            Ok(next) => rest = next,
            Err(fault) => return fault,
        }
    }
    LineFault::TooMany
}

/// What follows the line that a value or a reason ends.
fn after_line(value: &[u8]) -> Result<&[u8], LineFault> {
    let end = value.iter().position(|&byte| !is_value_byte(byte)).unwrap_or(value.len());
    match &value[end..] {
        [b'\r', b'\n', next @ ..] => Ok(next),
        [] | [b'\r'] => Err(LineFault::Incomplete),
        _ => Err(LineFault::Value),
    }
}

/// Whether white space begins any line (RFC 9112 section 5.2); before the first header line, too
/// (section 2.2).
fn has_folded_line(head: &[u8]) -> bool {
    head.windows(3).any(|bytes| matches!(bytes, b"\r\n " | b"\r\n\t"))
}
