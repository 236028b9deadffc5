//! `switchboard::testing` as a user sees it: what clients ask, say and hear, how time passes, and
//! what a test that has gone wrong is told.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::{Duration, Instant};

use switchboard::http::Request as Ask;
use switchboard::testing::{Received, World};
use switchboard::{
    Backpressure, Close, CloseCode, Conn, ConnId, Connect, Context, Drain, EventStream, Handler,
    Message, Options, Outgoing, Reply, Request, Response, Server, Stream, Upgrade,
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

thread_local! {
    static PANIC: RefCell<(String, String)> = RefCell::default();
}

/// The message of the panic that a closure ends in, which must be located in this file.
fn panic_of(act: impl FnOnce()) -> String {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let file = info.location().map(|at| at.file().to_owned()).unwrap_or_default();
            let message = info.payload_as_str().unwrap_or_default().to_owned();
            PANIC.set((message, file));
            print(info);
        }));
    });
    panic::catch_unwind(AssertUnwindSafe(act)).expect_err("a panic");
    let (message, file) = PANIC.take();
    assert_eq!(file, file!(), "a user wants to see the line of the test: {message}");
    message
}

/// Serves in every way there is, by path, and does what messages say.
#[derive(Default)]
struct Site {
    waiting: Option<ConnId>,
    closes: Vec<String>,
}

impl Handler for Site {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        let events = || Response::empty(200).header("Content-Type", "text/event-stream");
        match request.path() {
            "/socket" => Upgrade::new().header("X-Node", "7").into(),
            "/events" => EventStream::new().header("X-Node", "7").into(),
            "/later" => {
                self.waiting = Some(conn.id());
                Reply::Later
            }
            "/chunked" => Stream::new(Response::empty(200)).into(),
            "/chunked-events" => Stream::new(events()).into(),
            "/upload" => Reply::Body(10),
            "/forbidden" => Response::text("not you").with_status(403).into(),
            _ => Reply::Pass,
        }
    }

    fn body(&mut self, _: &mut Conn<'_>, _: &mut Request<'_>, body: &[u8]) -> Reply {
        format!("{} bytes", body.len()).into()
    }

    fn writable(&mut self, conn: &mut Conn<'_>) {
        conn.write(b"data: one\n");
        conn.write(b"\n");
        conn.finish();
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        if matches!(request.path(), "/socket" | "/events") {
            conn.subscribe("news");
            conn.send("welcome");
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        match message.as_bytes() {
            b"close" => conn.close(CloseCode::POLICY, "as you wish"),
            b"ping" => conn.ping(b"there?"),
            b"fragments" => {
                conn.send_fragment("in ", false);
                conn.send_fragment("pieces", true);
            }
            _ => conn.send(message),
        }
    }

    fn close(&mut self, _: &mut Conn<'_>, close: Close<'_>) {
        self.closes.push(format!("{} {}", close.code, close.reason));
    }
}

fn site(server: &mut Server) {
    server.zone("/", Site::default());
}

#[test]
fn world_takes_the_function_that_sets_up_a_program() {
    let mut world = World::serving(site);
    let ada = world.websocket("/socket");
    world.say(ada, "hello");
    assert_eq!(world.hear(ada), ["welcome", "hello"]);

    let mut server = Server::detached();
    site(&mut server);
    assert_eq!(World::over(server).get("/nowhere").status, 404);
}

#[test]
fn clients_are_served_side_by_side() {
    let mut world = World::serving(site);
    let (ada, bob) = (world.websocket("/socket"), world.websocket("/socket"));
    world.hear(bob);
    world.say(ada, "for ada");
    assert!(world.hear(bob).is_empty());
    world.context().publish("news", "for both");
    assert_eq!(world.hear(ada), ["welcome", "for ada", "for both"]);
    assert_eq!(world.hear(bob), ["for both"]);
    world.end(bob);
    world.say(ada, "still here");
    assert_eq!(world.hear(ada), ["still here"]);
}

#[test]
fn client_hears_text_binary_and_fragments_in_their_order() {
    let mut world = World::serving(site);
    let ada = world.websocket("/socket");
    world.hear(ada);
    for message in ["", "x", "fragments", "\u{20ac}"] {
        world.say(ada, message);
    }
    let long = vec![7; 70_000];
    world.say(ada, &long);
    world.say(ada, b"\xFF");
    let received = world.hear(ada);
    assert_eq!(received[..4], ["", "x", "in pieces", "\u{20ac}"]);
    assert_eq!(received[4], long);
    assert_eq!(received[5], [0xFF]);
    assert_eq!(received[5], Received::Binary(vec![0xFF]));
    assert!(received[5] != "\u{FF}" && received[1] != [b'x'], "text is not binary");
    assert_eq!(received[1].text(), "x");
}

#[test]
fn client_hears_however_its_frames_are_cut() {
    let mut world = World::serving(site);
    let ada = world.websocket("/socket");
    world.hear(ada);
    world.window(ada, 0);
    world.say(ada, "hello");
    let mut received = Vec::new();
    for byte in 0..7 {
        assert!(received.is_empty(), "whole after {byte} bytes of seven");
        world.window(ada, 1);
        received = world.hear(ada);
    }
    assert_eq!(received, ["hello"]);
}

#[test]
fn fetch_sends_what_the_request_holds() {
    let mut world = World::new();
    world.server.http("/", |_, request| {
        let header = |name| request.header(name).unwrap_or("-");
        format!("{} {} {}", request.method(), header("host"), header("content-length"))
    });
    assert_eq!(world.get("/a?b=c").text(), "GET example.com -");
    assert_eq!(world.post("/a", "body").text(), "POST example.com 4");
    assert_eq!(world.post("/a", "").text(), "POST example.com 0");
    assert_eq!(world.fetch(Ask::get("http://other.example:81/a")).text(), "GET other.example:81 -");
    let request = Ask::patch("/a").header("Host", "third.example").body("four").unwrap();
    assert_eq!(world.fetch(request).text(), "PATCH third.example 4");
    let head = world.fetch(Ask::head("/a"));
    assert_eq!((head.status.as_u16(), head.text()), (200, ""));
    assert_eq!(world.context().stats().connections, 0, "each connection has ended");
}

#[test]
fn answer_is_whole_whatever_its_framing() {
    let mut world = World::serving(site);
    assert_eq!(world.get("/chunked").text(), "data: one\n\n");
    let expect = Ask::post("/upload").header("Expect", "100-continue").body("12345").unwrap();
    assert_eq!(world.fetch(expect).text(), "5 bytes");
    assert_eq!(world.post("/upload", [0; 11]).status, 413);

    // Of HTTP/1.0 the body lasts until the connection ends.
    let old = world.connect();
    world.write(old, "GET /chunked HTTP/1.0\r\n\r\n");
    assert_eq!(world.answer(old).text(), "data: one\n\n");

    // An interim answer is skipped, and the next request uses the connection again.
    let ada = world.connect();
    let head =
        "POST /upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    world.write(ada, head);
    assert!(world.try_answer(ada).is_none());
    world.write(ada, "abc");
    assert_eq!(world.answer(ada).text(), "3 bytes");
    world.request(ada, Ask::head("/forbidden"));
    world.request(ada, "/forbidden");
    assert_eq!(world.answer(ada).text(), "");
    assert_eq!(world.answer(ada).text(), "not you");
}

#[test]
fn client_waits_for_a_deferred_answer() {
    let mut world = World::new();
    let zone = world.server.zone("/", Site::default());
    let respond = |world: &mut World, text: &'static str| {
        world.with(zone, |site, cx| {
            cx.respond(site.waiting.take().expect("a request"), text);
        });
    };
    let ada = world.connect();
    world.request(ada, "/later");
    let text = panic_of(|| _ = world.answer(ada));
    assert!(text.starts_with("no answer yet: the handler answers later"), "{text}");
    respond(&mut world, "now");
    assert_eq!(world.answer(ada).text(), "now");

    world.request(ada, "/later");
    world.advance(seconds(59));
    assert!(world.try_answer(ada).is_none());
    world.advance(seconds(2));
    assert_eq!(world.answer(ada).status, 503, "the default of `answer_timeout` is 60 s");
}

#[test]
fn client_waits_for_a_deferred_upgrade() {
    let mut world = World::new();
    let zone = world.server.zone("/", Site::default());
    let ada = world.connect();
    world.upgrade(ada, "/later");
    let text = panic_of(|| _ = world.hear(ada));
    assert!(text.contains("waits for the answer to its WebSocket handshake"), "{text}");
    world.with(zone, |site, cx| {
        cx.upgrade(site.waiting.take().expect("a request"), Upgrade::new());
    });
    world.say(ada, "hello");
    assert_eq!(world.hear(ada), ["hello"]);
    assert_eq!(world.head(ada).header("upgrade"), Some("websocket"));
}

#[test]
fn refused_handshake_shows_the_servers_answer() {
    let mut world = World::serving(site);
    let text = panic_of(|| _ = world.websocket("/forbidden"));
    assert!(text.starts_with("no WebSocket: the server answered\n403 Forbidden\n"), "{text}");
    assert!(text.contains("\n\nnot you\nTo expect this, use `connect`, `upgrade` and"), "{text}");

    let text = panic_of(|| _ = world.websocket("/later"));
    assert!(text.starts_with("no WebSocket: the server has not answered yet"), "{text}");

    let text = panic_of(|| _ = world.events("/forbidden"));
    assert!(text.starts_with("no event stream: the server answered\n403 Forbidden\n"), "{text}");

    let eve = world.connect();
    world.upgrade(eve, Ask::get("/socket").header("Origin", "http://evil.example"));
    assert_eq!(world.answer(eve).status, 403);
    let old = world.connect();
    world.upgrade(old, Ask::get("/socket").header("Sec-WebSocket-Version", "12"));
    assert_eq!(world.answer(old).status, 426);
    let ada = world.websocket(Ask::get("/socket").header("Origin", "http://example.com"));
    assert_eq!(world.head(ada).header("x-node"), Some("7"));
}

#[test]
fn event_stream_is_heard_event_by_event() {
    let mut world = World::serving(site);
    let ada = world.events(Ask::get("/events").header("Last-Event-ID", "6"));
    assert_eq!(world.head(ada).header("x-node"), Some("7"));
    assert_eq!(world.hear(ada), ["welcome"]);
    world.context().publish("news", Outgoing::text("two\nlines").event("weather").id("7"));
    world.context().publish("news", Outgoing::binary(b"is not for event streams"));
    world.context().publish("news", "");
    world.advance(seconds(3600)); // comments keep it alive, and are no events
    let received = world.hear(ada);
    assert_eq!(received, ["two\nlines", ""]);
    let (event, id) = (Some("weather".to_owned()), Some("7".to_owned()));
    assert_eq!(received[0], Received::Event { event, id, data: "two\nlines".to_owned() });
    assert!(world.is_open(ada));
    world.server.drain(Drain::within(seconds(5))).unwrap();
    assert!(!world.is_open(ada));
    assert!(world.server.is_drained());
}

#[test]
fn event_stream_of_a_handlers_own_is_heard_too() {
    let mut world = World::serving(site);
    let ada = world.events("/chunked-events");
    assert_eq!(world.hear(ada), ["one"]);
}

#[test]
fn client_answers_pings_and_lives() {
    let mut world = World::serving(site);
    let ada = world.websocket("/socket");
    world.say(ada, "ping");
    assert_eq!(world.pings(ada), [b"there?"]);
    world.ping(ada, b"and you?");
    assert_eq!(world.pongs(ada), [b"and you?"]);
    assert!(world.pings(ada).is_empty() && world.pongs(ada).is_empty());
    world.advance(seconds(86_400));
    assert!(world.pings(ada).len() > 100, "one each few minutes");
    world.say(ada, "still here");
    assert_eq!(world.hear(ada), ["welcome", "still here"]);
}

#[test]
fn manual_client_is_dropped_when_its_time_has_come() {
    let mut world = World::new();
    let options = Options::new().idle_timeout(seconds(60)).pong_timeout(seconds(10));
    world.server.options(options);
    let zone = world.server.zone("/", Site::default());
    let dead = world.websocket("/socket");
    world.manual(dead);
    world.advance(seconds(53)); // the ping comes up to a tenth sooner than asked for
    assert!(world.pings(dead).is_empty());
    world.advance(seconds(9));
    assert_eq!(world.pings(dead), [b""]);
    assert_eq!(world.closed(dead), None);
    world.advance(seconds(11));
    assert_eq!(world.closed(dead), Some((CloseCode::ABNORMAL, String::new())));
    assert_eq!(world.with(zone, |site, _| site.closes.join("; ")), "1006 ");
    assert_eq!(world.hear(dead), ["welcome"]);
}

#[test]
fn websocket_closes_from_either_side() {
    let closes = |end: fn(&mut World, switchboard::testing::Client)| {
        let mut world = World::new();
        let zone = world.server.zone("/", Site::default());
        let ada = world.websocket("/socket");
        assert_eq!(world.closed(ada), None);
        end(&mut world, ada);
        let (code, reason) = world.closed(ada).expect("a closed WebSocket");
        assert!(!world.is_open(ada));
        assert_eq!(world.context().stats().connections, 0);
        let heard = world.with(zone, |site, _| site.closes.join("; "));
        (code.as_u16(), reason, heard)
    };
    let nothing = String::new;
    let asked = closes(|world, ada| world.say(ada, "close"));
    assert_eq!(asked, (1008, "as you wish".to_owned(), "1008 ".to_owned()));
    let left = closes(|world, ada| world.close(ada, CloseCode::GOING_AWAY, "bye"));
    assert_eq!(left, (1001, nothing(), "1001 bye".to_owned()));
    let wordless = closes(|world, ada| world.close(ada, CloseCode::NO_STATUS, ""));
    assert_eq!(wordless, (1005, nothing(), "1005 ".to_owned()));
    let wrong = closes(|world, ada| world.write(ada, [0x83, 0x80, 0, 0, 0, 0]));
    assert_eq!((wrong.0, &*wrong.1), (1002, "unknown opcode"));
    assert_eq!(closes(|world, ada| world.end(ada)), (1006, nothing(), "1006 ".to_owned()));
    let broken = closes(|world, ada| world.fail(ada, ErrorKind::ConnectionReset));
    assert_eq!(broken, (1006, nothing(), "1006 ".to_owned()));
}

#[test]
fn slow_reader_gets_what_its_policy_leaves() {
    let mut world = World::serving(site);
    let options = Options::new().max_buffered(20).backpressure(Backpressure::DropOldest);
    world.server.options(options);
    let (slow, quick) = (world.websocket("/socket"), world.websocket("/socket"));
    world.hear(slow);
    world.hear(quick);
    world.window(slow, 0);
    for n in 0..10 {
        world.context().publish("news", &format!("number {n}"));
    }
    assert!(world.hear(slow).is_empty());
    assert_eq!(world.hear(quick).len(), 10);
    world.window(slow, usize::MAX);
    assert_eq!(world.hear(slow), ["number 8", "number 9"]);
    assert_eq!(world.context().stats().dropped, 8);

    world.server.options(Options::new().max_buffered(20));
    let slow = world.websocket("/socket");
    world.hear(slow);
    world.window(slow, 0);
    world.context().publish("news", "more than twenty bytes are too much to wait for");
    world.window(slow, usize::MAX);
    let closed = (CloseCode::TRY_AGAIN, "too slow".to_owned());
    assert_eq!(world.closed(slow), Some(closed), "by default it is closed");
    assert!(world.hear(slow).is_empty());
}

/// Notes when its timers run.
#[derive(Default)]
struct Notes(Vec<&'static str>);

#[test]
fn timers_run_in_their_order_while_time_advances() {
    fn note(cx: &mut Context, zone: switchboard::ZoneId<Timed>, after: u64, text: &'static str) {
        cx.after(zone, Duration::from_millis(after), move |timed: &mut Timed, _| {
            timed.0.0.push(text);
        });
    }
    let mut world = World::new();
    let zone = world.server.zone("/", Timed::default());
    let cx = world.context();
    for (after, text) in [(700, "third"), (20, "first"), (2_000, "never"), (699, "second")] {
        note(cx, zone, after, text);
    }
    // A timer that is set by a timer runs between those that were set before.
    cx.after(zone, Duration::from_millis(100), move |_: &mut Timed, cx| {
        note(cx, zone, 300, "in between");
    });
    cx.every(zone, Duration::from_millis(600), |timed: &mut Timed, _| timed.0.0.push("again"));
    let start = world.now;
    world.advance(Duration::from_millis(1_500));
    assert_eq!(world.now - start, Duration::from_millis(1_500));
    let notes = world.with(zone, |timed, _| std::mem::take(&mut timed.0.0));
    assert_eq!(notes, ["first", "in between", "again", "second", "third", "again"]);
}

/// A zone with notes and nothing else.
#[derive(Default)]
struct Timed(Notes);

impl Handler for Timed {}

#[test]
fn message_of_a_timer_leaves_at_its_moment() {
    let mut world = World::new();
    let zone = world.server.zone("/", Site::default());
    let ada = world.websocket("/socket");
    world.hear(ada);
    world.context().every(zone, seconds(10), |_: &mut Site, cx| cx.publish("news", "tick"));
    world.advance(seconds(9));
    assert!(world.hear(ada).is_empty());
    world.advance(seconds(1));
    assert_eq!(world.hear(ada), ["tick"]);
    world.advance(seconds(60));
    assert_eq!(world.hear(ada), ["tick"; 6]);
}

#[test]
fn server_that_never_rests_is_reported() {
    fn again(cx: &mut Context, zone: switchboard::ZoneId<Timed>) {
        cx.call(zone, move |_: &mut Timed, cx| again(cx, zone));
    }
    let mut world = World::new();
    let zone = world.server.zone("/", Timed::default());
    again(world.context(), zone);
    let text = panic_of(|| world.settle());
    assert!(text.starts_with("the server is still busy after 20000 turns"), "{text}");
}

#[test]
fn test_that_has_gone_wrong_is_told_what_to_do() {
    let mut world = World::serving(site);
    let page = world.connect();
    let text = panic_of(|| world.say(page, "hello"));
    assert!(text.starts_with("`say` is for a WebSocket, but the client speaks HTTP"), "{text}");
    let text = panic_of(|| _ = world.hear(page));
    assert!(text.contains("Use `answer` for HTTP"), "{text}");
    world.end(page);
    let text = panic_of(|| _ = world.answer(page));
    assert!(text.starts_with("no answer: the server ended the connection after \"\""), "{text}");

    let ada = world.websocket("/socket");
    let text = panic_of(|| world.request(ada, "/"));
    assert!(text.contains("open another connection"), "{text}");
    let text = panic_of(|| world.ping(ada, &[0; 126]));
    assert_eq!(text, "a ping holds at most 125 bytes, not 126");
    world.say(ada, "close");
    let text = panic_of(|| world.say(ada, "hello?"));
    assert_eq!(text, "`say` after the WebSocket was closed: 1008 \"as you wish\"");

    let text = panic_of(|| _ = world.get("/events"));
    assert!(text.starts_with("no whole answer yet: use `events` for an event stream"), "{text}");
    let text = panic_of(|| _ = world.get("not a path"));
    assert!(text.starts_with("no client sends such a request: "), "{text}");
    let text = panic_of(|| _ = Received::Binary(vec![1]).text().to_owned());
    assert!(text.contains("Match on Received::Binary"), "{text}");
    world.server.drain(Drain::within(seconds(1))).unwrap();
    let text = panic_of(|| _ = world.connect());
    assert!(text.starts_with("the server takes no connection: "), "{text}");
}

#[test]
fn server_opens_a_websocket_to_a_scripted_peer() {
    let mut world = World::new();
    let zone = world.server.zone("/", Site::default());
    let (far, id) = world.dial(zone, Connect::to("ws://feed.example/socket").header("X-Me", "7"));
    let handshake = world.accept(far);
    assert!(handshake.starts_with("GET /socket HTTP/1.1\r\nHost: feed.example\r\n"), "{handshake}");
    assert!(handshake.contains("\r\nX-Me: 7\r\n"), "{handshake}");
    assert_eq!(world.hear(far), ["welcome"]);
    world.say(far, "from afar");
    world.say(far, "fragments");
    world.context().send(id, &[1, 2, 3]);
    let received = world.hear(far);
    assert_eq!(received[..2], ["from afar", "in pieces"]);
    assert_eq!(received[2], [1, 2, 3]);
    world.close(far, CloseCode::NORMAL, "enough");
    assert_eq!(world.closed(far), Some((CloseCode::NORMAL, String::new())));
    assert_eq!(world.with(zone, |site, _| site.closes.join("; ")), "1000 enough");

    let (far, _) = world.dial(zone, Connect::to("ws://feed.example/"));
    world.write(far, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert!(!world.is_open(far));
    let (far, _) = world.dial(zone, Connect::to("no URL"));
    let text = panic_of(|| _ = world.accept(far));
    assert_eq!(text, "no handshake to accept: the server sent \"\"");
}

/// A program's set-up asks for the time of the machine, which has gone on since the world was made.
#[test]
fn world_keeps_the_time_that_its_set_up_told_the_server() {
    struct Ticks(u32);
    impl Handler for Ticks {}
    let mut zone = None;
    let mut world = World::serving(|server| {
        let ticks = server.zone("/", Ticks(0));
        let later = Instant::now() + Duration::from_millis(1);
        server.context(later).every(ticks, Duration::from_secs(1), |ticks: &mut Ticks, _| {
            ticks.0 += 1;
        });
        zone = Some(ticks);
    });
    world.advance(Duration::from_secs(10));
    assert_eq!(world.with(zone.unwrap(), |ticks, _| ticks.0), 10);
}
