//! Zones over memory: the order in which they are asked, the methods they name, the extensions they
//! pass on, and request bodies, wanted or not.

mod common;

use common::http::{self, only};
use common::{Bytes, Log, Recorder, World, cases, seconds};
use proptest::prelude::*;
use switchboard::http::{Method, Request};
use switchboard::{Reply, Response, Upgrade, Zone};

/// What an authentication zone adds to the request.
#[derive(Debug, PartialEq)]
struct User(String);

/// Asks for a user by a cookie, for everything below `/`.
fn guarded(log: &Log) -> World {
    World::serving(|server| {
        let guard = Zone::new("/").upgrades(true);
        server.http(guard, |_, request| match request.cookie("user").map(str::to_owned) {
            Some(user) => {
                request.extensions_mut().insert(User(user));
                Reply::Pass
            }
            None => Response::text("who are you?").with_status(401).into(),
        });
        let user = |request: &switchboard::Request<'_>| {
            let user = request.extensions().get::<User>();
            user.map_or("no user".into(), |user| user.0.clone())
        };
        let recorder = Recorder::new(log)
            .request(move |conn, request| match request.path() {
                "/inside/ws" => Upgrade::new().into(),
                "/inside/events" => switchboard::EventStream::new().into(),
                "/inside/body" => Reply::Body(100),
                "/inside/later" => {
                    let id = conn.id();
                    conn.context().upgrade(id, Upgrade::new());
                    Reply::Later
                }
                _ => user(request).into(),
            })
            .body(move |_, request, _| user(request))
            .open(move |conn, request| conn.send(&*user(request)));
        server.zone("/inside", recorder);
    })
}

#[test]
fn field_row_21_zone_at_the_root_guards_pages_and_upgrades_alike() {
    let log = Log::new();
    let mut sim = guarded(&log);
    assert_eq!(sim.get("/inside/page").status, 401);
    assert_eq!(sim.post("/inside/body", "x").status, 401);
    assert_eq!(sim.get("/inside/events").status, 401);
    for path in ["/inside/ws", "/inside/later", "/elsewhere"] {
        let client = sim.connect();
        sim.upgrade(client, path);
        assert_eq!(sim.only_answer(client).status, 401, "{path}");
    }
    assert_eq!(log.take(), [""; 0], "no zone behind the guard is asked");
    assert_eq!(sim.stats().websockets, 0);
}

#[test]
fn zone_hands_its_extensions_to_request_body_and_open() {
    let log = Log::new();
    let mut sim = guarded(&log);
    let get = |path: &str| Request::get(path).header("Cookie", "user=ada");
    assert_eq!(sim.fetch(get("/inside/page")).text(), "ada");
    let post = http::post("/inside/body", "xyz").replace("Host:", "Cookie: user=ada\r\nHost:");
    for pieces in [1, 20] {
        let client = sim.connect();
        post.as_bytes().chunks(post.len() / pieces).for_each(|piece| sim.write(client, piece));
        assert_eq!(sim.only_answer(client).text(), "ada");
    }
    let events = sim.events(get("/inside/events"));
    assert_eq!(sim.hear(events), ["ada"]);
    for path in ["/inside/ws", "/inside/later"] {
        let socket = sim.websocket(get(path));
        assert_eq!(sim.hear(socket), ["ada"], "{path}");
    }
}

#[test]
fn zones_are_asked_in_their_order_by_whole_segments() {
    let order = |path: &str| {
        let log = Log::new();
        let mut sim = World::serving(|server| {
            for prefix in ["/a", "/", "/a/b", "/ab", "/a/"] {
                let log = log.clone();
                server.http(prefix, move |conn, request| {
                    log.note(conn.id(), format!("{}|{}", request.zone(), request.suffix()));
                    Reply::Pass
                });
            }
        });
        assert_eq!(sim.get(path).status, 404, "no zone answers");
        log.take()
    };
    assert_eq!(order("/a"), ["/a|", "/|/a", "/a|"]);
    assert_eq!(order("/a/b/c"), ["/a|/b/c", "/|/a/b/c", "/a/b|/c", "/a|/b/c"]);
    assert_eq!(order("/x/../a/./%62"), ["/a|/b", "/|/a/b", "/a/b|", "/a|/b"]);
    assert_eq!(order("/ab"), ["/|/ab", "/ab|"]);
    assert_eq!(order("/abc"), ["/|/abc"]);
}

#[test]
#[expect(clippy::needless_borrows_for_generic_args, reason = "a list by reference compiles too")]
fn handler_at_several_prefixes_is_told_which_one() {
    let mut sim = World::serving(|server| {
        let log = Log::new();
        server.zones(
            &["/one", "/two"],
            Recorder::new(&log)
                .request(|_, request| format!("{} {}", request.zone(), request.suffix())),
        );
    });
    let client = sim.connect();
    sim.request(client, "/two/x");
    sim.request(client, "/one");
    assert_eq!(sim.answer(client).text(), "/two /x");
    assert_eq!(sim.only_answer(client).text(), "/one ");
}

#[test]
fn handler_keeps_its_state_between_requests() {
    let mut sim = World::serving(|server| {
        let mut count = 0;
        server.http("/", move |_, _| {
            count += 1;
            count.to_string()
        });
    });
    let (one, two) = (sim.connect(), sim.connect());
    let mut bodies = http::bodies(&sim.ask(one, http::get("/").repeat(2)));
    bodies += &http::bodies(&sim.ask(two, http::get("/")));
    assert_eq!(bodies, "1 23");
}

fn methods() -> World {
    World::serving(|server| {
        server.http(Zone::new("/x").methods(&[Method::GET, Method::PUT]), |_, _| "got");
        server.http(Zone::new("/x/y").methods(&[Method::DELETE, Method::PUT]), |_, _| "deleted");
        // Asks for bodies and then passes.
        let log = Log::new();
        server.zone(
            "/x",
            Recorder::new(&log).request(|_, request| {
                if request.method() == Method::POST { Reply::Body(9) } else { Reply::Pass }
            }),
        );
    })
}

#[test]
fn server_names_the_methods_of_all_zones_in_its_405() {
    let rows = [
        ("/x/y", "PATCH", "GET, HEAD, PUT, DELETE"),
        ("/x", "PATCH", "GET, HEAD, PUT"),
        ("/x", "DELETE", "GET, HEAD, PUT"),
    ];
    for (path, method, allow) in rows {
        let mut sim = methods();
        let answer = sim.fetch(Request::builder().method(method).uri(path));
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        assert_eq!(answer.header("connection"), Some("keep-alive"), "{method} {path}");
    }
    let answer = methods().fetch(Request::patch("/z"));
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (404, None));
}

#[test]
fn server_answers_405_alike_wherever_the_body_is_cut() {
    let wire = http::post("/x/y", "12345");
    for cut in 1..wire.len() {
        let mut sim = methods();
        let client = sim.connect();
        sim.write(client, &wire[..cut]);
        sim.write(client, &wire[cut..]);
        let answer = sim.only_answer(client);
        assert_eq!(answer.status, 405, "cut at {cut}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, PUT, DELETE"), "cut at {cut}");
    }
}

#[test]
fn zone_that_answers_get_answers_head() {
    let answer = methods().fetch(Request::head("/x"));
    assert_eq!((answer.status.as_u16(), answer.header("content-length")), (200, Some("3")));
}

const EXPECT: &str = "Expect: 100-continue\r\n";

fn uploading(log: &Log) -> World {
    World::serving(|server| {
        let recorder = Recorder::new(log)
            .request(|_, request| match request.path() {
                "/upload" => Reply::Body(10),
                "/refuses" => Response::text("no").with_status(403).into(),
                _ => "ok".into(),
            })
            .body(|_, _, body| body.len().to_string());
        server.zone("/", recorder);
    })
}

#[test]
fn server_sends_100_once_the_body_is_wanted() {
    let log = Log::new();
    for lines in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let body = if lines.contains("chunked") { "5\r\nhello\r\n0\r\n\r\n" } else { "hello" };
        let head = http::request("POST", "/upload", &format!("{EXPECT}{lines}"), "");
        for cut in 0..head.len() {
            let mut sim = uploading(&log);
            let client = sim.connect();
            sim.send(client, &head[..cut]);
            assert!(sim.receive(client).is_empty());
            assert_eq!(sim.ask(client, &head[cut..]), b"HTTP/1.1 100 Continue\r\n\r\n");
            assert_eq!(http::bodies(&sim.ask(client, body)), "5");
            assert_eq!(http::bodies(&sim.ask(client, http::get("/"))), "ok");
        }
    }
}

#[test]
fn server_sends_no_100_once_the_body_has_begun() {
    let log = Log::new();
    let mut sim = uploading(&log);
    let client = sim.connect();
    let wire = http::request("POST", "/upload", &format!("{EXPECT}Content-Length: 5\r\n"), "he");
    assert!(sim.ask(client, wire).is_empty());
    assert_eq!(http::bodies(&sim.ask(client, "llo")), "5");
}

#[test]
fn server_sends_no_100_for_a_body_that_is_there_or_refused() {
    let rows = [
        (
            http::request("POST", "/upload", &format!("{EXPECT}Content-Length: 5\r\n"), "hello"),
            vec![200],
        ),
        (
            http::request("POST", "/upload", &format!("{EXPECT}Content-Length: 11\r\n"), ""),
            vec![413],
        ),
        (
            http::request("POST", "/upload", &format!("{EXPECT}Content-Length: 0\r\n"), ""),
            vec![200],
        ),
        (
            http::request("POST", "/refuses", &format!("{EXPECT}Content-Length: 5\r\n"), ""),
            vec![403],
        ),
        (format!("POST /upload HTTP/1.0\r\n{EXPECT}Content-Length: 5\r\n\r\n"), vec![]),
    ];
    for (wire, statuses) in rows {
        let log = Log::new();
        let mut sim = uploading(&log);
        let client = sim.connect();
        assert_eq!(http::statuses(&sim.ask(client, &wire)), statuses, "{wire}");
        let refused = statuses.first().is_some_and(|status| *status >= 400);
        assert_eq!(sim.is_ended(client), refused, "a refused body may or may not follow: {wire}");
        if refused {
            assert!(sim.ask(client, "hello").is_empty());
            assert!(!log.take().iter().any(|entry| entry.starts_with("body")));
        }
    }
}

#[test]
fn server_takes_a_body_to_its_limit_and_not_beyond() {
    for len in 0..=12 {
        let body = "x".repeat(len);
        for (wire, cut) in [
            (http::post("/upload", &body), 0),
            (http::post("/upload", &body), len),
            (
                http::post_chunked(
                    "/upload",
                    &[&body[..len / 2], &body[len / 2..]]
                        .map(|piece| if piece.is_empty() { "y" } else { piece }),
                ),
                7,
            ),
        ] {
            let log = Log::new();
            let mut sim = uploading(&log);
            let client = sim.connect();
            sim.send(client, &wire[..wire.len() - cut]);
            sim.send(client, &wire[wire.len() - cut..]);
            let answer = only(&sim.receive(client));
            let sent: usize = if wire.contains("chunked") {
                (len / 2).max(1) + (len - len / 2).max(1)
            } else {
                len
            };
            match sent {
                0..=10 => {
                    assert_eq!((answer.status, answer.text()), (200, &*sent.to_string()), "{wire}")
                }
                _ => assert_eq!((answer.status, answer.closes()), (413, true), "{wire}"),
            }
        }
    }
}

#[test]
fn server_discards_a_small_body_that_nobody_wants() {
    let small = "s".repeat(60_000);
    for wire in [http::post("/", &small), http::post_chunked("/", &[&small, "more"])] {
        for piece in [wire.len(), 10_000, 977] {
            let log = Log::new();
            let mut sim = uploading(&log);
            let client = sim.connect();
            wire.as_bytes().chunks(piece).for_each(|piece| sim.send(client, piece));
            assert_eq!(http::bodies(&sim.receive(client)), "ok");
            assert_eq!(
                http::bodies(&sim.ask(client, http::get("/again"))),
                "ok",
                "the connection is used again"
            );
            assert_eq!(log.take(), ["request POST /", "request GET /again"]);
        }
    }
}

#[test]
fn server_closes_over_a_big_body_that_nobody_wants() {
    let big = "GET /big HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4_000);
    let log = Log::new();
    for (wire, answered) in
        [(http::post("/", &big), true), (http::post_chunked("/", &[&big]), false)]
    {
        let mut sim = uploading(&log);
        let client = sim.connect();
        let head = wire.find("\r\n\r\n").expect("a head") + 4;
        let answer = only(&sim.ask(client, &wire[..head]));
        assert_eq!((answer.status, answer.closes()), (200, answered));
        wire.as_bytes()[head..].chunks(10_000).for_each(|piece| sim.send(client, piece));
        assert!(sim.receive(client).is_empty(), "a body is not read as requests");
        assert!(
            sim.is_ended(client) && !sim.is_gone(client),
            "it lingers, so that the answer is not lost"
        );
        assert_eq!(log.take(), ["request POST /"]);
        sim.advance(seconds(6));
        assert!(sim.is_gone(client));
    }
}

#[test]
fn handler_that_asks_for_the_body_twice_is_answered_500() {
    let log = Log::new();
    for cut in [0, 3] {
        let mut sim = World::serving(|server| {
            server.zone(
                "/",
                Recorder::new(&log).request(|_, _| Reply::Body(9)).body(|_, _, _| Reply::Body(9)),
            );
        });
        let client = sim.connect();
        let wire = http::post("/", "hello");
        sim.send(client, &wire[..wire.len() - cut]);
        sim.send(client, &wire[wire.len() - cut..]);
        assert_eq!(only(&sim.receive(client)).status, 500);
        assert_eq!(log.take(), ["request POST /", "body hello"]);
    }
}

#[test]
fn zone_that_passes_after_the_body_hands_it_on() {
    for cut in [0, 3] {
        let mut sim = World::serving(|server| {
            let log = Log::new();
            server.zone("/", Recorder::new(&log).request(|_, _| Reply::Body(9)));
            server.zone(
                "/",
                Recorder::new(&log)
                    .request(|_, _| Reply::Body(9))
                    .body(|_, _, body| body.len().to_string()),
            );
        });
        let client = sim.connect();
        let wire = http::post("/", "hello");
        sim.send(client, &wire[..wire.len() - cut]);
        sim.send(client, &wire[wire.len() - cut..]);
        assert_eq!(http::bodies(&sim.receive(client)), "5");
    }
}

/// What a path of a request reads, a prefix reads.
#[test]
fn prefix_is_read_as_a_path_is() {
    for (prefix, path) in [
        ("/caf%C3%A9", "/caf%c3%a9"),
        ("/café", "/caf%C3%A9"),
        ("/%61b", "/ab"),
        ("/a%2Db", "/a-b"),
        ("/a b", "/a%20b"),
        ("/100%25", "/100%25"),
        ("/a//b", "/a/b"),
        ("//a///b//", "/a/b"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/b/..", "/a"),
        ("/a/.", "/a"),
        ("a/", "/a"),
        ("./a", "/a"),
        ("/a/..", "/"),
        ("/.", "/"),
        ("", "/"),
        ("/", "/"),
        ("/%2541", "/%2541"),
        ("/a;b=c,d:e@f!$&'()*+", "/a;b=c,d:e@f!$&'()*+"),
    ] {
        let mut sim = World::serving(|server| {
            server.http(prefix, |_, request| request.zone().to_owned());
        });
        let answer = sim.get(path);
        assert_eq!(answer.status, 200, "{prefix} {path}");
        assert_eq!(sim.get(&format!("{path}/x")).text(), answer.text(), "{prefix} {path}");
        let elsewhere = sim.get("/elsewhere").status;
        assert_eq!(elsewhere, if path == "/" { 200 } else { 404 }, "{prefix}");
    }
}

#[test]
fn prefix_that_no_path_has_is_an_error_that_names_it() {
    for (prefix, reason) in [
        ("/..", "above the root"),
        ("/a/../..", "above the root"),
        ("/%2e%2e", "above the root"),
        ("/a?b", "query"),
        ("/a#b", "fragment"),
        ("/a%2Fb", "slash"),
        ("/a%5cb", "slash"),
        ("/a\\b", "backslash"),
        ("/a%", "%25"),
        ("/a%4", "%25"),
        ("/a%zz", "%25"),
        ("/a%00b", "control character"),
        ("/a\nb", "control character"),
        ("/a\x7f", "control character"),
        ("/a%ff", "UTF-8"),
        ("http://example.com/a", "path alone"),
        ("ws://example.com", "path alone"),
    ] {
        let mut server = switchboard::Server::detached();
        server.http("/sound", |_, _| "sound");
        server.http(prefix, |_, _| "unsound");
        server.http("/a?second", |_, _| "unsound");
        let now = std::time::Instant::now();
        let error = server.adopt(switchboard::Transport::memory().0, now).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{prefix}");
        let text = error.to_string();
        let named = format!("{prefix:?}");
        assert!(text.contains(&named) && text.contains(reason), "{prefix}: {text}");

        let mut reactor = switchboard::Reactor::new().unwrap();
        reactor.server.http(prefix, |_, _| "unsound");
        let error = reactor.server.listen("127.0.0.1:0").unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!(reactor.run().unwrap_err().to_string(), text, "a program that only dials");
    }
}

proptest! {
    #![proptest_config(cases(500))]

    /// A path that a request may have is a prefix that matches it; any other is an error.
    #[test]
    fn prefix_is_sound_where_a_path_is(
        path in r"(/|/a|/%41|/\.|/\.\.|/%2e|/%2E%2e|/%2f|/%5C|/\\|/%00|/%|/%4|/%c3%a9|/%ff){1,6}",
    ) {
        prop_assume!(path.starts_with('/'));
        let mut world = World::new();
        let client = world.connect();
        world.server.http(&*path, |_, _| "matched");
        world.write(client, http::get(&path));
        let sound = world.server.adopt(switchboard::Transport::memory().0, world.now).is_ok();
        let status = only(&world.read(client)).status;
        prop_assert_eq!(status, if sound { 200 } else { 400 }, "{}", path);
    }
}
