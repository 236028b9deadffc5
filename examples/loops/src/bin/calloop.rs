//! A server in calloop's event loop.
//!
//! `cargo run --bin calloop`, then `curl http://127.0.0.1:9004/`.

use std::process::ExitCode;

use calloop::{EventLoop, LoopSignal};
use switchboard::Reactor;
use switchboard_loops::in_calloop::ReactorSource;
use switchboard_loops::program;

fn serve(place: &str) -> std::io::Result<()> {
    let mut reactor = Reactor::new()?;
    reactor.server.http("/", |_conn, _request| "served by calloop\n");
    reactor.server.websocket("/", |conn, message| conn.send(message));
    program::drain_at_signal(reactor.remote())?;
    program::listen(&mut reactor, place)?;

    let mut event_loop = EventLoop::<LoopSignal>::try_new()?;
    let source = ReactorSource::new(reactor)?;
    let inserted = event_loop.handle().insert_source(source, |(), reactor, signal| {
        if reactor.server.is_drained() {
            signal.stop();
        }
    });
    inserted.map_err(|refused| refused.error)?;
    let mut signal = event_loop.get_signal();
    event_loop.run(None, &mut signal, |_signal| {})?;
    Ok(())
}

fn main() -> ExitCode {
    program::main("calloop", "Answers requests and echoes WebSockets in calloop.", serve)
}
