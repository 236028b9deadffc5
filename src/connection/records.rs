//! What the server notes for an observer: the events of this turn, the connections that are open,
//! and the answers under way. Without an observer there are no records, and nothing is noted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use http::StatusCode;

use super::answers::{Answering, Answers};
use super::cause::Cause;
use super::clock::Clock;
use super::recorded::{End, Event, Events, Origin, Protocol, printable};
use crate::http1::{Request, request_line};
use crate::websocket::CloseCode;

/// Connections for which room stays.
const KEPT: usize = 256;

/// The records of a server.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) events: Events,
    connections: HashMap<u32, Known>,
    /// Times are the system's, not those of a clock that is moved by hand.
    is_real: bool,
}

/// What is known of a connection. The kernel forgets the address of a peer that has left.
#[derive(Debug)]
struct Known {
    origin: Origin,
    since: Instant,
    protocol: Protocol,
    is_dialled: bool,
    /// The observer was told of its beginning, and will be of its end.
    was_opened: bool,
    answers: Answers,
    close: Option<Box<(Option<CloseCode>, Cow<'static, str>)>>,
}

impl Records {
    pub(crate) fn new(is_real: bool) -> Records {
        Records { events: Events::default(), connections: HashMap::new(), is_real }
    }

    /// The time. A callback may have run for long since the turn began.
    fn now(&self, clock: &Clock) -> Instant {
        time(self.is_real, clock)
    }

    /// Notes a refusal. `head` holds the first bytes of the request, if any have arrived.
    pub(crate) fn refused(
        &mut self,
        origin: Origin,
        status: StatusCode,
        reason: impl Into<Cow<'static, str>>,
        head: &[u8],
    ) {
        self.events.add(|| {
            let request_line = request_line(head).escape_ascii().to_string();
            (origin, Event::Refused { status, reason: printable(reason.into()), request_line })
        });
    }

    /// Notes that the answer under way is the server's refusal.
    pub(crate) fn refuse_answer(&mut self, slot: u32) {
        let known = self.connections.get_mut(&slot);
        if let Some(answer) = known.and_then(|known| known.answers.current()) {
            answer.is_refused = true;
        }
    }

    /// Notes a panic of a callback.
    pub(crate) fn panicked(&mut self, origin: Origin, callback: &'static str, message: String) {
        self.events.add(|| {
            let message = printable(message.into());
            (origin, Event::Panicked { callback, message })
        });
    }

    /// Notes a connection that ends before its first request.
    pub(crate) fn rejected(&mut self, origin: Origin, reason: impl Into<Cow<'static, str>>) {
        self.events.add(|| (origin, Event::Rejected { reason: printable(reason.into()) }));
    }

    /// Notes a connection that was turned away. `read` holds its first bytes.
    pub(crate) fn turned_away(
        &mut self,
        peer: Option<SocketAddr>,
        (status, reason): (StatusCode, &'static str),
        read: &[u8],
    ) {
        // A TLS handshake (RFC 8446 section 5.1) is no request line.
        let line = if read.starts_with(&[22]) { &[] } else { read };
        self.refused(Origin::new(peer, None), status, reason, line);
    }

    /// Returns the peer of a connection, if it is known.
    pub(crate) fn peer(&self, slot: u32) -> Option<SocketAddr> {
        self.connections.get(&slot)?.origin.peer
    }

    /// Notes the client that a PROXY header names.
    pub(crate) fn names_client(&mut self, slot: u32, client: Option<IpAddr>) {
        if let Some(known) = self.connections.get_mut(&slot) {
            known.origin = Origin::new(known.origin.peer, client);
        }
    }

    /// Notes the address of the peer that an attempt has reached.
    pub(crate) fn reached(&mut self, slot: u32, peer: Option<SocketAddr>) {
        if let Some(known) = self.connections.get_mut(&slot) {
            known.origin = Origin::new(peer, None);
        }
    }

    /// Notes the protocol that a connection goes on with.
    pub(crate) fn speaks(&mut self, slot: u32, protocol: Protocol) {
        if let Some(known) = self.connections.get_mut(&slot) {
            known.protocol = protocol;
            known.close = None;
        }
    }

    /// Notes the code and the reason of an end. The first reason stays.
    pub(crate) fn closed(&mut self, slot: u32, code: Option<CloseCode>, reason: &str) {
        if let Some(known) = self.connections.get_mut(&slot) {
            let first = || Box::new((code, printable(reason.to_owned().into())));
            let close = known.close.get_or_insert_with(first);
            close.0 = close.0.or(code);
        }
    }

    /// Begins the answer to a request, where `waiting` bytes of output wait.
    pub(crate) fn begin(
        &mut self,
        (slot, peer): (u32, impl FnOnce() -> Option<SocketAddr>),
        client: Option<IpAddr>,
        request: &Request<'_>,
        (waiting, clock): (usize, &Clock),
    ) {
        let now = self.now(clock);
        let known = self.connections.entry(slot).or_insert_with(|| Known {
            origin: Origin::new(peer(), None),
            since: now,
            protocol: Protocol::Http,
            is_dialled: false,
            was_opened: false,
            answers: Answers::default(),
            close: None,
        });
        known.origin = Origin::new(known.origin.peer, client);
        let answer = Answering::new(request, known.origin.client, now);
        known.answers.begin(answer, waiting);
    }

    /// Notes the status of the answer under way.
    pub(crate) fn status(&mut self, slot: u32, status: StatusCode) {
        let known = self.connections.get_mut(&slot);
        if let Some(answer) = known.and_then(|known| known.answers.current()) {
            answer.status = Some(status);
        }
    }

    /// Ends the answer under way, where `waiting` bytes of output wait.
    pub(crate) fn end(&mut self, slot: u32, waiting: usize, clock: &Clock) {
        if let Some(known) = self.connections.get_mut(&slot) {
            known.answers.end(waiting);
            answered(&mut self.events, known, (self.is_real, clock));
        }
    }

    /// Notes that bytes of a connection's output have left.
    pub(super) fn left(&mut self, slot: u32, n: u64, clock: &Clock) {
        if let Some(known) = self.connections.get_mut(&slot) {
            known.answers.left(n);
            answered(&mut self.events, known, (self.is_real, clock));
        }
    }

    /// Notes a connection that was accepted or adopted, or that this program opens.
    pub(crate) fn opened(
        &mut self,
        slot: u32,
        peer: Option<SocketAddr>,
        (is_dialled, protocol): (bool, Protocol),
        clock: &Clock,
    ) {
        let now = self.now(clock);
        let origin = Origin::new(peer, None);
        self.events.add(|| (origin, Event::Opened { is_dialled }));
        let known = Known {
            origin,
            since: now,
            protocol,
            is_dialled,
            was_opened: true,
            answers: Answers::default(),
            close: None,
        };
        self.connections.insert(slot, known);
    }

    /// Notes the end of a connection, and of the answers that it cuts.
    pub(crate) fn ended(&mut self, slot: u32, cause: Cause, clock: &Clock) {
        let now = self.now(clock);
        let Some(known) = self.connections.remove(&slot) else { return };
        // At most a quarter of the table is in use: the ends before pay for what is moved.
        if self.connections.capacity() > KEPT
            && self.connections.len() < self.connections.capacity() / 4
        {
            self.connections.shrink_to(KEPT.max(self.connections.len() * 2));
        }
        let Known { origin, since, protocol, is_dialled, was_opened, answers, close } = known;
        for answer in answers.cut().filter(|answer| !answer.is_refused) {
            tell(&mut self.events, origin.peer, (answer, Some(cause)), now);
        }
        if !was_opened {
            return;
        }
        self.events.add(|| {
            let (code, reason) = close.map_or((None, Cow::Borrowed("")), |close| *close);
            let time = now.saturating_duration_since(since);
            (
                origin,
                Event::Ended(Box::new(End { is_dialled, protocol, time, cause, code, reason })),
            )
        });
    }

    /// Notes that the server fails a WebSocket.
    pub(super) fn violated(&mut self, slot: u32, code: CloseCode, reason: &'static str) {
        if let Some(known) = self.connections.get(&slot) {
            let reason = reason.into();
            self.events.add(|| (known.origin, Event::Violated { code, reason }));
        }
    }
}

/// The system's time, or that of a clock that is moved by hand.
fn time(is_real: bool, clock: &Clock) -> Instant {
    if is_real { Instant::now() } else { clock.now() }
}

/// Tells of the answers whose last byte has left.
fn answered(events: &mut Events, known: &mut Known, (is_real, clock): (bool, &Clock)) {
    while let Some(answer) = known.answers.pop_left() {
        if !answer.is_refused {
            tell(events, known.origin.peer, (answer, None), time(is_real, clock));
        }
    }
}

fn tell(
    events: &mut Events,
    peer: Option<SocketAddr>,
    (answer, cause): (Box<Answering>, Option<Cause>),
    now: Instant,
) {
    events.add(|| {
        let origin = Origin { peer, client: answer.client };
        let time = now.saturating_duration_since(answer.began);
        (origin, Event::Answered { answer, time, cause })
    });
}
