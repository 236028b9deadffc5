//! Silence: the server's pings and comments come before the proxy's patience ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard::Options;

use super::start;
use crate::proxy::{Config, Kind, Rig};
use crate::site::Site;

/// How long the proxy waits here, in place of the 75 s of its file.
const PATIENCE: Duration = Duration::from_secs(3);

fn impatient(rig: &Arc<Rig>, kind: Kind) -> Config {
    let config = rig.config(kind);
    match kind {
        Kind::Nginx => config.replaced("proxy_read_timeout 75s;", "proxy_read_timeout 3s;"),
        _ => config
            .replaced("timeout tunnel 75s", "timeout tunnel 3s")
            .replaced("timeout client 75s", "timeout client 3s")
            .replaced("timeout server 75s", "timeout server 3s"),
    }
}

pub fn silent_websocket_survives_by_pings(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new().idle_timeout(Duration::from_secs(2)));
    let proxy = start(impatient(rig, kind), &site);
    let mut ws = proxy.websocket("/ws").unwrap();
    let start = Instant::now();
    let mut pings = 0;
    while start.elapsed() < 2 * PATIENCE + Duration::from_secs(1) {
        let (opcode, payload) = ws.frame().unwrap();
        assert_eq!(opcode, 9);
        ws.send(10, &payload).unwrap();
        pings += 1;
    }
    assert!(pings >= 3, "{pings} pings");
    ws.echo(1, b"still here").unwrap();
}

pub fn without_pings_the_proxy_cuts_a_silent_websocket(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(impatient(rig, kind), &site);
    let mut ws = proxy.websocket("/ws").unwrap();
    let start = Instant::now();
    assert!(ws.ends(), "the proxy waits on");
    assert!(start.elapsed() + Duration::from_millis(500) > PATIENCE, "{:?}", start.elapsed());
    site.note("websocket close 1006").unwrap();
}

pub fn quiet_event_stream_survives_by_comments(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new().event_stream_interval(Duration::from_secs(2)));
    let proxy = start(impatient(rig, kind), &site);
    let mut stream = proxy.client().unwrap();
    stream.request("GET", "/events", "", b"").unwrap();
    stream.take_until("the first event\n\n").unwrap();
    let start = Instant::now();
    while start.elapsed() < 2 * PATIENCE {
        let line = stream.take_until("\n\n").unwrap();
        assert!(line.contains(':'), "{line:?}");
    }
    assert!(site.noted().iter().all(|note| !note.starts_with("events close")));
}
