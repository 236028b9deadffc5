//! What a user of the crate writes: a handler, or a closure in its place. It knows what happens, not how.

use std::any::Any;

use crate::context::{Chunk, Close, Conn, Reply, Upgrade};
use crate::http1::Request;
use crate::websocket::Message;

/// A zone's code. Every method has a default, so a handler has those it needs.
///
/// Callbacks run to completion, one at a time: what they change needs no lock. What they are lent (request, body, message)
/// lives for the call. See the [four rules](crate#four-rules).
///
/// ```
/// use switchboard::{Close, Conn, Handler, Message, Request};
///
/// struct Room { greeting: String }
///
/// impl Handler for Room {
///     fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
///         conn.subscribe("room");
///         conn.send(&*self.greeting);
///     }
///     fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
///         conn.publish_to_others("room", message);
///     }
///     fn close(&mut self, conn: &mut Conn<'_>, _close: Close<'_>) {
///         conn.publish_to_others("room", "somebody left");
///     }
/// }
///
/// let mut server = switchboard::Server::detached();
/// server.zone("/room", Room { greeting: "hello".into() });
/// ```
pub trait Handler: Any {
    /// A request's head is complete; no byte of its body has been asked for. The default upgrades what wants to be a WebSocket
    /// and passes on the rest.
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        let _ = conn;
        if request.is_websocket() { Upgrade::new().into() } else { Reply::Pass }
    }

    /// The whole body of a request that was answered [`Reply::Body`]. Answering `Body` again is answered 500.
    fn body(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>, body: &[u8]) -> Reply {
        let _ = (conn, request, body);
        Reply::Pass
    }

    /// A WebSocket, event stream or takeover is on.
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        let _ = (conn, request);
    }

    /// A message has arrived on a WebSocket (RFC 6455 6.2).
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let _ = (conn, message);
    }

    /// A piece of a message has arrived, where [`Options::chunks`](crate::Options::chunks) asks for that.
    fn chunk(&mut self, conn: &mut Conn<'_>, chunk: Chunk<'_>) {
        let _ = (conn, chunk);
    }

    /// A pong has arrived on a WebSocket (RFC 6455 5.5.3): the answer to a [`Conn::ping`], whose payload it repeats, to one that the server sent by itself to
    /// a silent peer, which is empty, or to none at all.
    fn pong(&mut self, conn: &mut Conn<'_>, payload: &[u8]) {
        let _ = (conn, payload);
    }

    /// Bytes have arrived on a taken-over connection. Returns how many were used; the others come again with the next ones. A
    /// megabyte of which nothing is used ends the connection.
    fn input(&mut self, conn: &mut Conn<'_>, bytes: &[u8]) -> usize {
        let _ = conn;
        bytes.len()
    }

    /// What the transport had refused has left, or [`Conn::want_writable`] asked for this. Once a turn at most.
    fn writable(&mut self, conn: &mut Conn<'_>) {
        let _ = conn;
    }

    /// The time that [`Conn::set_timeout`] set has passed.
    fn timeout(&mut self, conn: &mut Conn<'_>) {
        let _ = conn;
    }

    /// The WebSocket, event stream or takeover has ended: exactly once after each [`open`](Handler::open). Its topics still stand.
    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        let _ = (conn, close);
    }

    /// A deferred or streamed answer is not wanted any more: its peer has left or its deadline has passed.
    fn cancelled(&mut self, conn: &mut Conn<'_>) {
        let _ = conn;
    }
}

/// A closure that hears messages.
pub(crate) struct Messages<F>(pub(crate) F);

impl<F: FnMut(&mut Conn<'_>, Message<'_>) + 'static> Handler for Messages<F> {
    #[inline]
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        (self.0)(conn, message);
    }
}

/// A closure that answers requests.
pub(crate) struct Requests<F>(pub(crate) F);

impl<F, R> Handler for Requests<F>
where
    F: FnMut(&mut Conn<'_>, &mut Request<'_>) -> R + 'static,
    R: Into<Reply>,
{
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        (self.0)(conn, request).into()
    }
}
