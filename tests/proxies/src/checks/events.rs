//! Event streams and streamed answers: no proxy holds a piece back.

use std::sync::Arc;
use std::time::Duration;

use switchboard::Options;

use super::{both, start};
use crate::client::Client;
use crate::proxy::{Config, Kind, Proxy, Rig};
use crate::site::Site;

/// The next event is published only when the one before has arrived: a proxy that waits for more
/// waits for ever.
fn hears_each(proxy: &Proxy, stream: &mut Client) {
    stream.take_until("the first event\n\n").unwrap();
    let mut other = proxy.client().unwrap();
    for number in 0..20 {
        let event = format!("event {number}");
        assert_eq!(other.post("/publish", event.as_bytes()).unwrap().status, 204);
        stream.take_until(&format!("data:{event}\n\n").replace("data:", "")).unwrap();
    }
}

pub fn each_event_arrives_at_once(rig: &Arc<Rig>, kind: Kind) {
    let (_site, proxy) = both(rig, kind, Options::new());
    let mut stream = proxy.client().unwrap();
    stream.request("GET", "/events", "", b"").unwrap();
    let (status, head) = stream.head().unwrap();
    assert_eq!(status, 200, "{head}");
    hears_each(&proxy, &mut stream);
}

/// The site compresses everything.
fn compressing(rig: &Arc<Rig>, kind: Kind) -> Config {
    let config = rig.config(kind);
    match kind {
        Kind::Nginx => config.before("gzip on;\ngzip_types *;\ngzip_proxied any;\n"),
        Kind::Caddy => config.replaced("\treverse_proxy", "\tencode gzip\n\treverse_proxy"),
        _ => config.replaced(
            "    default_backend chat",
            "    filter compression\n    compression algo gzip\n    default_backend chat",
        ),
    }
}

pub fn compressed_site_holds_no_event_back(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(compressing(rig, kind), &site);
    let mut stream = proxy.client().unwrap();
    stream.request("GET", "/events", "Accept-Encoding: gzip\r\n", b"").unwrap();
    let (_, head) = stream.head().unwrap();
    let head = head.to_ascii_lowercase();
    if !head.contains("content-encoding") {
        return hears_each(&proxy, &mut stream);
    }
    // Each event makes some compressed bytes come.
    stream.chunk().unwrap();
    let mut other = proxy.client().unwrap();
    for number in 0..10 {
        stream.patience(Duration::from_millis(100));
        while stream.chunk().is_ok() {}
        stream.patience(Duration::from_secs(4));
        assert_eq!(other.post("/publish", &[b'0' + number]).unwrap().status, 204);
        stream.chunk().unwrap();
    }
}

fn piece(proxy: &Proxy, path: &str) -> std::io::Result<String> {
    let mut stream = proxy.client()?;
    stream.patience(Duration::from_secs(2));
    stream.request("GET", path, "", b"")?;
    stream.take_until("the first piece")
}

pub fn pieces_arrive_at_once(rig: &Arc<Rig>, kind: Kind) {
    let (_site, proxy) = both(rig, kind, Options::new());
    piece(&proxy, "/pieces?unbuffered").unwrap();
}

pub fn without_the_field_nginx_holds_pieces_back(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(rig.config(kind), &site);
    assert!(piece(&proxy, "/pieces").is_err());
    let config = rig.config(kind).guided("location / {", "location / {\nproxy_buffering off;");
    piece(&start(config, &site), "/pieces").unwrap();
}

pub fn event_stream_works_over_http_1_0(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let lines = ["proxy_http_version", "proxy_set_header Upgrade", "proxy_set_header Connection"];
    let config = lines.iter().fold(rig.config(kind), |config, line| config.without(line));
    let proxy = start(config, &site);
    let head = proxy.get("/head").unwrap().body;
    assert!(head.starts_with("GET /head HTTP/1.0\r\n"), "{head}");
    let mut stream = proxy.client().unwrap();
    stream.request("GET", "/events", "", b"").unwrap();
    hears_each(&proxy, &mut stream);
}
