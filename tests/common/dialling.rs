//! The client role against a server of our own words.

use switchboard::proto::websocket::AcceptKey;
use switchboard::{Accepted, CloseCode, ConnId, Connect, ZoneId};

use super::{Bytes, Client, Log, Recorder, World, seconds};

/// Where clients are told to connect to.
pub const URL: &str = "ws://example.com/chat?room=7";

/// A server that may dial, whose handler answers `say ..` in kind and closes when told to.
pub fn dialler(log: &Log) -> (World, ZoneId<Recorder>) {
    let mut sim = World::new();
    let seen = log.clone();
    let recorder = Recorder::new(log)
        .open(move |conn, request| {
            let accepted: Option<&Accepted> = request.extensions().get();
            let subprotocol = accepted.and_then(|accepted| accepted.subprotocol.as_deref());
            seen.note(conn.id(), format!("speaks {subprotocol:?} at {:?}", request.query()));
        })
        .message(|conn, message| match message.as_bytes() {
            b"close" => conn.close(CloseCode::NORMAL, "bye"),
            b"echo" => conn.send(message),
            _ => {}
        });
    let zone = sim.server.zone("/", recorder);
    (sim, zone)
}

/// Nothing is left of any connection, nor of what was to be done about it.
pub fn nothing_left(sim: &mut World) {
    let stats = sim.stats();
    assert_eq!((stats.connections, stats.websockets), (0, 0));
    // A deadline that went with its connection is found out when its time comes.
    sim.advance(seconds(60));
    assert_eq!(sim.server.poll_timeout(sim.now), None, "nothing to wait for");
}

/// The client's request, taken from the wire, and the answer that a server owes it.
pub fn request(sim: &mut World, client: Client) -> (String, String) {
    let request = String::from_utf8(sim.receive(client)).expect("a head in ASCII");
    let answer = answer_to(&request);
    (request, answer)
}

/// The answer that a server owes to a request.
pub fn answer_to(request: &str) -> String {
    let key =
        request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accept = AcceptKey::from_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept.as_bytes().escape_ascii()
    )
}

/// A WebSocket that has been opened against a server of our words.
pub fn established(sim: &mut World, zone: ZoneId<Recorder>, connect: Connect) -> (Client, ConnId) {
    let (client, id) = sim.dial(zone, connect);
    sim.settle();
    let (_, answer) = request(sim, client);
    sim.send(client, answer);
    (client, id)
}
