//! A topic in front of its store: decides which message is delivered next. Messages arrive in any
//! order, twice, or not at all; they are delivered in the order of their ids, and what is missing
//! is asked of the store. This file knows no store, no clock and no connection.

use std::collections::BTreeMap;
use std::mem;

use super::message_id::MessageId;

/// One topic in front of its store.
#[derive(Debug)]
pub(crate) struct Gate<M> {
    /// The id up to which all is delivered, once it is known.
    latest: Option<MessageId>,
    /// Whether the store is being asked for its latest id.
    is_opening: bool,
    /// The smallest id that precedes a message which arrived meanwhile.
    earliest: Option<MessageId>,
    /// The highest id that arrived.
    known: MessageId,
    /// Messages that wait for one before them, each with the id before it.
    ahead: BTreeMap<MessageId, Ahead<M>>,
    ahead_bytes: usize,
    asked: Option<Asked>,
    /// Whether to ask once more, since something may have arrived after the store answered.
    again: bool,
}

#[derive(Debug)]
struct Ahead<M> {
    before: MessageId,
    message: M,
    len: usize,
}

/// A question that the store has not answered yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    after: MessageId,
    /// The highest id that had arrived. The answer must reach it.
    known: MessageId,
}

/// The most messages that wait for one before them, and their memory in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AheadBounds {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// A message that has an id.
#[derive(Debug)]
pub(crate) struct Arrival<M> {
    pub(crate) id: MessageId,
    /// The id before it in its topic.
    pub(crate) before: MessageId,
    /// `None` where only the id is known.
    pub(crate) message: Option<M>,
    pub(crate) len: usize,
    /// Whether this message takes the place of one that waits under the same id.
    pub(crate) is_own: bool,
}

/// What follows an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<M> {
    /// The store is to be asked for its bounds.
    Open,
    /// All messages after this id follow. Those before are with the store alone.
    Begin { from: MessageId },
    /// This message is next, behind the one of id `after`, for the ring and for the members.
    Deliver { id: MessageId, after: MessageId, message: M },
    /// Messages may be missing. Those after this id follow.
    Gap { from: MessageId },
    /// The store is to be asked for what comes after this id.
    Ask { after: MessageId },
}

impl<M> Default for Gate<M> {
    fn default() -> Gate<M> {
        Gate {
            latest: None,
            is_opening: false,
            earliest: None,
            known: MessageId::default(),
            ahead: BTreeMap::new(),
            ahead_bytes: 0,
            asked: None,
            again: false,
        }
    }
}

impl<M> Gate<M> {
    /// Returns the id up to which all is delivered, once something is known.
    pub(crate) fn latest(&self) -> Option<MessageId> {
        self.latest
    }

    /// Whether nothing waits, neither a message nor an answer.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.is_opening && self.asked.is_none() && !self.lacks()
    }

    /// Whether the store is being asked for its latest id.
    pub(crate) fn is_opening(&self) -> bool {
        self.is_opening
    }

    /// Whether something that has arrived is not delivered.
    fn lacks(&self) -> bool {
        self.latest.is_some_and(|latest| self.known > latest)
    }

    /// Learns from the store where the topic stands, before its first subscriber.
    pub(crate) fn open(&mut self, steps: &mut Vec<Step<M>>) {
        if self.latest.is_none() && !self.is_opening {
            self.is_opening = true;
            steps.push(Step::Open);
        }
    }

    /// Begins at the latest id of the store. What arrived since the store was asked is delivered.
    pub(crate) fn opened(&mut self, last: MessageId, steps: &mut Vec<Step<M>>) {
        if !mem::take(&mut self.is_opening) {
            return;
        }
        let earliest = self.earliest.take().unwrap_or(last);
        self.begin(earliest.min(last), steps);
        self.known = self.known.max(last);
        self.deliver_chain(steps);
        match mem::take(&mut self.again) {
            true => self.look(steps),
            false => self.ask_if_lacking(steps),
        }
    }

    /// Takes a message, or the news of one. Returns whether its id is after the latest one. An
    /// older id does nothing: it has been delivered, or a gap has passed over it.
    pub(crate) fn arrive(
        &mut self,
        arrival: Arrival<M>,
        bounds: AheadBounds,
        steps: &mut Vec<Step<M>>,
    ) -> bool {
        let Arrival { id, before, message, len, is_own } = arrival;
        // An id that is not before the message says nothing of what is.
        let before = if before < id { before } else { MessageId::default() };
        if self.latest.is_none() && !self.is_opening {
            self.begin(before, steps);
        }
        if self.latest.is_some_and(|latest| id <= latest) {
            return false;
        }
        self.known = self.known.max(id);
        if self.is_opening {
            self.earliest = Some(self.earliest.map_or(before, |earliest| earliest.min(before)));
        }
        match message {
            Some(message) if self.latest == Some(before) => {
                self.forget_ahead(id);
                self.deliver(id, message, steps);
                self.deliver_chain(steps);
            }
            Some(message) => self.wait(id, Ahead { before, message, len }, is_own, bounds),
            None => {}
        }
        self.ask_if_lacking(steps);
        true
    }

    /// Begins at an id.
    fn begin(&mut self, from: MessageId, steps: &mut Vec<Step<M>>) {
        self.latest = Some(from);
        steps.push(Step::Begin { from });
    }

    /// Asks the store whether something is missing, after the program could not hear of messages.
    pub(crate) fn look(&mut self, steps: &mut Vec<Step<M>>) {
        match (self.asked, self.latest) {
            (None, Some(after)) => self.ask(after, steps),
            _ => self.again = self.asked.is_some() || self.is_opening,
        }
    }

    /// Takes a page of messages in the order of their ids, with the highest id that the store no
    /// longer has and its latest one. Returns how many ids of the page were out of order.
    pub(crate) fn answer(
        &mut self,
        page: impl IntoIterator<Item = (MessageId, M)>,
        (trimmed, last): (MessageId, MessageId),
        steps: &mut Vec<Step<M>>,
    ) -> u64 {
        let (Some(asked), Some(latest)) = (self.asked.take(), self.latest) else { return 0 };
        if trimmed > latest {
            self.pass_over(trimmed, steps);
        }
        let (mut before, mut faults) = (asked.after, 0);
        for (id, message) in page {
            if id <= before {
                faults += 1;
                continue;
            }
            before = id;
            if self.latest.is_some_and(|latest| id > latest) {
                // What arrived by itself may know more of its publisher.
                let message = self.forget_ahead(id).unwrap_or(message);
                self.deliver(id, message, steps);
            }
        }
        self.deliver_chain(steps);
        self.go_on(asked, last, steps);
        faults
    }

    /// Goes on without an answer: the store failed, or it took too long.
    pub(crate) fn fail(&mut self, steps: &mut Vec<Step<M>>) {
        self.asked = None;
        self.again = false;
        if mem::take(&mut self.is_opening) {
            // Without the store, the topic begins at the first message that arrives.
            let Some(earliest) = self.earliest.take() else { return };
            self.begin(earliest, steps);
        }
        let Some(latest) = self.latest else { return };
        if !self.lacks() {
            // Whether something is missing is not known, and this is what a gap says.
            return steps.push(Step::Gap { from: latest });
        }
        while let Some((id, Ahead { before, message, len })) = self.ahead.pop_first() {
            self.ahead_bytes -= len;
            match self.latest {
                Some(latest) if id <= latest => continue,
                Some(latest) if before != latest => {
                    let from = before.max(latest);
                    self.latest = Some(from);
                    steps.push(Step::Gap { from });
                }
                _ => {}
            }
            self.deliver(id, message, steps);
        }
        if self.lacks() {
            self.pass_over(self.known, steps);
        }
    }

    /// Asks again while the store has more. An answer without progress has no next one.
    fn go_on(&mut self, asked: Asked, last: MessageId, steps: &mut Vec<Step<M>>) {
        let Some(latest) = self.latest else { return };
        let again = mem::take(&mut self.again);
        let is_further = latest > asked.after;
        if !is_further && (asked.known > latest || last > latest) {
            return self.fail(steps);
        }
        if again || last > latest || self.lacks() {
            self.ask(latest, steps);
        }
    }

    fn ask_if_lacking(&mut self, steps: &mut Vec<Step<M>>) {
        if let (Some(after), None, true) = (self.latest, self.asked, self.lacks()) {
            self.ask(after, steps);
        }
    }

    fn ask(&mut self, after: MessageId, steps: &mut Vec<Step<M>>) {
        self.asked = Some(Asked { after, known: self.known });
        steps.push(Step::Ask { after });
    }

    fn deliver(&mut self, id: MessageId, message: M, steps: &mut Vec<Step<M>>) {
        let after = self.latest.replace(id).unwrap_or_default();
        self.known = self.known.max(id);
        steps.push(Step::Deliver { id, after, message });
    }

    /// Delivers what waited for the latest message, and drops what has been delivered.
    fn deliver_chain(&mut self, steps: &mut Vec<Step<M>>) {
        while let (Some((&id, ahead)), Some(latest)) = (self.ahead.first_key_value(), self.latest) {
            let is_next = ahead.before == latest;
            if id > latest && !is_next {
                return;
            }
            let Some(message) = self.forget_ahead(id) else { return };
            if id > latest {
                self.deliver(id, message, steps);
            }
        }
    }

    /// Leaves a hole up to an id.
    fn pass_over(&mut self, to: MessageId, steps: &mut Vec<Step<M>>) {
        self.latest = Some(to);
        self.known = self.known.max(to);
        while self.ahead.first_key_value().is_some_and(|(id, _)| *id <= to) {
            self.ahead.pop_first().inspect(|(_, ahead)| self.ahead_bytes -= ahead.len);
        }
        steps.push(Step::Gap { from: to });
    }

    /// Keeps a message until those before it are delivered. Beyond the bounds the oldest ones go:
    /// the store has them.
    fn wait(&mut self, id: MessageId, ahead: Ahead<M>, is_own: bool, bounds: AheadBounds) {
        if self.ahead.contains_key(&id) && !is_own {
            return;
        }
        self.forget_ahead(id);
        self.ahead_bytes += ahead.len;
        self.ahead.insert(id, ahead);
        while self.ahead.len() > 1
            && (self.ahead.len() > bounds.messages || self.ahead_bytes > bounds.bytes)
        {
            self.ahead.pop_first().inspect(|(_, ahead)| self.ahead_bytes -= ahead.len);
        }
    }

    fn forget_ahead(&mut self, id: MessageId) -> Option<M> {
        let Ahead { message, len, .. } = self.ahead.remove(&id)?;
        self.ahead_bytes -= len;
        Some(message)
    }
}

#[cfg(test)]
impl<M> Gate<M> {
    /// Returns how many messages wait for one before them, and their bytes.
    pub(super) fn ahead(&self) -> (usize, usize) {
        assert_eq!(self.ahead.values().map(|ahead| ahead.len).sum::<usize>(), self.ahead_bytes);
        (self.ahead.len(), self.ahead_bytes)
    }
}
