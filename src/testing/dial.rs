//! WebSockets that the server opens in the client role: a scripted client plays the far server.

use super::client::{Client, Link, Speech};
use super::socket::Socket;
use super::world::World;
use crate::connection::{ConnId, ZoneId};
use crate::context::Connect;
use crate::net::Transport;
use crate::server::Handler;
use crate::websocket::{AcceptKey, Role};

/// WebSockets that the server opens.
impl World {
    /// Lets the server open a WebSocket to a scripted peer, which has received the handshake and
    /// not answered it: see [`accept`](World::accept). The name in the URL is not looked up.
    ///
    /// A handler that calls [`Context::connect`](crate::Context::connect) itself needs sockets.
    ///
    /// ```
    /// use switchboard::Connect;
    /// # let mut world = switchboard::testing::World::new();
    /// let zone = world.server.websocket("/", |conn, message| conn.send(message));
    /// let (far, _id) = world.dial(zone, Connect::to("ws://feed.example/prices"));
    /// let handshake = world.accept(far);
    /// assert!(handshake.starts_with("GET /prices HTTP/1.1\r\nHost: feed.example\r\n"));
    /// world.say(far, "42");
    /// assert_eq!(world.hear(far), ["42"]);
    /// ```
    ///
    /// # Panics
    /// If the server takes no connection.
    #[track_caller]
    pub fn dial<H: Handler>(&mut self, zone: ZoneId<H>, connect: Connect) -> (Client, ConnId) {
        let (transport, peer) = Transport::memory();
        match self.server.connect_over(zone, connect, transport, self.now) {
            Ok((token, id)) => (self.add(Link::new(token, peer)), id),
            Err(error) => panic!("the server opens no WebSocket: {error}"),
        }
    }

    /// Answers the server's handshake with 101 and returns the handshake as it was on the wire.
    /// Another answer is sent with [`write`](World::write).
    ///
    /// ```
    /// use switchboard::Connect;
    /// # let mut world = switchboard::testing::World::new();
    /// # let zone = world.server.websocket("/", |_, _| {});
    /// let connect = Connect::to("ws://feed.example/").header("Cookie", "user=ada");
    /// let (far, _) = world.dial(zone, connect);
    /// assert!(world.accept(far).contains("Cookie: user=ada\r\n"));
    /// ```
    ///
    /// # Panics
    /// If no whole handshake has arrived.
    #[track_caller]
    pub fn accept(&mut self, client: Client) -> String {
        let handshake = String::from_utf8(self.read(client)).expect("a handshake is ASCII");
        let key = handshake.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let Some(key) = key.filter(|_| handshake.ends_with("\r\n\r\n")) else {
            panic!("no handshake to accept: the server sent \"{}\"", handshake.escape_default())
        };
        let accept = AcceptKey::from_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            accept.as_bytes().escape_ascii()
        );
        self.link(client).speech = Speech::WebSocket(Box::new(Socket::new(Role::Server)));
        self.write(client, answer);
        handshake
    }
}
