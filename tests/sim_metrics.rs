//! The figures of `Stats`: exact counts in every phase, of bytes, of messages, of refusals, of
//! zones and of turns; and their text for Prometheus.

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{World, cases, frames, http, seconds};
use proptest::prelude::*;
#[cfg(feature = "deflate")]
use switchboard::DeflateConfig;
use switchboard::http::Request as HttpRequest;
use switchboard::testing::Client;
use switchboard::{
    Backpressure, Conn, ConnId, Connect, Drain, EventStream, Handler, Listener, Message, Metrics,
    Options, Readiness, Ready, Reply, Request, Response, Server, Stream, Transport, TrustedHeader,
    Upgrade, Zone, mio,
};

/// Serves each kind of exchange at a path of its own.
#[derive(Default)]
struct Everything {
    /// The exchanges that have begun, in order.
    ids: Arc<Mutex<Vec<ConnId>>>,
}

impl Handler for Everything {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.path() {
            "/ws" => Upgrade::new().into(),
            "/body" => Reply::Body(100),
            "/later" => Reply::Later,
            "/stream" => Stream::new(Response::new(200)).into(),
            "/events" => EventStream::new().into(),
            "/take" => Reply::Takeover(Response::empty(101).header("Upgrade", "own")),
            _ => Reply::Pass,
        }
    }

    fn body(&mut self, _conn: &mut Conn<'_>, _request: &mut Request<'_>, _body: &[u8]) -> Reply {
        "taken".into()
    }

    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("all");
        self.ids.lock().unwrap().push(conn.id());
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.send(message);
    }
}

fn everything() -> World {
    let mut world = World::new();
    world.server.zone("/", Everything::default());
    world
}

#[test]
fn stats_counts_a_connection_in_each_phase() {
    let mut world = everything();
    let bytes = |world: &mut World, bytes: &str| {
        let client = world.connect();
        world.write(client, bytes);
        client
    };
    world.connect();
    bytes(&mut world, "GET / HT");
    bytes(&mut world, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    for path in ["/later", "/stream", "/events", "/take"] {
        bytes(&mut world, &http::get(path));
    }
    world.websocket("/ws");
    let closing = world.websocket("/ws");
    world.manual(closing);
    bytes(&mut world, "no request\r\n\r\n");
    assert!(world.context().stats().zones.is_empty(), "no zone is counted");

    let stats = world.context().stats();
    assert_eq!((stats.connections, stats.idle, stats.reading_head), (10, 1, 1));
    assert_eq!((stats.reading_body, stats.deferred, stats.responding), (1, 1, 1));
    assert_eq!((stats.event_streams, stats.takeovers, stats.lingering), (1, 1, 1));
    assert_eq!((stats.websockets, stats.closing, stats.arriving), (2, 0, 0));
    assert_eq!((stats.accepted, stats.requests, stats.refused), (10, 7, 1));
    world.context().drain(Drain::within(seconds(60))).unwrap();
    world.settle();
    let stats = world.context().stats();
    assert_eq!((stats.websockets, stats.closing), (1, 1), "one did not answer");
}

#[test]
fn turned_away_connections_are_in_no_phase() {
    let mut world = everything();
    world.server.max_connections(1);
    let first = world.connect_from("192.0.2.1:1");
    world.connect_from("192.0.2.1:2");
    let stats = world.context().stats();
    assert_eq!((stats.connections, stats.idle, stats.lingering, stats.responding), (1, 1, 0, 0));
    assert_eq!((stats.turned_away, stats.refusals.get(503), stats.refused), (1, 1, 0));
    world.end(first);
    assert_eq!(world.context().stats().idle, 0);
}

#[test]
fn refusals_are_counted_by_their_status() {
    let mut world = everything();
    world.server.http(Zone::new("/get").methods(&[switchboard::http::Method::GET]), |_, _| "got");
    world.get("/nowhere");
    world.get("/nowhere");
    world.post("/get", "");
    let client = world.connect();
    world.write(client, "GET / HTTP/1.1\r\n\r\n");
    let client = world.connect();
    world.write(client, http::post("/body", &"x".repeat(101)));
    let foreign = HttpRequest::get("/ws").header("Origin", "https://evil.example");
    let client = world.connect();
    world.upgrade(client, foreign);
    let stats = world.context().stats();
    let counts: Vec<_> = stats.refusals.iter().collect();
    assert_eq!(counts, [(400, 1), (403, 1), (404, 2), (405, 1), (413, 1)]);
    assert_eq!((stats.refused, stats.refusals.total(), stats.refusals.get(500)), (6, 6, 0));
}

/// The bytes that all clients carried.
fn carried(world: &mut World, clients: &[Client]) -> (u64, u64) {
    let each = clients.iter().map(|client| world.peer(*client).carried());
    each.fold((0, 0), |(read, written), (r, w)| (read + r, written + w))
}

#[derive(Clone, Debug)]
enum Op {
    /// A client sends text messages of these lengths in one segment.
    Say(usize, Vec<usize>),
    /// A message in two fragments.
    Fragments(usize, usize),
    Ping(usize),
    Publish(usize),
    Send(usize, usize),
    /// The handler sends a message in so many fragments.
    SendFragments(usize, usize),
    Window(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let len = || prop_oneof![4 => 0..200usize, 2 => 0..20_000usize, 1 => 60_000..300_000usize];
    prop_oneof![
        4 => (0..8usize, prop::collection::vec(len(), 1..20)).prop_map(|(c, l)| Op::Say(c, l)),
        1 => (0..8usize, len()).prop_map(|(c, l)| Op::Fragments(c, l)),
        1 => (0..8usize).prop_map(Op::Ping),
        3 => len().prop_map(Op::Publish),
        2 => (0..8usize, len()).prop_map(|(c, l)| Op::Send(c, l)),
        1 => (0..8usize, 1..4usize).prop_map(|(c, l)| Op::SendFragments(c, l)),
        2 => (0..8usize, 0..5_000usize).prop_map(|(c, l)| Op::Window(c, l)),
    ]
}

const OFFER: (&str, &str) = ("Sec-WebSocket-Extensions", "permessage-deflate");

/// Clients of every kind, and what each got and sent.
struct Traffic {
    world: World,
    clients: Vec<Client>,
    ids: Arc<Mutex<Vec<ConnId>>>,
    said: u64,
}

impl Traffic {
    fn new(options: Options) -> Traffic {
        let mut world = World::serving(|server| server.options(options));
        let ids = Arc::default();
        world.server.zone("/", Everything { ids: Arc::clone(&ids) });
        // The server only compresses where a client offers it.
        let offer = || HttpRequest::get("/ws").header(OFFER.0, OFFER.1);
        let mut clients: Vec<Client> = (0..5).map(|_| world.websocket(offer())).collect();
        clients.iter().for_each(|client| world.manual(*client));
        clients.extend((5..8).map(|_| world.events("/events")));
        Traffic { world, clients, ids, said: 0 }
    }

    fn run(&mut self, op: &Op) {
        let text = |len: usize| "x".repeat(len);
        match op {
            Op::Say(client, lens) if *client < 5 => {
                let bytes =
                    lens.iter().flat_map(|len| frames::text(&text(*len))).collect::<Vec<_>>();
                self.world.write(self.clients[*client], bytes);
                self.said += lens.len() as u64;
            }
            Op::Fragments(client, len) if *client < 5 => {
                let mut bytes = frames::frame(false, frames::TEXT, text(*len));
                bytes.extend(frames::frame(true, frames::CONTINUATION, "end"));
                self.world.write(self.clients[*client], bytes);
                self.said += 1;
            }
            Op::Ping(client) if *client < 5 => {
                self.world.write(self.clients[*client], frames::ping("p"));
            }
            Op::Publish(len) => {
                self.world.context().publish("all", &*text(*len));
                self.world.settle();
            }
            Op::Send(client, len) => {
                let id = self.ids.lock().unwrap()[*client];
                self.world.context().send(id, &*text(*len));
                self.world.settle();
            }
            Op::SendFragments(client, count) if *client < 5 => {
                let id = self.ids.lock().unwrap()[*client];
                for n in 1..=*count {
                    if let Some(mut conn) = self.world.context().conn(id) {
                        conn.send_fragment("piece", n == *count);
                    }
                }
                self.world.settle();
            }
            Op::Window(client, window) => self.world.window(self.clients[*client], *window),
            _ => {}
        }
        self.check();
    }

    fn check(&mut self) {
        let carried = carried(&mut self.world, &self.clients);
        let stats = self.world.context().stats();
        assert_eq!((stats.bytes_received, stats.bytes_sent), carried);
    }

    /// The messages and events that all clients got, once they read all.
    fn received(&mut self) -> u64 {
        for client in &self.clients {
            self.world.window(*client, usize::MAX);
        }
        self.world.settle();
        let world = &mut self.world;
        let frames = self.clients[..5].iter().map(|client| messages_in(&world.read(*client)));
        let frames: u64 = frames.sum();
        frames + self.clients[5..].iter().map(|at| world.hear(*at).len() as u64).sum::<u64>()
    }
}

/// The messages in the bytes of a server: data frames with FIN.
fn messages_in(mut bytes: &[u8]) -> u64 {
    let mut count = 0;
    while let [first, len, rest @ ..] = bytes {
        let (len, rest) = match *len {
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            126 => (usize::from(u16::from_be_bytes(rest[..2].try_into().unwrap())), &rest[2..]),
            len => (usize::from(len), rest),
        };
        count += u64::from(first & 0x80 != 0 && first & 0x0F < frames::CLOSE);
        bytes = &rest[len..];
    }
    count
}

fn run(options: Options, ops: &[Op]) {
    let mut traffic = Traffic::new(options);
    ops.iter().for_each(|op| traffic.run(op));
    let received = traffic.received();
    traffic.check();
    let stats = traffic.world.context().stats();
    // Under `KeepLatest`, of several in one turn the last one leaves.
    let left = stats.messages_sent - stats.replaced;
    assert_eq!((stats.messages, left), (traffic.said, received));
}

proptest! {
    #![proptest_config(cases(8))]

    /// Bytes and messages are what the peers got and sent, whatever the way through the server.
    #[test]
    fn bytes_and_messages_are_those_of_the_peers(ops in prop::collection::vec(op(), 1..40)) {
        let options = Options::new().max_buffered(1 << 30);
        run(options.clone(), &ops);
        run(options.clone().backpressure(Backpressure::DropOldest), &ops);
        run(options.clone().backpressure(Backpressure::KeepLatest), &ops);
        #[cfg(feature = "deflate")]
        for config in [DeflateConfig::shared(), DeflateConfig::dedicated()] {
            run(options.clone().deflate(config.threshold(0)), &ops);
        }
    }
}

#[test]
fn counted_zone_counts_what_its_handler_does() {
    let mut world = World::new();
    let room = world
        .server
        .zones([Zone::new("/quiet"), Zone::new("/room").counted(true)], Everything::default());
    let ids: Arc<Mutex<Vec<ConnId>>> = Arc::default();
    let echo = Everything { ids: Arc::clone(&ids) };
    world.server.zone(Zone::new("/ws").counted(true), echo);
    world.server.websocket("/other", |conn, message| conn.send(message));
    let echo = world.websocket("/ws");
    world.say(echo, "one");
    world.say(echo, "two");
    let other = world.websocket("/other");
    world.say(other, "uncounted");
    world.get("/room/passed"); // by every zone
    let id = ids.lock().unwrap()[0];
    world.context().after(room, seconds(1), move |_, cx| cx.send(id, "from a timer"));
    world.advance(seconds(2));
    world.with(room, |_: &mut Everything, cx| cx.send(id, "from between turns"));
    world.context().call(room, move |_, cx| cx.send(id, "from a call"));
    world.settle();
    let stats = world.context().stats();
    let [room, echoes] = &stats.zones[..] else { panic!("two zones are counted") };
    assert_eq!((&*room.zone, room.open, room.requests, room.messages), ("/room", 0, 0, 0));
    assert_eq!(room.messages_sent, 3, "from a timer, a closure and a call");
    assert_eq!((&*echoes.zone, echoes.open, echoes.requests), ("/ws", 1, 1));
    assert_eq!((echoes.messages, echoes.messages_sent), (2, 2));
    assert_eq!((stats.messages, stats.messages_sent), (3, 6));
    world.end(echo);
    assert_eq!(world.context().stats().zones[1].open, 0);
}

/// Messages of a connection that this program opened count as any other's.
#[test]
fn messages_of_the_client_role_are_counted_in_both_directions() {
    let mut world = World::new();
    let ids: Arc<Mutex<Vec<ConnId>>> = Arc::default();
    let echo = Everything { ids: Arc::clone(&ids) };
    let zone = world.server.zone(Zone::new("/").counted(true), echo);
    let (far, id) = world.dial(zone, Connect::to("ws://feed.example/"));
    world.accept(far);
    world.say(far, "one");
    world.say(far, "two");
    assert_eq!(world.hear(far), ["one", "two"]);
    world.context().send(id, "between turns");
    world.context().publish("all", "to all");
    world.settle();
    assert_eq!(world.hear(far), ["between turns", "to all"]);
    let stats = world.context().stats();
    assert_eq!((stats.messages, stats.messages_sent), (2, 4));
    assert_eq!((stats.accepted, stats.dialled, stats.websockets), (0, 1, 1));
    assert_eq!((stats.zones[0].open, stats.zones[0].messages), (1, 2));
    assert_eq!(stats.zones[0].messages_sent, 2, "the echoes");
}

/// Each 429 counts once: of an address, and of a client behind a proxy.
#[test]
fn refusals_of_too_many_are_counted_once() {
    let mut world = everything();
    world.server.trusted_proxies(["10.0.0.0/8"], TrustedHeader::XForwardedFor).unwrap();
    world.server.max_connections_per_address(1);
    world.connect_from("192.0.2.1:1");
    world.connect_from("192.0.2.1:2");
    let stats = world.context().stats();
    assert_eq!((stats.turned_away, stats.refused, stats.accepted), (1, 0, 1));
    assert_eq!(stats.refusals.iter().collect::<Vec<_>>(), [(429, 1)]);
    for port in 1..=3 {
        let proxy = world.connect_from(&format!("10.0.0.1:{port}"));
        let client = "X-Forwarded-For: 192.0.2.7\r\n";
        world.write(proxy, http::request("GET", "/later", client, ""));
    }
    let stats = world.context().stats();
    assert_eq!((stats.turned_away, stats.refused, stats.requests), (1, 2, 3));
    assert_eq!(stats.refusals.iter().collect::<Vec<_>>(), [(429, 3)]);
}

#[test]
fn counted_zone_counts_a_request_once_it_has_a_reply() {
    let mut world = World::new();
    world.server.zone(Zone::new("/").counted(true), Everything::default());
    world.post("/body", "abc");
    world.get("/later-none");
    let stats = world.context().stats();
    assert_eq!((&*stats.zones[0].zone, stats.zones[0].requests), ("/", 1));
}

#[test]
fn turns_are_measured_only_on_demand() {
    let mut server = Server::detached();
    let now = Instant::now();
    server.flush(now);
    assert_eq!(server.context(now).stats().turns, None);
    server.measure_turns(true);
    server.measure_turns(true);
    let zone = server.http("/", |_, _| "");
    // A turn that began a minute ago, and a timer that was due ten seconds before.
    server.context(now).after(zone, seconds(1), |_, _| ());
    let began = now + seconds(11);
    server.flush(began);
    let turns = server.context(began).stats().turns.unwrap();
    assert_eq!((turns.time.count(), turns.time.max()), (1, Duration::ZERO), "its end is not yet");
    assert_eq!(
        (turns.lag.count(), turns.lag.sum(), turns.lag.max()),
        (1, seconds(10), seconds(10))
    );
    let within: Vec<u64> = turns.lag.buckets().map(|(_, count)| count).collect();
    assert_eq!(within[..12], [0; 12]);
    assert_eq!(within[12], 1, "ten seconds are within the last bound");
    // Without a timer or a wait that is over, a turn is not late.
    server.flush(began + seconds(1));
    let turns = server.context(began).stats().turns.unwrap();
    assert_eq!((turns.time.count(), turns.lag.count()), (2, 1));
    // The wait that the server allowed is over.
    server.context(began).after(zone, seconds(5), |_, _| ());
    let asked = began + seconds(1);
    let wait = server.poll_timeout(asked).unwrap();
    server.flush(asked + wait + Duration::from_millis(2));
    let turns = server.context(asked).stats().turns.unwrap();
    assert_eq!((turns.lag.count(), turns.lag.sum()), (2, seconds(10) + Duration::from_millis(2)));
    server.measure_turns(false);
    assert_eq!(server.context(asked).stats().turns, None);
}

#[test]
fn turn_takes_the_time_until_the_end_of_flush() {
    let mut server = Server::detached();
    server.measure_turns(true);
    let Some(began) = Instant::now().checked_sub(Duration::from_millis(500)) else { return };
    server.flush(began);
    let turns = server.context(began).stats().turns.unwrap();
    // The server's time does not go back, but the turn began when its loop said.
    assert!(turns.time.max() >= Duration::from_millis(500), "{turns:?}");
    assert_eq!(turns.time.buckets().find(|(bound, _)| bound.as_millis() == 300).unwrap().1, 0);
}

/// Asks a listener of a server over memory.
fn ask(server: &mut Server, listener: switchboard::ListenerId, path: &str) -> String {
    let (now, (transport, mut peer)) = (Instant::now(), Transport::memory());
    let token = server.adopt_at(listener, transport, now).unwrap();
    peer.send(http::request("GET", path, "Connection: close\r\n", ""));
    server.ready(token, Readiness::READABLE, now);
    server.flush(now);
    String::from_utf8(peer.receive()).unwrap()
}

#[test]
fn internal_listener_reaches_internal_zones_and_no_others() {
    let poll = mio::Poll::new().unwrap();
    let mut server = Server::new(poll.registry()).unwrap();
    server.http("/", |_, request| format!("the page {}", request.path()));
    server.zone(Zone::new("/metrics").internal(true), Metrics);
    server.zone(Zone::new("/readyz").internal(true), Ready);
    server.http("/metrics/app", |_, _| "the application's own");
    let public = server.listen("127.0.0.1:0").unwrap();
    let internal = server.listen(Listener::from("127.0.0.1:0").internal(true)).unwrap();

    assert!(ask(&mut server, public, "/metrics").ends_with("the page /metrics"));
    assert!(ask(&mut server, public, "/readyz").ends_with("the page /readyz"));
    let metrics = ask(&mut server, internal, "/metrics");
    assert!(
        metrics.starts_with("HTTP/1.1 200 ") && metrics.contains("\r\n\r\n# HELP "),
        "{metrics}"
    );
    assert!(metrics.contains("\r\nCache-Control: no-store\r\n"), "{metrics}");
    assert!(ask(&mut server, internal, "/readyz").ends_with("\r\n\r\nready\n"));
    for path in ["/", "/metrics/app", "/other"] {
        assert!(ask(&mut server, internal, path).starts_with("HTTP/1.1 404 "), "{path}");
    }
}

#[test]
fn internal_zone_without_another_is_not_found_from_outside() {
    let mut world = World::new();
    world.server.zone(Zone::new("/metrics").internal(true), Metrics);
    assert_eq!(world.get("/metrics").status, 404);
    assert_eq!(world.post("/metrics", "").status, 404, "no Allow shows what is there");
}

#[test]
fn full_server_still_shows_itself_to_an_internal_listener() {
    let poll = mio::Poll::new().unwrap();
    let mut server = Server::new(poll.registry()).unwrap();
    server.zone(Zone::new("/metrics").internal(true), Metrics);
    server.max_connections(1);
    let public = server.listen("127.0.0.1:0").unwrap();
    let internal = server.listen(Listener::from("127.0.0.1:0").internal(true)).unwrap();
    let now = Instant::now();
    let (transport, _peer) = Transport::memory();
    server.adopt_at(public, transport, now).unwrap();
    assert!(server.adopt_at(public, Transport::memory().0, now).is_err());
    assert!(ask(&mut server, internal, "/metrics").starts_with("HTTP/1.1 200 "));
    let mut held = Vec::new();
    let admitted = (0..100).take_while(|_| {
        let (transport, peer) = Transport::memory();
        held.push(peer);
        server.adopt_at(internal, transport, now).is_ok()
    });
    // One of the 16 places is that of the request before.
    assert_eq!(admitted.count(), 15);
}

#[test]
fn readiness_ends_with_the_call_of_drain() {
    let mut world = World::new();
    world.server.zone("/readyz", Ready);
    let client = world.connect();
    let head = world.connect();
    assert_eq!(world.get("/readyz").status, 200);
    world.push(client, http::get("/readyz"));
    world.push(head, http::request("HEAD", "/readyz", "", ""));
    world.context().drain(Drain::within(seconds(10))).unwrap();
    world.settle();
    let answer = world.answer(client);
    assert_eq!((answer.status.as_u16(), answer.text()), (503, "draining\n"));
    assert!(world.read(head).starts_with(b"HTTP/1.1 503 "));
}

/// Splits a line of the exposition into its name, its labels and its value.
fn series(line: &str) -> (&str, &str, f64) {
    let (key, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = key
        .split_once('{')
        .map_or((key, ""), |(name, rest)| (name, rest.strip_suffix('}').unwrap()));
    (name, labels, value.parse().unwrap())
}

/// A server in which each metric has a series.
fn busy() -> World {
    let mut world = World::new();
    world.server.measure_turns(true);
    world.server.zone(Zone::new("/").counted(true), Everything::default());
    let client = world.websocket("/ws");
    world.say(client, "hello");
    world.get("/nowhere");
    let zone = world.server.http("/tick", |_, _| "");
    world.context().after(zone, seconds(1), |_, _| ());
    world.advance(seconds(2));
    world
}

/// The names of the exposition, without the suffixes of histograms.
fn names(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

/// `.ci/run` has promtool check the file that this test writes.
#[test]
fn exposition_is_sound_and_written_for_promtool() {
    let text = busy().context().stats().to_prometheus();
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/metrics.txt"), &text).unwrap();
    assert!(text.ends_with('\n') && !text.ends_with("\n\n"));
    let names = names(&text);
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels, value) = series(line);
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        assert!(names.contains(name) || base.is_some_and(|base| names.contains(base)), "{line}");
        assert!(seen.insert((name, labels)), "{line} is there twice");
        assert!(value.is_finite() && value >= 0.0, "{line}");
    }
    for (name, labels, value) in [
        ("switchboard_connections", "phase=\"websocket\"", 1.0),
        ("switchboard_refusals_total", "status=\"404\"", 1.0),
        ("switchboard_messages_sent_total", "", 1.0),
        ("switchboard_zone_open", "zone=\"/\"", 1.0),
        ("switchboard_turn_lag_seconds_count", "", 1.0),
    ] {
        assert!(
            text.lines()
                .any(|line| !line.starts_with('#') && series(line) == (name, labels, value)),
            "{name}\n{text}"
        );
    }
}

#[test]
fn counters_never_decrease() {
    let mut world = busy();
    let before = world.context().stats().to_prometheus();
    world.advance(seconds(3600));
    let after = world.context().stats().to_prometheus();
    for line in before.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels, value) = series(line);
        if name.ends_with("_total") || name.ends_with("_bucket") || name.ends_with("_count") {
            let later = after.lines().filter(|line| !line.starts_with('#')).map(series);
            let later = later.clone().find(|(n, l, _)| (*n, *l) == (name, labels)).unwrap();
            assert!(later.2 >= value, "{line}");
        }
    }
}

/// The names of metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.match_indices("switchboard_").map(|(at, _)| at);
    starts
        .filter(|&at| !text[..at].ends_with(is_of_name))
        .map(|at| text[at..].split(|c| !is_of_name(c)).next().unwrap())
        .collect()
}

#[test]
fn guide_has_every_metric_and_no_other() {
    let text = busy().context().stats().to_prometheus();
    let guide = std::fs::read_to_string("src/guide/metrics.rs").unwrap();
    let rows: String = guide.lines().filter(|line| line.starts_with("//! | `switch")).collect();
    assert_eq!(metrics_in(&rows), names(&text));
    for row in guide.lines().filter(|line| line.starts_with("//! | `switch")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let declared = format!("# TYPE {} {}\n", cells[1].trim_matches('`'), cells[2]);
        assert!(text.contains(&declared), "{row}");
    }
}

#[test]
fn dashboard_asks_for_metrics_that_exist() {
    let text = busy().context().stats().to_prometheus();
    let known: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| series(line).0).collect();
    let dashboard = std::fs::read_to_string("examples/grafana/switchboard.json").unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let names = metrics_in(expression);
            assert!(!names.is_empty(), "{expression}");
            asked.extend(names.into_iter().map(str::to_owned));
        }
    }
    for name in &asked {
        assert!(known.contains(&**name), "{name} is not in the exposition");
    }
    // Nothing is counted that no panel shows.
    for name in names(&text) {
        let shown = ["", "_bucket", "_sum"].map(|end| asked.contains(&format!("{name}{end}")));
        assert!(shown.contains(&true), "no panel shows {name}");
    }
}
