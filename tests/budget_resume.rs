//! The turns of a server that a thousand clients ask for its history at once: none takes longer
//! than 20 ms, in release. A quiet client has its answers meanwhile. Other work of the machine
//! makes a turn longer, so the time of the processor counts, and the best of some rounds.

#[path = "budget/mod.rs"]
mod budget;
#[path = "common/processor_time.rs"]
mod processor_time;

use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use budget::{EchoServer, answer, note, serve_by};
use processor_time::processor_time;
use switchboard::{Conn, ConnId, Handler, History, Message, MessageId, Reactor};

/// In debug only the test itself is tested.
const CLIENTS: usize = if cfg!(debug_assertions) { 100 } else { 1_000 };
const LONGEST_TURN: Duration = Duration::from_millis(20);
const ROUNDS: usize = 3;
/// Threads that read.
const READERS: usize = 4;
/// Names the lengths and the number of the messages for the server's process.
const HISTORY: &str = "SWITCHBOARD_BUDGET_HISTORY";

/// The longest turn of the server's process, in microseconds.
static WORST: AtomicU64 = AtomicU64::new(0);

/// Has all other connections follow the history when one says `resume`.
#[derive(Default)]
struct Room {
    followers: Vec<ConnId>,
}

impl Handler for Room {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        match message {
            Message::Text("follow") => self.followers.push(conn.id()),
            Message::Text("resume") => {
                for &id in &self.followers {
                    if let Some(mut conn) = conn.context().conn(id) {
                        conn.subscribe_from("room", MessageId::default());
                    }
                }
            }
            Message::Text("worst") => {
                return conn.send(&*WORST.load(Ordering::Relaxed).to_string());
            }
            _ => {}
        }
        conn.send(message);
    }
}

/// A number of messages and the length of each, from the environment.
fn history() -> (usize, usize) {
    let text = std::env::var(HISTORY).unwrap();
    let (count, len) = text.split_once(' ').unwrap();
    (count.parse().unwrap(), len.parse().unwrap())
}

#[test]
#[ignore = "runs in the process of its own server"]
fn serve() {
    let reactor = || {
        let (count, len) = history();
        let mut reactor = Reactor::new().unwrap();
        reactor.server.history("room", History::new().messages(count).bytes(64 << 20));
        reactor.server.zone("/", Room::default());
        let cx = reactor.server.context(Instant::now());
        (0..count).for_each(|n| cx.publish("room", &*format!("{n:len$}")));
        reactor
    };
    serve_by("127.0.0.1:0", reactor, |reactor| {
        loop {
            let before = processor_time();
            reactor.turn(None).unwrap();
            let turn = (processor_time() - before).as_micros();
            WORST.fetch_max(u64::try_from(turn).unwrap(), Ordering::Relaxed);
        }
    });
}

#[test]
fn thousand_resumes_at_once_hold_no_turn() {
    // To each client 200 KB in the messages of a topic, 48 KB in small ones, and little.
    for (count, len) in [(200, 1_000), (3_000, 16), (3, 100)] {
        let rounds = if cfg!(debug_assertions) { 1 } else { ROUNDS };
        let worst = (0..rounds).map(|_| round(count, len)).min().unwrap();
        note(&format!("{CLIENTS} clients, {count} messages of {len} B: worst turn {worst:?}"));
        assert!(cfg!(debug_assertions) || worst <= LONGEST_TURN, "a turn took {worst:?}");
    }
}

/// Returns the longest turn of a server of its own.
fn round(count: usize, len: usize) -> Duration {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    assert!(limit > 2 * CLIENTS as u64, "only {limit} descriptors are allowed");
    let environment = [(HISTORY, &*format!("{count} {len}"))];
    let server = EchoServer::start_as("serve", &environment);
    let mut control = server.connect();
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(answer(client, "follow"), "follow"));
    assert_eq!(answer(&mut control, "resume"), "resume");
    // Frames below 126 bytes have a header of 2 bytes, those below 64 KiB one of 4.
    let bytes = count * (len + if len < 126 { 2 } else { 4 });
    thread::scope(|scope| {
        let readers: Vec<_> = clients
            .chunks_mut(CLIENTS / READERS)
            .map(|clients| scope.spawn(|| clients.iter_mut().for_each(|it| take(it, bytes))))
            .collect();
        while readers.iter().any(|reader| !reader.is_finished()) {
            assert_eq!(answer(&mut control, "quiet"), "quiet");
        }
    });
    Duration::from_micros(answer(&mut control, "worst").parse().unwrap())
}

fn take(stream: &mut TcpStream, bytes: usize) {
    let mut received = vec![0; bytes];
    stream.read_exact(&mut received).unwrap();
}
