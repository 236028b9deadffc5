//! Tests on real sockets of the loopback address, for behaviour that only a kernel has.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::frames::{BINARY, binary, close, frame, header, text};
use common::process::{self, Process};
use common::wire::{PATIENCE, Running, Wire};
use common::{Log, Recorder, raw};
use rustix::process::Signal;
use switchboard::mio::net::UdpSocket as MioUdp;
use switchboard::mio::{Events, Interest, Poll, Token};
use switchboard::{Conn, Drain, Handler, Reactor, Request, Server};

#[test]
fn server_echoes_over_tcp() {
    let server = Running::echo();
    let mut client = Wire::websocket(server.address);
    for message in ["hello", "", "\u{20ac}"] {
        client.send(text(message));
        assert_eq!(client.word(), format!("text {message}").trim_end());
    }
    client.send(close(1000, "bye"));
    assert_eq!(client.word(), "close 1000");
    assert!(client.is_ended());
}

/// A request that arrives before the accept is answered in the turn of the accept. After one
/// connection without bytes, the next is not read before its event. A busy kernel may deliver late,
/// so there are a few attempts.
#[test]
fn server_answers_at_once_what_was_asked_before_accept() {
    let silent = [false, false, true, false, false, false];
    assert!((0..20).any(|_| turns_until_answered(&silent) == [1, 1, 1, 2, 1, 1]));
}

/// The number of turns that each of several clients waits for its answer; some send only after the
/// accept.
fn turns_until_answered(silent: &[bool]) -> Vec<usize> {
    let mut reactor = Reactor::new().unwrap();
    reactor.server.http("/", |_conn, _request| "here");
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let address = reactor.server.local_addr(listener).unwrap();
    let turns = silent.iter().map(|&silent| {
        let mut client = TcpStream::connect(address).unwrap();
        if silent {
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        client.set_nonblocking(true).unwrap();
        let answered = |turns: &usize| {
            reactor.turn(Some(PATIENCE)).unwrap();
            *turns == 9 || client.read(&mut [0; 1024]).is_ok_and(|n| n > 0)
        };
        (1..10).find(answered).unwrap()
    });
    turns.collect()
}

#[test]
fn server_serves_many_connections_at_once() {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let server = Running::echo();
    let mut clients: Vec<_> = (0..300).map(|_| Wire::websocket(server.address)).collect();
    for round in 0..3 {
        for (n, client) in clients.iter_mut().enumerate() {
            client.send(text(&format!("{round} {n}")));
        }
        for (n, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.word(), format!("text {round} {n}"));
        }
    }
}

#[test]
fn server_echoes_16_mebibytes() {
    let server = Running::echo();
    let mut client = Wire::websocket(server.address);
    let payload: Vec<u8> = (0..16 << 20).map(|n: usize| ((n * 31) >> 7) as u8).collect();
    client.send(binary(&payload));
    let mut head = [0; 10];
    client.stream.read_exact(&mut head).unwrap();
    assert_eq!(head[..2], [0x80 | BINARY, 127]);
    let mut echoed = vec![0; payload.len()];
    client.stream.read_exact(&mut echoed).unwrap();
    assert!(echoed == payload);
    client.send(text("and on"));
    assert_eq!(client.word(), "text and on");
}

/// A server whose handler records how its connections end.
fn telling() -> (Running, mpsc::Receiver<u16>) {
    let (tell, told) = mpsc::channel();
    let server = Running::start(move |reactor| {
        reactor
            .server
            .zone("/", Recorder::new(&Log::new()).close(move |_, code| tell.send(code).unwrap()));
    });
    (server, told)
}

#[test]
fn server_hears_of_a_reset_in_mid_message() {
    let (server, told) = telling();
    for bytes in [
        header(true, BINARY, 1 << 20),
        [header(true, BINARY, 1 << 20), vec![7; 300_000]].concat(),
        vec![],
    ] {
        let mut client = Wire::websocket(server.address);
        client.send(bytes);
        // A close without lingering sends a RST.
        socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(1006));
    }
    let mut next = Wire::websocket(server.address);
    next.send(close(1000, ""));
    assert_eq!(next.word(), "close 1000");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(1000));
}

/// Closing over unread bytes resets a connection and loses the Close frame: the server reads the
/// bytes and drops them.
#[test]
fn server_tells_why_to_a_peer_that_is_still_sending() {
    let (server, told) = telling();
    let mut client = Wire::websocket(server.address);
    client.send(raw(0xF1, "bad"));
    client.send(vec![0x55; 1 << 20]);
    assert_eq!(client.word(), "close 1002 reserved bits are set");
    assert!(client.is_ended());
    client.send("still talking");
    drop(client);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(1002));
}

#[test]
fn server_waits_for_a_slow_reader_without_losing_a_byte() {
    let server = Running::start(|reactor| {
        reactor.server.websocket("/", |conn, _| {
            for n in 0..100u8 {
                conn.send(&[n; 50_000]);
            }
        });
    });
    let mut client = Wire::websocket(server.address);
    client.send(text("go"));
    for n in 0..100u8 {
        let mut frame = vec![0; 4 + 50_000];
        client.stream.read_exact(&mut frame).unwrap();
        assert!(frame[..4] == [0x82, 126, 0xC3, 0x50] && frame[4..].iter().all(|byte| *byte == n));
    }
}

#[test]
fn server_adopts_a_unix_socket() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let _server = Running::start(move |reactor| {
        reactor.server.websocket("/", |conn: &mut Conn<'_>, message| {
            assert_eq!(conn.peer_addr(), None);
            conn.send(message);
        });
        let theirs = switchboard::mio::net::UnixStream::from_std(theirs);
        reactor.server.adopt(theirs, Instant::now()).unwrap();
    });
    let mut client = Wire::of(ours);
    assert!(client.upgrade("/").starts_with("HTTP/1.1 101 "));
    client.send(binary([7; 100_000]));
    assert_eq!(client.frame().payload, [7; 100_000]);
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(client.is_ended());
}

struct Feed;

impl Handler for Feed {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("feed");
        conn.send("subscribed");
    }
}

/// A loop of the program's own, in which the server is one of two sources.
#[test]
fn server_lives_in_a_foreign_loop() {
    const FEED: Token = Token(7);
    let (tell, told) = mpsc::channel();
    let host = thread::spawn(move || {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(64);
        let mut source = MioUdp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        poll.registry().register(&mut source, FEED, Interest::READABLE).unwrap();
        let mut server = Server::new(poll.registry()).unwrap();
        server.zone("/", Feed);
        let listener = server.listen("127.0.0.1:0").unwrap();
        tell.send((server.local_addr(listener).unwrap(), source.local_addr().unwrap())).unwrap();
        assert!(!server.owns(FEED));
        while !server.is_drained() {
            match poll.poll(&mut events, server.poll_timeout(Instant::now())) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.unwrap(),
            }
            let now = Instant::now();
            for event in &events {
                if event.token() == FEED {
                    let mut buf = [0; 1500];
                    while let Ok(n) = source.recv(&mut buf) {
                        server
                            .context(now)
                            .publish("feed", std::str::from_utf8(&buf[..n]).unwrap());
                    }
                } else if server.owns(event.token()) {
                    server.handle_event(event, now);
                }
            }
            server.flush(now);
            if server.context(now).stats().accepted == 3 {
                server.drain(Drain::within(Duration::ZERO)).unwrap();
            }
        }
    });
    let (address, source): (SocketAddr, SocketAddr) = told.recv_timeout(PATIENCE).unwrap();
    let mut clients = [Wire::websocket(address), Wire::websocket(address)];
    for client in &mut clients {
        assert_eq!(client.word(), "text subscribed");
    }
    let feed = UdpSocket::bind("127.0.0.1:0").unwrap();
    feed.send_to(b"news", source).unwrap();
    for client in &mut clients {
        assert_eq!(client.word(), "text news");
    }
    let _third = Wire::connect(address);
    host.join().unwrap();
}

/// For other loops than mio's: the reactor is one descriptor, readable when there is something to
/// do.
#[test]
fn reactor_is_one_descriptor_to_wait_for() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut reactor = Reactor::new().unwrap();
    reactor.server.websocket("/", |conn, message| conn.send(message));
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let address = reactor.server.local_addr(listener).unwrap();
    let is_ready = |reactor: &Reactor, wait: Duration| {
        let wait = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: 0 };
        poll(&mut [PollFd::new(reactor, PollFlags::IN)], Some(&wait)).unwrap() == 1
    };
    assert!(!is_ready(&reactor, Duration::ZERO));
    let mut client = Wire::connect(address);
    client.send([common::http::handshake("/").into_bytes(), text("x")].concat());
    while reactor.server.context(Instant::now()).stats().messages == 0 {
        assert!(is_ready(&reactor, PATIENCE));
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(client.word(), "text x");
}

/// No test of its own: the server of the tests below, in a process of its own.
#[test]
fn child_serves_when_it_is_asked_to() {
    let Some(descriptors) = process::argument() else { return };
    let descriptors = descriptors.parse().unwrap();
    rlimit::setrlimit(rlimit::Resource::NOFILE, descriptors, descriptors).unwrap();
    process::serve(&Running::echo());
}

fn child(descriptors: u64) -> Process {
    Process::start("child_serves_when_it_is_asked_to", &descriptors.to_string())
}

/// FIELD row 27: without descriptors the next clients are refused in words, the loop rests, and
/// accepts again when a descriptor is free.
#[test]
fn field_row_27_server_without_descriptors_turns_away_and_recovers() {
    let server = child(40);
    let ask = || {
        let mut client = Wire::connect(server.address);
        let head = client.upgrade("/");
        (client, head)
    };
    let mut taken = Vec::new();
    let turned_away = loop {
        let (client, head) = ask();
        match head.starts_with("HTTP/1.1 101 ") {
            true => taken.push(client),
            false => break head,
        }
        assert!(taken.len() < 40);
    };
    assert!(taken.len() > 20, "{} clients only", taken.len());
    assert!(
        turned_away.starts_with("HTTP/1.1 503 ") && turned_away.contains("Retry-After: 1"),
        "{turned_away}"
    );
    for _ in 0..3 {
        assert!(ask().1.starts_with("HTTP/1.1 503 "));
    }

    if std::path::Path::new("/proc/self/schedstat").exists() {
        let (before, rest) = (server.cpu(), Duration::from_millis(500));
        thread::sleep(rest);
        let used = server.cpu() - before;
        assert!(used < rest / 100, "{used:?} of CPU in {rest:?} at the limit");
    }

    for client in &mut taken {
        client.send(text("still served"));
        assert_eq!(client.word(), "text still served");
    }
    let mut leaver = taken.pop().unwrap();
    leaver.send(close(1000, ""));
    assert_eq!(leaver.word(), "close 1000");
    drop(leaver);
    let start = Instant::now();
    let newcomer = loop {
        let (client, head) = ask();
        if head.starts_with("HTTP/1.1 101 ") {
            break client;
        }
        assert!(start.elapsed() < PATIENCE, "a place is free, and nobody gets it");
    };
    drop(newcomer);
}

/// A stopped process whose wait goes on gets EINTR (signal(7)), as it does from a handler.
#[test]
fn server_survives_signals_that_end_its_wait() {
    let server = child(100);
    let mut client = Wire::websocket(server.address);
    for n in 0..20 {
        server.signal(Signal::STOP);
        if n % 2 == 0 {
            client.send(text(&n.to_string()));
        }
        server.signal(Signal::CONT);
        if n % 2 == 0 {
            assert_eq!(client.word(), format!("text {n}"));
        }
    }
    client.send(frame(true, BINARY, "x"));
    assert_eq!(client.word(), "binary 1");
}
