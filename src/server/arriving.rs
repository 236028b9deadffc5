//! From an accepted connection to its first request: a PROXY header, then a TLS handshake. Plain
//! listeners ask for neither, and their connections are never here.
//!
//! A step of a handshake costs up to milliseconds. Readiness therefore only puts a connection into
//! a list, in order of arrival. `flush` takes steps until the budget of the turn is spent, and at
//! least one. The others wait for the next turn, which comes at once. Handshakes of the client role
//! are in the same list: server/securing.rs takes their steps.

use std::time::{Duration, Instant};

#[cfg(feature = "tls")]
use super::proxy_header::arrival_of;
use super::server::Server;
use crate::connection::{Cause, Flags, NEVER, Phase};
#[cfg(feature = "tls")]
use crate::http1::RequestError;
use crate::net::Read;
#[cfg(feature = "tls")]
use crate::net::{FRONT, Handshake, Transport, reason};

/// The listener of a connection that no listener has accepted.
pub(super) const NO_LISTENER: u16 = u16::MAX;

/// The part of the read buffer that stays free for a handshake.
#[cfg(feature = "tls")]
const ROOM: usize = FRONT;
#[cfg(not(feature = "tls"))]
const ROOM: usize = 0;

impl Server {
    /// Has `flush` take the next step of an arriving connection.
    pub(super) fn arrive_later(&mut self, slot: u32) {
        let Some(connection) = self.context.table.slots.at_mut(slot) else { return };
        if connection.flags.mark(Flags::ARRIVES) {
            self.work.arriving.push_back((slot, self.context.table.books.clock.tick()));
        }
    }

    /// Takes steps of arriving connections, in order of arrival and within the turn's budget.
    #[inline]
    pub(super) fn run_arrivals(&mut self) {
        if !self.work.arriving.is_empty() {
            self.take_steps();
        }
    }

    fn take_steps(&mut self) {
        let began = Instant::now();
        for _ in 0..self.work.arriving.len() {
            let Some((slot, since)) = self.work.arriving.pop_front() else { return };
            let Some(connection) = self.context.table.slots.at_mut(slot) else { continue };
            // Without the flag, the entry is of an earlier connection in this slot.
            if !connection.flags.has(Flags::ARRIVES) {
                continue;
            }
            connection.flags.remove(Flags::ARRIVES);
            match connection.phase {
                _ if connection.flags.has(Flags::GONE) => {}
                Phase::Arriving => {
                    self.excuse_wait(slot, since);
                    self.take_step(slot);
                }
                #[cfg(feature = "tls")]
                Phase::Connecting => self.go_on_securing(slot),
                _ => {}
            }
            if began.elapsed() >= self.limits.handshake_budget || self.is_time_spent() {
                return;
            }
        }
    }

    /// Reads once, and goes as far as the bytes reach.
    fn take_step(&mut self, slot: u32) {
        let kept = self.restore_proxy_header(slot);
        let Some(mut at) = self.context.table.lease(slot) else { return };
        #[cfg(feature = "tls")]
        if at.connection.transport.is_tls() {
            return self.handshake(slot, 0);
        }
        let room = self.lent.input.len() - ROOM;
        let buf = &mut self.lent.input[kept..room];
        let n = match at.connection.transport.read(buf, &mut at.books.traffic) {
            Ok(Read::Bytes { n, more }) => {
                // No readiness follows a FIN: only a further read finds the end of file.
                if more || at.connection.flags.has(Flags::READ_CLOSED) {
                    at.read_later();
                }
                kept + n
            }
            Ok(Read::Blocked) => return,
            Ok(Read::End) => return at.mark_gone(Cause::Eof),
            Err(_) => return at.mark_gone(Cause::Reset),
        };
        // The order on the wire: a PROXY header, TLS, HTTP. The bytes lie at the front of
        // `lent.input`; a step that uses some moves the rest there.
        let Some(n) = self.read_proxy_header(slot, n) else { return };
        let Some(mut at) = self.context.table.lease(slot) else { return };
        #[cfg(feature = "tls")]
        if let Some(arrival) = arrival_of(&self.listeners, &self.arrivals, at.connection.zone)
            && let Some(tls) = &arrival.tls
        {
            at.connection.transport.expect_tls(tls);
            return self.handshake(slot, n);
        }
        at.arrive();
        let more = self.after_read(slot, false, Ok(Read::Bytes { n, more: false }));
        self.read_on(slot, more);
    }

    /// Takes one step of a handshake. The first `given` bytes of the read buffer belong to it; with
    /// 0, the transport is read.
    #[cfg(feature = "tls")]
    fn handshake(&mut self, slot: u32, given: usize) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        let Transport::Tls(stream) = &mut at.connection.transport else { return };
        match stream.handshake(&mut self.lent.input, given, &mut at.books.traffic) {
            Ok(Handshake::Pending { more }) => {
                if more || at.connection.flags.has(Flags::READ_CLOSED) {
                    at.read_later();
                }
            }
            Ok(Handshake::Done { n, more }) => {
                at.books.stats.handshakes += 1;
                at.arrive();
                let more = self.after_read(slot, false, Ok(Read::Bytes { n, more }));
                self.read_on(slot, more);
            }
            Ok(Handshake::PlainText { n }) => self.refuse_plain_http(slot, n),
            Ok(Handshake::End) => at.mark_gone(Cause::Eof),
            // The peer is at fault, or the configuration is.
            Err(error) if reason(&error).is_some() => {
                let reason = format!("the TLS handshake failed: {error}");
                self.reject(slot, reason, Cause::TlsFault);
            }
            // The peer has left, as a port scan does.
            Err(_) => at.mark_gone(Cause::Reset),
        }
    }

    /// Answers a client that speaks HTTP where TLS is expected, in plain text.
    #[cfg(feature = "tls")]
    fn refuse_plain_http(&mut self, slot: u32, n: usize) {
        self.context.table.with(slot, |at| {
            at.connection.transport.strip_tls();
            at.arrive();
        });
        let head = std::mem::take(&mut self.lent.input);
        self.call_back(slot, |server| server.refuse(slot, RequestError::PlainHttp, &head[..n]));
        self.lent.input = head;
    }

    /// Takes a step of a connection that is late, unless its step waits in the list.
    pub(super) fn look_at_arrival(&mut self, slot: u32) {
        let connection = self.context.table.slots.at(slot);
        if connection.is_some_and(|connection| !connection.flags.has(Flags::ARRIVES)) {
            self.take_step(slot);
        }
    }

    /// Ends a connection that has not arrived within `head_timeout`. One whose step waits in the
    /// list is not late: the server is. Its deadline stops until the step is taken.
    pub(super) fn not_arrived_in_time(&mut self, slot: u32) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        if at.connection.flags.has(Flags::ARRIVES) {
            return at.set_deadline(NEVER);
        }
        let is_behind_header = at.connection.transport.is_tls();
        let has_header = self.arrival(slot).is_some_and(|arrival| arrival.proxies.is_some());
        let reason = match has_header && !is_behind_header {
            true => "the PROXY header was not whole within head_timeout",
            false => "the TLS handshake was not over within head_timeout",
        };
        self.reject(slot, reason, Cause::HandshakeTimeout);
    }

    /// Begins the deadline of a connection anew, if its step has waited for longer than a tick.
    /// Else a flood of handshakes would end the clients whose turn comes late, and each of them
    /// would connect again.
    fn excuse_wait(&mut self, slot: u32, since: u32) {
        self.context.table.with(slot, |at| {
            let waited = at.books.clock.tick().saturating_sub(since);
            if waited > 1 || at.connection.deadline == NEVER {
                at.rearm();
            }
        });
    }

    /// Sets how long one turn may spend on the TLS handshakes of new connections (default 4 ms).
    ///
    /// A turn takes at least one step of a handshake, and begins no further step once the budget
    /// is spent. The other handshakes wait in order of arrival, while open connections are served.
    /// A step takes some 0.1 ms with an ECDSA key, and 0.6 ms with an RSA key of 2,048 bits (on one
    /// core of an Intel Xeon, in 2026).
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::Server;
    ///
    /// let mut server = Server::detached();
    /// server.handshake_budget(Duration::from_millis(2));
    /// ```
    pub fn handshake_budget(&mut self, budget: Duration) {
        self.limits.handshake_budget = budget;
    }
}
