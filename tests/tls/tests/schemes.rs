//! The scheme of a request over TLS, with and without proxies in front, and the Origins that may
//! open a WebSocket there.

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use switchboard::mio::Poll;
use switchboard::{
    Listener, ListenerId, Readiness, Reply, Request, Server, Transport, TrustedHeader, Upgrade,
    Zone,
};
use switchboard_tls_tests::{Peer, Sim, UPGRADE};

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// The trusted proxies, their header, the PROXY header of the connection, header lines of the
/// request, and the scheme that its handler sees.
type Row = (&'static [&'static str], TrustedHeader, &'static [u8], &'static str, &'static str);

const X: TrustedHeader = TrustedHeader::XForwardedFor;
const F: TrustedHeader = TrustedHeader::Forwarded;

const ROWS: &[Row] = &[
    // No proxy: nothing that the client writes counts.
    (&[], X, b"", "", "https"),
    (&[], X, b"", "X-Forwarded-Proto: http\r\n", "https"),
    (&[], X, b"", "Forwarded: for=192.0.2.7;proto=http\r\n", "https"),
    // Another proxy than the peer.
    (&["192.0.2.200"], X, b"", "X-Forwarded-Proto: http\r\n", "https"),
    // The peer is a proxy that speaks TLS: it says how its client spoke.
    (&["unix"], X, b"", "", "https"),
    (&["unix"], X, b"", "X-Forwarded-For: 192.0.2.7\r\n", "https"),
    (&["unix"], X, b"", "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n", "http"),
    (&["unix"], X, b"", "X-Forwarded-Proto: http, https\r\n", "https"),
    (&["unix"], X, b"", "X-Forwarded-Proto: https, http\r\n", "http"),
    (&["unix"], X, b"", "X-Forwarded-Proto: wss\r\n", "https"),
    (&["unix"], X, b"", "Forwarded: for=192.0.2.7;proto=http\r\n", "https"),
    (&["unix"], F, b"", "Forwarded: for=192.0.2.7;proto=http\r\n", "http"),
    (&["unix"], F, b"", "Forwarded: for=192.0.2.7\r\n", "https"),
    (&["unix"], F, b"", "X-Forwarded-Proto: http\r\n", "https"),
    // A PROXY header before TLS names the client of the TLS connection.
    (&[], X, LINE, "X-Forwarded-Proto: http\r\n", "https"),
    (&["unix"], X, LINE, "X-Forwarded-Proto: http\r\n", "https"),
    (&["192.0.2.1"], X, LINE, "", "https"),
    (&["192.0.2.1"], X, LINE, "X-Forwarded-Proto: http\r\n", "http"),
    (&["192.0.2.1"], F, LINE, "Forwarded: for=192.0.2.7;proto=http\r\n", "http"),
    (&["192.0.2.1"], X, LOCAL, "X-Forwarded-Proto: http\r\n", "https"),
    (&["unix"], X, LOCAL, "X-Forwarded-Proto: http\r\n", "http"),
];

/// A server with a listener for TLS, which asks for a PROXY header if there is one.
fn edge(trusted: &[&str], header: TrustedHeader, has_header: bool) -> (Sim, ListenerId) {
    let mut sim = Sim::new();
    sim.server = Server::new(Poll::new().unwrap().registry()).unwrap();
    if !trusted.is_empty() {
        sim.server.trusted_proxies(trusted, header).unwrap();
    }
    sim.server.http("/scheme", |_, request| request.scheme());
    let upgrade = |_: &mut switchboard::Conn<'_>, request: &mut Request<'_>| {
        Reply::Upgrade(Upgrade::new().header("Scheme", request.scheme()))
    };
    sim.server.http(Zone::new("/echo").upgrades(true), upgrade);
    let listener = Listener::from("127.0.0.1:0").tls(sim.tls.clone());
    let listener =
        if has_header { listener.proxy_protocol(["unix", "127.0.0.1"]) } else { listener };
    let listener = sim.server.listen(listener).unwrap();
    (sim, listener)
}

fn connect(sim: &mut Sim, listener: ListenerId, tls12: bool, first: &[u8]) -> Peer {
    let (transport, wire) = Transport::memory();
    let token = sim.server.adopt_at(listener, transport, sim.now).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(sim.client_config(tls12), name).unwrap();
    let mut peer = Peer { tls, wire, token, text: Vec::new(), closed: false, fault: None };
    peer.wire.send(first);
    sim.ready(&peer, Readiness::READABLE);
    sim.settle(&mut peer);
    assert!(!peer.tls.is_handshaking(), "{:?}", peer.fault);
    peer
}

#[test]
fn request_over_tls_is_https_unless_a_trusted_proxy_says_otherwise() {
    for (number, &(trusted, header, first, lines, scheme)) in ROWS.iter().enumerate() {
        for tls12 in [false, true] {
            let (mut sim, listener) = edge(trusted, header, !first.is_empty());
            let mut peer = connect(&mut sim, listener, tls12, first);
            // The same for each request of a connection.
            for _ in 0..2 {
                let head = format!("GET /scheme HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
                let answer = sim.ask(&mut peer, head);
                let expected = format!("\r\n\r\n{scheme}");
                assert!(answer.ends_with(&expected), "row {number}: {answer}");
            }
            let handshake = UPGRADE.replace("\r\n\r\n", &format!("\r\n{lines}\r\n"));
            let answer = sim.ask(&mut peer, handshake);
            assert!(answer.starts_with("HTTP/1.1 101 "), "row {number}: {answer}");
            let expected = format!("Scheme: {scheme}\r\n");
            assert!(answer.contains(&expected), "row {number}: {answer}");
        }
    }
}

/// Over the same server, a connection without TLS is http.
#[test]
fn request_without_tls_stays_http_beside_a_tls_listener() {
    let (mut sim, _) = edge(&[], X, false);
    let (transport, mut wire) = Transport::memory();
    let token = sim.server.adopt(transport, sim.now).unwrap();
    wire.send("GET /scheme HTTP/1.1\r\nHost: localhost\r\n\r\n");
    sim.server.ready(token, Readiness::READABLE, sim.now);
    sim.flush();
    assert!(wire.receive().ends_with(b"\r\n\r\nhttp"));
}

/// The Host of a request over TLS, the Origin of the page, and whether it may open a WebSocket.
const ORIGINS: &[(&str, &str, bool)] = &[
    ("localhost", "https://localhost", true),
    ("localhost", "https://localhost:443", true),
    ("localhost:443", "https://localhost", true),
    ("LOCALHOST", "https://localhost", true),
    ("localhost:9001", "https://localhost:9001", true),
    ("localhost:9001", "https://localhost", false),
    ("localhost", "https://localhost:9001", false),
    ("localhost:80", "https://localhost", false),
    ("localhost", "https://localhost.evil.example", false),
    ("localhost", "https://evil.example", false),
    ("localhost", "null", false),
    ("127.0.0.1:8443", "https://127.0.0.1:8443", true),
    ("[::1]:8443", "https://[::1]:8443", true),
];

#[test]
fn page_of_the_own_https_host_opens_a_websocket_over_tls() {
    for &(host, origin, opens) in ORIGINS {
        let (mut sim, listener) = edge(&[], X, false);
        let mut peer = connect(&mut sim, listener, false, b"");
        let lines = format!("Host: {host}\r\nOrigin: {origin}");
        let answer = sim.ask(&mut peer, UPGRADE.replace("Host: localhost", &lines));
        let status = if opens { "HTTP/1.1 101 " } else { "HTTP/1.1 403 " };
        assert!(answer.starts_with(status), "{origin} at {host}: {answer}");
    }
}
