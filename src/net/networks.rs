//! A list of networks whose peers a program names, such as its proxies (RFC 4632 section 3.1). This
//! file does not know what a peer in the list may do.

use std::io::{Error, ErrorKind, Result};
use std::net::IpAddr;

use super::address::Network;

/// Networks, and perhaps the peers of Unix sockets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Networks {
    networks: Vec<Network>,
    has_unix: bool,
}

impl Networks {
    /// Parses a list. An entry is an address, a network such as `10.0.0.0/8`, or `unix`.
    ///
    /// # Errors
    /// The error names the first entry that is none of these, and says what to give.
    pub(crate) fn parse<S: AsRef<str>>(entries: impl IntoIterator<Item = S>) -> Result<Networks> {
        let mut networks = Networks::default();
        for entry in entries {
            match entry.as_ref() {
                "unix" => networks.has_unix = true,
                text => networks.networks.push(parse(text)?),
            }
        }
        Ok(networks)
    }

    /// Whether a peer with this address is in the list. A peer without an address has a Unix
    /// socket.
    pub(crate) fn has(&self, peer: Option<IpAddr>) -> bool {
        peer.map_or(self.has_unix, |peer| self.contains(peer))
    }

    /// Whether some peer in the list could connect to a socket that listens at this address. A
    /// socket without an address is a Unix socket; `::` may take IPv4 as well.
    pub(super) fn can_reach(&self, local: Option<IpAddr>) -> bool {
        let Some(local) = local.map(|local| local.to_canonical()) else { return self.has_unix };
        let takes_all = local.is_ipv6() && local.is_unspecified();
        let mut families = self.networks.iter().map(|network| network.address().is_ipv4());
        families.any(|is_ipv4| takes_all || is_ipv4 == local.is_ipv4())
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

fn parse(text: &str) -> Result<Network> {
    let Some(network) = Network::parse(text) else {
        let shown: String = text.chars().take(64).collect();
        return Err(invalid(format!(
            "{shown:?} is no network: give an address such as 10.0.0.1 or ::1, a network such as \
             10.0.0.0/8 or fd00::/8, or unix"
        )));
    };
    match network.first() {
        first if first == network => Ok(network),
        first => Err(invalid(format!(
            "the network {text:?} begins inside of itself: give {first} for the whole network, or \
             {} for the one address",
            network.address()
        ))),
    }
}

fn invalid(text: String) -> Error {
    Error::new(ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_has_the_peers_of_its_networks() {
        let list = ["10.0.0.0/8", "192.0.2.7", "::1", "fd00::/8", "::ffff:198.51.100.0/120"];
        let networks = Networks::parse(list).unwrap();
        let rows = [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("::ffff:10.1.2.3", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::1", true),
            ("::2", false),
            ("fdff::1", true),
            ("fe00::1", false),
            ("198.51.100.9", true),
            ("::ffff:198.51.100.9", true),
            ("198.51.101.9", false),
        ];
        for (address, inside) in rows {
            assert_eq!(networks.has(Some(address.parse().unwrap())), inside, "{address}");
        }
        assert!(!networks.has(None));
        assert!(Networks::parse(["10.0.0.1", "unix"]).unwrap().has(None));
        assert!(!Networks::parse([""; 0]).unwrap().has(Some("::1".parse().unwrap())));
    }

    #[test]
    fn list_names_the_entry_that_is_no_network() {
        let malformed = [
            "",
            " ",
            "/",
            "10",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/08 ",
            "::/129",
            "[::1]",
            "10.0.0.1:80",
            "fe80::1%eth0",
            "Unix",
            "unix:",
            "unix:/run/x",
            "*",
            "localhost",
            "010.0.0.1",
            "10.0.0.0/8,::1",
            " 10.0.0.1",
        ];
        for entry in malformed {
            let error = Networks::parse(["::1", entry]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(
                error.to_string(),
                format!(
                    "{entry:?} is no network: give an address such as 10.0.0.1 or ::1, a network \
                     such as 10.0.0.0/8 or fd00::/8, or unix"
                )
            );
        }
    }

    #[test]
    fn list_offers_both_readings_of_a_network_with_further_bits() {
        let rows = [
            ("10.1.2.3/8", "10.0.0.0/8", "10.1.2.3"),
            ("10.0.0.1/31", "10.0.0.0/31", "10.0.0.1"),
            ("fd00::1/8", "fd00::/8", "fd00::1"),
            ("1.2.3.4/0", "0.0.0.0/0", "1.2.3.4"),
            ("::ffff:10.0.0.1/104", "10.0.0.0/8", "10.0.0.1"),
        ];
        for (entry, network, address) in rows {
            assert_eq!(
                Networks::parse([entry]).unwrap_err().to_string(),
                format!(
                    "the network {entry:?} begins inside of itself: give {network} for the whole \
                     network, or {address} for the one address"
                )
            );
        }
    }
}
