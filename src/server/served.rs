//! A handler as the server calls it: with one message, or with a batch of messages. This file reads
//! no socket and no frame.

use super::handler::Handler;
use crate::context::Conn;
use crate::websocket::{Message, Messages};

/// A [`Handler`] that takes batches. Code made for the handler's type hands a batch over, with no
/// dynamic call between two messages.
pub(crate) trait Served: Handler {
    /// Hands over the messages of a batch, as long as nothing but answers follows. Returns the
    /// number of messages that are left.
    fn messages(&mut self, conn: &mut Conn<'_>, batch: Messages<'_>) -> usize;
}

impl<H: Handler> Served for H {
    fn messages(&mut self, conn: &mut Conn<'_>, batch: Messages<'_>) -> usize {
        match batch {
            Messages::Texts(mut texts) => {
                while conn.cx.table.books.lane.fast_path() == conn.id
                    && let Some(text) = texts.next()
                {
                    self.message(conn, Message::Text(text));
                }
                texts.left()
            }
            Messages::Binaries(mut binaries) => {
                while conn.cx.table.books.lane.fast_path() == conn.id
                    && let Some(binary) = binaries.next()
                {
                    self.message(conn, Message::Binary(binary));
                }
                binaries.left()
            }
        }
    }
}
