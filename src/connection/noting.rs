//! Notes what happens to a connection in the records of an observer, if there is one. Each method
//! is one test without an observer.

use http::StatusCode;

use super::clock::Clock;
use super::recorded::Protocol;
use super::records::Records;
use super::table::{Books, Lease};
use crate::websocket::CloseCode;

impl Books {
    /// Notes something for the observer, if there is one. The first event of a turn has `flush` go
    /// through its lists once more, so that a turn without events asks for none.
    #[cold]
    pub(crate) fn note(&mut self, note: impl FnOnce(&mut Records, &Clock)) {
        let Some(records) = &mut self.records else { return };
        let was_empty = records.events.is_empty();
        note(records, &self.clock);
        if was_empty && !records.events.is_empty() {
            self.work.dirty.wake();
        }
    }
}

impl Lease<'_> {
    /// Notes for the observer that bytes of the output have left.
    #[cold]
    pub(crate) fn note_left(&mut self, n: u64) {
        if n > 0 {
            let slot = self.slot();
            self.books.note(|records, clock| records.left(slot, n, clock));
        }
    }

    /// Notes for the observer the status of the answer under way.
    #[inline]
    pub(crate) fn note_status(&mut self, status: StatusCode) {
        if self.books.records.is_some() {
            let slot = self.slot();
            self.books.note(|records, _| records.status(slot, status));
        }
    }

    /// Notes for the observer the protocol that the connection goes on with.
    #[inline]
    pub(crate) fn note_protocol(&mut self, protocol: Protocol) {
        if self.books.records.is_some() {
            let slot = self.slot();
            self.books.note(|records, _| records.speaks(slot, protocol));
        }
    }

    /// Notes for the observer why the connection ends, beyond its cause.
    #[cold]
    pub(crate) fn note_reason(&mut self, reason: &str) {
        let slot = self.slot();
        self.books.note(|records, _| records.closed(slot, None, reason));
    }

    /// Notes for the observer that the server fails the WebSocket.
    #[cold]
    pub(crate) fn note_violation(&mut self, code: CloseCode, reason: &'static str) {
        let slot = self.slot();
        self.books.note(|records, _| records.violated(slot, code, reason));
    }
}
