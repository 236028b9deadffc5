//! Idle connections between proxy and server. Where the proxy closes first, no request meets the
//! close. Where the server closes first, nginx and Caddy repeat a GET. A POST may meet the close,
//! and so may any request of HAProxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use switchboard::Options;

use super::start;
use crate::proxy::{Kind, Proxy, Rig};
use crate::site::Site;

/// Requests in pairs of rounds, with gaps around a second.
const CLIENTS: u64 = 50;
const ROUNDS: u64 = 10;

/// Sends 500 requests around the moment at which connections expire, and counts other answers.
fn faults(proxy: &Proxy, method: &str) -> usize {
    let faults = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let faults = &faults;
            scope.spawn(move || {
                let mut client = proxy.client().unwrap();
                for round in 0..ROUNDS {
                    let millis = 700 + (number * 131 + round * 57) % 700;
                    thread::sleep(Duration::from_millis(millis));
                    let body: &[u8] = if method == "GET" { b"" } else { b"1" };
                    let path = if method == "GET" { "/page" } else { "/upload" };
                    let answer = client.request(method, path, "", body);
                    if !answer.and_then(|()| client.answer()).is_ok_and(|one| one.status == 200) {
                        faults.fetch_add(1, Ordering::Relaxed);
                        client = proxy.client().unwrap();
                    }
                }
            });
        }
    });
    faults.into_inner()
}

pub fn no_request_meets_a_close(rig: &Arc<Rig>, kind: Kind) {
    // The proxy's time is shorter, as in the files: POST as well.
    let site = Site::start(Options::new().keep_alive_timeout(Duration::from_secs(3)));
    let config = rig.config(kind);
    let shorter = match kind {
        Kind::Nginx => config.replaced("keepalive_timeout 60s;", "keepalive_timeout 1s;"),
        Kind::Caddy => config.replaced("keepalive 60s", "keepalive 1s"),
        _ => config.before("global\n    tune.idle-pool.shared on\n").replaced(
            "server chat 127.0.0.1:8080 check",
            "server chat 127.0.0.1:8080 check pool-purge-delay 1s",
        ),
    };
    let shorter = start(shorter, &site);
    // The server's time is shorter: nginx and Caddy repeat what may be repeated.
    let hasty = Site::start(Options::new().keep_alive_timeout(Duration::from_secs(1)));
    let longer = (kind != Kind::Haproxy).then(|| start(rig.config(kind), &hasty));
    thread::scope(|scope| {
        let posts = scope.spawn(|| faults(&shorter, "POST"));
        let gets = scope.spawn(|| longer.as_ref().map_or(0, |longer| faults(longer, "GET")));
        let faults = [posts, gets].map(|thread| thread.join().unwrap());
        assert_eq!(faults, [0; 2], "POST, GET to a hasty server");
    });
}
