//! What a handler may ask about the peer of a connection: its address, and whether it still sends.

use std::net::SocketAddr;

use super::conn::Conn;
use crate::connection::Flags;

impl Conn<'_> {
    /// Returns the peer's address; `None` for Unix sockets and in-memory connections. The address
    /// is not stored: each call asks the kernel.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection()?.transport.peer_addr()
    }

    /// Whether the peer has ended its side of the connection (FIN).
    ///
    /// An HTTP client may end its side behind its request and still wait for the answer. Many
    /// clients that end their side have left, so a handler may drop work that only they need.
    /// Bytes that the peer sent before its end may still be unread.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Conn, ConnId, Handler, Reply, Request};
    ///
    /// #[derive(Default)]
    /// struct Reports(Vec<ConnId>);
    /// impl Handler for Reports {
    ///     fn request(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
    ///         self.0.push(conn.id());
    ///         Reply::Later
    ///     }
    /// }
    ///
    /// let mut world = World::new();
    /// let zone = world.server.zone("/", Reports::default());
    /// let ada = world.connect();
    /// world.request(ada, "/");
    /// world.end(ada);
    /// world.with(zone, |reports, cx| {
    ///     let id = reports.0.remove(0);
    ///     assert!(cx.conn(id).is_some_and(|conn| conn.peer_ended()));
    ///     cx.respond(id, "still wanted");
    /// });
    /// assert_eq!(world.answer(ada).text(), "still wanted");
    /// ```
    #[must_use]
    pub fn peer_ended(&self) -> bool {
        self.connection().is_some_and(|connection| connection.flags.has(Flags::READ_CLOSED))
    }
}
