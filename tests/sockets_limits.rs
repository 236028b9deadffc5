//! Tests limits that need a kernel: connections in all, from one address, and accepted in one turn.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use common::frames::text;
use common::http;
use common::wire::{PATIENCE, Wire};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use socket2::{Domain, SockRef, Socket, Type};
use switchboard::{Drain, Listener, ListenerId, Options, Reactor, Stats};

/// An echo server in this thread, which works only in a turn.
struct Turning {
    reactor: Reactor,
    address: SocketAddr,
}

impl Turning {
    fn start(listener: impl Into<Listener>) -> Turning {
        let _ = rlimit::increase_nofile_limit(u64::MAX);
        let mut reactor = Reactor::new().unwrap();
        reactor.server.websocket("/", |conn, message| conn.send(message));
        let listener = reactor.server.listen(listener).unwrap();
        let address = reactor.server.local_addr(listener).unwrap();
        Turning { reactor, address }
    }

    fn stats(&mut self) -> Stats {
        self.reactor.server.context(Instant::now()).stats()
    }

    fn turn(&mut self) {
        self.reactor.turn(Some(Duration::ZERO)).unwrap();
    }

    /// Turns until a condition holds.
    fn until(&mut self, holds: impl Fn(&Stats) -> bool) {
        let start = Instant::now();
        while !holds(&self.stats()) {
            self.reactor.turn(Some(Duration::from_millis(20))).unwrap();
            assert!(start.elapsed() < PATIENCE, "it never came to pass: {:?}", self.stats());
        }
    }

    /// Turns until nothing is left to do at once.
    fn rest(&mut self) {
        for _ in 0..100 {
            if self.reactor.server.poll_timeout(Instant::now()) != Some(Duration::ZERO) {
                return;
            }
            self.turn();
        }
        panic!("a full server does not rest");
    }

    /// A client that has asked for a WebSocket; the server has not read the request yet.
    fn asking(&self) -> Wire {
        let mut wire = Wire::connect(self.address);
        wire.send(http::handshake("/"));
        wire
    }

    /// A client with an open WebSocket.
    fn websocket(&mut self) -> Wire {
        let open = self.stats().websockets;
        let mut wire = self.asking();
        self.until(|stats| stats.websockets > open);
        assert!(wire.head().starts_with("HTTP/1.1 101 "));
        wire
    }

    fn assert_serves(&mut self, wire: &mut Wire) {
        let before = self.stats().messages;
        wire.send(text("hello"));
        self.until(|stats| stats.messages > before);
        assert_eq!(wire.word(), "text hello");
    }

    fn leave(&mut self, wire: Wire) {
        let open = self.stats().connections;
        drop(wire);
        self.until(|stats| stats.connections < open);
    }
}

/// Reads all that a refused client gets, and then the end.
fn assert_refused(wire: &mut Wire, status: &str) {
    let mut said = String::new();
    wire.stream.read_to_string(&mut said).unwrap();
    let expected = format!(
        "HTTP/1.1 {status}\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(said, expected);
}

const FULL: &str = "503 Service Unavailable";
const TOO_MANY: &str = "429 Too Many Requests";

#[test]
fn connections_beyond_the_limit_are_answered_503() {
    let mut server = Turning::start("127.0.0.1:0");
    server.reactor.server.max_connections(3);
    let mut inside: Vec<_> = (0..3).map(|_| server.websocket()).collect();
    let mut outside: Vec<_> = (0..5).map(|_| server.asking()).collect();
    server.until(|stats| stats.turned_away == 5);
    outside.iter_mut().for_each(|wire| assert_refused(wire, FULL));
    server.rest();
    let stats = server.stats();
    assert_eq!((stats.connections, stats.accepted, stats.exhausted), (3, 3, 0));
    inside.iter_mut().for_each(|wire| server.assert_serves(wire));

    let leaver = inside.remove(1);
    server.leave(leaver);
    inside.push(server.websocket());
    let mut outside = server.asking();
    server.until(|stats| stats.turned_away == 6);
    assert_refused(&mut outside, FULL);

    // A lower limit than the open connections closes none of them.
    server.reactor.server.max_connections(1);
    inside.iter_mut().for_each(|wire| server.assert_serves(wire));
    let leaver = inside.remove(0);
    server.leave(leaver);
    let mut outside = server.asking();
    server.until(|stats| stats.turned_away == 7);
    assert_refused(&mut outside, FULL);
    server.reactor.server.max_connections(usize::MAX);
    let mut last = server.websocket();
    server.assert_serves(&mut last);
}

#[test]
fn connections_of_none_are_all_answered_503() {
    let mut server = Turning::start("127.0.0.1:0");
    server.reactor.server.max_connections(0);
    let mut outside = server.asking();
    server.until(|stats| stats.turned_away == 1);
    assert_refused(&mut outside, FULL);
}

/// A client with an address of its own: on Linux all of 127.0.0.0/8 is local.
fn from(address: [u8; 4], server: &Turning) -> Wire {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let mut wire = Wire::over(TcpStream::from(socket));
    wire.send(http::handshake("/"));
    wire
}

#[test]
fn connections_from_one_address_beyond_its_limit_are_answered_429() {
    let mut server = Turning::start("127.0.0.1:0");
    let early = server.websocket();
    server.reactor.server.max_connections_per_address(2);
    // A connection from before is not counted.
    let mut inside: Vec<_> = (0..2).map(|_| server.websocket()).collect();
    for turned_away in 1..=3 {
        let mut outside = server.asking();
        server.until(|stats| stats.turned_away == turned_away);
        assert_refused(&mut outside, TOO_MANY);
    }
    server.rest();
    inside.iter_mut().for_each(|wire| server.assert_serves(wire));
    // The uncounted connection leaves no room; a counted one does.
    server.leave(early);
    let mut outside = server.asking();
    server.until(|stats| stats.turned_away == 4);
    assert_refused(&mut outside, TOO_MANY);
    let leaver = inside.remove(0);
    server.leave(leaver);
    let mut newcomer = server.websocket();
    server.assert_serves(&mut newcomer);
    // The count stays exact, however often the client comes and goes.
    for _ in 0..20 {
        server.leave(newcomer);
        newcomer = server.websocket();
    }
    let mut outside = server.asking();
    server.until(|stats| stats.turned_away == 5);
    assert_refused(&mut outside, TOO_MANY);
}

#[test]
fn connections_from_other_addresses_are_counted_by_themselves() {
    let mut server = Turning::start("127.0.0.1:0");
    server.reactor.server.max_connections_per_address(2);
    let mut inside: Vec<_> = (0..2).map(|_| server.websocket()).collect();
    let mut others = Vec::new();
    for last in [2, 3] {
        for n in 0..3 {
            let (open, refused) = (server.stats().websockets, server.stats().turned_away);
            let mut wire = from([127, 0, 0, last], &server);
            server.until(|stats| stats.websockets > open || stats.turned_away > refused);
            match n {
                0 | 1 => {
                    assert!(
                        wire.head().starts_with("HTTP/1.1 101 "),
                        "connection {n} of 127.0.0.{last}"
                    );
                    others.push(wire);
                }
                _ => assert_refused(&mut wire, TOO_MANY),
            }
        }
    }
    inside.iter_mut().chain(&mut others).for_each(|wire| server.assert_serves(wire));
    assert_eq!(server.stats().connections, 6);
}

/// An address may have a limit of zero, and both limits may hold at once.
#[test]
fn connections_meet_the_narrower_limit() {
    let mut server = Turning::start("127.0.0.1:0");
    server.reactor.server.max_connections_per_address(0);
    let mut outside = server.asking();
    server.until(|stats| stats.turned_away == 1);
    assert_refused(&mut outside, TOO_MANY);
    server.reactor.server.max_connections_per_address(2);
    server.reactor.server.max_connections(1);
    let inside = server.websocket();
    let mut outside = server.asking();
    server.until(|stats| stats.turned_away == 2);
    assert_refused(&mut outside, FULL);
    // A refusal for lack of room does not count for the address.
    server.leave(inside);
    let inside = server.websocket();
    server.reactor.server.max_connections(10);
    let second = server.websocket();
    let mut outside = server.asking();
    server.until(|stats| stats.turned_away == 3);
    assert_refused(&mut outside, TOO_MANY);
    drop((inside, second));
}

#[test]
fn accepts_are_spread_over_turns() {
    let rows =
        [(Some(1), 1, 10), (Some(3), 3, 10), (Some(0), 1, 5), (Some(10), 10, 10), (None, 256, 300)];
    for (per_turn, limit, clients) in rows {
        let listener = Listener::from("127.0.0.1:0");
        let listener =
            per_turn.map_or(Listener::from("127.0.0.1:0"), |n| listener.accepts_per_turn(n));
        let mut server = Turning::start(listener);
        let mut early = server.websocket();
        let wires: Vec<_> = (0..clients).map(|_| server.asking()).collect();
        early.send(text("hello"));
        let mut accepted = server.stats().accepted;
        let mut turns = 0;
        while accepted <= clients {
            server.turn();
            let now = server.stats().accepted;
            assert!(now - accepted <= limit, "{} accepted in one turn, of {limit}", now - accepted);
            if turns == 0 {
                assert_eq!(
                    (now - accepted, server.stats().messages),
                    (limit.min(clients), 1),
                    "all that it may"
                );
            }
            let busy = server.reactor.server.poll_timeout(Instant::now()) == Some(Duration::ZERO);
            assert!(busy || now > clients, "it may not sleep while others wait");
            accepted = now;
            turns += 1;
            assert!(turns < 1_000);
        }
        assert_eq!(turns, clients.div_ceil(limit));
        assert_eq!(early.word(), "text hello");
        server.until(|stats| stats.websockets as u64 == clients + 1);
        wires.into_iter().for_each(|mut wire| assert!(wire.head().starts_with("HTTP/1.1 101 ")));
    }
}

/// A refusal is work, too.
#[test]
fn accepts_of_a_turn_count_those_who_are_turned_away() {
    let mut server = Turning::start(Listener::from("127.0.0.1:0").accepts_per_turn(2));
    server.reactor.server.max_connections(0);
    let mut wires: Vec<_> = (0..7).map(|_| server.asking()).collect();
    for turned_away in [2, 4, 6, 7] {
        server.turn();
        assert_eq!(server.stats().turned_away, turned_away);
    }
    wires.iter_mut().for_each(|wire| assert_refused(wire, FULL));
}

/// The most turned-away connections that linger at a time.
const LINGERING: usize = 256;

/// A client that is turned away may have begun to upload: it reads the refusal at the end.
#[test]
fn connections_that_are_turned_away_may_finish_their_upload() {
    for (connections, per_address, status) in [(0, u32::MAX, FULL), (10, 0, TOO_MANY)] {
        let mut server = Turning::start("127.0.0.1:0");
        server.reactor.server.max_connections(connections);
        server.reactor.server.max_connections_per_address(per_address);
        let mut outside = Wire::connect(server.address);
        server.until(|stats| stats.turned_away == 1);
        outside.send(http::request("POST", "/", "Content-Length: 3000000\r\n", ""));
        for _ in 0..300 {
            server.turn();
            outside.send(vec![b'x'; 10_000]); // fails if the server has reset the connection
        }
        outside.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_refused(&mut outside, status);
        // A drain waits for connections that linger, and for nothing here.
        let start = Instant::now();
        server.reactor.server.drain(Drain::within(PATIENCE)).unwrap();
        while !server.reactor.server.is_drained() {
            server.reactor.turn(Some(Duration::from_millis(20))).unwrap();
            assert!(start.elapsed() < Duration::from_secs(3), "the client has ended its side");
        }
    }
}

#[test]
fn connections_that_are_turned_away_linger_in_bounded_number() {
    let mut server = Turning::start("127.0.0.1:0");
    server.reactor.server.max_connections(1);
    let mut inside = server.websocket();
    let mut outside: Vec<_> = (0..LINGERING + 20).map(|_| server.asking()).collect();
    server.until(|stats| stats.turned_away == LINGERING as u64 + 20);
    server.rest();
    let stats = server.stats();
    assert_eq!((stats.connections, stats.accepted), (1, 1), "they count for no limit");
    server.assert_serves(&mut inside);
    outside.iter_mut().for_each(|wire| assert_refused(wire, FULL));
    // The first byte to a closed socket is answered with a reset, and the second finds it.
    let mut reset = 0;
    for wire in &mut outside {
        wire.stream.write_all(b"x").unwrap();
        reset += usize::from(wire.stream.write_all(b"x").is_err());
    }
    assert_eq!(reset, 20);
    drop(outside);
    server.rest();
    server.leave(inside);
    let mut next = server.websocket();
    server.assert_serves(&mut next);
}

/// Finds the socket of this process that is connected to a peer.
fn socket_to(peer: SocketAddr) -> Option<Socket> {
    let process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let fds = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let fds = fds.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut sockets = fds.filter_map(|fd| {
        pidfd_getfd(&process, fd, PidfdGetfdFlags::empty()).ok().map(Socket::from)
    });
    sockets.find(|socket| socket.peer_addr().is_ok_and(|address| address.as_socket() == Some(peer)))
}

/// `TCP_USER_TIMEOUT` of the socket that a server accepts next, in seconds.
fn inherited(server: &mut Turning, listener: ListenerId) -> Option<u64> {
    let accepted = server.stats().accepted;
    let peer = TcpStream::connect(server.reactor.server.local_addr(listener).unwrap()).unwrap();
    server.until(|stats| stats.accepted > accepted);
    let socket = socket_to(peer.local_addr().unwrap()).expect("an accepted socket");
    socket.tcp_user_timeout().unwrap().map(|limit| limit.as_secs())
}

/// A peer that vanishes without a FIN is found out by its missing acknowledgements.
#[test]
fn accepted_sockets_carry_the_write_timeout_of_the_default_options() {
    let mut server = Turning::start("127.0.0.1:0");
    let seconds = |n| Options::new().write_timeout(Duration::from_secs(n));
    let ours = server.reactor.server.listen("127.0.0.1:0").unwrap();
    let bound = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&bound).set_tcp_user_timeout(Some(Duration::from_secs(7))).unwrap();
    let theirs = server.reactor.server.listen(bound).unwrap();
    assert_eq!(inherited(&mut server, ours), Some(30));
    assert_eq!(inherited(&mut server, theirs), Some(7), "it keeps its own options");
    for (options, expected) in [
        (seconds(9), Some(9)),
        (seconds(0), Some(4)),
        (seconds(1), Some(4)),
        (seconds(30 * 86_400), Some(i32::MAX as u64 / 1_000)),
        (Options::new().write_timeout(Duration::MAX), None),
        (Options::new(), Some(30)),
    ] {
        server.reactor.server.options(options);
        assert_eq!(inherited(&mut server, ours), expected);
        assert_eq!(inherited(&mut server, theirs), Some(7));
        // A socket that is made later has it from the start.
        let later = server.reactor.server.listen("127.0.0.1:0").unwrap();
        assert_eq!(inherited(&mut server, later), expected);
    }
}

#[test]
fn observer_hears_of_connections_that_are_turned_away_and_of_their_peers() {
    for (status, reason) in [
        (503, "as many connections as max_connections allows"),
        (429, "as many connections as max_connections_per_address allows"),
        (404, "no zone answers this path"),
    ] {
        let mut reactor = Reactor::new().unwrap();
        let listener = reactor.server.listen("127.0.0.1:0").unwrap();
        let address = reactor.server.local_addr(listener).unwrap();
        match status {
            503 => reactor.server.max_connections(0),
            429 => reactor.server.max_connections_per_address(0),
            _ => {}
        }
        let (sender, told) = std::sync::mpsc::channel();
        reactor.server.observe(move |event| {
            if event.is_refusal() {
                sender.send(event.to_string()).unwrap();
            }
        });
        let mut wire = Wire::connect(address);
        wire.send("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
        let start = Instant::now();
        let line = loop {
            reactor.turn(Some(Duration::from_millis(20))).unwrap();
            match told.try_recv() {
                Ok(line) => break line,
                Err(_) => assert!(start.elapsed() < PATIENCE),
            }
        };
        let peer = wire.stream.local_addr().unwrap();
        let head = "\"GET /nowhere HTTP/1.1\"";
        assert_eq!(line, format!("{peer} refused with {status}, {reason}: {head}"));
    }
}

/// The observer learns of connections that no descriptor is left for in the turn that refuses them,
/// and `Stats::refusals` counts each.
#[test]
fn connections_without_a_descriptor_are_counted_and_observed_at_once() {
    const NAME: &str = "connections_without_a_descriptor_are_counted_and_observed_at_once";
    // The limit is the process's, so the test runs in one of its own.
    if std::env::var_os("IS_CHILD").is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let child = child.args([NAME, "--exact", "--test-threads=1"]).env("IS_CHILD", "1");
        let output = child.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        return assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
    let mut server = Turning::start("127.0.0.1:0");
    let (sender, events) = std::sync::mpsc::channel();
    server.reactor.server.observe(move |event| sender.send(event.to_string()).unwrap());
    let mut outside: Vec<_> = (0..3).map(|_| server.asking()).collect();
    let (_, most) = rlimit::Resource::NOFILE.get().unwrap();
    let free = std::fs::File::open("/dev/null").unwrap().as_raw_fd();
    rlimit::setrlimit(rlimit::Resource::NOFILE, free as u64, most).unwrap();
    server.turn();
    rlimit::setrlimit(rlimit::Resource::NOFILE, most, most).unwrap();
    let told: Vec<String> = events.try_iter().collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for (line, wire) in told.iter().zip(&mut outside) {
        let peer = wire.stream.local_addr().unwrap();
        let why = "refused with 503, no descriptor or memory is left";
        assert_eq!(*line, format!("{peer} {why}: \"GET / HTTP/1.1\""));
        assert_refused(wire, FULL);
    }
    let stats = server.stats();
    assert_eq!((stats.accepted, stats.exhausted, stats.turned_away, stats.refused), (0, 1, 0, 0));
    assert_eq!(stats.refusals.iter().collect::<Vec<_>>(), [(503, 3)]);
    let mut later = server.websocket();
    server.assert_serves(&mut later);
    let opened = events.try_iter().next();
    assert!(opened.is_some_and(|line| line.ends_with(" opened")));
}
