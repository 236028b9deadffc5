//! HTTP from the first byte to the last, in simulation: the answers do not depend on how the bytes
//! arrive and leave.

mod common;

use common::http::{self, Answer};
use common::{Bytes, Client, Log, Recorder, World, seconds};
use switchboard::http::Method;
use switchboard::{Reply, RequestError, Response, Server, Zone};

/// Answers with the request; `/upload` wants a body of at most 16 bytes, `/later` answers in a call
/// of its own.
fn answering(server: &mut Server) {
    let log = Log::new();
    let recorder = Recorder::new(&log)
        .request(|conn, request| match request.path() {
            "/upload" => Reply::Body(16),
            "/later" => {
                let (id, text) = (conn.id(), format!("{} {}", request.method(), request.target()));
                conn.context().respond(id, text);
                Reply::Later
            }
            "/closes" => Response::text("bye").close().into(),
            _ => format!("{} {}", request.method(), request.target()).into(),
        })
        .body(|_, request, body| format!("{} {}", request.target(), body.escape_ascii()));
    // Every one of them passes on the way, as an authentication zone would.
    server.http("/", |_, _| Reply::Pass);
    server.http(Zone::new("/get-only").methods(&[Method::GET]), |_, _| "got");
    server.http(Zone::new("/get-only").methods(&[Method::PUT, Method::GET]), |_, _| "put");
    server.http("/missing", |_, _| Response::text("not here").with_status(404));
    server.http("/passes", |_, _| Reply::Pass);
    server.zone("/", recorder);
}

fn whole(wire: &[u8]) -> (Vec<u8>, bool) {
    let mut sim = World::serving(answering);
    let client = sim.connect();
    let answer = sim.ask(client, wire);
    (answer, sim.is_ended(client))
}

/// The bytes on the wire, the methods of their requests, the statuses and bodies of the answers,
/// and whether the connection closes.
type Shape = (String, &'static [&'static str], &'static [(u16, &'static str)], bool);

#[expect(clippy::too_many_lines, reason = "a table")]
fn shapes() -> Vec<Shape> {
    let chunks = http::post_chunked("/upload", &["he", "l", "lo"]);
    let trailers = chunks.replace("0\r\n\r\n", "0;last=yes\r\nChecksum: 7\r\n\r\n");
    vec![
        (http::get("/a?b=c"), &["GET"], &[(200, "GET /a?b=c")], false),
        (format!("\r\n{}", http::get("/a")), &["GET"], &[(200, "GET /a")], false),
        (http::request("HEAD", "/a", "", ""), &["HEAD"], &[(200, "")], false),
        (
            http::request("OPTIONS", "http://other:80/a", "", ""),
            &["OPTIONS"],
            &[(200, "OPTIONS http://other:80/a")],
            false,
        ),
        (http::get("/a").repeat(3), &["GET"; 3], &[(200, "GET /a"); 3], false),
        (
            http::request("GET", "/a", "Connection: close\r\n", ""),
            &["GET"],
            &[(200, "GET /a")],
            true,
        ),
        ("GET /a HTTP/1.0\r\n\r\n".into(), &["GET"], &[(200, "GET /a")], true),
        (
            "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".into(),
            &["GET"],
            &[(200, "GET /a")],
            false,
        ),
        (http::get("/closes") + &http::get("/never"), &["GET"], &[(200, "bye")], true),
        (http::post("/upload", "hello"), &["POST"], &[(200, "/upload hello")], false),
        (http::post("/upload", ""), &["POST"], &[(200, "/upload ")], false),
        (
            http::post("/upload", "0123456789abcdef") + &http::get("/b"),
            &["POST", "GET"],
            &[(200, "/upload 0123456789abcdef"), (200, "GET /b")],
            false,
        ),
        (
            chunks + &http::get("/b"),
            &["POST", "GET"],
            &[(200, "/upload hello"), (200, "GET /b")],
            false,
        ),
        (
            trailers + &http::get("/b"),
            &["POST", "GET"],
            &[(200, "/upload hello"), (200, "GET /b")],
            false,
        ),
        (
            http::post("/other", "GET /x HTTP/1.1\r\n\r\n") + &http::get("/b"),
            &["POST", "GET"],
            &[(200, "POST /other"), (200, "GET /b")],
            false,
        ),
        (
            http::post_chunked("/other", &["un", "wanted"]) + &http::get("/b"),
            &["POST", "GET"],
            &[(200, "POST /other"), (200, "GET /b")],
            false,
        ),
        (
            http::get("/later") + &http::get("/b") + &http::get("/later"),
            &["GET"; 3],
            &[(200, "GET /later"), (200, "GET /b"), (200, "GET /later")],
            false,
        ),
        (
            http::get("/missing") + &http::get("/b"),
            &["GET"; 2],
            &[(404, "not here"), (200, "GET /b")],
            false,
        ),
        (http::get("/get-only/x"), &["GET"], &[(200, "got")], false),
        (
            http::request("PUT", "/get-only", "Content-Length: 0\r\n", ""),
            &["PUT"],
            &[(200, "put")],
            false,
        ),
    ]
}

#[test]
fn server_answers_every_shape_wherever_it_is_cut() {
    for (wire, methods, expected, closes) in shapes() {
        let wire = wire.as_bytes();
        let shown = wire.escape_ascii();
        let check = |bytes: &[u8], ended: bool, cut: &str| {
            let answers = http::answers_to(methods, bytes);
            let found: Vec<_> =
                answers.iter().map(|answer| (answer.status, answer.text())).collect();
            assert_eq!(found, expected, "{cut}: {shown}");
            assert_eq!(
                (answers.last().is_some_and(Answer::closes), ended),
                (closes, closes),
                "{cut}: {shown}"
            );
        };
        let (answer, ended) = whole(wire);
        check(&answer, ended, "whole");
        for cut in 1..wire.len() {
            let mut sim = World::serving(answering);
            let client = sim.connect();
            sim.send(client, &wire[..cut]);
            sim.send(client, &wire[cut..]);
            let answer = sim.receive(client);
            check(&answer, sim.is_ended(client), &format!("cut at {cut}"));
        }
        let mut sim = World::serving(answering);
        let client = sim.connect();
        sim.trickle(client, wire);
        let answer = sim.receive(client);
        check(&answer, sim.is_ended(client), "byte by byte");
        let mut sim = World::serving(answering);
        let client = sim.connect();
        sim.peer(client).read_at_most(1);
        let answer = sim.ask(client, wire);
        check(&answer, sim.is_ended(client), "read byte by byte");
    }
}

#[test]
fn server_answers_every_shape_through_the_smallest_window() {
    for (wire, methods, expected, closes) in shapes() {
        let mut sim = World::serving(answering);
        let client = sim.connect();
        sim.peer(client).window(0);
        sim.send(client, &wire);
        let mut bytes = Vec::new();
        for _ in 0..2_000 {
            sim.window(client, 1);
            bytes.extend(sim.receive(client));
        }
        let answers = http::answers_to(methods, &bytes);
        let found: Vec<_> = answers.iter().map(|answer| (answer.status, answer.text())).collect();
        assert_eq!(found, expected, "{wire}");
        assert_eq!(sim.is_ended(client), closes, "{wire}");
    }
}

#[test]
fn server_answers_a_half_closed_client_in_full() {
    for (wire, methods, expected, _) in
        shapes().into_iter().filter(|(wire, ..)| !wire.contains("/later"))
    {
        for told in [true, false] {
            let mut sim = World::serving(answering);
            let client = sim.connect();
            sim.peer(client).window(10);
            sim.push(client, &wire);
            if told {
                sim.end(client)
            } else {
                sim.end_quietly(client)
            }
            assert!(!sim.is_gone(client), "gone before the answer has left: {wire}");
            sim.window(client, usize::MAX);
            let bytes = sim.receive(client);
            let found: Vec<_> =
                http::answers_to(methods, &bytes).iter().map(|answer| answer.status).collect();
            assert_eq!(
                found,
                expected.iter().map(|(status, _)| *status).collect::<Vec<_>>(),
                "{wire}"
            );
            assert!(sim.is_gone(client), "{wire}");
        }
    }
}

#[test]
fn server_answers_a_thousand_pipelined_requests_in_order() {
    let mut sim = World::serving(answering);
    let (client, other) = (sim.connect(), sim.connect());
    let wire: String = (0..1_000).map(|n| http::get(&format!("/{n}"))).collect();
    sim.push(client, &wire);
    sim.push(other, http::get("/other"));
    sim.turn();
    let early = http::answers(&sim.receive(client));
    assert_eq!(early.len(), 256, "a turn's share");
    assert_eq!(http::bodies(&sim.receive(other)), "GET /other", "others are served meanwhile");
    sim.settle();
    let late = http::answers(&sim.receive(client));
    let found: Vec<_> = early.iter().chain(&late).map(|answer| answer.text().to_owned()).collect();
    let expected: Vec<_> = (0..1_000).map(|n| format!("GET /{n}")).collect();
    assert_eq!(found, expected);
}

#[test]
fn server_makes_no_answers_that_are_not_taken() {
    let log = Log::new();
    let mut sim = World::serving(|server| {
        server.zone("/", Recorder::new(&log).request(|_, _| "x".repeat(100_000)));
    });
    let client = sim.connect();
    sim.peer(client).window(0);
    sim.send(client, http::get("/").repeat(200));
    let made = log.take().len();
    assert!(made <= 2, "{made} answers of 100 KB wait for a peer that takes nothing");
    let mut bytes = Vec::new();
    for _ in 0..200 {
        sim.window(client, 100_200);
        bytes.extend(sim.receive(client));
        assert!(made + log.take().len() <= 4, "one answer at a time as they are taken");
    }
    sim.window(client, usize::MAX);
    bytes.extend(sim.receive(client));
    assert_eq!(http::statuses(&bytes), [200; 200]);
}

#[test]
fn server_gathers_no_answers_that_could_leave() {
    let log = Log::new();
    let mut sim = World::serving(|server| {
        let recorder = Recorder::new(&log).request(|conn, _| {
            assert!(
                conn.buffered() < 256 << 10,
                "{} bytes wait for a peer that takes everything",
                conn.buffered()
            );
            "x".repeat(100_000)
        });
        server.zone("/", recorder);
    });
    let client = sim.connect();
    assert_eq!(http::statuses(&sim.ask(client, http::get("/").repeat(100))), [200; 100]);
}

#[test]
fn server_outlives_an_error_at_every_point() {
    for (wire, ..) in shapes() {
        for n in 0..wire.len() {
            let mut sim = World::serving(answering);
            let (cut, slow) = (sim.connect(), sim.connect());
            sim.send(cut, &wire[..n]);
            sim.peer(slow).window(n);
            sim.send(slow, &wire);
            for client in [cut, slow] {
                sim.fail(client, std::io::ErrorKind::ConnectionReset);
                assert!(sim.is_gone(client), "broken at {n}: {wire}");
            }
            assert_eq!(sim.stats().connections, 0);
        }
    }
}

#[test]
fn server_remembers_nothing_of_an_answered_request() {
    let mut sim = World::serving(answering);
    let client = sim.connect();
    assert_eq!(http::bodies(&sim.ask(client, http::post("/upload", "first"))), "/upload first");
    let head = http::request("HEAD", "/a", "", "");
    let (answer, len) = http::answer(&sim.ask(client, head), "HEAD");
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("7")));
    assert!(len > 0);
    assert_eq!(http::bodies(&sim.ask(client, http::get("/a"))), "GET /a");
    assert_eq!(http::bodies(&sim.ask(client, http::post("/upload", "second"))), "/upload second");
    assert_eq!(sim.stats().requests, 4);
}

/// What is refused, how, and what its answer has to say.
#[expect(clippy::too_many_lines, reason = "a table")]
fn refusals() -> Vec<(String, u16, &'static str)> {
    let long = |n: usize| "x".repeat(n);
    vec![
        ("GET / HTTP/1.1\r\n\r\n".into(), 400, RequestError::MissingHost.as_str()),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n".into(), 400, RequestError::BareLineFeed.as_str()),
        (
            http::request("POST", "/", "Content-Length: 1\r\nContent-Length: 1\r\n", "x"),
            400,
            RequestError::DoubledContentLength.as_str(),
        ),
        (
            http::request("POST", "/", "Content-Length: +1\r\n", "x"),
            400,
            RequestError::MalformedContentLength.as_str(),
        ),
        (
            http::request(
                "POST",
                "/",
                "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            400,
            RequestError::LengthAndTransferEncoding.as_str(),
        ),
        (
            http::request("POST", "/upload", "Transfer-Encoding: chunked\r\n", "5\r\nhelloGET"),
            400,
            RequestError::MalformedChunkEnd.as_str(),
        ),
        (
            http::request("POST", "/upload", "Transfer-Encoding: chunked\r\n", "0x5\r\n"),
            400,
            RequestError::MalformedChunkSize.as_str(),
        ),
        (http::post("/upload", &long(17)), 413, RequestError::BodyTooLarge.as_str()),
        (
            http::request("POST", "/upload", "Content-Length: 18446744073709551615\r\n", ""),
            413,
            RequestError::BodyTooLarge.as_str(),
        ),
        (
            http::post_chunked("/upload", &["0123456789", "0123456789"]),
            413,
            RequestError::BodyTooLarge.as_str(),
        ),
        (http::get(&format!("/{}", long(9_000))), 414, RequestError::TargetTooLong.as_str()),
        (
            http::request("POST", "/upload", "Expect: a miracle\r\nContent-Length: 1\r\n", "x"),
            417,
            RequestError::ExpectationFailed.as_str(),
        ),
        (
            http::handshake("/").replace("13", "12"),
            426,
            RequestError::UnsupportedWebSocketVersion.as_str(),
        ),
        (
            http::request("GET", "/", &format!("A: {}\r\n", long(20_000)), ""),
            431,
            RequestError::HeadTooLarge.as_str(),
        ),
        (
            http::request("GET", "/", &"A: b\r\n".repeat(200), ""),
            431,
            RequestError::TooManyHeaders.as_str(),
        ),
        (http::request("CONNECT", "/", "", ""), 501, RequestError::MethodNotImplemented.as_str()),
        (
            http::request("POST", "/", "Transfer-Encoding: chunked, gzip\r\n", ""),
            400,
            RequestError::ChunkedNotLast.as_str(),
        ),
        (
            http::request("POST", "/upload", "Transfer-Encoding: chunked\r\n", "5;\r\nhello"),
            400,
            RequestError::MalformedChunkExtension.as_str(),
        ),
        (long(9_000), 501, RequestError::MethodNotImplemented.as_str()),
        (
            http::request("POST", "/", "Transfer-Encoding: gzip, chunked\r\n", ""),
            501,
            RequestError::UnknownTransferCoding.as_str(),
        ),
        (
            http::get("/").replace("HTTP/1.1", "HTTP/2.0"),
            505,
            RequestError::VersionNotSupported.as_str(),
        ),
    ]
}

/// An upgrading zone besides, for the refusals of the handshake.
fn refusing() -> (World, Client, Log) {
    let log = Log::new();
    let mut sim = World::serving(|server| {
        server.websocket("/", |conn, message| conn.send(message));
        answering(server);
        server.zone("/", Recorder::new(&log));
    });
    let client = sim.connect();
    (sim, client, log)
}

#[test]
fn server_refuses_once_and_reads_nothing_after() {
    for (wire, status, text) in refusals() {
        for behind in ["", "GET /again HTTP/1.1\r\nHost: a\r\n\r\n"] {
            for trickles in [false, true] {
                let (mut sim, client, log) = refusing();
                let wire = format!("{wire}{behind}");
                match trickles {
                    false => sim.send(client, &wire),
                    true => wire.as_bytes().chunks(97).for_each(|piece| sim.send(client, piece)),
                }
                let answer = http::only(&sim.receive(client));
                assert_eq!(
                    (answer.status, answer.text(), answer.closes()),
                    (status, text, true),
                    "{wire}"
                );
                assert!(sim.is_ended(client), "our side has ended: {wire}");
                assert!(!sim.is_gone(client), "what still comes is discarded, not reset: {wire}");
                assert!(
                    sim.ask(client, http::get("/again").repeat(5)).is_empty(),
                    "read after its refusal: {wire}"
                );
                sim.advance(seconds(6));
                assert!(sim.is_gone(client), "lingers for ever: {wire}");
                assert_eq!((sim.stats().connections, sim.stats().refused <= 1), (0, true));
                assert_eq!(log.take(), [""; 0], "no handler is asked: {wire}");
            }
        }
    }
}

#[test]
fn server_names_what_it_wants_when_it_refuses_a_handshake() {
    let (mut sim, client, _) = refusing();
    let answer = http::only(&sim.ask(client, http::handshake("/").replace("13", "25")));
    assert_eq!(
        (answer.status, answer.header("sec-websocket-version"), answer.header("upgrade")),
        (426, Some("13"), Some("websocket"))
    );
}

#[test]
fn server_does_not_answer_a_head_with_a_body() {
    for path in ["/nowhere", "/get-only", "/missing", "/a"] {
        let mut sim = World::serving(|server| {
            server.http(Zone::new("/get-only").methods(&[Method::POST]), |_, _| "x");
            server.http("/missing", |_, _| Response::text("not here").with_status(404));
            server.http("/a", |_, _| "hello");
        });
        let client = sim.connect();
        let bytes = sim.ask(client, http::request("HEAD", path, "", ""));
        assert!(bytes.ends_with(b"\r\n\r\n"), "{path}");
        let (answer, _) = http::answer(&bytes, "HEAD");
        assert_ne!(answer.header("content-length"), Some("0"), "{path}");
    }
}

/// Also where the head has a fault, or is cut, and its method is known nevertheless.
#[test]
fn server_refuses_a_head_without_a_body() {
    let long = "x".repeat(20_000);
    for (wire, status) in [
        ("HEAD / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("\r\nHEAD / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (http::request("HEAD", "/%zz", "", ""), 400),
        (http::request("HEAD", &format!("/{long}"), "", ""), 414),
        (http::request("HEAD", "/", &format!("A: {long}\r\n"), ""), 431),
        (http::request("HEAD", "/", "Expect: a miracle\r\nContent-Length: 1\r\n", "x"), 417),
        ("HEAD / HTTP/1.1\r\nHo".to_owned(), 408),
    ] {
        let (mut sim, client, _) = refusing();
        sim.send(client, &wire);
        sim.advance(seconds(11));
        let bytes = sim.receive(client);
        assert!(bytes.ends_with(b"\r\n\r\n"), "{}", bytes.escape_ascii());
        let (answer, _) = http::answer(&bytes, "HEAD");
        assert_eq!((answer.status, answer.closes()), (status, true), "{}", bytes.escape_ascii());
        assert_ne!(answer.header("content-length"), Some("0"));
    }
}

#[test]
fn server_reads_to_the_end_before_it_closes() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    // The kernel resets a connection that is closed over unread input, and the client may then lose
    // its answer.
    let (mut peer, ours) = UnixStream::pair().expect("a pair of sockets");
    ours.set_nonblocking(true).expect("a socket that does not block");
    let mut sim = World::serving(answering);
    let token = sim
        .server
        .adopt(switchboard::mio::net::UnixStream::from_std(ours), sim.now)
        .expect("a place");
    peer.write_all(http::post("/nobody-wants-it", &"x".repeat(150_000)).as_bytes())
        .expect("room for it");
    peer.shutdown(std::net::Shutdown::Write).expect("an open socket");
    let all = switchboard::Readiness { readable: true, writable: true, read_closed: true };
    sim.server.ready(token, all, sim.now);
    sim.settle();
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).expect("an end of file, not a reset");
    assert_eq!(http::bodies(&bytes), "POST /nobody-wants-it");
    assert_eq!(sim.stats().connections, 0);
}
