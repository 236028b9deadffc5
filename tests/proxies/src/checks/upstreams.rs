//! Other ways to the server than TCP: a Unix socket.

use std::sync::Arc;

use switchboard::{Listener, Options, TrustedHeader};

use super::both;
use super::examples::Program;
use crate::client::HOST;
use crate::proxy::{Config, Kind, Proxy, Rig};
use crate::site::Site;

/// The path of the manual.
const PATH: &str = "/run/chat/chat.sock";

fn by_path(rig: &Arc<Rig>, kind: Kind, path: &str) -> Proxy {
    let config: Config = rig.config(kind);
    let config = match kind {
        Kind::Nginx => config.guided("server 127.0.0.1:8080;", &format!("server unix:{PATH};")),
        Kind::Caddy => config.guided("127.0.0.1:8080 {", &format!("unix/{PATH} {{")),
        _ => config.guided("server chat 127.0.0.1:8080", &format!("server chat unix@{PATH}")),
    };
    config.replaced(PATH, path).start("").unwrap()
}

pub fn unix_socket_serves_as_tcp_does(rig: &Arc<Rig>, kind: Kind) {
    let path = rig.path(&format!("{kind:?}.sock"));
    let listener = Listener::unix(&path).mode(0o660);
    let _site = Site::at(listener, Options::new(), |server| {
        server.trusted_proxies(["unix"], TrustedHeader::XForwardedFor).unwrap();
    });
    let proxy = by_path(rig, kind, path.to_str().unwrap());
    assert_eq!(proxy.get("/page").unwrap().body, "the page at the root");
    let head = proxy.get("/head").unwrap().body.to_ascii_lowercase();
    assert!(head.contains(&format!("\r\nhost: {HOST}\r\n")), "{head}");
    let mut client = proxy.client_from("127.0.0.2").unwrap();
    let seen = client.get("/client", "X-Forwarded-For: 192.0.2.66\r\n").unwrap();
    assert_eq!(seen.body, "127.0.0.2 https");
    let mut ws = proxy.websocket("/ws").unwrap();
    ws.echo(1, b"hello").unwrap();
    ws.echo(2, &[7; 100_000]).unwrap();
    let answer = proxy.client().unwrap().post("/upload", &[1; 1 << 20]).unwrap();
    assert_eq!(answer.body, "1048576 bytes, sum 1048576");
}

pub fn echo_takes_the_unix_socket_of_its_option(rig: &Arc<Rig>, kind: Kind) {
    let path = rig.path(&format!("echo-{kind:?}.sock"));
    let path = path.to_str().unwrap();
    let _echo = Program::start(rig, "echo", &["--unix", path]);
    by_path(rig, kind, path).websocket("/").unwrap().echo(1, b"hello").unwrap();
}

/// HAProxy connects to each server every 2 s, and leaves without a byte.
pub fn health_checks_are_not_reported(rig: &Arc<Rig>, _: Kind) {
    let (site, proxy) = both(rig, Kind::Haproxy, Options::new());
    std::thread::sleep(std::time::Duration::from_secs(5));
    let mut ws = proxy.websocket("/ws").unwrap();
    ws.echo(1, b"hello").unwrap();
    assert_eq!(site.noted(), ["websocket open"]);
}
