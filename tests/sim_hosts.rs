//! The host names that a server serves (`Server::hosts`): judged before any zone, by the authority
//! of an absolute target, or else by `Host`. Others are answered with 421 (RFC 9110 15.5.20).

mod common;

use common::http::{self, only};
use common::{Bytes, Log, Recorder, World};
use switchboard::{EventStream, Reply, Response, Upgrade};

/// Serves these hosts at every kind of zone; the log shows which requests reached one.
fn serving(hosts: &[&str]) -> (World, Log) {
    let log = Log::new();
    let recorder = Recorder::new(&log)
        .request(|_, request| -> Reply {
            match request.path() {
                "/socket" => Upgrade::new().into(),
                "/events" => EventStream::new().into(),
                "/upload" => Reply::Body(100),
                _ => Response::text("served").into(),
            }
        })
        .body(|_, _, body| body.len().to_string());
    let mut sim = World::serving(|server| server.hosts(hosts));
    sim.server.zone("/", recorder);
    (sim, log)
}

fn status(hosts: &[&str], request: &str) -> u16 {
    let (mut sim, log) = serving(hosts);
    let client = sim.connect();
    let bytes = sim.ask(client, request);
    let method = request.split(' ').next().unwrap_or_default();
    let status = match bytes.starts_with(b"HTTP/1.1 101 ") {
        true => 101,
        false => http::answer(&bytes, method).0.status,
    };
    if status == 421 {
        assert_eq!(log.take(), [""; 0], "no zone is asked: {request}");
        assert!(sim.is_ended(client), "{request}");
    }
    status
}

/// The status of a GET with this Host.
fn at(hosts: &[&str], host: &str) -> u16 {
    status(hosts, &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))
}

/// The hosts of a server, a `Host`, whether it is served.
const HOSTS: &[(&[&str], &str, bool)] = &[
    // Names, without regard to case, and without one final dot.
    (&["chat.example"], "chat.example", true),
    (&["chat.example"], "CHAT.Example", true),
    (&["Chat.EXAMPLE"], "chat.example", true),
    (&["chat.example"], "chat.example.", true),
    (&["chat.example."], "chat.example", true),
    (&["chat.example."], "CHAT.EXAMPLE.", true),
    (&["chat.example"], "chat.example..", false),
    (&["chat.example"], "evil.example", false),
    (&["chat.example"], "chat.example.evil", false),
    (&["chat.example"], "evilchat.example", false),
    (&["chat.example"], "sub.chat.example", false),
    (&["chat.example"], "chat", false),
    (&["chat.example"], ".", false),
    (&["localhost"], "localhost", true),
    (&["localhost"], "127.0.0.1", false),
    (&["localhost"], "evil.localhost", false),
    (&["xn--bcher-kva.example"], "XN--BCHER-KVA.example", true),
    // A port counts only where one is named.
    (&["chat.example"], "chat.example:8080", true),
    (&["chat.example"], "chat.example.:8080", true),
    (&["chat.example"], "chat.example:", true),
    (&["chat.example:8080"], "chat.example:8080", true),
    (&["chat.example:8080"], "CHAT.example.:8080", true),
    (&["chat.example:8080"], "chat.example:08080", true),
    (&["chat.example:8080"], "chat.example:8081", false),
    (&["chat.example:8080"], "chat.example", false),
    (&["chat.example:8080"], "chat.example:", false),
    // Without a port it is the default one, of http or https.
    (&["chat.example:80"], "chat.example", true),
    (&["chat.example:443"], "chat.example", true),
    (&["chat.example:443"], "chat.example:443", true),
    (&["chat.example:443"], "chat.example:80", false),
    (&["chat.example:1", "chat.example:2"], "chat.example:2", true),
    (&["chat.example:1", "chat.example:2"], "chat.example:3", false),
    (&["chat.example:"], "chat.example:3", true),
    // Addresses, compared as such.
    (&["127.0.0.1"], "127.0.0.1", true),
    (&["127.0.0.1"], "127.0.0.1:9001", true),
    (&["127.0.0.1"], "127.0.0.1.", true),
    (&["127.0.0.1"], "127.0.0.2", false),
    (&["127.0.0.1"], "127.1", false),
    (&["127.0.0.1"], "0x7f.0.0.1", false),
    (&["127.0.0.1"], "2130706433", false),
    (&["127.0.0.1"], "127.0.0.1.evil.example", false),
    (&["127.0.0.1:9001"], "127.0.0.1:9001", true),
    (&["127.0.0.1:9001"], "127.0.0.1:9002", false),
    (&["[::1]"], "[::1]", true),
    (&["[::1]"], "[::1]:9001", true),
    (&["[::1]"], "[0:0:0:0:0:0:0:1]", true),
    (&["[0:0::1]"], "[::1]", true),
    (&["::1"], "[::1]:80", true),
    (&["[::1]"], "[::2]", false),
    (&["[::1]:9001"], "[::1]:9001", true),
    (&["[::1]:9001"], "[::1]", false),
    (&["[2001:DB8::1]"], "[2001:db8::1]", true),
    (&["127.0.0.1"], "[::ffff:127.0.0.1]", true),
    // Ranges of addresses.
    (&["127.0.0.0/8"], "127.0.0.1", true),
    (&["127.0.0.0/8"], "127.255.255.255:9", true),
    (&["127.0.0.0/8"], "128.0.0.1", false),
    (&["127.0.0.0/8"], "localhost", false),
    (&["127.0.0.0/8"], "127.0.0.1.evil.example", false),
    (&["10.0.0.0/32"], "10.0.0.1", false),
    (&["0.0.0.0/0"], "203.0.113.9", true),
    (&["0.0.0.0/0"], "[::1]", false),
    (&["fd00::/8"], "[fd12::1]:80", true),
    (&["fd00::/8"], "[fe80::1]", false),
    (&["::/0"], "[fe80::1]", true),
    // Several, and none.
    (&["a", "c.example", "b"], "b", true),
    (&["a", "c.example", "b"], "c.example", true),
    (&["a", "c.example", "b"], "d", false),
    (&[], "chat.example", false),
    // What is no host matches nothing.
    (&["https://chat.example"], "chat.example", false),
    (&["*.chat.example"], "a.chat.example", false),
    (&["*"], "chat.example", false),
    (&[""], "chat.example", false),
    (&["127.0.0.0/33"], "127.0.0.1", false),
    (&["127.0.0.0/-1"], "127.0.0.1", false),
    (&["chat.example:99999"], "chat.example", false),
];

#[test]
fn server_serves_the_hosts_of_its_list_and_no_others() {
    for &(hosts, host, served) in HOSTS {
        let expected = if served { 200 } else { 421 };
        assert_eq!(at(hosts, host), expected, "{host} at {hosts:?}");
        // The order of the list does not count.
        let reversed: Vec<&str> = hosts.iter().rev().copied().collect();
        assert_eq!(at(&reversed, host), expected, "{host} at {reversed:?}");
    }
}

#[test]
fn server_without_a_list_serves_every_host() {
    for host in ["evil.example", "127.0.0.1", "[::1]:9", "localhost."] {
        let mut sim = World::serving(|server| {
            server.http("/", |_, _| "served");
        });
        let client = sim.connect();
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(only(&sim.ask(client, request)).status, 200, "{host}");
    }
}

/// Every kind of request is judged, and before any zone.
#[test]
fn server_judges_the_host_of_every_request_before_its_zones() {
    let hosts: &[&str] = &["good.example"];
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let rows: [(String, u16); 21] = [
        // DNS rebinding: Host and Origin agree.
        (
            format!(
                "GET /socket HTTP/1.1\r\nHost: evil.example:8080\r\n\
                 Origin: http://evil.example:8080\r\n{upgrade}\r\n"
            ),
            421,
        ),
        (format!("GET /socket HTTP/1.1\r\nHost: evil.example\r\n{upgrade}\r\n"), 421),
        (format!("GET /socket HTTP/1.1\r\nHost: good.example\r\n{upgrade}\r\n"), 101),
        ("GET /events HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), 421),
        ("HEAD / HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), 421),
        ("HEAD / HTTP/1.1\r\nHost: good.example\r\n\r\n".into(), 200),
        ("OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), 421),
        ("OPTIONS / HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), 421),
        ("GET /no/zone HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), 421),
        // The authority of an absolute target replaces Host (RFC 9112 3.2.2).
        ("GET http://good.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), 200),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n".into(), 421),
        ("GET HTTPS://GOOD.example.:8443/ HTTP/1.1\r\nHost: x\r\n\r\n".into(), 200),
        ("GET http://good.example/ HTTP/1.0\r\n\r\n".into(), 200),
        // Without Host.
        ("GET / HTTP/1.0\r\n\r\n".into(), 421),
        ("GET / HTTP/1.0\r\nHost: good.example\r\n\r\n".into(), 200),
        ("GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n".into(), 421),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: good.example\r\nHost: good.example\r\n\r\n".into(), 400),
        // Bodies are neither asked for nor read.
        (
            "POST /upload HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 5\r\n\
             Expect: 100-continue\r\n\r\n"
                .into(),
            421,
        ),
        (
            "POST /upload HTTP/1.1\r\nHost: evil.example\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\nhello\r\n0\r\n\r\n"
                .into(),
            421,
        ),
    ];
    for (request, expected) in rows {
        assert_eq!(status(hosts, &request), expected, "{request}");
    }
}

#[test]
fn server_judges_each_request_of_a_connection_wherever_it_is_cut() {
    let good = "GET / HTTP/1.1\r\nHost: good.example\r\n\r\n";
    let evil = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let wire = [good, evil, good].concat();
    for cut in 0..wire.len() {
        let (mut sim, log) = serving(&["good.example"]);
        let client = sim.connect();
        sim.send(client, &wire[..cut]);
        sim.send(client, &wire[cut..]);
        assert_eq!(http::statuses(&sim.receive(client)), [200, 421], "cut at {cut}");
        assert_eq!(log.take(), ["request GET /"]);
        assert_eq!((sim.stats().requests, sim.stats().refused), (2, 1));
    }
}

/// The answer says what was refused, and what to do.
#[test]
fn refusal_of_a_host_says_what_to_do() {
    let long = "a".repeat(5_000);
    let rows = [
        ("Host: evil.example:8080\r\n", "HTTP/1.1", "\"evil.example:8080\""),
        (&*format!("Host: {long}\r\n"), "HTTP/1.1", &*format!("\"{}..\"", &long[..128])),
    ];
    for (lines, version, shown) in rows {
        for remedy in ["Server::hosts", "--allow-host"] {
            let (mut sim, _) = serving(&["good.example"]);
            if remedy == "--allow-host" {
                sim.server.remedies("--origin", "--allow-host");
            }
            let client = sim.connect();
            let answer = only(&sim.ask(client, format!("GET / {version}\r\n{lines}\r\n")));
            assert_eq!((answer.status, answer.closes()), (421, true));
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
            assert_eq!(
                answer.text(),
                format!("a Host that is not served here: {shown}; allow it with {remedy} {shown}")
            );
        }
    }
}

/// There is no name to allow.
#[test]
fn refusal_of_a_request_without_host_says_what_is_missing() {
    let (mut sim, _) = serving(&["good.example"]);
    let client = sim.connect();
    let answer = only(&sim.ask(client, "GET / HTTP/1.0\r\n\r\n"));
    assert_eq!(answer.status, 421);
    assert_eq!(
        answer.text(),
        "a Host that is not served here: \"\"; name the host in a Host header"
    );
}

/// The last list counts.
#[test]
fn list_of_hosts_is_replaced_by_the_next() {
    let (mut sim, _) = serving(&["one.example"]);
    let ask = |sim: &mut World, host: &str| {
        let client = sim.connect();
        only(&sim.ask(client, format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))).status
    };
    assert_eq!((ask(&mut sim, "one.example"), ask(&mut sim, "two.example")), (200, 421));
    sim.server.hosts([String::from("two.example")]);
    assert_eq!((ask(&mut sim, "one.example"), ask(&mut sim, "two.example")), (421, 200));
}
