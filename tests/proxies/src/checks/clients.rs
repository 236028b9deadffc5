//! Clients that leave, and a server that does: each side notices through the proxy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard::Options;

use super::{both, start};
use crate::client::Client;
use crate::proxy::{Kind, Proxy, Rig};
use crate::site::Site;

pub fn aborted_websocket_is_noticed(rig: &Arc<Rig>, kind: Kind) {
    let (site, proxy) = both(rig, kind, Options::new());
    let ws = proxy.websocket("/ws").unwrap();
    site.note("websocket open").unwrap();
    ws.abort();
    site.note("websocket close 1006").unwrap();
}

pub fn aborted_event_stream_is_noticed(rig: &Arc<Rig>, kind: Kind) {
    let (site, proxy) = both(rig, kind, Options::new());
    let mut stream = proxy.client().unwrap();
    stream.request("GET", "/events", "", b"").unwrap();
    stream.take_until("the first event\n\n").unwrap();
    stream.abort();
    site.note("events close 1006").unwrap();
}

/// A server, and a client that waits for its answer.
fn waiting(rig: &Arc<Rig>, kind: Kind, options: Options) -> (Site, Proxy, Client) {
    let (site, proxy) = both(rig, kind, options);
    let mut client = proxy.client().unwrap();
    client.request("GET", "/later", "", b"").unwrap();
    site.note("later asked").unwrap();
    (site, proxy, client)
}

pub fn aborted_wait_for_an_answer_is_noticed(rig: &Arc<Rig>, kind: Kind) {
    let (site, _proxy, client) = waiting(rig, kind, Options::new().half_close(false));
    client.abort();
    site.note("later cancelled").unwrap();
}

/// A proxy takes a client that only ends its own side for one that is gone.
pub fn half_closed_wait_for_an_answer_is_noticed(rig: &Arc<Rig>, kind: Kind) {
    let (site, _proxy, client) = waiting(rig, kind, Options::new().half_close(false));
    client.half_close();
    site.note("later cancelled").unwrap();
}

/// The FIN of the proxy might be that of a client which still reads.
pub fn without_the_option_an_aborted_wait_goes_on(rig: &Arc<Rig>, kind: Kind) {
    let patience = Options::new().answer_timeout(Duration::from_secs(2));
    let (site, _proxy, client) = waiting(rig, kind, patience);
    let start = Instant::now();
    client.abort();
    site.note("later cancelled").unwrap();
    assert!(start.elapsed() > Duration::from_millis(1500), "{:?}", start.elapsed());
}

/// Without `option abortonclose`, HAProxy notices only when the server sends something.
pub fn without_the_line_an_aborted_stream_goes_on(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(rig.config(kind).without("abortonclose"), &site);
    let mut stream = proxy.client().unwrap();
    stream.request("GET", "/events", "", b"").unwrap();
    stream.take_until("the first event\n\n").unwrap();
    stream.abort();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(site.noted(), ["events open"]);
    let mut other = proxy.client().unwrap();
    other.post("/publish", b"one").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    other.post("/publish", b"two").unwrap();
    site.note("events close 1006").unwrap();
}

pub fn drain_reaches_clients_as_1001(rig: &Arc<Rig>, kind: Kind) {
    let (site, proxy) = both(rig, kind, Options::new());
    let mut ws = proxy.websocket("/ws").unwrap();
    site.drain();
    let (opcode, payload) = ws.frame().unwrap();
    assert_eq!((opcode, &payload[..2]), (8, &1001_u16.to_be_bytes()[..]));
    ws.send(8, &payload[..2]).unwrap();
    assert!(ws.ends());
    site.note("websocket close 1001").unwrap();
}
