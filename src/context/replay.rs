//! Replays history to followers: what `Handler::resumed` is to be told, and the messages up to the
//! end, at the pace of each reader. This file calls no handler: server/followers.rs does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::context::Context;
use super::following::Cursor;
use super::sources::Sources;
use super::stores::FROM_HERE;
use crate::connection::{Flags, NO_MEMBERSHIP, Phase};
use crate::history::{Forgotten, MessageId, Resume};
use crate::websocket::State;

/// The most bytes that one follower gets in one turn. A longer message is the only one of its turn.
const PER_TURN: usize = 64 << 10;
/// What a message costs beyond its bytes.
const MESSAGE: usize = 64;

/// Why a replay stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Nothing is left: the follower is a plain member from here on.
    AtEnd,
    /// The reader has to take earlier output first.
    Waits,
    /// Others go on, and the follower does so in the next turn.
    GoesOn,
    /// The next message is longer than the rest of the turn: it comes first in the next one.
    GoesFirst,
    /// A store has to answer first.
    Asks,
}

/// Whether messages may be replayed in a phase.
pub(super) fn may_follow(phase: Phase) -> bool {
    matches!(phase, Phase::WebSocket(State::Open) | Phase::Streaming)
}

impl Context {
    /// Whether messages of a topic are kept.
    pub(crate) fn keeps_history(&self, topic: &str) -> bool {
        self.sources().keeps(topic)
    }

    /// Makes a member of a topic a follower from an id on, and of its other topics with history
    /// from here on.
    ///
    /// The id may come from another reactor of a cluster, and be later than what this reactor has
    /// read. So this one reads on, now that the follower gets nothing but by its cursors.
    pub(super) fn follow(&mut self, slot: u32, topic: &str, after: MessageId) {
        self.begin_following(slot, topic, after, None);
        self.catch_up();
    }

    /// `since` is the id after which the others come too; `None` is the latest.
    fn begin_following(
        &mut self,
        slot: u32,
        topic: &str,
        after: MessageId,
        since: Option<MessageId>,
    ) {
        let Context { table, topics, histories, stores, following, .. } = self;
        let sources = Sources { histories: histories.as_ref(), stores: stores.as_deref() };
        let Some(connection) = table.slots.at_mut(slot) else { return };
        if connection.flags.mark(Flags::FOLLOWING) {
            let others = topics.names(connection.memberships).filter(|other| *other != topic);
            for other in others.filter(|other| sources.keeps(other)) {
                following.follow_from_here(slot, other, sources.latest_or(other, since));
            }
        }
        following.follow(slot, topic, after);
    }

    /// Has the members of a topic that has forgotten messages before this reactor got them go on
    /// after an id. They have had nothing later of any topic, so that they get all in one order.
    #[cold]
    pub(super) fn follow_after_gap(&mut self, topic: &str, after: MessageId) {
        for slot in self.topics.members(topic) {
            self.table.with(slot, |at| at.wake_poll());
            if self.gets_messages(slot) && !self.following.follows(slot, topic) {
                self.begin_following(slot, topic, after, Some(after));
            }
        }
    }

    /// Has a follower that is a member of a topic with history get what is published from here on.
    pub(super) fn follow_from_here(&mut self, slot: u32, topic: &str) {
        self.follow_since(slot, topic, None);
    }

    fn follow_since(&mut self, slot: u32, topic: &str, since: Option<MessageId>) {
        let sources = self.sources();
        if sources.keeps(topic) && !self.following.follows(slot, topic) {
            let after = sources.latest_or(topic, since);
            self.following.follow_from_here(slot, topic, after);
        }
    }

    /// Has all followers follow topics that keep the messages after an id, and kept none before.
    #[cold]
    pub(super) fn follow_new_history(&mut self, begun: MessageId) {
        for slot in self.following.slots() {
            let connection = self.table.slots.at(slot);
            let memberships = connection.map_or(NO_MEMBERSHIP, |connection| connection.memberships);
            let topics: Vec<Box<str>> = self.topics.names(memberships).map(Box::from).collect();
            topics.iter().for_each(|topic| self.follow_since(slot, topic, Some(begun)));
        }
    }

    /// Ends the following of one topic.
    pub(super) fn unfollow(&mut self, slot: u32, topic: &str) {
        if self.following.unfollow(slot, topic) {
            self.end_following(slot);
        }
    }

    /// Makes a follower a plain member of its topics, or forgets it at the end of its exchange.
    pub(super) fn end_following(&mut self, slot: u32) {
        self.following.remove(slot);
        if let Some(connection) = self.table.slots.at_mut(slot) {
            connection.flags.remove(Flags::FOLLOWING);
        }
    }

    /// Has a follower not get a message that it published to others.
    pub(super) fn skip_own(&mut self, slot: u32, topic: &str, id: MessageId) {
        let Some(connection) = self.table.slots.at(slot) else { return };
        if !connection.flags.has(Flags::FOLLOWING) {
            return;
        }
        let start = self.sources().start(topic);
        self.following.skip(slot, topic, id, start);
    }

    /// Whether a follower can go on in this turn.
    #[inline]
    pub(crate) fn has_followers_due(&self) -> bool {
        self.following.is_due() || !self.table.books.work.drained.is_empty()
    }

    /// Has followers whose output has left go on.
    pub(crate) fn wake_followers(&mut self) {
        for slot in self.table.books.work.drained.drain(..) {
            self.following.queue(slot);
        }
    }

    /// Returns how many topics of a follower the handler is to be told of; `None` if the exchange
    /// gets no messages any more.
    pub(crate) fn untold(&mut self, slot: u32) -> Option<usize> {
        if !self.gets_messages(slot) {
            self.end_following(slot);
            return None;
        }
        let Context { histories, stores, following, .. } = self;
        let sources = Sources { histories: histories.as_ref(), stores: stores.as_deref() };
        let mut untold = 0;
        for cursor in following.cursors(slot)? {
            // What only a store knows is told later.
            if let Some(resume) = sources.resume(cursor) {
                cursor.is_told &= resume == Resume::Resumed;
                untold += usize::from(!cursor.is_told);
            }
        }
        Some(untold)
    }

    fn gets_messages(&self, slot: u32) -> bool {
        let connection = self.table.slots.at(slot);
        connection.is_some_and(|it| may_follow(it.phase) && !it.flags.has(Flags::GONE))
    }

    /// Returns what is news to the peer of an event stream, of all topics that its handler is to be
    /// told of: whether messages are missing, and the oldest that is kept.
    pub(crate) fn news(&mut self, slot: u32) -> Option<(bool, MessageId)> {
        if self.table.slots.at(slot)?.phase != Phase::Streaming {
            return None;
        }
        let Context { histories, stores, following, .. } = self;
        let sources = Sources { histories: histories.as_ref(), stores: stores.as_deref() };
        let cursors = following.cursors(slot)?;
        // With many topics, all are looked at once, and then the next one alone.
        let mut untold = cursors.iter().filter(|cursor| !cursor.is_told);
        let next = untold.find_map(|cursor| Some((cursor, sources.resume(cursor)?)));
        next.filter(|(cursor, resume)| cursor.is_news(*resume != Resume::Resumed))?;
        let (mut news, mut oldest) = (None, FROM_HERE);
        for cursor in cursors.iter_mut().filter(|cursor| !cursor.is_told) {
            // What only a store knows is news later.
            let Some(resume) = sources.resume(cursor) else { continue };
            let gap = resume != Resume::Resumed;
            if cursor.tell(gap) {
                news = Some(gap || news == Some(true));
            }
            oldest = oldest.min(sources.oldest(cursor, resume));
        }
        news.map(|gap| (gap, oldest))
    }

    /// Takes the next topic that the handler of a follower is to be told of. After a callback that
    /// ended the exchange, none is left.
    pub(crate) fn next_resume(&mut self, slot: u32) -> Option<(Box<str>, Resume)> {
        if !self.gets_messages(slot) {
            return None;
        }
        let Context { histories, stores, following, .. } = self;
        let sources = Sources { histories: histories.as_ref(), stores: stores.as_deref() };
        let untold = following.cursors(slot)?.iter_mut().filter(|cursor| !cursor.is_told);
        let mut known = untold.filter_map(|cursor| Some((sources.resume(cursor)?, cursor)));
        let (resume, cursor) = known.next()?;
        cursor.resume(resume, sources.start_of(cursor));
        Some((cursor.topic.clone(), resume))
    }

    /// Has a follower whose handler is not told of all topics go on in the next turn.
    pub(crate) fn go_on_later(&mut self, slot: u32) {
        self.following.spend(0);
        self.following.queue(slot);
    }

    /// Replays history to a follower, and has it wait, go on later, or end as a plain member.
    pub(crate) fn replay(&mut self, slot: u32) {
        let (stop, cost) = self.replay_share(slot);
        self.following.spend(cost);
        match stop {
            Stop::AtEnd => self.end_following(slot),
            Stop::GoesOn => self.following.queue(slot),
            Stop::GoesFirst => self.following.put_first(slot),
            Stop::Waits => {}
            Stop::Asks => self.wait_for_stores(slot),
        }
    }

    /// Replays as much as one turn allows, and returns what that cost.
    fn replay_share(&mut self, slot: u32) -> (Stop, usize) {
        let Context { table, delivery, histories, stores, following, .. } = self;
        let sources = Sources { histories: histories.as_ref(), stores: stores.as_deref() };
        let (left, is_first) = (following.left(), following.is_first());
        if following.begins_later(slot) {
            return (Stop::Asks, 0);
        }
        let Some(mut at) = table.lease(slot) else { return (Stop::AtEnd, 0) };
        let Some(cursors) = following.cursors(slot) else { return (Stop::AtEnd, 0) };
        let room = at.options().max_buffered / 2;
        if !cursors.iter().all(|cursor| sources.is_readable(cursor)) {
            return (Stop::Asks, 0);
        }
        let mut order = Order::new(cursors, sources);
        let (mut sent, mut cost) = (0, 0);
        while let Some(index) = order.next() {
            let cursor = &mut cursors[index];
            let kept = match sources.next_after(&cursor.topic, cursor.after) {
                Ok(Some(kept)) => kept,
                Ok(None) => continue,
                Err(Forgotten) => return (Stop::GoesOn, cost),
            };
            let id = kept.id.text();
            let key = kept.key().unwrap_or(&cursor.topic);
            let mut encoded = kept.encoded(&id, delivery.number_of(key));
            let len = match cursor.skips(kept.id) {
                true => 0,
                false => delivery.replayed_len(&at, &mut encoded),
            };
            let waiting = delivery.waiting_for(at.connection, &at.books.lane);
            let is_spent = cost + len + MESSAGE > left;
            if len > 0 && waiting > 0 && waiting + len > room {
                return (Stop::Waits, cost);
            } else if sent > 0 && (is_spent || sent + len > PER_TURN) || is_spent && len == 0 {
                return (Stop::GoesOn, cost);
            } else if is_spent && !is_first {
                return (Stop::GoesFirst, cost);
            } else if len > 0 {
                sent += len;
                cost += delivery.replay(&mut at, &mut encoded);
                kept.remember(&encoded);
            }
            cost += MESSAGE;
            cursor.pass(kept.id);
            if !sources.is_readable(cursor) {
                return (Stop::Asks, cost);
            }
            order.push(index, cursor, sources);
        }
        (Stop::AtEnd, cost)
    }
}

/// The cursors of a follower by the id of the next message of each.
struct Order(BinaryHeap<Reverse<(MessageId, usize)>>);

impl Order {
    fn new(cursors: &[Cursor], sources: Sources<'_>) -> Order {
        let mut order = Order(BinaryHeap::with_capacity(cursors.len()));
        for (index, cursor) in cursors.iter().enumerate() {
            order.push(index, cursor, sources);
        }
        order
    }

    /// Adds a cursor, unless it is at the end of its topic. One whose messages are forgotten comes
    /// first.
    fn push(&mut self, index: usize, cursor: &Cursor, sources: Sources<'_>) {
        let next = sources.next_after(&cursor.topic, cursor.after);
        if let Some(id) = next.map_or(Some(cursor.after), |kept| kept.map(|kept| kept.id)) {
            self.0.push(Reverse((id, index)));
        }
    }

    /// Takes the index of the cursor whose next message is the earliest.
    fn next(&mut self) -> Option<usize> {
        self.0.pop().map(|Reverse((_, index))| index)
    }
}
