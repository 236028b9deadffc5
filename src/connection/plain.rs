//! The fast lane: a server's open WebSocket of which nothing comes and to which nothing goes but whole messages, as they are. While its
//! input is handled, sending is writing a frame into one buffer. Everything else goes by `output`.

use std::io::{self, IoSlice};

use super::connection::{Connection, Flags};
use super::context::{Context, NOBODY};
use super::id::ConnId;
use super::options::Options;
use super::phase::Phase;
use super::segment::Kind;
use crate::net::Wrote;
use crate::websocket::{Header, Opcode, State};

/// A message as long as this is written from where it is rather than copied.
const LARGE: usize = 8 << 10;

/// A connection at rest, and what is to be known before its input is handled.
pub(crate) struct AtRest<'c> {
    pub(crate) connection: &'c mut Connection,
    /// The tick of its next look, once it has been heard.
    pub(crate) deadline: u32,
    /// Bytes that a message may have.
    pub(crate) longest: usize,
}

impl Connection {
    #[inline]
    fn may_be_plain(&self, options: &Options) -> bool {
        self.phase == Phase::WebSocket(State::Open)
            && !self.flags.has(Flags::UNUSUAL | Flags::CHUNKS | Flags::GONE)
            && options.plain
    }

    /// Whether it is an open exchange and nothing else is known of it, held for it or asked for.
    #[inline]
    fn is_quiet(&self) -> bool {
        self.flags == Flags::OPENED && self.held.is_none()
    }

    #[inline]
    fn is_at_rest(&self, options: &Options) -> bool {
        self.is_quiet() && self.may_be_plain(options)
    }
}

impl Context {
    /// Whether nothing but whole messages comes from and goes to a connection, each as it is.
    #[inline]
    pub(super) fn may_be_plain(&self, connection: &Connection) -> bool {
        connection.may_be_plain(self.options_of(connection))
    }

    /// Whether it is one and at rest besides: nothing unfinished, nothing owed, nothing asked for.
    #[inline]
    pub(super) fn is_at_rest(&self, connection: &Connection) -> bool {
        connection.is_at_rest(self.options_of(connection))
    }

    /// The connection in a slot, if it is at rest.
    #[inline]
    pub(crate) fn at_rest(&mut self, slot: u32) -> Option<AtRest<'_>> {
        let connection = self.slots.at_mut(slot)?;
        let options = &self.options[usize::from(connection.options)];
        if !connection.is_at_rest(options) {
            return None;
        }
        let deadline = self.clock.deadline_of(connection, options);
        Some(AtRest { connection, deadline, longest: options.rules.max_message })
    }

    /// Begins to handle the input of such a connection, as [`drive`](Context::drive) does for any.
    #[inline]
    pub(crate) fn drive_plain(&mut self, id: ConnId) {
        (self.driven, self.corked, self.plain) = (id.slot(), id.slot(), id);
        self.more_input = false;
    }

    /// Ends what `drive_plain` began, as [`rest`](Context::rest) does for any: what was sent leaves in one write.
    #[inline]
    pub(crate) fn rest_plain(&mut self, id: ConnId) {
        let slot = id.slot();
        let connection = self.slots.at_mut(slot).filter(|connection| connection.is_quiet());
        let Some(connection) = connection.filter(|_| self.plain == id) else {
            return self.end_input(slot);
        };
        (self.driven, self.corked, self.plain) = (NOBODY, NOBODY, ConnId::NOBODY);
        if self.run.is_empty() {
            return;
        }
        match connection.transport.write(self.run.as_bytes()) {
            Ok(Wrote::All) => self.run.clear(),
            outcome => self.run_left(slot, outcome),
        }
    }

    /// Whether this connection is the one whose output is the run.
    #[inline]
    pub(crate) fn is_plain(&self, slot: u32) -> bool {
        self.plain != ConnId::NOBODY && self.plain.slot() == slot
    }

    /// Sends one message to the connection that is [`plain`](Context::plain).
    #[inline]
    pub(crate) fn send_plain(&mut self, slot: u32, opcode: Opcode, payload: &[u8]) {
        if !self.run.push_usual(opcode, payload) {
            self.send_plain_unusual(slot, opcode, payload);
        }
    }

    /// Apart, so that the code of the usual way lies together.
    #[inline(never)]
    fn send_plain_unusual(&mut self, slot: u32, opcode: Opcode, payload: &[u8]) {
        if self.run.push_unusual(opcode, payload) {
            return;
        }
        let mut header = [0; Header::MAX_LEN];
        let whole = Header { fin: true, rsv1: false, opcode, key: None, len: payload.len() as u64 };
        let at = whole.encode_into(&mut header);
        if payload.len() >= LARGE && !self.more_input && self.run.is_empty() {
            self.send_through(slot, &header[..at], payload);
        } else {
            self.send_plain_bytes(slot, [&header[..at], payload]);
        }
    }

    /// Puts bytes of frames into the run.
    pub(super) fn send_plain_bytes<const N: usize>(&mut self, slot: u32, parts: [&[u8]; N]) {
        if self.run.push(parts) {
            self.flush_cork_and_go_on(slot);
        }
    }

    /// Sends a large message before which nothing waits from where it is, and keeps what the transport refuses.
    fn send_through(&mut self, slot: u32, header: &[u8], payload: &[u8]) {
        let at = header.len();
        let Some(connection) = self.slots.at_mut(slot) else { return };
        let Ok(outcome) =
            connection.transport.write_vectored(&[IoSlice::new(header), IoSlice::new(payload)])
        else {
            return self.mark_gone(slot);
        };
        if outcome == Wrote::All {
            return;
        }
        let n = outcome.taken(at + payload.len());
        // What has begun to leave is bytes: nothing may come before its end.
        let kind = if n == 0 { Kind::Frames } else { Kind::Bytes };
        self.cork.keep(kind, [&header[n.min(at)..], &payload[n.saturating_sub(at)..]]);
        self.end_cork();
        self.refused(slot);
    }

    /// Writes the run before an empty cork.
    #[inline]
    pub(super) fn write_run(&mut self, slot: u32) {
        if self.run.is_empty() {
            return;
        }
        let Some(connection) = self.slots.at_mut(slot) else { return self.run.clear() };
        if connection.flags.has(Flags::GONE) {
            return self.run.clear();
        }
        let outcome = connection.transport.write(self.run.as_bytes());
        self.run_left(slot, outcome);
    }

    /// So much of the run has left; what was refused is the cork's.
    #[inline(never)]
    fn run_left(&mut self, slot: u32, outcome: io::Result<Wrote>) {
        match outcome {
            Ok(Wrote::All) => {
                self.run.clear();
                self.drained(slot);
            }
            Ok(outcome) => {
                let n = outcome.taken(self.run.len());
                self.cork.keep_run(self.run.as_bytes(), n);
                self.run.clear();
                self.refused(slot);
            }
            Err(_) => {
                self.run.clear();
                self.mark_gone(slot);
            }
        }
    }
}
