//! Allocations: receiving, handling and answering a message that is whole in one read allocates
//! nothing, with an observer or without. This test counts every allocation of the process, so the
//! file holds one test and no other thread runs.

#[path = "budget/echo.rs"]
mod echo;

use std::alloc::System;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use switchboard::Reactor;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;

const WARM_UP: usize = 20;
const ECHOES: usize = 500;
/// The fewest of several counts is the server's own: the test runner's thread may still be busy
/// with the start of this one, while the server does the same work each time.
const ATTEMPTS: usize = 3;

/// (name, opcode, payload bytes, messages in a segment)
const ROWS: [(&str, u8, usize, usize); 6] = [
    ("text of 20 B", TEXT, 20, 1),
    ("binary of 20 B", BINARY, 20, 1),
    ("nothing", TEXT, 0, 1),
    ("64 texts of 20 B", TEXT, 20, 64),
    ("text of 16 KiB", TEXT, 16 << 10, 1),
    ("binary of 100 KiB", BINARY, 100 << 10, 1),
];

#[test]
fn server_allocates_nothing_per_message() {
    for observed in [false, true] {
        let mut reactor = echo::reactor();
        if observed {
            reactor.server.observe(|event| assert!(!event.is_refusal()));
        }
        allocates_nothing(reactor, observed);
    }
}

fn allocates_nothing(mut reactor: Reactor, observed: bool) {
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let mut client = Client::connect(&mut reactor, listener);
    for (name, opcode, size, frames) in ROWS {
        let request = frame(opcode, size, true).repeat(frames);
        let reply = frame(opcode, size, false).repeat(frames);
        let mut buf = vec![0; reply.len()];
        for _ in 0..WARM_UP {
            client.exchange(&mut reactor, &request, &mut buf);
        }
        assert_eq!(buf, reply, "{name}");
        let fewest = (0..ATTEMPTS)
            .map(|_| allocations(|| client.exchange(&mut reactor, &request, &mut buf)))
            .min();
        assert_eq!(fewest, Some(0), "{name}, observed: {observed}: allocations in {ECHOES} echoes");
    }
}

/// Counts allocations and reallocations of the whole process during this many echoes.
fn allocations(mut echo: impl FnMut()) -> usize {
    let region = Region::new(ALLOCATOR);
    (0..ECHOES).for_each(|_| echo());
    let change = region.change();
    change.allocations + change.reallocations
}

/// Encodes a message with the shortest length form (RFC 6455 section 5.2), and with a masking key
/// of zero if masked.
fn frame(opcode: u8, size: usize, masked: bool) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match size {
        0..=125 => frame.push(size as u8),
        126..=0xffff => {
            frame.push(126);
            frame.extend((size as u16).to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((size as u64).to_be_bytes());
        }
    }
    if masked {
        frame[1] |= 0x80;
        frame.extend([0; 4]);
    }
    frame.resize(frame.len() + size, b'x');
    frame
}

/// The far end of the connection, in this thread: it writes and reads as far as the kernel allows,
/// and turns the reactor in between.
struct Client(TcpStream);

impl Client {
    fn connect(reactor: &mut Reactor, listener: switchboard::ListenerId) -> Client {
        let stream = TcpStream::connect(reactor.server.local_addr(listener).unwrap()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut client = Client(stream);
        let mut answer = vec![0; 1 << 10];
        let mut len = 0;
        client.write(echo::UPGRADE_REQUEST);
        while !answer[..len].ends_with(b"\r\n\r\n") {
            reactor.turn(Some(Duration::from_millis(100))).unwrap();
            len += client.read(&mut answer[len..]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        client
    }

    /// Sends `request`; returns when `reply` is full.
    fn exchange(&mut self, reactor: &mut Reactor, request: &[u8], reply: &mut [u8]) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let (mut sent, mut received) = (0, 0);
        while received < reply.len() {
            assert!(Instant::now() < deadline, "no echo");
            sent += self.write(&request[sent..]);
            reactor.turn(Some(Duration::from_millis(1))).unwrap();
            received += self.read(&mut reply[received..]);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        match self.0.write(bytes) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("{error}"),
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> usize {
        match self.0.read(buf) {
            Ok(0) => panic!("the server closed the connection"),
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("{error}"),
        }
    }
}
