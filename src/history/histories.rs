//! The rings of all topics, and the ids of all messages of a server. This file decides what is
//! forgotten because a bound is passed; expiry.rs, what because of its age. It knows no subscriber.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use super::kept::Kept;
use super::message_id::MessageId;
use super::prefixes::Prefixes;
use super::queued::Queued;
use super::resume::Resume;
use super::ring::Ring;
use super::rings::{Rings, Topic};
use super::settings::{History, NEVER};
use crate::connection::Stats;
use crate::delivery::Outgoing;

/// Bytes that a topic counts beyond its name and its messages. It takes no more than these.
const OVERHEAD: usize = 320;
/// The bytes that all topics may count by default.
const MEMORY: usize = 64 << 20;
/// Queued frames that are looked at for each message, and where memory is short.
const LOOKS: usize = 4;
const LOOKS_AT_BOUND: usize = 64;

/// The kept messages of a server.
#[derive(Debug)]
pub(crate) struct Histories {
    prefixes: Prefixes,
    pub(super) rings: Rings,
    /// The second in which each topic is checked for old messages.
    pub(super) checks: BTreeSet<(u32, u32)>,
    pub(super) queued: Queued,
    /// The second in which queued frames are looked at, also if nothing else happens.
    pub(super) look: u32,
    messages: usize,
    /// The bytes that all topics count.
    bytes: usize,
    memory: usize,
    /// Topics that were evicted.
    evicted: u64,
    latest: MessageId,
    /// The greatest id that was forgotten with its topic.
    forgotten: MessageId,
    pub(super) start: Instant,
}

impl Histories {
    pub(crate) fn new(now: Instant) -> Histories {
        // No id is 0-0, which stands for none.
        let epoch = getrandom::u64().unwrap_or_else(|_| RandomState::new().hash_one(0)).max(1);
        let latest = MessageId::new(epoch, 0);
        Histories {
            prefixes: Prefixes::default(),
            rings: Rings::default(),
            checks: BTreeSet::new(),
            queued: Queued::default(),
            look: NEVER,
            messages: 0,
            bytes: 0,
            memory: MEMORY,
            evicted: 0,
            latest,
            forgotten: latest,
            start: now,
        }
    }

    /// Registers a prefix, or replaces its settings. They also hold for what is kept already.
    pub(crate) fn register(&mut self, prefix: &str, history: History) {
        if !self.keeps(prefix) {
            // Its topics have kept nothing so far.
            self.forgotten = self.latest;
        }
        self.prefixes.insert(prefix, history);
        let mut next = self.rings.first();
        while let Some(at) = next {
            next = self.rings.after(at);
            let topic = &mut self.rings[at];
            topic.history = self.prefixes.of(&topic.name).unwrap_or(topic.history);
            self.trim_to_bounds(at);
            self.check_again(at);
        }
    }

    /// Sets the bytes that all topics may count.
    pub(crate) fn set_memory(&mut self, memory: usize) {
        self.memory = memory;
        self.evict();
    }

    /// Returns the bytes that all topics may count, if they were set.
    pub(crate) fn memory(&self) -> Option<usize> {
        (self.memory != MEMORY).then_some(self.memory)
    }

    /// Returns how many topics were evicted.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
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
        let second = self.second(now);
        let kept = Arc::new(Kept::new(message, id, second));
        let Some(at) = self.rings.find(topic).or_else(|| self.add(topic)) else { return kept };
        self.rings.touch(at);
        let is_first = self.rings[at].ring.len() == 0;
        self.rings[at].ring.push(Arc::clone(&kept));
        self.messages += 1;
        self.bytes += kept.len();
        self.trim_to_bounds(at);
        // An empty topic is checked seldom, and by the settings of its last message.
        if is_first {
            let check = self.rings[at].history.check_of(second);
            self.set_check(at, check);
        }
        self.queued.sweep(LOOKS);
        self.evict();
        self.look_later(second);
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

    /// Adds the counters of the kept messages.
    pub(crate) fn write_to(&self, stats: &mut Stats) {
        stats.history_topics += self.rings.len();
        stats.history_messages += self.messages;
        stats.history_bytes += self.bytes;
        stats.history_queued_bytes += self.queued.bytes();
        stats.history_evicted += self.evicted;
    }

    pub(super) fn ring(&self, topic: &str) -> Option<&Ring> {
        self.rings.find(topic).map(|at| &self.rings[at].ring)
    }

    /// Adds a topic, if a prefix covers it.
    pub(super) fn add(&mut self, name: &str) -> Option<u32> {
        let history = self.prefixes.of(name)?;
        self.bytes += OVERHEAD + name.len();
        Some(self.rings.add(name, history, Ring::new(self.forgotten)))
    }

    /// Forgets a topic with all its messages.
    pub(super) fn forget(&mut self, at: u32) {
        while self.trim(at) {}
        self.set_check(at, 0);
        let Topic { name, ring, .. } = self.rings.remove(at);
        self.bytes -= OVERHEAD + name.len();
        self.forgotten = self.forgotten.max(ring.latest());
    }

    /// Forgets the oldest message of a topic; false if it has none.
    pub(super) fn trim(&mut self, at: u32) -> bool {
        let Some(kept) = self.rings[at].ring.trim() else { return false };
        self.messages -= 1;
        self.bytes -= kept.len();
        kept.leave_to(&mut self.queued);
        true
    }

    fn trim_to_bounds(&mut self, at: u32) {
        while self.rings[at].is_over() {
            self.trim(at);
        }
    }

    fn is_over(&self) -> bool {
        self.bytes + self.queued.bytes() > self.memory
    }

    /// Evicts topics until all of them fit: the one that was published to least recently first. The
    /// last one loses its oldest messages first.
    fn evict(&mut self) {
        if self.is_over() {
            self.queued.sweep(LOOKS_AT_BOUND);
        }
        while self.is_over()
            && let Some(at) = self.rings.first()
        {
            let is_last = self.rings.after(at).is_none();
            if !(is_last && self.trim(at)) {
                self.forget(at);
                self.evicted += 1;
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
