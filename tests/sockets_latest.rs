//! How old the states are that a slow reader gets, on real sockets: what the kernel keeps of them,
//! and who wakes the server when there is room again.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use common::dialling::answer_to;
use common::frames::text;
use common::http::handshake;
use common::wire::{PATIENCE, Running, Wire};
use socket2::{Domain, SockRef, Socket, Type};
use switchboard::{
    Backpressure, Conn, Connect, EventStream, Handler, Options, OptionsId, Reactor, Reply, Request,
    Upgrade,
};

/// A state of a game: 1 KiB, which begins with its number.
fn state(n: usize) -> String {
    format!("{n:04}{}", ".".repeat(1020))
}

/// Opens a WebSocket at `/` and an event stream at `/events`, both subscribed to `state`.
#[derive(Default)]
struct Game {
    options: OptionsId,
}

impl Handler for Game {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.path() {
            "/events" => EventStream::new().options(self.options).into(),
            _ => Upgrade::new().options(self.options).into(),
        }
    }

    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("state");
    }
}

/// Small limits on what the kernel keeps, with the policy for states.
fn limited() -> Options {
    latest().send_buffer(16 << 10).not_sent_lowat(4 << 10)
}

fn latest() -> Options {
    Options::new().backpressure(Backpressure::KeepLatest)
}

/// A socket whose peer keeps 16 KiB of what it has not read.
fn narrow() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket
}

fn narrow_client(address: SocketAddr) -> TcpStream {
    let socket = narrow();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// One thread with the server's loop and a client, which reads when it is asked to.
struct Stalled {
    reactor: Reactor,
    client: TcpStream,
    received: Vec<u8>,
}

impl Stalled {
    /// A client that has asked for `path` and got the head of the answer.
    fn at(path: &str, mut reactor: Reactor, client: TcpStream) -> Stalled {
        client.set_nonblocking(true).unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let mut stalled = Stalled { reactor, client, received: Vec::new() };
        let request = match path {
            "/" => handshake("/"),
            path => common::http::get(path),
        };
        stalled.client.write_all(request.as_ref()).unwrap();
        stalled.until_head();
        stalled
    }

    /// The server reads the request, and the client the head of the answer.
    fn until_head(&mut self) {
        let end = |bytes: &[u8]| bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let head = self.until(|bytes| end(bytes).is_some());
        assert!(head, "{:?}", String::from_utf8_lossy(&self.received));
        let end = end(&self.received).unwrap() + 4;
        self.received.drain(..end);
    }

    /// Turns and reads until the client has what it waits for; false after a few seconds.
    fn until(&mut self, mut has: impl FnMut(&[u8]) -> bool) -> bool {
        let begin = Instant::now();
        let mut buf = [0; 4 << 10];
        while !has(&self.received) {
            if begin.elapsed() > PATIENCE {
                return false;
            }
            self.reactor.turn(Some(Duration::from_millis(1))).unwrap();
            match self.client.read(&mut buf) {
                Ok(0) => return false,
                Ok(n) => self.received.extend_from_slice(&buf[..n]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        true
    }

    /// Publishes states while the client reads nothing. Then the client reads until it has the
    /// newest. Returns how many older ones it reads before.
    fn old_states(&mut self, states: usize) -> usize {
        for n in 0..states {
            let now = Instant::now();
            self.reactor.server.context(now).publish("state", &state(n));
            self.reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        let newest = state(states - 1);
        let newest = newest.as_bytes();
        assert!(self.until(|bytes| bytes.windows(4).any(|part| part == &newest[..4])
            && bytes.trim_ascii_end().ends_with(newest)));
        let text = String::from_utf8_lossy(&self.received).into_owned();
        let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|part| part.len() == 4);
        let numbers: Vec<usize> = numbers.map(|part| part.parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert_eq!(numbers.last(), Some(&(states - 1)));
        let replaced = self.reactor.server.context(Instant::now()).stats().replaced;
        assert_eq!(numbers.len() + replaced as usize, states);
        numbers.len() - 1
    }
}

/// The states of 16 s at 20 a second.
const STATES: usize = 322;

fn served(options: Options, game: Option<Options>) -> (Reactor, SocketAddr) {
    let mut reactor = Reactor::new().unwrap();
    reactor.server.options(options);
    let now = Instant::now();
    let options = game.map(|game| reactor.server.context(now).add_options(game));
    reactor.server.zone("/", Game { options: options.unwrap_or_default() });
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let address = reactor.server.local_addr(listener).unwrap();
    (reactor, address)
}

/// The limits are the default options', or those of the upgrade or the event stream.
#[test]
fn slow_reader_gets_few_old_states_and_then_the_newest() {
    for path in ["/", "/events"] {
        for game in [None, Some(limited())] {
            let of_all = if game.is_some() { Options::new() } else { limited() };
            let (reactor, address) = served(of_all, game);
            let mut stalled = Stalled::at(path, reactor, narrow_client(address));
            let old = stalled.old_states(STATES);
            assert!(old <= 64, "{path}: {old} old states");
        }
    }
}

/// An adopted socket has the limits too, and so has one that this program dials.
#[test]
fn limits_hold_for_adopted_and_dialled_sockets() {
    let (mut reactor, _) = served(limited(), None);
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = narrow_client(outside.local_addr().unwrap());
    let (adopted, _) = outside.accept().unwrap();
    let watched = adopted.try_clone().unwrap();
    adopted.set_nonblocking(true).unwrap();
    let adopted = mio::net::TcpStream::from_std(adopted);
    reactor.server.adopt(adopted, Instant::now()).unwrap();
    if cfg!(target_os = "linux") {
        // The kernel doubles the value.
        assert_eq!(SockRef::from(&watched).send_buffer_size().unwrap(), 32 << 10);
        #[cfg(target_os = "linux")]
        assert_eq!(SockRef::from(&watched).tcp_notsent_lowat().unwrap(), 4 << 10);
    }
    assert!(Stalled::at("/", reactor, client).old_states(STATES) <= 64);

    let far = narrow();
    far.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    far.listen(1).unwrap();
    let far = TcpListener::from(far);
    let url = format!("ws://{}/", far.local_addr().unwrap());
    let (mut reactor, _) = served(Options::new(), None);
    let now = Instant::now();
    let options = reactor.server.context(now).add_options(limited());
    let zone = reactor.server.zone("/far", Game::default());
    reactor.server.context(now).connect(zone, Connect::to(&url).options(options));
    far.set_nonblocking(true).unwrap();
    let client = loop {
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
        match far.accept() {
            Ok((client, _)) => break client,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    };
    client.set_nonblocking(true).unwrap();
    let mut stalled = Stalled { reactor, client, received: Vec::new() };
    assert!(stalled.until(|bytes| bytes.ends_with(b"\r\n\r\n")));
    let answer = answer_to(&String::from_utf8_lossy(&std::mem::take(&mut stalled.received)));
    stalled.client.write_all(answer.as_bytes()).unwrap();
    let open = |stalled: &mut Stalled| {
        stalled.reactor.server.context(Instant::now()).subscribers("state") == 1
    };
    while !open(&mut stalled) {
        stalled.reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
    for n in 0..STATES {
        stalled.reactor.server.context(Instant::now()).publish("state", &state(n));
        stalled.reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    let stats = stalled.reactor.server.context(Instant::now()).stats();
    let left = STATES - stats.replaced as usize;
    assert!(left <= 65, "{left} states left or wait");
}

/// A Unix socket has the buffer, and no other limit.
#[test]
fn unix_socket_has_the_buffer() {
    let (mut reactor, _) = served(limited(), None);
    let (near, _far) = UnixStream::pair().unwrap();
    let watched = near.try_clone().unwrap();
    near.set_nonblocking(true).unwrap();
    reactor.server.adopt(mio::net::UnixStream::from_std(near), Instant::now()).unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(SockRef::from(&watched).send_buffer_size().unwrap(), 32 << 10);
    }
}

/// Unset, the options leave a socket as it is, and a set without them leaves what another set.
#[test]
fn socket_keeps_its_buffer_where_nothing_is_set() {
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    for (of_all, expected) in [(Options::new(), None), (limited(), Some(32 << 10))] {
        let (mut reactor, _) = served(of_all, Some(Options::new()));
        let client = TcpStream::connect(outside.local_addr().unwrap()).unwrap();
        let (adopted, _) = outside.accept().unwrap();
        let watched = adopted.try_clone().unwrap();
        let size = || SockRef::from(&watched).send_buffer_size().unwrap();
        let before = size();
        adopted.set_nonblocking(true).unwrap();
        let adopted = mio::net::TcpStream::from_std(adopted);
        reactor.server.adopt(adopted, Instant::now()).unwrap();
        let _open = Stalled::at("/", reactor, client);
        if cfg!(target_os = "linux") {
            assert_eq!(size(), expected.unwrap_or(before));
        }
    }
}

/// A socket with any limits takes all output of a server that waits for readiness alone: each time
/// there is room again, the server wakes.
#[test]
fn server_wakes_when_a_limited_socket_has_room() {
    const MESSAGES: usize = 64;
    let set = [(None, Some(1)), (None, Some(4 << 10)), (Some(0), None), (Some(16 << 10), Some(64))];
    for (buffer, lowat) in set {
        let mut options = Options::new();
        options = buffer.map_or(options.clone(), |bytes| options.send_buffer(bytes));
        options = lowat.map_or(options.clone(), |bytes| options.not_sent_lowat(bytes));
        let server = Running::start(move |reactor| {
            reactor.server.options(options);
            reactor.server.websocket("/", |conn, _| {
                (0..MESSAGES).for_each(|n| conn.send(&*large(n)));
            });
        });
        let mut wire = Wire::over(narrow_client(server.address));
        assert!(wire.upgrade("/").starts_with("HTTP/1.1 101 "));
        wire.send(text("go"));
        for n in 0..MESSAGES {
            let word = wire.next_word();
            assert!(word == format!("text {}", large(n)), "{buffer:?} {lowat:?}, message {n}");
        }
    }
}

fn large(n: usize) -> String {
    format!("{n}{}", ".".repeat(8_000))
}
