//! Topics that keep messages: who gets a message live, and by which id.

use switchboard::testing::{Received, World};
use switchboard::{
    Conn, EventStream, Handler, History, MessageId, Outgoing, Reply, Request, Upgrade,
};

/// Subscribes each WebSocket and event stream to the topic that its path names.
struct Room;

impl Handler for Room {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        conn.subscribe(&request.path()[1..]);
    }
}

fn world() -> World {
    let mut world = World::new();
    world.server.history("room/", History::new());
    world.server.zone("/", Room);
    world
}

fn event(id: Option<MessageId>, data: &str) -> Received {
    Received::Event { event: None, id: id.map(|id| id.to_string()), data: data.to_owned() }
}

#[test]
fn subscribers_get_kept_messages_live_and_events_have_their_id() {
    let mut world = world();
    let ada = world.websocket("/room/1");
    let bob = world.events("/room/1");
    let eve = world.events("/other");
    let cx = world.context();
    cx.publish("room/1", Outgoing::text("one").id("ignored"));
    let one = cx.latest_id();
    let two = cx.publish_with("room/1", |id| format!("two is {id}"));
    let three = cx.publish_with("other", |id| format!("three is {id}"));
    assert!(one < two && two < three);
    assert_eq!((one.a(), one.b() + 2), (three.a(), three.b()));
    let text = format!("two is {two}");
    assert_eq!(world.hear(ada), ["one", &text]);
    assert_eq!(world.hear(bob), [event(Some(one), "one"), event(Some(two), &text)]);
    assert_eq!(world.hear(eve), [event(None, &format!("three is {three}"))]);
}
