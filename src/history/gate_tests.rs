//! Tests of the gate: each rule by itself, and all of them against a store and a subscriber that
//! see everything.

use super::gate::{AheadBounds, Arrival, Gate, Step};
use super::message_id::MessageId;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::mem;

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
    let expected = [Step::Ask { after: id(8) }, Step::Gap { from: id(11) }, deliver(11, 12, "f")];
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
    let (messages, bytes) = gate.ahead();
    assert!(messages <= BOUNDS.messages && bytes <= BOUNDS.bytes);
}

proptest! {
    /// Each message is delivered once, in order, and none is passed over without a gap, in any
    /// order of news and answers. At the end a look finds all that the store has.
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
