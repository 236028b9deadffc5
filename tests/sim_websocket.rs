//! A server's WebSockets over memory: what is delivered, answered and refused, however the bytes
//! are cut.

mod common;

use common::frames::{BINARY, CONTINUATION, TEXT, binary, close, frame, header, ping, pong, text};
use common::http::{get, handshake};
use common::{Bytes, Client, Log, Recorder, World, after_handshake, raw, words};
use switchboard::{CloseCode, Conn, Handler, Message, Options, Reply, Upgrade};

/// A server that echoes at every path.
fn echo(log: &Log) -> World {
    let recorder = Recorder::new(log).message(|conn, message| conn.send(message));
    World::serving(|server| {
        server.zone("/", recorder);
    })
}

/// The same with a limit on messages.
fn limited(log: &Log, max_message: usize) -> World {
    let mut sim = echo(log);
    sim.server.options(Options::new().max_message(max_message));
    sim
}

/// A log without what concerns the handshake.
fn heard(log: &Log) -> Vec<String> {
    log.take()
        .into_iter()
        .filter(|entry| !entry.starts_with("request") && !entry.starts_with("open"))
        .collect()
}

#[test]
fn server_serves_frames_in_the_handshakes_segment() {
    let log = Log::new();
    let mut sim = echo(&log);
    let client = sim.connect();
    let segment = [handshake("/x").as_bytes(), &text("one"), &ping("p"), &text("two")].concat();
    let answer = sim.ask(client, segment);
    assert_eq!(words(after_handshake(&answer)), ["text one", "pong p", "text two"]);
    assert_eq!(log.take(), ["request GET /x", "open /x", "text one", "text two"]);
}

#[test]
fn server_hears_the_same_however_the_bytes_are_cut() {
    let bytes = [
        handshake("/").as_bytes(),
        &text("h\u{e9}llo"),
        &frame(false, TEXT, b"\xE2\x82"),
        &ping("now"),
        &frame(true, CONTINUATION, b"\xAC"),
        &binary([7; 130]),
        &text(""),
        &close(1000, "bye"),
    ]
    .concat();
    let hears = |cuts: &[usize], reads: usize| {
        let log = Log::new();
        let mut sim = echo(&log);
        let client = sim.connect();
        sim.peer(client).read_at_most(reads);
        let mut from = 0;
        for &cut in cuts.iter().chain([&bytes.len()]) {
            sim.send(client, &bytes[from..cut]);
            from = cut;
        }
        (words(after_handshake(&sim.receive(client))), log.take(), sim.is_gone(client))
    };
    let whole = hears(&[], usize::MAX);
    let said = ["text h\u{e9}llo", "pong now", "text \u{20ac}", "binary 130", "text", "close 1000"];
    assert_eq!(whole.0, said);
    assert!(whole.2);
    for cut in 1..bytes.len() {
        assert_eq!(hears(&[cut], usize::MAX), whole, "cut at {cut}");
    }
    assert_eq!(hears(&(1..bytes.len()).collect::<Vec<_>>(), usize::MAX), whole, "byte by byte");
    for reads in [1, 2, 3, 7, 100] {
        assert_eq!(hears(&[], reads), whole, "read {reads} at a time");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn server_answers_what_came_before_a_violation_and_then_closes_once() {
    // What is wrong, on the wire, and the code it earns.
    let rows: &[(&str, Vec<u8>, u16)] = &[
        ("reserved bit 1", raw(0xC1, "x"), 1002),
        ("reserved bit 2", raw(0xA1, "x"), 1002),
        ("reserved bit 3", raw(0x91, "x"), 1002),
        ("unknown opcode 3", raw(0x83, "x"), 1002),
        ("unknown opcode B", raw(0x8B, "x"), 1002),
        ("not masked", vec![0x81, 0x01, b'x'], 1002),
        ("fragmented ping", raw(0x09, "x"), 1002),
        ("ping of 126 bytes", raw(0x89, [0; 126]), 1002),
        ("length not minimal", vec![0x81, 0xFE, 0x00, 0x7D], 1002),
        ("continuation of nothing", raw(0x80, "x"), 1002),
        ("message in a message", [frame(false, TEXT, "a"), text("b")].concat(), 1002),
        ("length of 2^63", [vec![0x82, 0xFF], (1u64 << 63).to_be_bytes().to_vec()].concat(), 1002),
        ("length of 2^64 - 1", [vec![0x82, 0xFF], u64::MAX.to_be_bytes().to_vec()].concat(), 1002),
        ("length of 2^63 - 1", header(true, BINARY, (1 << 63) - 1), 1009),
        ("a byte above the limit", header(true, BINARY, (16 << 20) + 1), 1009),
        (
            "two that sum up above it",
            [frame(false, BINARY, "a"), header(true, CONTINUATION, 16 << 20)].concat(),
            1009,
        ),
        (
            "two that overflow",
            [frame(false, BINARY, "a"), header(true, CONTINUATION, (1 << 63) - 1)].concat(),
            1009,
        ),
        ("no UTF-8", text_of(b"ab\xFFcd"), 1007),
        ("no UTF-8 in an unfinished frame", text_of(b"ab\xFFcd")[..9].to_vec(), 1007),
        ("half a character", text_of(b"ab\xE2\x82"), 1007),
        ("a surrogate", text_of(b"\xED\xA0\x80"), 1007),
        ("close with one byte", raw(0x88, [3]), 1002),
        ("close 1005", close(1005, ""), 1002),
        ("close 1006", close(1006, ""), 1002),
        ("close 999", close(999, ""), 1002),
        ("close 5000", close(5000, ""), 1002),
        ("close with a reason that is no UTF-8", raw(0x88, [0x03, 0xE8, 0xFF]), 1007),
    ];
    for (what, bad, code) in rows {
        let log = Log::new();
        let mut sim = echo(&log);
        let client = sim.raw_websocket("/");
        let after = [text("not heard"), ping("nor answered"), close(1000, "")].concat();
        let heard_of =
            sim.ask_words(client, [text("good"), ping("p"), bad.clone(), after].concat());
        assert_eq!(heard_of[..2], ["text good", "pong p"], "{what}");
        assert!(
            heard_of.len() == 3 && heard_of[2].starts_with(&format!("close {code} ")),
            "{what}: {heard_of:?}"
        );
        let told = heard(&log);
        assert!(
            told.len() == 2 && told[1].starts_with(&format!("close {code} ")),
            "{what}: {told:?}"
        );
        assert!(
            sim.is_ended(client) && !sim.is_gone(client),
            "{what}: the peer's own end is waited for"
        );
        sim.end(client);
        assert!(sim.is_gone(client), "{what}");
        assert_eq!(heard(&log), [""; 0], "{what}: closed twice");
        assert_eq!(sim.stats().websockets, 0);
    }
}

fn text_of(bytes: &[u8]) -> Vec<u8> {
    frame(true, TEXT, bytes)
}

#[test]
fn server_refuses_reserved_bits_after_a_close_too() {
    for bits in 1..8 {
        for begun in [false, true] {
            let log = Log::new();
            let mut sim = echo(&log);
            let client = sim.raw_websocket("/");
            if begun {
                sim.send(client, frame(false, TEXT, "a"));
            }
            let bad = raw(0x80 | bits << 4 | if begun { CONTINUATION } else { TEXT }, "x");
            let said = sim.ask_words(client, &bad);
            assert!(said.len() == 1 && said[0].starts_with("close 1002"), "{said:?}");
            assert_eq!(sim.ask_words(client, &bad), [""; 0], "a second Close");
            sim.fail(client, std::io::ErrorKind::ConnectionReset);
            assert_eq!(heard(&log).iter().filter(|entry| entry.starts_with("close")).count(), 1);
        }
    }
}

#[test]
fn server_answers_ten_pings_of_one_segment_in_order() {
    let mut sim = echo(&Log::new());
    let client = sim.raw_websocket("/");
    let pings: Vec<u8> = (0..10).flat_map(|n| ping(n.to_string())).collect();
    let pongs: Vec<_> = (0..10).map(|n| format!("pong {n}")).collect();
    assert_eq!(sim.ask_words(client, pings), pongs);
    assert_eq!(sim.ask_words(client, ping([b'x'; 125])), [format!("pong {}", "x".repeat(125))]);
    assert_eq!(sim.ask_words(client, pong("unasked")), [""; 0]);
}

#[test]
fn server_refuses_messages_above_the_limit_only() {
    for limit in [0, 1, 125, 126, 65_535, 65_536] {
        let at = vec![b'x'; limit];
        let cut = limit / 2;
        let whole = binary(&at);
        let pieces =
            [frame(false, BINARY, &at[..cut]), ping(""), frame(true, CONTINUATION, &at[cut..])]
                .concat();
        for (bytes, answers) in [(whole, 1), (pieces, 2)] {
            let mut sim = limited(&Log::new(), limit);
            let client = sim.raw_websocket("/");
            let said = sim.ask_words(client, bytes);
            assert_eq!((said.len(), &said[answers - 1]), (answers, &format!("binary {limit}")));
        }
        let whole = header(true, BINARY, limit as u64 + 1);
        let pieces = [frame(false, BINARY, &at), header(true, CONTINUATION, 1)].concat();
        for bytes in [whole, pieces] {
            let mut sim = limited(&Log::new(), limit);
            let client = sim.raw_websocket("/");
            assert_eq!(sim.ask_words(client, bytes), ["close 1009 message too big"], "{limit}");
        }
    }
}

#[test]
fn server_takes_messages_of_16_mebibytes_by_default() {
    let mut sim = World::serving(|server| {
        server.websocket("/", |conn: &mut Conn<'_>, message: Message<'_>| conn.send(message));
    });
    let client = sim.websocket("/");
    let payload: Vec<u8> = (0..16 << 20).map(|n: usize| ((n * 31) >> 7) as u8).collect();
    sim.say(client, &payload);
    let echoed = sim.hear(client);
    assert!(echoed.len() == 1 && echoed[0] == payload);
}

#[test]
fn server_without_a_limit_is_as_strict() {
    let mut sim = limited(&Log::new(), usize::MAX);
    let client = sim.raw_websocket("/");
    assert_eq!(sim.ask_words(client, header(true, BINARY, (1 << 63) - 1)), [""; 0]);
    assert_eq!(sim.ask_words(client, "no allocation of that size"), [""; 0]);
    for (bad, code) in [(raw(0xC1, ""), 1002), (text_of(b"\xFF"), 1007)] {
        let client = sim.raw_websocket("/");
        let said = sim.ask_words(client, bad);
        assert!(said.len() == 1 && said[0].starts_with(&format!("close {code}")), "{said:?}");
    }
}

#[test]
fn server_gives_each_connection_a_share_of_a_turn() {
    let log = Log::new();
    let mut sim = echo(&log);
    let (flooder, other) = (sim.raw_websocket("/"), sim.raw_websocket("/"));
    heard(&log);
    let flood: Vec<u8> = (0..1000).flat_map(|n: i32| text(&n.to_string())).collect();
    sim.push(flooder, flood);
    sim.push(other, text("other"));
    sim.turn();
    let first_turn = heard(&log);
    assert_eq!(first_turn.len(), 256 + 1, "a turn gives 256 frames");
    assert_eq!(first_turn.last().map(String::as_str), Some("text other"));
    sim.push(other, text("again"));
    sim.turn();
    let second_turn = heard(&log);
    assert_eq!(second_turn[0], "text again", "what is new comes before what is left");
    assert_eq!(second_turn.len(), 1 + 256);
    sim.settle();
    assert_eq!(sim.words(flooder), (0..1000).map(|n| format!("text {n}")).collect::<Vec<_>>());
    assert_eq!(sim.words(other), ["text other", "text again"]);
}

/// FIELD row 22: floods of pings and of empty messages cost the others one turn's share at most.
#[test]
fn field_row_22_server_serves_others_during_a_flood() {
    for flood in [ping("p"), text("")] {
        let log = Log::new();
        let mut sim = echo(&log);
        let (flooder, other) = (sim.raw_websocket("/"), sim.raw_websocket("/"));
        sim.push(flooder, flood.repeat(20_000));
        for round in 0..20 {
            sim.push(other, text(&round.to_string()));
            sim.turn();
            assert_eq!(sim.words(other), [format!("text {round}")], "answered in the same turn");
        }
        sim.settle();
        assert_eq!(sim.words(flooder).len(), 20_000);
    }
}

/// FIELD row 18: bytes behind a request whose upgrade is answered later wait for this answer. Their
/// peer may leave before.
#[test]
fn field_row_18_server_upgrades_later_without_losing_or_inventing_frames() {
    let log = Log::new();
    let mut sim = World::new();
    let zone = sim.server.zone(
        "/",
        Recorder::new(&log)
            .request(|_, _| Reply::Later)
            .message(|conn, message| conn.send(message)),
    );
    let ask = |sim: &mut World| -> (Client, switchboard::ConnId) {
        let client = sim.connect();
        sim.send(client, [handshake("/").into_bytes(), text("early")].concat());
        (client, log.last_id())
    };
    let (stays, id) = ask(&mut sim);
    assert_eq!(sim.receive(stays), b"");
    sim.with(zone, |_, cx| cx.upgrade(id, Upgrade::new()));
    assert_eq!(words(after_handshake(&sim.receive(stays))), ["text early"]);

    log.take();
    let (leaves, id) = ask(&mut sim);
    sim.fail(leaves, std::io::ErrorKind::ConnectionReset);
    assert_eq!(log.take(), ["request GET /", "cancelled"]);
    let (next, next_id) = ask(&mut sim);
    sim.with(zone, |_, cx| {
        cx.upgrade(id, Upgrade::new());
        cx.send(id, "to nobody");
    });
    assert_eq!(sim.receive(next), b"", "an answer to the last connection in this slot");
    sim.with(zone, |_, cx| cx.upgrade(next_id, Upgrade::new()));
    assert_eq!(words(after_handshake(&sim.receive(next))), ["text early"]);
}

/// FIELD row 29: a handler that closes before the upgrade gets neither a broken connection nor a
/// second callback.
#[test]
fn field_row_29_server_survives_a_handler_that_closes_while_it_upgrades() {
    let log = Log::new();
    let mut sim = World::serving(|server| {
        let recorder = Recorder::new(&log).request(|conn, _| {
            conn.close(CloseCode::NORMAL, "");
            conn.send("too early");
            Upgrade::new()
        });
        server.zone("/", recorder.open(|conn, _| conn.close(CloseCode::POLICY, "not you")));
    });
    let client = sim.connect();
    let answer = sim.ask(client, [handshake("/").into_bytes(), text("x")].concat());
    assert_eq!(words(after_handshake(&answer)), ["close 1008 not you"]);
    assert_eq!(log.take(), ["request GET /", "open /"]);
    sim.send(client, close(1008, ""));
    assert_eq!(log.take(), ["close 1008 \"\""]);
    assert!(sim.is_gone(client));
    let other = sim.connect();
    assert_eq!(common::http::only(&sim.ask(other, get("/"))).status, 400, "and the server lives");
}

/// The payloads of pongs in their order. A message asks for a pong, or ends the connection.
#[derive(Default)]
struct Pongs(Vec<Vec<u8>>);

impl Handler for Pongs {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        match message.as_bytes() {
            b"close" => conn.close(CloseCode::NORMAL, ""),
            payload => conn.ping(payload),
        }
    }

    fn pong(&mut self, _conn: &mut Conn<'_>, payload: &[u8]) {
        self.0.push(payload.to_vec());
    }
}

#[test]
fn server_tells_its_handler_of_pongs_while_open() {
    let mut sim = World::new();
    let zone = sim.server.zone("/", Pongs::default());
    let client = sim.raw_websocket("/");
    let asked = sim.ask(client, text("are you there"));
    assert_eq!(words(&asked), ["ping are you there"]);
    sim.trickle(client, &pong("are you there"));
    sim.send(client, [pong("unasked"), pong("")].concat());
    // After our Close frame nothing is delivered any more.
    sim.send(client, [text("close"), pong("too late")].concat());
    let heard = sim.with(zone, |pongs, _| std::mem::take(&mut pongs.0));
    assert_eq!(heard, [&b"are you there"[..], b"unasked", b""]);
}
