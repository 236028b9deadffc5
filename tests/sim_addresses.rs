//! True addresses behind proxies: which client a request, a connection and an observer see, what a
//! client can forge, and the limit for one client.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use switchboard::http::Request as Builder;
use switchboard::testing::{Client, World};
use switchboard::{
    Cause, Close, Conn, ConnId, EventStream, Handler, Message, Observed, Reply, Request, Response,
    Stream, TrustedHeader, Upgrade, ZoneId,
};

use TrustedHeader::{Forwarded, XForwardedFor};

const PROXY: &str = "10.0.0.1:4711";
const TRUSTED: [&str; 3] = ["10.0.0.0/8", "fd00::/8", "unix"];

/// A server that answers with the client's address and scheme, as the request and the connection
/// see them.
fn mirror(header: TrustedHeader) -> World {
    let mut world = World::new();
    world.server.trusted_proxies(TRUSTED, header).unwrap();
    world.server.http("/", |conn, request| {
        assert_eq!(conn.client_addr(), request.client_addr());
        match request.client_addr() {
            Some(client) => format!("{client} {}", request.scheme()),
            None => format!("? {}", request.scheme()),
        }
    });
    world
}

fn ask(world: &mut World, client: Client, lines: &[(&str, &str)]) -> String {
    let mut request = Builder::get("/");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    world.request(client, request);
    world.answer(client).text().to_owned()
}

const XFF: &str = "X-Forwarded-For";
const PROTO: &str = "X-Forwarded-Proto";
const FWD: &str = "Forwarded";

/// What a proxy passes on, the header lines, and what the server believes.
type Lines = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const ADDRESSES: &[Lines] = &[
    ("no header", &[], "10.0.0.1 http"),
    ("replaced by the proxy", &[(XFF, "192.0.2.1")], "192.0.2.1 http"),
    ("appended to a forged one", &[(XFF, "192.0.2.66, 192.0.2.1")], "192.0.2.1 http"),
    ("appended as a line", &[(XFF, "192.0.2.66"), (XFF, "192.0.2.1")], "192.0.2.1 http"),
    ("names in any case", &[("x-FORWARDED-for", "192.0.2.1")], "192.0.2.1 http"),
    (
        "lines joined in order",
        &[(XFF, "192.0.2.66, 192.0.2.1"), (XFF, "10.2.2.2"), (XFF, "10.3.3.3, 10.4.4.4")],
        "192.0.2.1 http",
    ),
    ("forged with a trusted address", &[(XFF, "10.7.7.7, 192.0.2.1")], "192.0.2.1 http"),
    ("trusted in the midst", &[(XFF, "10.7.7.7, 192.0.2.1, 10.8.8.8")], "192.0.2.1 http"),
    ("all trusted", &[(XFF, "10.7.7.7, 10.8.8.8")], "10.7.7.7 http"),
    ("the header not believed", &[(FWD, "for=192.0.2.66;proto=https")], "10.0.0.1 http"),
    ("both", &[(FWD, "for=192.0.2.66"), (XFF, "192.0.2.1")], "192.0.2.1 http"),
    ("IPv6", &[(XFF, "192.0.2.66, 2001:db8::1")], "2001:db8::1 http"),
    ("IPv6 with a port", &[(XFF, "[2001:db8::1]:443")], "2001:db8::1 http"),
    ("IPv6 in brackets", &[(XFF, "[2001:db8::1]")], "2001:db8::1 http"),
    ("IPv4 with a port", &[(XFF, "192.0.2.1:4711")], "192.0.2.1 http"),
    ("IPv4 in IPv6 form", &[(XFF, "::ffff:192.0.2.1")], "192.0.2.1 http"),
    ("trusted in IPv6 form", &[(XFF, "192.0.2.1, ::ffff:10.0.0.2")], "192.0.2.1 http"),
    ("trusted IPv6", &[(XFF, "192.0.2.1,fd00::7,[fd00::8]:1")], "192.0.2.1 http"),
    ("tabs and spaces", &[(XFF, "192.0.2.66 ,\t 192.0.2.1\t , 10.1.1.1")], "192.0.2.1 http"),
    ("unknown", &[(XFF, "192.0.2.66, unknown")], "10.0.0.1 http"),
    ("unknown behind a trusted hop", &[(XFF, "192.0.2.66, unknown, 10.2.2.2")], "10.2.2.2 http"),
    ("hidden", &[(XFF, "192.0.2.66, _hidden, 10.2.2.2")], "10.2.2.2 http"),
    ("garbage", &[(XFF, "192.0.2.66, <script>, 10.2.2.2")], "10.2.2.2 http"),
    ("bytes beyond ASCII", &[(XFF, "192.0.2.66, \u{e9}, 10.2.2.2")], "10.2.2.2 http"),
    ("an empty element", &[(XFF, "192.0.2.66, , 10.2.2.2")], "10.2.2.2 http"),
    ("an empty last element", &[(XFF, "192.0.2.66,")], "10.0.0.1 http"),
    ("an empty line last", &[(XFF, "192.0.2.66"), (XFF, "")], "10.0.0.1 http"),
    ("an empty line first", &[(XFF, ""), (XFF, "192.0.2.1")], "192.0.2.1 http"),
    ("nginx for a Unix socket", &[(XFF, "192.0.2.66, unix:")], "10.0.0.1 http"),
    ("leading zeros", &[(XFF, "192.0.2.66, 192.0.2.01")], "10.0.0.1 http"),
    ("a number", &[(XFF, "192.0.2.66, 3221225985")], "10.0.0.1 http"),
    ("a port too large", &[(XFF, "192.0.2.66, 192.0.2.1:65536")], "10.0.0.1 http"),
    ("an empty port", &[(XFF, "192.0.2.66, 192.0.2.1:")], "10.0.0.1 http"),
    ("a zone", &[(XFF, "192.0.2.66, fe80::1%eth0")], "10.0.0.1 http"),
    ("quotes", &[(XFF, "192.0.2.66, \"192.0.2.1\"")], "10.0.0.1 http"),
    ("a name", &[(XFF, "192.0.2.66, client.example")], "10.0.0.1 http"),
    ("scheme", &[(XFF, "192.0.2.1"), (PROTO, "https")], "192.0.2.1 https"),
    ("scheme without addresses", &[(PROTO, "https")], "10.0.0.1 https"),
    ("scheme in any case", &[(PROTO, "HTTPS")], "10.0.0.1 https"),
    ("the last scheme", &[(PROTO, "https, http")], "10.0.0.1 http"),
    ("the scheme of the last line", &[(PROTO, "http"), (PROTO, "https")], "10.0.0.1 https"),
    ("no scheme", &[(PROTO, "https, wss")], "10.0.0.1 http"),
    ("an empty scheme", &[(PROTO, "https,")], "10.0.0.1 http"),
];

#[test]
fn client_forges_nothing_by_x_forwarded_for() {
    let mut world = mirror(XForwardedFor);
    let proxy = world.connect_from(PROXY);
    for (what, lines, expected) in ADDRESSES {
        assert_eq!(ask(&mut world, proxy, lines), *expected, "{what}");
    }
    let hops = vec!["10.9.9.9"; 100].join(", ");
    let through = format!("192.0.2.66, 192.0.2.1, {hops}");
    assert_eq!(ask(&mut world, proxy, &[(XFF, &through)]), "192.0.2.1 http");
}

/// What a proxy passes on, the lines of `Forwarded`, and what the server believes.
type Elements = (&'static str, &'static [&'static str], &'static str);

const ELEMENTS: &[Elements] = &[
    ("no header", &[], "10.0.0.1 http"),
    ("an address", &["for=192.0.2.1"], "192.0.2.1 http"),
    ("a scheme", &["for=192.0.2.1;proto=https"], "192.0.2.1 https"),
    ("names in any case", &["FOR=192.0.2.1;Proto=HTTPS"], "192.0.2.1 https"),
    (
        "other parameters",
        &["by=_x;for=192.0.2.1;host=\"a, b\";proto=https;x=\"\\\"\""],
        "192.0.2.1 https",
    ),
    ("appended to a forged one", &["for=192.0.2.66;proto=https, for=192.0.2.1"], "192.0.2.1 http"),
    ("appended as a line", &["for=192.0.2.66;proto=https", "for=192.0.2.1"], "192.0.2.1 http"),
    (
        "the scheme of the client's hop",
        &["for=192.0.2.1;proto=https, for=10.2.2.2;proto=http"],
        "192.0.2.1 https",
    ),
    ("all trusted", &["for=10.7.7.7;proto=https, for=10.2.2.2"], "10.7.7.7 https"),
    ("trusted in the midst", &["for=10.7.7.7, for=192.0.2.1, for=10.2.2.2"], "192.0.2.1 http"),
    ("an open quote of the client", &["for=\"192.0.2.66, for=192.0.2.1"], "192.0.2.1 http"),
    (
        "an open quote, and quotes of the proxy",
        &["for=\", for=\"[2001:db8::1]:80\""],
        "2001:db8::1 http",
    ),
    (
        "an escape at the end of the client's",
        &["for=\"\\, for=\"[2001:db8::1]\""],
        "2001:db8::1 http",
    ),
    ("an open quote in a line", &["for=\"192.0.2.66", "for=192.0.2.1"], "192.0.2.1 http"),
    ("an open quote behind a trusted hop", &["for=\"192.0.2.66, for=10.2.2.2"], "10.2.2.2 http"),
    ("a list in quotes", &["for=\"192.0.2.66, for=192.0.2.67\""], "10.0.0.1 http"),
    ("IPv4 with a port", &["for=\"192.0.2.1:4711\""], "192.0.2.1 http"),
    ("IPv4 with a hidden port", &["for=\"192.0.2.1:_p-1.x\""], "192.0.2.1 http"),
    ("IPv6", &["for=\"[2001:db8::1]\""], "2001:db8::1 http"),
    ("IPv6 in IPv4's form", &["for=\"[::ffff:192.0.2.1]\""], "192.0.2.1 http"),
    ("escapes", &["for=\"\\192.0.2.\\1\""], "192.0.2.1 http"),
    ("spaces around semicolons", &["for=192.0.2.1 ; proto=https ;"], "192.0.2.1 https"),
    ("empty parameters", &[";;for=192.0.2.1;;"], "192.0.2.1 http"),
    ("unknown", &["for=192.0.2.66, for=unknown;proto=https"], "10.0.0.1 https"),
    ("hidden behind a trusted hop", &["for=192.0.2.66, for=_x, for=10.2.2.2"], "10.2.2.2 http"),
    ("no for", &["for=192.0.2.66, proto=https"], "10.0.0.1 https"),
    ("for twice", &["for=192.0.2.66, for=192.0.2.1;for=192.0.2.2"], "10.0.0.1 http"),
    ("proto twice", &["for=192.0.2.66, for=192.0.2.1;proto=https;proto=http"], "10.0.0.1 http"),
    ("IPv6 without quotes", &["for=192.0.2.66, for=[2001:db8::1]"], "10.0.0.1 http"),
    ("IPv6 without brackets", &["for=192.0.2.66, for=\"2001:db8::1\""], "10.0.0.1 http"),
    ("a port without quotes", &["for=192.0.2.66, for=192.0.2.1:80"], "10.0.0.1 http"),
    ("spaces around =", &["for=192.0.2.66, for = 192.0.2.1"], "10.0.0.1 http"),
    ("an address alone", &["for=192.0.2.66, 192.0.2.1"], "10.0.0.1 http"),
    ("text behind quotes", &["for=192.0.2.66, for=\"192.0.2.1\"x"], "10.0.0.1 http"),
    ("an empty element", &["for=192.0.2.66, , for=10.2.2.2"], "10.2.2.2 http"),
    ("an empty line last", &["for=192.0.2.66", ""], "10.0.0.1 http"),
    ("another scheme", &["for=192.0.2.1;proto=wss"], "192.0.2.1 http"),
    ("bytes beyond ASCII", &["for=192.0.2.66, for=\u{e9}"], "10.0.0.1 http"),
];

#[test]
fn client_forges_nothing_by_forwarded() {
    let mut world = mirror(Forwarded);
    let proxy = world.connect_from(PROXY);
    let mut believed = |lines: &[&str]| {
        let mut all = vec![(XFF, "192.0.2.99"), (PROTO, "https")];
        all.extend(lines.iter().map(|line| (FWD, *line)));
        ask(&mut world, proxy, &all)
    };
    for (what, lines, expected) in ELEMENTS {
        assert_eq!(believed(lines), *expected, "{what}");
    }
    let long = format!("for=192.0.2.66, for=\"{}\"", "1".repeat(5000));
    assert_eq!(believed(&[&long]), "10.0.0.1 http");
    let hops = vec!["for=\"10.9.9.9:_x\";secret=\",\""; 100].join(", ");
    let through = format!("for=192.0.2.66, for=192.0.2.1;proto=https, {hops}");
    assert_eq!(believed(&[&through]), "192.0.2.1 https");
}

#[test]
fn lines_split_anywhere_are_one_list() {
    let addresses = ["192.0.2.66", "10.7.7.7", "192.0.2.1:80", "[fd00::1]:80", "10.3.3.3"];
    let elements = [
        "for=192.0.2.66;proto=https",
        "for=\"10.7.7.7:_x\";x=\"\\\",\"",
        "for=192.0.2.1;proto=https",
        "for=\"[fd00::1]\"",
        "for=10.3.3.3;proto=http",
    ];
    let rows = [
        (XForwardedFor, XFF, addresses, "192.0.2.1 http"),
        (Forwarded, FWD, elements, "192.0.2.1 https"),
    ];
    for (header, name, list, expected) in rows {
        let mut world = mirror(header);
        let proxy = world.connect_from(PROXY);
        for splits in 0..1 << (list.len() - 1) {
            let mut lines = vec![list[0].to_owned()];
            for (at, element) in list.iter().enumerate().skip(1) {
                match lines.last_mut() {
                    Some(line) if splits >> (at - 1) & 1 == 0 => *line += &format!(", {element}"),
                    _ => lines.push((*element).to_owned()),
                }
            }
            let lines: Vec<(&str, &str)> = lines.iter().map(|line| (name, line.as_str())).collect();
            assert_eq!(ask(&mut world, proxy, &lines), expected, "{lines:?}");
        }
    }
}

#[test]
fn only_a_trusted_peer_is_believed() {
    let forged = [(XFF, "192.0.2.66"), (FWD, "for=192.0.2.66;proto=https"), (PROTO, "https")];
    for header in [XForwardedFor, Forwarded] {
        let scheme = "https";
        let mut world = mirror(header);
        let rows = [
            ("203.0.113.9:1", "203.0.113.9 http"),
            ("[2001:db8::9]:1", "2001:db8::9 http"),
            ("[::ffff:203.0.113.9]:1", "203.0.113.9 http"),
            ("[::ffff:10.0.0.1]:1", "192.0.2.66 https"),
            ("[fd00::1]:1", "192.0.2.66 https"),
        ];
        for (peer, expected) in rows {
            let client = world.connect_from(peer);
            assert_eq!(ask(&mut world, client, &forged), expected, "{peer}");
        }
        // A peer without an address is the peer of a Unix socket.
        let unix = world.connect();
        assert_eq!(ask(&mut world, unix, &forged), format!("192.0.2.66 {scheme}"));
        assert_eq!(ask(&mut world, unix, &[]), "? http");
        assert_eq!(ask(&mut world, unix, &[(XFF, "unknown"), (FWD, "for=_x")]), "? http");
        world.server.trusted_proxies(["10.0.0.0/8"], header).unwrap();
        let unix = world.connect();
        assert_eq!(ask(&mut world, unix, &forged), "? http");
    }
}

#[test]
fn server_without_proxies_believes_nothing() {
    let mut world = World::new();
    world.server.http("/", |conn, request| {
        format!("{:?} {:?} {}", conn.client_addr(), request.client_addr(), request.scheme())
    });
    let lines = [(XFF, "192.0.2.66"), (FWD, "for=192.0.2.66;proto=https"), (PROTO, "https")];
    let client = world.connect_from("[::ffff:127.0.0.1]:1");
    assert_eq!(ask(&mut world, client, &lines), "Some(127.0.0.1) None http");
    // An empty list trusts nothing, and lets requests know their peers.
    world.server.trusted_proxies([""; 0], XForwardedFor).unwrap();
    let client = world.connect_from("127.0.0.1:1");
    assert_eq!(ask(&mut world, client, &lines), "Some(127.0.0.1) Some(127.0.0.1) http");
}

#[test]
fn malformed_list_is_an_error_and_the_former_one_stands() {
    let mut world = mirror(XForwardedFor);
    let error = world.server.trusted_proxies(["::1", "10.0.0.0/33"], Forwarded).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().starts_with("\"10.0.0.0/33\" is no network: give"), "{error}");
    let proxy = world.connect_from(PROXY);
    assert_eq!(ask(&mut world, proxy, &[(XFF, "192.0.2.1")]), "192.0.2.1 http");
}

#[test]
fn requests_of_one_connection_have_their_own_clients() {
    let mut world = mirror(XForwardedFor);
    let proxy = world.connect_from(PROXY);
    let pipelined: String = (1..=50)
        .map(|n| match n % 5 {
            0 => "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            _ => format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.{n}\r\n\r\n"),
        })
        .collect();
    world.write(proxy, pipelined);
    for n in 1..=50 {
        let expected =
            if n % 5 == 0 { "10.0.0.1 http".into() } else { format!("192.0.2.{n} http") };
        assert_eq!(world.answer(proxy).text(), expected);
    }
    // A head that comes in pieces is not walked over before it is whole.
    for byte in "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n".bytes() {
        world.write(proxy, [byte]);
    }
    assert_eq!(world.answer(proxy).text(), "192.0.2.7 http");
}

/// Notes the client in every callback.
#[derive(Default)]
struct Diary {
    lines: Vec<String>,
    later: Vec<ConnId>,
}

impl Diary {
    fn note(&mut self, what: &str, conn: &Conn<'_>) {
        let client = conn.client_addr().map_or("?".into(), |client| client.to_string());
        self.lines.push(format!("{what} {client}"));
    }
}

impl Handler for Diary {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        self.note("request", conn);
        match request.path() {
            "/ws" => Upgrade::new().into(),
            "/events" => EventStream::new().into(),
            "/take" => Reply::Takeover(Response::new(101).header("Upgrade", "x")),
            "/later" => {
                self.later.push(conn.id());
                conn.set_timeout(Some(Duration::from_secs(1)));
                Reply::Later
            }
            "/body" => Reply::Body(100),
            "/stream" => Stream::new(Response::new(200)).into(),
            _ => "plain".into(),
        }
    }

    fn body(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>, _: &[u8]) -> Reply {
        assert_eq!(conn.client_addr(), request.client_addr());
        self.note(&format!("body {}", request.scheme()), conn);
        "taken".into()
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        assert_eq!(conn.client_addr(), request.client_addr());
        self.note(&format!("open {}", request.scheme()), conn);
        conn.set_timeout(Some(Duration::from_secs(1)));
    }

    fn message(&mut self, conn: &mut Conn<'_>, _: Message<'_>) {
        self.note("message", conn);
    }

    fn input(&mut self, conn: &mut Conn<'_>, bytes: &[u8]) -> usize {
        self.note("input", conn);
        conn.release();
        bytes.len()
    }

    fn writable(&mut self, conn: &mut Conn<'_>) {
        self.note("writable", conn);
    }

    fn pong(&mut self, conn: &mut Conn<'_>, _: &[u8]) {
        self.note("pong", conn);
    }

    fn timeout(&mut self, conn: &mut Conn<'_>) {
        self.note("timeout", conn);
    }

    fn close(&mut self, conn: &mut Conn<'_>, _: Close<'_>) {
        self.note("close", conn);
    }

    fn cancelled(&mut self, conn: &mut Conn<'_>, _cause: Cause) {
        self.note("cancelled", conn);
    }
}

fn diary() -> (World, ZoneId<Diary>) {
    let mut world = World::new();
    world.server.trusted_proxies(TRUSTED, XForwardedFor).unwrap();
    let zone = world.server.zone("/", Diary::default());
    (world, zone)
}

/// Takes what the diary has noted.
fn noted(world: &mut World, zone: ZoneId<Diary>) -> Vec<String> {
    world.with(zone, |diary, _| std::mem::take(&mut diary.lines))
}

fn from_client(path: &str) -> switchboard::http::request::Builder {
    Builder::get(path).header(XFF, "192.0.2.1").header(PROTO, "https")
}

#[test]
fn callbacks_of_streams_know_the_client() {
    let (mut world, zone) = diary();
    let proxy = world.connect_from(PROXY);
    world.upgrade(proxy, from_client("/ws"));
    assert_eq!(world.head(proxy).status, 101);
    world.say(proxy, "hello");
    world.advance(Duration::from_secs(2));
    world.write(proxy, [0x8A, 0x80, 1, 2, 3, 4]);
    world.fail(proxy, ErrorKind::ConnectionReset);
    let expected = ["request", "open https", "message", "timeout", "pong", "close"];
    assert_eq!(noted(&mut world, zone), expected.map(|what| format!("{what} 192.0.2.1")));

    let proxy = world.connect_from(PROXY);
    world.request(proxy, from_client("/events"));
    world.fail(proxy, ErrorKind::ConnectionReset);
    let expected = ["request 192.0.2.1", "open https 192.0.2.1", "close 192.0.2.1"];
    assert_eq!(noted(&mut world, zone), expected);
}

#[test]
fn callbacks_of_a_takeover_know_the_client_and_a_later_request_its_own() {
    let (mut world, zone) = diary();
    let proxy = world.connect_from(PROXY);
    world.request(proxy, from_client("/take"));
    assert_eq!(world.answer(proxy).status, 101);
    world.write(proxy, "x");
    world.request(proxy, Builder::get("/").header(XFF, "192.0.2.2"));
    assert_eq!(world.answer(proxy).text(), "plain");
    world.request(proxy, "/");
    assert_eq!(world.answer(proxy).text(), "plain");
    let expected = [
        "request 192.0.2.1",
        "open https 192.0.2.1",
        "input 192.0.2.1",
        "close 192.0.2.1",
        "request 192.0.2.2",
        "request 10.0.0.1",
    ];
    assert_eq!(noted(&mut world, zone), expected);
}

#[test]
fn callbacks_of_answers_that_last_know_the_client() {
    let (mut world, zone) = diary();
    let proxy = world.connect_from(PROXY);
    world.request(proxy, from_client("/later"));
    world.advance(Duration::from_secs(2));
    world.with(zone, |diary, cx| {
        let id = diary.later.remove(0);
        let client = cx.conn(id).and_then(|conn| conn.client_addr());
        assert_eq!(client, Some("192.0.2.1".parse().unwrap()));
        cx.upgrade(id, Upgrade::new());
    });
    assert_eq!(world.answer(proxy).status, 400);
    let proxy = world.connect_from(PROXY);
    world.request(proxy, from_client("/later"));
    world.advance(Duration::from_secs(61));
    assert_eq!(world.answer(proxy).status, 503);
    let proxy = world.connect_from(PROXY);
    world.request(proxy, from_client("/later"));
    world.fail(proxy, ErrorKind::ConnectionReset);
    let expected =
        ["request", "timeout", "request", "timeout", "cancelled", "request", "cancelled"];
    assert_eq!(noted(&mut world, zone), expected.map(|what| format!("{what} 192.0.2.1")));

    // A body that comes later, and a stream.
    let proxy = world.connect_from(PROXY);
    let head = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Forwarded-For: 192.0.2.1\
                \r\nX-Forwarded-Proto: https\r\n\r\n";
    world.write(proxy, head);
    world.write(proxy, "abc");
    assert_eq!(world.answer(proxy).text(), "taken");
    world.request(proxy, from_client("/stream"));
    world.fail(proxy, ErrorKind::ConnectionReset);
    let expected = ["request", "body https", "request", "writable", "cancelled"];
    assert_eq!(noted(&mut world, zone), expected.map(|what| format!("{what} 192.0.2.1")));
}

#[test]
fn deferred_upgrade_knows_the_client() {
    let mut world = World::new();
    world.server.trusted_proxies(TRUSTED, XForwardedFor).unwrap();
    world.server.max_connections_per_address(1);
    let zone = world.server.zone("/", Diary::default());
    let proxy = world.connect_from(PROXY);
    world.upgrade(proxy, from_client("/later"));
    world.with(zone, |diary, cx| cx.upgrade(diary.later.remove(0), Upgrade::new()));
    assert_eq!(world.head(proxy).status, 101);
    world.say(proxy, "hello");
    let lines = world.with(zone, |diary, _| std::mem::take(&mut diary.lines));
    let expected = ["request 192.0.2.1", "open https 192.0.2.1", "message 192.0.2.1"];
    assert_eq!(lines, expected);
}

/// Asks for `path` over a new connection of the proxy, as a client. Returns the status, if there
/// is one.
fn begin(world: &mut World, path: &str, client: &str) -> (Client, Option<u16>) {
    let proxy = world.connect_from(PROXY);
    let upgrade = match path {
        "/ws" => {
            "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        }
        _ => "",
    };
    world.write(
        proxy,
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n{XFF}: {client}\r\n{upgrade}\r\n"),
    );
    let status = status(&world.read(proxy));
    (proxy, status)
}

fn status(answer: &[u8]) -> Option<u16> {
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

#[test]
fn lasting_exchanges_are_counted_for_their_client() {
    for path in ["/ws", "/events", "/take", "/later", "/stream"] {
        let mut world = World::new();
        world.server.trusted_proxies(TRUSTED, XForwardedFor).unwrap();
        world.server.max_connections_per_address(2);
        world.server.zone("/", Diary::default());
        let (first, _) = begin(&mut world, path, "192.0.2.1");
        let (second, _) = begin(&mut world, path, "192.0.2.1");
        let (third, status) = begin(&mut world, path, "192.0.2.1");
        assert_eq!(status, Some(429), "{path}");
        let (_, status) = begin(&mut world, path, "192.0.2.2");
        assert_ne!(status, Some(429), "{path}: another client");
        assert_eq!(begin(&mut world, "/", "192.0.2.1").1, Some(200), "a short answer");
        // The connection of the refused one goes on, for other clients too.
        world.request(third, Builder::get("/").header(XFF, "192.0.2.3"));
        assert_eq!(world.answer(third).text(), "plain", "{path}");
        // An end makes room for one more.
        world.fail(first, ErrorKind::ConnectionReset);
        assert_ne!(begin(&mut world, path, "192.0.2.1").1, Some(429), "{path}");
        assert_eq!(begin(&mut world, path, "192.0.2.1").1, Some(429), "{path}");
        world.fail(second, ErrorKind::ConnectionReset);
        assert_ne!(begin(&mut world, path, "192.0.2.1").1, Some(429), "{path}");
    }
}

#[test]
fn counts_end_with_the_exchange_on_a_connection_that_goes_on() {
    let mut world = World::new();
    world.server.trusted_proxies(TRUSTED, XForwardedFor).unwrap();
    world.server.max_connections_per_address(1);
    let zone = world.server.zone("/", Diary::default());
    let proxy = world.connect_from(PROXY);
    for _ in 0..3 {
        world.request(proxy, from_client("/later"));
        assert_eq!(begin(&mut world, "/later", "192.0.2.1").1, Some(429));
        let lines = world.with(zone, |diary, cx| {
            // The second name is that of the refused one: its answer has no effect.
            diary.later.drain(..).for_each(|id| cx.respond(id, "done"));
            std::mem::take(&mut diary.lines)
        });
        assert_eq!(lines.last().map(String::as_str), Some("cancelled 192.0.2.1"));
        assert_eq!(world.answer(proxy).text(), "done");
        world.request(proxy, from_client("/take"));
        assert_eq!(world.answer(proxy).status, 101);
        assert_eq!(begin(&mut world, "/ws", "192.0.2.1").1, Some(429));
        world.write(proxy, "x");
        let (other, status) = begin(&mut world, "/ws", "192.0.2.1");
        assert_eq!(status, Some(101));
        world.fail(other, ErrorKind::ConnectionReset);
        // HEAD of an event stream is a short answer, and holds no place.
        world.request(proxy, Builder::head("/events").header(XFF, "192.0.2.1"));
        assert_eq!(world.answer(proxy).status, 200);
    }
    // Nor does a handshake that fails.
    world.request(proxy, from_client("/ws"));
    assert_eq!(world.answer(proxy).status, 400);
    assert_eq!(begin(&mut world, "/ws", "192.0.2.1").1, Some(101));
}

#[test]
fn one_ipv6_subscriber_has_one_count() {
    let mut world = World::new();
    world.server.trusted_proxies(TRUSTED, XForwardedFor).unwrap();
    world.server.max_connections_per_address(1);
    world.server.zone("/", Diary::default());
    assert_eq!(begin(&mut world, "/ws", "2001:db8:1:2::1").1, Some(101));
    assert_eq!(begin(&mut world, "/ws", "2001:db8:1:2:ffff::9").1, Some(429));
    assert_eq!(begin(&mut world, "/ws", "2001:db8:1:3::1").1, Some(101));
}

#[test]
fn sockets_of_proxies_are_not_counted_and_others_are() {
    let mut world = mirror(XForwardedFor);
    world.server.max_connections_per_address(2);
    let proxies: Vec<Client> = (0..100).map(|_| world.connect_from(PROXY)).collect();
    for proxy in proxies {
        assert_eq!(ask(&mut world, proxy, &[(XFF, "192.0.2.1")]), "192.0.2.1 http");
    }
    let direct = ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3"].map(|at| world.connect_from(at));
    let statuses = direct.map(|client| status(&world.read(client)));
    assert_eq!(statuses, [None, None, Some(429)]);
    assert_eq!(world.context().stats().turned_away, 1);
    world.fail(direct[0], ErrorKind::ConnectionReset);
    let again = world.connect_from("192.0.2.1:4");
    assert_eq!(ask(&mut world, again, &[(XFF, "10.0.0.7")]), "192.0.2.1 http");
}

#[test]
fn direct_and_proxied_exchanges_share_one_count() {
    let mut world = World::new();
    world.server.trusted_proxies(TRUSTED, XForwardedFor).unwrap();
    world.server.max_connections_per_address(2);
    world.server.zone("/", Diary::default());
    let direct = world.connect_from("192.0.2.1:1");
    assert_eq!(begin(&mut world, "/ws", "192.0.2.1").1, Some(101));
    assert_eq!(begin(&mut world, "/ws", "192.0.2.1").1, Some(429));
    // The count of a direct client lasts as long as its connection, whatever it does.
    world.upgrade(direct, Builder::get("/ws"));
    assert_eq!(world.head(direct).status, 101);
    assert_eq!(begin(&mut world, "/ws", "192.0.2.1").1, Some(429));
    world.fail(direct, ErrorKind::ConnectionReset);
    assert_eq!(begin(&mut world, "/ws", "192.0.2.1").1, Some(101));
}

#[test]
fn refused_exchange_with_a_body_leaves_the_connection_in_step() {
    let mut world = World::new();
    world.server.trusted_proxies(TRUSTED, XForwardedFor).unwrap();
    world.server.max_connections_per_address(0);
    world.server.zone("/", Diary::default());
    let proxy = world.connect_from(PROXY);
    let head = "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Forwarded-For: 192.0.2.1\
                \r\n\r\n";
    world.write(proxy, head);
    let answer = world.answer(proxy);
    assert_eq!((answer.status.as_u16(), answer.header("Retry-After")), (429, Some("1")));
    assert_eq!(answer.text(), "as many connections as max_connections_per_address allows");
    world.write(proxy, "abc");
    world.request(proxy, "/");
    assert_eq!(world.answer(proxy).text(), "plain");
}

#[test]
fn observer_sees_client_and_peer() {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let log = lines.clone();
    let mut world = World::new();
    world.server.observe(move |event| {
        if let Observed::Refused(refused) = event {
            let client = refused.client.map(|client| client.to_string());
            log.borrow_mut().push((client.unwrap_or_default(), event.to_string()));
        }
    });
    world.server.trusted_proxies(TRUSTED, XForwardedFor).unwrap();
    world.server.max_connections_per_address(1);
    world.server.zone("/ws", Diary::default());
    world.server.hosts(["example.com", "a"]);
    begin(&mut world, "/ws", "192.0.2.1");
    begin(&mut world, "/ws", "192.0.2.1");
    begin(&mut world, "/nowhere", "192.0.2.2");
    let proxy = world.connect_from(PROXY);
    world.request(proxy, Builder::get("/").header(XFF, "192.0.2.3").header("Host", "evil.example"));
    let direct = world.connect_from("203.0.113.9:1");
    world.request(direct, Builder::get("/").header(XFF, "192.0.2.66"));
    world.connect_from("203.0.113.9:2");
    let unix = world.connect();
    world.request(unix, Builder::get("/").header(XFF, "192.0.2.4"));
    let proxy = world.connect_from(PROXY);
    world.write(proxy, "BAD\r\n\r\n");
    let many = "as many connections as max_connections_per_address allows";
    let rows = [
        ("192.0.2.1", format!("192.0.2.1 through {PROXY} refused with 429, {many}: ")),
        ("192.0.2.2", format!("192.0.2.2 through {PROXY} refused with 404, ")),
        ("192.0.2.3", format!("192.0.2.3 through {PROXY} refused with 421, ")),
        ("203.0.113.9", "203.0.113.9:1 refused with 404, ".into()),
        ("203.0.113.9", format!("203.0.113.9:2 refused with 429, {many}: ")),
        ("192.0.2.4", "192.0.2.4 refused with 404, ".into()),
        ("10.0.0.1", format!("{PROXY} refused with 400, ")),
    ];
    let lines = lines.borrow();
    assert_eq!(lines.len(), rows.len(), "{lines:?}");
    for ((client, line), (expected, begins)) in lines.iter().zip(&rows) {
        assert_eq!(client, expected, "{line}");
        assert!(line.starts_with(begins), "{line}\n{begins}");
    }
    assert_eq!(world.context().stats().refused, 6);
}

/// The naive oracle: all lines as one list, from right to left.
fn naive(lines: &[Vec<String>]) -> String {
    let joined = lines.iter().map(|line| line.join(",")).collect::<Vec<_>>().join(",");
    let mut client: std::net::IpAddr = "10.0.0.1".parse().unwrap();
    if lines.is_empty() {
        return client.to_string();
    }
    let elements: Vec<&str> = joined.split(',').collect();
    for element in elements.into_iter().rev() {
        let element = element.trim();
        let parsed = element
            .parse::<std::net::SocketAddr>()
            .map(|address| address.ip())
            .or_else(|_| element.parse::<std::net::IpAddr>());
        let Ok(address) = parsed else { break };
        client = address.to_canonical();
        let text = client.to_string();
        if !text.starts_with("10.") && !text.starts_with("fd") {
            break;
        }
    }
    client.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn walk_agrees_with_a_naive_one(lines in prop::collection::vec(
        prop::collection::vec(
            prop_oneof![
                4 => "10\\.[0-9]\\.0\\.[1-9]",
                1 => "192\\.0\\.2\\.[1-9]",
                1 => "(10|192)\\.0\\.2\\.[0-9]{1,4}:[1-9][0-9]{0,5}",
                1 => "fd00::[1-9a-f]",
                1 => "\\[(fd00|2001)::[1-9a-f]\\]:[1-9][0-9]{0,5}",
                1 => "2001:db8::[0-9a-f]{1,5}",
                1 => "::ffff:10\\.0\\.0\\.[0-9]",
                1 => "[0-9a-f.:\\[\\] _x]{0,8}",
            ],
            1..5,
        ),
        0..4,
    )) {
        // The oracle's own parser takes no brackets without a port.
        prop_assume!(!lines.iter().flatten().any(|element| element.trim().ends_with(']')));
        let mut world = mirror(XForwardedFor);
        let proxy = world.connect_from(PROXY);
        let joined: Vec<String> = lines.iter().map(|line| line.join(", ")).collect();
        let headers: Vec<(&str, &str)> = joined.iter().map(|line| (XFF, line.as_str())).collect();
        prop_assert_eq!(ask(&mut world, proxy, &headers), format!("{} http", naive(&lines)));
    }

    /// Elements are written by the grammar, and the expected client is known beforehand.
    #[test]
    fn forwarded_elements_are_read_as_they_were_written(
        elements in prop::collection::vec((0..6_u8, 0..3_u8, any::<bool>(), any::<bool>()), 0..8),
    ) {
        let mut expected = ("10.0.0.1".to_owned(), "http");
        let mut written: Vec<String> = Vec::new();
        let mut ended = false;
        for (at, (kind, extra, new_line, secure)) in elements.into_iter().enumerate().rev() {
            let (text, client) = match kind {
                0 | 1 => (format!("for=10.0.1.{at}"), Some(format!("10.0.1.{at}"))),
                2 => (format!("for=\"[fd00::a{at}]:80\""), Some(format!("fd00::a{at}"))),
                3 => (format!("for=\"192.0.2.{at}:_x\""), Some(format!("192.0.2.{at}"))),
                4 => ("for=unknown".into(), None),
                _ => ("for=\"\\_x\"".into(), None),
            };
            let scheme = if secure { "https" } else { "http" };
            let text = match extra {
                0 => format!("{text};proto={scheme}"),
                1 => format!("host=\"a\\\", for=192.0.2.99;b\\\\\";proto=\"{scheme}\" ; {text}"),
                _ => format!("proto={scheme};{text};secret=\",,\""),
            };
            if !ended {
                expected.1 = scheme;
                ended = kind >= 3;
                if let Some(client) = client {
                    expected.0 = client;
                }
            }
            match written.last_mut() {
                Some(line) if !new_line => *line = format!("{text} , {line}"),
                _ => written.push(text),
            }
        }
        let mut world = mirror(Forwarded);
        let proxy = world.connect_from(PROXY);
        let headers: Vec<(&str, &str)> =
            written.iter().rev().map(|line| (FWD, line.as_str())).collect();
        let expected = format!("{} {}", expected.0, expected.1);
        prop_assert_eq!(ask(&mut world, proxy, &headers), expected);
    }
}
