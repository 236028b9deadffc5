//! Followers in topics of stores: they wait for a page, for a message, or for the word of the store
//! on an id. This file calls no store and no handler.

use std::sync::Arc;

use super::context::Context;
use super::following::Word;
use super::sources::Sources;
use super::stores::{FROM_HERE, Question, Standing, Stores};
use crate::connection::Flags;
use crate::history::{MessageId, Purpose};

impl Context {
    /// Returns all that keeps messages.
    pub(super) fn sources(&self) -> Sources<'_> {
        Sources { histories: self.histories.as_ref(), stores: self.stores.as_deref() }
    }

    /// Has a follower wait for what keeps it from going on.
    #[cold]
    pub(super) fn wait_for_stores(&mut self, slot: u32) {
        let sources = self.sources();
        let Some(cursors) = self.following.cursors_of(slot) else { return };
        let begins_later = self.following.begins_later(slot);
        let waits = cursors.iter().filter(|cursor| {
            !sources.is_readable(cursor) || begins_later && sources.is_opening(cursor)
        });
        let waits = waits.map(|cursor| {
            let standing = sources.standing(&cursor.topic, cursor.after);
            (cursor.topic.clone(), cursor.after, standing, cursor.is_checked)
        });
        for (topic, after, standing, is_checked) in waits.collect::<Vec<_>>() {
            match standing {
                Standing::Beyond if !is_checked => self.read_store(slot, &topic, after),
                Standing::Unread => self.read_store(slot, &topic, after),
                _ => self.wait_for_topic(slot, &topic),
            }
        }
    }

    /// Has an event stream, which is subscribed already, begin once the stores have said where.
    #[cold]
    pub(crate) fn begin_later(&mut self, slot: u32, mcp: bool) {
        let Some(connection) = self.table.slots.at_mut(slot) else { return };
        connection.flags.mark(Flags::FOLLOWING);
        let topics = self.topics.names(connection.memberships);
        let topics: Vec<Box<str>> = topics.map(Box::from).collect();
        topics.iter().for_each(|topic| self.follow_from_here(slot, topic));
        self.following.begin_later(slot, mcp);
    }

    /// Returns the first block of a stream, if it can have it by now: its id, and whether it is for
    /// clients of MCP. Without the word of any store there is none.
    pub(crate) fn first_block(&mut self, slot: u32) -> Option<(MessageId, bool)> {
        if !self.following.begins_later(slot) {
            return None;
        }
        let (sources, cursors) = (self.sources(), self.following.cursors_of(slot)?);
        if cursors.iter().any(|cursor| sources.is_opening(cursor)) {
            return None;
        }
        let known = cursors.iter().map(|cursor| cursor.after).filter(|after| *after != FROM_HERE);
        let latest = known.max();
        self.following.begin_now(slot).and_then(|mcp| Some((latest?, mcp)))
    }

    /// Has a follower go on with the next message of a topic.
    pub(super) fn wait_for_topic(&mut self, slot: u32, topic: &str) {
        let stores = self.stores.as_deref_mut();
        if let Some(stored) = stores.and_then(|stores| stores.topics.get_mut(topic)) {
            stored.waiting.insert(slot);
        }
    }

    /// Asks the store for what follows an id. Followers at the same place share one question.
    pub(super) fn read_store(&mut self, slot: u32, topic: &str, after: MessageId) {
        let due = self.store_deadline();
        let Some(stores) = &mut self.stores else { return };
        let Some(name) = stores.name(topic).map(Arc::clone) else { return };
        let readers = stores.readers.entry((Arc::clone(&name), after)).or_default();
        let is_first = readers.is_empty();
        readers.insert(slot);
        if is_first {
            let question = Question::After { after, is_live: false };
            if stores.questions.add(Purpose::Read, &name, question, due).is_err() {
                stores.failed += 1;
                self.read_failed(&name, after);
            }
        }
    }

    /// Has the followers that wait at an id go on without the store.
    pub(super) fn read_failed(&mut self, topic: &Arc<str>, after: MessageId) {
        let Some(stores) = &self.stores else { return };
        let start = stores.start_of(topic);
        self.pass_on(topic, after, Word::Gap(start));
    }

    /// Tells the followers that wait at an id what the store has said, and has them go on.
    pub(super) fn pass_on(&mut self, topic: &Arc<str>, after: MessageId, word: Word) {
        let Some(stores) = &mut self.stores else { return };
        let readers = stores.readers.remove(&(Arc::clone(topic), after));
        for slot in readers.into_iter().flatten() {
            self.following.judge(slot, topic, after, word);
            self.following.queue(slot);
            self.wake_stored_poll(slot, after, word);
        }
    }

    /// Has the followers that wait for a message of a topic go on.
    pub(super) fn wake_waiting(&mut self, topic: &str) {
        let stores = self.stores.as_deref_mut();
        let Some(stored) = stores.and_then(|stores| stores.topics.get_mut(topic)) else { return };
        if !stored.waiting.is_empty() {
            for slot in std::mem::take(&mut stored.waiting) {
                self.following.queue(slot);
                self.table.with(slot, |at| at.wake_poll());
            }
        }
    }

    /// Has the members of a topic that begins here begin at an id, those of them that follow other
    /// topics.
    pub(super) fn begin_members(&mut self, topic: &str, from: MessageId) {
        for slot in self.member_slots(topic, true) {
            self.following.move_on(slot, topic, FROM_HERE, from);
            self.following.queue(slot);
        }
    }

    /// Tells the members of a topic that messages may be missing, and has them go on after an id.
    /// A member that follows learns it from the store, when it comes to this place.
    pub(super) fn tell_gap(&mut self, topic: &str, from: MessageId) {
        for slot in self.member_slots(topic, false) {
            self.follow(slot, topic, from);
            self.following.judge(slot, topic, from, Word::Gap(from));
        }
    }

    /// Returns the slots of the members of a topic: of those that follow, or of the others.
    fn member_slots(&mut self, topic: &str, follow: bool) -> Vec<u32> {
        let Some(lent) = self.topics.lend(topic) else { return Vec::new() };
        let slots = lent.1.iter().map(|member| member.slot);
        let follows = |slot: &u32| {
            let connection = self.table.slots.at(*slot);
            connection.is_some_and(|at| at.flags.has(Flags::FOLLOWING) == follow)
        };
        let slots = slots.filter(follows).collect();
        self.topics.give_back(lent);
        slots
    }

    /// Learns from its store where a topic stands, since it has a subscriber.
    #[cold]
    pub(crate) fn open_stored(&mut self, topic: &str) {
        let Some(stores) = &mut self.stores else { return };
        if stores.of(topic).is_none() {
            return;
        }
        if stores.name(topic).is_none() {
            self.forget_unused_topics();
        }
        let Some(stores) = &mut self.stores else { return };
        let stored = stores.topics.entry(Arc::from(topic)).or_default();
        let mut steps = Vec::new();
        stored.gate.open(&mut steps);
        self.take_steps(topic, steps);
    }

    /// Forgets topics without subscribers and messages, once there are many.
    fn forget_unused_topics(&mut self) {
        let Context { stores: Some(stores), topics, .. } = self else { return };
        if stores.topics.len() < stores.sweep_at {
            return;
        }
        let Stores { topics: stored, rings, sweep_at, .. } = &mut **stores;
        stored.retain(|name, topic| {
            let is_used = topics.count(name) > 0
                || !topic.gate.is_at_rest()
                || rings.next_after(name, MessageId::default()).is_some();
            if !is_used {
                rings.forget_topic(name);
            }
            is_used
        });
        *sweep_at = (2 * stored.len()).max(*sweep_at);
    }
}
