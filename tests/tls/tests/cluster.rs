//! A cluster whose listener speaks TLS: connections are handed over before their handshake.

use std::net::TcpStream;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use switchboard::{Cluster, Drain, Listener, Stats, TlsConfig};
use switchboard_tls_tests::{Authority, Folder};

fn curl(port: u16, roots: &str) -> Output {
    let url = format!("https://localhost:{port}/");
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "--cacert", roots, "--ipv4", &url]).output().unwrap()
}

#[test]
fn tls_connections_are_handed_over_and_meet_the_limits() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let issued = authority.issue(&["localhost"]);
    let roots = folder.write("roots.pem", &authority.pem()).display().to_string();
    let chain = folder.write("chain.pem", &issued.chain);
    let tls = TlsConfig::new(chain, folder.write("key.pem", &issued.key)).load().unwrap();
    let mut cluster = Cluster::new(2).hand_over(true).max_connections(2);
    let listener = cluster.listen(Listener::from("127.0.0.1:0").tls(tls)).unwrap();
    let (address, handle) = (cluster.local_addr(listener).unwrap(), cluster.handle());
    let thread = thread::spawn(move || {
        cluster.run(|reactor, member| {
            let index = member.index();
            reactor.server.http("/", move |_, _| format!("reactor {index}"));
            Ok(())
        })
    });
    let stats = || -> Stats {
        let (tell, told) = mpsc::channel();
        handle.stats(move |stats| tell.send(stats).unwrap()).unwrap();
        told.recv_timeout(Duration::from_secs(20)).unwrap()
    };
    let held = |count: usize| {
        while stats().connections != count {
            thread::yield_now();
        }
    };
    assert_eq!(curl(address.port(), &roots).stdout, b"reactor 0");
    held(0);
    let first = TcpStream::connect(address).unwrap(); // the first reactor has it
    held(1);
    assert_eq!(curl(address.port(), &roots).stdout, b"reactor 1");
    held(1);
    let second = TcpStream::connect(address).unwrap();
    held(2);
    let refused = curl(address.port(), &roots);
    assert_eq!(refused.status.code(), Some(35), "{refused:?}"); // the alert ends the handshake
    assert_eq!((stats().handshakes, stats().turned_away), (2, 1));
    drop((first, second));
    handle.drain(Drain::within(Duration::from_secs(10))).unwrap();
    thread.join().unwrap().unwrap();
}
