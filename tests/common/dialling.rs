//! The client role against a scripted server.

use switchboard::proto::websocket::AcceptKey;
use switchboard::{Accepted, CloseCode, ConnId, Connect, ZoneId};

use super::{Bytes, Client, Log, Recorder, World, seconds};

/// The URL that clients open.
pub const URL: &str = "ws://example.com/chat?room=7";

/// A world whose server opens WebSockets. Its handler echoes `echo` and closes on `close`.
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

/// Checks that no connection is left, and no deadline either.
pub fn nothing_left(sim: &mut World) {
    let stats = sim.stats();
    assert_eq!((stats.connections, stats.websockets), (0, 0));
    // The deadline of a connection that is gone is dropped when its time comes.
    sim.advance(seconds(60));
    assert_eq!(sim.server.poll_timeout(sim.now), None, "nothing to wait for");
}

/// The client's handshake, taken from the wire, and the answer that a server owes to it.
pub fn request(sim: &mut World, client: Client) -> (String, String) {
    let request = String::from_utf8(sim.receive(client)).expect("a head in ASCII");
    let answer = answer_to(&request);
    (request, answer)
}

/// The answer that a server owes to a handshake.
pub fn answer_to(request: &str) -> String {
    let key =
        request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accept = AcceptKey::from_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept.as_bytes().escape_ascii()
    )
}

/// A WebSocket that the server has opened to a scripted peer.
pub fn established(sim: &mut World, zone: ZoneId<Recorder>, connect: Connect) -> (Client, ConnId) {
    let (client, id) = sim.dial(zone, connect);
    sim.settle();
    let (_, answer) = request(sim, client);
    sim.send(client, answer);
    (client, id)
}
