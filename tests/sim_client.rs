//! The client role over memory, once open: our client against our own server, and against one that
//! sends anything. Only the masks differ from other WebSockets.

mod common;

use std::collections::BTreeSet;
use std::io::ErrorKind;

use common::dialling::{URL, dialler, established, nothing_left};
use common::frames::{PING, masked_frames, plain, text};
use common::{Bytes, Client, Log, Pair, Recorder, World, millis, seconds};
use switchboard::{Backpressure, CloseCode, ConnId, Connect, Drain, Options, Upgrade};

fn echo_server(log: &Log) -> World {
    let recorder = Recorder::new(log)
        .request(|_, _| Upgrade::new().subprotocols(["v2", "v1"]))
        .message(|conn, message| match message.as_bytes() {
            b"close" => conn.close(CloseCode::GOING_AWAY, "enough"),
            _ => conn.send(message),
        });
    World::serving(|server| {
        server.zone("/", recorder);
    })
}

/// A pair whose WebSocket is open, and what was heard on either side since.
fn open_pair() -> (Pair, Log, Log) {
    let (near, far) = (Log::new(), Log::new());
    let (client, zone) = dialler(&near);
    let mut pair = Pair::new(client, zone, Connect::to(URL), echo_server(&far));
    pair.pump();
    assert_eq!(near.take(), ["open /chat", "speaks None at Some(\"room=7\")"]);
    assert_eq!(far.take(), ["request GET /chat", "open /chat"]);
    (pair, near, far)
}

fn send(pair: &mut Pair, message: &str) {
    pair.client.server.context(pair.client.now).send(pair.id, message);
    pair.client.settle();
    pair.pump();
}

#[test]
fn client_and_server_talk_however_the_bytes_are_cut() {
    for at_most in [1, 2, 3, 7, 100, usize::MAX] {
        let (near, far) = (Log::new(), Log::new());
        let (client, zone) = dialler(&near);
        let connect = Connect::to(URL)
            .subprotocols(["v3", "v1", "v2"])
            .header("Cookie", "user=7")
            .origin("http://example.com");
        let mut pair = Pair::new(client, zone, connect, echo_server(&far));
        pair.at_most = at_most;
        assert_eq!(near.take(), [""; 0], "not open before the server says so");
        pair.pump();
        assert_eq!(
            near.take(),
            ["open /chat", "speaks Some(\"v1\") at Some(\"room=7\")"],
            "the first that both speak"
        );
        let big = "x".repeat(3_000);
        for message in ["hello", "", "\u{20ac}", &big] {
            send(&mut pair, message);
            assert_eq!(near.take(), [format!("text {message}")]);
        }
        assert_eq!((pair.client.stats().websockets, pair.server.stats().websockets), (1, 1));
        assert_eq!((pair.client.stats().accepted, pair.server.stats().accepted), (0, 1));

        // The client begins the close.
        pair.client
            .server
            .context(pair.client.now)
            .conn(pair.id)
            .expect("open")
            .close(CloseCode::NORMAL, "bye");
        pair.client.settle();
        far.take();
        pair.pump();
        assert_eq!(far.take(), ["close 1000 \"bye\" by peer"]);
        assert_eq!(near.take(), ["close 1000 \"\""]);
        nothing_left(&mut pair.client);
        nothing_left(&mut pair.server);
    }
}

#[test]
fn server_may_begin_the_close() {
    let (mut pair, near, far) = open_pair();
    send(&mut pair, "close");
    assert_eq!(near.take(), ["close 1001 \"enough\" by peer"]);
    assert_eq!(far.take(), ["text close", "close 1001 \"\""]);
    pair.advance(seconds(3));
    nothing_left(&mut pair.client);
    nothing_left(&mut pair.server);
}

/// RFC 6455 section 7.1.1: the server ends the connection. A client waits for this end, until its
/// deadline.
#[test]
fn client_waits_for_the_server_to_end_the_connection() {
    let (mut pair, near, _) = open_pair();
    pair.client
        .server
        .context(pair.client.now)
        .conn(pair.id)
        .expect("open")
        .close(CloseCode::NORMAL, "bye");
    pair.client.settle();
    let (said, _) = masked_frames(&pair.client.receive(pair.near));
    assert_eq!(said[0].word(), "close 1000 bye");
    pair.client.send(pair.near, plain(0x88, [0x03, 0xE8]));
    assert_eq!(near.take(), ["close 1000 \"\""]);
    pair.client.advance(millis(4_900));
    assert!(!pair.client.is_gone(pair.near));
    pair.client.advance(millis(400));
    assert!(pair.client.is_gone(pair.near));
    nothing_left(&mut pair.client);
}

#[test]
fn both_may_close_at_once() {
    let (mut pair, near, far) = open_pair();
    let id = far_id(&mut pair, &far, &near);
    pair.client
        .server
        .context(pair.client.now)
        .conn(pair.id)
        .expect("open")
        .close(CloseCode::NORMAL, "mine");
    pair.server
        .server
        .context(pair.server.now)
        .conn(id)
        .expect("open")
        .close(CloseCode::GOING_AWAY, "yours");
    pair.client.settle();
    pair.server.settle();
    pair.pump();
    assert_eq!(near.take(), ["close 1001 \"yours\""]);
    assert_eq!(far.take(), ["close 1000 \"mine\""]);
    pair.advance(seconds(3));
    nothing_left(&mut pair.client);
    nothing_left(&mut pair.server);
}

/// The server's name for the pair's connection.
fn far_id(pair: &mut Pair, far: &Log, near: &Log) -> ConnId {
    send(pair, "who");
    let id = far.last_id();
    far.take();
    near.take();
    id
}

#[test]
fn client_masks_every_frame_by_a_key_of_its_own() {
    let (mut pair, ..) = open_pair();
    let cx = pair.client.server.context(pair.client.now);
    (0..50).for_each(|_| cx.send(pair.id, "the same"));
    let mut conn = cx.conn(pair.id).expect("open");
    conn.send_fragment("be", false);
    conn.ping(b"?");
    conn.send_fragment("gin", true);
    conn.send(&[7; 70_000][..]);
    conn.close(CloseCode::NORMAL, "");
    pair.client.settle();
    let bytes = pair.client.receive(pair.near);
    let (said, keys) = masked_frames(&bytes);
    let words: Vec<_> = said.iter().map(common::frames::Frame::word).collect();
    assert_eq!(words[0], "ping ?", "before data that has not begun");
    assert_eq!(words[1..51], ["text the same"; 50]);
    assert_eq!(words[51..], ["text be..", "and gin", "binary 70000", "close 1000"]);
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "no key twice");
}

#[test]
fn client_on_a_topic_gets_frames_of_its_own() {
    let log = Log::new();
    let mut sim = World::new();
    let zone = sim.server.zone("/", Recorder::new(&log).open(|conn, _| conn.subscribe("all")));
    let dialled: Vec<_> = (0..3).map(|_| established(&mut sim, zone, Connect::to(URL)).0).collect();
    let accepted = sim.raw_websocket("/");
    let now = sim.now;
    assert_eq!(sim.server.context(now).subscribers("all"), 4);
    for _ in 0..5 {
        sim.server.context(now).publish("all", "news");
    }
    sim.settle();
    assert_eq!(sim.words(accepted), ["text news"; 5]);
    let mut all_keys = BTreeSet::new();
    for client in dialled {
        let (said, keys) = masked_frames(&sim.receive(client));
        assert!(said.len() == 5 && said.iter().all(|frame| frame.word() == "text news"));
        all_keys.extend(keys);
    }
    assert_eq!(all_keys.len(), 15, "each receiver and each frame its own key");
}

/// The deadline is that of the opening alone.
#[test]
fn client_that_is_open_has_time() {
    let log = Log::new();
    let (mut sim, zone) = dialler(&log);
    let (client, _) = established(&mut sim, zone, Connect::to(URL).timeout(seconds(1)));
    sim.advance(seconds(60));
    log.take();
    sim.send(client, plain(0x81, "still here"));
    assert_eq!(log.take(), ["text still here"]);
}

#[test]
fn client_hears_of_a_vanished_server_exactly_once() {
    type Vanish = fn(&mut World, Client);
    let ways: [(Vanish, &str); 3] = [
        (|sim, client| sim.end(client), "the peer ended without an answer"),
        (|sim, client| sim.end_quietly(client), "the peer ended without an answer"),
        (|sim, client| sim.fail(client, ErrorKind::ConnectionReset), "connection reset"),
    ];
    for (vanish, unanswered) in ways {
        for open in [false, true] {
            let log = Log::new();
            let (mut sim, zone) = dialler(&log);
            let (client, _) = match open {
                true => established(&mut sim, zone, Connect::to(URL)),
                false => sim.dial(zone, Connect::to(URL)),
            };
            sim.settle();
            log.take();
            vanish(&mut sim, client);
            let reason = if open { "" } else { unanswered };
            assert_eq!(log.take(), [format!("close 1006 \"{reason}\"")], "open: {open}");
            assert!(sim.is_gone(client));
            sim.advance(seconds(300));
            assert_eq!(log.take(), [""; 0]);
            nothing_left(&mut sim);
        }
    }
}

#[test]
fn client_fails_a_server_that_violates_the_protocol() {
    let masked = text("masked");
    let rows: [(Vec<u8>, &str); 8] = [
        (masked, "1002 frame from a server is masked"),
        (plain(0xC1, "x"), "1002 reserved bits are set"),
        (plain(0x83, "x"), "1002 unknown opcode"),
        (plain(0x80, "x"), "1002 continuation without a message"),
        (plain(0x81, b"\xC3\x28"), "1007 text is not UTF-8"),
        (plain(0x88, [0x03, 0xED]), "1002 close code may not be sent"),
        (plain(0x82, vec![0; 1_001]), "1009 message too big"),
        ([plain(0x02, vec![0; 600]), plain(0x80, vec![0; 600])].concat(), "1009 message too big"),
    ];
    for (bytes, told) in rows {
        let log = Log::new();
        let (mut sim, zone) = dialler(&log);
        let options = sim.server.context(sim.now).add_options(Options::new().max_message(1_000));
        let (client, _) = established(&mut sim, zone, Connect::to(URL).options(options));
        log.take();
        sim.send(client, [plain(0x81, "fine"), bytes, plain(0x81, "unheard")].concat());
        let (code, reason) = told.split_once(' ').expect("a code");
        assert_eq!(log.take(), ["text fine".to_owned(), format!("close {code} {reason:?}")]);
        let (said, _) = masked_frames(&sim.receive(client));
        assert_eq!(
            said.iter().map(common::frames::Frame::word).collect::<Vec<_>>(),
            [format!("close {told}")]
        );
        assert!(sim.is_ended(client));
        sim.end(client);
        assert!(sim.is_gone(client));
        nothing_left(&mut sim);
    }
}

#[test]
fn client_pings_a_silent_server_and_drops_a_dead_one() {
    let log = Log::new();
    let (mut sim, zone) = dialler(&log);
    let options = Options::new().idle_timeout(seconds(10)).pong_timeout(seconds(4));
    let options = sim.server.context(sim.now).add_options(options);
    let (client, _) = established(&mut sim, zone, Connect::to(URL).options(options));
    log.take();
    for _ in 0..3 {
        sim.advance(millis(8_999));
        assert!(sim.receive(client).is_empty(), "before its time");
        sim.advance(millis(1_252));
        let (said, _) = masked_frames(&sim.receive(client));
        assert_eq!(said.iter().map(|frame| frame.opcode).collect::<Vec<_>>(), [PING]);
        sim.send(client, plain(0x8A, ""));
    }
    sim.advance(seconds(10 + 4 + 1));
    assert_eq!(log.take(), ["close 1006 \"\""]);
    assert!(sim.is_gone(client));
    nothing_left(&mut sim);
}

/// Idle, the client and its server keep each other alive and nothing else.
#[test]
fn pair_stays_open_while_nobody_speaks() {
    let (mut pair, near, far) = open_pair();
    pair.advance(seconds(600));
    assert_eq!((near.take(), far.take()), (vec![], vec![]));
    send(&mut pair, "still");
    assert_eq!(near.take(), ["text still"]);
}

#[test]
fn drain_ends_clients_and_attempts_and_lets_nobody_begin() {
    let log = Log::new();
    let (mut sim, zone) = dialler(&log);
    let (open, _) = established(&mut sim, zone, Connect::to(URL));
    let (opening, _) = sim.dial(zone, Connect::to(URL));
    sim.settle();
    sim.receive(opening);
    log.take();
    let now = sim.now;
    sim.server.context(now).drain(Drain::within(seconds(9))).unwrap();
    sim.settle();
    assert_eq!(log.take(), ["close 1006 \"\""], "the attempt");
    let (said, _) = masked_frames(&sim.receive(open));
    assert_eq!(said[0].word(), "close 1001");
    sim.server.context(now).connect(zone, Connect::to(URL));
    sim.settle();
    assert_eq!(log.take(), ["close 1006 \"the server is draining\""]);
    sim.send(open, plain(0x88, [0x03, 0xE9]));
    sim.end(open);
    assert_eq!(log.take(), ["close 1001 \"\""]);
    assert!(sim.server.is_drained() && sim.is_gone(opening));
}

/// A server that does not read is treated as any slow peer is.
#[test]
fn client_of_a_server_that_does_not_read_meets_its_policy() {
    let log = Log::new();
    let (mut sim, zone) = dialler(&log);
    let options = Options::new().max_buffered(1_000).backpressure(Backpressure::Close);
    let options = sim.server.context(sim.now).add_options(options);
    let (client, id) = established(&mut sim, zone, Connect::to(URL).options(options));
    log.take();
    sim.window(client, 20);
    let now = sim.now;
    (0..20).for_each(|_| sim.server.context(now).send(id, &[7; 94]));
    sim.settle();
    assert_eq!(log.take(), ["close 1013 \"too slow\""]);
    sim.window(client, usize::MAX);
    let (said, _) = masked_frames(&sim.receive(client));
    assert_eq!(
        said.iter().map(common::frames::Frame::word).collect::<Vec<_>>(),
        ["binary 94", "close 1013 too slow"]
    );
}
