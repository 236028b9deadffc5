//! The server's CPU time for one handshake, without sockets: full and resumed, by version and key.
//! This file measures rustls alone; the figures stand in the guide.

use std::io;
use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, HandshakeKind, ServerConfig,
    ServerConnection, SupportedProtocolVersion,
};
use serde::Serialize;

use crate::measure::certificate::{self, Key};
use crate::measure::contest::Contest;
use crate::measure::ratio::Figure;

/// Handshakes of one kind.
const HANDSHAKES: usize = 301;

const VERSIONS: [(&str, &SupportedProtocolVersion); 2] = [("TLS 1.3", &TLS13), ("TLS 1.2", &TLS12)];

/// A line of the table.
#[derive(Serialize)]
struct Cost {
    handshake: String,
    microseconds: Figure,
}

/// Measures and prints every kind of handshake.
pub fn measure(contest: &mut Contest) -> io::Result<()> {
    contest.table.print(&format!(
        "{:<40} {:>10} {:>8} {:>8}  {:<18}",
        "a handshake, without sockets", "us", "min", "max", "95 % interval"
    ));
    for key in [Key::Ecdsa, Key::Rsa] {
        let server = match certificate::server(key) {
            Ok(server) => server,
            Err(error) => {
                contest.table.failure(key.name(), "rustls", &error.to_string());
                continue;
            }
        };
        for (version, number) in VERSIONS {
            for resumes in [false, true] {
                let name = if resumes { "resumed" } else { "full" };
                let handshake = format!("{version}, {}, {name}", key.name());
                contest.table.at(&handshake, contest.end);
                let client = certificate::client(&[number], resumes)?;
                let times = times(&server, &client, resumes)?;
                let Some(microseconds) = Figure::of(&times) else { continue };
                let Figure { median, min, max, low, high } = microseconds;
                contest.table.print(&format!(
                    "{handshake:<40} {median:>10.1} {min:>8.1} {max:>8.1}  {low:.1} .. {high:.1}"
                ));
                contest.table.keep(&Cost { handshake, microseconds });
            }
        }
    }
    contest.table.print("");
    Ok(())
}

/// The server's time for each handshake, in microseconds.
fn times(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    resumes: bool,
) -> io::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(HANDSHAKES);
    // The first handshake is full in any case, and warms up.
    handshake(server, client)?;
    for _ in 0..HANDSHAKES {
        let (time, kind) = handshake(server, client)?;
        if (kind == Some(HandshakeKind::Resumed)) != resumes {
            return Err(io::Error::other(format!("a handshake of another kind: {kind:?}")));
        }
        times.push(time);
    }
    Ok(times)
}

/// One handshake, with its tickets: the server's time in microseconds, and its kind.
fn handshake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
) -> io::Result<(f64, Option<HandshakeKind>)> {
    let mut client =
        ClientConnection::new(Arc::clone(client), certificate::name()).map_err(io::Error::other)?;
    let mut spent = 0.0;
    let mut ours = timed(&mut spent, || ServerConnection::new(Arc::clone(server)))
        .map_err(io::Error::other)?;
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    while client.wants_write() || ours.wants_write() {
        while client.wants_write() {
            client.write_tls(&mut to_server)?;
        }
        timed(&mut spent, || {
            feed(&mut ours, &mut to_server)?;
            while ours.wants_write() {
                ours.write_tls(&mut to_client)?;
            }
            io::Result::Ok(())
        })?;
        feed(&mut client, &mut to_client)?;
    }
    if ours.is_handshaking() || client.is_handshaking() {
        return Err(io::Error::other("a handshake does not end"));
    }
    Ok((spent, ours.handshake_kind()))
}

fn feed<D>(tls: &mut ConnectionCommon<D>, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        tls.read_tls(&mut rest)?;
        tls.process_new_packets().map_err(io::Error::other)?;
    }
    bytes.clear();
    Ok(())
}

/// Adds this thread's CPU time in `work`, in microseconds.
fn timed<T>(spent: &mut f64, work: impl FnOnce() -> T) -> T {
    let microseconds = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
    };
    let begin = microseconds();
    let result = work();
    *spent += microseconds() - begin;
    result
}
