//! A WebSocket to be opened from here: what is asked for, and how far the attempt has come. It knows no socket: the server opens it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::clock::ticks;
use super::connection::{Flags, UNCOUNTED};
use super::context::Context;
use super::exchange::{Exchange, Progress, Terms};
use super::id::{ConnId, ZoneId};
use super::options::OptionsId;
use super::phase::Phase;
use crate::http1::{Extensions, Version};
use crate::net::Transport;
use crate::websocket::{ClientHandshake, CloseCode, Key, Url};

/// A WebSocket to be opened by this program, in the client role (RFC 6455 section 4.1); see
/// [`Context::connect`](crate::Context::connect).
///
/// What cannot be sent, such as a malformed URL or header, is heard of through [`Handler::close`](crate::Handler::close), as every other
/// failure is. Redirects are refused, and nothing is tried again by itself.
///
/// ```
/// use std::time::Duration;
/// use switchboard::Connect;
///
/// let connect = Connect::to("ws://127.0.0.1:9001/feed").subprotocols(["feed.v1"]).header("Cookie", "user=7").timeout(Duration::from_secs(3));
/// # let _ = connect;
/// ```
#[derive(Clone, Debug)]
pub struct Connect {
    pub(crate) opening: Result<ClientHandshake, &'static str>,
    pub(crate) timeout: Duration,
    pub(crate) options: OptionsId,
    pub(crate) source: Option<IpAddr>,
}

impl Connect {
    /// A plain WebSocket at a `ws` URL (RFC 6455 section 3), to be open within 10 s.
    pub fn to(url: &str) -> Connect {
        let opening = Url::parse(url).map_err(|malformed| malformed.as_str()).and_then(|url| {
            match url.is_secure() {
                true => Err("wss needs TLS, which is not there yet"),
                false => Ok(ClientHandshake::new(url)),
            }
        });
        Connect {
            opening,
            timeout: Duration::from_secs(10),
            options: OptionsId::default(),
            source: None,
        }
    }

    /// The subprotocols to ask for, best first. Which one was selected, [`Accepted`] tells.
    pub fn subprotocols<S: Into<Cow<'static, str>>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Connect {
        self.opening = self.opening.map(|opening| opening.subprotocols(names));
        self
    }

    /// A further header field, such as `Cookie` or `Authorization`.
    pub fn header(mut self, name: &str, value: &str) -> Connect {
        self.opening = self.opening.map(|opening| opening.header(name, value));
        self
    }

    /// The origin of the page on whose behalf the program acts; only browsers must name one.
    pub fn origin(mut self, origin: &str) -> Connect {
        self.opening = self.opening.map(|opening| opening.origin(origin));
        self
    }

    /// How long it may take until the WebSocket is open, names and handshake included (default 10 s, in steps of 250 ms).
    pub fn timeout(mut self, timeout: Duration) -> Connect {
        self.timeout = timeout;
        self
    }

    /// Options for this WebSocket, registered with [`Context::add_options`](crate::Context::add_options).
    pub fn options(mut self, options: OptionsId) -> Connect {
        self.options = options;
        self
    }

    /// The address of this machine to connect from (default: the kernel's choice). Addresses of the server's that are of the other family are
    /// passed over. An address has as many connections at a time as there are ephemeral ports, some 28,000, whereas those of the kernel's choice
    /// have so many for each address and port that they lead to.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use switchboard::Connect;
    ///
    /// let connect = Connect::to("ws://127.0.0.1:9001/feed").source(Ipv4Addr::new(127, 0, 0, 2));
    /// # let _ = connect;
    /// ```
    pub fn source(mut self, address: impl Into<IpAddr>) -> Connect {
        self.source = Some(address.into());
        self
    }
}

/// What the server agreed to. In [`Handler::open`](crate::Handler::open) of a WebSocket opened from here, the request is our own and its
/// extensions hold this.
///
/// ```
/// use switchboard::{Accepted, Conn, Handler, Request};
///
/// struct Reader;
/// impl Handler for Reader {
///     fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
///         if let Some(accepted) = request.extensions().get::<Accepted>() {
///             println!("{:?} speaks {:?}", conn.id(), accepted.subprotocol);
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The subprotocol that the server selected.
    pub subprotocol: Option<String>,
}

/// An attempt under way.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) opening: ClientHandshake,
    pub(crate) key: Key,
    /// Addresses that have not been tried.
    pub(crate) addresses: VecDeque<SocketAddr>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) step: AttemptState,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptState {
    /// The name is being looked up.
    Resolving,
    /// The socket is being connected.
    Connecting,
    /// The request is sent.
    Asked,
}

impl Context {
    /// Opens a WebSocket in the client role (RFC 6455 section 4.1). Its handler is told `open` and what follows, or `close` if it could not be
    /// opened; never before the current callback has returned. Trying again is for the handler, from `close`.
    ///
    /// A name is looked up on another thread, which ends the loop's wait: a server in a loop of the program's own must have been lent a waker, with
    /// [`Server::remote`](crate::Server::remote).
    ///
    /// With 16.7 million connections open there is no room for another: the name is of nothing then, and nothing is told.
    ///
    /// The peer is not asked for anything that [`Options`](crate::Options) call HTTP's, but its response head has their limits.
    pub fn connect<H: 'static>(&mut self, zone: ZoneId<H>, connect: Connect) -> ConnId {
        let Some(slot) = self.slots.vacant() else { return ConnId::NOBODY };
        self.insert(slot, Transport::Unconnected, UNCOUNTED);
        self.stats.accepted -= 1;
        self.enter(slot, Phase::Connecting);
        self.arm(slot, ticks(connect.timeout));
        let Some(connection) = self.slots.at_mut(slot) else { return ConnId::NOBODY };
        connection.zone = zone.index;
        connection.options = connect.options.0;
        // Failure is heard of through `close`, too.
        connection.flags.insert(Flags::CLIENT | Flags::OPENED);
        let id = connection.id;
        let draining = self.draining.map_or(Ok(()), |_| Err("the server is draining"));
        match draining.and(connect.opening) {
            Ok(opening) => self.attempt(id, opening, connect.source),
            Err(reason) => {
                self.record_close(slot, CloseCode::ABNORMAL, reason, false);
                self.mark_gone(slot);
            }
        }
        id
    }

    fn attempt(&mut self, id: ConnId, opening: ClientHandshake, source: Option<IpAddr>) {
        #[cfg(feature = "deflate")]
        let opening = self.offer_compression(id, opening);
        let key = Key::from_nonce(self.keys.nonce());
        let attempt = Attempt {
            opening,
            key,
            addresses: VecDeque::new(),
            source,
            step: AttemptState::Resolving,
        };
        let exchange = Exchange {
            head: Vec::new(),
            extensions: Extensions::new(),
            entry: usize::MAX,
            terms: Terms { version: Version::Http11, head_only: false, keep_alive: false },
            progress: Progress::Connecting(Box::new(attempt)),
        };
        if let Some(held) = self.held(id.slot()) {
            held.exchange = Some(Box::new(exchange));
        }
        self.connecting.push(id);
    }

    #[cfg(feature = "deflate")]
    fn offer_compression(&self, id: ConnId, opening: ClientHandshake) -> ClientHandshake {
        let Some(connection) = self.live(id) else { return opening };
        let mut offer = Vec::new();
        crate::websocket::encode_offer(&mut offer, &self.options_of(connection).deflate);
        opening.extensions(String::from_utf8_lossy(&offer).into_owned())
    }

    /// The key for the next frame of a connection that must mask (RFC 6455 section 5.3).
    #[inline]
    pub(crate) fn masking_key(&mut self, slot: u32) -> Option<[u8; 4]> {
        let masks =
            self.slots.at(slot).is_some_and(|connection| connection.flags.has(Flags::CLIENT));
        masks.then(|| self.keys.next_key())
    }
}
