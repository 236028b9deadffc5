//! Memory: the resident memory that one more idle WebSocket adds to a process, in either role. A
//! slope is measured, so that memory which the process needs anyway does not count.
#![cfg(target_os = "linux")]

mod budget;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use budget::{EchoServer, note};
use switchboard::{Conn, ConnId, Connect, Context, Handler, Message, Reactor, Request, ZoneId};

/// Bytes that an idle connection may add.
const BUDGET: f64 = 80.0;

/// Connections at the end of the slope, if the descriptor limit allows.
const MANY: usize = 10_000;

/// Descriptors that either process needs for other things.
const OTHERS: usize = 64;

#[test]
#[ignore = "the server process of the other tests"]
fn serve() {
    budget::serve();
}

/// Names the server to a process that opens connections to it.
const TARGET: &str = "SWITCHBOARD_BUDGET_TARGET";

/// Attempts in flight at a time.
const IN_FLIGHT: usize = 100;

#[test]
#[ignore = "the client process of the other tests"]
fn dial() {
    budget::serve_with("127.0.0.1:0", || {
        let mut reactor = Reactor::new().unwrap();
        let dialler = reactor.server.zone("/dialled", Dialler::default());
        reactor.server.with(dialler, Instant::now(), |handler, _| handler.zone = Some(dialler));
        reactor.server.websocket("/", move |conn, message| {
            let (Message::Text(count), asked_by) = (message, conn.id()) else { return };
            let count: usize = count.parse().unwrap();
            conn.context().call(dialler, move |dialler, cx| dialler.begin(count, asked_by, cx));
        });
        reactor
    });
}

/// Opens as many connections as ordered, and reports when they are open.
#[derive(Default)]
struct Dialler {
    zone: Option<ZoneId<Dialler>>,
    asked_by: Option<ConnId>,
    to_begin: usize,
    to_open: usize,
}

impl Dialler {
    fn begin(&mut self, count: usize, asked_by: ConnId, cx: &mut Context) {
        (self.asked_by, self.to_begin, self.to_open) = (Some(asked_by), count, count);
        (0..IN_FLIGHT).for_each(|_| self.begin_one(cx));
    }

    fn begin_one(&mut self, cx: &mut Context) {
        if let (Some(zone), Some(left)) = (self.zone, self.to_begin.checked_sub(1)) {
            self.to_begin = left;
            cx.connect(zone, Connect::to(&format!("ws://{}/", std::env::var(TARGET).unwrap())));
        }
    }
}

impl Handler for Dialler {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        self.begin_one(conn.context());
        self.to_open -= 1;
        if let (0, Some(asked_by)) = (self.to_open, self.asked_by) {
            conn.context().send(asked_by, "open");
        }
    }
}

#[test]
fn server_keeps_at_most_80_bytes_per_idle_websocket() {
    let (few, many) = range();
    let server = EchoServer::start();
    let mut streams: Vec<TcpStream> = (0..few).map(|_| server.connect()).collect();
    let before = server.resident();
    streams.extend((few..many).map(|_| server.connect()));
    judge("server", before, server.resident(), many - few);
    // A server that had closed the connections would be lean too.
    for stream in &streams {
        stream.set_nonblocking(true).unwrap();
        assert!(stream.peek(&mut [0]).is_err(), "the server closed an idle connection");
    }
}

#[test]
fn client_keeps_at_most_80_bytes_per_idle_websocket() {
    let (few, many) = range();
    let server = EchoServer::start();
    let client = EchoServer::start_as("dial", &[(TARGET, &server.address().to_string())]);
    let mut control = client.connect();
    let mut open = |count: usize| {
        // Masked with zeros (RFC 6455 section 5.3).
        let count = count.to_string();
        control.write_all(&[0x81, 0x80 | count.len() as u8, 0, 0, 0, 0]).unwrap();
        control.write_all(count.as_bytes()).unwrap();
        let mut answer = [0; 6];
        control.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"\x81\x04open");
        client.resident()
    };
    let before = open(few);
    judge("client", before, open(many - few), many - few);
    let sockets = std::fs::read_dir(client.kernel_path("fd")).unwrap().count();
    assert!(sockets > many, "{sockets} descriptors for {many} connections");
}

/// The number of connections at the beginning and at the end of the slope.
fn range() -> (usize, usize) {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let many = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(OTHERS).min(MANY);
    if many < MANY {
        note(&format!(
            "only {limit} descriptors are allowed: \
             measured up to {many} connections instead of {MANY}"
        ));
    }
    (many / 10, many)
}

fn judge(role: &str, before: u64, after: u64, connections: usize) {
    let slope = (after as f64 - before as f64) / connections as f64;
    note(&format!("{role}: {slope:.1} B for each of the last {connections} idle connections"));
    assert!(
        slope <= BUDGET,
        "{role}: {slope:.1} B for each of the last {connections} idle connections"
    );
}
