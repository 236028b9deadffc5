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
    /// The id up to which the reactor shows messages. It does not change within a turn, but for
    /// what the reactor itself does.
    view: MessageId,
    missed: Missed,
    /// Whether the reactor reads every topic, until it has said which ones it reads.
    reads_all: bool,
    /// The id after which topics keep messages that kept none before, until the reactor knows.
    begun: Option<MessageId>,
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

    /// Returns the first one of the reactors that have joined and not left; 0 if there is none.
    pub(super) fn first(&self) -> usize {
        self.readers.iter().position(|reader| reader.is_here).unwrap_or(0)
    }

    /// Whether this is the first one of the reactors that have joined and not left.
    pub(super) fn is_first(&self, reader: usize) -> bool {
        self.readers[reader].is_here && self.first() == reader
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
    pub(super) fn read_all_but(&mut self, own: usize, latest: MessageId) {
        for (index, reader) in self.readers.iter_mut().enumerate() {
            if reader.is_here && index != own {
                reader.reads_all = true;
                reader.begun.get_or_insert(latest);
            }
        }
    }

    /// Returns the id after which topics keep messages that kept none when the reactor asked last.
    pub(super) fn take_begun(&mut self, reader: usize) -> Option<MessageId> {
        self.readers[reader].begun.take()
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

    /// Returns the id up to which a reactor shows messages.
    pub(super) fn view(&self, reader: usize) -> MessageId {
        self.readers[reader].view
    }

    /// Has a reactor show all up to the latest id, or up to the first message that waits for it.
    pub(super) fn renew_view(&mut self, reader: usize, latest: MessageId) {
        let Reader { since, view, .. } = &mut self.readers[reader];
        *view = since.unwrap_or(latest);
    }

    /// Takes all that waits for a reactor, which then shows all up to the latest id.
    pub(super) fn take(&mut self, reader: usize, latest: MessageId) -> Option<Pending<T>> {
        let Reader { since, missed, view, .. } = &mut self.readers[reader];
        *view = latest;
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
#[path = "readers_tests.rs"]
mod tests;
