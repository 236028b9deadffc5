//! The topics that keep messages, by name and in the order of their last publish. This file decides
//! neither what a topic keeps nor when it goes.

use std::hash::{BuildHasher, RandomState};
use std::ops::{Index as At, IndexMut as AtMut};

use super::ring::Ring;
use super::settings::History;
use crate::connection::{Chunks, Index};

/// The place of no topic.
const NONE: u32 = u32::MAX;

/// A topic, its messages, and its neighbours in the order of the last publish.
#[derive(Debug, Default)]
pub(super) struct Topic {
    pub(super) name: Box<str>,
    pub(super) history: History,
    pub(super) ring: Ring,
    /// The second in which the topic is checked for old messages; 0 if none is set.
    pub(super) check: u32,
    earlier: u32,
    later: u32,
}

impl Topic {
    /// Whether the topic has more messages or bytes than it may keep.
    pub(super) fn is_over(&self) -> bool {
        self.ring.is_over(&self.history)
    }

    /// Returns the second in which the oldest message is too old, if there is one.
    pub(super) fn next_check(&self) -> Option<u32> {
        self.ring.oldest().map(|kept| self.history.check_of(kept.second))
    }

    /// Whether the oldest message is too old.
    pub(super) fn is_old(&self, second: u32) -> bool {
        self.next_check().is_some_and(|check| check <= second)
    }
}

/// All topics, each with a number as long as it is there.
#[derive(Debug)]
pub(super) struct Rings {
    /// Topics by the hash of their name.
    by_name: Index,
    hasher: RandomState,
    topics: Chunks<Topic>,
    len: usize,
    /// The topic that was published to least recently.
    first: u32,
    last: u32,
}

impl Default for Rings {
    fn default() -> Rings {
        Rings {
            by_name: Index::default(),
            hasher: RandomState::new(),
            topics: Chunks::default(),
            len: 0,
            first: NONE,
            last: NONE,
        }
    }
}

impl Rings {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of a topic.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.find(self.hasher.hash_one(name), |at| &*self.topics[at].name == name)
    }

    /// Adds a topic that is not there, behind all others.
    pub(super) fn add(&mut self, name: &str, history: History, ring: Ring) -> u32 {
        let name = Box::from(name);
        let topic = Topic { name, history, ring, check: 0, earlier: NONE, later: NONE };
        let at = self.topics.insert(topic);
        let (topics, hasher) = (&self.topics, &self.hasher);
        let hash_of = |topic: u32| hasher.hash_one(&*topics[topic].name);
        self.by_name.insert(hash_of(at), at, hash_of);
        self.len += 1;
        self.link(at);
        at
    }

    pub(super) fn remove(&mut self, at: u32) -> Topic {
        self.unlink(at);
        let topic = self.topics.remove(at, Topic::default());
        self.by_name.remove(self.hasher.hash_one(&*topic.name), at);
        self.len -= 1;
        topic
    }

    /// Moves a topic behind all others, since it was published to.
    pub(super) fn touch(&mut self, at: u32) {
        if self.last != at {
            self.unlink(at);
            self.link(at);
        }
    }

    /// Returns the topic that was published to least recently.
    pub(super) fn first(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }

    /// Returns the topic that was published to next after another one.
    pub(super) fn after(&self, at: u32) -> Option<u32> {
        Some(self.topics[at].later).filter(|later| *later != NONE)
    }

    fn link(&mut self, at: u32) {
        (self.topics[at].earlier, self.topics[at].later) = (self.last, NONE);
        match self.last {
            NONE => self.first = at,
            last => self.topics[last].later = at,
        }
        self.last = at;
    }

    fn unlink(&mut self, at: u32) {
        let (earlier, later) = (self.topics[at].earlier, self.topics[at].later);
        match earlier {
            NONE => self.first = later,
            earlier => self.topics[earlier].later = later,
        }
        match later {
            NONE => self.last = earlier,
            later => self.topics[later].earlier = earlier,
        }
    }
}

impl At<u32> for Rings {
    type Output = Topic;

    fn index(&self, at: u32) -> &Topic {
        &self.topics[at]
    }
}

impl AtMut<u32> for Rings {
    fn index_mut(&mut self, at: u32) -> &mut Topic {
        &mut self.topics[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of all topics, from the least recent to the latest publish.
    fn order(rings: &Rings) -> Vec<&str> {
        let each = std::iter::successors(rings.first(), |at| rings.after(*at));
        each.map(|at| &*rings[at].name).collect()
    }

    #[test]
    fn topics_are_ordered_by_their_last_publish() {
        let (mut rings, mut naive) = (Rings::default(), Vec::<String>::new());
        let mut random = 1_u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let name = format!("topic {}", (random >> 40) % 50);
            let at = rings.find(&name);
            assert_eq!(at.is_some(), naive.contains(&name));
            naive.retain(|other| *other != name);
            match (at, (random >> 33) % 3) {
                (Some(at), 0) => assert_eq!(&*rings.remove(at).name, name),
                (at, _) => {
                    let add = || rings.add(&name, History::new(), Ring::default());
                    let at = at.unwrap_or_else(add);
                    rings.touch(at);
                    naive.push(name);
                }
            }
            assert_eq!(order(&rings), naive);
            assert_eq!(rings.len(), naive.len());
        }
    }
}
