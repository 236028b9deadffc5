//! The connections of a world's clients: bytes sent and received, slow readers and lost clients.
//! This file knows no protocol.

use std::io::ErrorKind;

use mio::Token;

use super::client::{Client, Link};
use super::world::World;
use crate::net::{MemoryPeer, Transport};

/// Connections and their bytes.
impl World {
    /// Opens a connection, over which the client has sent nothing yet.
    ///
    /// ```
    /// # use switchboard::testing::World;
    /// # let mut world = World::new();
    /// # world.server.http("/", |_, _| "hello");
    /// let ada = world.connect();
    /// world.write(ada, "GET / HTTP/1.1\r\n\r\n"); // without a Host
    /// assert_eq!(world.answer(ada).status, 400);
    /// ```
    ///
    /// # Panics
    /// If the server takes no connections: it is draining, or no path can have the prefix of a
    /// [zone](crate::Zone::new).
    #[track_caller]
    pub fn connect(&mut self) -> Client {
        let (transport, peer) = Transport::memory();
        match self.server.adopt(transport, self.now) {
            Ok(token) => self.add(Link::new(token, peer)),
            Err(error) => panic!("the server takes no connection: {error}"),
        }
    }

    /// A new client without a request, which has an address and connects as through a listener: the
    /// limits on connections hold for it. One that is turned away gets its answer.
    ///
    /// A client of [`connect`](World::connect) has no address, like the peer of a Unix socket.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// world.server.max_connections_per_address(1);
    /// world.server.http("/", |conn, _| format!("{:?}", conn.client_addr()));
    /// let ada = world.connect_from("192.0.2.1:4711");
    /// world.request(ada, "/");
    /// assert_eq!(world.answer(ada).text(), "Some(192.0.2.1)");
    /// let eve = world.connect_from("192.0.2.1:4712");
    /// assert!(world.read(eve).starts_with(b"HTTP/1.1 429 "));
    /// ```
    ///
    /// # Panics
    /// If the address is malformed, or if the server takes no connection at all.
    #[track_caller]
    pub fn connect_from(&mut self, address: &str) -> Client {
        let (transport, mut peer) = Transport::memory();
        peer.set_address(address.parse().expect("an address and a port, such as 192.0.2.1:4711"));
        self.server.context(self.now);
        self.server.accepted(transport);
        let token = peer.token().expect("the server takes no connection");
        self.add(Link::new(token, peer))
    }

    /// A new client, over the other end of a connection that the server has got from another thread
    /// or server, by [`Remote::adopt`](crate::Remote::adopt).
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Cluster, Transport};
    ///
    /// let mut cluster = Cluster::new(1);
    /// let listener = cluster.listen("127.0.0.1:0")?;
    /// let mut world = World::new();
    /// world.server.http("/", |_, _| "hello");
    /// cluster.join(&mut world.server)?;
    /// let (transport, peer) = Transport::memory();
    /// assert!(cluster.handle().adopt(transport, None, listener).is_ok());
    /// let ada = world.handed_over(peer);
    /// world.request(ada, "/");
    /// assert_eq!(world.answer(ada).text(), "hello");
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Panics
    /// If the server has not taken the connection.
    #[track_caller]
    pub fn handed_over(&mut self, peer: MemoryPeer) -> Client {
        self.settle();
        let token = peer.token().filter(|token| self.server.owns(*token));
        self.add(Link::new(token.expect("the server has not taken the connection"), peer))
    }

    /// Sends bytes as they are. Use [`say`](World::say) for a message.
    ///
    /// ```
    /// use switchboard::CloseCode;
    /// # use switchboard::testing::World;
    /// # let mut world = World::new();
    /// # world.server.websocket("/", |_, _| {});
    /// let ada = world.websocket("/");
    /// world.write(ada, [0x81, 0x01, b'x']); // a client's frame must be masked
    /// assert_eq!(world.closed(ada).unwrap().0, CloseCode::PROTOCOL);
    /// ```
    #[track_caller]
    pub fn write(&mut self, client: Client, bytes: impl AsRef<[u8]>) {
        self.push(client, bytes);
        self.settle();
    }

    /// Takes the bytes that the client has received and not yet used.
    ///
    /// A client with a WebSocket or an event stream uses whole frames and events at once, so they
    /// are not seen here unless the client is [manual](World::manual).
    ///
    /// ```
    /// use switchboard::{Conn, Handler, Reply, Request, Response};
    /// # use switchboard::testing::World;
    ///
    /// struct Shout;
    /// impl Handler for Shout {
    ///     fn request(&mut self, _: &mut Conn<'_>, _: &mut Request<'_>) -> Reply {
    ///         Reply::Takeover(Response::empty(101).header("Upgrade", "shout"))
    ///     }
    ///     fn input(&mut self, conn: &mut Conn<'_>, bytes: &[u8]) -> usize {
    ///         conn.write(&bytes.to_ascii_uppercase());
    ///         bytes.len()
    ///     }
    /// }
    /// let mut world = World::new();
    /// world.server.zone("/", Shout);
    /// let ada = world.connect();
    /// world.request(ada, "/");
    /// assert_eq!(world.answer(ada).status, 101);
    /// world.write(ada, "hello");
    /// assert_eq!(world.read(ada), b"HELLO");
    /// ```
    #[track_caller]
    pub fn read(&mut self, client: Client) -> Vec<u8> {
        self.settle();
        let link = self.link(client);
        link.receive();
        std::mem::take(&mut link.inbox)
    }

    /// Sends bytes of which the server learns in the next [`turn`](World::turn).
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.http("/", |_, _| "hello");
    /// let ada = world.connect();
    /// world.push(ada, "GET / HTTP/1.1\r\n");
    /// world.push(ada, "Host: example.com\r\n\r\n"); // both pieces arrive in one turn
    /// assert_eq!(world.answer(ada).text(), "hello");
    /// ```
    #[track_caller]
    pub fn push(&mut self, client: Client, bytes: impl AsRef<[u8]>) {
        self.settle_touched();
        self.link(client).push(bytes);
    }

    /// Makes a slow reader: the client takes this many more bytes, then the server's writes are
    /// refused. `usize::MAX` is no limit, as at first. Other clients are not affected.
    ///
    /// ```
    /// use switchboard::{Backpressure, Options};
    /// # use switchboard::testing::World;
    /// # let mut world = World::new();
    /// let options = Options::new().max_buffered(10).backpressure(Backpressure::DropOldest);
    /// world.server.options(options);
    /// world.server.websocket("/", |conn, _| conn.subscribe("news"));
    /// let ada = world.websocket("/");
    /// world.say(ada, "subscribe");
    /// world.window(ada, 0);
    /// for text in ["first", "second", "third"] {
    ///     world.context().publish("news", text);
    /// }
    /// assert!(world.hear(ada).is_empty());
    /// world.window(ada, usize::MAX);
    /// assert_eq!(world.hear(ada), ["third"]);
    /// ```
    #[track_caller]
    pub fn window(&mut self, client: Client, bytes: usize) {
        self.settle_touched();
        self.link(client).window(bytes);
        self.settle();
    }

    /// Ends the client's side of the connection, as a program does that exits (FIN).
    ///
    /// ```
    /// # use switchboard::testing::World;
    /// # let mut world = World::new();
    /// # world.server.websocket("/", |_, _| {});
    /// let ada = world.websocket("/");
    /// world.end(ada);
    /// assert!(!world.is_open(ada));
    /// ```
    #[track_caller]
    pub fn end(&mut self, client: Client) {
        self.settle_touched();
        self.link(client).end();
        self.settle();
    }

    /// Breaks the connection: every read and write of the server fails with this error from now on.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use switchboard::CloseCode;
    /// # use switchboard::testing::World;
    /// # let mut world = World::new();
    /// # world.server.websocket("/", |_, _| {});
    /// let ada = world.websocket("/");
    /// world.fail(ada, ErrorKind::ConnectionReset);
    /// assert_eq!(world.closed(ada), Some((CloseCode::ABNORMAL, String::new())));
    /// ```
    #[track_caller]
    pub fn fail(&mut self, client: Client, kind: ErrorKind) {
        self.settle_touched();
        self.link(client).fail(kind);
        self.settle();
    }

    /// Stops what the client does by itself: it no longer answers pings and Close frames, and does
    /// not end its side after the server has. [`read`](World::read) then returns all its bytes.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use switchboard::testing::World;
    /// # let mut world = World::new();
    /// # world.server.websocket("/", |_, _| {});
    /// let dead = world.websocket("/");
    /// world.manual(dead);
    /// world.advance(Duration::from_secs(600));
    /// assert_eq!(world.read(dead), [0x89, 0x00]); // an empty ping, then the server gave up
    /// assert!(!world.is_open(dead));
    /// ```
    #[track_caller]
    pub fn manual(&mut self, client: Client) {
        self.link(client).set_manual();
    }

    /// Whether the server still has its side of the connection open.
    ///
    /// A server that has ended its side may wait for the client's end before it drops the
    /// connection; [`MemoryPeer::is_gone`] on the [`peer`](World::peer) tells the difference.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let mut world = switchboard::testing::World::new();
    /// let silent = world.connect();
    /// assert!(world.is_open(silent));
    /// world.advance(Duration::from_secs(11)); // `Options::first_byte_timeout` is 10 s
    /// assert!(!world.is_open(silent));
    /// ```
    #[track_caller]
    pub fn is_open(&mut self, client: Client) -> bool {
        self.settle();
        !self.link(client).peer.is_ended()
    }

    /// The client's end of the connection, for what this type has no method. The server does not
    /// learn what is done to it: follow with [`push`](World::push), or with
    /// [`Server::ready`](crate::Server::ready).
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.http("/", |_, _| "hello");
    /// let ada = world.connect();
    /// world.peer(ada).read_at_most(1); // the server reads byte by byte
    /// world.request(ada, "/");
    /// assert_eq!(world.answer(ada).text(), "hello");
    /// ```
    #[track_caller]
    pub fn peer(&mut self, client: Client) -> &mut MemoryPeer {
        &mut self.link(client).peer
    }

    /// The token by which the server knows the connection.
    ///
    /// ```
    /// use switchboard::Readiness;
    /// # let mut world = switchboard::testing::World::new();
    /// let ada = world.connect();
    /// let token = world.token(ada);
    /// world.server.ready(token, Readiness::READABLE, world.now); // though nothing has arrived
    /// assert!(world.is_open(ada));
    /// ```
    #[track_caller]
    pub fn token(&self, client: Client) -> Token {
        self.links.get(client.0).expect("a client of this world").token
    }
}
