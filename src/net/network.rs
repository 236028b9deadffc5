//! A range of IP addresses that begin with the same bits (RFC 4632 section 3.1). This file knows no
//! sockets.

use std::net::IpAddr;

/// A range of addresses, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    /// Bits at the end that may differ.
    free: u32,
}

impl Network {
    /// Makes the range of one address. An IPv4 address in IPv6 form is the IPv4 address.
    pub(crate) fn of(address: IpAddr) -> Network {
        Network { address: address.to_canonical(), free: 0 }
    }

    /// Parses an address, or an address and a number of bits such as `127.0.0.0/8`.
    pub(crate) fn parse(text: &str) -> Option<Network> {
        let Some((address, bits)) = text.split_once('/') else {
            return text.parse().ok().map(Network::of);
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32_u32 } else { 128 };
        let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u32 = bits.parse().ok().filter(|_| digits)?;
        Some(Network { address, free: width.checked_sub(bits)? })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let differing = number(address) ^ number(self.address);
        address.is_ipv4() == self.address.is_ipv4()
            && differing.checked_shr(self.free).unwrap_or(0) == 0
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_contains_the_addresses_that_begin_with_its_bits() {
        let rows = [
            ("127.0.0.0/8", "127.255.0.1", true),
            ("127.0.0.0/8", "126.255.255.255", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("127.3.2.1/8", "127.0.0.1", true),
            ("10.1.2.0/23", "10.1.3.255", true),
            ("10.1.2.0/23", "10.1.4.0", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1/32", "10.0.0.2", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "ffff::", true),
            ("::/0", "1.2.3.4", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("fe80::/10", "febf::1", true),
            ("fe80::/10", "fec0::1", false),
            ("::1/128", "::1", true),
            ("::1/128", "::", false),
        ];
        for (network, address, inside) in rows {
            let parsed = Network::parse(network).unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), inside, "{address} in {network}");
        }
        let malformed = ["", "/", "1.2.3.4/", "1.2.3.4/33", "::/129", "1.2.3.4/+8", "1.2.3/8", "a"];
        for text in malformed {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
