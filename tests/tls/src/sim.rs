//! A server without sockets whose peers speak TLS. The clock is moved by hand.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
use switchboard::mio::Token;
use switchboard::proto::websocket::{Opcode, encode, encode_masked};
use switchboard::{MemoryPeer, Readiness, Server, Tls, Transport};

use crate::Authority;

/// The handshake of a WebSocket at `/echo`.
pub const UPGRADE: &str = "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// One frame of a client.
pub fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_masked(&mut frame, true, opcode, payload, [1, 2, 3, 4]);
    frame
}

/// One frame of a server.
pub fn plain_frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(&mut frame, true, opcode, payload, None);
    frame
}

/// A server, its certificates, and the moment at which it stands.
pub struct Sim {
    pub server: Server,
    pub now: Instant,
    pub tls: Tls,
    pub server_config: Arc<ServerConfig>,
    pub roots: Arc<RootCertStore>,
}

/// The client's end of one connection.
pub struct Peer {
    pub tls: ClientConnection,
    pub wire: MemoryPeer,
    pub token: Token,
    /// Plaintext from the server.
    pub text: Vec<u8>,
    /// The server has sent close_notify.
    pub closed: bool,
    /// Why the client gave up.
    pub fault: Option<rustls::Error>,
}

impl Sim {
    pub fn new() -> Sim {
        Sim::serving(|_| {})
    }

    /// A server with zones before those that each has: `/echo`, and `/` with the path as answer.
    pub fn serving(set_up: impl FnOnce(&mut Server)) -> Sim {
        let authority = Authority::new();
        let issued = authority.issue(&["localhost"]);
        let chain = CertificateDer::pem_slice_iter(issued.chain.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let server_config = Arc::new(config);
        let mut server = Server::detached();
        set_up(&mut server);
        server.websocket("/echo", |conn, message| conn.send(message));
        server.http("/", |_, request: &mut switchboard::Request<'_>| request.path().to_owned());
        Sim {
            server,
            now: Instant::now(),
            tls: Tls::from(server_config.clone()),
            server_config,
            roots: Arc::new(roots),
        }
    }

    /// The configuration of a client of TLS 1.2 or 1.3.
    pub fn client_config(&self, tls12: bool) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = [if tls12 { &TLS12 } else { &TLS13 }];
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        Arc::new(config)
    }

    /// The first flight of a client that the server does not know of.
    pub fn hello(&self, tls12: bool) -> Vec<u8> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(self.client_config(tls12), name).unwrap();
        let mut bytes = Vec::new();
        tls.write_tls(&mut bytes).unwrap();
        bytes
    }

    /// A connection of which nothing has been sent.
    pub fn peer(&mut self, config: &Arc<ClientConfig>) -> Peer {
        let (transport, wire) = Transport::memory();
        let token = self.server.adopt(self.tls.over(transport), self.now).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(config.clone(), name).unwrap();
        Peer { tls, wire, token, text: Vec::new(), closed: false, fault: None }
    }

    /// A connection whose handshake is over.
    pub fn connected(&mut self, tls12: bool) -> Peer {
        let config = self.client_config(tls12);
        let mut peer = self.peer(&config);
        self.settle(&mut peer);
        assert!(!peer.tls.is_handshaking(), "{:?}", peer.fault);
        peer
    }

    /// A WebSocket at `/echo`.
    pub fn websocket(&mut self, tls12: bool) -> Peer {
        let mut peer = self.connected(tls12);
        let answer = self.ask(&mut peer, UPGRADE);
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        peer
    }

    pub fn ready(&mut self, peer: &Peer, readiness: Readiness) {
        self.server.ready(peer.token, readiness, self.now);
    }

    pub fn flush(&mut self) {
        self.server.flush(self.now);
    }

    pub fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(wait) = self.server.poll_timeout(self.now)
            && self.now + wait <= end
        {
            self.now += wait;
            self.flush();
        }
        self.now = end;
        self.flush();
    }

    /// Carries bytes both ways until neither side has any left.
    pub fn settle(&mut self, peer: &mut Peer) {
        loop {
            let sent = peer.push();
            self.ready(peer, Readiness { readable: true, writable: true, read_closed: false });
            self.flush();
            while self.server.poll_timeout(self.now) == Some(Duration::ZERO) {
                self.flush();
            }
            let received = peer.pull();
            if !sent && !received && !peer.tls.wants_write() {
                return;
            }
        }
    }

    /// Sends plaintext, and returns the plaintext that comes back.
    pub fn ask(&mut self, peer: &mut Peer, text: impl AsRef<[u8]>) -> String {
        peer.say(text);
        self.settle(peer);
        String::from_utf8_lossy(&std::mem::take(&mut peer.text)).into_owned()
    }
}

impl Default for Sim {
    fn default() -> Sim {
        Sim::new()
    }
}

impl Peer {
    /// Encrypts plaintext. `push` sends it.
    pub fn say(&mut self, text: impl AsRef<[u8]>) {
        self.tls.set_buffer_limit(None);
        self.tls.writer().write_all(text.as_ref()).unwrap();
    }

    /// Takes the client's ciphertext.
    pub fn ciphertext(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Sends the client's ciphertext, and returns whether there was any.
    pub fn push(&mut self) -> bool {
        let bytes = self.ciphertext();
        self.wire.send(&bytes);
        !bytes.is_empty()
    }

    /// Receives and decrypts, and returns whether anything arrived.
    pub fn pull(&mut self) -> bool {
        let bytes = self.wire.receive();
        let mut rest = &bytes[..];
        while !rest.is_empty() && self.fault.is_none() {
            if self.tls.read_tls(&mut rest).unwrap() == 0 {
                break;
            }
            match self.tls.process_new_packets() {
                Ok(state) => self.closed |= state.peer_has_closed(),
                Err(fault) => self.fault = Some(fault),
            }
            let mut text = [0; 32 << 10];
            match self.tls.reader().read(&mut text) {
                Ok(n) => self.text.extend_from_slice(&text[..n]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        !bytes.is_empty()
    }
}
