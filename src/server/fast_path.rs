//! The fast path of input: reads from a connection at rest, hands its whole messages over, and
//! writes the answers at once. `input` and `frames` handle all other input.
//!
//! When this was written, one function from readiness to answer reduced an echo from 1,017 to 699
//! instructions.

use super::input::STEPS;
use super::server::Server;
use crate::connection::{AtRest, Cause, ConnId};
use crate::context::{Conn, Context};
use crate::net::Read;
use crate::websocket::{Role, only_message, whole_frame, whole_message};

impl Server {
    /// Reads from a connection at rest. Returns false, and does nothing, for any other.
    #[inline]
    pub(super) fn read_fast(&mut self, slot: u32) -> bool {
        let Context { table, delivery, .. } = &mut self.context;
        let Some(AtRest { connection, deadline, max_message, traffic }) = table.at_rest(slot)
        else {
            return false;
        };
        match connection.transport.read_fast(&mut self.lent.input, traffic) {
            Ok(Read::Bytes { n, more: false }) => {
                let (id, zone) = (connection.id, connection.zone);
                if deadline < connection.deadline {
                    table.with(slot, |at| at.touch());
                } else {
                    connection.deadline = deadline;
                }
                delivery.begin_fast(table, id);
                self.arrived_fast(id, zone, max_message, n);
            }
            outcome => {
                let more = self.after_read(slot, false, outcome);
                self.read_on(slot, more);
            }
        }
        true
    }

    /// Handles all input of one read: most often one short message and nothing else.
    #[inline]
    fn arrived_fast(&mut self, id: ConnId, zone: u16, max_message: usize, n: usize) {
        let Some(message) = only_message(max_message, &mut self.lent.input[..n]) else {
            return self.arrived_fast_otherwise(id, n);
        };
        match message {
            Ok(message) => {
                self.context.table.books.stats.messages += 1;
                self.zones
                    .handlers
                    .at(zone)
                    .message(&mut Conn { cx: &mut self.context, id }, message);
            }
            Err(violation) => {
                let end = (violation.code(), violation.as_str());
                self.fail(id.slot(), end, Cause::of_violation(violation));
            }
        }
        let Context { table, delivery, .. } = &mut self.context;
        delivery.end_fast(table, id);
    }

    /// Handles input that is more than one short message, or something else.
    #[inline(never)]
    fn arrived_fast_otherwise(&mut self, id: ConnId, n: usize) {
        let slot = id.slot();
        let mut input = std::mem::take(&mut self.lent.input);
        let mut steps = STEPS;
        let used = self.fast_messages(slot, &mut input[..n], &mut steps);
        if used == n {
            let Context { table, delivery, .. } = &mut self.context;
            delivery.end_fast(table, id);
        } else {
            let used = used + self.consume(slot, &mut input[used..n], steps);
            self.keep(slot, input[used..n].to_vec());
        }
        self.lent.input = input;
    }

    /// Hands over whole messages, as long as nothing but their answers follows. Returns the bytes
    /// that they took. `frames` handles the rest.
    #[inline]
    pub(super) fn fast_messages(
        &mut self,
        slot: u32,
        input: &mut [u8],
        steps: &mut usize,
    ) -> usize {
        let table = &self.context.table;
        if !table.books.lane.is_on_fast_path(slot) {
            return 0;
        }
        let id = table.books.lane.fast_path();
        let Some(connection) = table.slots.at(slot) else { return 0 };
        let max_message = table.books.options_of(connection).rules.max_message;
        let handler = self.zones.handlers.at(connection.zone);
        let (mut used, mut delivered, mut batches) = (0, 0, true);
        while used < input.len() && self.context.table.books.lane.fast_path() == id && *steps > 0 {
            if batches && self.lent.batch.take(&input[used..], max_message, *steps) {
                self.context.delivery.more_input = true;
                let conn = &mut Conn { cx: &mut self.context, id };
                if let Some(messages) = self.lent.batch.messages() {
                    let (count, len) = self.lent.batch.delivered(handler.messages(conn, messages));
                    *steps -= count;
                    delivered += count;
                    used += len;
                    if count > 0 {
                        continue;
                    }
                }
                // A message of the batch is not UTF-8: from here on each is checked by itself.
                batches = false;
            }
            let Some((header, at)) = whole_frame(Role::Server, max_message, &input[used..]) else {
                break;
            };
            let start = used + at;
            used = start + header.len as usize;
            *steps -= 1;
            self.context.delivery.more_input = used < input.len();
            match whole_message(header, &mut input[start..used]) {
                Ok(message) => {
                    delivered += 1;
                    handler.message(&mut Conn { cx: &mut self.context, id }, message);
                }
                // The failed connection leaves the fast path, which ends the loop.
                Err(violation) => {
                    if let Some((mut at, delivery)) = self.context.lease(slot) {
                        let end = (violation.code(), violation.as_str());
                        delivery.fail(&mut at, end, Cause::of_violation(violation));
                    }
                }
            }
        }
        self.context.table.books.stats.messages += delivered as u64;
        used
    }
}
