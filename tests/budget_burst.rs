//! Memory during and after a burst to slow receivers: waiting output costs what it must, and all
//! memory is given back. The server is a process of its own. Its counting allocator reports the
//! live heap, the kernel the resident memory.
#![cfg(target_os = "linux")]

mod budget;
mod heap;

use std::io::Read;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use budget::{EchoServer, answer, note};
use heap::heap;
use socket2::{Domain, Socket, Type};
use switchboard::{Conn, ConnId, Handler, Message, Reactor};

/// Receivers, as many idle connections beside them, and the bytes that wait for each receiver.
const CLIENTS: usize = if cfg!(debug_assertions) { 100 } else { 1_000 };
const QUEUED: usize = 100_000;
/// The size of a message; no two messages are equal.
const SIZE: usize = 1_000;
/// Heap for each receiver while its output waits, without the bytes themselves.
const HEAP_EACH: usize = 1 << 10;
/// The time in which memory is given back to the kernel.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bursts in a row: the second must not cost more than the first.
const BURSTS: usize = 2;
/// The pause between two looks at the memory.
const LOOK: Duration = Duration::from_millis(100);

/// Descriptors that either process needs for other things.
const OTHERS: usize = 64;
/// Small buffers in the kernel, so that output waits in the server.
const KERNEL_BUFFER: usize = 8 << 10;

const END: [u8; 5] = *b"\x81\x03end";

#[test]
#[ignore = "the server process of the other tests"]
fn serve() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // Accepted sockets inherit the option.
    socket.set_send_buffer_size(KERNEL_BUFFER).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(4096).unwrap();
    budget::serve_with(std::net::TcpListener::from(socket), || {
        let mut reactor = Reactor::new().unwrap();
        reactor.server.zone("/", Telling::default());
        reactor
    });
}

/// Obeys the orders of one connection, towards all connections that asked to be slow.
#[derive(Default)]
struct Telling {
    slow: Vec<ConnId>,
    sent: u64,
}

impl Handler for Telling {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { return };
        match text {
            "slow" => self.slow.push(conn.id()),
            "burst" => {
                self.slow.clone().into_iter().for_each(|id| self.fill(conn.context().conn(id)))
            }
            "end" => self.slow.iter().for_each(|&id| conn.context().send(id, "end")),
            _ => {}
        }
        match text {
            "waiting" => {
                let waiting = self
                    .slow
                    .iter()
                    .map(|&id| conn.context().conn(id).map_or(0, |conn| conn.buffered()));
                let waiting: usize = waiting.sum();
                conn.send(waiting.to_string().as_str());
            }
            "heap" => conn.send(heap().to_string().as_str()),
            other => conn.send(other),
        }
    }
}

impl Telling {
    /// Sends until this much waits.
    fn fill(&mut self, conn: Option<Conn<'_>>) {
        let Some(mut conn) = conn else { return };
        while conn.buffered() < QUEUED {
            self.sent += 1;
            let message = format!("{:0SIZE$}", self.sent);
            conn.send(message.as_str());
        }
    }
}

#[test]
fn server_gives_back_what_waited_for_slow_clients() {
    Burst::new(EchoServer::start()).run();
}

/// A server, its slow clients, its idle clients, and one that gives orders.
struct Burst {
    server: EchoServer,
    control: TcpStream,
    slow: Vec<TcpStream>,
    idle: Vec<TcpStream>,
}

impl Burst {
    fn new(server: EchoServer) -> Burst {
        let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap();
        let clients =
            (usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(OTHERS) / 2).min(CLIENTS);
        if clients < CLIENTS {
            note(&format!(
                "only {limit} descriptors are allowed: {clients} clients instead of {CLIENTS}"
            ));
        }
        let control = server.connect();
        let mut slow: Vec<TcpStream> = (0..clients).map(|_| slow_client(&server)).collect();
        let mut idle: Vec<TcpStream> = (0..clients).map(|_| server.connect()).collect();
        slow.iter_mut().chain(&mut idle).for_each(|stream| ask(stream, "warm"));
        slow.iter_mut().for_each(|stream| ask(stream, "slow"));
        Burst { server, control, slow, idle }
    }

    fn run(mut self) {
        let (heap, pages) = self.memory();
        let enough = pages + pages / 20 + (2 << 20);
        for burst in 1..=BURSTS {
            queue(&mut self.control, self.slow.len());
            let (full_heap, full_pages) = self.memory();
            let each = full_heap.saturating_sub(heap) / self.slow.len();
            assert!(each < HEAP_EACH, "{each} B of the heap for each of the slow");
            ask(&mut self.control, "end");
            self.slow.iter_mut().for_each(take_all);
            let (heap_after, pages_at_once) = self.memory();
            let taken = Instant::now();
            while self.server.resident() > enough && taken.elapsed() < PATIENCE {
                sleep(LOOK);
            }
            let (_, pages_after) = self.memory();
            note(&format!(
                "burst {burst} to {}: live heap {heap} -> {full_heap} -> {heap_after} B, \
                resident {pages} -> {full_pages} -> {pages_at_once} -> {pages_after} B after {:?}",
                self.slow.len(),
                taken.elapsed()
            ));
            assert!(
                heap_after <= heap + heap / 100 + (64 << 10),
                "live heap {heap} -> {heap_after} B"
            );
            assert!(pages_after <= enough, "resident {pages} -> {pages_after} B");
        }
        self.idle.iter_mut().chain(&mut self.slow).for_each(|stream| ask(stream, "still there"));
    }

    /// The server's live heap and its resident memory.
    fn memory(&mut self) -> (usize, u64) {
        (number(&mut self.control, "heap"), self.server.resident())
    }
}

/// Fills the queue of every slow client, whatever the kernel takes of it.
fn queue(control: &mut TcpStream, clients: usize) {
    const ROUNDS: usize = 1_000;
    let all = (0..ROUNDS).any(|_| {
        ask(control, "burst");
        number(control, "waiting") >= clients * QUEUED
    });
    assert!(all, "the kernel takes everything");
}

fn slow_client(server: &EchoServer) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(KERNEL_BUFFER).unwrap();
    socket.connect(&server.address().into()).unwrap();
    server.open(socket.into())
}

/// Reads until nothing more waits.
fn take_all(stream: &mut TcpStream) {
    let mut buf = vec![0; 64 << 10];
    let mut tail = Vec::new();
    let mut len = 0;
    while !tail.ends_with(&END) {
        let n = stream.read(&mut buf).unwrap();
        assert!(n > 0, "the server closed a slow connection");
        len += n;
        tail.extend_from_slice(&buf[..n]);
        tail.drain(..tail.len().saturating_sub(END.len()));
    }
    assert!(len > QUEUED);
}

/// Sends a message, and awaits its echo.
fn ask(stream: &mut TcpStream, text: &str) {
    assert_eq!(answer(stream, text), text);
}

fn number(stream: &mut TcpStream, text: &str) -> usize {
    answer(stream, text).parse().unwrap()
}
