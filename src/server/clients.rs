//! True addresses: which peers are proxies, which client is behind a request, and the limit for
//! one client behind many connections. The grammar of the headers is http1/forwarded.rs's, and the
//! table connection/addresses.rs's.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::proxies::Proxies;
use super::server::Server;
use crate::connection::{Addresses, Cause, Hop, UNCOUNTED};
use crate::context::Reply;
use crate::http1::{Request, RequestError, Response, TrustedHeader};
use crate::net::{Transport, prefix};

/// The place of a new connection among the addresses.
pub(super) enum Placed {
    /// The number for the connection.
    At(u32),
    /// The address has as many connections as the limit allows.
    Full,
    /// The peer has left already, and has no address any more.
    Left,
}

impl Server {
    /// Names the proxies in front of the server, and the header in which they name their clients.
    /// Then [`Request::client_addr`], [`Request::scheme`] and
    /// [`Conn::client_addr`](crate::Conn::client_addr) tell of the client, and
    /// [`max_connections_per_address`](Server::max_connections_per_address) counts clients.
    ///
    /// An entry is an address, a network such as `10.0.0.0/8` or `fd00::/8`, or `unix` for the
    /// peers of all Unix sockets. A second call replaces the list. It holds for connections that
    /// come later.
    ///
    /// All lines of the header count as one list. The walk begins at the socket's peer, or at the
    /// address of its PROXY header, and goes through the list from right to left:
    ///
    /// - The first address that is not in `networks` is the client's. What stands before it counts
    ///   for nothing, since the client itself may have written it.
    /// - The walk ends at an element without an address: `unknown`, `_hidden`, empty or malformed.
    ///   The last trusted hop then stands for the client.
    /// - A peer outside of `networks` is the client itself. Its headers count for nothing.
    ///
    /// Only `header` is believed. Every proxy of the list has to set it or append to it, because a
    /// proxy passes the other one on as the client sent it: nginx does so with `Forwarded`.
    ///
    /// A connection from a proxy carries requests of many clients, so it is not counted by its
    /// address. Each client is counted instead, while an answer lasts: a WebSocket, an event
    /// stream, a takeover, [`Reply::Later`] or [`Reply::Stream`]. One more is answered with 429,
    /// and the connection goes on. For the last two the handler gets
    /// [`cancelled`](crate::Handler::cancelled). For the others it gets no call: note the
    /// connection in [`open`](crate::Handler::open), not in `request`.
    ///
    /// A distinct client takes at most 48 bytes while it has an exchange. Without a call nothing is
    /// parsed and stored.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// use switchboard::TrustedHeader;
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.trusted_proxies(["10.0.0.0/8", "unix"], TrustedHeader::XForwardedFor)?;
    /// world.server.http("/", |_, request| request.client_addr().unwrap().to_string());
    /// let proxy = world.connect_from("10.0.0.1:4711");
    /// let mut client = |header: &str| {
    ///     world.request(proxy, Request::get("/").header("X-Forwarded-For", header));
    ///     world.answer(proxy).text().to_owned()
    /// };
    /// assert_eq!(client("192.0.2.1"), "192.0.2.1");
    /// assert_eq!(client("forged, 192.0.2.1, 10.7.7.7"), "192.0.2.1"); // through two proxies
    /// assert_eq!(client("192.0.2.1, unknown"), "10.0.0.1");
    ///
    /// let refused = world.server.trusted_proxies(["10.0.0/8"], TrustedHeader::Forwarded);
    /// let text = refused.unwrap_err().to_string();
    /// assert!(text.starts_with("\"10.0.0/8\" is no network: give an address"));
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// Names the first entry that is malformed, or whose network begins inside of itself, such as
    /// `10.0.0.1/8`. The former list stands then.
    pub fn trusted_proxies<S: AsRef<str>>(
        &mut self,
        networks: impl IntoIterator<Item = S>,
        header: TrustedHeader,
    ) -> io::Result<()> {
        self.proxies = Some(Box::new(Proxies::new(networks, header)?));
        Ok(())
    }

    /// Finds the place of a new connection among the addresses, and counts it under a limit.
    /// `peer` is the address of the socket, where it is known.
    pub(super) fn place(
        &mut self,
        transport: &Transport,
        limit: Option<u32>,
        peer: Option<&SocketAddr>,
    ) -> Placed {
        if self.proxies.is_none() && limit.is_none() {
            return Placed::At(UNCOUNTED);
        }
        match peer.map_or_else(|| transport.peer_ip(), |peer| Some(Some(peer.ip()))) {
            Some(address) => self.place_at(address, limit, self.proxies.is_some()),
            None => Placed::Left,
        }
    }

    /// As [`place`](Server::place), for a connection that was accepted. Where it `names_client` in
    /// a PROXY header, that address has the place.
    pub(super) fn place_accepted(
        &mut self,
        transport: &Transport,
        names_client: bool,
        peer: Option<&SocketAddr>,
    ) -> Placed {
        match names_client {
            true => Placed::At(UNCOUNTED),
            false => self.place(transport, self.limits.per_address, peer),
        }
    }

    /// As [`place`](Server::place), for a peer with this address, which is kept as the first hop if
    /// it `is_hop`. `None` stands for a Unix socket.
    pub(super) fn place_at(
        &mut self,
        address: Option<IpAddr>,
        limit: Option<u32>,
        is_hop: bool,
    ) -> Placed {
        let is_trusted = self.trusts(address);
        if address.is_none() && !is_trusted {
            return Placed::At(UNCOUNTED);
        }
        let addresses = &mut self.context.addresses;
        if !is_hop {
            return match (address, limit) {
                (Some(address), Some(limit)) => {
                    addresses.counts.enter(prefix(address), limit).map_or(Placed::Full, Placed::At)
                }
                _ => Placed::At(UNCOUNTED),
            };
        }
        let mut number = addresses.first_hop(Hop { address, is_trusted });
        if let Some(limit) = limit.filter(|_| !is_trusted)
            && !addresses.count(&mut number, limit)
        {
            addresses.leave(number);
            return Placed::Full;
        }
        Placed::At(number)
    }

    /// Whether a peer with this address is a proxy that is believed.
    fn trusts(&self, address: Option<IpAddr>) -> bool {
        self.proxies.as_ref().is_some_and(|proxies| proxies.trusts(address))
    }

    /// Tells a request of its client. The exchange of a client behind a proxy begins here.
    #[inline]
    pub(super) fn introduce(&mut self, slot: u32, request: &mut Request<'_>) {
        let Some(connection) = self.context.table.slots.at(slot) else { return };
        match Addresses::has(connection.address) {
            true => self.introduce_client(slot, request),
            false if connection.transport.is_tls() => request.set_client(None, true),
            false => {} // As a request is parsed.
        }
    }

    #[inline(never)]
    fn introduce_client(&mut self, slot: u32, request: &mut Request<'_>) {
        let Some(connection) = self.context.table.slots.at_mut(slot) else { return };
        let (addresses, is_tls) = (&mut self.context.addresses, connection.transport.is_tls());
        let Some(hop) = addresses.hop(connection.address) else { return };
        let Some(proxies) = self.proxies.as_ref().filter(|_| hop.is_trusted) else {
            return request.set_client(hop.address, is_tls);
        };
        let hops = proxies.hops(request, hop.address);
        if let Some(client) = hops.client
            && !addresses.is_behind(connection.address)
        {
            addresses.begin_exchange(&mut connection.address, client);
        }
        let client = addresses.client(connection.address);
        request.set_client(client, hops.is_secure.unwrap_or(is_tls));
    }

    /// Counts the client behind a proxy for an answer that lasts. At the limit it returns the 429
    /// that the client gets in place of the answer.
    #[inline]
    pub(super) fn over_limit(
        &mut self,
        slot: u32,
        reply: &Reply,
        request: &Request<'_>,
    ) -> Option<Response> {
        let limit = self.limits.per_address?;
        let lasts = match reply {
            Reply::Upgrade(_) | Reply::EventStream(_) | Reply::Takeover(_) => true,
            Reply::Later | Reply::LongPoll(_) | Reply::Stream(_) => true,
            Reply::Respond(_) | Reply::Pass | Reply::Body(_) => false,
        };
        let refusal = lasts.then(|| self.count_client(slot, request, limit)).flatten()?;
        // The handler may have begun what it answers later.
        if matches!(reply, Reply::Later | Reply::Stream(_)) {
            self.tell(slot, |handler, conn| handler.cancelled(conn, Cause::Refused));
        }
        Some(refusal)
    }

    #[inline(never)]
    fn count_client(&mut self, slot: u32, request: &Request<'_>, limit: u32) -> Option<Response> {
        let connection = self.context.table.slots.at_mut(slot)?;
        let addresses = &mut self.context.addresses;
        if !addresses.is_behind(connection.address)
            || addresses.count(&mut connection.address, limit)
        {
            return None;
        }
        let error = RequestError::TooManyOfClient;
        self.observe_refusal(slot, error.status(), error.as_str(), request.head());
        // The connection may carry other clients, so it goes on.
        let response = Response::text(error.as_str()).with_status(error.status());
        Some(response.header("Retry-After", "1"))
    }
}
