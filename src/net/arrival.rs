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

    /// Whether a peer may connect. `None` if it has left already, and has no address any more.
    pub(crate) fn admits(&self, transport: &Transport) -> Option<bool> {
        let Some(proxies) = &self.proxies else { return Some(true) };
        Some(proxies.has(transport.peer_ip()?))
    }
}
