//! The latest only: under `KeepLatest` a message takes the place of the waiting message with the
//! same key. A WebSocket and an event stream do what a plain list does.

mod common;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use common::frames::{some_frames, text};
use common::slow::{buffered, send, with_conn};
use common::{Bytes, Client, Log, Recorder, World, cases};
use proptest::prelude::*;
use switchboard::{
    Backpressure, CloseCode, Conn, ConnId, EventStream, History, Options, Outgoing, Reply, Upgrade,
};

/// What a handler sends in one callback: payloads with their keys.
type Script = Arc<Mutex<Vec<(String, Option<String>)>>>;

fn latest(max_buffered: usize) -> Options {
    Options::new().max_buffered(max_buffered).backpressure(Backpressure::KeepLatest)
}

/// A server with a WebSocket at `/` and an event stream at `/events`, both subscribed to `all`. A
/// WebSocket's message has its handler send the script.
fn serving(log: &Log, max_buffered: usize, script: &Script) -> World {
    let script = Arc::clone(script);
    let recorder = Recorder::new(log)
        .request(|_, request| match request.path() {
            "/events" => Reply::from(EventStream::new()),
            _ => Upgrade::new().into(),
        })
        .open(|conn, _| conn.subscribe("all"))
        .message(move |conn: &mut Conn<'_>, _| {
            for (payload, key) in script.lock().unwrap().drain(..) {
                conn.send(outgoing(&payload, key.as_deref()));
            }
        });
    World::serving(|server| {
        server.zone("/", recorder);
        server.options(latest(max_buffered));
    })
}

fn outgoing<'m>(payload: &'m str, key: Option<&'m str>) -> Outgoing<'m> {
    let outgoing = Outgoing::text(payload);
    key.map_or(outgoing, |key| outgoing.key(key))
}

fn stalled(max_buffered: usize) -> (World, Client, ConnId) {
    let log = Log::new();
    let mut sim = serving(&log, max_buffered, &Script::default());
    let client = sim.raw_websocket("/");
    let id = log.last_id();
    sim.window(client, 0);
    (sim, client, id)
}

fn words(sim: &mut World, client: Client) -> Vec<String> {
    sim.window(client, usize::MAX);
    let words = sim.words(client).into_iter();
    words.map(|word| word.trim_start_matches("text ").to_owned()).collect()
}

/// The limit is not passed: what has the same key is replaced at once, where it stands.
#[test]
fn latest_takes_the_place_of_the_one_before_it() {
    for publish in [false, true] {
        let (mut sim, client, id) = stalled(1 << 20);
        let states = [("x", "x1"), ("y", "y1"), ("x", "x2"), ("z", "z1"), ("y", "y2"), ("x", "x3")];
        for (key, state) in states {
            let message = Outgoing::text(state).key(key);
            match publish {
                true => sim.server.context(sim.now).publish("all", message),
                false => send(&mut sim, id, message),
            }
            sim.settle();
        }
        assert_eq!((sim.stats().replaced, sim.stats().dropped), (3, 0));
        assert_eq!(buffered(&mut sim, id), 3 * 4);
        assert_eq!(words(&mut sim, client), ["x3", "y2", "z1"]);
        assert_eq!(sim.stats().messages_sent, 6);
    }
}

/// A turn sends one state of each key, to a fast reader too.
#[test]
fn latest_of_one_turn_is_all_that_leaves() {
    let (mut sim, client, id) = stalled(1 << 20);
    sim.window(client, usize::MAX);
    for n in 0..100 {
        send(&mut sim, id, Outgoing::text(&n.to_string()).key("same"));
    }
    sim.settle();
    assert_eq!((words(&mut sim, client), sim.stats().replaced), (vec!["99".to_owned()], 99));
    // Once it has left, the next one is a message of its own.
    for n in 0..3 {
        send(&mut sim, id, Outgoing::text(&n.to_string()).key("same"));
        sim.settle();
    }
    assert_eq!((words(&mut sim, client).len(), sim.stats().replaced), (3, 99));
}

/// What has begun to leave is not replaced, at every split of the window.
#[test]
fn latest_replaces_what_has_not_begun_at_every_window() {
    let payload = |name: &str| format!("{name}{}", ".".repeat(20 - name.len()));
    for window in 0..=3 * 22 {
        let (mut sim, client, id) = stalled(1 << 20);
        sim.window(client, window);
        for name in ["a", "b", "c"] {
            send(&mut sim, id, Outgoing::text(&payload(name)).key(name));
        }
        sim.settle();
        for name in ["c", "a", "b"] {
            let newer = payload(&format!("{name}2"));
            send(&mut sim, id, Outgoing::text(&newer).key(name));
        }
        sim.settle();
        let begun = window.div_ceil(22);
        let mut expected: Vec<String> =
            ["a", "b", "c"][..begun].iter().map(|n| payload(n)).collect();
        expected.extend(["a2", "b2", "c2"][begun..].iter().map(|name| payload(name)));
        let later = ["c", "a", "b"].iter().filter(|name| ["a", "b", "c"][..begun].contains(name));
        expected.extend(later.map(|name| payload(&format!("{name}2"))));
        assert_eq!(words(&mut sim, client), expected, "window {window}");
        assert_eq!(sim.stats().replaced, 3 - begun as u64, "window {window}");
    }
}

/// A longer state in the place of a shorter one may pass the limit. Then the oldest messages go.
#[test]
fn latest_that_is_longer_meets_the_limit() {
    let (mut sim, client, id) = stalled(100);
    for (key, len) in [("a", 18), ("b", 18), ("c", 18), ("d", 18)] {
        send(&mut sim, id, Outgoing::text(&key.repeat(len)).key(key));
    }
    send(&mut sim, id, Outgoing::text(&"B".repeat(38)).key("b"));
    sim.settle();
    assert_eq!((buffered(&mut sim, id), sim.stats().dropped), (100, 0), "exactly full");
    send(&mut sim, id, Outgoing::text(&"C".repeat(19)).key("c"));
    sim.settle();
    assert_eq!((sim.stats().replaced, sim.stats().dropped), (2, 1), "the oldest goes");
    let left = words(&mut sim, client);
    assert_eq!(left, ["B".repeat(38), "C".repeat(19), "d".repeat(18)]);
    // One that is longer than the limit does not fit at all.
    sim.window(client, 0);
    send(&mut sim, id, Outgoing::text("small").key("a"));
    send(&mut sim, id, Outgoing::text(&"A".repeat(99)).key("a"));
    sim.settle();
    assert_eq!((sim.stats().replaced, sim.stats().dropped), (3, 2));
    assert_eq!((words(&mut sim, client).len(), sim.stats().overflowed), (0, 0));
}

/// Another policy replaces nothing. A policy that changes while output waits never brings an older
/// state behind a newer one.
#[test]
fn latest_is_the_last_even_if_the_policy_changes() {
    let (mut sim, client, id) = stalled(1 << 20);
    let policies = [Backpressure::KeepLatest, Backpressure::Close, Backpressure::DropOldest];
    for n in 0..60 {
        let options = latest(1 << 20).backpressure(policies[n / 7 % 3]);
        sim.server.options(options);
        send(&mut sim, id, Outgoing::text(&n.to_string()).key("same"));
        sim.settle();
    }
    let numbers: Vec<usize> =
        words(&mut sim, client).iter().map(|word| word.parse().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers.last() == Some(&59), "{numbers:?}");
    assert_eq!(numbers.len() as u64 + sim.stats().replaced, 60);
    assert!((15..40).contains(&sim.stats().replaced), "{}", sim.stats().replaced);
}

/// Nothing follows a Close frame, and what waits before it leaves.
#[test]
fn latest_waits_before_a_close_frame() {
    let (mut sim, client, id) = stalled(1 << 20);
    send(&mut sim, id, Outgoing::text("old").key("k"));
    with_conn(&mut sim, id, |conn| conn.close(CloseCode::NORMAL, "bye"));
    send(&mut sim, id, Outgoing::text("new").key("k"));
    sim.settle();
    assert_eq!(words(&mut sim, client), ["old", "close 1000 bye"]);
}

/// A follower gets what was kept in its order. A later message of the topic stands behind all of
/// it, not in the place of one that waited before.
#[test]
fn latest_never_passes_what_is_replayed() {
    for others in [0, 40] {
        let (mut sim, client, id) = stalled(1 << 20);
        sim.server.history("room/", History::new());
        with_conn(&mut sim, id, |conn| conn.subscribe("room/state"));
        for n in 0..others {
            send(&mut sim, id, Outgoing::text("other").key(&n.to_string()));
        }
        let publish = |sim: &mut World, state: &str| {
            sim.server.context(sim.now).publish("room/state", state);
            sim.settle();
        };
        publish(&mut sim, "s1");
        publish(&mut sim, "s2");
        let from = sim.server.context(sim.now).latest_id();
        with_conn(&mut sim, id, |conn| conn.subscribe_from("room/chat", from));
        // These two reach the follower from the history.
        sim.server.context(sim.now).publish("room/state", "s3");
        sim.server.context(sim.now).publish("room/state", "s4");
        sim.settle();
        publish(&mut sim, "s5");
        publish(&mut sim, "s6");
        assert_eq!(sim.stats().replaced, 2, "of what was kept nothing is replaced");
        let left = words(&mut sim, client);
        assert_eq!(left[others..], ["s2", "s3", "s4", "s6"]);
    }
}

/// One thing that happens to a connection.
#[derive(Clone, Debug)]
enum Step {
    Send {
        len: usize,
        key: Option<u8>,
        publish: bool,
    },
    /// Messages sent in one callback.
    Callback(Vec<(usize, Option<u8>)>),
    /// A fragment, the last of its message or not.
    Fragment(bool),
    Window(usize),
}

fn step(keys: u8) -> impl Strategy<Value = Step> {
    let key = move || prop::option::weighted(0.9, 0..keys);
    prop_oneof![
        8 => (0..40usize, key(), any::<bool>())
            .prop_map(|(len, key, publish)| Step::Send { len, key, publish }),
        2 => prop::collection::vec((0..40usize, key()), 1..12).prop_map(Step::Callback),
        1 => any::<bool>().prop_map(Step::Fragment),
        3 => (0..120usize).prop_map(Step::Window),
    ]
}

struct Waiting {
    payload: String,
    left: usize,
    len: usize,
    key: Option<String>,
}

/// What waits: a list of messages, and the messages behind one that is sent in fragments.
#[derive(Default)]
struct Model {
    /// Bytes of a message on the wire beside its payload.
    around: usize,
    waits: VecDeque<Waiting>,
    behind: Option<Vec<Waiting>>,
    window: usize,
    received: Vec<String>,
    replaced: u64,
}

impl Model {
    fn buffered(&self) -> usize {
        let all = self.waits.iter().chain(self.behind.iter().flatten());
        all.map(|waiting| waiting.len - waiting.left).sum()
    }

    fn send(&mut self, payload: String, key: Option<String>) {
        let len = payload.len() + self.around;
        let same =
            |waiting: &&mut Waiting| key.is_some() && waiting.key == key && waiting.left == 0;
        let mut all = self.waits.iter_mut().chain(self.behind.iter_mut().flatten());
        if let Some(old) = all.find(same) {
            (old.payload, old.len) = (payload, len);
            self.replaced += 1;
            return;
        }
        let waiting = Waiting { payload, left: 0, len, key };
        match &mut self.behind {
            Some(behind) => behind.push(waiting),
            None => self.waits.push_back(waiting),
        }
    }

    fn fragment(&mut self, payload: String, is_last: bool) {
        let len = payload.len() + self.around;
        self.waits.push_back(Waiting { payload, left: 0, len, key: None });
        match is_last {
            true => self.waits.extend(self.behind.take().into_iter().flatten()),
            false => drop(self.behind.get_or_insert_default()),
        }
    }

    fn leave(&mut self) {
        while let Some(first) = self.waits.front_mut() {
            let n = (first.len - first.left).min(self.window);
            first.left += n;
            self.window -= n;
            if first.left < first.len {
                return;
            }
            self.received.extend(self.waits.pop_front().map(|first| first.payload));
        }
    }
}

/// A server and the list, to which the same happens.
struct Both {
    sim: World,
    client: Client,
    id: ConnId,
    script: Script,
    is_stream: bool,
    model: Model,
}

impl Both {
    fn new(path: &str) -> Both {
        let (log, script) = (Log::new(), Script::default());
        let mut sim = serving(&log, 1 << 20, &script);
        let is_stream = path == "/events";
        let client = if is_stream { sim.raw_events(path) } else { sim.raw_websocket(path) };
        let id = log.last_id();
        sim.window(client, 0);
        // `data: ` and two line ends, or a header.
        let model = Model { around: if is_stream { 8 } else { 2 }, ..Model::default() };
        Both { sim, client, id, script, is_stream, model }
    }

    fn run(&mut self, n: usize, step: &Step) {
        match step {
            Step::Send { len, key, publish } => {
                let payload = format!("{n}{}", ".".repeat(*len));
                let key = key.map(|key| key.to_string());
                let message = outgoing(&payload, key.as_deref());
                let cx = self.sim.server.context(self.sim.now);
                if *publish {
                    cx.publish("all", message)
                } else {
                    cx.send(self.id, message)
                }
                self.model.send(payload, key.or(publish.then(|| "all".to_owned())));
            }
            Step::Callback(messages) if !self.is_stream => self.call_back(n, messages),
            Step::Fragment(is_last) if !self.is_stream => self.fragment(&n.to_string(), *is_last),
            Step::Callback(_) | Step::Fragment(_) => {}
            Step::Window(bytes) => self.window(*bytes),
        }
        self.sim.settle();
        self.model.leave();
    }

    fn call_back(&mut self, n: usize, messages: &[(usize, Option<u8>)]) {
        // While answers wait, the server reads no further message.
        let calls = self.model.buffered() == 0 && self.model.behind.is_none();
        for (at, (len, key)) in messages.iter().enumerate() {
            let payload = format!("{n}/{at}{}", ".".repeat(*len));
            let key = key.map(|key| key.to_string());
            self.model.send(payload.clone(), key.clone());
            match calls {
                true => self.script.lock().unwrap().push((payload, key)),
                false => send(&mut self.sim, self.id, outgoing(&payload, key.as_deref())),
            }
        }
        if calls {
            self.sim.send(self.client, text("go"));
        }
    }

    fn fragment(&mut self, payload: &str, is_last: bool) {
        with_conn(&mut self.sim, self.id, |conn| conn.send_fragment(payload, is_last));
        self.model.fragment(payload.to_owned(), is_last);
    }

    fn window(&mut self, bytes: usize) {
        self.sim.window(self.client, bytes);
        self.model.window = bytes;
        self.model.leave();
    }

    fn received(&mut self) -> Vec<String> {
        let bytes = self.sim.receive(self.client);
        if self.is_stream {
            return events(&bytes);
        }
        let (frames, rest) = some_frames(&bytes);
        assert!(rest.is_empty());
        frames.into_iter().map(|frame| String::from_utf8(frame.payload).unwrap()).collect()
    }
}

/// Runs the steps, and compares after each.
fn run(path: &str, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut both = Both::new(path);
    for (n, step) in steps.iter().enumerate() {
        both.run(n, step);
        let Both { sim, id, model, .. } = &mut both;
        prop_assert_eq!(buffered(sim, *id), model.buffered(), "after step {} {:?}", n, step);
        prop_assert_eq!(sim.stats().replaced, model.replaced, "after step {} {:?}", n, step);
    }
    if both.model.behind.is_some() {
        both.fragment("end", true);
    }
    both.window(usize::MAX);
    prop_assert_eq!(both.received(), both.model.received);
    prop_assert_eq!((both.sim.stats().dropped, both.sim.stats().overflowed), (0, 0));
    Ok(())
}

fn events(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let blocks = text.split_terminator("\n\n");
    blocks.map(|block| block.trim_start_matches("data: ").to_owned()).collect()
}

proptest! {
    #![proptest_config(cases(256))]

    /// Few keys and many: a short queue is searched, and a long one has an index.
    #[test]
    fn latest_does_what_a_plain_list_does(
        path in prop::sample::select(&["/", "/events"]),
        steps in prop_oneof![
            prop::collection::vec(step(4), 1..60),
            prop::collection::vec(step(200), 1..400),
        ],
    ) {
        run(path, &steps)?;
    }
}
