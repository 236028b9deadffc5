//! Topics that keep messages: which subscribers get a message live, with which id, what the
//! counters show, and when the server wakes to forget.

use std::time::Duration;

use switchboard::testing::{Received, World};
use switchboard::{
    Conn, EventStream, Handler, History, Message, MessageId, Outgoing, Reply, Request, Upgrade,
};

/// Subscribes each WebSocket and event stream to the topic that its path names.
struct Room;

impl Handler for Room {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        conn.subscribe(&request.path()[1..]);
    }
}

fn world() -> World {
    let mut world = World::new();
    world.server.history("room/", History::new());
    world.server.zone("/", Room);
    world
}

fn event(id: Option<MessageId>, data: &str) -> Received {
    Received::Event { event: None, id: id.map(|id| id.to_string()), data: data.to_owned() }
}

#[test]
fn subscribers_get_kept_messages_live_and_events_have_their_id() {
    let mut world = world();
    let ada = world.websocket("/room/1");
    let bob = world.events("/room/1");
    let eve = world.events("/other");
    let cx = world.context();
    cx.publish("room/1", Outgoing::text("one").id("ignored"));
    let one = cx.latest_id();
    let two = cx.publish_with("room/1", |id| format!("two is {id}"));
    let three = cx.publish_with("other", |id| format!("three is {id}"));
    assert!(one < two && two < three);
    assert_eq!((one.a(), one.b() + 2), (three.a(), three.b()));
    let text = format!("two is {two}");
    assert_eq!(world.hear(ada), ["one", &text]);
    assert_eq!(world.hear(bob), [event(Some(one), "one"), event(Some(two), &text)]);
    assert_eq!(world.hear(eve), [event(None, &format!("three is {three}"))]);
}

/// A publish to others is kept for all.
#[test]
fn message_to_others_is_kept() {
    let mut world = World::new();
    world.server.history("room/", History::new());
    world.server.websocket("/", |conn, message| {
        conn.subscribe("room/1");
        conn.publish_to_others("room/1", message);
    });
    let (ada, bob) = (world.websocket("/"), world.websocket("/"));
    world.say(bob, "one");
    world.say(ada, "two");
    assert_eq!(world.hear(bob), ["two"]);
    assert_eq!(world.hear(ada), [""; 0]);
    assert_eq!(world.context().stats().history_messages, 2);
}

/// A closure may return any kind of message, owned or borrowed.
#[test]
fn message_with_its_id_may_be_of_any_type() {
    let mut world = world();
    let ada = world.websocket("/room/1");
    let cx = world.context();
    let owned = String::from("borrowed");
    let ids = [
        cx.publish_with("room/1", |_| &*owned),
        cx.publish_with("room/1", |_| &owned),
        cx.publish_with("room/1", |id| id.to_string()),
        cx.publish_with("room/1", |id| id.to_string().into_bytes()),
        cx.publish_with("room/1", |_| b"bytes"),
        cx.publish_with("room/1", |_| Message::Text("message")),
        cx.publish_with("room/1", |_| Outgoing::text("outgoing").event("name").key("key")),
        cx.publish_with("room/1", |_| std::borrow::Cow::Borrowed("cow")),
        cx.publish_with("room/1", |_| Box::<str>::from("box")),
    ];
    assert!(ids.is_sorted_by(|one, two| one < two));
    let (third, fourth) = (ids[2].to_string(), ids[3].to_string());
    let texts = [Message::Text("borrowed"), Message::Text("borrowed"), Message::Text(&third)];
    let bytes = [Message::Binary(fourth.as_bytes()), Message::Binary(b"bytes")];
    let rest = ["message", "outgoing", "cow", "box"].map(Message::Text);
    let expected: Vec<Message<'_>> = texts.into_iter().chain(bytes).chain(rest).collect();
    assert_eq!(world.hear(ada), *expected);
}

#[test]
fn server_without_history_gives_no_id_but_those_asked_for() {
    let mut world = World::new();
    world.server.zone("/", Room);
    let ada = world.events("/room/1");
    world.context().publish("room/1", "one");
    assert_eq!(world.context().latest_id(), MessageId::default());
    let two = world.context().publish_with("room/1", |_| "two");
    assert_eq!((world.context().latest_id(), two.b()), (two, 1));
    assert_eq!(world.hear(ada), [event(None, "one"), event(None, "two")]);
    let stats = world.context().stats();
    assert_eq!((stats.history_topics, stats.history_bytes), (0, 0));
}

#[test]
fn two_servers_have_two_epochs() {
    let ids = [0; 2].map(|_| world().context().latest_id());
    assert_ne!(ids[0].a(), ids[1].a());
    assert!(ids.iter().all(|id| id.a() != 0 && id.b() == 0));
}

/// A trimmed message counts while a slow reader still has to get it.
#[test]
fn counters_show_what_waits_for_a_slow_reader() {
    let mut world = World::new();
    world.server.history("room/", History::new().messages(2));
    world.server.zone("/", Room);
    let (slow, quick) = (world.websocket("/room/1"), world.events("/room/1"));
    world.window(slow, 0);
    let text = "x".repeat(1_000 - 256 - 4);
    for _ in 0..10 {
        world.context().publish("room/1", &*text);
        world.settle();
    }
    let stats = world.context().stats();
    assert_eq!((stats.history_topics, stats.history_messages), (1, 2));
    assert_eq!(stats.history_bytes, 320 + "room/1".len() + 2 * 1_000);
    assert_eq!(stats.history_queued_bytes, 8 * 1_000);
    let text = stats.to_prometheus();
    for line in [
        "switchboard_history_topics 1",
        "switchboard_history_messages 2",
        "switchboard_history_bytes 2326",
        "switchboard_history_queued_bytes 8000",
        "switchboard_history_evicted_total 0",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}");
    }
    assert_eq!(world.hear(quick).len(), 10);
    // The reader takes six messages and a part of one; then it is cut.
    world.window(slow, 5_000);
    assert_eq!(world.context().stats().history_queued_bytes, 2_000);
    world.end(slow);
    assert_eq!(world.context().stats().history_queued_bytes, 0);
}

/// What is read is a copy: a program may publish while it reads.
#[test]
fn what_is_kept_can_be_published_again_while_it_is_read() {
    let mut world = world();
    let cx = world.context();
    cx.publish("room/1", "one");
    cx.publish("room/1", "two");
    for kept in cx.kept("room/1", MessageId::default()) {
        cx.publish("room/1", kept.message());
        cx.publish("room/2", kept.message());
    }
    assert_eq!(cx.kept("room/1", MessageId::default()).count(), 4);
    assert_eq!(cx.kept("room/2", MessageId::default()).count(), 2);
}

/// The waits of a loop around a server that has nothing else to do, for a time.
fn wakes(world: &mut World, time: Duration) -> usize {
    let (end, mut wakes) = (world.now + time, 0);
    while let Some(wait) = world.server.poll_timeout(world.now)
        && world.now + wait <= end
    {
        world.now += wait;
        world.turn();
        wakes += 1;
    }
    world.now = end;
    wakes
}

#[test]
fn idle_server_wakes_seldom_and_gives_memory_back() {
    let hour = Duration::from_secs(3_600);
    let mut world = World::new();
    assert_eq!(world.server.poll_timeout(world.now), None);
    world.server.history("room/", History::new());
    assert_eq!(world.server.poll_timeout(world.now), None, "nothing is kept");
    for second in 0..300 {
        world.context().publish(&format!("room/{}", second % 100), "text");
        world.advance(Duration::from_secs(1));
    }
    let wait = world.server.poll_timeout(world.now).unwrap();
    assert!(wait > hour - Duration::from_secs(301), "{wait:?}");
    assert!((4..=7).contains(&wakes(&mut world, 2 * hour)), "300 messages in 300 s");
    let stats = world.context().stats();
    assert_eq!((stats.history_topics, stats.history_messages, stats.history_bytes), (0, 0, 0));
    assert_eq!(world.server.poll_timeout(world.now), None);
}

/// A busy topic costs an idle server no more than a quiet one.
#[test]
fn busy_topic_is_checked_about_once_in_the_time_that_it_keeps_a_message() {
    let mut world = World::new();
    let history = History::new().messages(5).age(Duration::from_secs(600));
    world.server.history("room/", history);
    let mut woken = 0;
    for _ in 0..6_000 {
        world.context().publish("room/1", "text");
        world.turn();
        woken += wakes(&mut world, Duration::from_secs(1));
    }
    assert!((9..=11).contains(&woken), "{woken} in ten times the age");
}
