//! The certificates of a listener, as a handle that all its reactors share. This file does not know
//! the listener, and reads no socket.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ServerConfig, ServerConnection};

use super::config::{HTTP_1_1, TlsConfig};
use super::swap::Swap;
use super::ticket_keys::TicketKeys;

/// Certificates and keys, with which a listener proves its names (RFC 8446, RFC 5246).
///
/// A `Tls` is a cheap handle: clones share the certificates and the keys of session tickets, also
/// between threads. Make one, and give each reactor a clone.
///
/// - TLS 1.3 and 1.2. The protocol is `http/1.1` (ALPN, RFC 7301): a client that offers only others
///   gets the alert `no_application_protocol`, and one that offers none is served.
/// - Sessions resume by tickets (RFC 8446 section 2.2), which saves most of a handshake's cost. The
///   key of the tickets changes every 6 hours of wall time. A ticket is good for 6 to 12 hours.
/// - Early data (0-RTT, RFC 8446 section 2.3) is off, since an attacker could replay it.
///
/// ```
/// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
/// use switchboard::Tls;
///
/// let tls = Tls::from_pem_files("chain.pem", "key.pem")?;
/// assert!(tls.reload().is_ok());
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    current: Swap<Current>,
    files: Option<Files>,
}

/// What new connections are served with.
struct Current {
    config: Arc<ServerConfig>,
    expires: Option<SystemTime>,
}

/// Where a configuration comes from.
struct Files {
    config: TlsConfig,
    keys: Arc<TicketKeys>,
    time: Arc<dyn TimeProvider>,
    /// Held by a reload, so that of two reloads the later one counts.
    reloading: Mutex<()>,
}

impl Tls {
    /// Reads a certificate chain and its private key from two PEM files (RFC 7468).
    ///
    /// This is [`TlsConfig::new`] with [`load`](TlsConfig::load), which say what the files hold.
    ///
    /// # Errors
    /// As for [`TlsConfig::load`].
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::Tls;
    ///
    /// assert!(Tls::from_pem_files("chain.pem", "key.pem").is_ok());
    /// let error = Tls::from_pem_files("absent.pem", "key.pem").unwrap_err();
    /// assert!(error.to_string().starts_with("absent.pem cannot be read"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn from_pem_files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> io::Result<Tls> {
        TlsConfig::new(chain, key).load()
    }

    /// Reads all files anew. New connections get the new certificates; open ones stay as they are.
    ///
    /// A clone made before sees the new certificates too, so one call is enough for all reactors.
    /// Any thread may call it. Reading some files takes less than a millisecond.
    ///
    /// # Errors
    /// When [`TlsConfig::load`] would fail. Then new connections get the old certificates still. A
    /// `Tls` from an `Arc<ServerConfig>` names no files, which is an error too.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::Tls;
    ///
    /// # let tls = Tls::from_pem_files("chain.pem", "key.pem")?;
    /// // On SIGHUP, or once a day:
    /// if let Err(error) = tls.reload() {
    ///     eprintln!("the old certificates stay: {error}");
    /// }
    /// # assert!(tls.reload().is_ok());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn reload(&self) -> io::Result<()> {
        let Some(files) = &self.shared.files else {
            let text = "this Tls was made from a ServerConfig and names no files; give the \
                        ServerConfig a `cert_resolver` that reads them anew";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        };
        let _reloading = files.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let (config, expires) = files.config.read(&files.keys, &files.time)?;
        files.keys.reload()?;
        self.shared.current.store(Current { config, expires });
        Ok(())
    }

    /// When the first of the certificates ends; `None` if they came in an `Arc<ServerConfig>`.
    ///
    /// A certificate that has ended is loaded and served all the same: the clock of the server may
    /// be wrong, and clients name the fault. So look at this after a load, and once a day. The
    /// certificates of authorities in the chain do not count.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use std::time::{Duration, SystemTime};
    /// use switchboard::Tls;
    ///
    /// let tls = Tls::from_pem_files("chain.pem", "key.pem")?;
    /// let soon = SystemTime::now() + Duration::from_secs(7 * 24 * 60 * 60);
    /// if tls.expires().is_some_and(|end| end < soon) {
    ///     eprintln!("a certificate ends within a week: renew it");
    /// }
    /// # assert!(tls.expires().is_some_and(|end| end > soon));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn expires(&self) -> Option<SystemTime> {
        self.shared.current.load().expires
    }

    /// The configuration of rustls that new connections get now, after the last reload.
    ///
    /// Another server in the program may use it, such as one for another protocol. The `Arc` does
    /// not follow a later [`reload`](Tls::reload): take it anew for each connection.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::Tls;
    ///
    /// let tls = Tls::from_pem_files("chain.pem", "key.pem")?;
    /// assert_eq!(tls.server_config().alpn_protocols, [b"http/1.1"]);
    /// assert_eq!(tls.server_config().max_early_data_size, 0);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.shared.current.load().config)
    }

    /// Begins the server's side of one connection.
    pub(crate) fn accept(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(self.server_config())
    }

    fn new(config: TlsConfig, time: Arc<dyn TimeProvider>) -> io::Result<Tls> {
        let keys = Arc::new(config.ticket_keys(&time)?);
        let (current, expires) = config.read(&keys, &time)?;
        let files = Files { config, keys, time, reloading: Mutex::new(()) };
        let current = Swap::new(Current { config: current, expires });
        Ok(Tls { shared: Arc::new(Shared { current, files: Some(files) }) })
    }
}

impl TlsConfig {
    /// Reads the files, and opens or makes the file of ticket keys.
    ///
    /// # Errors
    /// When a file cannot be read, holds no certificate or key, or holds an encrypted key; when a
    /// key is not that of its certificate; when the file of ticket keys is unsound or cannot be
    /// written. The text names the file and says what to do. A certificate that has ended is no
    /// error: see [`Tls::expires`].
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use switchboard::TlsConfig;
    ///
    /// assert!(TlsConfig::new("chain.pem", "key.pem").load().is_ok());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn load(self) -> io::Result<Tls> {
        Tls::new(self, Arc::new(DefaultTimeProvider))
    }
}

/// Takes a configuration of rustls, for all that [`TlsConfig`] has no setter for: another provider
/// of cryptography, certificates from elsewhere, other client certificates, other tickets.
///
/// Two things change. The protocols `h2` and `h3` are removed from `alpn_protocols`, since this
/// server does not speak them, and `http/1.1` is added. Early data (0-RTT) is turned off.
///
/// ```
/// use std::sync::Arc;
/// use switchboard::Tls;
/// use switchboard::rustls::ServerConfig;
/// use switchboard::rustls::crypto::ring::default_provider;
/// use switchboard::rustls::server::ResolvesServerCertUsingSni;
///
/// let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
///     .with_safe_default_protocol_versions()?
///     .with_no_client_auth()
///     .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
/// let tls = Tls::from(Arc::new(config));
/// assert!(tls.expires().is_none());
/// # Ok::<(), switchboard::rustls::Error>(())
/// ```
impl From<Arc<ServerConfig>> for Tls {
    fn from(config: Arc<ServerConfig>) -> Tls {
        let mut config = Arc::unwrap_or_clone(config);
        config.alpn_protocols.retain(|protocol| protocol != b"h2" && protocol != b"h3");
        if config.alpn_protocols.iter().all(|protocol| protocol != HTTP_1_1) {
            config.alpn_protocols.push(HTTP_1_1.to_vec());
        }
        config.max_early_data_size = 0;
        let current = Swap::new(Current { config: Arc::new(config), expires: None });
        Tls { shared: Arc::new(Shared { current, files: None }) }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.shared.files.as_ref().map(|files| &files.config);
        formatter.debug_struct("Tls").field("files", &files).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use rustls::client::ClientConnection;
    use rustls::pki_types::UnixTime;
    use rustls::{ClientConfig, HandshakeKind};

    use super::*;
    use crate::net::tls::pem;

    const CHAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data/chain.pem");
    const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data/key.pem");

    /// Wall time, moved by hand.
    #[derive(Debug)]
    struct Clock(AtomicU64);

    impl TimeProvider for Clock {
        fn current_time(&self) -> Option<UnixTime> {
            Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::Relaxed))))
        }
    }

    fn handshake(tls: &Tls, client: &Arc<ClientConfig>) -> HandshakeKind {
        let name = "localhost".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
        let mut server = tls.accept().unwrap();
        while client.wants_write() || server.wants_write() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut &bytes[..]).unwrap();
            server.process_new_packets().unwrap();
            bytes.clear();
            server.write_tls(&mut bytes).unwrap();
            client.read_tls(&mut &bytes[..]).unwrap();
            client.process_new_packets().unwrap();
        }
        server.handshake_kind().unwrap()
    }

    #[test]
    fn tls_resumes_for_two_periods_of_wall_time() {
        const HOUR: u64 = 60 * 60;
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let start = 500_000 * 6 * HOUR; // the first second of a period
            for (age, expected) in [
                (0, HandshakeKind::Resumed),
                (6 * HOUR, HandshakeKind::Resumed),
                (12 * HOUR - 1, HandshakeKind::Resumed),
                (12 * HOUR, HandshakeKind::Full),
                (1000 * HOUR, HandshakeKind::Full),
            ] {
                let clock = Arc::new(Clock(AtomicU64::new(start)));
                let time: Arc<dyn TimeProvider> = Arc::clone(&clock) as _;
                let tls = Tls::new(TlsConfig::new(CHAIN, KEY), Arc::clone(&time)).unwrap();
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let client = ClientConfig::builder_with_provider(provider)
                    .with_protocol_versions(&[version])
                    .unwrap()
                    .with_root_certificates(pem::roots(Path::new(CHAIN)).unwrap())
                    .with_no_client_auth();
                let client = Arc::new(client);
                assert_eq!(handshake(&tls, &client), HandshakeKind::Full);
                clock.0.store(start + age, Ordering::Relaxed);
                assert_eq!(handshake(&tls, &client), expected, "{version:?} after {age} s");
            }
        }
    }
}
