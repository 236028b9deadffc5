//! Panics of handlers and closures, caught and not: what the peer gets, what follows in the
//! handler, and that all other connections go on.

mod common;
#[path = "panics/mod.rs"]
mod panics;

use std::cell::Cell;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use common::frames::{TEXT, close, frame, frames, text};
use common::{Bytes, Client, World, after_handshake, http, millis, seconds, words};
use panics::{Ends, Row, Site, rows};
use switchboard::{
    Cause, CloseCode, Conn, Handler, Message, Observed, Reactor, Reply, Request, Response, Server,
    Transport, Zone,
};

fn panics(act: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(act)).is_err()
}

fn name(row: &Row) -> String {
    let line = row.begins.lines().next().unwrap_or("nothing");
    format!("{} after {line}, {:?}", row.callback, row.ends)
}

/// What the peer of a panicked exchange received, without what came before.
fn assert_ends(world: &mut World, client: Client, row: &Row) {
    let (name, bytes) = (name(row), world.receive(client));
    let shown = String::from_utf8_lossy(&bytes);
    match row.ends {
        Ends::Status500 | Ends::LastStatus500 => {
            let answer = http::only(&bytes);
            assert_eq!((answer.status, answer.text()), (500, "internal error"), "{name}");
            assert_eq!(answer.closes(), row.ends == Ends::LastStatus500, "{name}");
            assert_eq!(world.is_ended(client), answer.closes(), "{name}");
        }
        Ends::Close1011 => {
            let frames = match bytes.starts_with(b"HTTP/1.1 101 ") {
                true => after_handshake(&bytes),
                false => &bytes,
            };
            let last = words(frames).pop();
            assert_eq!(last.as_deref(), Some("close 1011 internal error"), "{name}");
            assert!(world.is_ended(client), "{name}");
        }
        Ends::Cut => {
            assert!(!shown.contains(" 500 ") && !shown.ends_with("0\r\n\r\n"), "{name}: {shown}");
            assert!(world.is_ended(client), "{name}");
        }
        Ends::Over => assert!(world.is_ended(client), "{name}"),
    }
}

#[test]
fn server_that_catches_panics_ends_the_exchange_and_serves_all_others() {
    for row in rows() {
        let name = name(&row);
        let mut site = Site::new(true, row.timeout);
        let before = site.neighbour();
        let (client, _) = site.begin(&row);
        let after = site.neighbour();
        site.panics_in.set(row.callback);
        for neighbour in [before, after] {
            site.world.push(neighbour, text("in the same turn"));
        }
        (row.act)(&mut site.world, client);
        for neighbour in [before, after] {
            let expected = match row.callback {
                "close" => &["text in the same turn"][..],
                _ => &["text before the panic", "text in the same turn"][..],
            };
            let mut received = site.world.words(neighbour);
            received.sort();
            assert_eq!(received, expected, "{name}");
        }
        assert_ends(&mut site.world, client, &row);
        // No callback but `close` follows, however long the peer stays and whatever it does.
        site.world.advance(seconds(2));
        site.world.push(client, "more");
        site.world.end(client);
        let calls = site.log.take();
        let last = calls.iter().position(|call| call.starts_with(row.callback)).unwrap();
        let opened = matches!(row.ends, Ends::Close1011 | Ends::Cut)
            && !row.begins.contains("/stream")
            && row.callback != "writable"
            || row.callback == "writable" && row.ends == Ends::Close1011;
        let closes: &[&str] = if opened { &["close 1011 internal error"] } else { &[] };
        assert_eq!(&calls[last + 1..], closes, "{name}");
        assert!(site.world.is_gone(client), "{name}");
        let by_panic = !matches!(row.ends, Ends::Status500 | Ends::Over);
        let ends = site.world.stats().ends;
        assert_eq!((ends.get(Cause::Panic), ends.total()), (u64::from(by_panic), 1), "{name}");
        // Nothing is left of it.
        let cx = site.world.context();
        assert_eq!(cx.subscribers("topic"), 0, "{name}");
        let stats = cx.stats();
        assert_eq!((stats.panics, stats.connections, stats.websockets), (1, 2, 2), "{name}");
        assert_eq!((stats.event_streams, stats.takeovers, stats.accepted), (0, 0, 3), "{name}");
        site.panics_in.set("");
        assert_serves(&mut site);
        for neighbour in [before, after] {
            assert_echoes(&mut site.world, neighbour);
        }
    }
}

/// Every way to be served works, with buffers large and small.
fn assert_serves(site: &mut Site) {
    let world = &mut site.world;
    assert_eq!(world.get("/").text(), "hello");
    assert_eq!(world.post("/body", "all").text(), "thanks");
    let client = world.raw_websocket("/ws");
    assert_echoes(world, client);
    world.end(client);
}

fn assert_echoes(world: &mut World, client: Client) {
    let long = "0123456789abcdef".repeat(4 << 10);
    let echoed = frames(&world.ask(client, text(&long)));
    assert_eq!((echoed.len(), &*echoed[0].payload), (1, long.as_bytes()));
    let batch: Vec<String> = (0..20).map(|n| format!("message {n}")).collect();
    let sent: Vec<u8> = batch.iter().flat_map(|message| text(message)).collect();
    let expected: Vec<String> = batch.iter().map(|message| format!("text {message}")).collect();
    assert_eq!(words(&world.ask(client, sent)), expected);
}

#[test]
fn server_that_catches_no_panic_is_poisoned_and_closes_all_sockets_when_dropped() {
    for row in rows() {
        let name = name(&row);
        let mut site = Site::new(false, row.timeout);
        let before = site.neighbour();
        let (client, _) = site.begin(&row);
        site.panics_in.set(row.callback);
        assert!(panics(|| (row.act)(&mut site.world, client)), "{name}");
        site.panics_in.set("");
        let Site { mut world, log, zone, .. } = site;
        assert!(world.server.is_poisoned(), "{name}");
        log.take();
        // Whatever is done to it, nothing follows.
        world.push(before, text("nothing comes back"));
        world.advance(seconds(100));
        assert_eq!(log.take(), [""; 0], "{name}");
        let received = world.words(before);
        assert!(!received.contains(&"text nothing comes back".to_owned()), "{name}");
        assert_eq!(world.server.poll_timeout(world.now), None, "{name}");
        let error = world.server.adopt(Transport::memory().0, world.now).unwrap_err();
        let advice = "call Server::catch_panics(true) before it serves";
        assert!(error.to_string().ends_with(advice), "{name}: {error}");
        // Its state can be saved.
        world.with(zone, |_, cx| assert_eq!(cx.stats().panics, 0));
        drop(std::mem::replace(&mut world.server, Server::detached()));
        assert!(world.is_gone(before) && world.is_gone(client), "{name}");
    }
}

/// The rest of a batch is not delivered, and what was answered before leaves.
#[test]
fn server_ends_a_batch_of_messages_at_the_one_that_panics() {
    for others in ["good", &"good".repeat(100)] {
        let mut site = Site::new(true, None);
        let client = site.world.raw_websocket("/ws");
        let neighbour = site.neighbour();
        site.log.take();
        site.panics_in.set("message");
        let mut batch: Vec<Vec<u8>> = (0..20).map(|_| text("good")).collect();
        batch[10] = text("bad");
        batch.push(text(others));
        site.world.push(client, batch.concat());
        site.world.push(neighbour, batch.concat());
        site.world.settle();
        let mut expected = vec!["text good"; 10];
        expected.push("close 1011 internal error");
        assert_eq!(site.world.words(client), expected);
        assert_eq!(site.world.words(neighbour).len(), 22);
        let mut calls = vec!["good"; 10];
        calls.extend(["message", "close 1011 internal error"]);
        assert_eq!(site.log.take(), calls);
        let stats = site.world.stats();
        // Those of both WebSockets, with the message that panicked.
        assert_eq!((stats.messages, stats.panics), (1 + 21 + 11, 1));
        site.panics_in.set("");
        assert_serves(&mut site);
    }
}

#[test]
fn server_serves_on_after_a_thousand_panics() {
    let mut site = Site::new(true, None);
    let neighbour = site.neighbour();
    for row in rows().iter().filter(|row| row.callback != "timeout").cycle().take(1_000) {
        let (client, _) = site.begin(row);
        site.panics_in.set(row.callback);
        (row.act)(&mut site.world, client);
        site.panics_in.set("");
        assert_ends(&mut site.world, client, row);
        site.world.end(client);
        site.world.receive(neighbour);
    }
    let stats = site.world.stats();
    assert_eq!((stats.panics, stats.connections, stats.accepted), (1_000, 1, 1_001));
    assert_serves(&mut site);
    assert_echoes(&mut site.world, neighbour);
}

#[test]
fn closures_in_place_of_handlers_are_caught_as_well() {
    let mut world = World::new();
    world.server.http("/page", |_, _| -> &str { panic!("a page") });
    world.server.websocket("/ws", |_, _| panic!("a message"));
    world.server.catch_panics(true);
    assert_eq!(world.get("/page").status, 500);
    let ada = world.websocket("/ws");
    world.say(ada, "hello");
    assert_eq!(world.closed(ada).unwrap().0, CloseCode::INTERNAL);
    assert_eq!(world.stats().panics, 2);
    // Both are themselves again.
    world.server.catch_panics(false);
    assert!(panics(|| drop(world.get("/page"))));
    assert!(world.server.is_poisoned());
}

#[derive(Default)]
struct Counter(u32);
impl Handler for Counter {}

#[test]
fn closures_of_timers_and_calls_are_caught_and_repeating_timers_go_on() {
    let mut world = World::new();
    world.server.catch_panics(true);
    let zone = world.server.zone("/", Counter::default());
    let cx = world.context();
    cx.after(zone, millis(10), |_, _| panic!("once"));
    cx.after(zone, millis(10), |counter: &mut Counter, _| counter.0 += 1);
    cx.call(zone, |_, _| panic!("a call"));
    cx.call(zone, |counter: &mut Counter, _| counter.0 += 10);
    let mut calls = 0;
    let every = cx.every(zone, millis(20), move |counter: &mut Counter, _| {
        calls += 1;
        counter.0 += 100;
        assert!(calls % 2 == 0, "the first and the third time");
    });
    world.settle();
    assert_eq!(world.with(zone, |counter, _| counter.0), 10);
    world.advance(millis(70));
    assert_eq!(world.with(zone, |counter, _| counter.0), 311);
    assert_eq!(world.stats().panics, 4);
    world.context().cancel(every);
    world.advance(millis(70));
    assert_eq!(world.with(zone, |counter, _| counter.0), 311);
    // A panic in `with` is the caller's, and the server serves on.
    assert!(panics(|| world.with(zone, |_, _| panic!("with"))));
    assert_eq!(world.stats().panics, 5);
    assert_eq!(world.with(zone, |counter, _| counter.0), 311);
}

#[test]
fn closures_of_timers_and_calls_poison_a_server_that_catches_nothing() {
    type Plan = fn(&mut World, switchboard::ZoneId<Counter>);
    let plans: [Plan; 4] = [
        |world, zone| _ = world.context().after(zone, millis(10), |_, _| panic!("once")),
        |world, zone| _ = world.context().every(zone, millis(10), |_, _| panic!("every")),
        |world, zone| world.context().call(zone, |_, _| panic!("a call")),
        |world, zone| world.with(zone, |_, _| panic!("with")),
    ];
    for plan in plans {
        let mut world = World::new();
        let zone = world.server.zone("/", Counter::default());
        assert!(panics(|| {
            plan(&mut world, zone);
            world.advance(seconds(1));
        }));
        assert!(world.server.is_poisoned());
    }
}

#[test]
fn remote_closures_are_caught_and_a_poisoned_server_gives_them_back() {
    let mut reactor = Reactor::new().unwrap();
    let zone = reactor.server.zone("/", Counter::default());
    let remote = reactor.remote();
    reactor.server.catch_panics(true);
    remote.call(zone, |_, _| panic!("far away")).unwrap();
    remote.call(zone, |counter, _| counter.0 += 1).unwrap();
    reactor.turn(Some(seconds(1))).unwrap();
    let now = std::time::Instant::now();
    assert_eq!(
        reactor.server.with(zone, now, |counter, cx| (counter.0, cx.stats().panics)),
        (1, 1)
    );

    reactor.server.catch_panics(false);
    remote.call(zone, |_, _| panic!("far away")).unwrap();
    assert!(panics(|| drop(reactor.turn(Some(seconds(1))))));
    let refused = remote.call(zone, |_, _| ()).unwrap_err();
    assert!(refused.is_closed());
    for error in [
        reactor.turn(None).unwrap_err(),
        reactor.run().unwrap_err(),
        reactor.server.listen("127.0.0.1:0").unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(
            error.to_string().starts_with("a callback has panicked, and the server"),
            "{error}"
        );
    }
}

#[test]
fn observer_gets_each_panic_with_its_callback_and_its_message() {
    let (sender, seen) = channel();
    let mut world = World::new();
    world.server.catch_panics(true);
    world.server.observe(move |event: &Observed<'_>| {
        if let Observed::Panicked(_) = event {
            sender.send(event.to_string()).unwrap();
        }
    });
    let zone = world.server.zone("/", Counter::default());
    world.server.http("/text", |_, _| -> &str { panic!("a \"text\" \u{1b}[31m\nof two lines") });
    world.server.http("/long", |_, _| -> &str { panic!("{}", "é".repeat(2_000)) });
    world.server.http("/any", |_, _| -> &str { panic_any(7_u32) });
    let client = world.connect_from("192.0.2.1:4711");
    world.request(client, "/text");
    world.answer(client);
    world.get("/long");
    world.get("/any");
    world.context().call(zone, |_, _| panic!("a call"));
    world.context().after(zone, millis(1), |_, _| panic!("a timer"));
    world.advance(millis(1));
    let seen: Vec<String> = seen.try_iter().collect();
    let text = r#"192.0.2.1:4711 a panic in `request`: "a \"text\" \x1b[31m\nof two lines""#;
    let long = format!("? a panic in `request`: \"{}\"", r"\xc3\xa9".repeat(256));
    let rest = [
        "? a panic in `request`: \"a payload that is no text\"",
        "? a panic in `call`: \"a call\"",
        "? a panic in `timer`: \"a timer\"",
    ];
    assert_eq!(seen[..2], [text, &*long]);
    assert_eq!(seen[2..], rest);
}

#[test]
fn observer_that_panics_is_dropped_and_the_server_serves_on() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("in the observer's own data");
        }
    }
    let mut world = World::new();
    world.server.catch_panics(true);
    let (count, loud) = (Rc::new(Cell::new(0)), Loud);
    let counter = Rc::clone(&count);
    world.server.observe(move |_| {
        let _loud = &loud;
        counter.set(counter.get() + 1);
        panic!("in the observer");
    });
    for _ in 0..3 {
        assert_eq!(world.get("/nowhere").status, 404);
    }
    assert_eq!((count.get(), Rc::strong_count(&count), world.stats().panics), (1, 1, 1));
}

/// A value whose `Drop` panics, and which counts its drops.
struct Loud(Rc<Cell<u32>>);

impl Drop for Loud {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        panic!("in a drop");
    }
}

struct LoudOnAnyThread;

impl Drop for LoudOnAnyThread {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

struct Keeps(Rc<Cell<u32>>);

impl Handler for Keeps {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        request.extensions_mut().insert(Loud(Rc::clone(&self.0)));
        match request.path() {
            "/later" => Reply::Later,
            "/body" => Reply::Body(100),
            "/panic" => panic!("with a value"),
            "/payload" => panic_any(SendsLoud),
            _ => "hello".into(),
        }
    }

    fn body(&mut self, _conn: &mut Conn<'_>, _request: &mut Request<'_>, _body: &[u8]) -> Reply {
        Response::text("thanks").into()
    }
}

/// A payload whose `Drop` panics with such a payload again.
struct SendsLoud;

impl Drop for SendsLoud {
    fn drop(&mut self) {
        panic_any(SendsLoud);
    }
}

#[test]
fn values_and_payloads_whose_drop_panics_neither_end_nor_hold_the_server() {
    let drops = Rc::new(Cell::new(0));
    let mut world = World::new();
    world.server.catch_panics(true);
    let zone = world.server.zone("/", Keeps(Rc::clone(&drops)));
    assert_eq!(world.get("/").text(), "hello");
    assert_eq!(world.post("/body", "a body").text(), "thanks");
    let client = world.connect();
    world.request(client, "/later");
    world.fail(client, ErrorKind::ConnectionReset);
    assert_eq!((drops.get(), world.stats().panics), (3, 3));
    for (path, count) in [("/panic", 2), ("/payload", 2)] {
        let before = (drops.get(), world.stats().panics);
        assert_eq!(world.get(path).status, 500);
        assert_eq!((drops.get(), world.stats().panics), (before.0 + 1, before.1 + count), "{path}");
    }
    // A closure that is cancelled in a callback panics in this callback.
    let loud = Loud(Rc::clone(&drops));
    let timer = world.context().after(zone, seconds(1), move |_, _| drop(loud));
    world.context().call(zone, move |_, cx| cx.cancel(timer));
    world.settle();
    assert_eq!((drops.get(), world.stats().panics), (6, 8));
    assert_eq!(world.stats().connections, 0);
}

/// A repeating timer that cancels itself drops its closure when the closure returns.
#[test]
fn closure_that_cancels_its_own_timer_is_dropped_within_bounds() {
    for (catches, ends) in [(true, false), (true, true), (false, false), (false, true)] {
        let drops = Rc::new(Cell::new(0));
        let (loud, own) = (Loud(Rc::clone(&drops)), Rc::new(Cell::new(None)));
        let mut world = World::new();
        world.server.catch_panics(catches);
        let zone = world.server.zone("/", Counter::default());
        let name = Rc::clone(&own);
        let timer = world.context().every(zone, seconds(1), move |_: &mut Counter, cx| {
            let _loud = &loud;
            cx.cancel(name.get().unwrap());
            assert!(!ends, "in the closure");
        });
        own.set(Some(timer));
        assert_eq!(panics(|| world.advance(seconds(3))), !catches);
        assert_eq!((drops.get(), world.server.is_poisoned()), (1, !catches));
        if catches {
            assert_eq!(world.stats().panics, 1 + u64::from(ends));
            assert_eq!(world.get("/").status, 404, "it serves on");
        }
    }
}

/// What waits behind a panic is dropped with the server, not while the panic unwinds.
#[test]
fn calls_behind_one_that_poisons_are_dropped_with_the_server() {
    for remote in [false, true] {
        let drops = Rc::new(Cell::new(0));
        let mut reactor = Reactor::new().unwrap();
        let zone = reactor.server.zone("/", Counter::default());
        match remote {
            true => {
                let behind = LoudOnAnyThread;
                let handle = reactor.remote();
                handle.call(zone, |_, _| panic!("first")).unwrap();
                handle.call(zone, move |_, _| drop(behind)).unwrap();
            }
            false => {
                let cx = reactor.server.context(Instant::now());
                cx.call(zone, |_, _| panic!("first"));
                let behind = Loud(Rc::clone(&drops));
                cx.call(zone, move |_, _| drop(behind));
            }
        }
        assert!(panics(|| _ = reactor.turn(Some(Duration::ZERO))));
        assert_eq!(drops.get(), 0);
        assert!(panics(|| drop(reactor)), "the panic of the drop");
    }
}

/// What a counted zone did before it panicked is counted, and the 500 is a reply.
#[test]
fn counted_zones_count_callbacks_that_panic() {
    for first in [true, false] {
        let mut world = World::new();
        world.server.catch_panics(first);
        world.server.websocket(Zone::new("/ws").counted(true), |conn, message| {
            conn.send(message);
            panic!("behind what it sent");
        });
        world.server.http(Zone::new("/page").counted(true), |_, _| -> &str { panic!("a page") });
        let counter = world.server.zone(Zone::new("/own").counted(true), Counter::default());
        world.server.catch_panics(true);
        let client = world.raw_websocket("/ws");
        world.send(client, text("fine"));
        assert_eq!(world.get("/page").status, 500);
        let zones = world.stats().zones;
        assert_eq!((zones[0].messages, zones[0].messages_sent, zones[0].open), (1, 1, 0));
        assert_eq!((zones[0].requests, zones[1].requests), (1, 1));
        for catches in [false, true] {
            world.server.catch_panics(catches);
            world.with(counter, |counter, _| counter.0 += 1);
        }
        assert_eq!(world.with(counter, |counter, _| counter.0), 2, "it is the handler in both");
    }
}

/// What a dropped server drops panics each time: all is dropped, and one panic unwinds.
#[test]
fn dropped_server_drops_all_however_often_a_drop_panics() {
    for panicking in [false, true] {
        let drops = Rc::new(Cell::new(0));
        let loud = || Loud(Rc::clone(&drops));
        let mut world = World::new();
        let zone = world.server.zone("/", Counter::default());
        for _ in 0..2 {
            let (first, second, third) = (loud(), loud(), loud());
            world.server.http("/", move |_, _| {
                let _first = &first;
                "hello"
            });
            world.server.context(world.now).call(zone, move |_, _| drop(second));
            world.server.context(world.now).after(zone, seconds(9), move |_, _| drop(third));
        }
        world.server.zone("/later", Keeps(Rc::clone(&drops)));
        let observer = loud();
        world.server.observe(move |_| _ = &observer);
        let client = world.connect();
        let server = std::mem::replace(&mut world.server, Server::detached());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _server = server;
            if panicking {
                panic!("while it is alive");
            }
        }));
        let payload = outcome.unwrap_err();
        let text = if panicking { "while it is alive" } else { "in a drop" };
        assert_eq!(payload.downcast_ref::<&str>(), Some(&text));
        assert_eq!(drops.get(), 7);
        assert!(world.is_gone(client));
    }
}

/// Whether panics are caught makes no difference to a peer whose handler does not panic.
#[test]
fn guarded_handlers_serve_as_the_handlers_in_them() {
    let [plain, guarded] = [false, true].map(|catches| {
        let mut site = Site::new(catches, None);
        let client = site.world.raw_websocket("/ws");
        let mut received = Vec::new();
        for len in [0, 1, 20, 100, 125, 126, 1_000, 70_000] {
            let message = frame(true, TEXT, "x".repeat(len));
            received.extend(site.world.ask(client, message.repeat(3)));
        }
        let answer = site.world.get("/");
        received.extend(answer.body);
        received.extend(site.world.ask(client, close(1000, "bye")));
        (received, site.log.take(), site.world.stats())
    });
    assert_eq!(plain, guarded);
}

/// A message is lent for the call, and a handler that panics with it leaves nothing of it.
#[test]
fn state_of_a_handler_stays_as_the_panic_left_it() {
    struct Ledger {
        sum: u32,
        entries: u32,
    }
    impl Handler for Ledger {
        fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
            self.entries += 1;
            let Message::Text(text) = message else { return };
            self.sum += text.parse::<u32>().unwrap();
            conn.send(&*self.sum.to_string());
        }
    }
    let mut world = World::new();
    world.server.catch_panics(true);
    let zone = world.server.zone("/", Ledger { sum: 0, entries: 0 });
    let (ada, bob) = (world.websocket("/"), world.websocket("/"));
    world.say(ada, "3");
    world.say(bob, "three");
    world.say(ada, "4");
    assert_eq!(world.hear(ada), ["3", "7"]);
    assert_eq!(world.closed(bob).unwrap().0, CloseCode::INTERNAL);
    assert_eq!(world.with(zone, |ledger, _| (ledger.sum, ledger.entries)), (7, 3));
}
