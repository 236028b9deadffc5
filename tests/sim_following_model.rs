//! Followers against a naive model: whatever they, their readers and others do, each gets every
//! message of its topics once and in order, from where it was told that the topic goes on.

mod common;

use std::collections::BTreeMap;

use common::{Client, World, is_announcement};
use switchboard::{
    Conn, ConnId, EventStream, Handler, History, MessageId, Options, Reply, Request, Resume,
    Upgrade, ZoneId,
};

const TOPICS: [&str; 3] = ["h1", "h2", "x"];

/// Says in the stream itself where each topic goes on: `R topic id n` after that id, `G topic id n`
/// at that id, `L topic` nowhere. The topic had `n` messages when the reader subscribed.
#[derive(Default)]
struct Reader {
    opened: Vec<ConnId>,
    /// From where each was asked to go on.
    asked: BTreeMap<(ConnId, String), (MessageId, usize)>,
}

impl Handler for Reader {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }
    fn open(&mut self, conn: &mut Conn<'_>, _: &Request<'_>) {
        self.opened.push(conn.id());
    }
    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        let (asked, count) = self.asked[&(conn.id(), topic.to_owned())];
        match resume {
            Resume::Resumed => conn.send(&*format!("R {topic} {asked} {count}")),
            Resume::Gap { oldest } => conn.send(&*format!("G {topic} {oldest} {count}")),
            other => panic!("{other:?}"),
        }
    }
}

/// A published message: its id, its number, and the exchange that sent it to others.
type Published = (MessageId, u64, Option<ConnId>);

/// What one client may get next.
struct Model {
    client: Client,
    id: ConnId,
    /// By topic, the place in all that was published to it.
    places: [Option<usize>; 3],
    /// From where on what the client itself sent to others does not come.
    since: [usize; 3],
    /// The texts so far, for the report.
    heard: Vec<String>,
}

impl Model {
    /// Moves past what the client itself sent to others.
    fn place(&self, topic: usize, published: &[Vec<Published>; 3]) -> Option<usize> {
        let mut place = self.places[topic]?;
        let is_own = |message: &Published| message.2 == Some(self.id);
        while place >= self.since[topic] && published[topic].get(place).is_some_and(is_own) {
            place += 1;
        }
        Some(place)
    }

    fn hear(&mut self, text: &str, published: &[Vec<Published>; 3]) {
        self.heard.push(text.trim_end().to_owned());
        let words: Vec<&str> = text.trim_end().split(' ').collect();
        let topic = TOPICS.iter().position(|topic| *topic == words[1]).unwrap();
        let after = |id: &str, inclusive: bool| {
            let id: MessageId = id.parse().unwrap();
            published[topic].partition_point(|message| match inclusive {
                true => message.0 < id,
                false => message.0 <= id,
            })
        };
        if let Some(count) = words.get(3).filter(|_| words[0] != "M") {
            self.since[topic] = count.parse().unwrap();
        }
        match words[0] {
            "R" => self.places[topic] = Some(after(words[2], false)),
            "G" => self.places[topic] = Some(after(words[2], true)),
            "L" => self.places[topic] = None,
            _ => {
                let place = self.place(topic, published);
                let expected = place.map(|place| published[topic][place].1.to_string());
                assert_eq!(Some(words[2]), expected.as_deref(), "after {:?}", self.heard);
                self.places[topic] = place.map(|place| place + 1);
            }
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % n
    }
}

/// A run: the world, its clients and what was published.
struct Run {
    world: World,
    zone: ZoneId<Reader>,
    models: Vec<Model>,
    published: [Vec<Published>; 3],
    random: Random,
    gaps: usize,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut random = Random(seed);
        let max = [400, 3_000, 1 << 20][random.below(3) as usize];
        let messages = [3, 8, 1_000][random.below(3) as usize];
        let (mut world, zone) = World::set_up(|server| {
            server.options(Options::new().max_buffered(max));
            server.history("h", History::new().messages(messages));
            server.zone("/", Reader::default())
        });
        let clients = [world.websocket("/"), world.events("/"), world.websocket("/")];
        let opened = world.with(zone, |reader, _| reader.opened.clone());
        let model = |(client, id)| Model {
            client,
            id,
            places: [None; 3],
            since: [0; 3],
            heard: Vec::new(),
        };
        let models = clients.into_iter().zip(opened).map(model).collect();
        Run { world, zone, models, published: Default::default(), random, gaps: 0 }
    }

    fn publish(&mut self, topic: usize, others: Option<usize>) {
        let len = [0, 5, 60, 150][self.random.below(4) as usize];
        let cx = self.world.server.context(self.world.now);
        // A message of a plain topic has an id for the model alone.
        let n = self.published.iter().map(Vec::len).sum::<usize>() as u64;
        let text = format!("M {} {n}{}", TOPICS[topic], " ".repeat(len));
        let id = match others {
            None => cx.publish_with(TOPICS[topic], |_| &*text),
            Some(index) => {
                let id = self.models[index].id;
                match cx.conn(id) {
                    Some(mut conn) => conn.publish_to_others(TOPICS[topic], &*text),
                    None => return,
                }
                let given = cx.latest_id();
                if TOPICS[topic] == "x" { cx.publish_with("nobody", |_| "") } else { given }
            }
        };
        let sender = others.map(|index| self.models[index].id);
        self.published[topic].push((id, n, sender));
    }

    /// Subscribes, from now on or from an id that is as likely as not one of the topic.
    fn subscribe(&mut self, index: usize, topic: usize, from: bool) {
        let id = self.models[index].id;
        let all = &self.published[topic];
        let asked = match self.random.below(8) {
            0 => MessageId::new(1, 1),
            1 => self.world.server.context(self.world.now).latest_id(),
            _ if all.is_empty() => MessageId::default(),
            _ => all[self.random.below(all.len() as u64) as usize].0,
        };
        let (name, count) = (TOPICS[topic], all.len());
        let now = self.world.now;
        self.world.server.with(self.zone, now, |reader, cx| {
            let latest = cx.latest_id();
            let Some(mut conn) = cx.conn(id) else { return };
            let is_member = conn.topics().any(|other| other == name);
            if from {
                conn.subscribe_from(name, asked);
                reader.asked.insert((id, name.to_owned()), (asked, count));
            } else {
                conn.subscribe(name);
            }
            if !is_member && (!from || name == "x") {
                reader.asked.insert((id, name.to_owned()), (latest, count));
                conn.send(&*format!("R {name} {latest} {count}"));
            }
        });
    }

    fn leave(&mut self, index: usize, topic: usize) {
        let cx = self.world.server.context(self.world.now);
        if let Some(mut conn) = cx.conn(self.models[index].id) {
            conn.unsubscribe(TOPICS[topic]);
            conn.send(&*format!("L {}", TOPICS[topic]));
        }
    }

    fn step(&mut self) {
        let index = self.random.below(3) as usize;
        let topic = self.random.below(3) as usize;
        match self.random.below(12) {
            0..5 => self.publish(topic, None),
            5 => self.publish(topic, Some(index)),
            6 => self.subscribe(index, topic, false),
            7 | 8 => self.subscribe(index, topic, true),
            9 if self.random.below(3) == 0 => self.leave(index, topic),
            10 => {
                let window = [0, 1, 7, 90, 400, usize::MAX][self.random.below(6) as usize];
                self.world.window(self.models[index].client, window);
            }
            11 => self.world.turn(),
            _ => self.world.settle(),
        }
        self.hear();
    }

    fn hear(&mut self) {
        for model in &mut self.models {
            let heard = self.world.hear(model.client).into_iter();
            for received in heard.filter(|received| !is_announcement(received)) {
                self.gaps += usize::from(received.text().starts_with('G'));
                model.hear(received.text(), &self.published);
            }
        }
    }

    /// Lets all readers take everything, and checks that each has all of its topics.
    fn end(&mut self) -> usize {
        for index in 0..3 {
            self.world.window(self.models[index].client, usize::MAX);
        }
        self.world.settle();
        self.hear();
        let mut open = 0;
        for model in &self.models {
            let Some(conn) = self.world.context().conn(model.id) else { continue };
            open += 1;
            for (topic, name) in TOPICS.iter().enumerate() {
                let is_member = conn.topics().any(|other| other == *name);
                let place = model.place(topic, &self.published);
                let end = is_member.then_some(self.published[topic].len());
                assert_eq!(place, end, "{name} after {:?}", model.heard);
            }
        }
        open
    }
}

#[test]
fn followers_get_every_message_once_and_in_order() {
    let (mut open, mut gaps) = (0, 0);
    for seed in 0..250 {
        let mut run = Run::new(seed);
        for _ in 0..150 {
            run.step();
        }
        open += run.end();
        gaps += run.gaps;
    }
    assert!(open > 400, "{open} of 750 stay open");
    assert!(gaps > 200, "{gaps} gaps");
}
