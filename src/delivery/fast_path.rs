//! The fast path of output: an open WebSocket in the server role whose input and output are nothing
//! but whole messages. While its input is handled, a send writes one frame into one buffer.
//! `output` sends all other output.

use std::io::IoSlice;

use super::delivery::Delivery;
use crate::connection::{ConnId, Lease, Table};
use crate::net::Wrote;
use crate::outbox::Kind;
use crate::websocket::{Header, Opcode};

/// A payload of this length leaves from where it lies instead of being copied.
const LARGE: usize = 8 << 10;

impl Delivery {
    /// Begins the input of a connection at rest on the fast path, as `begin_input` does for any.
    #[inline]
    pub(crate) fn begin_fast(&mut self, table: &mut Table, id: ConnId) {
        table.books.lane.begin(id, true, true);
        self.more_input = false;
    }

    /// Ends what `begin_fast` began, as `end_input` does for any: the output leaves in one write.
    #[inline]
    pub(crate) fn end_fast(&mut self, table: &mut Table, id: ConnId) {
        let slot = id.slot();
        let Some(at) = table.slots.at_mut(slot) else { return self.end_input(table, slot) };
        if !at.is_quiet() || table.books.lane.fast_path() != id {
            return self.end_input(table, slot);
        }
        table.books.lane.end();
        if self.frame_buf.is_empty() {
            return;
        }
        match at.transport.write(self.frame_buf.as_bytes(), &mut table.books.traffic) {
            // Of a quiet connection nothing waited for this.
            Ok(Wrote::All) => self.frame_buf.clear(),
            outcome => {
                if let Some(mut at) = table.lease(slot) {
                    self.after_frame_buf(&mut at, outcome);
                }
            }
        }
    }

    /// Sends one frame to the connection on the fast path.
    #[inline]
    pub(crate) fn send_fast(
        &mut self,
        table: &mut Table,
        slot: u32,
        opcode: Opcode,
        payload: &[u8],
    ) {
        if !self.frame_buf.push_usual(opcode, payload) {
            self.send_unusual_length(table, slot, opcode, payload);
        }
    }

    /// Stands apart, so that the code of the usual lengths lies together.
    #[inline(never)]
    fn send_unusual_length(
        &mut self,
        table: &mut Table,
        slot: u32,
        opcode: Opcode,
        payload: &[u8],
    ) {
        if self.frame_buf.push_unusual(opcode, payload) {
            return;
        }
        let mut header = [0; Header::MAX_LEN];
        let len = payload.len() as u64;
        let at = Header { fin: true, rsv1: false, opcode, key: None, len }.encode_into(&mut header);
        let header = &header[..at];
        let Some(mut at) = table.lease(slot) else { return };
        if payload.len() >= LARGE && !self.more_input && self.frame_buf.is_empty() {
            self.send_uncopied(&mut at, header, payload);
        } else {
            self.push_fast(&mut at, [header, payload]);
        }
    }

    /// Appends frames to the buffer of the fast path.
    pub(super) fn push_fast<const N: usize>(&mut self, at: &mut Lease<'_>, parts: [&[u8]; N]) {
        if self.frame_buf.push(parts) {
            self.flush_cork_and_go_on(at);
        }
    }

    /// Writes a large message from where it lies, and keeps what the transport refuses.
    fn send_uncopied(&mut self, at: &mut Lease<'_>, header: &[u8], payload: &[u8]) {
        let pieces = [IoSlice::new(header), IoSlice::new(payload)];
        match at.connection.transport.write_vectored(&pieces, &mut at.books.traffic) {
            Ok(Wrote::All) => {}
            outcome => at.after_write(outcome, |at, n| {
                // A frame that has begun to leave is bytes: nothing may come before its end.
                let kind = if n == 0 { Kind::Frames } else { Kind::Bytes };
                let rest = &payload[n.saturating_sub(header.len())..];
                self.cork.keep(kind, [&header[n.min(header.len())..], rest]);
                at.books.lane.end_cork();
                self.keep_cork(at);
            }),
        }
    }

    /// Writes the buffer of the fast path; the cork is empty.
    #[inline]
    pub(super) fn write_frame_buf(&mut self, at: &mut Lease<'_>) {
        if self.frame_buf.is_empty() {
            return;
        }
        if at.is_gone() {
            return self.frame_buf.clear();
        }
        let bytes = self.frame_buf.as_bytes();
        let outcome = at.connection.transport.write(bytes, &mut at.books.traffic);
        self.after_frame_buf(at, outcome);
    }

    /// Does what follows a write of the buffer: the rest becomes the cork's, and then the outbox's.
    #[inline(never)]
    fn after_frame_buf(&mut self, at: &mut Lease<'_>, outcome: std::io::Result<Wrote>) {
        at.after_write(outcome, |at, n| {
            self.cork.keep_frames(self.frame_buf.as_bytes(), n);
            self.keep_cork(at);
        });
        self.frame_buf.clear();
    }
}
