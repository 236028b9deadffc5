//! Presence over memory: who is reported as there, to which pages, and when.

mod common;
#[path = "presence/mod.rs"]
mod presence;

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use common::frames::text;
use common::{Client, World, millis, seconds};
use presence::{Hall, hall, line};
use switchboard::mio::{Events, Poll, Token, Waker};
use switchboard::{
    CloseCode, Cluster, Conn, Context, Drain, Handler, JoinError, Message, Observed, Presence,
    Server, Zone, ZoneId,
};

/// Joins a room in `open`.
fn page(world: &mut World, user: &str, value: &str) -> Client {
    world.websocket(&*format!("/?do=join+room+{user}+{value}+10000"))
}

fn nothing(world: &mut World, page: Client) {
    assert!(world.hear(page).is_empty());
}

/// The users of the room, as text.
fn present(world: &mut World) -> Vec<String> {
    world.context().present("room").map(|at| format!("{}={}", at.user, at.value)).collect()
}

#[test]
fn newcomer_gets_the_state_before_its_turn_and_each_change_from_then_on() {
    let (mut world, _) = hall();
    let ada = page(&mut world, "ada", "1");
    assert_eq!(world.hear(ada), ["room:", "room +ada=1"]);
    let bob = page(&mut world, "bob", "1");
    assert_eq!(world.hear(bob), ["room: ada=1", "room +bob=1"]);
    assert_eq!(world.hear(ada), ["room +bob=1"]);
    // A newcomer and two other changes in one turn.
    let cid = world.websocket("/");
    world.push(ada, text("join room ada 2 10000"));
    world.push(bob, text("leave room"));
    world.push(cid, text("join room cid 1 10000"));
    world.settle();
    assert_eq!(world.hear(cid), ["room: ada=1 bob=1", "room ~ada=2 -bob=1 +cid=1"]);
    assert_eq!(world.hear(ada), ["room ~ada=2 -bob=1 +cid=1"]);
    nothing(&mut world, bob);
    assert_eq!(present(&mut world), ["ada=2", "cid=1"]);
    assert_eq!(world.context().present_count("room"), 2);
    assert_eq!(world.context().present_count("early"), 0);
}

#[test]
fn reload_within_the_grace_is_silent() {
    let (mut world, zone) = hall();
    let (ada, bob) = (page(&mut world, "ada", "1"), page(&mut world, "bob", "1"));
    world.hear(ada);
    world.fail(bob, ErrorKind::ConnectionReset);
    for _ in 0..2 {
        world.advance(Presence::GRACE);
        assert_eq!(present(&mut world), ["ada=1", "bob=1"]);
        let again = page(&mut world, "bob", "1");
        assert_eq!(world.hear(again), ["room: ada=1 bob=1"]);
        world.advance(seconds(60));
        nothing(&mut world, ada);
        world.end(again);
    }
    world.advance(seconds(11));
    assert_eq!(world.hear(ada), ["room -bob=1"]);
    assert_eq!(present(&mut world), ["ada=1"]);
    world.end(ada);
    world.with(zone, |hall, _cx| hall.log.clear());
    world.advance(seconds(11));
    // The zone learns of the last one too, with no connection left.
    let log = world.with(zone, |hall, _cx| hall.log.clone());
    assert_eq!(log, ["room -ada=1 (0)"]);
    world.advance(seconds(60));
    assert_eq!(world.server.poll_timeout(world.now), None, "nothing is left to do");
}

#[test]
fn user_is_there_while_one_of_several_connections_is() {
    let (mut world, _) = hall();
    let bob = page(&mut world, "bob", "1");
    let (one, two) = (page(&mut world, "ada", "1"), page(&mut world, "ada", "2"));
    assert_eq!(world.hear(bob), ["room:", "room +bob=1", "room +ada=1", "room ~ada=2"]);
    world.end(two);
    world.advance(seconds(30));
    nothing(&mut world, bob);
    assert_eq!(present(&mut world), ["ada=2", "bob=1"], "the latest value stays");
    world.say(one, "join room ada 3 0");
    world.end(one);
    // The grace of the connection that ended last was zero.
    assert_eq!(world.hear(bob), ["room ~ada=3", "room -ada=3"]);
}

#[test]
fn grace_is_rounded_up_and_ends_exactly() {
    let (mut world, _) = hall();
    let bob = page(&mut world, "bob", "1");
    for grace in [1, 250, 251, 1_000, 90_000] {
        let ada = world.websocket(&*format!("/?do=join+room+ada+1+{grace}"));
        world.hear(bob);
        world.end(ada);
        world.advance(millis(grace));
        nothing(&mut world, bob);
        world.advance(millis(500));
        assert_eq!(world.hear(bob), ["room -ada=1"], "{grace} ms");
    }
    // Not longer than an hour.
    let ada = world.websocket("/?do=join+room+ada+1+86400000");
    world.hear(bob);
    world.end(ada);
    world.advance(seconds(3_600));
    nothing(&mut world, bob);
    world.advance(seconds(1));
    assert_eq!(world.hear(bob), ["room -ada=1"]);
}

#[test]
fn leave_has_no_grace_and_counts_for_its_connection_alone() {
    let (mut world, _) = hall();
    let bob = page(&mut world, "bob", "1");
    let (one, two) = (page(&mut world, "ada", "1"), page(&mut world, "ada", "1"));
    assert_eq!(world.hear(bob).len(), 3);
    world.say(one, "leave room");
    world.say(one, "leave room");
    world.say(one, "leave nothing");
    nothing(&mut world, bob);
    assert_eq!(world.hear(one).len(), 2);
    world.say(two, "leave room");
    assert_eq!(world.hear(bob), ["room -ada=1"]);
    world.say(bob, "join room bob 2 10000");
    nothing(&mut world, one);
    // A connection that has left joins as a newcomer.
    world.say(one, "join room ada 5 10000");
    assert_eq!(world.hear(one), ["room: bob=2", "room +ada=5"]);
}

#[test]
fn turn_reports_net_changes() {
    let (mut world, _) = hall();
    let (ada, bob) = (page(&mut world, "ada", "1"), page(&mut world, "bob", "1"));
    world.hear(ada);
    world.say(bob, "twice room bob 2");
    assert_eq!(world.hear(ada), ["room ~bob=2"]);
    world.say(bob, "twice room bob 2");
    world.say(bob, "join room bob 2 10000");
    nothing(&mut world, ada);
    // Another value and back, left and back, and a user who comes and goes.
    let cid = world.websocket("/");
    let frames = ["leave room", "twice room bob 2", "join room bob 2 10000"].map(text).concat();
    world.push(bob, frames);
    world.push(cid, [text("join room cid 1 0"), text("leave room")].concat());
    world.settle();
    nothing(&mut world, ada);
    nothing(&mut world, cid);
    let newcomer = ["room: ada=1 bob=1", "room +bob=1", "room ~bob=2", "room: ada=1 bob=2"];
    assert_eq!(
        world.hear(bob)[..],
        [
            newcomer[0].replace(" bob=1", ""),
            newcomer[1].into(),
            newcomer[2].into(),
            newcomer[3].into()
        ]
    );
}

#[test]
fn connection_may_change_its_user() {
    let (mut world, _) = hall();
    let (ada, bob) = (page(&mut world, "ada", "1"), page(&mut world, "guest", "1"));
    world.hear(ada);
    world.hear(bob);
    world.say(bob, "join room bob 1 10000");
    assert_eq!(world.hear(ada), ["room +bob=1 -guest=1"]);
    assert_eq!(world.hear(bob), ["room +bob=1 -guest=1"]);
    world.end(bob);
    world.advance(seconds(11));
    assert_eq!(world.hear(ada), ["room -bob=1"]);
}

#[test]
fn errors_say_what_to_do_and_change_nothing() {
    let (mut world, _) = hall();
    let ada = world.websocket("/");
    let (most, more) = ("x".repeat(256), "x".repeat(257));
    for (words, error) in [
        (format!("join {more} u v 0"), "TopicTooLong"),
        (format!("join t {more} v 0"), "UserTooLong"),
        (format!("join t u {more} 0"), "ValueTooLong"),
        ("join t  v 0".to_owned(), "NoUser"),
    ] {
        world.say(ada, &*words);
        assert_eq!(world.hear(ada), [error]);
    }
    world.say(ada, &*format!("join {most} {most} {most} 0"));
    assert_eq!(world.hear(ada).len(), 2);
    for topic in 1..16 {
        world.say(ada, &*format!("join {topic} u v 0"));
        assert_eq!(world.hear(ada).len(), 2);
    }
    world.say(ada, "join 16 u v 0");
    assert_eq!(world.hear(ada), ["TooManyTopics"]);
    world.say(ada, "join 3 u w 0");
    assert_eq!(world.hear(ada), ["3 ~u=w"]);
    world.say(ada, "leave 7");
    world.say(ada, "join 16 u v 0");
    assert_eq!(world.hear(ada).len(), 2);
    for error in [
        JoinError::TopicTooLong,
        JoinError::NoUser,
        JoinError::UserTooLong,
        JoinError::ValueTooLong,
        JoinError::TooManyTopics,
        JoinError::OtherZone,
    ] {
        assert!(error.to_string().contains(": "), "{error} says what to do");
    }
}

#[test]
fn topic_belongs_to_one_zone_while_users_are_there() {
    let mut world = World::new();
    let one = world.server.zones(["/one", "/uno"], Hall::default());
    let two = world.server.zone("/two", Hall::default());
    let ada = world.websocket("/one?do=join+room+ada+1+0");
    let uno = world.websocket("/uno?do=join+room+uno+1+0");
    let bob = world.websocket("/two?do=join+room+bob+1+0");
    assert_eq!(world.hear(ada), ["room:", "room +ada=1", "room +uno=1"]);
    assert_eq!(world.hear(uno).len(), 2);
    assert_eq!(world.hear(bob), ["OtherZone"]);
    assert!(world.with(two, |hall, _cx| hall.log.is_empty()));
    world.end(ada);
    world.end(uno);
    world.say(bob, "join room bob 1 0");
    assert_eq!(world.hear(bob), ["room:", "room +bob=1"]);
    assert_eq!(world.with(one, |hall, _cx| hall.log.len()), 6);
}

#[test]
fn event_stream_is_present_as_a_websocket_is() {
    let (mut world, _) = hall();
    let ada = page(&mut world, "ada", "1");
    let bob = world.events("/?do=join+room+bob+1+1000");
    assert_eq!(world.hear(bob), ["room: ada=1", "room +bob=1"]);
    assert_eq!(world.hear(ada), ["room:", "room +ada=1", "room +bob=1"]);
    world.end(bob);
    world.advance(seconds(2));
    assert_eq!(world.hear(ada), ["room -bob=1"]);
}

/// Opens pages of users with these numbers.
fn crowd(world: &mut World, numbers: std::ops::Range<usize>) -> Vec<Client> {
    numbers.map(|n| page(world, &format!("user{n:03}"), "1")).collect()
}

#[test]
fn crowd_is_counted_once_a_second_and_named_again_below_80() {
    let (mut world, _) = hall();
    let mut pages = crowd(&mut world, 0..100);
    let first = pages[0];
    assert_eq!(world.hear(first).len(), 101);
    pages.extend(crowd(&mut world, 100..101));
    assert_eq!(world.hear(first), ["room 101"]);
    assert_eq!(world.hear(pages[100]), ["room 101"], "in place of a snapshot");
    pages.extend(crowd(&mut world, 101..111));
    nothing(&mut world, first);
    assert_eq!(world.hear(pages[110]), ["room 111"], "a newcomer does not wait");
    world.say(first, "join room user000 2 10000");
    world.advance(millis(1_000));
    nothing(&mut world, first);
    world.advance(millis(250));
    assert_eq!(world.hear(first), ["room 111"], "the last one always comes");
    assert_eq!(world.hear(pages[110]), ["room 111"]);
    world.advance(seconds(60));
    nothing(&mut world, first);
    // Down to 80 nothing is named.
    for page in pages.drain(80..) {
        world.say(page, "leave room");
    }
    world.advance(seconds(2));
    assert_eq!(world.hear(first), ["room 110", "room 80"]);
    let last = pages.pop().unwrap();
    world.say(last, "leave room");
    let users: Vec<String> =
        (0..79).map(|n| format!(" user{n:03}={}", 1 + u8::from(n == 0))).collect();
    for page in [first, pages[78]] {
        let snapshot = world.hear(page).pop().map(|last| format!("{last:?}")).unwrap();
        assert!(snapshot.contains(&format!("room:{}", users.concat())), "{snapshot}");
    }
    world.say(first, "join room user000 3 10000");
    assert_eq!(world.hear(first), ["room ~user000=3"]);
}

#[test]
fn crowd_around_the_bounds_gets_no_two_counts_within_a_second() {
    let (mut world, _) = hall();
    let pages = crowd(&mut world, 0..101);
    let first = pages[0];
    world.hear(first);
    // All in one turn: below 80 and above 100 again.
    for &page in &pages[70..] {
        world.push(page, text("leave room"));
    }
    world.settle();
    assert_eq!(world.hear(first).len(), 1, "a snapshot");
    for (n, &page) in pages.iter().enumerate().skip(70) {
        world.push(page, text(&format!("join room user{n:03} 1 10000")));
    }
    world.settle();
    nothing(&mut world, first);
    world.advance(millis(1_250));
    assert_eq!(world.hear(first), ["room 101"]);
}

#[test]
fn drain_reports_no_user_as_left() {
    for leaves_in_close in [false, true] {
        let (mut world, zone) = hall();
        world.with(zone, |hall, _cx| hall.leaves_in_close = leaves_in_close);
        let pages = crowd(&mut world, 0..10);
        let gone = page(&mut world, "gone", "1");
        world.end(gone);
        let before = present(&mut world);
        world.with(zone, |hall, _cx| hall.log.clear());
        let drain = Drain {
            notice: seconds(20),
            window: seconds(60),
            deadline: seconds(100),
            ..Drain::default()
        };
        world.context().drain(drain).unwrap();
        // The notice serves: a page that leaves is not reported, one that comes is.
        world.end(pages[0]);
        world.advance(seconds(15));
        let newcomer = page(&mut world, "zoe", "1");
        let expected = format!("room: {}", before.join(" "));
        assert_eq!(world.hear(newcomer), [&*expected, "room +zoe=1"]);
        world.advance(seconds(85));
        assert!(world.server.is_drained());
        let log = world.with(zone, |hall, _cx| hall.log.clone());
        assert_eq!(log.len(), 2, "{log:?}");
        assert_eq!(world.server.poll_timeout(world.now), None);
    }
}

#[test]
fn presence_that_begins_in_a_drain_reports_no_user_as_left() {
    let (mut world, zone) = hall();
    let notice = seconds(60);
    world.context().drain(Drain { notice, deadline: seconds(90), ..Drain::default() }).unwrap();
    let ada = page(&mut world, "ada", "1");
    world.end(ada);
    world.advance(seconds(30));
    assert_eq!(world.with(zone, |hall, _cx| hall.log.len()), 2);
}

#[test]
fn panic_in_presence_is_caught_or_poisons() {
    for catches in [true, false] {
        let (mut world, zone) = hall();
        world.server.catch_panics(catches);
        let (tell, told) = std::sync::mpsc::channel();
        world.server.observe(move |observed: &Observed<'_>| {
            if let Observed::Panicked(panicked) = observed {
                tell.send(panicked.callback.to_owned()).unwrap();
            }
        });
        let ada = page(&mut world, "ada", "1");
        world.hear(ada);
        world.with(zone, |hall, _cx| hall.panics = true);
        world.push(ada, text("join room ada 2 10000"));
        let turn = catch_unwind(AssertUnwindSafe(|| world.settle()));
        assert_eq!((turn.is_err(), world.server.is_poisoned()), (!catches, !catches));
        if catches {
            nothing(&mut world, ada);
            assert_eq!(told.try_iter().collect::<Vec<_>>(), ["presence"]);
            world.say(ada, "join room ada 3 10000");
            assert_eq!(world.hear(ada), ["room ~ada=3"], "the page goes on");
            assert_eq!(world.context().stats().panics, 1);
        }
    }
}

#[test]
fn counted_zone_counts_what_presence_sends() {
    let mut world = World::new();
    let zone = Zone::new("/").counted(true);
    world.server.zone(zone, Hall::default());
    page(&mut world, "ada", "1");
    page(&mut world, "bob", "1");
    assert_eq!(world.context().stats().zones[0].messages_sent, 2 + 3);
}

/// Joins and leaves in the callback itself.
#[derive(Default)]
struct Eager {
    log: Vec<String>,
}

impl Handler for Eager {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        if let Message::Text(user) = message {
            conn.join("room", user, "1", Presence::GRACE).unwrap();
        }
    }

    fn presence(&mut self, cx: &mut Context, topic: &str, presence: Presence<'_>) {
        self.log.push(line(topic, presence));
        if let Presence::Changes { to, .. } = presence
            && self.log.len() == 2
        {
            let &[one, two] = to else { panic!("two connections") };
            cx.conn(one).unwrap().leave("room");
            cx.conn(two).unwrap().join("room", "bob", "2", Presence::GRACE).unwrap();
            cx.send_each(to, "both");
            cx.conn(two).unwrap().close(CloseCode::NORMAL, "");
        }
    }
}

#[test]
fn callback_that_changes_presence_is_called_in_the_next_turn() {
    let mut world = World::new();
    let zone = world.server.zone("/", Eager::default());
    let (ada, bob) = (world.websocket("/"), world.websocket("/"));
    world.push(ada, text("ada"));
    world.push(bob, text("bob"));
    world.turn();
    let first = ["room:", "room +ada=1 +bob=1"];
    let now = world.now;
    assert_eq!(world.server.with(zone, now, |eager, _cx| eager.log.clone()), first);
    assert_eq!(world.server.poll_timeout(now), Some(Duration::ZERO), "more is to be told");
    assert_eq!(world.hear(ada), ["both"]);
    assert_eq!(world.hear(bob), ["both"]);
    world.advance(seconds(11));
    let log = world.with(zone, |eager, _cx| eager.log.split_off(2));
    assert_eq!(log, ["room -ada=1 ~bob=2", "room -bob=2"]);
}

/// Two servers of a cluster, each in its own world.
fn cluster() -> (Vec<World>, Vec<ZoneId<Hall>>) {
    let mut cluster = Cluster::new(2);
    let of = |_| {
        let mut server = Server::detached();
        let zone = server.zone("/", Hall::default());
        cluster.join(&mut server).unwrap();
        (World::over(server), zone)
    };
    (0..2).map(of).unzip()
}

fn settle(worlds: &mut [World]) {
    for _ in 0..3 {
        worlds.iter_mut().for_each(World::settle);
    }
}

#[test]
fn cluster_counts_the_users_of_all_reactors_together() {
    let (mut worlds, zones) = cluster();
    let ada = page(&mut worlds[0], "ada", "1");
    assert_eq!(worlds[0].hear(ada), ["room:", "room +ada=1"]);
    let bob = page(&mut worlds[1], "bob", "1");
    settle(&mut worlds);
    assert_eq!(worlds[1].hear(bob), ["room: ada=1", "room +bob=1"]);
    assert_eq!(worlds[0].hear(ada), ["room +bob=1"]);
    // A reload reaches the other reactor, and is silent.
    worlds[0].end(ada);
    worlds[0].advance(seconds(9));
    let again = page(&mut worlds[1], "ada", "1");
    worlds[0].advance(seconds(60));
    settle(&mut worlds);
    assert_eq!(worlds[1].hear(again), ["room: ada=1 bob=1"]);
    nothing(&mut worlds[1], bob);
    for world in &mut worlds {
        assert_eq!(present(world), ["ada=1", "bob=1"]);
        assert_eq!(world.context().present_count("room"), 2);
    }
    // Each reactor calls its own zone, once.
    worlds[1].say(bob, "join room bob 2 10000");
    settle(&mut worlds);
    let logs: Vec<String> = worlds
        .iter_mut()
        .zip(&zones)
        .map(|(world, &zone)| world.with(zone, |hall, _cx| hall.log.last().cloned().unwrap()))
        .collect();
    assert_eq!(logs, ["room ~bob=2 (0)", "room ~bob=2 (2)"]);
}

#[test]
fn cluster_goes_on_without_the_users_of_a_reactor_that_has_ended() {
    let (mut worlds, _) = cluster();
    let ada = page(&mut worlds[0], "ada", "1");
    let both = page(&mut worlds[0], "both", "1");
    let bob = page(&mut worlds[1], "bob", "1");
    let other = page(&mut worlds[1], "both", "1");
    settle(&mut worlds);
    worlds[1].hear(bob);
    worlds[0].context().drain(Drain::within(seconds(5))).unwrap();
    worlds[0].advance(seconds(30));
    assert!(worlds[0].server.is_drained() && !worlds[0].is_open(ada) && !worlds[0].is_open(both));
    settle(&mut worlds);
    nothing(&mut worlds[1], bob);
    assert_eq!(present(&mut worlds[1]), ["ada=1", "bob=1", "both=1"]);
    drop(worlds.remove(0));
    settle(&mut worlds);
    assert_eq!(worlds[0].hear(bob), ["room -ada=1"]);
    worlds[0].end(other);
    worlds[0].advance(seconds(11));
    assert_eq!(worlds[0].hear(bob), ["room -both=1"]);
}

#[test]
fn reactor_of_a_cluster_is_woken_by_a_change_and_not_by_a_reload() {
    let (mut worlds, _) = cluster();
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(4));
    let waker = Waker::new(poll.registry(), Token(1)).unwrap();
    worlds[1].server.remote(Arc::new(waker));
    let mut is_woken = |worlds: &mut [World]| {
        worlds[0].settle();
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        worlds[1].settle();
        !events.is_empty()
    };
    is_woken(&mut worlds);
    let ada = page(&mut worlds[0], "ada", "1");
    assert!(!is_woken(&mut worlds), "it has no view of the topic");
    let bob = page(&mut worlds[1], "bob", "1");
    is_woken(&mut worlds);
    worlds[0].say(ada, "join room ada 2 10000");
    assert!(is_woken(&mut worlds));
    assert_eq!(worlds[1].hear(bob), ["room: ada=1", "room +bob=1", "room ~ada=2"]);
    worlds[0].end(ada);
    let again = page(&mut worlds[0], "ada", "2");
    assert!(!is_woken(&mut worlds));
    worlds[0].say(again, "leave room");
    assert!(is_woken(&mut worlds));
    assert_eq!(worlds[1].hear(bob), ["room -ada=2"]);
    // A reactor that is dropped wakes the others too.
    let cid = page(&mut worlds[0], "cid", "1");
    assert!(is_woken(&mut worlds) && worlds[0].is_open(cid));
    drop(worlds.remove(0));
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(!events.is_empty());
    worlds[0].settle();
    assert_eq!(worlds[0].hear(bob), ["room +cid=1", "room -cid=1"]);
}
