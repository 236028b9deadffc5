//! Followers: connections that read the history of their topics, each from an id of its own, up to
//! the end. There they become plain members. This file holds how far each follower has come and
//! whose turn it is. It reads no history and sends nothing.
//!
//! Only a connection that lags behind has an entry here, so an idle connection takes no byte.

use std::collections::{BTreeMap, VecDeque};

use crate::history::{MessageId, Resume};

/// The most bytes that all followers together get in one turn.
const ALL_PER_TURN: usize = 1 << 20;
/// What a visit of one follower costs at least, in bytes. So a turn visits at most 1,024.
const VISIT: usize = 1 << 10;
/// Skipped ids of a follower that are kept without a look at which are still needed.
const SKIPPED: usize = 64;

/// All followers of a server.
#[derive(Debug)]
pub(crate) struct Following {
    /// A tree, since the growth of a hash table with a million followers would hold a turn.
    followers: BTreeMap<u32, Follower>,
    /// Followers that can go on, in the order of their turns.
    ready: VecDeque<u32>,
    /// Followers that have had their share of this turn, and can go on in the next one.
    later: VecDeque<u32>,
    /// The number of the turn.
    turn: u64,
    /// The slot that was visited last in this turn. What begins there meanwhile has had its share.
    visited: Option<u32>,
    /// Bytes that followers may still get in this turn.
    left: usize,
}

#[derive(Debug, Default)]
struct Follower {
    cursors: Vec<Cursor>,
    /// Whether the follower is in one of the two queues.
    is_queued: bool,
    /// The turn in which it last had its share.
    served: u64,
    /// A stream whose first block waits for stores, and whether it is for clients of MCP.
    first: Option<bool>,
}

/// How far a follower has read one topic.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) topic: Box<str>,
    /// The id of the last message that the follower has had.
    pub(super) after: MessageId,
    /// Whether the handler knows from where the topic goes on.
    pub(super) is_told: bool,
    /// Whether a store has all messages after the id, although this server does not know it yet.
    pub(super) is_checked: bool,
    /// Whether messages before the id may be missing, and the handler does not know.
    pub(super) has_gap: bool,
    /// Whether the peer knows of a gap already; `None` if it knows nothing.
    pub(super) known_gap: Option<bool>,
    /// Later messages that the follower itself published to others, in their order.
    skipped: VecDeque<MessageId>,
}

/// What a store has said of the id that a follower is at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    /// The store has all messages after it.
    Good,
    /// Messages may be missing. The follower goes on after this id.
    Gap(MessageId),
}

impl Cursor {
    fn new(topic: &str, after: MessageId, is_told: bool) -> Cursor {
        let skipped = VecDeque::new();
        Cursor {
            topic: topic.into(),
            after,
            is_told,
            is_checked: false,
            has_gap: false,
            known_gap: None,
            skipped,
        }
    }

    /// Moves past a message.
    pub(super) fn pass(&mut self, id: MessageId) {
        self.after = id;
        while self.skipped.front().is_some_and(|first| *first <= id) {
            self.skipped.pop_front();
        }
    }

    /// Whether the follower is not to have a message.
    pub(super) fn skips(&self, id: MessageId) -> bool {
        self.skipped.binary_search(&id).is_ok()
    }

    /// Goes on as `resume` says. `start` precedes the oldest message that is kept.
    pub(super) fn resume(&mut self, resume: Resume, start: MessageId) {
        (self.is_told, self.has_gap) = (true, false);
        self.known_gap = None;
        if resume != Resume::Resumed {
            self.after = start;
        }
    }

    /// Notes that the peer is told whether messages are missing. Returns whether this is news.
    pub(super) fn tell(&mut self, gap: bool) -> bool {
        let is_news = self.is_news(gap);
        self.known_gap = Some(gap);
        is_news
    }

    /// Whether the peer does not know whether messages are missing.
    pub(super) fn is_news(&self, gap: bool) -> bool {
        self.known_gap.is_none_or(|known| gap && !known)
    }
}

impl Default for Following {
    fn default() -> Following {
        Following {
            followers: BTreeMap::new(),
            ready: VecDeque::new(),
            later: VecDeque::new(),
            turn: 1,
            visited: None,
            left: ALL_PER_TURN,
        }
    }
}

impl Following {
    /// Whether a follower can go on, in this turn or the next one.
    #[inline]
    pub(crate) fn is_busy(&self) -> bool {
        !(self.ready.is_empty() && self.later.is_empty())
    }

    /// Whether a follower can go on in this turn.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        !self.ready.is_empty() && self.left > 0
    }

    /// Begins a turn: those that were not reached in the last one come first.
    #[inline]
    pub(crate) fn begin_turn(&mut self) {
        if self.is_busy() || self.left < ALL_PER_TURN {
            self.ready.append(&mut self.later);
            self.left = ALL_PER_TURN;
            self.turn += 1;
            self.visited = None;
        }
    }

    /// Ends the share of this turn: all others wait for the next one.
    pub(crate) fn end_share(&mut self) {
        self.left = 0;
    }

    /// Takes the next follower that is to be visited in this turn.
    pub(crate) fn next(&mut self) -> Option<u32> {
        while self.left > 0 {
            let slot = self.ready.pop_front()?;
            let Some(follower) = self.followers.get_mut(&slot).filter(|it| it.is_queued) else {
                continue;
            };
            if follower.served == self.turn {
                // An entry of an earlier follower in this slot. Its own one is in `later`.
                continue;
            }
            follower.is_queued = false;
            follower.served = self.turn;
            self.visited = Some(slot);
            return Some(slot);
        }
        None
    }

    /// Bytes that followers may still get in this turn.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Whether no follower has got anything in this turn.
    pub(super) fn is_first(&self) -> bool {
        self.left == ALL_PER_TURN
    }

    /// Has a follower visited first in the next turn, whose next message is too long for the rest
    /// of this one. So the share of this turn ends.
    pub(super) fn put_first(&mut self, slot: u32) {
        if let Some(follower) = self.followers.get_mut(&slot) {
            follower.is_queued = true;
            self.ready.push_front(slot);
            self.left = 0;
        }
    }

    /// Takes what a visit has cost off the share of the turn.
    pub(super) fn spend(&mut self, cost: usize) {
        self.left = self.left.saturating_sub(cost.max(VISIT));
    }

    /// Has a follower visited, unless it is queued already.
    pub(crate) fn queue(&mut self, slot: u32) {
        if let Some(follower) = self.followers.get_mut(&slot)
            && !follower.is_queued
        {
            follower.is_queued = true;
            match follower.served == self.turn {
                true => self.later.push_back(slot),
                false => self.ready.push_back(slot),
            }
        }
    }

    /// Has a follower go on after an id, as the last call for its topic says.
    pub(super) fn follow(&mut self, slot: u32, topic: &str, after: MessageId) {
        let served = if self.visited == Some(slot) { self.turn } else { 0 };
        let new = || Follower { served, ..Follower::default() };
        let follower = self.followers.entry(slot).or_insert_with(new);
        let cursor = Cursor::new(topic, after, false);
        // A topic that is followed again and again lets the others go first.
        follower.cursors.retain(|known| known.topic != cursor.topic);
        follower.cursors.push(cursor);
        self.queue(slot);
    }

    /// Notes that the peer of a follower knows whether messages of a topic are missing.
    pub(crate) fn know(&mut self, slot: u32, topic: &str, gap: bool) {
        let cursors = self.cursors(slot).into_iter().flatten();
        for cursor in cursors.filter(|cursor| *cursor.topic == *topic) {
            cursor.known_gap = Some(gap);
        }
    }

    /// Has neither the handler nor the peer of a follower told of a topic, unless messages of it
    /// are missing.
    pub(crate) fn tell_nothing(&mut self, slot: u32, topic: &str) {
        let cursors = self.cursors(slot).into_iter().flatten();
        for cursor in cursors.filter(|cursor| *cursor.topic == *topic) {
            cursor.is_told = true;
        }
    }

    /// Has a follower get the messages of one more topic after the latest id.
    pub(super) fn follow_from_here(&mut self, slot: u32, topic: &str, latest: MessageId) {
        let follower = self.followers.entry(slot).or_default();
        follower.cursors.push(Cursor::new(topic, latest, true));
    }

    /// Has a stream get its first block before all messages, once stores have said where it is.
    pub(super) fn begin_later(&mut self, slot: u32, mcp: bool) {
        self.followers.entry(slot).or_default().first = Some(mcp);
        self.queue(slot);
    }

    /// Whether the first block of a stream waits for stores.
    pub(super) fn begins_later(&self, slot: u32) -> bool {
        self.followers.get(&slot).is_some_and(|follower| follower.first.is_some())
    }

    /// Takes the note that a stream has had no first block.
    pub(super) fn begin_now(&mut self, slot: u32) -> Option<bool> {
        self.followers.get_mut(&slot)?.first.take()
    }

    /// Whether a follower follows this topic.
    pub(super) fn follows(&self, slot: u32, topic: &str) -> bool {
        let follower = self.followers.get(&slot);
        follower.is_some_and(|it| it.cursors.iter().any(|cursor| *cursor.topic == *topic))
    }

    /// Has a follower not get a message that it published to others.
    pub(super) fn skip(&mut self, slot: u32, topic: &str, id: MessageId, oldest: MessageId) {
        let Some(follower) = self.followers.get_mut(&slot) else { return };
        let cursor = follower.cursors.iter_mut().find(|cursor| *cursor.topic == *topic);
        let Some(cursor) = cursor else { return };
        if cursor.skipped.len() >= SKIPPED && cursor.skipped.len() == cursor.skipped.capacity() {
            // What is forgotten is not replayed. So there are never more than the topic keeps.
            cursor.skipped.retain(|id| *id >= oldest);
        }
        cursor.skipped.push_back(id);
    }

    /// Ends the following of one topic, and returns whether no topic is left.
    pub(super) fn unfollow(&mut self, slot: u32, topic: &str) -> bool {
        let Some(follower) = self.followers.get_mut(&slot) else { return true };
        follower.cursors.retain(|cursor| *cursor.topic != *topic);
        follower.cursors.is_empty()
    }

    /// Forgets a follower. Its place in a queue counts no longer.
    pub(super) fn remove(&mut self, slot: u32) {
        self.followers.remove(&slot);
    }

    pub(super) fn cursors(&mut self, slot: u32) -> Option<&mut Vec<Cursor>> {
        self.followers.get_mut(&slot).map(|follower| &mut follower.cursors)
    }

    /// Returns how far a follower has come in each of its topics.
    pub(super) fn cursors_of(&self, slot: u32) -> Option<&[Cursor]> {
        self.followers.get(&slot).map(|follower| &*follower.cursors)
    }

    /// Notes what a store has said of the id that a follower is at.
    pub(super) fn judge(&mut self, slot: u32, topic: &str, after: MessageId, word: Word) {
        let Some(cursor) = self.cursor_at(slot, topic, after) else { return };
        match word {
            Word::Good => cursor.is_checked = true,
            Word::Gap(from) => {
                (cursor.after, cursor.is_told, cursor.has_gap) = (from, false, true);
            }
        }
    }

    /// Moves a follower that is at an id to another one.
    pub(super) fn move_on(&mut self, slot: u32, topic: &str, after: MessageId, to: MessageId) {
        if let Some(cursor) = self.cursor_at(slot, topic, after) {
            cursor.after = to;
        }
    }

    fn cursor_at(&mut self, slot: u32, topic: &str, after: MessageId) -> Option<&mut Cursor> {
        let mut cursors = self.cursors(slot)?.iter_mut();
        cursors.find(|cursor| *cursor.topic == *topic && cursor.after == after)
    }

    /// Returns the slots of all followers.
    pub(super) fn slots(&self) -> Vec<u32> {
        self.followers.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A follower that ends and begins again leaves an entry in the queue each time. None of them
    /// is there after the next turn, though the follower always has more to read.
    #[test]
    fn entries_of_earlier_followers_are_gone_after_a_turn() {
        let mut following = Following::default();
        for _ in 0..100 {
            following.begin_turn();
            for _ in 0..10 {
                following.follow(7, "topic", MessageId::new(1, 1));
                following.remove(7);
            }
            following.follow(7, "topic", MessageId::new(1, 1));
            let mut visits = 0;
            while let Some(slot) = following.next() {
                visits += 1;
                following.spend(0);
                following.queue(slot);
            }
            assert_eq!((visits, following.ready.len(), following.later.len()), (1, 0, 1));
        }
    }
}
