//! What a context notes for an observer: the begin of a connection, and the end of an answer. The
//! notes themselves are those of connection/records.rs.

use super::context::Context;
use super::events::Close;
use crate::connection::{Flags, Protocol, Table};

impl Context {
    /// Notes a connection that was taken in, or an attempt that begins.
    #[inline]
    pub(crate) fn note_opened(&mut self, slot: u32) {
        if self.table.books.records.is_some() {
            self.opened(slot);
        }
    }

    #[cold]
    fn opened(&mut self, slot: u32) {
        let Table { slots, books, .. } = &mut self.table;
        let Some(connection) = slots.at(slot) else { return };
        let protocol = match connection.phase.is_opening() {
            true => Protocol::Opening,
            false => Protocol::Http,
        };
        let kind = (connection.flags.has(Flags::CLIENT), protocol);
        let peer = connection.transport.peer_addr();
        books.note(|records, clock| records.opened(slot, peer, kind, clock));
    }

    /// Notes that the answer under way has ended: what waits now includes its last byte.
    #[inline]
    pub(crate) fn note_answer(&mut self, slot: u32) {
        if self.table.books.records.is_some() {
            self.answer_ended(slot);
        }
    }

    #[cold]
    fn answer_ended(&mut self, slot: u32) {
        let Some(connection) = self.table.slots.at(slot) else { return };
        let waiting = self.delivery.waiting_for(connection, &self.table.books.lane);
        self.table.books.note(|records, clock| records.end(slot, waiting, clock));
    }

    /// Notes how an open exchange ended.
    #[inline]
    pub(crate) fn note_close(&mut self, slot: u32, close: Close<'_>) {
        if self.table.books.records.is_some() {
            let (code, reason) = (Some(close.code), close.reason);
            self.table.books.note(|records, _| records.closed(slot, code, reason));
        }
    }

    /// Notes the end of a connection that is about to be freed.
    #[inline]
    pub(crate) fn note_end(&mut self, slot: u32) {
        if self.table.books.records.is_some() {
            self.ended(slot);
        }
    }

    #[cold]
    fn ended(&mut self, slot: u32) {
        let Some(cause) = self.table.with(slot, |at| at.cause()) else { return };
        self.table.books.note(|records, clock| records.ended(slot, cause, clock));
    }
}
