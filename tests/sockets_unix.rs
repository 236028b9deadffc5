//! Unix sockets as places to listen: the file, its mode and its end, what may be in the way, and
//! the limits that hold for TCP as well.

mod common;

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::frames::text;
use common::http;
use common::wire::{PATIENCE, Wire};
use switchboard::{Drain, ListenAddr, Listener, Reactor, Stats};

/// A folder of one test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sw-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names in the folder.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().flatten();
        names.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server in this thread, which works only in a turn.
struct Turning(Reactor);

impl Turning {
    fn new() -> Turning {
        let mut reactor = Reactor::new().unwrap();
        reactor.server.websocket("/ws", |conn, message| conn.send(message));
        reactor.server.http("/", |conn, _| format!("{:?}", conn.peer_addr()));
        Turning(reactor)
    }

    fn at(listener: impl Into<Listener>) -> Turning {
        let mut server = Turning::new();
        server.0.server.listen(listener).unwrap();
        server
    }

    fn stats(&mut self) -> Stats {
        self.0.server.context(Instant::now()).stats()
    }

    fn until(&mut self, holds: impl Fn(&Stats) -> bool) {
        let start = Instant::now();
        while !holds(&self.stats()) {
            self.0.turn(Some(Duration::from_millis(20))).unwrap();
            assert!(start.elapsed() < PATIENCE, "it never came to pass: {:?}", self.stats());
        }
    }

    /// Asserts that a connection to a path is served.
    fn assert_serves(&mut self, path: &Path) {
        let requests = self.stats().requests;
        let mut wire = connect(path);
        wire.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        self.until(|stats| stats.requests > requests);
        assert!(wire.head().starts_with("HTTP/1.1 200 "), "{}", path.display());
    }
}

fn connect(path: &Path) -> Wire<UnixStream> {
    Wire::of(UnixStream::connect(path).unwrap())
}

/// Leaves a socket file of a program that has ended.
fn stale(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn server_echoes_over_a_unix_socket_and_over_tcp_at_once() {
    let folder = Folder::new("echo");
    let path = folder.path("s");
    let mut server = Turning::at(Listener::unix(&path));
    let tcp = server.0.server.listen("127.0.0.1:0").unwrap();
    let address = server.0.server.local_addr(tcp).unwrap();
    let (mut near, mut far) = (connect(&path), Wire::connect(address));
    near.send(http::handshake("/ws"));
    far.send(http::handshake("/ws"));
    server.until(|stats| stats.websockets == 2);
    assert!(near.head().starts_with("HTTP/1.1 101 "));
    assert!(far.head().starts_with("HTTP/1.1 101 "));
    let long = "x".repeat(300_000);
    for (asked, said) in ["hello", &long, ""].into_iter().enumerate() {
        let sent = std::thread::scope(|scope| {
            let client = scope.spawn(|| {
                near.send(text(said));
                near.word()
            });
            server.until(|stats| stats.messages > asked as u64);
            while !client.is_finished() {
                server.0.turn(Some(Duration::from_millis(5))).unwrap();
            }
            client.join().unwrap()
        });
        assert_eq!(sent, format!("text {said}").trim_end());
    }
    far.send(text("as well"));
    server.until(|stats| stats.messages == 4);
    assert_eq!(far.word(), "text as well");
    server.0.server.drain(Drain::within(PATIENCE)).unwrap();
    server.until(|stats| stats.closing == 2);
    assert_eq!(near.word(), "close 1001");
}

#[test]
fn peer_on_a_unix_socket_has_no_address() {
    let folder = Folder::new("peer");
    let path = folder.path("s");
    let mut server = Turning::at(Listener::unix(&path));
    let mut wire = connect(&path);
    wire.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    server.until(|stats| stats.requests == 1);
    let mut answer = String::new();
    wire.stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nNone"), "{answer}");
}

#[test]
fn socket_file_of_an_ended_program_is_replaced() {
    let folder = Folder::new("stale");
    let path = folder.path("s");
    stale(&path);
    // Its mode does not matter for its owner, and is not kept.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut server = Turning::at(Listener::unix(&path).mode(0o666));
    assert_eq!((folder.names(), mode(&path)), (vec!["s".to_owned()], 0o666));
    server.assert_serves(&path);
    // A long name beside a short one: there is no room for a longer name aside.
    let long = folder.path(&"n".repeat(106 - folder.0.as_os_str().len()));
    stale(&long);
    let _other = Turning::at(Listener::unix(&long));
    assert_eq!(folder.names().len(), 2);
}

#[test]
fn path_at_which_something_else_lies_is_an_error_and_stays() {
    let folder = Folder::new("way");
    let path = |name: &str| folder.path(name);
    let live = UnixListener::bind(path("live")).unwrap();
    let _datagrams = UnixDatagram::bind(path("datagrams")).unwrap();
    fs::write(path("file"), "precious").unwrap();
    fs::create_dir(path("folder")).unwrap();
    stale(&path("stale"));
    symlink(path("stale"), path("link")).unwrap();
    symlink(path("nothing"), path("dangling")).unwrap();
    let long = "n".repeat(200);
    let rows: [(&str, ErrorKind, &str); 11] = [
        ("live", ErrorKind::AddrInUse, "a program listens there: end it"),
        ("datagrams", ErrorKind::AddrInUse, "a program listens there: end it"),
        ("file", ErrorKind::AlreadyExists, "a regular file is there: remove it"),
        ("folder", ErrorKind::AlreadyExists, "a directory is there: remove it"),
        ("link", ErrorKind::AlreadyExists, "a symbolic link is there: remove it"),
        ("dangling", ErrorKind::AlreadyExists, "a symbolic link is there: remove it"),
        ("none/s", ErrorKind::NotFound, "make its directory first"),
        ("file/s", ErrorKind::NotADirectory, "give another path"),
        (&long, ErrorKind::InvalidInput, "107 on Linux"),
        ("nul\0", ErrorKind::InvalidInput, "NUL"),
        ("", ErrorKind::AlreadyExists, "a directory is there"),
    ];
    let before = folder.names().len();
    let mut server = Turning::new();
    for (name, kind, says) in rows {
        let path = path(name);
        let error = server.0.server.listen(Listener::unix(&path)).unwrap_err();
        assert_eq!(error.kind(), kind, "{name:?}: {error}");
        let text = error.to_string();
        let place = format!("{:?}", format!("unix:{}", path.display()));
        assert!(text.contains(&place) && text.contains(says), "{text}");
    }
    let error = server.0.server.listen(Listener::unix("")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(folder.names().len(), before);
    assert_eq!(fs::read_to_string(path("file")).unwrap(), "precious");
    assert!(fs::symlink_metadata(path("stale")).unwrap().file_type().is_socket());
    // The question whether it lives was a connection that has ended.
    assert_eq!(live.accept().unwrap().0.read(&mut [0; 8]).unwrap(), 0);
    let _still = UnixStream::connect(path("live")).unwrap();
}

/// A socket whose queue is full lives, too.
#[test]
fn full_queue_is_no_sign_of_an_ended_program() {
    let folder = Folder::new("full");
    let path = folder.path("s");
    let mut first = Turning::at(Listener::unix(&path).backlog(0));
    let mut waiting = Vec::new();
    loop {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&socket2::SockAddr::unix(&path).unwrap()) {
            Ok(()) => waiting.push(socket),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    let error = Turning::new().0.server.listen(Listener::unix(&path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    assert!(error.to_string().contains("a program listens there"), "{error}");
    first.until(|stats| stats.accepted == waiting.len() as u64);
    first.assert_serves(&path);
}

#[test]
fn mode_is_exact_whatever_the_umask_takes_away() {
    let folder = Folder::new("mode");
    let path = folder.path("s");
    for given in [0o777, 0o666, 0o660, 0o600, 0o222, 0] {
        let _server = Turning::at(Listener::unix(&path).mode(given));
        assert_eq!(mode(&path), given, "{given:o}");
    }
    for wrong in [660, 0o1000, 0o140_660, u32::MAX] {
        let error = Turning::new().0.server.listen(Listener::unix(&path).mode(wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("in octal, as 0o660"), "{error}");
    }
    assert!(folder.names().is_empty());
}

#[test]
fn socket_file_is_removed_when_its_listener_ends() {
    let folder = Folder::new("end");
    let path = folder.path("s");
    // With the server.
    drop(Turning::at(Listener::unix(&path)));
    assert!(folder.names().is_empty());
    // At the beginning of a drain: the next program may start while connections end.
    let mut server = Turning::at(Listener::unix(&path));
    let mut wire = connect(&path);
    wire.send(http::handshake("/ws"));
    server.until(|stats| stats.websockets == 1);
    server.0.server.drain(Drain::within(PATIENCE)).unwrap();
    server.0.turn(Some(Duration::ZERO)).unwrap();
    assert!(folder.names().is_empty() && !server.0.server.is_drained());
    let next = Turning::at(Listener::unix(&path));
    drop(server);
    assert_eq!(folder.names(), ["s"], "it is the next program's");
    // What another program has put there stays.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    drop(next);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    // A file that is gone already is no fault.
    let server = Turning::at(Listener::unix(&path));
    fs::remove_file(&path).unwrap();
    drop(server);
    // A socket that was bound elsewhere keeps its file.
    let given = UnixListener::bind(&path).unwrap();
    drop(Turning::at(given));
    assert_eq!(folder.names(), ["s"]);
}

#[test]
fn listener_on_a_unix_socket_says_where_it_listens() {
    let folder = Folder::new("where");
    let path = folder.path("s");
    let mut server = Turning::new();
    let server = &mut server.0.server;
    let named = format!("unix:{}", path.display());
    for listener in [Listener::unix(&path), Listener::from(&*named), Listener::from(named.clone())]
    {
        let mut reactor = Reactor::new().unwrap();
        let id = reactor.server.listen(listener).unwrap();
        let places = reactor.server.listening_at(id).unwrap();
        assert_eq!(places, [ListenAddr::Unix(path.clone())]);
        assert_eq!(places[0].to_string(), named);
        let error = reactor.server.local_addr(id).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("Server::listening_at"), "{error}");
        assert_eq!(reactor.server.local_addrs(id).unwrap_err().kind(), ErrorKind::Unsupported);
        reactor.server.drain(Drain::within(Duration::ZERO)).unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(reactor.server.listening_at(id).unwrap_err().kind(), ErrorKind::NotConnected);
    }
    let tcp = server.listen("localhost:0").unwrap();
    let unix = server.listen(Listener::unix(&path)).unwrap();
    let tcp: Vec<_> = server.listening_at(tcp).unwrap();
    assert!(matches!(tcp[..], [ListenAddr::Tcp(_), ListenAddr::Tcp(_)]));
    assert_eq!(server.listening_at(unix).unwrap(), [ListenAddr::Unix(path)]);
    // A value of one reactor is a place of another.
    let again = tcp[0].clone();
    let error = Reactor::new().unwrap().server.listen(again).unwrap_err();
    assert!(error.to_string().contains(&tcp[0].to_string()), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_name_has_no_file() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = format!("sw-abstract-{}", std::process::id());
    let place = format!("unix:@{name}");
    let mut server = Turning::new();
    let id = server.0.server.listen(&*place).unwrap();
    assert_eq!(server.0.server.listening_at(id).unwrap()[0].to_string(), place);
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let mut wire = Wire::of(UnixStream::connect_addr(&address).unwrap());
    wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server.until(|stats| stats.requests == 1);
    assert!(wire.head().starts_with("HTTP/1.1 200 "));
    let error = Reactor::new().unwrap().server.listen(&*place).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&place), "{error}");
    let listener = Listener::from(&*place).mode(0o600);
    let error = Reactor::new().unwrap().server.listen(listener).unwrap_err();
    assert!(error.to_string().contains("has no mode"), "{error}");
    assert!(Reactor::new().unwrap().server.listen("unix:@").is_err());
}

/// Reads all that a refused client gets, and then the end.
fn assert_refused(wire: &mut Wire<UnixStream>, status: &str) {
    let mut said = String::new();
    wire.stream.read_to_string(&mut said).unwrap();
    let expected = format!(
        "HTTP/1.1 {status}\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(said, expected);
}

#[test]
fn limits_hold_on_a_unix_socket_but_for_that_of_an_address() {
    let folder = Folder::new("limits");
    let path = folder.path("s");
    let mut server = Turning::at(Listener::unix(&path).accepts_per_turn(2));
    server.0.server.max_connections_per_address(1);
    server.0.server.max_connections(3);
    let (sender, told) = mpsc::channel();
    server.0.server.observe(move |event| {
        if event.is_refusal() {
            sender.send(event.to_string()).unwrap();
        }
    });
    let mut wires: Vec<_> = (0..7).map(|_| connect(&path)).collect();
    wires.iter_mut().for_each(|wire| wire.send(http::handshake("/ws")));
    for (taken, refused) in [(2, 0), (3, 1), (3, 3), (3, 4)] {
        server.0.turn(Some(Duration::ZERO)).unwrap();
        let stats = server.stats();
        assert_eq!((stats.accepted, stats.turned_away), (taken, refused));
    }
    wires[3..].iter_mut().for_each(|wire| assert_refused(wire, "503 Service Unavailable"));
    let line = told.recv().unwrap();
    let reason = "as many connections as max_connections allows";
    assert_eq!(line, format!("? refused with 503, {reason}: \"GET /ws HTTP/1.1\""));
    server.until(|stats| stats.websockets == 3);
    wires[..3].iter_mut().for_each(|wire| assert!(wire.head().starts_with("HTTP/1.1 101 ")));
    // Beyond the 256 that linger, a refusal is written at once.
    let mut more: Vec<_> = (0..300).map(|_| connect(&path)).collect();
    server.until(|stats| stats.turned_away == 304);
    more.iter_mut().for_each(|wire| assert_refused(wire, "503 Service Unavailable"));
}
