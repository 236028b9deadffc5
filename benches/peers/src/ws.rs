//! ws 0.9.2, as its bench server has it: the settings say how many connections there may be, the rest is a closure.
//! Every message passes through a queue that all connections share, and a full one stops the loop for good: with the
//! usual five places for each of 12,000 connections, more than 60,000 messages at once (5,000 segments of 64) do that.
#![expect(clippy::result_large_err, reason = "its errors are its own")]

use std::io;

use ws::{Builder, Message, Sender, Settings};

pub fn echo() -> io::Result<()> {
    run(|out, message| out.send(message))
}

pub fn room() -> io::Result<()> {
    run(|out, message| out.broadcast(message))
}

fn run(answer: fn(&Sender, Message) -> ws::Result<()>) -> io::Result<()> {
    let server = Builder::new()
        .with_settings(settings())
        .build(move |out: Sender| move |message| answer(&out, message))
        .and_then(|server| server.bind("127.0.0.1:0"))
        .map_err(io::Error::other)?;
    println!("{}", server.local_addr()?);
    server.run().map_err(io::Error::other)?;
    Ok(())
}

fn settings() -> Settings {
    Settings {
        max_connections: 12_000,
        // A message as one frame, as the others send it.
        fragment_size: usize::MAX,
        // A peer that vanishes is no reason to end.
        panic_on_internal: false,
        tcp_nodelay: true,
        ..Settings::default()
    }
}
