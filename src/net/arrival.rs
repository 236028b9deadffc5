//! What a listener asks of each connection before its first request. This file reads nothing: the
//! folder `server` takes the steps.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;

use super::networks::Networks;
use super::transport::Transport;

/// The steps from an accept to the first request, in their order on the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrival {
    /// The peers that may connect, where connections begin with a PROXY header.
    pub(crate) proxies: Option<Arc<Networks>>,
    /// Certificates, where connections begin with a TLS handshake.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<super::tls::Tls>,
}

impl Arrival {
    /// Whether a connection has nothing to do before its first request.
    #[inline]
    pub(crate) fn is_immediate(&self) -> bool {
        let Arrival {
            proxies,
            #[cfg(feature = "tls")]
            tls,
        } = self;
        #[cfg(feature = "tls")]
        if tls.is_some() {
            return false;
        }
        proxies.is_none()
    }

    /// Whether HTTP is not behind TLS.
    pub(crate) fn is_plain(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_none();
        #[cfg(not(feature = "tls"))]
        true
    }

    /// Checks that some peer may connect to one of the sockets of `place`, with these addresses. A
    /// Unix socket has none.
    pub(super) fn check(&self, place: &str, locals: &[Option<IpAddr>]) -> io::Result<()> {
        let Some(proxies) = &self.proxies else { return Ok(()) };
        if locals.iter().any(|local| proxies.can_reach(*local)) {
            return Ok(());
        }
        let advice = match locals {
            [None] => "unix to the list",
            [Some(IpAddr::V4(_))] => "an IPv4 address to the list, such as 127.0.0.1",
            [Some(IpAddr::V6(one))] if !one.is_unspecified() => {
                "an IPv6 address to the list, such as ::1"
            }
            _ => "an address to the list, such as 127.0.0.1",
        };
        let text = format!(
            "cannot listen at {place}: none of the peers that may send a PROXY header can connect \
             there: add {advice}"
        );
        Err(io::Error::new(ErrorKind::InvalidInput, text))
    }

    /// Whether a peer may connect. `None` if it has left already, and has no address any more.
    pub(crate) fn admits(&self, transport: &Transport) -> Option<bool> {
        let Some(proxies) = &self.proxies else { return Some(true) };
        Some(proxies.has(transport.peer_ip()?))
    }
}
