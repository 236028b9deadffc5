//! The fast lane of input: a connection at rest is read from, its whole messages are handed over, their answers leave in one write. All
//! that is otherwise is left to `drive` and `frames`, as it was.

use super::drive::STEPS;
use super::handler::Handler;
use super::server::Server;
use crate::connection::{AtRest, Conn, ConnId};
use crate::net::Read;
use crate::websocket::{Message, Messages, Role, only_message, whole_frame, whole_message};

impl Server {
    /// Reads from a connection at rest; false, and nothing done, when it is none.
    #[inline]
    pub(super) fn read_plain(&mut self, slot: u32) -> bool {
        let Some(AtRest { connection, deadline, longest }) = self.context.at_rest(slot) else {
            return false;
        };
        match connection.transport.read(&mut self.lent.input) {
            Ok(Read::Bytes { n, more: false }) => {
                let (id, zone) = (connection.id, connection.zone);
                match deadline < connection.deadline {
                    false => connection.deadline = deadline,
                    true => self.context.touch(slot),
                }
                self.context.drive_plain(id);
                self.arrived_plain(id, zone, longest, n);
            }
            outcome => {
                let more = self.has_read(slot, false, outcome);
                self.read_on(slot, more);
            }
        }
        true
    }

    /// All that had arrived lies in the read buffer: most often one short message and nothing else.
    #[inline]
    fn arrived_plain(&mut self, id: ConnId, zone: u16, longest: usize, n: usize) {
        let Some(message) = only_message(longest, &mut self.lent.input[..n]) else {
            return self.all_arrived_plain(id, n);
        };
        match message {
            Ok(message) => {
                self.context.stats.messages += 1;
                self.zones.handler(zone).message(&mut Conn { cx: &mut self.context, id }, message);
            }
            Err(violation) => self.context.fail(id.slot(), violation.code(), violation.as_str()),
        }
        self.context.rest_plain(id);
    }

    /// The same where it is more or something else.
    #[inline(never)]
    fn all_arrived_plain(&mut self, id: ConnId, n: usize) {
        let slot = id.slot();
        let mut input = std::mem::take(&mut self.lent.input);
        let mut steps = STEPS;
        let used = self.plain_messages(slot, &mut input[..n], &mut steps);
        if used == n {
            self.context.rest_plain(id);
        } else {
            let used = used + self.consume(slot, &mut input[used..n], steps);
            self.keep(slot, input[used..n].to_vec());
        }
        self.lent.input = input;
    }

    /// Hands over whole messages, as long as nothing but their answers comes of them. Returns how many bytes they took; what follows is
    /// for whoever looks more closely.
    #[inline]
    pub(super) fn plain_messages(
        &mut self,
        slot: u32,
        input: &mut [u8],
        steps: &mut usize,
    ) -> usize {
        if !self.context.is_plain(slot) {
            return 0;
        }
        let id = self.context.plain;
        let Some(connection) = self.context.slots.at(slot) else { return 0 };
        let longest = self.context.options_of(connection).rules.max_message;
        let handler = self.zones.handler(connection.zone);
        let (mut used, mut delivered, mut runs) = (0, 0, true);
        while used < input.len() && self.context.plain == id && *steps > 0 {
            if runs && self.lent.batch.take(&input[used..], longest, *steps) {
                self.context.more_input = true;
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
                // One of them is not UTF-8: from here on they are looked at one by one.
                runs = false;
            }
            let Some((header, at)) = whole_frame(Role::Server, longest, &input[used..]) else {
                break;
            };
            let start = used + at;
            used = start + header.len as usize;
            *steps -= 1;
            self.context.more_input = used < input.len();
            match whole_message(header, &mut input[start..used]) {
                Ok(message) => {
                    delivered += 1;
                    handler.message(&mut Conn { cx: &mut self.context, id }, message);
                }
                Err(violation) => self.context.fail(slot, violation.code(), violation.as_str()),
            }
        }
        self.context.stats.messages += delivered as u64;
        used
    }
}

/// A handler as the server has it: messages that arrived together are handed over by code made for its type, so that between two of
/// them nothing is called that need not be.
pub(crate) trait Served: Handler {
    /// Hands over the messages of a run as long as nothing but answers comes of them. Returns how many are left.
    fn messages(&mut self, conn: &mut Conn<'_>, run: Messages<'_>) -> usize;
}

impl<H: Handler> Served for H {
    fn messages(&mut self, conn: &mut Conn<'_>, run: Messages<'_>) -> usize {
        match run {
            Messages::Texts(mut texts) => {
                while conn.cx.plain == conn.id
                    && let Some(text) = texts.next()
                {
                    self.message(conn, Message::Text(text));
                }
                texts.left()
            }
            Messages::Binaries(mut binaries) => {
                while conn.cx.plain == conn.id
                    && let Some(binary) = binaries.next()
                {
                    self.message(conn, Message::Binary(binary));
                }
                binaries.left()
            }
        }
    }
}
