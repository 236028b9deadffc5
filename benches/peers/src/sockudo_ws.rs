//! sockudo-ws as in its echo example, but with `feed` in place of `send`: its manual recommends
//! that for batches, and reading flushes before it waits. Pings and the idle deadline are off,
//! because the others have none. Its own allocator is off, because an executable has one for all.

use std::io;

use futures_util::{SinkExt, StreamExt};
use sockudo_ws::handshake::server_handshake;
use sockudo_ws::{Config, Message, Result, Role, WebSocketStream};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use crate::room::Room;
use crate::serve;

pub fn echo() -> io::Result<()> {
    serve::run(Builder::new_current_thread().enable_all(), |stream| async {
        let Ok(mut socket) = accept(stream).await else { return };
        while let Some(Ok(message)) = socket.next().await {
            if is_data(&message) && socket.feed(message).await.is_err() {
                return;
            }
        }
    })
}

pub fn room() -> io::Result<()> {
    let room = Room::new();
    serve::run(Builder::new_current_thread().enable_all(), |stream| {
        let room = room.clone();
        async {
            if let Ok(socket) = accept(stream).await {
                room.join(socket, is_data).await;
            }
        }
    })
}

async fn accept(mut stream: TcpStream) -> Result<WebSocketStream<TcpStream>> {
    let leftover = server_handshake(&mut stream).await?.leftover;
    let config = Config::builder().idle_timeout(0).auto_ping(false).build();
    Ok(WebSocketStream::from_raw_with_leftover(stream, Role::Server, config, leftover))
}

fn is_data(message: &Message) -> bool {
    matches!(message, Message::Text(_) | Message::Binary(_))
}
