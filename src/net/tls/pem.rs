//! Certificates and keys in PEM files (RFC 7468). An error names its file and what to give.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The longest PEM file. All roots of a platform take some 250 KiB.
const MAX_FILE: u64 = 4 << 20;

/// Reads a certificate chain: the server's own certificate, then those that vouch for it.
pub(super) fn chain(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let text = read(path, "the certificate chain")?;
    let chain = certificates(path, &text)?;
    if chain.is_empty() {
        let remedy = if PrivateKeyDer::from_pem_slice(&text).is_ok() {
            "it holds a private key: give the certificate first, then its key"
        } else {
            "give a PEM file with BEGIN CERTIFICATE, the server's own certificate first"
        };
        return Err(fault(path, &format!("holds no certificate; {remedy}")));
    }
    Ok(chain)
}

/// Reads a private key: PKCS#8, PKCS#1 or SEC1.
pub(super) fn key(path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    let text = read(path, "the private key")?;
    if is_encrypted(&text) {
        let remedy = "decrypt it with `openssl pkey -in FILE -out PLAIN`, and let only the server \
                      read the result";
        return Err(fault(path, &format!("holds an encrypted private key; {remedy}")));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        PemError::NoItemsFound => {
            let remedy = match CertificateDer::from_pem_slice(&text) {
                Ok(_) => "it holds a certificate: name the file of its key",
                Err(_) => "give a PEM file with BEGIN PRIVATE KEY",
            };
            fault(path, &format!("holds no private key; {remedy}"))
        }
        error => damaged(path, &error),
    })
}

/// Reads the certificates of the authorities that are trusted, `what` in words.
pub(super) fn roots(path: &Path, what: &str) -> io::Result<RootCertStore> {
    roots_in(path, &read(path, what)?)
}

/// Reads the certificates of authorities in a text. Errors call it by `path`.
pub(super) fn roots_in(path: &Path, text: &[u8]) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, text)? {
        roots.add(certificate).map_err(|error| {
            let remedy = "give the certificates of authorities only";
            fault(path, &format!("holds a certificate that cannot be a root ({error}); {remedy}"))
        })?;
    }
    if roots.is_empty() {
        let remedy = "give a PEM file with the BEGIN CERTIFICATE of each authority";
        return Err(fault(path, &format!("holds no certificate; {remedy}")));
    }
    Ok(roots)
}

fn certificates(path: &Path, text: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    certificates.map_err(|error| damaged(path, &error))
}

/// Whether a key is encrypted: PKCS#8 (RFC 5958), or the older form of RFC 1421 4.6.1.1.
fn is_encrypted(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n').any(|line| {
        let line = line.trim_ascii();
        line == b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
            || (line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED"))
    })
}

fn damaged(path: &Path, error: &PemError) -> io::Error {
    fault(path, &format!("is damaged ({error}); copy it again from where it was issued"))
}

fn read(path: &Path, what: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut text));
    match read {
        Ok(_) if text.len() as u64 > MAX_FILE => {
            Err(fault(path, &format!("is longer than 4 MiB; give the PEM file of {what}")))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(unreadable(path, &error, what)),
    }
}

fn unreadable(path: &Path, error: &io::Error, what: &str) -> io::Error {
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied => "let this user read the file".to_owned(),
        _ => format!("give the path of {what}, a PEM file"),
    };
    io::Error::new(error.kind(), format!("{} cannot be read ({error}); {remedy}", path.display()))
}

/// An error about the content of a file.
pub(super) fn fault(path: &Path, text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{} {text}", path.display()))
}
