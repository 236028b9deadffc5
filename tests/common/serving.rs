//! A server that serves in every way there is, for tests of what all ways have in common.

use switchboard::{CloseCode, EventStream, Options, Reply, Response, Upgrade};

use super::{Log, Recorder, World, seconds};

/// Serves in every way there is, by path.
pub fn serving(options: Options) -> (World, Log) {
    let log = Log::new();
    let recorder = Recorder::new(&log)
        .request(|_, request| match request.path() {
            "/socket" => Upgrade::new().into(),
            "/events" => EventStream::new().into(),
            "/upload" => Reply::Body(1_000),
            "/later" => Reply::Later,
            "/big" => "x".repeat(100_000).into(),
            "/mine" => Reply::Takeover(Response::empty(101)),
            path => path.to_owned().into(),
        })
        .body(|_, _, body| body.len().to_string())
        .message(|conn, message| {
            if message.as_bytes() == b"close" {
                conn.close(CloseCode::NORMAL, "");
            }
        })
        .input(|conn, bytes| {
            conn.write(&vec![b'x'; 100_000]);
            conn.close(CloseCode::NORMAL, "all said");
            bytes.len()
        });
    let mut sim = World::serving(|server| server.options(options));
    sim.server.zone("/", recorder);
    (sim, log)
}

/// No deadline strikes before the day is over.
pub fn patient() -> Options {
    let day = seconds(86_400);
    Options::new()
        .first_byte_timeout(day)
        .keep_alive_timeout(day)
        .head_timeout(day)
        .body_timeout(day)
        .answer_timeout(day)
        .write_timeout(day)
        .idle_timeout(day)
        .pong_timeout(day)
        .close_timeout(day)
        .linger_timeout(day)
        .linger_limit(day)
        .event_stream_interval(day)
}
