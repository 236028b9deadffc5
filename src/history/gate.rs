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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const BOUNDS: AheadBounds = AheadBounds { messages: 4, bytes: 100 };

    fn id(b: u64) -> MessageId {
        MessageId::new(1, b)
    }

    fn arrival(before: u64, b: u64, message: Option<&'static str>) -> Arrival<&'static str> {
        Arrival { id: id(b), before: id(before), message, len: 1, is_own: false }
    }

    /// A gate that has delivered up to an id.
    fn gate_at(b: u64) -> Gate<&'static str> {
        let mut gate = Gate::default();
        let mut steps = Vec::new();
        gate.open(&mut steps);
        gate.opened(id(b), &mut steps);
        assert_eq!(steps, [Step::Open, Step::Begin { from: id(b) }]);
        gate
    }

    fn deliver(after: u64, b: u64, message: &'static str) -> Step<&'static str> {
        Step::Deliver { id: id(b), after: id(after), message }
    }

    #[test]
    fn message_behind_the_latest_one_is_delivered_at_once_and_once() {
        let (mut gate, mut steps) = (gate_at(5), Vec::new());
        assert!(gate.arrive(arrival(5, 7, Some("a")), BOUNDS, &mut steps));
        assert!(!gate.arrive(arrival(5, 7, Some("a")), BOUNDS, &mut steps), "twice");
        assert!(!gate.arrive(arrival(2, 3, Some("old")), BOUNDS, &mut steps), "from the past");
        assert_eq!(steps, [deliver(5, 7, "a")]);
        assert!(gate.is_at_rest());
    }

    #[test]
    fn hole_is_asked_for_once_and_what_arrives_meanwhile_waits() {
        let (mut gate, mut steps) = (gate_at(5), Vec::new());
        gate.arrive(arrival(7, 8, Some("c")), BOUNDS, &mut steps);
        gate.arrive(arrival(8, 9, Some("d")), BOUNDS, &mut steps);
        assert_eq!(steps, [Step::Ask { after: id(5) }]);
        steps.clear();
        gate.answer([(id(6), "a"), (id(7), "b")], (id(0), id(7)), &mut steps);
        let all = [deliver(5, 6, "a"), deliver(6, 7, "b"), deliver(7, 8, "c"), deliver(8, 9, "d")];
        assert_eq!(steps, all);
        assert!(gate.is_at_rest());
    }

    #[test]
    fn hole_that_closes_by_itself_needs_no_answer() {
        let (mut gate, mut steps) = (gate_at(5), Vec::new());
        gate.arrive(arrival(6, 7, Some("b")), BOUNDS, &mut steps);
        gate.arrive(arrival(5, 6, Some("a")), BOUNDS, &mut steps);
        let expected = [Step::Ask { after: id(5) }, deliver(5, 6, "a"), deliver(6, 7, "b")];
        assert_eq!(steps, expected);
        steps.clear();
        gate.answer([(id(6), "a")], (id(0), id(6)), &mut steps);
        assert_eq!(steps, []);
        assert!(gate.is_at_rest());
    }

    #[test]
    fn failure_is_a_gap_and_what_waits_goes_on() {
        let (mut gate, mut steps) = (gate_at(5), Vec::new());
        gate.arrive(arrival(7, 8, Some("c")), BOUNDS, &mut steps);
        gate.arrive(arrival(9, 10, Some("e")), BOUNDS, &mut steps);
        gate.arrive(arrival(10, 11, None), BOUNDS, &mut steps);
        steps.clear();
        gate.fail(&mut steps);
        let gap = |b| Step::Gap { from: id(b) };
        let expected = [gap(7), deliver(7, 8, "c"), gap(9), deliver(9, 10, "e"), gap(11)];
        assert_eq!(steps, expected);
        assert!(gate.is_at_rest());
        steps.clear();
        gate.answer([(id(6), "late")], (id(0), id(6)), &mut steps);
        assert_eq!(steps, [], "a late answer");
    }

    #[test]
    fn what_the_store_has_trimmed_is_a_gap() {
        let (mut gate, mut steps) = (gate_at(5), Vec::new());
        gate.arrive(arrival(20, 21, Some("z")), BOUNDS, &mut steps);
        steps.clear();
        gate.answer([(id(19), "x"), (id(20), "y")], (id(18), id(21)), &mut steps);
        let expected = [
            Step::Gap { from: id(18) },
            deliver(18, 19, "x"),
            deliver(19, 20, "y"),
            deliver(20, 21, "z"),
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn page_out_of_order_is_counted_and_an_answer_without_progress_is_a_failure() {
        let (mut gate, mut steps) = (gate_at(5), Vec::new());
        gate.arrive(arrival(7, 8, Some("c")), BOUNDS, &mut steps);
        steps.clear();
        let page = [(id(6), "a"), (id(6), "again"), (id(4), "past"), (id(7), "b")];
        assert_eq!(gate.answer(page, (id(0), id(8)), &mut steps), 2);
        assert_eq!(steps, [deliver(5, 6, "a"), deliver(6, 7, "b"), deliver(7, 8, "c")]);
        steps.clear();
        gate.arrive(arrival(11, 12, Some("f")), BOUNDS, &mut steps);
        gate.answer([], (id(0), id(12)), &mut steps);
        let expected =
            [Step::Ask { after: id(8) }, Step::Gap { from: id(11) }, deliver(11, 12, "f")];
        assert_eq!(steps, expected);
    }

    #[test]
    fn news_without_a_message_and_a_look_ask_the_store() {
        let (mut gate, mut steps) = (gate_at(5), Vec::new());
        gate.arrive(arrival(5, 6, None), BOUNDS, &mut steps);
        gate.look(&mut steps);
        assert_eq!(steps, [Step::Ask { after: id(5) }]);
        steps.clear();
        gate.answer([(id(6), "a")], (id(0), id(6)), &mut steps);
        assert_eq!(steps, [deliver(5, 6, "a"), Step::Ask { after: id(6) }], "the look is owed");
        steps.clear();
        gate.answer([], (id(0), id(6)), &mut steps);
        assert_eq!(steps, []);
        gate.look(&mut steps);
        gate.fail(&mut steps);
        assert_eq!(steps, [Step::Ask { after: id(6) }, Step::Gap { from: id(6) }]);
    }

    #[test]
    fn what_arrives_while_a_topic_opens_is_delivered() {
        let (mut gate, mut steps) = (Gate::default(), Vec::new());
        gate.open(&mut steps);
        gate.open(&mut steps);
        gate.arrive(arrival(5, 6, Some("a")), BOUNDS, &mut steps);
        assert_eq!(steps, [Step::Open]);
        steps.clear();
        gate.opened(id(6), &mut steps);
        assert_eq!(steps, [Step::Begin { from: id(5) }, deliver(5, 6, "a")]);

        let mut gate = Gate::default();
        steps.clear();
        gate.open(&mut steps);
        gate.arrive(arrival(8, 9, Some("c")), BOUNDS, &mut steps);
        gate.fail(&mut steps);
        assert_eq!(steps, [Step::Open, Step::Begin { from: id(8) }, deliver(8, 9, "c")]);

        let mut gate = Gate::default();
        steps.clear();
        gate.open(&mut steps);
        gate.fail(&mut steps);
        assert_eq!((gate.latest(), &steps[..]), (None, &[Step::Open][..]));
        gate.arrive(arrival(8, 9, Some("c")), BOUNDS, &mut steps);
        assert_eq!(steps[1..], [Step::Begin { from: id(8) }, deliver(8, 9, "c")]);
    }

    #[test]
    fn id_before_a_message_that_is_not_before_it_counts_for_nothing() {
        let (mut gate, mut steps) = (gate_at(5), Vec::new());
        gate.arrive(arrival(9, 6, Some("a")), BOUNDS, &mut steps);
        assert_eq!(steps, [Step::Ask { after: id(5) }]);
        let (mut gate, mut steps) = (Gate::default(), Vec::new());
        gate.arrive(arrival(9, 6, Some("a")), BOUNDS, &mut steps);
        let zero = MessageId::default();
        let delivered = Step::Deliver { id: id(6), after: zero, message: "a" };
        assert_eq!(steps, [Step::Begin { from: zero }, delivered]);
    }

    /// The events of the property: what the world does next.
    #[derive(Clone, Debug)]
    enum Event {
        /// The store keeps a message, and the news of it are on their way `copies` times.
        Append {
            copies: usize,
        },
        /// The news at a place arrive; without the message if `is_bell`.
        Arrive {
            at: usize,
            is_bell: bool,
        },
        Lose {
            at: usize,
        },
        Answer {
            page: usize,
        },
        Fail,
        Trim,
        Look,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => (0..3_usize).prop_map(|copies| Event::Append { copies }),
            6 => (0..9_usize, prop::bool::weighted(0.2))
                .prop_map(|(at, is_bell)| Event::Arrive { at, is_bell }),
            1 => (0..9_usize).prop_map(|at| Event::Lose { at }),
            3 => (1..5_usize).prop_map(|page| Event::Answer { page }),
            1 => Just(Event::Fail),
            1 => Just(Event::Trim),
            1 => Just(Event::Look),
        ]
    }

    /// A store and a subscriber that see everything.
    #[derive(Default)]
    struct Model {
        kept: Vec<u64>,
        trimmed: u64,
        news: Vec<u64>,
        /// What the open question asked, and what the store had at some moment since.
        asked: Option<u64>,
        opening: bool,
        /// The last id that was delivered or passed over, and all that were delivered.
        at: Option<u64>,
        got: BTreeSet<u64>,
        latest: u64,
    }

    impl Model {
        fn take(&mut self, steps: Vec<Step<u64>>) {
            for step in steps {
                match step {
                    Step::Open => self.opening = true,
                    Step::Begin { from } => {
                        assert_eq!(self.at, None);
                        self.at = Some(from.b());
                    }
                    Step::Deliver { id, after, message } => {
                        assert_eq!(id.b(), message, "the message of the id");
                        assert_eq!(self.at, Some(after.b()));
                        let hole = after.b() + 1..id.b();
                        assert!(hole.is_empty(), "{hole:?} were passed over without a gap");
                        assert!(self.got.insert(id.b()), "twice");
                        self.at = Some(id.b());
                    }
                    Step::Gap { from } => {
                        assert!(Some(from.b()) >= self.at);
                        self.at = Some(from.b());
                    }
                    Step::Ask { after } => {
                        assert_eq!(self.asked, None, "one question at a time");
                        assert_eq!(Some(after.b()), self.at);
                        self.asked = Some(after.b());
                    }
                }
            }
        }

        fn page(&self, after: u64, len: usize) -> Vec<(MessageId, u64)> {
            let later = self.kept.iter().filter(|kept| **kept > after);
            later.take(len).map(|kept| (id(*kept), *kept)).collect()
        }
    }

    /// Has one event happen.
    fn happen(gate: &mut Gate<u64>, model: &mut Model, event: Event) {
        let mut steps = Vec::new();
        match event {
            Event::Append { copies } => {
                model.latest += 1;
                model.kept.push(model.latest);
                model.news.extend(vec![model.latest; copies]);
            }
            Event::Arrive { at, is_bell } if at < model.news.len() => {
                let b = model.news.remove(at);
                let message = (!is_bell).then_some(b);
                let (before, is_own) = (id(b - 1), at % 2 == 0);
                let arrival = Arrival { id: id(b), before, message, len: 30, is_own };
                gate.arrive(arrival, BOUNDS, &mut steps);
            }
            Event::Lose { at } if at < model.news.len() => _ = model.news.remove(at),
            Event::Answer { page } => {
                if mem::take(&mut model.opening) {
                    gate.opened(id(model.latest), &mut steps);
                } else if let Some(after) = model.asked.take() {
                    let bounds = (id(model.trimmed), id(model.latest));
                    assert_eq!(gate.answer(model.page(after, page), bounds, &mut steps), 0);
                }
            }
            Event::Fail if model.opening || model.asked.is_some() => {
                (model.opening, model.asked) = (false, None);
                gate.fail(&mut steps);
            }
            Event::Trim if !model.kept.is_empty() => model.trimmed = model.kept.remove(0),
            Event::Look => gate.look(&mut steps),
            _ => {}
        }
        model.take(steps);
        assert!(gate.ahead.len() <= BOUNDS.messages && gate.ahead_bytes <= BOUNDS.bytes);
        let bytes: usize = gate.ahead.values().map(|ahead| ahead.len).sum();
        assert_eq!(bytes, gate.ahead_bytes);
    }

    proptest! {
        /// Whatever order news and answers come in, each message is delivered once, in order, and
        /// none is passed over without a gap. At the end a look finds all that the store has.
        #[test]
        fn gate_delivers_in_order_and_once(events in prop::collection::vec(event(), 0..60)) {
            let (mut gate, mut model) = (Gate::default(), Model::default());
            let mut steps = Vec::new();
            gate.open(&mut steps);
            model.take(steps);
            for event in events {
                happen(&mut gate, &mut model, event);
            }
            happen(&mut gate, &mut model, Event::Answer { page: 3 });
            if gate.latest().is_some() {
                happen(&mut gate, &mut model, Event::Look);
                for _ in 0..100 {
                    happen(&mut gate, &mut model, Event::Answer { page: 3 });
                }
                prop_assert_eq!(gate.latest(), Some(id(model.latest)));
                prop_assert!(gate.is_at_rest());
            }
        }
    }
}
