//! A TLS listener over real sockets, with clients that are not rustls.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use switchboard::{Listener, Reactor, TlsConfig};
use switchboard_tls_tests::{Authority, Folder};

/// Serves `/` in a thread of its own, over TLS. Returns the port, and the authority's file.
fn serve(folder: &Folder) -> (u16, String) {
    let authority = Authority::new();
    let issued = authority.issue(&["localhost"]);
    let roots = folder.write("roots.pem", &authority.pem());
    let chain = folder.write("chain.pem", &issued.chain);
    let key = folder.write("key.pem", &issued.key);
    let (sender, port) = mpsc::channel();
    // The thread ends with the process.
    thread::spawn(move || {
        let mut reactor = Reactor::new().unwrap();
        reactor.server.http("/", |_, request| request.path().repeat(3));
        let tls = TlsConfig::new(chain, key).load().unwrap();
        let id = reactor.server.listen(Listener::from("127.0.0.1:0").tls(tls)).unwrap();
        sender.send(reactor.server.local_addr(id).unwrap().port()).unwrap();
        reactor.run().unwrap();
    });
    (port.recv().unwrap(), roots.display().to_string())
}

fn run(command: &mut Command, input: &str) -> Output {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn curl_is_served_under_both_versions_and_reads_what_to_do_without_tls() {
    let folder = Folder::new();
    let (port, roots) = serve(&folder);
    for version in [["--tlsv1.2", "--tls-max"], ["--tlsv1.3", "--tls-max"]] {
        let most = if version[0] == "--tlsv1.2" { "1.2" } else { "1.3" };
        let url = format!("https://localhost:{port}/abc");
        // Two requests over one connection.
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "20", "--cacert", &roots, "--ipv4"]);
        let output = run(curl.args(version).arg(most).args([&url, &url]), "");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "/abc".repeat(6), "{output:?}");
    }
    let url = format!("http://localhost:{port}/abc");
    let mut curl = Command::new("curl");
    let output = run(curl.args(["-sS", "--max-time", "20", "--ipv4", &url]), "");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text, "plain HTTP at a port for TLS: use https:// or wss://");
}

#[test]
fn openssl_is_served_and_reads_close_notify() {
    let folder = Folder::new();
    let (port, roots) = serve(&folder);
    for version in ["-tls1_2", "-tls1_3"] {
        let mut client = Command::new("openssl");
        client.args(["s_client", version, "-verify_return_error", "-CAfile", &roots]);
        client.args(["-quiet", "-servername", "localhost", "-connect"]);
        client.arg(format!("127.0.0.1:{port}"));
        let request = "GET /abc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let output = run(&mut client, request);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("/abc/abc/abc"), "{output:?}");
        // OpenSSL fails at an end without close_notify.
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn peer_that_sends_garbage_reads_an_alert() {
    let folder = Folder::new();
    let (port, _) = serve(&folder);
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.write_all(&[0; 1 << 20]).unwrap();
    let mut received = Vec::new();
    socket.read_to_end(&mut received).unwrap();
    assert!(matches!(received[..], [0x15, 3, _, 0, 2, 2, _]), "{received:?}");
}
