//! Drop policies against a model: the connection sends and drops the same messages as a plain list,
//! whatever happens to it.

mod common;

use std::collections::VecDeque;

use common::frames::{PING, TEXT, frames, some_frames};
use common::slow::{CAP, DROPPING, buffered, send, stalled, with_conn};
use common::{Bytes, Log, cases};
use proptest::prelude::*;
use switchboard::{Backpressure, Outgoing};

/// One thing that happens to a connection, as the models below see it.
#[derive(Clone, Debug)]
enum Step {
    /// A message of so many bytes of payload, by a key if it has one, sent or published.
    Send {
        len: usize,
        key: Option<u8>,
        publish: bool,
    },
    Ping,
    Window(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..60usize, prop::option::of(0..3u8), any::<bool>())
            .prop_map(|(len, key, publish)| Step::Send { len, key, publish }),
        1 => Just(Step::Ping),
        3 => (0..70usize).prop_map(Step::Window),
    ]
}

/// What waits, in the simplest form there is: a list of messages.
struct Model {
    policy: Backpressure,
    waits: VecDeque<Waiting>,
    pings: VecDeque<Waiting>,
    window: usize,
    said: Vec<Vec<u8>>,
    dropped: u64,
    replaced: u64,
}

struct Waiting {
    payload: Vec<u8>,
    left: usize,
    key: Option<String>,
}

impl Waiting {
    fn rest(&self) -> usize {
        self.payload.len() + 2 - self.left
    }
}

impl Model {
    fn buffered(&self) -> usize {
        self.waits.iter().chain(&self.pings).map(Waiting::rest).sum()
    }

    /// What has begun, else pings, else messages.
    fn leave(&mut self) {
        loop {
            let begun = self.waits.front().is_some_and(|first| first.left > 0);
            let queue =
                if begun || self.pings.is_empty() { &mut self.waits } else { &mut self.pings };
            let Some(first) = queue.front_mut() else { return };
            let n = first.rest().min(self.window);
            first.left += n;
            self.window -= n;
            if first.rest() > 0 {
                return;
            }
            self.said.extend(queue.pop_front().map(|first| first.payload));
        }
    }

    fn drop_at(&mut self, at: usize) {
        self.waits.remove(at);
        self.dropped += 1;
    }

    fn oldest(&self) -> Option<usize> {
        self.waits.iter().position(|waiting| waiting.left == 0)
    }

    fn enforce(&mut self) {
        if self.buffered() <= CAP {
            return;
        }
        self.leave();
        while self.buffered() > CAP {
            let victim = match self.policy {
                Backpressure::DropNewest => {
                    self.waits.iter().rposition(|waiting| waiting.left == 0)
                }
                _ => self.oldest(),
            };
            match victim {
                Some(at) => self.drop_at(at),
                None => return,
            }
        }
    }

    fn add(&mut self, payload: Vec<u8>, key: Option<String>) {
        let same =
            |waiting: &&mut Waiting| key.is_some() && waiting.key == key && waiting.left == 0;
        match self.waits.iter_mut().find(same) {
            Some(old) if self.policy == Backpressure::KeepLatest => {
                old.payload = payload;
                self.replaced += 1;
            }
            _ => self.waits.push_back(Waiting { payload, left: 0, key }),
        }
        self.enforce();
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever is sent, published and taken, the same messages leave, the same number is dropped
    /// and as much waits as in the model.
    #[test]
    fn policies_do_what_the_model_does(
        policy in prop::sample::select(&DROPPING),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let log = Log::new();
        let (mut sim, client, id) = stalled(&log, policy, 0);
        let mut model = Model {
            policy,
            waits: VecDeque::new(),
            pings: VecDeque::new(),
            window: 0,
            said: Vec::new(),
            dropped: 0,
            replaced: 0,
        };
        for (n, step) in steps.iter().enumerate() {
            match *step {
                Step::Send { len, key, publish } => {
                    let payload = format!("{n}{}", ".".repeat(len));
                    let key = key.map(|key| key.to_string());
                    let outgoing = match &key {
                        Some(key) => Outgoing::text(&payload).key(key),
                        None => Outgoing::text(&payload),
                    };
                    let cx = sim.server.context(sim.now);
                    if publish { cx.publish("all", outgoing) } else { cx.send(id, outgoing) }
                    let topic = publish.then(|| "all".to_owned());
                    model.add(payload.into_bytes(), key.or(topic));
                }
                // More of them would be nothing that a policy could help.
                Step::Ping if model.pings.is_empty() => {
                    with_conn(&mut sim, id, |conn| conn.ping(b"?"));
                    model.pings.push_back(Waiting { payload: b"?".to_vec(), left: 0, key: None });
                    model.enforce();
                }
                Step::Ping => {}
                Step::Window(bytes) => {
                    sim.window(client, bytes);
                    model.window = bytes;
                }
            }
            sim.settle();
            model.leave();
            let buffered = buffered(&mut sim, id);
            prop_assert_eq!(buffered, model.buffered(), "after step {} {:?}", n, step);
            prop_assert_eq!(sim.stats().dropped, model.dropped);
            prop_assert_eq!(sim.stats().replaced, model.replaced);
        }
        sim.window(client, usize::MAX);
        model.window = usize::MAX;
        model.leave();
        let said = frames(&sim.receive(client)).into_iter();
        let said: Vec<Vec<u8>> = said.map(|frame| frame.payload).collect();
        prop_assert_eq!(said, model.said);
        prop_assert_eq!(sim.stats().overflowed, 0);
    }
}

/// At every size of the window, opened again and again: nothing but whole frames, in their order.
#[test]
fn policy_leaves_whole_frames_at_every_window() {
    for policy in DROPPING {
        for window in 1..60 {
            let (mut sim, client, id) = stalled(&Log::new(), policy, 0);
            let mut heard = Vec::new();
            for n in 0..60usize {
                let message = format!("{n:02}{}", ".".repeat(n * 7 % 40));
                match n % 3 {
                    0 => sim.server.context(sim.now).publish("all", &*message),
                    _ => send(&mut sim, id, Outgoing::text(&message).key(&(n % 5).to_string())),
                }
                if n % 10 == 0 {
                    with_conn(&mut sim, id, |conn| conn.ping(b"p"));
                }
                sim.window(client, window);
                heard.extend(sim.receive(client));
                let (_, rest) = some_frames(&heard);
                assert!(rest.len() < 50);
            }
            sim.window(client, usize::MAX);
            heard.extend(sim.receive(client));
            let said = frames(&heard);
            let texts: Vec<&[u8]> = said
                .iter()
                .filter(|frame| frame.opcode == TEXT)
                .map(|frame| &frame.payload[..2])
                .collect();
            let stats = sim.stats();
            if policy == Backpressure::KeepLatest {
                // A later message may have taken the place of an earlier one.
                assert!(texts.contains(&&b"59"[..]), "{window}");
            } else {
                assert!(texts.is_sorted_by(|a, b| a < b), "{policy:?} {window}");
            }
            let gone = stats.dropped + stats.replaced;
            assert_eq!(texts.len() as u64 + gone, 60, "{policy:?} {window}");
            assert_eq!(
                said.iter().filter(|frame| frame.opcode == PING).count(),
                6,
                "{policy:?} {window}"
            );
        }
    }
}
