//! PROXY headers over real sockets: the address of the socket decides who may send one, and is the
//! peer's address behind it.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant};

use common::wire::PATIENCE;
use socket2::SockRef;
use switchboard::{Listener, Reactor};

/// A server that tells its peer's address, in this thread.
fn start(peers: &[&str]) -> (Reactor, SocketAddr) {
    let mut reactor = Reactor::new().unwrap();
    reactor.server.http("/", |conn, _| conn.peer_addr().unwrap().to_string());
    let listener = Listener::from("127.0.0.1:0").proxy_protocol(peers);
    let listener = reactor.server.listen(listener).unwrap();
    let address = reactor.server.local_addr(listener).unwrap();
    (reactor, address)
}

/// Turns until the server has ended the connection, and returns what it sent.
fn rest(reactor: &mut Reactor, mut socket: TcpStream) -> Vec<u8> {
    socket.set_nonblocking(true).unwrap();
    let (mut bytes, start) = (Vec::new(), Instant::now());
    loop {
        reactor.turn(Some(Duration::from_millis(20))).unwrap();
        match socket.read_to_end(&mut bytes) {
            Ok(_) => return bytes,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return bytes,
            Err(_) => assert!(start.elapsed() < PATIENCE, "the server does not end"),
        }
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn peer_that_is_named_sends_a_header_and_a_request() {
    for peers in [&["127.0.0.1"][..], &["::1", "127.0.0.0/8"]] {
        let (mut reactor, address) = start(peers);
        let mut socket = TcpStream::connect(address).unwrap();
        let own = socket.local_addr().unwrap();
        socket.write_all(b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n").unwrap();
        socket.write_all(REQUEST).unwrap();
        let answer = String::from_utf8(rest(&mut reactor, socket)).unwrap();
        assert!(answer.ends_with(&format!("\r\n\r\n{own}")), "{answer}");
    }
}

#[test]
fn address_of_the_proxy_is_not_counted() {
    let (mut reactor, address) = start(&["127.0.0.1"]);
    reactor.server.max_connections_per_address(1);
    let mut open = Vec::new();
    let named =
        ["PROXY TCP4 192.0.2.1 192.0.2.9 1 2\r\n", "PROXY TCP4 192.0.2.2 192.0.2.9 1 2\r\n"];
    for header in named.into_iter().chain(["PROXY UNKNOWN\r\n"; 3]) {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(header.as_bytes()).unwrap();
        open.push(socket);
    }
    let (start, mut served) = (Instant::now(), 0);
    while served < open.len() {
        reactor.turn(Some(Duration::from_millis(20))).unwrap();
        let stats = reactor.server.context(Instant::now()).stats();
        assert_eq!((stats.turned_away, stats.rejected), (0, 0));
        served = stats.connections;
        assert!(start.elapsed() < PATIENCE, "{served} connections");
    }
    for _ in 0..3 {
        reactor.turn(Some(Duration::from_millis(20))).unwrap();
    }
    // A client of the same machine has its own place at another listener.
    let plain = reactor.server.listen("127.0.0.1:0").unwrap();
    open.push(TcpStream::connect(reactor.server.local_addr(plain).unwrap()).unwrap());
    for socket in open.iter_mut().rev() {
        socket.write_all(REQUEST).unwrap();
        reactor.turn(Some(Duration::from_millis(20))).unwrap();
    }
    for socket in open {
        assert!(rest(&mut reactor, socket).starts_with(b"HTTP/1.1 200 "));
    }
}

#[test]
fn peer_that_is_not_named_is_closed_at_the_accept() {
    for peers in [&["10.0.0.0/8"][..], &["127.0.0.2"], &["unix", "10.0.0.1"], &["::1", "10.0.0.1"]]
    {
        let (mut reactor, address) = start(peers);
        // It sends nothing, so the end comes by the accept alone.
        let socket = TcpStream::connect(address).unwrap();
        assert_eq!(rest(&mut reactor, socket), b"", "{peers:?}");
        let stats = reactor.server.context(Instant::now()).stats();
        assert_eq!((stats.accepted, stats.rejected), (0, 1), "{peers:?}");
    }
}

#[test]
fn list_that_no_peer_of_the_place_can_match_is_an_error_of_listen() {
    let folder = std::env::temp_dir().join(format!("no-peer-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("s");
    let unix = || Listener::unix(&path);
    let tcp = |address| Listener::from(address);
    let given = |address| Listener::from(std::net::TcpListener::bind(address).unwrap());
    let given_unix = UnixListener::bind(folder.join("inherited")).unwrap();
    let rows: [(Listener, &[&str], &str); 8] = [
        (unix(), &["127.0.0.1"], "add unix to the list"),
        (Listener::unix("@no-peer"), &["::/0", "0.0.0.0/0"], "add unix to the list"),
        (given_unix.into(), &["127.0.0.1"], "add unix to the list"),
        (tcp("127.0.0.1:0"), &["unix"], "add an IPv4 address to the list, such as 127.0.0.1"),
        (tcp("127.0.0.1:0"), &["::1"], "add an IPv4 address to the list, such as 127.0.0.1"),
        (tcp("[::1]:0"), &["127.0.0.1"], "add an IPv6 address to the list, such as ::1"),
        (tcp(":0"), &["unix"], "add an address to the list, such as 127.0.0.1"),
        (given("127.0.0.1:0"), &["unix"], "add an IPv4 address to the list, such as 127.0.0.1"),
    ];
    let mut reactor = Reactor::new().unwrap();
    for (listener, peers, advice) in rows {
        let shown = format!("{listener:?} {peers:?}");
        let error = reactor.server.listen(listener.proxy_protocol(peers)).expect_err(&shown);
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{shown}");
        let text = error.to_string();
        let cause = "none of the peers that may send a PROXY header can connect there";
        assert!(text.starts_with("cannot listen at ") && text.contains(cause), "{text}");
        assert!(text.ends_with(advice), "{shown}: {text}");
    }
    assert!(!path.exists());
    for (listener, peers) in [
        (unix(), &["10.0.0.1", "unix"][..]),
        (tcp("127.0.0.1:0"), &["::ffff:127.0.0.0/104"]),
        (tcp("localhost:0"), &["127.0.0.1"]), // ::1 has no peer, the other address has
        (tcp(":0"), &["127.0.0.1"]),
        (tcp("[::]:0"), &["::1"]),
    ] {
        let shown = format!("{listener:?} {peers:?}");
        reactor.server.listen(listener.proxy_protocol(peers)).expect(&shown);
    }
    drop(reactor);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn peer_that_has_left_before_the_accept_is_no_stranger() {
    let (mut reactor, address) = start(&["127.0.0.1"]);
    // A health check connects, sends its header, and resets the connection.
    let mut socket = TcpStream::connect(address).unwrap();
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    socket.write_all(b"PROXY UNKNOWN\r\n").unwrap();
    drop(socket);
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    let stats = reactor.server.context(Instant::now()).stats();
    assert_eq!((stats.connections, stats.rejected), (0, 0));
}

#[test]
fn peer_that_is_not_named_gets_no_503_without_descriptors() {
    const NAME: &str = "peer_that_is_not_named_gets_no_503_without_descriptors";
    // The limit is the process's, so the test runs in one of its own.
    if std::env::var_os("IS_CHILD").is_none() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child.args([NAME, "--exact", "--test-threads=1"]).env("IS_CHILD", "1");
        let output = child.output().unwrap();
        return assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let (_, most) = rlimit::Resource::NOFILE.get().unwrap();
    for (peers, answer) in [("127.0.0.1", &b"HTTP/1.1 503 "[..]), ("10.0.0.0/8", b"")] {
        let (mut reactor, address) = start(&[peers]);
        let socket = TcpStream::connect(address).unwrap();
        let free = std::fs::File::open("/dev/null").unwrap().as_raw_fd();
        rlimit::setrlimit(rlimit::Resource::NOFILE, free as u64, most).unwrap();
        let bytes = rest(&mut reactor, socket);
        assert!(bytes.starts_with(answer) && bytes.is_empty() == answer.is_empty(), "{bytes:?}");
        assert_eq!(reactor.server.context(Instant::now()).stats().exhausted, 1);
        rlimit::setrlimit(rlimit::Resource::NOFILE, most, most).unwrap();
    }
}

#[test]
fn request_without_a_header_is_closed_without_an_answer() {
    let (mut reactor, address) = start(&["127.0.0.1"]);
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(REQUEST).unwrap();
    assert_eq!(rest(&mut reactor, socket), b"");
    assert_eq!(reactor.server.context(Instant::now()).stats().rejected, 1);
}
