//! A PROXY header before TLS, over memory: in one read, byte by byte, and what ends a connection.

use std::time::Duration;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use switchboard::mio::Poll;
use switchboard::{Listener, ListenerId, Options, Readiness, Server, Transport};
use switchboard_tls_tests::{Peer, Sim};

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
const BLOCK: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const REQUEST: &str = "GET /path HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server whose listener asks for a PROXY header and for TLS.
fn edge() -> (Sim, ListenerId) {
    let mut sim = Sim::new();
    sim.server = Server::new(Poll::new().unwrap().registry()).unwrap();
    sim.server.options(Options::new().head_timeout(Duration::from_secs(4)));
    sim.server.http("/who", |conn, request| {
        assert_eq!(request.client_addr(), conn.client_addr());
        request.client_addr().map_or("none".into(), |client| client.to_string())
    });
    sim.server.http("/", |_, request| request.path().to_owned());
    let peers = ["unix", "127.0.0.1"]; // the first admits transports in memory
    let listener = Listener::from("127.0.0.1:0").proxy_protocol(peers).tls(sim.tls.clone());
    let listener = sim.server.listen(listener).unwrap();
    sim.flush();
    (sim, listener)
}

fn connect(sim: &mut Sim, listener: ListenerId, tls12: bool) -> Peer {
    let (transport, wire) = Transport::memory();
    let token = sim.server.adopt_at(listener, transport, sim.now).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(sim.client_config(tls12), name).unwrap();
    Peer { tls, wire, token, text: Vec::new(), closed: false, fault: None }
}

/// Sends bytes to the server, and has it take its turns.
fn send(sim: &mut Sim, peer: &mut Peer, bytes: &[u8]) {
    peer.wire.send(bytes);
    sim.ready(peer, Readiness::READABLE);
    sim.flush();
    while sim.server.poll_timeout(sim.now) == Some(Duration::ZERO) {
        sim.flush();
    }
}

fn is_served(sim: &mut Sim, peer: &mut Peer) -> bool {
    sim.settle(peer);
    sim.ask(peer, REQUEST).ends_with("\r\n\r\n/path")
}

fn rejected(sim: &mut Sim) -> u64 {
    sim.server.context(sim.now).stats().rejected
}

#[test]
fn handshake_follows_a_header_in_one_read() {
    for tls12 in [false, true] {
        for header in [LINE, BLOCK] {
            let (mut sim, listener) = edge();
            let mut peer = connect(&mut sim, listener, tls12);
            let bytes = [header, &peer.ciphertext()].concat();
            send(&mut sim, &mut peer, &bytes);
            assert!(is_served(&mut sim, &mut peer));
            assert_eq!(rejected(&mut sim), 0);
        }
    }
}

#[test]
fn header_and_handshake_arrive_byte_by_byte() {
    for header in [LINE, BLOCK] {
        let (mut sim, listener) = edge();
        let mut peer = connect(&mut sim, listener, false);
        for byte in [header, &peer.ciphertext()].concat() {
            send(&mut sim, &mut peer, &[byte]);
        }
        assert!(is_served(&mut sim, &mut peer));
    }
}

#[test]
fn header_and_handshake_are_cut_between_and_within() {
    let (mut sim, listener) = edge();
    for cut in (0..LINE.len() + 20).step_by(3).chain([LINE.len()]) {
        let mut peer = connect(&mut sim, listener, false);
        let bytes = [LINE, &peer.ciphertext()].concat();
        send(&mut sim, &mut peer, &bytes[..cut]);
        send(&mut sim, &mut peer, &bytes[cut..]);
        assert!(is_served(&mut sim, &mut peer), "cut at {cut}");
    }
}

#[test]
fn address_in_a_header_is_the_client_behind_tls() {
    for (header, client) in [(LINE, "192.0.2.1"), (BLOCK, "192.0.2.1"), (LOCAL, "none")] {
        let (mut sim, listener) = edge();
        let mut peer = connect(&mut sim, listener, false);
        let bytes = [header, &peer.ciphertext()].concat();
        send(&mut sim, &mut peer, &bytes);
        sim.settle(&mut peer);
        let answer = sim.ask(&mut peer, REQUEST.replace("/path", "/who"));
        assert!(answer.ends_with(&format!("\r\n\r\n{client}")), "{answer}");
    }
}

#[test]
fn handshake_without_a_header_is_closed_without_an_answer() {
    let (mut sim, listener) = edge();
    let mut peer = connect(&mut sim, listener, false);
    let hello = peer.ciphertext();
    send(&mut sim, &mut peer, &hello);
    assert!(peer.wire.is_gone());
    assert_eq!((peer.wire.receive(), rejected(&mut sim)), (Vec::new(), 1));
}

#[test]
fn header_behind_tls_is_no_header() {
    let (mut sim, listener) = edge();
    let mut peer = connect(&mut sim, listener, false);
    let bytes = [LINE, &peer.ciphertext()].concat();
    send(&mut sim, &mut peer, &bytes);
    sim.settle(&mut peer);
    let head = [LINE, b"Host: a\r\n\r\n"].concat();
    assert!(sim.ask(&mut peer, head).starts_with("HTTP/1.1 400 "));
}

#[test]
fn address_in_a_header_is_counted_before_the_handshake() {
    let (mut sim, listener) = edge();
    sim.server.max_connections_per_address(1);
    let mut first = connect(&mut sim, listener, false);
    let bytes = [LINE, &first.ciphertext()].concat();
    send(&mut sim, &mut first, &bytes);
    assert!(is_served(&mut sim, &mut first));

    let mut second = connect(&mut sim, listener, false);
    let bytes = [LINE, &second.ciphertext()].concat();
    send(&mut sim, &mut second, &bytes);
    // A fatal `internal_error`, which the client can read before any handshake.
    assert_eq!(second.wire.receive(), [0x15, 3, 3, 0, 2, 2, 80]);
    let stats = sim.server.context(sim.now).stats();
    assert_eq!((stats.turned_away, stats.rejected, stats.handshakes), (1, 0, 1));
}

#[test]
fn deadline_counts_from_the_accept_through_header_and_handshake() {
    for sent in [&LINE[..10], LINE, &[LINE, b"\x16\x03\x01"].concat()] {
        let (mut sim, listener) = edge();
        let mut peer = connect(&mut sim, listener, false);
        sim.advance(Duration::from_secs(3));
        send(&mut sim, &mut peer, sent);
        assert!(!peer.wire.is_gone());
        sim.advance(Duration::from_millis(1_500));
        assert!(peer.wire.is_gone(), "{sent:?}");
        assert_eq!(rejected(&mut sim), 1);
    }
}

#[test]
fn plain_http_behind_a_header_gets_a_plain_400() {
    let (mut sim, listener) = edge();
    let mut peer = connect(&mut sim, listener, false);
    send(&mut sim, &mut peer, &[LINE, REQUEST.as_bytes()].concat());
    assert!(peer.wire.receive().starts_with(b"HTTP/1.1 400 "));
}
