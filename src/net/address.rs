//! IP addresses as values: the prefix that counts as one address, ranges (RFC 4632 section 3.1),
//! and the order in which the addresses of a name are tried (RFC 8305 section 4). This file opens
//! no socket and looks nothing up.

use std::fmt;
use std::net::IpAddr;

/// Maps an address to the prefix that one subscriber holds: all 32 bits of an IPv4 address, the
/// first 64 bits of an IPv6 address.
///
/// A single IPv6 host may have 2^64 addresses below its prefix, so a limit on whole addresses would
/// limit nothing.
pub(crate) fn prefix(address: IpAddr) -> u64 {
    match address.to_canonical() {
        // IPv6 reserves 0000:0000:0000:0001::/64 and the next 2^32 prefixes: none can collide with
        // these values.
        IpAddr::V4(address) => 1 << 32 | u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

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
        // One reading: `08` might be meant in base 8.
        let digits = bits.bytes().all(|byte| byte.is_ascii_digit())
            && (bits == "0" || !bits.starts_with('0'));
        let bits: u32 = bits.parse().ok().filter(|_| digits)?;
        let free = width.checked_sub(bits)?;
        // Below ::ffff:0:0/96 lie the IPv4 addresses in IPv6 form.
        let address = if free <= 32 { address.to_canonical() } else { address };
        Some(Network { address, free })
    }

    /// The address that the range was made of.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// This range, made of its first address.
    pub(crate) fn first(&self) -> Network {
        let first = |bits: u128| bits.checked_shr(self.free).unwrap_or(0).checked_shl(self.free);
        let bits = first(number(self.address)).unwrap_or(0);
        let address = match self.address {
            IpAddr::V4(_) => IpAddr::V4((bits as u32).into()),
            IpAddr::V6(_) => IpAddr::V6(bits.into()),
        };
        Network { address, free: self.free }
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let differing = number(address) ^ number(self.address);
        address.is_ipv4() == self.address.is_ipv4()
            && differing.checked_shr(self.free).unwrap_or(0) == 0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.address.is_ipv4() { 32 } else { 128 };
        write!(f, "{}/{}", self.address, width - self.free)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Addresses of one name that are tried at most.
const MAX_ADDRESSES: usize = 16;

/// Drops doubles, and has the two families alternate, each in its own order. The first address
/// stays the first. At most 16 addresses are kept.
pub(crate) fn race_order(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut seen: Vec<IpAddr> = Vec::new();
    for address in addresses {
        if !seen.contains(&address) {
            seen.push(address);
        }
    }
    let first_family = seen.first().is_some_and(IpAddr::is_ipv4);
    let (first, second): (Vec<IpAddr>, Vec<IpAddr>) =
        seen.into_iter().partition(|address| address.is_ipv4() == first_family);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            break;
        }
        order.extend(pair.into_iter().flatten());
    }
    order.truncate(MAX_ADDRESSES);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_subscriber_have_one_prefix() {
        let prefix = |text: &str| prefix(text.parse().unwrap());
        assert_eq!(prefix("127.0.0.1"), prefix("::ffff:127.0.0.1"));
        assert_ne!(prefix("127.0.0.1"), prefix("127.0.0.2"));
        assert_eq!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:2:ffff::9"));
        assert_ne!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:3::1"));
        assert_ne!(prefix("::1"), prefix("0.0.0.1"));
    }

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
        let malformed = [
            "",
            "/",
            "1.2.3.4/",
            "1.2.3.4/33",
            "::/129",
            "1.2.3.4/+8",
            "1.2.3/8",
            "1.2.3.4/08",
            "a",
        ];
        for text in malformed {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    fn order(addresses: &[&str]) -> Vec<String> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        race_order(addresses).iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn families_alternate_and_the_first_address_stays_first() {
        let rows: &[(&[&str], &[&str])] = &[
            (&[], &[]),
            (&["::1"], &["::1"]),
            (&["::1", "127.0.0.1"], &["::1", "127.0.0.1"]),
            (&["127.0.0.1", "::1"], &["127.0.0.1", "::1"]),
            (&["::1", "::2", "::3", "1.1.1.1"], &["::1", "1.1.1.1", "::2", "::3"]),
            (&["1.1.1.1", "::1", "::2", "2.2.2.2"], &["1.1.1.1", "::1", "2.2.2.2", "::2"]),
            (&["::1", "::1", "::2", "::1"], &["::1", "::2"]),
        ];
        for (addresses, expected) in rows {
            assert_eq!(order(addresses), *expected);
        }
    }

    #[test]
    fn one_family_does_not_crowd_out_the_other() {
        let many: Vec<String> = (1..=20).map(|n| format!("::{n}")).collect();
        let mut addresses: Vec<&str> = many.iter().map(String::as_str).collect();
        addresses.push("1.1.1.1");
        let order = order(&addresses);
        assert_eq!((order.len(), &*order[1]), (16, "1.1.1.1"));
    }
}
