//! What follows the answer of a store: messages go to their rings and to the subscribers, in the
//! order of their ids, and closures are told. This file calls no store and no closure.

use std::sync::Arc;

use super::context::{Context, StoreCall};
use super::following::Word;
use super::stores::{Append, Incoming, Question, StoredTopic};
use crate::connection::{NEVER, ticks};
use crate::history::{
    Appended, Arrival, Ended, Kept, MessageId, PATIENCE, Purpose, Step, StoreBounds, StoreError,
    StorePage, StoreReply,
};

impl Context {
    /// Takes the answers that have come, and gives up the questions that have waited too long. So
    /// an answer that came while the program stood still is in time.
    pub(crate) fn take_store_answers(&mut self) {
        let Some(stores) = &self.stores else { return };
        let answers = stores.inbox.take();
        for (number, reply) in answers.into_iter().flatten() {
            self.take_answer(number, reply);
        }
        let tick = self.table.books.clock.tick();
        while let Some(stores) = &mut self.stores
            && let Some((topic, question)) = stores.questions.expire(tick)
        {
            stores.failed += 1;
            self.fail(&topic, question, StoreError::TimedOut);
        }
    }

    fn take_answer(&mut self, number: u64, reply: StoreReply) {
        let Some(stores) = &mut self.stores else { return };
        let Some((topic, ended)) = stores.questions.end(number) else { return };
        let question = match ended {
            Ended::InTime(question) => question,
            // The message is gone. The store has it, and is asked where it was delivered to none.
            Ended::Late => {
                if let StoreReply::Append(Ok(Appended { id, before })) = reply {
                    let (message, len, is_own) = (None, 0, false);
                    self.arrive(&topic, Arrival { id, before, message, len, is_own });
                }
                return;
            }
        };
        match (question, reply) {
            (Question::Append(append), StoreReply::Append(Ok(appended))) => {
                self.take_appended(&topic, append, appended);
            }
            (Question::After { after, is_live }, StoreReply::Page(Ok(page))) => match is_live {
                true => self.take_live_page(&topic, page),
                false => self.take_page(&topic, after, page),
            },
            (Question::Bounds(done), StoreReply::Bounds(Ok(bounds))) => {
                self.take_bounds(&topic, done, bounds);
            }
            (question, StoreReply::Append(Err(error)))
            | (question, StoreReply::Page(Err(error)))
            | (question, StoreReply::Bounds(Err(error))) => {
                stores.failed += 1;
                self.fail(&topic, question, error);
            }
            // An answer is of the kind of its question.
            (_, _) => {}
        }
    }

    /// Goes on without an answer.
    fn fail(&mut self, topic: &Arc<str>, question: Question<StoreCall>, error: StoreError) {
        match question {
            Question::Append(Append { done, .. }) => self.tell_append(done, Err(error)),
            Question::Bounds(Some((zone, call))) => {
                self.tell(zone, call, StoreReply::Bounds(Err(error)));
            }
            Question::After { after, is_live: false } => self.read_failed(topic, after),
            Question::Bounds(None) | Question::After { .. } => {
                let mut steps = Vec::new();
                let stores = self.stores.as_deref_mut();
                if let Some(stored) = stores.and_then(|stores| stores.topics.get_mut(topic)) {
                    stored.gate.fail(&mut steps);
                }
                self.take_steps(topic, steps);
                self.wake_waiting(topic);
            }
        }
    }

    fn take_appended(&mut self, topic: &str, append: Append<StoreCall>, appended: Appended) {
        let Append { message, except, done } = append;
        let Appended { id, before } = appended;
        let len = message.len();
        let message = Some(Incoming { message, except });
        self.arrive(topic, Arrival { id, before, message, len, is_own: true });
        self.tell_append(done, Ok(appended));
    }

    /// Has a message of a store delivered, or kept until those before it are. A topic without
    /// subscribers needs none.
    pub(super) fn arrive(&mut self, topic: &str, arrival: Arrival<Incoming>) {
        let Some(stores) = &mut self.stores else { return };
        if stores.of(topic).is_none() {
            return;
        }
        let bounds = stores.ahead_bounds(topic);
        // Subscribers may be older than the store.
        if !stores.topics.contains_key(topic) && self.topics.count(topic) > 0 {
            stores.topics.insert(topic.into(), StoredTopic::default());
        }
        let Some(stored) = stores.topics.get_mut(topic) else { return };
        let mut steps = Vec::new();
        stored.gate.arrive(arrival, bounds, &mut steps);
        self.take_steps(topic, steps);
    }

    /// Takes what closes a hole among delivered messages.
    fn take_live_page(&mut self, topic: &str, page: StorePage) {
        let Some(stores) = &mut self.stores else { return };
        let Some(stored) = stores.topics.get_mut(topic) else { return };
        let StorePage { messages, bounds: StoreBounds { trimmed, latest } } = page;
        let incoming = |(id, message)| (id, Incoming { message, except: None });
        let mut steps = Vec::new();
        let messages = messages.into_iter().map(incoming);
        stores.failed += stored.gate.answer(messages, (trimmed, latest), &mut steps);
        self.take_steps(topic, steps);
    }

    /// Takes a page for the followers that wait at an id.
    fn take_page(&mut self, topic: &Arc<str>, after: MessageId, page: StorePage) {
        let Some(stores) = &mut self.stores else { return };
        let StorePage { messages, bounds: StoreBounds { trimmed, latest } } = page;
        let is_trimmed = trimmed > after;
        let start = if is_trimmed { trimmed } else { after };
        let (mut last, mut kept) = (start, Vec::with_capacity(messages.len()));
        for (id, message) in messages {
            match id > last {
                true => kept.push(Arc::new(Kept::new(&message.outgoing(), id, 0))),
                false => stores.failed += 1,
            }
            last = last.max(id);
        }
        // Without a next message the store has no more to say, although it has a later one.
        let is_stuck = kept.is_empty() && latest > start;
        stores.pages.add(topic, start, kept);
        let delivered = stores.latest(topic).unwrap_or_default();
        let word = match after > latest.max(delivered) || is_stuck {
            true => Word::Gap(stores.start_of(topic)),
            false if is_trimmed => Word::Gap(trimmed),
            false => Word::Good,
        };
        stores.failed += u64::from(is_stuck);
        self.hear_of(topic, latest);
        self.pass_on(topic, after, word);
    }

    /// Takes the bounds of a topic, for the topic itself or for a handler.
    fn take_bounds(&mut self, topic: &str, done: Option<(u16, StoreCall)>, bounds: StoreBounds) {
        match done {
            Some((zone, call)) => {
                self.hear_of(topic, bounds.latest);
                self.tell(zone, call, StoreReply::Bounds(Ok(bounds)));
            }
            None => {
                let stores = self.stores.as_deref_mut();
                let stored = stores.and_then(|stores| stores.topics.get_mut(topic));
                let mut steps = Vec::new();
                if let Some(stored) = stored {
                    stored.gate.opened(bounds.latest, &mut steps);
                }
                self.take_steps(topic, steps);
            }
        }
    }

    /// Learns that a topic has a message that may not have been delivered here.
    fn hear_of(&mut self, topic: &str, id: MessageId) {
        let (message, before) = (None, MessageId::default());
        if self.stores.as_ref().and_then(|stores| stores.latest(topic)).is_some() {
            self.arrive(topic, Arrival { id, before, message, len: 0, is_own: false });
        }
    }

    /// Does what a gate says.
    pub(super) fn take_steps(&mut self, topic: &str, steps: Vec<Step<Incoming>>) {
        let due = self.store_deadline();
        for step in steps {
            let Some(stores) = &mut self.stores else { return };
            let Some(name) = stores.name(topic).map(Arc::clone) else { return };
            match step {
                Step::Open => {
                    let question = Question::Bounds(None);
                    let _taken = stores.questions.add(Purpose::Live, &name, question, due);
                }
                Step::Ask { after } => {
                    let question = Question::After { after, is_live: true };
                    let _taken = stores.questions.add(Purpose::Live, &name, question, due);
                }
                Step::Begin { from } => {
                    stores.rings.begin(&name, from);
                    self.begin_members(&name, from);
                    self.wake_waiting(&name);
                }
                Step::Gap { from } => {
                    stores.rings.begin(&name, from);
                    self.tell_gap(&name, from);
                    self.wake_waiting(&name);
                }
                Step::Deliver { id, after, message } => {
                    self.deliver_stored(&name, (id, after), message);
                    self.wake_waiting(&name);
                }
            }
        }
    }

    /// Keeps a message in its ring, and hands it to the subscribers.
    fn deliver_stored(
        &mut self,
        topic: &str,
        (id, after): (MessageId, MessageId),
        incoming: Incoming,
    ) {
        let now = self.now();
        let Some(stores) = &mut self.stores else { return };
        if stores.rings.trimmed(topic).is_none() {
            stores.rings.begin(topic, after);
        }
        let Incoming { message, except } = incoming;
        let message = message.outgoing();
        let kept = stores.rings.append(topic, &message, id, now);
        let except = except.filter(|except| self.table.live(*except).is_some());
        self.deliver_kept(topic, message, &kept, except.map(|except| except.slot()));
    }

    /// Has the publisher of a message told what has become of it.
    pub(super) fn told_append(
        &mut self,
        done: Option<(u16, StoreCall)>,
        result: Result<Appended, StoreError>,
    ) {
        if let (Some(stores), Err(_)) = (&mut self.stores, &result) {
            stores.failed += 1;
        }
        self.tell_append(done, result);
    }

    fn tell_append(
        &mut self,
        done: Option<(u16, StoreCall)>,
        result: Result<Appended, StoreError>,
    ) {
        if let Some((zone, call)) = done {
            self.tell(zone, call, StoreReply::Append(result));
        }
    }

    /// Has a closure called with an answer, after the current callback.
    pub(super) fn tell(&mut self, zone: u16, call: StoreCall, reply: StoreReply) {
        let call = Box::new(move |handler: &mut dyn std::any::Any, cx: &mut Context| {
            call(handler, cx, reply);
        });
        self.work.calls.push_back((zone, call));
    }

    /// Whether a question can be asked.
    #[inline]
    pub(crate) fn has_store_questions(&self) -> bool {
        self.stores.as_ref().is_some_and(|stores| stores.questions.has_next())
    }

    /// Whether an answer waits, or a question can be asked.
    pub(crate) fn is_busy_with_stores(&self) -> bool {
        let stores = self.stores.as_deref();
        stores.is_some_and(|it| it.inbox.has_answers() || it.questions.has_next())
    }

    /// Returns the tick until which a question that is asked now waits for its answer.
    pub(super) fn store_deadline(&self) -> u32 {
        self.table.books.clock.deadline(ticks(PATIENCE))
    }

    /// Returns the tick at which the next question has waited too long.
    pub(crate) fn next_store_deadline(&self) -> u32 {
        let stores = self.stores.as_ref();
        stores.and_then(|stores| stores.questions.next_due()).unwrap_or(NEVER)
    }
}
