//! The request target (RFC 9112 section 3.2): its form, and the one reading of its path.
//! Knows no zones and no headers; a target that two parties could read differently is refused, not repaired.

use std::borrow::Cow;

use http::Method;

use super::{Refusal, host, percent};

/// A judged request target.
pub(super) struct Target<'h> {
    pub(super) raw: &'h str,
    /// Decoded and resolved; borrowed when nothing had to change.
    pub(super) path: Cow<'h, str>,
    pub(super) query: Option<&'h str>,
    /// Of an absolute target only.
    pub(super) authority: Option<&'h str>,
}

impl<'h> Target<'h> {
    /// Judges a target that httparse found to be not empty and without white space.
    pub(super) fn parse(raw: &'h str, method: &Method) -> Result<Target<'h>, Refusal> {
        let seen = characters(raw);
        if seen & FRAGMENT != 0 {
            return Err(Refusal::TargetFragment);
        }
        if seen & FOREIGN != 0 {
            return Err(Refusal::TargetCharacter);
        }
        if seen & ESCAPE != 0 && !percent::is_well_formed(raw.as_bytes()) {
            return Err(Refusal::TargetEscape);
        }
        // Section 3.2.4.
        if raw == "*" {
            return match *method {
                Method::OPTIONS => Ok(Target { raw, path: Cow::Borrowed(raw), query: None, authority: None }),
                _ => Err(Refusal::TargetAsterisk),
            };
        }
        let (authority, rest) = match raw.starts_with('/') {
            true => (None, raw),
            false => split_absolute(raw).map(|(authority, rest)| (Some(authority), rest))?,
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        // RFC 9110 section 4.2.3: an empty path after an authority is the root.
        let path = if path.is_empty() { "/" } else { path };
        Ok(Target { raw, path: normalise(path, seen)?, query, authority })
    }
}

/// Something that is no visible ASCII, or `"`, `<`, `>`, which neither the grammar nor any browser puts here.
const FOREIGN: u8 = 1 << 0;
/// `#`: a fragment is the client's own (RFC 9110 section 4.2.5).
const FRAGMENT: u8 = 1 << 1;
/// `%`.
const ESCAPE: u8 = 1 << 2;
/// `\`, which some take for `/`.
const BACKSLASH: u8 = 1 << 3;

const CLASSES: [u8; 256] = {
    let mut classes = [FOREIGN; 256];
    let mut byte = 0x21;
    while byte < 0x7F {
        classes[byte] = match byte as u8 {
            b'"' | b'<' | b'>' => FOREIGN,
            b'#' => FRAGMENT,
            b'%' => ESCAPE,
            b'\\' => BACKSLASH,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

fn characters(text: &str) -> u8 {
    text.bytes().fold(0, |seen, byte| seen | CLASSES[usize::from(byte)])
}

/// The authority of an absolute target, and what follows it (RFC 9112 section 3.2.2).
fn split_absolute(raw: &str) -> Result<(&str, &str), Refusal> {
    let (scheme, rest) = raw.split_once("://").ok_or(Refusal::MalformedTarget)?;
    if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(Refusal::TargetScheme);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    match host::is_authority(authority.as_bytes()) {
        true => Ok((authority, rest)),
        false => Err(Refusal::TargetAuthority),
    }
}

/// Decodes a path, then resolves its dots and empty segments, so that an encoded dot is a dot.
fn normalise(path: &str, seen: u8) -> Result<Cow<'_, str>, Refusal> {
    if seen & BACKSLASH != 0 && path.contains('\\') {
        return Err(Refusal::TargetSeparator);
    }
    let path = match seen & ESCAPE != 0 && path.contains('%') {
        true => Cow::Owned(decode(path)?),
        false => Cow::Borrowed(path),
    };
    match is_resolved(&path) {
        true => Ok(path),
        false => resolve(&path).map(Cow::Owned),
    }
}

/// Decodes a path whose escapes are well-formed.
fn decode(path: &str) -> Result<String, Refusal> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            decoded.push(byte);
            rest = after;
            continue;
        }
        match percent::unescape(after).ok_or(Refusal::TargetEscape)? {
            0x00..=0x1F | 0x7F => return Err(Refusal::TargetControl),
            // Decoded, it would be a separator that whoever looked at the raw path did not see.
            b'/' | b'\\' => return Err(Refusal::TargetSeparator),
            byte => decoded.push(byte),
        }
        rest = &after[2..];
    }
    String::from_utf8(decoded).map_err(|_| Refusal::TargetNotUtf8)
}

/// Whether a path has neither dot segments nor empty ones, the last excepted, which is a trailing slash.
fn is_resolved(path: &str) -> bool {
    let suspicious = |pair: &[u8]| pair[0] == b'/' && matches!(pair[1], b'/' | b'.');
    if !path.as_bytes().windows(2).any(suspicious) {
        return true;
    }
    let inner = path.strip_prefix('/').unwrap_or(path);
    !inner.contains("//") && !inner.starts_with('/') && !inner.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// RFC 3986 section 5.2.4, but empty segments vanish and nothing leads above the root.
fn resolve(path: &str) -> Result<String, Refusal> {
    let mut resolved = String::with_capacity(path.len());
    let mut directory = false;
    for segment in path.split('/').skip(1) {
        directory = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                let parent = resolved.rfind('/').ok_or(Refusal::TargetAboveRoot)?;
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
