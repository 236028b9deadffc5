//! How far each reactor of a cluster has read the messages that topics keep, and the messages that
//! some reactor has still to read. This file keeps no history, knows no thread and wakes nothing.
//!
//! A reactor reads a topic while it has a member of that topic. The log has each message once for
//! all of them, in the order of ids. A reactor that is behind takes all that it lacks at once, so
//! that it stands at one id for all its topics.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::Arc;

use super::message_id::MessageId;
use crate::connection::{Chunks, Index};

/// The bounds of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogBounds {
    pub(super) messages: usize,
    /// Bytes of all messages. One message alone may be longer.
    pub(super) bytes: usize,
    /// Topics that are missed one by one.
    pub(super) missed: usize,
}

/// Topics of which the log has lost messages before a reactor took them.
#[derive(Debug)]
enum Missed {
    Topics(BTreeSet<Arc<str>>),
    /// More topics than the bound.
    All,
}

impl Default for Missed {
    fn default() -> Missed {
        Missed::Topics(BTreeSet::new())
    }
}

impl Missed {
    fn add(&mut self, topic: &Arc<str>, most: usize) {
        let Missed::Topics(topics) = self else { return };
        topics.insert(Arc::clone(topic));
        if topics.len() > most {
            *self = Missed::All;
        }
    }
}

/// What a reactor that was behind has to deliver.
#[derive(Debug)]
pub(super) struct Pending<T> {
    /// The id that the reactor stood at.
    pub(super) since: MessageId,
    /// Messages of any topic after that id, in the order of ids.
    pub(super) messages: Vec<Logged<T>>,
    /// Topics of which earlier messages after that id are not in the log any more.
    pub(super) missed: Vec<Arc<str>>,
}

/// A message in the log.
#[derive(Clone, Debug)]
pub(super) struct Logged<T> {
    pub(super) id: MessageId,
    pub(super) topic: Arc<str>,
    pub(super) message: T,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Reader {
    /// Whether the reactor has joined, and not left.
    is_here: bool,
    /// The id that the reactor has read up to, while messages wait for it.
    since: Option<MessageId>,
    missed: Missed,
    /// Whether the reactor reads every topic, until it has said which ones it reads.
    reads_all: bool,
}

/// A topic, and the reactors that have members of it.
#[derive(Debug, Default)]
struct Read {
    topic: Arc<str>,
    by: Vec<usize>,
}

/// All reactors of a cluster, by their numbers.
#[derive(Debug)]
pub(super) struct Readers<T> {
    readers: Box<[Reader]>,
    /// Topics by the hash of their name.
    by_name: Index,
    hasher: RandomState,
    topics: Chunks<Read>,
    log: VecDeque<Logged<T>>,
    bytes: usize,
    bounds: LogBounds,
}

impl<T: Clone> Readers<T> {
    pub(super) fn new(readers: usize, bounds: LogBounds) -> Readers<T> {
        Readers {
            readers: (0..readers).map(|_| Reader::default()).collect(),
            by_name: Index::default(),
            hasher: RandomState::new(),
            topics: Chunks::default(),
            log: VecDeque::new(),
            bytes: 0,
            bounds,
        }
    }

    pub(super) fn join(&mut self, reader: usize) {
        self.readers[reader].is_here = true;
    }

    /// Whether this is the first one of the reactors that have joined and not left.
    pub(super) fn is_first(&self, reader: usize) -> bool {
        self.readers.iter().position(|reader| reader.is_here) == Some(reader)
    }

    /// Adds a topic that a reactor reads from now on.
    pub(super) fn begin(&mut self, reader: usize, topic: &str) {
        if !self.readers[reader].is_here {
            return;
        }
        let at = self.named(topic).unwrap_or_else(|| self.add(topic));
        let by = &mut self.topics[at].by;
        if !by.contains(&reader) {
            by.push(reader);
        }
    }

    /// Removes a topic that a reactor reads no longer.
    pub(super) fn end(&mut self, reader: usize, topic: &str) {
        let Some(at) = self.named(topic) else { return };
        let by = &mut self.topics[at].by;
        by.retain(|other| *other != reader);
        if by.is_empty() {
            self.topics.remove(at, Read::default());
            self.by_name.remove(self.hasher.hash_one(topic), at);
        }
    }

    fn named(&self, topic: &str) -> Option<u32> {
        self.by_name.find(self.hasher.hash_one(topic), |at| *self.topics[at].topic == *topic)
    }

    fn add(&mut self, topic: &str) -> u32 {
        let at = self.topics.insert(Read { topic: topic.into(), by: Vec::new() });
        let (topics, hasher) = (&self.topics, &self.hasher);
        let hash_of = |at: u32| hasher.hash_one(&*topics[at].topic);
        self.by_name.insert(hasher.hash_one(topic), at, hash_of);
        at
    }

    /// Returns all topics that a reactor reads.
    fn topics_of(&self, reader: usize) -> Vec<Arc<str>> {
        let own = self.topics.iter().filter(|read| read.by.contains(&reader));
        own.map(|read| Arc::clone(&read.topic)).collect()
    }

    /// Has all other reactors read every topic, until each has named its own: topics that they have
    /// members of begin to keep messages.
    pub(super) fn read_all_but(&mut self, own: usize) {
        for (index, reader) in self.readers.iter_mut().enumerate() {
            reader.reads_all |= reader.is_here && index != own;
        }
    }

    /// Has a reactor read nothing but the topics that were added with [`begin`](Readers::begin).
    /// Returns whether it read all, so that it has to name its topics now.
    pub(super) fn end_read_all(&mut self, reader: usize) -> bool {
        mem::take(&mut self.readers[reader].reads_all)
    }

    /// Whether any reactor has a member of a topic.
    pub(super) fn has_readers(&self, topic: &str) -> bool {
        self.named(topic).is_some()
    }

    /// Removes a reactor from all topics. Nothing waits for it any more.
    pub(super) fn leave(&mut self, reader: usize) {
        for topic in self.topics_of(reader) {
            self.end(reader, &topic);
        }
        self.readers[reader] = Reader::default();
        self.forget_read();
    }

    /// Adds a message that follows all before, the latest of which is `before`. Returns the
    /// reactors that nothing waited for so far: they are to be woken. `by` is the reactor that
    /// publishes and delivers by itself, after it has taken all that waited.
    pub(super) fn publish(
        &mut self,
        (topic, message, bytes): (&str, T, usize),
        (before, id): (MessageId, MessageId),
        by: Option<usize>,
    ) -> Vec<usize> {
        let found = self.named(topic).map(|at| &self.topics[at]);
        let members = found.map_or(&[][..], |read| &read.by);
        let (mut is_read, mut woken) = (false, Vec::new());
        for (index, reader) in self.readers.iter_mut().enumerate() {
            if Some(index) == by || !(reader.reads_all || members.contains(&index)) {
                continue;
            }
            is_read = true;
            if reader.since.is_none() {
                reader.since = Some(before);
                woken.push(index);
            }
        }
        if is_read {
            let topic = found.map_or_else(|| topic.into(), |read| Arc::clone(&read.topic));
            self.log.push_back(Logged { id, topic, message, bytes });
            self.bytes += bytes;
            while self.log.len() > self.bounds.messages
                || (self.bytes > self.bounds.bytes && self.log.len() > 1)
            {
                self.lose_oldest();
            }
        }
        woken
    }

    /// Returns the id up to which a reactor has read; `None` if nothing waits for it, so that it
    /// has read up to the latest one.
    pub(super) fn stands_at(&self, reader: usize) -> Option<MessageId> {
        self.readers[reader].since
    }

    /// Takes all that waits for a reactor, which then stands at the latest id.
    pub(super) fn take(&mut self, reader: usize) -> Option<Pending<T>> {
        let Reader { since, missed, .. } = &mut self.readers[reader];
        let since = since.take()?;
        let missed = match mem::take(missed) {
            Missed::Topics(topics) => topics.into_iter().collect(),
            Missed::All => self.topics_of(reader),
        };
        let from = self.log.partition_point(|logged| logged.id <= since);
        let messages = self.log.range(from..).cloned().collect();
        self.forget_read();
        Some(Pending { since, messages, missed })
    }

    /// Returns the first message of a topic that a reactor has still to take.
    pub(super) fn first_pending(&self, topic: &str, after: MessageId) -> Option<MessageId> {
        let from = self.log.partition_point(|logged| logged.id <= after);
        let found = self.log.range(from..).find(|logged| *logged.topic == *topic);
        found.map(|logged| logged.id)
    }

    fn lose_oldest(&mut self) {
        let Some(lost) = self.pop() else { return };
        let read = self.named(&lost.topic).map(|at| &self.topics[at]);
        let members = read.map_or(&[][..], |read| &read.by);
        for (index, reader) in self.readers.iter_mut().enumerate() {
            let waits = reader.since.is_some_and(|since| since < lost.id);
            if waits && (reader.reads_all || members.contains(&index)) {
                reader.missed.add(&lost.topic, self.bounds.missed);
            }
        }
    }

    /// Forgets what all reactors have read.
    fn forget_read(&mut self) {
        let read_by_all = self.readers.iter().filter_map(|reader| reader.since).min();
        let is_read = |logged: &Logged<T>| read_by_all.is_none_or(|id| logged.id <= id);
        while self.log.front().is_some_and(is_read) {
            self.pop();
        }
        if self.log.is_empty() {
            self.log = VecDeque::new();
        }
    }

    fn pop(&mut self) -> Option<Logged<T>> {
        let logged = self.log.pop_front()?;
        self.bytes -= logged.bytes;
        Some(logged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: LogBounds = LogBounds { messages: 4, bytes: 100, missed: 2 };

    fn joined(count: usize, bounds: LogBounds) -> Readers<u64> {
        let mut readers = Readers::new(count, bounds);
        (0..count).for_each(|reader| readers.join(reader));
        readers
    }

    fn id(b: u64) -> MessageId {
        MessageId::new(7, b)
    }

    /// Publishes the message `b` with the id `b`.
    fn publish(readers: &mut Readers<u64>, topic: &str, b: u64, by: Option<usize>) -> Vec<usize> {
        readers.publish((topic, b, 1), (id(b - 1), id(b)), by)
    }

    fn taken(readers: &mut Readers<u64>, reader: usize) -> Vec<u64> {
        let pending = readers.take(reader);
        pending.map_or_else(Vec::new, |pending| {
            assert!(pending.missed.is_empty());
            pending.messages.into_iter().map(|logged| logged.message).collect()
        })
    }

    #[test]
    fn reactor_is_woken_once_and_takes_all_that_waits() {
        let mut readers = joined(3, BOUNDS);
        readers.begin(0, "t");
        readers.begin(1, "t");
        readers.begin(1, "t");
        assert_eq!(publish(&mut readers, "t", 1, Some(0)), [1], "the third reads nothing");
        assert_eq!(publish(&mut readers, "t", 2, Some(2)), [0], "the second waits already");
        assert_eq!(readers.stands_at(1), Some(id(0)));
        assert_eq!(taken(&mut readers, 1), [1, 2]);
        assert_eq!((readers.stands_at(0), readers.stands_at(1)), (Some(id(1)), None));
        assert_eq!(taken(&mut readers, 0), [2]);
        assert!(readers.log.is_empty() && readers.bytes == 0);
        assert!(readers.take(2).is_none());
        // From outside of all reactors.
        assert_eq!(publish(&mut readers, "t", 3, None), [0, 1]);
    }

    #[test]
    fn topic_without_members_elsewhere_wakes_nothing_and_is_not_logged() {
        let mut readers = joined(2, BOUNDS);
        readers.begin(0, "t");
        assert_eq!(publish(&mut readers, "t", 1, Some(0)), []);
        assert!(readers.log.is_empty() && readers.has_readers("t"));
        readers.begin(1, "other");
        assert_eq!(publish(&mut readers, "t", 2, Some(0)), []);
        readers.end(0, "t");
        readers.end(0, "t");
        assert!(!readers.has_readers("t"));
        assert_eq!(publish(&mut readers, "t", 3, None), []);
        assert!(readers.log.is_empty());
    }

    #[test]
    fn full_log_loses_the_oldest_and_names_their_topics() {
        let mut readers = joined(3, BOUNDS);
        for topic in ["a", "b"] {
            readers.begin(0, topic);
        }
        readers.begin(1, "b");
        for b in 1..=6 {
            publish(&mut readers, if b == 2 { "b" } else { "a" }, b, None);
        }
        let pending = readers.take(0).unwrap();
        let messages: Vec<u64> = pending.messages.iter().map(|logged| logged.message).collect();
        assert_eq!((pending.since, &messages[..]), (id(0), &[3, 4, 5, 6][..]));
        assert_eq!(pending.missed, ["a".into(), "b".into()]);
        // The other one stood behind the first message already, which is none of its topics.
        let pending = readers.take(1).unwrap();
        assert_eq!(pending.since, id(1));
        assert_eq!(pending.missed, ["b".into()]);
        // By bytes: one alone may be longer.
        readers.publish(("a", 7, 200), (id(6), id(7)), None);
        assert_eq!(taken(&mut readers, 0), [7]);
        readers.publish(("a", 8, 200), (id(7), id(8)), None);
        readers.publish(("a", 9, 1), (id(8), id(9)), None);
        let pending = readers.take(0).unwrap();
        assert_eq!((pending.messages.len(), readers.bytes), (1, 0));
        assert_eq!(pending.missed, ["a".into()]);
    }

    #[test]
    fn missed_topics_are_bounded() {
        let mut readers = joined(1, BOUNDS);
        for b in 1..=10 {
            readers.begin(0, &b.to_string());
            publish(&mut readers, &b.to_string(), b, None);
        }
        let mut missed = readers.take(0).unwrap().missed;
        missed.sort();
        let all: BTreeSet<Arc<str>> = (1..=10).map(|b: u64| b.to_string().into()).collect();
        assert_eq!(missed, Vec::from_iter(all), "any topic may be the third");
        publish(&mut readers, "1", 11, None);
        assert_eq!(taken(&mut readers, 0), [11]);
    }

    #[test]
    fn reactor_that_leaves_keeps_nothing_back() {
        let mut readers = joined(2, BOUNDS);
        readers.begin(0, "t");
        readers.begin(1, "t");
        publish(&mut readers, "t", 1, None);
        assert_eq!(taken(&mut readers, 0), [1]);
        assert_eq!(readers.log.len(), 1);
        readers.leave(1);
        assert!(readers.log.is_empty() && readers.bytes == 0);
        assert_eq!(publish(&mut readers, "t", 2, None), [0]);
        assert!(readers.is_first(0));
        readers.leave(0);
        assert!(!readers.has_readers("t") && !readers.is_first(0));
        readers.begin(0, "t");
        assert!(!readers.has_readers("t"), "it has left");
    }

    #[test]
    fn reactor_reads_all_topics_until_it_has_named_its_own() {
        let mut readers = joined(2, BOUNDS);
        readers.read_all_but(1);
        assert_eq!(publish(&mut readers, "t", 1, Some(1)), [0]);
        assert_eq!(taken(&mut readers, 0), [1]);
        readers.begin(0, "t");
        assert!(readers.end_read_all(0) && !readers.end_read_all(0));
        assert_eq!(publish(&mut readers, "other", 2, Some(1)), []);
        assert_eq!(publish(&mut readers, "t", 3, Some(1)), [0]);
    }

    /// Against lists of what each reactor has to get: 20,000 random steps.
    #[test]
    fn reactors_take_what_a_naive_model_gives_them() {
        let mut random = 1_u64;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % bound
        };
        let bounds = LogBounds { messages: 1_000, bytes: 1_000, missed: 2 };
        let mut readers = joined(3, bounds);
        let mut reads = [[false; 4]; 3];
        let mut owed: [Vec<u64>; 3] = Default::default();
        let mut latest = 0;
        for _ in 0..20_000 {
            let (reader, topic) = (below(3) as usize, below(4) as usize);
            let name = topic.to_string();
            match below(8) {
                0 => {
                    readers.begin(reader, &name);
                    reads[reader][topic] = true;
                }
                1 => {
                    readers.end(reader, &name);
                    reads[reader][topic] = false;
                }
                2 | 3 => check(&mut readers, &mut owed, reader),
                _ => {
                    let by = (below(4) > 0).then_some(reader);
                    if by.is_some() {
                        check(&mut readers, &mut owed, reader);
                    }
                    latest += 1;
                    let was_idle = [0, 1, 2].map(|at| readers.stands_at(at).is_none());
                    let woken = publish(&mut readers, &name, latest, by);
                    let gets = |at: &usize| Some(*at) != by && reads[*at][topic];
                    let expected = (0..3).filter(|at| gets(at) && was_idle[*at]);
                    assert_eq!(woken, Vec::from_iter(expected));
                    (0..3).filter(gets).for_each(|at| owed[at].push(latest));
                }
            }
            let waits = owed.iter().any(|owed| !owed.is_empty());
            assert_eq!(readers.log.is_empty(), !waits);
        }
    }

    fn check(readers: &mut Readers<u64>, owed: &mut [Vec<u64>; 3], reader: usize) {
        let got = taken(readers, reader);
        assert!(got.is_sorted());
        let owed = mem::take(&mut owed[reader]);
        assert!(owed.iter().all(|message| got.contains(message)), "{owed:?} in {got:?}");
        assert_eq!(owed.is_empty(), got.is_empty());
    }
}
