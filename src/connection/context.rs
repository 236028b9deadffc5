//! Everything that a handler may touch, in one place: connections, topics, timers and the lists of what is to be done
//! when the handler has returned. It never calls a handler.

use std::any::Any;
use std::collections::VecDeque;
use std::hash::RandomState;
use std::time::{Duration, Instant};

use super::clock::Clock;
#[cfg(feature = "deflate")]
use super::compression::Compression;
use super::conn::Conn;
use super::connection::{Connection, Flags, Held};
use super::delivery::Frames;
use super::gathered::Gathered;
use super::id::{ConnId, ZoneId};
use super::limits::Addresses;
use super::options::{Options, OptionsId};
use super::outbox::Outbox;
use super::outgoing::Outgoing;
use super::phase::Phase;
use super::posts::Posts;
use super::reply::Upgrade;
use super::slots::Slots;
use super::spare::Spare;
use super::stats::Stats;
use super::timeouts::Timeouts;
use super::timer::{Call, TimerId, Timers};
use super::topics::{NONE, Topics};
use crate::http1::Response;
use crate::net::Transport;
use crate::websocket::{CloseCode, MaskingKeys};

/// All that a handler may touch: connections, topics, timers.
///
/// A handler has it through [`Conn::context`]; between turns, a program has it through
/// [`Server::context`](crate::Server::context). Nothing here fails, blocks or calls a handler.
///
/// ```
/// use std::time::Instant;
/// use switchboard::Server;
///
/// let mut server = Server::detached();
/// let cx = server.context(Instant::now());
/// cx.publish("news", "nobody listens yet");
/// assert_eq!(cx.subscribers("news"), 0);
/// ```
pub struct Context {
    pub(crate) clock: Clock,
    pub(crate) slots: Slots,
    pub(crate) options: Vec<Options>,
    pub(crate) topics: Topics,
    pub(crate) timers: Timers,
    pub(crate) timeouts: Timeouts,
    pub(crate) addresses: Addresses,
    #[cfg(feature = "deflate")]
    pub(crate) compression: Compression,
    pub(crate) stats: Stats,
    /// The outbox of the connection whose input is being handled.
    pub(crate) cork: Outbox,
    /// Frames of the same connection, while they are all that it has; they go into the cork when anything else follows.
    pub(super) run: Gathered,
    /// That connection, or [`NOBODY`].
    pub(crate) corked: u32,
    /// Its name, while it is an open WebSocket whose input and output are nothing but plain whole messages: then sending one is writing a
    /// frame into the run. `drive` finds out; any change of a phase, any other output and the end of the cork end it.
    pub(crate) plain: ConnId,
    /// More of what arrived with the message that is being handled is still to be handled: output is best gathered.
    pub(crate) more_input: bool,
    /// The connection whose handler is being called, corked or not.
    pub(crate) driven: u32,
    /// Where small frames are gathered for one write.
    pub(crate) scratch: Vec<u8>,
    /// Boxes to be used again: it is the allocations that are pooled.
    #[expect(clippy::vec_box)]
    pub(crate) pool: Vec<Box<Held>>,
    /// How many were needed in this turn: so many may be there for the next one.
    needed: usize,
    /// Memory of large messages to be used again.
    pub(crate) spare: Spare,
    /// Makes numbers of message keys, differently in each server.
    pub(crate) hasher: RandomState,
    /// For what is sent in the client role.
    pub(crate) keys: MaskingKeys,
    exchanges: u64,

    // What flush will do.
    pub(crate) posts: Posts,
    pub(crate) dirty: Vec<u32>,
    pub(crate) ended: Vec<u32>,
    pub(crate) unread: Vec<u32>,
    pub(crate) writable: Vec<u32>,
    pub(crate) connecting: Vec<ConnId>,
    pub(crate) answered: Vec<(ConnId, Answer)>,
    pub(crate) calls: VecDeque<(u16, Call)>,
    pub(crate) draining: Option<Draining>,
}

/// Boxes that are kept whatever a turn needs, and however many it needs.
const POOLED: usize = 1 << 5;
const POOLED_AT_MOST: usize = 1 << 14;

/// No slot.
pub(crate) const NOBODY: u32 = u32::MAX;

/// A deferred answer, recorded until `flush` performs it.
#[derive(Debug)]
pub(crate) enum Answer {
    Respond(Response),
    Upgrade(Upgrade),
}

/// The server is ending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draining {
    pub(crate) code: CloseCode,
    pub(crate) deadline: Instant,
    /// The next chunk of connections to be told.
    pub(crate) chunk: usize,
}

impl Context {
    pub(crate) fn new(now: Instant) -> Context {
        Context {
            clock: Clock::new(now),
            slots: Slots::new(),
            options: vec![Options::default()],
            topics: Topics::default(),
            timers: Timers::default(),
            timeouts: Timeouts::default(),
            addresses: Addresses::default(),
            #[cfg(feature = "deflate")]
            compression: Compression::default(),
            stats: Stats::default(),
            cork: Outbox::default(),
            run: Gathered::default(),
            corked: NOBODY,
            plain: ConnId::NOBODY,
            more_input: false,
            driven: NOBODY,
            scratch: Vec::new(),
            pool: Vec::new(),
            needed: 0,
            spare: Spare::new(),
            hasher: RandomState::new(),
            keys: MaskingKeys::new(),
            exchanges: 0,
            posts: Posts::default(),
            dirty: Vec::new(),
            ended: Vec::new(),
            unread: Vec::new(),
            writable: Vec::new(),
            connecting: Vec::new(),
            answered: Vec::new(),
            calls: VecDeque::new(),
            draining: None,
        }
    }

    /// The turn's time: read once a turn, so asking costs nothing.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// A connection by its name, while its exchange lasts.
    pub fn conn(&mut self, id: ConnId) -> Option<Conn<'_>> {
        self.live(id)?;
        Some(Conn { cx: self, id })
    }

    /// Sends a message to a WebSocket or an event stream. An exchange that has ended hears nothing.
    pub fn send<'m>(&mut self, id: ConnId, message: impl Into<Outgoing<'m>>) {
        if let Some(mut conn) = self.conn(id) {
            conn.send(message);
        }
    }

    /// Sends a message to every WebSocket and event stream that subscribed to a topic. It is encoded once for each of the two
    /// kinds; what a slow receiver has waiting is a pointer to it.
    pub fn publish<'m>(&mut self, topic: &str, message: impl Into<Outgoing<'m>>) {
        self.publish_except(topic, message.into(), NOBODY);
    }

    pub(crate) fn publish_except(&mut self, topic: &str, message: Outgoing<'_>, except: u32) {
        let key = self.key(message.key.unwrap_or(topic));
        let Some((topic, members)) = self.topics.lend(topic) else { return };
        let mut frames = Frames::new(message, key);
        for member in &members {
            if member.slot != except && !self.post(member.slot, &mut frames) {
                self.deliver(member.slot, &mut frames);
            }
        }
        self.topics.give_back((topic, members));
    }

    /// How many connections are subscribed to a topic, exactly.
    pub fn subscribers(&self, topic: &str) -> usize {
        self.topics.count(topic)
    }

    /// Runs a closure with a zone's handler, after the current callback and before the turn ends.
    pub fn call<H: 'static>(
        &mut self,
        zone: ZoneId<H>,
        call: impl FnOnce(&mut H, &mut Context) + 'static,
    ) {
        self.calls.push_back((zone.index, typed(call)));
    }

    /// Runs a closure with a zone's handler once `delay` has passed.
    pub fn after<H: 'static>(
        &mut self,
        zone: ZoneId<H>,
        delay: Duration,
        call: impl FnOnce(&mut H, &mut Context) + 'static,
    ) -> TimerId {
        let at = self.later(delay);
        self.timers.once(at, zone.index, typed(call))
    }

    /// Runs a closure with a zone's handler every `period` (at least 1 ms), the first time after one. Periods during which
    /// the loop was busy are skipped, not made up for.
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

    /// Forgets a timer.
    pub fn cancel(&mut self, timer: TimerId) {
        self.timers.cancel(timer);
    }

    /// Answers a request that was answered [`Reply::Later`](crate::Reply::Later). Of several answers the first counts.
    pub fn respond(&mut self, id: ConnId, response: impl Into<Response>) {
        self.answer(id, Answer::Respond(response.into()));
    }

    /// Upgrades a request that was answered [`Reply::Later`](crate::Reply::Later).
    pub fn upgrade(&mut self, id: ConnId, upgrade: Upgrade) {
        self.answer(id, Answer::Upgrade(upgrade));
    }

    fn answer(&mut self, id: ConnId, answer: Answer) {
        if self.live(id).is_some_and(|connection| connection.phase == Phase::Deferred)
            || (self.driven == id.slot() && self.live(id).is_some())
        {
            self.answered.push((id, answer));
        }
    }

    /// Registers a further set of options, to be named in an [`Upgrade`] or an [`EventStream`](crate::EventStream). There is
    /// room for 65,535 sets; beyond that the default set is named.
    pub fn add_options(&mut self, options: Options) -> OptionsId {
        match u16::try_from(self.options.len()) {
            Ok(number) => {
                self.options.push(options.settled());
                OptionsId(number)
            }
            Err(_) => OptionsId::default(),
        }
    }

    /// Ends the server in order: no connection is accepted any more, WebSockets are closed with `code`, requests in progress
    /// are answered and their connections closed; what is left at the deadline is dropped. Then
    /// [`Reactor::run`](crate::Reactor::run) returns.
    pub fn drain(&mut self, code: CloseCode, deadline: Duration) {
        let deadline = self.later(deadline);
        if self.draining.is_none() {
            self.draining = Some(Draining { code, deadline, chunk: 0 });
        }
    }

    /// The server's counters.
    pub fn stats(&self) -> Stats {
        Stats { connections: self.slots.len(), ..self.stats }
    }

    /// An instant in the future, even for a duration that no clock can hold.
    fn later(&self, delay: Duration) -> Instant {
        let now = self.now();
        now.checked_add(delay).unwrap_or_else(|| now + Duration::from_secs(u32::MAX.into()))
    }

    /// The connection of an exchange that has not ended.
    pub(crate) fn live(&self, id: ConnId) -> Option<&Connection> {
        let connection = self.slots.at(id.slot())?;
        (connection.id == id && !connection.flags.has(Flags::GONE)).then_some(connection)
    }

    pub(crate) fn options_of(&self, connection: &Connection) -> &Options {
        &self.options[usize::from(connection.options)]
    }

    /// Takes in a new connection.
    pub(crate) fn insert(&mut self, slot: u32, transport: Transport, address: u32) {
        let id = self.next_id(slot);
        let born = self.clock.born();
        let connection = Connection {
            id,
            transport,
            held: None,
            deadline: 0,
            memberships: NONE,
            address,
            message_rate: 0,
            byte_rate: 0,
            zone: 0,
            options: 0,
            flags: Flags::default(),
            born,
            phase: Phase::Head,
            #[cfg(feature = "deflate")]
            deflate: None,
        };
        self.slots.insert(slot, connection);
        self.stats.accepted += 1;
        let first_byte_timeout = self.options[0].first_byte_timeout;
        self.arm(slot, first_byte_timeout);
    }

    fn next_id(&mut self, slot: u32) -> ConnId {
        self.exchanges += 1;
        ConnId::new(slot, self.exchanges)
    }

    /// The exchange is over: its name, its topics and its timeout go, and the next one has another name.
    pub(crate) fn end_exchange(&mut self, slot: u32) {
        let id = self.next_id(slot);
        let Some(connection) = self.slots.at_mut(slot) else { return };
        connection.id = id;
        connection.flags.remove(Flags::WANT_WRITABLE | Flags::RELEASED);
        self.topics.leave_all(&mut connection.memberships);
        if let Some(held) = &mut connection.held {
            held.exchange = None;
        }
        self.timeouts.clear(slot);
    }

    /// What a connection holds while something is unfinished; from the pool if it held nothing.
    pub(crate) fn held(&mut self, slot: u32) -> Option<&mut Held> {
        let connection = self.slots.at_mut(slot)?;
        if connection.held.is_none() {
            self.needed += 1;
            connection.held = Some(self.pool.pop().unwrap_or_default());
        }
        connection.held.as_deref_mut()
    }

    /// Gives back what a connection held, once nothing is unfinished.
    #[inline]
    pub(crate) fn tidy(&mut self, slot: u32) {
        if self.slots.at(slot).is_some_and(|connection| connection.held.is_some()) {
            self.tidy_held(slot);
        }
    }

    fn tidy_held(&mut self, slot: u32) {
        let Some(connection) = self.slots.at_mut(slot) else { return };
        if connection.held.as_ref().is_some_and(|held| held.is_empty())
            && let Some(mut held) = connection.held.take()
            && self.pool.len() < self.needed.clamp(POOLED, POOLED_AT_MOST)
        {
            held.recycle();
            self.pool.push(held);
        }
    }

    /// The turn is over: boxes that it did not need go, some at a time.
    #[inline]
    pub(crate) fn end_turn(&mut self) {
        let (keep, there) = (self.needed.clamp(POOLED, POOLED_AT_MOST), self.pool.len());
        if there > keep {
            self.pool.truncate(keep.max(there - there / 4));
        }
        self.needed = 0;
    }

    /// The connection is to be read from in the next turn, or soon.
    pub(crate) fn read_later(&mut self, slot: u32) {
        if let Some(connection) = self.slots.at_mut(slot)
            && connection.flags.mark(Flags::UNREAD)
        {
            self.unread.push(slot);
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

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
