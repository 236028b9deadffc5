//! Answers made piece by piece, and event streams: their framing, their pace, and how they end.

mod common;

use std::io::ErrorKind;

use common::http::{self, Answer, only};
use common::{Bytes, Client, Log, Recorder, World, millis, seconds};
use switchboard::{
    Drain, EventStream, Message, Options, Outgoing, Reply, Response, Stream, ZoneId,
};

/// `/chunked` and `/counted` stream four pieces, one a call; `/short` and `/long` declare another
/// length than they have; `/empty` has none. Other requests are answered with their path.
fn streaming(log: &Log) -> (World, ZoneId<Recorder>) {
    let mut left = 0;
    let recorder = Recorder::new(log)
        .request(move |_, request| {
            let head = Response::new(200).header("X-Stream", "yes");
            match request.path() {
                "/chunked" => Stream::new(head).into(),
                "/counted" => Stream::new(head).length(20).into(),
                "/short" => Stream::new(head).length(21).into(),
                "/long" => Stream::new(head).length(17).into(),
                "/silent" => Stream::new(head).length(0).into(),
                "/nothing" => Stream::new(Response::new(204)).into(),
                path => Reply::from(path.to_owned()),
            }
        })
        .writable(move |conn| {
            left = if left == 0 { 4 } else { left };
            left -= 1;
            conn.write(b"piece");
            if left > 0 { conn.want_writable() } else { conn.finish() }
        });
    let mut sim = World::new();
    let zone = sim.server.zone("/", recorder);
    (sim, zone)
}

const BODY: &str = "piecepiecepiecepiece";

#[test]
fn server_frames_a_stream_as_the_client_understands_it() {
    let get10 = |path: &str, lines: &str| format!("GET {path} HTTP/1.0\r\n{lines}\r\n");
    let keep = "Connection: keep-alive\r\n";
    let head = |path: &str| http::request("HEAD", path, "", "");
    // The request, the header that frames the answer, its body, and whether the connection goes on.
    type Row = (String, Option<(&'static str, &'static str)>, &'static str, bool);
    let rows: [Row; 11] = [
        (http::get("/chunked"), Some(("transfer-encoding", "chunked")), BODY, true),
        (http::get("/counted"), Some(("content-length", "20")), BODY, true),
        (http::get("/long"), Some(("content-length", "17")), &BODY[..17], true),
        (http::get("/silent"), Some(("content-length", "0")), "", true),
        (http::get("/nothing"), None, "", true),
        (head("/chunked"), Some(("transfer-encoding", "chunked")), "", true),
        (head("/counted"), Some(("content-length", "20")), "", true),
        (get10("/chunked", keep), None, BODY, false),
        (get10("/counted", keep), Some(("content-length", "20")), BODY, true),
        (get10("/counted", ""), Some(("content-length", "20")), BODY, false),
        (
            http::request("GET", "/chunked", "Connection: close\r\n", ""),
            Some(("transfer-encoding", "chunked")),
            BODY,
            false,
        ),
    ];
    for (wire, framing, body, goes_on) in rows {
        let log = Log::new();
        let (mut sim, _) = streaming(&log);
        let client = sim.connect();
        let bytes = sim.ask(client, &wire);
        let method = if wire.starts_with("HEAD") { "HEAD" } else { "GET" };
        let (answer, len) = http::answer(&bytes, method);
        assert_eq!((len, answer.text(), answer.closes()), (bytes.len(), body, !goes_on), "{wire}");
        match framing {
            Some((name, value)) => assert_eq!(answer.header(name), Some(value), "{wire}"),
            None => assert!(
                answer.header("content-length").is_none()
                    && answer.header("transfer-encoding").is_none()
            ),
        }
        assert_eq!(log.take()[1..], ["writable"; 4], "{wire}");
        assert_eq!(sim.is_ended(client), !goes_on, "{wire}");
        if goes_on {
            assert_eq!(http::bodies(&sim.ask(client, http::get("/next"))), "/next", "{wire}");
        }
    }
}

#[test]
fn server_keeps_pipelined_requests_behind_a_stream() {
    let log = Log::new();
    let (mut sim, _) = streaming(&log);
    let client = sim.connect();
    let wire = http::get("/chunked") + &http::get("/a") + &http::get("/counted") + &http::get("/b");
    assert_eq!(http::bodies(&sim.ask(client, wire)), format!("{BODY} /a {BODY} /b"));
}

#[test]
fn handler_is_told_writable_once_a_turn() {
    let log = Log::new();
    let (mut sim, _) = streaming(&log);
    let client = sim.connect();
    sim.push(client, http::get("/chunked"));
    for turn in 0..4 {
        sim.turn();
        let calls = log.take();
        assert_eq!(
            calls.iter().filter(|call| *call == "writable").count(),
            1,
            "turn {turn}: {calls:?}"
        );
    }
    sim.settle();
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn handler_is_told_writable_only_when_all_has_left() {
    let log = Log::new();
    let (mut sim, _) = streaming(&log);
    let client = sim.connect();
    sim.peer(client).window(0);
    sim.send(client, http::get("/counted"));
    assert_eq!(log.take(), ["request GET /counted"], "the head has not left");
    sim.window(client, 100_000);
    let head = sim.receive(client).len() - BODY.len();
    sim.send(client, http::get("/counted"));
    log.take();
    let mut writable = 0;
    sim.window(client, 0);
    sim.receive(client);
    sim.send(client, http::get("/counted"));
    for _ in 0..head + BODY.len() + 10 {
        sim.window(client, 1);
        let taken = sim.receive(client).len();
        let called = log.take().iter().filter(|call| *call == "writable").count();
        writable += called;
        assert!(called <= 1 && taken <= 1);
    }
    assert_eq!(writable, 4);
}

#[test]
fn server_breaks_off_a_stream_that_is_short_of_its_length() {
    let log = Log::new();
    let (mut sim, _) = streaming(&log);
    let client = sim.connect();
    let bytes = sim.ask(client, http::get("/short") + &http::get("/next"));
    assert!(sim.is_gone(client), "only that tells the client");
    assert!(!String::from_utf8_lossy(&bytes).contains("/next"));
    assert_eq!(
        log.take(),
        ["request GET /short", "writable", "writable", "writable", "writable"],
        "it was the handler's own doing"
    );
}

type Leave = fn(&mut World, Client);

#[test]
fn handler_hears_once_that_the_peer_of_a_stream_is_lost() {
    for window in [0, 10, 200, usize::MAX] {
        let log = Log::new();
        let (mut sim, _) = streaming(&log);
        let client = sim.connect();
        sim.peer(client).window(window);
        sim.push(client, http::get("/counted"));
        sim.turn();
        sim.fail(client, ErrorKind::ConnectionReset);
        sim.advance(seconds(90));
        assert!(sim.is_gone(client));
        assert_eq!(
            log.take().iter().filter(|call| *call == "cancelled").count(),
            1,
            "window {window}"
        );
    }
}

#[test]
fn server_finishes_a_stream_for_a_half_closed_client() {
    let ways: [Leave; 2] = [|sim, client| sim.end(client), |sim, client| sim.end_quietly(client)];
    for leave in ways {
        let log = Log::new();
        let (mut sim, _) = streaming(&log);
        let client = sim.connect();
        sim.peer(client).window(50);
        sim.push(client, http::get("/chunked"));
        leave(&mut sim, client);
        assert!(!sim.is_gone(client));
        sim.window(client, usize::MAX);
        assert_eq!(only(&sim.receive(client)).text(), BODY);
        assert!(sim.is_gone(client));
        assert!(!log.take().contains(&"cancelled".to_owned()));
    }
}

#[test]
fn server_drops_a_stream_whose_reader_stalls_and_no_other() {
    let log = Log::new();
    let (mut sim, _) = streaming(&log);
    sim.server.options(Options::new().write_timeout(seconds(5)).write_rate(0));
    let client = sim.connect();
    sim.peer(client).window(50);
    sim.send(client, http::get("/counted"));
    for _ in 0..3 {
        sim.advance(seconds(4));
        sim.window(client, 1);
    }
    assert!(!sim.is_gone(client), "it still takes something");
    sim.advance(seconds(11));
    assert!(sim.is_gone(client));
    assert_eq!(log.take(), ["request GET /counted", "cancelled"]);
}

#[test]
fn server_waits_for_a_handler_that_has_nothing_to_stream_yet() {
    let log = Log::new();
    let mut sim = World::new();
    let zone = sim.server.zone(
        "/",
        Recorder::new(&log).request(|_, request| match request.path() {
            "/slow" => Stream::new(Response::new(200)).into(),
            path => Reply::from(path.to_owned()),
        }),
    );
    let client = sim.connect();
    sim.send(client, http::get("/slow") + &http::get("/next"));
    let (id, now) = (log.last_id(), sim.now);
    sim.server.context(now).after(zone, seconds(600), move |_, cx| {
        if let Some(mut conn) = cx.conn(id) {
            conn.write(b"at last");
            conn.finish();
            conn.write(b"no more");
            conn.finish();
        }
    });
    sim.advance(seconds(599));
    assert!(!sim.is_gone(client));
    sim.advance(seconds(1));
    assert_eq!(http::bodies(&sim.receive(client)), "at last /next");
}

#[test]
fn server_lets_no_request_pass_a_stream_that_was_finished_while_blocked() {
    let log = Log::new();
    let (mut sim, zone) = streaming(&log);
    sim.server.options(Options::new().write_timeout(seconds(5)));
    let client = sim.connect();
    sim.peer(client).window(10);
    sim.send(client, http::get("/chunked") + &http::get("/next"));
    let id = log.last_id();
    sim.server.with(zone, sim.now, |_, cx| {
        if let Some(mut conn) = cx.conn(id) {
            conn.write(b"all of it");
            conn.finish();
        }
    });
    sim.settle();
    sim.tell(client, switchboard::Readiness::READABLE);
    assert_eq!(
        log.take(),
        ["request GET /chunked"],
        "the next request waits until the stream has left"
    );
    sim.window(client, 100);
    sim.window(client, usize::MAX);
    assert_eq!(http::bodies(&sim.receive(client)), "all of it /next");
}

fn events(log: &Log, options: Options) -> World {
    let mut sim = World::serving(|server| server.options(options));
    let recorder = Recorder::new(log)
        .request(|_, request| match request.path() {
            "/events" => EventStream::new().retry(millis(1500)).header("X-Stream", "yes").into(),
            path => Reply::from(path.to_owned()),
        })
        .open(|conn, _| conn.subscribe("news"));
    sim.server.zone("/", recorder);
    sim
}

/// Opens an event stream; its head has been received.
fn open(sim: &mut World) -> (Client, Answer) {
    let client = sim.connect();
    let answer = only(&sim.ask(client, http::get("/events")));
    (client, answer)
}

fn publish<'a>(sim: &mut World, message: impl Into<Outgoing<'a>>) {
    let now = sim.now;
    sim.server.context(now).publish("news", message);
    sim.settle();
}

#[test]
fn server_opens_an_event_stream() {
    let log = Log::new();
    let mut sim = events(&log, Options::new());
    let (client, answer) = open(&mut sim);
    let header = |name| answer.header(name).unwrap_or_default();
    assert_eq!(
        (answer.status, header("content-type"), header("cache-control"), header("x-stream")),
        (200, "text/event-stream", "no-cache, no-transform", "yes")
    );
    assert!(answer.closes());
    let retry = answer.text().strip_prefix(":\n\nretry: ").and_then(|it| it.strip_suffix("\n\n"));
    let retry: u64 = retry.unwrap().parse().unwrap();
    assert!((1125..=1875).contains(&retry), "1500 ms and up to a quarter less or more: {retry}");
    assert_eq!(
        (sim.stats().event_streams, sim.server.context(sim.now).subscribers("news")),
        (1, 1)
    );
    sim.send(client, http::get("/ignored"));
    assert_eq!(
        log.take(),
        ["request GET /events", "open /events"],
        "what a client says into its event stream is discarded"
    );
}

#[test]
fn server_answers_head_of_an_event_stream_and_goes_on() {
    let log = Log::new();
    let mut sim = events(&log, Options::new());
    let client = sim.connect();
    let bytes = sim.ask(client, http::request("HEAD", "/events", "", ""));
    let (answer, len) = http::answer(&bytes, "HEAD");
    assert_eq!((answer.header("content-type"), len), (Some("text/event-stream"), bytes.len()));
    assert_eq!(http::bodies(&sim.ask(client, http::get("/next"))), "/next");
    assert_eq!(sim.stats().event_streams, 0);
}

#[test]
fn event_stream_carries_what_is_published() {
    let log = Log::new();
    let mut sim = events(&log, Options::new());
    let (one, two) = (open(&mut sim).0, open(&mut sim).0);
    publish(&mut sim, "plain");
    publish(&mut sim, Outgoing::text("two\nlines").event("greeting").id("42"));
    publish(&mut sim, Outgoing::text("injected").event("a\nb").id("1\r\n2"));
    publish(&mut sim, Message::Binary(b"not for event streams"));
    let expected =
        "data: plain\n\nevent: greeting\nid: 42\ndata: two\ndata: lines\n\ndata: injected\n\n";
    for client in [one, two] {
        assert_eq!(String::from_utf8_lossy(&sim.receive(client)), expected);
    }
}

#[test]
fn event_stream_is_kept_alive_on_the_clock() {
    let log = Log::new();
    let mut sim = events(&log, Options::new().event_stream_interval(seconds(15)));
    let (client, _) = open(&mut sim);
    sim.advance(seconds(14));
    assert!(sim.receive(client).is_empty());
    sim.advance(seconds(2));
    assert_eq!(sim.receive(client), b":\n\n");
    sim.advance(seconds(60));
    let comments = sim.receive(client).len() / 3;
    assert!((3..=4).contains(&comments), "{comments} in a minute");
    assert!(!sim.is_gone(client));
}

#[test]
fn event_stream_of_a_stalled_reader_is_dropped() {
    let log = Log::new();
    let mut sim = events(&log, Options::new().event_stream_interval(seconds(15)));
    let ((stalled, _), (slow, _)) = (open(&mut sim), open(&mut sim));
    log.take();
    sim.peer(stalled).window(3);
    sim.peer(slow).window(3);
    publish(&mut sim, "news that do not fit");
    for _ in 0..4 {
        sim.advance(seconds(10));
        sim.window(slow, 1);
    }
    assert!(sim.is_gone(stalled) && !sim.is_gone(slow));
    assert_eq!(log.take(), ["close 1006 \"\""]);
    assert_eq!(sim.server.context(sim.now).subscribers("news"), 1);
}

#[test]
fn event_stream_beyond_its_outbox_is_closed_once() {
    let log = Log::new();
    let mut sim = events(&log, Options::new().max_buffered(1_000));
    let ((stalled, _), (fast, _)) = (open(&mut sim), open(&mut sim));
    log.take();
    sim.peer(stalled).window(0);
    for _ in 0..20 {
        publish(&mut sim, &*"x".repeat(100));
    }
    assert_eq!(log.take(), ["close 1013 \"too slow\""]);
    assert_eq!(sim.receive(fast).len(), 20 * 108, "others get all of it");
    assert_eq!((sim.stats().overflowed, sim.stats().event_streams), (1, 1));
    // Nothing is left to write: after 5 s the server ends its side, and it waits as long again.
    sim.advance(seconds(11));
    assert!(sim.is_gone(stalled));
}

#[test]
fn event_stream_ends_once_however_it_ends() {
    let ways: [(Leave, &str); 4] = [
        (|sim, client| sim.end(client), "close 1006 \"\""),
        (|sim, client| sim.end_quietly(client), "close 1006 \"\""),
        (|sim, client| sim.fail(client, ErrorKind::BrokenPipe), "close 1006 \"\""),
        (
            |sim, _| {
                let now = sim.now;
                sim.server.context(now).drain(Drain::within(seconds(9))).unwrap();
                sim.settle();
            },
            "close 1001 \"\"",
        ),
    ];
    for (leave, expected) in ways {
        let log = Log::new();
        let mut sim = events(&log, Options::new());
        let (client, _) = open(&mut sim);
        log.take();
        publish(&mut sim, "last");
        leave(&mut sim, client);
        publish(&mut sim, "too late");
        assert_eq!(sim.receive(client), b"data: last\n\n");
        sim.advance(seconds(10));
        assert!(sim.is_gone(client));
        assert_eq!(log.take(), [expected]);
        assert_eq!(
            (sim.stats().event_streams, sim.server.context(sim.now).subscribers("news")),
            (0, 0)
        );
    }
}
