//! The events that a server reports to its observer, and how the observer is called. This file
//! knows no connection: connection/records.rs notes events, and `observing` has them told.

use std::fmt;

use super::access::{Answered, Ended, Opened};
use super::refusals::{Panicked, Refused, Rejected, Violated};
use crate::connection::{Event, Origin, Records};

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
/// let lines: Vec<String> = lines.try_iter().collect();
/// assert_eq!(
///     lines,
///     [
///         "? opened",
///         r#"? refused with 404, no zone answers this path: "GET /nowhere HTTP/1.1""#,
///         "? ended after 0.0ns, http, the peer ended its side",
///     ]
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observed<'o> {
    /// The server took in a connection, or begins to open one.
    Opened(Opened),
    /// The answer to a request has left, or was cut.
    Answered(Answered<'o>),
    /// The server refused a request or a connection.
    Refused(Refused<'o>),
    /// The server closed a connection before its first request.
    Rejected(Rejected<'o>),
    /// The server fails a WebSocket for a fault of its peer.
    Violated(Violated<'o>),
    /// Code of the program panicked, and the server caught it.
    Panicked(Panicked<'o>),
    /// A connection has ended.
    Ended(Ended<'o>),
    /// The number of further events of this turn, which were dropped: a turn keeps 1,024.
    Dropped(u64),
}

impl Observed<'_> {
    /// Whether something was turned down or lost: [`Refused`](Observed::Refused),
    /// [`Rejected`](Observed::Rejected), [`Violated`](Observed::Violated),
    /// [`Panicked`](Observed::Panicked) and [`Dropped`](Observed::Dropped). A program that logs
    /// faults alone asks for these.
    ///
    /// ```
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.observe(|event| {
    ///     if event.is_refusal() {
    ///         assert!(event.to_string().contains("refused with 404"));
    ///     }
    /// });
    /// world.get("/nowhere");
    /// ```
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Observed::Refused(_)
            | Observed::Rejected(_)
            | Observed::Violated(_)
            | Observed::Panicked(_)
            | Observed::Dropped(_) => true,
            Observed::Opened(_) | Observed::Answered(_) | Observed::Ended(_) => false,
        }
    }
}

impl fmt::Display for Observed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Observed::Opened(opened) => opened.fmt(f),
            Observed::Answered(answered) => answered.fmt(f),
            Observed::Refused(refused) => refused.fmt(f),
            Observed::Rejected(rejected) => rejected.fmt(f),
            Observed::Violated(violated) => violated.fmt(f),
            Observed::Panicked(panicked) => panicked.fmt(f),
            Observed::Ended(ended) => ended.fmt(f),
            Observed::Dropped(count) => write!(f, "{count} further events were dropped"),
        }
    }
}

/// The closure.
pub(super) struct Observer(Box<dyn FnMut(&Observed<'_>)>);

impl Observer {
    pub(super) fn new(call: impl FnMut(&Observed<'_>) + 'static) -> Observer {
        Observer(Box::new(call))
    }

    /// Calls the closure with each event.
    pub(super) fn tell(&mut self, records: &mut Records) {
        match records.events.take(|origin, event| tell(&mut self.0, origin, &event)) {
            0 => {}
            count => (self.0)(&Observed::Dropped(count)),
        }
    }
}

fn tell(call: &mut dyn FnMut(&Observed<'_>), Origin { peer, client }: Origin, event: &Event) {
    call(&match event {
        Event::Opened { is_dialled } => Observed::Opened(Opened { peer, is_dialled: *is_dialled }),
        Event::Answered { answer, time, cause } => Observed::Answered(Answered {
            peer,
            client,
            method: answer.method(),
            path: answer.path(),
            version: answer.version,
            status: answer.status,
            bytes: answer.bytes,
            time: *time,
            cause: *cause,
        }),
        Event::Refused { status, reason, request_line } => {
            Observed::Refused(Refused { peer, client, status: *status, reason, request_line })
        }
        Event::Rejected { reason } => Observed::Rejected(Rejected { peer, client, reason }),
        Event::Violated { code, reason } => {
            Observed::Violated(Violated { peer, client, code: *code, reason })
        }
        Event::Panicked { callback, message } => {
            Observed::Panicked(Panicked { peer, client, callback, message })
        }
        Event::Ended(end) => Observed::Ended(Ended {
            peer,
            client,
            is_dialled: end.is_dialled,
            protocol: end.protocol,
            time: end.time,
            cause: end.cause,
            code: end.code,
            reason: &end.reason,
        }),
    });
}
