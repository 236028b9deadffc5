//! `wss` URLs in the client role over real sockets: openssl's server, a proxy, and a server of
//! rustls behind it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, date_time_ymd};
use rustls::version::{TLS12, TLS13};
use switchboard::{ClientTls, Close, Conn, Connect, Handler, Message, Reactor, Request, ZoneId};
use switchboard_tls_tests::far::{Far, server};
use switchboard_tls_tests::{Authority, Issued};

/// The longest wait for a peer: a test that waits longer fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps what happened.
#[derive(Default)]
struct Reader {
    log: Vec<String>,
    messages: Vec<Vec<u8>>,
}

impl Handler for Reader {
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        self.log.push(format!("open {}", request.target()));
        conn.send("first");
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        self.messages.push(message.as_bytes().to_vec());
        conn.send(message);
    }

    fn close(&mut self, _conn: &mut Conn<'_>, close: Close<'_>) {
        let body = close.declined.map(|declined| String::from_utf8_lossy(declined.body()));
        let body = body.unwrap_or_default();
        self.log.push(format!("close {} {}{body}", close.code.as_u16(), close.reason));
    }
}

/// A reactor in this thread.
struct Local {
    reactor: Reactor,
    zone: ZoneId<Reader>,
}

impl Local {
    fn new() -> Local {
        let mut reactor = Reactor::new().unwrap();
        let zone = reactor.server.zone("/", Reader::default());
        Local { reactor, zone }
    }

    fn with<R>(&mut self, call: impl FnOnce(&mut Reader) -> R) -> R {
        self.reactor.server.with(self.zone, Instant::now(), |reader, _cx| call(reader))
    }

    fn connect(&mut self, connect: Connect) {
        let zone = self.zone;
        self.reactor.server.context(Instant::now()).connect(zone, connect);
    }

    /// Runs turns until the log has so many lines, and takes them.
    #[track_caller]
    fn log(&mut self, lines: usize) -> Vec<String> {
        let start = Instant::now();
        while self.with(|reader| reader.log.len()) < lines {
            let log = self.with(|reader| reader.log.clone());
            assert!(start.elapsed() < PATIENCE, "only {log:?}");
            self.reactor.turn(Some(Duration::from_millis(20))).unwrap();
        }
        self.with(|reader| std::mem::take(&mut reader.log))
    }

    /// The end of an attempt with this request.
    #[track_caller]
    fn end(&mut self, connect: Connect) -> String {
        self.connect(connect);
        self.log(1).remove(0)
    }
}

fn roots(authority: &Authority) -> ClientTls {
    ClientTls::from_pem(authority.pem().as_bytes()).unwrap()
}

/// `openssl s_server`, which answers each request with a page about the session.
struct OpenSsl {
    child: Child,
    port: u16,
    directory: PathBuf,
}

impl OpenSsl {
    fn start(name: &str, issued: &Issued, authority: &Authority, options: &[&str]) -> OpenSsl {
        let id = std::process::id();
        let directory = std::env::temp_dir().join(format!("switchboard-openssl-{id}-{name}"));
        std::fs::create_dir_all(&directory).unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (chain, key) = (write("chain.pem", &issued.chain), write("key.pem", &issued.key));
        let roots = write("roots.pem", &authority.pem());
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert"])
            .arg(chain)
            .arg("-key")
            .arg(key)
            .arg("-CAfile")
            .arg(roots)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            line.unwrap().strip_prefix("ACCEPT ")?.rsplit_once(':')?.1.parse().ok()
        });
        // The rest of the output is read, so that the server does not wait for it.
        thread::spawn(move || lines.for_each(drop));
        OpenSsl { child, port: port.expect("a port"), directory }
    }

    fn url(&self) -> String {
        format!("wss://localhost:{}/", self.port)
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn openssl_speaks_both_versions_and_resumes() {
    let authority = Authority::new();
    let issued = authority.issue(&["localhost", "127.0.0.1"]);
    for (option, version) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
        let far = OpenSsl::start(version, &issued, &authority, &[option]);
        let mut local = Local::new();
        let connect = Connect::to(&far.url()).tls(roots(&authority));
        for kind in ["New", "Reused"] {
            let end = local.end(connect.clone());
            assert!(end.starts_with("close 1006 "), "{end}");
            assert!(end.contains(&format!("{kind}, {version}, Cipher is")), "{kind}: {end}");
        }
        // An address is proved by the certificate too.
        let address = format!("wss://127.0.0.1:{}/", far.port);
        let end = local.end(Connect::to(&address).tls(roots(&authority)));
        assert!(end.contains(&format!("{version}, Cipher is")), "{end}");
    }
}

#[test]
fn certificates_of_openssl_are_judged() {
    let authority = Authority::new();
    let mut expired = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    expired.not_before = date_time_ymd(2001, 1, 1);
    expired.not_after = date_time_ymd(2002, 1, 1);
    let rows = [
        ("expired", authority.sign(expired), "the certificate has expired"),
        ("other", authority.issue(&["other.example"]), "for other names (other.example)"),
        (
            "unknown",
            Authority::named("other").issue(&["localhost"]),
            "the certificate's authority is not trusted",
        ),
    ];
    for (name, issued, says) in rows {
        let far = OpenSsl::start(name, &issued, &authority, &[]);
        let end = Local::new().end(Connect::to(&far.url()).tls(roots(&authority)));
        assert!(end.starts_with("close 1006 TLS with localhost: ") && end.contains(says), "{end}");
    }
    let issued = authority.issue(&["localhost"]);
    for (name, version) in [("demand13", "-tls1_3"), ("demand12", "-tls1_2")] {
        let far = OpenSsl::start(name, &issued, &authority, &[version, "-Verify", "1"]);
        let end = Local::new().end(Connect::to(&far.url()).tls(roots(&authority)));
        assert!(end.starts_with("close 1006 TLS with localhost: the server "), "{end}");
        assert!(end.contains("client certificate"), "{end}");
    }
    let far =
        OpenSsl::start("old", &issued, &authority, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
    let end = Local::new().end(Connect::to(&far.url()).tls(roots(&authority)));
    assert!(end.contains("no common version"), "{end}");
}

/// Serves one WebSocket through TLS: sends messages, takes their echoes, and returns these.
fn serve(mut stream: TcpStream, mut far: Far, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buf = vec![0; 64 << 10];
    let mut received = Vec::new();
    let mut is_open = false;
    while received.len() < messages.len() + 1 {
        let n = stream.read(&mut buf).unwrap();
        assert!(n > 0, "an early end: {:?}", far.fault);
        let answer = far.take(&buf[..n]);
        stream.write_all(&answer).unwrap();
        if is_open {
            received.extend(far.messages());
        } else if far.plain.ends_with(b"\r\n\r\n") {
            is_open = true;
            let (_, response) = far.accept();
            stream.write_all(&response).unwrap();
            let bytes: Vec<u8> =
                messages.iter().flat_map(|message| far.say(Message::Binary(message))).collect();
            let mut writer = stream.try_clone().unwrap();
            // The echoes are read meanwhile: neither side waits for the other.
            thread::spawn(move || writer.write_all(&bytes));
        }
    }
    received
}

fn large_messages() -> Vec<Vec<u8>> {
    let message = |len: usize| (0..len).map(|at| (at % 251) as u8).collect();
    [1, 16 << 10, 300_000, 5 << 20, 0, 70_000].map(message).to_vec()
}

#[test]
fn large_messages_are_echoed_through_sockets() {
    for version in [&TLS13, &TLS12] {
        let authority = Authority::new();
        let config = server(&authority.issue(&["localhost"]), &[version]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let far = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            serve(stream, Far::new(&config), &large_messages())
        });
        let mut local = Local::new();
        let url = format!("wss://localhost:{port}/large");
        local.connect(Connect::to(&url).tls(roots(&authority)));
        // The far end leaves once it has all echoes.
        let log = local.log(2);
        let echoes = far.join().unwrap();
        assert_eq!(log[0], "open /large");
        assert_eq!(echoes[0], b"first");
        assert!(echoes[1..] == large_messages(), "{} echoes", echoes.len());
    }
}

/// An HTTP proxy that opens one tunnel.
fn proxy(to: SocketAddr) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let (mut near, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            near.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        near.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
        let mut far = TcpStream::connect(to).unwrap();
        let (mut near_in, mut far_out) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut near_in, &mut far_out));
        let _ = std::io::copy(&mut far, &mut near);
        let _ = near.shutdown(std::net::Shutdown::Both);
        String::from_utf8(head).unwrap()
    });
    (address, thread)
}

#[test]
fn tls_goes_through_the_tunnel_of_a_proxy() {
    let authority = Authority::new();
    let config = server(&authority.issue(&["feed.example"]), &[&TLS13]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (proxy, tunnel) = proxy(listener.local_addr().unwrap());
    let far = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        serve(stream, Far::new(&config), &[b"hello".to_vec()])
    });
    let mut local = Local::new();
    let connect = Connect::to("wss://feed.example/").tls(roots(&authority));
    local.connect(connect.proxy(&format!("http://{proxy}")));
    assert_eq!(local.log(2)[0], "open /");
    assert_eq!(far.join().unwrap(), [b"first".to_vec(), b"hello".to_vec()]);
    assert!(tunnel.join().unwrap().starts_with("CONNECT feed.example:443 HTTP/1.1\r\n"));
}

/// A peer that takes the connection and is silent, and one that speaks HTTP.
#[test]
fn peers_without_tls_end_the_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let mut local = Local::new();
    let end = local.end(Connect::to(&url).timeout(Duration::from_millis(500)));
    assert!(end.ends_with("127.0.0.1: the handshake did not end in time"), "{end}");
    drop(listener.accept());
    let far = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let end = local.end(Connect::to(&url));
    assert!(end.ends_with("127.0.0.1: the server speaks no TLS at this port"), "{end}");
    far.join().unwrap();
}
