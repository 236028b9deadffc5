//! The race between the addresses of one name (RFC 8305 section 5). One more address is tried 250
//! ms after the last, or at once when one fails. The first TCP connection that stands wins.
//!
//! The first socket lies in the attempt's own slot. A further one, a rival, has a slot of its own.
//! A rival that has won moves to the attempt's slot in `flush`. By then all events of the last wait
//! are handled, so no event of the slot's former socket is taken for one of the winner. No handler
//! sees a rival, and nothing counts it.

use std::any::Any;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::io::Errno;

use super::server::{Race, Server};
use crate::connection::{
    AttemptState, Cause, ConnId, Exchange, Flags, NEVER, Phase, Progress, RIVAL, TokenKind,
};
use crate::context::Context;
use crate::net::{Readiness, Transport, dial};

/// The head start of each address (RFC 8305 section 5: "Connection Attempt Delay").
const HEAD_START: Duration = Duration::from_millis(250);

impl Server {
    /// Dials the next address. When none is left and no socket is under way, the last failure is
    /// the attempt's.
    pub(super) fn dial_next(&mut self, id: ConnId, failure: &str) {
        let mut failure = failure.to_owned();
        if self.races.get(&id).is_some_and(|race| race.winner.is_some()) {
            return;
        }
        loop {
            let Some(attempt) = self.attempt(id) else { return };
            let Some(address) = attempt.addresses.pop_front() else {
                self.schedule(id);
                if !self.is_dialing(id) {
                    self.failed(id.slot(), &failure, Cause::DialFailed);
                }
                return;
            };
            match self.dial_one(id, address) {
                Ok(()) => return self.schedule(id),
                // The sockets under way may stand, or give their descriptors back.
                Err(error) if is_exhausted(&error) && self.is_dialing(id) => {
                    if let Some(attempt) = self.attempt(id) {
                        attempt.addresses.push_front(address);
                    }
                    return self.schedule(id);
                }
                Err(error) => failure = error.to_string(),
            }
        }
    }

    /// Whether a socket of the attempt is under way.
    fn is_dialing(&self, id: ConnId) -> bool {
        self.has_own_socket(id) || self.races.get(&id).is_some_and(|race| !race.rivals.is_empty())
    }

    fn has_own_socket(&self, id: ConnId) -> bool {
        let connection = self.context.table.slots.at(id.slot());
        connection.is_some_and(|at| !matches!(at.transport, Transport::Unconnected))
    }

    /// Opens a socket in the attempt's slot, or in one of its own if that is taken.
    fn dial_one(&mut self, id: ConnId, address: SocketAddr) -> io::Result<()> {
        let is_rival = self.has_own_socket(id);
        let slot = match is_rival {
            true => self.context.table.slots.vacant().ok_or(Errno::MFILE)?,
            false => id.slot(),
        };
        let source = self.attempt(id).and_then(|attempt| attempt.source);
        let table = &self.context.table;
        let sending = table.live(id).map(|live| table.books.options_of(live).sending);
        let mut transport = match (&mut self.scripted, &self.registry) {
            (Some(scripted), _) => scripted.dial(address),
            (None, Some(_)) => {
                let socket = dial(address, source)?;
                socket.set_nodelay(true)?;
                let socket = Transport::Tcp(socket);
                socket.limit_sending(sending.unwrap_or_default());
                socket
            }
            (None, None) => {
                return Err(io::Error::other(
                    "a detached server opens no socket: use connect_over",
                ));
            }
        };
        let token = TokenKind::Connection(slot).token(self.number);
        transport.register(self.registry.as_deref(), token)?;
        if is_rival {
            self.context.table.insert(slot, transport, RIVAL, (Phase::Connecting, NEVER));
            self.context.table.rival_began();
            self.context.table.with(slot, |at| {
                // The attempt's deadline is the rival's, and the age of a rival is nothing.
                at.set_deadline(NEVER);
                at.connection.flags.insert(Flags::CLIENT);
                at.held().exchange = Some(Box::new(Exchange::of_client(Progress::Rival(id))));
            });
            self.race(id).rivals.push(slot);
        } else if let Some(connection) = self.context.table.slots.at_mut(slot) {
            connection.transport = transport;
            // The flag concerned the last address.
            connection.flags.remove(Flags::READ_CLOSED);
        }
        Ok(())
    }

    fn race(&mut self, id: ConnId) -> &mut Race {
        self.races.entry(id).or_default()
    }

    /// Has the next address dialled after the head start of the last one. With no address left,
    /// nothing is scheduled.
    fn schedule(&mut self, id: ConnId) {
        let waits = self.attempt(id).is_some_and(|attempt| !attempt.addresses.is_empty());
        if let Some((timer, _)) = self.races.get_mut(&id).and_then(|race| race.next.take()) {
            self.context.timers.cancel(timer);
        }
        if waits {
            let due = self.context.now() + HEAD_START;
            let call = Box::new(move |_: &mut dyn Any, cx: &mut Context| cx.work.racing.push(id));
            let zone = self.context.table.slots.at(id.slot()).map_or(0, |at| at.zone);
            let timer = self.context.timers.once(due, zone, call);
            self.race(id).next = Some((timer, due));
        }
    }

    /// Goes on with races: one has a winner, or its next address is due.
    pub(super) fn go_on_racing(&mut self) {
        for id in mem::take(&mut self.context.work.racing) {
            let Some(race) = self.races.get_mut(&id) else { continue };
            let now = self.context.table.books.clock.now();
            if let Some(winner) = race.winner.take() {
                race.rivals.retain(|&rival| rival != winner);
                self.take_over(id, winner);
            } else if race.next.take_if(|(_, due)| *due <= now).is_some() {
                self.dial_next(id, "no address answers");
            }
        }
    }

    /// Returns the attempt that a slot's socket is a rival in.
    pub(super) fn rival_of(&self, slot: u32) -> Option<ConnId> {
        let held = self.context.table.slots.at(slot)?.held.as_ref()?;
        match held.exchange.as_ref()?.progress {
            Progress::Rival(id) => Some(id),
            _ => None,
        }
    }

    /// Handles the readiness of a rival's socket.
    pub(super) fn rival_ready(&mut self, slot: u32, id: ConnId) {
        let connection = self.context.table.slots.at(slot);
        let Some(connection) = connection.filter(|at| !at.flags.has(Flags::GONE)) else { return };
        let outcome = connection.transport.is_connected();
        let Some(race) = self.races.get_mut(&id) else { return };
        match outcome {
            Ok(false) => {}
            Ok(true) => {
                race.winner.get_or_insert(slot);
                self.context.work.racing.push(id);
            }
            Err(error) => {
                race.rivals.retain(|&rival| rival != slot);
                self.context.table.with(slot, |at| at.mark_gone(Cause::Replaced));
                self.dial_next(id, &error.to_string());
            }
        }
    }

    /// Handles the readiness of the socket in the attempt's own slot.
    pub(super) fn own_socket_ready(&mut self, slot: u32, readiness: Readiness) {
        let Some(connection) = self.context.table.slots.at_mut(slot) else { return };
        let id = connection.id;
        match connection.transport.is_connected() {
            Ok(false) => {}
            Ok(true) => {
                self.win_race(id);
                self.connected(slot);
                if readiness.readable || readiness.read_closed {
                    self.read_attempt(slot);
                }
            }
            Err(error) => {
                connection.transport = Transport::Unconnected;
                self.dial_next(id, &error.to_string());
            }
        }
    }

    /// Moves the winner's socket to the attempt's slot: the one exception to "registered once".
    fn take_over(&mut self, id: ConnId, winner: u32) {
        let table = &mut self.context.table;
        let Some(rival) = table.slots.at_mut(winner) else { return };
        let mut transport = mem::replace(&mut rival.transport, Transport::Unconnected);
        table.with(winner, |at| at.mark_gone(Cause::Replaced));
        if self.attempt(id).is_none_or(|attempt| attempt.state != AttemptState::Dialing) {
            return;
        }
        let slot = id.slot();
        let token = TokenKind::Connection(slot).token(self.number);
        if let Err(error) = transport.move_to(self.registry.as_deref(), token) {
            return self.dial_next(id, &error.to_string());
        }
        if let Some(connection) = self.context.table.slots.at_mut(slot) {
            let own = mem::replace(&mut connection.transport, transport);
            connection.flags.remove(Flags::READ_CLOSED);
            let replaced = !matches!(own, Transport::Unconnected);
            self.context.table.books.stats.count_given_up(usize::from(replaced));
        }
        self.win_race(id);
        self.connected(slot);
    }

    /// Ends the race of an attempt that has a socket now, and counts the rivals.
    fn win_race(&mut self, id: ConnId) {
        let rivals = self.races.get(&id).map_or(0, |race| race.rivals.len());
        self.context.table.books.stats.count_given_up(rivals);
        self.end_race(id);
    }

    /// Closes the rivals of an attempt, and forgets its timer.
    pub(super) fn end_race(&mut self, id: ConnId) {
        if self.races.is_empty() {
            return;
        }
        let Some(race) = self.races.remove(&id) else { return };
        if let Some((timer, _)) = race.next {
            self.context.timers.cancel(timer);
        }
        for rival in race.rivals {
            self.context.table.with(rival, |at| {
                at.connection.transport = Transport::Unconnected;
                at.mark_gone(Cause::Replaced);
            });
        }
    }
}

/// Whether the process has no room for a further socket.
fn is_exhausted(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}
