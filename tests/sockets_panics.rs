//! Panics over real sockets: what a peer gets when a handler panics, caught and not.

mod common;

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::thread;

use common::frames::text;
use common::http;
use common::wire::{PATIENCE, Running, Wire};
use switchboard::{Reactor, Server};

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
