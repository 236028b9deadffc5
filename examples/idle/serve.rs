//! The servers that `--serve` starts: this crate's own, echoing at every path and publishing to all at `/broadcast`, one in each process. Knows
//! nothing of who measures it.

use std::io::{self, Write};
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use switchboard::{Conn, Handler, Message, Options, Reactor, Request};

/// What such a server is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Where it listens.
    pub address: String,
    /// Descriptors that it may have.
    pub descriptors: u64,
    /// Seconds of silence after which it pings a peer.
    pub idle: f64,
}

/// The longest that it waits for a pong; a shorter idle deadline makes it wait no longer than that.
const PONG: f64 = 20.0;

const TOPIC: &str = "all";

struct Broadcast;

impl Handler for Broadcast {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe(TOPIC);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish_to_others(TOPIC, message);
    }
}

/// The whole life of a server: it says one line, why it cannot listen or nothing, and ends with the process that started it.
pub fn run(service: &Service) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    crate::limits::raise_descriptors(service.descriptors);
    if let Ok((_, hard)) = rlimit::Resource::NOFILE.get()
        && service.descriptors < hard
    {
        rlimit::Resource::NOFILE.set(service.descriptors, hard)?;
    }
    let mut reactor = Reactor::new()?;
    let idle = Duration::from_secs_f64(service.idle);
    let pong = Duration::from_secs_f64(service.idle.min(PONG));
    reactor.server.options(Options::new().idle_timeout(idle).pong_timeout(pong));
    reactor.server.zone("/broadcast", Broadcast);
    reactor.server.websocket("/", |conn, message| conn.send(message));
    let listened = reactor.server.listen(&*service.address);
    let answer = listened.as_ref().map_or_else(ToString::to_string, |_| String::new());
    writeln!(io::stdout().lock(), "{answer}")?;
    listened?;
    reactor.run()
}
