//! Tests the client role on real sockets of the loopback address: names, ports that refuse, servers
//! that do not answer.

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use common::dialling::answer_to;
use common::frames::plain;
use common::wire::{PATIENCE, Running, Wire};
use common::{Log, Recorder};
use socket2::{Domain, Socket, Type};
use switchboard::{
    Close, CloseCode, Conn, ConnId, Connect, Context, Drain, Handler, Message, Reactor, ZoneId,
};

/// A reactor in this thread that dials, and the events of its handler.
struct Dialler {
    reactor: Reactor,
    zone: ZoneId<Recorder>,
    log: Log,
    heard: Vec<String>,
}

impl Dialler {
    fn new() -> Dialler {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let zone = reactor.server.zone("/", Recorder::new(&log));
        Dialler { reactor, zone, log, heard: Vec::new() }
    }

    fn cx(&mut self) -> &mut Context {
        self.reactor.server.context(Instant::now())
    }

    fn connect(&mut self, connect: Connect) -> ConnId {
        let zone = self.zone;
        self.cx().connect(zone, connect)
    }

    /// The next event of the handler.
    fn next(&mut self) -> String {
        let start = Instant::now();
        while self.heard.is_empty() {
            self.reactor.turn(Some(Duration::from_millis(50))).unwrap();
            self.heard = self.log.take();
            assert!(start.elapsed() < PATIENCE, "nothing is heard");
        }
        self.heard.remove(0)
    }

    /// Sends a message and awaits its echo.
    fn assert_echoes(&mut self, id: ConnId, text: &str) {
        self.cx().send(id, text);
        assert_eq!(self.next(), format!("text {text}"));
    }

    /// Closes, and waits until the connection has ended.
    fn close(&mut self, id: ConnId) {
        self.cx().conn(id).expect("open").close(CloseCode::NORMAL, "bye");
        assert_eq!(self.next(), "close 1000 \"\"");
        self.rests();
    }

    fn rests(&mut self) {
        let start = Instant::now();
        while self.cx().stats().connections > 0 {
            self.reactor.turn(Some(Duration::from_millis(50))).unwrap();
            assert!(start.elapsed() < PATIENCE, "something is left");
        }
        assert_eq!(self.cx().stats().websockets, 0);
    }
}

/// A port of this machine without a listener.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn client_talks_to_an_address_and_to_localhost() {
    let server = Running::echo();
    let port = server.address.port();
    let mut dialler = Dialler::new();
    // The server is not at ::1, the first address of the name: the client tries the second.
    for host in ["127.0.0.1", "localhost", "LocalHost", "chat.localhost"] {
        let id =
            dialler.connect(Connect::to(&format!("ws://{host}:{port}/room")).timeout(PATIENCE));
        assert_eq!(dialler.next(), "open /room", "{host}");
        dialler.assert_echoes(id, "hello");
        dialler.assert_echoes(id, &"x".repeat(300_000));
        assert!(
            dialler.cx().conn(id).and_then(|conn| conn.peer_addr()) == Some(server.address),
            "{host}"
        );
        dialler.close(id);
    }
}

/// A listener at an address of its own whose queue is full: the kernel answers no further SYN.
fn full_listener(address: SocketAddr) -> (Socket, Vec<Socket>) {
    let socket = |family| Socket::new(family, Type::STREAM, None).unwrap();
    let listener = socket(Domain::for_address(address));
    listener.bind(&address.into()).unwrap();
    listener.listen(0).unwrap();
    let waits = |_| {
        let client = socket(Domain::for_address(address));
        client.set_nonblocking(true).unwrap();
        let _in_progress = client.connect(&address.into());
        client
    };
    (listener, (0..4).map(waits).collect())
}

/// RFC 8305: `localhost` has two addresses, and nothing answers at the first.
#[test]
fn client_does_not_wait_for_an_address_that_does_not_answer() {
    let server = Running::echo();
    let port = server.address.port();
    let _silent = full_listener(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port));
    let mut dialler = Dialler::new();
    for _ in 0..2 {
        let start = Instant::now();
        let connect = Connect::to(&format!("ws://localhost:{port}/room"));
        let id = dialler.connect(connect.timeout(PATIENCE));
        assert_eq!(dialler.next(), "open /room");
        assert!(start.elapsed() >= Duration::from_millis(250), "the first address has its time");
        assert_eq!(dialler.cx().stats().connections, 1, "the rival was moved, not added");
        assert_eq!(dialler.cx().conn(id).and_then(|conn| conn.peer_addr()), Some(server.address));
        dialler.assert_echoes(id, "hello");
        dialler.assert_echoes(id, &"x".repeat(300_000));
        dialler.close(id);
    }
}

/// Sixteen megabytes, there and back, masked on the way.
#[test]
fn client_sends_and_hears_big_messages() {
    let server = Running::echo();
    let mut dialler = Dialler::new();
    let id = dialler.connect(Connect::to(&format!("ws://{}/", server.address)).timeout(PATIENCE));
    assert_eq!(dialler.next(), "open /");
    let payload = vec![b'x'; 16 << 20];
    dialler.cx().send(id, Message::Binary(&payload));
    let heard = loop {
        match dialler.next() {
            entry if entry == "writable" => {}
            entry => break entry,
        }
    };
    assert!(
        heard.len() == payload.len() + 7 && heard.starts_with("binary x"),
        "{} bytes",
        heard.len()
    );
    dialler.assert_echoes(id, "and on");
    dialler.close(id);
}

#[test]
fn client_of_a_port_that_refuses_hears_so() {
    let port = closed_port();
    for host in ["127.0.0.1", "localhost"] {
        let mut dialler = Dialler::new();
        dialler.connect(Connect::to(&format!("ws://{host}:{port}/")).timeout(PATIENCE));
        assert!(dialler.log.take().is_empty(), "not inline");
        let heard = dialler.next();
        assert!(heard.starts_with("close 1006 \"Connection refused"), "{heard}");
        dialler.rests();
    }
}

#[test]
fn client_of_a_name_that_does_not_resolve_hears_so() {
    let mut dialler = Dialler::new();
    dialler.connect(Connect::to("ws://nowhere.invalid/").timeout(PATIENCE));
    assert_eq!(dialler.next(), "close 1006 \"the name has no address\"");
    dialler.rests();
}

/// The name has no address: it is not looked up, and each of the given addresses is tried.
#[test]
fn client_connects_to_the_addresses_it_is_given() {
    let server = Running::echo();
    let mut dialler = Dialler::new();
    let url = format!("ws://no-such-name.invalid:{}/", server.address.port());
    let addresses = [Ipv4Addr::new(127, 0, 0, 99), Ipv4Addr::LOCALHOST].map(IpAddr::from);
    let id = dialler.connect(Connect::to(&url).addresses(addresses).timeout(PATIENCE));
    assert_eq!(dialler.next(), "open /");
    dialler.assert_echoes(id, "here");
    dialler.close(id);
}

/// The server sees the given source address. An address of the other family, and one of another
/// machine, end the attempt.
#[test]
fn client_connects_from_the_address_that_it_is_told() {
    let server = Running::start(|reactor| {
        reactor.server.websocket("/", |conn, _| {
            let peer = conn.peer_addr().expect("a socket");
            conn.send(&*peer.ip().to_string());
        });
    });
    let url = format!("ws://{}/", server.address);
    for source in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 7)] {
        let mut dialler = Dialler::new();
        let id = dialler.connect(Connect::to(&url).source(source).timeout(PATIENCE));
        assert_eq!(dialler.next(), "open /");
        dialler.cx().send(id, "who am I?");
        assert_eq!(dialler.next(), format!("text {source}"));
        dialler.close(id);
    }
    for (source, reason) in [
        (IpAddr::from(Ipv6Addr::LOCALHOST), "the source address is of another family"),
        (IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)), "Cannot assign requested address"),
    ] {
        let mut dialler = Dialler::new();
        dialler.connect(Connect::to(&url).source(source).timeout(PATIENCE));
        let heard = dialler.next();
        assert!(heard.starts_with(&format!("close 1006 \"{reason}")), "{heard}");
        dialler.rests();
    }
}

/// The kernel connects, and no process accepts.
#[test]
fn client_of_a_server_that_never_answers_gives_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut dialler = Dialler::new();
    let start = Instant::now();
    dialler.connect(
        Connect::to(&format!("ws://{}/", silent.local_addr().unwrap()))
            .timeout(Duration::from_millis(300)),
    );
    assert_eq!(dialler.next(), "close 1006 \"not open in time\"");
    assert!(start.elapsed() >= Duration::from_millis(300));
    dialler.rests();
}

#[test]
fn client_of_a_server_without_websockets_hears_so() {
    let server = Running::start(|reactor| {
        reactor.server.http(switchboard::Zone::new("/moved").upgrades(true), |_, _| {
            switchboard::Response::empty(307).header("Location", "/elsewhere")
        });
    });
    for (path, reason) in [("nothing", "a status other than 101"), ("moved", "a redirection")] {
        let mut dialler = Dialler::new();
        dialler.connect(Connect::to(&format!("ws://{}/{path}", server.address)).timeout(PATIENCE));
        assert_eq!(dialler.next(), format!("close 1006 {reason:?}"));
        dialler.rests();
    }
}

#[test]
fn client_hears_of_a_server_that_goes() {
    let server = Running::echo();
    let mut dialler = Dialler::new();
    dialler.connect(Connect::to(&format!("ws://{}/", server.address)).timeout(PATIENCE));
    assert_eq!(dialler.next(), "open /");
    // The attempt ends without a Close frame.
    drop(server);
    assert_eq!(dialler.next(), "close 1006 \"\"");
    dialler.rests();
}

/// RFC 6455 section 7.1.1: the server ends the connection.
#[test]
fn client_waits_for_the_server_to_end_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost"] {
        let mut dialler = Dialler::new();
        dialler.connect(Connect::to(&format!("ws://{host}:{port}/")).timeout(PATIENCE));
        listener.set_nonblocking(true).unwrap();
        let start = Instant::now();
        let stream = loop {
            dialler.reactor.turn(Some(Duration::from_millis(10))).unwrap();
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(_) => assert!(start.elapsed() < PATIENCE, "nobody connects"),
            }
        };
        stream.set_nonblocking(false).unwrap();
        // The handler learns of the connection, and asks.
        dialler.reactor.turn(Some(Duration::from_millis(10))).unwrap();
        let mut server = Wire::over(stream);
        let request = server.head();
        server.send(answer_to(&request));
        assert_eq!(dialler.next(), "open /");
        server.send(plain(0x88, [0x03, 0xE8]));
        assert_eq!(dialler.next(), "close 1000 \"\" by peer");
        for _ in 0..3 {
            dialler.reactor.turn(Some(Duration::from_millis(10))).unwrap();
            assert_eq!(dialler.cx().stats().connections, 1, "{host}: it goes first");
        }
        drop(server);
        dialler.rests();
    }
}

/// `run` returns once open connections have closed, and attempts are given up.
#[test]
fn drain_ends_what_was_dialled() {
    let server = Running::echo();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut dialler = Dialler::new();
    let open = dialler.connect(Connect::to(&format!("ws://{}/", server.address)).timeout(PATIENCE));
    assert_eq!(dialler.next(), "open /");
    let waits = dialler
        .connect(Connect::to(&format!("ws://{}/", silent.local_addr().unwrap())).timeout(PATIENCE));
    dialler.reactor.turn(Some(Duration::ZERO)).unwrap();
    dialler.reactor.server.drain(Drain::within(PATIENCE)).unwrap();
    dialler.reactor.run().unwrap();
    let mut heard = dialler.log.take_all();
    heard.sort();
    assert_eq!(
        heard,
        [(open, "close 1001 \"\"".to_owned()), (waits, "close 1006 \"\"".to_owned())]
    );
    dialler.connect(Connect::to("ws://127.0.0.1:1/"));
    assert_eq!(dialler.next(), "close 1006 \"the server is draining\"");
}

/// One reactor, both ends of a hundred WebSockets.
#[test]
fn reactor_dials_itself() {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut dialler = Dialler::new();
    let zone = dialler.zone;
    let listener = dialler.reactor.server.listen("127.0.0.1:0").unwrap();
    let address = dialler.reactor.server.local_addr(listener).unwrap();
    let ids: Vec<_> = (0..100)
        .map(|_| {
            dialler.cx().connect(zone, Connect::to(&format!("ws://{address}/")).timeout(PATIENCE))
        })
        .collect();
    let start = Instant::now();
    while dialler.cx().stats().websockets < 200 {
        dialler.reactor.turn(Some(Duration::from_millis(50))).unwrap();
        assert!(start.elapsed() < PATIENCE, "{:?}", dialler.cx().stats());
    }
    dialler.log.take();
    for id in &ids {
        dialler.cx().send(*id, "through the kernel and back");
    }
    // Both ends have one handler; the server's end does not answer.
    for _ in &ids {
        assert_eq!(dialler.next(), "text through the kernel and back");
    }
    for id in ids {
        dialler.cx().conn(id).expect("open").close(CloseCode::NORMAL, "");
    }
    dialler.rests();
    let closes = dialler.log.take().into_iter().chain(std::mem::take(&mut dialler.heard));
    assert_eq!(closes.filter(|entry| entry.starts_with("close 1000")).count(), 200);
}

/// Only the resolver's own answer ends this wait.
#[test]
fn reactor_is_woken_by_a_name_that_was_looked_up() {
    struct Ends;
    impl Handler for Ends {
        fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
            assert_eq!(close.reason, "the name has no address");
            conn.context()
                .drain(Drain { code: CloseCode::NORMAL, ..Drain::within(Duration::ZERO) })
                .unwrap();
        }
    }
    let mut reactor = Reactor::new().expect("a reactor");
    let zone = reactor.server.zone("/", Ends);
    let connect = Connect::to("ws://nowhere.invalid/").timeout(Duration::from_secs(30));
    reactor.server.with(zone, Instant::now(), |_, cx| cx.connect(zone, connect));
    let start = Instant::now();
    reactor.run().expect("a drained reactor");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
