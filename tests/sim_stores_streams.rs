//! Event streams and long polls over topics of a store: they go on from an id as WebSockets do.

mod common;
#[path = "stores/scripted.rs"]
mod scripted;

use common::seconds;
use scripted::{Asked, Book, Script};
use switchboard::testing::{Client, World};
use switchboard::{
    Conn, EventStream, Handler, History, LongPoll, Reply, Request, Response, StorePage,
};

/// Streams at `/s/`, those for MCP at `/m/`, polls at `/p/`: the rest of the path is the topic, or
/// topics with `+` between.
struct Pages;

impl Handler for Pages {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        let (kind, topics) = request.path().split_at(3);
        let topics = topics.split('+').map(str::to_owned);
        match kind {
            "/s/" => topics.fold(EventStream::new(), EventStream::topic).into(),
            "/m/" => topics.fold(EventStream::new().mcp(true), EventStream::topic).into(),
            "/p/" => topics.fold(LongPoll::new(), LongPoll::topic).into(),
            _ => Response::new(404).into(),
        }
    }
}

struct Sim {
    world: World,
    script: Script,
    book: Book,
}

impl Sim {
    /// A world whose store has messages from earlier.
    fn after(texts: &[&str]) -> Sim {
        let (mut world, script, mut book) = (World::new(), Script::default(), Book::default());
        world.server.store("room/", script.clone(), History::new());
        world.server.zone("/", Pages);
        for text in texts {
            book.append("room/1", *text);
        }
        Sim { world, script, book }
    }

    fn answer(&mut self) {
        self.world.settle();
        loop {
            let asked = self.script.take();
            if asked.is_empty() {
                return;
            }
            asked.into_iter().for_each(|asked| self.book.answer(asked));
            self.world.settle();
        }
    }

    fn publish(&mut self, text: &str) {
        self.world.context().publish("room/1", text);
        self.answer();
    }

    /// The blocks of an event stream since the last call.
    fn blocks(&mut self, client: Client) -> String {
        self.answer();
        String::from_utf8(self.world.read(client)).unwrap()
    }

    fn poll(&mut self, path: &str) -> Client {
        let client = self.world.connect();
        self.world.request(client, path);
        client
    }

    /// The answer to a poll; empty while it waits.
    fn polled(&mut self, client: Client) -> String {
        self.world.settle();
        self.world.try_answer(client).map_or_else(String::new, |answer| answer.text().to_owned())
    }
}

fn stream(sim: &mut Sim, last: &str) -> Client {
    let client = sim.world.connect();
    let last = if last.is_empty() { String::new() } else { format!("Last-Event-ID: {last}\r\n") };
    let head = format!("GET /s/room/1 HTTP/1.1\r\nHost: example.com\r\n{last}\r\n");
    sim.world.write(client, head);
    client
}

#[test]
fn event_stream_goes_on_once_the_store_has_answered() {
    let mut sim = Sim::after(&["a", "b", "c", "d", "e"]);
    let ada = stream(&mut sim, "1-2");
    let text = sim.blocks(ada);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("Switchboard-Resume"), "it is not known yet: {head}");
    let expected = "id: 1-2\n\nevent: switchboard.resumed\ndata: {\"oldest\":\"1-5\"}\n\n\
                    id: 1-3\ndata: c\n\nid: 1-4\ndata: d\n\nid: 1-5\ndata: e\n\n";
    assert_eq!(body, expected);
    sim.publish("f");
    assert_eq!(sim.blocks(ada), "id: 1-6\ndata: f\n\n");
}

#[test]
fn event_stream_learns_of_a_gap_in_the_store() {
    let rows = [("1-1", "1-3"), ("not an id", "1-4"), ("1-9", "1-4")];
    for (last, oldest) in rows {
        let mut sim = Sim::after(&["a", "b", "c", "d"]);
        sim.book.trim("room/1");
        sim.book.trim("room/1");
        let ada = stream(&mut sim, last);
        let text = sim.blocks(ada);
        let gap = format!("event: switchboard.gap\ndata: {{\"oldest\":\"{oldest}\"}}\n\n");
        assert!(text.contains(&gap), "{last}: {text}");
    }
    let mut sim = Sim::after(&["a"]);
    let ada = stream(&mut sim, "1-0");
    sim.world.advance(seconds(25));
    assert!(String::from_utf8(sim.world.read(ada)).unwrap().contains("switchboard.gap"));
}

#[test]
fn event_stream_begins_at_the_latest_id_where_it_is_known() {
    let mut sim = Sim::after(&["a", "b"]);
    let first = stream(&mut sim, "");
    let text = sim.blocks(first);
    assert!(!text.contains("data:"), "{text}");
    let second = stream(&mut sim, "");
    assert!(sim.blocks(second).ends_with("id: 1-2\n\n"));
    sim.publish("c");
    for client in [first, second] {
        assert_eq!(sim.blocks(client), "id: 1-3\ndata: c\n\n");
    }
}

#[test]
fn long_poll_waits_for_the_store_and_is_answered_once() {
    let mut sim = Sim::after(&["a", "b"]);
    let ada = sim.poll("/p/room/1?after=1-1");
    assert_eq!(sim.polled(ada), "");
    sim.answer();
    let messages = r#"{"messages":[{"id":"1-2","data":"b"}],"next":"1-2","gap":false}"#;
    assert_eq!(sim.polled(ada), messages);
    // What is here needs no store, and a message that is published answers a poll that waits.
    let ada = sim.poll("/p/room/1?after=1-2");
    sim.answer();
    assert_eq!(sim.polled(ada), "");
    sim.publish("c");
    let messages = r#"{"messages":[{"id":"1-3","data":"c"}],"next":"1-3","gap":false}"#;
    assert_eq!(sim.polled(ada), messages);
}

#[test]
fn long_poll_without_an_id_is_told_the_latest_one() {
    let mut sim = Sim::after(&["a", "b"]);
    let ada = sim.poll("/p/room/1");
    assert_eq!(sim.polled(ada), "");
    sim.answer();
    let latest = r#"{"messages":[],"next":"1-2","gap":false}"#;
    assert_eq!(sim.polled(ada), latest);
    let bob = sim.poll("/p/room/1");
    sim.answer();
    assert_eq!(sim.polled(bob), latest);
}

#[test]
fn long_poll_learns_of_gaps() {
    let greatest = "18446744073709551615-18446744073709551615";
    let next_to_it = "18446744073709551615-18446744073709551614";
    for after in ["0-0", "nonsense", "1-9", greatest, next_to_it] {
        let mut sim = Sim::after(&["a", "b", "c"]);
        sim.book.trim("room/1");
        let ada = sim.poll(&format!("/p/room/1?after={after}"));
        sim.answer();
        let text = sim.polled(ada);
        assert!(text.ends_with("\"gap\":true}"), "{after}: {text}");
        assert!(text.contains("\"next\":\"1-3\""), "{after}: {text}");
    }
}

#[test]
fn long_poll_whose_store_is_silent_is_answered_in_time() {
    let mut sim = Sim::after(&["a", "b"]);
    let quiet = stream(&mut sim, "");
    sim.blocks(quiet);
    let ada = sim.poll("/p/room/1?after=1-0");
    sim.world.settle();
    let asked = sim.script.take();
    sim.world.advance(seconds(9));
    assert_eq!(sim.polled(ada), "");
    sim.world.advance(seconds(2));
    assert!(sim.polled(ada).ends_with("\"gap\":true}"));
    for asked in asked {
        let Asked::After(_, _, answer) = asked else { panic!() };
        answer.give(StorePage::default());
    }
    sim.answer();
    // A topic that never opens.
    let mut sim = Sim::after(&["a"]);
    let bob = sim.poll("/p/room/1");
    sim.world.advance(seconds(26));
    assert_eq!(sim.polled(bob), r#"{"messages":[],"next":"0-0","gap":false}"#);
}

#[test]
fn long_poll_that_ends_leaves_the_store_alone() {
    let mut sim = Sim::after(&["a", "b"]);
    let ada = sim.poll("/p/room/1?after=1-0");
    sim.world.settle();
    sim.world.end(ada);
    sim.answer();
    assert_eq!(sim.world.context().subscribers("room/1"), 0);
    sim.publish("c");
    let bob = sim.poll("/p/room/1?after=1-2");
    sim.answer();
    assert!(sim.polled(bob).contains("1-3"));
}

fn fresh(sim: &mut Sim, path: &str) -> Client {
    let client = sim.world.connect();
    sim.world.write(client, format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n"));
    sim.world.settle();
    client
}

#[test]
fn fresh_stream_learns_where_it_is_once_the_store_has_answered() {
    let mut sim = Sim::after(&["a", "b"]);
    let ada = fresh(&mut sim, "/s/room/1");
    let text = String::from_utf8(sim.world.read(ada)).unwrap();
    assert!(text.ends_with(":\n\n"), "open, and at no id yet: {text}");
    assert_eq!(sim.blocks(ada), "id: 1-2\n\n");
    // Cut before the first message, it misses nothing.
    sim.world.end(ada);
    sim.publish("c");
    let ada = stream(&mut sim, "1-2");
    assert!(sim.blocks(ada).ends_with("id: 1-3\ndata: c\n\n"));
    // The topic is open by now, so the first block is.
    let bob = fresh(&mut sim, "/s/room/1");
    assert!(sim.blocks(bob).ends_with("\r\n\r\nid: 1-3\n\n"));
}

#[test]
fn first_block_precedes_what_comes_meanwhile() {
    let mut sim = Sim::after(&["a"]);
    sim.world.server.history("lobby/", History::new());
    let ada = fresh(&mut sim, "/s/room/1+lobby/1");
    let mcp = fresh(&mut sim, "/m/room/1");
    sim.world.read(ada);
    sim.world.read(mcp);
    sim.world.context().publish("lobby/1", "meanwhile");
    sim.world.context().publish("room/1", "b");
    sim.world.settle();
    assert_eq!(sim.world.read(ada), b"");
    let text = sim.blocks(ada);
    let (first, rest) = text.split_once("\n\n").unwrap();
    assert!(first.starts_with("id: ") && !first.contains("data"), "{text}");
    assert!(rest.contains("data: meanwhile\n\n") && rest.contains("id: 1-2\ndata: b\n\n"));
    assert_eq!(sim.blocks(mcp), "id: 1-1\ndata:\n\nid: 1-2\ndata: b\n\n");
    sim.publish("c");
    assert_eq!(sim.blocks(ada), "id: 1-3\ndata: c\n\n");
    assert_eq!(sim.blocks(mcp), "id: 1-3\ndata: c\n\n");
}

#[test]
fn fresh_stream_goes_on_without_the_store() {
    let mut sim = Sim::after(&["a"]);
    sim.world.server.history("lobby/", History::new());
    let ada = fresh(&mut sim, "/s/room/1+lobby/1");
    sim.world.read(ada);
    sim.world.context().publish("lobby/1", "meanwhile");
    sim.world.advance(seconds(11));
    sim.script.take();
    let text = sim.blocks(ada);
    assert!(text.starts_with("id: ") && text.ends_with("data: meanwhile\n\n"), "{text}");
    sim.publish("b");
    assert_eq!(sim.blocks(ada), "id: 1-2\ndata: b\n\n");
}

#[test]
fn poll_after_a_gap_begins_with_the_oldest_message_of_the_store() {
    let mut sim = Sim::after(&["a", "b", "c", "d", "e"]);
    sim.book.trim("room/1");
    sim.book.trim("room/1");
    let ada = sim.poll("/p/room/1?after=1-1");
    sim.answer();
    let messages = [("1-3", "c"), ("1-4", "d"), ("1-5", "e")];
    let messages = messages.map(|(id, data)| format!(r#"{{"id":"{id}","data":"{data}"}}"#));
    let rest = r#""next":"1-5","gap":true}"#;
    assert_eq!(sim.polled(ada), format!(r#"{{"messages":[{}],{rest}"#, messages.join(",")));
}
