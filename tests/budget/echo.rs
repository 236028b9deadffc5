//! The echo server whose budgets are checked, and the request that opens a WebSocket to it.

use switchboard::Reactor;

/// RFC 6455 section 4.1.
pub const UPGRADE_REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Sends every message back.
pub fn reactor() -> Reactor {
    let mut reactor = Reactor::new().unwrap();
    reactor.server.websocket("/", |conn, message| conn.send(message));
    reactor
}
