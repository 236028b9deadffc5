//! Requests in which servers differ, each sent whole and byte by byte: queries, `OPTIONS *`,
//! transfer codings, long methods, HEAD, and final answers with a status that is not final.

mod common;

use common::http::{self, Answer};
use common::{Bytes, Log, Recorder, World};
use switchboard::http::Method;
use switchboard::{EventStream, Reply, RequestError, Response, Server, Stream, Zone};

/// The answer to a request, the same whether its bytes arrive whole or one by one, and whether the
/// server has ended its side.
fn answer_to(set_up: fn(&mut Server), method: &str, wire: &[u8]) -> (Answer, bool) {
    let ask = |trickles: bool| {
        let mut sim = World::serving(set_up);
        let client = sim.connect();
        let bytes = match trickles {
            false => sim.ask(client, wire),
            true => {
                sim.trickle(client, wire);
                sim.receive(client)
            }
        };
        let (answer, len) = http::answer(&bytes, method);
        assert_eq!(len, bytes.len(), "one answer: {}", bytes.escape_ascii());
        (answer, sim.is_ended(client))
    };
    let whole = ask(false);
    assert_eq!(whole, ask(true), "byte by byte: {}", wire.escape_ascii());
    whole
}

/// Answers with the query as sent and with its decoded pairs.
fn querying(server: &mut Server) {
    server.http("/", |_, request| {
        format!("{:?} {:?}", request.query().unwrap_or("none"), request.query_pairs())
    });
}

/// A target, and the answer of the zone.
const QUERIES: &[(&str, &str)] = &[
    ("/s?q=100%", r#""q=100%" [("q", "100%")]"#),
    ("/?rate=50%", r#""rate=50%" [("rate", "50%")]"#),
    ("/?q=%u00e9", r#""q=%u00e9" [("q", "%u00e9")]"#),
    ("/?q=%zz%41%4", r#""q=%zz%41%4" [("q", "%zzA%4")]"#),
    ("/?%=1&%%20=2", r#""%=1&%%20=2" [("%", "1"), ("% ", "2")]"#),
    ("/?q=%ff", "\"q=%ff\" [(\"q\", \"\u{fffd}\")]"),
    ("/?q=\"a\"", r#""q=\"a\"" [("q", "\"a\"")]"#),
    ("/?<script>", r#""<script>" [("<script>", "")]"#),
    ("/?q=café", r#""q=café" [("q", "café")]"#),
    ("/?q=日本&r=🦀", r#""q=日本&r=🦀" [("q", "日本"), ("r", "🦀")]"#),
    ("/?{}|^`[]\\", r#""{}|^`[]\\" [("{}|^`[]\\", "")]"#),
    ("/?a=/../%2e%2F?b", r#""a=/../%2e%2F?b" [("a", "/.././?b")]"#),
    ("/a%20b?100%", r#""100%" [("100%", "")]"#),
    ("http://example.com/?100%", r#""100%" [("100%", "")]"#),
    ("http://example.com?\"é\"", r#""\"é\"" [("\"é\"", "")]"#),
];

#[test]
fn server_hands_a_query_on_as_it_is() {
    for &(target, expected) in QUERIES {
        let (answer, _) = answer_to(querying, "GET", http::get(target).as_bytes());
        assert_eq!((answer.status, answer.text()), (200, expected), "{target}");
    }
}

#[test]
fn server_refuses_a_query_that_no_request_line_may_hold() {
    let rows: &[(&[u8], RequestError)] = &[
        (b"/?a#b", RequestError::TargetFragment),
        (b"/?a=100%#b", RequestError::TargetFragment),
        (b"/?a b", RequestError::MalformedRequestLine),
        (b"/?a\tb", RequestError::TargetCharacter),
        (b"/?a\0b", RequestError::ControlCharacter),
        (b"/?a\x7fb", RequestError::ControlCharacter),
        (b"/?a\xff", RequestError::TargetCharacter),
        (b"/?a\xc3", RequestError::TargetCharacter),
        (b"/?a\xed\xa0\x80", RequestError::TargetCharacter),
        // U+0085 and U+009B are control characters to a terminal.
        ("/?a\u{85}".as_bytes(), RequestError::TargetCharacter),
        ("/?a\u{9b}31m".as_bytes(), RequestError::TargetCharacter),
        // The path stays strict, whatever its query.
        (b"/100%?a", RequestError::TargetEscape),
        (b"/%u00e9?a", RequestError::TargetEscape),
        (b"/%4?%41", RequestError::TargetEscape),
        ("/é?a".as_bytes(), RequestError::TargetCharacter),
        (b"/\"?a", RequestError::TargetCharacter),
        (b"/<a>", RequestError::TargetCharacter),
        (b"/a\\b?c", RequestError::TargetSeparator),
        (b"http://ex%61mple.com/?a", RequestError::TargetAuthority),
    ];
    for (target, error) in rows {
        let wire = [b"GET ", *target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let (answer, ended) = answer_to(querying, "GET", &wire);
        let shown = target.escape_ascii();
        assert_eq!((answer.status, answer.text()), (400, error.as_str()), "{shown}");
        assert!(ended, "{shown}");
    }
}

/// A zone for the server as a whole, and others that must not see such a request.
fn starred(server: &mut Server) {
    server.http("/", |_, _| Response::text("the zone at /").with_status(500));
    server.http("/*", |_, _| Response::text("the zone at /*").with_status(500));
    server.http(Zone::new("*").methods(&[Method::GET]), |_, _| "no GET has the target *");
    server.http("*", |_, request| match request.header("x-pass") {
        Some(_) => Reply::Pass,
        None => {
            let text = format!("{}|{}|{}", request.path(), request.zone(), request.suffix());
            Response::text(text).header("Allow", "GET").into()
        }
    });
}

fn unstarred(server: &mut Server) {
    server.http("/", |_, _| Response::text("the zone at /").with_status(500));
}

const STAR: &str = "OPTIONS * HTTP/1.1\r\nHost: example.com\r\n";

#[test]
fn server_asks_the_zone_of_the_server_as_a_whole() {
    // RFC 9112 section 3.2.4: an absolute target without a path means the same.
    for line in ["OPTIONS * HTTP/1.1", "OPTIONS http://example.com HTTP/1.1"] {
        let wire = format!("{line}\r\nHost: example.com\r\n\r\n");
        let (answer, ended) = answer_to(starred, "OPTIONS", wire.as_bytes());
        assert_eq!((answer.status, answer.text()), (200, "*|*|"), "{line}");
        assert_eq!((answer.header("allow"), ended), (Some("GET"), false));
    }
    let (answer, _) = answer_to(starred, "GET", http::get("/x").as_bytes());
    assert_eq!(answer.text(), "the zone at /");
}

#[test]
fn server_answers_options_for_itself_with_204() {
    let rows = [
        format!("{STAR}\r\n"),
        format!("{STAR}X-Pass: 1\r\n\r\n"),
        format!("{STAR}X-Pass: 1\r\nContent-Length: 2\r\n\r\nhi"),
        format!("{STAR}X-Pass: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
        format!("{STAR}X-Pass: 1\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"),
        "OPTIONS http://example.com HTTP/1.1\r\nHost: example.com\r\nX-Pass: 1\r\n\r\n".into(),
    ];
    for wire in rows {
        let set_up = if wire.contains("X-Pass") { starred } else { unstarred };
        let (answer, ended) = answer_to(set_up, "OPTIONS", wire.as_bytes());
        assert_eq!((answer.status, ended), (204, false), "{wire}");
        // RFC 9110 section 8.6: no 204 has a length. No one resource is asked for, so no Allow.
        let kept = [("Connection", "keep-alive"), ("Keep-Alive", "timeout=70")];
        assert_eq!(answer.headers, kept.map(|(name, value)| (name.into(), value.into())), "{wire}");
    }
    let (answer, ended) = answer_to(unstarred, "OPTIONS", b"OPTIONS * HTTP/1.0\r\n\r\n");
    assert_eq!((answer.status, answer.closes(), ended), (204, true, true));
    let mut sim = World::serving(unstarred);
    let client = sim.connect();
    let bytes = sim.ask(client, format!("{STAR}\r\n{STAR}\r\n{}", http::get("/")));
    assert_eq!(http::statuses(&bytes), [204, 204, 500], "the connection is used again");
    let wire = "OPTIONS http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n";
    assert_eq!(answer_to(unstarred, "OPTIONS", wire.as_bytes()).0.text(), "the zone at /");
}

#[test]
fn server_refuses_a_body_without_a_certain_end() {
    fn uploading(server: &mut Server) {
        let log = Log::new();
        server.zone("/", Recorder::new(&log).request(|_, _| "asked"));
    }
    let rows = [
        ("chunked", 200),
        ("Chunked", 200),
        // Empty list elements count for nothing (RFC 9110 section 5.6.1).
        ("chunked,", 200),
        (", ,chunked", 200),
        ("\r\nTransfer-Encoding: chunked", 200),
        // What is not chunked at last has no certain end (RFC 9112 section 6.3).
        ("chunked, gzip", 400),
        ("chunked\r\nTransfer-Encoding: gzip", 400),
        ("chunked, identity", 400),
        ("gzip, chunked, br", 400),
        ("gzip", 400),
        ("identity", 400),
        ("xchunked", 400),
        ("", 400),
        (",", 400),
        ("chunked, chunked", 400),
        ("chunked\r\nTransfer-Encoding: chunked", 400),
        ("chunked, gzip, chunked", 400),
        ("chunked;a=b", 400),
        ("\"chunked\"", 400),
        ("chunked gzip", 400),
        ("chunked\r\nContent-Length: 5", 400),
        // The end is certain, but the coding is unknown (section 6.1).
        ("gzip, chunked", 501),
        ("gzip\r\nTransfer-Encoding: chunked", 501),
        ("identity, chunked", 501),
        ("gzip,, chunked,", 501),
    ];
    for (codings, status) in rows {
        let lines = format!("Transfer-Encoding: {codings}\r\n");
        let wire = http::request("POST", "/", &lines, "");
        let body = if status == 200 { "0\r\n\r\n" } else { "" };
        let (answer, ended) = answer_to(uploading, "POST", format!("{wire}{body}").as_bytes());
        let closes = status != 200;
        assert_eq!((answer.status, answer.closes(), ended), (status, closes, closes), "{codings}");
        let old = wire.replace("HTTP/1.1", "HTTP/1.0");
        let (answer, ended) = answer_to(uploading, "POST", old.as_bytes());
        assert_eq!((answer.status, answer.closes(), ended), (400, true, true), "1.0: {codings}");
    }
}

#[test]
fn server_answers_an_endless_method_with_501_before_its_line_ends() {
    let method = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"; // 32 bytes, the longest
    let row = |line: &str| answer_to(unstarred, "GET", line.as_bytes());
    for start in ["", "\r\n"] {
        for wire in [
            format!("{start}{method}G"),
            format!("{start}{method}G / HTTP/1.1\r\nHost: a\r\n\r\n"),
            format!("{start}{}", "x".repeat(9_000)),
            format!("{start}{}", "x".repeat(20_000)),
            format!("{start}{} / HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9_000)),
        ] {
            let (answer, ended) = row(&wire);
            assert_eq!((answer.status, answer.closes(), ended), (501, true, true), "{wire:.60}");
        }
        let wire = format!("{start}{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(row(&wire).0.status, 500, "asks the zone");
        // A long target is 414, and what is no request line is 400.
        assert_eq!(row(&format!("{start}GET /{}", "x".repeat(9_000))).0.status, 414);
        assert_eq!(row(&format!("{start}GET / {}", "x".repeat(9_000))).0.status, 400);
        assert_eq!(row(&format!("{start}{{\"a\": \"{}", "x".repeat(9_000))).0.status, 400);
        assert_eq!(row(&format!("{start}{{{}", "x".repeat(9_000))).0.status, 400);
    }
    let mut sim = World::serving(unstarred);
    let client = sim.connect();
    assert!(sim.ask(client, method).is_empty(), "32 bytes may be a method");
}

fn headed(server: &mut Server) {
    let log = Log::new();
    let recorder = Recorder::new(&log)
        .request(|conn, request| match request.path() {
            "/events" => EventStream::new().into(),
            "/later" => {
                let id = conn.id();
                conn.context().respond(id, Response::text("hello"));
                Reply::Later
            }
            "/stream" => Stream::new(Response::new(200)).into(),
            "/measured" => Stream::new(Response::new(200)).length(5).into(),
            "/unread" => Reply::Pass,
            path => match path.trim_start_matches('/').parse::<u16>() {
                Ok(status) => Response::text("hello").with_status(status).into(),
                Err(_) => "hello".into(),
            },
        })
        .writable(|conn| {
            conn.write(b"hello");
            conn.finish();
        });
    server.zone(Zone::new("/socket/only").methods(&[Method::POST]), Recorder::new(&log));
    server.websocket("/socket", |_, _| {});
    server.zone("/", recorder);
}

/// RFC 9110 section 8.6: a length in the answer to HEAD is that of the answer to GET.
#[test]
fn server_names_no_length_to_head_that_get_does_not_have() {
    let rows = [
        ("/events", 200, None, None),
        ("/later", 200, Some("5"), None),
        ("/stream", 200, None, Some("chunked")),
        ("/measured", 200, Some("5"), None),
        ("/plain", 200, Some("5"), None),
        ("/204", 204, None, None),
        ("/205", 205, Some("0"), None),
        ("/304", 304, None, None),
        ("/404", 404, Some("5"), None),
        ("/unread", 404, Some("9"), None),
        ("/socket", 200, Some("5"), None),
    ];
    for (path, status, length, coding) in rows {
        for method in ["HEAD", "GET"] {
            let wire = http::request(method, path, "", "");
            let (answer, ended) = answer_to(headed, method, wire.as_bytes());
            let found = (answer.header("content-length"), answer.header("transfer-encoding"));
            assert_eq!((answer.status, found), (status, (length, coding)), "{method} {path}");
            assert!(!ended, "{method} {path}");
            let kept = answer.header("content-type").is_some();
            assert!(kept || path != "/events", "the fields of an event stream");
        }
    }
    // A handshake by HEAD is refused, without a body.
    let wire = http::handshake("/socket").replacen("GET", "HEAD", 1);
    let (answer, ended) = answer_to(headed, "HEAD", wire.as_bytes());
    let text = RequestError::UpgradeMethod.as_str();
    assert_eq!((answer.status, ended), (400, true));
    assert_eq!(answer.header("content-length"), Some(&*text.len().to_string()));
}

#[test]
fn server_keeps_the_connection_after_head_of_an_event_stream() {
    let mut sim = World::serving(headed);
    let client = sim.connect();
    let head = http::request("HEAD", "/events", "", "");
    let bytes = sim.ask(client, format!("{head}{head}{}", http::get("/plain")));
    let answers = http::answers_to(&["HEAD", "HEAD", "GET"], &bytes);
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200; 3]);
    assert_eq!(answers[2].text(), "hello");
}

/// Answers on every way with the status that the query names.
fn answering_any(server: &mut Server) {
    let log = Log::new();
    let status = |request: &switchboard::Request<'_>| {
        request.query_value("status").and_then(|status| status.parse().ok()).unwrap_or(200_u16)
    };
    let recorder = Recorder::new(&log)
        .request(move |conn, request| {
            let response = Response::text("hello").with_status(status(request));
            match request.path() {
                "/later" => {
                    let id = conn.id();
                    conn.context().respond(id, response);
                    Reply::Later
                }
                "/stream" => Stream::new(response).into(),
                "/measured" => Stream::new(response).length(5).into(),
                "/body" => Reply::Body(9),
                _ => response.header("Upgrade", "mine").into(),
            }
        })
        .body(move |_, request, _| Response::text("hello").with_status(status(request)))
        .writable(|conn| {
            conn.write(b"hello");
            conn.finish();
        });
    server.zone("/", recorder);
}

/// A status that is not final would leave the client waiting, and the next answer would take its
/// place.
#[test]
fn server_turns_a_final_answer_that_is_not_final_into_500() {
    let rows = [
        (100, 500, None),
        (101, 500, None),
        (102, 500, None),
        (103, 500, None),
        (199, 500, None),
        (99, 500, None),
        (1000, 500, None),
        (0, 500, None),
        // A body that the status forbids is not sent (RFC 9110 section 6.4.1).
        (204, 204, Some("")),
        (205, 205, Some("")),
        (304, 304, Some("")),
        (200, 200, Some("hello")),
        (299, 299, Some("hello")),
        (999, 999, Some("hello")),
    ];
    for (status, expected, text) in rows {
        for path in ["/plain", "/later", "/stream", "/measured", "/body", "/unread"] {
            for method in ["GET", "HEAD", "POST"] {
                let target = format!("{path}?status={status}");
                let wire = match (method, path) {
                    ("POST", "/unread") => http::post_chunked(&target, &["hello"]),
                    ("POST", _) => http::post(&target, "hello"),
                    _ => http::request(method, &target, "", ""),
                };
                let mut sim = World::serving(answering_any);
                let client = sim.connect();
                let next = http::get("/next");
                let bytes = sim.ask(client, format!("{wire}{next}"));
                let answers = http::answers_to(&[method, "GET"], &bytes);
                let found: Vec<_> = answers.iter().map(|answer| answer.status).collect();
                assert_eq!(found, [expected, 200], "{method} {target}");
                assert_eq!(answers[1].text(), "hello");
                if let (Some(text), true) = (text, method != "HEAD") {
                    assert_eq!(answers[0].text(), text, "{method} {target}");
                }
            }
        }
    }
}
