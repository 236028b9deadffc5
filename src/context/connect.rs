//! Holds a program's request for a WebSocket in the client role. This file begins no attempt:
//! context/connecting.rs does.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use crate::connection::OptionsId;
#[cfg(feature = "tls")]
use crate::net::{ClientTls, NO_NAME, server_name};
use crate::websocket::{ClientHandshake, Proxy, Url, parse_text};

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
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<ClientTls>,
}

/// Checks that this build can open a URL: one with `wss` needs TLS, and a host that a certificate
/// can name.
#[cfg(feature = "tls")]
pub(crate) fn may_open(url: &Url) -> Result<(), &'static str> {
    match !url.is_secure() || server_name(url.host()).is_some() {
        true => Ok(()),
        false => Err(NO_NAME),
    }
}

/// Checks that this build can open a URL: one with `wss` needs TLS.
#[cfg(not(feature = "tls"))]
pub(crate) fn may_open(url: &Url) -> Result<(), &'static str> {
    match url.is_secure() {
        true => Err("wss needs TLS: build switchboard with the feature `tls`"),
        false => Ok(()),
    }
}

/// The redirections that one attempt follows at most.
const MAX_REDIRECTS: u8 = 5;

impl Connect {
    /// Makes a request for a WebSocket at a `ws` or `wss` URL (RFC 6455 section 3), to be open
    /// within 10 s.
    ///
    /// A `wss` URL goes through TLS, and needs the feature `tls`. The server must prove the URL's
    /// host, a name or an address, by a certificate of an authority that the platform trusts, or
    /// that [`tls`](Connect::tls) gives.
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
        let handshake = parse_text(url).and_then(|(url, authorization)| {
            may_open(&url)?;
            Ok(ClientHandshake::new(url).authorization(authorization))
        });
        Connect {
            handshake,
            proxy: None,
            redirects: None,
            timeout: Duration::from_secs(10),
            options: OptionsId::default(),
            source: None,
            addresses: Vec::new(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sets the certificate authorities that the server's certificate may come from (default:
    /// [those of the platform](ClientTls::platform)), and the sessions to resume.
    ///
    /// It has an effect on `wss` URLs, and on a redirection to one. Certificates cannot be left
    /// unchecked, except by a verifier of the program's own in a `rustls::ClientConfig`. A failure
    /// of TLS ends the attempt: the reason of [`Close`](crate::Close) names the host and the
    /// failure.
    ///
    /// ```
    /// use switchboard::{ClientTls, Connect};
    ///
    /// fn to_the_lab(roots: &str) -> std::io::Result<Connect> {
    ///     let tls = ClientTls::from_pem_file(roots)?;
    ///     Ok(Connect::to("wss://lab.example/feed").tls(tls))
    /// }
    /// assert!(to_the_lab("no/such/roots.pem").is_err());
    /// ```
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn tls(mut self, tls: impl Into<ClientTls>) -> Connect {
        self.tls = Some(tls.into());
        self
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
    /// The proxy looks the server's name up. For a `wss` URL, TLS runs through the tunnel, from
    /// this program to the server. An answer other than 2xx ends the attempt, and
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

    /// Connects through the HTTP proxy that the environment names, if it names one: in the variable
    /// `http_proxy` for a `ws` URL, and in `https_proxy` for a `wss` URL. No other method reads
    /// the environment.
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
