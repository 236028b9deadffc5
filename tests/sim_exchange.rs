//! Exchanges that outlast their request: deferred answers and takeovers, and what a `ConnId` does
//! after its exchange has ended.

mod common;

use std::io::ErrorKind;

use common::http::{self, only};
use common::{Bytes, Client, Log, Recorder, World, frames, seconds};
use switchboard::{ConnId, Options, Reply, Response, Upgrade, ZoneId};

/// `/later` owes its answer, everything else answers at once with its path.
fn deferring(log: &Log) -> (World, ZoneId<Recorder>) {
    let mut sim = World::new();
    let recorder = Recorder::new(log).request(|_, request| match request.path() {
        "/later" => Reply::Later,
        path => path.to_owned().into(),
    });
    let zone = sim.server.zone("/", recorder);
    (sim, zone)
}

fn respond(sim: &mut World, id: ConnId, text: &str) {
    sim.context().respond(id, text.to_owned());
    sim.settle();
}

#[test]
fn server_sends_a_deferred_answer_when_it_comes() {
    let log = Log::new();
    let (mut sim, zone) = deferring(&log);
    let client = sim.connect();
    sim.request(client, "/later");
    assert_eq!(sim.read(client), b"");
    let id = log.last_id();
    sim.context().after(zone, seconds(7), move |_, cx| cx.respond(id, "at last"));
    sim.advance(seconds(6));
    assert_eq!(sim.read(client), b"");
    sim.advance(seconds(1));
    let answer = sim.only_answer(client);
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "at last"));
    assert_eq!(answer.header("connection"), Some("keep-alive"));
    sim.request(client, "/next");
    assert_eq!(sim.only_answer(client).text(), "/next", "the connection goes on");
}

#[test]
fn server_keeps_pipelined_requests_behind_a_deferred_answer() {
    let log = Log::new();
    for cut in [false, true] {
        let (mut sim, _) = deferring(&log);
        let client = sim.connect();
        let wire = http::get("/later") + &http::get("/b") + &http::get("/later") + &http::get("/c");
        match cut {
            false => sim.send(client, &wire),
            true => sim.trickle(client, wire.as_bytes()),
        }
        assert_eq!(log.take_all().len(), 1, "the next request is not looked at");
        let (mut sim, _) = deferring(&log);
        let client = sim.connect();
        sim.send(client, &wire);
        let first = log.last_id();
        respond(&mut sim, first, "first");
        assert_eq!(http::bodies(&sim.receive(client)), "first /b");
        let second = log.last_id();
        assert_ne!(first, second);
        respond(&mut sim, second, "second");
        assert_eq!(http::bodies(&sim.receive(client)), "second /c");
        log.take();
    }
}

#[test]
fn stale_name_does_nothing_to_the_next_request() {
    let log = Log::new();
    let (mut sim, _) = deferring(&log);
    let client = sim.connect();
    sim.send(client, http::get("/later").repeat(2));
    let stale = log.last_id();
    respond(&mut sim, stale, "one");
    assert_eq!(http::bodies(&sim.receive(client)), "one");
    let fresh = log.last_id();
    respond(&mut sim, stale, "one again");
    let cx = sim.context();
    cx.upgrade(stale, Upgrade::new());
    cx.send(stale, "text");
    assert!(cx.conn(stale).is_none() && cx.conn(fresh).is_some());
    sim.settle();
    assert!(sim.receive(client).is_empty(), "a stale name has reached the next request");
    respond(&mut sim, fresh, "two");
    assert_eq!(http::bodies(&sim.receive(client)), "two");
}

#[test]
fn stale_name_does_nothing_to_the_next_connection() {
    let log = Log::new();
    let (mut sim, _) = deferring(&log);
    let first = sim.connect();
    sim.send(first, http::get("/later"));
    let stale = log.last_id();
    sim.fail(first, ErrorKind::ConnectionReset);
    assert!(sim.is_gone(first));
    let second = sim.connect();
    assert_eq!(sim.token(first), sim.token(second), "the slot is used again");
    sim.send(second, http::get("/later"));
    respond(&mut sim, stale, "for the first");
    assert!(sim.receive(second).is_empty());
}

#[test]
fn server_takes_the_first_of_two_answers() {
    let log = Log::new();
    let (mut sim, _) = deferring(&log);
    let client = sim.connect();
    sim.send(client, http::get("/later").repeat(2));
    let id = log.last_id();
    let cx = sim.context();
    cx.respond(id, "first");
    cx.respond(id, "second");
    cx.upgrade(id, Upgrade::new());
    sim.settle();
    assert_eq!(http::bodies(&sim.receive(client)), "first");
}

#[test]
fn server_takes_an_answer_given_before_later_was_said() {
    let mut sim = World::serving(|server| {
        server.http("/early", |conn, _| {
            let id = conn.id();
            conn.context().respond(id, "early");
            Reply::Later
        });
        server.http("/both", |conn, _| {
            let id = conn.id();
            conn.context().respond(id, "never seen");
            Reply::from("the reply")
        });
    });
    let client = sim.connect();
    let wire = http::get("/early") + &http::get("/both") + &http::get("/early");
    assert_eq!(http::bodies(&sim.ask(client, wire)), "early the reply early");
}

#[test]
fn handler_hears_once_that_the_peer_of_a_deferred_answer_left() {
    type Leave = fn(&mut World, Client);
    let ways: [Leave; 2] =
        [|sim, client| sim.end(client), |sim, client| sim.fail(client, ErrorKind::ConnectionReset)];
    for leave in ways {
        let log = Log::new();
        let (mut sim, _) = deferring(&log);
        sim.server.options(Options::new().half_close(false));
        let client = sim.connect();
        sim.send(client, http::get("/later"));
        let id = log.last_id();
        leave(&mut sim, client);
        respond(&mut sim, id, "too late");
        sim.advance(seconds(120));
        assert_eq!(log.take(), ["request GET /later", "cancelled"]);
        assert!(sim.is_gone(client) && sim.receive(client).is_empty());
    }
}

#[test]
fn server_answers_503_when_the_handler_does_not() {
    let log = Log::new();
    let (mut sim, _) = deferring(&log);
    sim.server.options(Options::new().answer_timeout(seconds(5)));
    let client = sim.connect();
    sim.send(client, http::get("/later").repeat(2));
    let id = log.last_id();
    sim.advance(seconds(5));
    assert!(sim.receive(client).is_empty());
    sim.advance(seconds(1));
    let answer = only(&sim.receive(client));
    assert_eq!((answer.status, answer.closes()), (503, true));
    respond(&mut sim, id, "too late");
    assert!(sim.receive(client).is_empty());
    assert_eq!(log.take(), ["request GET /later", "cancelled"]);
    sim.advance(seconds(6));
    assert!(sim.is_gone(client));
}

#[test]
fn server_upgrades_a_deferred_request_and_serves_the_frames_behind_it() {
    let log = Log::new();
    let mut sim = World::serving(|server| {
        server.zone(
            "/",
            Recorder::new(&log)
                .request(|_, _| Reply::Later)
                .message(|conn, message| conn.send(message)),
        );
    });
    let client = sim.connect();
    let wire = [http::handshake("/ws").as_bytes(), &frames::text("early")].concat();
    assert!(sim.ask(client, wire).is_empty());
    sim.context().upgrade(log.last_id(), Upgrade::new().header("X-Late", "yes"));
    let bytes = sim.read(client);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("X-Late: yes\r\n"), "{head}");
    assert_eq!(format!("{:?}", frames::frames(&bytes[end..])), "[1:early]");
    assert_eq!(log.take(), ["request GET /ws", "open /ws", "text early"]);
}

#[test]
fn server_refuses_to_upgrade_a_deferred_request_that_is_no_handshake() {
    let log = Log::new();
    let (mut sim, _) = deferring(&log);
    let client = sim.connect();
    sim.request(client, "/later");
    sim.context().upgrade(log.last_id(), Upgrade::new());
    let answer = sim.only_answer(client);
    assert_eq!((answer.status.as_u16(), answer.header("connection")), (400, Some("close")));
    assert_eq!(log.take(), ["request GET /later"]);
}

#[test]
fn handler_closes_an_exchange_after_its_answer() {
    let log = Log::new();
    let recorder = Recorder::new(&log).request(|conn, request| {
        conn.close(switchboard::CloseCode::NORMAL, "");
        if request.path() == "/later" { Reply::Later } else { "the last".into() }
    });
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
    });
    for path in ["/now", "/later"] {
        let client = sim.connect();
        sim.send(client, http::get(path).repeat(2));
        let id = log.last_id();
        respond(&mut sim, id, "the last");
        let answer = only(&sim.receive(client));
        assert_eq!(
            (answer.text(), answer.closes(), sim.is_ended(client)),
            ("the last", true, true),
            "{path}"
        );
    }
}

#[test]
fn timeout_of_an_exchange_answers_it_and_no_other() {
    let log = Log::new();
    let recorder = Recorder::new(&log)
        .request(|conn, request| {
            conn.set_timeout(Some(seconds(3)));
            if request.path() == "/later" { Reply::Later } else { "at once".into() }
        })
        .timeout(|conn| {
            let id = conn.id();
            conn.context().respond(id, "in time");
        });
    let mut sim = World::serving(|server| {
        server.zone("/", recorder);
    });
    let client = sim.connect();
    sim.request(client, "/now");
    assert_eq!(sim.only_answer(client).text(), "at once");
    sim.advance(seconds(2));
    sim.request(client, "/later");
    sim.advance(seconds(2));
    assert_eq!(sim.read(client), b"", "the timeout of the exchange before has struck");
    sim.advance(seconds(2));
    assert_eq!(sim.only_answer(client).text(), "in time");
    assert_eq!(log.take(), ["request GET /now", "request GET /later", "timeout"]);
}

#[test]
fn body_of_a_deferred_or_streamed_request_is_never_a_request() {
    let smuggled = http::get("/smuggled");
    for wire in [
        http::post("/later", &smuggled),
        http::post_chunked("/later", &[&smuggled]),
        http::post_chunked("/stream", &[&smuggled]),
    ] {
        let head = wire.find("\r\n\r\n").expect("a head") + 4;
        for cut in [head, head + 10, wire.len() - 1, wire.len()] {
            let log = Log::new();
            let recorder = Recorder::new(&log)
                .request(|_, request| match request.path() {
                    "/later" => Reply::Later,
                    "/stream" => switchboard::Stream::new(Response::new(200)).into(),
                    path => path.to_owned().into(),
                })
                .writable(|conn| conn.finish());
            let mut sim = World::serving(|server| {
                server.zone("/", recorder);
            });
            let client = sim.connect();
            sim.send(client, &wire[..cut]);
            let id = log.last_id();
            sim.send(client, &wire[cut..]);
            respond(&mut sim, id, "deferred");
            assert_eq!(only(&sim.receive(client)).status, 200);
            let calls: Vec<_> =
                log.take().into_iter().filter(|call| call.starts_with("request")).collect();
            assert_eq!(calls.len(), 1, "cut at {cut}: {calls:?}");
        }
    }
}

/// `/echo` is taken over: lines are echoed whole, `quit` releases, `bye` closes. The rest is HTTP.
fn taking(log: &Log) -> World {
    let recorder = Recorder::new(log)
        .request(|_, request| match request.path() {
            "/echo" => Reply::Takeover(Response::new(101).header("Upgrade", "echo")),
            path => path.to_owned().into(),
        })
        .input(|conn, bytes| {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return 0 };
            let line = &bytes[..=end];
            match line {
                b"quit\n" => conn.release(),
                b"bye\n" => conn.close(switchboard::CloseCode::NORMAL, "bye"),
                line => conn.write(line),
            }
            line.len()
        });
    World::serving(|server| {
        server.zone("/", recorder);
    })
}

fn after_head(bytes: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, rest) = text.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), rest.to_owned())
}

#[test]
fn handler_speaks_its_own_protocol_wherever_the_input_is_cut() {
    let wire = http::get("/echo") + "one\ntwo\nquit\n" + &http::get("/next");
    for cut in 0..=wire.len() {
        let log = Log::new();
        let mut sim = taking(&log);
        let client = sim.connect();
        if cut > wire.len() - 1 {
            sim.trickle(client, wire.as_bytes());
        } else {
            sim.send(client, &wire[..cut]);
            sim.send(client, &wire[cut..]);
        }
        let (head, rest) = after_head(&sim.receive(client));
        assert!(
            head.starts_with("HTTP/1.1 101 ") && head.contains("Connection: upgrade"),
            "{head}"
        );
        let rest =
            rest.strip_prefix("one\ntwo\n").unwrap_or_else(|| panic!("cut at {cut}: {rest}"));
        assert_eq!(http::bodies(rest.as_bytes()), "/next", "cut at {cut}");
        let calls: Vec<_> =
            log.take().into_iter().filter(|call| !call.starts_with("input")).collect();
        assert_eq!(
            calls,
            ["request GET /echo", "open /echo", "close 1000 \"released\"", "request GET /next"]
        );
        assert_eq!(sim.stats().takeovers, 0);
    }
}

#[test]
fn handler_is_given_unused_input_again() {
    let log = Log::new();
    let mut sim = taking(&log);
    let client = sim.connect();
    sim.send(client, http::get("/echo"));
    log.take();
    for piece in ["a", "b\nc", "\n"] {
        sim.send(client, piece);
    }
    assert_eq!(log.take(), ["input a", "input ab\\nc", "input c", "input c\\n"]);
}

#[test]
fn handler_that_uses_nothing_of_a_megabyte_is_closed() {
    let log = Log::new();
    let mut sim = taking(&log);
    let client = sim.connect();
    sim.send(client, http::get("/echo"));
    for _ in 0..12 {
        sim.send(client, "x".repeat(100_000));
    }
    assert!(sim.is_gone(client));
    assert_eq!(log.take().iter().filter(|call| call.starts_with("close 1009")).count(), 1);
}

#[test]
fn taken_connection_is_closed_once_however_it_ends() {
    type Leave = fn(&mut World, Client);
    let ways: [(Leave, &str); 5] = [
        (|sim, client| sim.send(client, "bye\n"), "close 1000 \"bye\""),
        (|sim, client| sim.end(client), "close 1006 \"\""),
        (|sim, client| sim.end_quietly(client), "close 1006 \"\""),
        (|sim, client| sim.fail(client, ErrorKind::ConnectionReset), "close 1006 \"\""),
        (
            |sim, client| {
                sim.push(client, "bye\nquit\nbye\n");
                sim.end(client);
            },
            "close 1000 \"bye\"",
        ),
    ];
    for (leave, expected) in ways {
        let log = Log::new();
        let mut sim = taking(&log);
        let client = sim.connect();
        sim.send(client, http::get("/echo") + "one\n");
        leave(&mut sim, client);
        sim.advance(seconds(10));
        assert!(sim.is_gone(client), "{expected}");
        let closes: Vec<_> =
            log.take().into_iter().filter(|call| call.starts_with("close")).collect();
        assert_eq!(closes, [expected]);
        assert_eq!((sim.stats().takeovers, sim.stats().connections), (0, 0));
    }
}

#[test]
fn taken_connection_has_no_deadline() {
    let log = Log::new();
    let mut sim = taking(&log);
    let client = sim.connect();
    sim.send(client, http::get("/echo"));
    sim.advance(seconds(86_400));
    assert!(!sim.is_gone(client));
    assert_eq!(sim.server.poll_timeout(sim.now), None, "nothing to wake for");
}

#[test]
fn handler_releases_from_outside_its_input() {
    let log = Log::new();
    let mut sim = taking(&log);
    let client = sim.connect();
    sim.send(client, http::get("/echo"));
    let id = log.last_id();
    sim.context().conn(id).expect("a conn").release();
    sim.settle();
    assert_eq!(
        log.take(),
        ["request GET /echo", "open /echo", "close 1000 \"released\""],
        "it does not wait for input"
    );
    sim.receive(client);
    assert_eq!(http::bodies(&sim.ask(client, http::get("/next"))), "/next");
    sim.advance(seconds(76));
    assert!(sim.is_gone(client), "the deadline of an idle connection runs again");
}

#[test]
fn released_connection_keeps_to_what_its_request_said() {
    let log = Log::new();
    let mut sim = taking(&log);
    let client = sim.connect();
    let wire =
        http::request("GET", "/echo", "Connection: close\r\n", "") + "quit\n" + &http::get("/next");
    let (_, rest) = after_head(&sim.ask(client, wire));
    assert_eq!(rest, "", "no request after the last one (RFC 9112 9.3)");
    assert!(sim.is_ended(client));
}

#[test]
fn body_of_a_taken_request_is_never_input() {
    for cut in [0, 4, 10] {
        let log = Log::new();
        let mut sim = taking(&log);
        let client = sim.connect();
        let wire = http::post("/echo", "body\nbody\n");
        sim.send(client, &wire[..wire.len() - cut]);
        sim.send(client, &wire[wire.len() - cut..]);
        sim.send(client, "line\n");
        assert_eq!(only(&sim.receive(client)).status, 400, "cut {cut} before the end");
        let inputs: Vec<_> = log.take().into_iter().filter(|call| call.contains("body")).collect();
        assert_eq!(inputs, [""; 0], "cut {cut} before the end");
    }
}
