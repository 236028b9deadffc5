//! Holds a program's request for a WebSocket in the client role, and begins the attempt to open it.
//! This file opens no socket: server/dialing.rs does.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::context::Context;
use crate::connection::{
    Attempt, AttemptState, ConnId, Exchange, Flags, Lease, OptionsId, Phase, Progress, Terms,
    UNCOUNTED, ZoneId, ticks,
};
use crate::http1::{Extensions, Version};
use crate::net::Transport;
use crate::websocket::{ClientHandshake, CloseCode, Key, Url};

/// A WebSocket that this program opens, in the client role (RFC 6455 4.1); see
/// [`Context::connect`](crate::Context::connect).
///
/// No method fails. A request that cannot be sent, such as one with a malformed URL or header, ends
/// with [`Handler::close`](crate::Handler::close), as every other failure does. Redirects are
/// refused, and a failed attempt is not repeated.
///
/// ```
/// use std::time::Duration;
/// use switchboard::Connect;
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// let reader = world.server.websocket("/reader", |conn, message| conn.send(message));
/// let connect = Connect::to("ws://feed.example/prices")
///     .header("Cookie", "user=7")
///     .timeout(Duration::from_secs(3));
/// // A program calls `Context::connect`; here a scripted peer takes the connection.
/// let (peer, _id) = world.dial(reader, connect);
/// assert!(world.accept(peer).contains("Cookie: user=7\r\n"));
/// world.say(peer, "42");
/// assert_eq!(world.hear(peer), ["42"]);
/// ```
#[derive(Clone, Debug)]
pub struct Connect {
    pub(crate) handshake: Result<ClientHandshake, &'static str>,
    pub(crate) timeout: Duration,
    pub(crate) options: OptionsId,
    pub(crate) source: Option<IpAddr>,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Connect {
    /// Makes a request for a plain WebSocket at a `ws` URL (RFC 6455 section 3), to be open within
    /// 10 s.
    #[must_use]
    pub fn to(url: &str) -> Connect {
        let url = Url::parse(url).map_err(|malformed| malformed.as_str());
        let handshake = url.and_then(|url| match url.is_secure() {
            true => Err("wss needs TLS, which is not there yet"),
            false => Ok(ClientHandshake::new(url)),
        });
        Connect {
            handshake,
            timeout: Duration::from_secs(10),
            options: OptionsId::default(),
            source: None,
            addresses: Vec::new(),
        }
    }

    /// Sets the subprotocols to ask for, best first. [`Accepted`] names the one that the server
    /// selected.
    #[must_use]
    pub fn subprotocols<S: Into<Cow<'static, str>>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Connect {
        self.handshake = self.handshake.map(|handshake| handshake.subprotocols(names));
        self
    }

    /// Adds a header field, such as `Cookie` or `Authorization`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Connect {
        self.handshake = self.handshake.map(|handshake| handshake.header(name, value));
        self
    }

    /// Sets the origin of the page that the program acts for. Only browsers must name one.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Connect {
        self.handshake = self.handshake.map(|handshake| handshake.origin(origin));
        self
    }

    /// Sets the time in which the WebSocket must be open, look-up and handshake included (default
    /// 10 s, rounded up to steps of 250 ms).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Connect {
        self.timeout = timeout;
        self
    }

    /// Sets the options of this WebSocket, registered with
    /// [`Context::add_options`](crate::Context::add_options).
    #[must_use]
    pub fn options(mut self, options: OptionsId) -> Connect {
        self.options = options;
        self
    }

    /// Sets the address of this machine to connect from (default: the kernel's choice).
    ///
    /// The server's addresses of the other family are skipped. A source address carries some 28,000
    /// connections at a time, one for each ephemeral port. With the kernel's choice, that bound
    /// holds for each address and port of a server.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use switchboard::Connect;
    ///
    /// let _connect = Connect::to("ws://127.0.0.1:9001/").source(Ipv4Addr::new(127, 0, 0, 2));
    /// ```
    #[must_use]
    pub fn source(mut self, address: impl Into<IpAddr>) -> Connect {
        self.source = Some(address.into());
        self
    }

    /// Sets the server's addresses, which are tried as if the URL's name had resolved to them
    /// (default: none, and each attempt looks the name up).
    ///
    /// The `Host` of the request stays that of the URL. A program that opens very many WebSockets
    /// to one name resolves it once, and hands the addresses to each.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use switchboard::Connect;
    ///
    /// let connect = Connect::to("ws://feed.example/").addresses([Ipv4Addr::LOCALHOST.into()]);
    /// assert!(format!("{connect:?}").contains("127.0.0.1"));
    /// ```
    #[must_use]
    pub fn addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Connect {
        self.addresses = addresses.into_iter().collect();
        self
    }
}

/// The server's consent to a WebSocket that this program opened (RFC 6455 4.1).
///
/// In [`Handler::open`](crate::Handler::open) of such a WebSocket, the request is the program's
/// own, and its extensions hold this value.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Accepted, Conn, Connect, Handler, Request};
///
/// #[derive(Default)]
/// struct Reader { accepted: Option<Accepted> }
/// impl Handler for Reader {
///     fn open(&mut self, _conn: &mut Conn<'_>, request: &Request<'_>) {
///         self.accepted = request.extensions().get::<Accepted>().cloned();
///     }
/// }
///
/// let mut world = World::new();
/// let zone = world.server.zone("/", Reader::default());
/// let (peer, _id) = world.dial(zone, Connect::to("ws://feed.example/").subprotocols(["v1"]));
/// world.accept(peer); // this peer selects no subprotocol
/// let accepted = world.with(zone, |reader, _cx| reader.accepted.clone());
/// assert_eq!(accepted, Some(Accepted::default()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The subprotocol that the server selected.
    pub subprotocol: Option<String>,
}

impl Context {
    /// Opens a WebSocket in the client role (RFC 6455 4.1).
    ///
    /// The zone's handler gets `open` and the callbacks of a WebSocket, or `close` alone if the
    /// attempt fails. Both come after the current callback has returned. A handler may try again
    /// from `close`.
    ///
    /// Another thread looks the name up, and wakes the loop. A server in a loop of the program's
    /// own needs a waker for this, lent with [`Server::remote`](crate::Server::remote).
    ///
    /// With 16.7 million connections open there is no room for another. Then the returned name
    /// names nothing, and no callback follows.
    ///
    /// Of the [`Options`](crate::Options) of HTTP, only the limits of a head apply, to the server's
    /// response.
    pub fn connect<H: 'static>(&mut self, zone: ZoneId<H>, connect: Connect) -> ConnId {
        let Some(slot) = self.table.slots.vacant() else { return ConnId::NOBODY };
        let first = (Phase::Connecting, ticks(connect.timeout));
        self.table.insert(slot, Transport::Unconnected, UNCOUNTED, first);
        let Some(mut at) = self.table.lease(slot) else { return ConnId::NOBODY };
        at.connection.zone = zone.index;
        at.connection.options = at.books.number_of(connect.options);
        // A failed attempt is reported through `close`, too.
        at.connection.flags.insert(Flags::CLIENT | Flags::OWES_CLOSE);
        let id = at.connection.id;
        let draining = self.draining.map_or(Ok(()), |_| Err("the server is draining"));
        match draining.and(connect.handshake) {
            Ok(handshake) => {
                let key = Key::from_nonce(self.delivery.keys.nonce());
                begin_attempt(&mut at, handshake, key, (connect.source, connect.addresses));
                self.work.connecting.push(id);
            }
            Err(reason) => {
                at.record_close(CloseCode::ABNORMAL, reason, false);
                at.mark_gone();
            }
        }
        id
    }
}

fn begin_attempt(
    at: &mut Lease<'_>,
    handshake: ClientHandshake,
    key: Key,
    (source, addresses): (Option<IpAddr>, Vec<IpAddr>),
) {
    #[cfg(feature = "deflate")]
    let handshake = offer_compression(at, handshake);
    let port = handshake.url().port();
    let attempt = Attempt {
        handshake,
        key,
        addresses: addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
        source,
        state: AttemptState::Resolving,
    };
    let exchange = Exchange {
        head: Vec::new(),
        extensions: Extensions::new(),
        entry: usize::MAX,
        terms: Terms { version: Version::Http11, head_only: false, keep_alive: false },
        progress: Progress::Connecting(Box::new(attempt)),
    };
    at.held().exchange = Some(Box::new(exchange));
}

#[cfg(feature = "deflate")]
fn offer_compression(at: &Lease<'_>, handshake: ClientHandshake) -> ClientHandshake {
    let mut offer = Vec::new();
    crate::websocket::encode_offer(&mut offer, &at.options().deflate);
    handshake.extensions(String::from_utf8_lossy(&offer).into_owned())
}
