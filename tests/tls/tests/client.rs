//! `wss` URLs in the client role, over memory: certificates, versions, faults, proxies and
//! redirections. The far end is a TLS server of rustls.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, HandshakeKind, ProtocolVersion, ServerConfig};
use switchboard::testing::{Client, World};
use switchboard::{ClientTls, Close, Conn, Connect, Handler, Message, Request, ZoneId};
use switchboard_tls_tests::far::{Far, accepting, demanding, server};
use switchboard_tls_tests::{Authority, Issued};

const HOST: &str = "feed.example";
const URL: &str = "wss://feed.example/prices?of=tin";

/// Keeps what happened, and echoes.
#[derive(Default)]
struct Reader {
    log: Vec<String>,
}

impl Handler for Reader {
    fn open(&mut self, _conn: &mut Conn<'_>, request: &Request<'_>) {
        self.log.push(format!("open {}{}", request.host(), request.target()));
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.send(message);
    }

    fn close(&mut self, _conn: &mut Conn<'_>, close: Close<'_>) {
        self.log.push(format!("close {} {}", close.code.as_u16(), close.reason));
    }
}

/// A world in which a zone opens WebSockets, and an authority that issues certificates.
struct Road {
    world: World,
    zone: ZoneId<Reader>,
    authority: Authority,
}

impl Road {
    fn new() -> Road {
        let mut world = World::new();
        let zone = world.server.zone("/", Reader::default());
        Road { world, zone, authority: Authority::new() }
    }

    /// The roots by which clients trust this authority.
    fn roots(&self) -> ClientTls {
        ClientTls::from_pem(self.authority.pem().as_bytes()).unwrap()
    }

    fn connect(&self) -> Connect {
        Connect::to(URL).tls(self.roots())
    }

    fn dial(&mut self, connect: Connect) -> Client {
        self.world.dial(self.zone, connect).0
    }

    fn log(&mut self) -> Vec<String> {
        self.world.with(self.zone, |reader, _cx| std::mem::take(&mut reader.log))
    }

    fn is_gone(&mut self, client: Client) -> bool {
        self.world.settle();
        self.world.peer(client).is_gone()
    }

    /// Carries bytes between the two ends until both are silent.
    fn carry(&mut self, client: Client, far: &mut Far) {
        loop {
            let bytes = self.world.read(client);
            let answer = far.take(&bytes);
            if answer.is_empty() {
                return;
            }
            self.world.write(client, answer);
        }
    }

    /// The TLS handshake, the WebSocket's, and an echo.
    #[track_caller]
    fn open(&mut self, client: Client, far: &mut Far) -> String {
        self.carry(client, far);
        assert_eq!(far.fault, None, "{:?}", self.log());
        let (request, response) = far.accept();
        self.world.write(client, response);
        let said = far.say(Message::Text("echo"));
        self.world.write(client, said);
        self.carry(client, far);
        assert_eq!(far.messages(), [b"echo"]);
        request
    }

    /// The reason by which an attempt with this server's configuration ends.
    #[track_caller]
    fn failure(&mut self, connect: Connect, config: &Arc<ServerConfig>) -> (String, Far) {
        let client = self.dial(connect);
        let mut far = Far::new(config);
        self.carry(client, &mut far);
        let log = self.log();
        assert!(self.is_gone(client), "{log:?}");
        assert_eq!(log.len(), 1, "{log:?}");
        let reason = log[0].strip_prefix("close 1006 TLS with ").expect(&log[0]).to_owned();
        (reason, far)
    }
}

fn issue(authority: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Issued {
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    change(&mut params);
    authority.sign(params)
}

fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Issued {
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let chain = params.self_signed(&key).unwrap().pem();
    Issued { chain, key: key.serialize_pem() }
}

/// A client's configuration by hand, with a certificate of the client if there is one.
fn by_hand(
    authority: &Authority,
    versions: &[&'static rustls::SupportedProtocolVersion],
    identity: Option<Issued>,
) -> rustls::ClientConfig {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
            config.with_client_auth_cert(vec![chain], key).unwrap()
        }
    }
}

#[test]
fn websocket_opens_through_tls_of_either_version() {
    for (versions, spoken) in [
        (&[&TLS13, &TLS12][..], ProtocolVersion::TLSv1_3),
        (&[&TLS13], ProtocolVersion::TLSv1_3),
        (&[&TLS12], ProtocolVersion::TLSv1_2),
    ] {
        let mut road = Road::new();
        let config = server(&road.authority.issue(&[HOST]), versions);
        let client = road.dial(road.connect());
        let mut far = Far::new(&config);
        let request = road.open(client, &mut far);
        assert!(request.starts_with("GET /prices?of=tin HTTP/1.1\r\nHost: feed.example\r\n"));
        assert_eq!(road.log(), ["open feed.example/prices?of=tin"]);
        assert_eq!(far.tls.protocol_version(), Some(spoken));
        assert_eq!(road.world.context().stats().handshakes, 1);
        assert_eq!(far.tls.server_name(), Some(HOST), "SNI");
        assert_eq!(far.tls.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

/// The host of a URL, the names of the certificate, whether they fit, and the SNI.
#[test]
fn certificate_proves_the_host_of_the_url() {
    let rows: [(&str, &[&str], bool, Option<&str>); 12] = [
        ("feed.example", &["other.example", "feed.example"], true, Some("feed.example")),
        ("FEED.example:8443", &["feed.example"], true, Some("feed.example")),
        ("feed.example.", &["feed.example"], true, Some("feed.example")),
        ("a.feed.example", &["*.feed.example"], true, Some("a.feed.example")),
        ("a.b.feed.example", &["*.feed.example"], false, Some("a.b.feed.example")),
        ("feed.example", &["*.feed.example"], false, Some("feed.example")),
        ("feed.example", &["other.example"], false, Some("feed.example")),
        ("192.0.2.1", &["192.0.2.1"], true, None),
        ("192.0.2.1", &["192.0.2.2"], false, None),
        ("192.0.2.1", &["feed.example"], false, None),
        ("[2001:db8::1]:8443", &["2001:db8::1"], true, None),
        ("[2001:db8::1]", &["2001:db8::2"], false, None),
    ];
    for (host, names, fits, sni) in rows {
        let mut road = Road::new();
        let config = server(&road.authority.issue(names), &[&TLS13]);
        let connect = Connect::to(&format!("wss://{host}/")).tls(road.roots());
        if fits {
            let client = road.dial(connect);
            let mut far = Far::new(&config);
            road.open(client, &mut far);
            assert_eq!(far.tls.server_name(), sni, "{host}");
        } else {
            let (reason, far) = road.failure(connect, &config);
            let shown = names[0];
            let says = format!("the certificate is for other names ({shown})");
            assert!(reason.ends_with(&says), "{host}: {reason}");
            assert_eq!(far.tls.server_name(), sni, "{host}");
        }
    }
}

#[test]
fn faulty_certificate_ends_the_attempt_and_the_server_gets_the_alert() {
    use AlertDescription as A;
    type Make = fn(&Authority) -> Issued;
    let rows: [(&str, Make, &str, A); 8] = [
        (
            "expired",
            |authority| {
                issue(authority, |params| {
                    params.not_before = date_time_ymd(2001, 1, 1);
                    params.not_after = date_time_ymd(2002, 1, 1);
                })
            },
            "feed.example: the certificate has expired",
            A::CertificateExpired,
        ),
        (
            "not valid yet",
            |authority| issue(authority, |params| params.not_before = date_time_ymd(2090, 1, 1)),
            "feed.example: the certificate is not valid yet",
            A::CertificateExpired,
        ),
        (
            "another authority",
            |_| Authority::named("other").issue(&[HOST]),
            "feed.example: the certificate's authority is not trusted: give its root to \
             `Connect::tls`",
            A::UnknownCA,
        ),
        (
            "another authority of that name",
            |_| Authority::new().issue(&[HOST]),
            "feed.example: the certificate's signature does not verify",
            A::DecryptError,
        ),
        (
            "self-signed",
            |_| self_signed(|_| {}),
            "feed.example: the certificate's authority is not trusted: give its root to \
             `Connect::tls`",
            A::UnknownCA,
        ),
        (
            "an authority as a server",
            |authority| {
                issue(authority, |params| {
                    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
                })
            },
            "feed.example: the certificate is one of an authority, which no server may use: make \
             one with basicConstraints CA:FALSE",
            A::CertificateUnknown,
        ),
        (
            "for clients",
            |authority| {
                issue(authority, |params| {
                    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                })
            },
            "feed.example: the certificate is not for servers: make one with extendedKeyUsage \
             serverAuth",
            A::UnsupportedCertificate,
        ),
        (
            "no name",
            |authority| authority.issue(&[]),
            "feed.example: the certificate is for other names ()",
            A::BadCertificate,
        ),
    ];
    for (case, make, reason, alert) in rows {
        for versions in [&[&TLS13], &[&TLS12]] {
            let mut road = Road::new();
            let config = server(&make(&road.authority), versions);
            let (told, far) = road.failure(road.connect(), &config);
            assert!(told.starts_with(reason), "{case}: {told}");
            assert_eq!(far.fault, Some(rustls::Error::AlertReceived(alert)), "{case}");
        }
    }
}

#[test]
fn platform_decides_by_default_and_refuses_the_authority_of_tests() {
    let mut road = Road::new();
    let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
    match ClientTls::platform() {
        Ok(_) => {
            let (told, far) = road.failure(Connect::to(URL), &config);
            assert!(told.contains("authority is not trusted"), "{told}");
            let alert = rustls::Error::AlertReceived(AlertDescription::UnknownCA);
            assert_eq!(far.fault, Some(alert));
        }
        // A machine without certificate authorities trusts none.
        Err(error) => {
            road.dial(Connect::to(URL));
            assert_eq!(road.log(), [format!("close 1006 TLS with feed.example: {error}")]);
        }
    }
}

#[test]
fn versions_without_a_common_one_end_the_attempt() {
    let rows = [
        (&[&TLS12][..], &[&TLS13][..], "no common version"),
        (&[&TLS13], &[&TLS12], "no common version"),
    ];
    for (client, far, says) in rows {
        let mut road = Road::new();
        let config = server(&road.authority.issue(&[HOST]), far);
        let tls = Arc::new(by_hand(&road.authority, client, None));
        let (told, _) = road.failure(Connect::to(URL).tls(tls), &config);
        assert!(told.starts_with("feed.example: ") && told.contains(says), "{told}");
    }
}

#[test]
fn client_certificate_is_demanded() {
    for (version, says) in [(&TLS13, "a client certificate"), (&TLS12, "a client certificate")] {
        let mut road = Road::new();
        let config = demanding(&road.authority.issue(&[HOST]), &road.authority, &[version]);
        let (told, _) = road.failure(road.connect(), &config);
        assert!(told.starts_with("feed.example: the server ") && told.contains(says), "{told}");

        // With one, by a configuration of the program's own.
        let identity = issue(&road.authority, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        let tls = by_hand(&road.authority, &[version], Some(identity));
        let client = road.dial(Connect::to(URL).tls(Arc::new(tls)));
        let mut far = Far::new(&config);
        road.open(client, &mut far);
        assert_eq!(far.tls.peer_certificates().map(<[_]>::len), Some(1));
        road.log();

        // One that the server does not trust.
        let identity = issue(&Authority::named("other"), |_| {});
        let tls = by_hand(&road.authority, &[version], Some(identity));
        let (told, _) = road.failure(Connect::to(URL).tls(Arc::new(tls)), &config);
        assert!(told.contains("the server refused the client certificate"), "{told}");
    }
}

#[test]
fn http_2_is_refused_where_a_configuration_offers_it() {
    let mut road = Road::new();
    let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
    let mut tls = by_hand(&road.authority, &[&TLS13], None);
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let (told, _) = road.failure(Connect::to(URL).tls(Arc::new(tls)), &config);
    assert!(told.contains("h2") && told.contains("http/1.1"), "{told}");
}

#[test]
fn peer_without_tls_is_told_apart() {
    let rows: [(&[u8], bool, &str); 9] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", true, "the server speaks no TLS at this port"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", false, "the server speaks no TLS at this port"),
        (b"\0\0\0\0\0\0", false, "the server speaks no TLS at this port"),
        (b"", true, "the server ended the connection during the handshake"),
        (b"HT", true, "the server speaks no TLS at this port"),
        (b"\x16\x03", true, "the server ended the connection during the handshake"),
        (b"\x16\x03\x03\x00\x7a\x02", true, "the server ended the connection during"),
        // The alerts handshake_failure (40) and internal_error (80).
        (b"\x15\x03\x03\x00\x02\x02\x28", true, "handshake_failure"),
        (b"\x15\x03\x03\x00\x02\x02\x50", true, "with an alert (InternalError)"),
    ];
    for (bytes, ends, says) in rows {
        let mut road = Road::new();
        let client = road.dial(road.connect());
        assert!(road.world.read(client).starts_with(b"\x16\x03\x01"), "a ClientHello");
        road.world.write(client, bytes);
        if ends && !road.is_gone(client) {
            road.world.end(client);
        }
        let log = road.log();
        assert!(road.is_gone(client));
        assert!(log[0].starts_with("close 1006 TLS with feed.example: "), "{log:?}");
        assert!(log[0].contains(says), "{}: {log:?}", bytes.escape_ascii());
    }
}

/// The server's flight is cut after each byte, and what follows arrives later or never.
#[test]
fn handshake_may_come_in_pieces_or_end_anywhere() {
    for version in [&TLS13, &TLS12] {
        let issued = Authority::new();
        let config = server(&issued.issue(&[HOST]), &[version]);
        for end in [None, Some(1), Some(5), Some(90), Some(200), Some(400)] {
            let roots = ClientTls::from_pem(issued.pem().as_bytes()).unwrap();
            let mut road = Road::new();
            let client = road.dial(Connect::to(URL).tls(roots));
            let mut far = Far::new(&config);
            let hello = road.world.read(client);
            let flight = far.take(&hello);
            for &byte in &flight[..end.unwrap_or(flight.len())] {
                road.world.write(client, [byte]);
            }
            match end {
                None => {
                    let mut answer = Vec::new();
                    loop {
                        let bytes = road.world.read(client);
                        answer.extend(far.take(&bytes));
                        if answer.is_empty() {
                            break;
                        }
                        for byte in std::mem::take(&mut answer) {
                            road.world.write(client, [byte]);
                        }
                    }
                    road.open(client, &mut far);
                }
                Some(_) => {
                    assert!(!road.is_gone(client));
                    road.world.end(client);
                    let log = road.log();
                    assert_eq!(
                        log,
                        ["close 1006 TLS with feed.example: the server ended the connection \
                          during the handshake"]
                    );
                }
            }
        }
    }
}

#[test]
fn second_handshake_resumes_the_session() {
    for version in [&TLS13, &TLS12] {
        let mut road = Road::new();
        let config = server(&road.authority.issue(&[HOST]), &[version]);
        let roots = road.roots();
        let mut kinds = Vec::new();
        // A clone shares the sessions; other roots are another cache.
        for tls in [roots.clone(), roots.clone(), road.roots(), roots] {
            let client = road.dial(Connect::to(URL).tls(tls));
            let mut far = Far::new(&config);
            road.open(client, &mut far);
            kinds.push(far.tls.handshake_kind().unwrap());
        }
        let (full, resumed) = (HandshakeKind::Full, HandshakeKind::Resumed);
        assert_eq!(kinds, [full, resumed, full, resumed]);
    }
}

#[test]
fn deadline_covers_the_handshake() {
    let mut road = Road::new();
    let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
    let client = road.dial(road.connect().timeout(Duration::from_secs(3)));
    let mut far = Far::new(&config);
    let hello = road.world.read(client);
    let flight = far.take(&hello);
    let (first, rest) = flight.split_at(100);
    for byte in first {
        road.world.write(client, [*byte]);
    }
    road.world.advance(Duration::from_millis(2_999));
    assert_eq!(road.log(), [""; 0]);
    road.world.advance(Duration::from_millis(252));
    assert_eq!(road.log(), ["close 1006 TLS with feed.example: the handshake did not end in time"]);
    assert!(road.is_gone(client) && !rest.is_empty());
}

#[test]
fn large_messages_go_both_ways() {
    let mut road = Road::new();
    let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
    let client = road.dial(road.connect());
    let mut far = Far::new(&config);
    road.open(client, &mut far);
    for len in [16 << 10, 17_000, 128 << 10, 1 << 20, 5_000_000] {
        let message: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let bytes = far.say(Message::Binary(&message));
        road.world.write(client, bytes);
        road.carry(client, &mut far);
        let echoes = far.messages();
        assert!(echoes == [message], "{len}: {} messages", echoes.len());
    }
}

#[test]
fn close_notify_ends_both_sides_in_order() {
    let mut road = Road::new();
    let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
    let client = road.dial(road.connect());
    let mut far = Far::new(&config);
    road.open(client, &mut far);
    road.log();
    // The server closes the WebSocket: the library answers, and the server ends TLS.
    let bytes = far.send(b"\x88\x02\x03\xe8");
    road.world.write(client, bytes);
    road.carry(client, &mut far);
    assert_eq!(far.plain.len(), 8, "a masked Close");
    let bytes = far.close_notify();
    road.world.write(client, bytes);
    road.world.end(client);
    road.carry(client, &mut far);
    assert_eq!(road.log(), ["close 1000 "]);
    assert!(road.is_gone(client) && far.is_closed);
}

#[test]
fn proxy_tunnels_tls() {
    let mut road = Road::new();
    let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
    let connect = road.connect().proxy("http://proxy.example:3128");
    let client = road.dial(connect.clone());
    let request = road.world.read(client);
    assert_eq!(request, b"CONNECT feed.example:443 HTTP/1.1\r\nHost: feed.example:443\r\n\r\n");
    road.world.write(client, "HTTP/1.1 200 Connected\r\nVia: 1.1 proxy\r\n\r\n");
    let mut far = Far::new(&config);
    let request = road.open(client, &mut far);
    assert!(request.starts_with("GET /prices?of=tin HTTP/1.1\r\nHost: feed.example\r\n"));
    assert_eq!(far.tls.server_name(), Some(HOST));
    road.log();

    // The proxy declines in HTTP.
    let client = road.dial(connect.clone());
    road.world.write(client, "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(road.log(), ["close 1006 the proxy opens no tunnel to the server"]);

    // TLS begins with the client, so bytes behind the consent are not the server's.
    let client = road.dial(connect);
    road.world.write(client, "HTTP/1.1 200 Connected\r\n\r\n\x16\x03\x03");
    assert_eq!(
        road.log(),
        ["close 1006 TLS with feed.example: bytes came before the handshake began"]
    );
    assert!(road.is_gone(client));
}

#[test]
fn redirection_may_lead_to_tls_and_never_back() {
    let mut road = Road::new();
    let config = server(&road.authority.issue(&["b.example"]), &[&TLS13]);
    for (name, address) in [("a.example", "192.0.2.1"), ("b.example", "192.0.2.2")] {
        road.world.host(name, &[address]);
    }
    let connect =
        |road: &Road, url: &str| Connect::to(url).tls(road.roots()).follow_redirects(true);
    let stop = |road: &mut Road, address: &str| -> Client {
        let dialled = road.world.dialled();
        assert_eq!(dialled.iter().map(|(to, _)| to.to_string()).collect::<Vec<_>>(), [address]);
        road.world.establish(dialled[0].1);
        dialled[0].1
    };
    // From ws to wss, without the cookie: the scheme is another.
    let begin = connect(&road, "ws://a.example/").header("Cookie", "user=7");
    let zone = road.zone;
    road.world.context().connect(zone, begin);
    let first = stop(&mut road, "192.0.2.1:80");
    road.world.write(first, "HTTP/1.1 301 Moved\r\nLocation: https://b.example/x\r\n\r\n");
    assert!(road.is_gone(first));
    let second = stop(&mut road, "192.0.2.2:443");
    let mut far = Far::new(&config);
    let request = road.open(second, &mut far);
    assert!(request.starts_with("GET /x HTTP/1.1\r\nHost: b.example\r\n"), "{request}");
    assert!(!request.contains("Cookie"));
    assert_eq!(road.log(), ["open b.example/x"]);

    // From wss to wss at another port, and then to ws.
    let begin = connect(&road, "wss://b.example/");
    road.world.context().connect(zone, begin);
    let first = stop(&mut road, "192.0.2.2:443");
    let mut far = Far::new(&config);
    road.carry(first, &mut far);
    let moved = far.send(b"HTTP/1.1 308 Moved\r\nLocation: //b.example:8443/y\r\n\r\n");
    road.world.write(first, moved);
    road.carry(first, &mut far);
    assert!(road.is_gone(first) && far.is_closed, "close_notify");
    let second = stop(&mut road, "192.0.2.2:8443");
    let mut far = Far::new(&config);
    road.carry(second, &mut far);
    assert!(far.plain.starts_with(b"GET /y HTTP/1.1\r\nHost: b.example:8443\r\n"));
    let moved = far.send(b"HTTP/1.1 302 Found\r\nLocation: ws://b.example/\r\n\r\n");
    road.world.write(second, moved);
    // Without a length, the body has a second to arrive.
    road.world.advance(Duration::from_millis(1_250));
    assert_eq!(road.log(), ["close 1006 a redirection from wss to ws"]);
}

/// The first connection that stands speaks TLS, and no other.
#[test]
fn winner_of_the_race_alone_speaks_tls() {
    let mut road = Road::new();
    let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
    road.world.host(HOST, &["2001:db8::1", "192.0.2.1"]);
    let (zone, connect) = (road.zone, road.connect());
    road.world.context().connect(zone, connect);
    let [(_, first)] = road.world.dialled()[..] else { panic!("one address at first") };
    road.world.advance(Duration::from_millis(250));
    let [(_, second)] = road.world.dialled()[..] else { panic!("the next address") };
    road.world.establish(second);
    let mut far = Far::new(&config);
    road.open(second, &mut far);
    assert!(road.is_gone(first) && road.world.read(first).is_empty());
    assert_eq!(road.log(), ["open feed.example/prices?of=tin"]);
}

#[test]
fn url_is_checked_before_an_attempt() {
    for (url, fault) in [
        (URL, None),
        ("wss://127.0.0.1/", None),
        ("wss://[::1]/", None),
        ("wss://my_host/", None),
        ("wss://a..b/", Some("the URL has a host that no certificate can name")),
        ("wss://a-.example/", Some("the URL has a host that no certificate can name")),
        ("ws://a-.example/", None),
    ] {
        assert_eq!(Connect::to(url).check().err(), fault, "{url}");
    }
}

/// A response that is no consent ends the attempt as without TLS.
#[test]
fn response_through_tls_is_judged() {
    let mut road = Road::new();
    let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
    let client = road.dial(road.connect());
    let mut far = Far::new(&config);
    road.carry(client, &mut far);
    let bytes = far.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
    road.world.write(client, bytes);
    let log = road.log();
    assert_eq!(log.len(), 1);
    assert!(log[0].starts_with("close 1006 ") && !log[0].contains("TLS"), "{log:?}");
    assert!(road.is_gone(client));
    // The request and its response, and what follows at once.
    let client = road.dial(road.connect());
    let mut far = Far::new(&config);
    road.carry(client, &mut far);
    let request = String::from_utf8(std::mem::take(&mut far.plain)).unwrap();
    let mut plain = accepting(&request).into_bytes();
    plain.extend(b"\x81\x05first");
    let bytes = far.send(&plain);
    road.world.write(client, bytes);
    road.carry(client, &mut far);
    assert_eq!(far.messages(), [b"first"]);
}

#[test]
fn handshakes_begin_within_the_budget_of_a_turn_and_in_order() {
    let mut road = Road::new();
    let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
    road.world.server.handshake_budget(Duration::ZERO);
    let connect = road.connect();
    let clients: [Client; 5] = std::array::from_fn(|_| road.dial(connect.clone()));
    for &client in &clients {
        road.world.turn();
        // One step a turn: the next ClientHello, and no other.
        let begun = clients.map(|client| road.world.peer(client).receive());
        let hellos: Vec<Client> = clients
            .into_iter()
            .zip(&begun)
            .filter(|(_, hello)| !hello.is_empty())
            .map(|(client, _)| client)
            .collect();
        assert_eq!(hellos, [client]);
        let hello = begun.into_iter().find(|hello| !hello.is_empty()).unwrap();
        let mut far = Far::new(&config);
        let flight = far.take(&hello);
        assert!(!flight.is_empty());
    }
}

/// No further event tells of what one read left, or of an end behind the bytes.
#[test]
fn bytes_and_the_end_may_come_with_one_event() {
    let mut road = Road::new();
    let client = road.dial(road.connect());
    road.world.push(client, b"\x16\x03\x03\x00\x7a\x02");
    road.world.end(client);
    let ended = "the server ended the connection during the handshake";
    assert_eq!(road.log(), [format!("close 1006 TLS with feed.example: {ended}")]);
    assert!(road.is_gone(client));

    let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
    let client = road.dial(road.connect());
    road.world.peer(client).read_at_most(7);
    let mut far = Far::new(&config);
    road.open(client, &mut far);
}

/// Loop time counts one second of a stall, and a deadline looks at what waits in the kernel.
#[test]
fn stall_ends_no_attempt() {
    let nearly_half = Duration::from_millis(4_900);
    for stall in [11, 1_000] {
        let mut road = Road::new();
        let config = server(&road.authority.issue(&[HOST]), &[&TLS13]);
        let connect = road.connect().timeout(Duration::from_secs(10));
        let [mut late_far, mut half_far] = [Far::new(&config), Far::new(&config)];
        // One server accepts the request at the last moment; the other has sent half a flight.
        let late = road.dial(connect.clone());
        road.carry(late, &mut late_far);
        road.world.advance(nearly_half);
        let half = road.dial(connect);
        let flight = half_far.take(&road.world.read(half));
        road.world.write(half, &flight[..100]);
        road.world.advance(nearly_half);
        let (_, response) = late_far.accept();
        road.world.peer(late).send(response);
        road.world.now += Duration::from_secs(stall);
        road.world.turn();
        assert_eq!(road.log(), ["open feed.example/prices?of=tin"], "{stall} s");
        road.world.write(half, &flight[100..]);
        road.open(half, &mut half_far);
    }
}
