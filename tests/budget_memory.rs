//! Memory: what one more idle WebSocket adds to the resident memory of the server process.
//! Measures a slope, so that what the process needs anyway does not count.
#![cfg(target_os = "linux")]

mod budget;

use std::net::TcpStream;

use budget::{EchoServer, note};

/// Bytes that an idle connection may add.
const BUDGET: f64 = 128.0;

/// Connections at the end of the slope, where the descriptor limit allows.
const MANY: usize = 10_000;

/// Descriptors that either process needs for other things.
const OTHERS: usize = 64;

#[test]
#[ignore = "the server process of the other tests"]
fn serve() {
    budget::serve();
}

#[test]
fn server_keeps_at_most_128_bytes_per_idle_websocket() {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let many = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(OTHERS).min(MANY);
    if many < MANY {
        note(&format!("only {limit} descriptors are allowed: measured up to {many} connections instead of {MANY}"));
    }
    let few = many / 10;
    let server = EchoServer::start();
    let mut streams: Vec<TcpStream> = (0..few).map(|_| server.connect()).collect();
    let before = resident(&server);
    streams.extend((few..many).map(|_| server.connect()));
    let after = resident(&server);
    let slope = (after as f64 - before as f64) / (many - few) as f64;
    println!("{slope:.1} B per idle connection between {few} and {many}");
    assert!(slope <= BUDGET, "{slope:.1} B per idle connection between {few} and {many}");
    // A server that had closed them would be lean too.
    for stream in &streams {
        stream.set_nonblocking(true).unwrap();
        assert!(stream.peek(&mut [0]).is_err(), "the server closed an idle connection");
    }
}

/// Resident bytes of the server process, counted page by page (`VmRSS` is approximate).
fn resident(server: &EchoServer) -> u64 {
    let rollup = server.kernel_file("../../smaps_rollup");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
