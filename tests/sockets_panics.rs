//! Panics over real sockets: what a peer gets when a handler panics, caught and not.

mod common;

use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::net::{TcpStream, UdpSocket as StdUdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use common::frames::text;
use common::http;
use common::wire::{PATIENCE, Running, Wire};
use switchboard::mio::Interest;
use switchboard::mio::net::UdpSocket;
use switchboard::{Context, Drain, DrainError, Handler, Reactor, Server, WatchId};

fn set_up(server: &mut Server) {
    server.http("/page", |_, request| match request.suffix() {
        "/fine" => "fine",
        _ => panic!("a page"),
    });
    server.websocket("/ws", |conn, message| match message.as_bytes() {
        b"fine" => conn.send(message),
        _ => panic!("a message"),
    });
}

#[test]
fn server_that_catches_panics_answers_500_and_closes_with_1011() {
    let server = Running::start(|reactor| {
        reactor.server.catch_panics(true);
        set_up(&mut reactor.server);
    });
    let mut socket = Wire::connect(server.address);
    assert!(socket.upgrade("/ws").starts_with("HTTP/1.1 101 "));
    let mut client = Wire::connect(server.address);
    client.send(http::get("/page/bad"));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    // The same connection serves on.
    client.send(http::get("/page/fine"));
    let head = client.head();
    assert!(head.starts_with("internal errorHTTP/1.1 200 "), "{head}");
    socket.send(text("fine"));
    assert_eq!(socket.frame().payload, b"fine");
    socket.send(text("bad"));
    assert_eq!(socket.frame().close(), (1011, "internal error"));
}

/// The peer's end of a connection that the server has closed: the end, or a reset.
fn assert_closed(mut socket: TcpStream) {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn panic_that_ends_its_thread_closes_every_socket() {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        let mut reactor = Reactor::new().unwrap();
        set_up(&mut reactor.server);
        let listener = reactor.server.listen("127.0.0.1:0").unwrap();
        sender.send((reactor.server.local_addr(listener).unwrap(), reactor.remote())).unwrap();
        reactor.run().unwrap();
    });
    let (address, remote) = receiver.recv_timeout(PATIENCE).unwrap();
    let mut socket = Wire::connect(address);
    socket.upgrade("/ws");
    socket.send(text("fine"));
    assert_eq!(socket.frame().payload, b"fine");
    let idle = Wire::connect(address);
    let mut client = Wire::connect(address);
    client.send(http::get("/page/bad"));
    for wire in [socket, idle, client] {
        assert_closed(wire.stream);
    }
    let payload = thread.join().unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"a page"));
    assert!(TcpStream::connect(address).is_err());
    let drain = switchboard::Drain::within(PATIENCE);
    assert!(remote.drain(drain).unwrap_err().is_closed());
}

#[derive(Default)]
struct Sum(usize);
impl Handler for Sum {}

/// A value whose `Drop` panics.
struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

type Watch = dyn FnMut(&mut Sum, &mut Context, &mut UdpSocket);

/// A reactor that watches a UDP socket, and a sender.
fn watching(catches: bool, mut call: Box<Watch>) -> (Reactor, WatchId<UdpSocket>, StdUdpSocket) {
    let mut reactor = Reactor::new().unwrap();
    reactor.server.catch_panics(catches);
    let zone = reactor.server.zone("/", Sum::default());
    let udp = UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let sender = StdUdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(udp.local_addr().unwrap()).unwrap();
    let id = reactor.watch(udp, Interest::READABLE, zone, move |sum: &mut Sum, cx, udp, _| {
        call(sum, cx, udp);
    });
    (reactor, id.unwrap(), sender)
}

/// Sends a datagram, and returns whether the turn panics.
fn turn_panics(reactor: &mut Reactor, sender: &StdUdpSocket) -> bool {
    sender.send(b"word").unwrap();
    catch_unwind(AssertUnwindSafe(|| reactor.turn(Some(PATIENCE)).unwrap())).is_err()
}

/// What the closure left is read at the next readiness.
#[test]
fn watched_source_stays_watched_when_its_closure_panics() {
    let (mut reactor, id, sender) = watching(
        true,
        Box::new(|sum, _, udp| {
            sum.0 += 1;
            assert_ne!(sum.0, 1, "the first time");
            let mut words = 0;
            while udp.recv(&mut [0; 16]).is_ok() {
                words += 1;
            }
            assert_eq!(words, 2, "{words} words");
            panic!("two words");
        }),
    );
    assert!(!turn_panics(&mut reactor, &sender));
    assert_eq!(reactor.turn(Some(Duration::ZERO)).unwrap().wait, None, "no new readiness");
    assert!(!turn_panics(&mut reactor, &sender));
    assert_eq!(reactor.server.context(Instant::now()).stats().panics, 2);
    let udp = reactor.unwatch(id).expect("the socket");
    assert_eq!(udp.recv(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// A closure that ends its own watch is dropped once it returns. It may hold what panics then.
#[test]
fn closure_that_ends_its_own_watch_is_dropped_within_bounds() {
    for (catches, ends) in [(true, false), (true, true), (false, false), (false, true)] {
        let (own, loud) = (Rc::new(Cell::new(None)), Loud);
        let name: Rc<Cell<Option<WatchId<UdpSocket>>>> = Rc::clone(&own);
        let call = move |_: &mut Sum, cx: &mut Context, _: &mut UdpSocket| {
            let _loud = &loud;
            assert!(cx.unwatch(name.get().unwrap()).is_none());
            assert!(!ends, "in the closure");
        };
        let (mut reactor, id, sender) = watching(catches, Box::new(call));
        own.set(Some(id));
        assert_eq!(turn_panics(&mut reactor, &sender), !catches);
        assert_eq!(reactor.server.is_poisoned(), !catches);
        let panics = reactor.server.context(Instant::now()).stats().panics;
        assert_eq!(panics, if catches { 1 + u64::from(ends) } else { 0 });
    }
}

#[test]
fn poisoned_reactor_returns_errors_and_gives_its_sources_back() {
    let (mut reactor, id, sender) = watching(false, Box::new(|_, _, _| panic!("a closure")));
    assert!(turn_panics(&mut reactor, &sender));
    assert!(reactor.turn(Some(Duration::ZERO)).is_err());
    assert!(reactor.run().is_err());
    assert!(reactor.server.listen("127.0.0.1:0").is_err());
    assert_eq!(reactor.server.drain(Drain::default()), Err(DrainError::ServerGone));
    let udp = reactor.unwatch(id).expect("its closure has panicked");
    let zone = reactor.server.zone("/late", Sum::default());
    let refused = reactor.watch(udp, Interest::READABLE, zone, |_: &mut Sum, _, _, _| {});
    assert!(refused.unwrap_err().to_string().starts_with("a callback has panicked"));
}
