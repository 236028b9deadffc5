//! Two plain values that callbacks receive: a piece of a message, and the end of an exchange. This
//! file does not know when a callback is made.

use crate::connection::{Cause, Declined};
use crate::websocket::{CloseCode, Message};

/// A piece of a message, for [`Handler::chunk`](crate::Handler::chunk). A WebSocket whose options
/// have [`Options::chunks`](crate::Options::chunks) delivers pieces in place of whole messages.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Chunk, Conn, Handler, Options};
///
/// #[derive(Default)]
/// struct Upload { bytes: u64 }
///
/// impl Handler for Upload {
///     fn chunk(&mut self, conn: &mut Conn<'_>, chunk: Chunk<'_>) {
///         self.bytes += chunk.data.len() as u64;
///         if chunk.is_last {
///             conn.send(&*format!("{} bytes", self.bytes));
///             self.bytes = 0;
///         }
///     }
/// }
///
/// let mut world = World::new();
/// world.server.options(Options::new().chunks(true));
/// world.server.zone("/", Upload::default());
/// let ada = world.websocket("/");
/// world.say(ada, "hello");
/// assert_eq!(world.hear(ada), ["5 bytes"]);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Chunk<'a> {
    /// The piece. Text is cut between characters, so each piece is valid UTF-8. The last piece may
    /// be empty.
    pub data: Message<'a>,
    /// Whether this piece ends the message. The next piece begins another message.
    pub is_last: bool,
}

/// How a WebSocket, event stream or takeover ended, for [`Handler::close`](crate::Handler::close).
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Close, CloseCode, Conn, Handler};
///
/// #[derive(Default)]
/// struct Door { polite: u32 }
///
/// impl Handler for Door {
///     fn close(&mut self, _conn: &mut Conn<'_>, close: Close<'_>) {
///         if close.by_peer && close.code == CloseCode::NORMAL && close.reason == "bye" {
///             self.polite += 1;
///         }
///     }
/// }
///
/// let mut world = World::new();
/// let door = world.server.zone("/", Door::default());
/// let ada = world.websocket("/");
/// world.close(ada, CloseCode::NORMAL, "bye");
/// assert_eq!(world.with(door, |door, _cx| door.polite), 1);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Close<'a> {
    /// The close code (RFC 6455 7.4). It is [`CloseCode::ABNORMAL`] (1006) if there was no Close
    /// frame, and [`CloseCode::NO_STATUS`] (1005) if the Close frame had no code.
    ///
    /// The server itself closes with [`CloseCode::TOO_BIG`] (1009) for a message beyond its limit,
    /// [`CloseCode::POLICY`] (1008) for input beyond a rate, and [`CloseCode::TRY_AGAIN`] (1013)
    /// for a slow reader.
    pub code: CloseCode,
    /// The reason of the Close frame, at most 123 bytes, or the server's own reason.
    pub reason: &'a str,
    /// Whether the peer began the closing handshake. False where the connection broke or just
    /// ended.
    pub by_peer: bool,
    /// Why it ended. Of several reasons, the first.
    pub cause: Cause,
    /// The response that ended an attempt of [`Context::connect`](crate::Context::connect), if the
    /// server or a proxy answered in HTTP.
    pub declined: Option<&'a Declined>,
}
