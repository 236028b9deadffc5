//! The end of a connection: what a refused peer still sends, what is owed to a peer that has ended
//! its side, and a reader that has vanished.

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::http::{self, only};
use common::{
    Bytes, Client, Log, Recorder, World, after_handshake, frames, millis, seconds, words,
};
use switchboard::{ConnId, EventStream, Options, Readiness, Reply, Response, Stream, Upgrade};

/// A deadline is kept in steps of this much: it strikes at most so much late.
const STEP: Duration = Duration::from_millis(250);

/// A server with an ending of every kind, by path.
fn serving(options: Options) -> (World, Log) {
    let log = Log::new();
    let recorder = Recorder::new(&log)
        .request(|_, request| match request.path() {
            "/ws" => Upgrade::new().into(),
            "/events" => EventStream::new().into(),
            "/upload" => Reply::Body(1_000),
            "/later" => Reply::Later,
            "/stream" => Stream::new(Response::new(200)).into(),
            "/take" => Reply::Takeover(Response::empty(101)),
            "/big" => "x".repeat(100_000).into(),
            path => path.to_owned().into(),
        })
        .body(|_, _, body| match body {
            b"later" => Reply::Later,
            body => body.len().to_string().into(),
        });
    let mut sim = World::serving(|server| server.options(options));
    sim.server.zone("/", recorder);
    (sim, log)
}

/// Lets time pass until the server has dropped the connection, and returns how long it took.
fn until_gone(sim: &mut World, client: Client, mut each: impl FnMut(&mut World)) -> Duration {
    let start = sim.now;
    while !sim.is_gone(client) {
        each(sim);
        sim.advance(millis(50));
        assert!(sim.now - start < seconds(1_000), "it never came to pass");
    }
    sim.now - start
}

fn assert_on_time(taken: Duration, deadline: Duration, what: &str) {
    let latest = deadline + STEP + millis(50);
    assert!(taken >= deadline && taken <= latest, "{what}: {taken:?}, not {deadline:?}");
}

/// A request or a frame that is refused, the status or the code, and whether it needs a WebSocket.
fn refusals() -> Vec<(Vec<u8>, u16, bool)> {
    let long = "x".repeat(20_000);
    let length = "Content-Length: 400000000\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let foreign = http::handshake_with("/ws", "Origin: http://elsewhere.example\r\n");
    let old = http::handshake("/ws").replace("Version: 13", "Version: 25");
    let http: [(String, u16); 10] = [
        (http::request("POST", "/upload", length, ""), 413),
        (http::request("POST", "/upload", chunked, "17d78400\r\n"), 413),
        (http::request("POST", "/other", length, ""), 200),
        (http::request("POST", "/later", length, ""), 503),
        (http::get(&format!("/{}", &long[..9_000])), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nA: {long}"), 431),
        ("GET / HTTP/1.1\r\nHost a\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/9.1\r\nHost: a\r\n\r\n".to_owned(), 505),
        (foreign, 403),
        (old, 426),
    ];
    let frames: [(Vec<u8>, u16); 4] = [
        (vec![0x82, 0xFF, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4], 1009),
        (vec![0x80, 0x80, 1, 2, 3, 4], 1002),
        (vec![0x81, 0x81, 0, 0, 0, 0, 0xFF], 1007),
        (frames::text("one too many"), 1008),
    ];
    let http = http.map(|(wire, status)| (wire.into_bytes(), status, false));
    http.into_iter().chain(frames.map(|(wire, code)| (wire, code, true))).collect()
}

/// Has something refused; the answer stays unread.
fn refused(sim: &mut World, wire: &[u8], on_websocket: bool) -> Client {
    if on_websocket {
        let client = sim.raw_websocket("/ws");
        for _ in 0..3 {
            sim.send(client, wire);
        }
        return client;
    }
    let client = sim.connect();
    sim.send(client, wire);
    while !sim.is_ended(client) {
        sim.advance(STEP); // until the answer that is owed is late
    }
    client
}

fn assert_answered(sim: &mut World, client: Client, expected: u16, on_websocket: bool) {
    let bytes = sim.receive(client);
    if on_websocket {
        let code = expected.to_be_bytes();
        let close = bytes.windows(2).any(|window| window == code);
        assert!(close, "{expected}: {}", bytes.escape_ascii());
    } else {
        assert_eq!(only(&bytes).status, expected);
    }
}

fn one_message() -> Options {
    let rate = switchboard::Rate::per_second(1).burst(2);
    Options::new().answer_timeout(seconds(1)).message_rate(rate)
}

#[test]
fn server_lets_a_refused_upload_go_on_until_its_client_reads_the_answer() {
    for (wire, expected, on_websocket) in refusals() {
        let (mut sim, _) = serving(one_message());
        let client = refused(&mut sim, &wire, on_websocket);
        assert!(sim.is_ended(client), "{expected}: our side has ended");
        // 1.7 MB a second. A connection that is dropped here is reset, and the answer lost.
        for tenth in 0..270 {
            sim.push(client, vec![b'x'; 170_000]);
            sim.advance(millis(100));
            assert!(!sim.is_gone(client), "{expected}: reset after {tenth} tenths of a second");
        }
        assert_answered(&mut sim, client, expected, on_websocket);
        sim.end(client);
        assert!(sim.is_gone(client), "{expected}");
        assert_eq!(sim.stats().connections, 0);
    }
}

#[test]
fn server_lingers_five_seconds_after_each_read_and_thirty_in_all() {
    for (wire, expected, on_websocket) in refusals() {
        // A byte now and then is enough, but not for ever.
        let (mut sim, _) = serving(one_message());
        let client = refused(&mut sim, &wire, on_websocket);
        let begun = sim.now;
        for _ in 0..6 {
            sim.advance(millis(4_200));
            assert!(!sim.is_gone(client), "{expected} after {:?}", sim.now - begun);
            sim.send(client, "x");
        }
        let taken = until_gone(&mut sim, client, |sim| sim.push(client, "x"));
        let all = sim.now - begun;
        assert!(all > seconds(27) && all <= seconds(30) + STEP + millis(50), "{taken:?} {all:?}");

        let (mut sim, _) = serving(one_message());
        let client = refused(&mut sim, &wire, on_websocket);
        for _ in 0..3 {
            sim.send(client, "x");
            sim.advance(seconds(4));
        }
        sim.send(client, "x");
        let taken = until_gone(&mut sim, client, |_| {});
        assert_on_time(taken, seconds(5), "after the last read");
    }
}

#[test]
fn options_set_how_long_the_server_lingers() {
    let close = http::request("GET", "/a", "Connection: close\r\n", "");
    let never = Duration::MAX;
    for (timeout, limit, silent, sending) in [
        (seconds(5), seconds(30), seconds(5), seconds(30)),
        (seconds(2), seconds(9), seconds(2), seconds(9)),
        (seconds(9), seconds(2), seconds(2), seconds(2)),
        (seconds(1), seconds(1), seconds(1), seconds(1)),
        (never, seconds(40), seconds(40), seconds(40)),
        (seconds(3), seconds(500), seconds(3), seconds(500)),
    ] {
        for (sends, expected) in [(false, silent), (true, sending)] {
            let options = Options::new().linger_timeout(timeout).linger_limit(limit);
            let (mut sim, _) = serving(options);
            let client = sim.connect();
            sim.send(client, &close);
            let taken = until_gone(&mut sim, client, |sim| {
                if sends {
                    sim.push(client, "more");
                }
            });
            assert_on_time(taken, expected, &format!("{timeout:?} {limit:?} {sends}"));
        }
    }
    let options = Options::new().linger_timeout(seconds(3)).linger_limit(never);
    let (mut sim, _) = serving(options);
    let client = sim.connect();
    sim.send(client, &close);
    for _ in 0..1_000 {
        sim.push(client, "more");
        sim.advance(seconds(2));
    }
    assert!(!sim.is_gone(client), "without a limit, as long as the peer sends");
    assert_on_time(until_gone(&mut sim, client, |_| {}), seconds(3) - seconds(2), "and no longer");
}

/// The peer reads the Close frame behind a large output at its own speed: that is a sign of life,
/// too, and the time for its end of file begins with the last byte.
#[test]
fn server_lingers_while_a_slow_reader_takes_the_last_bytes() {
    let (mut sim, log) = serving(Options::new());
    let client = sim.raw_websocket("/ws");
    sim.window(client, 0);
    let id = log.last_id();
    sim.context().send(id, "x".repeat(1_000_000).as_str());
    sim.settle();
    sim.send(client, [0x80, 0x80, 1, 2, 3, 4]);
    let mut bytes = Vec::new();
    for second in 0..11 {
        sim.window(client, 100_000);
        bytes.extend(sim.receive(client));
        assert!(!sim.is_gone(client), "gone after {second} s");
        sim.advance(seconds(1));
    }
    assert!(sim.is_ended(client));
    assert!(words(&bytes).last().is_some_and(|word| word.contains("1002")), "the Close frame");
    assert_on_time(until_gone(&mut sim, client, |_| {}), seconds(4), "a second has passed");
}

/// The turns in which a lingering connection reads ten megabytes and the end of file.
fn turns_until_gone(sim: &mut World, client: Client) -> usize {
    sim.push(client, vec![b'x'; 10_000_000]);
    // Behind what it has sent, and without a turn.
    sim.peer(client).end();
    let (token, now) = (sim.token(client), sim.now);
    sim.server.ready(token, Readiness { read_closed: true, ..Readiness::READABLE }, now);
    let mut turns = 0;
    while !sim.is_gone(client) {
        sim.turn();
        turns += 1;
        assert!(turns < 10_000);
    }
    turns
}

#[test]
fn server_discards_one_buffer_a_turn() {
    let buffers = 10_000_000 / (128 << 10);
    for (wire, expected, on_websocket) in refusals() {
        let (mut sim, _) = serving(one_message());
        let client = refused(&mut sim, &wire, on_websocket);
        let turns = turns_until_gone(&mut sim, client);
        assert!((buffers..=buffers + 3).contains(&turns), "{expected}: {turns} turns");
    }
    // A message that is begun has a buffer of its own, which is of no use any more.
    let (mut sim, log) = serving(Options::new().max_buffered(1_000));
    let client = sim.raw_websocket("/ws");
    let id = log.last_id();
    sim.send(client, [0x82, 0xFF, 0, 0, 0, 0, 0, 0xF0, 0, 0, 1, 2, 3, 4]);
    sim.send(client, vec![b'x'; 1_000_000]);
    sim.window(client, 0);
    sim.context().send(id, "x".repeat(2_000).as_str());
    sim.context().send(id, "x".repeat(2_000).as_str());
    sim.window(client, usize::MAX);
    assert!(sim.is_ended(client), "closed with 1013");
    let turns = turns_until_gone(&mut sim, client);
    assert!((buffers..=buffers + 3).contains(&turns), "{turns} turns");
}

/// How a client ends its side, and whether the server is told.
type End = fn(&mut World, Client);
const ENDS: [End; 2] = [|sim, client| sim.end(client), |sim, client| sim.end_quietly(client)];

fn respond(sim: &mut World, id: ConnId, text: &'static str) {
    sim.context().respond(id, text);
    sim.settle();
}

#[test]
fn server_owes_a_deferred_answer_to_a_client_that_has_ended_its_side() {
    let body = http::post("/upload", "later");
    let chunked = http::post_chunked("/upload", &["lat", "er"]);
    for wire in [http::get("/later"), body, chunked] {
        for end in ENDS {
            for early in [false, true] {
                let (mut sim, log) = serving(Options::new());
                let client = sim.connect();
                match early {
                    true => sim.push(client, &wire),
                    false => sim.send(client, &wire),
                }
                end(&mut sim, client);
                sim.advance(seconds(20));
                assert!(!sim.is_gone(client) && sim.receive(client).is_empty(), "{wire}");
                respond(&mut sim, log.last_id(), "here it is");
                let answer = only(&sim.receive(client));
                assert_eq!((answer.text(), sim.is_gone(client)), ("here it is", true), "{wire}");
                assert!(!log.take().contains(&"cancelled".to_owned()));
                assert_eq!(sim.stats().connections, 0);
            }
        }
    }
}

#[test]
fn server_marks_the_answer_to_a_client_that_has_ended_its_side_as_the_last() {
    let (mut sim, log) = serving(Options::new());
    let client = sim.connect();
    sim.send(client, http::get("/later"));
    sim.end(client);
    respond(&mut sim, log.last_id(), "here it is");
    assert!(only(&sim.receive(client)).closes());
}

#[test]
fn server_answers_everything_that_came_before_the_end() {
    let later = http::get("/later");
    let rows: [(String, &[&str]); 5] = [
        (http::get("/a") + &later, &["/a", "later"]),
        (later.clone() + &http::get("/a"), &["later", "/a"]),
        (later.repeat(3), &["later"; 3]),
        (later.clone() + &http::get("/a").repeat(2_000), &["later"]),
        (later.clone() + "GET /half HTT", &["later"]),
    ];
    for (wire, expected) in rows {
        for end in ENDS {
            for held_back in [0, 1, 60, wire.len() - 1] {
                let (mut sim, log) = serving(Options::new());
                let client = sim.connect();
                let (first, rest) = wire.split_at(wire.len() - held_back.min(wire.len() - 1));
                sim.send(client, first);
                sim.push(client, rest);
                end(&mut sim, client);
                let mut owed = 0;
                while !sim.is_gone(client) {
                    let ids = log.take_all();
                    let id = ids.iter().rev().find(|(_, call)| call.ends_with("/later"));
                    let Some(&(id, _)) = id else { break };
                    respond(&mut sim, id, "later");
                    owed += 1;
                }
                sim.send(client, ""); // what was not told is found by reading only
                let bytes = sim.receive(client);
                let answers = http::answers(&bytes);
                let texts: Vec<_> = answers.iter().map(http::Answer::text).collect();
                assert_eq!(texts[..expected.len()], *expected, "{held_back}");
                let all = if wire.len() > 10_000 { 2_001 } else { expected.len() };
                assert_eq!((texts.len(), owed > 0), (all, true), "{held_back}");
                assert!(sim.is_gone(client), "{held_back}");
            }
        }
    }
}

#[test]
fn option_cancels_the_answers_of_a_client_that_has_ended_its_side() {
    for (path, expected) in [
        ("/later", &["request GET /later", "cancelled"][..]),
        ("/stream", &["request GET /stream", "writable", "cancelled"]),
    ] {
        let (mut sim, log) = serving(Options::new().half_close(false));
        let client = sim.connect();
        sim.send(client, http::get(path));
        let id = log.last_id();
        sim.end(client);
        assert!(sim.is_gone(client), "{path}");
        respond(&mut sim, id, "too late");
        assert_eq!(log.take(), expected);
        // Together with the request.
        let client = sim.connect();
        sim.push(client, http::get(path));
        sim.end(client);
        assert!(sim.is_gone(client), "{path}");
        assert_eq!(log.take().last().map(String::as_str), Some("cancelled"), "{path}");
    }
    // What is whole still leaves.
    let (mut sim, _) = serving(Options::new().half_close(false));
    let client = sim.connect();
    sim.window(client, 10);
    sim.push(client, http::get("/big"));
    sim.end(client);
    sim.window(client, usize::MAX);
    assert_eq!(only(&sim.receive(client)).body.len(), 100_000);
    assert!(sim.is_gone(client));
}

#[test]
fn reset_cancels_at_once_also_behind_an_end() {
    for half_close in [true, false] {
        for (path, ends) in [("/later", true), ("/later", false), ("/stream", true)] {
            let (mut sim, log) = serving(Options::new().half_close(half_close));
            let client = sim.connect();
            sim.send(client, http::get(path));
            if ends {
                sim.end(client);
            }
            if !sim.is_gone(client) {
                sim.fail(client, ErrorKind::ConnectionReset);
            }
            let calls = log.take();
            let cancelled = calls.iter().filter(|call| *call == "cancelled").count();
            assert_eq!((sim.is_gone(client), cancelled), (true, 1), "{path} {ends} {calls:?}");
        }
    }
}

#[test]
fn server_answers_503_to_an_ended_client_whose_answer_is_late() {
    let (mut sim, log) = serving(Options::new().answer_timeout(seconds(5)));
    let client = sim.connect();
    sim.send(client, http::get("/later"));
    sim.end(client);
    sim.advance(seconds(6));
    assert_eq!(only(&sim.receive(client)).status, 503);
    assert_eq!(log.take(), ["request GET /later", "cancelled"]);
    assert!(sim.is_gone(client));
}

#[test]
fn handler_learns_that_the_peer_has_ended_its_side() {
    let seen = Log::new();
    let note = seen.clone();
    let log = Log::new();
    let mut sim = World::new();
    sim.server.zone(
        "/",
        Recorder::new(&log).request(move |conn, _| {
            note.note(conn.id(), format!("ended {}", conn.peer_ended()));
            Reply::Later
        }),
    );
    let client = sim.connect();
    sim.send(client, http::get("/later"));
    let id = log.last_id();
    assert!(!sim.context().conn(id).unwrap().peer_ended());
    sim.end(client);
    assert!(sim.context().conn(id).unwrap().peer_ended());
    respond(&mut sim, id, "here");
    assert!(sim.context().conn(id).is_none());
    let client = sim.connect();
    sim.push(client, http::get("/later"));
    sim.end(client);
    assert_eq!(seen.take(), ["ended false", "ended true"]);
}

/// What a FIN ends at once: what has no last byte of its own.
#[test]
fn end_of_the_peer_ends_what_is_open() {
    for path in ["/ws", "/events", "/take"] {
        for half_close in [true, false] {
            let (mut sim, log) = serving(Options::new().half_close(half_close));
            let client = sim.connect();
            let wire = if path == "/ws" { http::handshake(path) } else { http::get(path) };
            sim.send(client, wire);
            sim.end(client);
            let calls = log.take();
            assert_eq!(calls.last().map(String::as_str), Some("close 1006 \"\""), "{path}");
            assert!(sim.is_gone(client), "{path}");
        }
    }
}

#[test]
fn takeover_sends_what_it_has_written_before_the_peer_ended() {
    for end in ENDS {
        let (mut sim, log) = serving(Options::new());
        let client = sim.connect();
        sim.send(client, http::get("/take"));
        sim.receive(client);
        sim.window(client, 10);
        let id = log.last_id();
        if let Some(mut conn) = sim.context().conn(id) {
            conn.write(&[b'x'; 1_000]);
        }
        end(&mut sim, client);
        assert!(!sim.is_gone(client), "gone before its bytes have left");
        assert_eq!(log.take().last().map(String::as_str), Some("close 1006 \"\""));
        sim.window(client, usize::MAX);
        assert_eq!((sim.receive(client).len(), sim.is_gone(client)), (1_000, true));
    }
}

#[test]
fn upgrade_of_a_client_that_has_ended_its_side_opens_and_closes() {
    let log = Log::new();
    let mut sim = World::new();
    sim.server.zone("/", Recorder::new(&log).request(|_, _| Reply::Later));
    let client = sim.connect();
    sim.push(client, [http::handshake("/ws").as_bytes(), &frames::text("early")].concat());
    sim.end(client);
    sim.context().upgrade(log.last_id(), Upgrade::new());
    sim.settle();
    assert_eq!(log.take(), ["request GET /ws", "open /ws", "text early", "close 1006 \"\""]);
    assert!(after_handshake(&sim.receive(client)).is_empty() && sim.is_gone(client));
}

#[test]
fn server_drops_an_event_stream_whose_reader_takes_nothing() {
    for (interval, write) in [(15, 30), (60, 10), (10, 60), (5, 5), (300, 1)] {
        for begun in [0, 1, 4] {
            let (interval, write) = (seconds(interval), seconds(write));
            let options = Options::new().event_stream_interval(interval).write_timeout(write);
            let (mut sim, log) = serving(options);
            let client = sim.raw_events("/events");
            let id = log.last_id();
            sim.advance(seconds(begun));
            sim.window(client, 0);
            sim.context().send(id, "an event");
            let taken = until_gone(&mut sim, client, |sim| {
                sim.context().send(id, "another");
            });
            let limit = interval + write + STEP * 3;
            assert!(taken <= limit, "{taken:?} for {interval:?} and {write:?}");
            assert_eq!(log.take().last().map(String::as_str), Some("close 1006 \"\""));
        }
    }
}

#[test]
fn server_keeps_an_event_stream_whose_reader_is_slow() {
    let options = Options::new().event_stream_interval(seconds(60)).write_timeout(seconds(10));
    let (mut sim, log) = serving(options);
    let client = sim.raw_events("/events");
    let id = log.last_id();
    sim.window(client, 0);
    sim.context().send(id, "x".repeat(100_000).as_str());
    for _ in 0..100 {
        sim.advance(seconds(8));
        sim.window(client, 10);
    }
    assert!(!sim.is_gone(client), "it takes something");
}
