//! Where resume meets what else a server does with the same messages: the latest only, a prefix
//! that another reactor registers, settings that change, closures of several clusters.

mod common;

use std::io::ErrorKind;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::seconds;
use switchboard::testing::{Client, World};
use switchboard::{
    Backpressure, Cluster, Conn, EventStream, Handler, History, Message, MessageId, Options, Reply,
    Request, Resume, Server, Upgrade,
};

fn texts(world: &mut World, client: Client) -> Vec<String> {
    world.hear(client).iter().map(|received| received.text().to_owned()).collect()
}

/// A stalled event stream gets the latest only. A client that is cut off after any event goes on by
/// the id of that event, and has the latest message of each topic.
#[test]
fn stream_of_the_latest_only_resumes_after_any_event() {
    let mut world = World::new();
    world.server.history("h", History::new());
    world.server.options(Options::new().backpressure(Backpressure::KeepLatest));
    world.server.http("/", |_, _| EventStream::new().topic("h1").topic("h2"));
    let client = world.connect();
    world.write(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    world.window(client, 0);
    for (topic, text) in [("h1", "a0"), ("h1", "a1"), ("h2", "b2"), ("h1", "a3")] {
        world.context().publish(topic, text);
        world.settle();
    }
    world.window(client, usize::MAX);
    let bytes = String::from_utf8(world.read(client)).unwrap();
    let mut last = MessageId::default();
    for id in bytes.lines().filter_map(|line| line.strip_prefix("id: ")) {
        let id: MessageId = id.parse().unwrap();
        assert!(id > last, "an earlier message behind a later one is lost to a resume: {bytes}");
        last = id;
    }
    assert!(bytes.contains("data: a3") && bytes.contains("data: b2"), "{bytes}");
    assert_eq!(world.context().stats().replaced, 2, "{bytes}");
}

struct Room;

impl Handler for Room {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { return };
        match &*text.splitn(3, ' ').collect::<Vec<_>>() {
            ["join", topic] => conn.subscribe(topic),
            ["from", topic, id] => conn.subscribe_from(topic, id.parse().unwrap()),
            other => panic!("{other:?}"),
        }
    }
    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        let word = if resume == Resume::Resumed { "resumed" } else { "gap" };
        conn.send(&format!("{word} {topic}"));
    }
}

/// A follower that lags behind gets what is published to a topic whose prefix another reactor
/// registers meanwhile, by whichever way its reactor takes the message.
#[test]
fn follower_gets_messages_of_a_topic_whose_history_begins_at_another_reactor() {
    for own_publish in [false, true] {
        let mut cluster = Cluster::new(2);
        let mut worlds = [(); 2].map(|()| {
            let mut server = Server::detached();
            cluster.join(&mut server).unwrap();
            server.options(Options::new().max_buffered(300));
            server.history("h", History::new());
            server.zone("/", Room);
            World::over(server)
        });
        let start = worlds[1].context().latest_id();
        for n in 0..20 {
            worlds[1].context().publish("h", &*format!("{n:030}"));
        }
        let client = worlds[1].websocket("/");
        worlds[1].say(client, "join x1");
        worlds[1].window(client, 0);
        worlds[1].say(client, &*format!("from h {start}"));
        worlds[0].server.history("x", History::new());
        worlds[0].context().publish("x1", "of the other");
        if own_publish {
            worlds[1].context().publish("x1", "own");
        }
        worlds.iter_mut().for_each(World::settle);
        worlds[1].window(client, usize::MAX);
        let heard = texts(&mut worlds[1], client);
        assert!(heard.iter().any(|text| text == "of the other"), "{heard:?}");
        assert_eq!(heard.iter().any(|text| text == "own"), own_publish, "{heard:?}");
        assert_eq!(heard.len(), 22 + usize::from(own_publish), "{heard:?}");
    }
}

/// A reactor that was too slow has its members go on after a gap. They get the messages of all
/// their topics in one order: after any of them a resume misses nothing.
#[test]
fn members_of_several_topics_keep_their_order_across_a_gap() {
    let mut cluster = Cluster::new(2);
    let mut worlds = [(); 2].map(|()| {
        let mut server = Server::detached();
        cluster.join(&mut server).unwrap();
        server.history("h", History::new());
        server.zone("/", Room);
        World::over(server)
    });
    let client = worlds[1].websocket("/");
    worlds[1].say(client, "join h1");
    worlds[1].say(client, "join h2");
    let long = "x".repeat(100 << 10);
    worlds[0].context().publish_with("h2", |id| format!("{id} first"));
    for _ in 0..200 {
        worlds[0].context().publish_with("h1", |id| format!("{id} {long}"));
    }
    worlds[0].context().publish_with("h1", |id| format!("{id} short"));
    worlds[0].context().publish_with("h2", |id| format!("{id} other"));
    let last = worlds[1].context().publish_with("h1", |id| format!("{id} own"));
    worlds.iter_mut().for_each(World::settle);
    let heard = texts(&mut worlds[1], client);
    let first = |text: &String| text.split(' ').next().unwrap().to_owned();
    let words: Vec<String> = heard.iter().map(first).collect();
    let ids: Vec<MessageId> = words.iter().filter_map(|word| word.parse().ok()).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{words:?}");
    assert!(words.contains(&"gap".to_owned()), "{words:?}");
    assert_eq!(ids.last(), Some(&last));
    assert_eq!(heard.iter().filter(|text| text.ends_with("other")).count(), 1, "{words:?}");
    assert_eq!(heard.iter().filter(|text| text.ends_with("first")).count(), 1, "{words:?}");
}

/// New settings also hold for a topic that keeps nothing at the moment.
#[test]
fn shorter_age_holds_for_a_topic_that_keeps_nothing() {
    let mut world = World::new();
    world.server.history("h", History::new().bytes(1000).age(Duration::MAX));
    world.context().publish("h", &*"x".repeat(2000));
    world.server.history("h", History::new().bytes(1000).age(seconds(10)));
    world.context().publish("h", "short");
    assert_eq!(world.context().stats().history_messages, 1);
    world.advance(seconds(60));
    assert_eq!(world.context().stats().history_messages, 0);
    world.advance(seconds(600));
    assert_eq!(world.context().stats().history_topics, 0);
}

/// A closure of `publish_with` that runs within one of another cluster still does not wait for the
/// lock that its own thread holds.
#[test]
fn closure_within_a_closure_of_another_cluster_is_told() {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let mut worlds = [(); 2].map(|()| {
            let mut cluster = Cluster::new(1);
            let mut server = Server::detached();
            cluster.join(&mut server).unwrap();
            server.history("h", History::new());
            (World::over(server), cluster.handle())
        });
        let [(one, handle), (two, _)] = &mut worlds;
        let mut outcome = None;
        one.context().publish_with("h", |_| {
            two.context().publish_with("h", |_| {
                outcome = Some(handle.publish("h", "inner").map_err(|error| error.kind()));
                "two"
            });
            "one"
        });
        done.send(outcome).unwrap();
    });
    let outcome = wait.recv_timeout(Duration::from_secs(5));
    assert_eq!(outcome, Ok(Some(Err(ErrorKind::Deadlock))));
}
