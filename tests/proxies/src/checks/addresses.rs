//! The client's address through a proxy, and what a client may claim.

use std::sync::Arc;

use switchboard::{Options, Server, TrustedHeader};

use super::start;
use crate::client::{Answer, Client};
use crate::proxy::{Config, Kind, Proxy, Rig};
use crate::site::Site;

/// Fields with which a client claims to be another one.
const CLAIMS: [&str; 5] = [
    "",
    "X-Forwarded-For: 192.0.2.66\r\nX-Forwarded-Proto: http\r\n",
    "X-Forwarded-For: 192.0.2.66\r\nX-Forwarded-For: 192.0.2.67, 127.0.0.1\r\n",
    "Forwarded: for=192.0.2.66;proto=http\r\n",
    "Forwarded: for=192.0.2.66\r\nX-Forwarded-For: unknown\r\nX-Forwarded-Proto: gopher\r\n",
];

fn trusting(header: TrustedHeader) -> impl FnOnce(&mut Server) + Send + 'static {
    move |server| server.trusted_proxies(["127.0.0.1"], header).unwrap()
}

/// What the server makes of a client at 127.0.0.2: its address and scheme.
fn seen(proxy: &Proxy, claim: &str) -> String {
    let mut client = proxy.client_from("127.0.0.2").unwrap();
    client.get("/client", claim).unwrap().body
}

fn forwarded_for(rig: &Arc<Rig>, kind: Kind, change: fn(Config) -> Config) -> (Site, Proxy) {
    let site = Site::with(Options::new(), trusting(TrustedHeader::XForwardedFor));
    let proxy = start(change(rig.config(kind)), &site);
    (site, proxy)
}

pub fn client_has_its_own_address_whatever_it_claims(rig: &Arc<Rig>, kind: Kind) {
    let (_site, proxy) = forwarded_for(rig, kind, |config| config);
    for claim in CLAIMS {
        assert_eq!(seen(&proxy, claim), "127.0.0.2 https", "{claim}");
    }
    let mut ws = proxy.client_from("127.0.0.3").unwrap();
    assert_eq!(ws.handshake("/client", CLAIMS[1]).unwrap().status, 101);
    ws.send(1, b"who am I?").unwrap();
    assert_eq!(ws.frame().unwrap().1, b"127.0.0.3");
}

/// One connection of a proxy carries the requests of many clients.
pub fn each_request_has_the_address_of_its_client(rig: &Arc<Rig>, kind: Kind) {
    let (_site, proxy) = forwarded_for(rig, kind, |config| config);
    let sources = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
    let mut clients = sources.map(|source| proxy.client_from(source).unwrap());
    for _ in 0..3 {
        for (client, source) in clients.iter_mut().zip(sources) {
            let answer = client.get("/client", CLAIMS[1]).unwrap();
            assert_eq!(answer.body, format!("{source} https"));
        }
    }
}

pub fn without_trust_all_clients_are_the_proxy(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(rig.config(kind), &site);
    for claim in CLAIMS {
        assert_eq!(seen(&proxy, claim), "127.0.0.1 http", "{claim}");
    }
}

/// The limit of an address holds for the client, and not for the proxy.
pub fn limit_of_an_address_holds_for_each_client(rig: &Arc<Rig>, kind: Kind) {
    let websocket = |proxy: &Proxy, source: &str| -> (Answer, Client) {
        let mut client = proxy.client_from(source).unwrap();
        let answer = client.handshake("/ws", "").unwrap();
        (answer, client)
    };
    let trusted = Site::with(Options::new(), |server| {
        trusting(TrustedHeader::XForwardedFor)(server);
        server.max_connections_per_address(1);
    });
    let proxy = start(rig.config(kind), &trusted);
    let (first, _first) = websocket(&proxy, "127.0.0.2");
    let (second, _second) = websocket(&proxy, "127.0.0.2");
    let (other, _other) = websocket(&proxy, "127.0.0.3");
    assert_eq!((first.status, second.status, other.status), (101, 429, 101), "{second:?}");

    let blind = Site::with(Options::new(), |server| server.max_connections_per_address(1));
    let proxy = start(rig.config(kind), &blind);
    let (first, _first) = websocket(&proxy, "127.0.0.2");
    let (other, _other) = websocket(&proxy, "127.0.0.3");
    assert_eq!((first.status, other.status), (101, 429), "{other:?}");
}

/// nginx passes on what it does not replace.
pub fn without_the_line_a_client_is_who_it_claims_to_be(rig: &Arc<Rig>, kind: Kind) {
    let forgotten: fn(Config) -> Config = |config| config.without("X-Forwarded-For");
    let (_site, proxy) = forwarded_for(rig, kind, forgotten);
    assert_eq!(seen(&proxy, CLAIMS[1]), "192.0.2.66 https");
}

pub fn forwarded_of_the_client_is_removed(rig: &Arc<Rig>, kind: Kind) {
    let seen_by = |change: fn(Config) -> Config| {
        let site = Site::with(Options::new(), trusting(TrustedHeader::Forwarded));
        seen(&start(change(rig.config(kind)), &site), CLAIMS[3])
    };
    // The proxies of these files write no such field: the last trusted address holds.
    assert_eq!(seen_by(|config| config), "127.0.0.1 http");
    let forgotten: fn(Config) -> Config = match kind {
        Kind::Nginx => |config| config.without("proxy_set_header Forwarded"),
        Kind::Caddy => |config| config.without("header_up -Forwarded"),
        _ => |config| config.without("del-header Forwarded"),
    };
    assert_eq!(seen_by(forgotten), "192.0.2.66 http");
}

/// A proxy at 127.0.0.2 in front of nginx names a client; nginx appends that proxy's address.
pub fn addresses_of_a_chain_are_walked(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::with(Options::new(), |server| {
        let proxies = ["127.0.0.1", "127.0.0.2"];
        server.trusted_proxies(proxies, TrustedHeader::XForwardedFor).unwrap();
    });
    let config = rig
        .config(kind)
        .guided("X-Forwarded-For   $remote_addr;", "X-Forwarded-For $proxy_add_x_forwarded_for;");
    let proxy = start(config, &site);
    let forged = "X-Forwarded-For: 192.0.2.66, 192.0.2.1\r\n";
    assert_eq!(seen(&proxy, forged), "192.0.2.1 https");
    let mut stranger = proxy.client_from("127.0.0.3").unwrap();
    assert_eq!(stranger.get("/client", forged).unwrap().body, "127.0.0.3 https");
}
