//! What a listener asks of each connection before its first request. This file reads nothing: the
//! folder `server` takes the steps.

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

    /// Whether a peer may connect. A peer without an address has a Unix socket, unless the address
    /// of its TCP socket is gone.
    pub(crate) fn admits(&self, transport: &Transport) -> bool {
        let Some(proxies) = &self.proxies else { return true };
        match transport.peer_addr() {
            Some(address) => proxies.has(Some(address.ip())),
            None => !matches!(transport, Transport::Tcp(_)) && proxies.has(None),
        }
    }
}
