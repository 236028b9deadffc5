//! What a handler may ask about the peer of a connection: its address, and whether it still sends.

use std::net::{IpAddr, SocketAddr};

use super::conn::Conn;
use crate::connection::Flags;

impl Conn<'_> {
    /// Returns the address of the socket's peer, such as a proxy; `None` for Unix sockets. The
    /// address is not stored: each call asks the kernel. See [`client_addr`](Conn::client_addr).
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

    /// Returns the address of the client that the exchange belongs to: behind a trusted proxy the
    /// one that the proxy names, else that of the PROXY header, else the peer's. An IPv4 address in
    /// IPv6 form is the IPv4 address.
    ///
    /// It is known in every callback of the exchange, `close` and `cancelled` included. Each
    /// request of a connection from a proxy has its own. `None` if no address is known, as for a
    /// Unix socket without a header, and for a WebSocket that this program opened.
    ///
    /// With [`Server::trusted_proxies`](crate::Server::trusted_proxies), and from a PROXY header,
    /// the address is stored. Else each call asks the kernel, which forgets the address of a peer
    /// that has left.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// use switchboard::testing::World;
    /// use switchboard::{Conn, Message, TrustedHeader};
    ///
    /// let mut world = World::new();
    /// world.server.trusted_proxies(["10.0.0.0/8"], TrustedHeader::XForwardedFor)?;
    /// world.server.websocket("/", |conn: &mut Conn<'_>, _: Message<'_>| {
    ///     let client = conn.client_addr().unwrap();
    ///     conn.send(client.to_string().as_str());
    /// });
    /// let proxy = world.connect_from("10.0.0.1:4711");
    /// world.upgrade(proxy, Request::get("/").header("X-Forwarded-For", "192.0.2.1"));
    /// world.say(proxy, "who am I?");
    /// assert_eq!(world.hear(proxy), ["192.0.2.1"]);
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn client_addr(&self) -> Option<IpAddr> {
        // Not `connection()`: in `close`, a connection whose peer vanished is gone already.
        let connection = self.cx.table.slots.at(self.id.slot())?;
        if connection.id != self.id || connection.flags.has(Flags::CLIENT) {
            return None;
        }
        match self.cx.addresses.hop(connection.address) {
            Some(_) => self.cx.addresses.client(connection.address),
            None => connection.transport.peer_addr().map(|address| address.ip().to_canonical()),
        }
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
