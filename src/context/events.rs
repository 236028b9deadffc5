//! What a handler hears of a connection, as plain values: a piece of a message, and the end of an
//! exchange.

use crate::websocket::{CloseCode, Message};

/// A piece of a message that is handed over as it arrives; see
/// [`Options::chunks`](crate::Options::chunks).
///
/// ```
/// use switchboard::{Chunk, Conn, Handler, Message};
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
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Chunk<'a> {
    /// The piece; text is valid UTF-8 by itself, and the last piece may be empty.
    pub data: Message<'a>,
    /// Whether the message ends with it: the next one begins another message.
    pub is_last: bool,
}

/// How a WebSocket, event stream or takeover ended.
///
/// ```
/// use switchboard::{Close, CloseCode};
///
/// fn was_polite(close: Close<'_>) -> bool {
///     close.by_peer && close.code == CloseCode::NORMAL
/// }
/// # let _ = was_polite;
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Close<'a> {
    /// The close code; [`CloseCode::ABNORMAL`] (1006) if there was no Close frame, [`CloseCode::NO_STATUS`] (1005) if it
    /// carried none.
    pub code: CloseCode,
    /// The reason that came with it, at most 123 bytes.
    pub reason: &'a str,
    /// Whether the peer began it.
    pub by_peer: bool,
}
