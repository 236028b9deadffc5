//! The history of a cluster, over servers in memory: one order of all messages at every reactor,
//! nothing lost and nothing twice, for subscribers that stay and for those that go on elsewhere.

mod common;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use common::seconds;
use switchboard::testing::{Client, World};
use switchboard::{
    Cluster, ClusterHandle, Conn, EventStream, Handler, History, LongPoll, Message, MessageId,
    Outgoing, Resume, Server, Stats, Transport,
};

/// Does what a client says: `join TOPIC`, `from ID TOPIC..`, `to-others TOPIC TEXT`. Tells from
/// where a topic goes on: `resumed TOPIC`, `gap TOPIC OLDEST`.
struct Room;

impl Handler for Room {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { return };
        match &*text.splitn(3, ' ').collect::<Vec<_>>() {
            ["join", topic] => conn.subscribe(topic),
            ["from", id, topics] => {
                let id = id.parse().unwrap();
                topics.split(' ').for_each(|topic| conn.subscribe_from(topic, id));
            }
            ["to-others", topic, text] => conn.publish_to_others(topic, *text),
            other => panic!("{other:?}"),
        }
    }

    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        match resume {
            Resume::Gap { oldest } => conn.send(&format!("gap {topic} {oldest}")),
            _ => conn.send(&format!("resumed {topic}")),
        }
    }
}

/// The servers of a cluster, each in a world of its own, with all messages in their order.
struct Sim {
    worlds: Vec<World>,
    handle: ClusterHandle,
    published: Vec<Published>,
}

#[derive(Clone, Debug)]
struct Published {
    id: MessageId,
    topic: String,
    text: String,
}

fn joined(reactors: usize, set_up: impl Fn(&mut Server)) -> (Vec<World>, ClusterHandle) {
    let mut cluster = Cluster::new(reactors);
    let handle = cluster.handle();
    let worlds = (0..reactors).map(|_| {
        let mut server = Server::detached();
        cluster.join(&mut server).unwrap();
        server.zone("/", Room);
        set_up(&mut server);
        World::over(server)
    });
    (worlds.collect(), handle)
}

impl Sim {
    fn new(reactors: usize, history: History) -> Sim {
        let (worlds, handle) = joined(reactors, |server| server.history("room/", history));
        Sim { worlds, handle, published: Vec::new() }
    }

    fn join(&mut self, at: usize, topics: &[&str]) -> Client {
        let client = self.worlds[at].websocket("/");
        for topic in topics {
            self.worlds[at].say(client, &format!("join {topic}"));
        }
        client
    }

    fn publish(&mut self, at: usize, topic: &str, text: &str) {
        self.worlds[at].context().publish(topic, text);
        let id = self.worlds[at].context().latest_id();
        self.note(id, topic, text);
    }

    fn note(&mut self, id: MessageId, topic: &str, text: &str) {
        self.published.push(Published { id, topic: topic.to_owned(), text: text.to_owned() });
    }

    fn settle(&mut self) {
        self.worlds.iter_mut().for_each(World::settle);
    }

    fn hear(&mut self, at: usize, client: Client) -> Vec<String> {
        let heard = self.worlds[at].hear(client);
        heard.iter().map(|message| message.text().to_owned()).collect()
    }

    fn stats(&mut self) -> Stats {
        self.worlds.iter_mut().map(|world| world.context().stats()).sum()
    }
}

#[test]
fn every_subscriber_of_any_reactor_gets_one_order() {
    let mut sim = Sim::new(3, History::new());
    let clients: Vec<Client> = (0..3).map(|at| sim.join(at, &["room/1", "room/2"])).collect();
    for number in 0..30 {
        // No reactor has a turn meanwhile.
        let topic = if number % 4 == 0 { "room/2" } else { "room/1" };
        sim.publish(number * 2 % 3, topic, &number.to_string());
    }
    let ids: Vec<MessageId> = sim.published.iter().map(|published| published.id).collect();
    assert!(ids.is_sorted_by(|one, two| one.a() == two.a() && one.b() + 1 == two.b()));
    sim.settle();
    let expected: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    for (at, client) in clients.into_iter().enumerate() {
        assert_eq!(sim.hear(at, client), expected, "at {at}");
    }
}

#[test]
fn more_than_a_topic_keeps_reaches_a_reactor_that_is_slow() {
    let mut sim = Sim::new(2, History::new().messages(2));
    let slow = sim.join(1, &["room/1"]);
    for number in 0..1_000 {
        sim.publish(0, "room/1", &number.to_string());
    }
    let expected: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    assert_eq!(sim.hear(1, slow), expected);
}

#[test]
fn publishers_of_all_kinds_share_one_sequence() {
    let mut sim = Sim::new(2, History::new());
    let (one, two) = (sim.join(0, &["room/1"]), sim.join(1, &["room/1"]));
    let first = sim.worlds[0].context().publish_with("room/1", |id| format!("a {id}"));
    sim.handle.publish("room/1", "b").unwrap();
    let third = sim.worlds[1].context().publish_with("room/1", |id| format!("c {id}"));
    sim.worlds[1].say(two, "to-others room/1 d");
    // No message of this topic is kept, and it has an id all the same.
    let fifth = sim.worlds[0].context().publish_with("other", |id| id.to_string());
    assert_eq!([third, fifth].map(MessageId::b), [first.b() + 2, first.b() + 4]);
    assert_eq!([third, fifth].map(MessageId::a), [first.a(); 2]);
    sim.settle();
    let (a, c) = (format!("a {first}"), format!("c {third}"));
    assert_eq!(sim.hear(0, one), [&*a, "b", &*c, "d"]);
    assert_eq!(sim.hear(1, two), [&*a, "b", &*c], "not what it published to others");
    assert_eq!(sim.stats().not_passed_on, 0);
}

#[test]
fn event_streams_of_other_reactors_get_ids() {
    use switchboard::testing::Received;
    let (mut worlds, _) = joined(2, |server| server.history("room/", History::new()));
    struct Stream;
    impl Handler for Stream {
        fn request(
            &mut self,
            _: &mut Conn<'_>,
            _: &mut switchboard::Request<'_>,
        ) -> switchboard::Reply {
            switchboard::EventStream::new().into()
        }
        fn open(&mut self, conn: &mut Conn<'_>, _: &switchboard::Request<'_>) {
            conn.subscribe("room/1");
        }
    }
    worlds[1].server.zone("/events", Stream);
    let stream = worlds[1].events("/events");
    let message = Outgoing::text("hello").event("greeting").id("an id of the program's own");
    worlds[0].context().publish("room/1", message);
    let id = worlds[0].context().latest_id().to_string();
    worlds[1].settle();
    let (event, data) = (Some("greeting".to_owned()), "hello".to_owned());
    assert_eq!(worlds[1].hear(stream), [Received::Event { event, id: Some(id), data }]);
}

/// A reactor stands at one id for all its topics, and its own publish comes behind all before.
#[test]
fn latest_id_is_what_the_subscribers_of_this_reactor_have_had() {
    let mut sim = Sim::new(2, History::new());
    let client = sim.join(1, &["room/1"]);
    let before = sim.worlds[1].context().latest_id();
    sim.publish(0, "room/1", "one");
    let after = sim.worlds[0].context().latest_id();
    assert_eq!(sim.worlds[1].context().latest_id(), before, "it has not had a turn");
    sim.publish(1, "room/2", "own");
    assert!(sim.worlds[1].context().latest_id() > after);
    assert_eq!(sim.hear(1, client), ["one"]);
}

#[test]
fn long_poll_gets_what_other_reactors_publish() {
    let (mut worlds, _) = joined(2, |server| {
        server.history("room/", History::new());
        server.http("/poll", |_, _| LongPoll::new().topic("room/1"));
    });
    let mut first = worlds[0].context().latest_id();
    let publish = |worlds: &mut [World], text: &str| {
        worlds[0].context().publish_with("room/1", |_id| text.to_owned())
    };
    let one = publish(&mut worlds, "one");
    // No connection of the other reactor was a member so far.
    let poll = |worlds: &mut [World], after: MessageId| {
        let client = worlds[1].connect();
        worlds[1].request(client, &format!("/poll?after={after}"));
        client
    };
    let client = poll(&mut worlds, first);
    let text = worlds[1].answer(client).text().to_owned();
    assert!(text.contains("\"data\":\"one\"") && text.contains(&format!("\"next\":\"{one}\"")));
    let waits = poll(&mut worlds, one);
    assert!(worlds[1].try_answer(waits).is_none());
    first = publish(&mut worlds, "two");
    worlds[1].settle();
    let text = worlds[1].answer(waits).text().to_owned();
    assert!(text.contains("\"data\":\"two\"") && text.contains(&format!("\"next\":\"{first}\"")));
}

/// A message of another reactor that comes just before the poll is a member of its topic.
#[test]
fn long_poll_does_not_sleep_over_a_message_that_comes_as_it_begins() {
    let mut cluster = Cluster::new(2);
    let handle = cluster.handle();
    let mut server = Server::detached();
    cluster.join(&mut server).unwrap();
    server.history("room/", History::new());
    server.http("/", move |conn, _| {
        let _seen = conn.context().latest_id();
        handle.publish("room/1", "just before").unwrap();
        LongPoll::new().topic("room/1")
    });
    let mut world = World::over(server);
    let latest = world.context().latest_id();
    let client = world.connect();
    world.request(client, &format!("/?after={latest}"));
    assert!(world.answer(client).text().contains("just before"));
}

/// A follower reads no further than its reactor, or it would get a message twice.
#[test]
fn message_that_comes_while_a_follower_reads_comes_once() {
    struct Late(ClusterHandle);
    impl Handler for Late {
        fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
            let Message::Text(id) = message else { return };
            conn.subscribe_from("room/1", id.parse().unwrap());
        }
        fn resumed(&mut self, _: &mut Conn<'_>, _: &str, _: Resume) {
            self.0.publish("room/1", "late").unwrap();
        }
    }
    let mut cluster = Cluster::new(2);
    let mut server = Server::detached();
    cluster.join(&mut server).unwrap();
    server.history("room/", History::new());
    server.zone("/", Late(cluster.handle()));
    let mut world = World::over(server);
    let start = world.context().latest_id();
    world.context().publish("room/1", "early");
    let client = world.websocket("/");
    world.say(client, &start.to_string());
    assert_eq!(world.hear(client), ["early", "late"]);
}

#[test]
fn event_stream_resumes_at_another_reactor() {
    let (mut worlds, _) = joined(2, |server| {
        server.history("room/", History::new());
        server.http("/events", |_, _| EventStream::new().topic("room/1"));
    });
    let one = worlds[0].context().publish_with("room/1", |_id| "one");
    worlds[0].context().publish("room/1", "two");
    let stream = worlds[1].events(&format!("/events?last_event_id={one}"));
    worlds[0].context().publish("room/1", "three");
    let heard = worlds[1].hear(stream);
    let texts: Vec<&str> = heard.iter().map(|event| event.text()).collect();
    assert_eq!(texts[1..], ["two", "three"], "{heard:?}");
    // One that does not ask goes on from the id of its first block.
    let stream = worlds[1].events("/events");
    worlds[0].context().publish("room/1", "four");
    let heard = worlds[1].hear(stream);
    assert_eq!(heard.iter().map(|event| event.text()).collect::<Vec<_>>(), ["four"]);
}

/// What a page is rendered with stays the same until its callback returns, and the subscription
/// from there misses nothing that came meanwhile.
#[test]
fn latest_id_does_not_change_while_a_callback_runs() {
    let mut cluster = Cluster::new(2);
    let handle = cluster.handle();
    let mut worlds = [(); 2].map(|()| {
        let mut server = Server::detached();
        cluster.join(&mut server).unwrap();
        server.history("room/", History::new());
        World::over(server)
    });
    worlds[1].server.websocket("/", move |conn, _message| {
        let before = conn.context().latest_id();
        handle.publish("room/1", "meanwhile").unwrap();
        let after = conn.context().latest_id();
        conn.send(&format!("{}", before == after));
        conn.subscribe_from("room/1", before);
    });
    worlds[0].context().publish("room/1", "before");
    let page = worlds[1].websocket("/");
    worlds[1].say(page, "render");
    assert_eq!(worlds[1].hear(page), ["true", "meanwhile"]);
    let latest = worlds[1].context().latest_id();
    worlds[0].context().publish("room/2", "not subscribed to");
    assert_eq!(worlds[1].context().latest_id().b(), latest.b() + 1, "the next turn sees more");
}

#[test]
fn history_of_any_member_is_that_of_all() {
    let (mut worlds, handle) = joined(3, |_| ());
    let early = worlds[2].websocket("/");
    worlds[2].say(early, "join room/1");
    // Only one registers, after the other has a subscriber.
    worlds[0].server.history("room/", History::new());
    let id = worlds[1].context().publish_with("room/1", |id| id.to_string());
    assert_eq!(worlds[2].hear(early), [&*id.to_string()]);
    handle.publish("room/1", "two").unwrap();
    assert_eq!(worlds[2].hear(early), ["two"]);
    assert_eq!(worlds[0].context().latest_id().b(), id.b() + 1);
}

#[test]
fn server_that_registers_before_it_joins_shares_its_prefix() {
    let mut cluster = Cluster::new(2);
    let mut servers = [(); 2].map(|()| Server::detached());
    servers[1].history("room/", History::new());
    servers.iter_mut().for_each(|server| drop(cluster.join(server).unwrap()));
    let mut worlds = servers.map(World::over);
    worlds[0].context().publish("room/1", "kept");
    assert_eq!(worlds[1].context().latest_id(), worlds[0].context().latest_id());
    assert_eq!(worlds[1].context().latest_id().b(), 1);
}

#[test]
fn members_that_register_differently_cannot_serve() {
    let mut cluster = Cluster::new(3);
    let mut servers = [(); 3].map(|()| Server::detached());
    servers.iter_mut().for_each(|server| drop(cluster.join(server).unwrap()));
    let [one, two, three] = &mut servers;
    one.history("room/", History::new());
    two.history("room/", History::new()); // the same
    three.history("other/", History::new()); // another prefix
    let serve = |server: &mut Server| server.adopt(Transport::memory().0, Instant::now());
    assert!(serve(two).is_ok());
    three.history("room/", History::new().messages(7));
    let error = serve(two).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        "the reactors 0 and 2 of this cluster keep different histories for the prefix \"room/\": \
         call Server::history with the same settings in each"
    );
    three.history("room/", History::new());
    assert!(serve(two).is_ok(), "the last call counts");
    let error = Cluster::new(2).run(|reactor, member| {
        reactor.server.history("", History::new().messages(member.index()));
        Ok(())
    });
    assert!(error.unwrap_err().to_string().contains("of this cluster keep different histories"));
}

#[test]
fn closure_that_publishes_to_its_own_cluster_is_told() {
    let mut sim = Sim::new(2, History::new());
    let (handle, client) = (sim.handle.clone(), sim.join(1, &["room/1"]));
    let mut told = None;
    sim.worlds[0].context().publish_with("room/1", |_id| {
        told = Some(handle.publish("room/1", "within"));
        "outside"
    });
    let error = told.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadlock);
    assert!(error.to_string().ends_with("publish once publish_with has returned"), "{error}");
    assert_eq!(sim.hear(1, client), ["outside"]);
    // Another cluster is no concern.
    let (_, other) = joined(1, |server| server.history("room/", History::new()));
    sim.worlds[0].context().publish_with("room/1", |_id| {
        other.publish("room/1", "elsewhere").unwrap();
        "two"
    });
    assert_eq!(sim.hear(1, client), ["two"]);
}

#[test]
fn panic_of_a_closure_costs_one_id_and_nothing_else() {
    let mut sim = Sim::new(2, History::new());
    let clients = [0, 1].map(|at| sim.join(at, &["room/1"]));
    sim.publish(0, "room/1", "one");
    let context = AssertUnwindSafe(sim.worlds[0].context());
    let panicked = catch_unwind(|| {
        let AssertUnwindSafe(context) = { context };
        context.publish_with("room/1", |_id| -> String { panic!("a fault in a closure") })
    });
    assert!(panicked.is_err());
    sim.publish(1, "room/1", "two");
    sim.publish(0, "room/1", "three");
    let ids: Vec<u64> = sim.published.iter().map(|published| published.id.b()).collect();
    assert_eq!(ids, [1, 3, 4]);
    sim.settle();
    for (at, client) in clients.into_iter().enumerate() {
        assert_eq!(sim.hear(at, client), ["one", "two", "three"]);
    }
}

#[test]
fn member_that_is_gone_holds_nothing_back() {
    let mut sim = Sim::new(3, History::new());
    let client = sim.join(0, &["room/1"]);
    sim.join(2, &["room/1"]);
    sim.publish(1, "room/1", "one");
    drop(sim.worlds.pop());
    sim.publish(1, "room/1", "two");
    assert_eq!(sim.hear(0, client), ["one", "two"]);
}

/// An id of one reactor holds at all others, also before they have had a turn.
#[test]
fn subscriber_goes_on_at_another_reactor() {
    let mut sim = Sim::new(2, History::new().messages(3));
    let stays = sim.join(1, &["room/2"]);
    for number in 0..4 {
        sim.publish(0, "room/1", &format!("one {number}"));
    }
    sim.publish(0, "room/2", "two");
    let ids: Vec<MessageId> = sim.published.iter().map(|published| published.id).collect();
    let resume = |sim: &mut Sim, id: MessageId| {
        let client = sim.worlds[1].websocket("/");
        sim.worlds[1].say(client, &format!("from {id} room/1 room/2"));
        sim.hear(1, client)
    };
    let both = ["resumed room/1", "resumed room/2"];
    assert_eq!(resume(&mut sim, ids[4]), both);
    assert_eq!(resume(&mut sim, ids[2]), [&both[..], &["one 3", "two"]].concat());
    assert_eq!(resume(&mut sim, ids[0])[2..], ["one 1", "one 2", "one 3", "two"]);
    let gap = format!("gap room/1 {}", ids[1]);
    let all = [&*gap, "resumed room/2", "one 1", "one 2", "one 3", "two"];
    assert_eq!(resume(&mut sim, MessageId::new(ids[0].a(), 0)), all);
    // An id that is not given yet, and one of another epoch.
    let forged = MessageId::new(ids[0].a(), 6);
    assert_eq!(resume(&mut sim, forged)[..2], [&*gap, &*format!("gap room/2 {}", ids[4])]);
    let foreign = MessageId::new(ids[0].a() ^ 1, 3);
    assert_eq!(resume(&mut sim, foreign)[0], gap);
    assert_eq!(sim.hear(1, stays), ["two"]);
}

/// What waits for a reactor is bounded, and a topic that has forgotten messages says so.
#[test]
fn reactor_that_is_too_slow_goes_on_after_a_gap() {
    let mut sim = Sim::new(2, History::new().bytes(4 << 20));
    let (one, two) = (sim.join(1, &["room/1", "room/2"]), sim.join(1, &["room/2"]));
    sim.publish(0, "room/2", "first");
    let big = "x".repeat(1 << 20);
    for number in 0..24 {
        sim.publish(0, "room/1", &format!("{number} {big}"));
    }
    sim.publish(0, "room/2", "last");
    let ids: Vec<MessageId> = sim.published.iter().map(|published| published.id).collect();
    let heard = |texts: Vec<String>| -> Vec<String> {
        texts.into_iter().map(|text| text.replace(&big, "big")).collect()
    };
    let gap = format!("gap room/1 {}", ids[22]);
    let expected = [&gap, "first", "21 big", "22 big", "23 big", "last"];
    assert_eq!(heard(sim.hear(1, one)), expected);
    assert_eq!(heard(sim.hear(1, two)), ["first", "last"], "kept, though the log has lost it");
    assert!(sim.published.len() == 26);
    sim.publish(0, "room/1", "on");
    assert_eq!(sim.hear(1, one), ["on"]);
}

/// All reactors share one bound, and their counters add up to one history.
#[test]
fn memory_is_bounded_and_counted_once_for_all_reactors() {
    const MEMORY: usize = 64 << 10;
    let (mut worlds, handle) = joined(3, |server| {
        server.history("room/", History::new());
        server.history_memory(MEMORY);
    });
    let client = worlds[2].websocket("/");
    worlds[2].say(client, "join room/0");
    for number in 0..300 {
        let (topic, text) = (format!("room/{}", number % 100), "x".repeat(1_000));
        match number % 4 {
            3 => handle.publish(&topic, &*text).unwrap(),
            at => worlds[at].context().publish(&topic, &*text),
        }
    }
    let stats = |worlds: &mut [World]| -> Vec<Stats> {
        worlds.iter_mut().map(|world| world.context().stats()).collect()
    };
    let all = stats(&mut worlds);
    assert!(all.iter().all(|stats| stats.history_evicted > 0), "each has evicted some");
    let sum: Stats = all.into_iter().sum();
    let bytes = sum.history_bytes + sum.history_queued_bytes;
    assert!(bytes <= MEMORY && bytes > MEMORY / 2, "{bytes}");
    assert!(sum.history_messages > 30 && sum.history_topics > 30);
    // What waits for a reactor alone counts as well, and no longer once it has been taken.
    assert!(sum.history_queued_bytes > 0);
    worlds.iter_mut().for_each(World::settle);
    worlds[2].hear(client);
    for _ in 0..100 {
        worlds[0].context().publish("room/99", "sweeps");
    }
    let sum: Stats = stats(&mut worlds).into_iter().sum();
    assert_eq!(sum.history_queued_bytes, 0);
    // The next one has the counters, once the first is gone.
    let (topics, evicted) = (sum.history_topics, sum.history_evicted);
    let own = worlds[0].context().stats().history_evicted;
    drop(worlds.remove(0));
    let sum: Stats = stats(&mut worlds).into_iter().sum();
    assert_eq!((sum.history_topics, sum.history_evicted), (topics, evicted - own));
}

#[test]
fn messages_go_after_their_age_whichever_reactor_looks() {
    let age = seconds(60);
    let (mut worlds, _) = joined(2, |server| server.history("room/", History::new().age(age)));
    let kept = |worlds: &mut [World]| -> (usize, usize) {
        let stats: Stats = worlds.iter_mut().map(|world| world.context().stats()).sum();
        (stats.history_topics, stats.history_messages)
    };
    let client = worlds[1].websocket("/");
    worlds[1].say(client, "join room/1");
    worlds[0].context().publish("room/1", "has a member at the other reactor");
    worlds[0].context().publish("room/2", "has none");
    worlds.iter_mut().for_each(World::settle);
    worlds[1].advance(seconds(30));
    assert_eq!(kept(&mut worlds), (2, 2));
    worlds[1].advance(seconds(60));
    assert_eq!(kept(&mut worlds), (1, 0), "a topic without members goes as well");
    worlds[1].end(client);
    worlds[0].advance(seconds(300));
    assert_eq!(kept(&mut worlds), (0, 0));
}

#[test]
fn members_that_bound_memory_differently_cannot_serve() {
    let error = Cluster::new(2).run(|reactor, member| {
        reactor.server.history_memory(1 << (20 + member.index()));
        Ok(())
    });
    let text = error.unwrap_err().to_string();
    assert!(text.contains("0 and 1 of this cluster bound the memory for history differently"));
    assert!(text.ends_with("call Server::history_memory with the same number in each"), "{text}");
    // One alone may say it, and before it joins.
    let mut cluster = Cluster::new(2);
    let mut servers = [(); 2].map(|()| Server::detached());
    servers[0].history_memory(0);
    servers[0].history("room/", History::new());
    servers.iter_mut().for_each(|server| drop(cluster.join(server).unwrap()));
    let mut worlds = servers.map(World::over);
    worlds[1].context().publish("room/1", "not kept");
    assert_eq!(worlds[0].context().stats().history_messages, 0);
    assert_eq!(worlds[1].context().stats().history_evicted, 1);
}

/// Random publishes, subscriptions, turns, cuts and resumes against the list of all messages.
#[test]
fn random_interleavings_keep_one_order() {
    let (mut resumed, mut gaps) = (0, 0);
    for seed in 1..=30 {
        for history in [History::new(), History::new().messages(3)] {
            let (seed_resumed, seed_gaps) = interleave(seed, history);
            resumed += seed_resumed;
            gaps += seed_gaps;
        }
    }
    assert!(resumed > 1_000 && gaps > 100, "{resumed} resumed, {gaps} gaps");
}

/// A subscriber, and all that it has heard on its connections.
struct Subscriber {
    at: usize,
    client: Client,
    topics: Vec<Reads>,
    heard: Vec<usize>,
    /// What it published to others.
    not: BTreeSet<usize>,
    resumed: usize,
    gaps: usize,
}

/// The places of the messages of a topic from which on it may get them, and from which it must.
struct Reads {
    topic: String,
    may: usize,
    must: usize,
    /// What is forgotten.
    gaps: Vec<Range<usize>>,
}

impl Subscriber {
    fn new(sim: &mut Sim, at: usize) -> Subscriber {
        Subscriber {
            at,
            client: sim.worlds[at].websocket("/"),
            topics: Vec::new(),
            heard: Vec::new(),
            not: BTreeSet::new(),
            resumed: 0,
            gaps: 0,
        }
    }

    fn hear(&mut self, sim: &mut Sim) {
        for text in sim.hear(self.at, self.client) {
            match *text.split(' ').collect::<Vec<_>>() {
                ["resumed", _] => self.resumed += 1,
                ["gap", topic, oldest] => {
                    let oldest: MessageId = oldest.parse().unwrap();
                    let place = sim.published.partition_point(|it| it.id < oldest);
                    let reads = self.topics.iter_mut().find(|reads| reads.topic == topic).unwrap();
                    let next = self.heard.last().map_or(0, |last| last + 1);
                    reads.gaps.push(next..place);
                    self.gaps += 1;
                }
                _ => self.heard.push(sim.published.iter().position(|it| it.text == text).unwrap()),
            }
        }
    }

    /// Ends the connection and goes on at a reactor, from the last message that was heard.
    fn resume(&mut self, sim: &mut Sim, at: usize) {
        sim.worlds[self.at].end(self.client);
        let Some(last) = self.heard.last() else { return *self = Subscriber::new(sim, at) };
        (self.at, self.client) = (at, sim.worlds[at].websocket("/"));
        let topics: Vec<&str> = self.topics.iter().map(|reads| &*reads.topic).collect();
        let text = format!("from {} {}", sim.published[*last].id, topics.join(" "));
        sim.worlds[at].say(self.client, &text);
        for reads in &mut self.topics {
            reads.must = reads.must.min(last + 1);
            reads.may = reads.may.min(reads.must);
        }
        // Nothing tells that this connection is of the same client.
        self.not.retain(|place| place <= last);
    }

    fn check(&self, sim: &Sim) {
        assert!(self.heard.is_sorted_by(|one, two| one < two), "{:?}", self.heard);
        for (place, published) in sim.published.iter().enumerate() {
            let reads = self.topics.iter().find(|reads| reads.topic == published.topic);
            let reads = reads.filter(|_| !self.not.contains(&place));
            let has = self.heard.binary_search(&place).is_ok();
            let (may, must) = reads.map_or((false, false), |reads| {
                let is_forgotten = reads.gaps.iter().any(|gap| gap.contains(&place));
                (place >= reads.may && !is_forgotten, place >= reads.must && !is_forgotten)
            });
            assert!(has || !must, "{published:?} is lost");
            assert!(!has || may, "{published:?} is too early");
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}

/// Servers, subscribers, and up to which message each reactor is known to have come.
struct Steps {
    sim: Sim,
    random: Random,
    subscribers: Vec<Subscriber>,
    cuts: [usize; 3],
}

impl Steps {
    fn step(&mut self) {
        let (at, topic) = (self.random.below(3), format!("room/{}", self.random.below(4)));
        let (step, now) = (self.random.below(12), self.sim.published.len());
        let text = format!("{topic}.{now}");
        let number = self.random.below(self.subscribers.len().max(1));
        match step {
            0 if self.subscribers.len() < 12 => {
                self.subscribers.push(Subscriber::new(&mut self.sim, at));
                self.cuts[at] = now;
            }
            1..=5 if number < self.subscribers.len() => {
                self.step_of_one(number, step, (at, topic, &text));
            }
            6 => {
                self.sim.worlds[at].settle();
                self.cuts[at] = now;
            }
            7 => {
                self.sim.handle.publish(&topic, &*text).unwrap();
                let last = self.sim.published.last().map(|last| last.id);
                let last = last.unwrap_or_else(|| self.sim.worlds[at].context().latest_id());
                self.sim.note(MessageId::new(last.a(), last.b() + 1), &topic, &text);
            }
            8 => {
                let id = self.sim.worlds[at].context().publish_with(&topic, |_id| &*text);
                self.sim.note(id, &topic, &text);
                self.cuts[at] = now + 1;
            }
            _ => {
                self.sim.publish(at, &topic, &text);
                self.cuts[at] = now + 1;
            }
        }
    }

    /// Has one subscriber do something: the last one is cut and goes on at the reactor `to`.
    fn step_of_one(
        &mut self,
        number: usize,
        step: usize,
        (to, topic, text): (usize, String, &str),
    ) {
        let Steps { sim, random, subscribers, cuts } = self;
        let (subscriber, now) = (&mut subscribers[number], sim.published.len());
        let Subscriber { at, client, .. } = *subscriber;
        match step {
            1 | 2 => {
                if !subscriber.topics.iter().any(|reads| reads.topic == topic) {
                    sim.worlds[at].say(client, &format!("join {topic}"));
                    let (may, must) = (cuts[at], now);
                    subscriber.topics.push(Reads { topic, may, must, gaps: Vec::new() });
                    cuts[at] = now;
                }
            }
            3 => {
                sim.worlds[at].say(client, &format!("to-others {topic} {text}"));
                let id = sim.worlds[at].context().latest_id();
                sim.note(id, &topic, text);
                subscriber.not.insert(now);
                cuts[at] = now + 1;
            }
            5 if !subscriber.topics.is_empty() => {
                if random.below(2) == 0 {
                    subscriber.hear(sim);
                }
                subscriber.resume(sim, to);
                cuts[to] = now;
            }
            _ => subscriber.hear(sim),
        }
    }
}

/// Returns how many topics were resumed, and how many after a gap.
fn interleave(seed: u64, history: History) -> (usize, usize) {
    let (sim, random) = (Sim::new(3, history), Random(seed));
    let mut steps = Steps { sim, random, subscribers: Vec::new(), cuts: [0; 3] };
    (0..500).for_each(|_| steps.step());
    let Steps { mut sim, mut subscribers, .. } = steps;
    sim.settle();
    for subscriber in &mut subscribers {
        subscriber.hear(&mut sim);
        subscriber.check(&sim);
    }
    let sum = |of: fn(&Subscriber) -> usize| subscribers.iter().map(of).sum();
    (sum(|subscriber| subscriber.resumed), sum(|subscriber| subscriber.gaps))
}

/// A server of a cluster with an event stream and a long poll over two topics.
fn served(reactors: usize) -> Vec<World> {
    let (worlds, _) = joined(reactors, |server| {
        server.history("room/", History::new().messages(8));
        server.http("/poll", |_, _| LongPoll::new().topic("room/1").topic("room/2"));
        server.http("/events", |_, _| EventStream::new().topic("room/1").topic("room/2"));
    });
    worlds
}

#[test]
fn long_poll_is_woken_by_another_reactor() {
    let mut worlds = served(2);
    let start = worlds[0].context().latest_id();
    let ask = |world: &mut World, after: &dyn std::fmt::Display| {
        let client = world.connect();
        world.request(client, &*format!("/poll?after={after}"));
        assert_eq!(world.try_answer(client), None, "nothing is newer");
        client
    };
    let client = ask(&mut worlds[0], &start);
    worlds[1].context().publish("room/2", "from the other");
    let id = worlds[1].context().latest_id();
    let answer = worlds[0].answer(client);
    assert!(answer.text().contains(r#""data":"from the other""#), "{}", answer.text());
    assert!(answer.text().ends_with(&format!(r#""next":"{id}","gap":false}}"#)));
    // It goes on at the other reactor, and back, while neither has a turn.
    worlds[0].context().publish("room/1", "own");
    let own = worlds[0].context().latest_id();
    let client = ask(&mut worlds[1], &own);
    worlds[0].context().publish("room/1", "next");
    assert!(worlds[1].answer(client).text().contains(r#""data":"next""#));
    // What pushes out messages before the reactor had a turn is a gap, and wakes it too.
    let last = worlds[0].context().latest_id();
    let client = ask(&mut worlds[1], &last);
    (0..20).for_each(|n| worlds[0].context().publish("room/1", &*n.to_string()));
    let text = worlds[1].answer(client).text().to_owned();
    let complete = (0..20).all(|n| text.contains(&format!(r#""data":"{n}""#)));
    assert!(complete || text.ends_with(r#""gap":true}"#), "{text}");
}

#[test]
fn event_stream_goes_on_at_a_reactor_that_is_behind() {
    let mut worlds = served(2);
    let ada = worlds[0].events("/events");
    worlds[0].context().publish("room/1", "one");
    worlds[1].context().publish("room/2", "two");
    assert_eq!(worlds[0].hear(ada), ["one", "two"]);
    let last = worlds[0].last_event_id(ada).to_owned();
    worlds[0].end(ada);
    worlds[0].context().publish("room/2", "three");
    let request = switchboard::http::Request::get("/events").header("Last-Event-ID", last);
    let ada = worlds[1].events(request);
    assert_eq!(worlds[1].head(ada).header("Switchboard-Resume"), Some("resumed"));
    worlds[0].context().publish("room/1", "four");
    assert_eq!(worlds[1].hear(ada)[1..], ["three", "four"]);
    // A stream that begins while its reactor is behind goes on from what it has had.
    worlds[0].context().publish("room/1", "five");
    let bob = worlds[1].events("/events");
    let last = worlds[1].last_event_id(bob).to_owned();
    worlds[1].end(bob);
    worlds[0].context().publish("room/1", "six");
    let request = switchboard::http::Request::get("/events").header("Last-Event-ID", last);
    let bob = worlds[1].events(request);
    assert_eq!(worlds[1].hear(bob)[1..].last().unwrap().text(), "six");
}
