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

    /// What a connection gets that is closed without service: `http`, or where TLS is expected, the
    /// fatal alert `internal_error` (RFC 8446 section 6.2). A client of TLS cannot read the first.
    pub(crate) fn refusal<'r>(&self, http: &'r [u8]) -> &'r [u8] {
        match self.is_plain() {
            true => http,
            false => &[21, 3, 3, 0, 2, 2, 80],
        }
    }

    /// Whether a peer may connect. `None` if it has left already, and has no address any more.
    pub(crate) fn admits(&self, transport: &Transport) -> Option<bool> {
        let Some(proxies) = &self.proxies else { return Some(true) };
        Some(proxies.has(transport.peer_ip()?))
    }
}
