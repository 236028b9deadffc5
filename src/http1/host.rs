//! What `Host` and the authority of an absolute target may look like: a host and an optional port.
//! Knows the grammar only; whom a name belongs to is the zones' business.

use std::net::Ipv6Addr;

/// Whether this is `host[:port]` (RFC 9110 section 7.2, RFC 3986 section 3.2).
///
/// Stricter than the grammar, so that there is one reading: no user information, no percent-encoding, none of the
/// delimiters `!$&'()*+,;=`, which no name on a network has; no zone identifier in an IPv6 literal.
pub(crate) fn is_authority(authority: &[u8]) -> bool {
    if let Some(rest) = authority.strip_prefix(b"[") {
        let Some(end) = rest.iter().position(|&byte| byte == b']') else {
            return false;
        };
        let (literal, port) = rest.split_at(end);
        let literal =
            std::str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
        return literal && is_port_part(&port[1..]);
    }
    let mut end = 0;
    while authority.get(end).is_some_and(|&byte| is_name_byte(byte)) {
        end += 1;
    }
    let (name, port) = authority.split_at(end);
    !name.is_empty() && is_port_part(port)
}

fn is_name_byte(byte: u8) -> bool {
    const NAME: [bool; 256] = {
        let mut name = [false; 256];
        let mut byte = 0_u8;
        while byte < 0x80 {
            name[byte as usize] =
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
            byte += 1;
        }
        name
    };
    NAME[usize::from(byte)]
}

/// Nothing, or a colon and a port; the port may be empty (RFC 3986 section 3.2.3).
fn is_port_part(part: &[u8]) -> bool {
    let [b':', port @ ..] = part else {
        return part.is_empty();
    };
    if port.len() > 5 {
        return false;
    }
    let number = port.iter().try_fold(0, |number, &byte| {
        byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')) // five digits fit
    });
    number.is_some_and(|number| number <= 0xFFFF)
}
