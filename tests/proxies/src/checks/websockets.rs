//! WebSockets through a proxy, and what goes wrong without the lines that they need.

use std::sync::Arc;

use switchboard::Options;

use super::{both, start};
use crate::client::HOST;
use crate::proxy::{Kind, Rig};
use crate::site::Site;

pub fn messages_of_all_sizes_are_echoed(rig: &Arc<Rig>, kind: Kind) {
    let (_site, proxy) = both(rig, kind, Options::new());
    let mut ws = proxy.websocket("/ws").unwrap();
    for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let text = vec![b'a'; len];
        ws.echo(1, &text).unwrap();
        ws.echo(2, &text).unwrap();
    }
    ws.send(9, b"ping").unwrap();
    assert_eq!(ws.frame().unwrap(), (10, b"ping".to_vec()));
}

pub fn closing_code_reaches_both_sides(rig: &Arc<Rig>, kind: Kind) {
    let (site, proxy) = both(rig, kind, Options::new());
    let mut ws = proxy.websocket("/ws").unwrap();
    ws.send(8, &3000_u16.to_be_bytes()).unwrap();
    assert_eq!(ws.frame().unwrap(), (8, 3000_u16.to_be_bytes().to_vec()));
    site.note("websocket close 3000").unwrap();
    assert!(ws.ends());
}

fn refusal(rig: &Arc<Rig>, forgotten: &[&str]) -> String {
    let site = Site::start(Options::new());
    let config = rig.config(Kind::Nginx);
    let config = forgotten.iter().fold(config, |config, part| config.without(part));
    let proxy = start(config, &site);
    let page = proxy.get("/page").unwrap();
    assert_eq!((page.status, &*page.body), (200, "the page at the root"));
    let mut client = proxy.client().unwrap();
    let answer = client.handshake("/ws", &format!("Origin: https://{HOST}\r\n")).unwrap();
    format!("{} {}", answer.status, answer.body)
}

pub fn without_the_version_the_refusal_names_it(rig: &Arc<Rig>, _: Kind) {
    let refusal = refusal(rig, &["proxy_http_version"]);
    assert!(refusal.starts_with("400 a WebSocket handshake in HTTP/1.0: "), "{refusal}");
    assert!(refusal.contains("have the proxy speak HTTP/1.1"), "{refusal}");
}

pub fn without_upgrade_fields_the_refusal_names_them(rig: &Arc<Rig>, _: Kind) {
    let (upgrade, connection) = ("proxy_set_header Upgrade", "proxy_set_header Connection");
    for forgotten in [&[upgrade][..], &[connection], &[upgrade, connection]] {
        let refusal = refusal(rig, forgotten);
        assert!(refusal.starts_with("400 a WebSocket handshake without "), "{refusal}");
        assert!(refusal.contains("a proxy in between must pass it on"), "{refusal}");
    }
}

pub fn with_defaults_alone_the_refusal_names_the_version(rig: &Arc<Rig>, _: Kind) {
    let lines = ["proxy_http_version", "proxy_set_header Upgrade", "proxy_set_header Connection"];
    let refusal = refusal(rig, &lines);
    assert!(refusal.starts_with("400 a WebSocket handshake in HTTP/1.0: "), "{refusal}");
}
