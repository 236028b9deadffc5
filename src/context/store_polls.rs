//! Long polls over topics of stores: one whose messages are not here waits for the store, as a
//! follower does. This file calls no store and answers no poll.

use super::context::Context;
use super::following::Word;
use super::stores::{FROM_HERE, NO_ID, Standing};
use crate::history::MessageId;

impl Context {
    /// Returns the answer that a poll over topics of stores needs no store for: `None` while it
    /// waits, and `Some(None)` where the messages that follow are here.
    pub(crate) fn ready_for_poll(
        &self,
        topics: &[&str],
        after: MessageId,
        is_due: bool,
    ) -> Option<Option<MessageId>> {
        if after == NO_ID {
            let latest = self.latest_of(topics.iter().copied());
            return latest.or(is_due.then(MessageId::default)).map(Some);
        }
        if after == FROM_HERE {
            let is_known = self.latest_of(topics.iter().copied()).is_some();
            return (is_known || is_due).then_some(None);
        }
        let standings = topics.iter().map(|topic| self.sources().standing(topic, after));
        let mut standings = standings.filter(|standing| {
            matches!(standing, Standing::Opening | Standing::Unread | Standing::Beyond)
        });
        match standings.next() {
            None => Some(None),
            Some(_) => is_due.then_some(Some(after)),
        }
    }

    /// Has a poll wait for the stores of its topics.
    pub(crate) fn ask_stores_for_poll(&mut self, slot: u32, topics: &[&str], after: MessageId) {
        for topic in topics {
            if !self.has_store(topic) {
                continue;
            }
            self.open_stored(topic);
            match self.sources().standing(topic, after) {
                Standing::Beyond | Standing::Unread if after != NO_ID => {
                    self.read_store(slot, topic, after);
                }
                _ => self.wait_for_topic(slot, topic),
            }
        }
    }

    /// Has a poll looked at that waited for a page. One that learns of a gap goes on where its
    /// topic does; one of several topics at the rings, since it has one id for all.
    pub(super) fn wake_stored_poll(&mut self, slot: u32, after: MessageId, word: Word) {
        let memberships = self.table.slots.at(slot).map(|connection| connection.memberships);
        let topics = memberships.map_or(0, |memberships| self.topics.names(memberships).count());
        self.table.with(slot, |at| {
            if let (Word::Gap(from), Some(polling)) = (word, at.connection.polling())
                && polling.after == (after.a(), after.b())
            {
                let from = if topics == 1 { from } else { FROM_HERE };
                (polling.after, polling.has_gap) = ((from.a(), from.b()), true);
            }
            at.wake_poll();
        });
    }

    /// Returns the id that a poll is behind; `None` for a gap.
    pub(crate) fn known_id(after: MessageId) -> Option<MessageId> {
        (after != FROM_HERE).then_some(after)
    }
}
