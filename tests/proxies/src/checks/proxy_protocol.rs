//! The PROXY protocol from a proxy that passes TCP on.

use std::sync::Arc;
use std::time::Duration;

use switchboard::{Listener, Options, Server, Tls, TrustedHeader};

use super::start;
use crate::client::{Client, HOST};
use crate::proxy::{Config, Kind, Rig};
use crate::site::Site;

fn site(set: impl FnOnce(&mut Server) + Send + 'static) -> Site {
    let listener = Listener::from("127.0.0.1:0").proxy_protocol(["127.0.0.1"]);
    Site::at(listener, Options::new(), set)
}

/// The file, with a version that the proxy can speak besides.
fn versions(rig: &Arc<Rig>, kind: Kind) -> Vec<Config> {
    match kind {
        Kind::HaproxyTcp => {
            let first = rig.config(kind).replaced("send-proxy-v2", "send-proxy");
            vec![rig.config(kind), first]
        }
        Kind::Haproxy => {
            let second = "server chat 127.0.0.1:8080 check send-proxy-v2";
            vec![rig.config(kind).replaced("server chat 127.0.0.1:8080 check", second)]
        }
        _ => vec![rig.config(kind)],
    }
}

pub fn header_names_the_client(rig: &Arc<Rig>, kind: Kind) {
    for config in versions(rig, kind) {
        let site = site(|server| server.max_connections_per_address(1));
        let proxy = start(config, &site);
        let websocket = |source: &str| {
            let mut client = proxy.client_from(source).unwrap();
            client.handshake("/ws", "").map(|answer| (answer.status, client))
        };
        let (status, mut first) = websocket("127.0.0.2").unwrap();
        assert_eq!(status, 101);
        first.echo(2, &[7; 100_000]).unwrap();
        let refused = websocket("127.0.0.2").map(|(status, _client)| status);
        assert!(!matches!(refused, Ok(101)), "{refused:?}");
        assert!(site.note("observed").unwrap().contains("127.0.0.2"), "the address");
        assert_eq!(websocket("127.0.0.3").unwrap().0, 101);
        let seen = proxy.client_from("127.0.0.4").unwrap().get("/client", "").unwrap();
        assert_eq!(seen.body, "127.0.0.4 http");
    }
}

/// Trusted proxies name clients behind the one of the PROXY header, which is the first hop.
pub fn header_is_the_first_hop(rig: &Arc<Rig>, kind: Kind) {
    let site = site(|server| {
        let proxies = ["127.0.0.2"];
        server.trusted_proxies(proxies, TrustedHeader::XForwardedFor).unwrap();
    });
    let proxy = start(rig.config(kind), &site);
    let seen = |source: &str| {
        let mut client = proxy.client_from(source).unwrap();
        let named = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n";
        client.get("/client", named).unwrap().body
    };
    assert_eq!(seen("127.0.0.2"), "192.0.2.1 https");
    assert_eq!(seen("127.0.0.3"), "127.0.0.3 http");
}

/// The proxy passes TLS on unread.
pub fn server_ends_tls_behind_the_header(rig: &Arc<Rig>, kind: Kind) {
    let tls = Tls::from_pem_files(rig.path("chain.pem"), rig.path("key.pem")).unwrap();
    let listener = Listener::from("127.0.0.1:0").proxy_protocol(["127.0.0.1"]).tls(tls);
    let site = Site::at(listener, Options::new(), |_server| {});
    let proxy = start(rig.config(kind), &site);
    let client = || Client::from("127.0.0.2", proxy.address, Some(&rig.tls)).unwrap();
    let mut ws = client();
    let page = format!("Origin: https://{HOST}\r\n");
    assert_eq!(ws.handshake("/ws", &page).unwrap().status, 101);
    ws.echo(2, &[7; 1 << 20]).unwrap();
    assert_eq!(client().get("/client", "").unwrap().body, "127.0.0.2 https");
    assert_eq!(client().post("/upload", &[1; 1 << 20]).unwrap().body, "1048576 bytes, sum 1048576");
}

/// What a client sends comes behind the proxy's header, and is no second one.
pub fn client_cannot_claim_an_address(rig: &Arc<Rig>, kind: Kind) {
    let site = site(|_server| {});
    let proxy = start(rig.config(kind), &site);
    let mut client = proxy.client_from("127.0.0.2").unwrap();
    client.write("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n").unwrap();
    client.write("GET /page HTTP/1.1\r\nHost: chat.example\r\n\r\n").unwrap();
    assert_eq!(client.answer().unwrap().status, 400);
}

/// HAProxy's checks say `LOCAL`, and leave.
pub fn local_health_checks_are_not_reported(rig: &Arc<Rig>, kind: Kind) {
    let site = site(|_server| {});
    let proxy = start(rig.config(kind), &site);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(site.noted(), [""; 0]);
    assert_eq!(proxy.get("/page").unwrap().status, 200);
}

/// A server that expects no header takes it for a request.
pub fn header_to_a_server_without_the_option_is_refused(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(rig.config(kind), &site);
    let answer = proxy.get("/page").unwrap();
    assert_eq!(answer.status, 400, "{answer:?}");
}

/// A listener that expects the header closes what comes without one.
pub fn request_without_the_header_is_closed(rig: &Arc<Rig>, kind: Kind) {
    let site = site(|_server| {});
    let config = match kind {
        Kind::NginxStream => rig.config(kind).without("proxy_protocol on"),
        _ => rig.config(kind).replaced(" send-proxy-v2", ""),
    };
    let proxy = start(config, &site);
    let mut client = proxy.client().unwrap();
    let _cut = client.request("GET", "/page", "", b"");
    assert!(client.ends());
    site.note("observed").unwrap();
}
