//! A tokio program with a server on a thread of its own: a task asks the server's handler.
//!
//! `cargo run --bin two_threads`, then `curl http://127.0.0.1:9004/`.

use std::process::ExitCode;
use std::time::Duration;

use switchboard::{Conn, Handler, Reply, Request};
use switchboard_loops::output::print_line;
use switchboard_loops::{on_a_thread, program};

#[derive(Default)]
struct Visits(u64);

impl Handler for Visits {
    fn request(&mut self, _conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
        self.0 += 1;
        format!("visit {}\n", self.0).into()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve(place: &str) -> std::io::Result<()> {
    let place = place.to_owned();
    let running = on_a_thread::start(move |reactor| {
        let visits = reactor.server.zone("/", Visits::default());
        program::listen(reactor, &place)?;
        Ok(visits)
    })
    .await?;
    program::drain_at_signal(running.remote.clone())?;
    let (remote, visits) = (running.remote.clone(), running.set_up);
    let report = tokio::spawn(async move {
        let mut reported = 0;
        // Until the server is gone.
        while let Ok(count) = on_a_thread::ask(&remote, visits, |visits, _cx| visits.0).await {
            if count != reported {
                print_line(format_args!("{count} visits"));
                reported = count;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let ended = running.join().await;
    report.abort();
    ended
}

fn main() -> ExitCode {
    program::main("two_threads", "Counts visits; a task of tokio prints the count.", serve)
}
