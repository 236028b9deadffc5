//! The server: zones, connections, and the ways in. It is told of readiness and time; it waits for nothing, so it fits
//! into any loop.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Registry, Token, Waker};

use super::drive::IN_PLACE_A_TURN;
use super::handler::{Handler, Messages, Requests};
use super::zones::{Zone, Zones};
use crate::connection::{
    Conn, Context, Flags, NEVER, Options, Phase, Remote, Reply, SLOTS, TokenKind, UNCOUNTED, ZoneId,
};
use crate::http1::Request;
use crate::net::{Acceptor, Readiness, Resolver, Transport};
use crate::websocket::{Batch, CloseCode, Message};

/// Zones, their handlers and their connections, without a loop of its own.
///
/// Most programs have it inside a [`Reactor`](crate::Reactor). A program with a mio loop of its own makes it from its
/// registry and calls [`handle_event`](Server::handle_event), [`flush`](Server::flush) and
/// [`poll_timeout`](Server::poll_timeout):
///
/// ```no_run
/// use std::io::ErrorKind;
/// use std::time::Instant;
/// use switchboard::{Server, mio};
///
/// let mut poll = mio::Poll::new()?;
/// let mut events = mio::Events::with_capacity(1024);
/// let mut server = Server::new(poll.registry())?;
/// server.websocket("/", |conn, message| conn.send(message));
/// server.listen("127.0.0.1:9001")?;
/// loop {
///     if let Err(error) = poll.poll(&mut events, server.poll_timeout(Instant::now())) {
///         if error.kind() == ErrorKind::Interrupted { continue } // mio hands EINTR on
///         return Err(error);
///     }
///     let now = Instant::now();
///     for event in &events {
///         if server.owns(event.token()) {
///             server.handle_event(event, now);
///         } // else it is one of the program's own
///     }
///     server.flush(now);
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    pub(crate) context: Context,
    pub(crate) zones: Zones,
    pub(crate) lent: Lent,
    pub(crate) listeners: Vec<Option<Acceptor>>,
    /// Listeners at which somebody waits, or still does after one turn's share.
    pub(crate) accepting: VecDeque<u16>,
    /// Connections to be read from in the next turn.
    pub(crate) backlog: Vec<u32>,
    /// Connections whose outbox is to be offered to the kernel, in this turn or a later one.
    pub(crate) writing: VecDeque<u32>,
    pub(crate) limits: Limits,
    pub(crate) registry: Option<Registry>,
    pub(crate) number: usize,
    pub(crate) remote: Remote,
    pub(crate) resolver: Option<Resolver>,
}

/// What belongs to the server and is lent to whoever is being handled.
pub(crate) struct Lent {
    pub(crate) input: Vec<u8>,
    pub(crate) batch: Batch,
    /// Bytes that may still be received in this turn without giving way to others.
    pub(crate) in_place: usize,
    pub(crate) due: Vec<u32>,
    #[cfg(feature = "deflate")]
    pub(crate) inflated: Vec<u8>,
}

/// How many connections there may be.
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) per_address: Option<u32>,
}

/// The read buffer, and so the most that one connection is read from in one turn, but for the rest of a large message.
const READ_BUFFER: usize = 128 << 10;

/// Names a listener of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerId(pub(crate) u16);

static SERVERS: AtomicUsize = AtomicUsize::new(0);

impl Server {
    /// A server whose sockets are registered with a `Poll` of the caller's. One that opens WebSockets by name needs to be lent a
    /// waker, with [`remote`](Server::remote): names are looked up on another thread.
    ///
    /// # Errors
    /// When the registry cannot be cloned.
    pub fn new(registry: &Registry) -> io::Result<Server> {
        let mut server = Server::detached();
        server.registry = Some(registry.try_clone()?);
        Ok(server)
    }

    /// A server with no `Poll` at all: transports are [adopted](Server::adopt) and their readiness is
    /// [told](Server::ready). Simulations run so.
    pub fn detached() -> Server {
        Server {
            context: Context::new(Instant::now()),
            zones: Zones::default(),
            lent: Lent {
                input: vec![0; READ_BUFFER],
                batch: Batch::new(),
                in_place: IN_PLACE_A_TURN,
                due: Vec::new(),
                #[cfg(feature = "deflate")]
                inflated: Vec::new(),
            },
            listeners: Vec::new(),
            accepting: VecDeque::new(),
            backlog: Vec::new(),
            writing: VecDeque::new(),
            limits: Limits { connections: SLOTS as usize, per_address: None },
            registry: None,
            number: SERVERS.fetch_add(1, Ordering::Relaxed),
            remote: Remote::new(),
            resolver: None,
        }
    }

    /// Puts a handler at a prefix, after all zones that are there.
    ///
    /// # Panics
    /// With more than 65,536 handlers, as its siblings do.
    pub fn zone<H: Handler>(&mut self, zone: impl Into<Zone>, handler: H) -> ZoneId<H> {
        ZoneId::new(self.zones.add(vec![zone.into()], Box::new(handler)))
    }

    /// Puts one handler at several prefixes; [`Request::zone`] tells which one matched.
    pub fn zones<H: Handler>(&mut self, zones: &[&str], handler: H) -> ZoneId<H> {
        let zones = zones.iter().map(|&prefix| Zone::new(prefix)).collect();
        ZoneId::new(self.zones.add(zones, Box::new(handler)))
    }

    /// Serves WebSockets at a prefix with a closure that hears their messages.
    pub fn websocket<Z, F>(&mut self, zone: Z, messages: F) -> ZoneId<impl Handler + use<Z, F>>
    where
        Z: Into<Zone>,
        F: FnMut(&mut Conn<'_>, Message<'_>) + 'static,
    {
        self.zone(zone, Messages(messages))
    }

    /// Serves plain HTTP at a prefix with a closure that answers requests, e.g. with a text, a
    /// [`Response`](crate::Response) or a [`Reply`].
    pub fn http<Z, F, R>(&mut self, zone: Z, requests: F) -> ZoneId<impl Handler + use<Z, F, R>>
    where
        Z: Into<Zone>,
        F: FnMut(&mut Conn<'_>, &mut Request<'_>) -> R + 'static,
        R: Into<Reply> + 'static,
    {
        self.zone(zone, Requests(requests))
    }

    /// Sets the options of every connection that no others are named for.
    pub fn options(&mut self, options: Options) {
        self.context.options[0] = options.settled();
        #[cfg(feature = "deflate")]
        self.context.compression.forget(0);
    }

    /// Runs a closure with a zone's handler and the context, between turns. Its output leaves with the next
    /// [`flush`](Server::flush).
    ///
    /// # Panics
    /// With a `ZoneId` of another server.
    pub fn with<H: Handler, R>(
        &mut self,
        zone: ZoneId<H>,
        call: impl FnOnce(&mut H, &mut Context) -> R,
    ) -> R {
        let handler = self.zones.handler_as_any(zone.index).downcast_mut();
        call(handler.expect("a ZoneId of this server"), &mut self.context)
    }

    /// The context, at a time that is not earlier than any it was told before.
    pub fn context(&mut self, now: Instant) -> &mut Context {
        self.context.clock.set(now);
        &mut self.context
    }

    /// A handle for other threads. `waker` ends the wait of the loop that the server is in; an embedding host lends its own, since mio
    /// allows one for each `Poll`, and needs do nothing at its token but go on to [`flush`](Server::flush).
    pub fn remote(&self, waker: Arc<Waker>) -> Remote {
        self.remote.set_waker(waker);
        self.remote.clone()
    }

    /// Takes in a connection. Those with a socket are registered; an in-memory one is told of with
    /// [`ready`](Server::ready).
    ///
    /// # Errors
    /// When the socket cannot be registered, when the server is draining, or when 16.7 million connections are open.
    pub fn adopt(&mut self, transport: impl Into<Transport>, now: Instant) -> io::Result<Token> {
        self.context.clock.set(now);
        let slot = self.take_in(transport.into(), UNCOUNTED)?;
        Ok(TokenKind::Connection(slot).token(self.number))
    }

    /// Whether a token is one of this server's.
    pub fn owns(&self, token: Token) -> bool {
        TokenKind::of(token, self.number).is_some()
    }

    /// Handles one of mio's events.
    pub fn handle_event(&mut self, event: &Event, now: Instant) {
        let readiness = Readiness {
            // An error is found by reading.
            readable: event.is_readable() || event.is_error(),
            writable: event.is_writable(),
            read_closed: event.is_read_closed(),
        };
        self.ready(event.token(), readiness, now);
    }

    /// Tells what has become possible on a transport or a listener. Tokens of others are ignored.
    pub fn ready(&mut self, token: Token, readiness: Readiness, now: Instant) {
        self.context.clock.set(now);
        match TokenKind::of(token, self.number) {
            Some(TokenKind::Connection(slot)) => self.connection_ready(slot, readiness),
            Some(TokenKind::Listener(index)) => self.accept_later(index),
            None => {}
        }
    }

    fn connection_ready(&mut self, slot: u32, readiness: Readiness) {
        // As nearly always: nothing but input, and nothing else to be done.
        if readiness.readable && !readiness.read_closed && self.read_plain(slot) {
            return;
        }
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        if readiness.read_closed {
            connection.flags.insert(Flags::READ_CLOSED);
        }
        let opening = connection.phase == Phase::Connecting;
        if readiness.writable && connection.flags.has(Flags::BLOCKED) {
            self.context.offer(slot);
        }
        if opening {
            return self.opening_ready(slot, readiness);
        }
        if readiness.readable || readiness.read_closed {
            self.read(slot);
        }
    }

    /// How long the loop may wait for events: until the next deadline or timer; not at all while something is left to do.
    pub fn poll_timeout(&self, now: Instant) -> Option<Duration> {
        if self.is_busy() {
            return Some(Duration::ZERO);
        }
        let cx = &self.context;
        let earliest = cx.slots.earliest().min(cx.timeouts.next()).min(cx.spare.look());
        let deadline = (earliest != NEVER).then(|| cx.clock.instant(earliest));
        let retry = self.listeners.iter().flatten().filter_map(Acceptor::retry_at).min();
        // With nobody left there is nothing to wait for.
        let drain = cx.draining.filter(|_| cx.slots.len() > 0).map(|draining| draining.deadline);
        let next = [deadline, cx.timers.next(), retry, drain].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(now))
    }

    fn is_busy(&self) -> bool {
        let cx = &self.context;
        !(self.backlog.is_empty()
            && self.accepting.is_empty()
            && self.writing.is_empty()
            && cx.unread.is_empty()
            && cx.posts.is_empty()
            && cx.dirty.is_empty()
            && cx.ended.is_empty()
            && cx.writable.is_empty()
            && cx.connecting.is_empty()
            && cx.answered.is_empty()
            && cx.calls.is_empty())
            || cx.draining.is_some_and(|draining| cx.slots.chunk(draining.chunk).is_some())
    }

    /// Ends the server in order; see [`Context::drain`].
    pub fn drain(&mut self, code: CloseCode, deadline: Duration) {
        self.context.drain(code, deadline);
    }

    /// Whether a [`drain`](Server::drain) is complete: no connection is left.
    pub fn is_drained(&self) -> bool {
        self.context.draining.is_some() && self.context.slots.len() == 0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.remote.close();
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("context", &self.context).finish_non_exhaustive()
    }
}
