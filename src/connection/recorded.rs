//! Events that wait for the observer until the end of the turn, and their list, which is bounded.
//! This file does not know what an observer is shown of them.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::StatusCode;

use super::answers::Answering;
use super::cause::Cause;
use crate::websocket::CloseCode;

/// The most events that one turn keeps.
const EVENTS: usize = 1 << 10;
/// Capacity that stays in the list between turns.
const EVENTS_KEPT: usize = 64;
/// Bytes of a reason that are kept.
const REASON: usize = 512;

/// The protocol that a connection speaks, or has spoken last.
///
/// ```
/// use switchboard::Protocol;
///
/// assert_eq!(Protocol::EventStream.to_string(), "event stream");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// None yet: a PROXY header, a TLS handshake or an attempt of this program was under way.
    Opening,
    /// HTTP/1.1 or HTTP/1.0.
    Http,
    /// WebSocket (RFC 6455), from the 101 on.
    WebSocket,
    /// An event stream, from the head of its answer on.
    EventStream,
    /// The handler's own protocol, after [`Reply::Takeover`](crate::Reply::Takeover).
    Takeover,
}

impl Protocol {
    /// Returns the name in lower case: `opening`, `http`, `websocket`, `event stream`, `takeover`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Opening => "opening",
            Protocol::Http => "http",
            Protocol::WebSocket => "websocket",
            Protocol::EventStream => "event stream",
            Protocol::Takeover => "takeover",
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The addresses of an event: the socket's peer, and the client behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) client: Option<IpAddr>,
}

impl Origin {
    /// The peer is the client, unless another one is known.
    pub(crate) fn new(peer: Option<SocketAddr>, client: Option<IpAddr>) -> Origin {
        Origin { peer, client: client.or(peer.map(|peer| peer.ip().to_canonical())) }
    }
}

/// An event that waits for the observer.
#[derive(Debug)]
pub(crate) enum Event {
    Refused { status: StatusCode, reason: Cow<'static, str>, request_line: String },
    Rejected { reason: Cow<'static, str> },
    Answered { answer: Box<Answering>, time: Duration, cause: Option<Cause> },
    Opened { is_dialled: bool },
    Violated { code: CloseCode, reason: Cow<'static, str> },
    Panicked { callback: &'static str, message: Cow<'static, str> },
    Ended(Box<End>),
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) is_dialled: bool,
    pub(crate) protocol: Protocol,
    pub(crate) time: Duration,
    pub(crate) cause: Cause,
    pub(crate) code: Option<CloseCode>,
    pub(crate) reason: Cow<'static, str>,
}

/// The events of a turn.
#[derive(Debug, Default)]
pub(crate) struct Events {
    list: Vec<(Origin, Event)>,
    dropped: u64,
}

impl Events {
    /// Whether the turn has no event.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds an event. One that the turn does not keep is made by no one, and counted.
    pub(crate) fn add(&mut self, make: impl FnOnce() -> (Origin, Event)) {
        if self.list.len() < EVENTS {
            self.list.push(make());
        } else {
            self.dropped += 1;
        }
    }

    /// Hands all events over, and returns how many were dropped.
    pub(crate) fn take(&mut self, mut tell: impl FnMut(Origin, Event)) -> u64 {
        self.list.drain(..).for_each(|(origin, event)| tell(origin, event));
        self.list.shrink_to(EVENTS_KEPT);
        std::mem::take(&mut self.dropped)
    }
}

/// Escapes a reason that holds more than printable ASCII, since it may quote the peer, and cuts it.
pub(crate) fn printable(reason: Cow<'static, str>) -> Cow<'static, str> {
    if reason.bytes().all(|byte| matches!(byte, b' '..=b'~')) && reason.len() <= REASON {
        return reason;
    }
    let reason = &reason.as_bytes()[..reason.len().min(REASON)];
    Cow::Owned(reason.escape_ascii().to_string())
}
