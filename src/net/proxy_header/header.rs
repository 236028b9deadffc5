//! The header with which a proxy names its client's address (the PROXY protocol, versions 1 and 2).
//! This file reads bytes. It knows no connection, and not which peers may send a header.
//!
//! Of the 147 vectors in `tests/proxy_header`, three crates take these wrongly:
//!
//! | crate | wrongly taken | refused | waits for more |
//! | --- | --- | --- | --- |
//! | `ppp` 2.3.0 | 13: signs of ports, LF within `UNKNOWN`, family 0x10, all wrong CRC32C | 3 | 6 |
//! | `proxy-header` 0.1.3 | 14: `PROXY\tTCP4`, `UNKNOWNS`, `+80`, `080`, 108 bytes | 4 | 1 |
//! | `proxy-protocol` 0.5.0 | 24: `UDP4`, `UNKNOWNS`, any field; a panic at a long length | 2 | 0 |
//!
//! `ppp` also misjudges 11 sound headers where they are cut, and `proxy-protocol` 42.

use std::net::SocketAddr;

use super::block::{MAX_BLOCK, parse_block};
use super::fault::{ProxyHeaderFault, Stop};
use super::line::parse_line;

/// The outcome of reading a PROXY header from the bytes that have arrived so far.
///
/// ```
/// use switchboard::proto::proxy_header::ProxyHeader;
///
/// let bytes = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET / HTTP/1.1\r\n";
/// let ProxyHeader::Complete { address, len } = ProxyHeader::parse(bytes) else { panic!() };
/// assert_eq!(address, Some("192.0.2.1:56324".parse()?));
/// assert!(bytes[len..].starts_with(b"GET "));
///
/// assert_eq!(ProxyHeader::parse(b"PROXY TCP4 192.0"), ProxyHeader::Partial(91));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The header goes on. At most this many further bytes belong to it, at least one does.
    Partial(usize),
    /// The header is whole.
    Complete {
        /// The client's address and port. An IPv4 address in IPv6 form is the IPv4 address. `None`
        /// for `LOCAL`, `UNKNOWN`, an unspecified family and Unix sockets: the address of the
        /// socket holds.
        address: Option<SocketAddr>,
        /// The length of the header in bytes. The protocol of the connection begins there.
        len: usize,
    },
    /// The bytes do not begin with a header, and further bytes do not help.
    Malformed(ProxyHeaderFault),
}

impl ProxyHeader {
    /// The most bytes of a header: 16 and 4,096, in version 2. A header of version 1 has at most
    /// 107.
    pub const MAX_LEN: usize = MAX_BLOCK;

    /// Reads a header at the beginning of `bytes`. The outcome does not depend on the bytes that
    /// follow the header, nor on where they are cut.
    ///
    /// Version 1 is read by the grammar of the specification, section 2.1, with one space between
    /// its parts. Version 2 is read by section 2.2; its fields (TLV) are checked for their form
    /// and skipped, and a CRC32C among them must be right.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> ProxyHeader {
        let outcome = match bytes.first() {
            None => Err(Stop::Partial(MAX_BLOCK)),
            Some(b'\r') => parse_block(bytes),
            Some(_) => parse_line(bytes),
        };
        match outcome {
            Ok((address, len)) => ProxyHeader::Complete { address, len },
            Err(Stop::Partial(left)) => ProxyHeader::Partial(left),
            Err(Stop::Malformed(fault)) => ProxyHeader::Malformed(fault),
        }
    }
}
