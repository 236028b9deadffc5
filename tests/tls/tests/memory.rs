//! What an idle connection under TLS costs beside rustls' own memory.

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, ServerConnection};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use switchboard::Readiness;
use switchboard::proto::websocket::Opcode;
use switchboard_tls_tests::{Peer, Sim, UPGRADE, masked};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PEERS: usize = 200;

/// The allocator counts for the whole process, so one test runs at a time.
static COUNTING: Mutex<()> = Mutex::new(());

/// Bytes by which the heap grows.
fn grown<T>(act: impl FnOnce() -> T) -> (isize, T) {
    let region = Region::new(ALLOCATOR);
    let made = act();
    let change = region.change();
    (change.bytes_allocated as isize - change.bytes_deallocated as isize, made)
}

/// A boxed session of rustls that made the same handshake and echo, and the client's end.
fn bare(sim: &Sim, tls12: bool) -> (Box<Connection>, ClientConnection) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(sim.client_config(tls12), name).unwrap();
    let server = ServerConnection::new(sim.server_config.clone()).unwrap();
    let mut server = Box::new(Connection::from(server));
    let mut said = [Some(UPGRADE.as_bytes().to_vec()), Some(masked(Opcode::Text, b"hello"))];
    loop {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets().unwrap();
            let mut text = [0; 1 << 10];
            if let Ok(n) = std::io::Read::read(&mut server.reader(), &mut text)
                && n > 0
            {
                std::io::Write::write_all(&mut server.writer(), &text[..n]).unwrap();
            }
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().unwrap();
            let _ = std::io::Read::read(&mut client.reader(), &mut [0; 1 << 10]);
        }
        if !client.wants_write() && !client.is_handshaking() {
            match said.iter_mut().find_map(Option::take) {
                Some(text) => std::io::Write::write_all(&mut client.writer(), &text).unwrap(),
                None => return (server, client),
            }
        }
    }
}

/// A WebSocket that has had one echo and is idle.
fn idle(sim: &mut Sim, tls12: bool) -> Peer {
    let mut peer = sim.websocket(tls12);
    peer.say(masked(Opcode::Text, b"hello"));
    sim.settle(&mut peer);
    assert_eq!(peer.text.len(), 7);
    peer.text = Vec::new();
    peer
}

/// What a server frees with so many idle WebSockets.
fn freed(peers: usize, tls12: bool) -> isize {
    let mut sim = Sim::new();
    // The clients keep their own memory, and the pipes that they share with the server.
    let clients: Vec<Peer> = (0..peers).map(|_| idle(&mut sim, tls12)).collect();
    let Sim { server, server_config, .. } = sim;
    let (grown, ()) = grown(|| drop(server));
    drop((clients, server_config));
    -grown
}

#[test]
fn idle_websocket_costs_32_bytes_beside_a_boxed_session() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    for tls12 in [false, true] {
        let sim = Sim::new();
        let (servers, _clients): (Vec<_>, Vec<_>) = (0..PEERS).map(|_| bare(&sim, tls12)).unzip();
        let vec = (servers.capacity() * size_of::<Box<Connection>>()) as isize;
        let (of_bare, ()) = grown(|| drop(servers));
        let of_bare = (-of_bare - vec) / PEERS as isize;
        let of_ours = (freed(PEERS + 50, tls12) - freed(50, tls12)) / PEERS as isize;
        // mio's sockets have 8 bytes more with debug assertions.
        let most = if cfg!(debug_assertions) { 40 } else { 32 };
        println!("TLS 1.{}: {of_ours} bytes, {of_bare} of them rustls'", 3 - u8::from(tls12));
        assert!((0..=most).contains(&(of_ours - of_bare)), "{of_ours} bytes, {of_bare} of rustls");
    }
}

#[test]
fn idle_websocket_keeps_no_buffer_after_large_messages() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut sim = Sim::new();
    let mut peer = idle(&mut sim, false);
    let exchange = |sim: &mut Sim, peer: &mut Peer, len: usize| {
        peer.wire.window(10_000);
        peer.say(masked(Opcode::Binary, &vec![7; len]));
        for _ in 0..100_000 {
            peer.push();
            peer.wire.window(10_000);
            sim.ready(peer, Readiness { readable: true, writable: true, read_closed: false });
            sim.flush();
            if !peer.pull() && peer.text.len() > len {
                break;
            }
        }
        assert!(peer.text.len() > len, "{} of {len}", peer.text.len());
        peer.text = Vec::new();
        peer.wire.window(usize::MAX);
        // The pool of large buffers gives up what is unused.
        sim.advance(std::time::Duration::from_secs(40));
        sim.settle(peer);
    };
    exchange(&mut sim, &mut peer, 1 << 20);
    let (grown, ()) = grown(|| exchange(&mut sim, &mut peer, 1 << 20));
    assert!(grown.abs() < 4 << 10, "{grown} bytes");
}
