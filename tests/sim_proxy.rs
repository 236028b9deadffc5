//! A server behind a proxy that cuts silent connections after 60 s, buffers answers, and keeps
//! connections for further requests: the headers and the times that suit it.

mod common;

use std::time::Duration;

use common::http::{self, Answer, answer};
use common::serving::serving;
use common::{Bytes, Log, Recorder, World, millis, seconds};
use switchboard::{EventStream, Options, Reply, Response, Stream, Upgrade};

/// The values of all lines of one name.
fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let named = answer.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.map(|(_, value)| &**value).collect()
}

/// Sends a request with these bytes over a connection of its own.
fn ask(sim: &mut World, request: &str) -> Answer {
    let client = sim.connect();
    let bytes = sim.ask(client, request);
    answer(&bytes, request.split(' ').next().unwrap_or_default()).0
}

// ---- event streams -----------------------------------------------------------------------------

fn streams() -> World {
    World::serving(|server| {
        server.http("/", |_, request| -> Reply {
            let stream = EventStream::new();
            match request.path() {
                "/own" => stream.header("cache-control", "no-store").into(),
                "/twice" => stream.header("Vary", "a").header("Vary", "b").into(),
                "/buffered" => stream.header("X-ACCEL-BUFFERING", "yes").into(),
                "/bad" => stream.header("Cache-Control", "a\nb").into(),
                _ => stream.into(),
            }
        });
    })
}

/// nginx holds an answer back unless `X-Accel-Buffering` forbids it. A proxy that compresses would
/// hold it back, too, unless `no-transform` forbids that (RFC 9111 5.2.2.6).
#[test]
fn event_stream_tells_proxies_neither_to_buffer_nor_to_transform_it() {
    let requests = [
        http::get("/events"),
        http::request("HEAD", "/events", "", ""),
        // As nginx asks by default.
        "GET /events HTTP/1.0\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n".into(),
        http::request("GET", "/events", "Last-Event-ID: 7\r\nAccept: text/event-stream\r\n", ""),
    ];
    for request in requests {
        let answer = ask(&mut streams(), &request);
        assert_eq!(answer.status, 200, "{request}");
        assert_eq!(values(&answer, "x-accel-buffering"), ["no"], "{request}");
        assert_eq!(values(&answer, "cache-control"), ["no-cache, no-transform"], "{request}");
        assert_eq!(values(&answer, "content-type"), ["text/event-stream"], "{request}");
    }
}

#[test]
fn event_stream_replaces_its_own_lines_by_the_handlers() {
    let mut sim = streams();
    let own = ask(&mut sim, &http::get("/own"));
    assert_eq!(values(&own, "cache-control"), ["no-store"]);
    assert_eq!(values(&own, "x-accel-buffering"), ["no"]);
    assert_eq!(values(&ask(&mut sim, &http::get("/buffered")), "x-accel-buffering"), ["yes"]);
    assert_eq!(values(&ask(&mut sim, &http::get("/twice")), "vary"), ["a", "b"]);
    assert_eq!(ask(&mut sim, &http::get("/bad")).status, 500);
}

// ---- silence -----------------------------------------------------------------------------------

/// The wait after which nginx and most load balancers cut a silent connection.
const PROXY: Duration = Duration::from_secs(60);

#[test]
fn silent_websocket_is_pinged_before_a_proxy_cuts_it() {
    let (mut sim, _) = serving(Options::new().first_byte_timeout(seconds(600)));
    let clients: Vec<_> = (0..400).map(|_| sim.raw_websocket("/socket")).collect();
    sim.advance(seconds(45) - millis(1));
    assert!(clients.iter().all(|client| sim.receive(*client).is_empty()), "before 45 s");
    sim.advance(millis(1));
    let mut at_once = Vec::new();
    for _ in 0..21 {
        sim.advance(millis(250));
        at_once.push(clients.iter().filter(|client| !sim.receive(**client).is_empty()).count());
    }
    assert_eq!(at_once.iter().sum::<usize>(), 400, "each once, by 50.25 s: {at_once:?}");
    assert!(at_once.iter().all(|pinged| *pinged <= 40), "spread: {at_once:?}");
}

/// What arrives last counts, whatever it is.
#[test]
fn silence_is_counted_from_the_last_byte() {
    let (mut sim, _) = serving(Options::new());
    let client = sim.raw_websocket("/socket");
    for _ in 0..10 {
        sim.advance(seconds(44));
        let words = sim.ask_words(client, common::frames::pong(""));
        assert_eq!(words, [""; 0], "no ping yet");
    }
    sim.advance(millis(50_250));
    assert_eq!(sim.words(client), ["ping"]);
}

/// No kind of open exchange is silent for as long as a proxy waits.
#[test]
fn server_is_never_silent_for_as_long_as_a_proxy_waits() {
    for path in ["/socket", "/events"] {
        let (mut sim, _) = serving(Options::new());
        let client = if path == "/socket" { sim.raw_websocket(path) } else { sim.raw_events(path) };
        for _ in 0..20 {
            sim.advance(PROXY - seconds(5));
            assert!(!sim.receive(client).is_empty(), "{path}");
            if path == "/socket" {
                sim.send(client, common::frames::pong(""));
            }
        }
    }
}

// ---- keep-alive --------------------------------------------------------------------------------

/// The values of `Connection` and `Keep-Alive`.
fn kept(sim: &mut World, request: &str) -> (String, String) {
    let answer = ask(sim, request);
    (values(&answer, "connection").join("|"), values(&answer, "keep-alive").join("|"))
}

fn keeping(options: Options) -> World {
    World::serving(|server| {
        server.options(options);
        let recorder = Recorder::new(&Log::new()).writable(|conn| conn.finish());
        let recorder = recorder.request(|_, request| -> Reply {
            match request.path() {
                "/socket" => Upgrade::new().into(),
                "/events" => EventStream::new().into(),
                "/close" => Response::text("x").close().into(),
                "/none" => Response::new(204).into(),
                "/unchanged" => Response::new(304).into(),
                "/own" => Response::text("x").header("Keep-Alive", "timeout=3, max=9").into(),
                "/upgrade" => Response::text("x").header("Upgrade", "h2c").into(),
                "/length" => Stream::new(Response::new(200)).length(0).into(),
                "/chunked" => Stream::new(Response::new(200)).into(),
                "/pass" => Reply::Pass,
                _ => "x".into(),
            }
        });
        server.zone("/", recorder);
    })
}

/// The client learns for how long it may use the connection again: five seconds less than the
/// server waits, so that no request crosses the server's end of the connection.
#[test]
fn kept_answer_tells_how_long_the_connection_is_kept() {
    let get = |path: &str| http::get(path);
    let lines = |lines: &str| http::request("GET", "/", lines, "");
    let old = |lines: &str| format!("GET / HTTP/1.0\r\nHost: a\r\n{lines}\r\n");
    let rows: [(String, &str, &str); 21] = [
        (get("/"), "keep-alive", "timeout=70"),
        (http::request("HEAD", "/", "", ""), "keep-alive", "timeout=70"),
        (http::request("OPTIONS", "/", "", ""), "keep-alive", "timeout=70"),
        (http::post("/", "hello"), "keep-alive", "timeout=70"),
        (lines("Connection: keep-alive\r\n"), "keep-alive", "timeout=70"),
        (get("/none"), "keep-alive", "timeout=70"),
        (get("/unchanged"), "keep-alive", "timeout=70"),
        (get("/pass"), "keep-alive", "timeout=70"),
        (get("/chunked"), "keep-alive", "timeout=70"),
        (get("/length"), "keep-alive", "timeout=70"),
        (get("/upgrade"), "keep-alive, upgrade", "timeout=70"),
        (get("/own"), "keep-alive", "timeout=3, max=9"),
        (old("Connection: keep-alive\r\n"), "keep-alive", "timeout=70"),
        (old(""), "close", ""),
        (old("Connection: close\r\n"), "close", ""),
        (lines("Connection: close\r\n"), "close", ""),
        (lines("Connection: keep-alive, close\r\n"), "close", ""),
        (get("/close"), "close", ""),
        (get("/events"), "close", ""),
        (http::handshake("/socket"), "Upgrade", ""),
        ("GET / HTTP/1.1\r\n\r\n".into(), "close", ""),
    ];
    for (request, connection, keep_alive) in rows {
        let mut sim = keeping(Options::new());
        let (is, says) = kept(&mut sim, &request);
        assert_eq!((&*is, &*says), (connection, keep_alive), "{request}");
    }
}

#[test]
fn keep_alive_header_is_five_seconds_less_than_the_timeout() {
    let old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let rows = [
        (seconds(75), "timeout=70"),
        (millis(75_999), "timeout=71"),
        (millis(75_750), "timeout=70"),
        (seconds(60), "timeout=55"),
        (seconds(7), "timeout=2"),
        (millis(6_250), "timeout=1"),
        (seconds(6), "timeout=1"),
        // Below six seconds there is nothing left to promise.
        (millis(5_750), ""),
        (seconds(5), ""),
        (seconds(1), ""),
        (Duration::ZERO, ""),
        (seconds(1_000_000), "timeout=999995"),
        // Without an end there is nothing to tell.
        (Duration::MAX, ""),
    ];
    for (timeout, says) in rows {
        let options = Options::new().keep_alive_timeout(timeout);
        let connection = if says.is_empty() { "" } else { "keep-alive" };
        let (is, told) = kept(&mut keeping(options.clone()), &http::get("/"));
        assert_eq!((&*is, &*told), (connection, says), "{timeout:?}");
        // HTTP/1.0 closes unless it reads this.
        let (is, told) = kept(&mut keeping(options), old);
        assert_eq!((&*is, &*told), ("keep-alive", says), "{timeout:?} in HTTP/1.0");
    }
}

#[test]
fn keep_alive_header_is_turned_off_by_its_option() {
    let old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    // The order of the setters does not count.
    let options = [
        Options::new().keep_alive_header(false).keep_alive_timeout(seconds(30)),
        Options::new().keep_alive_timeout(seconds(30)).keep_alive_header(false),
    ];
    for options in options {
        let mut sim = keeping(options.clone());
        assert_eq!(kept(&mut sim, &http::get("/")), (String::new(), String::new()));
        assert_eq!(kept(&mut sim, old), ("keep-alive".into(), String::new()));
        let mut sim = keeping(options.keep_alive_header(true));
        assert_eq!(kept(&mut sim, &http::get("/")).1, "timeout=25");
    }
}

/// What the client is told holds: a request in its last second is answered.
#[test]
fn connection_is_kept_for_longer_than_its_header_says() {
    let mut sim = keeping(Options::new());
    let client = sim.connect();
    for _ in 0..5 {
        let (answer, _) = answer(&sim.ask(client, http::get("/")), "GET");
        assert_eq!(values(&answer, "keep-alive"), ["timeout=70"]);
        sim.advance(seconds(70));
    }
    assert!(!sim.is_gone(client));
    sim.advance(millis(5_250));
    assert!(sim.is_gone(client), "75 s and a step");
}

/// A connection that its `lifetime` ends before the client's time is over promises nothing.
#[test]
fn connection_near_the_end_of_its_lifetime_tells_no_time() {
    let mut sim = keeping(Options::new().lifetime(seconds(320)));
    let client = sim.connect();
    let mut told = Vec::new();
    while !sim.is_gone(client) {
        let (answer, _) = answer(&sim.ask(client, http::get("/")), "GET");
        told.push((sim.now, !values(&answer, "keep-alive").is_empty()));
        sim.advance(seconds(10));
    }
    let end = sim.now;
    for (at, promised) in told {
        assert!(!promised || end - at >= seconds(70), "{:?} before the end", end - at);
        assert!(promised || end - at < seconds(70 + 32), "{:?} before the end", end - at);
    }
}

/// The last answer of a connection that drains tells no time.
#[test]
fn draining_server_tells_no_time() {
    let mut sim = keeping(Options::new());
    let client = sim.connect();
    sim.send(client, "GET / HT");
    let now = sim.now;
    sim.server.context(now).drain(switchboard::Drain::within(seconds(9))).unwrap();
    let (answer, _) = answer(&sim.ask(client, "TP/1.1\r\nHost: a\r\n\r\n"), "GET");
    assert_eq!(
        (values(&answer, "connection"), values(&answer, "keep-alive")),
        (vec!["close"], vec![])
    );
}
