//! tokio-websockets as in its echo example: no limit, no fragments, `send` for each message. Each
//! message is one write: reading flushes, so `feed` in place of `send` would gather nothing.

use std::io;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio_websockets::{Config, Error, Limits, Message, ServerBuilder, WebSocketStream};

use crate::room::Room;
use crate::serve;

pub fn echo() -> io::Result<()> {
    serve::run(Builder::new_current_thread().enable_io(), |stream| async {
        let Ok(mut socket) = accept(stream).await else { return };
        while let Some(Ok(message)) = socket.next().await {
            if is_data(&message) && socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

pub fn room() -> io::Result<()> {
    let room = Room::new();
    serve::run(Builder::new_current_thread().enable_io(), |stream| {
        let room = room.clone();
        async {
            if let Ok(socket) = accept(stream).await {
                room.join(socket, is_data).await;
            }
        }
    })
}

async fn accept(stream: TcpStream) -> Result<WebSocketStream<TcpStream>, Error> {
    let config = Config::default().frame_size(usize::MAX);
    let (_, socket) =
        ServerBuilder::new().config(config).limits(Limits::unlimited()).accept(stream).await?;
    Ok(socket)
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}
