//! Topics whose messages a store keeps: what is delivered and told when answers come in any order,
//! late, twice or never, and how a subscriber goes on from an id that only the store knows.

mod common;
#[path = "stores/scripted.rs"]
mod scripted;

use common::{millis, seconds};
use scripted::{Asked, Sim, id};
use switchboard::testing::Received;
use switchboard::{
    Appended, History, MessageId, Outgoing, Server, StoreBounds, StoreError, StorePage,
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
    assert!(sim.hear(ada).len() <= 1);
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
