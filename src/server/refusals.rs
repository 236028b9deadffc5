//! What an observer is shown of what goes wrong: refused requests and connections, WebSockets that
//! fail, and panics. This file does not know when that happens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::StatusCode;

use super::access::write_peer;
use crate::websocket::CloseCode;

/// A request that the server answered in place of a handler, or a connection that it turned away.
///
/// ```
/// use switchboard::http::StatusCode;
/// use switchboard::testing::World;
/// use switchboard::Observed;
///
/// let mut world = World::new();
/// world.server.observe(|event| {
///     let Observed::Refused(refused) = event else { return };
///     assert_eq!(refused.status, StatusCode::BAD_REQUEST);
///     assert_eq!(refused.reason, "a NUL or another control character in the head");
///     assert_eq!(refused.request_line, r"GET /\x1b[2J HTTP/1.1");
///     assert_eq!(refused.peer, None); // a transport in memory has no address
/// });
/// let ada = world.connect();
/// world.push(ada, "GET /\x1b[2J HTTP/1.1\r\nHost: example.com\r\n\r\n");
/// assert_eq!(world.answer(ada).status, 400);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused<'o> {
    /// The peer's address; `None` if the transport has none, or if the peer has left already.
    pub peer: Option<SocketAddr>,
    /// The client's address: the one that a [trusted proxy](crate::Server::trusted_proxies) names,
    /// else the peer's. An IPv4 address in IPv6 form is the IPv4 address.
    pub client: Option<IpAddr>,
    /// The status of the answer, 400 to 599.
    pub status: StatusCode,
    /// The reason in words, in lower case and without a full stop.
    pub reason: &'o str,
    /// At most 128 bytes of the request line, as far as it has arrived. Each byte that is not
    /// printable ASCII, each quote and each backslash is escaped as in a Rust string, so that the
    /// text has up to 512 bytes. The line is the peer's: its query may hold a secret.
    pub request_line: &'o str,
}

/// A connection that the server closed before its first request: its PROXY header or its TLS
/// handshake is at fault, or did not come in time. Also one under TLS that is beyond a limit. There
/// is no request to answer.
///
/// ```
/// use switchboard::{Observed, Rejected};
///
/// fn log(event: &Observed<'_>) {
///     if let Observed::Rejected(Rejected { peer, reason, .. }) = event {
///         eprintln!("{peer:?}: {reason}");
///     }
/// }
/// switchboard::Server::detached().observe(log);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected<'o> {
    /// The peer's address; `None` if the transport has none, or if the peer has left already.
    pub peer: Option<SocketAddr>,
    /// The client's address: the one in the PROXY header, else the peer's.
    pub client: Option<IpAddr>,
    /// The reason in words, in lower case and without a full stop. At most 512 bytes are kept, and
    /// each that is not printable ASCII is escaped.
    pub reason: &'o str,
}

/// A WebSocket that the server fails for a fault of its peer (RFC 6455 section 7.1.7). The end of
/// the connection follows as [`Ended`](crate::Ended).
///
/// Faults of HTTP are [`Refused`].
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{CloseCode, Observed};
///
/// let mut world = World::new();
/// world.server.websocket("/", |_, _| {});
/// world.server.observe(|event| {
///     let Observed::Violated(violated) = event else { return };
///     assert_eq!(violated.code, CloseCode::PROTOCOL);
///     assert_eq!(violated.to_string(), "? failed with 1002, frame from a client is not masked");
/// });
/// let ada = world.websocket("/");
/// world.write(ada, [0x81, 0x01, b'x']);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violated<'o> {
    /// The peer's address; `None` if the transport has none.
    pub peer: Option<SocketAddr>,
    /// The client's address, as that of [`Answered`](crate::Answered).
    pub client: Option<IpAddr>,
    /// The code of the Close frame: 1002, 1007 or 1009 for a violation of the protocol, 1008 for
    /// input beyond a rate, 1013 for a reader that is too slow.
    pub code: CloseCode,
    /// The reason in words, in lower case and without a full stop.
    pub reason: &'o str,
}

/// A panic that [`Server::catch_panics`](crate::Server::catch_panics) caught.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::Observed;
///
/// let mut world = World::new();
/// world.server.catch_panics(true);
/// world.server.http("/", |_, _| -> &str { panic!("no page {}", 7) });
/// world.server.observe(|event| {
///     if let Observed::Panicked(panicked) = event {
///         assert_eq!(panicked.to_string(), "? a panic in `request`: \"no page 7\"");
///     }
/// });
/// assert_eq!(world.get("/").status, 500);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Panicked<'o> {
    /// The peer's address, for a callback of an exchange; `None` if the transport has none.
    pub peer: Option<SocketAddr>,
    /// The client's address: the one that a proxy names, else the peer's.
    pub client: Option<IpAddr>,
    /// Where the panic came from: the name of a method of [`Handler`](crate::Handler), or `call`,
    /// `timer`, `watch`, `remote call` or `with`.
    pub callback: &'static str,
    /// The panic's message. At most 512 bytes are kept, and each that is not printable ASCII is
    /// escaped as in a Rust string.
    pub message: &'o str,
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_peer(f, self.peer, self.client)?;
        let Refused { status, reason, request_line, .. } = self;
        write!(f, " refused with {}, {reason}: \"{request_line}\"", status.as_u16())
    }
}

impl fmt::Display for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_peer(f, self.peer, self.client)?;
        write!(f, " rejected, {}", self.reason)
    }
}

impl fmt::Display for Violated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_peer(f, self.peer, self.client)?;
        write!(f, " failed with {}, {}", self.code, self.reason)
    }
}

impl fmt::Display for Panicked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_peer(f, self.peer, self.client)?;
        write!(f, " a panic in `{}`: \"{}\"", self.callback, self.message)
    }
}
