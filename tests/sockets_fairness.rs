//! A quiet peer among a hundred that flood, on real sockets: what its round trips cost it.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::frames::{ping, text};
use common::wire::{Running, Wire};

const FLOODERS: usize = 100;

/// The flood ends by itself after that, and the quiet peer is measured meanwhile.
const FLOOD: Duration = Duration::from_secs(2);
const ALONE: Duration = Duration::from_millis(500);

/// The quiet peer says so often something.
const EVERY: Duration = Duration::from_millis(5);

/// One flooder: what it says again and again, and how far it is in it.
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

    /// Says what the kernel takes at once and throws away what it hears. Returns the bytes said and heard.
    fn press(&mut self, buf: &mut [u8]) -> (usize, usize) {
        let heard = now(self.stream.read(buf));
        let said = now(self.stream.write(&self.flood[self.at..]));
        self.at = (self.at + said) % self.flood.len();
        (said, heard)
    }
}

/// How much was possible without waiting.
fn now(result: std::io::Result<usize>) -> usize {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        result => result.unwrap(),
    }
}

/// A hundred peers that ping, send tiny messages and send empty ones, as fast as one thread can. Returns the bytes said and heard.
fn flood(address: SocketAddr) -> JoinHandle<(usize, usize)> {
    let frames = [ping("p"), text("x"), text("")];
    let mut flooders: Vec<_> =
        (0..FLOODERS).map(|n| Flooder::connect(address, &frames[n % frames.len()])).collect();
    thread::spawn(move || {
        let (mut said, mut heard, mut buf) = (0, 0, vec![0; 64 << 10]);
        let start = Instant::now();
        while start.elapsed() < FLOOD {
            for flooder in &mut flooders {
                let (more_said, more_heard) = flooder.press(&mut buf);
                said += more_said;
                heard += more_heard;
            }
        }
        (said, heard)
    })
}

/// The round trips of a quiet peer for so long, shortest first. Each message is answered, and by itself.
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

/// So many of a hundred are as short as that.
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
    let (said, heard) = flood.join().unwrap();

    let [(p50, p99), (flooded_p50, flooded_p99)] =
        [&alone, &flooded].map(|trips| (percentile(trips, 50), percentile(trips, 99)));
    println!(
        "quiet peer: p50 {p50:.0?} p99 {p99:.0?} alone, p50 {flooded_p50:.0?} p99 {flooded_p99:.0?} under flood \
         ({} round trips; {said} bytes of flood, {heard} of answers)",
        flooded.len()
    );
    assert!(said > 1 << 20 && heard > 1 << 20, "no flood: {said} bytes said, {heard} heard");
    assert!(flooded_p99 < Duration::from_secs(1), "{flooded_p99:?} of a round trip under flood");
}
