//! Every deadline of an HTTP connection, on a clock moved by hand: none strikes early, none is
//! missed, and a server with nothing to do sleeps.

mod common;

use std::time::Duration;

use common::http::{self, only};
use common::{Bytes, Client, Log, Recorder, World, millis, seconds};
use switchboard::{Options, Reply, RequestError, Response};

/// `/upload` wants a body; everything else is answered with its path.
fn serving(options: Options) -> (World, Log) {
    let log = Log::new();
    let recorder = Recorder::new(&log)
        .request(|_, request| match request.path() {
            "/upload" => Reply::Body(1 << 20),
            "/later" => Reply::Later,
            "/big" => "x".repeat(100_000).into(),
            path => path.to_owned().into(),
        })
        .body(|_, _, body| body.len().to_string());
    let mut sim = World::serving(|server| server.options(options));
    sim.server.zone("/", recorder);
    (sim, log)
}

/// A deadline is kept in steps of this much: it strikes at most so much late.
const STEP: Duration = Duration::from_millis(250);

/// Lets time pass until something holds, and says how long it took.
fn until(sim: &mut World, client: Client, holds: impl Fn(&mut World, Client) -> bool) -> Duration {
    let start = sim.now;
    for _ in 0..100_000 {
        if holds(sim, client) {
            return sim.now - start;
        }
        sim.advance(millis(10));
    }
    panic!("it never came to pass");
}

fn gone(sim: &mut World, client: Client) -> bool {
    sim.is_gone(client)
}

fn ended(sim: &mut World, client: Client) -> bool {
    sim.is_ended(client)
}

/// Within a step after the deadline, and not before it; ten milliseconds are how exactly we look.
fn assert_on_time(taken: Duration, deadline: Duration, what: &str) {
    assert!(taken >= deadline, "{what} after {taken:?}, too early for {deadline:?}");
    assert!(
        taken <= deadline + STEP + millis(10),
        "{what} after {taken:?}, too late for {deadline:?}"
    );
}

#[test]
fn server_closes_a_connection_that_asks_nothing() {
    for offset in [0, 1, 100, 249] {
        let options = Options::new().first_byte_timeout(seconds(3)).keep_alive_timeout(seconds(20));
        let (mut sim, log) = serving(options);
        sim.advance(millis(offset));
        let client = sim.connect();
        let taken = until(&mut sim, client, gone);
        assert_on_time(taken, seconds(3), "closed before the first request");
        assert!(sim.receive(client).is_empty(), "without a word: nothing was asked");
        let client = sim.connect();
        assert_eq!(http::bodies(&sim.ask(client, http::get("/a"))), "/a");
        let taken = until(&mut sim, client, gone);
        assert_on_time(taken, seconds(20), "closed before a further request");
        assert_eq!(log.take(), ["request GET /a"]);
    }
}

#[test]
fn server_answers_408_to_a_head_that_takes_too_long() {
    let request = http::get("/a");
    for len in 1..request.len() {
        let (mut sim, _) = serving(Options::new().head_timeout(seconds(4)));
        let client = sim.connect();
        sim.advance(seconds(2));
        sim.send(client, &request[..len]);
        let taken = until(&mut sim, client, ended);
        assert_on_time(taken, seconds(4), "refused");
        let answer = only(&sim.receive(client));
        assert_eq!(
            (answer.status, answer.text(), answer.closes()),
            (408, RequestError::HeadTimeout.as_str(), true)
        );
        assert!(sim.ask(client, &request[len..]).is_empty(), "too late");
        let taken = until(&mut sim, client, gone);
        assert!(taken <= seconds(5) + STEP + millis(10), "lingers for {taken:?}");
    }
}

#[test]
fn field_row_23_server_gives_a_head_no_more_time_for_coming_slowly() {
    let (mut sim, log) = serving(Options::new().head_timeout(seconds(10)));
    let slow: Vec<_> = (0..2_000).map(|_| sim.connect()).collect();
    let request = http::get("/slow");
    for byte in request.as_bytes()[..30].chunks(1) {
        for client in &slow {
            sim.push(*client, byte);
        }
        sim.advance(seconds(1));
        let client = sim.connect();
        assert_eq!(
            http::bodies(&sim.ask(client, http::get("/quick"))),
            "/quick",
            "others are served meanwhile"
        );
        sim.end(client);
    }
    sim.advance(seconds(6)); // of silence
    for client in slow {
        assert_eq!(http::statuses(&sim.receive(client)), [408]);
        assert!(sim.is_gone(client));
    }
    assert!(!log.take().iter().any(|call| call.contains("/slow")));
}

#[test]
fn server_gives_a_pipelined_head_its_own_time() {
    let (mut sim, _) = serving(Options::new().head_timeout(seconds(4)));
    let client = sim.connect();
    for n in 0..5 {
        sim.send(client, "GET /a HT");
        sim.advance(seconds(3));
        assert_eq!(
            http::bodies(&sim.ask(client, "TP/1.1\r\nHost: a\r\n\r\n")),
            "/a",
            "request {n}"
        );
    }
    sim.send(client, http::get("/a") + "GET");
    assert_eq!(http::bodies(&sim.receive(client)), "/a");
    let taken = until(&mut sim, client, ended);
    assert_on_time(taken, seconds(4), "refused");
    assert_eq!(http::statuses(&sim.receive(client)), [408]);
}

#[test]
fn server_answers_408_to_a_body_that_stalls() {
    for (wire, rest) in [
        (http::post("/upload", "hello"), 3),
        (http::post("/upload", "hello"), 5),
        (http::post_chunked("/upload", &["hello", "you"]), 9),
    ] {
        for rate in [0, 512] {
            let (mut sim, log) = serving(Options::new().body_timeout(seconds(3)).body_rate(rate));
            let client = sim.connect();
            sim.send(client, &wire[..wire.len() - rest]);
            let taken = until(&mut sim, client, ended);
            // What came since the last look may earn it another one.
            assert!(
                taken >= seconds(3) && taken <= seconds(6) + STEP * 2 + millis(10),
                "refused after {taken:?}"
            );
            let answer = only(&sim.receive(client));
            assert_eq!(
                (answer.status, answer.text(), answer.closes()),
                (408, RequestError::BodyTimeout.as_str(), true)
            );
            assert!(sim.ask(client, &wire[wire.len() - rest..]).is_empty());
            assert_eq!(
                log.take(),
                ["request POST /upload"],
                "the handler is not handed half a body"
            );
        }
    }
}

#[test]
fn server_waits_for_a_body_as_long_as_it_comes() {
    let body = "x".repeat(60_000);
    let (mut sim, _) = serving(Options::new().body_timeout(seconds(3)).body_rate(512));
    let (brisk, slow) = (sim.connect(), sim.connect());
    let wire = http::post("/upload", &body);
    let head = wire.len() - body.len();
    sim.send(brisk, &wire[..head]);
    sim.send(slow, &wire[..head]);
    for piece in wire.as_bytes()[head..].chunks(1_000) {
        sim.push(brisk, piece);
        sim.push(slow, &piece[..100]);
        sim.advance(seconds(1));
    }
    assert_eq!(http::bodies(&sim.receive(brisk)), "60000");
    assert_eq!(http::statuses(&sim.receive(slow)), [408], "a hundred bytes a second are too few");
}

#[test]
fn server_drops_an_unwanted_body_that_stalls() {
    let (mut sim, log) = serving(Options::new().body_timeout(seconds(3)));
    let client = sim.connect();
    let wire = http::post("/unwanted", "hello");
    assert_eq!(http::bodies(&sim.ask(client, &wire[..wire.len() - 2])), "/unwanted");
    let taken = until(&mut sim, client, gone);
    assert!(taken <= seconds(6) + STEP * 2 + millis(10), "{taken:?}");
    assert!(sim.receive(client).is_empty(), "it has its answer");
    assert_eq!(log.take().len(), 1);
}

#[test]
fn field_row_23_server_drops_the_reader_of_a_response_that_stalls() {
    for (rate, takes, drops) in [(0, 0, true), (0, 1, false), (512, 100, true), (512, 1_000, false)]
    {
        let (mut sim, _) = serving(Options::new().write_timeout(seconds(3)).write_rate(rate));
        let client = sim.connect();
        sim.peer(client).window(0);
        sim.send(client, http::get("/big") + &http::get("/next"));
        for _ in 0..20 {
            sim.advance(seconds(1));
            sim.window(client, takes);
        }
        assert_eq!(sim.is_gone(client), drops, "{takes} bytes a second where {rate} are asked for");
        if !drops {
            sim.window(client, usize::MAX);
            let bytes = sim.receive(client);
            assert_eq!(http::answers(&bytes).len(), 2, "the next request has waited");
        }
    }
}

#[test]
fn server_lingers_until_the_peer_has_ended_or_the_deadline() {
    let close = http::request("GET", "/a", "Connection: close\r\n", "");
    for sends in [false, true] {
        let (mut sim, _) = serving(Options::new().linger_limit(seconds(9)));
        let client = sim.connect();
        sim.send(client, &close);
        assert!(sim.is_ended(client));
        let start = sim.now;
        while !sim.is_gone(client) {
            if sends {
                sim.push(client, "more and more");
            }
            sim.advance(millis(10));
        }
        let deadline = if sends { seconds(9) } else { seconds(5) };
        assert_on_time(sim.now - start, deadline, "gone, however much it still sends");
    }
    let (mut sim, _) = serving(Options::new());
    let client = sim.connect();
    sim.send(client, &close);
    sim.push(client, "still under way");
    sim.end(client);
    assert!(sim.is_gone(client), "nothing more is to be expected");
}

#[test]
fn server_sleeps_until_the_next_deadline() {
    let (mut sim, _) = serving(Options::new());
    assert_eq!(sim.server.poll_timeout(sim.now), None, "nobody is there");
    let client = sim.connect();
    sim.send(client, http::get("/a"));
    let mut waits = Vec::new();
    while let Some(wait) = sim.server.poll_timeout(sim.now) {
        assert!(!wait.is_zero(), "it spins");
        waits.push(wait);
        sim.now += wait;
        sim.turn();
        if sim.server.poll_timeout(sim.now) == Some(Duration::ZERO) {
            sim.turn();
        }
    }
    assert!(sim.is_gone(client));
    assert!(waits.len() <= 3, "an idle connection is looked at {} times: {waits:?}", waits.len());
}

#[test]
fn server_sleeps_while_a_handler_owes_an_answer() {
    let (mut sim, _) = serving(Options::new().answer_timeout(seconds(1_000)));
    let client = sim.connect();
    sim.send(client, http::get("/later"));
    // What lies unread in front of it is no reason to look.
    sim.send(client, http::get("/next").repeat(10_000));
    let mut turns = 0;
    let end = sim.now + seconds(900);
    while let Some(wait) = sim.server.poll_timeout(sim.now).filter(|wait| sim.now + *wait < end) {
        sim.now += wait;
        sim.turn();
        turns += 1;
        assert!(turns < 10, "it spins");
    }
}

#[test]
fn server_reads_a_head_in_linear_time_and_within_its_limit() {
    let (mut sim, _) = serving(Options::new().max_head(16 << 10));
    let client = sim.connect();
    sim.send(client, "GET / HTTP/1.1\r\nHost: a\r\nA: ");
    let mut sent = 0;
    while !sim.is_ended(client) {
        sim.send(client, "x".repeat(4_000));
        sent += 4_000;
        assert!(sent <= 20_000, "20 KB of a head of at most 16 are taken");
    }
    assert_eq!(http::statuses(&sim.receive(client)), [431]);
}

#[test]
fn server_drains_what_is_in_progress_and_closes_the_idle() {
    let (mut sim, log) = serving(Options::new());
    sim.server.http("/closing", |_, _| Response::text("never"));
    let idle = sim.connect();
    let [begun, body, later, piped, slow] = [0; 5].map(|_| sim.connect());
    sim.send(idle, http::get("/a"));
    sim.send(begun, "GET /b HT");
    let upload = http::post("/upload", "hello");
    sim.send(body, &upload[..upload.len() - 2]);
    sim.send(later, http::get("/later"));
    let id = log.last_id();
    sim.peer(slow).window(10);
    sim.send(slow, http::get("/big"));
    sim.push(piped, http::get("/p").repeat(300));
    sim.turn();
    let now = sim.now;
    sim.server.context(now).drain(switchboard::Drain::within(seconds(9))).unwrap();
    sim.settle();
    assert!(sim.is_gone(idle), "nothing is lost by closing it");
    assert!(
        sim.server.adopt(switchboard::Transport::memory().0, sim.now).is_err(),
        "nobody comes in any more"
    );
    sim.server.context(now).respond(id, "late");
    sim.window(slow, usize::MAX);
    sim.send(begun, "TP/1.1\r\nHost: a\r\n\r\n");
    sim.send(body, "lo");
    for client in [begun, body, later, slow] {
        let bytes = sim.receive(client);
        let last = http::answers(&bytes).pop().expect("an answer");
        assert_eq!(last.status, 200);
        assert!(sim.is_ended(client), "the answer is the last: {:?}", last.headers);
    }
    let answered = http::answers(&sim.receive(piped));
    assert!(
        answered.len() >= 257 && answered.last().is_some_and(http::Answer::closes),
        "{} answers",
        answered.len()
    );
    sim.advance(seconds(10));
    assert!(sim.server.is_drained());
    assert_eq!(sim.server.poll_timeout(sim.now), None);
    assert!(!log.take().contains(&"cancelled".to_owned()));
}
