//! The server: zones, connections and limits. A loop passes readiness and time in. The server never
//! waits, so it fits into any loop.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mio::{Registry, Waker};

use super::buffer_pool::BufferPool;
use super::handler::{Handler, Messages, Requests};
use super::hosts::Hosts;
use super::observer::Observer;
use super::proxies::Proxies;
use super::served::Served;
use super::turn_budget::TurnBudget;
use super::zone::Zone;
use super::zones::Zones;
use crate::connection::{Cause, ConnId, NUMBERS, Options, SLOTS, ZoneId};
use crate::context::{Conn, Context, Link, Remote, Reply, TimerId};
use crate::history::Store;
use crate::http1::Request;
use crate::net::{Acceptor, Arrival, Resolver, Scripted};
use crate::websocket::{Batch, CloseCode, Message};

/// Zones, their handlers and their connections, without a loop of its own.
///
/// Most programs have a server inside a [`Reactor`](crate::Reactor). A server holds up to 65,536
/// handlers, 4,096 listeners and 16.7 million connections.
///
/// ```
/// use switchboard::Server;
/// use switchboard::testing::World;
///
/// let mut server = Server::detached();
/// server.http("/hello", |_conn, _request| "hello");
/// server.websocket("/echo", |conn, message| conn.send(message));
///
/// let mut world = World::over(server);
/// assert_eq!(world.get("/hello").text(), "hello");
/// let ada = world.websocket("/echo");
/// world.say(ada, "are you there");
/// assert_eq!(world.hear(ada), ["are you there"]);
/// ```
///
/// A program with a mio loop of its own makes a server from its registry, and calls
/// [`handle_event`](Server::handle_event), [`flush`](Server::flush) and
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
///         if error.kind() == ErrorKind::Interrupted { continue } // mio returns EINTR
///         return Err(error);
///     }
///     let now = Instant::now();
///     for event in &events {
///         if server.owns(event.token()) {
///             server.handle_event(event, now);
///         } // else the event is one of the program's own
///     }
///     server.flush(now);
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    pub(super) context: Context,
    pub(super) zones: Zones,
    pub(super) hosts: Hosts,
    pub(super) proxies: Option<Box<Proxies>>,
    pub(super) lent: Lent,
    pub(super) work: ServerWork,
    /// Whether the last wait of the loop may have left events behind.
    pub(super) leaves_events: bool,
    /// When the next turn is due, while turns are measured.
    pub(super) due: Option<Instant>,
    pub(super) turn_budget: Option<Box<TurnBudget>>,
    pub(super) listeners: Vec<Option<Acceptor>>,
    /// What connections of closed listeners have to do before their first request.
    pub(super) arrivals: Vec<Arrival>,
    pub(super) limits: Limits,
    /// Buffers of large messages, for reuse.
    pub(super) buffer_pool: BufferPool,
    pub(super) registry: Option<Rc<Registry>>,
    pub(super) number: usize,
    /// The number whose tokens the server handles: its own, or no server's once it is poisoned.
    pub(super) heeded: usize,
    pub(super) remote: Remote,
    /// The place in a cluster.
    pub(super) link: Option<Box<Link>>,
    pub(super) resolver: Option<Resolver>,
    pub(super) observer: Option<Box<Observer>>,
    /// What keeps messages elsewhere, by number.
    pub(super) stores: Vec<Box<dyn Store>>,
    /// Attempts in the client role with more than one address.
    pub(super) races: HashMap<ConnId, Race>,
    /// Names and sockets of a simulation.
    pub(crate) scripted: Option<Scripted>,
}

/// Buffers that the server lends to the connection that is being handled.
pub(super) struct Lent {
    pub(super) input: Vec<u8>,
    pub(super) batch: Batch,
    /// Bytes of large messages that this turn may still read.
    pub(super) large_left: usize,
    pub(super) due: Vec<u32>,
    #[cfg(feature = "deflate")]
    pub(super) inflated: Vec<u8>,
}

/// Lists that a later part of the turn, or the next turn, goes through.
#[derive(Default)]
pub(super) struct ServerWork {
    /// Listeners at which connections wait, some since the last turn.
    pub(super) accepting: VecDeque<u16>,
    /// Connections whose next step towards their first request waits, in order of arrival, each
    /// with the tick since which it waits.
    pub(super) arriving: VecDeque<(u32, u32)>,
    /// Connections to read from in the next turn.
    pub(super) backlog: Vec<u32>,
    /// Connections whose outbox is to be offered to the kernel, in this turn or a later one.
    pub(super) writing: VecDeque<u32>,
}

impl ServerWork {
    /// Whether no list has an entry. A list that is not named here does not compile.
    pub(super) fn is_empty(&self) -> bool {
        let ServerWork { accepting, arriving, backlog, writing } = self;
        accepting.is_empty() && arriving.is_empty() && backlog.is_empty() && writing.is_empty()
    }
}

/// The most connections that may be open.
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) per_address: Option<u32>,
    /// How long the steps of arriving connections may hold one turn.
    pub(super) handshake_budget: Duration,
}

/// The length of the read buffer: the most that one turn reads from one connection, but for large
/// messages.
const READ_BUFFER: usize = 128 << 10;

/// Bytes of large messages that one turn reads before it gives way to other connections, some ten
/// milliseconds' worth. A message that is begun in one turn and ended in a later one has left the
/// cache by then.
pub(super) const LARGE_PER_TURN: usize = 32 << 20;

/// How long handshakes hold a turn by default: some 16 of ECDSA P-256, or 3 of RSA-2048.
const HANDSHAKE_BUDGET: Duration = Duration::from_millis(4);

static SERVERS: AtomicUsize = AtomicUsize::new(0);

/// The race of an attempt with several addresses.
#[derive(Debug, Default)]
pub(super) struct Race {
    /// The slots of the rivals: sockets beside the one in the attempt's own slot.
    pub(super) rivals: Vec<u32>,
    /// A rival whose connection stands.
    pub(super) winner: Option<u32>,
    /// When the next address is due, while one is left.
    pub(super) next: Option<(TimerId, Instant)>,
}

impl Server {
    /// Makes a server whose sockets are registered with the caller's `Poll`. A server that opens
    /// WebSockets by name also needs a waker, through [`remote`](Server::remote): another thread
    /// looks names up.
    ///
    /// # Errors
    /// When the registry cannot be cloned.
    pub fn new(registry: &Registry) -> io::Result<Server> {
        let mut server = Server::detached();
        let registry = Rc::new(registry.try_clone()?);
        server.context.watches.attach(Rc::clone(&registry), server.number);
        server.registry = Some(registry);
        Ok(server)
    }

    /// Makes a server without a `Poll`, for simulations. The caller [adopts](Server::adopt)
    /// transports and passes their readiness to [`ready`](Server::ready).
    #[must_use]
    pub fn detached() -> Server {
        let number = SERVERS.fetch_add(1, Ordering::Relaxed) & NUMBERS;
        Server {
            context: Context::new(Instant::now()),
            zones: Zones::default(),
            hosts: Hosts::default(),
            proxies: None,
            lent: Lent {
                input: vec![0; READ_BUFFER],
                batch: Batch::new(),
                large_left: LARGE_PER_TURN,
                due: Vec::new(),
                #[cfg(feature = "deflate")]
                inflated: Vec::new(),
            },
            work: ServerWork::default(),
            leaves_events: false,
            due: None,
            turn_budget: None,
            listeners: Vec::new(),
            arrivals: Vec::new(),
            limits: Limits {
                connections: SLOTS as usize,
                per_address: None,
                handshake_budget: HANDSHAKE_BUDGET,
            },
            buffer_pool: BufferPool::new(),
            registry: None,
            number,
            heeded: number,
            remote: Remote::new(),
            link: None,
            resolver: None,
            observer: None,
            stores: Vec::new(),
            races: HashMap::new(),
            scripted: None,
        }
    }

    /// Puts a handler at a prefix, after all zones that are there. Requests go through the zones in
    /// this order.
    ///
    /// # Panics
    /// With more than 65,536 handlers. `zones`, `websocket` and `http` panic alike.
    pub fn zone<H: Handler>(&mut self, zone: impl Into<Zone>, handler: H) -> ZoneId<H> {
        ZoneId::new(self.add_handler(vec![zone.into()], Box::new(handler)))
    }

    /// Puts one handler at several prefixes. [`Request::zone`] returns the one that matched.
    ///
    /// ```
    /// use switchboard::{Conn, Handler, Reply, Request, Server};
    ///
    /// struct Chat;
    /// impl Handler for Chat {
    ///     fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
    ///         if request.zone() == "/ws" { Reply::Pass } else { "a page".into() }
    ///     }
    /// }
    /// Server::detached().zones(["/ws", "/events"], Chat);
    /// ```
    ///
    /// # Panics
    /// As [`zone`](Server::zone).
    pub fn zones<H: Handler>(
        &mut self,
        zones: impl IntoIterator<Item = impl Into<Zone>>,
        handler: H,
    ) -> ZoneId<H> {
        let zones = zones.into_iter().map(Into::into).collect();
        ZoneId::new(self.add_handler(zones, Box::new(handler)))
    }

    /// Serves WebSockets at a prefix with a closure that takes their messages.
    pub fn websocket<Z, F>(&mut self, zone: Z, messages: F) -> ZoneId<impl Handler + use<Z, F>>
    where
        Z: Into<Zone>,
        F: FnMut(&mut Conn<'_>, Message<'_>) + 'static,
    {
        self.zone(zone, Messages(messages))
    }

    /// Serves plain HTTP at a prefix with a closure that returns a text, a
    /// [`Response`](crate::Response) or another [`Reply`].
    ///
    /// WebSocket handshakes are passed on to the next zone, without a call of the closure. A
    /// closure that guards WebSockets, or upgrades them, needs [`Zone::upgrades`].
    ///
    /// A closure has no other callbacks. If it returns [`Reply::Body`], the client gets 404. If it
    /// returns [`Reply::Stream`], the response never ends. Implement [`Handler`] for these.
    pub fn http<Z, F, R>(&mut self, zone: Z, requests: F) -> ZoneId<impl Handler + use<Z, F, R>>
    where
        Z: Into<Zone>,
        F: FnMut(&mut Conn<'_>, &mut Request<'_>) -> R + 'static,
        R: Into<Reply> + 'static,
    {
        self.zone(zone.into().or_upgrades(false), Requests(requests))
    }

    /// Sets the default options. They hold for HTTP, and for every WebSocket or event stream that
    /// names no other [`OptionsId`](crate::OptionsId). Their
    /// [`write_timeout`](Options::write_timeout) also becomes an option of the sockets that
    /// [listeners](crate::Listener) accept from then on.
    ///
    /// A further set is registered with
    /// [`Context::add_options`](crate::Context::add_options):
    /// `server.context(Instant::now()).add_options(options)`.
    pub fn options(&mut self, options: Options) {
        self.context.table.books.options[0] = options.settled();
        self.limit_unacknowledged();
        #[cfg(feature = "deflate")]
        self.context.delivery.shared_contexts.forget(0);
    }

    /// Returns the context, and sets its time, which must not be earlier than any time passed
    /// before. No output of a [poisoned](Server::is_poisoned) server leaves.
    pub fn context(&mut self, now: Instant) -> &mut Context {
        self.context.table.books.clock.set_between_turns(now);
        self.context.end_history_turn();
        &mut self.context
    }

    /// Returns a handle for other threads. `waker` ends the wait of the loop around the server.
    ///
    /// A program with its own loop passes its own waker, since mio allows one for each `Poll`. At
    /// the waker's token the program only goes on to [`flush`](Server::flush).
    pub fn remote(&self, waker: Arc<Waker>) -> Remote {
        self.remote.set_waker(waker);
        if self.link.is_some() {
            // What other reactors have sent before found nothing to wake.
            self.remote.wake();
        }
        self.remote.clone()
    }

    /// Makes a callback of the handler that a connection's exchange belongs to.
    #[inline]
    pub(super) fn tell<R>(
        &mut self,
        slot: u32,
        call: impl FnOnce(&mut dyn Served, &mut Conn<'_>) -> R,
    ) -> Option<R> {
        let connection = self.context.table.slots.at(slot)?;
        let (id, zone) = (connection.id, connection.zone);
        Some(call(self.zones.handlers.at(zone), &mut Conn { cx: &mut self.context, id }))
    }

    /// Runs a callback whose output for this connection leaves in one write.
    pub(super) fn call_back<R>(&mut self, slot: u32, call: impl FnOnce(&mut Server) -> R) {
        self.context.begin_input(slot);
        call(self);
        self.context.end_input(slot);
    }

    /// Fails a connection, with a code and a reason for its peer, and a cause.
    pub(super) fn fail(&mut self, slot: u32, end: (CloseCode, &'static str), cause: Cause) {
        if let Some((mut at, delivery)) = self.context.lease(slot) {
            delivery.fail(&mut at, end, cause);
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("context", &self.context).finish_non_exhaustive()
    }
}
