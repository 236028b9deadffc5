//! How WebSockets end over memory: the close handshake from either side, its deadline, peers that
//! vanish, and handlers that close in any callback.

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::frames::{TEXT, close, frame, ping, text};
use common::http::handshake;
use common::{Bytes, Client, Log, Recorder, World, after_handshake, millis, raw, seconds, words};
use switchboard::{CloseCode, ConnId, Options};

fn sim_of(recorder: Recorder) -> World {
    World::serving(|server| {
        server.zone("/", recorder);
    })
}

/// A WebSocket whose handler does what the message says; the log begins after its opening.
fn told(log: &Log) -> (World, Client) {
    let mut sim = sim_of(Recorder::new(log).message(|conn, message| match message.as_bytes() {
        b"close" => conn.close(CloseCode::NORMAL, "bye"),
        b"close twice" => {
            conn.close(CloseCode::NORMAL, "first");
            conn.close(CloseCode::POLICY, "second");
            conn.send("too late");
            conn.ping(b"too late");
            conn.send_fragment("too late", true);
        }
        b"close 1006" => conn.close(CloseCode::ABNORMAL, ""),
        b"long reason" => conn.close(CloseCode::NORMAL, &"\u{20ac}".repeat(50)),
        other => conn.send(other),
    }));
    let client = sim.raw_websocket("/");
    log.take();
    (sim, client)
}

#[test]
fn server_echoes_the_code_of_the_peers_close_and_goes() {
    // What the peer says, what it hears, what the handler hears.
    let rows = [
        (close(1000, "done"), "close 1000", "close 1000 \"done\" by peer"),
        (close(1001, ""), "close 1001", "close 1001 \"\" by peer"),
        (close(3000, "a"), "close 3000", "close 3000 \"a\" by peer"),
        (
            close(4999, &"r".repeat(123)),
            "close 4999",
            &format!("close 4999 {:?} by peer", "r".repeat(123)),
        ),
        (raw(0x88, ""), "close 1005", "close 1005 \"\" by peer"),
    ];
    for (said, heard, logged) in rows {
        let log = Log::new();
        let (mut sim, client) = told(&log);
        let ignored = [text("after the close"), ping(""), raw(0xFF, ""), close(1002, "")].concat();
        assert_eq!(
            sim.ask_words(client, [text("before"), said, ignored].concat()),
            ["binary 6", heard]
        );
        assert_eq!(log.take(), ["text before", logged]);
        assert!(sim.is_gone(client), "the server ends the connection first (7.1.1)");
    }
}

/// A Close without a code is echoed without one: 1005 never is on the wire.
#[test]
fn server_never_sends_a_code_that_may_not_be_sent() {
    let (mut sim, client) = told(&Log::new());
    assert_eq!(sim.ask(client, raw(0x88, "")), [0x88, 0x00]);
    let (mut sim, client) = told(&Log::new());
    assert_eq!(sim.ask_words(client, text("close 1006")), ["close 1000"]);
}

#[test]
fn server_cuts_a_long_reason_at_a_character() {
    let (mut sim, client) = told(&Log::new());
    assert_eq!(
        sim.ask_words(client, text("long reason")),
        [format!("close 1000 {}", "\u{20ac}".repeat(41))]
    );
}

#[test]
fn server_that_closes_waits_for_the_answer_and_ignores_the_rest() {
    let log = Log::new();
    let (mut sim, client) = told(&log);
    assert_eq!(
        sim.ask_words(client, [text("close"), text("unheard"), ping("")].concat()),
        ["close 1000 bye"]
    );
    assert_eq!(
        sim.ask_words(client, [text("unheard"), ping(""), frame(false, TEXT, "un")].concat()),
        [""; 0]
    );
    assert_eq!(log.take(), ["text close"], "not closed before the peer says so");
    assert_eq!(sim.stats().websockets, 1);
    assert_eq!(sim.ask_words(client, close(1000, "you too")), [""; 0]);
    assert_eq!(log.take(), ["close 1000 \"you too\""]);
    assert!(sim.is_gone(client));
    assert_eq!(sim.stats().websockets, 0);
}

#[test]
fn server_closes_once_however_often_it_is_told() {
    let log = Log::new();
    let (mut sim, client) = told(&log);
    assert_eq!(sim.ask_words(client, text("close twice")), ["close 1000 first"]);
    sim.send(client, close(1000, ""));
    assert_eq!(log.take(), ["text close twice", "close 1000 \"\""]);
}

#[test]
fn server_fails_quietly_when_the_answer_to_its_close_is_a_violation() {
    let log = Log::new();
    let (mut sim, client) = told(&log);
    sim.ask(client, text("close"));
    assert_eq!(sim.ask(client, raw(0xF1, "")), b"", "a frame after the Close");
    assert_eq!(log.take(), ["text close", "close 1006 \"\""]);
    assert!(sim.is_gone(client));
}

#[test]
fn field_row_23_server_waits_for_the_answer_to_its_close_until_its_deadline() {
    let log = Log::new();
    let (mut sim, client) = told(&log);
    sim.server.options(Options::new().close_timeout(seconds(3)));
    sim.ask(client, text("close"));
    log.take();
    for _ in 0..29 {
        sim.advance(millis(100));
        sim.send(client, text("a flood does not put it off"));
    }
    assert!(log.take().is_empty() && !sim.is_gone(client));
    sim.advance(millis(600));
    assert_eq!(log.take(), ["close 1006 \"\""]);
    assert!(sim.is_gone(client));
}

/// What the peer sent last, how it goes.
#[test]
fn server_hears_of_a_vanished_peer_exactly_once() {
    for last in
        [vec![], frame(false, TEXT, "unfinished"), text("cut off")[..5].to_vec(), vec![0x81]]
    {
        for broken in [false, true] {
            let log = Log::new();
            let (mut sim, client) = told(&log);
            sim.send(client, &last);
            match broken {
                true => sim.fail(client, ErrorKind::ConnectionReset),
                false => sim.end(client),
            }
            assert_eq!(log.take(), ["close 1006 \"\""]);
            assert!(sim.is_gone(client));
            sim.advance(seconds(300));
            assert_eq!(log.take(), [""; 0]);
            assert_eq!((sim.stats().websockets, sim.stats().connections), (0, 0));
        }
    }
}

#[test]
fn server_hears_what_came_before_the_end() {
    let log = Log::new();
    let (mut sim, client) = told(&log);
    sim.push(client, [text("a"), text("b")].concat());
    sim.end(client);
    assert_eq!(log.take(), ["text a", "text b", "close 1006 \"\""]);

    let (mut sim, client) = told(&log);
    sim.push(client, [text("a"), close(1001, "")].concat());
    sim.end(client);
    assert_eq!(log.take(), ["text a", "close 1001 \"\" by peer"]);
    assert_eq!(sim.words(client), ["binary 1", "close 1001"]);
}

#[test]
fn server_reports_a_violation_once_though_the_peer_breaks_off() {
    let log = Log::new();
    let (mut sim, client) = told(&log);
    sim.send(client, raw(0xF1, ""));
    sim.fail(client, ErrorKind::BrokenPipe);
    assert_eq!(log.take(), ["close 1002 \"reserved bits are set\""]);
    assert!(sim.is_gone(client));
}

#[test]
fn server_does_not_wait_for_ever_for_the_end_of_a_peer_it_has_failed() {
    let (mut sim, client) = told(&Log::new());
    sim.send(client, raw(0xF1, ""));
    for _ in 0..10 {
        sim.advance(millis(150));
        sim.send(client, text("unheard"));
    }
    assert!(!sim.is_gone(client));
    sim.advance(millis(4_900));
    assert!(!sim.is_gone(client));
    sim.advance(millis(400));
    assert!(sim.is_gone(client), "five seconds after its last byte");
}

/// Each callback may close; what was sent before leaves before, and `close` is called once.
#[test]
fn handler_closes_in_every_callback() {
    let bye = |conn: &mut switchboard::Conn<'_>| {
        conn.send("last words");
        conn.close(CloseCode::GOING_AWAY, "");
    };
    let in_open = Recorder::new(&Log::new()).open(move |conn, _| bye(conn));
    let in_message = Recorder::new(&Log::new()).message(move |conn, _| bye(conn));
    let in_writable =
        Recorder::new(&Log::new()).message(|conn, _| conn.want_writable()).writable(bye);
    let in_timeout = Recorder::new(&Log::new())
        .message(|conn, _| conn.set_timeout(Some(millis(500))))
        .timeout(bye);
    for (name, recorder) in [
        ("open", in_open),
        ("message", in_message),
        ("writable", in_writable),
        ("timeout", in_timeout),
    ] {
        let closed = Log::new();
        let closes = closed.clone();
        let mut sim = sim_of(recorder.close(move |conn, code| {
            closes.note(conn.id(), code.to_string());
            conn.send("nobody hears this");
            conn.close(CloseCode::NORMAL, "nor this");
        }));
        let client = sim.connect();
        sim.send(client, [handshake("/").into_bytes(), text("go")].concat());
        sim.advance(seconds(1));
        assert_eq!(
            words(after_handshake(&sim.receive(client))),
            ["text last words", "close 1001"],
            "in {name}"
        );
        assert_eq!(closed.take(), [""; 0], "in {name}");
        assert_eq!(sim.ask(client, close(1001, "")), b"", "in {name}");
        assert_eq!(closed.take(), ["1001"], "in {name}");
        assert!(sim.is_gone(client), "in {name}");
    }
}

#[test]
fn handler_closes_another_connection() {
    let log = Log::new();
    let mut first: Option<ConnId> = None;
    let mut sim = sim_of(Recorder::new(&log).message(move |conn, _| match first {
        None => first = Some(conn.id()),
        Some(id) => {
            if let Some(mut other) = conn.context().conn(id) {
                other.send("goodbye");
                other.close(CloseCode::POLICY, "asked for");
            }
        }
    }));
    let (one, two) = (sim.websocket("/"), sim.websocket("/"));
    sim.say(one, "me");
    sim.say(two, "close the other");
    assert_eq!(sim.hear(one), ["goodbye"]);
    assert_eq!(sim.closed(one), Some((CloseCode::POLICY, "asked for".to_owned())));
    assert!(sim.is_gone(one) && !sim.is_gone(two));
    log.take();
    sim.say(two, "once more");
    assert_eq!(log.take(), ["text once more"], "the name of an ended connection does nothing");
    assert_eq!((sim.hear(two).len(), sim.closed(two)), (0, None));
}

#[test]
fn server_pings_a_silent_peer_and_drops_a_dead_one() {
    let log = Log::new();
    let (mut sim, client) = told(&log);
    sim.server.options(Options::new().idle_timeout(seconds(10)).pong_timeout(seconds(4)));
    sim.send(client, text("x"));
    sim.receive(client);
    log.take();
    for sign_of_life in [
        common::frames::pong(""),
        text("y"),
        ping("z"),
        text("half")[..4].to_vec(),
        text("half")[4..].to_vec(),
    ] {
        // Up to a tenth sooner than asked for.
        sim.advance(millis(8_999));
        assert_eq!(sim.receive(client), b"", "before its time");
        sim.advance(millis(1_252));
        assert_eq!(sim.words(client), ["ping"]);
        sim.advance(millis(2_400));
        sim.send(client, sign_of_life);
        sim.receive(client);
    }
    log.take();
    sim.advance(seconds(11));
    assert_eq!(sim.words(client), ["ping"]);
    sim.advance(millis(1_700));
    assert!(!sim.is_gone(client));
    sim.advance(millis(1_900));
    assert!(sim.is_gone(client));
    assert_eq!(
        (sim.receive(client), log.take()),
        (vec![], vec!["close 1006 \"\"".into()]),
        "one ping, one close"
    );
}

/// A short idle time and a long patience: the answer to a ping brings the next look forward.
#[test]
fn server_pings_again_in_time_although_its_patience_is_longer() {
    let (mut sim, client) = told(&Log::new());
    sim.server.options(Options::new().idle_timeout(seconds(1)).pong_timeout(seconds(20)));
    sim.send(client, text("x"));
    sim.receive(client);
    for _ in 0..5 {
        sim.advance(Duration::from_millis(1_250));
        assert_eq!(sim.words(client), ["ping"]);
        sim.send(client, common::frames::pong(""));
    }
}
