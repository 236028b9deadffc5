//! A server and tasks of tokio on one thread: tasks answer the requests, and no lock is needed.
//!
//! `cargo run --bin one_thread`, then `curl http://127.0.0.1:9004/`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use switchboard::{Conn, Handler, Reactor, Remote, Reply, Request, ZoneId};
use switchboard_loops::{in_tokio, program};
use tokio::task::{LocalSet, spawn_local};

/// Answers each request by a task, here one that waits for a tenth of a second.
#[derive(Default)]
struct Slow {
    /// The way back for the tasks.
    own: Option<(Remote, ZoneId<Slow>)>,
}

impl Handler for Slow {
    fn request(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
        let (id, Some((remote, zone))) = (conn.id(), self.own.clone()) else { return Reply::Pass };
        spawn_local(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            // A full queue costs the answer: the request ends with 503 after `answer_timeout`.
            let _ = remote.call(zone, move |_, cx| cx.respond(id, "answered by a task\n"));
        });
        Reply::Later
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve(place: &str) -> std::io::Result<()> {
    let mut reactor = Reactor::new()?;
    let zone = reactor.server.zone("/", Slow::default());
    let remote = reactor.remote();
    reactor.server.with(zone, Instant::now(), |slow, _cx| slow.own = Some((remote, zone)));
    program::drain_at_signal(reactor.remote())?;
    program::listen(&mut reactor, place)?;
    LocalSet::new().run_until(in_tokio::run(reactor)).await
}

fn main() -> ExitCode {
    program::main("one_thread", "Answers requests by tasks of tokio on one thread.", serve)
}
