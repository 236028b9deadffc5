//! Counts what the handler of a counted zone gets and sends. All other zones call their handlers
//! without this file.

use super::handler::Handler;
use super::served::Served;
use crate::connection::{Cause, Stats, ZoneStats};
use crate::context::{Chunk, Close, Conn, Reply};
use crate::history::Resume;
use crate::http1::Request;
use crate::websocket::Message;

/// A handler whose callbacks are counted.
pub(super) struct Counted {
    pub(super) inner: Box<dyn Served>,
    /// The handler's entry in `Stats::zones`.
    pub(super) index: usize,
}

impl Counted {
    /// Makes a callback, and counts the messages that it sends.
    fn call<R>(
        &mut self,
        conn: &mut Conn<'_>,
        call: impl FnOnce(&mut dyn Served, &mut Conn<'_>) -> R,
    ) -> R {
        let before = conn.cx.table.books.stats.messages_sent;
        let result = call(&mut *self.inner, conn);
        count_sent(&mut conn.cx.table.books.stats, self.index, before);
        result
    }

    fn count(&self, conn: &mut Conn<'_>, count: impl FnOnce(&mut ZoneStats)) {
        conn.cx.table.books.stats.zones.get_mut(self.index).map(count);
    }
}

/// Adds the messages that were sent since there were `before`.
pub(super) fn count_sent(stats: &mut Stats, index: usize, before: u64) {
    if let Some(zone) = stats.zones.get_mut(index) {
        zone.messages_sent += stats.messages_sent - before;
    }
}

impl Handler for Counted {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        let reply = self.call(conn, |inner, conn| inner.request(conn, request));
        // A wanted body comes with a further call.
        if !matches!(reply, Reply::Pass | Reply::Body(_)) {
            self.count(conn, |zone| zone.requests += 1);
        }
        reply
    }

    fn body(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>, body: &[u8]) -> Reply {
        let reply = self.call(conn, |inner, conn| inner.body(conn, request, body));
        if !matches!(reply, Reply::Pass | Reply::Body(_)) {
            self.count(conn, |zone| zone.requests += 1);
        }
        reply
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        self.count(conn, |zone| zone.open += 1);
        self.call(conn, |inner, conn| inner.open(conn, request));
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        self.count(conn, |zone| zone.messages += 1);
        self.call(conn, |inner, conn| inner.message(conn, message));
    }

    fn chunk(&mut self, conn: &mut Conn<'_>, chunk: Chunk<'_>) {
        self.count(conn, |zone| zone.messages += u64::from(chunk.is_last));
        self.call(conn, |inner, conn| inner.chunk(conn, chunk));
    }

    fn pong(&mut self, conn: &mut Conn<'_>, payload: &[u8]) {
        self.call(conn, |inner, conn| inner.pong(conn, payload));
    }

    fn input(&mut self, conn: &mut Conn<'_>, bytes: &[u8]) -> usize {
        self.call(conn, |inner, conn| inner.input(conn, bytes))
    }

    fn writable(&mut self, conn: &mut Conn<'_>) {
        self.call(conn, |inner, conn| inner.writable(conn));
    }

    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        self.call(conn, |inner, conn| inner.resumed(conn, topic, resume));
    }

    fn timeout(&mut self, conn: &mut Conn<'_>) {
        self.call(conn, |inner, conn| inner.timeout(conn));
    }

    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        self.count(conn, |zone| zone.open = zone.open.saturating_sub(1));
        self.call(conn, |inner, conn| inner.close(conn, close));
    }

    fn cancelled(&mut self, conn: &mut Conn<'_>, cause: Cause) {
        self.call(conn, |inner, conn| inner.cancelled(conn, cause));
    }
}
