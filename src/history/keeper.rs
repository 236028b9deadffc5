//! Where a server keeps the messages of its topics: by itself, or with all reactors of its cluster.

use std::iter::successors;
use std::sync::Arc;
use std::time::Instant;

use super::histories::Histories;
use super::kept::Kept;
use super::message_id::MessageId;
use super::part::Part;
use super::resume::Resume;
use super::shared::{Appended, Forgotten};
use crate::connection::Stats;
use crate::delivery::AsOutgoing;

/// The kept messages, as one server sees them.
#[derive(Debug)]
pub(crate) enum Keeper {
    Own(Box<Histories>),
    Shared(Part),
}

impl Keeper {
    /// Whether a topic keeps messages: a registered prefix covers it, and the longest wins.
    pub(crate) fn keeps(&self, topic: &str) -> bool {
        match self {
            Keeper::Own(histories) => histories.keeps(topic),
            Keeper::Shared(part) => part.keeps(topic),
        }
    }

    /// Returns the latest id that was given, for any topic. In a cluster, the id up to which the
    /// members of this reactor have had all messages.
    pub(crate) fn latest(&self) -> MessageId {
        match self {
            Keeper::Own(histories) => histories.latest(),
            Keeper::Shared(part) => part.latest(),
        }
    }

    /// Gives an id to a message that is not kept.
    pub(crate) fn next_id(&mut self) -> MessageId {
        match self {
            Keeper::Own(histories) => histories.next_id(),
            Keeper::Shared(part) => part.next_id(),
        }
    }

    /// Gives an id to a message, has it made, and keeps it.
    pub(crate) fn publish<M: AsOutgoing>(
        &mut self,
        topic: &str,
        make: impl FnOnce(MessageId) -> M,
        now: Instant,
    ) -> Appended<M> {
        match self {
            Keeper::Own(histories) => {
                let id = histories.next_id();
                let message = make(id);
                let kept = histories.append(topic, &message.as_outgoing(), id, now);
                Appended { id, message, kept, begun: None, before: None, woken: Vec::new() }
            }
            Keeper::Shared(part) => part.publish(topic, make, now),
        }
    }

    /// Sets the bytes that all topics may count.
    pub(crate) fn set_memory(&mut self, memory: usize) {
        match self {
            Keeper::Own(histories) => histories.set_memory(memory),
            Keeper::Shared(part) => part.set_memory(memory),
        }
    }

    /// Returns the bytes that all topics may count, if they were set.
    pub(crate) fn memory(&self) -> Option<usize> {
        match self {
            Keeper::Own(histories) => histories.memory(),
            Keeper::Shared(part) => part.memory(),
        }
    }

    /// Returns the moment at which something is to be forgotten.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        match self {
            Keeper::Own(histories) => histories.next_expiry(),
            Keeper::Shared(part) => part.next_expiry(),
        }
    }

    /// Adds the counters of the kept messages. In a cluster, one reactor has those of all.
    pub(crate) fn write_to(&self, stats: &mut Stats) {
        match self {
            Keeper::Own(histories) => histories.write_to(stats),
            Keeper::Shared(part) => part.write_to(stats),
        }
    }

    /// Returns whether a topic still has all messages after an id.
    pub(crate) fn resume(&self, topic: &str, from: MessageId) -> Resume {
        match self {
            Keeper::Own(histories) => histories.resume(topic, from),
            Keeper::Shared(part) => part.resume(topic, from),
        }
    }

    /// Returns the id after which a topic has all messages: where a subscriber goes on at the
    /// oldest message after a gap.
    pub(crate) fn start_of(&self, topic: &str) -> MessageId {
        match self {
            Keeper::Own(histories) => histories.start_of(topic),
            Keeper::Shared(part) => part.start_of(topic),
        }
    }

    /// Returns the first message of a topic after an id.
    ///
    /// # Errors
    /// When the topic has forgotten messages after the id since the caller asked: another reactor
    /// has published meanwhile.
    pub(crate) fn next_after(
        &self,
        topic: &str,
        after: MessageId,
    ) -> Result<Option<Arc<Kept>>, Forgotten> {
        match self {
            Keeper::Own(histories) => Ok(histories.next_after(topic, after).map(Arc::clone)),
            Keeper::Shared(part) => part.next_after(topic, after),
        }
    }

    /// Returns all messages of a topic after an id, at one moment.
    pub(crate) fn all_after(&self, topic: &str, after: MessageId) -> Vec<Arc<Kept>> {
        match self {
            Keeper::Own(histories) => {
                let next = |kept: &&Arc<Kept>| histories.next_after(topic, kept.id);
                let first = histories.next_after(topic, after);
                successors(first, next).map(Arc::clone).collect()
            }
            Keeper::Shared(part) => part.all_after(topic, after),
        }
    }

    /// Ends a turn: the next one sees what other reactors of a cluster have published meanwhile.
    #[inline]
    pub(crate) fn end_turn(&self) {
        if let Keeper::Shared(part) = self {
            part.end_turn();
        }
    }
}
