//! What an observer is told over memory of requests that are answered, and of connections that
//! open, fail and end: each once, with the bytes that the peer received, the time and the cause.

mod common;

use std::cell::Cell;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{Client, Log, Recorder, World, cases, raw, seconds};
use proptest::prelude::*;
use switchboard::{
    CloseCode, Conn, ConnId, Connect, Drain, EventStream, Observed, Options, Reply, Response,
    Stream, TrustedHeader,
};

/// What an observer is told, in words.
struct Seen(Receiver<String>);

impl Seen {
    fn observe(world: &mut World) -> Seen {
        let (sender, receiver) = channel();
        world.server.observe(move |event| sender.send(word(event)).unwrap());
        Seen(receiver)
    }

    fn take(&self) -> Vec<String> {
        self.0.try_iter().collect()
    }
}

/// `GET /a 200 130 0ns`, `GET /a - 0 3s: reset`; `ended http 3s eof`.
fn word(event: &Observed<'_>) -> String {
    match event {
        Observed::Answered(it) => {
            let status = it.status.map_or("-".to_owned(), |status| status.as_u16().to_string());
            let cut = it.cause.map_or(String::new(), |cause| format!(": {}", cause.as_str()));
            format!("{} {} {status} {} {:?}{cut}", it.method, it.path, it.bytes, it.time)
        }
        Observed::Refused(it) => format!("refused {}", it.status.as_u16()),
        Observed::Violated(it) => format!("violated {} {}", it.code, it.reason),
        Observed::Opened(it) if it.is_dialled => "dialled".to_owned(),
        Observed::Opened(_) => "opened".to_owned(),
        Observed::Ended(it) => {
            let code = it.code.map_or(String::new(), |code| format!(": {code} {}", it.reason));
            format!("ended {} {:?} {}{}", it.protocol, it.time, it.cause.as_str(), code)
        }
        other => other.to_string(),
    }
}

/// A server whose only handler answers by the path, and the log of its callbacks.
fn site() -> (World, Seen, Log) {
    let log = Log::new();
    let options = Options::new().answer_timeout(seconds(20)).body_timeout(seconds(4));
    let mut world = World::serving(|server| {
        server.options(options);
        server.zone("/", recorder(&log));
    });
    let seen = Seen::observe(&mut world);
    (world, seen, log)
}

fn recorder(log: &Log) -> Recorder {
    let pieces = Rc::new(Cell::new(0));
    let left = pieces.clone();
    Recorder::new(log)
        .request(move |_, request| -> Reply {
            match request.path() {
                "/get" => "hello".into(),
                "/empty" => Response::empty(204).into(),
                "/old" => Response::text("old").with_status(304).into(),
                "/large" => Response::bytes("application/x", vec![7; 1 << 20]).into(),
                "/bye" => Response::text("bye").close().into(),
                "/later" => Reply::Later,
                "/body" => Reply::Body(1 << 10),
                "/stream" => {
                    pieces.set(3);
                    Stream::new(Response::empty(200)).into()
                }
                "/short" => {
                    pieces.set(1);
                    Stream::new(Response::empty(200)).length(99).into()
                }
                "/endless" => {
                    pieces.set(u32::MAX);
                    Stream::new(Response::empty(200)).into()
                }
                "/events" => EventStream::new().into(),
                "/take" => Reply::Takeover(Response::empty(200)),
                _ if request.is_websocket() => switchboard::Upgrade::new().into(),
                _ => Reply::Pass,
            }
        })
        .body(|_, _, body| format!("{} bytes", body.len()))
        .message(|conn, message| conn.send(message))
        .input(|conn, bytes| {
            conn.write(&bytes.to_ascii_uppercase());
            conn.release();
            bytes.len()
        })
        .writable(move |conn: &mut Conn<'_>| match left.get() {
            0 => conn.finish(),
            n => {
                conn.write(b"a piece");
                left.set(n - 1);
                conn.want_writable();
            }
        })
}

fn request(method: &str, path: &str, rest: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{rest}\r\n")
}

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Opens a connection, of whose beginning the observer is told.
fn connect(world: &mut World, seen: &Seen) -> Client {
    let client = world.connect();
    world.settle();
    assert_eq!(seen.take(), ["opened"]);
    client
}

fn drain(world: &mut World, after: Duration) {
    world.server.drain(Drain::within(after)).unwrap();
    world.settle();
}

/// Sends one request over a connection of its own, and returns what the peer received.
fn ask(world: &mut World, seen: &Seen, bytes: &str) -> (Client, usize) {
    let client = connect(world, seen);
    world.write(client, bytes);
    let received = world.read(client).len();
    (client, received)
}

#[test]
fn observer_hears_of_each_kind_of_whole_answer_with_its_bytes() {
    let (mut world, seen, _) = site();
    for (method, path, rest, status) in [
        ("GET", "/get", "", 200),
        ("HEAD", "/get", "", 200),
        ("GET", "/empty", "", 204),
        ("GET", "/old", "", 304),
        ("GET", "/large", "", 200),
        ("GET", "/bye", "", 200),
        ("POST", "/get", "Content-Length: 3\r\n", 200),
        ("POST", "/body", "Content-Length: 0\r\n", 200),
        ("GET", "/stream", "", 200),
        ("HEAD", "/stream", "", 200),
        ("HEAD", "/events", "", 200),
        ("OPTIONS", "*", "", 204),
    ] {
        let (_, bytes) = ask(&mut world, &seen, &request(method, path, rest));
        let told = seen.take();
        assert_eq!(told[0], format!("{method} {path} {status} {bytes} 0ns"));
        assert!(told.len() == 1 || told[1].starts_with("ended"), "{told:?}");
    }
}

#[test]
fn observer_hears_of_the_path_as_it_was_sent_without_the_query() {
    let (mut world, seen, _) = site();
    let (_, bytes) = ask(&mut world, &seen, &request("GET", "/x/../%67et?token=secret", ""));
    assert_eq!(seen.take(), [format!("GET /x/../%67et 200 {bytes} 0ns")]);
    let (_, bytes) = ask(&mut world, &seen, &request("GET", "http://a/get?secret", ""));
    assert_eq!(seen.take(), [format!("GET /get 200 {bytes} 0ns")]);
    let path = format!("/get/{}", "a".repeat(200));
    world.server.http("/get", |_, _| "hello");
    let (_, bytes) = ask(&mut world, &seen, &request("GET", &path, ""));
    let shown = format!("{}...", &path[..128 - 3 - "GET ".len()]);
    assert_eq!(seen.take(), [format!("GET {shown} 200 {bytes} 0ns")]);
}

#[test]
fn observer_hears_of_a_later_answer_with_the_time_that_it_took() {
    let (mut world, seen, log) = site();
    let (client, _) = ask(&mut world, &seen, &request("GET", "/later", ""));
    world.advance(seconds(3));
    assert_eq!(seen.take(), [""; 0]);
    world.context().respond(log.last_id(), "at last");
    let bytes = world.read(client).len();
    assert_eq!(seen.take(), [format!("GET /later 200 {bytes} 3s")]);
}

#[test]
fn observer_hears_of_a_body_that_takes_its_time_and_of_the_interim_response() {
    let (mut world, seen, _) = site();
    let rest = "Content-Length: 4\r\nExpect: 100-continue\r\n";
    let (client, interim) = ask(&mut world, &seen, &request("POST", "/body", rest));
    assert_eq!(interim, "HTTP/1.1 100 Continue\r\n\r\n".len());
    world.advance(seconds(2));
    world.write(client, "body");
    let bytes = interim + world.read(client).len();
    assert_eq!(seen.take(), [format!("POST /body 200 {bytes} 2s")]);
}

#[test]
fn observer_hears_of_pipelined_answers_in_their_order_as_they_leave() {
    let (mut world, seen, _) = site();
    let three = ["/get", "/bye", "/get"].map(|path| request("GET", path, ""));
    let (_, bytes) = ask(&mut world, &seen, &three[0].repeat(3));
    assert_eq!(seen.take(), vec![format!("GET /get 200 {} 0ns", bytes / 3); 3]);

    // A peer that takes the first answer and half of the second.
    let client = connect(&mut world, &seen);
    let one = bytes / 3;
    world.window(client, one + one / 2);
    world.push(client, three[0].repeat(3));
    world.settle();
    assert_eq!(seen.take(), [format!("GET /get 200 {one} 0ns")]);
    world.advance(seconds(1));
    world.window(client, one);
    assert_eq!(seen.take(), [format!("GET /get 200 {one} 1s")]);
    world.fail(client, ErrorKind::ConnectionReset);
    let half = 2 * one + one / 2 - 2 * one;
    assert_eq!(
        seen.take(),
        [format!("GET /get 200 {half} 1s: reset"), "ended http 1s reset".to_owned()]
    );
}

#[test]
fn observer_hears_of_a_websocket_when_it_opens_and_when_it_ends() {
    let (mut world, seen, _) = site();
    let (client, bytes) = ask(&mut world, &seen, &request("GET", "/ws", UPGRADE));
    assert_eq!(seen.take(), [format!("GET /ws 101 {bytes} 0ns")]);
    world.write(client, raw(0x81, "hello"));
    world.advance(seconds(5));
    assert_eq!(seen.take(), [""; 0], "a message is no event");
    world.write(client, raw(0x88, b"\x03\xe8bye\x1b[2J"));
    world.end(client);
    assert_eq!(seen.take(), [r"ended websocket 5s peer_closed: 1000 bye\x1b[2J"]);
}

#[test]
fn observer_hears_of_an_upgrade_behind_another_request_in_order() {
    let (mut world, seen, _) = site();
    let both = request("GET", "/get", "") + &request("GET", "/ws", UPGRADE);
    let client = connect(&mut world, &seen);
    world.write(client, [both.as_bytes(), &raw(0x81, "hello")].concat());
    let received = world.read(client);
    let text = String::from_utf8_lossy(&received).into_owned();
    let first = text.find("HTTP/1.1 101").unwrap();
    let frame = "hello".len() + 2;
    let second = received.len() - first - frame;
    assert_eq!(
        seen.take(),
        [format!("GET /get 200 {first} 0ns"), format!("GET /ws 101 {second} 0ns")]
    );
}

#[test]
fn observer_hears_of_event_streams_and_takeovers_until_their_end() {
    let (mut world, seen, _) = site();
    let (client, bytes) = ask(&mut world, &seen, &request("GET", "/events", ""));
    assert_eq!(seen.take(), [format!("GET /events 200 {bytes} 0ns")]);
    world.advance(seconds(60));
    world.end(client);
    assert_eq!(seen.take(), ["ended event stream 60s eof: 1006 "]);

    let (client, head) = ask(&mut world, &seen, &request("GET", "/take", ""));
    assert_eq!(seen.take(), [format!("GET /take 200 {head} 0ns")]);
    world.end(client);
    assert_eq!(seen.take(), ["ended takeover 0ns eof: 1006 "]);
}

/// Bytes of the handler's own protocol stand between two answers in one write.
#[test]
fn observer_hears_of_the_answer_behind_a_takeover_that_was_released() {
    let (mut world, seen, _) = site();
    let client = connect(&mut world, &seen);
    world.push(client, request("GET", "/take", ""));
    world.push(client, "shout");
    world.settle();
    let head = world.read(client).len() - "SHOUT".len();
    world.write(client, request("GET", "/get", ""));
    let bytes = world.read(client).len();
    assert_eq!(
        seen.take(),
        [format!("GET /take 200 {head} 0ns"), format!("GET /get 200 {bytes} 0ns")]
    );
    world.end(client);
    assert_eq!(seen.take(), ["ended http 0ns eof"]);
}

#[test]
fn observer_hears_of_a_refused_request_once() {
    let later = request("GET", "/later", "");
    for (bytes, wait, status) in [
        (request("GET", "/nowhere", ""), 0, 404),
        (request("GET", "/get", "Bad Header: x\r\n"), 0, 400),
        (request("POST", "/body", "Content-Length: 9999\r\n"), 0, 413),
        (request("POST", "/body", "Content-Length: 9\r\n"), 9, 408),
        (later, 30, 503),
        (request("GET", "/ws", &UPGRADE.replace("13", "12")), 0, 426),
    ] {
        let (mut world, seen, _) = site();
        ask(&mut world, &seen, &bytes);
        world.advance(seconds(wait));
        let told = seen.take();
        assert_eq!(told[0], format!("refused {status}"), "{told:?}");
        assert!(told.iter().skip(1).all(|word| word.starts_with("ended http")), "{told:?}");
    }
}

#[test]
fn observer_hears_what_cut_an_answer() {
    type Cut = fn(&mut World, Client);
    let rows: [(&str, Cut, &str, &str); 7] = [
        ("/later", |world, client| world.fail(client, ErrorKind::ConnectionReset), "-", "reset"),
        ("/endless", |world, client| world.fail(client, ErrorKind::BrokenPipe), "200", "reset"),
        ("/short", |_, _| {}, "200", "local"),
        (
            "/later",
            |world, client| {
                world.server.options(Options::new().half_close(false));
                world.end(client);
            },
            "-",
            "eof",
        ),
        ("/large", |world, _| world.advance(seconds(60)), "200", "write_timeout"),
        ("/later", |world, _| drain(world, seconds(2)), "-", "drain"),
        ("/large", |world, _| drain(world, seconds(2)), "200", "drain"),
    ];
    for (path, cut, status, cause) in rows {
        let (mut world, seen, _) = site();
        let client = connect(&mut world, &seen);
        world.window(client, 1_000);
        world.push(client, request("GET", path, ""));
        world.turn();
        cut(&mut world, client);
        world.advance(seconds(3));
        let bytes = world.read(client).len();
        let told = seen.take();
        let [answered, ended] = &told[..] else { panic!("{path}: {told:?}") };
        assert!(answered.starts_with(&format!("GET {path} {status} {bytes} ")), "{told:?}");
        assert!(answered.ends_with(&format!(": {cause}")), "{told:?}");
        assert!(ended.contains(cause), "{told:?}");
    }
}

#[test]
fn observer_hears_of_a_websocket_that_fails() {
    let (mut world, seen, _) = site();
    let (client, _) = ask(&mut world, &seen, &request("GET", "/ws", UPGRADE));
    seen.take();
    world.write(client, [0x81, 0x01, b'x']);
    world.end(client);
    assert_eq!(
        seen.take(),
        [
            "violated 1002 frame from a client is not masked",
            "ended websocket 0ns violation: 1002 frame from a client is not masked",
        ]
    );
}

#[test]
fn observer_hears_of_connections_that_this_program_opens() {
    let mut world = World::new();
    let log = Log::new();
    let zone = world.server.zone("/", Recorder::new(&log));
    let seen = Seen::observe(&mut world);
    let (client, _) = world.dial(zone, Connect::to("ws://a.example/"));
    world.accept(client);
    assert_eq!(seen.take(), ["dialled"]);
    world.close(client, CloseCode::NORMAL, "bye");
    world.end(client);
    assert_eq!(seen.take(), ["ended websocket 0ns peer_closed: 1000 bye"]);

    world.host("nowhere.example", &["192.0.2.9"]);
    world.context().connect(zone, Connect::to("ws://nowhere.example/"));
    let [(_, client)] = world.dialled()[..] else { panic!("one socket") };
    world.refuse(client);
    let told = seen.take();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("ended opening 0ns dial_failed: 1006 "), "{told:?}");
}

#[test]
fn observer_hears_of_the_client_behind_a_proxy_at_each_event() {
    let (mut world, _, _) = site();
    world.server.trusted_proxies(["10.0.0.0/8"], TrustedHeader::XForwardedFor).unwrap();
    let (sender, receiver) = channel();
    world.server.observe(move |event| {
        let begin = event.to_string();
        sender.send(begin.split(" with").next().unwrap().to_owned()).unwrap();
    });
    let proxy = world.connect_from("10.0.0.1:4711");
    let forwarded = |client: &str| format!("X-Forwarded-For: {client}\r\n");
    world.push(proxy, request("GET", "/get", &forwarded("192.0.2.1")));
    world.push(proxy, request("GET", "/ws", &(forwarded("192.0.2.2") + UPGRADE)));
    world.settle();
    world.write(proxy, [0x81, 0x01, b'x']);
    world.end(proxy);
    let told: Vec<String> = receiver.try_iter().collect();
    assert_eq!(told[0], "10.0.0.1:4711 opened");
    assert_eq!(told[1], "192.0.2.1 through 10.0.0.1:4711 answered");
    assert_eq!(told[2], "192.0.2.2 through 10.0.0.1:4711 answered");
    assert_eq!(told[3], "192.0.2.2 through 10.0.0.1:4711 failed");
    assert!(told[4].starts_with("192.0.2.2 through 10.0.0.1:4711 ended"), "{told:?}");
}

#[test]
fn observer_that_comes_late_hears_of_answers_alone() {
    let (mut world, first, log) = site();
    let (mut late, _) = World::set_up(|server| {
        server.zone("/", Recorder::new(&log).request(|_, _| Response::text("hello")));
    });
    let client = late.connect();
    late.settle();
    let seen = Seen::observe(&mut late);
    late.write(client, request("GET", "/", ""));
    assert_eq!(seen.take().len(), 1);
    late.end(client);
    assert_eq!(seen.take(), [""; 0], "of its beginning nothing was told");
    // A further observer goes on where the first one was.
    let client = connect(&mut world, &first);
    let second = Seen::observe(&mut world);
    world.end(client);
    assert_eq!((first.take().len(), second.take().len()), (0, 1));
}

// ---- a property ---------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum Step {
    Connect,
    Send(usize, usize),
    Rest(usize),
    Answer(usize),
    Window(usize, usize),
    End(usize),
    Fail(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Connect),
        8 => (0..8_usize, 0..12_usize).prop_map(|(client, kind)| Step::Send(client, kind)),
        2 => (0..8_usize).prop_map(Step::Rest),
        3 => (0..8_usize).prop_map(Step::Answer),
        3 => (0..8_usize, 0..2_000_usize).prop_map(|(client, n)| Step::Window(client, n)),
        1 => (0..8_usize).prop_map(Step::End),
        1 => (0..8_usize).prop_map(Step::Fail),
        1 => (0..30_u64).prop_map(Step::Wait),
    ]
}

/// What the observer was told of one peer.
#[derive(Default, Debug)]
struct Told {
    opened: usize,
    ended: usize,
    answered: u64,
    refused: u64,
    bytes: u64,
    is_http: bool,
}

fn heads(kind: usize) -> String {
    match kind {
        0 => request("GET", "/get", ""),
        1 => request("HEAD", "/get", ""),
        2 => request("GET", "/later", ""),
        3 => request("POST", "/body", "Content-Length: 4\r\n"),
        4 => request("GET", "/stream", ""),
        5 => request("GET", "/nowhere", ""),
        6 => request("GET", "/large", ""),
        7 => request("GET", "/bye", ""),
        8 => request("POST", "/get", "Content-Length: 4\r\n\r\nbody").trim_end().to_owned(),
        9 => request("GET", "/events", ""),
        10 => request("GET", "/get", "").repeat(3),
        _ => request("GET", "/ws", UPGRADE),
    }
}

proptest! {
    #![proptest_config(cases(60))]

    /// Each connection opens and ends once, each request with a valid head is answered or refused
    /// once, and the bytes of the answers are those that the peer received.
    #[test]
    fn observer_hears_of_each_connection_and_each_request_once(
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        let (mut world, _, log) = site();
        let (sender, told) = channel::<(String, fn(&mut Told, u64), u64)>();
        world.server.observe(move |event| {
            let (peer, note, n): (_, fn(&mut Told, u64), _) = match event {
                Observed::Opened(it) => (it.peer, |it, _| it.opened += 1, 0),
                Observed::Answered(it) => {
                    (it.peer, |it, n| (it.answered += 1, it.bytes += n).0, it.bytes)
                }
                Observed::Refused(it) => (it.peer, |it, _| it.refused += 1, 0),
                Observed::Ended(it) => {
                    let is_http = it.protocol == switchboard::Protocol::Http;
                    (it.peer, |it, n| (it.ended += 1, it.is_http = n == 1).0, is_http.into())
                }
                _ => return,
            };
            sender.send((peer.unwrap().to_string(), note, n)).unwrap();
        });
        let mut clients: Vec<(String, Client)> = Vec::new();
        let mut received: HashMap<String, u64> = HashMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            let at = |n: usize| clients.get(clients.len().checked_sub(1 + n)?).map(|it| it.1);
            match step {
                Step::Connect => {
                    let address = format!("192.0.2.1:{}", 1000 + number);
                    let client = world.connect_from(&address);
                    clients.push((address, client));
                }
                Step::Send(n, kind) => at(n).map_or((), |it| world.write(it, heads(kind))),
                Step::Rest(n) => at(n).map_or((), |it| world.write(it, "body")),
                Step::Answer(n) => {
                    let ids = log.take_all();
                    if let Some((id, _)) = ids.get(ids.len().wrapping_sub(1 + n)) {
                        world.context().respond(*id, "at last");
                        world.settle();
                    }
                }
                Step::Window(n, bytes) => at(n).map_or((), |it| world.window(it, bytes)),
                Step::End(n) => at(n).map_or((), |it| world.end(it)),
                Step::Fail(n) => at(n).map_or((), |it| world.fail(it, ErrorKind::ConnectionReset)),
                Step::Wait(n) => world.advance(seconds(n)),
            }
            for (address, client) in &clients {
                *received.entry(address.clone()).or_default() += world.read(*client).len() as u64;
            }
        }
        for (_, client) in &clients {
            world.fail(*client, ErrorKind::ConnectionReset);
        }
        world.advance(seconds(600));
        let mut peers: HashMap<String, Told> = HashMap::new();
        for (peer, note, n) in told.try_iter() {
            note(peers.entry(peer).or_default(), n);
        }
        let stats = world.context().stats();
        let (mut answered, mut refused) = (0, 0);
        for (address, _) in &clients {
            let it = &peers[address];
            prop_assert_eq!((it.opened, it.ended), (1, 1));
            (answered, refused) = (answered + it.answered, refused + it.refused);
            if it.refused == 0 && it.is_http {
                prop_assert_eq!(it.bytes, received[address], "{}", address);
            }
        }
        // A body that comes where a head is due, or is cut, is refused without a request.
        let wild = answered + refused - stats.requests;
        prop_assert!(answered <= stats.requests && wild <= refused, "{stats:?}");
    }
}

// ---- each request by its own path ---------------------------------------------------------------

/// Kinds of requests, each with its method and the lines of its head.
const KINDS: [(&str, &str, &str); 26] = [
    ("GET", "get", ""),
    ("HEAD", "get", ""),
    ("GET", "get", "Connection: close\r\n"),
    ("GET", "later", ""),
    ("GET", "timeout-later", ""),
    ("GET", "later-closed", ""),
    ("POST", "body", "Content-Length: 4\r\n"),
    ("POST", "body", "Content-Length: 4\r\nExpect: 100-continue\r\n"),
    ("POST", "body", "Content-Length: 9999\r\n"),
    ("POST", "body", "Content-Length: 0\r\n"),
    ("POST", "get", "Content-Length: 4\r\n"),
    ("POST", "take", "Content-Length: 4\r\n"),
    ("POST", "panic-body", "Content-Length: 4\r\n"),
    ("POST", "timeout-body", "Content-Length: 4\r\n"),
    ("GET", "stream", ""),
    ("GET", "panic-stream", ""),
    ("GET", "large", ""),
    ("GET", "nowhere", ""),
    ("GET", "interim", ""),
    ("GET", "bye", ""),
    ("GET", "events", ""),
    ("GET", "take", ""),
    ("GET", "panic", ""),
    ("GET", "ws", UPGRADE),
    ("GET", "panic-open", UPGRADE),
    ("GET", "ws", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n"),
];

/// A handler that answers by the last segment of the path, and panics in several callbacks.
fn fragile(log: &Log) -> Recorder {
    let doomed: Rc<Cell<Option<ConnId>>> = Rc::default();
    let marked = Rc::clone(&doomed);
    Recorder::new(log)
        .request(move |conn, request| -> Reply {
            let kind = request.path().rsplit('/').next().unwrap();
            if kind.starts_with("timeout") {
                conn.set_timeout(Some(seconds(3)));
            }
            match kind {
                "get" => "hello".into(),
                "large" => Response::bytes("application/x", vec![7; 1 << 16]).into(),
                "interim" => Response::empty(103).into(),
                "bye" => Response::text("bye").close().into(),
                "later" | "timeout-later" => Reply::Later,
                "later-closed" => {
                    conn.close(CloseCode::NORMAL, "");
                    Reply::Later
                }
                "body" | "panic-body" | "timeout-body" => Reply::Body(1 << 10),
                "stream" => Stream::new(Response::empty(200)).into(),
                "panic-stream" => {
                    marked.set(Some(conn.id()));
                    Stream::new(Response::empty(200)).into()
                }
                "events" => EventStream::new().into(),
                "take" => Reply::Takeover(Response::empty(200)),
                "panic" => panic!("in request"),
                "ws" | "panic-open" => switchboard::Upgrade::new().into(),
                _ => Reply::Pass,
            }
        })
        .body(|_, request, body| match request.path().ends_with("panic-body") {
            true => panic!("in body"),
            false => format!("{} bytes", body.len()),
        })
        .open(|_, request| assert!(!request.path().ends_with("panic-open"), "in open"))
        .message(|conn, message| conn.send(message))
        .input(|conn, bytes| {
            conn.release();
            bytes.len()
        })
        .timeout(|_| panic!("in timeout"))
        .writable(move |conn: &mut Conn<'_>| {
            conn.write(b"a piece");
            assert_ne!(doomed.get(), Some(conn.id()), "in writable");
            conn.finish();
        })
}

#[derive(Clone, Debug)]
enum Deed {
    Connect,
    /// Requests of these kinds in one segment, if `true` with a turn behind it.
    Send(usize, Vec<usize>, bool),
    Write(usize, &'static str),
    Say(usize),
    Answer(usize),
    Upgrade(usize),
    Window(usize, usize),
    End(usize),
    Fail(usize, bool),
    Wait(u64),
    Drain(u64, u64, u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let client = || 0..6_usize;
    let kinds = proptest::collection::vec(0..KINDS.len(), 1..5);
    prop_oneof![
        3 => Just(Deed::Connect),
        12 => (client(), kinds, any::<bool>()).prop_map(|(c, k, t)| Deed::Send(c, k, t)),
        2 => client().prop_map(|client| Deed::Write(client, "body")),
        1 => client().prop_map(|client| Deed::Write(client, HALF)),
        1 => client().prop_map(Deed::Say),
        3 => client().prop_map(Deed::Answer),
        1 => client().prop_map(Deed::Upgrade),
        3 => (client(), 0..3_000_usize).prop_map(|(c, n)| Deed::Window(c, n)),
        1 => client().prop_map(Deed::End),
        2 => (client(), any::<bool>()).prop_map(|(c, t)| Deed::Fail(c, t)),
        2 => (0..30_u64).prop_map(Deed::Wait),
    ]
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let drain = (0..9_u64, 0..9_u64, 0..9_u64).prop_map(|(n, w, d)| Deed::Drain(n, w, d));
    let before = proptest::collection::vec(deed(), 1..60);
    let after = proptest::collection::vec(deed(), 0..20);
    (before, drain, after).prop_map(|(mut deeds, drain, after)| {
        deeds.push(drain);
        deeds.extend(after);
        deeds
    })
}

/// A head that is never whole: a second `Host` follows.
const HALF: &str = "GET /half HTTP/1.1\r\nHost: a\r\nX: ";

/// The number of a request in its path, `/17/get`.
fn number_of(path: &str) -> Option<usize> {
    path.strip_prefix('/')?.split_once('/')?.0.parse().ok()
}

/// What happens to a peer, by its address.
#[derive(Clone, Debug, PartialEq)]
enum Deal {
    Opened,
    Answered(usize, u64, bool),
    Refused(Option<usize>),
    Panicked,
    Ended(bool),
}

fn seen(event: &Observed<'_>) -> Option<(String, Deal)> {
    let (peer, seen) = match event {
        Observed::Opened(it) => (it.peer, Deal::Opened),
        Observed::Answered(it) => {
            assert!(it.status.is_some() || it.cause.is_some(), "{event}");
            let number = number_of(it.path).expect("a request of this test");
            (it.peer, Deal::Answered(number, it.bytes, it.cause.is_none()))
        }
        Observed::Refused(it) => {
            // What is left of a body may stand before a method, of which it is a part then.
            let line = it.request_line.trim_start_matches("body");
            let (method, rest) = line.split_once(' ').unwrap_or_default();
            let path = rest.split(' ').next().filter(|_| ["GET", "HEAD", "POST"].contains(&method));
            (it.peer, Deal::Refused(path.and_then(number_of)))
        }
        Observed::Panicked(it) => (it.peer, Deal::Panicked),
        Observed::Ended(it) => (it.peer, Deal::Ended(it.protocol == switchboard::Protocol::Http)),
        _ => return None,
    };
    Some((peer.expect("an address").to_string(), seen))
}

/// A server with such a handler, its clients, and how many requests they have sent.
struct Crowd {
    world: World,
    log: Log,
    clients: Vec<(String, Client)>,
    sent: usize,
    is_draining: bool,
}

impl Crowd {
    fn act(&mut self, deed: Deed) {
        let client = |n: usize| self.clients.iter().rev().nth(n).map(|it| it.1);
        let world = &mut self.world;
        match deed {
            Deed::Connect if self.is_draining => {}
            Deed::Connect => {
                let address = format!("192.0.2.1:{}", 1000 + self.clients.len());
                let client = world.connect_from(&address);
                self.clients.push((address, client));
            }
            Deed::Send(n, kinds, settles) => {
                let Some(client) = client(n) else { return };
                for kind in kinds {
                    let (method, name, lines) = KINDS[kind];
                    self.sent += 1;
                    world.push(client, request(method, &format!("/{}/{name}", self.sent), lines));
                }
                if settles {
                    world.settle();
                }
            }
            Deed::Write(n, bytes) => client(n).map_or((), |it| world.write(it, bytes)),
            Deed::Say(n) => client(n).map_or((), |it| world.write(it, raw(0x81, "hello"))),
            Deed::Answer(n) => {
                let ids = self.log.take_all();
                if let Some((id, _)) = ids.iter().rev().nth(n) {
                    world.context().respond(*id, "at last");
                }
            }
            Deed::Upgrade(n) => {
                let ids = self.log.take_all();
                if let Some((id, _)) = ids.iter().rev().nth(n) {
                    world.context().upgrade(*id, switchboard::Upgrade::new());
                }
            }
            Deed::Window(n, bytes) => client(n).map_or((), |it| world.window(it, bytes)),
            Deed::End(n) => client(n).map_or((), |it| world.end(it)),
            // In the turn of what came before, or in one of its own.
            Deed::Fail(n, settles) => {
                if settles {
                    world.settle();
                }
                if let Some(client) = client(n) {
                    world.fail(client, ErrorKind::ConnectionReset);
                }
            }
            Deed::Wait(n) => world.advance(seconds(n)),
            Deed::Drain(notice, window, rest) => self.drain(notice, window, rest),
        }
    }

    fn drain(&mut self, notice: u64, window: u64, rest: u64) {
        self.is_draining = true;
        let deadline = seconds(notice + window + rest);
        let [notice, window] = [notice, window].map(seconds);
        self.world.server.drain(Drain { notice, window, ..Drain::within(deadline) }).unwrap();
        self.world.turn();
    }
}

proptest! {
    #![proptest_config(cases(120))]

    /// Whatever clients, handlers with panics, deadlines and a drain do: each connection has one
    /// `Opened` at its beginning and one `Ended` at its end, and each request with a valid head
    /// has between them exactly one `Answered` or `Refused`, in the order of the requests.
    #[test]
    fn each_request_is_answered_or_refused_once_between_one_beginning_and_one_end(
        deeds in deeds()
    ) {
        let log = Log::new();
        let options = Options::new().answer_timeout(seconds(20)).body_timeout(seconds(4));
        let mut world = World::serving(|server| {
            server.options(options);
            server.catch_panics(true);
            server.zone("/", fragile(&log));
        });
        let (sender, told) = channel();
        world.server.observe(move |event| {
            seen(event).into_iter().for_each(|it| sender.send(it).unwrap());
        });
        let mut received: HashMap<String, u64> = HashMap::new();
        let mut crowd =
            Crowd { world, log, clients: Vec::new(), sent: 0, is_draining: false };
        for deed in deeds {
            crowd.act(deed);
            for (address, client) in &crowd.clients {
                let bytes = crowd.world.peer(*client).receive().len();
                *received.entry(address.clone()).or_default() += bytes as u64;
            }
        }
        for (_, client) in &crowd.clients {
            crowd.world.fail(*client, ErrorKind::ConnectionReset);
        }
        crowd.world.advance(seconds(600));
        for (address, client) in &crowd.clients {
            let bytes = crowd.world.peer(*client).receive().len();
            *received.entry(address.clone()).or_default() += bytes as u64;
        }
        let mut peers: HashMap<String, Vec<Deal>> = HashMap::new();
        told.try_iter().for_each(|(peer, seen)| peers.entry(peer).or_default().push(seen));
        let stats = crowd.world.context().stats();
        let (mut requests, mut refusals, mut panics) = (Vec::new(), 0, 0);
        for (address, _) in &crowd.clients {
            let told = &peers[address];
            let count = |what: fn(&Deal) -> bool| told.iter().filter(|it| what(it)).count();
            prop_assert_eq!(&told[0], &Deal::Opened);
            prop_assert!(matches!(told.last(), Some(Deal::Ended(_))), "{:?}", told);
            prop_assert_eq!(count(|it| matches!(it, Deal::Opened | Deal::Ended(_))), 2);
            let refused = count(|it| matches!(it, Deal::Refused(_)));
            refusals += refused as u64;
            panics += count(|it| matches!(it, Deal::Panicked)) as u64;
            let numbers = told.iter().filter_map(|it| match it {
                Deal::Answered(number, ..) | Deal::Refused(Some(number)) => Some(*number),
                _ => None,
            });
            let answered = told.iter().filter_map(|it| match it {
                Deal::Answered(number, bytes, _) => Some((*number, *bytes)),
                _ => None,
            });
            let (order, bytes): (Vec<usize>, Vec<u64>) = answered.unzip();
            prop_assert!(order.is_sorted(), "{:?}", told);
            requests.extend(numbers);
            if refused == 0 && told.last() == Some(&Deal::Ended(true)) {
                let received = received[address];
                let total: u64 = bytes.iter().sum();
                prop_assert_eq!(total, received, "{}: {:?}", address, told);
            }
        }
        let all = requests.len();
        requests.sort_unstable();
        requests.dedup();
        prop_assert_eq!(requests.len(), all, "a request twice");
        prop_assert_eq!(all as u64, stats.requests, "{:?}", peers);
        prop_assert_eq!((refusals, panics), (stats.refused, stats.panics));
        prop_assert_eq!(stats.refusals.total(), stats.refused);
        prop_assert_eq!(stats.ends.total(), crowd.clients.len() as u64);
    }
}
