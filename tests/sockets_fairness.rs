//! Measures the round trips of a quiet peer among a hundred peers that flood, on real sockets.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::frames::{ping, text};
use common::wire::{Running, Wire};

const FLOODERS: usize = 100;

/// The time of the flood, during which the quiet peer is measured.
const FLOOD: Duration = Duration::from_secs(2);
const ALONE: Duration = Duration::from_millis(500);

/// The pause between two messages of the quiet peer.
const EVERY: Duration = Duration::from_millis(5);

/// One flooding connection: the bytes that it repeats, and its place in them.
struct Flooder {
    stream: TcpStream,
    flood: Vec<u8>,
    at: usize,
}

impl Flooder {
    fn connect(address: SocketAddr, frame: &[u8]) -> Flooder {
        let stream = Wire::websocket(address).stream;
        stream.set_nonblocking(true).unwrap();
        Flooder { stream, flood: frame.repeat((16 << 10) / frame.len()), at: 0 }
    }

    /// Sends what the kernel takes at once, and drops all input. Returns the bytes sent and
    /// received.
    fn press(&mut self, buf: &mut [u8]) -> (usize, usize) {
        let received = now(self.stream.read(buf));
        let sent = now(self.stream.write(&self.flood[self.at..]));
        self.at = (self.at + sent) % self.flood.len();
        (sent, received)
    }
}

/// Returns the bytes that could be transferred without waiting.
fn now(result: std::io::Result<usize>) -> usize {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        result => result.unwrap(),
    }
}

/// A hundred peers that ping, send tiny messages and send empty ones, as fast as one thread can.
/// Returns the bytes sent and received.
fn flood(address: SocketAddr) -> JoinHandle<(usize, usize)> {
    let frames = [ping("p"), text("x"), text("")];
    let mut flooders: Vec<_> =
        (0..FLOODERS).map(|n| Flooder::connect(address, &frames[n % frames.len()])).collect();
    thread::spawn(move || {
        let (mut sent, mut received, mut buf) = (0, 0, vec![0; 64 << 10]);
        let start = Instant::now();
        while start.elapsed() < FLOOD {
            for flooder in &mut flooders {
                let (more_sent, more_received) = flooder.press(&mut buf);
                sent += more_sent;
                received += more_received;
            }
        }
        (sent, received)
    })
}

/// The round trips of a quiet peer for this long, shortest first. Each message is answered by
/// itself.
fn round_trips(quiet: &mut Wire, duration: Duration) -> Vec<Duration> {
    let mut trips = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < duration {
        let message = trips.len().to_string();
        let start = Instant::now();
        quiet.send(text(&message));
        assert_eq!(quiet.word(), format!("text {message}"));
        trips.push(start.elapsed());
        thread::sleep(EVERY.saturating_sub(start.elapsed()));
    }
    trips.sort();
    trips
}

/// The round trip that this share of a hundred does not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

#[test]
fn quiet_peer_is_answered_soon_among_a_hundred_flooders() {
    let server = Running::echo();
    let mut quiet = Wire::websocket(server.address);
    let alone = round_trips(&mut quiet, ALONE);
    let flood = flood(server.address);
    let flooded = round_trips(&mut quiet, FLOOD);
    let (sent, received) = flood.join().unwrap();

    let [(p50, p99), (flooded_p50, flooded_p99)] =
        [&alone, &flooded].map(|trips| (percentile(trips, 50), percentile(trips, 99)));
    println!(
        "quiet peer: p50 {p50:.0?} p99 {p99:.0?} alone, \
         p50 {flooded_p50:.0?} p99 {flooded_p99:.0?} under flood \
         ({} round trips; {sent} bytes of flood, {received} of answers)",
        flooded.len()
    );
    assert!(
        sent > 1 << 20 && received > 1 << 20,
        "no flood: {sent} bytes sent, {received} received"
    );
    assert!(flooded_p99 < Duration::from_secs(1), "{flooded_p99:?} of a round trip under flood");
}
