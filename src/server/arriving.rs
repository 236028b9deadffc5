//! From an accepted connection to its first request: a PROXY header, then a TLS handshake. Plain
//! listeners ask for neither, and their connections are never here.
//!
//! A step of a handshake costs up to milliseconds. Readiness therefore only puts a connection into
//! a list, in order of arrival. `flush` takes steps until the budget of the turn is spent, and at
//! least one. The others wait for the next turn, which comes at once.

use std::time::{Duration, Instant};

use super::server::Server;
use crate::connection::{Flags, Phase};
use crate::net::Read;

impl Server {
    /// Has `flush` take the next step of an arriving connection.
    pub(super) fn arrive_later(&mut self, slot: u32) {
        let Some(connection) = self.context.table.slots.at_mut(slot) else { return };
        if connection.flags.mark(Flags::ARRIVES) {
            self.work.arriving.push_back(slot);
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
            let Some(slot) = self.work.arriving.pop_front() else { return };
            let Some(connection) = self.context.table.slots.at_mut(slot) else { continue };
            // Without the flag, the entry is of an earlier connection in this slot.
            if !connection.flags.has(Flags::ARRIVES) {
                continue;
            }
            connection.flags.remove(Flags::ARRIVES);
            if connection.phase == Phase::Arriving && !connection.flags.has(Flags::GONE) {
                self.take_step(slot);
            }
            if began.elapsed() >= self.limits.handshake_budget {
                return;
            }
        }
    }

    /// Reads once, and goes as far as the bytes reach.
    pub(super) fn take_step(&mut self, slot: u32) {
        let kept = self.restore_proxy_header(slot);
        let Some(mut at) = self.context.table.lease(slot) else { return };
        let n = match at.connection.transport.read(&mut self.lent.input[kept..]) {
            Ok(Read::Bytes { n, more }) => {
                // No readiness follows a FIN: only a further read finds the end of file.
                if more || at.connection.flags.has(Flags::READ_CLOSED) {
                    at.read_later();
                }
                kept + n
            }
            Ok(Read::Blocked) => return,
            Ok(Read::End) | Err(_) => return at.mark_gone(),
        };
        // The order on the wire: a PROXY header, TLS, HTTP. The bytes lie at the front of
        // `lent.input`; a step that uses some moves the rest there.
        let Some(n) = self.read_proxy_header(slot, n) else { return };
        let Some(mut at) = self.context.table.lease(slot) else { return };
        at.arrive();
        if n > 0 {
            self.arrived(slot, n);
        }
        self.context.table.with(slot, |at| at.tidy());
    }

    /// Ends a connection that has not arrived within `head_timeout`. One whose step waits in the
    /// list is not late: the server is.
    pub(super) fn not_arrived_in_time(&mut self, slot: u32) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        match at.connection.flags.has(Flags::ARRIVES) {
            true => at.arm(1),
            false => self.reject(slot, "the connection did not begin in time"),
        }
    }

    /// Sets how long one turn may spend on the TLS handshakes of new connections (default 4 ms).
    ///
    /// A turn takes at least one step of a handshake, and begins no further step once the budget
    /// is spent. The other handshakes wait in order of arrival, while open connections are served.
    /// A step takes some 0.2 ms with an ECDSA key and 1.4 ms with an RSA key of 2,048 bits.
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
