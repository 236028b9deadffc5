//! The rings of all topics, and the ids of all messages of a server. This file knows no subscriber.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use super::kept::Kept;
use super::message_id::MessageId;
use super::prefixes::Prefixes;
use super::resume::Resume;
use super::ring::Ring;
use super::settings::History;
use crate::connection::{Chunks, Index};
use crate::delivery::Outgoing;

/// The kept messages of a server.
#[derive(Debug)]
pub(crate) struct Histories {
    prefixes: Prefixes,
    /// Topics by the hash of their name.
    by_name: Index,
    hasher: RandomState,
    topics: Chunks<Topic>,
    latest: MessageId,
    /// The greatest id that was forgotten with its topic.
    forgotten: MessageId,
    start: Instant,
}

#[derive(Debug, Default)]
struct Topic {
    name: Box<str>,
    history: History,
    ring: Ring,
}

impl Histories {
    pub(crate) fn new(now: Instant) -> Histories {
        // No id is 0-0, which stands for none.
        let epoch = getrandom::u64().unwrap_or_else(|_| RandomState::new().hash_one(0)).max(1);
        let latest = MessageId::new(epoch, 0);
        Histories {
            prefixes: Prefixes::default(),
            by_name: Index::default(),
            hasher: RandomState::new(),
            topics: Chunks::default(),
            latest,
            forgotten: latest,
            start: now,
        }
    }

    /// Registers a prefix. Messages of its topics from before are unknown.
    pub(crate) fn register(&mut self, prefix: &str, history: History) {
        self.prefixes.insert(prefix, history);
        self.forgotten = self.latest;
    }

    /// Returns all registered prefixes.
    pub(crate) fn registered(&self) -> impl Iterator<Item = (&str, History)> {
        self.prefixes.iter()
    }

    /// Whether a topic keeps messages: a registered prefix covers it, and the longest wins.
    pub(crate) fn keeps(&self, topic: &str) -> bool {
        self.prefixes.of(topic).is_some()
    }

    /// Returns the latest id that was given, for any topic.
    pub(crate) fn latest(&self) -> MessageId {
        self.latest
    }

    /// Gives an id to a message.
    pub(crate) fn next_id(&mut self) -> MessageId {
        self.latest = MessageId::new(self.latest.a(), self.latest.b() + 1);
        self.latest
    }

    /// Keeps a message, if its topic keeps messages, and returns it for its subscribers. The id is
    /// greater than all before.
    pub(crate) fn append(
        &mut self,
        topic: &str,
        message: &Outgoing<'_>,
        id: MessageId,
        now: Instant,
    ) -> Arc<Kept> {
        let second = now.saturating_duration_since(self.start).as_secs() as u32;
        let kept = Arc::new(Kept::new(message, id, second));
        let Some(at) = self.named(topic).or_else(|| self.add(topic)) else { return kept };
        let Topic { ring, history, .. } = &mut self.topics[at];
        ring.push(Arc::clone(&kept));
        while ring.is_over(history) {
            ring.trim();
        }
        kept
    }

    /// Returns whether a topic still has all messages after an id.
    pub(crate) fn resume(&self, topic: &str, from: MessageId) -> Resume {
        let ring = self.ring(topic);
        let trimmed = ring.map_or(self.forgotten, Ring::trimmed);
        let is_ours = from.a() == self.latest.a() && from <= self.latest;
        match is_ours && from >= trimmed {
            true => Resume::Resumed,
            false => Resume::Gap {
                oldest: ring.and_then(Ring::oldest).map_or(self.latest, |kept| kept.id),
            },
        }
    }

    /// Returns the id after which a topic has all messages: where a subscriber goes on at the
    /// oldest message after a gap.
    pub(crate) fn start_of(&self, topic: &str) -> MessageId {
        match self.ring(topic) {
            Some(ring) if ring.len() > 0 => ring.trimmed(),
            _ => self.latest,
        }
    }

    /// Returns the first message of a topic after an id.
    pub(crate) fn next_after(&self, topic: &str, after: MessageId) -> Option<&Arc<Kept>> {
        self.ring(topic)?.next_after(after)
    }

    fn ring(&self, topic: &str) -> Option<&Ring> {
        self.named(topic).map(|at| &self.topics[at].ring)
    }

    fn named(&self, name: &str) -> Option<u32> {
        self.by_name.find(self.hasher.hash_one(name), |at| &*self.topics[at].name == name)
    }

    /// Adds a topic, if a prefix covers it.
    fn add(&mut self, name: &str) -> Option<u32> {
        let history = self.prefixes.of(name)?;
        let ring = Ring::new(self.forgotten);
        let at = self.topics.insert(Topic { name: name.into(), history, ring });
        let (topics, hasher) = (&self.topics, &self.hasher);
        let hash_of = |topic: u32| hasher.hash_one(&*topics[topic].name);
        self.by_name.insert(hasher.hash_one(name), at, hash_of);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(histories: &mut Histories, topic: &str, text: &str) -> MessageId {
        let id = histories.next_id();
        let kept = histories.append(topic, &Outgoing::text(text), id, Instant::now());
        assert_eq!(kept.outgoing().message.as_bytes(), text.as_bytes());
        id
    }

    #[test]
    fn subscriber_goes_on_from_its_id() {
        let mut histories = Histories::new(Instant::now());
        histories.register("room/", History::new().messages(2));
        let start = histories.latest();
        assert_eq!(histories.resume("room/1", start), Resume::Resumed);
        let one = published(&mut histories, "room/1", "one");
        let two = published(&mut histories, "room/1", "two");
        assert_eq!(histories.resume("room/1", start), Resume::Resumed);
        assert_eq!(histories.next_after("room/1", start).unwrap().id, one);
        assert_eq!(histories.next_after("room/1", one).unwrap().id, two);
        assert!(histories.next_after("room/1", two).is_none());
        let three = published(&mut histories, "room/1", "three");
        assert_eq!(histories.resume("room/1", start), Resume::Gap { oldest: two });
        assert_eq!(histories.resume("room/1", one), Resume::Resumed);
        let before = histories.start_of("room/1");
        assert_eq!(histories.next_after("room/1", before).unwrap().id, two);
        // Ids of another server, and ids that were not given.
        let gap = Resume::Gap { oldest: two };
        assert_eq!(histories.resume("room/1", MessageId::new(three.a(), three.b() + 1)), gap);
        assert_eq!(histories.resume("room/1", MessageId::new(three.a() ^ 1, three.b())), gap);
        assert_eq!(histories.resume("room/1", MessageId::default()), gap);
        // A topic that keeps nothing so far, and one that never keeps anything.
        assert_eq!(histories.resume("room/2", start), Resume::Resumed);
        published(&mut histories, "other", "text");
        assert!(histories.keeps("room/2") && !histories.keeps("other"));
        assert!(histories.next_after("other", start).is_none());
    }
}
