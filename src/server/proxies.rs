//! The proxies that a server believes, and the header in which they name their clients. This file
//! knows no connection.

use std::io;
use std::net::IpAddr;

use crate::http1::{Hops, Request, TrustedHeader};
use crate::net::Networks;

/// Proxies, and the one header of theirs that is believed.
#[derive(Debug)]
pub(super) struct Proxies {
    networks: Networks,
    header: TrustedHeader,
}

impl Proxies {
    /// # Errors
    /// Names the first entry that is no network.
    pub(super) fn new<S: AsRef<str>>(
        networks: impl IntoIterator<Item = S>,
        header: TrustedHeader,
    ) -> io::Result<Proxies> {
        Ok(Proxies { networks: Networks::parse(networks)?, header })
    }

    /// Whether a peer with this address is believed. `None` stands for a Unix socket.
    pub(super) fn trusts(&self, address: Option<IpAddr>) -> bool {
        self.networks.has(address)
    }

    /// Walks over the hops of a request, from a trusted first one.
    pub(super) fn hops(&self, request: &Request<'_>, first: Option<IpAddr>) -> Hops {
        request.hops(self.header, first, |address| self.networks.contains(address))
    }
}
