//! Handshakes over memory: order, budget, faults and deadlines.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use switchboard::mio::Poll;
use switchboard::{Listener, Readiness, Server, Tls, TlsConfig, Transport};
use switchboard_tls_tests::{Authority, Folder, Peer, Sim};

const GET: &str = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

const LATE: &str = "? rejected, the TLS handshake was not over within head_timeout";

/// What the observer is told, a line for each event.
fn observed(sim: &mut Sim) -> Rc<RefCell<Vec<String>>> {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let also = lines.clone();
    sim.server.observe(move |event| {
        if event.is_refusal() {
            also.borrow_mut().push(event.to_string());
        }
    });
    lines
}

#[test]
fn server_serves_requests_under_both_versions() {
    for tls12 in [false, true] {
        let mut sim = Sim::new();
        let mut peer = sim.connected(tls12);
        for _ in 0..3 {
            let answer = sim.ask(&mut peer, GET);
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("/hello"), "{answer}");
        }
        assert_eq!(sim.server.context(sim.now).stats().handshakes, 1);
    }
}

#[test]
fn server_takes_a_request_that_comes_with_the_end_of_the_handshake() {
    for tls12 in [false, true] {
        let mut sim = Sim::new();
        let config = sim.client_config(tls12);
        let mut peer = sim.peer(&config);
        peer.say(GET);
        sim.settle(&mut peer);
        assert!(peer.text.ends_with(b"/hello"), "{:?}", peer.fault);
    }
}

#[test]
fn server_takes_bytes_one_by_one_in_both_directions() {
    for tls12 in [false, true] {
        let mut sim = Sim::new();
        let config = sim.client_config(tls12);
        let mut peer = sim.peer(&config);
        peer.say(GET);
        // The server reads one byte at a time, and may write one byte at a time.
        peer.wire.read_at_most(1);
        for _ in 0..20_000 {
            peer.push();
            peer.wire.window(1);
            sim.ready(&peer, Readiness { readable: true, writable: true, read_closed: false });
            sim.flush();
            peer.pull();
        }
        assert_eq!(peer.fault, None);
        let stats = sim.server.context(sim.now).stats();
        assert!(
            peer.text.ends_with(b"/hello"),
            "{} bytes, {stats:?}, {:?}",
            peer.text.len(),
            peer.tls.is_handshaking()
        );
    }
}

/// The turns that pass until each of many handshakes is over.
fn handshakes(sim: &mut Sim, peers: &mut [Peer], mut turn: impl FnMut(&mut Sim)) -> Vec<usize> {
    let mut over = vec![0; peers.len()];
    for count in 1.. {
        turn(sim);
        sim.flush();
        let now = sim.server.context(sim.now).stats().handshakes;
        for (peer, over) in peers.iter_mut().zip(&mut over) {
            if *over == 0 && peer.pull() && !peer.tls.is_handshaking() {
                *over = count;
                if peer.push() {
                    sim.ready(peer, Readiness::READABLE);
                }
            }
        }
        if now == peers.len() as u64 {
            return over;
        }
        assert!(count < 10 * peers.len(), "{now} handshakes in {count} turns");
    }
    over
}

#[test]
fn server_without_a_budget_takes_one_step_a_turn_in_order_of_arrival() {
    let mut sim = Sim::new();
    sim.server.handshake_budget(Duration::ZERO);
    let mut open = sim.connected(false);
    let config = sim.client_config(false);
    let mut peers: Vec<Peer> = (0..1_000).map(|_| sim.peer(&config)).collect();
    for peer in &mut peers {
        peer.push();
        sim.ready(peer, Readiness::READABLE);
    }
    let mut served = 0;
    let before = sim.server.context(sim.now).stats().handshakes;
    let over = handshakes(&mut sim, &mut peers, |sim| {
        // Every turn serves the open connection too.
        open.say(GET);
        open.push();
        sim.ready(&open, Readiness::READABLE);
        open.pull();
        served += 1;
    });
    open.pull();
    let answers = String::from_utf8(open.text).unwrap().matches("HTTP/1.1 200 ").count();
    assert_eq!((answers, before), (served, 1));
    // The server's flight for peer n is made in turn n: one step a turn, in order of arrival.
    let expected: Vec<usize> = (1..=peers.len()).collect();
    assert_eq!(over, expected);
}

#[test]
fn server_answers_plain_http_with_a_400_that_says_what_to_do() {
    for head in [GET, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\nGET / HTTP/1.0\r\n\r\n"] {
        for piece in [1, 7, head.len()] {
            let mut sim = Sim::new();
            let lines = observed(&mut sim);
            let config = sim.client_config(false);
            let mut peer = sim.peer(&config);
            for piece in head.as_bytes().chunks(piece) {
                peer.wire.send(piece);
                sim.ready(&peer, Readiness::READABLE);
                sim.flush();
            }
            let answer = String::from_utf8(peer.wire.receive()).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
            assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
            let body = "plain HTTP at a port for TLS: use https:// or wss://";
            let is_head = head.starts_with("HEAD") && piece > 4;
            assert_eq!(answer.ends_with(body), !is_head, "{answer}");
            assert!(peer.wire.is_ended());
            let [line] = &lines.borrow()[..] else { panic!("{lines:?}") };
            assert!(line.starts_with(&format!("? refused with 400, {body}: ")), "{line}");
            sim.advance(Duration::from_secs(6));
            assert!(peer.wire.is_gone());
        }
    }
}

/// Sends bytes on a new connection, and returns the alert that comes back.
fn alert(sim: &mut Sim, name: &str, bytes: &[u8]) -> Option<AlertDescription> {
    let config = sim.client_config(false);
    let mut peer = sim.peer(&config);
    peer.wire.send(bytes);
    sim.ready(&peer, Readiness::READABLE);
    sim.flush();
    let received = peer.wire.receive();
    assert!(peer.wire.is_ended(), "{name}: our side has ended");
    assert!(!peer.wire.is_gone(), "{name}: the peer may read the alert first");
    peer.wire.send(vec![0; 100 << 10]);
    sim.ready(&peer, Readiness::READABLE);
    sim.flush();
    sim.advance(Duration::from_secs(31));
    assert!(peer.wire.is_gone(), "it does not linger for ever");
    match received[..] {
        [0x15, 3, _, 0, 2, 2, alert] => Some(AlertDescription::from(alert)),
        _ => None,
    }
}

#[test]
fn server_sends_an_alert_to_a_peer_that_breaks_the_handshake() {
    let mut sim = Sim::new();
    let lines = observed(&mut sim);
    let hello = sim.hello(false);
    let mut cut = hello.clone();
    cut[43] = 0xFF; // the length of the session id
    let mut version = hello.clone();
    version[1] = 2;
    let rows: [(&str, &[u8]); 6] = [
        ("a length beyond the limit", &[0x16, 3, 1, 0xFF, 0xFF, 1, 2, 3]),
        ("a type that does not exist", &[0x7F; 64]),
        ("zeros", &[0; 64]),
        ("application data first", &[0x17, 3, 3, 0, 1, 0]),
        ("a hello with a wrong length inside", &cut),
        ("a version that does not exist", &version),
    ];
    for (count, (name, bytes)) in rows.into_iter().enumerate() {
        assert!(alert(&mut sim, name, bytes).is_some(), "{name}");
        assert_eq!(sim.server.context(sim.now).stats().rejected, 1 + count as u64, "{name}");
    }
    for line in &lines.borrow()[..] {
        assert!(line.starts_with("? rejected, the TLS handshake failed: "), "{line}");
    }
    assert_eq!(lines.borrow().len(), 6);
}

#[test]
fn server_sends_no_close_notify_after_a_fault_for_which_rustls_has_no_alert() {
    let mut sim = Sim::new();
    let lines = observed(&mut sim);
    // A ClientHello of 16 MiB.
    let long = [0x16, 3, 3, 0, 4, 1, 0xFF, 0xFF, 0xFF];
    let config = sim.client_config(false);
    let mut peer = sim.peer(&config);
    peer.wire.send(long);
    sim.ready(&peer, Readiness::READABLE);
    sim.flush();
    assert_eq!(peer.wire.receive(), [0; 0]);
    assert!(peer.wire.is_ended());
    assert_eq!(lines.borrow().len(), 1);
}

#[test]
fn client_beyond_a_limit_gets_an_alert_and_no_plain_text() {
    let mut sim = Sim::new();
    sim.server = Server::new(Poll::new().unwrap().registry()).unwrap();
    sim.server.max_connections(0);
    let lines = observed(&mut sim);
    let listener = Listener::from("127.0.0.1:0").tls(sim.tls.clone());
    let listener = sim.server.listen(listener).unwrap();
    sim.flush();
    for sends_first in [false, true] {
        let (transport, mut wire) = Transport::memory();
        if sends_first {
            wire.send(sim.hello(false));
        }
        assert!(sim.server.adopt_at(listener, transport, sim.now).is_err());
        sim.flush();
        assert_eq!(wire.receive(), [0x15, 3, 3, 0, 2, 2, 80], "the alert internal_error");
    }
    // No ciphertext poses as a request line.
    let line = "? refused with 503, as many connections as max_connections allows: \"\"";
    assert_eq!(lines.borrow()[..], [line, line]);
}

#[test]
fn server_holds_no_memory_for_a_peer_that_sends_nothing() {
    let mut sim = Sim::new();
    let lines = observed(&mut sim);
    let config = sim.client_config(false);
    let peer = sim.peer(&config);
    sim.advance(Duration::from_millis(9_700));
    assert!(!peer.wire.is_gone());
    sim.advance(Duration::from_millis(600));
    assert!(peer.wire.is_gone(), "head_timeout counts from the accept");
    assert_eq!(lines.borrow()[..], [LATE]);
}

#[test]
fn server_counts_the_head_timeout_from_the_accept() {
    for tls12 in [false, true] {
        // The handshake is slow but whole, and then the head is slow.
        let mut sim = Sim::new();
        let config = sim.client_config(tls12);
        let mut peer = sim.peer(&config);
        sim.advance(Duration::from_secs(6));
        sim.settle(&mut peer);
        assert!(!peer.tls.is_handshaking());
        let text = sim.ask(&mut peer, "GET / HT");
        assert_eq!(text, "");
        sim.advance(Duration::from_millis(3_700));
        sim.settle(&mut peer);
        assert!(peer.text.is_empty());
        sim.advance(Duration::from_millis(600));
        sim.settle(&mut peer);
        let text = String::from_utf8(peer.text.clone()).unwrap();
        assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
        assert!(peer.closed, "the server has sent close_notify");
    }
}

#[test]
fn server_ends_a_handshake_that_is_too_slow() {
    for kept in [1, 5, 100] {
        let mut sim = Sim::new();
        let lines = observed(&mut sim);
        let config = sim.client_config(false);
        let mut peer = sim.peer(&config);
        let hello = peer.ciphertext();
        // A byte each second.
        for byte in hello[..kept.min(9)].chunks(1) {
            peer.wire.send(byte);
            sim.ready(&peer, Readiness::READABLE);
            sim.advance(Duration::from_secs(1));
        }
        sim.advance(Duration::from_secs(11));
        assert!(peer.wire.is_gone());
        assert_eq!(lines.borrow()[..], [LATE]);
    }
}

#[test]
fn server_takes_no_truncation_for_an_end() {
    for tls12 in [false, true] {
        // The record is cut: the part that arrived is no request.
        let mut sim = Sim::new();
        let mut peer = sim.connected(tls12);
        peer.say(GET);
        let record = peer.ciphertext();
        peer.wire.send(&record[..record.len() - 1]);
        peer.wire.end();
        sim.ready(&peer, Readiness { readable: true, writable: false, read_closed: true });
        sim.advance(Duration::from_secs(1));
        peer.pull();
        assert!(peer.text.is_empty() && peer.wire.is_gone());
        assert_eq!(sim.server.context(sim.now).stats().requests, 0);
    }
}

#[test]
fn server_refuses_to_negotiate_again() {
    let mut sim = Sim::new();
    let mut peer = sim.connected(true);
    // A HelloRequest is the server's to send; a client renegotiates by a ClientHello under the
    // present keys. A rustls client cannot, so the record is of a connection that is not ours.
    peer.wire.send(sim.hello(true));
    sim.settle(&mut peer);
    assert!(peer.fault.is_some(), "an alert: a record without the present keys");
    sim.advance(Duration::from_secs(31));
    assert!(peer.wire.is_gone());
}

#[test]
fn server_survives_a_flood_of_hellos_on_one_connection() {
    let mut sim = Sim::new();
    let config = sim.client_config(false);
    let mut peer = sim.peer(&config);
    let hello = peer.ciphertext();
    for _ in 0..1_000 {
        peer.wire.send(&hello);
    }
    sim.ready(&peer, Readiness::READABLE);
    sim.flush();
    sim.advance(Duration::from_secs(31));
    assert!(peer.wire.is_gone());
    let stats = sim.server.context(sim.now).stats();
    assert_eq!((stats.handshakes, stats.rejected), (0, 1));
}

#[test]
fn handler_reads_the_certificates_that_a_client_shows() {
    let authority = Authority::new();
    let (served, shown) = (authority.issue(&["localhost"]), authority.issue(&["ada"]));
    let folder = Folder::new();
    let (chain, key) = folder.put("served", &served);
    let roots = folder.write("roots.pem", &authority.pem());
    let mut sim = Sim::serving(|server| {
        server.http("/who", |conn, _| {
            let lens: Vec<usize> = conn.peer_certificates().iter().map(|c| c.len()).collect();
            format!("{lens:?}")
        });
    });
    sim.tls = TlsConfig::new(chain, key).require_client_certificates(roots).load().unwrap();
    let mut trusted = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
    trusted.add(root).unwrap();
    sim.roots = Arc::new(trusted);
    let certificate = CertificateDer::from_pem_slice(shown.chain.as_bytes()).unwrap();
    let expected = format!("[{}]", certificate.len());
    let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(sim.roots.clone())
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    let mut peer = sim.peer(&Arc::new(config));
    let answer = sim.ask(&mut peer, "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.ends_with(&expected), "{answer} {:?}", peer.fault);
    // A client without one is refused with an alert, and the observer learns why.
    let lines = observed(&mut sim);
    for tls12 in [false, true] {
        let config = sim.client_config(tls12);
        let mut peer = sim.peer(&config);
        sim.settle(&mut peer);
        let alerts = [AlertDescription::CertificateRequired, AlertDescription::HandshakeFailure];
        let fault = peer.fault.clone();
        let is_alert = |alert| fault == Some(rustls::Error::AlertReceived(alert));
        assert!(alerts.into_iter().any(is_alert), "{fault:?}");
    }
    assert_eq!(lines.borrow().len(), 2);
    assert!(lines.borrow().iter().all(|line| line.contains("certificate")), "{lines:?}");
}

#[test]
fn server_ends_no_handshake_that_waits_for_its_turn() {
    const PEERS: usize = 60;
    // Turns of 250 ms with one step each: the last ClientHello waits for longer than head_timeout.
    let (turn, round_trip) = (Duration::from_millis(250), 3);
    let mut sim = Sim::new();
    sim.server.handshake_budget(Duration::ZERO);
    let config = sim.client_config(false);
    let mut peers: Vec<Peer> = (0..PEERS).map(|_| sim.peer(&config)).collect();
    for peer in &mut peers {
        peer.push();
        sim.ready(peer, Readiness::READABLE);
    }
    let mut replies = [None; PEERS];
    for count in 0..3 * PEERS {
        sim.now += turn;
        for (peer, reply) in peers.iter_mut().zip(&mut replies) {
            if *reply == Some(count) && peer.push() {
                sim.ready(peer, Readiness::READABLE);
            }
        }
        sim.flush();
        for (peer, reply) in peers.iter_mut().zip(&mut replies) {
            if peer.pull() && reply.is_none() {
                *reply = Some(count + round_trip);
            }
        }
    }
    let stats = sim.server.context(sim.now).stats();
    assert_eq!((stats.handshakes, stats.rejected), (PEERS as u64, 0));
    // The deadline of a head still ends a client that goes on in silence.
    sim.advance(Duration::from_secs(11));
    assert!(peers.iter().all(|peer| peer.wire.is_gone()));
}

#[test]
fn server_reports_a_configuration_with_which_no_handshake_begins() {
    let mut sim = Sim::new();
    let lines = observed(&mut sim);
    let mut config = (*sim.server_config).clone();
    config.max_fragment_size = Some(1);
    sim.tls = Tls::from(Arc::new(config));
    let config = sim.client_config(false);
    let mut peer = sim.peer(&config);
    sim.settle(&mut peer);
    assert!(peer.wire.is_gone());
    let lines = lines.borrow();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.starts_with("? rejected, the TLS handshake failed: "), "{line}");
}

/// Loop time counts one second of a stall, and a deadline looks at what waits in the kernel.
#[test]
fn stall_ends_no_handshake() {
    for (stall, in_turn) in [(11, false), (1_000, false), (11, true), (1_000, true)] {
        let stall = Duration::from_secs(stall);
        let mut sim = Sim::new();
        let config = sim.client_config(false);
        // One handshake is nearly late, and what ends it comes during the stall.
        let mut late = sim.peer(&config);
        late.push();
        sim.ready(&late, Readiness::READABLE);
        sim.advance(Duration::from_millis(4_900));
        // The others are half done, by both versions and from both sides.
        let mut halves: Vec<Peer> = [true, false]
            .into_iter()
            .flat_map(|tls12| {
                let config = sim.client_config(tls12);
                [sim.peer(&config), sim.peer(&config)]
            })
            .collect();
        for (count, peer) in halves.iter_mut().enumerate() {
            let hello = peer.ciphertext();
            let (first, rest) = hello.split_at(if count % 2 == 0 { hello.len() } else { 60 });
            peer.wire.send(first);
            sim.ready(peer, Readiness::READABLE);
            sim.flush();
            peer.wire.send(rest);
        }
        sim.advance(Duration::from_millis(4_900));
        late.pull();
        late.say(GET);
        late.push();
        if in_turn {
            sim.flush();
            sim.now += stall;
            let _ = sim.server.poll_timeout(sim.now);
        } else {
            sim.now += stall;
        }
        // A turn without an event of these connections.
        sim.flush();
        sim.flush();
        late.pull();
        let text = String::from_utf8(late.text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "), "{stall:?}, {in_turn}: {text}");
        for mut peer in halves {
            sim.settle(&mut peer);
            let text = sim.ask(&mut peer, GET);
            assert!(text.starts_with("HTTP/1.1 200 "), "{stall:?}, {in_turn}: {text}");
        }
        assert_eq!(sim.server.context(sim.now).stats().rejected, 0);
    }
}
