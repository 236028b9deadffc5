//! The roots that the client role trusts, and its sessions for resumption. This file knows no
//! attempt, and reads no socket.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use super::pem;

/// Sessions that one value of [`ClientTls`] keeps for resumption at most, 8 for each server.
const SESSIONS: usize = 256;

/// The protocol that TLS selects for a WebSocket (RFC 7301, RFC 6455 section 4.1).
pub(crate) const HTTP_1_1: &[u8] = b"http/1.1";

/// The roots of the platform, once they have been read.
static PLATFORM: Mutex<Option<ClientTls>> = Mutex::new(None);

/// The certificate authorities that the client role trusts, for `wss` URLs (RFC 8446, RFC 5246).
///
/// [`Connect::tls`](crate::Connect::tls) takes it; by default an attempt trusts the
/// [platform's](ClientTls::platform). TLS 1.3 and 1.2 are offered, with `http/1.1` by ALPN (RFC
/// 7301). A clone shares up to 256 sessions for resumption with its original, which saves a server
/// most of the cost of a handshake. Hand clones to the attempts, and make a value once.
///
/// A program that needs more, such as a client certificate or another provider of cryptography,
/// makes a `ClientTls` from an `Arc<rustls::ClientConfig>`.
///
/// ```
/// use std::sync::Arc;
/// use switchboard::rustls::crypto::ring::default_provider;
/// use switchboard::rustls::{ClientConfig, RootCertStore};
/// use switchboard::{ClientTls, Connect};
///
/// let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
///     .with_safe_default_protocol_versions()?
///     .with_root_certificates(RootCertStore::empty()) // trusts none
///     .with_no_client_auth();
/// let tls = ClientTls::from(Arc::new(config));
/// assert!(Connect::to("wss://feed.example/").tls(tls).check().is_ok());
/// # Ok::<(), switchboard::rustls::Error>(())
/// ```
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Returns the certificate authorities of the platform. On Linux these lie in files, such as
    /// `/etc/ssl/certs`, and the variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
    ///
    /// The first call in a process reads the files, which may take some milliseconds. All later
    /// calls return clones. A program may make the first call before its loop starts.
    ///
    /// # Errors
    /// When the platform has no certificate authority. The next call tries again.
    ///
    /// ```
    /// use switchboard::{ClientTls, Connect};
    ///
    /// match ClientTls::platform() {
    ///     Ok(tls) => assert!(Connect::to("wss://feed.example/").tls(tls).check().is_ok()),
    ///     Err(error) => assert!(error.to_string().contains("certificate")),
    /// }
    /// ```
    pub fn platform() -> io::Result<ClientTls> {
        // The value is whole or absent, whatever happened elsewhere.
        let mut platform = PLATFORM.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tls) = &*platform {
            return Ok(tls.clone());
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(|_| {
                io::Error::other(
                    "the platform has no certificate authorities: install its package \
                     `ca-certificates`, or give some to `Connect::tls`",
                )
            })?;
        Ok(platform.insert(of(config.with_no_client_auth())).clone())
    }

    /// Reads the certificates of a PEM file, and trusts these alone. Other parts of the file, such
    /// as keys, are skipped.
    ///
    /// # Errors
    /// Names the file, and says what to give: the file cannot be read, has no certificate, or has a
    /// damaged one.
    ///
    /// ```
    /// use switchboard::ClientTls;
    ///
    /// let missing = ClientTls::from_pem_file("no/such/roots.pem").unwrap_err();
    /// assert!(missing.to_string().starts_with("no/such/roots.pem cannot be read "));
    /// ```
    pub fn from_pem_file(roots: impl AsRef<Path>) -> io::Result<ClientTls> {
        trusting(pem::roots(roots.as_ref(), "the certificate authorities")?)
    }

    /// Reads certificates in PEM form, and trusts these alone, as
    /// [`from_pem_file`](ClientTls::from_pem_file) does.
    ///
    /// # Errors
    /// When there is no certificate, or a damaged one.
    ///
    /// ```
    /// use switchboard::ClientTls;
    ///
    /// let empty = ClientTls::from_pem(b"").unwrap_err();
    /// assert!(empty.to_string().starts_with("the PEM text holds no certificate; "));
    /// ```
    pub fn from_pem(roots: &[u8]) -> io::Result<ClientTls> {
        trusting(pem::roots_in(Path::new("the PEM text"), roots)?)
    }

    /// Begins the client's side of one connection to a host, an address without brackets included.
    pub(crate) fn begin(&self, host: &str) -> io::Result<ClientConnection> {
        let name = server_name(host).ok_or(rustls::Error::UnsupportedNameType);
        name.and_then(|name| ClientConnection::new(Arc::clone(&self.config), name))
            .map_err(io::Error::other)
    }
}

fn trusting(roots: RootCertStore) -> io::Result<ClientTls> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(of(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Adds what all configurations of ours have.
fn of(mut config: ClientConfig) -> ClientTls {
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    ClientTls { config: Arc::new(config) }
}

/// The name that the certificate of a host must be valid for; `None` if no certificate can be.
pub(crate) fn server_name(host: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).ok()
}

/// Shows nothing of the configuration, which may hold the key of a client certificate.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

/// Takes a configuration as it is, its ALPN and its resumption included.
impl From<Arc<ClientConfig>> for ClientTls {
    fn from(config: Arc<ClientConfig>) -> ClientTls {
        ClientTls { config }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_is_asked_for_a_name_or_an_address() {
        let long = format!("{}.example", "a".repeat(64));
        let rows = [
            ("feed.example", Some("feed.example")),
            ("feed.example.", Some("feed.example")),
            ("localhost", Some("localhost")),
            ("my_host", Some("my_host")),
            ("xn--r8jz45g.xn--zckzah", Some("xn--r8jz45g.xn--zckzah")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("::1", Some("::1")),
            ("a..b", None),
            (".", None),
            ("a!b", None),
            ("a-.example", None),
            (&long, None),
        ];
        for (host, expected) in rows {
            let name = server_name(host).map(|name| name.to_str().into_owned());
            assert_eq!(name.as_deref(), expected, "{host}");
        }
    }
}
