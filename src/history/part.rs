//! The place of one reactor at the history of its cluster: what it registers, which topics it
//! reads, and how far it has read.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use super::expiry::moment;
use super::kept::Kept;
use super::message_id::MessageId;
use super::resume::Resume;
use super::settings::History;
use super::shared::{Appended, CaughtUp, Forgotten, Inner, SharedHistories, take};
use crate::connection::Stats;
use crate::delivery::AsOutgoing;

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
        let mut inner = self.all.lock();
        let id = inner.histories.next_id();
        inner.readers.renew_view(self.reader, id);
        id
    }

    /// Registers a prefix. `topics` are those that this reactor has members of; other reactors may
    /// have members of topics with the prefix too. Returns the id after which topics keep messages
    /// that kept none before.
    pub(crate) fn register<'t>(
        &self,
        prefix: &str,
        history: History,
        topics: impl Iterator<Item = &'t str>,
    ) -> MessageId {
        let mut inner = self.all.lock();
        let latest = inner.histories.latest();
        let begun = inner.readers.take_begun(self.reader).unwrap_or(latest);
        let by_all = inner.registered.entry(prefix.into()).or_default();
        let is_known = by_all.values().any(|known| *known == history);
        by_all.insert(self.reader, history);
        self.note_disagreement(&inner);
        if is_known {
            return begun;
        }
        let Inner { histories, readers, .. } = &mut *inner;
        histories.register(prefix, history);
        let mut prefixes = self.all.prefixes.write().unwrap_or_else(PoisonError::into_inner);
        prefixes.insert(prefix, history);
        self.all.keeps_any.store(true, Ordering::Release);
        readers.read_all_but(self.reader, histories.latest());
        for topic in topics.filter(|topic| histories.keeps(topic)) {
            readers.begin(self.reader, topic);
        }
        self.all.note_expiry(histories);
        begun
    }

    /// Sets the bytes that all topics may count.
    pub(crate) fn set_memory(&self, bytes: usize) {
        let mut inner = self.all.lock();
        inner.memory.insert(self.reader, bytes);
        self.note_disagreement(&inner);
        let Inner { histories, evicted, .. } = &mut *inner;
        let evicted_before = histories.evicted();
        histories.set_memory(bytes);
        evicted[self.reader] += histories.evicted() - evicted_before;
        self.all.note_expiry(histories);
    }

    /// Returns the bytes that all topics may count, if this reactor has set them.
    pub(crate) fn memory(&self) -> Option<usize> {
        self.all.lock().memory.get(&self.reader).copied()
    }

    fn note_disagreement(&self, inner: &Inner) {
        self.all.disagrees.store(disagreement(inner).is_some(), Ordering::Release);
    }

    /// Forgets messages that are too old. At a turn in which none is, this is one relaxed load.
    pub(crate) fn expire(&self, now: Instant) {
        let next = self.all.next_expiry.load(Ordering::Relaxed);
        if moment(self.all.start, next).is_none_or(|next| now < next) {
            return;
        }
        let mut inner = self.all.lock();
        let now = inner.now.max(now);
        inner.now = now;
        let Inner { histories, readers, .. } = &mut *inner;
        histories.expire(now, |topic| readers.has_readers(topic));
        self.all.note_expiry(histories);
    }

    /// Returns the moment at which something is to be forgotten.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        moment(self.all.start, self.all.next_expiry.load(Ordering::Relaxed))
    }

    /// Adds the counters of the kept messages: to those of the first reactor that is there. Each
    /// reactor counts the topics that its own messages have evicted.
    pub(crate) fn write_to(&self, stats: &mut Stats) {
        let inner = self.all.lock();
        if inner.readers.is_first(self.reader) {
            inner.histories.write_to(stats);
            stats.history_evicted = 0;
        }
        stats.history_evicted += inner.evicted[self.reader];
    }

    /// Whether two reactors have registered different settings for one prefix.
    pub(crate) fn disagrees(&self) -> bool {
        self.all.disagrees.load(Ordering::Acquire)
    }

    /// Returns the first difference between what two reactors have registered.
    pub(crate) fn disagreement(&self) -> Option<Disagreement> {
        disagreement(&self.all.lock())
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
    pub(crate) fn catch_up<'t>(&self, topics: impl Iterator<Item = &'t str>) -> CaughtUp {
        if !self.all.keeps_any.load(Ordering::Acquire) {
            return CaughtUp::default();
        }
        let mut inner = self.all.lock();
        self.all.is_fresh[self.reader].store(true, Ordering::Relaxed);
        let Inner { histories, readers, .. } = &mut *inner;
        if readers.end_read_all(self.reader) {
            for topic in topics.filter(|topic| histories.keeps(topic)) {
                readers.begin(self.reader, topic);
            }
        }
        let begun = readers.take_begun(self.reader);
        CaughtUp { begun, behind: take(histories, readers, self.reader) }
    }

    /// Ends a turn: the next one sees what other reactors have published meanwhile.
    #[inline]
    pub(crate) fn end_turn(&self) {
        self.all.is_fresh[self.reader].store(false, Ordering::Relaxed);
    }

    /// Locks the history, and has this reactor see it as its turn does.
    fn seen(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.all.lock();
        if !self.all.is_fresh[self.reader].swap(true, Ordering::Relaxed) {
            let latest = inner.histories.latest();
            inner.readers.renew_view(self.reader, latest);
        }
        inner
    }

    /// Returns the id up to which this reactor sees messages in its turn. Its members have had all
    /// of them.
    pub(crate) fn latest(&self) -> MessageId {
        self.seen().readers.view(self.reader)
    }

    /// As [`Histories::resume`](super::Histories::resume), for a subscriber that gets later
    /// messages with this reactor.
    pub(crate) fn resume(&self, topic: &str, from: MessageId) -> Resume {
        self.seen().resume(self.reader, topic, from)
    }

    /// As [`Histories::start_of`](super::Histories::start_of), at most the id that this reactor
    /// sees.
    pub(crate) fn start_of(&self, topic: &str) -> MessageId {
        let inner = self.seen();
        inner.histories.start_of(topic).min(inner.readers.view(self.reader))
    }

    /// Returns the first message of a topic after an id, of those that this reactor sees.
    ///
    /// # Errors
    /// When the topic has forgotten messages after the id.
    pub(crate) fn next_after(
        &self,
        topic: &str,
        after: MessageId,
    ) -> Result<Option<Arc<Kept>>, Forgotten> {
        let inner = self.seen();
        if inner.resume(self.reader, topic, after) != Resume::Resumed {
            return Err(Forgotten);
        }
        let view = inner.readers.view(self.reader);
        let kept = inner.histories.next_after(topic, after);
        Ok(kept.filter(|kept| kept.id <= view).map(Arc::clone))
    }

    /// Returns all messages of a topic after an id that this reactor sees, at one moment.
    pub(crate) fn all_after(&self, topic: &str, mut after: MessageId) -> Vec<Arc<Kept>> {
        let inner = self.seen();
        let (view, mut all) = (inner.readers.view(self.reader), Vec::new());
        while let Some(kept) = inner.histories.next_after(topic, after)
            && kept.id <= view
        {
            after = kept.id;
            all.push(Arc::clone(kept));
        }
        all
    }
}

/// Two reactors that have registered different settings.
#[derive(Debug)]
pub(crate) struct Disagreement {
    pub(crate) reactors: [usize; 2],
    /// The prefix; `None` if the bound of memory differs.
    pub(crate) prefix: Option<Box<str>>,
}

fn disagreement(inner: &Inner) -> Option<Disagreement> {
    let prefixes = inner.registered.iter().map(|(prefix, by_all)| {
        different(by_all).map(|reactors| Disagreement { reactors, prefix: Some(prefix.clone()) })
    });
    let memory = different(&inner.memory).map(|reactors| Disagreement { reactors, prefix: None });
    prefixes.flatten().next().or(memory)
}

/// Returns the first two reactors with different settings.
fn different<T: PartialEq>(by_all: &BTreeMap<usize, T>) -> Option<[usize; 2]> {
    let (first, settings) = by_all.first_key_value()?;
    let (other, _) = by_all.iter().find(|(_, other)| *other != settings)?;
    Some([*first, *other])
}
