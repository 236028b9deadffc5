//! Connections that a TLS listener turns away: what a client of TLS reads, and what one of plain
//! HTTP reads. Over memory, and then with rustls and curl over sockets.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConnection, Error};
use switchboard::mio::Poll;
use switchboard::{Listener, ListenerId, MemoryPeer, Reactor, Server, TlsConfig, Transport};
use switchboard_tls_tests::{Authority, Folder, Sim};

/// A fatal `internal_error` (RFC 8446 sections 5.1 and 6.2).
const ALERT: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 80];
const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server that has no room, with a TLS listener, and what its observer is told.
fn full(has_header: bool) -> (Sim, ListenerId, Rc<RefCell<Vec<String>>>) {
    let mut sim = Sim::new();
    sim.server = Server::new(Poll::new().unwrap().registry()).unwrap();
    sim.server.max_connections(0);
    let lines = Rc::new(RefCell::new(Vec::new()));
    let also = lines.clone();
    sim.server.observe(move |event| {
        if event.is_refusal() {
            also.borrow_mut().push(event.to_string());
        }
    });
    let listener = Listener::from("127.0.0.1:0").tls(sim.tls.clone());
    let listener =
        if has_header { listener.proxy_protocol(["unix", "127.0.0.1"]) } else { listener };
    let listener = sim.server.listen(listener).unwrap();
    (sim, listener, lines)
}

/// Connects, with bytes that arrive before the accept.
fn connect(sim: &mut Sim, listener: ListenerId, early: &[u8]) -> MemoryPeer {
    let (transport, mut wire) = Transport::memory();
    wire.send(early);
    assert!(sim.server.adopt_at(listener, transport, sim.now).is_err());
    sim.flush();
    wire
}

/// What a rustls client makes of the server's bytes.
fn fault(sim: &Sim, mut received: &[u8]) -> Error {
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(sim.client_config(false), name).unwrap();
    tls.read_tls(&mut received).unwrap();
    tls.process_new_packets().unwrap_err()
}

#[test]
fn client_without_room_reads_an_alert_wherever_its_hello_is() {
    for tls12 in [false, true] {
        let (mut sim, listener, lines) = full(false);
        let hello = sim.hello(tls12);
        for arrived in [0, 1, 5, hello.len()] {
            let mut wire = connect(&mut sim, listener, &hello[..arrived]);
            let received = wire.receive();
            assert_eq!(received, ALERT, "{arrived} bytes");
            let expected = Error::AlertReceived(AlertDescription::InternalError);
            assert_eq!(fault(&sim, &received), expected);
            let line = lines.borrow_mut().pop().unwrap();
            // The hello is no request line.
            assert!(line.contains(" refused with 503, ") && line.ends_with(": \"\""), "{line}");
        }
        assert_eq!(sim.server.context(sim.now).stats().turned_away, 4);
    }
}

#[test]
fn client_without_room_reads_the_alert_although_nothing_observes() {
    let (mut sim, _, _) = full(false);
    sim.server = Server::new(Poll::new().unwrap().registry()).unwrap();
    sim.server.max_connections(0);
    let listener = Listener::from("127.0.0.1:0").tls(sim.tls.clone());
    let listener = sim.server.listen(listener).unwrap();
    let hello = sim.hello(false);
    // The first 256 linger; the others are closed at once.
    let mut wires: Vec<MemoryPeer> =
        (0..300).map(|_| connect(&mut sim, listener, &hello)).collect();
    assert!(wires.iter_mut().all(|wire| wire.receive() == ALERT));
    assert_eq!(wires.iter().filter(|wire| wire.is_gone()).count(), 44);
    assert!(connect(&mut sim, listener, GET).receive().starts_with(b"HTTP/1.1 503 "));
}

#[test]
fn plain_http_without_room_reads_the_503_in_plain_text() {
    for early in [GET, b"G", b"\r\nGET"] {
        let (mut sim, listener, lines) = full(false);
        let mut wire = connect(&mut sim, listener, early);
        assert!(wire.receive().starts_with(b"HTTP/1.1 503 "));
        assert!(lines.borrow()[0].contains(" refused with 503, "));
    }
}

#[test]
fn bytes_behind_a_proxy_header_tell_tls_from_plain_http() {
    let (mut sim, listener, _) = full(true);
    let hello = sim.hello(false);
    for (behind, is_plain) in [(&hello[..], false), (b"", false), (GET, true)] {
        let received = connect(&mut sim, listener, &[LINE, behind].concat()).receive();
        assert_eq!(received == ALERT, !is_plain);
        assert_eq!(received.starts_with(b"HTTP/1.1 503 "), is_plain);
    }
    // Headers that are cut or malformed.
    for early in [&LINE[..7], b"GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(connect(&mut sim, listener, early).receive(), ALERT);
    }
}

#[test]
fn address_in_a_header_beyond_its_limit_gets_an_alert_or_plain_text() {
    let (mut sim, listener, lines) = full(true);
    sim.server.max_connections(100);
    sim.server.max_connections_per_address(0);
    let hello = sim.hello(false);
    for (behind, text) in [(&hello[..], &ALERT[..]), (b"", &ALERT), (GET, b"HTTP/1.1 429 ")] {
        let (transport, mut wire) = Transport::memory();
        let token = sim.server.adopt_at(listener, transport, sim.now).unwrap();
        wire.send([LINE, behind].concat());
        sim.server.ready(token, switchboard::Readiness::READABLE, sim.now);
        sim.flush();
        assert!(wire.receive().starts_with(text));
        assert!(lines.borrow_mut().pop().unwrap().contains(" refused with 429, "));
    }
    let stats = sim.server.context(sim.now).stats();
    assert_eq!((stats.turned_away, stats.rejected), (3, 0));
}

/// Serves `/` in a thread of its own. Returns the port, and the authority's file.
fn serve(folder: &Folder, set_up: impl FnOnce(&mut Server) + Send + 'static) -> (u16, String) {
    let authority = Authority::new();
    let (chain, key) = folder.put("localhost", &authority.issue(&["localhost"]));
    let roots = folder.write("roots.pem", &authority.pem());
    let (sender, port) = mpsc::channel();
    // The thread ends with the process.
    thread::spawn(move || {
        let mut reactor = Reactor::new().unwrap();
        reactor.server.http("/", |_, request| request.path().to_owned());
        set_up(&mut reactor.server);
        let tls = TlsConfig::new(chain, key).load().unwrap();
        let id = reactor.server.listen(Listener::from("127.0.0.1:0").tls(tls)).unwrap();
        sender.send(reactor.server.local_addr(id).unwrap().port()).unwrap();
        reactor.run().unwrap();
    });
    (port.recv().unwrap(), roots.display().to_string())
}

fn curl(port: u16, roots: &str, version: &str) -> Output {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "--cacert", roots, "--ipv4", "--tlsv1.2", "--tls-max"]);
    curl.args([version, &format!("https://localhost:{port}/")]).output().unwrap()
}

fn reads_alert(port: u16, roots: &str) {
    for version in ["1.2", "1.3"] {
        let output = curl(port, roots, version);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        // 35: the handshake failed.
        assert_eq!(output.status.code(), Some(35), "{output:?}");
        assert!(text.contains("alert internal error"), "{text}");
    }
}

/// What a rustls client reads from a port, which has it send its hello first.
fn fault_at(port: u16, sim: &Sim) -> Error {
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(sim.client_config(false), name).unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let error = tls.complete_io(&mut socket).unwrap_err();
    *error.into_inner().expect("an error of TLS").downcast::<Error>().unwrap()
}

#[test]
fn curl_and_rustls_beyond_a_limit_read_an_alert() {
    let alert = Error::AlertReceived(AlertDescription::InternalError);
    let limits: [fn(&mut Server); 2] = [
        |server| server.max_connections(0),             // 503
        |server| server.max_connections_per_address(0), // 429
    ];
    for limit in limits {
        let folder = Folder::new();
        let (port, roots) = serve(&folder, limit);
        reads_alert(port, &roots);
        assert_eq!(fault_at(port, &Sim::new()), alert);
    }
}

/// No test of its own: the server of the test below, in a process with few descriptors.
#[test]
fn child_serves_when_it_is_asked_to() {
    let Ok(path) = std::env::var("TURNED_AWAY_FOLDER") else { return };
    let folder = Folder::new();
    let (port, roots) = serve(&folder, |_| {});
    std::fs::copy(roots, format!("{path}/roots.pem")).unwrap();
    println!("\nport {port}");
    // Until the parent is done.
    let _end = std::io::stdin().read(&mut [0]);
}

#[test]
fn curl_and_rustls_read_an_alert_where_no_descriptor_is_left() {
    let folder = Folder::new();
    let mut child = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 24; exec \"$0\" --exact child_serves_when_it_is_asked_to \
            --nocapture --test-threads 1",
        ])
        .arg(std::env::current_exe().unwrap())
        .env("TURNED_AWAY_FOLDER", AsRef::<std::path::Path>::as_ref(&folder))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut text = String::new();
    let port = loop {
        let mut byte = [0];
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{text}");
        text.push(byte[0].into());
        let line = text.split_once("\nport ").and_then(|(_, rest)| rest.strip_suffix('\n'));
        if let Some(port) = line {
            break port.parse().unwrap();
        }
    };
    let roots = folder.path("roots.pem").display().to_string();
    let held: Vec<TcpStream> =
        (0..24).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    reads_alert(port, &roots);
    let alert = Error::AlertReceived(AlertDescription::InternalError);
    assert_eq!(fault_at(port, &Sim::new()), alert);
    drop(held);
    // It accepts again once it has read the ends.
    while !curl(port, &roots, "1.3").status.success() {}
    child.stdin.take().unwrap().write_all(b".").unwrap();
    assert!(child.wait().unwrap().success());
}
