//! The time bound of a turn, by option: events, reads and accepts beyond it wait for the next turn.
//! Deadlines, timers, calls and output are not bound by it. Without the option, this file reads no
//! clock.
//!
//! A connection whose event is left becomes one of those that `flush` puts on the list for the next
//! turn, so no readiness is lost, and none outlives its connection. The next turn begins with them,
//! in the order in which they were left.

use std::mem;
use std::time::{Duration, Instant};

use mio::{Events, Token};

use super::readiness::readiness_of;
use super::server::{LARGE_PER_TURN, Server};
use super::turn_budget::TurnBudget;
use crate::connection::{Flags, Phase, TokenKind};
use crate::net::Readiness;

/// Events, and connections that were left, between two looks at the time.
const STEPS: usize = 16;
/// Bytes of large messages that a turn reads in each microsecond of its budget.
const LARGE_PER_MICRO: usize = 3 << 10;
/// Bytes of large messages that a turn reads with the smallest budget.
const LARGE_AT_LEAST: usize = 128 << 10;

impl Server {
    /// Sets a bound on the time of a turn, for a program with a frame to keep (default: `None`, no
    /// bound). A program may set it anew before each turn, by what is left of its frame.
    ///
    /// The time counts from the end of the wait. A turn looks at the clock after every 16 events,
    /// every accepted connection, and every step of a TLS handshake. Once the budget is spent, all
    /// other events and connections wait for the next turn, which begins with them in their order.
    /// A callback is never interrupted, so a turn exceeds its budget by what up to 16 events take.
    ///
    /// A turn handles at least 16 events and accepts at least one connection, whatever the budget.
    /// Timers, deadlines, [calls](crate::Remote::call) and output are not bound by it. Nothing is
    /// lost: no deadline ends a peer whose input was left, since that input is read first. Rates
    /// excuse the time for which input waits here. [Watched](crate::Reactor::watch) sources are
    /// always called.
    ///
    /// [`Turn::wait`](crate::Turn::wait) and [`poll_timeout`](Server::poll_timeout) are zero while
    /// something is left. A mio loop of the program's own passes its events to
    /// [`handle_events`](Server::handle_events), since a single event is always handled.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use switchboard::{Readiness, Server, Transport};
    ///
    /// let mut server = Server::detached();
    /// server.turn_budget(Some(Duration::ZERO)); // 16 events in each turn
    /// server.http("/", |_conn, _request| "hello");
    /// let now = Instant::now();
    /// let mut peers = Vec::new();
    /// let mut news = Vec::new();
    /// for _ in 0..40 {
    ///     let (transport, mut peer) = Transport::memory();
    ///     news.push((server.adopt(transport, now)?, Readiness::READABLE));
    ///     peer.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    ///     peers.push(peer);
    /// }
    /// server.ready_all(news, now);
    /// server.flush(now);
    /// let answers = |peer: &mut switchboard::MemoryPeer| usize::from(!peer.receive().is_empty());
    /// let mut answered = || peers.iter_mut().map(answers).sum::<usize>();
    /// assert_eq!(answered(), 16);
    /// assert_eq!(server.poll_timeout(now), Some(Duration::ZERO));
    /// server.ready_all([], now);
    /// server.flush(now);
    /// assert_eq!(answered(), 16);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn turn_budget(&mut self, budget: Option<Duration>) {
        let behind = self.turn_budget.take().and_then(|budget| budget.behind);
        self.turn_budget = budget.map(|length| Box::new(TurnBudget::new(length, behind)));
    }

    /// Handles all of mio's events that belong to this server, within the
    /// [`turn_budget`](Server::turn_budget). A list that is full [leaves
    /// events](Server::leave_events) behind. Other events are ignored, so a program with sources of
    /// its own in the same `Poll` goes through the list too.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use switchboard::mio::{Events, Poll};
    /// use switchboard::Server;
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(1024);
    /// let mut server = Server::new(poll.registry())?;
    /// server.turn_budget(Some(Duration::from_millis(4)));
    /// poll.poll(&mut events, Some(Duration::ZERO))?;
    /// let now = Instant::now();
    /// server.handle_events(&events, now);
    /// server.flush(now);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn handle_events(&mut self, events: &Events, now: Instant) {
        if !self.is_poisoned() {
            self.poison_if_unwinding(|server| server.take_events(events, now));
        }
    }

    /// Handles a list of events, for a caller that poisons the server if a panic unwinds.
    /// Returns whether the list was full.
    #[inline]
    pub(crate) fn take_events(&mut self, events: &Events, now: Instant) -> bool {
        let mut count = 0;
        if self.turn_budget.is_some() {
            let news = events.iter().inspect(|_| count += 1);
            self.take_within(news.map(|event| (event.token(), readiness_of(event))), now);
        } else {
            for event in events {
                self.take_event(event, now);
                count += 1;
            }
        }
        let is_full = count == events.capacity();
        if is_full {
            self.leave_events();
        }
        is_full
    }

    /// Handles the readiness of several transports and listeners, within the
    /// [`turn_budget`](Server::turn_budget), as [`ready`](Server::ready) does for one.
    pub fn ready_all(&mut self, news: impl IntoIterator<Item = (Token, Readiness)>, now: Instant) {
        if self.is_poisoned() {
            return;
        }
        self.poison_if_unwinding(|server| {
            if server.turn_budget.is_some() {
                return server.take_within(news.into_iter(), now);
            }
            for (token, readiness) in news {
                server.take_readiness(token, readiness, now);
            }
        });
    }

    /// Begins a turn with a budget: what was left comes first.
    fn take_within(&mut self, news: impl Iterator<Item = (Token, Readiness)>, now: Instant) {
        self.context.table.books.clock.set(now);
        if let Some(budget) = &mut self.turn_budget {
            budget.turn = None;
        }
        let was_behind = !self.work.backlog.is_empty();
        self.read_backlog_within();
        let mut is_spent = was_behind && self.is_time_spent();
        let (mut count, mut left) = (0, false);
        for (token, readiness) in news {
            if is_spent {
                left |= self.leave_event(token, readiness, now);
                continue;
            }
            self.take_readiness(token, readiness, now);
            count += 1;
            is_spent = count % STEPS == 0 && self.is_time_spent();
        }
        if left {
            self.leave_events();
            self.note_left();
        }
    }

    /// Leaves an event for the next turn, and returns whether it was left. No callback is made: the
    /// connection notes what the event reports, and waits for its turn to be read.
    fn leave_event(&mut self, token: Token, readiness: Readiness, now: Instant) -> bool {
        if let Some(TokenKind::Connection(slot)) = TokenKind::of(token, self.heeded)
            && !self.takes_steps(slot)
            && let Some((mut at, delivery)) = self.context.lease(slot)
        {
            if readiness.read_closed {
                at.connection.flags.insert(Flags::READ_CLOSED);
            }
            if readiness.writable && at.is_blocked() {
                delivery.offer(&mut at);
            }
            if readiness.readable || readiness.read_closed {
                at.read_later();
            }
            return true;
        }
        // The others do next to nothing now: a listener and a handshake wait for `flush`.
        self.take_readiness(token, readiness, now);
        false
    }

    /// Whether a connection opens in steps that cost little, or that `flush` takes. An answer to a
    /// handshake of the client role is none: callbacks may follow.
    fn takes_steps(&mut self, slot: u32) -> bool {
        match self.context.table.slots.at(slot).map(|connection| connection.phase) {
            Some(Phase::Arriving) => true,
            Some(Phase::Connecting) => self.rival_of(slot).is_some() || !self.awaits_response(slot),
            _ => false,
        }
    }

    /// Reads from the connections that were left, in their order and within the budget.
    #[cold]
    pub(super) fn read_backlog_within(&mut self) {
        self.begin_turn();
        let mut backlog = mem::take(&mut self.work.backlog);
        let tick = self.context.table.books.clock.tick();
        let waited = self.turn_budget.as_ref().map_or(0, |budget| budget.waited(tick));
        self.context.table.books.clock.excuse_ticks(waited);
        let mut read = 0;
        for slots in backlog.chunks(STEPS) {
            for &slot in slots {
                self.read_again(slot);
            }
            read += slots.len();
            if self.is_time_spent() {
                break;
            }
        }
        if let Some(budget) = &mut self.turn_budget {
            budget.read(read, read == backlog.len());
        }
        if read < backlog.len() {
            // What is left precedes what this turn adds.
            let unread = self.context.table.books.work.unread.slots();
            unread.splice(0..0, backlog.drain(read..));
            self.leave_events();
            self.note_left();
        }
        backlog.clear();
        self.work.backlog = backlog;
    }

    /// Notes since when the connections on the list wait.
    fn note_left(&mut self) {
        let books = &mut self.context.table.books;
        let (tick, count) = (books.clock.tick(), books.work.unread.slots().len());
        if let Some(budget) = &mut self.turn_budget {
            budget.leave(count, tick);
        }
    }

    /// Accepts from the listeners one by one, within the budget, and one connection at least.
    #[cold]
    pub(super) fn accept_within(&mut self) {
        let accepting = self.work.accepting.iter();
        let most: usize = accepting.map(|&index| self.accepts_per_turn(index)).sum();
        for _ in 0..most {
            let Some(index) = self.work.accepting.pop_front() else { return };
            self.accept(index, 1);
            if self.is_time_spent() {
                return;
            }
        }
    }

    /// Whether the budget of the turn is spent; never without one.
    pub(super) fn is_time_spent(&mut self) -> bool {
        if self.turn_budget.is_none() {
            return false;
        }
        let ends = self.begin_turn();
        ends.is_some_and(|ends| Instant::now() >= ends)
    }

    /// Returns when the budget of this turn is spent. The first call in a turn begins it.
    fn begin_turn(&mut self) -> Option<Instant> {
        let now = self.context.now();
        let budget = self.turn_budget.as_mut()?;
        match budget.turn {
            Some((turn, ends)) if turn == now => Some(ends),
            _ => {
                let ends = Instant::now() + budget.length;
                budget.turn = Some((now, ends));
                let large = budget.length.as_micros() as usize * LARGE_PER_MICRO;
                self.lent.large_left = large.clamp(LARGE_AT_LEAST, LARGE_PER_TURN);
                Some(ends)
            }
        }
    }
}
