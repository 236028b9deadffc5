//! Topics whose messages a store keeps: what is delivered and told when answers come in any order,
//! late, twice or never, and how a subscriber goes on from an id that only the store knows.

mod common;
#[path = "stores/scripted.rs"]
mod scripted;

use std::collections::BTreeMap;

use common::{millis, seconds};
use scripted::{Asked, Sim, id};
use switchboard::testing::{Client, Received};
use switchboard::{
    Appended, History, Message, MessageId, Outgoing, Server, Store, StoreAnswer, StoreBounds,
    StoreError, StorePage, StoredMessage,
};

/// The most appends, or other questions, that wait.
const WAITING: usize = 1_024;

#[test]
fn message_is_delivered_and_told_once_the_store_has_it() {
    let mut sim = Sim::new();
    let ada = sim.join("/room/1");
    sim.publish_stored("room/1", "hello");
    assert_eq!(sim.hear(ada), [""; 0]);
    assert_eq!(sim.told(), []);
    sim.answer();
    assert_eq!(sim.hear(ada), ["hello"]);
    assert_eq!(sim.told(), [Ok(id(1))]);
    sim.world.say(ada, "plain");
    assert_eq!(sim.hear(ada), [""; 0]);
    sim.answer();
    assert_eq!(sim.hear(ada), ["plain"]);
    assert_eq!(sim.book.topic("room/1").messages.len(), 2);
    assert_eq!(sim.failed(), 0);
}

#[test]
fn event_streams_get_the_ids_of_the_store() {
    let mut sim = Sim::new();
    let ada = sim.world.events("/room/1");
    let message = Outgoing::text("21.5").event("celsius").id("ignored").key("k").uncompressed();
    sim.world.context().publish("room/1", message);
    sim.answer();
    let (event, id) = (Some("celsius".to_owned()), Some("1-1".to_owned()));
    assert_eq!(sim.world.hear(ada), [Received::Event { event, id, data: "21.5".to_owned() }]);
    let (_, stored) = &sim.book.topic("room/1").messages[0];
    assert_eq!((stored.event(), stored.key()), (Some("celsius"), Some("k")));
    assert!(stored.is_uncompressed());
}

#[test]
fn topic_outside_of_all_prefixes_needs_no_store() {
    let mut sim = Sim::new();
    let ada = sim.world.websocket("/lobby");
    sim.world.say(ada, "hello");
    assert_eq!(sim.hear(ada), ["hello"]);
    assert_eq!(sim.script.len(), 0);
    sim.publish_stored("lobby", "lost");
    assert_eq!(sim.told(), [Err(StoreError::NoStore)]);
    assert_eq!(sim.hear(ada), [""; 0]);
}

#[test]
fn answers_in_any_order_are_delivered_in_the_order_of_ids() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut sim = Sim::new();
        let ada = sim.join("/room/1");
        for text in ["a", "b", "c"] {
            sim.publish_stored("room/1", text);
        }
        let mut asked: Vec<_> = sim.script.take().into_iter().map(Some).collect();
        for at in order {
            let Some(Asked::Append(_, message, answer)) = asked[at].take() else { panic!() };
            let (b, before) = (at as u64 + 1, at as u64);
            answer.give(Appended { id: id(b), before: id(before) });
            sim.book.topic("room/1").messages.push((id(b), message));
            sim.world.settle();
        }
        assert_eq!(sim.hear(ada), ["a", "b", "c"], "{order:?}");
        let told = order.map(|at| Ok(id(at as u64 + 1)));
        assert_eq!(sim.told(), told, "as soon as each is stored");
    }
}

#[test]
fn hole_is_read_from_the_store() {
    let mut sim = Sim::new();
    let ada = sim.join("/room/1");
    let _missed = ["a", "b", "c", "d"].map(|text| sim.book.append("room/1", text));
    let last = sim.book.append("room/1", "e");
    sim.news(last, "e");
    assert_eq!(sim.hear(ada), [""; 0]);
    assert!(matches!(&sim.script.take()[..], [Asked::After(_, after, _)] if *after == id(0)));
    sim.world.advance(seconds(11)); // the answer was dropped, and that is a gap
    assert_eq!(sim.hear(ada), ["gap 1-5", "e"]);

    let mut sim = Sim::new();
    let ada = sim.join("/room/1");
    let _missed = ["a", "b", "c", "d"].map(|text| sim.book.append("room/1", text));
    let last = sim.book.append("room/1", "e");
    sim.news(last, "e");
    let next = sim.book.append("room/1", "f");
    sim.news(next, "f");
    assert_eq!(sim.script.len(), 1, "one question at a time");
    sim.answer();
    assert_eq!(sim.hear(ada), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(sim.failed(), 0);
}

#[test]
fn news_come_twice_late_and_from_the_past() {
    let mut sim = Sim::after(&["old"]);
    let ada = sim.join("/room/1");
    sim.publish_stored("room/1", "own");
    // The bell is faster than the answer.
    sim.news(Appended { id: id(2), before: id(1) }, "own");
    sim.answer();
    sim.news(Appended { id: id(2), before: id(1) }, "own");
    sim.news(Appended { id: id(1), before: id(0) }, "old");
    assert_eq!(sim.hear(ada), ["own"]);
    assert_eq!(sim.told(), [Ok(id(2))]);
    assert_eq!((sim.script.len(), sim.failed()), (0, 0));
}

#[test]
fn failures_of_an_append_are_told_and_nothing_is_delivered() {
    let mut sim = Sim::new();
    let ada = sim.join("/room/1");
    for text in ["a", "b", "c"] {
        sim.publish_stored("room/1", text);
    }
    let mut asked = sim.script.take().into_iter();
    let Some(Asked::Append(_, _, answer)) = asked.next() else { panic!() };
    answer.fail("the disk is full");
    drop(asked.next());
    sim.world.settle();
    let failed = StoreError::Failed("the disk is full".into());
    assert_eq!(failed.to_string(), "the store failed: the disk is full");
    assert_eq!(sim.told(), [Err(failed), Err(StoreError::Unanswered)]);
    sim.world.advance(seconds(10));
    assert_eq!(sim.told(), []);
    sim.world.advance(millis(250));
    assert_eq!(sim.told(), [Err(StoreError::TimedOut)]);
    assert_eq!((sim.hear(ada), sim.failed()), (vec![], 3));

    // The late answer still counts: the store has the message, and is asked for it.
    let Some(Asked::Append(topic, message, answer)) = asked.next() else { panic!() };
    answer.give(sim.book.append(&topic, message));
    sim.answer();
    assert_eq!(sim.hear(ada), ["c"]);
    assert_eq!(sim.told(), [], "the publisher is told once");
}

#[test]
fn answer_that_came_while_the_program_stood_still_is_in_time() {
    let mut sim = Sim::new();
    let ada = sim.join("/room/1");
    sim.publish_stored("room/1", "a");
    sim.publish_stored("room/1", "b");
    let _wait = sim.world.server.poll_timeout(sim.world.now);
    let mut asked = sim.script.take().into_iter();
    sim.book.answer(asked.next().unwrap());
    sim.world.now += seconds(3_600);
    sim.world.settle();
    assert_eq!(sim.hear(ada), ["a"]);
    assert_eq!(sim.told(), [Ok(id(1))], "a stall is not the fault of the store");
    sim.book.answer(asked.next().unwrap());
    sim.answer();
    assert_eq!(sim.hear(ada), ["b"]);
}

#[test]
fn full_queue_of_appends_is_an_error_that_says_so() {
    let mut sim = Sim::new();
    let ada = sim.join("/room/1");
    for _ in 0..WAITING {
        sim.world.context().publish("room/1", "x");
    }
    sim.publish_stored("room/1", "too many");
    assert_eq!(sim.told(), [Err(StoreError::QueueFull)]);
    sim.world.context().publish("room/1", "silent");
    assert_eq!(sim.failed(), 2);
    sim.answer();
    assert_eq!(sim.hear(ada).len(), WAITING);
    sim.publish_stored("room/1", &"y".repeat(17 << 20));
    sim.publish_stored("room/1", "behind");
    assert_eq!(sim.told(), [Err(StoreError::QueueFull)], "16 MiB wait, or one message alone");
    sim.answer();
    assert_eq!(sim.told(), [Ok(id(WAITING as u64 + 1))]);
    // A store that hangs has its 1,024, and no more, however long it hangs.
    for _ in 0..3 * WAITING {
        sim.world.context().publish("room/1", "x");
        sim.world.settle();
    }
    sim.world.advance(seconds(60));
    sim.world.context().publish("room/1", "x");
    sim.world.settle();
    assert_eq!(sim.script.len(), WAITING);
}

#[test]
fn subscriber_goes_on_from_an_id_of_the_store() {
    let mut sim = Sim::after(&["a", "b", "c", "d", "e", "f", "g", "h"]);
    let ada = sim.world.websocket("/room/1?1-2");
    sim.world.settle();
    assert_eq!(sim.hear(ada), [""; 0]);
    sim.answer();
    assert_eq!(sim.hear(ada), ["resumed", "c", "d", "e", "f", "g", "h"]);
    sim.world.say(ada, "live");
    sim.answer();
    assert_eq!(sim.hear(ada), ["live"]);
    // What is here needs no question.
    let bob = sim.world.websocket("/room/1?1-8");
    assert_eq!(sim.hear(bob), ["resumed", "live"]);
    let eve = sim.world.websocket("/room/1?1-4");
    assert_eq!(sim.hear(eve), ["resumed", "e", "f", "g", "h", "live"], "the page is here");
    assert_eq!(sim.script.len(), 0);
}

#[test]
fn live_messages_wait_behind_the_answer() {
    let mut sim = Sim::after(&["a", "b"]);
    let quiet = sim.join("/room/1");
    let ada = sim.world.websocket("/room/1?0-0");
    let asked = sim.script.take();
    assert_eq!(asked.len(), 1);
    sim.world.say(quiet, "live");
    let append = sim.script.take();
    append.into_iter().for_each(|asked| sim.book.answer(asked));
    sim.world.settle();
    assert_eq!(sim.hear(quiet), ["live"]);
    assert_eq!(sim.hear(ada), [""; 0]);
    // The store read before the last message came.
    for asked in asked {
        let Asked::After(_, after, answer) = asked else { panic!() };
        assert_eq!(after, id(0));
        let messages = sim.book.topic("room/1").messages[..2].to_vec();
        let bounds = StoreBounds { trimmed: MessageId::default(), latest: id(2) };
        answer.give(StorePage { messages, bounds });
    }
    sim.answer();
    assert_eq!(sim.hear(ada), ["resumed", "a", "b", "live"]);
}

#[test]
fn store_that_does_not_answer_within_ten_seconds_is_a_gap() {
    let mut sim = Sim::after(&["a", "b"]);
    let quiet = sim.join("/room/1");
    let ada = sim.world.websocket("/room/1?1-1");
    let mut late = sim.script.take();
    sim.world.context().publish("room/1", "live");
    sim.world.settle();
    let append = sim.script.take();
    append.into_iter().for_each(|asked| sim.book.answer(asked));
    sim.world.advance(seconds(10));
    assert_eq!(sim.hear(ada), [""; 0]);
    sim.world.advance(millis(250));
    assert_eq!(sim.hear(ada), ["gap 1-3", "live"]);
    // The late answer changes nothing.
    sim.book.answer(late.remove(0));
    sim.answer();
    assert_eq!(sim.hear(ada), [""; 0]);
    assert_eq!(sim.hear(quiet), ["live"]);
    sim.world.say(ada, "on");
    sim.answer();
    assert_eq!(sim.hear(ada), ["on"]);
    assert_eq!(sim.failed(), 1);
}

#[test]
fn topic_whose_store_never_answers_still_carries_what_is_said() {
    let mut sim = Sim::after(&["a", "b"]);
    let ada = sim.world.websocket("/room/1?1-1");
    let bob = sim.world.websocket("/room/1");
    let late = sim.script.take();
    sim.world.advance(seconds(11));
    assert_eq!(sim.hear(ada), ["gap 0-0"]);
    assert_eq!(sim.hear(bob), [""; 0], "it has asked for nothing");
    sim.world.say(bob, "c");
    sim.answer();
    assert_eq!(sim.hear(ada), ["c"]);
    assert_eq!(sim.hear(bob), ["c"]);
    drop(late);
    sim.world.settle();
    let eve = sim.world.websocket("/room/1?1-0");
    sim.answer();
    assert_eq!(sim.hear(eve), ["resumed", "a", "b", "c"]);
}

#[test]
fn resume_is_a_gap_where_the_store_has_less_or_never_gave_the_id() {
    let mut sim = Sim::after(&["a", "b", "c", "d"]);
    sim.book.trim("room/1");
    sim.book.trim("room/1");
    let rows: [(&str, &[&str]); 5] = [
        ("1-1", &["gap 1-3", "c", "d"]),
        ("0-0", &["gap 1-3", "c", "d"]),
        ("1-2", &["resumed", "c", "d"]),
        ("1-4", &["resumed"]),
        ("1-5", &["gap 1-4"]),
    ];
    for (from, expected) in rows {
        let ada = sim.join(&format!("/room/1?{from}"));
        assert_eq!(sim.hear(ada), expected, "{from}");
    }
    let ada = sim.join("/room/1?18446744073709551615-18446744073709551615");
    assert_eq!(sim.hear(ada), ["gap 1-4"]);
    sim.world.say(ada, "live");
    sim.answer();
    assert_eq!(sim.hear(ada).last().map(String::as_str), Some("live"));
}

/// The client was with another server, which has delivered more than this one.
#[test]
fn id_that_only_other_servers_have_delivered_is_good() {
    let mut sim = Sim::after(&["a"]);
    let bob = sim.join("/room/1");
    sim.book.append("room/1", "b");
    let ada = sim.world.websocket("/room/1?1-2");
    let asked = sim.script.take();
    assert_eq!(asked.len(), 1, "this server has delivered 1-1 only");
    asked.into_iter().for_each(|asked| sim.book.answer(asked));
    sim.world.settle();
    assert_eq!(sim.hear(ada), ["resumed"]);
    sim.answer();
    assert_eq!(sim.hear(bob), ["b"], "so the server has heard of it");
    assert_eq!(sim.hear(ada), [""; 0], "which has it already");
    sim.world.say(ada, "c");
    sim.answer();
    assert_eq!(sim.hear(ada), ["c"]);
    assert_eq!(sim.hear(bob), ["c"]);
}

#[test]
fn subscribers_at_one_place_share_a_question_and_too_many_places_are_a_gap() {
    let mut sim = Sim::after(&["a", "b", "c"]);
    let _open = sim.join("/room/1");
    let many: Vec<_> = (0..100).map(|_| sim.world.websocket("/room/1?1-1")).collect();
    assert_eq!(sim.script.len(), 1);
    sim.answer();
    for client in many {
        assert_eq!(sim.hear(client), ["resumed", "b", "c"]);
    }
    // Ids that the store never gave are places as well.
    let places = 2 * WAITING as u64;
    let all: Vec<_> =
        (0..places).map(|at| sim.world.websocket(&*format!("/room/1?2-{at}"))).collect();
    assert_eq!(sim.script.len(), 64, "with the store at once");
    assert_eq!(sim.failed(), places - WAITING as u64);
    sim.answer();
    for client in all {
        assert_eq!(sim.hear(client), ["gap 1-3"]);
    }
}

#[test]
fn look_finds_what_the_bells_have_lost() {
    let mut sim = Sim::after(&["a"]);
    let (ada, bob) = (sim.join("/room/1"), sim.join("/room/2"));
    for text in ["b", "c", "d", "e", "f"] {
        sim.book.append("room/1", text);
    }
    sim.world.context().ask_store("room/");
    sim.answer();
    assert_eq!(sim.hear(ada), ["b", "c", "d", "e", "f"]);
    assert_eq!(sim.hear(bob), [""; 0]);
    sim.world.context().ask_store("other/");
    sim.world.settle();
    assert_eq!(sim.script.len(), 0);
}

#[test]
fn subscriber_that_comes_while_a_topic_opens_misses_nothing() {
    let mut sim = Sim::after(&["a", "b"]);
    let ada = sim.world.websocket("/room/1");
    let opening = sim.script.take();
    sim.world.say(ada, "c");
    sim.answer(); // but for the bounds
    assert_eq!(sim.hear(ada), [""; 0]);
    opening.into_iter().for_each(|asked| sim.book.answer(asked));
    sim.answer();
    assert_eq!(sim.hear(ada), ["c"]);
}

#[test]
fn publish_to_others_leaves_the_publisher_out_also_while_it_follows() {
    let mut sim = Sim::after(&["a"]);
    let (ada, bob) = (sim.join("/room/1"), sim.join("/room/1"));
    sim.world.say(ada, "others b");
    sim.answer();
    assert_eq!(sim.hear(ada), [""; 0]);
    assert_eq!(sim.hear(bob), ["b"]);
    sim.world.say(ada, "from 1-0");
    let page = sim.script.take();
    sim.world.say(ada, "others c");
    sim.answer();
    page.into_iter().for_each(|asked| sim.book.answer(asked));
    sim.answer();
    assert_eq!(sim.hear(ada), ["resumed", "a", "b"]);
    assert_eq!(sim.hear(bob), ["c"]);
}

#[test]
fn follower_of_two_topics_gets_both_in_the_order_of_ids() {
    let mut sim = Sim::after(&["1", "2", "3"]);
    for text in ["one", "two", "three"] {
        sim.book.append("room/2", text);
    }
    let ada = sim.join("/room/1");
    sim.world.say(ada, "join room/2");
    sim.answer();
    sim.world.say(ada, "from 1-1");
    sim.world.context().publish("room/2", "four");
    sim.answer();
    assert_eq!(sim.hear(ada), ["resumed", "2", "3", "four"]);
}

#[test]
fn trimmed_hole_is_told_to_the_members() {
    let mut sim = Sim::new();
    let ada = sim.join("/room/1");
    for text in ["a", "b", "c"] {
        sim.book.append("room/1", text);
    }
    sim.book.trim("room/1");
    let last = sim.book.append("room/1", "d");
    sim.news(last, "d");
    sim.answer();
    assert_eq!(sim.hear(ada), ["gap 1-2", "b", "c", "d"]);
}

#[test]
fn store_that_breaks_its_promise_does_no_harm() {
    let mut sim = Sim::after(&["a", "b", "c"]);
    let ada = sim.join("/room/1");
    // A page out of order, with a later id than it can give.
    sim.news(Appended { id: id(9), before: id(8) }, "i");
    let Some(Asked::After(_, _, answer)) = sim.script.take().pop() else { panic!() };
    let mut messages = sim.book.topic("room/1").messages.clone();
    messages.reverse();
    let bounds = StoreBounds { trimmed: id(0), latest: id(9) };
    answer.give(StorePage { messages, bounds });
    sim.world.settle();
    assert_eq!(sim.hear(ada), ["gap 1-9", "i"]);
    assert_eq!(sim.failed(), 3);
    // A page that has nothing, and says that there is more.
    let eve = sim.world.websocket("/room/1?1-1");
    let Some(Asked::After(_, _, answer)) = sim.script.take().pop() else { panic!() };
    answer.give(StorePage { messages: Vec::new(), bounds });
    sim.world.settle();
    assert_eq!(sim.hear(eve), ["gap 1-9", "i"]);
    assert_eq!(sim.script.len(), 0, "it is not asked again and again");
}

#[test]
fn late_answers_after_the_end_of_the_server_do_nothing() {
    let mut sim = Sim::new();
    let _ada = sim.join("/room/1");
    sim.publish_stored("room/1", "a");
    let Some(Asked::Append(_, _, answer)) = sim.script.take().pop() else { panic!() };
    assert!(!answer.is_closed());
    sim.world.server = Server::detached();
    assert!(answer.is_closed());
    answer.give(Appended { id: id(1), before: id(0) });
}

#[test]
fn bounds_are_for_pages_that_are_rendered() {
    let mut sim = Sim::after(&["a", "b"]);
    let rooms = sim.rooms;
    let ask = |sim: &mut Sim, topic: &'static str| {
        sim.world.context().stored_bounds(topic, rooms, move |rooms, _, bounds| {
            rooms.told.push(bounds.map(|bounds| bounds.latest));
        });
        sim.answer();
        sim.told()
    };
    assert_eq!(ask(&mut sim, "room/1"), [Ok(id(2))]);
    assert_eq!(ask(&mut sim, "room/none"), [Ok(MessageId::default())]);
    assert_eq!(ask(&mut sim, "lobby"), [Err(StoreError::NoStore)]);
    for _ in 0..WAITING {
        sim.world.context().stored_bounds("room/1", rooms, |_, _, _| ());
    }
    sim.world.context().stored_bounds("room/1", rooms, |rooms, _, bounds| {
        rooms.told.push(bounds.map(|bounds| bounds.latest));
    });
    assert_eq!(sim.told(), [Err(StoreError::QueueFull)]);
}

#[test]
fn longest_prefix_has_the_topic_and_a_store_is_replaced() {
    let mut sim = Sim::new();
    let inner = scripted::Script::default();
    sim.world.server.store("room/inner/", inner.clone(), History::new());
    sim.world.context().publish("room/inner/1", "a");
    sim.world.context().publish("room/1", "b");
    sim.world.settle();
    assert_eq!((inner.len(), sim.script.len()), (1, 1));
    sim.publish_stored("room/1", "c");
    let next = scripted::Script::default();
    sim.world.server.store("room/", next.clone(), History::new());
    drop(sim.script.take());
    sim.world.settle();
    assert_eq!(sim.told(), [Err(StoreError::Unanswered)]);
    sim.world.context().publish("room/1", "d");
    sim.world.settle();
    assert_eq!((next.len(), sim.script.len()), (1, 0));
}

/// A store whose methods panic.
struct Broken;

impl Store for Broken {
    fn append(&mut self, _: &str, _: StoredMessage, _: StoreAnswer<Appended>) {
        panic!("append");
    }
    fn after(&mut self, _: &str, _: MessageId, _: StoreAnswer<StorePage>) {
        panic!("after");
    }
    fn bounds(&mut self, _: &str, _: StoreAnswer<StoreBounds>) {
        panic!("bounds");
    }
}

#[test]
fn store_that_panics_has_failed_or_poisons_the_server() {
    let mut sim = Sim::new();
    sim.world.server.catch_panics(true);
    sim.world.server.store("room/", Broken, History::new());
    let ada = sim.world.websocket("/room/1?1-1");
    sim.publish_stored("room/1", "a");
    assert_eq!(sim.told(), [Err(StoreError::Unanswered)]);
    assert_eq!(sim.hear(ada), ["gap 0-0"]);
    assert_eq!(sim.world.context().stats().panics, 2);

    let mut sim = Sim::new();
    sim.world.server.store("room/", Broken, History::new());
    sim.world.context().publish("room/1", "a");
    let turn = std::panic::AssertUnwindSafe(|| sim.world.settle());
    assert!(std::panic::catch_unwind(turn).is_err());
    assert!(sim.world.server.is_poisoned());
}

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "call Context::publish_stored"))]
fn publish_with_says_what_to_do() {
    let mut sim = Sim::new();
    let id = sim.world.context().publish_with("room/1", |id| id.to_string());
    assert_eq!(id, MessageId::default());
}

#[test]
fn rings_in_front_of_stores_count_as_history() {
    let mut sim = Sim::with(History::new().messages(2).age(seconds(60)));
    let ada = sim.join("/room/1");
    for text in ["a", "b", "c"] {
        sim.world.say(ada, text);
    }
    sim.world.settle();
    assert_eq!(sim.world.context().stats().store_waiting, 3);
    sim.answer();
    let stats = sim.world.context().stats();
    assert_eq!((stats.history_messages, stats.store_waiting), (2, 0));
    sim.world.advance(seconds(200));
    assert_eq!(sim.world.context().stats().history_messages, 0);
    // What is too old for the ring is still in the store.
    let bob = sim.join("/room/1?1-1");
    assert_eq!(sim.hear(bob), ["resumed", "b", "c"]);
    sim.world.server.history_memory(0);
    sim.world.say(ada, "d");
    sim.answer();
    assert_eq!(sim.hear(bob), ["d"]);
    let eve = sim.join("/room/1?1-3");
    assert_eq!(sim.hear(eve), ["resumed", "d"]);
}

/// A client and what it has seen: it goes on from the last id that it has, after each cut.
struct Reader {
    client: Option<Client>,
    /// The messages of the book that it has had, by number; the last one comes first after a cut.
    seen: Vec<u64>,
    gaps: usize,
}

/// Steps at random: publishing here and elsewhere, bells that come late, twice or never, answers in
/// any order, cuts and resumes, trimming, and time that passes. Each reader gets each message once,
/// in order, and misses none without a gap.
struct Run {
    random: u64,
    sim: Sim,
    readers: Vec<Reader>,
    /// Questions without an answer.
    open: Vec<Asked>,
    /// Messages of another server that this one may hear of.
    bells: Vec<(Appended, String)>,
    /// The number of each message in the book.
    order: BTreeMap<String, u64>,
}

impl Run {
    fn new(random: u64) -> Run {
        let readers = (0..4).map(|_| Reader { client: None, seen: Vec::new(), gaps: 0 }).collect();
        let sim = Sim::with(History::new().messages(5));
        let (open, bells, order) = (Vec::new(), Vec::new(), BTreeMap::new());
        Run { random, sim, readers, open, bells, order }
    }

    fn next(&mut self, bound: usize) -> usize {
        let product = self.random.wrapping_mul(6_364_136_223_846_793_005);
        self.random = product.wrapping_add(1_442_695_040_888_963);
        (self.random >> 33) as usize % bound
    }

    fn step(&mut self, step: usize) {
        self.open.extend(self.sim.script.take());
        match self.next(20) {
            0..=2 => {
                let text = format!("p{step}");
                self.sim.world.context().publish("room/1", &*text);
                self.sim.world.settle();
            }
            3..=4 => {
                let text = format!("m{step}");
                let appended = self.sim.book.append("room/1", &*text);
                self.order.insert(text.clone(), appended.id.b());
                (0..self.next(3)).for_each(|_| self.bells.push((appended, text.clone())));
            }
            5..=6 if !self.bells.is_empty() => {
                let at = self.next(self.bells.len());
                let (appended, text) = self.bells.swap_remove(at);
                self.sim.news(appended, &text);
            }
            7..=11 if !self.open.is_empty() => self.answer_one(),
            12 if !self.open.is_empty() => {
                let at = self.next(self.open.len());
                drop(self.open.swap_remove(at));
            }
            13 if self.next(4) == 0 => self.sim.book.trim("room/1"),
            14..=16 => {
                let at = self.next(4);
                match self.readers[at].client.take() {
                    Some(client) => {
                        self.sim.world.end(client);
                        self.readers[at].gaps = 0;
                    }
                    None => self.readers[at].go_on(&mut self.sim),
                }
            }
            17 if self.next(10) == 0 => self.sim.world.advance(seconds(11)),
            18 => self.sim.world.context().ask_store("room/"),
            _ => self.sim.world.settle(),
        }
        self.hear_all();
    }

    fn answer_one(&mut self) {
        let at = self.next(self.open.len());
        match self.open.swap_remove(at) {
            Asked::Append(topic, message, answer) => {
                let Message::Text(text) = message.message() else { panic!() };
                let text = text.to_owned();
                let appended = self.sim.book.append(&topic, message);
                self.order.insert(text, appended.id.b());
                // Now and then the answer is lost, and the message is kept.
                if self.next(5) > 0 {
                    answer.give(appended);
                }
            }
            asked => self.sim.book.answer(asked),
        }
        self.sim.world.settle();
    }

    /// All answers come, and a look finds what the bells have lost.
    fn end(&mut self) {
        self.open.clear();
        self.sim.answer();
        for reader in self.readers.iter_mut().filter(|reader| reader.client.is_none()) {
            reader.go_on(&mut self.sim);
        }
        self.sim.answer();
        self.sim.world.context().ask_store("room/");
        self.sim.answer();
        self.hear_all();
        let last = self.sim.book.append("room/1", "end");
        self.sim.news(last, "end");
        self.sim.answer();
        for reader in &self.readers {
            let texts = self.sim.hear(reader.client.unwrap());
            assert_eq!(texts.last().map(String::as_str), Some("end"), "{texts:?}");
        }
    }

    /// Takes what the readers have received, and checks it against what they had.
    fn hear_all(&mut self) {
        for reader in &mut self.readers {
            let Some(client) = reader.client else { continue };
            for text in self.sim.hear(client) {
                if text.starts_with("gap") {
                    reader.gaps += 1;
                } else if let Some(&b) = self.order.get(&text) {
                    let last = reader.seen.last().copied().unwrap_or(0);
                    assert!(b > last, "{b} after {last}: twice, or out of order");
                    assert!(b == last + 1 || reader.gaps > 0, "{b} after {last} without a gap");
                    reader.gaps = 0;
                    reader.seen.push(b);
                }
            }
        }
    }
}

impl Reader {
    fn go_on(&mut self, sim: &mut Sim) {
        let from = self.seen.last().map_or(id(0), |b| id(*b));
        self.client = Some(sim.world.websocket(&*format!("/room/1?{from}")));
    }
}

#[test]
fn random_steps_lose_nothing_and_double_nothing() {
    for seed in 0..25 {
        let mut run = Run::new(seed);
        (0..300).for_each(|step| run.step(step));
        run.end();
    }
}
