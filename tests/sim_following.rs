//! Followers over memory: what a subscriber gets that goes on from an id, in which order and at
//! which pace, whatever it, its topics and the others do meanwhile.

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::frames::text;
use common::http;
use common::{Bytes, Client, World};
use switchboard::testing::Received;
use switchboard::{
    Backpressure, Close, CloseCode, Conn, ConnId, Context, Drain, EventStream, Handler, History,
    Message, MessageId, Options, Reply, Request, Response, Resume, Upgrade, ZoneId,
};

/// What a test does in `resumed`.
type OnResumed = Box<dyn FnMut(&mut Conn<'_>, &str, Resume)>;

/// Does what messages say, and sends what `resumed` says: `resumed a` or `gap a`.
struct Reader {
    resumed: Option<OnResumed>,
    opened: Vec<ConnId>,
    closed: usize,
}

/// The words of a command: `from a ID`, `join a`, `leave a`, `all a TEXT`, `others a TEXT`,
/// `say TEXT`, `part TEXT`, `last TEXT`, `topics`, `close`.
fn obey(conn: &mut Conn<'_>, words: &str) {
    let mut words = words.splitn(3, ' ');
    let (verb, topic, what) =
        (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
    match verb {
        "from" => conn.subscribe_from(topic, what.parse().unwrap()),
        "join" => conn.subscribe(topic),
        "leave" => conn.unsubscribe(topic),
        "all" => conn.publish(topic, what),
        "others" => conn.publish_to_others(topic, what),
        "say" => conn.send(topic),
        "part" => conn.send_fragment(topic, false),
        "last" => conn.send_fragment(topic, true),
        "topics" => {
            let topics = conn.topics().collect::<Vec<_>>().join(" ");
            conn.send(&topics);
        }
        _ => conn.close(CloseCode::NORMAL, ""),
    }
}

impl Handler for Reader {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }
    /// Each `a=ID` of the query is a topic to follow.
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        self.opened.push(conn.id());
        for pair in request.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
            let (topic, id) = pair.split_once('=').unwrap();
            conn.subscribe_from(topic, id.parse().unwrap());
        }
    }
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { return };
        text.split(';').for_each(|words| obey(conn, words));
    }
    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        if let Some(act) = &mut self.resumed {
            return act(conn, topic, resume);
        }
        conn.send(&*format!("{} {topic}", word(resume)));
    }
    fn close(&mut self, _: &mut Conn<'_>, _: Close<'_>) {
        self.closed += 1;
    }
}

fn word(resume: Resume) -> &'static str {
    match resume {
        Resume::Resumed => "resumed",
        _ => "gap",
    }
}

fn reader() -> Reader {
    Reader { resumed: None, opened: Vec::new(), closed: 0 }
}

/// Topics that begin with `h` keep messages.
fn world_with(options: Options, history: History, reader: Reader) -> (World, ZoneId<Reader>) {
    World::set_up(|server| {
        server.options(options);
        server.history("h", history);
        server.zone("/", reader)
    })
}

fn world() -> World {
    world_with(Options::new(), History::new(), reader()).0
}

/// Publishes texts, and returns the id before each, and the last.
fn publish<'t>(
    cx: &mut Context,
    topic: &str,
    texts: impl IntoIterator<Item = &'t str>,
) -> Vec<MessageId> {
    let mut ids = vec![cx.latest_id()];
    for text in texts {
        ids.push(cx.publish_with(topic, |_| text));
    }
    ids
}

fn from(topic: &str, id: MessageId) -> String {
    format!("from {topic} {id}")
}

fn texts(received: &[Received]) -> Vec<&str> {
    received.iter().map(Received::text).collect()
}

#[test]
fn follower_gets_what_came_after_its_id_and_then_live_messages() {
    let texts = ["one", "two", "three"];
    for missed in 0..=3 {
        let mut world = world();
        let ids = publish(world.context(), "h", texts);
        // The first id of all is none: nothing had been published.
        let from_id = ids[3 - missed];
        let client = world.websocket("/");
        world.say(client, &*from("h", from_id));
        let expected = ["resumed h"]
            .into_iter()
            .chain(texts[3 - missed..].iter().copied())
            .collect::<Vec<_>>();
        assert_eq!(world.hear(client), expected[..]);
        world.context().publish("h", "live");
        assert_eq!(world.hear(client), ["live"]);
        assert_eq!(world.context().subscribers("h"), 1);
    }
}

#[test]
fn follower_of_a_strange_id_gets_a_gap_and_all_that_is_kept() {
    let mut world = world();
    let ids = publish(world.context(), "h", ["one", "two"]);
    let later = MessageId::new(ids[2].a(), ids[2].b() + 1);
    let strange = [
        MessageId::default(),
        MessageId::new(ids[2].a() ^ 1, ids[2].b()),
        later,
        MessageId::new(u64::MAX, u64::MAX),
    ];
    for id in strange {
        let client = world.websocket("/");
        world.say(client, &*from("h", id));
        assert_eq!(world.hear(client), ["gap h", "one", "two"], "{id}");
    }
    // Of a topic without a message nothing is missing.
    let client = world.websocket("/");
    world.say(client, &*format!("{};{}", from("h9", ids[1]), from("h8", later)));
    assert_eq!(world.hear(client), ["resumed h9", "gap h8"]);
    world.context().publish("h8", "first");
    assert_eq!(world.hear(client), ["first"]);
}

#[test]
fn follower_of_several_topics_gets_messages_in_the_order_of_their_ids() {
    let mut world = world();
    let start = publish(world.context(), "h1", ["0"])[1];
    for n in 1..60 {
        let topic = ["h1", "h2", "h3", "x"][n * n % 7 % 4];
        world.context().publish(topic, &*n.to_string());
    }
    let all = |skip: &str| {
        let mut all = Vec::new();
        for n in 1..60_usize {
            let topic = ["h1", "h2", "h3", "x"][n * n % 7 % 4];
            if topic != skip && topic != "x" {
                all.push(n.to_string());
            }
        }
        all
    };
    let client = world.events(&*format!("/?h1={start}&h2={start}&h3={start}"));
    let heard = world.hear(client);
    let mut expected = vec!["resumed h1".to_owned(), "resumed h2".into(), "resumed h3".into()];
    expected.extend(all(""));
    assert_eq!(texts(&heard[1..]), expected, "behind the event `switchboard.resumed`");
    // A topic that it was a member of goes on from here.
    let client = world.websocket("/");
    world.say(client, &*format!("join h2;from h1 {start};from h3 {start}"));
    assert_eq!(
        texts(&world.hear(client)),
        [&["resumed h1".to_owned(), "resumed h3".into()][..], &all("h2")[..]].concat()
    );
    world.context().publish("h2", "live");
    assert_eq!(world.hear(client), ["live"]);
}

#[test]
fn follower_that_subscribes_twice_goes_on_as_the_last_call_says() {
    let mut world = world();
    let ids = publish(world.context(), "h", ["one", "two"]);
    let client = world.websocket("/");
    world.say(client, &*format!("{};{}", from("h", ids[0]), from("h", ids[1])));
    assert_eq!(world.hear(client), ["resumed h", "two"], "once, from the last id");
    world.say(client, &*from("h", ids[0]));
    assert_eq!(world.hear(client), ["resumed h", "one", "two"]);
    // A plain subscription has no effect on a follower of the topic, nor the other way round.
    world.say(client, &*format!("{};join h", from("h", ids[1])));
    world.say(client, &*format!("leave h;join h;{}", from("h", ids[1])));
    assert_eq!(world.hear(client), ["resumed h", "two", "resumed h", "two"]);
    assert_eq!(world.context().subscribers("h"), 1);
    world.context().publish("h", "live");
    assert_eq!(world.hear(client), ["live"]);
}

#[test]
fn follower_of_a_topic_without_history_is_a_plain_member() {
    let mut world = world();
    let id = publish(world.context(), "x", ["before"])[0];
    let client = world.websocket("/");
    world.say(client, &*from("x", id));
    world.context().publish("x", "live");
    assert_eq!(world.hear(client), ["live"]);
    assert_eq!(world.context().subscribers("x"), 1);
    // A server without any history does not know the word.
    let mut plain = World::serving(|server| {
        server.zone("/", reader());
    });
    let client = plain.websocket("/");
    plain.say(client, &*from("h", id));
    plain.context().publish("h", "live");
    assert_eq!(plain.hear(client), ["live"]);
}

/// Has the server do what words say for a connection, whether its client reads or not.
fn act(world: &mut World, id: ConnId, words: &str) {
    let mut conn = world.context().conn(id).unwrap();
    words.split(';').for_each(|words| obey(&mut conn, words));
    world.settle();
}

/// A world with one WebSocket whose client takes no byte, and which follows `h` from the first of
/// 20 messages. Some of them wait in its outbox.
fn stalled(options: Options) -> (World, Client, ConnId, Vec<MessageId>) {
    let (mut world, zone) = world_with(options, History::new(), reader());
    let numbers: Vec<String> = (0..20).map(|n| format!("{n:030}")).collect();
    let ids = publish(world.context(), "h", numbers.iter().map(|number| &**number));
    let client = world.websocket("/");
    world.window(client, 0);
    world.say(client, &*from("h", ids[0]));
    assert_ne!(world.server.poll_timeout(world.now), Some(Duration::ZERO));
    let id = world.with(zone, |reader, _| reader.opened[0]);
    (world, client, id, ids)
}

fn small() -> Options {
    Options::new().max_buffered(300)
}

/// What a client hears that takes all from now on: the numbers without their zeros, and the rest.
fn rest(world: &mut World, client: Client) -> Vec<String> {
    world.window(client, usize::MAX);
    let heard = world.hear(client);
    let number = |text: &str| match text.trim_start_matches('0') {
        "" => "0".to_owned(),
        number => number.to_owned(),
    };
    heard.iter().map(|received| number(received.text())).collect()
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn stalled_follower_waits_and_its_live_messages_come_in_their_place() {
    let (mut world, client, _, _) = stalled(small());
    for n in 20..25 {
        world.context().publish("h", &*format!("{n:030}"));
        world.settle();
    }
    world.context().publish("x", "not subscribed");
    let expected = [vec!["resumed h".to_owned()], numbers(0..25)].concat();
    assert_eq!(rest(&mut world, client), expected);
    world.context().publish("h", "live");
    assert_eq!(world.hear(client), ["live"]);
}

#[test]
fn stalled_follower_that_unsubscribes_gets_no_more_of_the_topic() {
    let (mut world, client, id, ids) = stalled(small());
    act(&mut world, id, "join x;leave h");
    for topic in ["h", "x"] {
        world.context().publish(topic, topic);
    }
    let heard = rest(&mut world, client);
    assert_eq!(
        (heard.first().unwrap().as_str(), heard.last().unwrap().as_str()),
        ("resumed h", "x")
    );
    // At most half of the limit had been queued before.
    assert_eq!(heard[1..heard.len() - 1], numbers(0..4));
    assert_eq!(world.context().subscribers("h"), 0);
    // Another topic goes on alone.
    let (mut world, client, id, _) = stalled(small());
    act(&mut world, id, &format!("{};leave h", from("h2", ids[0])));
    world.context().publish("h2", "second");
    let heard = rest(&mut world, client);
    assert_eq!(heard[5..], ["gap h2", "second"], "an id of another server");
}

/// A message that a follower publishes to others reaches all but the follower, now and later.
#[test]
fn follower_that_publishes_to_others_does_not_get_its_own_message() {
    for is_stalled in [false, true] {
        let (mut world, client, id, _) = stalled(small());
        let other = world.websocket("/");
        world.say(other, "join h");
        if !is_stalled {
            assert_eq!(rest(&mut world, client).len(), 21);
        }
        for n in 20..400 {
            let verb = if n % 3 == 0 { "all" } else { "others" };
            act(&mut world, id, &format!("{verb} h {n}"));
        }
        let expected: Vec<_> =
            numbers(20..400).into_iter().filter(|n| n.parse::<u32>().unwrap() % 3 == 0).collect();
        let heard = rest(&mut world, client);
        match is_stalled {
            false => assert_eq!(heard, expected),
            // Four had been queued. The last 200 are kept.
            true => {
                assert_eq!(heard[..6].concat(), "resumed h0123gap h");
                assert_eq!(heard[6..], expected[expected.len() - 67..]);
            }
        }
        let heard = world.hear(other);
        assert_eq!(texts(&heard), numbers(20..400));
    }
}

#[test]
fn follower_whose_history_is_trimmed_is_told_of_the_gap() {
    let history = History::new().messages(5);
    let mut world = world_with(small(), history, reader()).0;
    let text = |n: usize| format!("{n:030}");
    let ids = publish(world.context(), "h", [&*text(0), &text(1), &text(2), &text(3), &text(4)]);
    let client = world.websocket("/");
    world.window(client, 0);
    world.say(client, &*from("h", ids[0]));
    for n in 5..30 {
        world.context().publish("h", &*text(n));
        world.settle();
    }
    let expected: Vec<String> =
        [vec!["resumed h".to_owned()], numbers(0..4), vec!["gap h".to_owned()], numbers(25..30)]
            .concat();
    assert_eq!(rest(&mut world, client), expected);
    world.context().publish("h", "live");
    assert_eq!(world.hear(client), ["live"]);
}

/// Live messages of other topics, and those that are sent, keep their order around the replay.
#[test]
fn follower_with_a_fragmented_message_under_way_gets_history_behind_it() {
    let mut world = world();
    let ids = publish(world.context(), "h", ["one", "two"]);
    let client = world.raw_websocket("/");
    world.send(client, text(&format!("part a;{}", from("h", ids[0]))));
    assert_eq!(world.words(client), ["text a.."]);
    world.context().publish("h", "three");
    world.send(client, text("part b"));
    assert_eq!(world.words(client), ["and b.."]);
    world.send(client, text("say c"));
    assert_eq!(world.words(client), [""; 0]);
    world.send(client, text("last d"));
    let words = ["and d", "text resumed h", "text one", "text two", "text three", "text c"];
    assert_eq!(world.words(client), words);
    assert_ne!(world.server.poll_timeout(world.now), Some(Duration::ZERO));
}

#[test]
fn follower_with_a_fragmented_message_and_little_room_waits_for_its_end() {
    let (mut world, client, id, ids) = stalled(small());
    act(&mut world, id, "leave h");
    rest(&mut world, client);
    world.manual(client);
    world.send(client, text(&format!("part a;{}", from("h", ids[0]))));
    assert_eq!(world.words(client), ["text a.."]);
    world.settle();
    world.send(client, text("last b"));
    let words = world.words(client);
    assert_eq!((words.len(), &*words[0], &*words[1]), (22, "and b", "text resumed h"));
}

/// What `resumed` may do: each leaves the exchange and the other topics in order.
#[test]
fn handler_may_do_anything_in_resumed() {
    let run = |words: &'static str, catches: bool| {
        let act: OnResumed = Box::new(move |conn, topic, resume| {
            if words == "panic" {
                panic!("in resumed");
            }
            conn.send(&*format!("{} {topic}", word(resume)));
            let words = words.replace("ID", &conn.context().latest_id().to_string());
            if topic == "h1" {
                words.split(';').for_each(|words| obey(conn, words));
            }
        });
        let reader = Reader { resumed: Some(act), ..reader() };
        let (mut world, zone) = world_with(Options::new(), History::new(), reader);
        world.server.catch_panics(catches);
        let ids = publish(world.context(), "h1", ["one"]);
        world.context().publish("h2", "two");
        let client = world.websocket("/");
        world.say(client, &*format!("{};{}", from("h1", ids[0]), from("h2", ids[0])));
        world.context().publish("h1", "live");
        world.context().publish("h2", "live too");
        let heard = world.hear(client);
        let closed = world.closed(client).map(|(code, _)| code.as_u16());
        let closes = world.with(zone, |reader, _| reader.closed);
        assert_eq!(closes, usize::from(closed.is_some()), "{words}");
        assert_ne!(world.server.poll_timeout(world.now), Some(Duration::ZERO), "{words}");
        (texts(&heard).join(","), closed)
    };
    let both = "resumed h1,resumed h2,";
    let cases = [
        ("say hi", "resumed h1,hi,resumed h2,one,two,live,live too", None),
        ("all h1 more", &*format!("{both}one,two,more,live,live too"), None),
        ("others h1 more", &*format!("{both}one,two,live,live too"), None),
        ("all h3 more", &*format!("{both}one,two,live,live too"), None),
        ("join h3;all h3 more", &*format!("{both}one,two,more,live,live too"), None),
        ("leave h1", &*format!("{both}two,live too"), None),
        ("leave h2", "resumed h1,one,live", None),
        ("leave h1;leave h2", "resumed h1", None),
        ("leave h1;join h1", &*format!("{both}two,live,live too"), None),
        ("from h3 ID", &*format!("{both}resumed h3,one,two,live,live too"), None),
        ("close", "resumed h1", Some(1000)),
        ("panic", "", Some(1011)),
    ];
    for (words, expected, closed) in cases {
        assert_eq!(run(words, true), (expected.to_owned(), closed), "{words}");
    }
}

/// A handler that subscribes again whenever it is told holds neither the server nor other topics.
#[test]
fn handler_that_subscribes_again_in_resumed_goes_round_once_a_turn() {
    let act: OnResumed = Box::new(|conn, topic, resume| {
        conn.send(&*format!("{} {topic}", word(resume)));
        if topic == "h1" {
            conn.subscribe_from("h1", MessageId::default());
        }
    });
    let reader = Reader { resumed: Some(act), ..reader() };
    let (mut world, _) = world_with(Options::new(), History::new(), reader);
    world.context().publish("h2", "two");
    let client = world.raw_websocket("/");
    let zero = MessageId::default();
    world.push(client, text(&format!("{};{}", from("h1", zero), from("h2", zero))));
    for turn in 0..10 {
        world.turn();
        let words = world.words(client);
        let expected = if turn == 0 { "text gap h1,text gap h2" } else { "text gap h1" };
        assert_eq!(words.join(","), expected);
        assert_eq!(world.server.poll_timeout(world.now), Some(Duration::ZERO));
    }
    // Others are answered meanwhile.
    let quiet = world.connect();
    world.push(quiet, http::get("/"));
    world.turn();
    assert!(world.receive(quiet).starts_with(b"HTTP/1.1 200 OK"));
}

/// So does one that leaves the topic before.
#[test]
fn handler_that_leaves_and_subscribes_again_in_resumed_goes_round_once_a_turn() {
    let act: OnResumed = Box::new(|conn, topic, resume| {
        conn.send(&*format!("{} {topic}", word(resume)));
        conn.unsubscribe(topic);
        conn.subscribe_from(topic, MessageId::default());
    });
    let reader = Reader { resumed: Some(act), ..reader() };
    let (mut world, _) = world_with(Options::new(), History::new(), reader);
    let client = world.raw_websocket("/");
    world.push(client, text(&from("h1", MessageId::default())));
    for _ in 0..10 {
        world.turn();
        assert_eq!(world.words(client).join(","), "text gap h1");
    }
}

/// However a follower ends, nothing of it is left, and `topics` is complete in `close`.
#[test]
fn follower_that_ends_leaves_nothing_behind() {
    type End = fn(&mut World, Client, ConnId);
    let ends: [(&str, End); 6] = [
        ("reset", |world, client, _| world.fail(client, ErrorKind::ConnectionReset)),
        ("handler", |world, _, id| act(world, id, "close")),
        ("too slow", |world, _, id| {
            act(world, id, &format!("say {}", "x".repeat(301)));
        }),
        ("drain", |world, _, _| {
            world.server.drain(Drain::default()).unwrap();
            world.settle();
        }),
        ("silence", |world, client, _| {
            world.manual(client);
            world.advance(Duration::from_secs(120));
        }),
        ("takes all, then leaves", |world, client, _| {
            world.window(client, usize::MAX);
            world.end(client);
        }),
    ];
    for (name, end) in ends {
        let (mut world, client, id, ids) = stalled(small());
        end(&mut world, client, id);
        world.advance(Duration::from_secs(60));
        assert_eq!(world.context().subscribers("h"), 0, "{name}");
        assert_eq!(world.stats().connections, 0, "{name}");
        // Only the age of what is kept wakes the server: an hour after the last publish.
        let wait = world.server.poll_timeout(world.now).unwrap();
        assert!(wait > Duration::from_secs(3_000), "{name}: {wait:?}");
        if name != "drain" {
            // The next connection in the slot has nothing of the last.
            let client = world.websocket("/");
            world.context().publish("h", "not subscribed");
            world.say(client, "join h");
            world.context().publish("h", "live");
            assert_eq!(world.hear(client), ["live"], "{name}");
            world.say(client, &*from("h", ids[19]));
            assert_eq!(world.hear(client).len(), 4, "{name}");
        }
    }
}

/// A message that is longer than all limits still comes, alone; the limit holds for all else.
#[test]
fn replayed_messages_count_for_no_limit() {
    for policy in [
        Backpressure::Close,
        Backpressure::DropNewest,
        Backpressure::DropOldest,
        Backpressure::KeepLatest,
    ] {
        let options = Options::new().max_buffered(100).backpressure(policy);
        let (mut world, zone) = world_with(options, History::new(), reader());
        let long = "x".repeat(1_000);
        let ids = publish(world.context(), "h", [&*long, "short", &*long]);
        let client = world.websocket("/");
        // What `resumed` sends leaves, and the long message waits alone.
        world.window(client, "..resumed h".len());
        let id = world.with(zone, |reader, _| reader.opened[0]);
        act(&mut world, id, &format!("join x;{}", from("h", ids[0])));
        assert!(world.context().conn(id).unwrap().buffered() > 1_000, "{policy:?}");
        // What is live stays below the limit of 100 bytes.
        let live = "y".repeat(40);
        world.context().publish("x", &*live);
        world.settle();
        act(&mut world, id, &format!("say {live}"));
        assert_eq!(world.stats().overflowed, 0, "{policy:?}");
        // Beyond the limit, the policy applies to what is live.
        let is_over = act_and_see(&mut world, id, &format!("say {}", "z".repeat(70)));
        assert_eq!(is_over, policy == Backpressure::Close, "{policy:?}");
        world.window(client, usize::MAX);
        let heard = world.hear(client);
        let heard = texts(&heard);
        if policy == Backpressure::Close {
            assert_eq!(world.closed(client).unwrap().0, CloseCode::TRY_AGAIN);
            continue;
        }
        let replayed: Vec<_> =
            heard.iter().filter(|text| ["short", &*long].contains(text)).collect();
        assert_eq!(replayed, [&&*long, &"short", &&*long], "{policy:?}");
        assert_eq!(
            world.stats().dropped,
            if policy == Backpressure::DropNewest { 1 } else { 2 },
            "{policy:?}: {heard:?}"
        );
    }
}

fn act_and_see(world: &mut World, id: ConnId, words: &str) -> bool {
    act(world, id, words);
    world.stats().overflowed > 0
}

/// An id is no permission: the zone decides by the user of the session, whatever id comes with it.
#[test]
fn zone_decides_which_topics_an_id_opens() {
    struct Mailbox;
    impl Mailbox {
        /// The user of a session, and whether a topic is hers.
        fn may_read(user: &str, topic: &str) -> bool {
            topic == "h/all" || topic.strip_prefix("h/user/") == Some(user)
        }
    }
    impl Handler for Mailbox {
        fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
            let session = request.header("X-Session").map(ToOwned::to_owned);
            let (user, topic) = (session.unwrap_or_default(), request.suffix()[1..].to_owned());
            match Mailbox::may_read(&user, &topic) {
                true => Upgrade::new().into(),
                false => Response::text("this topic is not yours").with_status(403).into(),
            }
        }
        fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
            let id = request.query().and_then(|query| query.strip_prefix("after="));
            conn.subscribe_from(&request.suffix()[1..], id.unwrap().parse().unwrap());
        }
        fn resumed(&mut self, conn: &mut Conn<'_>, _topic: &str, resume: Resume) {
            conn.send(word(resume));
        }
    }
    let mut world = World::serving(|server| {
        server.history("h/", History::new());
        server.zone("/mail", Mailbox);
    });
    let adas = publish(world.context(), "h/user/ada", ["for ada 1", "for ada 2"]);
    let bobs = publish(world.context(), "h/user/bob", ["for bob 1", "for bob 2"]);
    let ask = |topic: &str, id: MessageId, user: &str| {
        let request = switchboard::http::Request::get(format!("/mail/{topic}?after={id}"));
        request.header("X-Session", user.to_owned())
    };
    // Each user's own id of the own topic.
    let ada = world.websocket(ask("h/user/ada", adas[1], "ada"));
    assert_eq!(world.hear(ada), ["resumed", "for ada 2"]);
    // Another user's id, and any other, brings no message of the other user.
    for id in [adas[0], adas[1], bobs[0], bobs[2], MessageId::default()] {
        let bob = world.connect();
        world.upgrade(bob, ask("h/user/ada", id, "bob"));
        assert_eq!(world.answer(bob).status, 403);
        let bob = world.websocket(ask("h/user/bob", id, "bob"));
        let heard = world.hear(bob);
        assert!(texts(&heard).iter().all(|text| !text.contains("ada")), "{heard:?}");
    }
    // An id opens nothing that the id's own topic has: it is a place in the order of all.
    let bob = world.websocket(ask("h/user/bob", adas[1], "bob"));
    assert_eq!(world.hear(bob), ["resumed", "for bob 1", "for bob 2"]);
    world.context().publish("h/user/ada", "for ada 3");
    assert!(world.hear(bob).is_empty());
    assert_eq!(world.hear(ada), ["for ada 3"]);
}

/// A prefix that is registered while followers lag behind holds for their topics from then on.
#[test]
fn follower_gets_messages_of_a_topic_whose_history_begins_meanwhile() {
    let (mut world, client, id, _) = stalled(small());
    act(&mut world, id, "join x1;join y");
    world.context().publish("x1", "before");
    world.server.history("x", History::new());
    world.context().publish("x1", "after");
    world.context().publish("y", "plain");
    let heard = rest(&mut world, client);
    assert_eq!(heard[..7].concat(), "resumed h0123beforeplain");
    assert_eq!(heard[7..23], numbers(4..20));
    assert_eq!(heard[23..], ["after"]);
    world.context().publish("x1", "live");
    assert_eq!(world.hear(client), ["live"]);
}

/// A bounded turn visits at least one follower, and leaves the others for later turns.
#[test]
fn followers_go_on_within_the_budget_of_a_turn() {
    let mut world = world();
    let ids = publish(world.context(), "h", ["one", "two"]);
    world.server.turn_budget(Some(Duration::ZERO));
    let clients: Vec<Client> = (0..10).map(|_| world.raw_websocket("/")).collect();
    for &client in &clients {
        world.push(client, text(&from("h", ids[0])));
    }
    let (mut turns, mut heard) = (0, 0);
    loop {
        world.turn();
        let served = clients.iter().filter(|client| world.words(**client).len() == 3).count();
        assert!(served <= 1, "{served} followers");
        (turns, heard) = (turns + 1, heard + served);
        if world.server.poll_timeout(world.now) != Some(Duration::ZERO) {
            break;
        }
    }
    assert!(heard == 10 && turns >= 10, "{heard} in {turns} turns");
}

/// A follower of very many topics is told of some of them in each turn, and of all before the first
/// message. An event stream gets one event for all.
#[test]
fn follower_of_very_many_topics_does_not_hold_a_turn() {
    let mut world = world();
    let mut topics: Vec<String> = (0..1000).map(|n| format!("h{n}")).collect();
    topics.sort_unstable();
    let ids = publish(world.context(), &topics[0], ["one", "two"]);
    let socket = world.raw_websocket("/");
    let commands: Vec<String> = topics.iter().map(|topic| from(topic, ids[0])).collect();
    world.push(socket, text(&commands.join(";")));
    let (mut told, mut turns) = (Vec::new(), 0);
    while told.len() < topics.len() + 2 {
        world.turn();
        let words = world.words(socket);
        assert!(words.len() <= 64 + 2, "{} in one turn", words.len());
        (told, turns) = ([told, words].concat(), turns + 1);
        assert!(turns < 100);
    }
    let expected = topics.iter().map(|topic| format!("text resumed {topic}"));
    let expected: Vec<String> = expected.chain(["text one".into(), "text two".into()]).collect();
    assert_eq!(told, expected);

    let query: Vec<String> = topics.iter().map(|topic| format!("{topic}={}", ids[0])).collect();
    let stream = world.events(&*format!("/?{}", query[..150].join("&")));
    let received = world.hear(stream);
    let events = received.iter().filter(|it| matches!(it, Received::Event { event: Some(_), .. }));
    assert_eq!(events.count(), 1);
    assert_eq!(texts(&received[received.len() - 2..]), ["one", "two"]);
}

/// Phases that get no messages ignore the call, as they ignore `subscribe`.
#[test]
fn connection_that_gets_no_messages_follows_nothing() {
    struct Other;
    impl Handler for Other {
        fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
            conn.subscribe_from("h", MessageId::default());
            match request.path() {
                "/take" => Reply::Takeover(Response::empty(200)),
                "/later" => Reply::Later,
                _ => "hello".into(),
            }
        }
        fn open(&mut self, conn: &mut Conn<'_>, _: &Request<'_>) {
            conn.subscribe_from("h", MessageId::default());
        }
        fn resumed(&mut self, _: &mut Conn<'_>, topic: &str, resume: Resume) {
            panic!("{topic}: {resume:?}");
        }
    }
    let mut world = World::serving(|server| {
        server.history("h", History::new());
        server.zone("/", Other);
    });
    world.context().publish("h", "one");
    for path in ["/", "/take", "/later"] {
        let client = world.connect();
        world.write(client, http::get(path));
        assert_eq!(world.context().subscribers("h"), 0, "{path}");
        assert_ne!(world.server.poll_timeout(world.now), Some(Duration::ZERO));
    }
}
