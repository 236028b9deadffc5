//! A handshake in memory: both sides of rustls, without a socket.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Error, HandshakeKind, RootCertStore, ServerConnection,
    SupportedProtocolVersion,
};
use switchboard::Tls;

use crate::Issued;

/// Both sides after their handshake, each with what it reported.
pub struct Pair {
    pub client: ClientConnection,
    pub server: ServerConnection,
    pub client_error: Option<Error>,
    pub server_error: Option<Error>,
}

impl Pair {
    /// Makes a handshake with what a `Tls` serves now.
    pub fn new(tls: &Tls, client: &Arc<ClientConfig>, name: &str) -> Pair {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut pair = Pair {
            client: ClientConnection::new(Arc::clone(client), name).unwrap(),
            server: ServerConnection::new(tls.server_config()).unwrap(),
            client_error: None,
            server_error: None,
        };
        pair.settle();
        pair
    }

    /// Carries bytes both ways until there are none.
    pub fn settle(&mut self) {
        while self.client.wants_write() || self.server.wants_write() {
            let mut bytes = Vec::new();
            self.client.write_tls(&mut bytes).unwrap();
            let mut sent = &bytes[..];
            while !sent.is_empty() && self.server_error.is_none() {
                self.server.read_tls(&mut sent).unwrap();
                self.server_error = self.server.process_new_packets().err();
            }
            let mut bytes = Vec::new();
            self.server.write_tls(&mut bytes).unwrap();
            let mut sent = &bytes[..];
            while !sent.is_empty() && self.client_error.is_none() {
                self.client.read_tls(&mut sent).unwrap();
                self.client_error = self.client.process_new_packets().err();
            }
        }
    }

    /// Returns whether both sides are content, and how they came there.
    pub fn kind(&self) -> Option<HandshakeKind> {
        let faulty = self.client_error.is_some() || self.server_error.is_some();
        if faulty { None } else { self.server.handshake_kind() }
    }

    /// Sends some bytes both ways.
    pub fn echoes(&mut self) -> bool {
        let mut read = [0; 4];
        self.client.writer().write_all(b"ping").unwrap();
        self.settle();
        let arrived = self.server.reader().read_exact(&mut read).is_ok() && read == *b"ping";
        self.server.writer().write_all(b"pong").unwrap();
        self.settle();
        arrived && self.client.reader().read_exact(&mut read).is_ok() && read == *b"pong"
    }

    /// The certificate that the server showed.
    pub fn shown(&self) -> Option<&CertificateDer<'_>> {
        self.client.peer_certificates()?.first()
    }
}

/// The first certificate of a chain.
pub fn own(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(issued.chain.as_bytes()).unwrap()
}

/// A client of both versions that trusts one authority.
pub fn client(authority: &str) -> ClientConfig {
    client_of(authority, rustls::ALL_VERSIONS, None)
}

/// A client of some versions, with a certificate of its own or without.
pub fn client_of(
    authority: &str,
    versions: &[&'static SupportedProtocolVersion],
    shows: Option<&Issued>,
) -> ClientConfig {
    client_with(ring::default_provider(), authority, versions, shows)
}

/// A client with a provider of its own.
pub fn client_with(
    provider: CryptoProvider,
    authority: &str,
    versions: &[&'static SupportedProtocolVersion],
    shows: Option<&Issued>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match shows {
        None => builder.with_no_client_auth(),
        Some(shown) => {
            let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![own(shown)], key).unwrap()
        }
    }
}

/// A client that takes any certificate, to see which one it gets.
pub fn curious_client() -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Curious(provider)))
        .with_no_client_auth()
}

#[derive(Debug)]
struct Curious(Arc<CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Curious {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
