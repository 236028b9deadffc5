//! Begins an attempt to open a WebSocket in the client role: a slot, a deadline and the attempt's
//! data. This file opens no socket: server/dialing.rs does.

use std::net::SocketAddr;

use super::connect::Connect;
use super::context::Context;
use crate::connection::{
    Attempt, AttemptState, Cause, ConnId, Exchange, Flags, Phase, Progress, UNCOUNTED, ZoneId,
    ticks,
};
use crate::net::Transport;
#[cfg(feature = "deflate")]
use crate::websocket::ClientHandshake;
use crate::websocket::{CloseCode, Key};

impl Context {
    /// Opens a WebSocket in the client role (RFC 6455 4.1).
    ///
    /// The zone's handler gets `open` and the callbacks of a WebSocket, or `close` alone if the
    /// attempt fails. Both come after the current callback has returned. A handler may try again
    /// from `close`. If the server answered in HTTP, [`Close::declined`](crate::Close::declined)
    /// has the status, the headers and the beginning of the body.
    ///
    /// Another thread looks the name up, and wakes the loop. A server in a loop of the program's
    /// own needs a waker for this, lent with [`Server::remote`](crate::Server::remote).
    ///
    /// A name may have up to 16 addresses. IPv6 and IPv4 alternate, and each address has a head
    /// start of 250 ms before the next (RFC 8305). The first TCP connection that stands is the
    /// WebSocket's, and the others are closed.
    ///
    /// For a `wss` URL, the TLS handshake follows on this connection alone. Its steps share the
    /// turn's budget with those of accepted connections (feature `tls`, by default 4 ms a turn).
    ///
    /// With 16.7 million connections open there is no room for another. Then the returned name
    /// names nothing, and no callback follows.
    ///
    /// Of the [`Options`](crate::Options) of HTTP, only the limits of a head apply, to the server's
    /// response.
    pub fn connect<H: 'static>(&mut self, zone: ZoneId<H>, connect: Connect) -> ConnId {
        let takes = self.takes_connections();
        let Some(slot) = self.table.slots.vacant() else { return ConnId::NOBODY };
        let first = (Phase::Connecting, ticks(connect.timeout));
        self.table.insert(slot, Transport::Unconnected, UNCOUNTED, first);
        let Some(mut at) = self.table.lease(slot) else { return ConnId::NOBODY };
        at.connection.zone = zone.index;
        at.connection.options = at.books.number_of(connect.options);
        // The lifetime of the default options does not bound an attempt with options of its own.
        at.arm(ticks(connect.timeout));
        // A failed attempt is reported through `close`, too.
        at.connection.flags.insert(Flags::CLIENT | Flags::OWES_CLOSE);
        let id = at.connection.id;
        let takes = match takes {
            true => Ok(()),
            false => Err(("the server is draining", Cause::Drain)),
        };
        let handshake = connect.handshake.map_err(|reason| (reason, Cause::DialFailed));
        at.books.stats.dialled += 1;
        match takes.and(handshake) {
            Ok(handshake) => {
                #[cfg(feature = "deflate")]
                let handshake = offer_compression(&at, handshake);
                let port = handshake.url().port();
                // The proxy looks the server's name up, and has its own addresses.
                let addresses = connect.addresses.into_iter().filter(|_| connect.proxy.is_none());
                let attempt = Attempt {
                    handshake,
                    key: Key::from_nonce(self.delivery.keys.nonce()),
                    addresses: addresses.map(|ip| SocketAddr::new(ip, port)).collect(),
                    source: connect.source,
                    state: AttemptState::Resolving,
                    redirects: connect.redirects,
                    proxy: connect.proxy,
                    #[cfg(feature = "tls")]
                    tls: connect.tls,
                    declining: None,
                };
                let progress = Progress::Connecting(Box::new(attempt));
                at.held().exchange = Some(Box::new(Exchange::of_client(progress)));
                self.work.connecting.push(id);
            }
            Err((reason, cause)) => {
                at.record_close(CloseCode::ABNORMAL, reason, false, cause);
                at.mark_gone(cause);
            }
        }
        id
    }
}

#[cfg(feature = "deflate")]
fn offer_compression(
    at: &crate::connection::Lease<'_>,
    handshake: ClientHandshake,
) -> ClientHandshake {
    let mut offer = Vec::new();
    crate::websocket::encode_offer(&mut offer, &at.options().deflate);
    handshake.extensions(String::from_utf8_lossy(&offer).into_owned())
}
