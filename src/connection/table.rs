//! The table of all connections, and the books: the shared records that a change of a connection
//! updates, such as counters and work lists. This file knows neither output nor topics.

use super::cause::Cause;
use super::clock::Clock;
use super::connection::{Connection, NO_MEMBERSHIP, TURNED_AWAY};
use super::flags::Flags;
use super::held::{Held, HeldPool};
use super::id::{ConnId, OptionsId};
use super::lane::Lane;
use super::next_check::{born, next_check};
use super::options::Options;
use super::phase::Phase;
use super::phase_counts::Phases;
use super::rates::RateLimit;
use super::records::Records;
use super::share::Share;
use super::slots::{Earliest, Slots};
use super::stats::Stats;
use super::work::TableWork;
use crate::net::{Traffic, Transport};

/// All connections of a server.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) slots: Slots,
    pub(crate) books: Books,
    /// Slots that hold a further address of an attempt in the client role, and no connection of
    /// their own.
    pub(crate) rivals: usize,
}

/// What is known of all connections together.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) clock: Clock,
    /// Sets of options by number. Number 0 is the default set.
    pub(crate) options: Vec<Options>,
    pub(crate) stats: Stats,
    /// Connections by phase, those among them that do not count included.
    pub(crate) phases: Phases,
    pub(crate) traffic: Traffic,
    pub(crate) pool: HeldPool,
    pub(crate) work: TableWork,
    pub(crate) lane: Lane,
    /// Connections beyond a limit that linger with their refusal. They count for no limit.
    pub(crate) turned_away: usize,
    /// What is noted for an observer, if there is one.
    pub(crate) records: Option<Box<Records>>,
    /// What the other reactors of a cluster know of the connections.
    pub(crate) share: Option<Box<Share>>,
    exchanges: u64,
}

/// One connection, lent by the table together with what its changes go into.
pub(crate) struct Lease<'t> {
    pub(crate) connection: &'t mut Connection,
    pub(super) earliest: Earliest<'t>,
    pub(crate) books: &'t mut Books,
}

/// A connection on the fast path at rest, with what its input needs.
pub(crate) struct AtRest<'t> {
    pub(crate) connection: &'t mut Connection,
    /// The tick of the next check, given that the peer is active now.
    pub(crate) deadline: u32,
    /// The longest message in bytes.
    pub(crate) max_message: usize,
    pub(crate) traffic: &'t mut Traffic,
}

impl Table {
    pub(crate) fn new(clock: Clock) -> Table {
        let books = Books {
            clock,
            options: vec![Options::default().settled()],
            stats: Stats::default(),
            phases: Phases::default(),
            traffic: Traffic::default(),
            pool: HeldPool::default(),
            work: TableWork::new(),
            lane: Lane::new(),
            turned_away: 0,
            records: None,
            share: None,
            exchanges: 0,
        };
        Table { slots: Slots::new(), books, rivals: 0 }
    }

    /// Counts the connections, without rivals and without those that were turned away.
    pub(crate) fn connections(&self) -> usize {
        self.slots.len() - self.rivals - self.books.turned_away
    }

    /// Notes a slot that holds a further address of an attempt.
    pub(crate) fn rival_began(&mut self) {
        self.rivals += 1;
        if let Some(share) = &self.books.share {
            share.uncount();
        }
    }

    /// Notes that such a slot is about to be freed.
    pub(crate) fn rival_ended(&mut self) {
        self.rivals -= 1;
        if let Some(share) = &self.books.share {
            share.count();
        }
    }

    /// Returns a copy of all counters.
    pub(crate) fn stats(&self) -> Stats {
        let Books { traffic, turned_away, .. } = &self.books;
        let mut stats = Stats {
            connections: self.connections(),
            bytes_received: traffic.received,
            bytes_sent: traffic.sent,
            ..self.books.stats.clone()
        };
        self.books.phases.write_to(&mut stats, self.rivals, *turned_away);
        stats
    }

    /// Whether every connection that was accepted or dialled is open or has ended, and each slot in
    /// use is counted in one phase.
    pub(crate) fn adds_up(&self) -> bool {
        let Books { stats, phases, .. } = &self.books;
        stats.ends.total() + self.connections() as u64 == stats.accepted + stats.dialled
            && phases.total() == self.slots.len()
    }

    /// Lends the connection in a slot.
    #[inline]
    pub(crate) fn lease(&mut self, slot: u32) -> Option<Lease<'_>> {
        let (connection, earliest) = self.slots.lend(slot)?;
        Some(Lease { connection, earliest, books: &mut self.books })
    }

    /// Acts on the connection in a slot, if there is one.
    #[inline]
    pub(crate) fn with<R>(
        &mut self,
        slot: u32,
        act: impl FnOnce(&mut Lease<'_>) -> R,
    ) -> Option<R> {
        self.lease(slot).map(|mut at| act(&mut at))
    }

    /// Returns the connection of an exchange that has not ended.
    #[inline]
    pub(crate) fn live(&self, id: ConnId) -> Option<&Connection> {
        let connection = self.slots.at(id.slot())?;
        (connection.id == id && !connection.flags.has(Flags::GONE)).then_some(connection)
    }

    /// Lends the connection of an exchange that has not ended.
    #[inline]
    pub(crate) fn lease_live(&mut self, id: ConnId) -> Option<Lease<'_>> {
        self.lease(id.slot()).filter(|at| at.connection.id == id && !at.is_gone())
    }

    /// Returns the connection in a slot, if it is on the fast path and at rest.
    #[inline]
    pub(crate) fn at_rest(&mut self, slot: u32) -> Option<AtRest<'_>> {
        let connection = self.slots.at_mut(slot)?;
        let options = &self.books.options[usize::from(connection.options)];
        if !connection.is_quiet() || !connection.allows_fast_path(options) {
            return None;
        }
        let deadline = next_check(&self.books.clock, connection, options);
        let (max_message, traffic) = (options.rules.max_message, &mut self.books.traffic);
        Some(AtRest { connection, deadline, max_message, traffic })
    }

    /// Inserts a new connection in a vacant slot: its first phase, and the ticks until its first
    /// check.
    pub(crate) fn insert(
        &mut self,
        slot: u32,
        transport: Transport,
        address: u32,
        (phase, ticks): (Phase, u32),
    ) {
        let connection = Connection {
            id: self.books.next_id(slot),
            transport,
            held: None,
            deadline: 0,
            memberships: NO_MEMBERSHIP,
            address,
            message_rate: 0,
            byte_rate: 0,
            zone: 0,
            options: 0,
            flags: Flags::FRESH,
            born: born(&self.books.clock),
            phase,
            #[cfg(feature = "deflate")]
            deflate: None,
        };
        if let Some(share) = &mut self.books.share {
            share.enter(address == TURNED_AWAY);
        }
        self.books.phases.enter(phase);
        self.slots.insert(slot, connection);
        self.with(slot, |at| at.arm(ticks));
    }
}

impl Books {
    /// Makes the name of the next exchange in a slot.
    pub(crate) fn next_id(&mut self, slot: u32) -> ConnId {
        self.exchanges += 1;
        ConnId::new(slot, self.exchanges)
    }

    /// Returns the number of a set of options; the default set's for a set of another server.
    pub(crate) fn number_of(&self, OptionsId(number): OptionsId) -> u16 {
        if usize::from(number) < self.options.len() { number } else { 0 }
    }

    #[inline]
    pub(crate) fn options_of(&self, connection: &Connection) -> &Options {
        &self.options[usize::from(connection.options)]
    }

    #[inline]
    fn charge_bytes(&self, connection: &mut Connection, n: usize) -> bool {
        let Some(rate) = &self.options_of(connection).byte_rate else { return true };
        let applies = matches!(connection.phase, Phase::WebSocket(_));
        !applies || self.charge(rate, &mut connection.byte_rate, n as u64)
    }

    #[inline]
    fn charge_message(&self, connection: &mut Connection) -> bool {
        let Some(rate) = &self.options_of(connection).message_rate else { return true };
        self.charge(rate, &mut connection.message_rate, 1)
    }

    #[inline]
    fn charge(&self, rate: &RateLimit, paid_until: &mut u32, amount: u64) -> bool {
        rate.charge(paid_until, self.clock.micros(), self.clock.rate_credit(), amount)
    }
}

impl Lease<'_> {
    #[inline]
    pub(crate) fn slot(&self) -> u32 {
        self.connection.id.slot()
    }

    #[inline]
    pub(crate) fn options(&self) -> &Options {
        self.books.options_of(self.connection)
    }

    /// Gives the connection a set of options. What the set says of its socket is set now.
    pub(crate) fn set_options(&mut self, number: u16) {
        let before = self.options().sending;
        self.connection.options = number;
        let sending = self.options().sending;
        if sending.is_set() && sending != before {
            self.connection.transport.limit_sending(sending);
        }
    }

    /// Charges a message or a control frame; false when it exceeds the rate.
    #[inline]
    pub(crate) fn charge_message(&mut self) -> bool {
        self.books.charge_message(self.connection)
    }

    /// Charges bytes that arrived on a WebSocket; false when they exceed its rate.
    #[inline]
    pub(crate) fn charge_bytes(&mut self, n: usize) -> bool {
        self.books.charge_bytes(self.connection, n)
    }

    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.flags.has(Flags::BLOCKED)
    }

    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        self.connection.flags.has(Flags::GONE)
    }

    /// Returns why the connection or its exchange has ended.
    pub(crate) fn cause(&self) -> Cause {
        let cause = self.connection.flags.cause();
        debug_assert!(cause.is_some(), "every end has a cause: {:?}", self.connection.phase);
        cause.unwrap_or(Cause::Local)
    }

    /// Whether the connection's handler is being called, or its input handled.
    #[inline]
    pub(crate) fn is_driven(&self) -> bool {
        self.books.lane.is_driven(self.slot())
    }

    /// Whether the connection's output goes into the cork.
    #[inline]
    pub(crate) fn is_corked(&self) -> bool {
        self.books.lane.is_corked(self.slot())
    }

    #[inline]
    pub(crate) fn is_on_fast_path(&self) -> bool {
        self.books.lane.is_on_fast_path(self.slot())
    }

    #[inline]
    pub(crate) fn allows_fast_path(&self) -> bool {
        self.connection.allows_fast_path(self.options())
    }

    /// Returns what the connection holds; from the pool if it holds nothing.
    #[inline]
    pub(crate) fn held(&mut self) -> &mut Held {
        let pool = &mut self.books.pool;
        self.connection.held.get_or_insert_with(|| pool.take())
    }

    /// Gives back what the connection holds, once nothing is unfinished.
    #[inline]
    pub(crate) fn tidy(&mut self) {
        if self.connection.held.is_some() {
            self.tidy_held();
        }
    }

    fn tidy_held(&mut self) {
        if let Some(held) = self.connection.held.take_if(|held| held.is_empty()) {
            self.books.pool.put(held);
        }
    }

    /// Has the connection read from in the next turn.
    #[inline]
    pub(crate) fn read_later(&mut self) {
        self.books.work.unread.push(self.connection);
    }
}
