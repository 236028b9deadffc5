//! The addresses of the servers' host, looked up once for the whole run: workers are handed
//! addresses, not names. This file connects to nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Addresses kept of one name.
const MOST: usize = 16;

/// The reason of a name that does not resolve. Failure sorts it by these words.
pub const NO_ADDRESS: &str = "the name has no address";

/// Where a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub addresses: Vec<IpAddr>,
    /// Whether a name was looked up, which workers must not look up again.
    pub is_name: bool,
}

/// Finds the addresses of a host: an address, `localhost`, or a name that the system knows.
///
/// # Errors
///
/// The reason why there is none.
pub fn find(host: &str, patience: Duration) -> Result<Found, String> {
    if let Some(addresses) = known(host) {
        return Ok(Found { addresses, is_name: false });
    }
    let (sender, found) = channel();
    let name = host.to_owned();
    // The system's resolver may block for long, and cannot be stopped.
    std::thread::spawn(move || sender.send(ask_the_system(&name)));
    match found.recv_timeout(patience) {
        Ok(addresses) if !addresses.is_empty() => Ok(Found { addresses, is_name: true }),
        Ok(_) => Err(NO_ADDRESS.to_owned()),
        Err(_) => Err(format!("{NO_ADDRESS}: no answer in time")),
    }
}

fn known(host: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Some(vec![address]);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_local = name == "localhost" || name.ends_with(".localhost");
    is_local.then(|| vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])
}

fn ask_the_system(name: &str) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for address in (name, 0).to_socket_addrs().into_iter().flatten() {
        if addresses.len() < MOST && !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    addresses
}

/// Whether an address is one of this machine.
pub fn is_here(address: &IpAddr) -> bool {
    UdpSocket::bind((*address, 0)).is_ok()
}

/// Judges the addresses to connect from: each is one of this machine, and of a family that the
/// server has.
///
/// # Errors
///
/// The first source address that cannot be used, and why.
pub fn check_sources(sources: &[IpAddr], server: &[IpAddr]) -> Result<(), String> {
    for source in sources {
        if !server.iter().any(|address| address.is_ipv4() == source.is_ipv4()) {
            let server: Vec<String> = server.iter().map(ToString::to_string).collect();
            return Err(format!(
                "--source {source} cannot reach {}: give an address of the same family",
                server.join(", ")
            ));
        }
        if let Err(error) = UdpSocket::bind((*source, 0)) {
            return Err(format!(
                "--source {source} is no address of this machine ({error}): give one that \
                 \"ip address\" lists"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn lookup_asks_the_system_for_names_alone() {
        let four = IpAddr::from(Ipv4Addr::LOCALHOST);
        let six = IpAddr::from(Ipv6Addr::LOCALHOST);
        for (host, addresses) in [
            ("127.0.0.1", vec![four]),
            ("::1", vec![six]),
            ("localhost", vec![six, four]),
            ("a.localhost.", vec![six, four]),
        ] {
            assert_eq!(find(host, PATIENCE), Ok(Found { addresses, is_name: false }), "{host}");
        }
        let error = find("no-such-name.invalid", PATIENCE).unwrap_err();
        assert!(error.starts_with(NO_ADDRESS), "{error}");
        assert!(ask_the_system("localhost").contains(&four));
    }

    #[test]
    fn sources_are_addresses_of_this_machine_that_reach_the_server() {
        let (four, six) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
        let other = IpAddr::from(Ipv4Addr::new(127, 0, 7, 9));
        assert_eq!(check_sources(&[four, other], &[six, four]), Ok(()));
        let error = check_sources(&[six], &[four]).unwrap_err();
        assert!(error.contains("::1 cannot reach 127.0.0.1"), "{error}");
        let error = check_sources(&[Ipv4Addr::new(192, 0, 2, 1).into()], &[four]).unwrap_err();
        assert!(error.contains("no address of this machine"), "{error}");
    }
}
