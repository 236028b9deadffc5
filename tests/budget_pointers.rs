//! Broadcasts to receivers that take nothing: each waiting message is a pointer to one frame. This
//! test counts the heap of the process, so the file holds one test and no other thread runs.

mod heap;

use std::time::Instant;

use heap::heap;
use switchboard::mio::Token;
use switchboard::{Conn, Handler, MemoryPeer, Options, Readiness, Request, Server, Transport};

const RECEIVERS: usize = 500;
/// Messages. The queue of a receiver grows in powers of two: one message more would double its
/// capacity.
const MESSAGES: usize = 256;
const SIZE: usize = 10_000;

/// Bytes of a message in a receiver's queue: a pointer, the bytes that have left, and whether it
/// may be dropped.
const BUDGET: f64 = 32.0;
/// Bytes that a waiting receiver needs once.
const ONCE: usize = 288;

const UPGRADE_REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct Listeners;

impl Handler for Listeners {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("all");
    }
}

#[test]
fn server_queues_a_pointer_per_message_and_slow_receiver() {
    let now = Instant::now();
    let mut server = Server::detached();
    server.options(Options::new().max_buffered(2 * MESSAGES * SIZE));
    server.zone("/", Listeners);
    let mut peers: Vec<(Token, MemoryPeer)> =
        (0..RECEIVERS).map(|_| receiver(&mut server, now)).collect();
    let publish = |server: &mut Server, messages: usize| {
        for n in 0..messages {
            let message = format!("{n:0SIZE$}");
            server.context(now).publish("all", message.as_str());
            server.flush(now);
        }
    };
    publish(&mut server, MESSAGES / 8);
    peers.iter_mut().for_each(|peer| take_all(&mut server, peer, MESSAGES / 8, now));
    let before = heap();
    publish(&mut server, MESSAGES);
    // A frame is its header and its payload, and the two counts and the vector that point to it.
    let frames = MESSAGES * (4 + SIZE + 40);
    let queues = heap() - before - (frames + RECEIVERS * ONCE) as isize;
    assert!(queues > 0, "{queues} B: what is counted is not there");
    let each = queues as f64 / (RECEIVERS * MESSAGES) as f64;
    println!(
        "{each:.1} B for each of {MESSAGES} messages to each of {RECEIVERS} receivers, \
         and {ONCE} B for each receiver"
    );
    assert!(each <= BUDGET, "{each:.1} B for each message and receiver");
    peers.iter_mut().for_each(|peer| take_all(&mut server, peer, MESSAGES, now));
    assert!(heap() <= before + (4 << 10), "{} B are left of it", heap() - before);
}

/// This many messages waited, and arrive.
fn take_all(
    server: &mut Server,
    (token, peer): &mut (Token, MemoryPeer),
    messages: usize,
    now: Instant,
) {
    peer.window(usize::MAX);
    server.ready(*token, Readiness::WRITABLE, now);
    server.flush(now);
    assert_eq!(peer.receive().len(), messages * (4 + SIZE));
    peer.window(0);
}

/// Opens a WebSocket whose peer takes nothing more.
fn receiver(server: &mut Server, now: Instant) -> (Token, MemoryPeer) {
    let (transport, mut peer) = Transport::memory();
    let token = server.adopt(transport, now).unwrap();
    peer.send(UPGRADE_REQUEST);
    server.ready(token, Readiness::READABLE, now);
    assert!(peer.receive().starts_with(b"HTTP/1.1 101 "));
    peer.window(0);
    (token, peer)
}
