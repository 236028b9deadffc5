//! Why connections end whose bytes are TLS, in both roles, over memory.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, RootCertStore};
use switchboard::testing::{Client, World};
use switchboard::{
    Cause, ClientTls, Close, Conn, Connect, Drain, Handler, Message, Observed, Protocol, Readiness,
    ZoneId,
};
use switchboard_tls_tests::far::{Far, server};
use switchboard_tls_tests::{Authority, Peer, Sim, UPGRADE};

const GET: &str = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
const HOST: &str = "feed.example";
const ENDED: Readiness = Readiness { readable: true, writable: false, read_closed: true };

/// Keeps the cause of each end, and echoes.
#[derive(Default)]
struct Ends(Rc<RefCell<Vec<Cause>>>);

impl Handler for Ends {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.send(message);
    }

    fn close(&mut self, _: &mut Conn<'_>, close: Close<'_>) {
        self.0.borrow_mut().push(close.cause);
    }
}

/// A connection to a server of TLS.
struct Line {
    sim: Sim,
    peer: Peer,
}

impl Line {
    /// A connection that begins with these bytes.
    fn wire(&mut self, bytes: impl AsRef<[u8]>) {
        self.peer.wire.send(bytes);
        self.ready(Readiness::READABLE);
    }

    fn ready(&mut self, readiness: Readiness) {
        self.sim.ready(&self.peer, readiness);
        self.sim.advance(Duration::ZERO);
    }

    fn say(&mut self, text: &str) {
        let answer = self.sim.ask(&mut self.peer, text);
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }

    fn hello(&mut self) {
        let bytes = self.peer.ciphertext();
        self.wire(&bytes[..bytes.len() / 2]);
    }

    /// Spoils a record of the connection.
    fn spoil(&mut self) {
        self.peer.say(GET);
        let mut record = self.peer.ciphertext();
        let last = record.len() - 1;
        record[last] ^= 1;
        self.wire(record);
    }
}

#[test]
fn server_tells_why_a_connection_of_tls_ended() {
    type Way = (&'static str, Cause, bool, fn(&mut Line));
    let ways: [Way; 15] = [
        ("no TLS", Cause::TlsFault, false, |line| line.wire([0x7F; 64])),
        ("plain HTTP", Cause::TlsFault, false, |line| line.wire(GET)),
        ("application data first", Cause::TlsFault, false, |line| {
            line.wire([0x17, 3, 3, 0, 1, 0]);
        }),
        ("a client that trusts nobody", Cause::TlsFault, false, |line| {
            line.sim.roots = Arc::new(RootCertStore::empty());
            let name = ServerName::try_from("localhost").unwrap();
            line.peer.tls = ClientConnection::new(line.sim.client_config(false), name).unwrap();
            line.sim.settle(&mut line.peer);
            assert!(line.peer.fault.is_some());
        }),
        ("a spoilt record", Cause::TlsFault, false, |line| {
            line.say(GET);
            line.spoil();
        }),
        ("a spoilt record of a WebSocket", Cause::TlsFault, true, |line| {
            line.say(UPGRADE);
            line.spoil();
        }),
        ("half a hello", Cause::HandshakeTimeout, false, Line::hello),
        ("no byte", Cause::HandshakeTimeout, false, |_| {}),
        ("half a hello and an end", Cause::Eof, false, |line| {
            line.hello();
            line.peer.wire.end();
            line.ready(ENDED);
        }),
        ("half a hello and a reset", Cause::Reset, false, |line| {
            line.hello();
            line.peer.wire.fail(ErrorKind::ConnectionReset);
            line.ready(Readiness::READABLE);
        }),
        ("half a hello and a drain", Cause::Drain, false, |line| {
            line.hello();
            line.sim.server.drain(Drain::within(Duration::from_secs(5))).unwrap();
            line.sim.advance(Duration::from_secs(1));
        }),
        ("close_notify", Cause::Eof, true, |line| {
            line.say(UPGRADE);
            line.peer.tls.send_close_notify();
            line.sim.settle(&mut line.peer);
        }),
        ("an end without close_notify", Cause::Eof, true, |line| {
            line.say(UPGRADE);
            line.peer.wire.end();
            line.ready(ENDED);
        }),
        ("a reset", Cause::Reset, true, |line| {
            line.say(UPGRADE);
            line.peer.wire.fail(ErrorKind::ConnectionReset);
            line.ready(Readiness::READABLE);
        }),
        ("silence", Cause::Silence, false, |line| line.say(GET)),
    ];
    for tls12 in [false, true] {
        for (name, cause, is_open, act) in &ways {
            let told = Rc::default();
            let ends = Ends(Rc::clone(&told));
            let mut sim = Sim::serving(|server| {
                server.zone("/echo", ends);
            });
            let config = sim.client_config(tls12);
            let peer = sim.peer(&config);
            let mut line = Line { sim, peer };
            act(&mut line);
            line.sim.advance(Duration::from_secs(120));
            let stats = line.sim.server.context(line.sim.now).stats();
            assert_eq!(stats.connections, 0, "{name}");
            assert_eq!((stats.ends.get(*cause), stats.ends.total()), (1, 1), "{name}: {stats:?}");
            let expected = if *is_open { vec![*cause] } else { Vec::new() };
            assert_eq!(told.take(), expected, "{name}");
        }
    }
}

/// What the observer is told of an end: protocol, cause and reason.
type Ended = (Protocol, Cause, String);

fn observed(server: &mut switchboard::Server) -> Rc<RefCell<Vec<Ended>>> {
    let ends: Rc<RefCell<Vec<Ended>>> = Rc::default();
    let told = Rc::clone(&ends);
    server.observe(move |event| {
        if let Observed::Ended(it) = event {
            told.borrow_mut().push((it.protocol, it.cause, it.reason.to_owned()));
        }
    });
    ends
}

/// A record that is spoilt long after the handshake: the observer gets the cause and the words.
#[test]
fn observer_hears_of_a_fault_of_tls_after_the_handshake() {
    type Way = (Protocol, fn(&mut Line));
    let ways: [Way; 4] = [
        (Protocol::Http, |_| {}),
        (Protocol::Http, |line| line.say(GET)),
        (Protocol::WebSocket, |line| line.say(UPGRADE)),
        (Protocol::WebSocket, |line| {
            line.say(UPGRADE);
            line.sim.advance(Duration::from_secs(20));
        }),
    ];
    for tls12 in [false, true] {
        for (protocol, act) in ways {
            let mut sim = Sim::new();
            let ends = observed(&mut sim.server);
            let peer = sim.connected(tls12);
            let mut line = Line { sim, peer };
            act(&mut line);
            line.spoil();
            line.sim.advance(Duration::from_secs(120));
            let ends = ends.take();
            let [(spoken, cause, reason)] = &ends[..] else { panic!("{ends:?}") };
            assert_eq!((*spoken, *cause), (protocol, Cause::TlsFault));
            assert!(reason.contains("decrypt"), "{protocol}: {reason:?}");
        }
    }
}

/// The same in the client role.
#[test]
fn observer_hears_of_a_fault_of_tls_in_the_client_role() {
    for tls12 in [false, true] {
        let mut road = Road::new(tls12);
        let ends = observed(&mut road.world.server);
        let client = road.open();
        let mut record = road.far.say(Message::Text("hello"));
        *record.last_mut().unwrap() ^= 1;
        road.world.write(client, record);
        road.world.advance(Duration::from_secs(120));
        let ends = ends.take();
        let [(protocol, cause, reason)] = &ends[..] else { panic!("{ends:?}") };
        assert_eq!((*protocol, *cause), (Protocol::WebSocket, Cause::TlsFault));
        assert!(reason.contains("decrypt"), "{reason:?}");
    }
}

/// A WebSocket of the client role through TLS, or an attempt at one.
struct Road {
    world: World,
    zone: ZoneId<Ends>,
    authority: Authority,
    told: Rc<RefCell<Vec<Cause>>>,
    far: Far,
}

impl Road {
    fn new(tls12: bool) -> Road {
        let told = Rc::default();
        let mut world = World::new();
        let zone = world.server.zone("/", Ends(Rc::clone(&told)));
        let authority = Authority::new();
        let version = if tls12 { &TLS12 } else { &TLS13 };
        let far = Far::new(&server(&authority.issue(&[HOST]), &[version]));
        Road { world, zone, authority, told, far }
    }

    fn connect(&self) -> Connect {
        let roots = ClientTls::from_pem(self.authority.pem().as_bytes()).unwrap();
        Connect::to("wss://feed.example/").tls(roots)
    }

    fn dial(&mut self) -> Client {
        let connect = self.connect();
        self.world.dial(self.zone, connect).0
    }

    fn carry(&mut self, client: Client) {
        loop {
            let bytes = self.world.read(client);
            let answer = self.far.take(&bytes);
            if answer.is_empty() {
                return;
            }
            self.world.write(client, answer);
        }
    }

    fn open(&mut self) -> Client {
        let client = self.dial();
        self.carry(client);
        let (_, response) = self.far.accept();
        self.world.write(client, response);
        client
    }

    /// The attempt has got a part of the server's flight.
    fn half(&mut self) -> Client {
        let client = self.dial();
        let hello = self.world.read(client);
        let flight = self.far.take(&hello);
        self.world.write(client, &flight[..90]);
        client
    }

    /// An attempt through a proxy that answers so.
    fn through(&mut self, answer: &str) {
        let connect = self.connect().proxy("http://proxy.example:3128");
        let (client, _) = self.world.dial(self.zone, connect);
        self.world.write(client, answer);
    }
}

#[test]
fn client_tells_why_an_attempt_at_tls_ended() {
    type Way = (&'static str, Cause, fn(&mut Road));
    let ways: [Way; 13] = [
        ("an authority that is not trusted", Cause::TlsFault, |road| {
            road.far = Far::new(&server(&Authority::new().issue(&[HOST]), &[&TLS13]));
            let client = road.dial();
            road.carry(client);
        }),
        ("a certificate for another name", Cause::TlsFault, |road| {
            road.far = Far::new(&server(&road.authority.issue(&["other.example"]), &[&TLS13]));
            let client = road.dial();
            road.carry(client);
        }),
        ("a server without TLS", Cause::TlsFault, |road| {
            let client = road.dial();
            road.world.write(client, "HTTP/1.1 400 Bad Request\r\n\r\n");
        }),
        ("a host that no certificate can name", Cause::DialFailed, |road| {
            let connect = Connect::to("wss://a..b/")
                .tls(ClientTls::from_pem(road.authority.pem().as_bytes()).unwrap());
            let (_, _) = road.world.dial(road.zone, connect);
            road.world.settle();
        }),
        ("half a flight", Cause::HandshakeTimeout, |road| {
            road.half();
        }),
        ("half a flight and an end", Cause::Eof, |road| {
            let client = road.half();
            road.world.end(client);
        }),
        ("half a flight and a reset", Cause::Reset, |road| {
            let client = road.half();
            road.world.fail(client, ErrorKind::ConnectionReset);
        }),
        ("bytes before the handshake", Cause::TlsFault, |road| {
            road.through("HTTP/1.1 200 OK\r\n\r\nhello");
        }),
        ("no tunnel", Cause::Refused, |road| {
            road.through("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
        }),
        ("a spoilt record", Cause::TlsFault, |road| {
            let client = road.open();
            let mut record = road.far.say(Message::Text("hello"));
            let last = record.len() - 1;
            record[last] ^= 1;
            road.world.write(client, record);
        }),
        ("close_notify", Cause::Eof, |road| {
            let client = road.open();
            let bytes = road.far.close_notify();
            road.world.write(client, bytes);
        }),
        ("an end without close_notify", Cause::Eof, |road| {
            let client = road.open();
            road.world.end(client);
        }),
        ("a reset", Cause::Reset, |road| {
            let client = road.open();
            road.world.fail(client, ErrorKind::ConnectionReset);
        }),
    ];
    for tls12 in [false, true] {
        for (name, cause, act) in ways {
            let mut road = Road::new(tls12);
            act(&mut road);
            road.world.advance(Duration::from_secs(120));
            let stats = road.world.context().stats();
            assert_eq!(stats.connections, 0, "{name}");
            assert_eq!(road.told.take(), [cause], "{name}");
            assert_eq!((stats.ends.get(cause), stats.ends.total()), (1, 1), "{name}: {stats:?}");
        }
    }
}
