//! Holds a program's request for a WebSocket in the client role, and begins the attempt to open it.
//! This file opens no socket: server/dialing.rs does.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::context::Context;
use crate::connection::{
    Attempt, AttemptState, ConnId, Exchange, Flags, OptionsId, Phase, Progress, UNCOUNTED, ZoneId,
    ticks,
};
use crate::net::Transport;
use crate::websocket::{ClientHandshake, CloseCode, Key, Proxy, parse_text};

/// A WebSocket that this program opens, in the client role (RFC 6455 4.1); see
/// [`Context::connect`](crate::Context::connect).
///
/// No method fails. A request that cannot be sent, such as one with a malformed URL or header, ends
/// with [`Handler::close`](crate::Handler::close), as every other failure does. Redirections are
/// followed only with [`follow_redirects`](Connect::follow_redirects), and a failed attempt is not
/// repeated.
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
    pub(crate) proxy: Option<Box<Proxy>>,
    pub(crate) redirects: Option<u8>,
    pub(crate) timeout: Duration,
    pub(crate) options: OptionsId,
    pub(crate) source: Option<IpAddr>,
    pub(crate) addresses: Vec<IpAddr>,
}

/// The reason why a `wss` URL is not opened.
pub(crate) const NEEDS_TLS: &str = "wss needs TLS: build switchboard with the feature `tls`";

/// The redirections that one attempt follows at most.
const MAX_REDIRECTS: u8 = 5;

impl Connect {
    /// Makes a request for a plain WebSocket at a `ws` URL (RFC 6455 section 3), to be open within
    /// 10 s.
    ///
    /// A user and a password in the URL, percent-encoded, become Basic authorization (RFC 7617),
    /// unless [`header`](Connect::header) adds an `Authorization`. They show in no error and no
    /// `Debug`. A host outside ASCII needs the feature `idn`, and is looked up in its `xn--` form.
    ///
    /// ```
    /// use switchboard::Connect;
    /// # let mut world = switchboard::testing::World::new();
    /// # let zone = world.server.websocket("/", |_, _| {});
    /// let connect = Connect::to("ws://Aladdin:open%20sesame@cave.example/");
    /// assert!(!format!("{connect:?}").contains("sesame"));
    /// let (cave, _id) = world.dial(zone, connect);
    /// let handshake = world.accept(cave);
    /// assert!(handshake.contains("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
    /// ```
    #[must_use]
    pub fn to(url: &str) -> Connect {
        let handshake = parse_text(url).and_then(|(url, authorization)| match url.is_secure() {
            true => Err(NEEDS_TLS),
            false => Ok(ClientHandshake::new(url).authorization(authorization)),
        });
        Connect {
            handshake,
            proxy: None,
            redirects: None,
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

    /// Follows up to 5 redirections (301, 302, 303, 307, 308; default: none), all within the
    /// [`timeout`](Connect::timeout).
    ///
    /// The headers `Authorization` and `Cookie`, and the user of the URL, go to the same scheme,
    /// host and port only. Once they are dropped, they stay so. A redirection from `wss` to `ws`
    /// ends the attempt, as does one more than 5. The schemes `http` and `https` of a `Location`
    /// mean `ws` and `wss`.
    ///
    /// ```
    /// use switchboard::Connect;
    /// # let mut world = switchboard::testing::World::new();
    /// # let zone = world.server.websocket("/", |_, _| {});
    /// world.host("new.example", &["192.0.2.1"]);
    /// let connect = Connect::to("ws://old.example/").header("Cookie", "user=7");
    /// let (old, _id) = world.dial(zone, connect.follow_redirects(true));
    /// world.write(old, "HTTP/1.1 308 Moved\r\nLocation: ws://new.example/feed\r\n\r\n");
    /// let [(_, new)] = world.dialled()[..] else { panic!("one connection") };
    /// world.establish(new);
    /// let handshake = world.accept(new);
    /// assert!(handshake.starts_with("GET /feed HTTP/1.1\r\nHost: new.example\r\n"));
    /// assert!(!handshake.contains("Cookie"));
    /// ```
    #[must_use]
    pub fn follow_redirects(mut self, follow: bool) -> Connect {
        self.redirects = follow.then_some(MAX_REDIRECTS);
        self
    }

    /// Connects through an HTTP proxy, by `CONNECT` (RFC 9110 section 9.3.6), such as
    /// `http://user:password@proxy.example:3128`. The port is 80 if absent. User and password are
    /// percent-encoded, become `Proxy-Authorization`, and show in no error and no `Debug`.
    ///
    /// The proxy looks the server's name up. An answer other than 2xx ends the attempt, and
    /// [`Close::declined`](crate::Close::declined) has it.
    ///
    /// ```
    /// use switchboard::Connect;
    /// # let mut world = switchboard::testing::World::new();
    /// # let zone = world.server.websocket("/", |_, _| {});
    /// let connect = Connect::to("ws://feed.example/").proxy("http://proxy.example:3128");
    /// let (proxy, _id) = world.dial(zone, connect);
    /// let request = world.read(proxy);
    /// assert_eq!(request, b"CONNECT feed.example:80 HTTP/1.1\r\nHost: feed.example:80\r\n\r\n");
    /// world.write(proxy, "HTTP/1.1 200 Connected\r\n\r\n");
    /// assert!(world.accept(proxy).starts_with("GET / HTTP/1.1\r\nHost: feed.example\r\n"));
    /// ```
    #[must_use]
    pub fn proxy(self, url: &str) -> Connect {
        self.through(Proxy::parse(url).map(Some))
    }

    /// Connects through the HTTP proxy that the variable `http_proxy` of the environment names, if
    /// it names one. No other method reads the environment.
    ///
    /// A host that `no_proxy` names is reached directly. That list of names is separated by commas;
    /// each stands for its subdomains too, and `*` for every host. `HTTP_PROXY` is not read: a
    /// request's `Proxy` header sets that variable in a CGI program.
    ///
    /// ```
    /// use switchboard::Connect;
    ///
    /// let connect = Connect::to("ws://feed.example/").proxy_from_environment();
    /// assert!(format!("{connect:?}").contains("feed.example"));
    /// ```
    #[must_use]
    pub fn proxy_from_environment(self) -> Connect {
        let Ok(handshake) = &self.handshake else { return self };
        let url = handshake.url();
        let name = if url.is_secure() { "https_proxy" } else { "http_proxy" };
        let (proxy, without) = (std::env::var(name).ok(), std::env::var("no_proxy").ok());
        let chosen = Proxy::chosen(url, proxy.as_deref(), without.as_deref());
        self.through(chosen)
    }

    fn through(mut self, proxy: Result<Option<Proxy>, &'static str>) -> Connect {
        match proxy {
            Ok(proxy) => self.proxy = proxy.map(Box::new),
            Err(reason) => self.handshake = self.handshake.and(Err(reason)),
        }
        self
    }

    /// Checks whether the request can be sent.
    ///
    /// # Errors
    /// The reason, which every attempt meets again: it is the reason of its
    /// [`Close`](crate::Close).
    ///
    /// ```
    /// use switchboard::Connect;
    ///
    /// assert!(Connect::to("ws://feed.example/").check().is_ok());
    /// let fault = Connect::to("ws://feed.example/#top").check();
    /// assert_eq!(fault, Err("the URL has a fragment"));
    /// ```
    pub fn check(&self) -> Result<(), &'static str> {
        let handshake = self.handshake.as_ref().map_err(|reason| *reason)?;
        handshake.fault().map_or(Ok(()), |fault| Err(fault.as_str()))
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
    /// to one name resolves it once, and hands the addresses to each. With a
    /// [`proxy`](Connect::proxy) they have no effect: the proxy looks the name up.
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
        // The lifetime of the default options does not bound an attempt with options of its own.
        at.arm(ticks(connect.timeout));
        // A failed attempt is reported through `close`, too.
        at.connection.flags.insert(Flags::CLIENT | Flags::OWES_CLOSE);
        let id = at.connection.id;
        let draining = self.draining.map_or(Ok(()), |_| Err("the server is draining"));
        match draining.and(connect.handshake) {
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
                    declining: None,
                };
                let progress = Progress::Connecting(Box::new(attempt));
                at.held().exchange = Some(Box::new(Exchange::of_client(progress)));
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

#[cfg(feature = "deflate")]
fn offer_compression(
    at: &crate::connection::Lease<'_>,
    handshake: ClientHandshake,
) -> ClientHandshake {
    let mut offer = Vec::new();
    crate::websocket::encode_offer(&mut offer, &at.options().deflate);
    handshake.extensions(String::from_utf8_lossy(&offer).into_owned())
}
