//! A handler as the server calls it: one message at a time, or a batch of them. This file reads no
//! socket and no frame.

use super::handler::Handler;
use crate::context::Conn;
use crate::websocket::{Message, Messages};

/// A [`Handler`] that takes batches: a batch of messages is handed over by code made for the
/// handler's type, with no dynamic call between two of them.
pub(crate) trait Served: Handler {
    /// Hands over the messages of a batch, as long as nothing but answers follows. Returns how many
    /// are left.
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
