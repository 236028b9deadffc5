//! tokio-tungstenite as in its echo example: `forward`, which takes all messages that have arrived
//! before it flushes. Its limits (64 MiB a message) and buffers (128 KiB a connection) are the
//! defaults.

use std::future::ready;
use std::io;

use futures_util::{StreamExt, TryStreamExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use crate::room::Room;
use crate::serve;

pub fn echo() -> io::Result<()> {
    serve::run(Builder::new_current_thread().enable_io(), |stream: TcpStream| async {
        let Ok(socket) = accept_async(stream).await else { return };
        let (sink, stream) = socket.split();
        let _ = stream.try_filter(|message| ready(is_data(message))).forward(sink).await;
    })
}

pub fn room() -> io::Result<()> {
    let room = Room::new();
    serve::run(Builder::new_current_thread().enable_io(), |stream| {
        let room = room.clone();
        async {
            if let Ok(socket) = accept_async(stream).await {
                room.join(socket, is_data).await;
            }
        }
    })
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}
