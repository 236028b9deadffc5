//! What a server with history must keep, told naively: one list of all messages, and a walk through
//! all of it for each question. This file shares no code with the library.

use std::collections::BTreeMap;

/// Bytes that a topic and a message count beyond their own, as the docs of `Stats` say.
const TOPIC: usize = 320;
const MESSAGE: usize = 256;

/// The bounds of one prefix.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub messages: usize,
    pub bytes: usize,
    pub age: u64,
}

#[derive(Clone, Debug)]
pub struct Published {
    pub b: u64,
    pub topic: String,
    pub text: String,
    pub is_text: bool,
    second: u64,
    is_kept: bool,
}

impl Published {
    fn bytes(&self) -> usize {
        let len = self.text.len();
        let head = if len > 65_535 {
            10
        } else if len > 125 {
            4
        } else {
            2
        };
        MESSAGE + head + len
    }
}

/// A topic that the server knows.
#[derive(Clone, Debug)]
struct Topic {
    /// Messages up to this id may be missing.
    lost: u64,
    last: u64,
    /// The second in which the server looks for old messages.
    look: u64,
}

#[derive(Debug)]
pub struct Model {
    pub all: Vec<Published>,
    prefixes: BTreeMap<String, Bounds>,
    topics: BTreeMap<String, Topic>,
    pub latest: u64,
    forgotten: u64,
    in_flight: u64,
    pub memory: usize,
    pub evicted: u64,
    pub second: u64,
}

/// Whether a subscriber may have missed something, with the oldest message that is kept.
pub type Gap = Option<u64>;

impl Model {
    pub fn new() -> Model {
        Model {
            all: Vec::new(),
            prefixes: BTreeMap::new(),
            topics: BTreeMap::new(),
            latest: 0,
            forgotten: 0,
            in_flight: 0,
            memory: 64 << 20,
            evicted: 0,
            second: 0,
        }
    }

    fn bounds(&self, topic: &str) -> Option<Bounds> {
        let covering = self.prefixes.iter().filter(|(prefix, _)| topic.starts_with(&***prefix));
        covering.max_by_key(|(prefix, _)| prefix.len()).map(|(_, bounds)| *bounds)
    }

    pub fn keeps(&self, topic: &str) -> bool {
        self.bounds(topic).is_some()
    }

    pub fn register(&mut self, prefix: &str, bounds: Bounds) {
        if !self.keeps(prefix) {
            self.forgotten = self.latest;
        }
        self.prefixes.insert(prefix.to_owned(), bounds);
        for name in self.names() {
            self.bound(&name);
            self.look_at_oldest(&name);
        }
    }

    fn names(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    /// The messages that a topic keeps, the oldest first.
    pub fn kept(&self, topic: &str) -> Vec<&Published> {
        self.all.iter().filter(|message| message.is_kept && message.topic == topic).collect()
    }

    pub fn publish(&mut self, topic: &str, text: &str, is_text: bool) -> u64 {
        self.latest += 1;
        let Some(bounds) = self.bounds(topic) else { return self.latest };
        let (b, second) = (self.latest, self.second);
        let (topic, text) = (topic.to_owned(), text.to_owned());
        let (lost, look) = (self.forgotten, too_old_at(second, bounds.age));
        let is_first = self.kept(&topic).is_empty();
        let known = self.topics.entry(topic.clone());
        let known = known.or_insert(Topic { lost, last: b, look });
        known.last = b;
        if is_first {
            known.look = look;
        }
        let message = Published { b, topic: topic.clone(), text, is_text, second, is_kept: true };
        self.all.push(message);
        self.in_flight = b;
        self.bound(&topic);
        self.evict();
        self.in_flight = 0;
        b
    }

    fn forget(&mut self, b: u64) {
        let message = self.all.iter_mut().find(|message| message.b == b).unwrap();
        message.is_kept = false;
        self.topics.get_mut(&message.topic).unwrap().lost = b;
    }

    fn forget_topic(&mut self, name: &str) {
        for b in self.kept(name).iter().map(|message| message.b).collect::<Vec<_>>() {
            self.forget(b);
        }
        let topic = self.topics.remove(name).unwrap();
        self.forgotten = self.forgotten.max(topic.last).max(topic.lost);
    }

    fn bound(&mut self, topic: &str) {
        let bounds = self.bounds(topic).unwrap();
        loop {
            let kept = self.kept(topic);
            let bytes: usize = kept.iter().map(|message| message.bytes()).sum();
            if kept.len() <= bounds.messages && bytes <= bounds.bytes {
                return;
            }
            let oldest = kept[0].b;
            self.forget(oldest);
        }
    }

    pub fn bytes(&self) -> usize {
        let topics: usize = self.topics.keys().map(|name| TOPIC + name.len()).sum();
        let kept = self.all.iter().filter(|message| message.is_kept);
        topics + kept.map(Published::bytes).sum::<usize>()
    }

    /// The bytes of the message that is being published, if it is forgotten already: it counts
    /// until it has left. All earlier ones have left.
    fn in_flight(&self) -> usize {
        let now = self.all.iter().filter(|message| self.in_flight == message.b && !message.is_kept);
        now.map(Published::bytes).sum()
    }

    pub fn evict(&mut self) {
        while self.bytes() + self.in_flight() > self.memory {
            let first = self.topics.iter().min_by_key(|(_, topic)| topic.last);
            let Some(name) = first.map(|(name, _)| name.clone()) else { return };
            match self.kept(&name).first().map(|message| message.b) {
                Some(oldest) if self.topics.len() == 1 => self.forget(oldest),
                _ => {
                    self.forget_topic(&name);
                    self.evicted += 1;
                }
            }
        }
    }

    fn look_at_oldest(&mut self, name: &str) {
        let bounds = self.bounds(name).unwrap();
        if let Some(look) = self.kept(name).first().map(|it| too_old_at(it.second, bounds.age)) {
            self.topics.get_mut(name).unwrap().look = look;
        }
    }

    /// Lets time pass up to a second, with a turn in each.
    pub fn pass(&mut self, second: u64, has_subscribers: impl Fn(&str) -> bool) {
        loop {
            for name in self.names() {
                self.age(&name, has_subscribers(&name));
            }
            if self.second == second {
                return;
            }
            self.second += 1;
        }
    }

    fn age(&mut self, name: &str, has_subscribers: bool) {
        if self.topics[name].look > self.second {
            return;
        }
        let age = self.bounds(name).unwrap().age;
        let old = |message: &&Published| too_old_at(message.second, age) <= self.second;
        let old: Vec<u64> = self.kept(name).into_iter().filter(old).map(|it| it.b).collect();
        old.into_iter().for_each(|b| self.forget(b));
        if !self.kept(name).is_empty() {
            self.look_at_oldest(name);
        } else if has_subscribers {
            let minute = (self.second + 60).div_ceil(60) * 60;
            let look = too_old_at(self.second, age).max(minute);
            self.topics.get_mut(name).unwrap().look = look;
        } else {
            self.forget_topic(name);
        }
    }

    /// What a subscriber learns that goes on after an id of this server.
    pub fn resume(&self, topic: &str, from: u64) -> Gap {
        let lost = self.topics.get(topic).map_or(self.forgotten, |topic| topic.lost);
        (from < lost || from > self.latest).then(|| self.oldest(topic))
    }

    pub fn oldest(&self, topic: &str) -> u64 {
        self.kept(topic).first().map_or(self.latest, |message| message.b)
    }

    /// Topics and messages that are kept.
    pub fn counts(&self) -> (usize, usize) {
        (self.topics.len(), self.all.iter().filter(|message| message.is_kept).count())
    }
}

impl Model {
    /// The id of a text, which occurs once.
    pub fn b_of(&self, text: &str) -> u64 {
        self.all.iter().find(|message| message.text == text).unwrap().b
    }

    /// Drops what is forgotten, so that long runs stay fast.
    pub fn tidy(&mut self) {
        self.all.retain(|message| message.is_kept);
    }
}

/// The first second in which a message is too old: a second that is a multiple of a 64th of the
/// age, which is counted in seconds of at least 1 and at most 60.
fn too_old_at(second: u64, age: u64) -> u64 {
    let step = if age < 128 {
        1
    } else if age > 3_840 {
        60
    } else {
        age / 64
    };
    let mut at = second + age + 1;
    while !at.is_multiple_of(step) {
        at += 1;
    }
    at
}
