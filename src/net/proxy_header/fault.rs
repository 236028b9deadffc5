//! The faults of a PROXY header, and why a parse stops early. This file does not know where in a
//! header a fault is found.

use std::fmt;

/// A fault of a PROXY header. The connection cannot be trusted and is closed.
///
/// ```
/// use switchboard::proto::proxy_header::{ProxyHeader, ProxyHeaderFault};
///
/// let ProxyHeader::Malformed(fault) = ProxyHeader::parse(b"GET / HTTP/1.1\r\n") else { panic!() };
/// assert_eq!(fault, ProxyHeaderFault::Missing);
/// assert_eq!(fault.to_string(), "no PROXY header");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyHeaderFault {
    /// The first bytes are neither `PROXY` and a space nor the signature of version 2.
    Missing,
    /// Version 1: the protocol is none of `TCP4`, `TCP6` and `UNKNOWN`.
    Protocol,
    /// Version 1: an address that is not of the protocol's family, or not followed by one space.
    Address,
    /// Version 1: a port that is not 0 to 65535 in the fewest digits.
    Port,
    /// Version 1: a line that CR LF does not end.
    LineEnd,
    /// Version 1: no CR LF in the first 107 bytes. Version 2: more than 4,096 bytes after the
    /// first 16.
    TooLong,
    /// Version 2: the version is not 2.
    Version,
    /// Version 2: the command is neither `LOCAL` nor `PROXY`.
    Command,
    /// Version 2: a pair of family and transport that the specification does not have.
    Family,
    /// Version 2: fewer bytes than the addresses of the family take.
    TooShort,
    /// Version 2: fields after the addresses (TLV) that do not end with the header, or a second
    /// checksum.
    Field,
    /// Version 2: the CRC32C in the header is not that of the header.
    Checksum,
}

impl ProxyHeaderFault {
    /// Returns the fault in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ProxyHeaderFault::Missing => "no PROXY header",
            ProxyHeaderFault::Protocol => "unknown protocol in a PROXY header",
            ProxyHeaderFault::Address => "malformed address in a PROXY header",
            ProxyHeaderFault::Port => "malformed port in a PROXY header",
            ProxyHeaderFault::LineEnd => "PROXY header that does not end with CR LF",
            ProxyHeaderFault::TooLong => "PROXY header that is too long",
            ProxyHeaderFault::Version => "unknown version of a PROXY header",
            ProxyHeaderFault::Command => "unknown command in a PROXY header",
            ProxyHeaderFault::Family => "unknown address family in a PROXY header",
            ProxyHeaderFault::TooShort => "PROXY header that is too short for its addresses",
            ProxyHeaderFault::Field => "malformed field in a PROXY header",
            ProxyHeaderFault::Checksum => "wrong checksum in a PROXY header",
        }
    }
}

impl fmt::Display for ProxyHeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for ProxyHeaderFault {}

/// Why a parse ends without a header.
pub(super) enum Stop {
    /// The header goes on, for at most this many bytes.
    Partial(usize),
    Malformed(ProxyHeaderFault),
}

impl From<ProxyHeaderFault> for Stop {
    fn from(fault: ProxyHeaderFault) -> Stop {
        Stop::Malformed(fault)
    }
}
