//! The form of `Host` and of the authority of an absolute target: a host and an optional port. This
//! file knows the grammar only. It does not decide whether a name is served.

use std::net::Ipv6Addr;

/// Whether text is `host[:port]` (RFC 9110 section 7.2, RFC 3986 section 3.2).
///
/// Stricter than the grammar, so that there is one reading. Refuses user information, escapes, zone
/// identifiers of IPv6 literals, and the delimiters `!$&'()*+,;=`, which no name on a network has.
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

/// Splits an authority at the colon before its port. The colons of an IPv6 literal do not count.
pub(crate) fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    match authority.iter().rposition(|&byte| byte == b':') {
        Some(colon) if !authority.ends_with(b"]") => {
            (&authority[..colon], Some(&authority[colon + 1..]))
        }
        _ => (authority, None),
    }
}

/// Parses one digit or more, and nothing else, as a port up to 65535.
pub(crate) fn parse_port(digits: &[u8]) -> Option<u16> {
    let number = digits.iter().try_fold(0_u16, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u16::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    });
    number.filter(|_| !digits.is_empty())
}

/// Whether a port part is absent, or a colon and at most five digits. None is allowed, too (RFC
/// 3986 section 3.2.3).
fn is_port_part(part: &[u8]) -> bool {
    match part {
        [] | [b':'] => true,
        [b':', port @ ..] => port.len() <= 5 && parse_port(port).is_some(),
        _ => false,
    }
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
