//! Version 1 of the PROXY protocol (its specification, section 2.1): one line of text. This file
//! judges each byte from left to right, so that the cut of the bytes changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::fault::{ProxyHeaderFault, Stop};

/// The most bytes of a line, with its CR LF.
pub(super) const MAX_LINE: usize = 107;

/// Reads a line at the beginning of `bytes`. Returns the client's address, and the line's length.
pub(super) fn parse_line(bytes: &[u8]) -> Result<(Option<SocketAddr>, usize), Stop> {
    let mut line = Line { bytes: &bytes[..bytes.len().min(MAX_LINE)], at: 0 };
    for &expected in b"PROXY " {
        line.expect(expected, ProxyHeaderFault::Missing)?;
    }
    let source = match line.token(u8::is_ascii_alphanumeric)? {
        b"TCP4" => Some(line.source::<Ipv4Addr>()?),
        b"TCP6" => Some(line.source::<Ipv6Addr>()?),
        b"UNKNOWN" => {
            line.rest()?;
            None
        }
        _ => return Err(ProxyHeaderFault::Protocol.into()),
    };
    line.expect(b'\r', ProxyHeaderFault::LineEnd)?;
    line.expect(b'\n', ProxyHeaderFault::LineEnd)?;
    Ok((source, line.at))
}

/// A line, as far as it has arrived, and the place up to which it is read.
struct Line<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Line<'b> {
    /// Reads both addresses and both ports, and returns the first address with the first port.
    fn source<A: FromStr + Into<IpAddr>>(&mut self) -> Result<SocketAddr, Stop> {
        self.expect(b' ', ProxyHeaderFault::Protocol)?;
        let source = self.address::<A>()?;
        self.expect(b' ', ProxyHeaderFault::Address)?;
        self.address::<A>()?;
        self.expect(b' ', ProxyHeaderFault::Address)?;
        let port = self.port()?;
        self.expect(b' ', ProxyHeaderFault::Port)?;
        self.port()?;
        Ok(SocketAddr::new(source.to_canonical(), port))
    }

    /// Reads an address of one family. The standard library's grammar is that of the specification:
    /// no leading zero in IPv4, at most four digits in either case between the colons of IPv6, and
    /// no zone. Proxies also write the last 32 bits of an IPv6 address as an IPv4 address.
    fn address<A: FromStr + Into<IpAddr>>(&mut self) -> Result<IpAddr, Stop> {
        let text = self.token(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))?;
        let address = std::str::from_utf8(text).ok().and_then(|text| text.parse::<A>().ok());
        Ok(address.ok_or(ProxyHeaderFault::Address)?.into())
    }

    fn port(&mut self) -> Result<u16, Stop> {
        let text = self.token(u8::is_ascii_digit)?;
        let text =
            std::str::from_utf8(text).ok().filter(|&text| text == "0" || !text.starts_with('0'));
        Ok(text.and_then(|text| text.parse().ok()).ok_or(ProxyHeaderFault::Port)?)
    }

    /// Reads what `UNKNOWN` does not say: nothing, or a space and anything up to CR LF. A CR or LF
    /// alone could end the line elsewhere.
    fn rest(&mut self) -> Result<(), Stop> {
        if self.bytes.get(self.at) == Some(&b' ') {
            self.token(|byte| !matches!(byte, b'\r' | b'\n'))?;
        }
        Ok(())
    }

    /// Reads the bytes up to the first that does not belong.
    fn token(&mut self, belongs: impl Fn(&u8) -> bool) -> Result<&'b [u8], Stop> {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().position(|byte| !belongs(byte)).ok_or_else(|| self.end())?;
        self.at += len;
        Ok(&rest[..len])
    }

    fn expect(&mut self, expected: u8, fault: ProxyHeaderFault) -> Result<(), Stop> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte == expected => self.at += 1,
            Some(_) => return Err(fault.into()),
            None => return Err(self.end()),
        }
        Ok(())
    }

    /// The line does not end in the bytes that are there.
    fn end(&self) -> Stop {
        match MAX_LINE - self.bytes.len() {
            0 => ProxyHeaderFault::TooLong.into(),
            left => Stop::Partial(left),
        }
    }
}
