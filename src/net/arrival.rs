//! What a listener asks of each connection before its first request. This file reads nothing: the
//! folder `server` takes the steps.

/// The steps from an accept to the first request, in their order on the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrival {
    /// Certificates, where connections begin with a TLS handshake.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<super::tls::Tls>,
}

impl Arrival {
    /// Whether a connection has nothing to do before its first request.
    #[inline]
    pub(crate) fn is_immediate(&self) -> bool {
        let Arrival {
            #[cfg(feature = "tls")]
            tls,
        } = self;
        #[cfg(feature = "tls")]
        if tls.is_some() {
            return false;
        }
        true
    }
}
