//! Reads a PROXY header that has arrived whole, in the plainest way.

use std::net::{IpAddr, SocketAddr};

use super::vectors::{SIGNATURE, slow_crc32c};

/// The client's address, and the length of the header.
type Header = (Option<SocketAddr>, usize);

/// Reads a whole header in the plainest way: `None` if there is none at the beginning.
pub fn naive(bytes: &[u8]) -> Option<Header> {
    if bytes.starts_with(SIGNATURE) { block(bytes) } else { line(bytes) }
}

fn line(bytes: &[u8]) -> Option<Header> {
    let end = (0..=105).find(|&at| bytes.get(at..at + 2) == Some(b"\r\n"))?;
    let line = &bytes[..end];
    if line.contains(&b'\r') || line.contains(&b'\n') {
        return None;
    }
    if line == b"PROXY UNKNOWN" || line.starts_with(b"PROXY UNKNOWN ") {
        return Some((None, end + 2));
    }
    let text = std::str::from_utf8(line).ok()?;
    let parts: Vec<&str> = text.split(' ').collect();
    let &["PROXY", protocol, source, destination, source_port, destination_port] = &parts[..]
    else {
        return None;
    };
    let address: fn(&str) -> Option<IpAddr> = match protocol {
        "TCP4" => v4,
        "TCP6" => v6,
        _ => return None,
    };
    // A port is the text that its number is written as.
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| port.to_string() == text);
    let (source, _, port, _) =
        (address(source)?, address(destination)?, port(source_port)?, port(destination_port)?);
    Some((Some(SocketAddr::new(source.to_canonical(), port)), end + 2))
}

fn v4(text: &str) -> Option<IpAddr> {
    let numbers: Vec<u8> = text
        .split('.')
        .map(|part| part.parse::<u8>().ok().filter(|number| number.to_string() == part))
        .collect::<Option<_>>()?;
    <[u8; 4]>::try_from(numbers).ok().map(IpAddr::from)
}

/// Reads groups on both sides of at most one gap.
fn v6(text: &str) -> Option<IpAddr> {
    let groups = |text: &str| -> Option<Vec<u16>> {
        let mut groups = Vec::new();
        let parts: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split(':').collect() };
        for (at, part) in parts.iter().enumerate() {
            if at + 1 == parts.len() && part.contains('.') {
                let IpAddr::V4(v4) = v4(part)? else { return None };
                let [a, b, c, d] = v4.octets();
                groups.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
            } else if (1..=4).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            {
                groups.push(u16::from_str_radix(part, 16).ok()?);
            } else {
                return None;
            }
        }
        Some(groups)
    };
    let all = match text.split_once("::") {
        None => groups(text)?,
        // An IPv4 address ends the whole, and stands before no gap.
        Some((before, _)) if before.contains('.') => return None,
        Some((before, after)) => {
            let (mut before, after) = (groups(before)?, groups(after)?);
            if before.len() + after.len() > 7 {
                return None;
            }
            before.resize(8 - after.len(), 0);
            before.extend(after);
            before
        }
    };
    <[u16; 8]>::try_from(all).ok().map(IpAddr::from)
}

fn block(bytes: &[u8]) -> Option<Header> {
    let &[command, family, high, low] = bytes.get(12..16)?.first_chunk::<4>()?;
    let len = usize::from(high) << 8 | usize::from(low);
    if len > 4_096 || !matches!(command, 0x20 | 0x21) {
        return None;
    }
    let block = bytes.get(16..16 + len)?;
    let end = 16 + len;
    let is_local = command == 0x20;
    let addresses = match family {
        0 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        _ => return is_local.then_some((None, end)),
    };
    if is_local && family != 0 {
        return Some((None, end));
    }
    let Some(checksums) = checksums(block.get(addresses..)?) else {
        return (family == 0).then_some((None, end));
    };
    for (from_end, value) in checksums {
        let mut zeroed = bytes[..end].to_vec();
        zeroed[end - from_end..][..4].fill(0);
        if slow_crc32c(&zeroed).to_be_bytes() != *value {
            return None;
        }
    }
    let port = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
    let address = match family >> 4 {
        1 => Some((IpAddr::from(<[u8; 4]>::try_from(&block[..4]).unwrap()), port(8))),
        2 => Some((IpAddr::from(<[u8; 16]>::try_from(&block[..16]).unwrap()), port(32))),
        _ => None,
    };
    Some((address.map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port)), end))
}

/// The checksums among some fields, each with its distance from the end; `None` if a field is at
/// fault.
fn checksums(mut fields: &[u8]) -> Option<Vec<(usize, &[u8])>> {
    let mut checksums = Vec::new();
    while !fields.is_empty() {
        let &[kind, high, low] = fields.first_chunk::<3>()?;
        let value = fields.get(3..3 + (usize::from(high) << 8 | usize::from(low)))?;
        if kind == 3 {
            checksums.push((fields.len() - 3, value));
        }
        fields = &fields[3 + value.len()..];
    }
    let is_sound = checksums.len() < 2 && checksums.iter().all(|(_, value)| value.len() == 4);
    is_sound.then_some(checksums)
}
