//! A server in calloop's event loop.
//!
//! `cargo run --bin calloop`, then `curl http://127.0.0.1:9004/`.

use std::process::ExitCode;

use switchboard::Reactor;
use switchboard_loops::{in_calloop, program};

fn serve(place: &str) -> std::io::Result<()> {
    let mut reactor = Reactor::new()?;
    reactor.server.http("/", |_conn, _request| "served by calloop\n");
    reactor.server.websocket("/", |conn, message| conn.send(message));
    program::drain_at_signal(reactor.remote())?;
    program::listen(&mut reactor, place)?;
    in_calloop::run(reactor)
}

fn main() -> ExitCode {
    program::main("calloop", "Answers requests and echoes WebSockets in calloop.", serve)
}
