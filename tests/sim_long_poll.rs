//! Long polling over memory: what an answer has, when it comes, and how a poll that waits ends.

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::{Client, Log, Recorder, World, cases, millis, seconds};
use proptest::prelude::*;
use switchboard::http::Request;
use switchboard::{
    Conn, ConnId, Drain, History, LongPoll, MessageId, Options, Outgoing, Reply, Response,
};

/// An answer as a page sees it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Page {
    messages: Vec<(String, String)>,
    next: String,
    gap: bool,
}

impl Page {
    #[track_caller]
    fn of(text: &str) -> Page {
        let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
        let messages = json["messages"].as_array().expect("an array").iter();
        Page {
            messages: messages.map(|each| (text(&each["id"]), text(&each["data"]))).collect(),
            next: text(&json["next"]),
            gap: json["gap"].as_bool().expect("a truth value"),
        }
    }

    fn data(&self) -> Vec<&str> {
        self.messages.iter().map(|(_, data)| &**data).collect()
    }
}

/// A server whose paths are topics, several of them joined by `+`: `/poll/room/1+room/2`.
fn world_with(options: Options, history: History, poll: fn(LongPoll) -> LongPoll) -> World {
    World::serving(|server| {
        server.options(options);
        server.history("room/", history);
        server.http("/page", |_, _| "a page");
        server.http("/now", |_, _| {
            LongPoll::new().topic("room/1").topic("room/2").wait(Duration::ZERO)
        });
        server.http("/poll", move |_, request| {
            let topics = request.suffix().trim_start_matches('/').split('+');
            poll(topics.fold(LongPoll::new(), |poll, topic| poll.topic(topic)))
        });
    })
}

fn world() -> World {
    world_with(Options::new(), History::new(), |poll| poll)
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

/// Asks, and has the answer at once.
#[track_caller]
fn get(world: &mut World, path: &str, after: &str) -> Page {
    Page::of(world.get(&format!("{path}?after={after}")).text())
}

/// Asks over a new connection, and waits.
#[track_caller]
fn ask(world: &mut World, path: &str, after: &str) -> Client {
    let client = world.connect();
    ask_again(world, client, path, after);
    client
}

#[track_caller]
fn ask_again(world: &mut World, client: Client, path: &str, after: &str) {
    world.request(client, &*format!("{path}?after={after}"));
    assert_eq!(world.try_answer(client), None, "nothing is newer");
}

#[track_caller]
fn page(world: &mut World, client: Client) -> Page {
    Page::of(world.answer(client).text())
}

fn empty(next: &str) -> Page {
    Page { next: next.to_owned(), ..Page::default() }
}

/// How many polls wait, and how many subscribers `room/1` has.
fn waiting(world: &mut World) -> (usize, usize) {
    let cx = world.context();
    (cx.stats().deferred, cx.subscribers("room/1"))
}

#[test]
fn poll_gets_what_is_newer_of_all_its_topics_in_order() {
    let mut world = world();
    let start = latest(&mut world);
    let ids: Vec<_> = (0..6)
        .map(|n| publish(&mut world, ["room/1", "room/2", "room/3"][n % 3], &n.to_string()))
        .collect();
    let answer = world.get(&format!("/poll/room/1+room/2?after={start}"));
    assert_eq!(
        (answer.header("content-type"), answer.header("cache-control")),
        (Some("application/json"), Some("no-store"))
    );
    let all = Page::of(answer.text());
    assert_eq!((all.data(), &all.next, all.gap), (vec!["0", "1", "3", "4"], &ids[4], false));
    assert_eq!(all.messages[2].0, ids[3]);
    // Each id goes on behind its message, also the id of a topic that is not asked for.
    assert_eq!(get(&mut world, "/poll/room/1+room/2", &ids[1]).data(), ["3", "4"]);
    assert_eq!(get(&mut world, "/poll/room/1+room/2", &ids[2]).data(), ["3", "4"]);
    assert_eq!(get(&mut world, "/poll/room/2+room/1+room/2", &ids[3]).data(), ["4"]);
    assert_eq!(get(&mut world, "/poll/room/3", &start).data(), ["2", "5"]);
    // The exact text.
    let expected =
        format!(r#"{{"messages":[{{"id":"{0}","data":"5"}}],"next":"{0}","gap":false}}"#, ids[5]);
    assert_eq!(world.get(&format!("/poll/room/3?after={}", ids[4])).text(), expected);
    assert_eq!(waiting(&mut world), (0, 0));
}

#[test]
fn poll_without_an_id_gets_the_latest_at_once() {
    let mut world = world();
    for _ in 0..2 {
        let expected = empty(&latest(&mut world));
        for query in ["", "?after=", "?other=1", "?after"] {
            let answer = world.get(&format!("/poll/room/1{query}"));
            assert_eq!(Page::of(answer.text()), expected, "{query}");
        }
        publish(&mut world, "room/2", "moves the latest id");
    }
}

#[test]
fn poll_waits_for_a_message_of_any_of_its_topics() {
    let mut world = world();
    let start = latest(&mut world);
    let client = ask(&mut world, "/poll/room/1+room/2", &start);
    assert_eq!(waiting(&mut world), (1, 1));
    publish(&mut world, "room/3", "not asked for");
    publish(&mut world, "hall", "without history");
    assert_eq!(world.try_answer(client), None);
    let wait = world.server.poll_timeout(world.now).unwrap();
    assert!(wait > seconds(5), "a poll that waits keeps nothing busy: {wait:?}");
    let id = publish(&mut world, "room/2", "hello");
    let got = page(&mut world, client);
    assert_eq!((got.data(), &got.next, got.gap), (vec!["hello"], &id, false));
    assert_eq!(waiting(&mut world), (0, 0));
    // The connection goes on.
    ask_again(&mut world, client, "/poll/room/1+room/2", &got.next);
    publish(&mut world, "room/1", "again");
    assert_eq!(page(&mut world, client).data(), ["again"]);
    world.request(client, "/page");
    assert_eq!(world.answer(client).text(), "a page");
}

#[test]
fn poll_gets_all_messages_of_a_turn_and_holds_back_what_is_pipelined() {
    let mut world = world();
    let start = latest(&mut world);
    let client = ask(&mut world, "/poll/room/1", &start);
    world.request(client, "/page");
    for text in ["a", "b", "c"] {
        world.context().publish("room/1", text);
    }
    assert_eq!(page(&mut world, client).data(), ["a", "b", "c"]);
    assert_eq!(world.answer(client).text(), "a page");
}

#[test]
fn poll_ends_after_its_own_wait_whatever_answer_timeout_says() {
    type Wait = fn(LongPoll) -> LongPoll;
    let rows: [(Wait, u64, Duration); 5] = [
        (|poll| poll, 60, seconds(25)),
        (|poll| poll, 3, seconds(25)),
        (|poll| poll.wait(millis(700)), 60, millis(750)),
        (|poll| poll.wait(seconds(90)), 60, seconds(90)),
        (|poll| poll.wait(Duration::MAX), 60, seconds(4000)),
    ];
    for (poll, answer_timeout, ends) in rows {
        let options = Options::new().answer_timeout(seconds(answer_timeout));
        let mut world = world_with(options, History::new(), poll);
        let start = publish(&mut world, "room/1", "before");
        let client = ask(&mut world, "/poll/room/1", &start);
        world.advance(ends - millis(250));
        assert_eq!(world.try_answer(client), None, "{ends:?}");
        if ends == seconds(4000) {
            continue;
        }
        world.advance(millis(500));
        assert_eq!(page(&mut world, client), empty(&start), "{ends:?}");
        // And the connection goes on.
        ask_again(&mut world, client, "/poll/room/1", &start);
        publish(&mut world, "room/1", "after");
        assert_eq!(page(&mut world, client).data(), ["after"]);
    }
    let mut world = world_with(Options::new(), History::new(), |poll| poll.wait(Duration::ZERO));
    let start = latest(&mut world);
    assert_eq!(get(&mut world, "/poll/room/1", &start), empty(&start));
}

#[test]
fn answer_has_64_kib_at_most_or_a_single_message() {
    let mut world = world();
    let start = latest(&mut world);
    let long = "x".repeat(100 << 10);
    // Escapes count as they are sent: six bytes for each.
    let texts: Vec<String> = (0..120)
        .map(|n| format!("{n} {}", "\u{1}".repeat(300)))
        .chain([long, "small".to_owned()])
        .chain((0..40).map(|n| format!("{n} {}", "é".repeat(1000))))
        .collect();
    for text in &texts {
        publish(&mut world, "room/1", text);
    }
    let (mut got, mut after, mut answers) = (Vec::new(), start, 0);
    while got.len() < texts.len() {
        let answer = world.get(&format!("/poll/room/1?after={after}"));
        let page = Page::of(answer.text());
        assert!(answer.body.len() <= (64 << 10) || page.messages.len() == 1);
        assert_eq!((&page.next, page.gap), (&page.messages.last().unwrap().0, false));
        got.extend(page.data().into_iter().map(str::to_owned));
        (after, answers) = (page.next, answers + 1);
    }
    assert_eq!(got, texts);
    assert!((6..=10).contains(&answers), "{answers} answers");
}

#[test]
fn gap_goes_on_at_the_oldest_message() {
    let mut world = world_with(Options::new(), History::new().messages(3), |poll| poll);
    let start = latest(&mut world);
    let ids: Vec<_> = (0..5).map(|n| publish(&mut world, "room/1", &n.to_string())).collect();
    let id: MessageId = ids[4].parse().unwrap();
    let later = MessageId::new(id.a(), id.b() + 1).to_string();
    let elsewhere = MessageId::new(id.a() ^ 1, id.b()).to_string();
    let malformed = ["x", "1", "-", "1-2-3", "01-2", "+1-2", "1-", "%31-%C3%28", "1-2%20", "0x1-2"];
    let gaps = [&*start, &ids[0], &later, &elsewhere, "0-0", "18446744073709551616-1"];
    for after in gaps.into_iter().chain(malformed) {
        let page = get(&mut world, "/poll/room/1", after);
        assert_eq!((page.data(), page.gap), (vec!["2", "3", "4"], true), "{after}");
        assert_eq!(page.next, ids[4]);
        // Of two topics, the one that has all its messages has no part in it.
        let page = get(&mut world, "/poll/room/1+room/2", after);
        assert_eq!((page.data(), page.gap), (vec!["2", "3", "4"], true), "{after}");
    }
    // Without a message there is nothing to go on from but the latest id.
    let page = get(&mut world, "/poll/room/9", &elsewhere);
    assert_eq!(page, Page { gap: true, ..empty(&ids[4]) });
    let client = ask(&mut world, "/poll/room/9", &page.next);
    publish(&mut world, "room/9", "first");
    assert_eq!(self::page(&mut world, client).data(), ["first"]);
    // An id that is not forgotten is none.
    let page = get(&mut world, "/poll/room/1", &ids[1]);
    assert_eq!((page.data(), page.gap), (vec!["2", "3", "4"], false));
}

#[test]
fn messages_that_push_out_unread_ones_are_a_gap() {
    let mut world = world_with(Options::new(), History::new().messages(3), |poll| poll);
    let start = latest(&mut world);
    let client = ask(&mut world, "/poll/room/1", &start);
    (0..9).for_each(|n| world.context().publish("room/1", &*n.to_string()));
    let page = page(&mut world, client);
    assert_eq!((page.data(), page.gap), (vec!["6", "7", "8"], true));
}

#[test]
fn binary_messages_are_left_out_and_passed_over() {
    let mut world = world();
    let start = latest(&mut world);
    world.context().publish("room/1", &b"\xFF"[..]);
    let text = publish(&mut world, "room/1", "text");
    world.context().publish("room/1", &b"\xFE"[..]);
    let behind = latest(&mut world);
    let page = get(&mut world, "/poll/room/1", &start);
    assert_eq!((page.data(), &page.next), (vec!["text"], &behind));
    // Binary messages alone: the poll waits on, and its end has the id behind them.
    let client = ask(&mut world, "/poll/room/1", &text);
    world.context().publish("room/1", &b"\xFD"[..]);
    let behind = latest(&mut world);
    world.settle();
    assert_eq!(world.try_answer(client), None);
    world.advance(seconds(26));
    assert_eq!(self::page(&mut world, client), empty(&behind));
    // So many that one look does not pass them all: the answer goes on behind those.
    let history = History::new().messages(10_000).bytes(64 << 20);
    let mut world = world_with(Options::new(), history, |poll| poll);
    let mut after = latest(&mut world);
    (0..9000).for_each(|_| world.context().publish("room/1", &b"\xFF"[..]));
    let last = publish(&mut world, "room/1", "at last");
    let mut answers = 0;
    while after != last {
        after = get(&mut world, "/poll/room/1", &after).next;
        answers += 1;
    }
    assert_eq!(answers, 3);
}

/// Any character, and more often one that JSON escapes or has beside those.
fn character() -> impl Strategy<Value = char> {
    let odd = ['"', '\\', '/', '\u{7f}', '\u{2027}', '\u{2028}', '\u{2029}', '\u{202a}'];
    prop_oneof![
        any::<char>(),
        (0..0x20_u8).prop_map(char::from),
        proptest::sample::select(odd.to_vec()),
        proptest::char::range('\u{1f600}', '\u{1f64f}'),
    ]
}

#[test]
fn each_character_comes_back_from_json() {
    let history = History::new().messages(1 << 20).bytes(64 << 20);
    let mut world = world_with(Options::new(), history, |poll| poll);
    let mut after = latest(&mut world);
    let planes = (0x1_0000..=0x10_FFFF).step_by(0x0FF1);
    let all: Vec<char> = (0..=0xFFFF_u32).chain(planes).filter_map(char::from_u32).collect();
    let mut texts: Vec<String> = all.iter().map(char::to_string).take(0x300).collect();
    texts.extend(all.chunks(500).map(|chunk| chunk.iter().collect()));
    texts.iter().for_each(|text| world.context().publish("room/1", &**text));
    let mut got = Vec::new();
    while got.len() < texts.len() {
        let page = get(&mut world, "/poll/room/1", &after);
        got.extend(page.data().into_iter().map(str::to_owned));
        after = page.next;
    }
    assert_eq!(got, texts);
}

#[test]
fn message_has_its_event_and_any_text() {
    let mut world = world();
    let start = latest(&mut world);
    let odd = "\"\\\u{0}\u{1f}\n\r\u{2028}\u{2029}\u{1f600}</script>";
    world.context().publish("room/1", Outgoing::text(odd).event("a\"b").id("ignored"));
    let answer = world.get(&format!("/poll/room/1?after={start}"));
    let json: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
    let message = &json["messages"][0];
    let id = latest(&mut world);
    let expected = serde_json::json!({ "id": id, "event": "a\"b", "data": odd });
    assert_eq!(*message, expected);
}

#[test]
fn head_gets_the_head_at_once() {
    let mut world = world();
    let start = latest(&mut world);
    let client = world.connect();
    world.request(client, Request::head(format!("/poll/room/1?after={start}")));
    let answer = world.answer(client);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (None, None));
    world.request(client, "/page");
    assert_eq!(world.answer(client).text(), "a page");
    assert_eq!(waiting(&mut world), (0, 0));
}

#[test]
fn poll_whose_client_is_gone_leaves_nothing() {
    let mut world = world();
    let start = latest(&mut world);
    for kind in [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe] {
        let client = ask(&mut world, "/poll/room/1", &start);
        assert_eq!(waiting(&mut world), (1, 1));
        world.fail(client, kind);
        assert_eq!(waiting(&mut world), (0, 0));
        assert_eq!(world.context().stats().connections, 0);
    }
    // A client that ends its side has its answer: it may still read.
    let client = ask(&mut world, "/poll/room/1", &start);
    world.end(client);
    let answer = world.answer(client);
    assert_eq!(Page::of(answer.text()), empty(&start));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!((waiting(&mut world), world.context().stats().connections), ((0, 0), 0));
    // Also one that does so with its request.
    let client = world.connect();
    let get = format!("GET /poll/room/1?after={start} HTTP/1.1\r\nHost: a\r\n\r\n");
    world.peer(client).send(get);
    world.end(client);
    let bytes = world.read(client);
    assert!(bytes.ends_with(br#","gap":false}"#), "{}", bytes.escape_ascii());
    assert_eq!((waiting(&mut world), world.context().stats().connections), ((0, 0), 0));
    // A message at the same moment is not lost.
    let client = ask(&mut world, "/poll/room/1", &start);
    world.context().publish("room/1", "at the end");
    world.end(client);
    assert_eq!(page(&mut world, client).data(), ["at the end"]);
    // Without `half_close` it is gone.
    let options = Options::new().half_close(false);
    let mut world = world_with(options, History::new(), |poll| poll);
    let start = latest(&mut world);
    let client = ask(&mut world, "/poll/room/1", &start);
    world.end(client);
    assert!(world.read(client).is_empty());
    assert_eq!((waiting(&mut world), world.context().stats().connections), ((0, 0), 0));
}

#[test]
fn no_callback_follows_a_poll() {
    let log = Log::new();
    let recorder = Recorder::new(&log).request(|_, _| LongPoll::new().topic("room/1"));
    let mut world = World::serving(|server| {
        server.history("room/", History::new());
        server.zone("/", recorder);
    });
    let start = latest(&mut world);
    let clients = [0; 4].map(|_| ask(&mut world, "/", &start));
    world.fail(clients[0], ErrorKind::ConnectionReset);
    world.end(clients[1]);
    publish(&mut world, "room/1", "hello");
    let start = latest(&mut world);
    ask(&mut world, "/", &start);
    world.advance(seconds(30));
    assert_eq!(log.take(), ["request GET /"; 5]);
}

#[test]
fn drain_answers_polls_in_its_window_as_the_last() {
    let mut world = world();
    let start = latest(&mut world);
    let clients = [0; 3].map(|_| ask(&mut world, "/poll/room/1", &start));
    let (notice, deadline) = (seconds(5), seconds(20));
    world.context().drain(Drain { notice, deadline, ..Drain::default() }).unwrap();
    world.settle();
    assert_eq!(waiting(&mut world), (3, 3), "a poll goes on in the notice");
    let later = publish(&mut world, "room/9", "not asked for");
    let late = ask(&mut world, "/poll/room/1", &later);
    world.advance(seconds(6));
    for client in clients.into_iter().chain([late]) {
        let answer = world.answer(client);
        let own = if client == late { &later } else { &start };
        assert_eq!(Page::of(answer.text()), empty(own), "each has its own id");
        assert_eq!(answer.header("connection"), Some("close"));
        world.end(client);
    }
    assert!(world.server.is_drained());
}

#[test]
fn poll_that_begins_in_the_window_is_answered_at_once() {
    let mut world = world();
    let start = latest(&mut world);
    let client = world.connect();
    let request = format!("GET /poll/room/1?after={start} HTTP/1.1\r\nHost: a\r\n");
    world.write(client, &request);
    world.context().drain(Drain::default()).unwrap();
    world.settle();
    world.write(client, "\r\n");
    let bytes = world.read(client);
    assert!(bytes.ends_with(br#","gap":false}"#), "{}", bytes.escape_ascii());
}

#[test]
fn poll_ends_with_the_lifetime_of_its_connection() {
    let options = Options::new().lifetime(seconds(600));
    let mut world = world_with(options, History::new(), |poll| poll.wait(seconds(3600)));
    let start = latest(&mut world);
    let client = ask(&mut world, "/poll/room/1", &start);
    world.advance(seconds(590));
    assert_eq!(world.try_answer(client), None);
    world.advance(seconds(40));
    let answer = world.answer(client);
    assert_eq!(Page::of(answer.text()), empty(&start));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(waiting(&mut world), (0, 0));
}

/// Keeps the exchange of the latest poll.
struct Ids(Option<ConnId>);

impl switchboard::Handler for Ids {
    fn request(&mut self, conn: &mut Conn<'_>, _: &mut switchboard::Request<'_>) -> Reply {
        self.0 = Some(conn.id());
        LongPoll::new().topic("room/1").into()
    }
}

#[test]
fn handler_answers_a_poll_in_another_way() {
    let mut world = World::new();
    world.server.history("room/", History::new());
    let zone = world.server.zone("/", Ids(None));
    let start = latest(&mut world);
    let client = ask(&mut world, "/", &start);
    world.with(zone, |ids, cx| cx.respond(ids.0.unwrap(), Response::text("out").with_status(401)));
    assert_eq!(world.answer(client).status, 401);
    assert_eq!(waiting(&mut world), (0, 0));
    // Late, after the next exchange began, it does nothing.
    let old = world.with(zone, |ids, _| ids.0.unwrap());
    ask_again(&mut world, client, "/", &start);
    world.context().respond(old, "late");
    world.settle();
    assert_eq!(world.try_answer(client), None);
    // An upgrade is refused as that of any request that asked for none.
    world.with(zone, |ids, cx| cx.upgrade(ids.0.unwrap(), switchboard::Upgrade::new()));
    assert_eq!(world.answer(client).status, 400);
    assert_eq!(waiting(&mut world), (0, 0));
}

#[test]
fn faults_of_the_handler_are_answered_with_500() {
    let mut world = world();
    for path in ["/poll/hall", "/poll"] {
        let answer = world.get(path);
        assert_eq!(answer.status, 500);
        assert!(answer.text().contains("Server::history"), "{}", answer.text());
    }
    // A topic without history beside one that has it is left out.
    let start = latest(&mut world);
    let client = ask(&mut world, "/poll/room/1+hall", &start);
    publish(&mut world, "hall", "without history");
    assert_eq!(world.context().subscribers("hall"), 0);
    publish(&mut world, "room/1", "kept");
    assert_eq!(page(&mut world, client).data(), ["kept"]);
    let spoils: fn(LongPoll) -> LongPoll = |poll| poll.header("X-Bad", "a\r\nb");
    let mut world = world_with(Options::new(), History::new(), spoils);
    assert_eq!(world.get("/poll/room/1").status, 500);
    let headers: fn(LongPoll) -> LongPoll = |poll| {
        poll.header("Access-Control-Allow-Origin", "https://a.example")
            .header("Cache-Control", "private, no-store")
    };
    let mut world = world_with(Options::new(), History::new(), headers);
    let start = latest(&mut world);
    let client = ask(&mut world, "/poll/room/1", &start);
    publish(&mut world, "room/1", "hello");
    for answer in [world.get("/poll/room/1"), world.answer(client)] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"));
        assert_eq!(answer.headers.get_all("cache-control").iter().count(), 1);
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[test]
fn id_of_another_user_gives_no_message_of_theirs() {
    let mut world = World::serving(|server| {
        server.history("user/", History::new());
        server.http("/poll", |_, request| match request.cookie("user") {
            Some(user) => Reply::from(LongPoll::new().topic(format!("user/{user}"))),
            None => Response::text("sign in").with_status(401).into(),
        });
    });
    let start = latest(&mut world);
    publish(&mut world, "user/ada", "for ada");
    publish(&mut world, "user/eve", "for eve");
    let mut ask = |user: &str| {
        let request = Request::get(format!("/poll?after={start}"));
        world.fetch(request.header("Cookie", format!("user={user}")))
    };
    assert_eq!(Page::of(ask("eve").text()).data(), ["for eve"]);
    assert_eq!(Page::of(ask("ada").text()).data(), ["for ada"]);
    assert_eq!(world.get(&format!("/poll?after={start}")).status, 401);
}

#[test]
fn one_message_answers_thousands_in_slices() {
    let mut world = world();
    let start = latest(&mut world);
    let clients: Vec<_> = (0..2500).map(|_| ask(&mut world, "/poll/room/1", &start)).collect();
    world.context().publish("room/1", &*"x".repeat(300));
    let mut turns = Vec::new();
    while waiting(&mut world).0 > 0 {
        let before = waiting(&mut world).0;
        assert_eq!(world.server.poll_timeout(world.now), Some(Duration::ZERO));
        world.turn();
        turns.push(before - waiting(&mut world).0);
    }
    assert_eq!(turns, [1024, 1024, 452]);
    let first = world.answer(clients[0]).text().to_owned();
    assert!(clients[1..].iter().all(|&client| world.answer(client).text() == first));
    // Long answers come in smaller slices.
    let start = latest(&mut world);
    let clients: Vec<_> = (0..100).map(|_| ask(&mut world, "/poll/room/1", &start)).collect();
    world.context().publish("room/1", &*"x".repeat(60 << 10));
    world.turn();
    assert_eq!(waiting(&mut world).0, 100 - 18);
    world.settle();
    assert!(clients.iter().all(|&client| page(&mut world, client).messages.len() == 1));
}

#[test]
fn polls_of_one_turn_get_each_its_own_answer() {
    let mut world = world();
    let start = latest(&mut world);
    // The id of `later` is that of a message of another topic: all of them wait.
    let later = publish(&mut world, "room/9", "not asked for");
    let paths = ["/poll/room/1", "/poll/room/2", "/poll/room/1+room/2", "/poll/room/1"];
    let mut clients = Vec::new();
    for path in paths {
        for after in [&start, &later, &start] {
            clients.push((path, ask(&mut world, path, after)));
        }
    }
    world.context().publish("room/1", "one");
    world.context().publish("room/2", "two");
    for (path, client) in clients {
        let expected = match path {
            "/poll/room/1" => vec!["one"],
            "/poll/room/2" => vec!["two"],
            _ => vec!["one", "two"],
        };
        assert_eq!(page(&mut world, client).data(), expected, "{path}");
    }
    // Of two questions about one topic, the second has one message more to come.
    let mut world = world_with(Options::new(), History::new().messages(2), |poll| poll);
    let start = latest(&mut world);
    let early = ask(&mut world, "/poll/room/1", &start);
    world.context().publish("room/1", &b"\xFF"[..]);
    let behind = latest(&mut world);
    world.settle();
    let late = ask(&mut world, "/poll/room/1", &behind);
    let client = ask(&mut world, "/poll/room/2", &start);
    world.context().publish("room/1", "a");
    world.context().publish("room/1", "b");
    world.context().publish("room/2", "c");
    let [early, late] = [early, late].map(|client| page(&mut world, client));
    assert_eq!((early.data(), early.gap), (vec!["a", "b"], false), "the binary one was passed");
    assert_eq!((late.data(), late.gap), (vec!["a", "b"], false));
    assert_eq!(page(&mut world, client).data(), ["c"]);
}

#[test]
fn slot_of_a_poll_that_was_woken_may_hold_another_one() {
    let mut world = world();
    let start = latest(&mut world);
    let client = ask(&mut world, "/poll/room/1", &start);
    world.context().publish("room/1", "for the first");
    // In the same turn the client is gone, and another one takes its slot.
    world.peer(client).fail(ErrorKind::ConnectionReset);
    world.settle();
    let behind = latest(&mut world);
    let next = ask(&mut world, "/poll/room/1", &behind);
    world.advance(seconds(1));
    assert_eq!(world.try_answer(next), None);
    publish(&mut world, "room/1", "for the second");
    assert_eq!(page(&mut world, next).data(), ["for the second"]);
}

#[derive(Clone, Debug)]
enum Step {
    Publish(usize, bool),
    Ask,
    Wait(u64),
    Cut,
}

/// A page that asks on and on.
struct Reader {
    after: String,
    client: Option<Client>,
    got: Vec<String>,
}

impl Reader {
    /// Takes the answer, if it is there.
    fn take(&mut self, world: &mut World) {
        let answer = self.client.and_then(|client| world.try_answer(client));
        let (Some(answer), Some(client)) = (answer, self.client) else { return };
        let page = Page::of(answer.text());
        assert!(!page.gap);
        self.got.extend(page.data().into_iter().map(str::to_owned));
        self.after = page.next;
        self.client = None;
        world.end(client);
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize, any::<bool>()).prop_map(|(topic, text)| Step::Publish(topic, text)),
        3 => Just(Step::Ask),
        1 => (0..30_u64).prop_map(Step::Wait),
        1 => Just(Step::Cut),
    ]
}

proptest! {
    #![proptest_config(cases(64))]

    /// The reader of another crate reads any text back.
    #[test]
    fn any_text_comes_back_from_json(
        texts in proptest::collection::vec(proptest::collection::vec(character(), 0..40), 1..30),
    ) {
        let mut world = world();
        let start = latest(&mut world);
        let texts: Vec<String> = texts.iter().map(|text| text.iter().collect()).collect();
        texts.iter().for_each(|text| world.context().publish("room/1", &**text));
        let page = get(&mut world, "/poll/room/1", &start);
        prop_assert_eq!(page.data(), texts);
    }

    /// A page that asks on and on has the messages of a naive list, in order, each once.
    #[test]
    fn page_misses_nothing_and_gets_nothing_twice(
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut world = world();
        let mut reader = Reader { after: latest(&mut world), client: None, got: Vec::new() };
        let mut sent = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Publish(topic, text) => {
                    let (topic, data) = (["room/1", "room/2", "room/3"][topic], n.to_string());
                    match text {
                        true => world.context().publish(topic, &*data),
                        false => world.context().publish(topic, data.as_bytes()),
                    }
                    if text && topic != "room/3" {
                        sent.push(data);
                    }
                }
                Step::Ask if reader.client.is_none() => {
                    let client = world.connect();
                    let after = &reader.after;
                    world.request(client, &*format!("/poll/room/1+room/2?after={after}"));
                    reader.client = Some(client);
                }
                Step::Ask => reader.take(&mut world),
                Step::Wait(time) => world.advance(seconds(time)),
                // An answer that was on its way is lost, and asked for again.
                Step::Cut => if let Some(client) = reader.client.take() {
                    world.fail(client, ErrorKind::ConnectionReset);
                },
            }
        }
        reader.take(&mut world);
        if let Some(client) = reader.client.take() {
            world.end(client);
        }
        let rest = get(&mut world, "/now", &reader.after);
        reader.got.extend(rest.data().into_iter().map(str::to_owned));
        prop_assert_eq!(reader.got, sent);
    }
}
