//! Version 2 of the PROXY protocol (its specification, section 2.2): a block of bytes. This file
//! reads the client's address, checks the form of the fields after the addresses (TLV) and the
//! CRC32C among them. It gives no other field a meaning.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::fault::{ProxyHeaderFault, Stop};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes before the addresses: signature, version and command, family, length.
const FIRST: usize = 16;
/// The most bytes of a block.
pub(super) const MAX_BLOCK: usize = FIRST + (4 << 10);

/// The type of the field that holds the CRC32C (section 2.2.3).
const CRC32C: u8 = 0x03;

/// Reads a block at the beginning of `bytes`. Returns the client's address, and the block's length.
pub(super) fn parse_block(bytes: &[u8]) -> Result<(Option<SocketAddr>, usize), Stop> {
    let arrived = bytes.len().min(SIGNATURE.len());
    if bytes[..arrived] != SIGNATURE[..arrived] {
        return Err(ProxyHeaderFault::Missing.into());
    }
    let is_local = match bytes.get(12) {
        None => return Err(Stop::Partial(MAX_BLOCK - bytes.len())),
        Some(0x20) => true,
        Some(0x21) => false,
        Some(byte) if byte >> 4 == 2 => return Err(ProxyHeaderFault::Command.into()),
        Some(_) => return Err(ProxyHeaderFault::Version.into()),
    };
    let Some(&family) = bytes.get(13) else {
        return Err(Stop::Partial(MAX_BLOCK - bytes.len()));
    };
    let addresses = match family {
        0x00 => 0,
        // TCP and UDP: a proxy that takes HTTP/3 may say UDP.
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        // A receiver discards all that follows LOCAL, and has to ignore its family.
        _ if is_local => 0,
        _ => return Err(ProxyHeaderFault::Family.into()),
    };
    let Some(&[high, low]) = bytes.get(14..FIRST) else {
        return Err(Stop::Partial(MAX_BLOCK - bytes.len()));
    };
    let end = FIRST + usize::from(u16::from_be_bytes([high, low]));
    if end > MAX_BLOCK {
        return Err(ProxyHeaderFault::TooLong.into());
    }
    if !is_local && end < FIRST + addresses {
        return Err(ProxyHeaderFault::TooShort.into());
    }
    let Some(block) = bytes.get(..end) else { return Err(Stop::Partial(end - bytes.len())) };
    if is_local && family != 0 {
        return Ok((None, end));
    }
    match checksum_at(block, FIRST + addresses) {
        Ok(Some(at)) if !is_right(block, at) => return Err(ProxyHeaderFault::Checksum.into()),
        // Without a family the block may hold addresses of an unknown form, which are ignored.
        Err(fault) if family != 0 => return Err(fault.into()),
        _ => {}
    }
    Ok((source(&block[FIRST..], family), end))
}

/// The client's address, if the family has addresses with ports.
fn source(addresses: &[u8], family: u8) -> Option<SocketAddr> {
    let port = |at: usize| Some(u16::from_be_bytes([*addresses.get(at)?, *addresses.get(at + 1)?]));
    match family >> 4 {
        1 => Some(SocketAddr::from((Ipv4Addr::from(*addresses.first_chunk()?), port(8)?))),
        2 => {
            let address = Ipv6Addr::from(*addresses.first_chunk()?);
            Some(SocketAddr::new(address.to_canonical(), port(32)?))
        }
        _ => None,
    }
}

/// Walks the fields from `at` to the end, and returns the place of the checksum, if there is one.
fn checksum_at(block: &[u8], mut at: usize) -> Result<Option<usize>, ProxyHeaderFault> {
    let mut checksum = None;
    while at < block.len() {
        let Some(&[kind, high, low]) = block.get(at..at + 3) else {
            return Err(ProxyHeaderFault::Field);
        };
        let (value, len) = (at + 3, usize::from(u16::from_be_bytes([high, low])));
        if kind == CRC32C && (len != 4 || checksum.replace(value).is_some()) {
            return Err(ProxyHeaderFault::Field);
        }
        at = value + len;
    }
    if at == block.len() { Ok(checksum) } else { Err(ProxyHeaderFault::Field) }
}

/// Whether the four bytes at `at` are the CRC32C of the block, with zeros in their place.
fn is_right(block: &[u8], at: usize) -> bool {
    let (before, rest) = block.split_at(at);
    let Some((checksum, after)) = rest.split_first_chunk() else { return false };
    let parts = before.iter().chain(&[0; 4]).chain(after);
    crc32c(parts) == u32::from_be_bytes(*checksum)
}

/// Computes the CRC32C (RFC 9260 appendix A) of some bytes.
fn crc32c<'b>(bytes: impl Iterator<Item = &'b u8>) -> u32 {
    !bytes.fold(!0, |crc, &byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}

/// The remainder of each byte by the polynomial of Castagnoli, its bits in reverse order.
static TABLE: [u32; 256] = {
    let (mut table, mut byte) = ([0; 256], 0);
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn crc32c_is_that_of_rfc_3720() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        // RFC 3720 appendix B.4, whose bytes stand in the order of the wire; the check value.
        for (bytes, expected) in [
            (&[0x00; 32][..], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&ascending, 0x46DD_794E),
            (&descending, 0x113F_DB5C),
            (b"123456789", 0xE306_9283),
            (b"", 0),
        ] {
            assert_eq!(crc32c(bytes.iter()), expected, "{bytes:?}");
        }
    }
}
