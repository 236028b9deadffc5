//! Where a server listens: addresses in each form, names with several addresses, sockets that
//! listen already, pauses, and the errors of places that cannot be.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket,
};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::wire::{PATIENCE, Wire};
use socket2::{Domain, SockRef, Socket, Type};
use switchboard::{Drain, ListenAddr, Listener, ListenerId, Reactor, Stats, mio};

const LOCAL: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// A port that is free at all addresses at this moment.
fn free_port() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if TcpListener::bind(("::1", port)).is_ok() {
            return port;
        }
    }
}

#[test]
fn port_alone_after_a_colon_listens_at_every_address() {
    for port in [0, free_port()] {
        let mut reactor = Reactor::new().unwrap();
        let listener = reactor.server.listen(format!(":{port}")).unwrap();
        let address = reactor.server.local_addr(listener).unwrap();
        assert!(address.ip().is_unspecified() && (port == 0 || address.port() == port));
        assert_eq!(reactor.server.local_addrs(listener).unwrap(), [address]);
        for ip in LOCAL {
            let address = SocketAddr::new(ip, address.port());
            assert!(TcpStream::connect(address).is_ok(), "{address}");
        }
    }
}

#[test]
fn localhost_listens_at_both_its_addresses_with_one_port() {
    for name in ["localhost", "LOCALHOST", "localhost."] {
        for port in [0, free_port()] {
            let mut reactor = Reactor::new().unwrap();
            let listener = reactor.server.listen(format!("{name}:{port}")).unwrap();
            let addresses = reactor.server.local_addrs(listener).unwrap();
            let first = reactor.server.local_addr(listener).unwrap();
            assert_eq!(addresses, LOCAL.map(|ip| SocketAddr::new(ip, first.port())), "{name}");
            assert!(port == 0 || first.port() == port);
            reactor.server.http("/", |_, _| "hello");
            for (asked, address) in addresses.into_iter().enumerate() {
                let mut wire = common::wire::Wire::connect(address);
                wire.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                while reactor.server.context(Instant::now()).stats().requests == asked as u64 {
                    reactor.turn(Some(Duration::from_millis(20))).unwrap();
                }
                assert!(wire.head().starts_with("HTTP/1.1 200 "), "{address}");
            }
        }
    }
}

#[test]
fn listeners_after_a_name_have_addresses_of_their_own() {
    let mut reactor = Reactor::new().unwrap();
    let name = reactor.server.listen("localhost:0").unwrap();
    let other = reactor.server.listen("127.0.0.1:0").unwrap();
    assert_eq!(reactor.server.local_addrs(name).unwrap().len(), 2);
    let address = reactor.server.local_addr(other).unwrap();
    assert_eq!(reactor.server.local_addrs(other).unwrap(), [address]);
}

#[test]
fn name_of_which_one_address_is_taken_is_an_error() {
    for ip in LOCAL {
        let taken = loop {
            let taken = TcpListener::bind((ip, 0)).unwrap();
            let port = taken.local_addr().unwrap().port();
            if LOCAL.iter().all(|&other| other == ip || TcpListener::bind((other, port)).is_ok()) {
                break taken;
            }
        };
        let address = taken.local_addr().unwrap();
        let mut reactor = Reactor::new().unwrap();
        let text = format!("localhost:{}", address.port());
        let error = reactor.server.listen(&*text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let said = error.to_string();
        assert!(said.contains(&text) && said.contains(&address.to_string()), "{said}");
        // Nothing of it is left.
        let other = LOCAL.into_iter().find(|&other| other != ip).unwrap();
        assert!(TcpListener::bind((other, address.port())).is_ok());
    }
}

#[test]
fn errors_of_listen_name_the_address_and_what_to_give() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = taken.local_addr().unwrap().to_string();
    let rows: [(&str, ErrorKind, &str); 13] = [
        ("9001", ErrorKind::InvalidInput, "127.0.0.1:9001, or :9001"),
        ("", ErrorKind::InvalidInput, "HOST:PORT"),
        (":", ErrorKind::InvalidInput, "HOST:PORT"),
        (":http", ErrorKind::InvalidInput, "HOST:PORT"),
        (":99999", ErrorKind::InvalidInput, "HOST:PORT"),
        ("127.0.0.1", ErrorKind::InvalidInput, "HOST:PORT"),
        ("localhost:", ErrorKind::InvalidInput, "HOST:PORT"),
        ("[::1]", ErrorKind::InvalidInput, "HOST:PORT"),
        ("::1:9001", ErrorKind::InvalidInput, "[::1]:9001"),
        ("*:9001", ErrorKind::InvalidInput, ":9001"),
        ("ws://127.0.0.1:9001/", ErrorKind::InvalidInput, "HOST:PORT"),
        ("203.0.113.9:9001", ErrorKind::AddrNotAvailable, "127.0.0.1:9001"),
        (&in_use, ErrorKind::AddrInUse, "another port"),
    ];
    let mut reactor = Reactor::new().unwrap();
    for (address, kind, says) in rows {
        let error = reactor.server.listen(address).unwrap_err();
        assert_eq!(error.kind(), kind, "{address:?}: {error}");
        let text = error.to_string();
        assert!(text.contains(&format!("{address:?}")) && text.contains(says), "{text}");
        // What `fn main() -> std::io::Result<()>` prints says the same.
        assert!(format!("{error:?}").contains(says), "{error:?}");
    }
    let error = reactor.server.listen(in_use.parse::<SocketAddr>().unwrap()).unwrap_err();
    assert!(error.to_string().contains(&in_use), "{error}");
    let error = reactor.server.listen("nowhere.invalid:80").unwrap_err();
    assert!(error.to_string().contains("\"nowhere.invalid:80\""), "{error}");
}

#[test]
fn listener_of_a_draining_server_has_no_address() {
    let mut reactor = Reactor::new().unwrap();
    let listener = Listener::from("localhost:0").reuse_port(true).backlog(8);
    let listener = reactor.server.listen(listener).unwrap();
    let address = reactor.server.local_addrs(listener).unwrap()[1];
    reactor.server.drain(Drain::within(Duration::ZERO)).unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(reactor.server.local_addr(listener).is_err());
    assert!(reactor.server.local_addrs(listener).is_err());
    assert!(TcpStream::connect(address).is_err(), "both sockets are closed");
}

/// A server in this thread, which works only in a turn.
fn serving(listener: impl Into<Listener>) -> (Reactor, ListenerId) {
    let mut reactor = Reactor::new().unwrap();
    reactor.server.http("/", |_, _| "hello");
    let listener = reactor.server.listen(listener).unwrap();
    (reactor, listener)
}

fn stats(reactor: &mut Reactor) -> Stats {
    reactor.server.context(Instant::now()).stats()
}

fn until(reactor: &mut Reactor, holds: impl Fn(&Stats) -> bool) {
    let start = Instant::now();
    while !holds(&stats(reactor)) {
        reactor.turn(Some(Duration::from_millis(20))).unwrap();
        assert!(start.elapsed() < PATIENCE, "it never came to pass: {:?}", stats(reactor));
    }
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A folder for sockets of one test.
fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sw-{name}-{}", std::process::id()));
    std::fs::create_dir(&path).unwrap();
    path
}

#[test]
fn sockets_that_listen_already_are_served_whatever_their_type() {
    let folder = folder("given");
    let path = |name: &str| folder.join(name);
    let unix = |name: &str| UnixListener::bind(path(name)).unwrap();
    let tcp = || TcpListener::bind("127.0.0.1:0").unwrap();
    let of_mio = |address: &str| mio::net::TcpListener::bind(address.parse().unwrap()).unwrap();
    let rows: [(&str, Listener); 7] = [
        ("tcp", tcp().into()),
        ("tcp", of_mio("127.0.0.1:0").into()),
        ("tcp", of_mio("[::1]:0").into()),
        ("tcp", OwnedFd::from(tcp()).into()),
        ("a", unix("a").into()),
        ("b", mio::net::UnixListener::bind(path("b")).unwrap().into()),
        ("c", OwnedFd::from(unix("c")).into()),
    ];
    for (name, listener) in rows {
        let (mut reactor, id) = serving(listener);
        let places = reactor.server.listening_at(id).unwrap();
        let mut answer = String::new();
        match &places[..] {
            [ListenAddr::Tcp(address)] if name == "tcp" => {
                assert_eq!(reactor.server.local_addr(id).unwrap(), *address);
                let mut wire = Wire::connect(*address);
                wire.send(REQUEST);
                until(&mut reactor, |stats| stats.requests == 1);
                wire.stream.read_to_string(&mut answer).unwrap();
            }
            [ListenAddr::Unix(at)] if *at == path(name) => {
                let mut wire = Wire::of(UnixStream::connect(at).unwrap());
                wire.send(REQUEST);
                until(&mut reactor, |stats| stats.requests == 1);
                wire.stream.read_to_string(&mut answer).unwrap();
            }
            other => panic!("{name}: {other:?}"),
        }
        assert!(answer.ends_with("hello"), "{name}: {answer}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn descriptor_that_does_not_listen_is_an_error_that_says_so() {
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listening.local_addr().unwrap();
    let socket = |domain, kind| OwnedFd::from(Socket::new(domain, kind, None).unwrap());
    let unnamed = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    let path = std::env::temp_dir().join(format!("sw-packets-{}", std::process::id()));
    unnamed.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    unnamed.listen(1).unwrap();
    std::fs::remove_file(path).unwrap();
    let rows: [(&str, OwnedFd, &str); 8] = [
        ("a file", std::fs::File::open("/dev/null").unwrap().into(), "is no socket"),
        ("a pipe", std::io::pipe().unwrap().0.into(), "is no socket"),
        ("UDP", UdpSocket::bind("127.0.0.1:0").unwrap().into(), "is no stream socket"),
        ("datagrams", UnixDatagram::unbound().unwrap().into(), "is no stream socket"),
        ("packets", unnamed.into(), "is no stream socket"),
        ("a new socket", socket(Domain::IPV4, Type::STREAM), "does not listen"),
        ("a new Unix socket", socket(Domain::UNIX, Type::STREAM), "does not listen"),
        ("a connection", TcpStream::connect(address).unwrap().into(), "does not listen"),
    ];
    let mut reactor = Reactor::new().unwrap();
    for (name, descriptor, says) in rows {
        let error = reactor.server.listen(descriptor).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}");
        assert!(error.to_string().contains(says), "{name}: {error}");
    }
}

#[test]
fn option_without_effect_at_a_place_is_an_error() {
    let folder = folder("options");
    let given = || Listener::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let tcp = || Listener::from("127.0.0.1:0");
    let unix = || Listener::unix(folder.join("s"));
    let rows = [
        (tcp().mode(0o600), Some("Listener::mode")),
        (given().mode(0o600), Some("Listener::mode")),
        (given().backlog(1), Some("Listener::backlog")),
        (given().reuse_port(true), Some("Listener::reuse_port")),
        (unix().reuse_port(true), Some("Listener::reuse_port")),
        (given().reuse_port(false).accepts_per_turn(1), None),
        (unix().reuse_port(false).backlog(1).mode(0o600).accepts_per_turn(1), None),
        (tcp().reuse_port(true).backlog(1).accepts_per_turn(1), None),
    ];
    for (row, (listener, says)) in rows.into_iter().enumerate() {
        let outcome = Reactor::new().unwrap().server.listen(listener);
        match (outcome, says) {
            (Ok(_), None) => {}
            (Err(error), Some(says)) => {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{row}");
                assert!(error.to_string().contains(says), "{row}: {error}");
            }
            (outcome, _) => panic!("{row}: {outcome:?}"),
        }
    }
    std::fs::remove_dir(folder).unwrap();
}

#[test]
fn paths_without_their_prefix_are_errors_that_give_it() {
    let mut reactor = Reactor::new().unwrap();
    for (text, says) in [
        ("/run/app.sock", "unix:/run/app.sock"),
        ("./app.sock", "unix:./"),
        ("run/app.sock", "unix:./run/app.sock"),
        ("unix:app.sock", "unix:./app.sock"),
        ("unix:", "unix:./"),
    ] {
        let error = reactor.server.listen(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

#[test]
fn connections_wait_in_the_kernel_while_accepting_is_off() {
    let folder = folder("pause");
    let path = folder.join("s");
    let places: [Listener; 2] = ["localhost:0".into(), Listener::unix(&path)];
    for listener in places {
        let (mut reactor, id) = serving(listener);
        let places = reactor.server.listening_at(id).unwrap();
        let connect = |place: &ListenAddr| -> Box<dyn Stream> {
            match place {
                ListenAddr::Tcp(address) => Box::new(TcpStream::connect(address).unwrap()),
                ListenAddr::Unix(path) => Box::new(UnixStream::connect(path).unwrap()),
                other => panic!("{other}"),
            }
        };
        // Some wait before the pause, and some come in it: both readiness reports are used up.
        let mut waiting: Vec<_> = places.iter().map(connect).collect();
        reactor.server.accepting(id, false);
        for _ in 0..3 {
            reactor.turn(Some(Duration::from_millis(5))).unwrap();
            waiting.extend(places.iter().map(connect));
        }
        waiting.iter_mut().for_each(|socket| socket.write_all(REQUEST.as_bytes()).unwrap());
        for _ in 0..3 {
            reactor.turn(Some(Duration::from_millis(5))).unwrap();
        }
        assert_eq!(stats(&mut reactor).accepted, 0);
        assert_eq!(reactor.server.poll_timeout(Instant::now()), None, "a pause costs no turns");
        reactor.server.accepting(id, true);
        let all = waiting.len() as u64;
        until(&mut reactor, |stats| stats.requests == all);
        for mut socket in waiting {
            let mut answer = String::new();
            socket.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("hello"), "{answer}");
        }
        // What is on stays on, and a pause that ends with nothing waiting is no loop.
        reactor.server.accepting(id, true);
        reactor.turn(Some(Duration::ZERO)).unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_ne!(reactor.server.poll_timeout(Instant::now()), Some(Duration::ZERO));
        let _later: Vec<_> = places.iter().map(connect).collect();
        until(&mut reactor, |stats| stats.accepted == all + places.len() as u64);
    }
    std::fs::remove_dir(folder).unwrap();
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

#[test]
fn pauses_under_load_lose_no_connection() {
    const CLIENTS: u64 = 4;
    const EACH: u64 = 200;
    let (mut reactor, id) = serving(Listener::from("127.0.0.1:0").accepts_per_turn(3));
    let other = reactor.server.listen("127.0.0.1:0").unwrap();
    let address = reactor.server.local_addr(id).unwrap();
    let beside = reactor.server.local_addr(other).unwrap();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(move || {
                    for _ in 0..EACH {
                        let mut wire = Wire::connect(address);
                        wire.send(REQUEST);
                        let mut answer = String::new();
                        wire.stream.read_to_string(&mut answer).unwrap();
                        assert!(answer.ends_with("hello"), "{answer}");
                    }
                })
            })
            .collect();
        let start = Instant::now();
        for turn in 0_u64.. {
            if clients.iter().all(|client| client.is_finished()) {
                break;
            }
            reactor.server.accepting(id, turn % 7 < 3);
            reactor.turn(Some(Duration::from_millis(1))).unwrap();
            assert!(start.elapsed() < PATIENCE, "{:?}", stats(&mut reactor));
        }
        assert_eq!(stats(&mut reactor).requests, CLIENTS * EACH);
        // A pause of one listener is none of another.
        reactor.server.accepting(id, false);
        let mut wire = Wire::connect(beside);
        wire.send(REQUEST);
        until(&mut reactor, |stats| stats.requests == CLIENTS * EACH + 1);
    });
}

/// Clients that wait in the kernel's queue when accepting stops are served: closing the socket
/// would reset them. Their requests have arrived, so they are answered.
#[test]
fn drain_serves_what_waits_at_its_listeners() {
    for address in ["127.0.0.1:0", "localhost:0"] {
        let (mut reactor, id) = serving(Listener::from(address).accepts_per_turn(1));
        let address = *reactor.server.local_addrs(id).unwrap().last().unwrap();
        let mut clients: Vec<_> = (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
        for client in &mut clients {
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        }
        reactor.server.drain(Drain::within(PATIENCE)).unwrap();
        // The loop has not heard of them yet.
        reactor.server.flush(Instant::now());
        let serving = std::thread::spawn(move || {
            for mut client in clients {
                let mut answer = String::new();
                client.read_to_string(&mut answer).unwrap();
                assert!(answer.contains("Connection: close\r\n"), "{answer:?}");
                assert!(answer.ends_with("hello"), "{answer:?}");
            }
        });
        reactor.run().unwrap();
        serving.join().unwrap();
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn pause_of_a_draining_server_does_nothing() {
    let (mut reactor, id) = serving("127.0.0.1:0");
    reactor.server.drain(Drain::within(Duration::ZERO)).unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    reactor.server.accepting(id, false);
    reactor.server.accepting(id, true);
    assert!(reactor.server.is_drained());
}

#[test]
fn reactors_share_a_port_with_reuse_port() {
    const CLIENTS: usize = 64;
    let reused = |port: u16| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        serving(Listener::from(address).reuse_port(true))
    };
    let (mut first, id) = reused(0);
    let address = first.server.local_addr(id).unwrap();
    let (mut second, other) = reused(address.port());
    assert_eq!(second.server.local_addr(other).unwrap(), address);
    let mut wires: Vec<_> = (0..CLIENTS).map(|_| Wire::connect(address)).collect();
    wires.iter_mut().for_each(|wire| wire.send(REQUEST));
    let start = Instant::now();
    let shares = loop {
        first.turn(Some(Duration::from_millis(5))).unwrap();
        second.turn(Some(Duration::from_millis(5))).unwrap();
        let shares = [&mut first, &mut second].map(|reactor| stats(reactor).requests);
        if shares.iter().sum::<u64>() == CLIENTS as u64 {
            break shares;
        }
        assert!(start.elapsed() < PATIENCE, "{shares:?}");
    };
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    wires.iter_mut().for_each(|wire| assert!(wire.head().starts_with("HTTP/1.1 200 ")));
    // Without the option the port is taken.
    let error = Reactor::new().unwrap().server.listen(address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

/// A back-off has a deadline, which may not turn the loop while accepting is off.
#[test]
fn pause_in_a_back_off_costs_no_turns() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let handle = listener.try_clone().unwrap();
    let (mut reactor, id) = serving(listener);
    // From now on accepting fails each time, as it does without descriptors.
    SockRef::from(&handle).shutdown(Shutdown::Both).unwrap();
    until(&mut reactor, |stats| stats.exhausted > 0);
    assert!(reactor.server.poll_timeout(Instant::now()).is_some());
    reactor.server.accepting(id, false);
    assert_eq!(reactor.server.poll_timeout(Instant::now()), None);
    let before = stats(&mut reactor).exhausted;
    for _ in 0..2 {
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
    assert_eq!(stats(&mut reactor).exhausted, before);
    reactor.server.accepting(id, true);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    let wait = reactor.server.poll_timeout(Instant::now());
    assert!(wait.is_some_and(|wait| wait > Duration::ZERO), "{wait:?}");
}
