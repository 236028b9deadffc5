//! What a listener asks of each connection before its first request. This file reads nothing: the
//! folder `server` takes the steps.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::networks::Networks;
#[cfg(feature = "tls")]
use super::proxy_header::ProxyHeader;
#[cfg(feature = "tls")]
use super::tls::is_plain_text;
use super::transport::Transport;

/// The fatal alert `internal_error`, for a client of TLS that is turned away (RFC 8446 6.2). It is
/// not encrypted: a handshake only to refuse would cost as much as to serve.
const ALERT: &[u8] = &[0x15, 0x03, 0x03, 0, 2, 2, 80];

/// The steps from an accept to the first request, in their order on the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrival {
    /// The peers that may connect, where connections begin with a PROXY header.
    pub(crate) proxies: Option<Arc<Networks>>,
    /// Certificates, where connections begin with a TLS handshake.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<super::tls::Tls>,
    /// Whether the connections reach internal zones, and no others.
    pub(crate) is_internal: bool,
}

impl Arrival {
    /// Whether a connection has nothing to do before its first request.
    #[inline]
    pub(crate) fn is_immediate(&self) -> bool {
        let Arrival {
            proxies,
            #[cfg(feature = "tls")]
            tls,
            is_internal: _,
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

    /// The answer to a connection that is turned away before its first request: an alert if it
    /// `awaits_tls`, else these words.
    pub(crate) fn refusal(awaits_tls: bool, words: &[u8]) -> &[u8] {
        if awaits_tls { ALERT } else { words }
    }

    /// Whether a connection that was just accepted waits for TLS. One whose first bytes are plain
    /// HTTP does not.
    #[cfg(feature = "tls")]
    pub(crate) fn awaits_tls(&self, read: &[u8]) -> bool {
        let read = match (&self.proxies, ProxyHeader::parse(read)) {
            (None, _) => read,
            (Some(_), ProxyHeader::Complete { len, .. }) => &read[len..],
            (Some(_), _) => &[],
        };
        self.awaits_tls_behind_header(read)
    }

    /// As [`awaits_tls`](Arrival::awaits_tls), with the bytes behind a PROXY header.
    #[cfg(feature = "tls")]
    pub(crate) fn awaits_tls_behind_header(&self, read: &[u8]) -> bool {
        self.tls.is_some() && !read.first().is_some_and(is_plain_text)
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) fn awaits_tls(&self, _read: &[u8]) -> bool {
        false
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) fn awaits_tls_behind_header(&self, _read: &[u8]) -> bool {
        false
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

    /// Whether a peer may connect, whose address may be known already. `None` if it has left, and
    /// has no address any more.
    pub(crate) fn admits(&self, transport: &Transport, peer: Option<&SocketAddr>) -> Option<bool> {
        let Some(proxies) = &self.proxies else { return Some(true) };
        Some(proxies.has(peer.map_or_else(|| transport.peer_ip(), |peer| Some(Some(peer.ip())))?))
    }
}
