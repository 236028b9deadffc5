//! Tests whether the harness calls a figure valid only if it can be true, and whether a reason that
//! the server gave reaches the report.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::Signal;
use switchboard::{CloseCode, Conn, Handler, Message, Reactor, Request};

use super::harness::{Run, Server, free_ports, run, run_plainly, signal, sockets, wait_until};
use super::{assert_code, number};

fn server_memory(ended: &super::harness::Ended) -> &serde_json::Value {
    &ended.json["memory"][0]
}

/// The server keeps the memory of the first run's connections, and takes none for the second's.
#[test]
fn harness_calls_a_second_run_on_one_server_process_invalid() {
    let port = free_ports(1);
    let server = Server::start(port);
    let page = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("idle-{port}.html"));
    let hold = |connections: u32| {
        let ended = run(&format!(
            "ws://127.0.0.1:{port}/ --connections {connections} --duration 0.2 --report {}",
            page.display()
        ));
        // The server handles the end of each connection before the next run.
        wait_until("all have ended", || sockets(server.id()) < 20);
        ended
    };
    let fresh = hold(1000);
    assert_code(&fresh, 0);
    assert!(server_memory(&fresh)["per_connection"].as_f64().unwrap() > 0.0, "{}", fresh.table);
    assert!(fresh.table.contains("slope from 100 to 1,000 connections"), "{}", fresh.table);
    assert!(fresh.table.contains("before the first"), "{}", fresh.table);
    // The same again, and twice as many: one half of those is served from kept memory.
    for connections in [1000, 2000] {
        let again = hold(connections);
        assert_code(&again, 3);
        assert!(again.table.contains("verdict: INVALID"), "{}", again.table);
        assert!(again.table.contains("start a fresh server process"), "{}", again.table);
        let html = std::fs::read_to_string(&page).unwrap();
        assert!(html.contains("start a fresh server process"), "{html}");
        assert!(!html.contains("width=\"-") && !html.contains(">-"), "no negative bar: {html}");
    }
    let _ = std::fs::remove_file(&page);
}

#[test]
fn harness_calls_figures_invalid_while_other_clients_are_connected() {
    let port = free_ports(1);
    let server = Server::start(port);
    let other = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let one = run(&format!("ws://127.0.0.1:{port}/ --connections 50 --duration 0.2"));
    assert_code(&one, 3);
    assert_eq!(number(&one, "/connections/foreign"), 1.0);
    assert!(one.table.contains("1 connection at the server's port is not"), "{}", one.table);
    drop(other);
    let first = Run::start(&format!("ws://127.0.0.1:{port}/ --connections 300 --duration 600"));
    wait_until("all are open", || sockets(server.id()) > 300);
    let second = run(&format!("ws://127.0.0.1:{port}/ --connections 100 --duration 0.2"));
    assert_code(&second, 3);
    assert_eq!(number(&second, "/connections/foreign"), 300.0);
    assert!(second.table.contains("INVALID"), "{}", second.table);
    // The other was there for a while only, and is noticed nevertheless.
    let holds = "--mode echo --messages-per-second 100";
    let third =
        Run::start(&format!("ws://127.0.0.1:{port}/ --connections 100 --duration 5 {holds}"));
    wait_until("all are open", || sockets(server.id()) > 400);
    std::thread::sleep(Duration::from_millis(2500));
    signal(first.id(), Signal::SIGINT);
    assert_code(&first.end(), 130);
    let third = third.end();
    assert_code(&third, 3);
    assert_eq!(number(&third, "/connections/foreign"), 300.0);
}

/// Serves a handler on a thread that ends with the test process, and returns the port.
fn serve(zone: impl FnOnce(&mut Reactor) + Send + 'static) -> u16 {
    let port = free_ports(1);
    let (ready, is_ready) = channel();
    std::thread::spawn(move || {
        let mut reactor = Reactor::new().unwrap();
        zone(&mut reactor);
        reactor.server.listen(&*format!("127.0.0.1:{port}")).unwrap();
        ready.send(()).unwrap();
        reactor.run().unwrap();
    });
    is_ready.recv().unwrap();
    port
}

struct Impatient;

impl Handler for Impatient {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.set_timeout(Some(Duration::from_millis(1500)));
    }

    fn timeout(&mut self, conn: &mut Conn<'_>) {
        conn.close(CloseCode::try_from(4001).unwrap(), "idle \"for\" long");
    }
}

#[test]
fn harness_shows_with_which_codes_and_reasons_connections_ended() {
    let port = serve(|reactor| {
        reactor.server.zone("/", Impatient);
    });
    let ended = run(&format!("ws://127.0.0.1:{port}/ --connections 20 --duration 4"));
    assert_code(&ended, 3);
    assert_eq!(number(&ended, "/connections/lost"), 20.0);
    let end = &ended.json["connections"]["ends"][0];
    assert_eq!(
        (&end["code"], &end["reason"], &end["count"]),
        (&4001.into(), &"idle \"for\" long".into(), &20.into()),
        "{}",
        ended.json
    );
    assert!(ended.table.contains("20 with 4001 \"idle \\\"for\\\" long\""), "{}", ended.table);
}

/// Answers every request with these bytes, and hands the requests on.
fn answers(answer: &'static str) -> (u16, Receiver<String>) {
    answers_in_turn(vec![answer])
}

/// Answers each request with the next of these, round and round, and hands the requests on.
fn answers_in_turn(answers: Vec<&'static str>) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (requests, received) = channel();
    std::thread::spawn(move || {
        for (mut stream, answer) in listener.incoming().flatten().zip(answers.iter().cycle()) {
            let mut request = [0; 4 << 10];
            let len = stream.read(&mut request).unwrap_or(0);
            let _ = requests.send(String::from_utf8_lossy(&request[..len]).into_owned());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, received)
}

#[test]
fn harness_shows_the_status_of_a_refusal() {
    for (answer, status, says) in [
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\n\
             Content-Length: 0\r\n\r\n",
            401,
            "answered with HTTP status 401 Unauthorized (WWW-Authenticate: Basic realm=\"a\")",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            403,
            "answered with HTTP status 403 Forbidden",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
            302,
            "answered with HTTP status 302 Found (Location: /other)",
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
            503,
            "answered with HTTP status 503 Service Unavailable (Retry-After: 7)",
        ),
    ] {
        let (port, _requests) = answers(answer);
        let ended = run(&format!("ws://127.0.0.1:{port}/ --connections 40"));
        assert_code(&ended, 3);
        let failures = &ended.json["connections"]["failures"][0];
        assert_eq!((&failures["kind"], &failures["status"]), (&"status".into(), &status.into()));
        assert_eq!(failures["count"].as_f64(), Some(number(&ended, "/connections/failed")));
        assert!(ended.table.contains(says), "{}", ended.table);
        let heard = ended.table.contains("did not answer as a WebSocket server does");
        assert!(!heard, "{}", ended.table);
    }
}

/// Every attempt counts with its own answer, and no request is sent beside the attempts.
#[test]
fn harness_counts_each_refusal_with_its_own_answer() {
    let (port, requests) = answers_in_turn(vec![
        "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy",
        "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Fault\r\nContent-Length: 0\r\n\r\n",
    ]);
    let ended = run(&format!("ws://127.0.0.1:{port}/ --connections 40 --in-flight 1"));
    assert_code(&ended, 3);
    assert_eq!(number(&ended, "/connections/failed"), 32.0, "{}", ended.table);
    assert_eq!(requests.try_iter().count(), 32);
    let failures = ended.json["connections"]["failures"].as_array().unwrap();
    let mut counts: Vec<_> = failures
        .iter()
        .map(|one| (one["status"].as_u64(), one["headers"][0].as_str(), one["count"].as_u64()))
        .collect();
    counts.sort();
    let expected = [
        (Some(429), None, Some(8)),
        (Some(500), None, Some(8)),
        (Some(503), Some("Retry-After: 7"), Some(8)),
        (Some(503), Some("Retry-After: 9"), Some(8)),
    ];
    assert_eq!(counts, expected, "{}", ended.table);
}

/// The next attempt would end the same way: a handful is enough, those that were in flight.
#[test]
fn harness_does_not_repeat_what_is_known_to_fail() {
    let cases = [
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "status"),
        ("HTTP/1.1 301 Moved\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n", "status"),
        ("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", "status"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "status"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found", "status"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "status"),
        ("HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n", "status"),
        ("220 mail.example ESMTP\r\n\r\n", "protocol"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "protocol"),
    ];
    for (answer, kind) in cases {
        let (port, requests) = answers(answer);
        let options = "--connections 40 --in-flight 1";
        let ended = run(&format!("ws://127.0.0.1:{port}/ {options}"));
        assert_code(&ended, 3);
        assert_eq!(number(&ended, "/connections/failed"), 1.0, "{answer}: {}", ended.table);
        assert_eq!(requests.try_iter().count(), 1, "{answer}");
        let is_status = ended.json["connections"]["failures"][0]["status"].is_number();
        assert_eq!(is_status, kind == "status", "{answer}: {}", ended.table);
        assert_eq!(ended.json["connections"]["failures"][0]["kind"], kind, "{answer}");
    }
    let unknown = run("ws://no-such-name.invalid:9001/ --connections 1000 --timeout 30");
    assert_code(&unknown, 3);
    assert_eq!(number(&unknown, "/connections/failed"), 1.0, "{}", unknown.table);
    assert_eq!(unknown.json["connections"]["failures"][0]["kind"], "unresolved");
    assert!(unknown.table.contains("has no address"), "{}", unknown.table);
}

#[test]
fn harness_refuses_what_no_server_can_be_asked() {
    for (arguments, says) in [
        ("ws://127.0.0.1:9001/ --source 192.0.2.1", "192.0.2.1 is no address of this machine"),
        ("ws://127.0.0.1:9001/ --source ::1", "::1 cannot reach 127.0.0.1"),
        ("ws://127.0.0.1:9001/ --header Cookie", "--header \"Cookie\""),
        ("ws://127.0.0.1:9001/ --header Origin:x", "the handshake's own"),
        ("ws://127.0.0.1:9001/ --header Co(okie:x", "--header"),
        ("ws://127.0.0.1:9001/ --subprotocol a,a", "--subprotocol"),
        ("ws://127.0.0.1:9001/ --origin ü", "--origin"),
    ] {
        let ended = run_plainly(arguments);
        assert_code(&ended, 2);
        let one_line = ended.errors.lines().count() == 1;
        assert!(ended.errors.contains(says) && one_line, "{arguments}: {}", ended.errors);
    }
}

#[test]
fn harness_hands_headers_subprotocols_and_origin_on() {
    let (port, requests) = answers("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let ended = run(&format!(
        "ws://127.0.0.1:{port}/ --connections 1 --header Cookie:a=1 --header X-B:2 \
         --subprotocol chat.v2,chat.v1 --subprotocol mqtt --origin https://a.example"
    ));
    assert_code(&ended, 3);
    let request = requests.recv().unwrap();
    for line in [
        "Cookie: a=1\r\n",
        "X-B: 2\r\n",
        "Sec-WebSocket-Protocol: chat.v2, chat.v1, mqtt\r\n",
        "Origin: https://a.example\r\n",
    ] {
        assert!(request.contains(line), "{request}");
    }
}

#[test]
fn harness_notes_that_the_server_selected_no_subprotocol() {
    let port = free_ports(1);
    let ended = run(&format!(
        "ws://127.0.0.1:{port}/ --serve 1 --connections 20 --duration 0.2 --subprotocol v1"
    ));
    assert_code(&ended, 0);
    assert!(ended.table.contains("selected none of --subprotocol for 20 of 20"), "{}", ended.table);
}

/// A server that sends an echo twice, or to all, answers more than it is asked.
#[test]
fn harness_calls_more_answers_than_questions_invalid() {
    let port = serve(|reactor| {
        reactor.server.websocket("/", |conn: &mut Conn<'_>, message: Message<'_>| {
            conn.send(message);
            conn.send(message);
        });
    });
    let ended = run(&format!(
        "ws://127.0.0.1:{port}/ --connections 10 --mode echo --duration 1 --messages-per-second 50"
    ));
    assert_code(&ended, 3);
    // The run ends once it has as many answers as messages.
    assert!(number(&ended, "/measured/answered") > number(&ended, "/measured/sent"));
    assert!(ended.table.contains("more answers than"), "{}", ended.table);
    assert!(ended.table.contains("INVALID"), "{}", ended.table);
}

#[test]
fn harness_shows_what_an_idle_connection_costs_in_cpu() {
    let port = free_ports(1);
    let ended = run(&format!("ws://127.0.0.1:{port}/ --serve 1 --connections 200 --duration 0.5"));
    assert_code(&ended, 0);
    let share = ended.json["cpu"][1]["server"].as_f64().unwrap();
    let each = number(&ended, "/measured/idle_cpu/server_us");
    assert!((each - share * 1e6 / 200.0).abs() < 1e-6, "{}", ended.json);
    assert!(ended.table.contains("us a second"), "{}", ended.table);
}

#[test]
fn harness_shows_the_kernels_memory_of_peers_that_never_read_as_it_grows() {
    let port = free_ports(1);
    let ended = run(&format!(
        "ws://127.0.0.1:{port}/ --serve 1 --connections 8 --duration 2 --mode slow \
         --size 60000 --messages-per-second 800"
    ));
    assert_code(&ended, 0);
    assert!(number(&ended, "/measured/silence/kernel_bytes") > 100_000.0, "{}", ended.table);
    assert!(number(&ended, "/measured/silence/unread_bytes") > 100_000.0, "{}", ended.table);
    let growth = ended.json["measured"]["silence"]["kernel_growth"].as_array().unwrap();
    assert!((3..=6).contains(&growth.len()), "{growth:?}");
    assert!(ended.table.contains("kernel's growth for each"), "{}", ended.table);
    assert!(ended.table.contains("as it grew"), "{}", ended.table);
}
