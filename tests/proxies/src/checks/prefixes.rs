//! A server below a path of the proxy: the prefix is kept, or stripped.

use std::sync::Arc;

use switchboard::Options;

use super::start;
use crate::proxy::{Config, Kind, Rig};
use crate::site::Site;

fn kept(rig: &Arc<Rig>, kind: Kind) -> Config {
    let config = rig.config(kind);
    match kind {
        Kind::Nginx => config.guided("location / {", "location /app/ {"),
        Kind::Caddy => config.guided("reverse_proxy 127", "reverse_proxy /app/* 127"),
        _ => {
            config.guided("    default_backend chat", "    use_backend chat if { path_beg /app/ }")
        }
    }
}

fn stripped(rig: &Arc<Rig>, kind: Kind) -> Config {
    let config = rig.config(kind);
    match kind {
        Kind::Nginx => config
            .guided("location / {", "location /app/ {")
            .guided("proxy_pass http://chat;", "proxy_pass http://chat/;"),
        Kind::Caddy => config
            .guided("\treverse_proxy", "\thandle_path /app/* {\n\treverse_proxy")
            .replaced("\t}\n}\n", "\t}\n\t}\n}\n"),
        _ => config
            .guided("    default_backend chat", "    use_backend chat if { path_beg /app/ }")
            .replaced("    server", "    # The line of the manual.\n    server")
            .guided("# The line of the manual.", "http-request replace-path /app(/.*) \\1"),
    }
}

pub fn prefix_is_kept(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(kept(rig, kind), &site);
    assert_eq!(proxy.get("/app/page").unwrap().body, "the page below /app/");
    proxy.websocket("/app/ws").unwrap().echo(1, b"hello").unwrap();
    assert_ne!(proxy.get("/page").unwrap().body, "the page at the root");
    let head = proxy.get("/app/head").unwrap();
    assert_eq!(head.status, 404, "{head:?}");
}

pub fn prefix_is_stripped(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(stripped(rig, kind), &site);
    assert_eq!(proxy.get("/app/page").unwrap().body, "the page at the root");
    let head = proxy.get("/app/head?a=b%2Fc").unwrap().body;
    assert!(head.starts_with("GET /head?a=b%2Fc HTTP/1.1\r\n"), "{head}");
    proxy.websocket("/app/ws").unwrap().echo(1, b"hello").unwrap();
    assert_ne!(proxy.get("/page").unwrap().body, "the page at the root");
}

/// With a path in `proxy_pass`, nginx decodes what the client sent; without one it does not.
pub fn stripping_decodes_the_path(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let whole = start(rig.config(kind), &site).get("/head/%41%2Fb//c").unwrap();
    assert_eq!(whole.status, 400, "{whole:?}"); // a hidden slash
    let stripped = start(stripped(rig, kind), &site).get("/app/head/%41%2Fb//c").unwrap();
    assert!(stripped.body.starts_with("GET /head/A/b/c HTTP/1.1\r\n"), "{stripped:?}");
}
