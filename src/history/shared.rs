//! One history for all reactors of a cluster, behind one lock: one bound of memory, one epoch, one
//! sequence of ids. Each message gets its id and its place under the lock, so all reactors agree on
//! the order. This file starts no thread and wakes nothing: its callers do.
//!
//! The lock is held for a look-up or an append, for the closure of `publish_with`, and while a
//! reactor copies the pointers of all that it lacks. Nothing is delivered under the lock. A panic
//! under the lock comes from that closure alone, before anything has changed, so all go on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use super::histories::Histories;
use super::kept::Kept;
use super::message_id::MessageId;
use super::prefixes::Prefixes;
use super::readers::{LogBounds, Readers};
use super::resume::Resume;
use super::settings::{History, NEVER};
use crate::delivery::AsOutgoing;

/// The bounds of what waits for reactors, as of the messages of topics without history.
const LOG: LogBounds = LogBounds { messages: 64 << 10, bytes: 16 << 20, missed: 1 << 10 };

/// The history of a cluster.
#[derive(Debug)]
pub(crate) struct SharedHistories {
    inner: Mutex<Inner>,
    /// Since when seconds count.
    pub(super) start: Instant,
    /// The registered prefixes, for a question at each publish of a topic without history.
    pub(super) prefixes: RwLock<Prefixes>,
    /// Whether any prefix is registered.
    pub(super) keeps_any: AtomicBool,
    /// Whether two reactors have registered different settings.
    pub(super) disagrees: AtomicBool,
    /// Whether the view of each reactor is that of its turn, by the number of the reactor. Only its
    /// own thread asks.
    pub(super) is_fresh: Box<[AtomicBool]>,
    /// The second in which something is to be forgotten, for a question at each turn.
    pub(super) next_expiry: AtomicU32,
    /// The thread that runs a closure of `publish_with`, or 0. The lock is held then.
    making: AtomicUsize,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) histories: Histories,
    pub(super) readers: Readers<Arc<Kept>>,
    /// What each reactor has registered, by its number.
    pub(super) registered: BTreeMap<Box<str>, BTreeMap<usize, History>>,
    /// The bound of memory that each reactor has set, by its number.
    pub(super) memory: BTreeMap<usize, usize>,
    /// Topics that were evicted by messages of each reactor. The first one that is there counts
    /// those of messages from outside.
    pub(super) evicted: Box<[u64]>,
    /// The latest time of all reactors.
    pub(super) now: Instant,
}

/// A published message, and what follows from it.
#[derive(Debug)]
pub(crate) struct Appended<M> {
    pub(crate) id: MessageId,
    pub(crate) message: M,
    pub(crate) kept: Arc<Kept>,
    /// See [`CaughtUp::begun`]. Followers get these topics before all that follows.
    pub(crate) begun: Option<MessageId>,
    /// What the publisher has to deliver before.
    pub(crate) before: Option<Behind>,
    /// The reactors to wake.
    pub(crate) woken: Vec<usize>,
}

/// What a reactor learns as it catches up.
#[derive(Debug, Default)]
pub(crate) struct CaughtUp {
    /// The id after which topics keep messages that kept none before: another reactor has
    /// registered a prefix.
    pub(crate) begun: Option<MessageId>,
    pub(crate) behind: Option<Behind>,
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
    /// Names this thread by its address.
    static THREAD: u8 = const { 0 };
}

/// The address of a variable of this thread, which no other thread that runs has; 0 is none.
fn this_thread() -> usize {
    THREAD.with(|name| std::ptr::from_ref(name).addr())
}

/// Marks that a thread runs a closure of `publish_with`, until it is dropped.
struct Making<'m>(&'m AtomicUsize);

impl Making<'_> {
    fn begin(making: &AtomicUsize) -> Making<'_> {
        making.store(this_thread(), Ordering::Relaxed);
        Making(making)
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl SharedHistories {
    pub(crate) fn new(reactors: usize, now: Instant) -> SharedHistories {
        SharedHistories {
            inner: Mutex::new(Inner {
                histories: Histories::new(now),
                readers: Readers::new(reactors, LOG),
                registered: BTreeMap::new(),
                memory: BTreeMap::new(),
                evicted: vec![0; reactors].into(),
                now,
            }),
            start: now,
            prefixes: RwLock::default(),
            keeps_any: AtomicBool::new(false),
            disagrees: AtomicBool::new(false),
            is_fresh: (0..reactors).map(|_| AtomicBool::new(false)).collect(),
            next_expiry: AtomicU32::new(NEVER),
            making: AtomicUsize::new(0),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        assert!(
            !self.is_making(),
            "the closure of publish_with uses the topics of its own cluster: do so after \
             publish_with has returned"
        );
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this thread runs a closure of `publish_with`. No other method may be called then.
    pub(crate) fn is_making(&self) -> bool {
        // Only this thread stores its own name.
        self.making.load(Ordering::Relaxed) == this_thread()
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
        let Inner { histories, readers, evicted, .. } = &mut *inner;
        let (before, evicted_before) = (histories.latest(), histories.evicted());
        let id = histories.next_id();
        let making = Making::begin(&self.making);
        let message = make(id);
        let outgoing = message.as_outgoing();
        drop(making);
        let kept = histories.append(topic, &outgoing, id, now);
        let begun = by.and_then(|reader| readers.take_begun(reader));
        let behind = by.and_then(|reader| take(histories, readers, reader));
        if let Some(reader) = by {
            self.is_fresh[reader].store(true, Ordering::Relaxed);
        }
        let entry = (topic, Arc::clone(&kept), kept.len());
        let woken = readers.publish(entry, (before, id), by);
        let counts = by.unwrap_or_else(|| readers.first());
        evicted[counts] += histories.evicted() - evicted_before;
        self.note_expiry(histories);
        drop(inner);
        Appended { id, message, kept, begun, before: behind, woken }
    }

    /// Notes when something is to be forgotten next.
    pub(super) fn note_expiry(&self, histories: &Histories) {
        self.next_expiry.store(histories.next_second(), Ordering::Relaxed);
    }
}

/// Takes what waits for a reactor: from the log, and what the log has lost from the topics.
pub(super) fn take(
    histories: &Histories,
    readers: &mut Readers<Arc<Kept>>,
    reader: usize,
) -> Option<Behind> {
    let pending = readers.take(reader, histories.latest())?;
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

/// A topic has forgotten messages that its reader has not had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forgotten;

impl Inner {
    pub(super) fn resume(&self, reader: usize, topic: &str, from: MessageId) -> Resume {
        let resume = self.histories.resume(topic, from);
        // What the topic has forgotten behind the view is in the log.
        let view = self.readers.view(reader);
        let is_behind = self.histories.start_of(topic) > view;
        match resume {
            Resume::Gap { .. } if is_behind && from == view => Resume::Resumed,
            Resume::Gap { oldest } if is_behind => {
                Resume::Gap { oldest: self.readers.first_pending(topic, view).unwrap_or(oldest) }
            }
            _ => resume,
        }
    }
}
