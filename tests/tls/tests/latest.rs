//! How old the states are that a slow reader gets over TLS, on real sockets: what rustls keeps
//! comes on top of what the kernel keeps.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use socket2::{Domain, Socket, Type};
use switchboard::{
    Backpressure, Conn, Handler, Listener, Options, Outgoing, Reactor, Request, TlsConfig,
};
use switchboard_tls_tests::{Authority, Folder, UPGRADE, memory};

/// The longest wait for a peer: a test that waits longer fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Game;

impl Handler for Game {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("state");
    }
}

/// A server's loop and a client of TLS in one thread. The client keeps 16 KiB of what it has not
/// read.
struct Stalled {
    reactor: Reactor,
    socket: TcpStream,
    tls: ClientConnection,
    received: Vec<u8>,
}

impl Stalled {
    fn new(options: Options) -> Stalled {
        let (folder, authority) = (Folder::new(), Authority::new());
        let issued = authority.issue(&["localhost"]);
        let chain = folder.write("chain.pem", &issued.chain);
        let key = folder.write("key.pem", &issued.key);
        let mut reactor = Reactor::new().unwrap();
        reactor.server.options(options);
        reactor.server.zone("/", Game);
        let tls = TlsConfig::new(chain, key).load().unwrap();
        let listener = reactor.server.listen(Listener::from("127.0.0.1:0").tls(tls)).unwrap();
        let address: SocketAddr = reactor.server.local_addr(listener).unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        socket.connect(&address.into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let config = Arc::new(memory::client(&authority.pem()));
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(config, name).unwrap();
        tls.writer().write_all(UPGRADE.as_ref()).unwrap();
        let mut stalled = Stalled { reactor, socket: socket.into(), tls, received: Vec::new() };
        stalled.until(|received| received.ends_with(b"\r\n\r\n"));
        stalled.received.clear();
        stalled
    }

    /// Turns and reads until the client has what it waits for.
    fn until(&mut self, mut has: impl FnMut(&[u8]) -> bool) {
        let begin = Instant::now();
        while !has(&self.received) {
            assert!(begin.elapsed() < PATIENCE, "only {} bytes", self.received.len());
            self.reactor.turn(Some(Duration::from_millis(1))).unwrap();
            while self.tls.wants_write() {
                self.tls.write_tls(&mut self.socket).unwrap();
            }
            match self.tls.read_tls(&mut self.socket) {
                Ok(0) => panic!("the end"),
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            self.tls.process_new_packets().unwrap();
            let mut buf = [0; 16 << 10];
            while let Ok(n @ 1..) = self.tls.reader().read(&mut buf) {
                self.received.extend_from_slice(&buf[..n]);
            }
        }
    }

    /// Publishes states of 1 KiB while the client reads nothing, and returns the numbers of those
    /// that it reads later.
    fn states(&mut self, keys: usize, wait: Duration) -> Vec<usize> {
        const STATES: usize = 322;
        for n in 0..STATES {
            let (key, state) = ((n % keys).to_string(), format!("<{n:04}{}", ".".repeat(1019)));
            let cx = self.reactor.server.context(Instant::now());
            cx.publish("state", Outgoing::text(&state).key(&key));
            self.reactor.turn(Some(Duration::ZERO)).unwrap();
            std::thread::sleep(wait);
        }
        // The last of each key waits in its place, wherever that is.
        let stats = self.reactor.server.context(Instant::now()).stats();
        let left = STATES - stats.replaced as usize;
        let numbers = |bytes: &[u8]| -> Vec<usize> {
            let text = String::from_utf8_lossy(bytes);
            let parts = text.split('<').skip(1).filter(|part| part.len() >= 1023);
            parts.map(|part| part[..4].parse().unwrap()).collect()
        };
        self.until(|bytes| numbers(bytes).len() == left);
        numbers(&self.received)
    }
}

#[test]
fn slow_reader_over_tls_gets_few_old_states_and_then_the_newest() {
    let latest = Options::new().backpressure(Backpressure::KeepLatest);
    let limited = latest.send_buffer(16 << 10).not_sent_lowat(4 << 10);
    for keys in [1, 8] {
        let states = Stalled::new(limited.clone()).states(keys, Duration::ZERO);
        let (old, newest) = states.split_at(states.len() - keys);
        assert!(old.len() <= 64, "{} old states", old.len());
        let mut newest = newest.to_vec();
        newest.sort_unstable();
        assert_eq!(newest, (322 - keys..322).collect::<Vec<_>>());
    }
}
