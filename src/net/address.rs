//! MemoryPeer addresses as limits see them: what belongs to one subscriber is one. It knows no connection.

use std::net::IpAddr;

/// The part of an address that one party holds: all of an IPv4 address, the first 64 bits of an IPv6 one, in which a single
/// host may have as many addresses as it likes.
pub(crate) fn prefix(address: IpAddr) -> u64 {
    match address.to_canonical() {
        // 0000:0000:0000:0001::/64 and what follows up to 2^33 is reserved, so no IPv6 prefix looks like this.
        IpAddr::V4(address) => 1 << 32 | u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_is_one_for_one_party() {
        let prefix = |text: &str| prefix(text.parse().unwrap());
        assert_eq!(prefix("127.0.0.1"), prefix("::ffff:127.0.0.1"));
        assert_ne!(prefix("127.0.0.1"), prefix("127.0.0.2"));
        assert_eq!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:2:ffff::9"));
        assert_ne!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:3::1"));
        assert_ne!(prefix("::1"), prefix("0.0.0.1"));
    }
}
