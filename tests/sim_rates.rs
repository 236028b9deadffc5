//! The lowest and the highest rate of a peer, and how long it may stay, on a clock moved by hand.

mod common;

use std::time::Duration;

use common::frames::{binary, frame, ping, pong, text};
use common::http::{self, only};
use common::serving::{patient, serving};
use common::{Bytes, Client, Log, World, millis, seconds};
use switchboard::{Options, Rate, RequestError};

/// A look comes with the step after the deadline.
const STEP: Duration = Duration::from_millis(250);

/// Four seconds of a hundred bytes each: 400 in every look are enough, 399 are not.
#[test]
fn field_row_23_body_must_come_at_its_rate() {
    for (bytes, passes) in [(400, true), (399, false), (0, false)] {
        let (mut sim, _) = serving(patient().body_timeout(seconds(4)).body_rate(100));
        let client = sim.connect();
        let lines = "Content-Length: 1000\r\n";
        sim.send(client, http::request("POST", "/upload", lines, ""));
        for _ in 0..2 {
            sim.send(client, "x".repeat(bytes));
            // A look comes with the step after the deadline.
            sim.advance(seconds(4) + STEP);
        }
        match passes {
            true => assert_eq!(http::bodies(&sim.ask(client, "x".repeat(200))), "1000"),
            false => {
                let answer = only(&sim.receive(client));
                assert_eq!(
                    (answer.status, answer.text()),
                    (408, RequestError::BodyTimeout.as_str()),
                    "{bytes}"
                );
            }
        }
    }
}

#[test]
fn response_must_be_taken_at_its_rate() {
    for (bytes, passes) in [(400, true), (399, false), (0, false)] {
        let (mut sim, _) = serving(patient().write_timeout(seconds(4)).write_rate(100));
        let client = sim.connect();
        sim.window(client, 5_000);
        sim.send(client, http::get("/big"));
        for _ in 0..10 {
            sim.window(client, bytes);
            sim.advance(seconds(4) + STEP);
        }
        assert_eq!(!sim.is_gone(client), passes, "{bytes} bytes in four seconds");
    }
}

/// By default 512 bytes a second, either way.
#[test]
fn rates_of_http_are_512_bytes_a_second_by_default() {
    for (bytes, passes) in [(512 * 30, true), (512 * 30 - 1, false)] {
        let (mut sim, _) = serving(Options::new());
        let (reader, writer) = (sim.connect(), sim.connect());
        sim.window(reader, 5_000);
        sim.send(reader, http::get("/big"));
        let lines = "Content-Length: 60000\r\n";
        // Nobody wants it: it is discarded, at the same rate.
        sim.send(writer, http::request("POST", "/a", lines, ""));
        for _ in 0..2 {
            sim.window(reader, bytes);
            sim.send(writer, "x".repeat(bytes));
            sim.advance(seconds(30) + STEP);
        }
        assert_eq!(
            (!sim.is_gone(reader), !sim.is_gone(writer)),
            (passes, passes),
            "{bytes} in half a minute"
        );
    }
}

/// A handler's last words have the time that a response has, on a connection taken over as well.
#[test]
fn taken_connection_that_is_closed_gives_its_reader_time() {
    for (takes, whole) in [(2_000, true), (400, false), (0, false)] {
        let (mut sim, log) = serving(Options::new().write_timeout(seconds(4)).write_rate(500));
        let client = sim.connect();
        sim.ask(client, http::get("/mine"));
        sim.window(client, 10);
        sim.send(client, "go");
        assert_eq!(log.take().last().map(String::as_str), Some("close 1000 \"all said\""));
        let mut heard = 0;
        for _ in 0..60 {
            sim.window(client, takes);
            heard += sim.receive(client).len();
            sim.advance(seconds(1));
        }
        assert_eq!(heard == 100_000, whole, "{heard} bytes, {takes} a second");
        assert!(sim.is_gone(client));
        let stats = sim.stats();
        assert_eq!((stats.connections, stats.takeovers), (0, 0));
    }
}

/// Sends so many messages, one segment each, and says how many were heard.
fn heard(sim: &mut World, log: &Log, client: Client, message: &[u8], times: usize) -> usize {
    log.take();
    (0..times).for_each(|_| sim.send(client, message));
    log.take().iter().filter(|entry| entry.starts_with("text")).count()
}

#[test]
fn messages_may_come_in_a_burst_and_then_at_their_pace() {
    let (mut sim, log) = serving(Options::new().message_rate(Rate::per_second(10).burst(5)));
    let client = sim.raw_websocket("/socket");
    log.take();
    assert_eq!(sim.ask_words(client, text("x").repeat(5)), [""; 0]);
    for _ in 0..200 {
        sim.advance(millis(100));
        sim.send(client, text("x"));
    }
    assert_eq!(
        (log.take(), sim.receive(client)),
        (vec!["text x".to_owned(); 205], vec![]),
        "at their pace, for ever"
    );
    sim.advance(millis(200));
    assert_eq!(
        sim.ask_words(client, text("x").repeat(2)),
        [""; 0],
        "two more after the time of two"
    );
    assert_eq!(sim.ask_words(client, text("too many")), ["close 1008 too many messages"]);
    assert_eq!(log.take()[2..], ["close 1008 \"too many messages\""], "it is not heard");
    assert!(sim.is_ended(client));
    sim.advance(seconds(6));
    assert!(sim.is_gone(client));
}

#[test]
fn messages_a_little_too_fast_use_up_the_burst() {
    let (mut sim, log) = serving(Options::new().message_rate(Rate::per_second(10).burst(5)));
    let client = sim.raw_websocket("/socket");
    log.take();
    let mut sent = 0;
    while !sim.is_ended(client) {
        sim.send(client, text("x"));
        sim.advance(millis(90));
        sent += 1;
        assert!(sent < 1_000);
    }
    // Each is a tenth of a second, of which a hundredth is owed: the first four tenths of the burst
    // last for 41.
    assert!((41..=43).contains(&sent), "{sent} messages");
}

/// Control frames count as messages do, fragments only once they are a whole message; each
/// connection counts by itself.
#[test]
fn message_rate_counts_what_is_whole() {
    let (mut sim, log) = serving(Options::new().message_rate(Rate::per_second(1).burst(10)));
    let other = sim.raw_websocket("/socket");
    let client = sim.raw_websocket("/socket");
    let fragments =
        [frame(false, 1, "a"), frame(false, 0, "b").repeat(50), frame(true, 0, "c")].concat();
    let ten = [ping("p").repeat(4), pong("p").repeat(4), text("x"), fragments].concat();
    assert_eq!(sim.ask_words(client, ten), ["pong p"; 4]);
    assert_eq!(sim.ask_words(client, ping("eleventh")), ["close 1008 too many messages"]);
    assert_eq!(heard(&mut sim, &log, other, &text("x"), 10), 10);
    assert!(!sim.is_ended(other));
}

#[test]
fn bytes_may_come_in_a_burst_and_then_at_their_pace() {
    let (mut sim, log) = serving(Options::new().byte_rate(Rate::per_second(1_000).burst(200_000)));
    let client = sim.raw_websocket("/socket");
    log.take();
    // 14 bytes of header.
    assert_eq!(sim.ask_words(client, binary(vec![0; 200_000 - 14])), [""; 0]);
    assert_eq!(log.take().len(), 1);
    for _ in 0..100 {
        sim.advance(seconds(1));
        assert_eq!(sim.ask_words(client, binary(vec![0; 1_000 - 8])), [""; 0]);
    }
    assert_eq!(log.take().len(), 100);
    sim.advance(seconds(1));
    assert_eq!(sim.ask_words(client, binary(vec![0; 1_001 - 8])), ["close 1008 too many bytes"]);
    assert_eq!(log.take(), ["close 1008 \"too many bytes\""]);
    assert!(sim.is_ended(client));
}

/// A silent peer that answers pings.
fn keep_silent(sim: &mut World, client: Client, duration: Duration) {
    let end = sim.now + duration;
    while sim.now < end {
        let step = seconds(10).min(end - sim.now);
        sim.advance(step);
        if !sim.receive(client).is_empty() {
            sim.send(client, pong(""));
        }
    }
}

/// 2^32 microseconds: after so long a word that counts them is back where it was.
const ROUND: Duration = Duration::from_micros(1 << 32);

#[test]
fn burst_is_whole_after_any_silence() {
    for silence in [
        seconds(30),
        seconds(600),
        seconds(1_800),
        ROUND - seconds(20),
        ROUND,
        ROUND + seconds(20),
        ROUND * 2,
    ] {
        let (mut sim, log) = serving(
            Options::new()
                .message_rate(Rate::per_second(1).burst(60))
                .byte_rate(Rate::per_second(100).burst(200_000)),
        );
        let client = sim.raw_websocket("/socket");
        assert_eq!(heard(&mut sim, &log, client, &text("x"), 30), 30);
        keep_silent(&mut sim, client, silence);
        // One of them may be a pong's, just said.
        assert!(heard(&mut sim, &log, client, &text("x"), 59) == 59, "after {silence:?}");
    }
}

/// However long the server has run when it comes.
#[test]
fn burst_is_whole_for_a_newcomer() {
    for age in [seconds(0), ROUND - seconds(30), ROUND - seconds(1), ROUND, ROUND + seconds(1)] {
        let (mut sim, log) = serving(
            Options::new()
                .message_rate(Rate::per_second(1).burst(60))
                .byte_rate(Rate::per_second(100).burst(5_000)),
        );
        sim.advance(age);
        let client = sim.raw_websocket("/socket");
        assert_eq!(heard(&mut sim, &log, client, &text("x"), 60), 60, "a server of {age:?}");
        assert_eq!(heard(&mut sim, &log, client, &text("x"), 1), 0, "a server of {age:?}");

        // An HTTP connection that was in use for an hour counts from the moment when it becomes a
        // WebSocket.
        let client = sim.connect();
        for _ in 0..80 {
            sim.ask(client, http::get("/a"));
            sim.advance(seconds(50));
        }
        sim.ask(client, http::handshake("/socket"));
        assert_eq!(heard(&mut sim, &log, client, &text("x"), 60), 60, "a server of {age:?}");
    }
}

/// A rate needs to hear of a connection twice an hour, whatever its deadlines say.
#[test]
fn rate_bounds_the_silence_of_a_peer() {
    let options = Options::new().idle_timeout(seconds(86_400)).pong_timeout(seconds(86_400));
    let (mut sim, _) = serving(options.message_rate(Rate::per_second(1).burst(60)));
    let client = sim.raw_websocket("/socket");
    sim.advance(seconds(1_801));
    assert_eq!(sim.words(client), ["ping"]);
    sim.advance(seconds(1_801));
    assert!(sim.is_gone(client));
}

/// Within two steps of 16 s after its time, and not before it.
#[test]
fn websocket_is_closed_with_1001_at_the_end_of_its_life() {
    for age in [0, 5, 1_000_000] {
        for lifetime in [1, 100, 3_600] {
            let (mut sim, log) = serving(patient().lifetime(seconds(lifetime)));
            sim.now += seconds(age);
            sim.settle();
            let client = sim.raw_websocket("/socket");
            log.take();
            let mut said = Vec::new();
            let mut lived = 0;
            while said.is_empty() {
                sim.advance(seconds(1));
                said = sim.ask_words(client, text("a life full of words"));
                lived += 1;
                assert!(lived <= lifetime + 33, "older than {lifetime} s");
            }
            assert!(lived >= lifetime, "{lived} of {lifetime} s");
            assert_eq!(said, ["close 1001 lifetime"]);
            sim.send(client, common::frames::close(1001, ""));
            assert_eq!(log.take().pop().as_deref(), Some("close 1001 \"\""));
            assert!(sim.is_gone(client));
        }
    }
}

#[test]
fn http_exchange_in_progress_is_the_last_at_the_end_of_its_life() {
    let (mut sim, log) = serving(patient().lifetime(seconds(100)));
    let (idle, waits, begun, streams) =
        (sim.connect(), sim.connect(), sim.connect(), sim.raw_events("/events"));
    sim.send(idle, http::get("/a"));
    sim.send(waits, http::get("/later"));
    let later = log.last_id();
    sim.send(begun, "GET /a HT");
    sim.receive(idle);
    sim.advance(seconds(99));
    assert!(![idle, waits, begun, streams].iter().any(|client| sim.is_ended(*client)));
    sim.advance(seconds(34));
    assert!(sim.is_gone(idle) && sim.receive(idle).is_empty());
    assert!(sim.is_ended(streams), "an event stream is closed");
    assert!(!sim.is_ended(waits) && !sim.is_ended(begun), "these go on");
    sim.advance(seconds(1_000));
    sim.send(begun, "TP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    let now = sim.now;
    sim.server.context(now).respond(later, "at last");
    sim.settle();
    for (client, body) in [(waits, "at last"), (begun, "/a")] {
        let answer = only(&sim.receive(client));
        assert_eq!((answer.text(), answer.closes()), (body, true));
        assert!(sim.is_ended(client));
    }
}

/// By default there is no end to it.
#[test]
fn connection_lives_as_long_as_it_likes_by_default() {
    let (mut sim, log) = serving(Options::new());
    let client = sim.raw_websocket("/socket");
    log.take();
    for _ in 0..10 {
        sim.now += seconds(2 * 86_400);
        sim.settle();
        sim.send(client, pong(""));
    }
    sim.receive(client);
    assert_eq!(heard(&mut sim, &log, client, &text("x"), 1), 1);
}

/// A large message is not read at once where bytes are counted: a peer that keeps to the rate is
/// not refused because the server read late.
#[test]
fn websocket_within_its_rate_may_send_large_messages() {
    let options = Options::new().byte_rate(Rate::per_second(128 << 20).burst(128 << 10));
    let mut sim = World::serving(|server| {
        server.options(options);
        server.websocket("/", |conn, message| conn.send(&*message.len().to_string()));
    });
    let client = sim.raw_websocket("/");
    sim.advance(seconds(1));
    // The second has the memory of the first, so that nothing but the rate limits how much is read
    // at once.
    for _ in 0..2 {
        sim.push(client, binary(vec![7; 1_058_000]));
        for _ in 0..20 {
            sim.turn();
            sim.now += millis(1);
        }
        assert_eq!(sim.words(client), ["text 1058000"]);
    }
}
