//! The far end of a WebSocket that the library opens: a TLS server over bytes, without a socket.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ConfigBuilder, ServerConfig, ServerConnection, SupportedProtocolVersion};
use switchboard::Message;
use switchboard::proto::websocket::{
    AcceptKey, Assembly, Event, Role, Rules, decode, encode_message,
};

use crate::{Authority, Issued};

/// A server's configuration with one certificate.
pub fn server(
    issued: &Issued,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    finish(builder(versions).with_no_client_auth(), issued)
}

/// A server's configuration that demands a certificate of the client.
pub fn demanding(
    issued: &Issued,
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    finish(builder(versions).with_client_cert_verifier(verifier.build().unwrap()), issued)
}

fn builder(
    versions: &[&'static SupportedProtocolVersion],
) -> ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
}

fn finish(
    builder: ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>,
    issued: &Issued,
) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(issued.chain.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// One connection of a TLS server that speaks WebSocket behind it.
pub struct Far {
    pub tls: ServerConnection,
    /// Plaintext that was not used yet.
    pub plain: Vec<u8>,
    /// The fault of TLS that ended the connection.
    pub fault: Option<rustls::Error>,
    /// The client has sent close_notify.
    pub is_closed: bool,
    assembly: Option<Box<Assembly>>,
}

impl Far {
    pub fn new(config: &Arc<ServerConfig>) -> Far {
        let tls = ServerConnection::new(Arc::clone(config)).unwrap();
        Far { tls, plain: Vec::new(), fault: None, is_closed: false, assembly: None }
    }

    /// Takes ciphertext of the client, and returns ciphertext for it.
    pub fn take(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        while !bytes.is_empty() && self.fault.is_none() {
            self.tls.read_tls(&mut bytes).unwrap();
            match self.tls.process_new_packets() {
                Ok(state) => {
                    self.is_closed |= state.peer_has_closed();
                    let mut plain = vec![0; state.plaintext_bytes_to_read()];
                    self.tls.reader().read_exact(&mut plain).unwrap();
                    self.plain.extend_from_slice(&plain);
                }
                Err(fault) => self.fault = Some(fault),
            }
        }
        self.pending()
    }

    /// Encrypts bytes for the client.
    pub fn send(&mut self, mut plain: &[u8]) -> Vec<u8> {
        let mut out = self.pending();
        while !plain.is_empty() {
            let n = self.tls.writer().write(plain).unwrap();
            plain = &plain[n..];
            out.extend(self.pending());
        }
        out
    }

    /// Ends TLS in order.
    pub fn close_notify(&mut self) -> Vec<u8> {
        self.tls.send_close_notify();
        self.pending()
    }

    fn pending(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut out).unwrap();
        }
        out
    }

    /// Takes the client's request, and returns it with the response that opens the WebSocket.
    pub fn accept(&mut self) -> (String, Vec<u8>) {
        let request = String::from_utf8(std::mem::take(&mut self.plain)).unwrap();
        let response = self.send(accepting(&request).as_bytes());
        (request, response)
    }

    /// Takes the messages that have arrived.
    pub fn messages(&mut self) -> Vec<Vec<u8>> {
        let rules = Rules { role: Role::Server, max_message: 1 << 30, compression: false };
        let mut messages = Vec::new();
        loop {
            let (used, event) = decode(&rules, &mut self.assembly, &mut self.plain);
            match event {
                Event::Message(message) => messages.push(message.as_bytes().to_vec()),
                Event::Assembled(whole) => {
                    messages.push(whole.message().unwrap().as_bytes().to_vec());
                }
                Event::More => {
                    self.plain.drain(..used);
                    return messages;
                }
                event => panic!("{event:?}"),
            }
            self.plain.drain(..used);
        }
    }

    /// Encrypts a message for the client.
    pub fn say(&mut self, message: Message<'_>) -> Vec<u8> {
        let mut frame = Vec::new();
        encode_message(&mut frame, message);
        self.send(&frame)
    }
}

/// The response that opens the WebSocket that a request asks for.
pub fn accepting(request: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let key = AcceptKey::from_key(key.expect("a key").as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        key.as_bytes().escape_ascii()
    )
}
