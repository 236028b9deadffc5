//! Topics over memory: which connection receives which message, exactly, while connections come, go
//! and reuse slots; and what handlers keep for each connection.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use common::frames::{close, text};
use common::{Bytes, Client, Log, Recorder, World, cases};
use proptest::prelude::*;
use switchboard::Message::{Binary, Text};
use switchboard::{
    CloseCode, Conn, ConnId, ConnMap, EventStream, Handler, Message, Outgoing, Request, Server,
    Upgrade, ZoneId,
};

/// Does what messages say: `join a`, `leave a`, `all a ..`, `others a ..`, `close`, `fail`.
fn obey(conn: &mut Conn<'_>, message: Message<'_>) {
    let words = String::from_utf8_lossy(message.as_bytes()).into_owned();
    let mut words = words.splitn(3, ' ');
    let (verb, topic, what) =
        (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
    match verb {
        "join" => conn.subscribe(topic),
        "leave" => conn.unsubscribe(topic),
        "all" => conn.publish(topic, what),
        "others" => conn.publish_to_others(topic, what),
        "topics" => {
            let topics = conn.topics().collect::<Vec<_>>().join(" ");
            conn.send(&topics);
        }
        _ => conn.close(CloseCode::NORMAL, ""),
    }
}

fn obedient(log: &Log) -> World {
    let farewell = |conn: &mut Conn<'_>, code: u16| {
        let topics: Vec<_> = conn.topics().map(str::to_owned).collect();
        for topic in topics {
            let count = conn.context().subscribers(&topic);
            conn.publish_to_others(&topic, &format!("left {topic} with {code} of {count}"));
        }
    };
    let recorder = Recorder::new(log).message(obey).close(farewell).request(|_, request| {
        if request.is_websocket() {
            Upgrade::new().into()
        } else {
            switchboard::Reply::from(EventStream::new())
        }
    });
    let recorder = recorder.open(|conn, request| {
        for topic in request.path().split('/').filter(|topic| !topic.is_empty()) {
            conn.subscribe(topic);
        }
    });
    World::serving(|server| {
        server.zone("/", recorder);
    })
}

fn count(sim: &mut World, topic: &str) -> usize {
    sim.server.context(sim.now).subscribers(topic)
}

#[test]
fn topic_reaches_its_subscribers_once_each() {
    let mut sim = obedient(&Log::new());
    let (one, two, three) = (sim.websocket("/"), sim.websocket("/"), sim.websocket("/"));
    sim.write(one, [text("join a"), text("join a"), text("join b"), text("topics")].concat());
    assert_eq!(sim.hear(one), ["b a"], "twice is once, the latest first");
    sim.say(two, "join a");
    assert_eq!((count(&mut sim, "a"), count(&mut sim, "b"), count(&mut sim, "c")), (2, 1, 0));

    sim.say(one, "all a hello");
    assert_eq!(sim.hear(one), ["hello"]);
    assert_eq!(sim.hear(two), ["hello"]);
    sim.say(one, "others a psst");
    assert!(sim.hear(one).is_empty());
    assert_eq!(sim.hear(two), ["psst"]);
    sim.write(three, [text("all a from outside"), text("all nobody x"), text("leave a")].concat());
    assert_eq!(sim.hear(one), ["from outside"]);
    assert!(sim.hear(three).is_empty());
    sim.hear(two);

    sim.write(one, [text("leave a"), text("leave a"), text("all a bye"), text("topics")].concat());
    assert_eq!(sim.hear(one), ["b"]);
    assert_eq!(sim.hear(two), ["bye"]);
    assert_eq!((count(&mut sim, "a"), count(&mut sim, "b")), (1, 1));
}

#[test]
fn topic_message_keeps_its_place_among_the_others() {
    let mut sim = World::serving(|server| {
        server.websocket("/", |conn: &mut Conn<'_>, _| {
            conn.subscribe("a");
            conn.send("before");
            conn.publish("a", "published");
            conn.send("after");
        });
    });
    let client = sim.websocket("/");
    sim.say(client, "");
    assert_eq!(sim.hear(client), ["before", "published", "after"]);
}

/// However a connection ends, its topics and their counts still stand in `close`, and not after it.
#[test]
fn topics_stand_until_close_has_returned() {
    type End = fn(&mut World, Client);
    let ends: [(&str, End); 5] = [
        ("1000", |sim, client| sim.send(client, close(1000, ""))),
        ("1000", |sim, client| sim.send(client, [text("close"), close(1000, "")].concat())),
        ("1002", |sim, client| sim.send(client, [0xF1, 0x80])),
        ("1006", |sim, client| sim.end(client)),
        ("1006", |sim, client| sim.fail(client, ErrorKind::ConnectionReset)),
    ];
    for (code, end) in ends {
        let mut sim = obedient(&Log::new());
        let (one, two) = (sim.raw_websocket("/a/b"), sim.websocket("/b"));
        end(&mut sim, one);
        assert_eq!(sim.hear(two), [format!("left b with {code} of 2")]);
        assert_eq!((count(&mut sim, "a"), count(&mut sim, "b")), (0, 1));
    }
}

#[test]
fn topic_is_heard_by_a_closing_connection_no_more() {
    let mut sim = obedient(&Log::new());
    let (one, two) = (sim.raw_websocket("/a"), sim.websocket("/"));
    assert_eq!(sim.ask_words(one, text("close")), ["close 1000"]);
    sim.say(two, "all a x");
    assert_eq!((sim.receive(one), count(&mut sim, "a")), (vec![], 1));
    sim.send(one, close(1000, ""));
    assert_eq!(count(&mut sim, "a"), 0);
}

#[test]
fn topic_reaches_websockets_and_event_streams_alike() {
    let mut sim = obedient(&Log::new());
    let (socket, stream) = (sim.websocket("/news"), sim.raw_events("/news"));
    assert_eq!(count(&mut sim, "news"), 2);
    let cx = sim.context();
    cx.publish("news", Outgoing::text("two\nlines").event("weather").id("7"));
    cx.publish("news", Outgoing::binary(b"bytes"));
    cx.publish("news", "plain");
    assert_eq!(sim.hear(socket), [Text("two\nlines"), Binary(b"bytes"), Text("plain")]);
    let events = String::from_utf8(sim.read(stream)).expect("events are text");
    assert_eq!(events, "event: weather\nid: 7\ndata: two\ndata: lines\n\ndata: plain\n\n");
    sim.end(stream);
    assert_eq!(count(&mut sim, "news"), 1);
    assert_eq!(sim.hear(socket), ["left news with 1006 of 2"]);
}

#[test]
fn topic_cannot_be_joined_by_a_plain_exchange() {
    let mut sim = World::serving(|server| {
        server.http("/", |conn, _| {
            conn.subscribe("a");
            "no"
        });
    });
    let client = sim.connect();
    sim.request(client, "/");
    assert_eq!(sim.answer(client).text(), "no");
    assert_eq!(count(&mut sim, "a"), 0);
}

#[test]
fn conn_id_of_an_ended_exchange_names_nothing_in_its_old_slot() {
    let log = Log::new();
    let mut sim = obedient(&log);
    let old = sim.raw_websocket("/a");
    let old_id = log.last_id();
    sim.end(old);
    let new = sim.raw_websocket("/b");
    let new_id = log.last_id();
    assert_eq!(sim.token(old), sim.token(new), "the slot is taken again");
    let cx = sim.server.context(sim.now);
    assert!(cx.conn(old_id).is_none() && cx.conn(new_id).is_some());
    cx.send(old_id, "stale");
    cx.respond(old_id, switchboard::Response::text("stale"));
    cx.upgrade(old_id, Upgrade::new());
    sim.settle();
    assert_eq!(sim.receive(new), b"");

    // A name outlives an exchange on the same connection too.
    let mut sim = World::new();
    let mut ids = Vec::new();
    let zone = sim.server.zone("/", Ids::default());
    let client = sim.connect();
    for _ in 0..3 {
        sim.ask(client, common::http::get("/"));
        sim.server.with(zone, sim.now, |handler, cx| {
            ids.extend(handler.0.take());
            assert!(ids.iter().all(|id| cx.conn(*id).is_none()));
        });
    }
    assert_eq!(BTreeSet::from_iter(ids).len(), 3);
}

#[derive(Default)]
struct Ids(Option<ConnId>);

impl Handler for Ids {
    fn request(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>) -> switchboard::Reply {
        self.0 = Some(conn.id());
        "x".into()
    }
}

#[test]
fn conn_map_holds_what_belongs_to_a_connection() {
    let log = Log::new();
    let mut sim = obedient(&log);
    let mut map = ConnMap::new();
    let join = |sim: &mut World| (sim.raw_websocket("/"), log.last_id());
    let ((one, first), (_, second)) = (join(&mut sim), join(&mut sim));
    assert_eq!(
        (map.insert(first, 1), map.insert(second, 2), map.insert(first, 10)),
        (None, None, Some(1))
    );
    assert_eq!((map.get(first), map.get(second), map.len()), (Some(&10), Some(&2), 2));
    assert_eq!(map.get_mut(second), Some(&mut 2));
    sim.end(one);
    let (_, third) = join(&mut sim);
    assert_eq!(map.get(third), None, "the slot is the same, the connection is not");
    assert_eq!(map.remove(third), None);
    assert_eq!(map.insert(third, 3), None, "what was left behind is dropped");
    assert_eq!(map.remove(first), None);
    assert_eq!((map.get(first), map.len()), (None, 2));
    assert_eq!(BTreeMap::from_iter(map.iter()), BTreeMap::from_iter([(second, &2), (third, &3)]));
    map.iter_mut().for_each(|(_, value)| *value += 1);
    assert_eq!((map.remove(second), map.remove(third), map.is_empty()), (Some(3), Some(4), true));
}

/// One step of many that connections take.
#[derive(Clone, Debug)]
enum Act {
    Join(usize, usize),
    Leave(usize, usize),
    Publish(usize, usize),
    Open,
    End(usize),
    Reset(usize),
    Close(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let (who, topic) = (0..8usize, 0..4usize);
    prop_oneof![
        6 => (who.clone(), topic.clone()).prop_map(|(who, topic)| Act::Join(who, topic)),
        2 => (who.clone(), topic.clone()).prop_map(|(who, topic)| Act::Leave(who, topic)),
        4 => (who.clone(), topic).prop_map(|(who, topic)| Act::Publish(who, topic)),
        4 => Just(Act::Open),
        1 => who.clone().prop_map(Act::End),
        1 => who.clone().prop_map(Act::Reset),
        1 => who.prop_map(Act::Close),
    ]
}

/// Which client should receive what, kept in the plainest way.
#[derive(Default)]
struct Model {
    open: Vec<(Client, BTreeSet<usize>)>,
}

impl Model {
    fn at(&mut self, who: usize) -> Option<&mut (Client, BTreeSet<usize>)> {
        let len = self.open.len().max(1);
        self.open.get_mut(who % len)
    }

    fn act(&mut self, sim: &mut World, act: &Act) {
        match *act {
            Act::Open if self.open.len() < 8 => {
                self.open.push((sim.websocket("/"), BTreeSet::new()))
            }
            Act::Open => {}
            Act::Join(who, topic) | Act::Leave(who, topic) | Act::Publish(who, topic) => {
                let Some((client, topics)) = self.at(who) else { return };
                let verb = match act {
                    Act::Join(..) => {
                        topics.insert(topic);
                        "join"
                    }
                    Act::Leave(..) => {
                        topics.remove(&topic);
                        "leave"
                    }
                    _ => "all",
                };
                let client = *client;
                sim.say(client, &format!("{verb} {topic} x"));
                if verb == "all" {
                    self.hear(sim, topic);
                }
            }
            Act::End(who) | Act::Reset(who) | Act::Close(who) => {
                if self.open.is_empty() {
                    return;
                }
                let (client, _) = self.open.swap_remove(who % self.open.len());
                match act {
                    Act::End(_) => sim.end(client),
                    Act::Reset(_) => sim.fail(client, ErrorKind::ConnectionReset),
                    _ => sim.close(client, CloseCode::NORMAL, ""),
                }
                assert!(sim.is_gone(client));
            }
        }
    }

    fn hear(&mut self, sim: &mut World, topic: usize) {
        for (client, topics) in &self.open {
            let expected = if topics.contains(&topic) { &["x"][..] } else { &[] };
            assert_eq!(sim.hear(*client), expected);
        }
    }

    fn check(&self, sim: &mut World) {
        for topic in 0..4 {
            let members = self.open.iter().filter(|(_, topics)| topics.contains(&topic)).count();
            assert_eq!(count(sim, &topic.to_string()), members, "subscribers of {topic}");
        }
        assert_eq!(sim.stats().websockets, self.open.len());
    }
}

proptest! {
    #![proptest_config(cases(48))]

    /// FIELD row 26: the subscribers are the open connections that joined, whatever happened and
    /// whichever connection reused a slot.
    #[test]
    fn field_row_26_topics_have_exactly_the_members_that_joined(
        acts in prop::collection::vec(act(), 1..250),
    ) {
        let mut sim = World::serving(|server: &mut Server| {
            let _zone: ZoneId<_> = server.websocket("/", obey);
        });
        let mut model = Model::default();
        for act in &acts {
            model.act(&mut sim, act);
            model.check(&mut sim);
        }
    }
}
