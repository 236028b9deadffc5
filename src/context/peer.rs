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

    /// Returns the certificates that the peer showed in its TLS handshake, its own certificate
    /// first. Without TLS, and from a peer that shows none, there are none.
    ///
    /// Each is the DER form of X.509. A server asks for certificates only where its
    /// [`TlsConfig`](crate::TlsConfig) says so, and has checked those that a peer shows.
    ///
    /// ```
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.http("/", |conn, _| match conn.peer_certificates().first() {
    ///     Some(certificate) => format!("a certificate of {} bytes", certificate.len()),
    ///     None => "no certificate".to_owned(),
    /// });
    /// assert_eq!(world.get("/").text(), "no certificate");
    /// ```
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn peer_certificates(&self) -> &[rustls::pki_types::CertificateDer<'static>] {
        self.connection().map_or(&[], |connection| connection.transport.peer_certificates())
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
