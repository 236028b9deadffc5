//! The code that a program brings: a handler, or a closure in its place. This file names the
//! callbacks and does not know when they are made.

use std::any::Any;

use crate::connection::Cause;
use crate::context::{Chunk, Close, Conn, Reply, Upgrade};
use crate::history::Resume;
use crate::http1::Request;
use crate::websocket::Message;

/// A zone's code. Every method has a default, so a handler implements only the methods it needs.
///
/// Callbacks run to completion, one at a time, so a handler needs no lock. A request, a body or a
/// message is lent for the call. See the [four rules](crate#four-rules).
///
/// A panic in a callback unwinds out of the loop, and the server then does
/// [nothing more](crate::Server::is_poisoned). With
/// [`catch_panics(true)`](crate::Server::catch_panics) only the exchange ends. The handler stays as
/// the panic left it. A dropped server ends its sockets without a callback:
/// [`drain`](crate::Server::drain) first.
///
/// # Callbacks
/// The callbacks that follow a reply of [`request`] or [`body`]:
///
/// | [reply](Reply) | then | at the end |
/// | --- | --- | --- |
/// | [`Pass`] | `request` of the next zone that matches | - |
/// | [`Respond`] | - | - |
/// | [`Body`] | [`body`] with the whole body | no callback if the body is too long or late |
/// | [`Upgrade`] | [`open`], then [`message`] or [`chunk`], [`pong`] | [`close`] once |
/// | [`EventStream`] | [`open`] | [`close`] once |
/// | [`Takeover`] | [`open`], then [`input`] | [`close`] once, also after [`Conn::release`] |
/// | [`LongPoll`] | - | - |
/// | [`Later`] | after [`Context::upgrade`]: as `Upgrade` | [`cancelled`] if no answer was sent |
/// | [`Stream`] | [`writable`], at once and when output has left | [`cancelled`] if not finished |
///
/// - `Upgrade` calls nothing if the server refuses the handshake (400, 403, 426), and `EventStream`
///   calls nothing for HEAD.
/// - [`close`] comes exactly once after each [`open`]. [`Context::connect`] makes one exception: an
///   attempt that fails gets [`close`] without [`open`].
/// - [`close`] and [`cancelled`] get the [`Cause`], of several reasons the first.
/// - [`cancelled`] comes at most once: when the peer breaks the connection off, when a deadline
///   such as [`Options::answer_timeout`] passes, when a reader is too slow, or when a drain ends.
/// - A peer that only ends its own side (FIN) cancels nothing: it may still read. With
///   [`Options::half_close(false)`](crate::Options::half_close) a FIN cancels too.
/// - [`writable`] also comes to WebSockets, event streams and takeovers, once waiting output has
///   left.
/// - [`resumed`] comes once for each topic of [`Conn::subscribe_from`], before the first message
///   that was kept, and again where a slow reader has lost some.
/// - [`timeout`] comes once for each [`Conn::set_timeout`], unless the exchange ends first.
/// - No callback of an exchange follows [`close`] or [`cancelled`].
///
/// [`Cause`]: crate::Cause
/// [`request`]: Handler::request
/// [`body`]: Handler::body
/// [`open`]: Handler::open
/// [`message`]: Handler::message
/// [`chunk`]: Handler::chunk
/// [`pong`]: Handler::pong
/// [`input`]: Handler::input
/// [`writable`]: Handler::writable
/// [`resumed`]: Handler::resumed
/// [`timeout`]: Handler::timeout
/// [`close`]: Handler::close
/// [`cancelled`]: Handler::cancelled
/// [`Pass`]: Reply::Pass
/// [`Respond`]: Reply::Respond
/// [`Body`]: Reply::Body
/// [`Upgrade`]: Reply::Upgrade
/// [`EventStream`]: Reply::EventStream
/// [`Takeover`]: Reply::Takeover
/// [`Later`]: Reply::Later
/// [`LongPoll`]: Reply::LongPoll
/// [`Stream`]: Reply::Stream
/// [`Context::connect`]: crate::Context::connect
/// [`Context::upgrade`]: crate::Context::upgrade
/// [`Options::answer_timeout`]: crate::Options::answer_timeout
///
/// ```
/// use switchboard::testing::World;
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
///         conn.publish_to_others("room", "one left");
///     }
/// }
///
/// let mut world = World::new();
/// world.server.zone("/room", Room { greeting: "hello".into() });
/// let (ada, bob) = (world.websocket("/room"), world.websocket("/room"));
/// world.say(ada, "hi");
/// world.end(ada);
/// assert_eq!(world.hear(bob), ["hello", "hi", "one left"]);
/// ```
// A new callback is a method here. The code for a request is in server/request.rs, for frames in
// server/frames.rs, for deadlines in server/deadlines.rs, for ends in server/flush.rs.
pub trait Handler: Any {
    /// Replies to a request whose head is complete. The handler has not asked for the body yet.
    ///
    /// The default upgrades WebSocket handshakes and passes all other requests on.
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        let _ = conn;
        if request.is_websocket() { Upgrade::new().into() } else { Reply::Pass }
    }

    /// Replies to a request after [`Reply::Body`], with the whole body. [`Reply::Body`] again is
    /// answered with 500.
    fn body(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>, body: &[u8]) -> Reply {
        let _ = (conn, request, body);
        Reply::Pass
    }

    /// Begins a WebSocket, event stream or takeover. Output of this callback is sent
    /// after the response head.
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        let _ = (conn, request);
    }

    /// Takes a message that arrived on a WebSocket (RFC 6455 6.2), of at most
    /// [`Options::max_message`](crate::Options::max_message) bytes.
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let _ = (conn, message);
    }

    /// Takes a piece of a message, in place of [`message`](Handler::message), on WebSockets whose
    /// options have [`Options::chunks`](crate::Options::chunks).
    fn chunk(&mut self, conn: &mut Conn<'_>, chunk: Chunk<'_>) {
        let _ = (conn, chunk);
    }

    /// Takes a pong that arrived on a WebSocket (RFC 6455 5.5.3).
    ///
    /// A pong repeats the payload of a [`Conn::ping`]. Its payload is empty if the server itself
    /// pinged a silent peer. A peer may also send a pong without a ping.
    fn pong(&mut self, conn: &mut Conn<'_>, payload: &[u8]) {
        let _ = (conn, payload);
    }

    /// Takes bytes that arrived on a taken-over connection, and returns the number of bytes used.
    /// The rest comes again, in front of later bytes.
    ///
    /// If more than 1 MiB waits and `input` returns 0, the connection ends.
    /// [`close`](Handler::close) then gets code 1009.
    fn input(&mut self, conn: &mut Conn<'_>, bytes: &[u8]) -> usize {
        let _ = conn;
        bytes.len()
    }

    /// Goes on with output. The server calls this when all waiting output has left, or after
    /// [`Conn::want_writable`]; at most once a turn for a connection.
    fn writable(&mut self, conn: &mut Conn<'_>) {
        let _ = conn;
    }

    /// Handles the answer to [`Conn::subscribe_from`]: whether messages of the topic may be
    /// missing. What the callback sends precedes the first message that was kept.
    ///
    /// After [`Resume::Gap`], a page renders anew: the oldest message that is kept follows. A
    /// reader that is slower than its topic gets further calls, each with a gap. A call of
    /// [`subscribe_from`](Conn::subscribe_from) for the same topic leads to one more in a later
    /// turn. See [`Conn::subscribe_from`] for an example.
    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        let _ = (conn, topic, resume);
    }

    /// Handles the end of the time that [`Conn::set_timeout`] set.
    fn timeout(&mut self, conn: &mut Conn<'_>) {
        let _ = conn;
    }

    /// Handles the end of a WebSocket, event stream or takeover, exactly once after each
    /// [`open`](Handler::open). Its [`Conn::topics`] are still complete, but it receives nothing.
    /// [`Close::cause`] says why.
    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        let _ = (conn, close);
    }

    /// Handles the end of a deferred or streamed answer that is no longer needed. A later
    /// [`Context::respond`](crate::Context::respond) does nothing.
    ///
    /// | the answer ends because | `cause` |
    /// | --- | --- |
    /// | the peer broke the connection off | [`Reset`](Cause::Reset) |
    /// | the peer ended its side, without `half_close` | [`Eof`](Cause::Eof) |
    /// | the deferred answer is late | [`AnswerTimeout`](Cause::AnswerTimeout) |
    /// | the reader of a streamed answer is too slow | [`WriteTimeout`](Cause::WriteTimeout) |
    /// | a drain has ended | [`Drain`](Cause::Drain) |
    /// | a client behind a proxy has [too many] of them | [`Refused`](Cause::Refused) |
    ///
    /// An earlier reason stays: after [`Conn::close`] the cause is [`Local`](Cause::Local).
    ///
    /// [too many]: crate::Server::max_connections_per_address
    ///
    /// A client that ends its side (FIN) is still owed its answer, unless
    /// [`Options::half_close`](crate::Options::half_close) is off.
    /// [`Conn::peer_ended`] tells the two apart.
    fn cancelled(&mut self, conn: &mut Conn<'_>, cause: Cause) {
        let _ = (conn, cause);
    }
}

/// A handler that hands messages to a closure.
pub(crate) struct Messages<F>(pub(crate) F);

impl<F: FnMut(&mut Conn<'_>, Message<'_>) + 'static> Handler for Messages<F> {
    #[inline]
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        (self.0)(conn, message);
    }
}

/// A handler that hands requests to a closure.
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
