//! Slow readers of a server with a small limit on the bytes that wait for each.

use switchboard::{
    Backpressure, Conn, ConnId, EventStream, Message, Options, Outgoing, Reply, Upgrade,
};

use super::{Bytes, Client, Log, Recorder, World};

/// Every policy that drops.
pub const DROPPING: [Backpressure; 3] =
    [Backpressure::DropNewest, Backpressure::DropOldest, Backpressure::KeepLatest];

/// The most bytes that may wait for a peer in these tests.
pub const CAP: usize = 100;

/// A server with a WebSocket at `/` and an event stream at `/events`, both subscribed to `all`.
/// `act` handles the messages of a WebSocket.
pub fn serving(
    log: &Log,
    policy: Backpressure,
    act: impl FnMut(&mut Conn<'_>, Message<'_>) + 'static,
) -> World {
    let recorder = Recorder::new(log)
        .request(|_, request| match request.path() {
            "/events" => Reply::from(EventStream::new()),
            _ => Upgrade::new().into(),
        })
        .open(|conn, _| conn.subscribe("all"))
        .message(act);
    World::serving(|server| {
        server.zone("/", recorder);
        server.options(Options::new().max_buffered(CAP).backpressure(policy));
    })
}

/// A WebSocket that takes `window` bytes of what follows.
pub fn stalled(log: &Log, policy: Backpressure, window: usize) -> (World, Client, ConnId) {
    let mut sim = serving(log, policy, |_, _| {});
    let client = sim.raw_websocket("/");
    let id = log.last_id();
    log.take();
    sim.window(client, window);
    (sim, client, id)
}

pub fn send<'m>(sim: &mut World, id: ConnId, message: impl Into<Outgoing<'m>>) {
    sim.server.context(sim.now).send(id, message);
}

pub fn with_conn(sim: &mut World, id: ConnId, act: impl FnOnce(&mut Conn<'_>)) {
    act(&mut sim.server.context(sim.now).conn(id).expect("a connection"));
}

pub fn buffered(sim: &mut World, id: ConnId) -> usize {
    sim.server.context(sim.now).conn(id).map_or(0, |conn| conn.buffered())
}
