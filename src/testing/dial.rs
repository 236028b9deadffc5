//! What the server dials. A scripted client plays the far server of a WebSocket. The test gives the
//! addresses of names, and decides which connections succeed.

use std::io::ErrorKind;
use std::net::SocketAddr;

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

/// What a handler reaches with [`Context::connect`](crate::Context::connect).
impl World {
    /// Gives a name its addresses, in the order in which a resolver returns them. From now on the
    /// server dials in this world: [`dialled`](World::dialled) returns its connections. Without
    /// this method, a server without sockets dials nothing.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::Connect;
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// let zone = world.server.websocket("/", |conn, message| conn.send(message));
    /// world.host("feed.example", &["2001:db8::1", "192.0.2.1"]);
    /// world.context().connect(zone, Connect::to("ws://feed.example/"));
    /// let [(first, _silent)] = world.dialled()[..] else { panic!("one address at first") };
    /// world.advance(Duration::from_millis(250));
    /// let [(second, far)] = world.dialled()[..] else { panic!("the next address") };
    /// assert_eq!([first, second].map(|to| to.to_string()), ["[2001:db8::1]:80", "192.0.2.1:80"]);
    /// world.establish(far);
    /// assert!(world.accept(far).starts_with("GET / HTTP/1.1\r\nHost: feed.example\r\n"));
    /// ```
    ///
    /// # Panics
    /// If an address is not an IP address.
    #[track_caller]
    pub fn host(&mut self, name: &str, addresses: &[&str]) {
        let parse = |address: &&str| match address.parse() {
            Ok(address) => address,
            Err(_) => panic!("{address:?} is no IP address"),
        };
        let addresses = addresses.iter().map(parse).collect();
        self.server.scripted.get_or_insert_default().name(name, addresses);
    }

    /// Returns the connections that the server has begun since the last call, each with the address
    /// that it goes to. None of them stands yet: see [`establish`](World::establish) and
    /// [`refuse`](World::refuse).
    pub fn dialled(&mut self) -> Vec<(SocketAddr, Client)> {
        self.settle();
        let mut dialled = Vec::new();
        while let Some(scripted) = &mut self.server.scripted
            && let Some((address, peer)) = scripted.next_dialled()
        {
            let Some(token) = peer.token() else { continue };
            dialled.push((address, self.add(Link::new(token, peer))));
        }
        dialled
    }

    /// Ends the TCP handshake of a connection that the server has begun.
    #[track_caller]
    pub fn establish(&mut self, client: Client) {
        self.link(client).establish();
        self.settle();
    }

    /// Refuses a connection that the server has begun.
    #[track_caller]
    pub fn refuse(&mut self, client: Client) {
        self.link(client).fail(ErrorKind::ConnectionRefused);
        self.settle();
    }
}
