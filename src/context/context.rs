//! Everything that a handler may touch: connections, topics, timers, and lists of work to do after
//! the callback. A context never calls a handler.

use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::draining::Draining;
use super::elsewhere::Elsewhere;
use super::following::Following;
use super::origins::AllowedOrigins;
use super::reply::Upgrade;
use super::stores::Stores;
use super::timeouts::Timeouts;
use super::timer::{Action, Due, TimerId, Timers};
use super::topics::Topics;
use super::watch::{Leave, Watches};
use crate::connection::{
    Addresses, Clock, ConnId, Flags, Lease, Options, OptionsId, Phase, Stats, Table, ZoneId,
};
use crate::delivery::Delivery;
use crate::history::{Keeper, StoreReply};
use crate::http1::{Request, RequestError, Response};
use crate::net::Readiness;
use crate::presence::{Presences, RosterSeat};
use crate::websocket::Origins;

/// All that a handler may touch: connections, topics, timers.
///
/// A handler reaches it through [`Conn::context`](crate::Conn::context); between turns, a program
/// reaches it through [`Server::context`](crate::Server::context). No method fails, blocks or calls
/// a handler; [`drain`](Context::drain) checks its argument.
///
/// ```
/// use std::time::Instant;
/// use switchboard::Server;
///
/// let mut server = Server::detached();
/// let cx = server.context(Instant::now());
/// cx.publish("news", "no subscriber yet");
/// assert_eq!(cx.subscribers("news"), 0);
/// ```
pub struct Context {
    pub(crate) table: Table,
    pub(crate) delivery: Delivery,
    pub(crate) topics: Topics,
    /// Connections that lag behind the history of their topics.
    pub(crate) following: Following,
    pub(crate) timers: Timers<Call, Repeat>,
    pub(crate) timeouts: Timeouts,
    pub(crate) work: ContextWork,
    pub(crate) draining: Option<Box<Draining>>,
    /// Decides the order in which a drain ends connections; by chance if unset.
    pub(crate) drain_seed: Option<u64>,
    pub(crate) origins: AllowedOrigins,
    /// Addresses that a limit counts, and clients behind trusted proxies.
    pub(crate) addresses: Addresses,
    /// Counts panics in the `Drop` of values that a request carried.
    pub(crate) drop_panics: Rc<Cell<u64>>,
    /// The other reactors of a cluster, and what is published for them.
    pub(crate) elsewhere: Option<Box<Elsewhere>>,
    /// Which users are at which topics, from the first join on.
    pub(crate) presence: Option<Box<Presences>>,
    /// The place at the roster of a cluster.
    pub(crate) roster_seat: Option<RosterSeat>,
    /// The messages that topics keep, once the first topic does.
    pub(crate) histories: Option<Keeper>,
    /// Topics whose messages a store keeps.
    pub(crate) stores: Option<Box<Stores<StoreCall>>>,
    /// Whether there is, or has been, `histories`, `stores` or `presence`. Followers and long
    /// polls need one of the first two. So one test keeps all their lists off the path of a turn
    /// that needs none.
    pub(crate) has_extras: bool,
    /// Sources of the program's own.
    pub(crate) watches: Watches<dyn Watched>,
}

/// A closure for one zone's handler, run between events.
pub(crate) type Call = Box<dyn FnOnce(&mut dyn Any, &mut Context)>;
/// A closure for one zone's handler that is told the answer of a store.
pub(crate) type StoreCall = Box<dyn FnOnce(&mut dyn Any, &mut Context, StoreReply)>;
/// The closure of a repeating timer.
pub(crate) type Repeat = Box<dyn FnMut(&mut dyn Any, &mut Context)>;

/// A source of the program's own and its closure, of any type.
pub(crate) trait Watched: Leave {
    fn call(&mut self, handler: &mut dyn Any, cx: &mut Context, readiness: Readiness);
}

/// Lists of work for zones and exchanges, which `flush` performs.
#[derive(Default)]
pub(crate) struct ContextWork {
    pub(crate) answered: Vec<(ConnId, Answer)>,
    pub(crate) calls: VecDeque<(u16, Call)>,
    pub(crate) connecting: Vec<ConnId>,
    /// Attempts one of whose addresses is connected, or whose next address is due.
    pub(crate) racing: Vec<ConnId>,
}

impl ContextWork {
    /// Whether no list has an entry. A list that is not named here does not compile.
    pub(crate) fn is_empty(&self) -> bool {
        let ContextWork { answered, calls, connecting, racing } = self;
        answered.is_empty() && calls.is_empty() && connecting.is_empty() && racing.is_empty()
    }
}

/// A deferred answer, recorded until `flush` performs it.
#[derive(Debug)]
pub(crate) enum Answer {
    Respond(Response),
    Upgrade(Upgrade),
}

impl Context {
    pub(crate) fn new(now: Instant) -> Context {
        Context {
            table: Table::new(Clock::new(now)),
            delivery: Delivery::default(),
            topics: Topics::default(),
            following: Following::default(),
            timers: Timers::default(),
            timeouts: Timeouts::default(),
            work: ContextWork::default(),
            draining: None,
            drain_seed: None,
            origins: AllowedOrigins::default(),
            addresses: Addresses::default(),
            drop_panics: Rc::default(),
            elsewhere: None,
            presence: None,
            roster_seat: None,
            histories: None,
            stores: None,
            has_extras: false,
            watches: Watches::default(),
        }
    }

    /// Returns the time of the turn. The clock is read once a turn, so this costs nothing.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.table.books.clock.now()
    }

    /// Runs a closure with a zone's handler, after the current callback and before the turn ends.
    ///
    /// ```
    /// use std::time::Instant;
    /// use switchboard::{Handler, Server};
    ///
    /// struct Log(Vec<String>);
    /// impl Handler for Log {}
    ///
    /// let now = Instant::now();
    /// let mut server = Server::detached();
    /// let log = server.zone("/log", Log(Vec::new()));
    /// server.context(now).call(log, |log, _cx| log.0.push("called".into()));
    /// server.flush(now);
    /// assert_eq!(server.with(log, now, |log, _cx| log.0.len()), 1);
    /// ```
    pub fn call<H: 'static>(
        &mut self,
        zone: ZoneId<H>,
        call: impl FnOnce(&mut H, &mut Context) + 'static,
    ) {
        self.work.calls.push_back((zone.index, typed(call)));
    }

    /// Runs a closure with a zone's handler once `delay` has passed. Timers are exact to the turn.
    pub fn after<H: 'static>(
        &mut self,
        zone: ZoneId<H>,
        delay: Duration,
        call: impl FnOnce(&mut H, &mut Context) + 'static,
    ) -> TimerId {
        let at = self.later(delay);
        self.timers.once(at, zone.index, typed(call))
    }

    /// Runs a closure with a zone's handler every `period` (at least 1 ms), first after one period.
    /// Periods that pass while the loop is busy are skipped, not made up for.
    pub fn every<H: 'static>(
        &mut self,
        zone: ZoneId<H>,
        period: Duration,
        mut call: impl FnMut(&mut H, &mut Context) + 'static,
    ) -> TimerId {
        let first = self.later(period);
        let call = Box::new(move |handler: &mut dyn Any, cx: &mut Context| {
            if let Some(handler) = handler.downcast_mut() {
                call(handler, cx);
            }
        });
        self.timers.every(first, period, zone.index, call)
    }

    /// Cancels a timer. For a one-shot timer that has run, this does nothing.
    pub fn cancel(&mut self, timer: TimerId) {
        self.timers.cancel(timer);
    }

    /// Answers a request that was deferred with [`Reply::Later`](crate::Reply::Later).
    ///
    /// The first of several answers counts. A late answer, after
    /// [`Options::answer_timeout`](crate::Options::answer_timeout) or after the peer has left, does
    /// nothing.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Conn, ConnId, Handler, Reply, Request};
    ///
    /// #[derive(Default)]
    /// struct Slow { waiting: Option<ConnId> }
    /// impl Handler for Slow {
    ///     fn request(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
    ///         self.waiting = Some(conn.id());
    ///         Reply::Later
    ///     }
    /// }
    ///
    /// let mut world = World::new();
    /// let zone = world.server.zone("/", Slow::default());
    /// let ada = world.connect();
    /// world.request(ada, "/");
    /// assert!(world.try_answer(ada).is_none());
    /// let id = world.with(zone, |slow, _cx| slow.waiting.take()).unwrap();
    /// world.context().respond(id, "done");
    /// assert_eq!(world.answer(ada).text(), "done");
    /// ```
    pub fn respond(&mut self, id: ConnId, response: impl Into<Response>) {
        self.answer(id, Answer::Respond(response.into()));
    }

    /// Upgrades a request that was deferred with [`Reply::Later`](crate::Reply::Later) to a
    /// WebSocket. A late call does nothing, as with [`respond`](Context::respond).
    pub fn upgrade(&mut self, id: ConnId, upgrade: Upgrade) {
        self.answer(id, Answer::Upgrade(upgrade));
    }

    fn answer(&mut self, id: ConnId, answer: Answer) {
        // Why a late answer does nothing: `live` finds an exchange by its own name, and an exchange
        // that has ended has given its name up. server/reply.rs checks this again, in `answer`.
        let driven = self.table.books.lane.is_driven(id.slot());
        // A handler may answer from within `request`, before its `Reply::Later` is performed.
        if self.table.live(id).is_some_and(|live| live.phase == Phase::Deferred || driven) {
            self.work.answered.push((id, answer));
        }
    }

    /// Registers a further set of options, for an [`Upgrade`], an
    /// [`EventStream`](crate::EventStream) or a [`Connect`](crate::Connect).
    ///
    /// There is room for 65,535 sets. Beyond that, this returns the name of the default set.
    pub fn add_options(&mut self, options: Options) -> OptionsId {
        let sets = &mut self.table.books.options;
        match u16::try_from(sets.len()) {
            Ok(number) => {
                sets.push(options.settled());
                OptionsId(number)
            }
            Err(_) => OptionsId::default(),
        }
    }

    /// Returns the server's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.table.stats();
        stats.panics += self.drop_panics.get();
        if let Some(histories) = &self.histories {
            histories.write_to(&mut stats);
        }
        if let Some(stores) = &self.stores {
            stores.write_to(&mut stats);
        }
        stats
    }

    /// Returns an instant in the future, even for a duration that no clock can hold.
    pub(crate) fn later(&self, delay: Duration) -> Instant {
        let now = self.now();
        now.checked_add(delay).unwrap_or_else(|| now + Duration::from_secs(u32::MAX.into()))
    }

    /// Judges the `Origin` of a request as that of a WebSocket: by the host of the request and by
    /// [`Server::origins`](crate::Server::origins). The lists of zones do not count.
    ///
    /// A browser does not tell a page why its WebSocket was refused. A page that asks a zone of its
    /// server by POST learns it. A handler of other requests that change something keeps foreign
    /// pages out with the same check: browsers send `Origin` with every POST.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// use switchboard::testing::World;
    /// use switchboard::{Reply, Response};
    ///
    /// let mut world = World::new(); // requests name the host example.com
    /// world.server.http("/why", |conn, request| match conn.context().check_origin(request) {
    ///     Ok(()) => Reply::from(Response::new(204)),
    ///     Err(refusal) => refusal.into(),
    /// });
    /// let mut ask = |origin: &str| world.fetch(Request::post("/why").header("Origin", origin));
    /// assert_eq!(ask("https://example.com").status, 204);
    /// let refused = ask("https://evil.example");
    /// assert_eq!(refused.status, 403);
    /// assert!(refused.text().contains("allow it with Server::origins \"https://evil.example\""));
    /// ```
    ///
    /// # Errors
    /// The answer that a WebSocket would get: 403 with a text that names the Origin, the Host and
    /// what to do. A request without `Origin` is accepted.
    pub fn check_origin(&self, request: &Request<'_>) -> Result<(), Response> {
        self.origins
            .check(request, &Origins::SameHost)
            .map_err(|text| Response::from(RequestError::OriginRefused).body(text.into_bytes()))
    }

    /// Lends the connection in a slot, together with the delivery, which takes its output.
    #[inline]
    pub(crate) fn lease(&mut self, slot: u32) -> Option<(Lease<'_>, &mut Delivery)> {
        Some((self.table.lease(slot)?, &mut self.delivery))
    }

    /// Begins a callback or a piece of input for a connection.
    pub(crate) fn begin_input(&mut self, slot: u32) {
        if let Some((mut at, delivery)) = self.lease(slot) {
            delivery.begin_input(&mut at);
        }
    }

    /// Ends what `begin_input` began: output leaves in one write.
    pub(crate) fn end_input(&mut self, slot: u32) {
        self.delivery.end_input(&mut self.table, slot);
    }

    /// Ends an exchange: its topics and its timeout are removed. The next exchange gets another
    /// name, so a late use of the old name does nothing.
    pub(crate) fn end_exchange(&mut self, slot: u32) {
        let Some(Lease { connection, books, .. }) = self.table.lease(slot) else { return };
        let ended = connection.id;
        connection.id = books.next_id(slot);
        connection.flags.remove(Flags::WANT_WRITABLE | Flags::RELEASED);
        self.topics.leave_all(&mut connection.memberships);
        if connection.flags.has(Flags::FOLLOWING) {
            connection.flags.remove(Flags::FOLLOWING);
            self.following.remove(slot);
        }
        self.addresses.end_exchange(&mut connection.address);
        if let Some(held) = &mut connection.held {
            held.exchange = None;
        }
        self.timeouts.clear(slot);
        if self.presence.is_some() {
            self.end_presence(ended);
        }
    }
}

fn typed<H: 'static>(call: impl FnOnce(&mut H, &mut Context) + 'static) -> Call {
    Box::new(move |handler, cx| {
        if let Some(handler) = handler.downcast_mut() {
            call(handler, cx);
        }
    })
}

impl Due<Call, Repeat> {
    /// Runs the timer with its zone's handler.
    pub(crate) fn run(&mut self, handler: &mut dyn Any, cx: &mut Context) {
        // A repeating timer keeps its closure, also if the closure panics.
        if let Some(call) = self.repeating() {
            call(handler, cx);
        } else if let Action::Once(call) = self.take() {
            call(handler, cx);
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
