//! A cluster with a store: towards it, each reactor is a server of its own, and the program has
//! each one hear of what the others have stored. Topics with history beside it are those of all.

mod common;
#[path = "stores/scripted.rs"]
mod scripted;

use common::seconds;
use scripted::{Asked, Book, Rooms, Script, id};
use switchboard::testing::{Client, World};
use switchboard::{
    Appended, Cluster, ClusterHandle, Context, History, Message, Server, StoredMessage, ZoneId,
};

/// Reactors, and one store that all of them use.
struct Sim {
    worlds: Vec<World>,
    rooms: Vec<ZoneId<Rooms>>,
    /// What each reactor asks.
    scripts: Vec<Script>,
    handle: ClusterHandle,
    book: Book,
    /// What was stored since the last ring, with the reactor that did.
    stored: Vec<(usize, String, Appended, StoredMessage)>,
}

impl Sim {
    fn new(reactors: usize) -> Sim {
        let mut cluster = Cluster::new(reactors);
        let mut sim = Sim {
            worlds: Vec::new(),
            rooms: Vec::new(),
            scripts: (0..reactors).map(|_| Script::default()).collect(),
            handle: cluster.handle(),
            book: Book::default(),
            stored: Vec::new(),
        };
        for script in &sim.scripts {
            let mut server = Server::detached();
            cluster.join(&mut server).unwrap();
            server.history("lobby/", History::new());
            server.store("room/", script.clone(), History::new());
            sim.rooms.push(server.zone("/", Rooms::default()));
            sim.worlds.push(World::over(server));
        }
        sim
    }

    /// Has the store answer all that it is asked.
    fn answer(&mut self) {
        loop {
            self.worlds.iter_mut().for_each(World::settle);
            let asked: Vec<_> = self.scripts.iter().map(Script::take).enumerate().collect();
            if asked.iter().all(|(_, asked)| asked.is_empty()) {
                return;
            }
            for (at, asked) in asked {
                for asked in asked {
                    match asked {
                        Asked::Append(topic, message, answer) => {
                            let appended = self.book.append(&topic, message.clone());
                            answer.give(appended);
                            self.stored.push((at, topic, appended, message));
                        }
                        asked => self.book.answer(asked),
                    }
                }
            }
        }
    }

    /// Has all other reactors hear of what was stored, as a thread of the program does.
    fn ring(&mut self) {
        for (from, topic, Appended { id, before }, message) in std::mem::take(&mut self.stored) {
            for at in (0..self.worlds.len()).filter(|at| *at != from) {
                let (topic, message) = (topic.clone(), message.clone());
                let ring = move |_: &mut Rooms, cx: &mut Context| {
                    cx.stored(&topic, id, before, message);
                };
                self.handle.remote(at).unwrap().call(self.rooms[at], ring).unwrap();
            }
        }
        self.answer();
    }

    fn join(&mut self, at: usize, path: &str) -> Client {
        let client = self.worlds[at].websocket(path);
        self.answer();
        client
    }

    fn hear(&mut self, at: usize, client: Client) -> Vec<String> {
        self.worlds[at].hear(client).iter().map(|received| received.text().to_owned()).collect()
    }
}

#[test]
fn each_reactor_hears_of_what_the_others_have_stored() {
    let mut sim = Sim::new(3);
    let clients: Vec<_> = (0..3).map(|at| sim.join(at, "/room/1")).collect();
    sim.worlds[0].say(clients[0], "first");
    sim.answer();
    assert_eq!(sim.hear(0, clients[0]), ["first"]);
    // Only what is stored reaches the others, and only when they hear of it.
    for at in [1, 2] {
        assert_eq!(sim.hear(at, clients[at]), [""; 0]);
    }
    sim.ring();
    for at in [1, 2] {
        assert_eq!(sim.hear(at, clients[at]), ["first"]);
    }
    for (at, text) in [(1, "a"), (2, "b"), (0, "c"), (1, "d")] {
        sim.worlds[at].say(clients[at], text);
    }
    sim.answer();
    sim.ring();
    // One order, that of the store, at every reactor.
    let kept = &sim.book.topic("room/1").messages;
    let texts = kept.iter().filter_map(|(_, stored)| match stored.message() {
        Message::Text(text) => Some(text.to_owned()),
        _ => None,
    });
    let texts: Vec<_> = texts.skip(1).collect();
    assert_eq!(texts.len(), 4);
    for (at, client) in clients.into_iter().enumerate() {
        assert_eq!(sim.hear(at, client), texts, "reactor {at}");
    }
}

#[test]
fn what_a_ring_misses_is_read_from_the_store() {
    let mut sim = Sim::new(2);
    let bob = sim.join(1, "/room/1");
    for text in ["a", "b", "c"] {
        sim.worlds[0].context().publish("room/1", text);
        sim.answer();
        // The thread of the program was cut off.
        sim.stored.clear();
    }
    assert_eq!(sim.hear(1, bob), [""; 0]);
    sim.worlds[0].context().publish("room/1", "d");
    sim.answer();
    sim.ring();
    assert_eq!(sim.hear(1, bob), ["a", "b", "c", "d"]);
    sim.worlds[0].context().publish("room/1", "e");
    sim.answer();
    sim.worlds[1].context().ask_store("room/");
    sim.answer();
    assert_eq!(sim.hear(1, bob), ["e"]);
}

#[test]
fn client_goes_on_at_another_reactor_by_the_id_of_the_store() {
    let mut sim = Sim::new(2);
    for text in ["a", "b", "c"] {
        sim.worlds[0].context().publish("room/1", text);
    }
    sim.answer();
    // The other reactor has not heard of any message.
    let bob = sim.join(1, &format!("/room/1?{}", id(1)));
    assert_eq!(sim.hear(1, bob), ["resumed", "b", "c"]);
    sim.ring();
    assert_eq!(sim.hear(1, bob), [""; 0]);
}

#[test]
fn history_beside_a_store_is_that_of_all_reactors() {
    let mut sim = Sim::new(2);
    let bob = sim.join(1, "/room/1");
    sim.worlds[1].say(bob, "join lobby/1");
    sim.worlds[0].context().publish("lobby/1", "one");
    let after = sim.worlds[0].context().latest_id();
    sim.worlds[0].context().publish("room/1", "stored");
    sim.worlds[0].context().publish("lobby/1", "two");
    sim.answer();
    assert_eq!(sim.hear(1, bob), ["one", "two"]);
    sim.ring();
    assert_eq!(sim.hear(1, bob), ["stored"]);
    let eve = sim.join(1, &format!("/lobby/1?{after}"));
    assert_eq!(sim.hear(1, eve), ["resumedlobby/1", "two"]);
    // One client follows both.
    let ada = sim.worlds[0].websocket(&*format!("/room/1?{}", id(0)));
    sim.worlds[0].say(ada, "join lobby/1");
    sim.worlds[1].context().publish("lobby/1", "three");
    sim.answer();
    assert_eq!(sim.hear(0, ada), ["resumed", "stored", "three"]);
    sim.worlds.iter_mut().for_each(|world| world.advance(seconds(11)));
    let failed = sim.worlds.iter_mut().map(|world| world.context().stats().store_failed);
    assert_eq!(failed.sum::<u64>(), 0);
}

#[test]
fn what_a_handle_publishes_is_stored_once() {
    let mut sim = Sim::new(3);
    let clients: Vec<_> = (0..3).map(|at| sim.join(at, "/room/1")).collect();
    for text in ["a", "b"] {
        sim.handle.publish("room/1", text).unwrap();
    }
    sim.answer();
    sim.ring();
    assert_eq!(sim.book.topic("room/1").messages.len(), 2);
    for (at, client) in clients.into_iter().enumerate() {
        assert_eq!(sim.hear(at, client), ["a", "b"], "reactor {at}");
    }
}
