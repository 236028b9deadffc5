//! What an observer is told over memory: each refusal with its status, its reason and its request
//! line; nothing else; and at the end of a turn only.

mod common;

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{Log, Recorder, World, seconds};
use switchboard::http::{Method, Request};
use switchboard::{Observed, Options, Reply, Response, Upgrade, Zone};

/// What an observer is told, a line for each event.
struct Seen(Receiver<String>);

impl Seen {
    fn observe(world: &mut World) -> Seen {
        let (sender, receiver) = channel();
        world.server.observe(move |event| {
            if event.is_refusal() {
                sender.send(event.to_string()).unwrap();
            }
        });
        Seen(receiver)
    }

    fn take(&self) -> Vec<String> {
        self.0.try_iter().collect()
    }
}

/// A server with a zone of each kind, and short deadlines.
fn site() -> (World, Seen) {
    let options = Options::new()
        .max_head(1 << 10)
        .max_headers(8)
        .max_target(256)
        .head_timeout(seconds(4))
        .body_timeout(seconds(4))
        .answer_timeout(seconds(4));
    let mut world = World::serving(|server| {
        server.options(options);
        server.http(Zone::new("/get").methods(&[Method::GET]), |_, _| "hello");
        server.websocket("/ws", |conn, message| conn.send(message));
        let log = Log::new();
        let recorder = Recorder::new(&log)
            .request(|_, request| match request.path() {
                "/zone/body" => Reply::Body(4),
                "/zone/twice" => Reply::Body(4),
                "/zone/later" => Reply::Later,
                "/zone/takeover" => Reply::Takeover(Response::empty(200)),
                "/zone/upgrade" => Upgrade::new().into(),
                "/zone/own" => Response::text("my own").with_status(404).into(),
                _ => Reply::Pass,
            })
            .body(|_, request, _| match request.path() {
                "/zone/twice" => Reply::Body(4),
                _ => "thanks".into(),
            });
        server.zone("/zone", recorder);
    });
    let seen = Seen::observe(&mut world);
    (world, seen)
}

/// The head of a handshake that is right, but for what replaces a part of it.
fn handshake(path: &str, right: &str, wrong: &str) -> String {
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    assert!(head.contains(right), "{right}");
    head.replace(right, wrong)
}

/// The status of the last answer in some bytes.
fn status(bytes: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(bytes);
    text.rsplit("HTTP/1.1 ").next()?.get(..3)?.parse().ok()
}

/// Writes bytes, lets time pass, and returns the status of the answer and what was observed.
fn refused(bytes: impl AsRef<[u8]>, wait: Duration) -> (Option<u16>, Vec<String>) {
    let (mut world, seen) = site();
    let client = world.connect();
    world.write(client, bytes);
    world.advance(wait);
    (status(&world.read(client)), seen.take())
}

#[track_caller]
fn assert_observed(bytes: impl AsRef<[u8]>, wait: Duration, status: u16, reason: &str, line: &str) {
    let bytes = bytes.as_ref();
    let expected = format!("? refused with {status}, {reason}: \"{line}\"");
    let shown = bytes.escape_ascii();
    assert_eq!(refused(bytes, wait), (Some(status), vec![expected]), "{shown}");
}

/// Request lines that are followed by a Host field, each with its status, reason and shown form.
const LINES: [(&str, u16, &str, &str); 6] = [
    (
        "GET /\x1b[31m HTTP/1.1",
        400,
        "a NUL or another control character in the head",
        r"GET /\x1b[31m HTTP/1.1",
    ),
    (
        "GET /\"\\ HTTP/1.1",
        400,
        "a character in the request target that must be percent-encoded",
        r#"GET /\"\\ HTTP/1.1"#,
    ),
    (
        "GET /\u{202e} HTTP/1.1",
        400,
        "a character in the request target that must be percent-encoded",
        r"GET /\xe2\x80\xae HTTP/1.1",
    ),
    ("GET /.. HTTP/1.1", 400, "a path that leads above the root", "GET /.. HTTP/1.1"),
    ("GET / HTTP/2.0", 505, "an HTTP version other than 1.0 and 1.1", "GET / HTTP/2.0"),
    ("CONNECT a:1 HTTP/1.1", 501, "a method that is not implemented", "CONNECT a:1 HTTP/1.1"),
];

#[test]
fn observer_hears_of_each_fault_of_a_request_line() {
    for (line, status, reason, shown) in LINES {
        let head = format!("{line}\r\nHost: a\r\n\r\n");
        assert_observed(head, Duration::ZERO, status, reason, shown);
    }
    let head = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(300));
    let shown = format!("GET /{}", "a".repeat(123));
    assert_observed(head, Duration::ZERO, 414, "a request target beyond the limit", &shown);
    let reason = "TLS at a port for plain HTTP: use http:// or ws://, or Listener::tls";
    assert_observed("\x16", Duration::ZERO, 400, reason, r"\x16");
    assert_observed("\x16\x03\x01\n", Duration::ZERO, 400, reason, r"\x16\x03\x01");
    let head = "\r\nGET /bare HTTP/1.1\nHost: a\r\n\r\n";
    let reason = "a LF that no CR precedes";
    assert_observed(head, Duration::ZERO, 400, reason, "GET /bare HTTP/1.1");
}

#[test]
fn observer_hears_of_each_fault_of_header_lines() {
    let (many, wide) = ("A: b\r\n".repeat(9), format!("A: {}\r\n", "b".repeat(1100)));
    for (lines, status, reason) in [
        ("", 400, "no Host header"),
        ("Host: a\r\nHost: a\r\n", 400, "more than one Host header"),
        ("Host: a\r\nContent-Length: x\r\n", 400, "a malformed Content-Length"),
        (&*format!("Host: a\r\n{many}"), 431, "more headers than the limit"),
        (&*format!("Host: a\r\n{wide}"), 431, "a head beyond the limit"),
    ] {
        let head = format!("GET / HTTP/1.1\r\n{lines}\r\n");
        assert_observed(head, Duration::ZERO, status, reason, "GET / HTTP/1.1");
    }
}

#[test]
fn observer_hears_of_each_fault_of_a_handshake() {
    let ws = "a WebSocket handshake";
    for path in ["/ws", "/zone/upgrade"] {
        let line = format!("GET {path} HTTP/1.1");
        for (right, wrong, status, reason) in [
            ("Version: 13", "Version: 12", 426, "a Sec-WebSocket-Version other than 13".to_owned()),
            ("==", "", 400, "a Sec-WebSocket-Key that is not 16 bytes in base64".into()),
            ("Sec-WebSocket-Key", "X", 400, format!("{ws} without Sec-WebSocket-Key")),
            (
                "Host: example.com",
                "Host: example.com\r\nOrigin: https://evil.example",
                403,
                "an Origin that may not open a WebSocket here: \"https://evil.example\", at the \
                 Host \"example.com\"; allow it with Server::origins \"https://evil.example\", or \
                 have the proxy pass Host on as it came"
                    .into(),
            ),
        ] {
            let bytes = handshake(path, right, wrong);
            assert_observed(bytes, Duration::ZERO, status, &reason, &line);
        }
    }
}

#[test]
fn observer_hears_of_what_no_zone_answers() {
    for (head, status, reason) in [
        ("GET /nowhere", 404, "no zone answers this path"),
        ("GET /zone/passed", 404, "no zone answers this path"),
        ("OPTIONS /nowhere", 404, "no zone answers this path"),
        ("DELETE /get", 405, "no zone takes this method"),
        ("HEAD /nowhere?a=b", 404, "no zone answers this path"),
    ] {
        let bytes = format!("{head} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_observed(bytes, Duration::ZERO, status, reason, &format!("{head} HTTP/1.1"));
    }
    for path in ["/get", "/nowhere", "/zone/passed"] {
        let (reason, line) =
            ("no zone at this path takes a WebSocket", format!("GET {path} HTTP/1.1"));
        assert_observed(handshake(path, "", ""), Duration::ZERO, 404, reason, &line);
    }
}

#[test]
fn observer_hears_of_bodies_and_answers_that_are_refused() {
    let post = |path: &str, rest: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\n{rest}");
    let now = Duration::ZERO;
    for (path, rest, wait, status, reason) in [
        ("/zone/body", "Content-Length: 5\r\n\r\nhello", now, 413, "a body beyond the limit"),
        ("/zone/body", "Content-Length: 5\r\n\r\n", now, 413, "a body beyond the limit"),
        (
            "/zone/body",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            now,
            413,
            "a body beyond the limit",
        ),
        (
            "/zone/body",
            "Transfer-Encoding: chunked\r\n\r\nx\r\n",
            now,
            400,
            "a malformed chunk size",
        ),
        (
            "/zone/body",
            "Content-Length: 4\r\n\r\nhe",
            seconds(9),
            408,
            "the body did not arrive in time",
        ),
        ("/zone/later", "\r\n", seconds(9), 503, "the answer did not come in time"),
        (
            "/zone/takeover",
            "Content-Length: 1\r\n\r\nx",
            now,
            400,
            "a request with a body cannot be taken over",
        ),
        (
            "/zone/twice",
            "Content-Length: 1\r\n\r\nx",
            now,
            500,
            "the handler asked for the body twice",
        ),
    ] {
        assert_observed(post(path, rest), wait, status, reason, &format!("POST {path} HTTP/1.1"));
    }
}

#[test]
fn observer_hears_of_heads_that_come_too_late() {
    let reason = "the head did not arrive in time";
    for (bytes, line) in [
        ("GET /slow HTTP/1.1\r\nHost: a\r\n", "GET /slow HTTP/1.1"),
        ("GET /sl", "GET /sl"),
        ("\r\nGE", "GE"),
    ] {
        assert_observed(bytes, seconds(9), 408, reason, line);
    }
}

#[test]
fn observer_hears_of_nothing_that_is_no_refusal() {
    let (mut world, seen) = site();
    assert_eq!(world.get("/get").status, 200);
    assert_eq!(world.get("/zone/own").status, 404);
    let ada = world.websocket("/ws");
    world.say(ada, "hello");
    assert_eq!(world.hear(ada), ["hello"]);
    let asking = world.connect();
    world.push(asking, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(world.answer(asking).status, 204);
    let silent = world.connect();
    world.advance(seconds(600));
    assert!(!world.is_open(silent));
    assert_eq!(seen.take(), [""; 0]);
}

#[test]
fn observer_is_called_at_the_end_of_a_turn_only() {
    let (mut world, seen) = site();
    let client = world.connect();
    world.settle();
    world.manual(client);
    let token = world.token(client);
    world.push(client, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    let now = world.now;
    world.server.ready(token, switchboard::Readiness::READABLE, now);
    assert_eq!(seen.take(), [""; 0], "the loop may be in the middle of its events");
    world.server.flush(now);
    assert_eq!(seen.take().len(), 1);
    world.server.flush(now);
    assert_eq!(seen.take(), [""; 0], "an event is told once");
}

#[test]
fn observer_hears_of_1024_events_a_turn_and_of_how_many_were_dropped() {
    const MOST: usize = 1024;
    for (refused, dropped) in [(MOST, 0), (MOST + 1, 1), (3 * MOST, 2 * MOST)] {
        let (mut world, seen) = site();
        let clients: Vec<_> = (0..refused).map(|_| world.connect()).collect();
        world.settle();
        seen.take(); // each connection was an event of that turn
        for &client in &clients {
            world.push(client, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        world.turn();
        let told = seen.take();
        let count = told.iter().filter(|line| line.contains("404")).count();
        assert_eq!(count, refused.min(MOST));
        let said = told.iter().filter(|line| line.ends_with(" further events were dropped"));
        let said: Vec<_> = said.collect();
        match dropped {
            0 => assert!(said.is_empty(), "{said:?}"),
            count => assert_eq!(said, [&format!("{count} further events were dropped")]),
        }
        assert_eq!(told.last(), said.last().copied().or(told.last()), "the number comes last");
        assert_eq!(world.get("/nowhere").status, 404);
        assert_eq!(seen.take().len(), 1, "the next turn begins anew");
    }
}

#[test]
fn observer_is_replaced_by_the_next_one() {
    let (mut world, first) = site();
    let second = Seen::observe(&mut world);
    assert_eq!(world.get("/nowhere").status, 404);
    assert_eq!((first.take().len(), second.take().len()), (0, 1));
}

#[test]
fn observer_gets_the_parts_of_a_refusal() {
    let (mut world, _) = site();
    let (sender, receiver) = channel();
    world.server.observe(move |event| {
        let Observed::Refused(refused) = event else { return };
        let line = refused.request_line.to_owned();
        sender
            .send((refused.peer, refused.status.as_u16(), refused.reason.to_owned(), line))
            .unwrap();
    });
    world.fetch(Request::get("/nowhere?%E2%9C%93"));
    let (peer, status, reason, line) = receiver.recv().unwrap();
    assert_eq!((peer, status, &*reason), (None, 404, "no zone answers this path"));
    assert_eq!(line, "GET /nowhere?%E2%9C%93 HTTP/1.1");
}
