//! What two parts of the server do to one connection: refusals and the observer, stalls and
//! attempts, races and drains, lingering and rates.

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::dialling::{dialler, nothing_left};
use common::http::{self, only};
use common::serving::serving;
use common::{Bytes, Client, Log, World, millis, seconds};
use switchboard::{CloseCode, Connect, Drain, Options, Rate, Reply, Response, Stream};

const FOUR: [&str; 4] = ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"];

/// What the observer is told, a line for each event.
fn observe(world: &mut World) -> Rc<RefCell<Vec<String>>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let told = seen.clone();
    world.server.observe(move |event| {
        if event.is_refusal() {
            told.borrow_mut().push(event.to_string());
        }
    });
    seen
}

/// Sends a request over a connection of its own.
fn ask(world: &mut World, request: &str) -> http::Answer {
    let client = world.connect();
    let bytes = world.ask(client, request);
    http::answer(&bytes, request.split(' ').next().unwrap_or_default()).0
}

// ---- refusals and the observer ------------------------------------------------------------------

#[test]
fn observer_hears_nothing_of_options_for_the_server_as_a_whole() {
    let mut world = World::serving(|server| {
        server.http("/", |_, _| "hello");
    });
    let seen = observe(&mut world);
    assert_eq!(ask(&mut world, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status, 204);
    assert_eq!(*seen.borrow(), [""; 0]);
    world.server.hosts(["b"]);
    assert_eq!(ask(&mut world, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status, 421);
    assert_eq!(seen.borrow().len(), 1);
}

#[test]
fn observer_hears_the_reason_that_the_client_reads() {
    let mut world = World::serving(|server| {
        server.http("/", |_, _| "hello");
    });
    let seen = observe(&mut world);
    let answer = ask(&mut world, &http::handshake("/"));
    let text = answer.text().strip_prefix("not found: ").expect("a reason").to_owned();
    assert_eq!((answer.status, &*text), (404, "no zone at this path takes a WebSocket"));
    assert_eq!(*seen.borrow(), [format!("? refused with 404, {text}: \"GET / HTTP/1.1\"")]);
}

#[test]
fn observer_hears_of_an_answer_that_is_replaced() {
    let mut world = World::serving(|server| {
        server.http("/", |_, _| Response::empty(103));
    });
    let seen = observe(&mut world);
    let answer = ask(&mut world, &http::get("/early"));
    assert_eq!(answer.status, 500);
    let told = format!("? refused with 500, {}: \"GET /early HTTP/1.1\"", answer.text());
    assert_eq!(*seen.borrow(), [told]);
}

/// A client that ends its side behind its request reads why its host is refused, whatever
/// `half_close` says.
#[test]
fn refused_host_is_told_to_a_client_that_has_ended_its_side() {
    for half_close in [true, false] {
        for window in [usize::MAX, 0] {
            let (mut world, _) = serving(Options::new().half_close(half_close));
            world.server.hosts(["b.example"]);
            let seen = observe(&mut world);
            let client = world.connect();
            world.window(client, window);
            world.push(client, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\nGET /more");
            world.end(client);
            world.window(client, usize::MAX);
            let answer = only(&world.receive(client));
            assert_eq!((answer.status, answer.closes()), (421, true));
            assert!(answer.text().contains("a.example"));
            assert!(world.is_gone(client));
            assert_eq!(seen.borrow().len(), 1);
        }
    }
}

/// Whole, streamed, deferred, and before a body that is still unread.
#[test]
fn observer_hears_of_every_answer_that_is_replaced() {
    let early = || Response::empty(102);
    let log = Log::new();
    let recorder = common::Recorder::new(&log).request(move |_, request| -> Reply {
        match request.path() {
            "/stream" => Stream::new(early()).into(),
            "/later" => Reply::Later,
            _ => early().into(),
        }
    });
    let mut world = World::new();
    world.server.zone("/", recorder);
    let seen = observe(&mut world);
    let gets = ["/plain", "/stream", "/later"].map(http::get);
    for request in gets.into_iter().chain([http::post("/unread", "x")]) {
        let client = world.connect();
        // The last byte is held back, so that a body is unread.
        world.send(client, &request[..request.len() - 1]);
        world.send(client, &request[request.len() - 1..]);
        if request.contains("/later") {
            world.context().respond(log.last_id(), early());
            world.settle();
        }
        assert_eq!(only(&world.receive(client)).status, 500, "{request}");
        let line = request.lines().next().unwrap();
        let told = std::mem::take(&mut *seen.borrow_mut());
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("? refused with 500, ") && told[0].contains(line), "{told:?}");
    }
}

// ---- event streams ------------------------------------------------------------------------------

/// A reader that took everything is not blamed for what it did not take before.
#[test]
fn event_stream_that_caught_up_has_its_full_time_again() {
    let options = Options::new().event_stream_interval(seconds(20)).write_timeout(seconds(10));
    let (mut world, log) = serving(options);
    let client = world.raw_events("/events");
    let id = log.last_id();
    for round in 0..20 {
        world.window(client, 0);
        world.context().send(id, "an event");
        // Two checks see the reader behind at times, and never for ten seconds in a row.
        world.advance(seconds(9));
        assert!(!world.is_gone(client), "{round}");
        world.window(client, usize::MAX);
        world.advance(millis(1_700));
    }
}

// ---- the client role ----------------------------------------------------------------------------

/// With a proxy, the server's addresses are the proxy's business, and its password is the proxy's
/// alone.
#[test]
fn addresses_of_the_server_are_not_taken_for_the_proxys() {
    let log = Log::new();
    let (mut world, zone) = dialler(&log);
    world.host("proxy.example", &["192.0.2.9"]);
    let connect = Connect::to("ws://feed.example/").proxy("http://u:p@proxy.example:3128");
    world.context().connect(zone, connect.addresses(["192.0.2.1".parse().unwrap()]));
    world.settle();
    let to: Vec<String> = world.dialled().iter().map(|(to, _)| to.to_string()).collect();
    assert_eq!(to, ["192.0.2.9:3128"]);
}

/// Addresses that the program gives race as those of a name do.
#[test]
fn given_addresses_alternate_like_those_of_a_name() {
    let log = Log::new();
    let (mut world, zone) = dialler(&log);
    world.host("other.example", &[]);
    let addresses = FOUR.map(|address| address.parse().unwrap());
    world.context().connect(zone, Connect::to("ws://feed.example/").addresses(addresses));
    world.advance(millis(250));
    let to: Vec<String> = world.dialled().iter().map(|(to, _)| to.ip().to_string()).collect();
    assert_eq!(to, ["2001:db8::1", "192.0.2.1"]);
}

struct Far {
    world: World,
    log: Log,
}

impl Far {
    fn dial(connect: impl Fn(Connect) -> Connect) -> Far {
        let log = Log::new();
        let (mut world, zone) = dialler(&log);
        world.host("feed.example", &FOUR);
        let id = world.context().connect(zone, connect(Connect::to("ws://feed.example/chat")));
        world.settle();
        assert!(world.context().conn(id).is_some());
        Far { world, log }
    }

    fn begun(&mut self) -> Vec<Client> {
        self.world.dialled().into_iter().map(|(_, client)| client).collect()
    }
}

/// A stall ends no head start early or twice: one address follows, and the next 250 ms later.
#[test]
fn race_goes_on_at_its_pace_after_a_stall() {
    for leaves in [false, true] {
        let mut far = Far::dial(|connect| connect);
        assert_eq!(far.begun().len(), 1);
        far.world.now += seconds(11);
        if leaves {
            far.world.server.leave_events();
        }
        far.world.settle();
        assert_eq!(far.begun().len(), 1, "one more after the stall");
        assert_eq!(far.world.server.poll_timeout(far.world.now), Some(millis(250)));
        far.world.advance(millis(249));
        assert_eq!(far.begun().len(), 0);
        far.world.advance(millis(1));
        let third = far.begun()[0];
        // Most of the attempt's ten seconds are left.
        far.world.advance(seconds(8));
        assert_eq!(far.log.take(), [""; 0]);
        far.world.establish(third);
        far.world.accept(third);
        assert_eq!(far.log.take()[0], "open /chat");
    }
}

/// The body of a refusal lies in the kernel while the program stands still.
#[test]
fn refusal_that_arrived_during_a_stall_is_whole() {
    for stalled in [seconds(3), seconds(1_000)] {
        let mut far = Far::dial(|connect| connect);
        far.world.advance(millis(250));
        let winner = far.begun()[1];
        far.world.establish(winner);
        far.world.write(winner, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbu");
        far.world.advance(millis(900));
        assert_eq!(far.log.take(), [""; 0]);
        far.world.push(winner, "sy");
        far.world.now += stalled;
        far.world.server.flush(far.world.now);
        far.world.settle();
        let told = far.log.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("close 1006 "), "{told:?}");
        nothing_left(&mut far.world);
    }
}

/// An answer of the server lies in the kernel when the attempt's time is over.
#[test]
fn attempt_that_was_answered_during_a_stall_opens() {
    for stalled in [seconds(11), seconds(1_000)] {
        let mut far = Far::dial(|connect| connect);
        far.world.advance(millis(9_900));
        let winner = far.begun()[2];
        far.world.establish(winner);
        let (_, answer) = common::dialling::request(&mut far.world, winner);
        far.world.push(winner, answer);
        far.world.now += stalled;
        far.world.server.flush(far.world.now);
        far.world.settle();
        assert_eq!(far.log.take()[0], "open /chat");
    }
}

/// A server that ends the connection in place of an answer is not mute, and a response whose body
/// it cuts is still told.
#[test]
fn attempt_tells_how_its_connection_ended() {
    for (sent, end, told) in [
        ("", true, "close 1006 \"the peer ended without an answer\""),
        ("HTTP/1.1 10", true, "close 1006 \"the peer ended without an answer\""),
        ("", false, "close 1006 \"connection reset\""),
        ("HTTP/1.1 404 No\r\n\r\nha", true, "close 1006 \"a status other than 101\""),
        ("HTTP/1.1 404 No\r\n\r\nha", false, "close 1006 \"a status other than 101\""),
    ] {
        let mut far = Far::dial(|connect| connect);
        far.world.advance(millis(250));
        let winner = far.begun()[1];
        far.world.establish(winner);
        far.world.write(winner, sent);
        match end {
            true => far.world.end(winner),
            false => far.world.fail(winner, std::io::ErrorKind::ConnectionReset),
        }
        assert_eq!(far.log.take(), [told], "{sent:?}");
        nothing_left(&mut far.world);
    }
}

/// A redirection leads to a name with several addresses, of which the first does not answer.
#[test]
fn redirected_attempt_races_anew_and_leaves_nothing() {
    let mut far = Far::dial(|connect| connect.follow_redirects(true).header("Cookie", "user=7"));
    far.world.host("next.example", &["2001:db8::9", "192.0.2.9"]);
    far.world.advance(millis(500));
    let begun = far.begun();
    far.world.establish(begun[2]);
    assert!(far.world.is_gone(begun[0]) && far.world.is_gone(begun[1]));
    far.world.write(begun[2], "HTTP/1.1 307 Moved\r\nLocation: ws://next.example/\r\n\r\nrest");
    assert!(far.world.is_gone(begun[2]));
    assert_eq!(far.begun().len(), 1);
    far.world.advance(millis(250));
    let second = far.begun()[0];
    assert_eq!(far.world.stats().connections, 1);
    far.world.establish(second);
    let request = far.world.accept(second);
    assert!(request.contains("Host: next.example\r\n") && !request.contains("Cookie"));
    assert_eq!(far.log.take()[0], "open /");
    far.world.close(second, CloseCode::NORMAL, "");
    far.log.take();
    nothing_left(&mut far.world);
}

// ---- drains -------------------------------------------------------------------------------------

/// Rivals and attempts lie in several chunks of slots. A connection lingers, and one owes an
/// answer.
#[test]
fn drain_ends_races_and_lingering_connections_in_any_chunk() {
    for late in [false, true] {
        let (mut world, log) = serving(Options::new());
        let handlers = Log::new();
        let zone = world.server.zone("/other", common::Recorder::new(&handlers));
        world.host("feed.example", &FOUR);
        let idle: Vec<Client> = (0..1_020).map(|_| world.connect()).collect();
        // A drain waits for the first request of a client that has just connected.
        world.advance(seconds(1));
        for _ in 0..30 {
            world.context().connect(zone, Connect::to("ws://feed.example/"));
        }
        let lingering = world.connect();
        world.window(lingering, 0);
        world.send(lingering, "GET\r\n\r\n");
        let owed = world.connect();
        world.send(owed, http::get("/later"));
        let id = log.last_id();
        world.end(owed);
        world.advance(millis(500));
        let begun = world.dialled();
        assert_eq!(begun.len(), 90);
        assert_eq!(world.stats().connections, 1_052);
        for client in &idle[..10] {
            world.end(*client);
        }
        world.advance(millis(250));
        world.server.drain(Drain::within(seconds(5))).unwrap();
        world.settle();
        assert_eq!(handlers.take().len(), 30);
        for (_, client) in world.dialled().into_iter().chain(begun) {
            assert!(world.is_gone(client));
        }
        assert_eq!(world.stats().connections, 2);
        assert!(!world.server.is_drained());
        if !late {
            world.window(lingering, usize::MAX);
            assert_eq!(only(&world.receive(lingering)).status, 400);
            world.end(lingering);
            if let Some(mut conn) = world.context().conn(id) {
                assert!(conn.peer_ended());
                conn.context().respond(id, "owed");
            }
            world.settle();
            assert_eq!(only(&world.receive(owed)).text(), "owed");
        } else {
            world.advance(seconds(5));
        }
        assert!(world.server.is_drained(), "late: {late}");
        assert_eq!(world.stats().connections, 0);
    }
}

// ---- rates, stalls and lingering ----------------------------------------------------------------

/// The end of lingering lies where the rate was: what was spent of it says nothing, nor does the
/// credit of a stall.
#[test]
fn lingering_after_a_broken_rate_lasts_thirty_seconds_of_loop_time() {
    for stalled in [Duration::ZERO, seconds(11)] {
        let rate = Rate::per_second(1).burst(500);
        let (mut world, log) = serving(Options::new().message_rate(rate));
        let client = world.raw_websocket("/socket");
        world.advance(seconds(40));
        let flood = common::frames::text("x").repeat(200);
        for _ in 0..3 {
            world.push(client, &flood);
            world.settle();
        }
        world.settle();
        assert_eq!(log.take().last().unwrap(), "close 1008 \"too many messages\"");
        let mut lived = Duration::ZERO;
        let mut pending = stalled;
        while !world.is_gone(client) {
            world.push(client, &flood);
            if lived >= seconds(10) && pending > Duration::ZERO {
                world.now += std::mem::take(&mut pending);
                world.server.flush(world.now);
                world.settle();
                assert!(!world.is_gone(client));
            }
            world.advance(millis(250));
            lived += millis(250);
            assert!(lived <= seconds(32), "{lived:?}");
        }
        assert!(lived >= seconds(28), "{lived:?}");
    }
}
