//! One history for all reactors of a cluster, behind one lock: one bound of memory, one epoch, one
//! sequence of ids. Each message gets its id and its place under the lock, so all reactors agree on
//! the order. This file starts no thread and wakes nothing: its callers do.
//!
//! The lock is held for a look-up or an append, for the closure of `publish_with`, and while a
//! reactor copies the pointers of all that it lacks. Nothing is delivered under the lock. A panic
//! under the lock comes from that closure alone, before anything has changed, so all go on.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use super::histories::Histories;
use super::kept::Kept;
use super::message_id::MessageId;
use super::prefixes::Prefixes;
use super::readers::{LogBounds, Readers};
use super::resume::Resume;
use super::settings::History;
use crate::delivery::AsOutgoing;

/// The bounds of what waits for reactors, as of the messages of topics without history.
const LOG: LogBounds = LogBounds { messages: 64 << 10, bytes: 16 << 20, missed: 1 << 10 };

/// The history of a cluster.
#[derive(Debug)]
pub(crate) struct SharedHistories {
    inner: Mutex<Inner>,
    /// The registered prefixes, for a question at each publish of a topic without history.
    prefixes: RwLock<Prefixes>,
    /// Whether any prefix is registered.
    keeps_any: AtomicBool,
    /// Whether two reactors have registered different settings for one prefix.
    disagrees: AtomicBool,
}

#[derive(Debug)]
struct Inner {
    histories: Histories,
    readers: Readers<Arc<Kept>>,
    /// What each reactor has registered, by its number.
    registered: BTreeMap<Box<str>, BTreeMap<usize, History>>,
    /// The latest time of all reactors.
    now: Instant,
}

/// A published message, and what follows from it.
#[derive(Debug)]
pub(crate) struct Appended<M> {
    pub(crate) id: MessageId,
    pub(crate) message: M,
    pub(crate) kept: Arc<Kept>,
    /// What the publisher has to deliver before.
    pub(crate) before: Option<Behind>,
    /// The reactors to wake.
    pub(crate) woken: Vec<usize>,
}

/// What a reactor has to deliver that was behind.
#[derive(Debug)]
pub(crate) struct Behind {
    /// The id that the reactor stood at.
    pub(crate) since: MessageId,
    /// Messages of any topic with their topics, in the order of ids.
    pub(crate) messages: Vec<(Arc<str>, Arc<Kept>)>,
    /// Topics that have forgotten messages after `since`: their members follow them from there.
    pub(crate) gaps: Vec<Arc<str>>,
}

thread_local! {
    /// The history for which this thread runs a closure of `publish_with`, by its address.
    static MAKING: Cell<usize> = const { Cell::new(0) };
}

/// Marks that a closure runs, until it is dropped.
struct Making(usize);

impl Making {
    fn begin(address: usize) -> Making {
        Making(MAKING.replace(address))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        MAKING.set(self.0);
    }
}

impl SharedHistories {
    pub(crate) fn new(reactors: usize, now: Instant) -> SharedHistories {
        SharedHistories {
            inner: Mutex::new(Inner {
                histories: Histories::new(now),
                readers: Readers::new(reactors, LOG),
                registered: BTreeMap::new(),
                now,
            }),
            prefixes: RwLock::default(),
            keeps_any: AtomicBool::new(false),
            disagrees: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        assert!(
            !self.is_making(),
            "the closure of publish_with uses the topics of its own cluster: do so after \
             publish_with has returned"
        );
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether this thread runs a closure of `publish_with`. No other method may be called then.
    pub(crate) fn is_making(&self) -> bool {
        MAKING.get() == self.address()
    }

    /// Whether a topic keeps messages.
    pub(crate) fn keeps(&self, topic: &str) -> bool {
        self.keeps_any.load(Ordering::Acquire)
            && self.prefixes.read().unwrap_or_else(PoisonError::into_inner).of(topic).is_some()
    }

    /// Publishes a message. `by` is the reactor that delivers the message to its own members.
    pub(crate) fn publish<M: AsOutgoing>(
        &self,
        by: Option<usize>,
        topic: &str,
        make: impl FnOnce(MessageId) -> M,
        now: Instant,
    ) -> Appended<M> {
        let mut inner = self.lock();
        let now = inner.now.max(now);
        inner.now = now;
        let Inner { histories, readers, .. } = &mut *inner;
        let before = histories.latest();
        let id = histories.next_id();
        let making = Making::begin(self.address());
        let message = make(id);
        let outgoing = message.as_outgoing();
        drop(making);
        let kept = histories.append(topic, &outgoing, id, now);
        let behind = by.and_then(|reader| take(histories, readers, reader));
        let entry = (topic, Arc::clone(&kept), kept.len());
        let woken = readers.publish(entry, (before, id), by);
        drop(inner);
        Appended { id, message, kept, before: behind, woken }
    }
}

/// Takes what waits for a reactor: from the log, and what the log has lost from the topics.
fn take(histories: &Histories, readers: &mut Readers<Arc<Kept>>, reader: usize) -> Option<Behind> {
    let pending = readers.take(reader)?;
    let (since, first) = (pending.since, pending.messages.first().map(|logged| logged.id));
    let (mut messages, mut gaps) = (Vec::new(), Vec::new());
    for topic in pending.missed {
        if histories.resume(&topic, since) != Resume::Resumed {
            gaps.push(topic);
            continue;
        }
        let mut after = since;
        while let Some(kept) = histories.next_after(&topic, after)
            && first.is_none_or(|first| kept.id < first)
        {
            after = kept.id;
            messages.push((Arc::clone(&topic), Arc::clone(kept)));
        }
    }
    messages.sort_by_key(|(_, kept)| kept.id);
    let logged = pending.messages.into_iter().filter(|logged| !gaps.contains(&logged.topic));
    messages.extend(logged.map(|logged| (logged.topic, logged.message)));
    Some(Behind { since, messages, gaps })
}

/// The place of one reactor at the history of its cluster.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    all: Arc<SharedHistories>,
    reader: usize,
}

impl Part {
    /// Has a reactor join.
    pub(crate) fn join(all: Arc<SharedHistories>, reader: usize) -> Part {
        all.lock().readers.join(reader);
        Part { all, reader }
    }

    /// Has the reactor leave: nothing waits for it any more.
    pub(crate) fn leave(&self) {
        if !self.all.is_making() {
            self.all.lock().readers.leave(self.reader);
        }
    }

    pub(crate) fn keeps(&self, topic: &str) -> bool {
        self.all.keeps(topic)
    }

    /// Publishes a message of this reactor.
    pub(crate) fn publish<M: AsOutgoing>(
        &self,
        topic: &str,
        make: impl FnOnce(MessageId) -> M,
        now: Instant,
    ) -> Appended<M> {
        self.all.publish(Some(self.reader), topic, make, now)
    }

    /// Gives an id of the same sequence to a message that is not kept.
    pub(crate) fn next_id(&self) -> MessageId {
        self.all.lock().histories.next_id()
    }

    /// Registers a prefix. `topics` are those that this reactor has members of; other reactors may
    /// have members of topics with the prefix too.
    pub(crate) fn register<'t>(
        &self,
        prefix: &str,
        history: History,
        topics: impl Iterator<Item = &'t str>,
    ) {
        let mut inner = self.all.lock();
        let Inner { histories, readers, registered, .. } = &mut *inner;
        let by_all = registered.entry(prefix.into()).or_default();
        let is_known = by_all.values().any(|known| *known == history);
        by_all.insert(self.reader, history);
        let disagrees = registered.values().any(|by_all| different(by_all).is_some());
        self.all.disagrees.store(disagrees, Ordering::Release);
        if is_known {
            return;
        }
        histories.register(prefix, history);
        let mut prefixes = self.all.prefixes.write().unwrap_or_else(PoisonError::into_inner);
        prefixes.insert(prefix, history);
        self.all.keeps_any.store(true, Ordering::Release);
        readers.read_all_but(self.reader);
        for topic in topics.filter(|topic| histories.keeps(topic)) {
            readers.begin(self.reader, topic);
        }
    }

    /// Whether two reactors have registered different settings for one prefix.
    pub(crate) fn disagrees(&self) -> bool {
        self.all.disagrees.load(Ordering::Acquire)
    }

    /// Returns the first prefix for which two reactors have registered different settings, and
    /// their numbers.
    pub(crate) fn disagreement(&self) -> Option<(Box<str>, [usize; 2])> {
        let inner = self.all.lock();
        let found = inner.registered.iter().find_map(|(prefix, by_all)| {
            different(by_all).map(|reactors| (prefix.clone(), reactors))
        });
        found
    }

    /// Begins to read a topic, of which this reactor has a first member.
    pub(crate) fn begin(&self, topic: &str) {
        if self.keeps(topic) {
            self.all.lock().readers.begin(self.reader, topic);
        }
    }

    /// Ends that: the last member is gone.
    pub(crate) fn end(&self, topic: &str) {
        if self.keeps(topic) {
            self.all.lock().readers.end(self.reader, topic);
        }
    }

    /// Takes all that waits for this reactor. `topics` are those that it has members of.
    pub(crate) fn catch_up<'t>(&self, topics: impl Iterator<Item = &'t str>) -> Option<Behind> {
        let mut inner = self.all.lock();
        let Inner { histories, readers, .. } = &mut *inner;
        if readers.end_read_all(self.reader) {
            for topic in topics.filter(|topic| histories.keeps(topic)) {
                readers.begin(self.reader, topic);
            }
        }
        take(histories, readers, self.reader)
    }

    /// Returns the id up to which the members of this reactor have had all messages.
    pub(crate) fn latest(&self) -> MessageId {
        let inner = self.all.lock();
        inner.readers.stands_at(self.reader).unwrap_or_else(|| inner.histories.latest())
    }

    /// As [`Histories::resume`], for a subscriber that gets later messages with this reactor.
    pub(crate) fn resume(&self, topic: &str, from: MessageId) -> Resume {
        self.all.lock().resume(self.reader, topic, from)
    }

    /// As [`Histories::start_of`], at most the id that this reactor has read up to.
    pub(crate) fn start_of(&self, topic: &str) -> MessageId {
        let inner = self.all.lock();
        let start = inner.histories.start_of(topic);
        inner.readers.stands_at(self.reader).map_or(start, |cut| start.min(cut))
    }

    /// Returns the first message of a topic after an id, of those that this reactor has read.
    ///
    /// # Errors
    /// When the topic has forgotten messages after the id.
    pub(crate) fn next_after(
        &self,
        topic: &str,
        after: MessageId,
    ) -> Result<Option<Arc<Kept>>, Forgotten> {
        let inner = self.all.lock();
        if inner.resume(self.reader, topic, after) != Resume::Resumed {
            return Err(Forgotten);
        }
        let cut = inner.readers.stands_at(self.reader);
        let kept = inner.histories.next_after(topic, after);
        Ok(kept.filter(|kept| cut.is_none_or(|cut| kept.id <= cut)).map(Arc::clone))
    }
}

/// A topic has forgotten messages that its reader has not had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forgotten;

impl Inner {
    fn resume(&self, reader: usize, topic: &str, from: MessageId) -> Resume {
        let resume = self.histories.resume(topic, from);
        // What the topic has forgotten after the cut is in the log.
        let cut = self.readers.stands_at(reader);
        let cut = cut.filter(|cut| self.histories.start_of(topic) > *cut);
        match (resume, cut) {
            (Resume::Gap { .. }, Some(cut)) if from == cut => Resume::Resumed,
            (Resume::Gap { oldest }, Some(cut)) => {
                Resume::Gap { oldest: self.readers.first_pending(topic, cut).unwrap_or(oldest) }
            }
            _ => resume,
        }
    }
}

/// Returns the first two reactors with different settings.
fn different(by_all: &BTreeMap<usize, History>) -> Option<[usize; 2]> {
    let (first, history) = by_all.first_key_value()?;
    let (other, _) = by_all.iter().find(|(_, other)| *other != history)?;
    Some([*first, *other])
}
