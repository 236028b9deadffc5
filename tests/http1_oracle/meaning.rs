//! What a head means, judged naively from RFC 9110, RFC 9112 and RFC 3986. Where the RFCs leave a
//! choice, the front page of the crate says what is refused.

use std::net::Ipv6Addr;

/// How a body ends (RFC 9112 section 6.3).
#[derive(PartialEq, Debug)]
pub enum Body {
    None,
    Known(u64),
    Chunked,
}

/// RFC 9112 section 3.2, RFC 3986.
pub fn is_target(method: &str, target: &str) -> bool {
    let (path, absolute) = match target.split_once("://") {
        _ if target.starts_with('/') => (target, None),
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            (path, Some((scheme.to_ascii_lowercase(), authority)))
        }
        None => (target, None),
    };
    // A query holds any text but space, control characters and `#`.
    let (before, query) = target.split_once('?').unwrap_or((target, ""));
    let visible = before.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>#".contains(&byte))
        && !query.chars().any(|c| c.is_control() || c == '#' || c == ' ');
    let mut decoded = Vec::new();
    let path = path.split('?').next().unwrap();
    for (n, part) in before.split('%').enumerate() {
        let digits = part.as_bytes().get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        if n > 0 && digits.is_none() {
            return false;
        }
    }
    for (n, part) in path.split('%').enumerate() {
        let (escape, rest) = if n > 0 { part.split_at(2) } else { ("", part) };
        match u8::from_str_radix(escape, 16) {
            Ok(byte) if byte.is_ascii_control() || b"/\\".contains(&byte) => return false,
            byte => decoded.extend(byte),
        }
        decoded.extend_from_slice(rest.as_bytes());
    }
    let mut depth = 0;
    let climbs = decoded.split(|&byte| byte == b'/').any(|segment| {
        depth += match segment {
            b"" | b"." => 0,
            b".." => -1,
            _ => 1,
        };
        depth < 0
    });
    let text = str::from_utf8(&decoded).is_ok();
    let sound = visible && text && !path.contains('\\') && !climbs;
    match absolute {
        _ if target == "*" => method == "OPTIONS",
        None => sound && target.starts_with('/'),
        Some((scheme, authority)) => {
            sound && is_host(authority) && ["http", "https", "ws", "wss"].contains(&&*scheme)
        }
    }
}

/// RFC 9110 section 7.2: `uri-host [ ":" port ]`, without delimiters and escapes.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let name = || host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let port = port.is_empty()
        || port.len() < 6
            && port.bytes().all(|b| b.is_ascii_digit())
            && port.parse::<u16>().is_ok();
    port && literal.map_or_else(|| !host.is_empty() && name(), |ip| ip.parse::<Ipv6Addr>().is_ok())
}

/// RFC 9112 sections 3.2 and 6, RFC 9110 section 10.1.1.
pub fn body(minor: u8, headers: &[(String, Vec<u8>)]) -> Option<Body> {
    let all = |name: &str| -> Vec<String> {
        let lines = headers.iter().filter(|line| line.0.eq_ignore_ascii_case(name));
        lines.map(|line| String::from_utf8_lossy(&line.1).into_owned()).collect()
    };
    // RFC 9110 section 5.6.1: one list, whose empty elements count for nothing.
    let list = |name: &str| -> Vec<String> {
        let elements = all(name).join(",");
        let elements = elements.split(',').map(|element| element.trim_matches([' ', '\t']));
        elements.filter(|element| !element.is_empty()).map(str::to_owned).collect()
    };
    let (hosts, expected) = (all("host"), list("expect"));
    let host = match &hosts[..] {
        [] => minor == 0,
        [host] => is_host(host),
        _ => false,
    };
    let expected = expected.is_empty()
        || minor == 0
        || expected.len() == 1 && expected[0].eq_ignore_ascii_case("100-continue");
    if !host || !expected {
        return None;
    }
    match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => Some(Body::None),
        ([], [_, ..]) => match &list("transfer-encoding")[..] {
            [coding] if minor == 1 && coding.eq_ignore_ascii_case("chunked") => Some(Body::Chunked),
            _ => None,
        },
        ([len], []) => len.parse().ok().filter(|n: &u64| n.to_string() == *len).map(Body::Known),
        _ => None,
    }
}
