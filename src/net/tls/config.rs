//! Which files a listener's TLS is made from, and what rustls makes of them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use ring::digest;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring as ring_provider};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;

use super::certificates::Certificates;
use super::pem;
use super::ticket_keys::TicketKeys;
use super::tickets::Tickets;

/// The protocol that TLS selects (RFC 7301, RFC 9112 section 10.2).
pub(super) const HTTP_1_1: &[u8] = b"http/1.1";

/// The files of a listener's certificates, and its options. [`load`](TlsConfig::load) reads them.
///
/// | setter | default | meaning |
/// | --- | --- | --- |
/// | [`certificate`] | none | one more certificate, for other names |
/// | [`require_client_certificates`] | off | a client without one is refused |
/// | [`request_client_certificates`] | off | a client may show one |
/// | [`ticket_file`] | none | sessions resume after a restart |
///
/// TLS 1.3 and 1.2 are spoken, with the cipher suites of rustls and *ring*. What is not here, such
/// as another provider of cryptography, is an option of an
/// `Arc<rustls::ServerConfig>`, of which a [`Tls`](crate::Tls) is made too.
///
/// ```
/// use switchboard::TlsConfig;
///
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data");
/// # std::env::set_current_dir(folder)?;
/// let tls = TlsConfig::new("chain.pem", "key.pem") // for clients that send another name or none
///     .certificate("chain.pem", "key.pem")
///     .load()?;
/// assert!(tls.expires().is_some());
/// # std::io::Result::Ok(())
/// ```
///
/// [`certificate`]: TlsConfig::certificate
/// [`require_client_certificates`]: TlsConfig::require_client_certificates
/// [`request_client_certificates`]: TlsConfig::request_client_certificates
/// [`ticket_file`]: TlsConfig::ticket_file
#[derive(Clone, Debug)]
#[must_use]
pub struct TlsConfig {
    certificates: Vec<(PathBuf, PathBuf)>,
    clients: Option<Clients>,
    ticket_file: Option<PathBuf>,
}

/// Which client certificates are accepted.
#[derive(Clone, Debug)]
struct Clients {
    roots: PathBuf,
    required: bool,
}

impl TlsConfig {
    /// Names the PEM files (RFC 7468) of a certificate chain and its private key.
    ///
    /// The chain begins with the server's own certificate; those that vouch for it follow. The key
    /// is PKCS#8, PKCS#1 or SEC1, not encrypted. One file may hold both, and is then given twice.
    /// A file has at most 4 MiB.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::TlsConfig;
    ///
    /// assert!(TlsConfig::new("chain.pem", "key.pem").load().is_ok());
    /// let error = TlsConfig::new("key.pem", "chain.pem").load().unwrap_err();
    /// let text = "key.pem holds no certificate; it holds a private key";
    /// assert!(error.to_string().starts_with(text));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> TlsConfig {
        let certificates = vec![(chain.into(), key.into())];
        TlsConfig { certificates, clients: None, ticket_file: None }
    }

    /// Adds a certificate for other names, with its key.
    ///
    /// A client names its server (SNI, RFC 6066 section 3), and gets the certificate that carries
    /// the name. The names are the DNS names in the certificates (`subjectAltName`), without regard
    /// to case. A wildcard such as `*.example.com` stands for one label; an exact name comes first.
    /// If no certificate carries the name, or no name is sent, the client gets the first one.
    ///
    /// Several certificates may carry one name, such as one with ECDSA and one with RSA. The client
    /// gets the first whose key it can use.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::TlsConfig;
    ///
    /// let config = TlsConfig::new("chain.pem", "key.pem").certificate("absent.pem", "key.pem");
    /// assert!(config.load().unwrap_err().to_string().starts_with("absent.pem cannot be read"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn certificate(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> TlsConfig {
        self.certificates.push((chain.into(), key.into()));
        self
    }

    /// Requires a certificate of each client, from one of the authorities in a PEM file.
    ///
    /// A client without a certificate gets the alert `certificate_required`, one with a certificate
    /// of another authority `unknown_ca`, and one whose certificate has ended `certificate_expired`
    /// (RFC 8446 section 6.2). Revocation is not checked. The file has at most 4 MiB.
    ///
    /// A resumed session keeps the client's certificate without a new check, for at most 12 hours.
    /// A [reload](crate::Tls::reload) with other authorities ends all sessions before it.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::TlsConfig;
    ///
    /// let config = TlsConfig::new("chain.pem", "key.pem");
    /// assert!(config.require_client_certificates("chain.pem").load().is_ok());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn require_client_certificates(mut self, roots: impl Into<PathBuf>) -> TlsConfig {
        self.clients = Some(Clients { roots: roots.into(), required: true });
        self
    }

    /// Asks each client for a certificate, and serves a client that has none too.
    ///
    /// A certificate that is shown must be good, as with
    /// [`require_client_certificates`](TlsConfig::require_client_certificates). Of these two
    /// setters, the last call counts.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::TlsConfig;
    ///
    /// let config = TlsConfig::new("chain.pem", "key.pem").request_client_certificates("key.pem");
    /// let error = config.load().unwrap_err().to_string();
    /// assert!(error.starts_with("key.pem holds no certificate; give a PEM file"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn request_client_certificates(mut self, roots: impl Into<PathBuf>) -> TlsConfig {
        self.clients = Some(Clients { roots: roots.into(), required: false });
        self
    }

    /// Keeps the keys of session tickets in a file, so that clients resume after a restart.
    ///
    /// Without a file the keys live in memory, and after a restart each client makes a full
    /// handshake. Several processes may share the file; it takes at most 278 bytes. The server
    /// makes it with mode 0600 and replaces it as a whole, so it needs a folder that it may write.
    ///
    /// One key encrypts for 6 hours of wall time, and decrypts for 6 more. The first handshake after
    /// 0, 6, 12 and 18 h UTC writes the file, which takes some milliseconds. A reader of the file can
    /// read recorded connections of TLS 1.2 of these hours, and show itself as their clients. Keep
    /// the file off backups and shared folders. To end all sessions, remove the file and restart.
    ///
    /// [`load`](TlsConfig::load) and [`reload`](crate::Tls::reload) report a file that is damaged,
    /// of another kind, or open to others; the server never writes over it. If the file cannot be
    /// written later, the server goes on with keys in memory, and the next reload says so.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::TlsConfig;
    ///
    /// # let tickets = std::env::temp_dir().join(format!("tickets-{}", std::process::id()));
    /// let config = TlsConfig::new("chain.pem", "key.pem");
    /// assert!(config.clone().ticket_file(&tickets).load().is_ok());
    /// assert!(tickets.exists());
    /// let error = config.ticket_file("chain.pem").load().unwrap_err().to_string();
    /// assert!(error.starts_with("chain.pem"));
    /// # std::fs::remove_file(tickets)?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn ticket_file(mut self, path: impl Into<PathBuf>) -> TlsConfig {
        self.ticket_file = Some(path.into());
        self
    }

    /// Opens or makes the keys of session tickets.
    pub(super) fn ticket_keys(&self, time: &Arc<dyn TimeProvider>) -> io::Result<TicketKeys> {
        TicketKeys::open(self.ticket_file.clone(), Arc::clone(time))
    }

    /// Reads all files but that of the tickets.
    pub(super) fn read(
        &self,
        keys: &Arc<TicketKeys>,
        time: &Arc<dyn TimeProvider>,
    ) -> io::Result<(Arc<ServerConfig>, Option<SystemTime>)> {
        let provider = Arc::new(ring_provider::default_provider());
        let pairs = self.certificates.iter().map(|(chain, key)| (&**chain, &**key));
        let certificates = Certificates::read(pairs, &provider)?;
        let expires = certificates.expires();
        let mut terms = digest::Context::new(&digest::SHA256);
        let verifier = match &self.clients {
            Some(clients) => clients.verifier(&provider, &mut terms)?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let mut config = ServerConfig::builder_with_details(provider, Arc::clone(time))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(certificates));
        let mut bound = [0; 32];
        bound.copy_from_slice(terms.finish().as_ref());
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        config.ticketer = Arc::new(Tickets::new(Arc::clone(keys), bound));
        // The tickets hold all sessions, and a store would hold a lock.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        Ok((Arc::new(config), expires))
    }
}

impl Clients {
    /// Reads the roots, and puts them into the terms of a session.
    fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
        terms: &mut digest::Context,
    ) -> io::Result<Arc<dyn ClientCertVerifier>> {
        let roots = pem::roots(&self.roots)?;
        terms.update(if self.required { b"required" } else { b"optional" });
        for root in &roots.roots {
            terms.update(&root.subject);
            terms.update(&root.subject_public_key_info);
        }
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let builder = if self.required { builder } else { builder.allow_unauthenticated() };
        let verifier = builder.build().map_err(|error| pem::fault(&self.roots, &error.to_string()));
        verifier.map(|verifier| verifier as Arc<dyn ClientCertVerifier>)
    }
}
