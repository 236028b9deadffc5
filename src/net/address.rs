//! Computes the prefix of an address that the limit per address counts. This file knows no
//! connection.

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
}
