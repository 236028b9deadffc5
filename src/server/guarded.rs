//! A handler whose panics are caught, for a server that catches them. Every callback goes through
//! here, so a server that catches none has no code of this on its path. This file knows no zones.

use super::handler::Handler;
use super::served::Served;
use crate::connection::{Cause, ConnId};
use crate::context::{Chunk, Close, Conn, Context, Reply, catch, dispose, panicked_response};
use crate::history::Resume;
use crate::http1::Request;
use crate::websocket::Message;

/// A handler, and the catching of what it panics with.
pub(super) struct Guarded(pub(super) Box<dyn Served>);

/// Makes a callback, and records a panic of it.
#[inline]
fn attempt<R>(
    conn: &mut Conn<'_>,
    callback: &'static str,
    call: impl FnOnce(&mut Conn<'_>) -> R,
) -> Option<R> {
    match catch(|| call(conn)) {
        Ok(result) => Some(result),
        Err(payload) => {
            conn.cx.note_panic(Some(conn.id), callback, &*payload);
            dispose(payload);
            None
        }
    }
}

/// Makes a callback, and ends the exchange if it panics.
#[inline]
fn attempt_or_end<R>(
    conn: &mut Conn<'_>,
    callback: &'static str,
    call: impl FnOnce(&mut Conn<'_>) -> R,
) -> Option<R> {
    let result = attempt(conn, callback, call);
    if result.is_none() {
        conn.cx.end_panicked(conn.id);
    }
    result
}

/// Makes a callback that replies; 500 is the reply of one that panics.
fn reply(
    conn: &mut Conn<'_>,
    callback: &'static str,
    call: impl FnOnce(&mut Conn<'_>) -> Reply,
) -> Reply {
    attempt(conn, callback, call).unwrap_or_else(|| replied(conn.cx, conn.id))
}

#[cold]
fn replied(cx: &mut Context, id: ConnId) -> Reply {
    cx.forget_plans(id);
    panicked_response().into()
}

impl Handler for Guarded {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        let reply = reply(conn, "request", |conn| self.0.request(conn, request));
        conn.cx.contain(request.extensions_mut());
        reply
    }

    fn body(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>, body: &[u8]) -> Reply {
        let reply = reply(conn, "body", |conn| self.0.body(conn, request, body));
        conn.cx.contain(request.extensions_mut());
        reply
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        attempt_or_end(conn, "open", |conn| self.0.open(conn, request));
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        attempt_or_end(conn, "message", |conn| self.0.message(conn, message));
    }

    fn chunk(&mut self, conn: &mut Conn<'_>, chunk: Chunk<'_>) {
        attempt_or_end(conn, "chunk", |conn| self.0.chunk(conn, chunk));
    }

    fn pong(&mut self, conn: &mut Conn<'_>, payload: &[u8]) {
        attempt_or_end(conn, "pong", |conn| self.0.pong(conn, payload));
    }

    fn input(&mut self, conn: &mut Conn<'_>, bytes: &[u8]) -> usize {
        attempt_or_end(conn, "input", |conn| self.0.input(conn, bytes)).unwrap_or(bytes.len())
    }

    fn writable(&mut self, conn: &mut Conn<'_>) {
        attempt_or_end(conn, "writable", |conn| self.0.writable(conn));
    }

    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        attempt_or_end(conn, "resumed", |conn| self.0.resumed(conn, topic, resume));
    }

    fn timeout(&mut self, conn: &mut Conn<'_>) {
        attempt_or_end(conn, "timeout", |conn| self.0.timeout(conn));
    }

    // The exchange has ended, and `flush` ends it in the books.
    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        attempt(conn, "close", |conn| self.0.close(conn, close));
    }

    fn cancelled(&mut self, conn: &mut Conn<'_>, cause: Cause) {
        attempt(conn, "cancelled", |conn| self.0.cancelled(conn, cause));
    }
}
