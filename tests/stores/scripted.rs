//! A store whose answers a test gives by hand, the messages that such a store would keep, and rooms
//! whose topics it has.
#![allow(dead_code, reason = "no test binary uses all of it")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use switchboard::testing::{Client, World};
use switchboard::{
    Appended, Conn, Context, EventStream, Handler, History, Message, MessageId, Reply, Request,
    Resume, Store, StoreAnswer, StoreBounds, StoreError, StorePage, StoredMessage, Upgrade, ZoneId,
};

/// A question that waits for its answer.
pub enum Asked {
    Append(String, StoredMessage, StoreAnswer<Appended>),
    After(String, MessageId, StoreAnswer<StorePage>),
    Bounds(String, StoreAnswer<StoreBounds>),
}

/// A store that answers nothing by itself.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<Vec<Asked>>>);

impl Script {
    /// Takes the questions that have been asked since the last call, in their order.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn push(&self, asked: Asked) {
        self.0.lock().unwrap().push(asked);
    }
}

impl Store for Script {
    fn append(&mut self, topic: &str, message: StoredMessage, answer: StoreAnswer<Appended>) {
        self.push(Asked::Append(topic.to_owned(), message, answer));
    }
    fn after(&mut self, topic: &str, after: MessageId, answer: StoreAnswer<StorePage>) {
        self.push(Asked::After(topic.to_owned(), after, answer));
    }
    fn bounds(&mut self, topic: &str, answer: StoreAnswer<StoreBounds>) {
        self.push(Asked::Bounds(topic.to_owned(), answer));
    }
}

/// The id of message `b` of a topic; that of none is 0-0.
pub fn id(b: u64) -> MessageId {
    MessageId::new(b.min(1), b)
}

/// What a store has of one topic.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub messages: Vec<(MessageId, StoredMessage)>,
    pub bounds: StoreBounds,
}

/// What a store has. Its pages have three messages.
#[derive(Clone, Debug, Default)]
pub struct Book(pub BTreeMap<String, Kept>);

impl Book {
    pub fn topic(&mut self, topic: &str) -> &mut Kept {
        self.0.entry(topic.to_owned()).or_default()
    }

    pub fn append(&mut self, topic: &str, message: impl Into<StoredMessage>) -> Appended {
        let Kept { messages, bounds } = self.topic(topic);
        let before = bounds.latest;
        bounds.latest = MessageId::new(1, before.b() + 1);
        messages.push((bounds.latest, message.into()));
        Appended { id: bounds.latest, before }
    }

    pub fn trim(&mut self, topic: &str) {
        let Kept { messages, bounds } = self.topic(topic);
        if !messages.is_empty() {
            bounds.trimmed = messages.remove(0).0;
        }
    }

    pub fn answer(&mut self, asked: Asked) {
        match asked {
            Asked::Append(topic, message, answer) => answer.give(self.append(&topic, message)),
            Asked::After(topic, after, answer) => {
                let Kept { messages, bounds } = self.topic(&topic);
                let later = messages.iter().filter(|(id, _)| *id > after).take(3);
                answer.give(StorePage { messages: later.cloned().collect(), bounds: *bounds });
            }
            Asked::Bounds(topic, answer) => answer.give(self.topic(&topic).bounds),
        }
    }
}

/// Rooms: each WebSocket and event stream is in the topic that its path names, from the id of its
/// query on. A WebSocket publishes what it says; `from ID`, `others TEXT` and `join TOPIC` do that.
#[derive(Default)]
pub struct Rooms {
    pub told: Vec<Result<MessageId, StoreError>>,
}

impl Handler for Rooms {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        let topic = &request.path()[1..];
        match request.query() {
            Some(id) => conn.subscribe_from(topic, id.parse().unwrap()),
            None => conn.subscribe(topic),
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { return };
        let topic = conn.topics().last().unwrap_or_default().to_owned();
        match text.split_once(' ') {
            Some(("from", id)) => conn.subscribe_from(&topic, id.parse().unwrap()),
            Some(("others", text)) => conn.publish_to_others(&topic, text),
            Some(("join", topic)) => conn.subscribe(topic),
            _ => conn.publish(&topic, text),
        }
    }

    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        let word = match resume {
            Resume::Resumed => "resumed".to_owned(),
            Resume::Gap { oldest } => format!("gap {oldest}"),
            _ => unreachable!(),
        };
        let topic = if topic == "room/1" { "" } else { topic };
        conn.send(&*format!("{word}{topic}"));
    }
}

/// A world with a store behind `room/`.
pub struct Sim {
    pub world: World,
    pub rooms: ZoneId<Rooms>,
    pub script: Script,
    pub book: Book,
}

impl Sim {
    pub fn new() -> Sim {
        Sim::with(History::new())
    }

    pub fn with(history: History) -> Sim {
        let script = Script::default();
        let mut world = World::new();
        world.server.store("room/", script.clone(), history);
        let rooms = world.server.zone("/", Rooms::default());
        Sim { world, rooms, script, book: Book::default() }
    }

    /// A world in which the store has messages from earlier.
    pub fn after(texts: &[&str]) -> Sim {
        let mut sim = Sim::new();
        for text in texts {
            sim.book.append("room/1", *text);
        }
        sim
    }

    /// Has the store answer all it is asked, until it is asked no more.
    pub fn answer(&mut self) {
        self.world.settle();
        loop {
            let asked = self.script.take();
            if asked.is_empty() {
                return;
            }
            asked.into_iter().for_each(|asked| self.book.answer(asked));
            self.world.settle();
        }
    }

    /// A WebSocket in the topic, which is open by then.
    pub fn join(&mut self, path: &str) -> Client {
        let client = self.world.websocket(path);
        self.answer();
        client
    }

    /// Returns the texts that a client has received since the last call.
    pub fn hear(&mut self, client: Client) -> Vec<String> {
        self.world.hear(client).iter().map(|received| received.text().to_owned()).collect()
    }

    /// Publishes with a closure that records what it is told.
    pub fn publish_stored(&mut self, topic: &str, text: &str) {
        let rooms = self.rooms;
        let told = |rooms: &mut Rooms, _: &mut Context, result| rooms.told.push(result);
        self.world.context().publish_stored(topic, text, rooms, told);
        self.world.settle();
    }

    /// Takes what the closures have been told.
    pub fn told(&mut self) -> Vec<Result<MessageId, StoreError>> {
        self.world.with(self.rooms, |rooms, _| std::mem::take(&mut rooms.told))
    }

    /// Takes in the news of a message that another server has put into the store.
    pub fn news(&mut self, appended: Appended, text: &str) {
        let Appended { id, before } = appended;
        self.world.context().stored("room/1", id, before, text.into());
        self.world.settle();
    }

    pub fn failed(&mut self) -> u64 {
        self.world.context().stats().store_failed
    }
}
