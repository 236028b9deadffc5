//! A network for what the server dials: names by hand, and connections that stand or fail by hand.

use std::io::ErrorKind;
use std::net::SocketAddr;

use super::client::{Client, Link};
use super::world::World;

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
