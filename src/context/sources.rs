//! Where the messages of a topic are read: in the memory of the server, or in front of a store. A
//! topic of a store is no topic of the memory. This file changes nothing.

use std::sync::Arc;

use super::context::StoreCall;
use super::following::Cursor;
use super::stores::{FROM_HERE, Standing, Stores};
use crate::history::{Forgotten, Keeper, Kept, MessageId, Resume};

/// All that keeps messages of topics.
#[derive(Clone, Copy)]
pub(super) struct Sources<'c> {
    pub(super) histories: Option<&'c Keeper>,
    pub(super) stores: Option<&'c Stores<StoreCall>>,
}

impl<'c> Sources<'c> {
    /// Returns the stores, if a topic is one of theirs.
    fn stores_of(self, topic: &str) -> Option<&'c Stores<StoreCall>> {
        self.stores.filter(|stores| stores.of(topic).is_some())
    }

    /// Whether messages of a topic are kept.
    pub(super) fn keeps(self, topic: &str) -> bool {
        self.histories.is_some_and(|histories| histories.keeps(topic))
            || self.stores_of(topic).is_some()
    }

    /// Returns the id that a reader has which gets what is published from here on.
    pub(super) fn latest(self, topic: &str) -> MessageId {
        match self.stores_of(topic) {
            Some(stores) => stores.latest(topic).unwrap_or(FROM_HERE),
            None => self.histories.map_or(FROM_HERE, Keeper::latest),
        }
    }

    /// As [`latest`](Sources::latest), for a reader that gets what follows an id of this server.
    pub(super) fn latest_or(self, topic: &str, since: Option<MessageId>) -> MessageId {
        let since = since.filter(|_| self.stores_of(topic).is_none());
        since.unwrap_or_else(|| self.latest(topic))
    }

    /// Returns the first message of a topic after an id, if it is here.
    ///
    /// # Errors
    /// When the topic has forgotten messages after the id since the caller asked: another reactor
    /// of a cluster has published meanwhile.
    pub(super) fn next_after(
        self,
        topic: &str,
        after: MessageId,
    ) -> Result<Option<Arc<Kept>>, Forgotten> {
        match (self.stores_of(topic), self.histories) {
            (Some(stores), _) => Ok(stores.next_after(topic, after).map(Arc::clone)),
            (None, Some(histories)) => histories.next_after(topic, after),
            (None, None) => Ok(None),
        }
    }

    /// Returns where a reader of a topic stands.
    pub(super) fn standing(self, topic: &str, after: MessageId) -> Standing {
        match self.stores_of(topic) {
            Some(stores) if after != FROM_HERE => stores.standing(topic, after),
            _ => Standing::Here,
        }
    }

    /// Whether a follower begins with the next message of a topic, which only the store knows.
    pub(super) fn is_opening(self, cursor: &Cursor) -> bool {
        let Cursor { topic, after, .. } = cursor;
        let stores = self.stores_of(topic).filter(|_| *after == FROM_HERE);
        stores.is_some_and(|stores| stores.standing(topic, FROM_HERE) == Standing::Opening)
    }

    /// Whether a follower can go on in a topic, so that what it lacks is nothing or is here.
    pub(super) fn is_readable(self, cursor: &Cursor) -> bool {
        matches!(self.standing(&cursor.topic, cursor.after), Standing::Here | Standing::Unknown)
    }

    /// Returns what a follower is to be told of a topic; `None` while only the store knows.
    pub(super) fn resume(self, cursor: &Cursor) -> Option<Resume> {
        let Cursor { topic, after, .. } = cursor;
        let Some(stores) = self.stores_of(topic) else {
            return Some(self.histories?.resume(topic, *after));
        };
        let gap = || {
            let first = stores.next_after(topic, *after).map(|kept| kept.id);
            let oldest = first.or(stores.latest(topic)).unwrap_or_default();
            Some(Resume::Gap { oldest })
        };
        match self.standing(topic, *after) {
            _ if cursor.has_gap => gap(),
            Standing::Unknown => gap(),
            Standing::Here => Some(Resume::Resumed),
            Standing::Beyond if cursor.is_checked => Some(Resume::Resumed),
            Standing::Beyond | Standing::Opening | Standing::Unread => None,
        }
    }

    /// Returns the oldest message that is kept of a topic that a follower is told of, or the latest
    /// id if none is.
    pub(super) fn oldest(self, cursor: &Cursor, resume: Resume) -> MessageId {
        let topic = &cursor.topic;
        match (resume, self.stores_of(topic)) {
            (Resume::Gap { oldest }, Some(_)) => oldest,
            _ => match self.next_after(topic, self.start(topic)) {
                Ok(Some(first)) => first.id,
                Ok(None) | Err(Forgotten) => self.latest(topic),
            },
        }
    }

    /// Returns the id after which a topic has all messages here.
    pub(super) fn start(self, topic: &str) -> MessageId {
        match (self.stores_of(topic), self.histories) {
            (Some(stores), _) => stores.start_of(topic),
            (None, Some(histories)) => histories.start_of(topic),
            (None, None) => MessageId::default(),
        }
    }

    /// Returns where a follower goes on after a gap.
    pub(super) fn start_of(self, cursor: &Cursor) -> MessageId {
        match self.stores_of(&cursor.topic) {
            Some(_) if cursor.has_gap => cursor.after,
            _ => self.start(&cursor.topic),
        }
    }
}
