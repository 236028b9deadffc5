//! Event streams that resume, over memory: the first block, the header and the event, the ids of
//! events, and a client that is cut off at any byte.

mod common;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::rc::Rc;

use common::{Client, World, cases, http, millis};
use proptest::prelude::*;
use switchboard::http::Request as HttpRequest;
use switchboard::testing::Received;
use switchboard::{
    Conn, EventStream, Handler, History, MessageId, Options, Outgoing, Reply, Request, Response,
    Resume,
};

/// A server whose paths are topics, several of them joined by `+`: `/events/room/1+room/2`.
fn world_with(history: History, stream: fn(EventStream) -> EventStream) -> World {
    World::serving(|server| {
        server.history("room/", history);
        server.http("/events", move |_, request| {
            let topics = request.suffix().trim_start_matches('/').split('+');
            stream(topics.fold(EventStream::new(), |stream, topic| stream.topic(topic)))
        });
    })
}

fn world() -> World {
    world_with(History::new(), |stream| stream)
}

fn publish(world: &mut World, topic: &str, text: &str) -> String {
    world.context().publish(topic, text);
    let id = world.context().latest_id().to_string();
    world.settle();
    id
}

fn latest(world: &mut World) -> String {
    world.context().latest_id().to_string()
}

/// The bytes behind the head of a stream, and the value of `Switchboard-Resume`.
#[track_caller]
fn body(world: &mut World, path: &str, fields: &[(&str, &str)]) -> (Option<String>, String) {
    let client = world.connect();
    let fields: String =
        fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    world.write(client, format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    let bytes = world.read(client);
    world.fail(client, ErrorKind::ConnectionReset);
    split(&bytes)
}

fn split(bytes: &[u8]) -> (Option<String>, String) {
    let answer = http::only(bytes);
    assert_eq!(answer.status, 200);
    (answer.header("switchboard-resume").map(str::to_owned), answer.text().to_owned())
}

/// Opens a stream as a client that reconnects.
fn resume(world: &mut World, path: &str, id: &str) -> Client {
    world.events(HttpRequest::get(path).header("Last-Event-ID", id))
}

fn event(name: &str, id: Option<&str>, data: &str) -> Received {
    let id = id.map(str::to_owned);
    Received::Event { event: Some(name.to_owned()), id, data: data.to_owned() }
}

fn oldest(id: &str) -> String {
    format!(r#"{{"oldest":"{id}"}}"#)
}

fn message(id: &str, data: &str) -> Received {
    Received::Event { event: None, id: Some(id.to_owned()), data: data.to_owned() }
}

#[test]
fn stream_begins_with_the_id_from_which_it_goes_on() {
    let mut world = world();
    for path in ["/events/room/1", "/events/room/1+room/2+hall"] {
        let id = latest(&mut world);
        assert_eq!(body(&mut world, path, &[]), (None, format!("id: {id}\n\n")));
        publish(&mut world, "room/1", "moves the latest id");
    }
    let stream: fn(EventStream) -> EventStream = |stream| stream.retry(millis(3)).mcp(true);
    let mut world = world_with(History::new(), stream);
    let id = latest(&mut world);
    let (_, text) = body(&mut world, "/events/room/1", &[]);
    let retry = text.strip_prefix(&format!("id: {id}\ndata:\n\nretry: ")).unwrap();
    assert!(["3\n\n", "4\n\n"].contains(&retry), "{retry}");
    // Without history nothing resumes.
    let asks = &[("Last-Event-ID", &*id)];
    let (header, text) = body(&mut world, "/events/hall?last_event_id=0-1", asks);
    assert!(header.is_none() && text.starts_with(":\n\nretry: "), "{header:?} {text}");
}

#[test]
fn each_event_of_history_has_its_id() {
    let mut world = world();
    let ada = world.events("/events/room/1+room/2+hall");
    let first = publish(&mut world, "room/1", "one");
    world.context().publish("room/2", Outgoing::text("two").event("named").id("not this"));
    let second = latest(&mut world);
    world.context().publish("room/1", &b"\xFF"[..]);
    world.context().publish("hall", "without history");
    let third = world.context().publish_with("room/1", |id| format!("I am {id}")).to_string();
    let hall = Received::Event { event: None, id: None, data: "without history".to_owned() };
    let expected = [
        message(&first, "one"),
        event("named", Some(&second), "two"),
        hall,
        message(&third, &format!("I am {third}")),
    ];
    assert_eq!(world.hear(ada), expected);
    assert_eq!(world.last_event_id(ada), third);
    // What is replayed is the same, byte by byte.
    let bob = resume(&mut world, "/events/room/1+room/2+hall", &first);
    let heard = world.hear(bob);
    assert_eq!(heard[0], event("switchboard.resumed", None, &oldest(&first)));
    assert_eq!(heard[1..], [&expected[1..2], &expected[3..]].concat());
}

#[test]
fn client_resumes_by_header_or_by_query() {
    let mut world = world();
    let start = latest(&mut world);
    let ids: Vec<_> = ["a", "b", "c"].map(|text| publish(&mut world, "room/1", text)).into();
    let told = oldest(&ids[0]);
    let resumed = |from: &str, rest: &[usize]| {
        let texts = ["a", "b", "c"];
        let event = |n: &usize| format!("id: {}\ndata: {}\n\n", ids[*n], texts[*n]);
        let first = format!("id: {from}\n\nevent: switchboard.resumed\ndata: {told}\n\n");
        let rest: String = rest.iter().map(event).collect();
        (Some("resumed".to_owned()), first + &rest)
    };
    let path = "/events/room/1";
    let header = |id| [("Last-Event-ID", id)];
    assert_eq!(body(&mut world, path, &header(&*start)), resumed(&start, &[0, 1, 2]));
    assert_eq!(body(&mut world, path, &header(&*ids[1])), resumed(&ids[1], &[2]));
    assert_eq!(body(&mut world, path, &header(&*ids[2])), resumed(&ids[2], &[]));
    let query = |id: &str| format!("{path}?x=1&last_event_id={id}");
    assert_eq!(body(&mut world, &query(&ids[0]), &[]), resumed(&ids[0], &[1, 2]));
    // The header counts before the query: `EventSource` repeats its first URL.
    let both = body(&mut world, &query(&ids[0]), &header(&*ids[1]));
    assert_eq!(both, resumed(&ids[1], &[2]));
    let both = body(&mut world, &query("x"), &header(&*ids[1]));
    assert_eq!(both, resumed(&ids[1], &[2]));
    // An empty id asks for nothing.
    let both = body(&mut world, &query(&ids[1]), &header(""));
    assert_eq!(both, resumed(&ids[1], &[2]));
    for (query, header) in [(query(""), &[][..]), (path.to_owned(), &header("")[..])] {
        assert_eq!(body(&mut world, &query, header), (None, format!("id: {}\n\n", ids[2])));
    }
    // HEAD has the same head.
    for (id, expected) in [(&*ids[1], "resumed"), ("0-1", "gap")] {
        let client = world.connect();
        world.request(client, HttpRequest::head(path).header("Last-Event-ID", id));
        assert_eq!(world.answer(client).header("Switchboard-Resume"), Some(expected));
    }
    assert_eq!(world.context().stats().event_streams, 0);
}

#[test]
fn gap_is_told_before_the_oldest_message() {
    let mut world = world_with(History::new().messages(2), |stream| stream);
    let start = latest(&mut world);
    let ids: Vec<_> = ["a", "b", "c", "d"].map(|text| publish(&mut world, "room/1", text)).into();
    let id: MessageId = ids[3].parse().unwrap();
    let later = MessageId::new(id.a(), id.b() + 1).to_string();
    let elsewhere = MessageId::new(id.a() ^ 1, id.b()).to_string();
    let gap = |first: &str, next: &str| {
        let told = oldest(&ids[2]);
        let first = format!("id: {first}\n\nevent: switchboard.gap\nid: {next}\ndata: {told}\n\n");
        let rest = format!("id: {}\ndata: c\n\nid: {}\ndata: d\n\n", ids[2], ids[3]);
        (Some("gap".to_owned()), first + &rest)
    };
    let path = "/events/room/1";
    // The first block repeats the id: a client that is cut off there learns of the gap again. The
    // event has an id from which all is there.
    for id in [&*start, &ids[0], &later, &elsewhere, "0-0"] {
        assert_eq!(body(&mut world, path, &[("Last-Event-ID", id)]), gap(id, &ids[1]), "{id}");
    }
    let malformed =
        ["x", "1", "-", "1-2-3", "01-2", "1-02", "+1-2", "1-", "1 -2", "18446744073709551616-1"];
    for id in malformed {
        assert_eq!(body(&mut world, path, &[("Last-Event-ID", id)]), gap("0-0", &ids[1]), "{id}");
    }
    let twice = [("Last-Event-ID", &*ids[2]), ("Last-Event-ID", &*ids[2])];
    assert_eq!(body(&mut world, path, &twice), gap("0-0", &ids[1]));
    let query = format!("{path}?last_event_id=%FF");
    assert_eq!(body(&mut world, &query, &[]), gap("0-0", &ids[1]));
    // A topic that keeps nothing goes on at the latest id.
    let (header, text) = body(&mut world, "/events/room/9", &[("Last-Event-ID", &elsewhere)]);
    let (next, told) = (&ids[3], oldest(&ids[3]));
    let expected =
        format!("id: {elsewhere}\n\nevent: switchboard.gap\nid: {next}\ndata: {told}\n\n");
    assert_eq!((header.as_deref(), text), (Some("gap"), expected));
    let ada = resume(&mut world, "/events/room/9", next);
    assert_eq!(world.head(ada).header("Switchboard-Resume"), Some("resumed"));
}

#[test]
fn one_id_resumes_several_topics() {
    let mut world = world_with(History::new().messages(3), |stream| stream);
    let path = "/events/room/1+room/2+room/3";
    let ada = world.events(path);
    let ids: Vec<_> =
        (0..6).map(|n| publish(&mut world, ["room/1", "room/2"][n % 2], &n.to_string())).collect();
    assert_eq!(world.hear(ada), ["0", "1", "2", "3", "4", "5"]);
    let bob = resume(&mut world, path, &ids[2]);
    let heard = world.hear(bob);
    assert_eq!(heard[0], event("switchboard.resumed", None, &oldest(&ids[0])));
    assert_eq!(heard[1..], ["3", "4", "5"]);
    // One of two topics has a gap: it goes on at its oldest, and the other has all.
    let last = publish(&mut world, "room/1", "6");
    publish(&mut world, "room/1", "7");
    let eve = resume(&mut world, path, &ids[0]);
    let heard = world.hear(eve);
    let before = MessageId::new(ids[1].parse::<MessageId>().unwrap().a(), 1).to_string();
    assert_eq!(heard[0], event("switchboard.gap", Some(&before), &oldest(&ids[1])));
    assert_eq!(heard[1..], ["1", "3", "4", "5", "6", "7"]);
    let dan = resume(&mut world, path, &last);
    assert_eq!(world.hear(dan)[1..], ["7"]);
}

/// A client as the HTML standard (9.2.6) has it, over the bytes that arrived before it was cut off.
/// It renders anew when it learns of a gap.
#[derive(Clone, Debug, Default)]
struct Page {
    last_id: String,
    shown: Vec<String>,
    gaps: usize,
}

impl Page {
    fn take(&mut self, text: &str) {
        // What is behind the last empty line is not dispatched.
        let blocks = text.rfind("\n\n").map_or("", |end| &text[..end]);
        for block in blocks.split("\n\n") {
            let (mut event, mut data) = ("message", None);
            for line in block.lines() {
                let (name, value) = line.split_once(": ").unwrap_or((line, ""));
                match name {
                    "id" => self.last_id = value.to_owned(),
                    "event" => event = value,
                    "data" => data = Some(value.to_owned()),
                    _ => {}
                }
            }
            match (event, data) {
                ("message", Some(data)) => self.shown.push(data),
                ("switchboard.gap", Some(_)) => {
                    self.shown.clear();
                    self.gaps += 1;
                }
                _ => {}
            }
        }
    }

    /// Opens a stream that has at most so many bytes behind its head, and returns how many came.
    fn read(&mut self, world: &mut World, path: &str, most: usize) -> usize {
        let id = [("Last-Event-ID", &*self.last_id)];
        let (_, text) = body(world, path, if self.last_id.is_empty() { &[] } else { &id });
        let end = text.len().min(most);
        self.take(&text[..end]);
        text.len()
    }
}

#[test]
fn client_that_is_cut_off_at_any_byte_misses_nothing() {
    let path = "/events/room/1+room/2";
    for messages in [100, 2] {
        let mut world = world_with(History::new().messages(messages), |stream| stream);
        let start = latest(&mut world);
        let texts: Vec<String> = (0..7).map(|n| n.to_string()).collect();
        let ids: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(n, text)| publish(&mut world, ["room/1", "room/2"][n % 2], text))
            .collect();
        let kept = if messages == 2 { &texts[3..] } else { &texts };
        for (from, has) in [(&*start, 0), (&*ids[0], 1), (&*ids[4], 5), ("7-7", 0), ("x", 0)] {
            let is_gap = from.len() < 4 || messages == 2 && has < 2;
            let begin = Page { last_id: from.to_owned(), shown: texts[..has].to_vec(), gaps: 0 };
            let len = begin.clone().read(&mut world, path, usize::MAX);
            for most in 0..=len {
                let mut page = begin.clone();
                page.read(&mut world, path, most);
                page.read(&mut world, path, usize::MAX);
                let expected = if is_gap { kept } else { &texts };
                assert_eq!(page.shown, expected, "{messages} from {from}, cut at {most}");
                assert_eq!(page.gaps > 0, is_gap, "{messages} from {from}, cut at {most}");
                assert_eq!(page.last_id, ids[6]);
            }
        }
    }
}

/// Records what its callbacks get. Streams of `/own` are subscribed by the handler.
#[derive(Default)]
struct Zone {
    calls: Rc<RefCell<Vec<String>>>,
    options: Option<switchboard::OptionsId>,
}

impl Handler for Zone {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        let stream = EventStream::new().options(self.options.unwrap_or_default());
        let is_own = request.path() == "/own";
        if is_own { stream } else { stream.topic("room/1").topic("room/2") }.into()
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        let topics: Vec<_> = conn.topics().collect();
        self.calls.borrow_mut().push(format!("open {}", topics.join(" ")));
        conn.send("from open");
        if request.path() == "/own" {
            conn.subscribe_from("room/1", request.query_value("after").unwrap().parse().unwrap());
        }
    }

    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        let is_gap = resume != Resume::Resumed;
        self.calls.borrow_mut().push(format!("{topic} {is_gap}"));
        conn.send("from resumed");
    }
}

#[test]
fn handler_opens_a_subscribed_stream_and_is_told_how_it_resumes() {
    let mut world = World::new();
    let zone = Zone::default();
    let calls = Rc::clone(&zone.calls);
    world.server.history("room/", History::new());
    world.server.zone("/", zone);
    let start = latest(&mut world);
    let one = publish(&mut world, "room/1", "one");
    let ada = world.events("/");
    assert_eq!(world.hear(ada), ["from open"]);
    assert_eq!(calls.take(), ["open room/2 room/1"]);
    let bob = resume(&mut world, "/", &start);
    let heard = world.hear(bob);
    assert_eq!(heard[0], event("switchboard.resumed", None, &oldest(&one)));
    assert_eq!(heard[1..], ["from open", "from resumed", "from resumed", "one"]);
    assert_eq!(calls.take(), ["open room/2 room/1", "room/1 false", "room/2 false"]);
    let eve = resume(&mut world, "/", "7-7");
    assert_eq!(world.hear(eve)[1..], ["from open", "from resumed", "from resumed", "one"]);
    assert_eq!(calls.take(), ["open room/2 room/1", "room/1 true", "room/2 true"]);
    let members = |world: &mut World| world.context().subscribers("room/1");
    assert_eq!(members(&mut world), 3);
    [ada, bob, eve].map(|client| world.end(client));
    assert_eq!(members(&mut world), 0);
}

#[test]
fn stream_that_its_handler_subscribes_gets_the_event_without_the_header() {
    let mut world = World::new();
    world.server.history("room/", History::new());
    world.server.zone("/", Zone::default());
    let start = latest(&mut world);
    let one = publish(&mut world, "room/1", "one");
    for (after, name) in [(&*start, "switchboard.resumed"), ("7-7", "switchboard.gap")] {
        let ada = world.events(&*format!("/own?after={after}"));
        assert_eq!(world.head(ada).header("Switchboard-Resume"), None);
        let heard = world.hear(ada);
        assert_eq!(heard[0], "from open");
        assert_eq!(heard[1], event(name, None, &oldest(&one)));
        assert_eq!(heard[2..], ["from resumed", "one"]);
    }
}

#[test]
fn reader_that_is_too_slow_for_its_topic_is_told_of_the_gap() {
    let mut world = World::new();
    world.server.history("room/", History::new().messages(4));
    let options = world.context().add_options(Options::new().max_buffered(4 << 10));
    world.server.zone("/", Zone { options: Some(options), ..Zone::default() });
    let start = latest(&mut world);
    let long = |n: usize| format!("{n} {}", "x".repeat(1500));
    (0..4).for_each(|n| _ = publish(&mut world, "room/1", &long(n)));
    let client = world.connect();
    world.window(client, 0);
    world.write(client, format!("GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: {start}\r\n\r\n"));
    // Some messages have begun to leave, and those behind are forgotten.
    (4..9).for_each(|n| _ = publish(&mut world, "room/1", &long(n)));
    world.window(client, usize::MAX);
    let (header, text) = split(&world.read(client));
    assert_eq!(header.as_deref(), Some("resumed"));
    let fields = text.lines().filter_map(|line| line.split_once(": "));
    let told: Vec<&str> = fields
        .filter(|(name, value)| *name == "event" || *name == "data" && value.ends_with('x'))
        .map(|(_, value)| value.split(' ').next().unwrap())
        .collect();
    let gap = told.iter().position(|word| *word == "switchboard.gap").expect("a gap");
    assert_eq!(told[gap + 1..], ["5", "6", "7", "8"]);
    assert_eq!(told[0], "switchboard.resumed");
    assert!(told[1..gap].iter().enumerate().all(|(n, text)| *text == n.to_string()), "{told:?}");
}

#[test]
fn messages_that_push_out_others_in_the_turn_of_the_request_are_a_gap() {
    let mut world = World::new();
    world.server.history("room/", History::new().messages(2));
    world.server.http("/events", |_, _| EventStream::new().topic("room/1"));
    let start = latest(&mut world);
    publish(&mut world, "room/1", "0");
    let client = world.connect();
    let get = format!("GET /events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: {start}\r\n\r\n");
    world.peer(client).send(get);
    let (token, now) = (world.token(client), world.now);
    world.server.ready(token, switchboard::Readiness::READABLE, now);
    (1..5).for_each(|n| world.context().publish("room/1", &*n.to_string()));
    let (header, text) = split(&world.read(client));
    assert_eq!(header.as_deref(), Some("resumed"));
    let mut page = Page::default();
    page.take(&text);
    assert_eq!((page.shown, page.gaps), (vec!["3".to_owned(), "4".to_owned()], 1), "{text}");
}

#[test]
fn id_of_another_user_gives_no_event_of_theirs() {
    let mut world = World::serving(|server| {
        server.history("user/", History::new());
        server.http("/events", |_, request| match request.cookie("user") {
            Some(user) => Reply::from(EventStream::new().topic(format!("user/{user}"))),
            None => Response::text("sign in").with_status(401).into(),
        });
    });
    let start = latest(&mut world);
    publish(&mut world, "user/ada", "for ada");
    publish(&mut world, "user/eve", "for eve");
    let request = |user| HttpRequest::get("/events").header("Cookie", format!("user={user}"));
    let eve = world.events(request("eve").header("Last-Event-ID", &*start));
    assert_eq!(world.hear(eve)[1..], ["for eve"]);
    let ada = world.events(request("ada").header("Last-Event-ID", &*start));
    assert_eq!(world.hear(ada)[1..], ["for ada"]);
    let stranger = HttpRequest::get("/events").header("Last-Event-ID", &*start);
    assert_eq!(world.fetch(stranger).status, 401);
}

#[test]
fn each_stream_has_a_retry_of_its_own() {
    let stream: fn(EventStream) -> EventStream = |stream| stream.retry(millis(2000));
    let mut world = world_with(History::new(), stream);
    let retries: BTreeSet<u64> = (0..200)
        .map(|_| {
            let (_, text) = body(&mut world, "/events/room/1", &[]);
            let retry = text.split_once("retry: ").and_then(|(_, rest)| rest.split_once('\n'));
            retry.unwrap().0.parse().unwrap()
        })
        .collect();
    let (first, last) = (*retries.first().unwrap(), *retries.last().unwrap());
    assert!((1500..1600).contains(&first) && (2400..=2500).contains(&last), "{first} to {last}");
    assert!(retries.len() > 100, "{} different ones of 200", retries.len());
}

#[derive(Clone, Debug)]
enum Step {
    Publish(usize),
    Open,
    Cut(usize),
    Turn,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..3_usize).prop_map(Step::Publish),
        2 => Just(Step::Open),
        2 => (0..40_usize).prop_map(Step::Cut),
        1 => Just(Step::Turn),
    ]
}

proptest! {
    #![proptest_config(cases(96))]

    /// A page that is cut off again and again, in the middle of an event, shows in the end what was
    /// published since its last gap, in order, each message once.
    #[test]
    fn page_shows_what_a_naive_list_has(
        steps in proptest::collection::vec(step(), 1..150),
        messages in 1..9_usize,
    ) {
        let mut world = world_with(History::new().messages(messages), |stream| stream);
        let path = "/events/room/1+room/2";
        let mut page = Page { last_id: latest(&mut world), ..Page::default() };
        let (mut sent, mut open) = (Vec::new(), None);
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Publish(topic) => {
                    world.context().publish(["room/1", "room/2", "room/3"][topic], &*n.to_string());
                    if topic < 2 {
                        sent.push(n.to_string());
                    }
                }
                Step::Open if open.is_none() => {
                    let client = world.connect();
                    let id = format!("Last-Event-ID: {}", page.last_id);
                    world.write(client, format!("GET {path} HTTP/1.1\r\nHost: a\r\n{id}\r\n\r\n"));
                    open = Some(client);
                }
                Step::Cut(lost) => if let Some(client) = open.take() {
                    let (_, text) = split(&world.read(client));
                    page.take(&text[..text.len().saturating_sub(lost)]);
                    world.fail(client, ErrorKind::ConnectionReset);
                },
                Step::Open | Step::Turn => world.settle(),
            }
        }
        if let Some(client) = open.take() {
            let (_, text) = split(&world.read(client));
            page.take(&text);
            world.fail(client, ErrorKind::ConnectionReset);
        }
        page.read(&mut world, path, usize::MAX);
        // Behind its last gap, the page has a tail of each topic's messages, without a hole.
        prop_assert!(page.gaps > 0 || page.shown == sent);
        let position = |text| sent.iter().position(|it| it == text);
        let positions: Vec<_> = page.shown.iter().map(position).collect();
        prop_assert!(positions.is_sorted_by(|a, b| a < b), "in order, each once: {:?}", page.shown);
        let tail = sent.len().saturating_sub(messages);
        prop_assert!(sent[tail..].iter().rev().take(1).all(|text| page.shown.contains(text)));
    }
}
