//! An attempt to open a WebSocket in the client role, as data: the request to send, the addresses
//! to try, the progress, and the response that did not open the WebSocket. This file opens no
//! socket, and does not know what was wrong with the response.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::StatusCode;

use super::cause::Cause;
use crate::http1::{Chunked, ResponseHead};
#[cfg(feature = "tls")]
use crate::net::ClientTls;
use crate::websocket::{ClientHandshake, Key, Proxy};

/// One attempt under way.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) handshake: ClientHandshake,
    pub(crate) key: Key,
    /// Addresses not tried yet.
    pub(crate) addresses: VecDeque<SocketAddr>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) state: AttemptState,
    /// The redirections that may still be followed; `None` if none is wanted.
    pub(crate) redirects: Option<u8>,
    pub(crate) proxy: Option<Box<Proxy>>,
    /// The roots and sessions of a `wss` URL; `None` for those of the platform.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<ClientTls>,
    /// A response that does not open the WebSocket, while its body arrives.
    pub(crate) declining: Option<Box<Declining>>,
}

impl Attempt {
    /// The host and the port that the socket goes to: the proxy's, or the server's.
    pub(crate) fn dialled(&self) -> (&str, u16) {
        match &self.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (self.handshake.url().host(), self.handshake.url().port()),
        }
    }
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptState {
    /// The name is being looked up.
    Resolving,
    /// The socket is being connected.
    Dialing,
    /// The proxy has been asked for a tunnel.
    Tunnelling,
    /// The TLS handshake is under way.
    #[cfg(feature = "tls")]
    Securing,
    /// The request has been sent.
    Requested,
}

/// Bytes that are kept of the body of a response.
const MAX_BODY: usize = 4 << 10;

/// The response of a server, or of a proxy, that did not open a WebSocket.
///
/// [`Close::declined`](crate::Close::declined) has it, for an attempt of
/// [`Context::connect`](crate::Context::connect) whose server answered in HTTP.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Close, Conn, Connect, Handler};
///
/// #[derive(Default)]
/// struct Reader { wait: Option<u64> }
/// impl Handler for Reader {
///     fn close(&mut self, _conn: &mut Conn<'_>, close: Close<'_>) {
///         let Some(declined) = close.declined else { return };
///         if declined.status() == 503 && declined.body() == b"busy" {
///             self.wait = declined.header("retry-after").and_then(|wait| wait.parse().ok());
///         }
///     }
/// }
///
/// let mut world = World::new();
/// let zone = world.server.zone("/", Reader::default());
/// let (far, _id) = world.dial(zone, Connect::to("ws://feed.example/"));
/// world.write(far, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy");
/// assert_eq!(world.with(zone, |reader, _cx| reader.wait), Some(7));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Declined {
    status: StatusCode,
    headers: Vec<(Box<str>, Box<[u8]>)>,
    body: Vec<u8>,
}

impl Declined {
    /// Returns the status. It is 101 if the server switched protocols in a way that is not right.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the value of the first header of this name, such as `Location`, `Retry-After` or
    /// `WWW-Authenticate`; `None` if it is absent or not UTF-8. Names compare without regard to
    /// case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// Returns the name, as sent, and the value of every header line, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns the beginning of the body, without its transfer coding: at most 4 KiB, and what
    /// arrived within 1 s of the head and within the attempt's deadline.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Shows the names of headers, and no value: a value may be a secret, such as a cookie.
impl fmt::Debug for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("Declined")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body", &self.body.escape_ascii().to_string())
            .finish()
    }
}

/// A response whose body is still to arrive.
#[derive(Debug)]
pub(crate) struct Declining {
    pub(crate) declined: Declined,
    /// What is wrong with the response.
    pub(crate) reason: &'static str,
    pub(crate) cause: Cause,
    rest: Rest,
}

/// The part of the body that is still to arrive (RFC 9112 section 6.3).
#[derive(Debug)]
enum Rest {
    Known(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Declining {
    pub(crate) fn new(response: &ResponseHead<'_>, reason: &'static str) -> Declining {
        let headers = response.headers().map(|(name, value)| (name.into(), value.into()));
        let declined =
            Declined { status: response.status(), headers: headers.collect(), body: Vec::new() };
        let cause = match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => Cause::Violation,
            _ => Cause::Refused,
        };
        Declining { declined, reason, cause, rest: rest_of(response) }
    }

    /// Whether nothing more of the body is kept.
    pub(crate) fn is_done(&self) -> bool {
        self.declined.body.len() == MAX_BODY
            || match &self.rest {
                Rest::Known(rest) => *rest == 0,
                Rest::Chunked(chunked) => chunked.is_done(),
                Rest::UntilClose => false,
            }
    }

    /// Takes the body's part of the input.
    pub(crate) fn take(&mut self, input: &[u8]) {
        let body = &mut self.declined.body;
        match &mut self.rest {
            Rest::Known(rest) => {
                let n = usize::try_from(*rest).map_or(input.len(), |rest| rest.min(input.len()));
                *rest -= n as u64;
                body.extend_from_slice(&input[..n]);
            }
            Rest::Chunked(chunked) => {
                if chunked.decode(input, body, usize::MAX).is_err() {
                    self.rest = Rest::Known(0);
                }
            }
            Rest::UntilClose => body.extend_from_slice(input),
        }
        body.truncate(MAX_BODY);
        body.shrink_to_fit();
    }
}

fn rest_of(response: &ResponseHead<'_>) -> Rest {
    let status = response.status();
    if status.is_informational() || matches!(status.as_u16(), 204 | 304) {
        return Rest::Known(0);
    }
    if let Some(coding) = response.header_values("transfer-encoding").last() {
        return match coding.eq_ignore_ascii_case(b"chunked") {
            true => Rest::Chunked(Chunked::new()),
            false => Rest::UntilClose,
        };
    }
    let mut lens = response.header_values("content-length");
    let Some(len) = lens.next() else { return Rest::UntilClose };
    // A length that has two readings has none.
    let digits = !len.is_empty() && len.iter().all(u8::is_ascii_digit);
    let len = std::str::from_utf8(len).ok().filter(|_| digits && lens.next().is_none());
    Rest::Known(len.and_then(|len| len.parse().ok()).unwrap_or(0))
}
