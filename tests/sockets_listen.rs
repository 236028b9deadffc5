//! Where a server listens: addresses in each form, names with several addresses, and the errors of
//! addresses that cannot be.

mod common;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use switchboard::{CloseCode, Listener, Reactor};

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
    reactor.server.drain(CloseCode::GOING_AWAY, Duration::ZERO);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(reactor.server.local_addr(listener).is_err());
    assert!(reactor.server.local_addrs(listener).is_err());
    assert!(TcpStream::connect(address).is_err(), "both sockets are closed");
}
