//! What an observer is shown of requests that were answered, and of connections that open and end.
//! This file does not know when that happens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::StatusCode;

use crate::connection::{Cause, Protocol};
use crate::http1::Version;
use crate::websocket::CloseCode;

/// A request whose answer came from a handler, once the last byte of the answer has been given to
/// the kernel. Also one whose answer was cut.
///
/// Each request with a valid head makes one `Answered` or one [`Refused`](crate::Refused). The
/// answers of a connection come in their order. The answer of a WebSocket, an event stream or a
/// takeover is its head: it counts when it has left, and [`Ended`] tells of the rest.
///
/// An access log in the Common Log Format:
///
/// ```
/// use std::time::{SystemTime, UNIX_EPOCH};
/// use switchboard::proto::http1::Date;
/// use switchboard::testing::World;
/// use switchboard::{Answered, Observed};
///
/// fn common(answered: &Answered<'_>, date: &mut Date) -> String {
///     let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
///     let date = String::from_utf8_lossy(date.at(now.as_secs())); // Sun, 06 Nov 1994 08:49:37 GMT
///     let (day, month, year, time) = (&date[5..7], &date[8..11], &date[12..16], &date[17..25]);
///     let Answered { client, method, path, version, status, bytes, .. } = answered;
///     let client = client.map_or("-".to_owned(), |client| client.to_string());
///     let status = status.map_or(499, |status| status.as_u16()); // 499: the client left
///     format!(
///         "{client} - - [{day}/{month}/{year}:{time} +0000] \"{method} {path} {version}\" \
///          {status} {bytes}"
///     )
/// }
///
/// let mut world = World::new();
/// world.server.http("/", |_, _| "hello");
/// let mut date = Date::default();
/// world.server.observe(move |event| {
///     if let Observed::Answered(answered) = event {
///         let line = common(answered, &mut date);
///         assert!(line.starts_with("192.0.2.1 - - ["));
///         assert!(line.contains(" +0000] \"GET /a%20b HTTP/1.1\" 200 "));
///     }
/// });
/// let ada = world.connect_from("192.0.2.1:4711");
/// world.request(ada, "/a%20b?token=secret");
/// assert_eq!(world.answer(ada).text(), "hello");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered<'o> {
    /// The peer's address; `None` if the transport has none.
    pub peer: Option<SocketAddr>,
    /// The client's address: the one that a [trusted proxy](crate::Server::trusted_proxies) names,
    /// else the one of the PROXY header, else the peer's. An IPv4 address in IPv6 form is the IPv4
    /// address.
    pub client: Option<IpAddr>,
    /// The method, at most 32 bytes.
    pub method: &'o str,
    /// The path as the client sent it, without authority and query. It is visible ASCII without
    /// quotes and backslashes. Method and path have 128 bytes at most; a longer path is cut, and
    /// ends with `...`.
    pub path: &'o str,
    /// The version of HTTP that the client speaks.
    pub version: Version,
    /// The status of the answer; `None` if the connection ended before a head was made.
    pub status: Option<StatusCode>,
    /// The bytes of the answer that were given to the kernel, its head and a `100 Continue` among
    /// them. Under TLS the bytes before encryption.
    pub bytes: u64,
    /// The time from the end of the request's head to the last byte that was given to the kernel,
    /// or to the cut. A [detached](crate::Server::detached) server takes the time of its turns,
    /// any other the system's.
    pub time: Duration,
    /// Why the connection ended before the whole answer had left; `None` for a whole answer.
    pub cause: Option<Cause>,
}

/// A connection that was accepted or adopted, or that this program begins to open. One that is
/// turned away at once is [`Refused`](crate::Refused) or [`Rejected`](crate::Rejected) instead.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::Observed;
///
/// let mut world = World::new();
/// world.server.observe(|event| {
///     let Observed::Opened(opened) = event else { return };
///     assert_eq!(opened.to_string(), "192.0.2.1:4711 opened");
/// });
/// world.connect_from("192.0.2.1:4711");
/// world.settle();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// The peer's address; `None` if the transport has none, and in the client role.
    pub peer: Option<SocketAddr>,
    /// Whether this program opens the connection, with
    /// [`Context::connect`](crate::Context::connect).
    pub is_dialled: bool,
}

/// A connection that has ended. Each [`Opened`] makes one.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Cause, CloseCode, Observed, Protocol};
///
/// let mut world = World::new();
/// world.server.websocket("/", |_, _| {});
/// world.server.observe(|event| {
///     let Observed::Ended(ended) = event else { return };
///     assert_eq!((ended.protocol, ended.cause), (Protocol::WebSocket, Cause::PeerClosed));
///     assert_eq!((ended.code, ended.reason), (Some(CloseCode::NORMAL), "bye"));
/// });
/// let ada = world.websocket("/");
/// world.close(ada, CloseCode::NORMAL, "bye");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended<'o> {
    /// The peer's address; `None` if the transport has none.
    pub peer: Option<SocketAddr>,
    /// The client's address, as that of [`Answered`], by the last request.
    pub client: Option<IpAddr>,
    /// Whether this program opened the connection.
    pub is_dialled: bool,
    /// The protocol that the connection spoke last.
    pub protocol: Protocol,
    /// The time since [`Opened`], by the clock of [`Answered::time`].
    pub time: Duration,
    /// Why the connection ended.
    pub cause: Cause,
    /// The close code of a WebSocket, an event stream or a takeover, as in
    /// [`Close::code`](crate::Close::code).
    pub code: Option<CloseCode>,
    /// The reason of the Close frame, or the server's own, such as a fault of TLS; empty if there
    /// is none. At most 512 bytes are kept, and each that is not printable ASCII is
    /// escaped.
    pub reason: &'o str,
}

impl fmt::Display for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_peer(f, self.peer, self.client)?;
        let Answered { method, path, version, bytes, time, .. } = self;
        match self.status {
            Some(status) => write!(f, " answered with {}", status.as_u16())?,
            None => f.write_str(" not answered")?,
        }
        match self.cause {
            Some(cause) => write!(f, ", cut after {bytes} bytes and {time:.1?}, {cause}")?,
            None => write!(f, ", {bytes} bytes in {time:.1?}")?,
        }
        write!(f, ": \"{method} {path} {version}\"")
    }
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_dialled {
            true => f.write_str("this program opens a connection"),
            false => {
                write_peer(f, self.peer, None)?;
                f.write_str(" opened")
            }
        }
    }
}

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_peer(f, self.peer, self.client)?;
        let Ended { protocol, time, cause, reason, .. } = self;
        write!(f, " ended after {time:.1?}, {protocol}, {cause}")?;
        match (self.code, *reason) {
            (None, "") => Ok(()),
            (None, reason) => write!(f, ": {reason}"),
            (Some(code), "") => write!(f, ": {code}"),
            (Some(code), reason) => write!(f, ": {code} {reason}"),
        }
    }
}

pub(super) fn write_peer(
    f: &mut fmt::Formatter<'_>,
    peer: Option<SocketAddr>,
    client: Option<IpAddr>,
) -> fmt::Result {
    match (client, peer) {
        (Some(client), Some(peer)) if client != peer.ip().to_canonical() => {
            write!(f, "{client} through {peer}")
        }
        (_, Some(peer)) => write!(f, "{peer}"),
        (Some(client), None) => write!(f, "{client}"),
        (None, None) => f.write_str("?"),
    }
}
