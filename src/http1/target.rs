//! The request target (RFC 9112 section 3.2): its form, and the one reading of its path. This file
//! refuses a path with two readings, and does not repair it. It knows no zones and no headers.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use super::characters::{
    BACKSLASH, ESCAPE, FOREIGN, FRAGMENT, QUERY, classes_in, escapes, is_well_formed,
};
use super::host::is_authority;
use super::query::is_query;
use super::request_error::RequestError;

/// A judged request target.
pub(super) struct Target<'h> {
    pub(super) raw: &'h str,
    /// Decoded and resolved; borrowed where nothing had to change.
    pub(super) path: Cow<'h, str>,
    pub(super) query: Option<&'h str>,
    /// `Some` for an absolute target only.
    pub(super) authority: Option<&'h str>,
}

impl<'h> Target<'h> {
    /// Judges a target that holds neither white space nor control characters and is not empty.
    ///
    /// The classes of its bytes are found first, so that an ordinary target passes most checks
    /// unread.
    pub(super) fn parse(raw: &'h str, method: &Method) -> Result<Target<'h>, RequestError> {
        let classes = classes_in(raw);
        if classes & FRAGMENT != 0 {
            return Err(RequestError::TargetFragment);
        }
        if classes & (FOREIGN | ESCAPE) != 0 {
            judge_characters(raw)?;
        }
        let (authority, rest) = match raw.starts_with('/') {
            true => (None, raw),
            false => split_other(raw, method)?,
        };
        let (path, query) = match classes & QUERY {
            0 => (rest, None),
            _ => rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query))),
        };
        // RFC 9110 section 4.2.3: an empty path after an authority is the root.
        let path = if path.is_empty() { "/" } else { path };
        Ok(Target { raw, path: normalise(path, classes)?, query, authority })
    }
}

/// Reads a prefix as the path of a request is read: decoded, without dot segments, empty segments
/// and a trailing slash. The prefix may hold characters that a target has to escape. The root is
/// empty.
///
/// # Errors
/// Says why no path has this prefix.
pub(crate) fn normalise_prefix(prefix: &str) -> Result<String, &'static str> {
    if prefix.contains("://") {
        return Err("it is a URL: give its path alone");
    }
    if prefix.contains('?') {
        return Err("a query is no part of a path: give the path alone");
    }
    if prefix.contains('#') {
        return Err("a fragment is no part of a path: give the path alone");
    }
    if prefix.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("it holds a control character");
    }
    if !is_well_formed(prefix) {
        return Err("two hexadecimal digits must follow a %: write %25 for a % itself");
    }
    let path = format!("/{prefix}");
    let mut path = match normalise(&path, BACKSLASH | ESCAPE) {
        Ok(path) => path.into_owned(),
        Err(error) => return Err(error.as_str()),
    };
    if path.ends_with('/') {
        path.pop();
    }
    Ok(path)
}

/// Judges the characters and escapes of a target. Its path must have one reading. Its query is
/// handed on as it is, since browsers send a lone `%` as the user types it.
#[cold]
fn judge_characters(raw: &str) -> Result<(), RequestError> {
    let (path, query) = raw.split_once('?').unwrap_or((raw, ""));
    if classes_in(path) & FOREIGN != 0 || !is_query(query) {
        return Err(RequestError::TargetCharacter);
    }
    if is_well_formed(path) { Ok(()) } else { Err(RequestError::TargetEscape) }
}

/// Splits a target that does not begin with its path into its authority, and its path with the
/// query. The path `*` means the server as a whole, and so does `OPTIONS` of an absolute target
/// without a path (RFC 9112 section 3.2.4).
#[cold]
fn split_other<'h>(
    raw: &'h str,
    method: &Method,
) -> Result<(Option<&'h str>, &'h str), RequestError> {
    let is_options = *method == Method::OPTIONS;
    if raw == "*" {
        return if is_options { Ok((None, raw)) } else { Err(RequestError::TargetAsterisk) };
    }
    let (authority, rest) = split_absolute(raw)?;
    let rest = if is_options && rest.is_empty() { "*" } else { rest };
    Ok((Some(authority), rest))
}

/// Splits an absolute target behind its authority (RFC 9112 section 3.2.2).
fn split_absolute(raw: &str) -> Result<(&str, &str), RequestError> {
    let (scheme, rest) = raw.split_once("://").ok_or(RequestError::MalformedTarget)?;
    if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(RequestError::TargetScheme);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    match is_authority(authority.as_bytes()) {
        true => Ok((authority, rest)),
        false => Err(RequestError::TargetAuthority),
    }
}

/// Decodes a path, then resolves its dots and empty segments: an encoded dot is a dot.
#[inline(always)]
fn normalise(path: &str, classes: u8) -> Result<Cow<'_, str>, RequestError> {
    if classes & BACKSLASH != 0 && path.contains('\\') {
        return Err(RequestError::TargetSeparator);
    }
    let path = match classes & ESCAPE != 0 && path.contains('%') {
        true => Cow::Owned(decode(path)?),
        false => Cow::Borrowed(path),
    };
    match is_resolved(&path) {
        true => Ok(path),
        false => resolve(&path).map(Cow::Owned),
    }
}

/// Decodes a path whose escapes are well-formed.
#[cold]
fn decode(path: &str) -> Result<String, RequestError> {
    for byte in escapes(path).flatten() {
        match byte {
            0x00..=0x1F | 0x7F => return Err(RequestError::TargetControl),
            // Decoded, it would be a separator that a reader of the raw path did not see.
            b'/' | b'\\' => return Err(RequestError::TargetSeparator),
            _ => {}
        }
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    String::from_utf8(decoded).map_err(|_| RequestError::TargetNotUtf8)
}

/// Whether a path has neither dot segments nor empty ones. A trailing slash is no empty segment.
#[inline(always)]
fn is_resolved(path: &str) -> bool {
    let suspicious = |pair: &[u8]| pair[0] == b'/' && matches!(pair[1], b'/' | b'.');
    if !path.as_bytes().windows(2).any(suspicious) {
        return true;
    }
    let inner = path.strip_prefix('/').unwrap_or(path);
    !inner.contains("//")
        && !inner.starts_with('/')
        && !inner.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Resolves dot segments (RFC 3986 section 5.2.4). Empty segments vanish, and no path leads above
/// the root.
#[cold]
fn resolve(path: &str) -> Result<String, RequestError> {
    let mut resolved = String::with_capacity(path.len());
    let mut directory = false;
    for segment in path.split('/').skip(1) {
        directory = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                let parent = resolved.rfind('/').ok_or(RequestError::TargetAboveRoot)?;
                resolved.truncate(parent);
            }
            _ => {
                resolved.push('/');
                resolved.push_str(segment);
            }
        }
    }
    if directory {
        resolved.push('/');
    }
    Ok(resolved)
}
