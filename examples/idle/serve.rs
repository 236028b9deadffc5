//! The servers that `--serve` starts, each in a process of its own: they echo at every path, and
//! publish to all connections at `/broadcast`. This file does not know what measures them.

use std::io::{self, Write};
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use switchboard::{Conn, Handler, Message, Options, Reactor, Request};

/// The settings of such a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The address to listen at.
    pub address: String,
    /// The descriptor limit.
    pub descriptors: u64,
    /// Seconds of silence after which the server pings a peer.
    pub idle: f64,
}

/// The longest wait for a pong; a shorter idle deadline bounds the wait too.
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

/// Runs a server. It prints one line, empty or the reason why it cannot listen, and ends with the
/// process that started it.
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
