//! A listener whose connections begin with a PROXY header, over memory: cuts, faults, deadlines,
//! and the limit for each address in a header.

#[path = "proxy_header/vectors.rs"]
mod vectors;

use std::net::IpAddr;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use switchboard::mio::{Poll, Token};
use switchboard::{
    Drain, Listener, ListenerId, MemoryPeer, Options, Readiness, Server, Stats, Transport,
    TrustedHeader,
};
use vectors::{Verdict, block, rows};

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server with one listener, at which in-memory connections arrive.
struct Edge {
    server: Server,
    listener: ListenerId,
    now: Instant,
    observed: Receiver<String>,
}

struct Client {
    token: Token,
    peer: MemoryPeer,
}

impl Edge {
    fn new() -> Edge {
        Edge::at(Listener::from("127.0.0.1:0").proxy_protocol(["10.0.0.0/8", "unix"]))
    }

    fn at(listener: Listener) -> Edge {
        let mut server = Server::new(Poll::new().unwrap().registry()).unwrap();
        server.options(Options::new().head_timeout(Duration::from_secs(4)));
        server.http("/who", |conn, request| {
            let name = |client: Option<IpAddr>| client.map_or("none".into(), |ip| ip.to_string());
            format!("{} {}", name(request.client_addr()), name(conn.client_addr()))
        });
        server.http("/", |_, request| request.path().to_owned());
        server.websocket("/ws", |conn, message| conn.send(message));
        let (sender, observed) = channel();
        server.observe(move |event| {
            if event.is_refusal() {
                sender.send(event.to_string()).unwrap();
            }
        });
        let listener = server.listen(listener).unwrap();
        let now = Instant::now();
        // The first reading of the clock.
        server.flush(now);
        Edge { server, listener, now, observed }
    }

    fn connect(&mut self) -> Client {
        let (transport, peer) = Transport::memory();
        let token = self.server.adopt_at(self.listener, transport, self.now).unwrap();
        Client { token, peer }
    }

    /// Sends bytes in one piece, and has the server take its turns.
    fn send(&mut self, client: &mut Client, bytes: &[u8]) {
        client.peer.send(bytes);
        self.server.ready(client.token, Readiness::READABLE, self.now);
        self.settle();
    }

    fn settle(&mut self) {
        self.server.flush(self.now);
        while self.server.poll_timeout(self.now) == Some(Duration::ZERO) {
            self.server.flush(self.now);
        }
    }

    /// Lets time pass in steps that no deadline takes for a stall.
    fn pass(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds / 250 {
            self.now += Duration::from_millis(250);
            self.settle();
        }
    }

    fn stats(&mut self) -> Stats {
        self.server.context(self.now).stats()
    }

    fn observed(&self) -> Vec<String> {
        self.observed.try_iter().collect()
    }
}

/// The number of answers in some bytes, all of them 200.
fn answers(client: &mut Client) -> usize {
    let bytes = client.peer.receive();
    let text = String::from_utf8(bytes).unwrap();
    let answers = text.matches("HTTP/1.1 ").count();
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), answers, "{text}");
    answers
}

fn headers() -> Vec<Vec<u8>> {
    let sound = rows().into_iter().filter(|(_, _, verdict)| !matches!(verdict, Verdict::Fault(_)));
    sound.map(|(_, bytes, _)| bytes).filter(|bytes| bytes.len() < 300).collect()
}

#[test]
fn request_follows_a_header_in_one_read() {
    for header in headers() {
        let mut edge = Edge::new();
        let mut client = edge.connect();
        edge.send(&mut client, &[&header, REQUEST, REQUEST].concat());
        assert_eq!(answers(&mut client), 2);
        edge.send(&mut client, REQUEST);
        assert_eq!(answers(&mut client), 1);
        let stats = edge.stats();
        assert_eq!((stats.accepted, stats.rejected, stats.requests), (1, 0, 3));
    }
}

#[test]
fn header_and_request_arrive_byte_by_byte() {
    for header in headers() {
        let mut edge = Edge::new();
        let mut client = edge.connect();
        for byte in [&header, REQUEST].concat() {
            assert_eq!(answers(&mut client), 0);
            edge.send(&mut client, &[byte]);
        }
        assert_eq!(answers(&mut client), 1);
    }
}

#[test]
fn header_and_request_are_cut_anywhere() {
    let block =
        block(0x21, 0x11, 19, b"\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb\x03\0\x04CRC4");
    for header in [LINE, &block] {
        let stream = [header, REQUEST].concat();
        for cut in 0..stream.len() {
            let mut edge = Edge::new();
            let mut client = edge.connect();
            edge.send(&mut client, &stream[..cut]);
            edge.send(&mut client, &stream[cut..]);
            assert_eq!(answers(&mut client), 1, "cut at {cut}");
        }
    }
}

#[test]
fn websocket_follows_a_header() {
    let mut edge = Edge::new();
    let mut client = edge.connect();
    let handshake = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let frame = b"\x81\x82\0\0\0\0hi";
    edge.send(&mut client, &[LINE, handshake, frame].concat());
    let answer = client.peer.receive();
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    assert!(answer.ends_with(b"\x81\x02hi"));
}

#[test]
fn connection_without_a_sound_header_is_closed_without_an_answer() {
    let mut tried = 0;
    for (name, bytes, verdict) in rows() {
        let Verdict::Fault(fault) = verdict else { continue };
        for size in [1, bytes.len() + REQUEST.len()] {
            let mut edge = Edge::new();
            let mut client = edge.connect();
            for piece in [&bytes, REQUEST].concat().chunks(size) {
                if !client.peer.is_gone() {
                    edge.send(&mut client, piece);
                }
            }
            assert!(client.peer.is_gone(), "{name}");
            assert_eq!(client.peer.receive(), b"", "{name}");
            assert_eq!(edge.observed(), [format!("? rejected, {fault}")], "{name}");
            let stats = edge.stats();
            assert_eq!((stats.connections, stats.rejected, stats.requests), (0, 1, 0), "{name}");
        }
        tried += 1;
    }
    assert!(tried > 90);
}

#[test]
fn deadline_of_the_first_head_counts_from_the_accept() {
    for (first, rejected) in [
        (&b""[..], 1),
        (b"P", 1),
        (&LINE[..30], 1),
        (LINE, 0),
        (&[LINE, &REQUEST[..9]].concat(), 0),
    ] {
        let mut edge = Edge::new();
        let mut client = edge.connect();
        edge.pass(3_000);
        edge.send(&mut client, first);
        edge.pass(500);
        assert!(!client.peer.is_gone(), "after {first:?}");
        edge.pass(1_000);
        assert!(client.peer.is_gone() || client.peer.is_ended(), "after {first:?}");
        assert_eq!(edge.stats().rejected, rejected, "after {first:?}");
        let observed = edge.observed();
        if rejected == 1 {
            assert_eq!(
                observed,
                ["? rejected, the PROXY header was not whole within head_timeout"]
            );
            assert_eq!(client.peer.receive(), b"");
        }
    }
}

#[test]
fn header_that_trickles_does_not_last() {
    let mut edge = Edge::new();
    let mut client = edge.connect();
    for byte in LINE {
        if client.peer.is_gone() {
            break;
        }
        edge.send(&mut client, &[*byte]);
        edge.pass(250);
    }
    assert!(client.peer.is_gone());
    assert_eq!(edge.stats().rejected, 1);
}

#[test]
fn peer_that_leaves_within_its_header_is_gone() {
    for len in [0, 1, 30, LINE.len()] {
        let mut edge = Edge::new();
        let mut client = edge.connect();
        client.peer.send(&LINE[..len]);
        client.peer.end();
        let closed = Readiness { read_closed: true, ..Readiness::READABLE };
        edge.server.ready(client.token, closed, edge.now);
        edge.settle();
        assert_eq!((edge.stats().connections, edge.stats().rejected), (0, 0), "{len} bytes");
    }
}

#[test]
fn peer_that_is_not_named_is_closed_before_a_byte_is_read() {
    let mut edge = Edge::at(Listener::from("127.0.0.1:0").proxy_protocol(["10.0.0.0/8"]));
    let (transport, mut peer) = Transport::memory();
    peer.send(LINE);
    let error = edge.server.adopt_at(edge.listener, transport, edge.now).unwrap_err();
    assert_eq!(error.to_string(), "a limit or the listener refuses the connection");
    edge.settle();
    assert!(peer.is_gone());
    assert_eq!(
        edge.observed(),
        ["? rejected, this peer may not send a PROXY header: Listener::proxy_protocol does not \
             name it"]
    );
    let stats = edge.stats();
    assert_eq!((stats.accepted, stats.rejected, stats.turned_away), (0, 1, 0));
}

#[test]
fn address_in_a_header_is_counted() {
    let line = |host: u8| format!("PROXY TCP4 192.0.2.{host} 198.51.100.1 1 2\r\n").into_bytes();
    let mut edge = Edge::new();
    edge.server.max_connections_per_address(2);
    let mut clients: Vec<Client> = (0..3).map(|_| edge.connect()).collect();
    for (client, answered) in clients.iter_mut().zip([true, true, false]) {
        edge.send(client, &[&line(1)[..], REQUEST].concat());
        let text = String::from_utf8(client.peer.receive()).unwrap();
        let status = if answered { "HTTP/1.1 200 " } else { "HTTP/1.1 429 " };
        assert!(text.starts_with(status), "{text}");
        assert_eq!(client.peer.is_ended(), !answered);
    }
    assert_eq!(
        edge.observed(),
        ["192.0.2.1 refused with 429, as many connections as max_connections_per_address \
          allows: \"GET / HTTP/1.1\""]
    );
    let stats = edge.stats();
    assert_eq!((stats.connections, stats.turned_away, stats.rejected), (2, 1, 0));

    // Another address, the same address in another form, and no address.
    let mapped = b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n".to_vec();
    let local = block(0x20, 0, 0, b"");
    for (header, answered) in [
        (line(2), true),
        (line(2), true),
        (line(2), false),
        (mapped, false),
        (b"PROXY UNKNOWN\r\n".to_vec(), true),
        (local.clone(), true),
        (local, true),
    ] {
        let mut client = edge.connect();
        edge.send(&mut client, &[&header, REQUEST].concat());
        let answer = client.peer.receive();
        assert_eq!(answer.starts_with(b"HTTP/1.1 200 "), answered, "{header:?}");
        clients.push(client);
    }

    // A place is free again once its connection has ended.
    clients[0].peer.end();
    let closed = Readiness { read_closed: true, ..Readiness::READABLE };
    edge.server.ready(clients[0].token, closed, edge.now);
    edge.settle();
    let mut client = edge.connect();
    edge.send(&mut client, &[&line(1)[..], REQUEST].concat());
    assert!(client.peer.receive().starts_with(b"HTTP/1.1 200 "));
}

/// What a request behind a header learns of its client, by both ways to ask.
fn client(edge: &mut Edge, header: &[u8], forwarded: &str) -> String {
    let mut client = edge.connect();
    let request = format!("GET /who HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {forwarded}\r\n\r\n");
    edge.send(&mut client, &[header, request.as_bytes()].concat());
    let answer = String::from_utf8(client.peer.receive()).unwrap();
    answer.split("\r\n\r\n").nth(1).unwrap().to_owned()
}

#[test]
fn address_in_a_header_is_the_client() {
    let block = block(0x21, 0x21, 36, &[&[0x20; 16][..], &[0; 20]].concat());
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let mapped = b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n";
    for limit in [None, Some(100)] {
        let mut edge = Edge::new();
        if let Some(limit) = limit {
            edge.server.max_connections_per_address(limit);
        }
        // Without trusted proxies, a header of HTTP counts for nothing.
        assert_eq!(client(&mut edge, LINE, "203.0.113.9"), "192.0.2.1 192.0.2.1");
        assert_eq!(client(&mut edge, mapped, "203.0.113.9"), "192.0.2.1 192.0.2.1");
        let v6 = "2020:2020:2020:2020:2020:2020:2020:2020";
        assert_eq!(client(&mut edge, &block, "203.0.113.9"), format!("{v6} {v6}"));
        assert_eq!(client(&mut edge, local, "203.0.113.9"), "none none");
        assert_eq!(client(&mut edge, b"PROXY UNKNOWN\r\n", "203.0.113.9"), "none none");
    }
}

#[test]
fn address_in_a_header_is_the_first_hop() {
    let header = TrustedHeader::XForwardedFor;
    let mut edge = Edge::new();
    edge.server.trusted_proxies(["192.0.2.0/24"], header).unwrap();
    let direct = b"PROXY TCP4 198.51.100.7 198.51.100.1 1 2\r\n";
    assert_eq!(client(&mut edge, LINE, "203.0.113.9"), "203.0.113.9 203.0.113.9");
    assert_eq!(client(&mut edge, LINE, "203.0.113.9, unknown"), "192.0.2.1 192.0.2.1");
    assert_eq!(client(&mut edge, direct, "203.0.113.9"), "198.51.100.7 198.51.100.7");
    // The address of the socket is no hop, unless the header names none.
    let mut edge = Edge::new();
    edge.server.trusted_proxies(["unix"], header).unwrap();
    assert_eq!(client(&mut edge, LINE, "203.0.113.9"), "192.0.2.1 192.0.2.1");
    assert_eq!(client(&mut edge, b"PROXY UNKNOWN\r\n", "203.0.113.9"), "203.0.113.9 203.0.113.9");
}

#[test]
fn address_in_a_header_is_the_client_and_the_first_hop() {
    let mut edge = Edge::new();
    let who = |edge: &mut Edge, client: &mut Client, header: &[u8], forwarded: &str| {
        let request =
            format!("GET /who HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {forwarded}\r\n\r\n");
        edge.send(client, &[header, request.as_bytes()].concat());
        let answer = String::from_utf8(client.peer.receive()).unwrap();
        answer.rsplit([' ', '\n']).next().unwrap().to_owned()
    };
    let balancer = b"PROXY TCP4 10.9.9.9 198.51.100.1 1 2\r\n";
    for proxies in [None, Some("203.0.113.0/24"), Some("10.0.0.0/8")] {
        if let Some(proxies) = proxies {
            edge.server.trusted_proxies([proxies], TrustedHeader::XForwardedFor).unwrap();
        }
        let mut client = edge.connect();
        assert_eq!(who(&mut edge, &mut client, LINE, "192.0.2.66"), "192.0.2.1");
        assert_eq!(who(&mut edge, &mut client, b"", "192.0.2.67"), "192.0.2.1");
        // A proxy that speaks HTTP, behind one that sends the header.
        let mut client = edge.connect();
        let is_trusted = proxies == Some("10.0.0.0/8");
        let expected = if is_trusted { "192.0.2.7" } else { "10.9.9.9" };
        assert_eq!(who(&mut edge, &mut client, balancer, "192.0.2.7"), expected);
        // LOCAL and UNKNOWN keep the socket's own address.
        for header in [&b"PROXY UNKNOWN\r\n"[..], &block(0x20, 0, 0, b"")] {
            let mut client = edge.connect();
            client.peer.set_address("10.1.1.1:1".parse().unwrap());
            let expected = if is_trusted { "192.0.2.8" } else { "10.1.1.1" };
            assert_eq!(who(&mut edge, &mut client, header, "192.0.2.8"), expected);
        }
    }
    assert_eq!(edge.observed(), [""; 0]);
}

#[test]
fn connections_beyond_a_limit_linger_within_a_bound() {
    let mut edge = Edge::new();
    edge.server.max_connections_per_address(1);
    let clients: Vec<Client> = (0..300)
        .map(|_| {
            let mut client = edge.connect();
            edge.send(&mut client, LINE);
            client
        })
        .collect();
    let gone = clients.iter().filter(|client| client.peer.is_gone()).count();
    assert_eq!(gone, 300 - 1 - 256);
    for mut client in clients.into_iter().skip(1) {
        assert!(client.peer.receive().starts_with(b"HTTP/1.1 429 "));
    }
    let stats = edge.stats();
    assert_eq!((stats.connections, stats.turned_away), (1, 299));
}

#[test]
fn drain_ends_a_connection_that_arrives_within_a_second() {
    let mut edge = Edge::new();
    let mut client = edge.connect();
    edge.send(&mut client, &LINE[..20]);
    edge.server.drain(Drain::within(Duration::from_secs(10))).unwrap();
    edge.settle();
    assert!(!client.peer.is_gone());
    edge.pass(1_250);
    assert!(client.peer.is_gone());
}

#[test]
fn list_of_peers_that_is_malformed_is_an_error_of_listen() {
    let mut server = Server::new(Poll::new().unwrap().registry()).unwrap();
    let mut error = |peers: &[&str]| {
        let listener = Listener::from("127.0.0.1:0").proxy_protocol(peers);
        server.listen(listener).unwrap_err().to_string()
    };
    assert_eq!(
        error(&["::1", "10.0.0"]),
        "cannot listen with Listener::proxy_protocol: \"10.0.0\" is no network: give an address \
         such as 10.0.0.1 or ::1, a network such as 10.0.0.0/8 or fd00::/8, or unix"
    );
    assert_eq!(
        error(&[]),
        "cannot listen with Listener::proxy_protocol: no peer could connect: name one, such as \
         127.0.0.1"
    );
}
