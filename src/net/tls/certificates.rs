//! The certificates of a listener, and which of them a client gets (RFC 6066 section 3).

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, SignatureScheme};
use webpki::{EndEntityCert, Error as CertificateError, KeyUsage};

use super::pem;

/// Certificates, found by the names that they carry.
#[derive(Debug)]
pub(super) struct Certificates {
    /// All certificates; the first is the default.
    all: Vec<Arc<CertifiedKey>>,
    /// Names in lowercase, wildcards as `*.example.com`, each with its certificates in order.
    named: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    expires: Option<SystemTime>,
}

impl Certificates {
    /// Reads chains and keys, and the names and ends of the certificates.
    pub(super) fn read<'a>(
        pairs: impl Iterator<Item = (&'a Path, &'a Path)>,
        provider: &CryptoProvider,
    ) -> io::Result<Certificates> {
        let mut read = Certificates { all: Vec::new(), named: HashMap::new(), expires: None };
        for (chain, key) in pairs {
            let certified = certified(chain, key, provider)?;
            let (names, expires) = contents(&certified).map_err(|error| malformed(chain, error))?;
            for name in names {
                read.named.entry(name).or_default().push(Arc::clone(&certified));
            }
            read.expires = [read.expires, expires].into_iter().flatten().min();
            read.all.push(certified);
        }
        Ok(read)
    }

    /// When the first of the certificates ends.
    pub(super) fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// Chooses a certificate: of those with the name, else of all, the first whose key can sign as
    /// the client asks; if none can, the first.
    fn choose(
        &self,
        name: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> Option<&Arc<CertifiedKey>> {
        let candidates = name.and_then(|name| self.named(name)).unwrap_or(&self.all);
        let usable = candidates.iter().find(|one| one.key.choose_scheme(schemes).is_some());
        usable.or(candidates.first())
    }

    /// The certificates of a name: those that carry it, else those with a wildcard for its first
    /// label (RFC 9525 section 6.3).
    fn named(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        let name = name.to_ascii_lowercase();
        let exact = self.named.get(name.as_str());
        exact.or_else(|| self.named.get(format!("*.{}", name.split_once('.')?.1).as_str()))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes()).cloned()
    }
}

fn certified(chain: &Path, key: &Path, provider: &CryptoProvider) -> io::Result<Arc<CertifiedKey>> {
    let certificates = pem::chain(chain)?;
    let signing = provider.key_provider.load_private_key(pem::key(key)?).map_err(|_| {
        let remedy = "give an ECDSA key (P-256, P-384), an Ed25519 key, or an RSA key of 2048 to \
                      8192 bits";
        pem::fault(key, &format!("holds a private key that cannot be used; {remedy}"))
    })?;
    let certified = CertifiedKey::new(certificates, signing);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(Error::InconsistentKeys(_)) => {
            let text = format!(
                "is not the key of the first certificate in {}; give the key that belongs to it, \
                 and put the server's own certificate first in the chain",
                chain.display()
            );
            Err(pem::fault(key, &text))
        }
        Err(error) => Err(malformed(chain, error)),
    }
}

fn malformed(chain: &Path, error: impl std::fmt::Display) -> io::Error {
    let remedy = "ask the authority for a new certificate";
    pem::fault(chain, &format!("holds a certificate that cannot be read ({error}); {remedy}"))
}

/// The DNS names of a certificate in lowercase, and when it ends.
fn contents(
    certified: &CertifiedKey,
) -> Result<(Vec<Box<str>>, Option<SystemTime>), CertificateError> {
    let own = certified.cert.first().ok_or(CertificateError::BadDer)?;
    let certificate = EndEntityCert::try_from(own)?;
    let names = certificate.valid_dns_names().map(|name| name.to_ascii_lowercase().into());
    Ok((names.collect(), end(&certificate)))
}

/// When a certificate ends. A check at the end of all time fails, and its error names that moment.
fn end(certificate: &EndEntityCert<'_>) -> Option<SystemTime> {
    let never = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let usage = KeyUsage::server_auth();
    match certificate.verify_for_usage(&[], &[], &[], never, usage, None, None) {
        Err(CertificateError::CertExpired { not_after, .. }) => {
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
        }
        _ => None,
    }
}
