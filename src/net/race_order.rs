//! The order in which the addresses of a name are tried (RFC 8305 section 4). This file opens no
//! socket and looks nothing up.

use std::net::IpAddr;

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
