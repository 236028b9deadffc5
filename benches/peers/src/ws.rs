//! ws 0.9.2 as in its bench server: the settings limit the connections, a closure does the rest.
//!
//! Every message passes through a queue that all connections share, and a full queue stops the loop
//! for good. With the default of five places for each of 12,000 connections, more than 60,000
//! messages at once do that (5,000 segments of 64).
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
        // Each message is one frame, as with the other libraries.
        fragment_size: usize::MAX,
        // A peer that vanishes is no reason to end.
        panic_on_internal: false,
        tcp_nodelay: true,
        ..Settings::default()
    }
}
