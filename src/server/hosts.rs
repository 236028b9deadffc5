//! The host names that a server serves. A page of a foreign name that resolves to this server has
//! a `Host` and an `Origin` that agree (DNS rebinding): only this list distinguishes such a page
//! from the server's own. This file knows no zones.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use crate::context::shown;
use crate::http1::{Request, RequestError, is_authority, parse_port, split_port};
use crate::net::Network;

/// The hosts of a server, and how its program allows a further one.
pub(super) struct Hosts {
    /// `None` serves every host.
    served: Option<Served>,
    pub(super) remedy: Cow<'static, str>,
}

impl Default for Hosts {
    fn default() -> Hosts {
        Hosts { served: None, remedy: Cow::Borrowed("Server::hosts") }
    }
}

#[derive(Default)]
struct Served {
    /// Names in small letters, sorted, each with the port that it has to have.
    names: Vec<(Box<[u8]>, Option<u16>)>,
    networks: Vec<(Network, Option<u16>)>,
}

/// The host of an authority.
enum Host<'a> {
    Address(IpAddr),
    Name(&'a [u8]),
}

impl Hosts {
    pub(super) fn set<S: AsRef<str>>(&mut self, hosts: impl IntoIterator<Item = S>) {
        let mut served = Served::default();
        hosts.into_iter().for_each(|host| served.add(host.as_ref()));
        served.names.sort_unstable();
        self.served = Some(served);
    }

    /// Returns the text of the refusal, if the request names a host that is not served.
    #[inline]
    pub(super) fn refusal(&self, request: &Request<'_>) -> Option<String> {
        self.served.as_ref().and_then(|served| self.judge(served, request.host_bytes()))
    }

    #[inline(never)]
    fn judge(&self, served: &Served, host: &[u8]) -> Option<String> {
        if served.has(host) {
            return None;
        }
        let (fault, host, remedy) = (RequestError::HostRefused, shown(host), &self.remedy);
        if host.is_empty() {
            return Some(format!("{fault}: \"\"; name the host in a Host header"));
        }
        Some(format!("{fault}: \"{host}\"; allow it with {remedy} \"{host}\""))
    }
}

impl Served {
    /// Adds a name, an address or a range of addresses. What is none of these matches no host.
    fn add(&mut self, host: &str) {
        if let Some(network) = Network::parse(host) {
            return self.networks.push((network, None));
        }
        if !is_authority(host.as_bytes()) {
            return;
        }
        match split(host.as_bytes()) {
            (Host::Address(address), port) => self.networks.push((Network::of(address), port)),
            (Host::Name(name), port) => self.names.push((name.to_ascii_lowercase().into(), port)),
        }
    }

    fn has(&self, host: &[u8]) -> bool {
        let (host, port) = split(host);
        let fits = |wanted: Option<u16>| match (wanted, port) {
            (Some(wanted), Some(port)) => wanted == port,
            // The default port of http or https: TLS may end before this server.
            (Some(wanted), None) => wanted == 80 || wanted == 443,
            (None, _) => true,
        };
        match host {
            Host::Address(address) => self
                .networks
                .iter()
                .any(|(network, wanted)| network.contains(address) && fits(*wanted)),
            Host::Name(name) => {
                let from = self.names.partition_point(|(known, _)| order(known, name).is_lt());
                let equal = self.names[from..].iter().take_while(|(known, _)| {
                    known.len() == name.len() && order(known, name).is_eq()
                });
                equal.into_iter().any(|(_, wanted)| fits(*wanted))
            }
        }
    }
}

/// Compares a name in small letters with one in letters of any case.
fn order(known: &[u8], name: &[u8]) -> Ordering {
    known.iter().copied().cmp(name.iter().map(u8::to_ascii_lowercase))
}

/// Splits an authority into its host, without one final dot, and its port.
fn split(authority: &[u8]) -> (Host<'_>, Option<u16>) {
    let (name, port) = split_port(authority);
    let name = name.strip_suffix(b".").unwrap_or(name);
    let literal = name.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let text = std::str::from_utf8(literal.unwrap_or(name)).unwrap_or_default();
    let host = match text.parse::<IpAddr>() {
        Ok(address) => Host::Address(address.to_canonical()),
        Err(_) => Host::Name(name),
    };
    (host, port.and_then(parse_port))
}
