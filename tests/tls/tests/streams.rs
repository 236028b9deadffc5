//! Bytes under TLS over memory: every window, large messages, ends, streams.

use std::time::Duration;

use rustls::AlertDescription;
use switchboard::proto::websocket::Opcode;
use switchboard::{
    Conn, Drain, EventStream, Handler, Options, Readiness, Reply, Request, Response,
};
use switchboard_tls_tests::{Peer, Sim, masked, plain_frame};

const GET: &str = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Lets the server write `window` bytes at a time until it has written all.
fn drain(sim: &mut Sim, peer: &mut Peer, window: usize) {
    for _ in 0..1 << 20 {
        peer.wire.window(window);
        sim.ready(peer, Readiness::WRITABLE);
        sim.flush();
        if !peer.pull() {
            return;
        }
    }
    panic!("the server writes for ever");
}

#[test]
fn server_writes_through_every_window() {
    for tls12 in [false, true] {
        for len in [1, 2, 125, 126, 4_000, 20_000] {
            let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let expected = plain_frame(Opcode::Binary, &payload);
            let windows = (1..60).chain([100, 1_000, len + 24, len + 25, len + 26, len + 27]);
            let mut sim = Sim::new();
            for window in windows {
                let mut peer = sim.websocket(tls12);
                peer.wire.window(0);
                peer.say(masked(Opcode::Binary, &payload));
                peer.push();
                sim.ready(&peer, Readiness::READABLE);
                sim.flush();
                drain(&mut sim, &mut peer, window);
                assert_eq!(peer.text.len(), expected.len(), "{len} by {window}");
                assert!(peer.text == expected, "{len} bytes by {window}");
                // Nothing is owed from the last message.
                peer.text.clear();
                peer.wire.window(usize::MAX);
                let again = masked(Opcode::Binary, b"again");
                peer.say(again);
                sim.settle(&mut peer);
                assert_eq!(peer.text, plain_frame(Opcode::Binary, b"again"), "{len} by {window}");
            }
        }
    }
}

/// Bytes count where they go through the socket: ciphertext, handshakes and close_notify included.
#[test]
fn server_counts_ciphertext() {
    for tls12 in [false, true] {
        for window in [usize::MAX, 5_000, 17] {
            let mut sim = Sim::new();
            let mut peer = sim.websocket(tls12);
            peer.wire.window(window);
            peer.say(masked(Opcode::Binary, &[7; 4_000]));
            peer.push();
            sim.ready(&peer, Readiness::READABLE);
            sim.flush();
            drain(&mut sim, &mut peer, window);
            peer.wire.window(usize::MAX);
            sim.settle(&mut peer);
            peer.wire.end();
            sim.ready(&peer, Readiness { readable: true, writable: false, read_closed: true });
            sim.flush();
            assert!(peer.wire.is_gone());
            let now = sim.now;
            let stats = sim.server.context(now).stats();
            let (read, written) = peer.wire.carried();
            assert_eq!((stats.bytes_received, stats.bytes_sent), (read, written), "{window}");
            assert!(read > 4_000 && written > 4_000, "{read} {written}");
        }
    }
}

#[test]
fn server_keeps_the_order_of_messages_where_ciphertext_is_left() {
    let mut sim = Sim::new();
    for window in [1, 3, 30, 31, 200] {
        let mut peer = sim.websocket(false);
        peer.wire.window(window);
        let mut expected = Vec::new();
        for count in 0..50u8 {
            let payload = vec![count; usize::from(count)];
            peer.say(masked(Opcode::Binary, &payload));
            peer.say(masked(Opcode::Ping, &[count]));
            expected.push(plain_frame(Opcode::Binary, &payload));
            expected.push(plain_frame(Opcode::Pong, &[count]));
            peer.push();
            sim.ready(&peer, Readiness::READABLE);
            sim.flush();
            peer.pull();
        }
        for _ in 0..10_000 {
            peer.wire.window(window);
            sim.ready(&peer, Readiness { readable: true, writable: true, read_closed: false });
            sim.flush();
            peer.pull();
        }
        // Pongs may overtake messages; the last of several stands for all.
        let mut messages = expected.into_iter().filter(|frame| frame[0] == 0x82).peekable();
        let mut rest = &peer.text[..];
        while !rest.is_empty() {
            let len = 2 + usize::from(rest[1]);
            if rest[0] == 0x82 {
                assert_eq!(messages.next().as_deref(), Some(&rest[..len]), "by {window}");
            } else {
                assert_eq!(rest[0], 0x8A, "by {window}");
            }
            rest = &rest[len..];
        }
        assert_eq!(messages.next(), None, "by {window}");
    }
}

#[test]
fn server_echoes_large_messages() {
    for len in [1 << 20, 16 << 20] {
        let mut sim = Sim::new();
        let mut peer = sim.websocket(len == 1 << 20);
        let payload: Vec<u8> = (0..len).map(|at: usize| (at * 31) as u8).collect();
        peer.say(masked(Opcode::Binary, &payload));
        sim.settle(&mut peer);
        assert!(peer.text == plain_frame(Opcode::Binary, &payload), "{} bytes", peer.text.len());
        // And once more, through a window that is often full.
        peer.text.clear();
        peer.wire.window(0);
        peer.say(masked(Opcode::Binary, &payload));
        peer.push();
        for _ in 0..1_000 {
            sim.ready(&peer, Readiness::READABLE);
            sim.flush();
        }
        drain(&mut sim, &mut peer, 100_001);
        assert!(peer.text == plain_frame(Opcode::Binary, &payload), "{} bytes", peer.text.len());
    }
}

#[test]
fn server_stops_reading_from_a_peer_that_takes_nothing() {
    let mut sim = Sim::new();
    sim.server.options(Options::new().max_buffered(100 << 10));
    let mut peer = sim.websocket(false);
    peer.wire.window(0);
    // Answers to the peer's own input are bounded by not reading on.
    for _ in 0..100 {
        peer.say(masked(Opcode::Binary, &[7; 4_000]));
        peer.push();
        sim.ready(&peer, Readiness::READABLE);
        sim.flush();
    }
    assert!(sim.server.context(sim.now).stats().messages < 100);
    peer.wire.window(usize::MAX);
    sim.settle(&mut peer);
    assert_eq!(peer.text, plain_frame(Opcode::Binary, &[7; 4_000]).repeat(100));
}

#[test]
fn server_ends_with_close_notify_and_answers_after_the_peers() {
    for tls12 in [false, true] {
        for with_fin in [false, true] {
            let mut sim = Sim::new();
            let mut peer = sim.connected(tls12);
            peer.say(GET);
            peer.tls.send_close_notify();
            peer.push();
            if with_fin {
                peer.wire.end();
            }
            let readiness = Readiness { readable: true, writable: true, read_closed: with_fin };
            sim.ready(&peer, readiness);
            sim.flush();
            sim.advance(Duration::from_secs(1));
            peer.pull();
            assert!(peer.text.ends_with(b"/hello"), "half-closed, {tls12} {with_fin}");
            assert!(peer.closed, "close_notify, {tls12} {with_fin}");
            assert!(peer.wire.is_ended());
        }
    }
}

#[test]
fn server_sends_close_notify_when_it_drops_an_idle_connection() {
    let mut sim = Sim::new();
    let mut idle = sim.connected(false);
    sim.ask(&mut idle, GET);
    sim.advance(Duration::from_secs(76));
    idle.pull();
    assert!(idle.closed && idle.wire.is_gone());
}

#[test]
fn server_drains_connections_under_tls() {
    let mut sim = Sim::new();
    let (mut idle, mut open) = (sim.connected(false), sim.websocket(true));
    sim.ask(&mut idle, GET);
    let mut fresh = sim.connected(false);
    let config = sim.client_config(false);
    let arriving = sim.peer(&config);
    sim.server.drain(Drain::within(Duration::from_secs(5))).unwrap();
    sim.advance(Duration::from_millis(100));
    idle.pull();
    open.pull();
    assert!(idle.closed && idle.wire.is_gone());
    assert!(
        !fresh.wire.is_gone() && !arriving.wire.is_gone(),
        "their requests may be on their way"
    );
    assert_eq!(open.text, plain_frame(Opcode::Close, &1001u16.to_be_bytes()));
    open.say(masked(Opcode::Close, &1001u16.to_be_bytes()));
    open.push();
    sim.ready(&open, Readiness::READABLE);
    sim.advance(Duration::from_millis(100));
    open.pull();
    assert!(open.closed && open.wire.is_ended());
    sim.advance(Duration::from_millis(1_050)); // a second and a step of the clock since the accept
    fresh.pull();
    assert!(fresh.closed && fresh.wire.is_gone() && arriving.wire.is_gone());
}

#[test]
fn server_sends_an_alert_to_a_peer_that_breaks_a_record() {
    for tls12 in [false, true] {
        let mut sim = Sim::new();
        let mut peer = sim.websocket(tls12);
        peer.say(masked(Opcode::Text, b"sound"));
        peer.push();
        peer.say(masked(Opcode::Text, b"broken"));
        let mut record = peer.ciphertext();
        *record.last_mut().unwrap() ^= 1;
        peer.wire.send(record);
        sim.ready(&peer, Readiness::READABLE);
        sim.flush();
        sim.flush();
        peer.pull();
        // What came before the fault counts, but no answer may follow an alert.
        assert_eq!(sim.server.context(sim.now).stats().messages, 1);
        let alert = rustls::Error::AlertReceived(AlertDescription::BadRecordMac);
        assert_eq!(peer.fault, Some(alert));
        assert!(peer.wire.is_ended() && !peer.wire.is_gone());
        assert_eq!(sim.server.context(sim.now).stats().websockets, 0);
        sim.advance(Duration::from_secs(6));
        assert!(peer.wire.is_gone());
    }
}

/// Event streams at `/events`, a takeover elsewhere, and a topic.
struct Streams;

impl Handler for Streams {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.path() {
            "/events" => EventStream::new().into(),
            "/taken" => Reply::Takeover(
                Response::text("").with_status(switchboard::http::StatusCode::SWITCHING_PROTOCOLS),
            ),
            _ => Reply::Pass,
        }
    }

    fn open(&mut self, conn: &mut Conn<'_>, _: &Request<'_>) {
        conn.subscribe("news");
    }

    fn input(&mut self, conn: &mut Conn<'_>, input: &[u8]) -> usize {
        conn.write(input);
        input.len()
    }
}

#[test]
fn server_streams_events_and_publishes_under_tls() {
    let mut sim = Sim::serving(|server| {
        server.zones(["/events", "/taken"], Streams);
    });
    let mut peer = sim.connected(false);
    let head = sim.ask(&mut peer, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(head.contains("text/event-stream"), "{head}");
    for window in [usize::MAX, 1] {
        peer.wire.window(window);
        sim.server.context(sim.now).publish("news", "rain");
        drain(&mut sim, &mut peer, window);
        let text = String::from_utf8(std::mem::take(&mut peer.text)).unwrap();
        assert!(text.contains("data: rain\n\n") || text.contains("data:rain\n\n"), "{text}");
    }

    // A takeover beside it: every byte comes back.
    let mut taken = sim.connected(true);
    let head = sim.ask(&mut taken, "GET /taken HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 "), "{head}");
    let bytes: Vec<u8> = (0..100_000u32).map(|at| at as u8).collect();
    taken.say(&bytes);
    sim.settle(&mut taken);
    assert!(taken.text == bytes, "{} bytes", taken.text.len());
    taken.text.clear();
    taken.wire.window(0);
    for byte in 0..100 {
        taken.say([byte]);
        taken.push();
        sim.ready(&taken, Readiness::READABLE);
        sim.flush();
    }
    drain(&mut sim, &mut taken, 1);
    sim.settle(&mut taken);
    assert_eq!(taken.text, (0..100).collect::<Vec<u8>>());
}

/// Subscribes each WebSocket, and publishes what one of them sends.
struct Room;

impl Handler for Room {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        if request.is_websocket() { switchboard::Upgrade::new().into() } else { Reply::Pass }
    }

    fn open(&mut self, conn: &mut Conn<'_>, _: &Request<'_>) {
        conn.subscribe("room");
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: switchboard::Message<'_>) {
        conn.publish("room", message);
    }
}

#[test]
fn server_publishes_to_websockets_under_tls_of_which_some_are_slow() {
    let mut sim = Sim::serving(|server| {
        server.zone("/echo", Room);
    });
    let mut peers: Vec<Peer> = (0..20).map(|at| sim.websocket(at % 2 == 0)).collect();
    let mut expected = Vec::new();
    for (count, len) in [1, 100, 20_000, 3].into_iter().enumerate() {
        for (at, peer) in peers.iter_mut().enumerate() {
            peer.wire.window(at * 7);
        }
        let payload = vec![count as u8; len];
        expected.extend(plain_frame(Opcode::Binary, &payload));
        peers[0].say(masked(Opcode::Binary, &payload));
        peers[0].push();
        sim.ready(&peers[0], Readiness::READABLE);
        sim.flush();
    }
    for (at, peer) in peers.iter_mut().enumerate() {
        peer.pull();
        peer.wire.window(usize::MAX);
        sim.settle(peer);
        drain(&mut sim, peer, 1 + at * 13);
        assert!(peer.text == expected, "{at}: {} of {}", peer.text.len(), expected.len());
    }
}
