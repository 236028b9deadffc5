//! The events that a server reports to its observer, and their list, bounded for each turn. This
//! file knows no connection: `observing` records refusals and tells them.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::StatusCode;

use crate::context::CaughtPanic;
use crate::http1::request_line;
use crate::net::Transport;

/// The most entries that one turn keeps.
const ENTRIES: usize = 1 << 10;
/// Capacity that stays in the list of entries between turns.
const ENTRIES_KEPT: usize = 64;
/// Bytes of a reason that are kept.
const REASON: usize = 512;

/// An event that the server reports to the closure of
/// [`Server::observe`](crate::Server::observe).
///
/// `Display` makes one line of it, for a log. No byte of a peer can begin a line of its own, or
/// reach a terminal as a control character.
///
/// ```
/// use std::sync::mpsc;
/// use switchboard::Observed;
/// use switchboard::testing::World;
///
/// let (sender, lines) = mpsc::channel();
/// let mut world = World::new();
/// world.server.observe(move |event: &Observed<'_>| drop(sender.send(event.to_string())));
/// world.get("/nowhere");
/// assert_eq!(
///     lines.recv().unwrap(),
///     r#"? refused with 404, no zone answers this path: "GET /nowhere HTTP/1.1""#
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observed<'o> {
    /// The server refused a request or a connection.
    Refused(Refused<'o>),
    /// The server closed a connection before its first request.
    Rejected(Rejected<'o>),
    /// Code of the program panicked, and the server caught it.
    Panicked(Panicked<'o>),
    /// The number of further events of this turn, which were dropped: a turn keeps 1,024.
    Dropped(u64),
}

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
    /// The reason in words, in lower case and without a full stop. At most 512 bytes.
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
///     assert!(matches!(event, Observed::Panicked(_)));
///     assert_eq!(event.to_string(), "? a panic in `request`: \"no page 7\"");
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
    /// `timer`, `remote call` or `with`.
    pub callback: &'static str,
    /// The panic's message. At most 512 bytes are kept, and each that is not printable ASCII is
    /// escaped as in a Rust string.
    pub message: &'o str,
}

impl fmt::Display for Observed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Observed::Refused(refused) => refused.fmt(f),
            Observed::Rejected(rejected) => rejected.fmt(f),
            Observed::Panicked(panicked) => panicked.fmt(f),
            Observed::Dropped(count) => write!(f, "{count} further events were dropped"),
        }
    }
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

impl fmt::Display for Panicked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_peer(f, self.peer, self.client)?;
        write!(f, " a panic in `{}`: \"{}\"", self.callback, self.message)
    }
}

fn write_peer(
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

/// The closure, and the events that wait for it.
pub(super) struct Observer {
    call: Box<dyn FnMut(&Observed<'_>)>,
    entries: Vec<Entry>,
    dropped: u64,
}

/// An event that waits for the observer.
struct Entry {
    peer: Option<SocketAddr>,
    client: Option<IpAddr>,
    reason: Cow<'static, str>,
    /// The status and the request line; `None` for a connection without a request.
    answer: Option<(StatusCode, String)>,
}

impl Observer {
    pub(super) fn new(call: impl FnMut(&Observed<'_>) + 'static) -> Observer {
        Observer { call: Box::new(call), entries: Vec::new(), dropped: 0 }
    }

    /// Records a refusal. `head` holds the first bytes of the request, if any have arrived.
    pub(super) fn record(
        &mut self,
        (peer, client): (Option<SocketAddr>, Option<IpAddr>),
        status: StatusCode,
        reason: Cow<'static, str>,
        head: &[u8],
    ) {
        if self.has_room() {
            let request_line = request_line(head).escape_ascii().to_string();
            let client = client.or(peer.map(|peer| peer.ip().to_canonical()));
            let answer = Some((status, request_line));
            self.entries.push(Entry { peer, client, reason: printable(reason), answer });
        }
    }

    /// Records a connection that was closed before its first request.
    pub(super) fn rejected(
        &mut self,
        (peer, client): (Option<SocketAddr>, Option<IpAddr>),
        reason: Cow<'static, str>,
    ) {
        if self.has_room() {
            let client = client.or(peer.map(|peer| peer.ip().to_canonical()));
            self.entries.push(Entry { peer, client, reason: printable(reason), answer: None });
        }
    }

    /// Whether the turn keeps a further event. One that it does not keep is counted.
    fn has_room(&mut self) -> bool {
        let has_room = self.entries.len() < ENTRIES;
        self.dropped += u64::from(!has_room);
        has_room
    }

    /// Counts events that were not kept.
    pub(super) fn drop_events(&mut self, count: u64) {
        self.dropped += count;
    }

    /// Records a connection that was turned away. `read` holds its first bytes.
    pub(super) fn turned_away(
        &mut self,
        transport: &Transport,
        status: StatusCode,
        reason: &'static str,
        read: &[u8],
    ) {
        // A TLS handshake (RFC 8446 section 5.1) is no request line.
        let line = if read.starts_with(&[22]) { &[] } else { read };
        self.record((transport.peer_addr(), None), status, reason.into(), line);
    }

    /// Reports a panic.
    pub(super) fn panicked(&mut self, panic: CaughtPanic) {
        let CaughtPanic { peer, client, callback, message } = panic;
        let client = client.or(peer.map(|peer| peer.ip().to_canonical()));
        let message = &printable(message.into());
        (self.call)(&Observed::Panicked(Panicked { peer, client, callback, message }));
    }

    /// Calls the closure with each event.
    pub(super) fn tell(&mut self) {
        for Entry { peer, client, reason, answer } in self.entries.drain(..) {
            (self.call)(&match &answer {
                Some((status, request_line)) => Observed::Refused(Refused {
                    peer,
                    client,
                    status: *status,
                    reason: &reason,
                    request_line,
                }),
                None => Observed::Rejected(Rejected { peer, client, reason: &reason }),
            });
        }
        self.entries.shrink_to(ENTRIES_KEPT);
        match std::mem::take(&mut self.dropped) {
            0 => {}
            count => (self.call)(&Observed::Dropped(count)),
        }
    }
}

/// Escapes a reason that holds more than printable ASCII, since it may quote the peer.
fn printable(reason: Cow<'static, str>) -> Cow<'static, str> {
    if reason.bytes().all(|byte| matches!(byte, b' '..=b'~')) && reason.len() <= REASON {
        return reason;
    }
    let reason = &reason.as_bytes()[..reason.len().min(REASON)];
    Cow::Owned(reason.escape_ascii().to_string())
}
