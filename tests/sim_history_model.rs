//! History against a naive model: random publishes, cuts, resumes, bounds that change, evictions
//! and ages on a moved clock. After each step the lists of all clients and the counters of the
//! server must equal the model's.

mod common;
#[path = "history_model/model.rs"]
mod model;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use common::is_announcement;
use model::{Bounds, Gap, Model};
use switchboard::testing::{Client, Received, World};
use switchboard::{
    Conn, EventStream, Handler, History, Message, MessageId, Outgoing, Reply, Request, Resume,
    Upgrade,
};

/// Steps of each of 16 runs: 10,240 in all. Short runs, since a world keeps every client.
const STEPS: usize = 640;
const TOPICS: [&str; 9] = [
    "room/0",
    "room/1",
    "room/2",
    "room/3",
    "room/long/0",
    "room/long/1",
    "room/long/2",
    "plain/0",
    "plain/1",
];

/// Obeys `from TOPIC ID`, `join TOPIC`, `leave TOPIC`, `others TOPIC TEXT` and `all TOPIC TEXT`, or
/// several of them with `;` between.
struct Zone;

impl Handler for Zone {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }

    /// Each `TOPIC=ID` of the query is a topic to go on with.
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        for pair in request.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
            let (topic, id) = pair.split_once('=').unwrap();
            conn.subscribe_from(topic, id.parse().unwrap());
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { return };
        for command in text.split(';') {
            let words: Vec<&str> = command.splitn(3, ' ').collect();
            match words[..] {
                ["from", topic, id] => conn.subscribe_from(topic, id.parse().unwrap()),
                ["join", topic] => conn.subscribe(topic),
                ["leave", topic] => conn.unsubscribe(topic),
                ["others", topic, text] => conn.publish_to_others(topic, text),
                ["all", topic, text] => conn.publish(topic, text),
                _ => panic!("{command}"),
            }
        }
    }

    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        match resume {
            Resume::Gap { oldest } => conn.send(&*format!("gap {topic} {}", oldest.b())),
            _ => conn.send(&*format!("resumed {topic}")),
        }
    }
}

/// A page: what it reads, whether it is connected, and what it must have got in this step.
struct Page {
    client: Option<Client>,
    is_websocket: bool,
    topics: BTreeSet<&'static str>,
    /// The id of the last message that it got, as far as the message has one.
    last: u64,
    due: Vec<(Option<u64>, String)>,
}

struct Run {
    random: u64,
    epoch: u64,
    world: World,
    model: Model,
    pages: Vec<Page>,
    millis: u64,
    published: u64,
    /// Whether memory is short. Then each message leaves before the next one is published, since a
    /// queued one counts.
    is_tight: bool,
    /// How often each kind of thing has happened.
    resumed: u64,
    gaps: u64,
}

fn history(bounds: Bounds) -> History {
    let age = Duration::from_secs(bounds.age);
    History::new().messages(bounds.messages).bytes(bounds.bytes).age(age)
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut world = World::new();
        world.server.zone("/", Zone);
        let pages = (0..8).map(|n| Page {
            client: None,
            is_websocket: n % 2 == 0,
            topics: BTreeSet::new(),
            last: 0,
            due: Vec::new(),
        });
        let mut run = Run {
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            epoch: 0,
            world,
            model: Model::new(),
            pages: pages.collect(),
            millis: 0,
            published: 0,
            is_tight: seed % 2 == 1,
            resumed: 0,
            gaps: 0,
        };
        run.register("room/", Bounds { messages: 8, bytes: 5_000, age: 100 });
        run.register("room/long/", Bounds { messages: 20, bytes: 12_000, age: 1_500 });
        if run.is_tight {
            run.set_memory(12_000);
        }
        run.epoch = run.world.context().latest_id().a();
        run
    }

    /// A number below a bound.
    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % bound
    }

    fn topic(&mut self) -> &'static str {
        TOPICS[self.below(TOPICS.len() as u64) as usize]
    }

    fn register(&mut self, prefix: &str, bounds: Bounds) {
        self.world.server.history(prefix, history(bounds));
        self.model.register(prefix, bounds);
    }

    fn set_memory(&mut self, bytes: usize) {
        self.world.server.history_memory(bytes);
        self.model.memory = bytes;
        self.model.evict();
    }

    /// An id to go on from: mostly of the last message, or of any moment, or forged.
    fn from(&mut self, page: usize) -> MessageId {
        let latest = self.model.latest;
        match self.below(10) {
            0 => MessageId::new(self.epoch, latest + 1 + self.below(3)),
            1 => MessageId::new(self.epoch ^ (1 + self.below(9)), self.below(latest + 1)),
            2 => MessageId::default(),
            3 | 4 => MessageId::new(self.epoch, self.below(latest + 1)),
            5 => MessageId::new(self.epoch, latest),
            _ => MessageId::new(self.epoch, self.pages[page].last),
        }
    }

    /// What a page gets that goes on with topics, each after an id: first what the handler is told,
    /// then all messages in the order of their ids.
    fn expect_resumes(&mut self, page: usize, topics: &[(&'static str, MessageId)]) {
        let mut messages = Vec::new();
        for (topic, from) in topics {
            self.pages[page].topics.insert(topic);
            if !self.model.keeps(topic) {
                continue;
            }
            let gap: Gap = match from.a() == self.epoch {
                true => self.model.resume(topic, from.b()),
                false => Some(self.model.oldest(topic)),
            };
            let told = match gap {
                Some(oldest) => format!("gap {topic} {oldest}"),
                None => format!("resumed {topic}"),
            };
            self.gaps += u64::from(gap.is_some());
            self.resumed += u64::from(gap.is_none());
            self.pages[page].due.push((None, told));
            let after = if gap.is_some() { 0 } else { from.b() };
            let kept = self.model.kept(topic).into_iter().filter(|it| it.b > after);
            messages.extend(kept.map(|it| (it.b, it.text.clone(), it.is_text)));
        }
        messages.sort();
        for (b, text, is_text) in messages {
            self.expect(page, Some(b), &text, is_text);
        }
    }

    fn expect(&mut self, page: usize, b: Option<u64>, text: &str, is_text: bool) {
        let page = &mut self.pages[page];
        if page.is_websocket || is_text {
            page.last = b.unwrap_or(page.last);
            page.due.push((b.filter(|_| !page.is_websocket), text.to_owned()));
        }
    }

    /// Makes a text that occurs once.
    fn text(&mut self, topic: &str, len: u64) -> String {
        self.published += 1;
        let mut text = format!("{topic} {} ", self.published);
        (0..len).for_each(|_| text.push('x'));
        text
    }

    /// Notes a publish, and expects it at all subscribers but one. A topic without history gives an
    /// id only where the publisher asks for one.
    fn expect_published(
        &mut self,
        topic: &str,
        text: &str,
        is_text: bool,
        except: Option<usize>,
        asks: bool,
    ) {
        let keeps = self.model.keeps(topic);
        let b = (keeps || asks).then(|| self.model.publish(topic, text, is_text));
        for at in 0..self.pages.len() {
            if Some(at) != except && self.is_member(at, topic) {
                self.expect(at, b.filter(|_| keeps), text, is_text);
            }
        }
    }

    fn is_member(&self, at: usize, topic: &str) -> bool {
        self.pages[at].client.is_some() && self.pages[at].topics.contains(topic)
    }

    fn publish(&mut self) {
        let topic = self.topic();
        let len = match self.below(20) {
            0 => 4_000 + self.below(12_000),
            1..=4 => 700 + self.below(600),
            _ => self.below(130),
        };
        let text = self.text(topic, len);
        let is_text = self.below(8) != 0;
        let (how, at) = (self.below(4), self.below(8) as usize);
        let client = self.pages[at].client.filter(|_| self.pages[at].is_websocket && is_text);
        let next = MessageId::new(self.epoch, self.model.latest + 1);
        let cx = self.world.context();
        match (how, client) {
            (0, Some(client)) => {
                self.world.say(client, &*format!("others {topic} {text}"));
                return self.expect_published(topic, &text, is_text, Some(at), false);
            }
            (1, _) if is_text => assert_eq!(cx.publish_with(topic, |_| text.clone()), next),
            (1, _) => assert_eq!(cx.publish_with(topic, |_| text.as_bytes()), next),
            _ if is_text => cx.publish(topic, &*text),
            _ => cx.publish(topic, Outgoing::binary(text.as_bytes())),
        }
        self.expect_published(topic, &text, is_text, None, how == 1);
    }

    /// Goes on with some topics over a new connection.
    fn connect(&mut self, at: usize) {
        let mut topics: BTreeSet<&str> = std::mem::take(&mut self.pages[at].topics);
        for _ in 0..self.below(3) {
            topics.insert(self.topic());
        }
        let from = self.from(at);
        let topics: Vec<(&str, MessageId)> = topics.into_iter().map(|it| (it, from)).collect();
        let client = match self.pages[at].is_websocket {
            true => {
                let client = self.world.websocket("/");
                let say = topics.iter().map(|(topic, id)| format!("from {topic} {id}"));
                let say = say.collect::<Vec<_>>().join(";");
                if !say.is_empty() {
                    self.world.say(client, &*say);
                }
                client
            }
            false => {
                let query = topics.iter().map(|(topic, id)| format!("{topic}={id}"));
                let query = query.collect::<Vec<_>>().join("&");
                self.world.events(&*format!("/?{query}"))
            }
        };
        self.pages[at].client = Some(client);
        self.expect_resumes(at, &topics);
    }

    fn cut(&mut self, at: usize) {
        let Some(client) = self.pages[at].client.take() else { return };
        match self.below(2) {
            0 => self.world.end(client),
            _ => self.world.fail(client, ErrorKind::ConnectionReset),
        }
    }

    /// Changes the topics of a WebSocket that stays connected.
    fn change(&mut self, at: usize) {
        let Some(client) = self.pages[at].client.filter(|_| self.pages[at].is_websocket) else {
            return;
        };
        let topic = self.topic();
        match self.below(4) {
            0 => {
                self.world.say(client, &*format!("join {topic}"));
                self.pages[at].topics.insert(topic);
            }
            1 => {
                self.world.say(client, &*format!("leave {topic}"));
                self.pages[at].topics.remove(topic);
            }
            2 => {
                let from = self.from(at);
                self.world.say(client, &*format!("from {topic} {from}"));
                self.expect_resumes(at, &[(topic, from)]);
            }
            _ => self.follow_and_publish(at, client, topic),
        }
    }

    /// Goes on with one topic and publishes to another, in one callback. The message comes in its
    /// place behind what is replayed.
    fn follow_and_publish(&mut self, at: usize, client: Client, topic: &'static str) {
        let other = TOPICS[self.below(7) as usize];
        let (from, len) = (self.from(at), self.below(100));
        let text = self.text(other, len);
        self.world.say(client, &*format!("from {topic} {from};all {other} {text}"));
        // Topics that follow from here on have only what is published from here on.
        let is_member = self.is_member(at, other) && other != topic;
        self.expect_published(other, &text, true, Some(at), false);
        let b = self.model.latest;
        let told = self.pages[at].due.len();
        self.expect_resumes(at, &[(topic, from)]);
        if is_member {
            let follows = self.model.keeps(topic);
            self.expect(at, Some(b), &text, true);
            let due = &mut self.pages[at].due;
            // Without history there is nothing to follow.
            let begin = if follows { told + 1 } else { told };
            due[begin..].sort_by_key(|(_, text)| self.model.b_of(text));
            self.pages[at].last = b;
        }
    }

    fn advance(&mut self) {
        let millis = match self.below(10) {
            0 => self.below(2_000_000),
            1..=4 => self.below(100_000),
            _ => self.below(4_000),
        };
        self.world.advance(Duration::from_millis(millis));
        self.millis += millis;
    }

    /// Has the model forget what is too old by now.
    fn pass(&mut self) {
        let Run { model, pages, millis, .. } = self;
        let open = |page: &&Page| page.client.is_some();
        model.pass(*millis / 1_000, |topic| {
            pages.iter().filter(open).any(|page| page.topics.contains(topic))
        });
    }

    fn bounds(&mut self) -> Bounds {
        let messages = 1 + self.below(25) as usize;
        let bytes = 2_000 + self.below(12_000) as usize;
        let age = [self.below(20), self.below(200), self.below(4_000)][self.below(3) as usize];
        Bounds { messages, bytes, age }
    }

    fn step(&mut self) {
        let at = self.below(8) as usize;
        match self.below(100) {
            0..=44 if self.is_tight => self.publish(),
            // Several in one turn.
            0..=44 => (0..=self.below(6)).for_each(|_| self.publish()),
            45..=54 => self.cut(at),
            55..=71 if self.pages[at].client.is_none() => self.connect(at),
            72..=85 => self.change(at),
            86..=94 => self.advance(),
            95 | 96 => {
                let (prefix, bounds) = (self.below(3) as usize, self.bounds());
                self.register(["room/", "room/long/", "room/1"][prefix], bounds);
                // Seldom a topic begins to keep messages in the midst of it all.
                if self.below(16) == 0 {
                    self.register("plain/0", bounds);
                }
            }
            97 if self.is_tight => {
                let bytes = 4_000 + self.below(16_000) as usize;
                self.set_memory(bytes);
            }
            _ => {}
        }
    }

    /// Compares what each client has got in this step, and the counters.
    fn check(&mut self) {
        self.world.settle();
        self.pass();
        for (at, page) in self.pages.iter_mut().enumerate() {
            let due = std::mem::take(&mut page.due);
            let Some(client) = page.client else { continue };
            let heard = self.world.hear(client).into_iter().filter(|it| !is_announcement(it));
            let got = heard.map(|it| received(it, self.epoch));
            assert_eq!(got.collect::<Vec<_>>(), due, "page {at}");
        }
        let stats = self.world.context().stats();
        let (topics, messages) = self.model.counts();
        assert_eq!((stats.history_topics, stats.history_messages), (topics, messages));
        assert_eq!(
            (stats.history_bytes, stats.history_evicted),
            (self.model.bytes(), self.model.evicted)
        );
        assert_eq!(stats.history_queued_bytes, 0);
        let latest = MessageId::new(self.epoch, self.model.latest);
        assert_eq!(self.world.context().latest_id(), latest);
        self.model.tidy();
    }
}

/// A message or event as the id of the event, if it has one, and the text.
fn received(received: Received, epoch: u64) -> (Option<u64>, String) {
    match received {
        Received::Text(text) => (None, text),
        Received::Binary(bytes) => (None, String::from_utf8(bytes).unwrap()),
        Received::Event { id, data, .. } => {
            let id = id.map(|id| id.parse::<MessageId>().unwrap());
            assert!(id.is_none_or(|id| id.a() == epoch));
            (id.map(MessageId::b), data)
        }
    }
}

fn run(seed: u64) -> [u64; 3] {
    let mut run = Run::new(seed);
    for step in 0..STEPS {
        // The last of these is the step that fails.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run.step();
            run.check();
        }));
        if let Err(panic) = outcome {
            eprintln!("seed {seed}, step {step}");
            std::panic::resume_unwind(panic);
        }
    }
    [run.resumed, run.gaps, run.model.evicted]
}

/// Runs all seeds, and returns how often a page resumed, how often it had a gap, and how many
/// topics were evicted.
fn runs(seeds: impl Iterator<Item = u64>) -> [u64; 3] {
    seeds.map(run).fold([0; 3], |sum, counts| [0, 1, 2].map(|at| sum[at] + counts[at]))
}

#[test]
fn history_with_room_is_that_of_the_model() {
    let [resumed, gaps, evicted] = runs((2..=16).step_by(2));
    assert!(resumed > 200 && gaps > 400 && evicted == 0, "{resumed} {gaps} {evicted}");
}

#[test]
fn history_in_tight_memory_is_that_of_the_model() {
    let [resumed, gaps, evicted] = runs((1..=15).step_by(2));
    assert!(resumed > 200 && gaps > 400 && evicted > 300, "{resumed} {gaps} {evicted}");
}
