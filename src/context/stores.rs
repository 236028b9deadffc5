//! The topics of stores: their rings, their gates, and the questions that wait for an answer. This
//! file calls no store, no handler and no closure, and sends nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use crate::connection::{ConnId, Stats};
use crate::history::{
    AheadBounds, Gate, Histories, History, Inbox, Kept, MessageId, Pages, Questions, StoredMessage,
};

/// All stores of a server. `C` is a closure that is told an answer.
pub(crate) struct Stores<C> {
    /// The prefix of each store, and what each of its topics keeps here.
    pub(super) prefixes: Vec<(Box<str>, History)>,
    pub(super) topics: HashMap<Arc<str>, StoredTopic>,
    /// The latest messages of each topic.
    pub(super) rings: Histories,
    /// What was read for those that lag behind the rings.
    pub(super) pages: Pages,
    pub(super) questions: Questions<Question<C>>,
    /// Followers that wait for a page, by the topic and the id that they are at.
    pub(super) readers: HashMap<(Arc<str>, MessageId), BTreeSet<u32>>,
    pub(crate) inbox: Arc<Inbox>,
    /// Topics at whose number those without subscribers are forgotten.
    pub(super) sweep_at: usize,
    /// Answers that failed, came late or were out of order, and messages that were refused.
    pub(super) failed: u64,
}

/// A topic of a store that has subscribers, or had some lately.
#[derive(Default)]
pub(super) struct StoredTopic {
    pub(super) gate: Gate<Incoming>,
    /// Followers that go on with the next message.
    pub(super) waiting: BTreeSet<u32>,
}

/// A message on its way to the subscribers of this server.
pub(super) struct Incoming {
    pub(super) message: StoredMessage,
    /// The publisher, if it published to others.
    pub(super) except: Option<ConnId>,
}

/// A question for a store.
pub(crate) enum Question<C> {
    Append(Append<C>),
    /// To begin at the latest message, or to answer a handler.
    Bounds(Option<(u16, C)>),
    /// To go on behind an id: for members, or for followers that lag behind.
    After {
        after: MessageId,
        is_live: bool,
    },
}

/// A message that waits for its id.
pub(crate) struct Append<C> {
    pub(crate) message: StoredMessage,
    pub(super) except: Option<ConnId>,
    pub(super) done: Option<(u16, C)>,
}

/// Where a reader of a topic stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// What follows is here.
    Here,
    /// The store has said nothing of the topic yet.
    Opening,
    /// The store could not say anything of the topic. It begins with the next message.
    Unknown,
    /// What follows is with the store.
    Unread,
    /// The id is later than the latest one that this server has delivered.
    Beyond,
}

/// Topics at which those without subscribers are forgotten first.
const SWEEP_AT: usize = 1 << 10;
/// The id of a reader that begins with the next message of a topic that is not known yet, and of a
/// poll that has a gap.
pub(crate) const FROM_HERE: MessageId = MessageId::new(u64::MAX, u64::MAX);

/// An id that no store has given, for a client that sent none that can be read.
pub(crate) const NO_ID: MessageId = MessageId::new(u64::MAX, u64::MAX - 1);

impl<C> Stores<C> {
    pub(super) fn new(now: Instant) -> Stores<C> {
        Stores {
            prefixes: Vec::new(),
            topics: HashMap::new(),
            rings: Histories::new(now),
            pages: Pages::default(),
            questions: Questions::default(),
            readers: HashMap::new(),
            inbox: Arc::default(),
            sweep_at: SWEEP_AT,
            failed: 0,
        }
    }

    /// Registers a prefix, or replaces its store. Returns the number of the store.
    pub(super) fn register(&mut self, prefix: &str, history: History) -> usize {
        self.rings.register(prefix, history);
        let known = self.prefixes.iter().position(|(known, _)| **known == *prefix);
        if let Some(known) = known {
            self.prefixes[known].1 = history;
            return known;
        }
        self.prefixes.push((prefix.into(), history));
        self.prefixes.len() - 1
    }

    /// Returns the number of the store that has a topic: of several prefixes the longest counts.
    pub(crate) fn of(&self, topic: &str) -> Option<usize> {
        store_of(&self.prefixes, topic)
    }

    /// Returns the bounds of what waits for an earlier message of a topic: those of its ring.
    pub(super) fn ahead_bounds(&self, topic: &str) -> AheadBounds {
        let history = self.of(topic).map(|store| self.prefixes[store].1);
        history.unwrap_or_default().ahead()
    }

    /// Adds the counters of the stores.
    pub(super) fn write_to(&self, stats: &mut Stats) {
        self.rings.write_to(stats);
        stats.store_waiting += self.questions.waiting();
        stats.store_failed += self.failed;
    }

    /// Takes the next question to ask, with its number, its store and its topic.
    pub(crate) fn next_question(&mut self) -> Option<(u64, usize, &str, &Question<C>)> {
        let Stores { prefixes, questions, .. } = self;
        let (number, topic, question) = questions.next()?;
        let store = store_of(prefixes, topic)?;
        Some((number, store, topic, question))
    }

    /// Returns the name of a topic that is known.
    pub(super) fn name(&self, topic: &str) -> Option<&Arc<str>> {
        self.topics.get_key_value(topic).map(|(name, _)| name)
    }

    /// Returns where a reader of a topic stands that has had all up to an id.
    pub(super) fn standing(&self, topic: &str, after: MessageId) -> Standing {
        let Some((name, stored)) = self.topics.get_key_value(topic) else {
            return Standing::Unknown;
        };
        let Some(latest) = stored.gate.latest() else {
            return match stored.gate.is_opening() {
                true => Standing::Opening,
                false => Standing::Unknown,
            };
        };
        match after > latest {
            true => Standing::Beyond,
            false if after >= self.start(topic, latest) => Standing::Here,
            false if self.pages.next_after(name, after).is_some() => Standing::Here,
            false => Standing::Unread,
        }
    }

    /// Returns the id after which the ring of a topic has all messages.
    fn start(&self, topic: &str, latest: MessageId) -> MessageId {
        self.rings.trimmed(topic).unwrap_or(latest)
    }

    /// Returns the id of the latest message of a topic that was delivered.
    pub(super) fn latest(&self, topic: &str) -> Option<MessageId> {
        self.topics.get(topic)?.gate.latest()
    }

    /// Returns where a reader goes on that knows no place in a topic: at the start of the ring.
    pub(super) fn start_of(&self, topic: &str) -> MessageId {
        match self.latest(topic) {
            Some(latest) => self.start(topic, latest),
            None => FROM_HERE,
        }
    }

    /// Returns the first message of a topic after an id, of those that are here.
    pub(super) fn next_after(&self, topic: &str, after: MessageId) -> Option<&Arc<Kept>> {
        let (name, stored) = self.topics.get_key_value(topic)?;
        let latest = stored.gate.latest()?;
        match after >= self.start(topic, latest) {
            true => self.rings.next_after(topic, after),
            false => self.pages.next_after(name, after),
        }
    }
}

fn store_of(prefixes: &[(Box<str>, History)], topic: &str) -> Option<usize> {
    let covers = prefixes.iter().enumerate();
    let covers = covers.filter(|(_, (prefix, _))| topic.starts_with(&**prefix));
    covers.max_by_key(|(_, (prefix, _))| prefix.len()).map(|(store, _)| store)
}

impl<C> Drop for Stores<C> {
    fn drop(&mut self) {
        self.inbox.close();
    }
}
