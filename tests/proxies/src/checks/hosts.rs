//! What a proxy makes of `Host`, and what the checks of origin and host say to it.

use std::sync::Arc;

use switchboard::Options;

use super::{both, start};
use crate::client::HOST;
use crate::proxy::{Kind, Rig};
use crate::site::Site;

pub fn host_is_kept_and_pages_of_the_host_are_accepted(rig: &Arc<Rig>, kind: Kind) {
    let (_site, proxy) = both(rig, kind, Options::new());
    let head = proxy.get("/head").unwrap().body.to_ascii_lowercase();
    assert!(head.contains(&format!("\r\nhost: {HOST}\r\n")), "{head}");
    proxy.websocket("/ws").unwrap();
    let mut client = proxy.client().unwrap();
    let answer = client.handshake("/ws", "Origin: https://evil.example\r\n").unwrap();
    assert_eq!(answer.status, 403, "{answer:?}");
}

pub fn without_host_pages_are_refused_and_told_why(rig: &Arc<Rig>, kind: Kind) {
    let origin = format!("Origin: https://{HOST}\r\n");
    let strict = Site::start(Options::new());
    let forgotten = || rig.config(kind).without("proxy_set_header Host");
    let proxy = start(forgotten(), &strict);
    let answer = proxy.client().unwrap().handshake("/ws", &origin).unwrap();
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains(r#""https://chat.example", at the Host "chat""#), "{answer:?}");
    // The page asks at a zone of its own, for a browser hides the refusal.
    let mut page = proxy.client().unwrap();
    page.request("POST", "/why", &origin, b"").unwrap();
    assert_eq!(page.answer().unwrap().body, answer.body);

    let remedied = Site::with(Options::new(), |server| server.origins(["https://chat.example"]));
    start(forgotten(), &remedied).websocket("/ws").unwrap();
}

pub fn without_host_the_upstream_is_no_served_host(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::with(Options::new(), |server| server.hosts([HOST]));
    let whole = start(rig.config(kind), &site);
    assert_eq!(whole.get("/page").unwrap().status, 200);
    let proxy = start(rig.config(kind).without("proxy_set_header Host"), &site);
    let answer = proxy.get("/page").unwrap();
    assert_eq!(answer.status, 421, "{answer:?}");
    assert!(answer.body.contains(r#""chat""#), "{answer:?}");
}

/// A page of another port than 443 has the port in `Origin` and in `Host`.
pub fn host_variable_loses_the_port(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let status = |proxy: crate::proxy::Proxy| {
        let mut client = proxy.client().unwrap();
        let lines = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                     Origin: https://chat.example:8443\r\n";
        client.write(format!("GET /ws HTTP/1.1\r\nHost: {HOST}:8443\r\n{lines}\r\n")).unwrap();
        client.answer().unwrap().status
    };
    assert_eq!(status(start(rig.config(kind), &site)), 101);
    let without = rig.config(kind).replaced("$http_host", "$host");
    assert_eq!(status(start(without, &site)), 403);
}
