//! New certificates and a redeploy, over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};
use switchboard::{Drain, Listener, Reactor, Remote, Tls, TlsConfig};
use switchboard_tls_tests::memory::{client, own};
use switchboard_tls_tests::{Authority, Folder};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A server in a thread of its own.
struct Served {
    address: SocketAddr,
    remote: Remote,
    thread: JoinHandle<()>,
}

impl Served {
    fn new(tls: Tls) -> Served {
        let (sender, started) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut reactor = Reactor::new().unwrap();
            reactor.server.http("/", |_, _| "served");
            let id = reactor.server.listen(Listener::from("127.0.0.1:0").tls(tls)).unwrap();
            let address = reactor.server.local_addr(id).unwrap();
            sender.send((address, reactor.remote())).unwrap();
            reactor.run().unwrap();
        });
        let (address, remote) = started.recv().unwrap();
        Served { address, remote, thread }
    }

    fn connect(&self, client: &Arc<ClientConfig>) -> Stream {
        let name = "localhost".try_into().unwrap();
        let client = ClientConnection::new(Arc::clone(client), name).unwrap();
        StreamOwned::new(client, TcpStream::connect(self.address).unwrap())
    }

    fn end(self) {
        self.remote.drain(Drain::within(Duration::ZERO)).unwrap();
        self.thread.join().unwrap();
    }
}

/// One request and its answer.
fn ask(stream: &mut Stream) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"served") {
        let mut byte = [0; 64];
        let read = stream.read(&mut byte).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&byte[..read]);
    }
}

#[test]
fn reload_disturbs_no_connection() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let issued = [authority.issue(&["localhost"]), authority.issue(&["localhost"])];
    let (chain, key) = folder.put("one", &issued[0]);
    let tls = Tls::from_pem_files(chain, key).unwrap();
    let served = Served::new(tls.clone());
    let client = || Arc::new(client(&authority.pem()));
    let mut open = served.connect(&client());
    ask(&mut open);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..30 {
                        ask(&mut served.connect(&client()));
                    }
                })
            })
            .collect();
        let mut round = 0;
        while round < 2 || !clients.iter().all(|client| client.is_finished()) {
            round += 1;
            folder.put("one", &issued[round % 2]);
            tls.reload().unwrap();
            ask(&mut open);
        }
    });
    folder.put("one", &issued[1]);
    tls.reload().unwrap();
    folder.write("one.key", "");
    assert!(tls.reload().is_err());
    let mut fresh = served.connect(&client());
    ask(&mut fresh);
    assert_eq!(fresh.conn.peer_certificates().unwrap()[0], own(&issued[1]));
    ask(&mut open);
    assert_eq!(open.conn.peer_certificates().unwrap()[0], own(&issued[0]));
    drop((open, fresh));
    served.end();
}

#[test]
fn sessions_outlive_a_redeploy() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let (chain, key) = folder.put("one", &authority.issue(&["localhost"]));
    let config = TlsConfig::new(chain, key).ticket_file(folder.path("tickets"));
    let client = Arc::new(client(&authority.pem()));
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
        let served = Served::new(config.clone().load().unwrap());
        let mut stream = served.connect(&client);
        ask(&mut stream);
        assert_eq!(stream.conn.handshake_kind(), Some(expected));
        drop(stream);
        served.end();
    }
}
